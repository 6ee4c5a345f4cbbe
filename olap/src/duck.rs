//! The embedded store: DuckDB in one file, or in memory for tests and short demos.
//!
//! One connection writes, behind a lock; a few others read, each question in one snapshot. External access and
//! extensions are off (Rule 11): SQL here reaches this one file and nothing else.

mod alerts;
mod apply;
mod columns;
mod device;
mod erase;
mod fleet;
mod freshness;
mod history;
mod hold;
mod load;
mod readers;
mod readings;
mod schema;
mod sql;
mod upkeep;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use codec::id::{DeviceId, Scope};
use duckdb::{Config, Connection};

use crate::ask::{
    AgentHeard, AlertsPage, AlertsQuery, BillingPage, BillingQuery, DeviceDetail, DeviceFresh,
    DeviceState, DevicesPage, DevicesQuery, Facets, FleetCounts, FleetPage, FleetQuery, FleetRules,
    HistoryQuery, LevelHistory, MeterHistory, ReadingsPage, ReadingsQuery,
};
use crate::batch::Batch;
use crate::error::StoreError;
use crate::reading::{Reading, ReadingId};
use crate::store::{Applied, Positions, Store, StreamApplied};

use hold::Hold;
use readers::Readers;
use schema::Found;
use write::Writer;

pub use upkeep::CheckReport;

/// How much of the write-ahead log may gather before it is worked into the file, in MB: a restart replays no more than this, and until then
/// new rows are in memory as they came, four times as much. Three times the log took 60 MB more of a herd, and no less time.
const WAL_MB_MAX: u32 = 32;

/// Eight of the engine's row groups: to look through so many readings for those that stand costs a question a few milliseconds.
const GATHER_RUNS_MIN: u64 = 983_040;

/// What errors call a store that has no file.
const MEMORY: &str = "(memory)";

/// How a [`DuckStore`] uses the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuckOptions {
    /// The most memory DuckDB takes for itself, in MB.
    pub memory_mb_max: u32,
    /// How many threads work on one question or batch.
    pub threads: u32,
    /// How many questions are worked on at a time; others wait.
    pub readers: u32,
    /// After how many new readings, at the earliest, those that have been open for longer are brought together: they would lie scattered
    /// over all of the file.
    pub gather_runs_min: u64,
    /// Where DuckDB may put what does not fit into memory; beside the file when `None`.
    pub temp_dir: Option<PathBuf>,
}

impl Default for DuckOptions {
    fn default() -> Self {
        Self {
            memory_mb_max: 256,
            threads: 2,
            readers: 4,
            gather_runs_min: GATHER_RUNS_MIN,
            temp_dir: None,
        }
    }
}

/// The embedded store.
#[derive(Debug)]
pub struct DuckStore {
    path: Option<PathBuf>,
    writer: Mutex<Writer>,
    readers: Readers,
    options: DuckOptions,
    /// Dropped last: see there.
    hold: Option<Hold>,
}

impl DuckStore {
    /// Opens the store at `path`, or makes it. An older schema is brought up to date.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process has it open, [`StoreError::SchemaTooNew`] and [`StoreError::Foreign`]
    /// for files that this program must not touch, [`StoreError::Open`] for all else.
    pub fn open(path: &Path, options: &DuckOptions) -> Result<Self, StoreError> {
        let failed = |source: duckdb::Error| {
            if is_lock_conflict(&source) {
                StoreError::Locked {
                    path: path.to_owned(),
                    source: source.into(),
                }
            } else {
                StoreError::Open {
                    path: path.to_owned(),
                    source: source.into(),
                }
            }
        };
        let system = |source: std::io::Error| StoreError::Open {
            path: path.to_owned(),
            source: source.into(),
        };
        let Some(hold) = Hold::take(path).map_err(system)? else {
            return Err(StoreError::Locked {
                path: path.to_owned(),
                source: "it is open in this process already".into(),
            });
        };
        let connection = config(options)
            .and_then(|config| Connection::open_with_flags(path, config))
            .map_err(failed)?;
        hold.open_file().map_err(system)?;
        Self::start(Some(hold), connection, path, options)
    }

    /// A store that is gone when it is dropped.
    ///
    /// # Errors
    /// [`StoreError::Open`] when the engine does not start.
    pub fn in_memory(options: &DuckOptions) -> Result<Self, StoreError> {
        let connection = config(options)
            .and_then(Connection::open_in_memory_with_flags)
            .map_err(|source| open_failed(MEMORY.as_ref(), source))?;
        Self::start(None, connection, MEMORY.as_ref(), options)
    }

    fn start(
        hold: Option<Hold>,
        connection: Connection,
        path: &Path,
        options: &DuckOptions,
    ) -> Result<Self, StoreError> {
        let failed = |source| open_failed(path, source);
        let known = u32::try_from(schema::STEPS.len()).expect("a handful of steps");
        match schema::find(&connection).map_err(failed)? {
            Found::Empty => schema::migrate(&connection, 0).map_err(failed)?,
            Found::Version(found) if found <= known => {
                schema::migrate(&connection, found).map_err(failed)?;
            }
            Found::Version(found) => return Err(StoreError::SchemaTooNew { found, known }),
            Found::Foreign => {
                return Err(StoreError::Foreign {
                    path: path.to_owned(),
                });
            }
        }
        let readers = Readers::new(&connection, options.readers.max(1)).map_err(failed)?;
        let writer = Writer::new(connection, options.gather_runs_min).map_err(failed)?;
        Ok(Self {
            path: hold.is_some().then(|| path.to_owned()),
            writer: Mutex::new(writer),
            readers,
            options: options.clone(),
            hold,
        })
    }

