//! The journal of what people decide: a shard of its own, written by hand, kept for ever.
//!
//! Its records share the stamps of the report shards, so that a decision has its place among the reports (Rule 2), and they are not subject
//! to the evidence's age: a rebuild needs all of them. Each is synced by itself: people decide some things a day.
//!
//! What always holds: who was told a decision's number can rely on it being applied; a decision whose writing failed may have been written
//! all the same, and is applied then; as long as that is not known, no report is applied, and the journal is tried again every second.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;

use journal::{Disk, Item, Journal, Position, Record};
use tokio::sync::oneshot;

use super::{DiskFactory, ShardError, ShardShared, TICK};
use crate::feed::Order;
use crate::metrics::IngestMetrics;
use crate::record::{KIND_DECISION, KIND_FORGET, write_decision};
use crate::room;
use crate::tombstone::{self, Ruling};

/// The number of this shard in the store's positions: above those of all report shards, of which there are 64 at most.
pub const SHARD: u16 = u16::MAX;
/// Its folder beside those of the report shards.
pub const FOLDER: &str = "decisions";
/// Decisions that may wait to be written: more are told to come again.
const QUEUE_MAX: usize = 64;

/// A decision to be written.
pub struct DecisionJob {
    /// The decision.
    pub ruling: Ruling,
    /// Gets its place in the total order and its end in the journal; nothing when it was not written.
    pub reply: oneshot::Sender<(u64, Position)>,
}

/// The journal of decisions, open.
pub struct Decisions {
    /// What the feed and the applier see of it.
    pub shared: Arc<ShardShared>,
    /// Where decisions go.
    pub jobs: SyncSender<DecisionJob>,
    /// Writes them.
    pub thread: JoinHandle<()>,
}

impl Decisions {
    /// Opens the journal in `folder` on a thread of its own and takes over what it says. `applied` is what the store says.
    ///
    /// # Errors
    /// Of the disk.
    pub fn open(
        folder: PathBuf,
        applied: Position,
        disks: DiskFactory,
        order: Arc<Order>,
        metrics: IngestMetrics,
    ) -> Result<Self, ShardError> {
        let shared = ShardShared::new(SHARD, folder);
        shared.set_applied(applied);
        let shared = Arc::new(shared);
        let writers = Arc::clone(&shared);
        let (jobs, taken) = sync_channel(QUEUE_MAX);
        let (opened, is_open) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("journal-decisions".to_owned())
            .spawn(move || {
                // Made here: a disk may belong to the thread that opened it.
                let mut writer = Writer {
                    shared: writers,
                    disks,
                    order,
                    metrics,
                    segment_min: applied.segment + 1,
                    journal: None,
                };
                let result = writer.open();
                let is_good = result.is_ok();
                // The other end waits for exactly this.
                let _ = opened.send(result);
                if is_good {
                    writer.run(&taken);
                }
            });
        let failed = |source| ShardError::Folder {
            folder: shared.folder.clone(),
            source,
        };
        let thread = thread.map_err(failed)?;
        is_open
            .recv()
            .map_err(|_| failed(std::io::Error::other("its thread ended early")))??;
        Ok(Self {
            shared,
            jobs,
            thread,
        })
    }
}

struct Writer {
    shared: Arc<ShardShared>,
    disks: DiskFactory,
    order: Arc<Order>,
    metrics: IngestMetrics,
    segment_min: u64,
    journal: Option<Journal<Box<dyn Disk>>>,
}

impl Writer {
    /// Opens the journal (again): its end, and the first stamp behind it.
    fn open(&mut self) -> Result<(), ShardError> {
        self.journal = None;
        let folder = self.shared.folder.clone();
        let disk = (self.disks)(&folder).map_err(|source| ShardError::Folder {
            folder: folder.clone(),
            source,
        })?;
        let config = journal::Config {
            segment_min: self.segment_min,
            ..journal::Config::default()
        };
        let read = || -> Result<_, journal::Error> {
            let (mut journal, _) = Journal::open(disk, config)?;
            let (mut stamp_next, mut end) = (1, Position::START);
            let mut reader = journal.read_from(Position::START)?;
            while let Some(item) = reader.next()? {
                match item {
                    Item::Record(entry) => {
                        stamp_next = stamp_next.max(entry.sequence + 1);
                        end = entry.next;
                    }
                    // Decisions are never archived, and nothing live is withheld.
                    Item::Damage(_) | Item::Withheld(_) => {
                        self.metrics.journal_damage.inc();
                    }
                }
            }
            drop(reader);
            Ok((journal, stamp_next, end))
        };
        let (journal, stamp_next, end) =
            read().map_err(|source| ShardError::Journal { folder, source })?;
        self.order.raise(stamp_next);
        {
            let mut tail = self.shared.tail();
            tail.synced = journal.synced();
            tail.last_report_end = end;
        }
        self.shared.is_writable.store(true, SeqCst);
        // Nobody may decide anything for hours: what was wrong is over when the journal opens.
        self.shared.note_write(None, &self.metrics);
        self.shared.floor.store(u64::MAX, SeqCst);
        self.journal = Some(journal);
        Ok(())
    }

    fn run(&mut self, jobs: &Receiver<DecisionJob>) {
        loop {
            match jobs.recv_timeout(TICK) {
                Ok(job) => {
                    if let Some(placed) = self.write(&job.ruling) {
                        self.metrics.decisions.inc();
                        // Who asked may have gone.
                        let _ = job.reply.send(placed);
                    }
                }
                Err(RecvTimeoutError::Timeout) if self.journal.is_some() => continue,
                // The applier is held back until it is known what was written.
                Err(RecvTimeoutError::Timeout) => self.reopen(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.order.wake();
        }
    }

    fn write(&mut self, ruling: &Ruling) -> Option<(u64, Position)> {
        if self.journal.is_none() {
            self.reopen();
        }
        let journal = self.journal.as_mut()?;
        // First the floor, then the stamp, as for reports.
        self.shared.floor.store(self.order.stamp_now(), SeqCst);
        let stamp = self.order.take_stamps(1);
        let (mut meta, mut body) = (Vec::new(), Vec::new());
        let kind = match ruling {
            Ruling::Who(decision) => {
                write_decision(decision, &mut meta);
                KIND_DECISION
            }
            Ruling::Forget(tombstone) => {
                tombstone::write(tombstone, &mut meta, &mut body);
                KIND_FORGET
            }
        };
        let record = Record {
            kind,
            sequence: stamp,
            meta: &meta,
            body: &body,
        };
        let written = journal.append(&[record]).and_then(|_| journal.sync());
        match written {
            Ok(synced) => {
                self.shared.note_write(None, &self.metrics);
                {
                    let mut tail = self.shared.tail();
                    tail.synced = synced;
                    tail.last_report_end = synced;
                }
                self.shared.floor.store(u64::MAX, SeqCst);
                Some((stamp, synced))
            }
            Err(error) => {
                self.metrics.journal_errors.inc();
                tracing::error!(%error, "the journal did not take a decision");
                let reason = if error.is_disk_full() {
                    room::DISK_FULL
                } else {
                    "journal-error"
                };
                self.shared.note_write(Some(reason), &self.metrics);
                self.shared.is_writable.store(false, SeqCst);
                self.reopen();
                None
            }
        }
    }

    fn reopen(&mut self) {
        if let Err(error) = self.open() {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the journal of decisions cannot be opened again yet"
            );
        }
    }
}
