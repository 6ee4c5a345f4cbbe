//! The way from a reading back to the bytes it came from, and how old segments are.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use codec::id::{Scope, TenantId};
use codec::time::Timestamp;
use journal::archive::{self, InTheClear, Why};
use journal::{ArchiveDisk, Disk, Entry, Item, Journal, Position, Reader, StdDisk};
use olap::{ReadingId, Store, StoreError};

use crate::archive::folder_of;
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
    /// The report was its customer's, who is forgotten.
    #[error(
        "the report of {at} was forgotten on request, the key of customer {customer} was destroyed"
    )]
    Forgotten {
        /// The customer.
        customer: TenantId,
        /// Where it stands.
        at: Position,
    },
    /// The report is archived, and its customer's key is not there though he is not forgotten.
    #[error(
        "the report of {at} cannot be read, the key of customer {customer} is not there: put it back from a backup"
    )]
    NoKey {
        /// The customer.
        customer: TenantId,
        /// Where it stands.
        at: Position,
    },
}

/// The report that `id` was first read from; `None` when the reading is not known in `scope`, or its bytes are kept no longer.
///
/// # Errors
/// [`EvidenceError`].
pub fn find(
    scope: &Scope,
    id: &ReadingId,
    store: &dyn Store,
    shards: &[Arc<ShardShared>],
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
    read_at(shard, disks, position)
}

/// The report at `position` of a shard's journal.
fn read_at(
    shard: &ShardShared,
    disks: &DiskFactory,
    position: Position,
) -> Result<Option<Evidence>, EvidenceError> {
    let until = shard.tail().synced;
    let mut reader = reader(shard, disks, position, until)?;
    let item = match reader.next() {
        Ok(item) => item,
        // It was listed, and went for its age before it was opened. (One that becomes an archive meanwhile is there as that before it goes.)
        Err(journal::Error::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(source) => {
            let folder = shard.folder.clone();
            return Err(ShardError::Journal { folder, source }.into());
        }
    };
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
        Some(Item::Withheld(withheld)) if withheld.position == position => {
            let customer = TenantId(withheld.owner.0);
            return Err(match withheld.why {
                Why::Forgotten => EvidenceError::Forgotten {
                    customer,
                    at: position,
                },
                Why::NoKey => EvidenceError::NoKey {
                    customer,
                    at: position,
                },
            });
        }
        _ => None,
    })
}

/// Where a journal begins whose first segments are kept no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// The name of the shard's folder.
    pub shard: String,
    /// The oldest segment that is left.
    pub segment: u64,
    /// When it was begun, by the manager's clock, as far as it tells.
    pub begun: Option<Timestamp>,
}

impl fmt::Display for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} begins with segment {}", self.shard, self.segment)?;
        match self.begun {
            Some(begun) => write!(f, ", of {begun}"),
            None => Ok(()),
        }
    }
}

/// The number of the first segment that a journal ever has.
const SEGMENT_FIRST: u64 = 1;

/// Where the journals below `folder` begin that do not begin with their first segment any more, live or archived. Changes nothing.
///
/// # Errors
/// Of the disk.
pub fn forgotten(folder: &Path) -> Result<Vec<Beginning>, ShardError> {
    let mut forgotten = Vec::new();
    let failed = |source| ShardError::Folder {
        folder: folder.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(forgotten),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let shard = entry.map_err(failed)?.path();
        if !shard.is_dir() {
            continue;
        }
        let live = StdDisk::open(&shard).map_err(failed)?;
        // Where it begins is not sealed.
        let mut disk = ArchiveDisk::new(live, &folder_of(&shard), Arc::new(InTheClear));
        let segments = disk.list().map_err(failed)?;
        let oldest = segments.iter().map(|(segment, _)| *segment).min();
        if let Some(segment) = oldest.filter(|oldest| *oldest > SEGMENT_FIRST) {
            let mut reader =
                Reader::new(disk, Position::new(segment, 0), Position::END).map_err(|source| {
                    ShardError::Journal {
                        folder: shard.clone(),
                        source,
                    }
                })?;
            let begun = match reader.next() {
                Ok(Some(Item::Record(entry))) if entry.position.segment == segment => {
                    begun_of(&entry)
                }
                _ => None,
            };
            let archived = archive::list(&folder_of(&shard)).map_err(failed)?;
            let archived = archived.iter().find(|info| info.segment == segment);
            let archived = archived.filter(|info| info.begun_ms > i64::MIN);
            let begun = begun.or(archived.map(|info| Timestamp::from_unix_ms(info.begun_ms)));
            let shard = shard.file_name().unwrap_or_default();
            forgotten.push(Beginning {
                shard: shard.to_string_lossy().into_owned(),
                segment,
                begun,
            });
        }
    }
    forgotten.sort_by(|a, b| a.shard.cmp(&b.shard));
    Ok(forgotten)
}

/// When the segment was begun that this checkpoint opens.
fn begun_of(entry: &Entry<'_>) -> Option<Timestamp> {
    let begun = entry.meta.first_chunk()?;
    (entry.kind == KIND_CHECKPOINT).then(|| Timestamp::from_unix_ms(i64::from_le_bytes(*begun)))
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
                && let Some(begun) = begun_of(&entry)
            {
                ages.note(segment, begun);
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
