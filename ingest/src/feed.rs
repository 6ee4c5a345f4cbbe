//! Durable reports in their one order (Rule 2): decoded (hot) or sealed (warm) from the shards' memory, or read again from their journals.
//!
//! Every report has a stamp, drawn from one counter when its shard writes it. The feed gives reports out by ascending stamp: the smallest
//! at the head of any shard, once no smaller one can still be on its way. A shard that has stamped a group and not yet synced it holds
//! the others back, for as long as a sync takes.
//!
//! What always holds: a replay of the journals gives the same order; a report whose decoded form was dropped is read again.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use journal::archive::Why;
use journal::{Disk, Item, Position, Reader};

use crate::columns::Kept;
use crate::decode::{Decoded, Decoder, Undecodable, guarded, headless};
use crate::metrics::IngestMetrics;
use crate::record::{KIND_DECISION, KIND_FORGET, KIND_REPORT, ReportMeta, read_decision};
use crate::shard::{DiskFactory, ShardError, ShardShared, reader};
use crate::tombstone::{self, Ruling};

/// The counter of stamps, and the bell for the applier.
pub struct Order {
    stamp_next: AtomicU64,
    bell: Mutex<u64>,
    rung: Condvar,
}

impl Order {
    /// A counter whose first stamp is `stamp_next`.
    #[must_use]
    pub const fn new(stamp_next: u64) -> Self {
        Self {
            stamp_next: AtomicU64::new(stamp_next),
            bell: Mutex::new(0),
            rung: Condvar::new(),
        }
    }

    /// The next stamp, not taken.
    pub fn stamp_now(&self) -> u64 {
        self.stamp_next.load(SeqCst)
    }

    /// Takes `count` stamps and returns the first.
    pub fn take_stamps(&self, count: u64) -> u64 {
        self.stamp_next.fetch_add(count, SeqCst)
    }

    /// Makes sure that every stamp from now on is at least `stamp`.
    pub fn raise(&self, stamp: u64) {
        self.stamp_next.fetch_max(stamp, SeqCst);
    }

    /// Every report with a smaller stamp than this is durable in its shard, or will never be.
    ///
    /// The counter is read first: a stamp drawn after that is not smaller, and one drawn before had its shard's floor set before it
    /// was drawn.
    pub fn safe_before(&self, shards: &[Arc<ShardShared>]) -> u64 {
        let now = self.stamp_now();
        shards.iter().map(|shard| shard.floor()).fold(now, u64::min)
    }

    /// Wakes whoever waits.
    pub fn wake(&self) {
        let mut bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        *bell = bell.wrapping_add(1);
        self.rung.notify_all();
    }

    /// How often was woken so far.
    pub fn rings(&self) -> u64 {
        *self.bell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until somebody wakes after `rings` was asked, or for `timeout`.
    pub fn wait(&self, rings: u64, timeout: Duration) {
        let bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .rung
            .wait_timeout_while(bell, timeout, |bell| *bell == rings);
        drop(waited);
    }
}

/// The next report to apply.
pub struct Next {
    /// Its number in the one order.
    pub stamp: u64,
    /// The shard.
    pub shard: u16,
    /// Where the stretch of journal begins that ends with it.
    pub from: Position,
    /// Where it stands.
    pub position: Position,
    /// Where it ends.
    pub next: Position,
    /// Its meta part.
    pub meta: ReportMeta,
    /// What it says; an error when bytes that were once accepted cannot be read by this program.
    pub decoded: Result<Box<Decoded>, Undecodable>,
}

/// The next decision to apply.
pub struct Decided {
    /// Its place in the one order.
    pub stamp: u64,
    /// Where the stretch of journal begins that ends with it.
    pub from: Position,
    /// Where it ends.
    pub next: Position,
    /// What was decided.
    pub ruling: Ruling,
}

/// What comes next in the one order.
pub enum Turn {
    /// A report.
    Report(Box<Next>),
    /// A decision.
    Decision(Decided),
}

/// What is at the head of a shard.
struct Head {
    stamp: u64,
    position: Position,
    next: Position,
    content: Content,
}

enum Content {
    Hot(ReportMeta, Kept),
    Warm(ReportMeta, Bytes),
    Cold(ReportMeta, Vec<u8>),
    Decision(Ruling),
}

struct ShardFeed {
    shared: Arc<ShardShared>,
    /// Everything before this was given out or is the head.
    cursor: Position,
    /// The end of what was given out.
    covered: Position,
    head: Option<Head>,
    reader: Option<Reader<Box<dyn Disk>>>,
}

/// Gives durable reports out in their one order.
pub struct Feed {
    shards: Vec<ShardFeed>,
    shared: Vec<Arc<ShardShared>>,
    order: Arc<Order>,
    disks: DiskFactory,
    decoder: Decoder,
    metrics: IngestMetrics,
}

impl Feed {
    /// A feed of all shards from what each has applied.
    #[must_use]
    pub fn new(
        shared: Vec<Arc<ShardShared>>,
        order: Arc<Order>,
        disks: DiskFactory,
        decoder: Decoder,
        metrics: IngestMetrics,
    ) -> Self {
        let shards = shared
            .iter()
            .map(|shared| ShardFeed {
                cursor: shared.applied(),
                covered: shared.applied(),
                shared: Arc::clone(shared),
                head: None,
                reader: None,
            })
            .collect();
        Self {
            shards,
            shared,
            order,
            disks,
            decoder,
            metrics,
        }
    }

