-- Enrolment and keys of agents: a one-time token is exchanged for a key of the agent's own; a key that is to replace another is registered
-- first, and takes its place when it is first used.

CREATE TABLE enrolment (
    token_hash BLOB PRIMARY KEY,
    agent      TEXT NOT NULL REFERENCES agent (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,                                     -- NULL: not yet
    key_hash   BLOB                                         -- of the key that it was exchanged for
) STRICT, WITHOUT ROWID;
CREATE INDEX enrolment_agent ON enrolment (agent);

ALTER TABLE agent ADD COLUMN key_since INTEGER;             -- NULL: as old as the agent
ALTER TABLE agent ADD COLUMN next_hash BLOB;                -- registered, not yet used
ALTER TABLE agent ADD COLUMN next_since INTEGER;
CREATE UNIQUE INDEX agent_next ON agent (next_hash) WHERE next_hash IS NOT NULL;
