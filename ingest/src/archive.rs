//! Applied segments become archives, and archives go when they are old enough: a thread of its own, so that no receipt waits for it.
//!
//! | step | by | if the program dies here |
//! |---|---|---|
//! | a segment is due: sealed, applied, not the newest, quiet for a while | the shard | |
//! | it is compressed, synced, read back, renamed | this thread | half an archive is swept at the next start |
//! | the live segment is removed | the shard | both are compared at the next start, and this step is done again |
//!
//! Archives are sealed, each customer's reports under his own key ([`crate::keys`]). Live segments are not: where a customer is forgotten, they are
//! closed and archived at once ([`ShardShared::archive_now`]), without what is his. Archives of before there were keys are sealed one by
//! one.
//!
//! What always holds: of every segment that is kept, the live one or a whole archive is there; archives go oldest first and as a whole, never
//! what the store has not applied, and with a line in the log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use codec::time::Timestamp;
use journal::archive::{self, Archived, Due, Opener};
use journal::{ArchiveDisk, Disk, Journal, Position, Record};

use crate::evidence::{Ages, Keep};
use crate::feed::Order;
use crate::keys::Seals;
use crate::metrics::{HinderedLabel, IngestMetrics, ShardLabel};
use crate::record::KIND_CHECKPOINT;
use crate::shard::{DiskFactory, ShardShared};

mod care;

pub use care::{Unreadable, unreadable};

/// How often is looked for segments that are due.
const TICK: Duration = Duration::from_secs(1);
/// How often archives are listed when nothing was added: their age is told in days.
const LIST_EVERY: Duration = Duration::from_secs(60);
const DAY_MS: i64 = 86_400_000;

/// The folder of a shard's archives.
#[must_use]
pub fn folder_of(shard: &Path) -> PathBuf {
    shard.join("archive")
}

/// Disks that read archived segments like live ones.
#[must_use]
pub fn layered(disks: DiskFactory, opener: Arc<dyn Opener>) -> DiskFactory {
    Arc::new(move |folder| {
        let live = disks(folder)?;
        let disk = ArchiveDisk::new(live, &folder_of(folder), Arc::clone(&opener));
        Ok(Box::new(disk) as Box<dyn Disk>)
    })
}

/// What shard and archiver tell each other.
#[derive(Debug, Default)]
pub struct ArchiveState {
    /// Segments to be archived, oldest first.
    due: Vec<Due>,
    /// Segments that are archived: the shard removes the live ones.
    done: BTreeSet<u64>,
    /// Segments whose archive holds something else than they do: left alone until somebody has looked.
    unlike: BTreeSet<u64>,
    /// Bytes of all live segments.
    live_bytes: u64,
    /// Whether what is live is wanted as archives at once.
    now: Now,
    /// Archives of version 1 that are to be sealed.
    unsealed: usize,
    /// Whether they are to be counted anew.
    is_recount_due: bool,
    /// Why a segment that is due could not be archived the last time.
    trouble: Option<String>,
}

impl ArchiveState {
    /// Why a segment that is due could not be archived the last time.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

/// Whether what is live is wanted as archives at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Now {
    #[default]
    No,
    /// It is; the segment being written has not been closed yet.
    Wanted,
    /// All before this segment.
    Before(u64),
}

impl ShardShared {
    /// Closes the segment being written and has all live ones archived as soon as they are applied. Returns at once.
    pub(crate) fn archive_now(&self) {
        let mut state = self.archive();
        state.now = Now::Wanted;
        state.is_recount_due = true;
    }

    /// Whether all is sealed that [`archive_now`](Self::archive_now) was asked for, and what was archived before there were keys.
    pub(crate) fn is_sealed(&self) -> bool {
        let state = self.archive();
        state.now == Now::No && state.unsealed == 0 && !state.is_recount_due
    }
}

