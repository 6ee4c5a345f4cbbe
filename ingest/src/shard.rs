//! A shard: one journal, one thread that writes it, and the receipts.
//!
//! The thread takes what has queued, asks the ledger about each report, writes the new ones as one group, syncs once, and only then
//! answers. While it syncs, the next group queues. Who got a receipt sends the next report at once, so under load a group waits a bounded
//! moment until it is as large as the one before it; where reports come one by one, nobody waits.
//!
//! What always holds: a report is noted in the ledger only together with being written, and when writing or syncing fails the ledger is
//! read again from the journal, so that both always agree; a stamp's report is durable before the applier may pass that stamp.

pub mod decisions;
mod job;
mod open;
mod queue;
mod shared;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use codec::key::Receipt;
use codec::time::Timestamp;
use journal::{Disk, Journal, Position, Record};

use crate::archive::hand_over;
use crate::columns::Spare;
use crate::config::IngestConfig;
use crate::delivery::Rejection;
use crate::evidence::{Ages, Keep};
use crate::feed::Order;
use crate::ledger::Verdict;
use crate::metrics::{IngestMetrics, ShardLabel};
use crate::record::{KIND_CHECKPOINT, KIND_REPORT};
use crate::room;
pub use job::Job;
use job::{Arrived, answer, in_order, refuse, refuse_all, send};
use open::open_journal;
pub use open::{DiskFactory, Opened, ShardError, reader};
pub use queue::{Gather, Queue};
pub use shared::{Hot, ShardShared, Tail};

/// How often an idle shard looks after its segments.
const TICK: Duration = Duration::from_secs(1);
/// How often a shard looks after its segments and measures, at the most: under load there are hundreds of groups a second.
const TEND_INTERVAL: Duration = Duration::from_millis(100);
/// What an agent is told to wait when it has made too many spools.
const SPOOLS_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The thread's half of a shard.
pub struct Shard {
    shared: Arc<ShardShared>,
    order: Arc<Order>,
    config: IngestConfig,
    disks: DiskFactory,
    metrics: IngestMetrics,
    needs: Arc<crate::apply::Needs>,
    spare: Arc<Spare>,
    journal: Option<Journal<Box<dyn Disk>>>,
    last_report_end: Position,
    segment_min: u64,
    ages: Ages,
    /// This shard's part of what is kept in memory for the applier.
    hot_bytes_max: usize,
}

/// Abandons the queue when its thread ends, however it ends.
struct Abandon<'a>(&'a Queue<Job>);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// What a shard is made of, beside its number.
#[derive(Clone)]
pub struct ShardParts {
    /// Bounds.
    pub config: IngestConfig,
    /// Opens folders.
    pub disks: DiskFactory,
    /// The one order.
    pub order: Arc<Order>,
    /// Counters.
    pub metrics: IngestMetrics,
    /// What this shard may keep in memory for the applier, in bytes.
    pub hot_bytes_max: usize,
    /// The memory of decoded reports, to be measured.
    pub spare: Arc<Spare>,
    /// Devices whose agents are to report them in full.
    pub needs: Arc<crate::apply::Needs>,
}

impl Shard {
    /// Opens the shard's journal and reads its ledger. `applied` is what the store says.
    ///
    /// # Errors
    /// Of the disk.
    pub fn open(
        number: u16,
        folder: PathBuf,
        applied: Position,
        parts: ShardParts,
    ) -> Result<(Self, u64), ShardError> {
        let shared = ShardShared::new(number, folder);
        shared.set_applied(applied);
        let mut shard = Self {
            shared: Arc::new(shared),
            order: parts.order,
            config: parts.config,
            disks: parts.disks,
            metrics: parts.metrics,
            needs: parts.needs,
            spare: parts.spare,
            journal: None,
            last_report_end: Position::START,
            segment_min: applied.segment + 1,
            ages: Ages::default(),
            hot_bytes_max: parts.hot_bytes_max,
        };
        let stamp_next = shard.reopen()?;
        Ok((shard, stamp_next))
    }

