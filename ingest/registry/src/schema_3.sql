-- What people decided about who is who, as applied (see identity/decide.rs). A projection: a rebuild fills all of it again.

CREATE TABLE decision (
    id         INTEGER PRIMARY KEY,                         -- its place in the total order
    op         INTEGER NOT NULL,                            -- 1 merge, 2 split, 3 undo
    device     BLOB,
    other      BLOB,
    undoes     INTEGER,
    who        TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    outcome    TEXT NOT NULL,                               -- 'done', or why it changed nothing
    undone_by  INTEGER
) STRICT;

-- What a decision changed, with how it was: what its undoing puts back.
CREATE TABLE decided_evidence (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    decision INTEGER NOT NULL,
    domain   INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    value    TEXT NOT NULL,
    was      BLOB,                                          -- NULL: nobody's
    now      BLOB
) STRICT;
CREATE INDEX decided_evidence_decision ON decided_evidence (decision);

CREATE TABLE decided_device (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    decision INTEGER NOT NULL,
    device   BLOB NOT NULL,
    was      BLOB,                                          -- superseded by whom, before
    now      BLOB
) STRICT;
CREATE INDEX decided_device_decision ON decided_device (decision);
CREATE INDEX decided_device_device ON decided_device (device);

-- Two devices that no evidence joins again, as long as the decision stands.
CREATE TABLE apart (
    decision INTEGER NOT NULL,
    one      BLOB NOT NULL,
    other    BLOB NOT NULL
) STRICT;

-- Evidence that tells nobody apart, as long as the decision stands: a serial that two devices say.
CREATE TABLE barred (
    decision INTEGER NOT NULL,
    domain   INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    value    TEXT NOT NULL
) STRICT;

-- The evidence that went along when a device turned out to be another: what comes back when it was none.
CREATE TABLE handed_over (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    stamp  INTEGER NOT NULL,
    old    BLOB NOT NULL,
    domain INTEGER NOT NULL,
    kind   INTEGER NOT NULL,
    value  TEXT NOT NULL
) STRICT;
CREATE INDEX handed_over_old ON handed_over (old);
