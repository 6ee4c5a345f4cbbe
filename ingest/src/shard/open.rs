//! Opening a shard's journal: recovery, the ledger from the newest checkpoint on, and readers for others.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use journal::{Disk, Item, Journal, Position, Reader};

use super::ShardShared;
use crate::config::IngestConfig;
use crate::evidence::Ages;
use crate::ledger::Ledger;
use crate::record::{KIND_CHECKPOINT, KIND_REPORT, ReportMeta};

/// Opens a shard's folder; called on the thread that uses the disk.
pub type DiskFactory = Arc<dyn Fn(&Path) -> std::io::Result<Box<dyn Disk>> + Send + Sync>;

/// What a shard's journal said when it was opened.
pub struct Opened {
    pub(super) journal: Journal<Box<dyn Disk>>,
    pub(super) ledger: Ledger,
    /// One above the highest stamp in the journal.
    pub stamp_next: u64,
    /// Damaged places seen while reading.
    pub damage: u64,
    /// The end of the last report.
    pub(super) last_report_end: Position,
    pub(super) ages: Ages,
}

/// What can go wrong when a shard is opened.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// The folder could not be opened.
    #[error("opening the journal folder {folder} failed")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The journal could not be opened or read.
    #[error("opening the journal in {folder} failed")]
    Journal {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        #[source]
        source: journal::Error,
    },
}

/// Opens the journal in `folder` and reads what the shard goes on from.
pub(super) fn open_journal(
    folder: &Path,
    config: &IngestConfig,
    disks: &DiskFactory,
    segment_min: u64,
) -> Result<Opened, ShardError> {
    let disk = disks(folder).map_err(|source| ShardError::Folder {
        folder: folder.to_owned(),
        source,
    })?;
    let config = journal::Config {
        segment_bytes: config.segment_bytes,
        segment_min,
    };
    let read = || -> Result<Opened, journal::Error> {
        let (mut journal, _) = Journal::open(disk, config)?;
        let from = newest_checkpoint(&mut journal)?;
        let ages = Ages::read(&mut journal)?;
        let mut opened = Opened {
            ledger: Ledger::default(),
            stamp_next: 1,
            damage: 0,
            last_report_end: from,
            ages,
            journal,
        };
        let end = opened.journal.end();
        let mut reader = opened.journal.read_from(from)?;
        while let Some(item) = reader.next()? {
            let Item::Record(entry) = item else {
                opened.damage += 1;
                continue;
            };
            match entry.kind {
                KIND_CHECKPOINT => {
                    opened.stamp_next = opened.stamp_next.max(entry.sequence);
                    // Later checkpoints say what was noted already; the first is where the ledger begins.
                    if entry.position == first_record(from)
                        && let Ok(ledger) = Ledger::from_bytes(entry.body)
                    {
                        opened.ledger = ledger;
                    }
                }
                KIND_REPORT => {
                    opened.stamp_next = opened.stamp_next.max(entry.sequence + 1);
                    opened.last_report_end = entry.next;
                    if let Ok(meta) = ReportMeta::read(entry.meta) {
                        opened.ledger.note(&meta.key, meta.received_at);
                    }
                }
                _ => {}
            }
        }
        drop(reader);
        if opened.last_report_end == from {
            opened.last_report_end = last_report_before(&mut opened.journal, from)?;
        }
        opened.last_report_end = opened.last_report_end.min(end);
        Ok(opened)
    };
    read().map_err(|source| ShardError::Journal {
        folder: folder.to_owned(),
        source,
    })
}

/// The end of the last live report before `position`; the start of everything when there is none: what is archived was applied.
fn last_report_before(
    journal: &mut Journal<Box<dyn Disk>>,
    position: Position,
) -> Result<Position, journal::Error> {
    let segments: Vec<u64> = journal.sealed().iter().map(|info| info.segment).collect();
    let mut before = segments.into_iter().rev();
    let mut last = Position::START;
    while last == Position::START
        && let Some(segment) = before.find(|segment| *segment < position.segment)
    {
        let mut reader = journal.read_from(Position::new(segment, 0))?;
        while let Some(item) = reader.next()? {
            match item {
                Item::Record(entry) if entry.position.segment > segment => break,
                Item::Record(entry) if entry.kind == KIND_REPORT => last = entry.next,
                _ => {}
            }
        }
    }
    Ok(last)
}

fn first_record(segment_start: Position) -> Position {
    Position::new(
        segment_start.segment,
        journal::frame::SEGMENT_HEADER_BYTES as u64,
    )
}

/// The start of the newest segment that opens with a checkpoint that can be read; of everything when there is none.
fn newest_checkpoint(journal: &mut Journal<Box<dyn Disk>>) -> Result<Position, journal::Error> {
    let segments: Vec<u64> = journal.sealed().iter().map(|info| info.segment).collect();
    for segment in segments.into_iter().rev() {
        let start = Position::new(segment, 0);
        let mut reader = journal.read_from(start)?;
        if let Some(Item::Record(entry)) = reader.next()?
            && entry.position == first_record(start)
            && entry.kind == KIND_CHECKPOINT
            && Ledger::from_bytes(entry.body).is_ok()
        {
            return Ok(start);
        }
    }
    Ok(Position::START)
}

/// Reads a shard's journal from `from` up to what is durable, on a disk of its own.
///
/// # Errors
/// Of the disk.
pub fn reader(
    shared: &ShardShared,
    disks: &DiskFactory,
    from: Position,
    until: Position,
) -> Result<Reader<Box<dyn Disk>>, ShardError> {
    let disk = disks(&shared.folder).map_err(|source| ShardError::Folder {
        folder: shared.folder.clone(),
        source,
    })?;
    Reader::new(disk, from, until).map_err(|source| ShardError::Journal {
        folder: shared.folder.clone(),
        source,
    })
}
