-- How things were before reports that the store may not have kept yet (see identity.rs, "Ahead of the store").

CREATE TABLE undo_evidence (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    stamp  INTEGER NOT NULL,                                -- the report's place in the total order
    domain INTEGER NOT NULL,
    kind   INTEGER NOT NULL,
    value  TEXT NOT NULL,
    device BLOB                                             -- NULL: nobody's
) STRICT;

CREATE TABLE undo_device (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    stamp         INTEGER NOT NULL,
    device        BLOB NOT NULL,
    existed       INTEGER NOT NULL,
    serial        TEXT,
    mac           TEXT,
    manufacturer  TEXT,
    model         TEXT,
    superseded_by BLOB
) STRICT;
