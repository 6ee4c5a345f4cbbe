//! The tables, and how an older file becomes a newer one.
//!
//! What always holds: no hot table has a key or an index (they would stop DuckDB from reclaiming deleted rows, and cost
//! more than they bring; `device`, which rarely changes and has wide rows, has one, since a page wants fifty of them from
//! all over the table); hot tables hold numbers, texts that repeat are numbered in `device`, `agent_name` and `origin`;
//! moments are milliseconds since 1970 in UTC (`…_ms`).
//!
//! | table | one row is | written by |
//! |---|---|---|
//! | `run` | a reading; while it is open, its `superseded_ms` is [`OPEN_MS`] | append; its end is written over two of its numbers |
//! | `report` | a device report that began readings: what they have in common; numbered by the place of the first | append |
//! | `device_seen` | how old the knowledge of a device is | replaced at every report |
//! | `device`, `device_status`, `device_level`, `supply`, `tray` | what is known of a device now | replaced when it changed |
//! | `alert_open`, `alert_over` | an alert | append, moved when it ends |
//! | `event`, `supply_level` | what happened; what was left | append |
//! | `applied`, `stream`, `agent_heard`, `meta` | where the applier stands | replaced |

use duckdb::Connection;

/// One step each; a file's version is how many of them it has seen. Steps are only ever added.
pub(super) const STEPS: [&str; 5] = [STEP_1, STEP_2, STEP_3, STEP_4, STEP_5];

/// The end of a reading that stands: after all others, so that a stretch of the file in which none is open is passed over by its greatest
/// end alone. A missing end would not do: the engine looks at every row for those.
pub(super) const OPEN_MS: i64 = i64::MAX;