    /// The file, unless the store is in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    fn writer(&self) -> std::sync::MutexGuard<'_, Writer> {
        // A writer that panicked has rolled back when its transaction was dropped, and reads anew what it knows.
        self.writer
            .lock()
            .unwrap_or_else(|poisoned: PoisonError<_>| {
                let mut writer = poisoned.into_inner();
                writer.forget();
                writer
            })
    }
}

impl Store for DuckStore {
    fn apply(&self, batch: &Batch) -> Result<Applied, StoreError> {
        self.writer().apply(batch)
    }

    fn erase_deleted(&self) -> Result<(), StoreError> {
        self.write_file_anew()
    }

    fn positions(&self) -> Result<Positions, StoreError> {
        self.readers.ask("positions", load::positions)
    }

    fn streams(&self) -> Result<Vec<StreamApplied>, StoreError> {
        self.readers.ask("streams", load::streams)
    }

    fn load(&self, each: &mut dyn FnMut(DeviceState)) -> Result<(), StoreError> {
        self.readers
            .ask("load", |connection| load::all(connection, each))
    }

    fn state(&self, device: DeviceId) -> Result<Option<DeviceState>, StoreError> {
        self.readers
            .ask("state", |connection| load::one(connection, device))
    }

    fn fleet(&self, scope: &Scope, query: &FleetQuery) -> Result<FleetPage, StoreError> {
        self.readers
            .ask("fleet", |connection| fleet::page(connection, scope, query))
    }

    fn fleet_counts(&self, scope: &Scope, rules: &FleetRules) -> Result<FleetCounts, StoreError> {
        self.readers.ask("fleet_counts", |connection| {
            fleet::counts(connection, scope, rules)
        })
    }

    fn facets(&self, scope: &Scope) -> Result<Facets, StoreError> {
        self.readers
            .ask("facets", |connection| fleet::facets(connection, scope))
    }

    fn device(
        &self,
        scope: &Scope,
        device: DeviceId,
        rules: &FleetRules,
    ) -> Result<Option<DeviceDetail>, StoreError> {
        self.readers.ask("device", |connection| {
            device::detail(connection, scope, device, rules)
        })
    }

    fn devices(&self, scope: &Scope, query: &DevicesQuery) -> Result<DevicesPage, StoreError> {
        self.readers.ask("devices", |connection| {
            fleet::list(connection, scope, query)
        })
    }

    fn readings(&self, scope: &Scope, query: &ReadingsQuery) -> Result<ReadingsPage, StoreError> {
        self.readers.ask("readings", |connection| {
            readings::page(connection, scope, query)
        })
    }

    fn reading(&self, scope: &Scope, id: &ReadingId) -> Result<Option<Reading>, StoreError> {
        self.readers
            .ask("reading", |connection| readings::one(connection, scope, id))
    }

    fn billing(&self, scope: &Scope, query: &BillingQuery) -> Result<BillingPage, StoreError> {
        self.readers.ask("billing", |connection| {
            readings::billing(connection, scope, query)
        })
    }

    fn meter_history(
        &self,
        scope: &Scope,
        device: DeviceId,
        code: &str,
        query: &HistoryQuery,
    ) -> Result<MeterHistory, StoreError> {
        self.readers.ask("meter_history", |connection| {
            history::meter(connection, scope, device, code, query)
        })
    }

    fn level_history(
        &self,
        scope: &Scope,
        device: DeviceId,
        query: &HistoryQuery,
    ) -> Result<LevelHistory, StoreError> {
        self.readers.ask("level_history", |connection| {
            history::levels(connection, scope, device, query)
        })
    }

    fn alerts(&self, scope: &Scope, query: &AlertsQuery) -> Result<AlertsPage, StoreError> {
        self.readers.ask("alerts", |connection| {
            alerts::page(connection, scope, query)
        })
    }

    fn agents_heard(&self, scope: &Scope) -> Result<Vec<AgentHeard>, StoreError> {
        self.readers.ask("agents_heard", |connection| {
            fleet::agents(connection, scope)
        })
    }

    fn freshness(&self, scope: &Scope) -> Result<Vec<DeviceFresh>, StoreError> {
        self.readers
            .ask("freshness", |connection| freshness::all(connection, scope))
    }

    fn memory(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let told = self.readers.ask_if_free("memory", upkeep::memory)?;
        Ok(told.unwrap_or_default())
    }
}

fn config(options: &DuckOptions) -> duckdb::Result<Config> {
    let config = Config::default()
        .enable_external_access(false)?
        .enable_autoload_extension(false)?
        .max_memory(&format!("{}MB", options.memory_mb_max.max(64)))?
        .threads(i64::from(options.threads.max(1)))?
        .with("wal_autocheckpoint", format!("{WAL_MB_MAX}MB"))?
        .with("preserve_insertion_order", "false")?;
    match &options.temp_dir {
        Some(dir) => config.with("temp_directory", dir.to_string_lossy()),
        None => Ok(config),
    }
}

fn open_failed(path: &Path, source: duckdb::Error) -> StoreError {
    StoreError::Open {
        path: path.to_owned(),
        source: source.into(),
    }
}

/// DuckDB has no code for it: the sentence is all there is.
fn is_lock_conflict(error: &duckdb::Error) -> bool {
    let text = error.to_string();
    text.contains("Could not set lock") || text.contains("Conflicting lock")
}

/// A connection to the same database.
fn another(connection: &Connection) -> duckdb::Result<Connection> {
    connection.try_clone()
}
