-- The registry's first schema. Times are milliseconds since 1970 in UTC. A secret is never here, only its SHA-256 (or argon2 hash).

CREATE TABLE tenant (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    level      INTEGER NOT NULL CHECK (level IN (1, 2, 3)), -- dealer, customer, site
    parent     INTEGER REFERENCES tenant (id),
    name       TEXT NOT NULL,
    number     TEXT,                                        -- what the ERP calls it (customerNo)
    time_zone  TEXT,                                        -- of sites: IANA name
    created_at INTEGER NOT NULL,
    CHECK ((level = 1) = (parent IS NULL)),
    CHECK ((level = 3) = (time_zone IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX tenant_name ON tenant (coalesce(parent, 0), name);

CREATE TABLE account (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    login         TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    role          TEXT NOT NULL,
    branch        INTEGER REFERENCES tenant (id),           -- NULL: the whole house
    language      TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    disabled      INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL,
    last_login_at INTEGER
) STRICT;

CREATE TABLE session (
    token_hash BLOB PRIMARY KEY,
    account    INTEGER NOT NULL REFERENCES account (id),
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_account ON session (account);

CREATE TABLE api_token (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash   BLOB NOT NULL UNIQUE,
    account      INTEGER NOT NULL REFERENCES account (id),
    name         TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT;
CREATE INDEX api_token_account ON api_token (account);

CREATE TABLE agent (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    site       INTEGER NOT NULL REFERENCES tenant (id),
    domain     INTEGER NOT NULL REFERENCES tenant (id),     -- the customer at creation; never changes (identity)
    token_hash BLOB UNIQUE,                                 -- NULL: revoked
    disabled   INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) STRICT;

-- A projection of the journal: a rebuild empties these two and replays (Rule 3).
CREATE TABLE device (
    id            BLOB PRIMARY KEY,
    domain        INTEGER NOT NULL,
    agent         TEXT NOT NULL,                            -- who reported it first: its default site
    serial        TEXT,                                     -- the key of its serial, where known
    mac           TEXT,
    manufacturer  TEXT,
    model         TEXT,
    first_seen_at INTEGER NOT NULL,
    superseded_by BLOB
) STRICT, WITHOUT ROWID;

CREATE TABLE evidence (
    domain INTEGER NOT NULL,
    kind   INTEGER NOT NULL,                                -- 1 serial, 2 MAC, 3 agent and address
    value  TEXT NOT NULL,
    device BLOB NOT NULL,
    PRIMARY KEY (domain, kind, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX evidence_device ON evidence (device);

-- What people decided about a device. No projection: a rebuild leaves it alone.
CREATE TABLE device_note (
    device       BLOB PRIMARY KEY,
    site         INTEGER REFERENCES tenant (id),
    contract_no  TEXT,
    customer_no  TEXT,
    inventory_no TEXT,
    cost_centre  TEXT,
    reference1   TEXT,
    reference2   TEXT,
    reference3   TEXT,
    changed_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    who     TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL
) STRICT;