const STEP_1: &str = "
CREATE TABLE applied (shard USMALLINT NOT NULL, position UBIGINT NOT NULL);
CREATE TABLE stream (agent VARCHAR NOT NULL, epoch UBIGINT NOT NULL, stream VARCHAR NOT NULL, sequence UBIGINT NOT NULL);
CREATE TABLE agent_heard (
    agent VARCHAR NOT NULL, heard_ms BIGINT NOT NULL, sealed_ms BIGINT NOT NULL, program VARCHAR NOT NULL, clock_ahead_ms BIGINT
);
CREATE TABLE agent_name (agent_no UINTEGER NOT NULL, agent VARCHAR NOT NULL);
CREATE TABLE origin (
    origin_no UINTEGER NOT NULL, meter_no USMALLINT NOT NULL, code VARCHAR NOT NULL,
    work VARCHAR NOT NULL, colour VARCHAR NOT NULL, unit VARCHAR NOT NULL, media_size VARCHAR, sides VARCHAR, basis VARCHAR NOT NULL,
    oid VARCHAR NOT NULL, profile VARCHAR, source VARCHAR NOT NULL
);
CREATE TABLE device (
    device_no UINTEGER NOT NULL, device VARCHAR NOT NULL, site BIGINT NOT NULL, agent VARCHAR NOT NULL, source VARCHAR NOT NULL,
    first_seen_ms BIGINT NOT NULL, changed_ms BIGINT NOT NULL,
    serial VARCHAR, manufacturer VARCHAR, model VARCHAR, hostname VARCHAR, dns_name VARCHAR, address VARCHAR, mac VARCHAR,
    location VARCHAR, contact VARCHAR, firmware VARCHAR, description VARCHAR, object_id VARCHAR, asset VARCHAR, profile VARCHAR,
    sort_name VARCHAR, sort_model VARCHAR, sort_address VARCHAR, search VARCHAR NOT NULL
);
CREATE INDEX device_by_no ON device (device_no);
CREATE TABLE device_status (
    device_no UINTEGER NOT NULL, since_ms BIGINT NOT NULL, device_status VARCHAR, printer_status VARCHAR, errors USMALLINT NOT NULL,
    uptime_ticks UINTEGER, display VARCHAR, meter_set VARCHAR
);
CREATE TABLE device_seen (
    device_no UINTEGER NOT NULL, observed_ms BIGINT NOT NULL, agent_ms BIGINT NOT NULL, received_ms BIGINT NOT NULL,
    meters_confirmed_ms BIGINT, unchanged_since_ms BIGINT
);
CREATE TABLE device_level (
    device_no UINTEGER NOT NULL, observed_ms BIGINT NOT NULL, black UTINYINT, cyan UTINYINT, magenta UTINYINT, yellow UTINYINT,
    lowest UTINYINT, lowest_kind VARCHAR, lowest_colorant VARCHAR, coloured BOOLEAN NOT NULL
);
CREATE TABLE supply (
    device_no UINTEGER NOT NULL, idx UINTEGER NOT NULL, class VARCHAR NOT NULL, kind VARCHAR NOT NULL, colorant VARCHAR,
    description VARCHAR NOT NULL, part VARCHAR, serial VARCHAR, unit VARCHAR NOT NULL, capacity UINTEGER,
    level_kind UTINYINT NOT NULL, level UINTEGER NOT NULL, resolution UINTEGER
);
CREATE TABLE tray (
    device_no UINTEGER NOT NULL, observed_ms BIGINT NOT NULL, idx UINTEGER NOT NULL, name VARCHAR NOT NULL, kind VARCHAR NOT NULL,
    media VARCHAR, unit VARCHAR NOT NULL, capacity UINTEGER, level_kind UTINYINT NOT NULL, level UINTEGER NOT NULL, status UINTEGER
);
CREATE TABLE report (
    report_no UBIGINT NOT NULL, agent_no UINTEGER NOT NULL, epoch UBIGINT NOT NULL, stream UTINYINT NOT NULL, sequence UBIGINT NOT NULL,
    ordinal UINTEGER NOT NULL, agent_ms BIGINT NOT NULL, received_ms BIGINT NOT NULL, shard USMALLINT NOT NULL, position UBIGINT NOT NULL
);
CREATE TABLE run (
    place UBIGINT NOT NULL, report_no UBIGINT NOT NULL, device_no UINTEGER NOT NULL, meter_no USMALLINT NOT NULL, origin_no UINTEGER NOT NULL,
    site BIGINT NOT NULL, value UBIGINT NOT NULL, continuous UBIGINT NOT NULL, meter_epoch UINTEGER NOT NULL,
    observed_ms BIGINT NOT NULL, confirmed_ms BIGINT NOT NULL, superseded_ms BIGINT,
    quality UTINYINT NOT NULL, clock_corrected BOOLEAN NOT NULL, reason UTINYINT NOT NULL, parts VARCHAR
);
CREATE TABLE run_open AS FROM run LIMIT 0;
CREATE TABLE alert_open (
    place UBIGINT NOT NULL, device_no UINTEGER NOT NULL, site BIGINT NOT NULL, idx UINTEGER NOT NULL, severity VARCHAR NOT NULL,
    group_name VARCHAR NOT NULL, group_idx UINTEGER, code VARCHAR NOT NULL, description VARCHAR NOT NULL,
    device_since_ms BIGINT, since_ms BIGINT NOT NULL, until_ms BIGINT
);
CREATE TABLE alert_over AS FROM alert_open LIMIT 0;
CREATE TABLE event (
    place UBIGINT NOT NULL, device_no UINTEGER NOT NULL, site BIGINT NOT NULL, at_ms BIGINT NOT NULL, kind UTINYINT NOT NULL,
    subject VARCHAR, value_before VARCHAR, value_after VARCHAR
);
CREATE TABLE supply_level (
    device_no UINTEGER NOT NULL, idx UINTEGER NOT NULL, observed_ms BIGINT NOT NULL, kind VARCHAR NOT NULL, colorant VARCHAR,
    description VARCHAR NOT NULL, level_kind UTINYINT NOT NULL, level UINTEGER NOT NULL, percent UTINYINT
);
CREATE VIEW run_all AS
    FROM run
    UNION ALL
    SELECT o.* REPLACE (greatest(o.confirmed_ms, coalesce(s.meters_confirmed_ms, o.confirmed_ms)) AS confirmed_ms)
    FROM run_open o LEFT JOIN device_seen s ON s.device_no = o.device_no;
CREATE VIEW alert_all AS FROM alert_open UNION ALL FROM alert_over;
";

/// What a device turned out to be, and the mark of supplies that say only that some is left. A table cannot be altered under its index:
/// [`migrate`] takes that away before and makes it anew behind.
const STEP_2: &str = "
DROP INDEX IF EXISTS device_by_no;
ALTER TABLE device ADD COLUMN superseded_by VARCHAR;
ALTER TABLE device_level ADD COLUMN some_class VARCHAR;
ALTER TABLE device_level ADD COLUMN some_kind VARCHAR;
UPDATE device_level SET some_class = s.class, some_kind = s.kind FROM (
    SELECT device_no, arg_min(class, idx) AS class, arg_min(kind, idx) AS kind FROM supply
    WHERE level_kind = 2 AND kind IN ('toner', 'ink', 'ribbon', 'wax') GROUP BY device_no
) s WHERE s.device_no = device_level.device_no;
";

/// When the latest device of a stream's last report was observed: a start must judge clocks as if there had been none.
const STEP_3: &str = "
ALTER TABLE stream ADD COLUMN observed_ms BIGINT;
";

