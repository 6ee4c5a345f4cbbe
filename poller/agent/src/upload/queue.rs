//! What to send next, and when: one stream's reports, oldest first, with backoff. No thread, no clock, no socket.
//!
//! What always holds: a report is under way once at most; without a backlog one at a time, so the manager sees them in order; in a
//! backlog several at a time, but none further ahead of the oldest than the window is wide, so what comes in another order than
//! it was sealed in comes in another order within that window alone; after a failure only the oldest is tried until it gets through.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::Outcome;
use crate::spool::Waiting;

/// After the first failure.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// A manager that comes back is noticed within this.
const PAUSE_MAX: Duration = Duration::from_secs(5 * 60);
/// A token that is refused is not accepted a second later …
const PAUSE_UNAUTHORISED_MIN: Duration = Duration::from_secs(30);
/// … but somebody may be correcting it.
const PAUSE_UNAUTHORISED_MAX: Duration = Duration::from_secs(15 * 60);
/// The longest Retry-After that is obeyed.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// So often a report may be refused by something that does not name it before it is given up: a proxy with a size limit must not
/// block the stream for ever.
const UNSIGNED_REFUSALS_MAX: u32 = 12;
/// So many reports that wait are a backlog: one at a time, at 200 ms each, the line would fall behind by seconds.
const BACKLOG_REPORTS_MIN: u64 = 16;
/// So often a dead letter is tried to be written (for some ten minutes) before its report is given up without one: a folder that
/// cannot be written must not block the stream for ever.
const LETTER_ATTEMPTS_MAX: u32 = 10;

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Deliver this and call [`Queue::settle`].
    Deliver(Waiting),
    /// Read up to `count` reports behind `after` from the spool and call [`Queue::loaded`].
    Load {
        /// The last one that is here.
        after: u64,
        /// How many to read.
        count: usize,
    },
    /// Nothing until then, or until something changes.
    Wait(Option<Instant>),
}

/// What an outcome means for its report.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done with.
    Done,
    /// It goes to the dead letters, with the reason.
    Dead(Waiting, String),
    /// It stays and will be sent again.
    Again {
        /// What happened.
        why: String,
        /// Failures in a row.
        attempts: u32,
        /// How long nothing is sent.
        pause: Duration,
    },
}

/// One stream's reports between spool and transport.
#[derive(Debug)]
pub struct Queue {
    in_flight_max: usize,
    /// Read from the spool, by number.
    ready: BTreeMap<u64, Waiting>,
    in_flight: BTreeSet<u64>,
    /// The highest number that was read.
    loaded_until: u64,
    /// The spool had no more when it was last asked.
    spool_empty: bool,
    failures: u32,
    /// The oldest that failed and has not got through since: nothing else is tried.
    failed_oldest: Option<u64>,
    /// How many the spool has, as far as it was said.
    waiting: u64,
    unsigned_refusals: (u64, u32),
    letters_failed: (u64, u32),
    not_before: Option<Instant>,
}

impl Queue {
    /// An empty queue that will have at most so many reports under way.
    #[must_use]
    pub const fn new(in_flight_max: usize) -> Self {
        Self {
            in_flight_max,
            ready: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            loaded_until: 0,
            spool_empty: false,
            failures: 0,
            failed_oldest: None,
            waiting: 0,
            unsigned_refusals: (0, 0),
            letters_failed: (0, 0),
            not_before: None,
        }
    }

    /// How many are under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// The spool has something new.
    pub const fn refresh(&mut self) {
        self.spool_empty = false;
    }

    /// Reports from `sequence` on wait in the spool again: they come before what is newer.
    pub fn rewind(&mut self, sequence: u64) {
        self.loaded_until = self.loaded_until.min(sequence.saturating_sub(1));
        // What is older than that was loaded already, and would not be loaded again.
        self.ready.retain(|held, _| *held < sequence);
        self.spool_empty = false;
    }

    /// How many reports wait in the spool, those under way included: what makes a backlog.
    pub const fn waiting(&mut self, reports: u64) {
        self.waiting = reports;
    }

    /// What to do now.
    pub fn next(&mut self, now: Instant) -> Next {
        let is_backlog = self.waiting >= BACKLOG_REPORTS_MIN;
        let has_failed = self.failures > 0 || self.failed_oldest.is_some();
        let allowed = if is_backlog && !has_failed {
            self.in_flight_max
        } else {
            1
        };
        if self.in_flight.len() >= allowed {
            return Next::Wait(None);
        }
        if let Some(until) = self.not_before {
            if now < until {
                return Next::Wait(Some(until));
            }
            self.not_before = None;
        }
        if self.ready.is_empty() && !self.spool_empty {
            return Next::Load {
                after: self.loaded_until,
                count: self.in_flight_max * 2,
            };
        }
        let Some(entry) = self.ready.first_entry() else {
            return Next::Wait(None);
        };
        let sequence = *entry.key();
        let window = self.in_flight_max as u64;
        let oldest = self.in_flight.first().copied().unwrap_or(sequence);
        if sequence >= oldest.saturating_add(window) {
            // The oldest is slow: what is newer does not run away from it.
            return Next::Wait(None);
        }
        let report = entry.remove();
        self.in_flight.insert(sequence);
        Next::Deliver(report)
    }

