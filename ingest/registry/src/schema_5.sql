-- Reports are resolved in memory and written many at a time: rows that such a writing made are told by its number (see identity/pending.rs).

ALTER TABLE device ADD COLUMN made INTEGER;                 -- NULL: row by row
ALTER TABLE evidence ADD COLUMN made INTEGER;
ALTER TABLE undo_evidence ADD COLUMN made INTEGER;          -- as it was

-- Writings that the store may not have kept yet.
CREATE TABLE written (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    stamp INTEGER NOT NULL                                  -- the last report's place in the total order
) STRICT;
