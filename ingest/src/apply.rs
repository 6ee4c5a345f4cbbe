//! The applier: one thread that turns durable reports into rows, in their one order (Rule 2).
//!
//! | module | what it holds |
//! |---|---|
//! | [`bases`] | the full reports that deltas build on (Rule 5) |
//! | [`blame`] | what is at fault when something fails |
//! | [`clock`] | when a device was observed, by the manager's clock (Rule 7) |
//! | `decided` | what people decided about who is who |
//! | `forget` | a customer is forgotten |
//! | [`device`] | what the applier knows of a device |
//! | [`engine`] | a report becomes rows: identity, deltas, the parts below |
//! | [`meters`] | runs (Rule 4) |
//! | [`step`] | resets, rollovers, continuous values |
//! | [`meter_key`] | what a meter counts, as a number |
//! | [`identity`], [`who`] | who a device says it is |
//! | [`late`], [`history`] | readings that arrive after later ones |
//! | [`sections`] | status, supplies, trays, alerts |
//! | [`progress`] | whether it gets on |
//!
//! What always holds: what the applier knows is what the store has plus the batch at hand, so that a restart, which loads it from the
//! store, goes on as if nothing had been; a batch that the store refuses is offered again, unchanged, and after many refusals made anew
//! from what the store has; a report that cannot be applied holds up no other: over which this program panics, or which alone the store refuses
//! for what it says, is passed over, counted and told. Nothing else is: a full disk is waited for, and so is a store that fails over everything.

pub mod bases;
pub mod blame;
pub mod clock;
mod decided;
pub mod device;
pub mod engine;
mod forget;
pub mod history;
pub mod identity;
pub mod late;
pub mod meter_key;
pub mod meters;
pub mod progress;
pub mod sections;
pub mod step;
pub mod who;

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use codec::id::AgentId;
use codec::key::SpoolEpoch;
use codec::time::Timestamp;
use journal::Position;
use olap::{Batch, Store, StoreError};

use crate::config::IngestConfig;
use crate::feed::{Decided, Feed, Next, Order, Turn};
use crate::forget::Forgetting;
use crate::metrics::IngestMetrics;
use crate::room;
use crate::shard::{ShardShared, decisions};
use crate::tombstone::Ruling;
use blame::Blame;
use engine::{ApplyError, Engine};
use progress::Progress;

/// The wait after the store or the registry refused something, growing to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(100);
/// The longest wait: a full disk that was cleared is noticed soon.
const RETRY_MAX: Duration = Duration::from_secs(10);
/// Attempts at one batch, some 6 s of them, until it is made anew: it may contradict the store, and would for ever.
const ATTEMPTS_MAX: u32 = 6;
/// Handles remembered per agent whose full report is wanted; what is over is asked for later.
const NEEDS_PER_AGENT_MAX: usize = 1_000;

/// Devices whose agents are to report them in full (Rule 5), until a receipt takes the news along.
#[derive(Default)]
pub struct Needs {
    handles: Mutex<HashMap<(AgentId, SpoolEpoch), BTreeSet<String>>>,
}

impl Needs {
    /// Asks for a full report of `handle`.
    pub fn ask(&self, agent: &AgentId, epoch: SpoolEpoch, handle: &str) {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = handles.entry((agent.clone(), epoch)).or_default();
        if wanted.len() < NEEDS_PER_AGENT_MAX {
            wanted.insert(handle.to_owned());
        }
    }

    /// What the next receipt of the agent says.
    pub fn take(&self, agent: &AgentId, epoch: SpoolEpoch) -> Vec<String> {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        if handles.is_empty() {
            return Vec::new();
        }
        let wanted = handles.remove(&(agent.clone(), epoch));
        wanted.unwrap_or_default().into_iter().collect()
    }
}

/// The applier's thread.
pub struct Applier {
    /// Where reports come from.
    pub feed: Feed,
    /// What turns them into rows.
    pub engine: Engine,
    /// Where rows go.
    pub store: Arc<dyn Store>,
    /// The shards, to tell them how far the store is.
    pub shards: Vec<Arc<ShardShared>>,
    /// Wakes it.
    pub order: Arc<Order>,
    /// Set when it is to apply what there is and end.
    pub stopping: Arc<AtomicBool>,
    /// Says that it gets on.
    pub progress: Arc<Progress>,
    /// Bounds.
    pub config: IngestConfig,
    /// Who was forgotten.
    pub(crate) forgetting: Arc<Forgetting>,
    /// Counters.
    pub metrics: IngestMetrics,
    /// How far the batch at hand goes in each shard.
    pub covered: HashMap<u16, Position>,
    /// Whether the engine knows what the store has: not where a full disk was in the way of that at the start.
    pub is_loaded: bool,
    /// What the batch at hand is counted as once it is committed.
    pub uncounted: Uncounted,
    /// What is at fault when something fails.
    pub blame: Blame,
}