/// The shard's half: removes what is archived, and says what is due.
///
/// # Errors
/// Of the disk.
pub(crate) fn hand_over(
    journal: &mut Journal<Box<dyn Disk>>,
    ages: &mut Ages,
    shared: &ShardShared,
    order: &Order,
    (keep, after_ms): (Keep, i64),
    now: Timestamp,
) -> Result<(), journal::Error> {
    let applied = shared.applied();
    let mut at_once = shared.archive().now;
    if at_once == Now::Wanted {
        roll(journal, ages, shared, order)?;
        at_once = Now::Before(journal.end().segment);
        // Whoever asked meanwhile means no more than was closed now: this thread alone writes.
        shared.archive().now = at_once;
    }
    let done = std::mem::take(&mut shared.archive().done);
    for segment in done {
        if journal.remove_segment(segment)? {
            ages.forget(segment);
        }
    }
    // What must go for want of room goes through the archive too, so that the oldest goes first.
    let is_tight = journal.bytes() > keep.bytes_max;
    let is_all_applied = shared.is_caught_up();
    let due = journal.sealed().iter().filter_map(|info| {
        // A later checkpoint must be there: it holds what a start needs of this segment.
        let ended = ages.ended(info.segment)?;
        let begun = ages.begun(info.segment).unwrap_or(ended);
        let is_applied = is_all_applied || Position::new(info.segment, info.bytes) <= applied;
        let is_quiet = now.ms_since(ended) >= after_ms;
        let is_urgent = matches!(at_once, Now::Before(segment) if info.segment < segment);
        (is_applied && (is_quiet || is_tight || is_urgent)).then_some(Due {
            segment: info.segment,
            bytes: info.bytes,
            begun_ms: begun.unix_ms,
            ended_ms: ended.unix_ms,
        })
    });
    let due = due.collect();
    let mut state = shared.archive();
    let is_left = |segment| journal.sealed().iter().any(|info| info.segment < segment);
    if matches!(state.now, Now::Before(segment) if !is_left(segment)) {
        state.now = Now::No;
    }
    state.due = due;
    state.live_bytes = journal.bytes();
    Ok(())
}

/// Closes the segment being written and begins another with a checkpoint, so that nothing needs the ones before it.
fn roll(
    journal: &mut Journal<Box<dyn Disk>>,
    ages: &mut Ages,
    shared: &ShardShared,
    order: &Order,
) -> Result<(), journal::Error> {
    journal.seal()?;
    let newest = journal.sealed().last().map(|info| info.segment);
    if newest.is_none_or(|newest| ages.ended(newest).is_some()) {
        return Ok(());
    }
    let begun_at = Timestamp::now();
    let ledger = shared.ledger().to_bytes();
    let checkpoint = Record {
        kind: KIND_CHECKPOINT,
        sequence: order.stamp_now(),
        meta: &begun_at.unix_ms.to_le_bytes(),
        body: &ledger,
    };
    let segment = journal.append(&[checkpoint])?[0].segment;
    journal.sync()?;
    ages.note(segment, begun_at);
    Ok(())
}

/// Makes archives and removes old ones.
pub struct Archiver {
    /// The shards whose segments are archived.
    pub shards: Vec<Arc<ShardShared>>,
    /// Opens a shard's live segments.
    pub disks: DiskFactory,
    /// What archives are sealed with.
    pub seals: Seals,
    /// How long archives are kept.
    pub keep: Keep,
    /// Counters.
    pub metrics: IngestMetrics,
}

