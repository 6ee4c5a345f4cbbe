//! From the spool to the manager: every report until its receipt, oldest first, each stream on its own. One at a time, so in order;
//! in a backlog several at a time, so that neighbours may arrive in another order: their sequence puts them right at the manager.
//!
//! | module | what it holds |
//! |---|---|
//! | [`queue`] | what to send next and when: no thread, no clock, no socket |
//! | [`http`] | the transport: POST over HTTP/1.1 |
//! | [`tls`] | whom the transport trusts |
//! | [`keys`] | the agent's keys and their file |
//! | [`exchange`] | enrolment, and a key that follows another |
//!
//! What always holds: a report leaves the spool by a receipt that echoes its whole key, or by a signed refusal; every other answer
//! and every silence means that it is sent again, with the same bytes.

pub mod exchange;
pub mod http;
pub mod keys;
pub mod queue;
#[cfg(test)]
mod tests;
pub mod tls;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use codec::key::{Missing, ReportKey, Stream};
use codec::time::Timestamp;
use journal::Disk;

use crate::spool::{Spool, SpoolError, Waiting};
use crate::status::{StatusHandle, add, set};
use crate::stop::StopHandle;
use queue::{Next, Queue};

/// How many bytes a stream reads ahead from the spool: with the reports in flight, all that the uploader holds in memory.
const LOOK_AHEAD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long what is under way may still take when the agent is stopped.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// How long a worker sleeps after the spool could not be read.
const DISK_PAUSE: Duration = Duration::from_secs(5);

/// What became of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The manager has it, durably.
    Delivered {
        /// Devices to report in full next time.
        need_full: Vec<String>,
        /// Reports of the same stream that the manager does not have any more.
        need_again: Vec<Missing>,
    },
    /// The manager says, naming the report, that it will never take it.
    Refused {
        /// Why.
        why: String,
    },
    /// The manager does not know this agent, or not any more.
    Unauthorised {
        /// What it said.
        why: String,
    },
    /// The manager, or something on the way to it, cannot take it now.
    Later {
        /// When to come back, if it said so.
        after: Option<Duration>,
        /// What happened.
        why: String,
    },
    /// A refusal without signature: from a proxy perhaps. It counts as [`Outcome::Later`], but not for ever.
    RefusedUnsigned {
        /// What happened.
        why: String,
    },
}

/// The way to the manager. One delivery at a time per call, many calls at once.
pub trait Transport: Send + Sync {
    /// Delivers a report and waits for the answer.
    fn deliver(&self, report: &Waiting) -> Outcome;

    /// Breaks off what is under way; later deliveries fail at once.
    fn shutdown(&self);
}

/// How the uploader goes about it.
#[derive(Clone, Copy, Debug)]
pub struct UploadOptions {
    /// Reports of one stream under way at once while there is a backlog; without one it is one.
    pub in_flight: usize,
    /// The most bytes per second over both streams.
    pub rate_bytes_max: Option<u64>,
}

/// Called with the handles of devices whose base the manager does not have.
pub type NeedFull = dyn Fn(Vec<String>) + Send + Sync;

/// The threads that deliver.
pub struct Uploader {
    lanes: [Arc<LaneShared>; 2],
    threads: Vec<JoinHandle<()>>,
    transport: Arc<dyn Transport>,
}

struct LaneShared {
    stream: Stream,
    queue: Mutex<Queue>,
    changed: Condvar,
}

struct Worker<D> {
    lane: Arc<LaneShared>,
    spool: Arc<Mutex<Spool<D>>>,
    transport: Arc<dyn Transport>,
    rate: Arc<RateCap>,
    need_full: Arc<NeedFull>,
    status: StatusHandle,
    stop: StopHandle,
}