    /// What others see of it.
    #[must_use]
    pub fn shared(&self) -> Arc<ShardShared> {
        Arc::clone(&self.shared)
    }

    /// Opens the journal (again) and takes over what it says.
    fn reopen(&mut self) -> Result<u64, ShardError> {
        self.journal = None;
        let opened = open_journal(
            &self.shared.folder,
            &self.config,
            &self.disks,
            self.segment_min,
        )?;
        self.metrics.journal_damage.inc_by(opened.damage);
        self.last_report_end = opened.last_report_end;
        self.shared.replace_ledger(opened.ledger);
        {
            let mut tail = self.shared.tail();
            tail.synced = opened.journal.synced();
            tail.last_report_end = opened.last_report_end;
        }
        self.shared.is_writable.store(true, SeqCst);
        self.ages = opened.ages;
        self.journal = Some(opened.journal);
        Ok(opened.stamp_next)
    }

    /// Takes jobs until the queue is closed and empty.
    pub fn run(&mut self, queue: &Queue<Job>) {
        // Also when this thread fails: who waits for it must be told.
        let _abandoned = Abandon(queue);
        let mut held: Vec<Arrived> = Vec::new();
        let mut arrived: Vec<Job> = Vec::new();
        let mut expected = 1;
        let mut is_open = true;
        let mut tended_at = Instant::now();
        let mut tend_at = tended_at;
        while is_open {
            let patience = held.iter().map(Arrived::patience).min().unwrap_or(TICK);
            let how = Gather {
                patience: patience.min(tend_at.saturating_duration_since(Instant::now())),
                linger: Duration::from_micros(self.config.group_linger_us),
                reports: expected,
                bytes_max: self.config.group_bytes_max,
            };
            is_open = queue.take(how, &mut arrived);
            if !arrived.is_empty() {
                // One small group says little: under load the next is larger again.
                expected = arrived.len().max(expected / 2);
            }
            held.extend(arrived.drain(..).map(Arrived::now));
            let (group, waiting) = in_order(held, &self.shared.ledger());
            held = waiting;
            if !group.is_empty() {
                self.commit(group);
                tend_at = tend_at.min(tended_at + TEND_INTERVAL);
            }
            if self.journal.is_none() || Instant::now() >= tend_at {
                self.tend();
                tended_at = Instant::now();
                tend_at = tended_at + TICK;
            }
        }
        self.commit(held.into_iter().map(|arrived| arrived.job).collect());
    }

    /// Writes a group, syncs it, and answers.
    fn commit(&mut self, group: Vec<Job>) {
        let Some(journal) = self.journal.as_mut() else {
            refuse_all(group, "journal-unavailable");
            return;
        };
        // The checkpoint speaks of what was there before this group.
        let checkpoint = journal
            .starts_segment()
            .then(|| self.shared.ledger().to_bytes());
        let (new, duplicates) = self.judge(group);
        if new.is_empty() {
            // Their bytes are durable: the ledger is only ever as far as the last good sync when no group is on its way.
            answer(duplicates, &self.metrics, &self.needs, &self.shared);
            return;
        }
        self.metrics.group_reports.observe(new.len() as f64);

        // First the floor, then the stamps: the applier must not pass a stamp before it is durable.
        self.shared.floor.store(self.order.stamp_now(), SeqCst);
        let first_stamp = self.order.take_stamps(new.len() as u64);
        let written = self.write(&new, first_stamp, checkpoint.as_deref());
        match written {
            Ok(positions) => {
                self.shared.note_write(None, &self.metrics);
                self.publish(new, &positions, first_stamp, duplicates);
            }
            Err(error) => {
                self.metrics.journal_errors.inc();
                tracing::error!(shard = self.shared.number, %error, "the journal did not take a group");
                let reason = if error.is_disk_full() {
                    room::DISK_FULL
                } else {
                    "journal-error"
                };
                self.shared.note_write(Some(reason), &self.metrics);
                refuse_all(new, reason);
                refuse_all(duplicates, reason);
                self.shared.is_writable.store(false, SeqCst);
                self.recover();
            }
        }
        if self.journal.is_some() {
            self.shared.floor.store(u64::MAX, SeqCst);
        }
        self.order.wake();
    }

