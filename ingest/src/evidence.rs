//! The way from a reading back to the bytes it came from, and how old segments are.

use std::collections::BTreeMap;

use bytes::Bytes;
use codec::id::Scope;
use codec::time::Timestamp;
use journal::{Disk, Item, Journal, Position};
use olap::{ReadingId, Store, StoreError};

use crate::record::{KIND_CHECKPOINT, KIND_REPORT, ReportMeta};
use crate::shard::{DiskFactory, ShardError, ShardShared, reader};

/// The bytes that a reading came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Who sent them, when they came, and their hash.
    pub meta: ReportMeta,
    /// The sealed report, verbatim.
    pub body: Bytes,
    /// The shard of the journal.
    pub shard: u16,
    /// Where they stand in it.
    pub position: Position,
}

/// Why evidence could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The store failed.
    #[error("asking the store for a reading failed")]
    Store(#[from] StoreError),
    /// The journal failed.
    #[error("reading the journal failed")]
    Journal(#[from] ShardError),
}

/// The report that `id` was first read from; `None` when the reading is not known in `scope`, or its bytes are kept no longer.
///
/// # Errors
/// [`EvidenceError`].
pub fn find(
    scope: &Scope,
    id: &ReadingId,
    store: &dyn Store,
    shards: &[std::sync::Arc<ShardShared>],
    disks: &DiskFactory,
) -> Result<Option<Evidence>, EvidenceError> {
    let Some(reading) = store.reading(scope, id)? else {
        return Ok(None);
    };
    let shard = shards
        .iter()
        .find(|shard| shard.number == reading.journal.shard);
    let Some(shard) = shard else { return Ok(None) };
    let position = Position::unpacked(reading.journal.position);
    let until = shard.tail().synced;
    let mut reader = reader(shard, disks, position, until)?;
    let item = reader.next().map_err(|source| ShardError::Journal {
        folder: shard.folder.clone(),
        source,
    })?;
    // Where the segment is gone, the reader begins with the oldest that is left: another place.
    Ok(match item {
        Some(Item::Record(entry)) if entry.position == position && entry.kind == KIND_REPORT => {
            ReportMeta::read(entry.meta).ok().map(|meta| Evidence {
                meta,
                body: Bytes::copy_from_slice(entry.body),
                shard: shard.number,
                position,
            })
        }
        _ => None,
    })
}

/// When each segment was begun, by the manager's clock: what its checkpoint says.
#[derive(Debug, Default)]
pub struct Ages {
    begun: BTreeMap<u64, Timestamp>,
}

impl Ages {
    /// Reads the ages of all segments.
    ///
    /// # Errors
    /// Of the disk.
    pub fn read(journal: &mut Journal<Box<dyn Disk>>) -> Result<Self, journal::Error> {
        let segments: Vec<u64> = journal.sealed().iter().map(|info| info.segment).collect();
        let mut ages = Self::default();
        for segment in segments {
            let mut reader = journal.read_from(Position::new(segment, 0))?;
            if let Some(Item::Record(entry)) = reader.next()?
                && entry.position.segment == segment
                && entry.kind == KIND_CHECKPOINT
                && let Some(begun) = entry.meta.first_chunk()
            {
                ages.note(segment, Timestamp::from_unix_ms(i64::from_le_bytes(*begun)));
            }
        }
        Ok(ages)
    }

    /// Notes that a segment was begun.
    pub fn note(&mut self, segment: u64, at: Timestamp) {
        self.begun.insert(segment, at);
    }

    /// When a segment was begun.
    pub(crate) fn begun(&self, segment: u64) -> Option<Timestamp> {
        self.begun.get(&segment).copied()
    }

    /// Forgets a segment that is gone.
    pub(crate) fn forget(&mut self, segment: u64) {
        self.begun.remove(&segment);
    }

    /// When the last record of a segment was written, at the latest: when the next segment was begun.
    pub(crate) fn ended(&self, segment: u64) -> Option<Timestamp> {
        let mut later = self.begun.range(segment + 1..);
        later.next().map(|(_, at)| *at)
    }
}

/// How long evidence is kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// For so many days.
    pub days: u32,
    /// And not more bytes than this.
    pub bytes_max: u64,
}