    /// Gives out again what each shard has not applied.
    pub fn begin_again(&mut self) {
        for shard in &mut self.shards {
            shard.cursor = shard.shared.applied();
            shard.covered = shard.cursor;
            shard.head = None;
            shard.reader = None;
        }
    }

    /// The next report or decision; `None` when everything durable was given out.
    ///
    /// # Errors
    /// Of the disk. Nothing is lost; the call can be repeated.
    #[allow(clippy::should_implement_trait, reason = "the end is only for now")]
    pub fn next(&mut self) -> Result<Option<Turn>, ShardError> {
        let safe_before = self.order.safe_before(&self.shared);
        for shard in &mut self.shards {
            shard.fill(&self.disks, &self.metrics)?;
        }
        let first = self
            .shards
            .iter_mut()
            .filter(|shard| shard.head.is_some())
            .min_by_key(|shard| shard.head.as_ref().map(|head| head.stamp));
        let Some(shard) = first else { return Ok(None) };
        let Some(head) = shard.head.take_if(|head| head.stamp < safe_before) else {
            return Ok(None);
        };
        let from = std::mem::replace(&mut shard.covered, head.next);
        let (meta, decoded) = match head.content {
            Content::Hot(meta, kept) => {
                let report = || kept.columns().report().ok_or_else(headless);
                let decoded = guarded(report).map(|report| Box::new(Decoded { report }));
                (meta, decoded)
            }
            Content::Warm(meta, body) => {
                self.metrics.decoded_again.inc();
                let decoded = self.decoder.decode(meta.encoding, &body).map(Box::new);
                (meta, decoded)
            }
            Content::Cold(meta, body) => {
                self.metrics.decoded_again.inc();
                self.metrics.reread.inc();
                let decoded = self.decoder.decode(meta.encoding, &body).map(Box::new);
                (meta, decoded)
            }
            Content::Decision(ruling) => {
                return Ok(Some(Turn::Decision(Decided {
                    stamp: head.stamp,
                    from,
                    next: head.next,
                    ruling,
                })));
            }
        };
        Ok(Some(Turn::Report(Box::new(Next {
            stamp: head.stamp,
            shard: shard.shared.number,
            from,
            position: head.position,
            next: head.next,
            meta,
            decoded,
        }))))
    }
}

impl ShardFeed {
    /// Finds the shard's next report unless it is there.
    fn fill(&mut self, disks: &DiskFactory, metrics: &IngestMetrics) -> Result<(), ShardError> {
        while self.head.is_none() {
            let synced = {
                let mut tail = self.shared.tail();
                while tail
                    .hot
                    .front()
                    .is_some_and(|hot| hot.position < self.cursor)
                {
                    tail.pop_hot();
                }
                // Between the end of the report before and this one lies no other.
                if tail.hot.front().is_some_and(|hot| hot.from <= self.cursor)
                    && let Some(hot) = tail.pop_hot()
                {
                    self.reader = None;
                    self.cursor = hot.next;
                    self.head = Some(Head {
                        stamp: hot.stamp,
                        position: hot.position,
                        next: hot.next,
                        content: match hot.columns {
                            Some(kept) => Content::Hot(hot.meta, kept),
                            None => Content::Warm(hot.meta, hot.body),
                        },
                    });
                    return Ok(());
                }
                tail.synced
            };
            if self.cursor >= synced {
                return Ok(());
            }
            self.read(disks, synced, metrics)?;
        }
        Ok(())
    }

    /// Reads on in the journal: finds a head, or moves the cursor.
    fn read(
        &mut self,
        disks: &DiskFactory,
        synced: Position,
        metrics: &IngestMetrics,
    ) -> Result<(), ShardError> {
        if self.reader.is_none() {
            self.reader = Some(reader(&self.shared, disks, self.cursor, synced)?);
        }
        let Some(reader) = self.reader.as_mut() else {
            return Ok(());
        };
        let item = reader.next().map_err(|source| ShardError::Journal {
            folder: self.shared.folder.clone(),
            source,
        })?;
        match item {
            None => {
                // The reader ends at what was durable when it was made.
                self.cursor = self.cursor.max(reader.until().min(synced));
                self.reader = None;
            }
            Some(Item::Damage(damage)) => {
                metrics.journal_damage.inc();
                tracing::error!(
                    shard = self.shared.number,
                    from = %damage.from,
                    to = damage.to,
                    reason = %damage.reason,
                    "damaged journal: reports may be lost here"
                );
                self.cursor = Position::new(damage.from.segment, damage.to);
            }
            Some(Item::Withheld(withheld)) => {
                metrics.skip(match withheld.why {
                    Why::Forgotten => "forgotten",
                    Why::NoKey => "no-key",
                });
                self.cursor = withheld.next;
            }
            Some(Item::Record(entry)) => {
                self.cursor = entry.next;
                let content = match entry.kind {
                    KIND_REPORT => ReportMeta::read(entry.meta)
                        .map(|meta| Content::Cold(meta, entry.body.to_vec())),
                    KIND_DECISION => read_decision(entry.meta)
                        .map(|decision| Content::Decision(Ruling::Who(decision))),
                    KIND_FORGET => tombstone::read(entry.meta, entry.body)
                        .map(|tombstone| Content::Decision(Ruling::Forget(tombstone))),
                    _ => return Ok(()),
                };
                match content {
                    Ok(content) => {
                        self.head = Some(Head {
                            stamp: entry.sequence,
                            position: entry.position,
                            next: entry.next,
                            content,
                        });
                    }
                    Err(error) => {
                        metrics.skip("foreign-record");
                        tracing::error!(position = %entry.position, %error, "a journal record was skipped");
                    }
                }
            }
        }
        Ok(())
    }
}
