//! Upkeep: checkpoint, check, backup, and what the engine takes of the machine.

use std::error::Error;
use std::path::Path;

use duckdb::Connection;
use serde::Serialize;

use super::DuckStore;
use super::readers::Answer;
use crate::error::StoreError;

/// What [`DuckStore::check`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Rows of each table.
    pub rows: Vec<(String, u64)>,
    /// What should not be, in sentences; empty when all is well.
    pub faults: Vec<String>,
}

impl CheckReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// What must hold between tables: a sentence, and a question for the number of rows that break it.
const RULES: [(&str, &str); 8] = [
    (
        "readings have places of their own",
        "SELECT count(*) - count(DISTINCT place) FROM run_all",
    ),
    (
        "a meter of a device is in one open reading at most",
        "SELECT count(*) FROM (SELECT 1 FROM run_now GROUP BY device_no, meter_no HAVING count(*) > 1)",
    ),
    (
        "a reading is open, or says what superseded it",
        "SELECT count(*) FROM run WHERE superseded_ms IS NULL",
    ),
    (
        "readings are of known devices",
        "SELECT count(*) FROM run_all WHERE device_no NOT IN (SELECT device_no FROM device)",
    ),
    (
        "readings have known origins and reports, and these known agents",
        "SELECT (SELECT count(*) FROM run_all WHERE origin_no NOT IN (SELECT origin_no FROM origin) \
         OR report_no NOT IN (SELECT report_no FROM report)) \
         + (SELECT count(*) FROM report WHERE agent_no NOT IN (SELECT agent_no FROM agent_name))",
    ),
    (
        "device reports are there once",
        "SELECT count(*) - count(DISTINCT report_no) FROM report",
    ),
    (
        "devices are there once",
        "SELECT count(*) - count(DISTINCT device) + count(*) - count(DISTINCT device_no) FROM device",
    ),
    (
        "places lie before the next place",
        "SELECT count(*) FROM run_all WHERE place >= coalesce((SELECT value::UBIGINT FROM meta WHERE key = 'next_place'), 18446744073709551615)",
    ),
];

impl DuckStore {
    /// Works the write-ahead log into the file.
    ///
    /// # Errors
    /// [`StoreError::Upkeep`] when the engine cannot.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.writer()
            .connection()
            .execute_batch("CHECKPOINT")
            .map_err(|source| failed("checkpoint", source))
    }

    /// Reads every table and looks whether they agree with each other.
    ///
    /// # Errors
    /// When the engine cannot read them: then the file is damaged.
    pub fn check(&self) -> Result<CheckReport, StoreError> {
        self.readers.ask("check", |connection| {
            let mut report = CheckReport::default();
            let mut statement = connection.prepare(
                "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary ORDER BY 1",
            )?;
            let tables = statement
                .query_map([], |row| row.get(0))?
                .collect::<duckdb::Result<Vec<String>>>()?;
            for table in tables {
                report.rows.push((table.clone(), read_all(connection, &table)?));
            }
            for (rule, question) in RULES {
                let broken: i64 = connection.query_row(question, [], |row| row.get(0))?;
                if broken != 0 {
                    report.faults.push(format!("{rule}: not so for {broken} rows"));
                }
            }
            Ok(report)
        })
    }

    /// Writes a copy of the store, as it is now, to `target`, which must not exist.
    ///
    /// # Errors
    /// [`StoreError::Upkeep`] when the store is in memory, `target` exists or cannot be written.
    pub fn backup(&self, target: &Path) -> Result<(), StoreError> {
        let Some(hold) = &self.hold else {
            return Err(failed("back up", "it is in memory".to_owned()));
        };
        // While the writer is held nothing changes the file or its log.
        let writer = self.writer();
        writer
            .connection()
            .execute_batch("CHECKPOINT")
            .map_err(|source| failed("back up", source))?;
        let copied = hold.copy_to(target);
        drop(writer);
        copied.map_err(|source| failed("back up", source))
    }
}

/// What DuckDB's buffer manager holds, by its own names: `BASE_TABLE`, `HASH_TABLE`, `IN_MEMORY_TABLE` and so on.
pub(super) fn memory(connection: &Connection) -> Answer<Vec<(String, u64)>> {
    let mut statement = connection
        .prepare("SELECT lower(tag), memory_usage_bytes::UBIGINT FROM duckdb_memory()")?;
    let tags = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(tags.collect::<duckdb::Result<_>>()?)
}

/// Reads every column of a table, so that a damaged block is noticed, and counts its rows.
fn read_all(connection: &Connection, table: &str) -> duckdb::Result<u64> {
    connection.query_row(
        &format!("SELECT count(*), bit_xor(hash(t)) FROM {table} t"),
        [],
        |row| row.get(0),
    )
}

fn failed(operation: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Upkeep {
        operation,
        source: source.into(),
    }
}
