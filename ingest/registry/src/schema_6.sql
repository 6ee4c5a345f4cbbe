-- Customers that were forgotten (Rule 8): numbers alone, and what refuses their agents. The decision itself is in the journal.

CREATE TABLE forgotten (
    customer   INTEGER PRIMARY KEY,                         -- of a tenant that is no more
    who        TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    erased_at  INTEGER                                      -- NULL: something of it is still in a file
) STRICT;

-- Their agents: no other agent gets such an id, so that nothing of the journal is taken for another's.
CREATE TABLE forgotten_agent (
    id         TEXT PRIMARY KEY,
    customer   INTEGER NOT NULL,
    token_hash BLOB,                                        -- of the keys that they had: who sends one is told why it is worth nothing
    next_hash  BLOB
) STRICT, WITHOUT ROWID;