    /// What the spool had behind `after`.
    pub fn loaded(&mut self, reports: Vec<Waiting>) {
        self.spool_empty = reports.is_empty();
        for report in reports {
            self.loaded_until = self.loaded_until.max(report.key.sequence);
            if !self.in_flight.contains(&report.key.sequence) {
                self.ready.insert(report.key.sequence, report);
            }
        }
    }

    /// What became of a report that was under way. `jitter` is a random number from 0 to 1.
    pub fn settle(
        &mut self,
        report: Waiting,
        outcome: &Outcome,
        now: Instant,
        jitter: f64,
    ) -> Verdict {
        let sequence = report.key.sequence;
        assert!(
            self.in_flight.remove(&sequence),
            "only what was under way is settled"
        );
        let (why, pause) = match outcome {
            Outcome::Delivered { .. } => {
                self.got_through(sequence);
                return Verdict::Done;
            }
            Outcome::Refused { why } => {
                self.got_through(sequence);
                return Verdict::Dead(report, why.clone());
            }
            Outcome::RefusedUnsigned { why } => {
                if self.unsigned_refusals.0 != sequence {
                    self.unsigned_refusals = (sequence, 0);
                }
                self.unsigned_refusals.1 += 1;
                if self.unsigned_refusals.1 >= UNSIGNED_REFUSALS_MAX {
                    self.got_through(sequence);
                    return Verdict::Dead(report, why.clone());
                }
                (why, self.backoff(PAUSE_MIN, PAUSE_MAX, jitter))
            }
            Outcome::Unauthorised { why } => {
                let pause = self.backoff(PAUSE_UNAUTHORISED_MIN, PAUSE_UNAUTHORISED_MAX, jitter);
                (why, pause)
            }
            Outcome::Later { after: None, why } => {
                (why, self.backoff(PAUSE_MIN, PAUSE_MAX, jitter))
            }
            Outcome::Later {
                after: Some(after),
                why,
            } => {
                // Everybody was told the same time: spread a little behind it.
                let after = (*after).min(RETRY_AFTER_MAX);
                (why, after + after.mul_f64(jitter * 0.1))
            }
        };
        self.failures = self.failures.saturating_add(1);
        self.hold(report, now + pause);
        Verdict::Again {
            why: why.clone(),
            attempts: self.failures,
            pause,
        }
    }

    /// The dead letter of a report could not be written: the report comes again after a pause, which grows. Says how often it was
    /// tried; `None` when that was too often, and the report is to be given up without a letter.
    pub fn letter_failed(&mut self, report: Waiting, now: Instant, jitter: f64) -> Option<u32> {
        let sequence = report.key.sequence;
        if self.letters_failed.0 != sequence {
            self.letters_failed = (sequence, 0);
        }
        self.letters_failed.1 += 1;
        let attempts = self.letters_failed.1;
        if attempts >= LETTER_ATTEMPTS_MAX {
            return None;
        }
        let pause = backoff(attempts, PAUSE_MIN, PAUSE_MAX, jitter);
        self.hold(report, now + pause);
        Some(attempts)
    }

    /// An answer that ends a report: the way is free, unless an older one waits to get through.
    fn got_through(&mut self, sequence: u64) {
        if self.failed_oldest.is_none_or(|oldest| oldest == sequence) {
            self.failed_oldest = None;
            self.failures = 0;
            self.not_before = None;
        }
    }

    /// The report stays here, before what is newer, and nothing is sent until then.
    fn hold(&mut self, report: Waiting, until: Instant) {
        let sequence = report.key.sequence;
        self.failed_oldest = Some(self.failed_oldest.map_or(sequence, |old| old.min(sequence)));
        self.not_before = Some(self.not_before.map_or(until, |earlier| earlier.max(until)));
        self.ready.insert(sequence, report);
    }

    fn backoff(&self, min: Duration, max: Duration, jitter: f64) -> Duration {
        backoff(self.failures, min, max, jitter)
    }
}

/// Doubles with each failure in a row; half of it is random, so that agents do not come back in step.
fn backoff(failures: u32, min: Duration, max: Duration, jitter: f64) -> Duration {
    let doubled = min.saturating_mul(1 << failures.min(16));
    doubled.min(max).mul_f64(0.5 + jitter / 2.0)
}

#[cfg(test)]
mod tests;
