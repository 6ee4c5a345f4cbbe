//! What can go wrong when the store is opened, written or asked.

use std::error::Error;
use std::path::PathBuf;

use crate::cursor::CursorError;

/// Why the store did not do what it was asked; every variant names the operation.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the store's file (Rule 11).
    #[error("the store {path} is open in another process: stop that manager first")]
    Locked {
        /// The file.
        path: PathBuf,
        /// What the engine said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file could not be opened or made.
    #[error("cannot open the store {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the engine said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file was written by a newer Platen.
    #[error(
        "the store has schema {found}, this program knows schemas up to {known}: use the newer program, or restore a backup made before the update"
    )]
    SchemaTooNew {
        /// The schema of the file.
        found: u32,
        /// The newest schema this program knows.
        known: u32,
    },
    /// The file is a database, but not one of ours.
    #[error("{path} is a database without Platen's tables: choose another file")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A batch does not begin where the store stands: rows would be missing.
    #[error(
        "the batch begins at position {from} of journal shard {shard}, but the store has applied up to {applied}"
    )]
    PositionGap {
        /// The journal shard.
        shard: u16,
        /// Where the batch begins.
        from: u64,
        /// What the store has applied.
        applied: u64,
    },
    /// A batch repeats a part of what is applied, and has news too: it cannot be taken apart.
    #[error(
        "the batch for journal shard {shard} covers {from} to {to}, but the store has applied up to {applied}"
    )]
    PositionOverlap {
        /// The journal shard.
        shard: u16,
        /// Where the batch begins.
        from: u64,
        /// Where it ends.
        to: u64,
        /// What the store has applied.
        applied: u64,
    },
    /// A batch speaks of a device that neither it nor an earlier one introduced: the applier has a fault.
    #[error("the batch has {what} for a device that the store does not know: {device}")]
    UnknownDevice {
        /// What kind of row.
        what: &'static str,
        /// The device.
        device: codec::id::DeviceId,
    },
    /// A batch ends, recuts or confirms runs that are not there: the applier has a fault.
    #[error("the batch {does} {runs} runs, of which the store has only {found}")]
    UnknownRuns {
        /// What it does to them.
        does: &'static str,
        /// How many.
        runs: usize,
        /// How many of them the store has.
        found: usize,
    },
    /// A batch ends alerts that do not stand: the applier has a fault.
    #[error("the batch ends {alerts} alerts, of which only {found} stand")]
    UnknownAlerts {
        /// How many.
        alerts: usize,
        /// How many of them stand.
        found: usize,
    },
    /// More different meters than any fleet has: somebody counts media sizes without end.
    #[error("there are more than 65,536 different meters: a profile makes up sizes")]
    TooManyMeters,
    /// A batch was refused as a whole and nothing of it was kept.
    #[error("cannot apply a batch: {step}")]
    Apply {
        /// Which step of it.
        step: &'static str,
        /// What the engine said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A question failed.
    #[error("cannot answer the question {question}")]
    Ask {
        /// Which question.
        question: &'static str,
        /// What the engine said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The cursor is none of ours.
    #[error("cannot continue the list")]
    Cursor(#[from] CursorError),
    /// All readers are busy and none came free in time.
    #[error("the store is busy: no reader came free within {waited_ms} ms")]
    Busy {
        /// How long was waited.
        waited_ms: u64,
    },
    /// A stored value cannot be what was written: the file is damaged or was edited.
    #[error("{table}.{column} holds {value:?}, which was never written there")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What it holds.
        value: String,
    },
    /// Upkeep (checkpoint, check, backup) failed.
    #[error("cannot {operation} the store")]
    Upkeep {
        /// Which operation.
        operation: &'static str,
        /// What the engine or the system said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without anybody doing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }
}