    /// Splits a group into new reports (noted in the ledger) and duplicates; refuses the others.
    fn judge(&self, group: Vec<Job>) -> (Vec<Job>, Vec<Job>) {
        let mut new = Vec::with_capacity(group.len());
        let mut duplicates = Vec::new();
        let mut ledger = self.shared.ledger();
        for job in group {
            let key = &job.meta.key;
            match ledger.judge(key, job.meta.received_at) {
                Verdict::New => {
                    ledger.note(key, job.meta.received_at);
                    new.push(job);
                }
                Verdict::Duplicate => duplicates.push(job),
                Verdict::Conflict => {
                    let detail = format!(
                        "report {} of stream {} was received before with other bytes",
                        key.sequence,
                        key.stream.name()
                    );
                    refuse(job, "key-conflict", detail);
                }
                Verdict::TooOld => {
                    let detail = format!(
                        "report {} of stream {} is older than what the manager remembers",
                        key.sequence,
                        key.stream.name()
                    );
                    refuse(job, "too-old", detail);
                }
                Verdict::TooManySpools => {
                    let busy = Rejection::Busy {
                        reason: "too-many-spools",
                        retry_after: SPOOLS_RETRY_AFTER,
                    };
                    send(job, Err(busy));
                }
            }
        }
        (new, duplicates)
    }

    fn write(
        &mut self,
        jobs: &[Job],
        first_stamp: u64,
        checkpoint: Option<&[u8]>,
    ) -> Result<Vec<Position>, journal::Error> {
        let journal = self.journal.as_mut().expect("commit() looked");
        let mut metas = Vec::new();
        let mut ends = Vec::with_capacity(jobs.len());
        for job in jobs {
            job.meta.write(&mut metas);
            ends.push(metas.len());
        }
        let begun_at = Timestamp::now();
        let begun = begun_at.unix_ms.to_le_bytes();
        let mut records = Vec::with_capacity(jobs.len() + 1);
        if let Some(ledger) = checkpoint {
            records.push(Record {
                kind: KIND_CHECKPOINT,
                sequence: first_stamp,
                meta: &begun,
                body: ledger,
            });
        }
        let mut begin = 0;
        for ((job, end), stamp) in jobs.iter().zip(ends).zip(first_stamp..) {
            records.push(Record {
                kind: KIND_REPORT,
                sequence: stamp,
                meta: &metas[begin..end],
                body: &job.body,
            });
            begin = end;
        }
        let started = Instant::now();
        let mut positions = journal.append(&records)?;
        let appended = Instant::now();
        journal.sync()?;
        self.metrics
            .append_seconds
            .observe((appended - started).as_secs_f64());
        self.metrics
            .sync_seconds
            .observe(appended.elapsed().as_secs_f64());
        if checkpoint.is_some() {
            let segment = positions.remove(0).segment;
            self.ages.note(segment, begun_at);
        }
        Ok(positions)
    }