/// Reports of a batch that is not committed.
#[derive(Debug, Default)]
pub struct Uncounted {
    reports: u64,
    /// When the oldest of them was received.
    received_at: Option<Timestamp>,
}

/// How it goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Onward {
    /// With the next report.
    On,
    /// From where the store is: the batch at hand was dropped.
    Anew,
    /// Not at all: what is not committed is applied after the next start.
    End,
}

/// Whether the store would refuse the same rows for ever: the rows are at fault, and not its disk.
const fn is_for_good(error: &ApplyError) -> bool {
    matches!(
        error,
        ApplyError::Store(
            StoreError::UnknownDevice { .. }
                | StoreError::UnknownRuns { .. }
                | StoreError::UnknownAlerts { .. }
                | StoreError::TooManyMeters
        )
    )
}

impl Applier {
    /// Applies reports until told to stop and everything durable is applied.
    pub fn run(&mut self) {
        let mut batch = Batch::new();
        let mut opened_at = Instant::now();
        let mut retry = RETRY_MIN;
        if !self.is_loaded && !self.begin_again(&mut batch) {
            return;
        }
        loop {
            let rings = self.order.rings();
            let is_last_round = self.stopping.load(SeqCst);
            let onward = match self.feed.next() {
                Ok(Some(turn)) => {
                    retry = RETRY_MIN;
                    if batch.is_empty() {
                        opened_at = Instant::now();
                    }
                    let taken = match turn {
                        Turn::Report(next) => self.take(&next, &mut batch),
                        Turn::Decision(decided) => self.decide(&decided, &mut batch),
                    };
                    let is_due =
                        opened_at.elapsed().as_millis() >= u128::from(self.config.batch_linger_ms);
                    let is_alone = self.blame.careful > 0;
                    if taken == Onward::On
                        && (is_alone || is_due || batch.row_count() >= self.config.batch_rows_max)
                    {
                        let flushed = self.flush(&mut batch);
                        // Had it failed for good, this would be another number.
                        self.blame.careful =
                            (self.blame.careful).saturating_sub(usize::from(flushed == Onward::On));
                        flushed
                    } else {
                        taken
                    }
                }
                Ok(None) => {
                    let linger = Duration::from_millis(self.config.batch_linger_ms);
                    let left = linger.saturating_sub(opened_at.elapsed());
                    if batch.is_empty() && is_last_round {
                        Onward::End
                    } else if batch.is_empty() {
                        self.progress.note();
                        self.order.wait(rings, RETRY_MAX);
                        Onward::On
                    } else if left.is_zero() || is_last_round {
                        self.flush(&mut batch)
                    } else {
                        self.order.wait(rings, left);
                        Onward::On
                    }
                }
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "reading the journal failed; trying again"
                    );
                    self.hindered("journal-unread", &error);
                    if self.pause(&mut retry) {
                        Onward::On
                    } else {
                        Onward::End
                    }
                }
            };
            let goes_on = match onward {
                Onward::On => true,
                Onward::Anew => self.begin_again(&mut batch),
                Onward::End => false,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Adds a report to the batch, trying again while the registry fails.
    fn take(&mut self, next: &Next, batch: &mut Batch) -> Onward {
        let is_passed_over = self.passes_over(next, batch);
        let key = &next.meta.key;
        let what = || {
            format!(
                "report {} of stream {} of agent {} at {} in shard {}",
                key.sequence,
                key.stream.name(),
                key.agent,
                next.position,
                next.shard
            )
        };
        if !is_passed_over {
            let tried = self.attempt(next.stamp, what, batch, |engine, store, batch| {
                engine.apply(next, store, batch)
            });
            if tried != Onward::On {
                return tried;
            }
        }
        self.blame.in_batch.push(next.stamp);
        batch.covers(next.shard, next.from.packed(), next.next.packed());
        self.covered.insert(next.shard, next.next);
        self.uncounted.reports += 1;
        let received_at = next.meta.received_at;
        let oldest = self.uncounted.received_at.unwrap_or(received_at);
        self.uncounted.received_at = Some(oldest.min(received_at));
        Onward::On
    }

    /// Adds a report or a decision to the batch, trying again while the registry or the store fails. Over what this program panics is
    /// skipped.
    fn attempt(
        &mut self,
        stamp: u64,
        what: impl Fn() -> String,
        batch: &mut Batch,
        apply: impl Fn(&mut Engine, &dyn Store, &mut Batch) -> Result<(), ApplyError>,
    ) -> Onward {
        let mut retry = RETRY_MIN;
        while !self.blame.at_fault.contains(&stamp) {
            let (engine, store) = (&mut self.engine, self.store.as_ref());
            // What a panic leaves half done is dropped, with the whole batch.
            let applied = catch_unwind(AssertUnwindSafe(|| apply(engine, store, batch)));
            match applied {
                Ok(Ok(())) => break,
                Ok(Err(ApplyError::CommitFirst)) => match self.flush(batch) {
                    Onward::On => {}
                    other => return other,
                },
                Ok(Err(error)) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        what = what(),
                        "this cannot be applied yet; trying again"
                    );
                    self.hindered("apply-error", &error);
                    if !self.pause(&mut retry) {
                        return Onward::End;
                    }
                }
                Err(_) => return self.panicked(Some((stamp, what()))),
            }
        }
        Onward::On
    }

    /// Adds a decision to the batch, trying again while the registry or the store fails.
    fn decide(&mut self, decided: &Decided, batch: &mut Batch) -> Onward {
        let decision = match &decided.ruling {
            Ruling::Who(decision) => decision,
            Ruling::Forget(tombstone) => return self.forget(decided, tombstone, batch),
        };
        let what = || format!("decision {}", decided.stamp);
        let tried = self.attempt(decided.stamp, what, batch, |engine, _, batch| {
            engine.decide(decided.stamp, decision, batch)
        });
        if tried != Onward::On {
            return tried;
        }
        self.blame.in_batch.push(decided.stamp);
        batch.covers(
            decisions::SHARD,
            decided.from.packed(),
            decided.next.packed(),
        );
        self.covered.insert(decisions::SHARD, decided.next);
        Onward::On
    }

    /// Commits the batch, trying again while the store does not take it; what it refuses so often is made anew.
    fn flush(&mut self, batch: &mut Batch) -> Onward {
        let mut retry = RETRY_MIN;
        let rows = batch.row_count() as u64;
        for attempt in 1.. {
            let started = Instant::now();
            let (engine, store) = (&self.engine, self.store.as_ref());
            // What a panic leaves half done is dropped: the store rolls back, and all else is loaded again.
            let applied = catch_unwind(AssertUnwindSafe(|| {
                engine.write_ahead().and_then(|()| Ok(store.apply(batch)?))
            }));
            match applied {
                Err(_) => return self.panicked(None),
                Ok(Ok(_)) => {
                    self.metrics
                        .store_seconds
                        .observe(started.elapsed().as_secs_f64());
                    break;
                }
                Ok(Err(error)) => {
                    self.complain(&error);
                    if !self.pause(&mut retry) {
                        return Onward::End;
                    }
                    if attempt == ATTEMPTS_MAX {
                        return if is_for_good(&error) {
                            self.suspect(&room::chain(&error))
                        } else {
                            Onward::Anew
                        };
                    }
                }
            }
        }
        self.metrics.applied_rows.inc_by(rows);
        let counted = std::mem::take(&mut self.uncounted);
        self.metrics.applied_reports.inc_by(counted.reports);
        if let Some(received_at) = counted.received_at {
            let lag_ms = Timestamp::now().ms_since(received_at).max(0);
            self.progress
                .lagged(Duration::from_millis(lag_ms.unsigned_abs()));
        }
        batch.clear();
        self.blame.stored(rows);
        self.engine.committed();
        self.progress.note();
        for (shard, position) in self.covered.drain() {
            if let Some(shared) = self.shards.iter().find(|shared| shared.number == shard) {
                shared.set_applied(position);
            }
        }
        Onward::On
    }

    /// This program panicked: over what has that stamp and is called so, or in the store over the batch at hand. Passed over is only what is
    /// at fault by the rules of [`blame`].
    fn panicked(&mut self, over: Option<(u64, String)>) -> Onward {
        let now = Instant::now();
        let mut wait = self.blame.panicked(now);
        let is_full = room::probe(&self.config.folder).is_err_and(|error| room::is_full(&error));
        match over {
            Some((stamp, what)) if self.blame.is_again() && !is_full => {
                self.pass_over(stamp, &what);
                return Onward::Anew;
            }
            None if self.blame.is_of_the_batch(now) && !is_full => {
                return self.suspect("it panics");
            }
            None if self.blame.alone().is_none() && !is_full => {
                self.suspect("it panics");
            }
            _ => {}
        }
        let reason = if is_full {
            room::DISK_FULL
        } else {
            "store-failed"
        };
        self.metrics.store_errors.inc();
        self.progress
            .hindered(reason, "this program panics; its log says where".to_owned());
        if self.pause(&mut wait) {
            Onward::Anew
        } else {
            Onward::End
        }
    }

    /// The store fails for good over the batch at hand, `why`: what is in it is committed one by one from the beginning, and the one over which
    /// it fails alone, too, is passed over.
    fn suspect(&mut self, why: &str) -> Onward {
        if let Some(stamp) = self.blame.alone() {
            self.pass_over(stamp, &format!("what has stamp {stamp}: {why}"));
            self.blame.careful -= 1;
        } else {
            tracing::error!(
                why,
                count = self.blame.in_batch.len(),
                "the store fails over a batch: its reports are stored one by one"
            );
            self.progress.hindered("store-failed", why.to_owned());
            self.blame.careful = self.blame.in_batch.len().max(1);
        }
        Onward::Anew
    }

    /// Goes on without what has that stamp: counted, told by the health page, and its bytes stay in the journal.
    fn pass_over(&mut self, stamp: u64, what: &str) {
        tracing::error!(
            what,
            "this cannot be applied by this program and is skipped; its bytes stay in the journal"
        );
        self.metrics.skip("applier-failed");
        self.progress.passed_over();
        self.blame.pass_over(stamp);
    }

    /// Drops the batch at hand and goes on from where the store is, as a start would. `false` to end.
    fn begin_again(&mut self, batch: &mut Batch) -> bool {
        batch.clear();
        self.covered.clear();
        self.uncounted = Uncounted::default();
        self.blame.in_batch.clear();
        let mut retry = RETRY_MIN;
        loop {
            // A panic in the store ends no applier; what it leaves half known is loaded anew.
            match catch_unwind(AssertUnwindSafe(|| self.load_again())) {
                Ok(Ok(())) => break,
                Ok(Err(error)) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "what the store has could not be loaded; trying again"
                    );
                    self.hindered("load-error", &error);
                }
                Err(_) => {
                    tracing::error!(
                        "this program panics where it loads what the store has; trying again"
                    );
                    let detail = "this program panics; its log says where".to_owned();
                    self.progress.hindered("load-error", detail);
                }
            }
            if !self.pause(&mut retry) {
                return false;
            }
        }
        self.feed.begin_again();
        true
    }

    fn load_again(&mut self) -> Result<(), ApplyError> {
        let positions = self.store.positions()?;
        for shared in &self.shards {
            if let Some(applied) = positions.shards.get(&shared.number) {
                shared.set_applied(Position::unpacked(*applied));
            }
        }
        self.engine.reload(self.store.as_ref())
    }

    fn complain(&self, error: &ApplyError) {
        tracing::error!(
            error = error as &dyn std::error::Error,
            "the store or the registry did not take a batch; offering it again"
        );
        self.hindered("store-error", error);
    }

    /// Counts a failure, and notes it for whoever asks how the applier is. `reason` is a stable word; a full disk has its own.
    fn hindered(&self, reason: &'static str, error: &(dyn std::error::Error + 'static)) {
        self.metrics.store_errors.inc();
        let is_full = room::is_wanting(error, &self.config.folder);
        let reason = if is_full { room::DISK_FULL } else { reason };
        self.progress.hindered(reason, room::chain(error));
    }

    /// Waits before another attempt. `false` when it is time to stop: what is not committed is applied after the next start.
    fn pause(&self, retry: &mut Duration) -> bool {
        let until = Instant::now() + *retry;
        *retry = (*retry * 2).min(RETRY_MAX);
        while Instant::now() < until {
            if self.stopping.load(SeqCst) {
                return false;
            }
            let rings = self.order.rings();
            self.order
                .wait(rings, until.saturating_duration_since(Instant::now()));
        }
        true
    }
}