/// Ends of open runs gather beside these until many are moved at once: a row that is moved alone costs more than one that is written.
const STEP_4: &str = "
CREATE TABLE run_end (place UBIGINT NOT NULL, confirmed_ms BIGINT NOT NULL, superseded_ms BIGINT NOT NULL);
CREATE VIEW run_now AS SELECT o.* FROM run_open o ANTI JOIN run_end e ON e.place = o.place;
CREATE OR REPLACE VIEW run_all AS
    FROM run
    UNION ALL
    SELECT o.* REPLACE (
        coalesce(e.confirmed_ms, greatest(o.confirmed_ms, coalesce(s.meters_confirmed_ms, o.confirmed_ms))) AS confirmed_ms,
        e.superseded_ms AS superseded_ms
    )
    FROM run_open o LEFT JOIN run_end e ON e.place = o.place LEFT JOIN device_seen s ON s.device_no = o.device_no;
";

/// Open readings lie among the others, and an end is written in its place: that costs a fraction of a row that is written twice.
const STEP_5: &str = "
INSERT INTO run SELECT o.* REPLACE (coalesce(e.confirmed_ms, o.confirmed_ms) AS confirmed_ms,
    coalesce(e.superseded_ms, 9223372036854775807) AS superseded_ms) FROM run_open o LEFT JOIN run_end e ON e.place = o.place;
DROP VIEW run_all;
DROP VIEW run_now;
DROP TABLE run_end;
DROP TABLE run_open;
CREATE VIEW run_now AS FROM run WHERE superseded_ms = 9223372036854775807;
CREATE VIEW run_all AS
    FROM run WHERE superseded_ms < 9223372036854775807
    UNION ALL
    SELECT o.* REPLACE (
        greatest(o.confirmed_ms, coalesce(s.meters_confirmed_ms, o.confirmed_ms)) AS confirmed_ms, NULL::BIGINT AS superseded_ms
    )
    FROM run_now o LEFT JOIN device_seen s ON s.device_no = o.device_no;
";

/// The writer's own tables: keys and ends of one batch, on their way into a join.
pub(super) const STAGES: &str = "
CREATE TEMP TABLE stage_device (device_no UINTEGER NOT NULL);
CREATE TEMP TABLE stage_end (place UBIGINT NOT NULL, confirmed_ms BIGINT NOT NULL, superseded_ms BIGINT NOT NULL);
CREATE TEMP TABLE stage_stream (agent VARCHAR NOT NULL, epoch UBIGINT NOT NULL, stream VARCHAR NOT NULL);
CREATE TEMP TABLE stage_text (text VARCHAR NOT NULL);
";

/// What a file is, before anything is written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing is in it.
    Empty,
    /// Tables are in it, but none of ours.
    Foreign,
    /// A schema of ours.
    Version(u32),
}

/// Looks at what a file holds.
pub(super) fn find(connection: &Connection) -> duckdb::Result<Found> {
    let (tables, ours): (i64, i64) = connection.query_row(
        "SELECT count(*), count(*) FILTER (table_name = 'meta') FROM duckdb_tables() WHERE NOT temporary AND NOT internal",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if tables == 0 {
        return Ok(Found::Empty);
    }
    if ours == 0 {
        return Ok(Found::Foreign);
    }
    let version: Option<String> = connection
        .prepare("SELECT value FROM meta WHERE key = 'platen_schema'")?
        .query_map([], |row| row.get(0))?
        .next()
        .transpose()?;
    Ok(version
        .and_then(|version| version.parse().ok())
        .map_or(Found::Foreign, Found::Version))
}

/// The index of `device`. DuckDB aborts the whole program when an index of a file is dropped, its table altered, and both committed in one
/// transaction: so this is no part of any step. A program that dies in between leaves a file without it, which has it after the next start.
const INDEX: &str = "CREATE INDEX IF NOT EXISTS device_by_no ON device (device_no)";

/// Takes a file from the version `from` to the newest, in one transaction, and writes it into the file itself: what follows, and every later
/// start, begins without altered tables in the log beside it.
pub(super) fn migrate(connection: &Connection, from: u32) -> duckdb::Result<()> {
    let newest = STEPS.len();
    if from as usize == newest {
        return connection.execute_batch(INDEX);
    }
    if from > 0 {
        connection.execute_batch("DROP INDEX IF EXISTS device_by_no; CHECKPOINT")?;
    }
    connection.execute_batch("BEGIN")?;
    let migrated = (|| {
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS meta (key VARCHAR NOT NULL, value VARCHAR NOT NULL)",
        )?;
        for step in &STEPS[from as usize..] {
            connection.execute_batch(step)?;
        }
        connection.execute("DELETE FROM meta WHERE key = 'platen_schema'", [])?;
        connection.execute(
            "INSERT INTO meta VALUES ('platen_schema', ?)",
            [newest.to_string()],
        )?;
        connection.execute_batch("COMMIT")
    })();
    if migrated.is_err() {
        // The first error says more than one of the rollback would.
        let _ = connection.execute_batch("ROLLBACK");
    }
    migrated?;
    connection.execute_batch(INDEX)?;
    connection.execute_batch("CHECKPOINT")
}

#[cfg(test)]
mod tests;