impl Uploader {
    /// Starts delivering what is and what comes into `spool`.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start<D: Disk + Send + 'static>(
        spool: &Arc<Mutex<Spool<D>>>,
        transport: Arc<dyn Transport>,
        options: UploadOptions,
        need_full: &Arc<NeedFull>,
        status: &StatusHandle,
        stop: &StopHandle,
    ) -> io::Result<Self> {
        let rate = Arc::new(RateCap::new(options.rate_bytes_max));
        let mut threads = Vec::new();
        let lanes = Stream::ALL.map(|stream| {
            Arc::new(LaneShared {
                stream,
                queue: Mutex::new(Queue::new(options.in_flight)),
                changed: Condvar::new(),
            })
        });
        for lane in &lanes {
            let waking = Arc::clone(lane);
            stop.on_stop(move || {
                // Under the lock, so that no worker can look at the stop handle before and fall asleep after.
                let _queue = waking.lock();
                waking.changed.notify_all();
            });
            for number in 0..options.in_flight {
                let worker = Worker {
                    lane: Arc::clone(lane),
                    spool: Arc::clone(spool),
                    transport: Arc::clone(&transport),
                    rate: Arc::clone(&rate),
                    need_full: Arc::clone(need_full),
                    status: status.clone(),
                    stop: stop.clone(),
                };
                let name = format!("upload-{}-{number}", lane.stream.name());
                let thread = std::thread::Builder::new().name(name);
                threads.push(thread.spawn(move || worker.run())?);
            }
        }
        Ok(Self {
            lanes,
            threads,
            transport,
        })
    }

    /// Says that the spool has something new.
    pub fn wake(&self, stream: Stream) {
        for lane in self.lanes.iter().filter(|lane| lane.stream == stream) {
            lane.lock().refresh();
            lane.changed.notify_all();
        }
    }

    /// Waits for the end, which must have been asked for; what is under way gets a moment to finish.
    pub fn join(self) {
        let deadline = Instant::now() + STOP_GRACE;
        for lane in &self.lanes {
            let mut queue = lane.lock();
            while queue.in_flight() > 0 {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                queue = wait(&lane.changed, queue, left);
            }
        }
        self.transport.shutdown();
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("an upload thread panicked");
            }
        }
    }
}

impl LaneShared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'a>(
    changed: &Condvar,
    queue: MutexGuard<'a, Queue>,
    duration: Duration,
) -> MutexGuard<'a, Queue> {
    changed
        .wait_timeout(queue, duration)
        .unwrap_or_else(PoisonError::into_inner)
        .0
}

impl<D: Disk> Worker<D> {
    fn run(&self) {
        while let Some(report) = self.next() {
            self.rate.wait(report.sealed.len(), &self.stop);
            let outcome = if self.stop.is_stopped() {
                Outcome::Later {
                    after: None,
                    why: "the agent is stopping".to_owned(),
                }
            } else {
                self.transport.deliver(&report)
            };
            self.settle(report, outcome);
        }
        self.lane.changed.notify_all();
    }