    /// Hands durable reports to the applier and their receipts to the agents.
    fn publish(
        &mut self,
        jobs: Vec<Job>,
        positions: &[Position],
        first_stamp: u64,
        duplicates: Vec<Job>,
    ) {
        let journal = self.journal.as_ref().expect("commit() looked");
        let synced = journal.synced();
        let label = ShardLabel {
            shard: self.shared.number,
        };
        let missing: Vec<_> = {
            let ledger = self.shared.ledger();
            jobs.iter()
                .map(|job| ledger.missing(&job.meta.key))
                .collect()
        };
        {
            let mut tail = self.shared.tail();
            let ends = positions.iter().skip(1).copied().chain([synced]);
            let mut answers = Vec::with_capacity(jobs.len());
            for ((((job, position), next), stamp), need_again) in jobs
                .into_iter()
                .zip(positions)
                .zip(ends)
                .zip(first_stamp..)
                .zip(missing)
            {
                self.metrics.journaled_bytes.inc_by(job.body.len() as u64);
                let from = std::mem::replace(&mut self.last_report_end, next);
                let key = &job.meta.key;
                let receipt = Receipt {
                    need_full: self.needs.take(&key.agent, key.epoch),
                    need_again,
                    ..Receipt::of(key.clone())
                };
                answers.push((job.reply, receipt, job.permits));
                let hot = Hot {
                    stamp,
                    from,
                    position: *position,
                    next,
                    meta: job.meta,
                    body: job.body,
                    columns: job.columns,
                };
                if tail.hot_bytes + hot.bytes() <= self.hot_bytes_max {
                    tail.hot_bytes += hot.bytes();
                    tail.hot.push_back(hot);
                }
            }
            tail.synced = synced;
            tail.last_report_end = self.last_report_end;
            self.metrics
                .hot_bytes
                .get_or_create(&label)
                .set(tail.hot_bytes as i64);
            drop(tail);
            self.metrics.acknowledged.inc_by(answers.len() as u64);
            for (reply, receipt, _permits) in answers {
                // An agent that hung up asks again.
                let _ = reply.send(Ok(receipt));
            }
        }
        answer(duplicates, &self.metrics, &self.needs, &self.shared);
    }

    /// After a failed write: what is in the journal now is read from it.
    fn recover(&mut self) {
        match self.reopen() {
            Ok(stamp_next) => {
                self.order.raise(stamp_next);
                // Until here the applier was held back: what was found may have stamps that are older than other shards'.
                self.shared.floor.store(u64::MAX, SeqCst);
                self.order.wake();
            }
            Err(error) => {
                self.journal = None;
                tracing::error!(
                    shard = self.shared.number,
                    error = &error as &dyn std::error::Error,
                    "the journal cannot be opened again yet; agents are told to wait"
                );
            }
        }
    }

    /// Between groups: tries to come back after an error, removes what is no longer needed, and measures.
    fn tend(&mut self) {
        if self.journal.is_none() {
            self.recover();
        }
        let Some(journal) = self.journal.as_mut() else {
            return;
        };
        let applied = self.shared.applied();
        let keep = Keep {
            days: self.config.evidence_days,
            bytes_max: self.config.evidence_bytes_max,
        };
        let after_ms = self.config.archive_after_ms;
        let tended = hand_over(
            journal,
            &mut self.ages,
            &self.shared,
            &self.order,
            (keep, after_ms),
            Timestamp::now(),
        );
        if let Err(error) = tended {
            tracing::warn!(shard = self.shared.number, %error, "an archived segment could not be removed");
        }
        let label = ShardLabel {
            shard: self.shared.number,
        };
        let unapplied = unapplied_bytes(journal, applied);
        self.metrics
            .journal_bytes
            .get_or_create(&label)
            .set(journal.bytes() as i64);
        self.metrics
            .unapplied_bytes
            .get_or_create(&label)
            .set(unapplied as i64);
        self.metrics
            .decoded_bytes
            .set(self.spare.kept_bytes() as i64);
        let missing: u64 = self
            .shared
            .ledger()
            .gaps()
            .flat_map(|(_, _, stream)| &stream.gaps)
            .map(|gap| gap.to - gap.from + 1)
            .fold(0, u64::saturating_add);
        let missing = i64::try_from(missing).unwrap_or(i64::MAX);
        self.metrics
            .missing_reports
            .get_or_create(&label)
            .set(missing);
    }
}

fn unapplied_bytes(journal: &Journal<Box<dyn Disk>>, applied: Position) -> u64 {
    let sealed: u64 = journal
        .sealed()
        .iter()
        .filter(|info| info.segment > applied.segment)
        .map(|info| info.bytes)
        .sum();
    let end = journal.end();
    let active = journal.bytes() - journal.sealed().iter().map(|info| info.bytes).sum::<u64>();
    let current = journal
        .sealed()
        .iter()
        .find(|info| info.segment == applied.segment);
    match current {
        Some(info) => sealed + active + info.bytes.saturating_sub(applied.offset),
        None if end.segment == applied.segment => end.offset.saturating_sub(applied.offset),
        None => sealed + active,
    }
}