impl Archiver {
    /// Works until the other end of `stop` is gone.
    pub fn run(&self, stop: &Receiver<()>) {
        self.destroy_forgotten_keys();
        let mut is_unreadable = self.look_after_keys();
        let mut looked_at = Instant::now();
        for shard in &self.shards {
            self.mend(shard);
        }
        let mut listed: BTreeMap<u16, (Instant, Vec<u64>)> = BTreeMap::new();
        let mut left = care::Left::default();
        loop {
            if is_unreadable && looked_at.elapsed() >= LIST_EVERY {
                is_unreadable = self.look_after_keys();
                looked_at = Instant::now();
            }
            for shard in &self.shards {
                let made = self.archive(shard);
                let is_recount_due = shard.archive().is_recount_due;
                let is_due = listed
                    .get(&shard.number)
                    .is_none_or(|(at, _)| at.elapsed() >= LIST_EVERY);
                if made || is_due || is_recount_due {
                    // Asked for again from here on, it is counted again.
                    shard.archive().is_recount_due = false;
                    let archives = self.forget(shard, Timestamp::now());
                    let unsealed = self.unsealed(shard, &archives, &left);
                    listed.insert(shard.number, (Instant::now(), unsealed));
                }
                if let Some((_, unsealed)) = listed.get_mut(&shard.number) {
                    self.seal_one(shard, unsealed, &mut left);
                }
            }
            match stop.recv_timeout(TICK) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Cleans up after a crash.
    fn mend(&self, shard: &ShardShared) {
        let mended = (self.disks)(&shard.folder).and_then(|mut live| {
            archive::mend(
                &folder_of(&shard.folder),
                live.as_mut(),
                &self.seals.opener(),
            )
        });
        match mended {
            Ok(mended) => {
                if mended.swept + mended.removed.len() + mended.doubled.len() > 0 {
                    tracing::info!(
                        shard = shard.number,
                        swept = mended.swept,
                        removed = mended.removed.len(),
                        doubled = mended.doubled.len(),
                        "archiving goes on where it was interrupted"
                    );
                }
                for segment in &mended.unlike {
                    self.metrics.archive_errors.inc();
                    tracing::error!(
                        shard = shard.number,
                        segment,
                        "a segment is not what its archive holds; both are kept: compare them with `platen journal check`"
                    );
                }
                let mut state = shard.archive();
                state.done.extend(mended.doubled);
                state.unlike.extend(mended.unlike);
            }
            Err(error) => self.complain(shard, &error, "the archive could not be looked at"),
        }
    }

    /// Archives what is due. Says whether anything was.
    fn archive(&self, shard: &ShardShared) -> bool {
        let due = {
            let state = shard.archive();
            let is_left = |due: &&Due| {
                !state.done.contains(&due.segment) && !state.unlike.contains(&due.segment)
            };
            state
                .due
                .iter()
                .filter(is_left)
                .copied()
                .collect::<Vec<_>>()
        };
        let (mut made, mut trouble) = (false, None);
        for due in due {
            let started = Instant::now();
            let archived = (self.disks)(&shard.folder).and_then(|mut live| {
                archive::write(
                    &folder_of(&shard.folder),
                    live.as_mut(),
                    &due,
                    &mut self.seals.sealer(),
                    &self.seals.opener(),
                )
            });
            match archived {
                Ok(info) => {
                    made = true;
                    self.metrics.archived_segments.inc();
                    tracing::info!(
                        shard = shard.number,
                        segment = info.segment,
                        bytes = info.raw_bytes,
                        archived_bytes = info.file_bytes,
                        ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                        "a segment was archived"
                    );
                    shard.archive().done.insert(due.segment);
                }
                // The live one could not be removed the last time.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    self.mend(shard);
                }
                // It was forgotten since it was said to be due.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    self.complain(shard, &error, "a segment could not be archived yet");
                    trouble = Some(error.to_string());
                    break;
                }
            }
        }
        let label = HinderedLabel {
            part: format!("archive-{}", shard.number),
            reason: "archive-error",
        };
        let is_hindered = i64::from(trouble.is_some());
        self.metrics.hindered.get_or_create(&label).set(is_hindered);
        shard.archive().trouble = trouble;
        made
    }

    /// Removes archives that are too old or too much, oldest first; returns those that there were.
    fn forget(&self, shard: &ShardShared, now: Timestamp) -> Vec<Archived> {
        let folder = folder_of(&shard.folder);
        let archives = match archive::list(&folder) {
            Ok(archives) => archives,
            Err(error) => {
                self.complain(shard, &error, "the archives could not be listed");
                return Vec::new();
            }
        };
        let (live_bytes, applied) = (shard.archive().live_bytes, shard.applied());
        let mut bytes: u64 = archives.iter().map(|info| info.file_bytes).sum();
        let mut raw_bytes: u64 = archives.iter().map(|info| info.raw_bytes).sum();
        for info in &archives {
            let ended = Timestamp::from_unix_ms(info.ended_ms);
            let is_old = now.ms_since(ended) > i64::from(self.keep.days) * DAY_MS;
            let is_too_much = live_bytes + bytes > self.keep.bytes_max;
            if !(is_old || is_too_much) || info.segment >= applied.segment {
                break;
            }
            if let Err(error) = archive::remove(&folder, info.segment) {
                self.complain(shard, &error, "an old archive could not be removed");
                break;
            }
            bytes -= info.file_bytes;
            raw_bytes -= info.raw_bytes;
            self.metrics.archives_removed.inc();
            tracing::info!(
                shard = shard.number,
                segment = info.segment,
                ended = %ended,
                reason = if is_old { "older than evidence_days" } else { "more than evidence_gb" },
                "an archived segment was removed: its readings no longer lead back to their bytes"
            );
        }
        let label = ShardLabel {
            shard: shard.number,
        };
        let gauge = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.metrics
            .archive_bytes
            .get_or_create(&label)
            .set(gauge(bytes));
        self.metrics
            .archive_raw_bytes
            .get_or_create(&label)
            .set(gauge(raw_bytes));
        archives
    }

    fn complain(&self, shard: &ShardShared, error: &std::io::Error, what: &'static str) {
        self.metrics.archive_errors.inc();
        tracing::warn!(shard = shard.number, %error, "{what}");
    }
}