    /// The next report to deliver; `None` when the agent is stopped.
    fn next(&self) -> Option<Waiting> {
        let mut queue = self.lane.lock();
        loop {
            if self.stop.is_stopped() {
                return None;
            }
            match queue.next(Instant::now()) {
                Next::Deliver(report) => return Some(report),
                Next::Load { after, count } => {
                    let stream = self.lane.stream;
                    let mut spool = self.spool();
                    let loaded = spool.waiting(stream, after, count, LOOK_AHEAD_BYTES_MAX);
                    queue.waiting(spool.depth(stream).0);
                    drop(spool);
                    match loaded {
                        Ok(reports) => queue.loaded(reports),
                        Err(error) => {
                            tracing::error!(error = %Chain(&error), "the spool cannot be read");
                            queue = wait(&self.lane.changed, queue, DISK_PAUSE);
                        }
                    }
                }
                Next::Wait(Some(until)) => {
                    let left = until.saturating_duration_since(Instant::now());
                    queue = wait(&self.lane.changed, queue, left);
                }
                Next::Wait(None) => {
                    queue = self
                        .lane
                        .changed
                        .wait(queue)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn settle(&self, report: Waiting, outcome: Outcome) {
        let stream = self.lane.stream;
        let counters = self.status.counters();
        let now = Timestamp::now();
        let key = report.key.clone();
        let mut queue = self.lane.lock();
        let verdict = queue.settle(report, &outcome, Instant::now(), random_fraction());
        match verdict {
            queue::Verdict::Done => {
                log_disk(self.spool().acknowledge(&key, now));
                if let Outcome::Delivered {
                    need_full,
                    need_again,
                } = outcome
                {
                    self.again(&mut queue, &key, &need_again);
                    counters.delivered(now, key);
                    if !need_full.is_empty() {
                        (self.need_full)(need_full);
                    }
                }
            }
            queue::Verdict::Dead(report, why) => {
                self.bury(&mut queue, report, &why, now);
            }
            queue::Verdict::Again {
                why,
                attempts,
                pause,
            } => {
                // The first failure and then each doubling: a manager that is away for hours must not fill the log.
                if attempts.is_power_of_two() && !self.stop.is_stopped() {
                    tracing::warn!(
                        stream = stream.name(),
                        sequence = key.sequence,
                        attempts,
                        ?pause,
                        why,
                        "not delivered, will be tried again"
                    );
                }
                counters.not_delivered(stream, why);
            }
        }
        let (reports, bytes) = self.spool().depth(stream);
        queue.waiting(reports);
        set(&counters.stream(stream).waiting_reports, reports);
        set(&counters.stream(stream).waiting_bytes, bytes);
        drop(queue);
        self.lane.changed.notify_all();
    }

    /// The manager does not have these any more, or never had them: what is still here is sent again.
    fn again(&self, queue: &mut Queue, key: &ReportKey, missing: &[Missing]) {
        if missing.is_empty() {
            return;
        }
        match self.spool().again(key.stream, key.epoch, missing) {
            Ok(None) => {}
            Ok(Some((first, reports))) => {
                queue.rewind(first);
                tracing::warn!(
                    stream = key.stream.name(),
                    first,
                    reports,
                    "the manager lacks reports that it had acknowledged, as after being restored from a backup: they are sent again"
                );
            }
            Err(error) => {
                tracing::error!(error = %Chain(&error), "reports that the manager asks for again cannot be read");
            }
        }
    }

    /// Moves a refused report to the dead letters. Without a disk that takes it, it comes again, but not for ever.
    fn bury(&self, queue: &mut Queue, report: Waiting, why: &str, now: Timestamp) {
        let stream = self.lane.stream;
        let (sequence, key) = (report.key.sequence, report.key.clone());
        let counters = self.status.counters();
        let Err(error) = self.spool().refuse(&report, why, now) else {
            tracing::warn!(
                stream = stream.name(),
                sequence,
                why,
                "refused for good: moved to the dead letters"
            );
            add(&counters.stream(stream).refused, 1);
            return;
        };
        let error = Chain(&error);
        match queue.letter_failed(report, Instant::now(), random_fraction()) {
            Some(attempts) => {
                if attempts.is_power_of_two() {
                    tracing::error!(stream = stream.name(), sequence, attempts, why, %error, "refused for good, but its dead letter cannot be written: will be tried again");
                }
                counters.not_delivered(
                    stream,
                    format!("a refused report cannot be put to the dead letters: {error}"),
                );
            }
            None => {
                tracing::error!(stream = stream.name(), sequence, why, %error, "refused for good and given up: its dead letter cannot be written");
                add(&counters.stream(stream).refused, 1);
                log_disk(self.spool().acknowledge(&key, now));
            }
        }
    }

    fn spool(&self) -> MutexGuard<'_, Spool<D>> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log_disk(result: Result<(), SpoolError>) {
    if let Err(error) = result {
        tracing::error!(error = %Chain(&error), "the spool cannot be written");
    }
}

/// An error with its causes in one line.
pub(crate) struct Chain<'a>(pub &'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

/// From 0 to 1.
pub(crate) fn random_fraction() -> f64 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

/// Spreads what is sent over time.
struct RateCap {
    bytes_per_second: Option<u64>,
    free_at: Mutex<Instant>,
}

impl RateCap {
    fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            bytes_per_second,
            free_at: Mutex::new(Instant::now()),
        }
    }

    /// Waits until the line is free, and books it for these bytes.
    fn wait(&self, bytes: usize, stop: &StopHandle) {
        let Some(rate) = self.bytes_per_second else {
            return;
        };
        let start = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            let start = (*free_at).max(Instant::now());
            let micros = (bytes as u64).saturating_mul(1_000_000) / rate;
            *free_at = start + Duration::from_micros(micros);
            start
        };
        stop.wait_until(start);
    }
}
