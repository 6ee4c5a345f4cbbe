//! What to send next, and when: one stream's reports, oldest first, with backoff. No thread, no clock, no socket.
//!
//! What always holds: a report is under way once at most; after a failure only the oldest is tried until something gets through;
//! what failed goes before what is newer.

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
    unsigned_refusals: (u64, u32),
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
            unsigned_refusals: (0, 0),
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

    /// What to do now.
    pub fn next(&mut self, now: Instant) -> Next {
        let allowed = if self.failures == 0 {
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
        match self.ready.pop_first() {
            Some((sequence, report)) => {
                self.in_flight.insert(sequence);
                Next::Deliver(report)
            }
            None => Next::Wait(None),
        }
    }

    /// What the spool had behind `after`.
    pub fn loaded(&mut self, reports: Vec<Waiting>) {
        self.spool_empty = reports.is_empty();
        for report in reports {
            self.loaded_until = self.loaded_until.max(report.key.sequence);
            self.ready.insert(report.key.sequence, report);
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
                self.failures = 0;
                self.not_before = None;
                return Verdict::Done;
            }
            Outcome::Refused { why } => {
                self.failures = 0;
                self.not_before = None;
                return Verdict::Dead(report, why.clone());
            }
            Outcome::RefusedUnsigned { why } => {
                if self.unsigned_refusals.0 != sequence {
                    self.unsigned_refusals = (sequence, 0);
                }
                self.unsigned_refusals.1 += 1;
                if self.unsigned_refusals.1 >= UNSIGNED_REFUSALS_MAX {
                    self.failures = 0;
                    self.not_before = None;
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
        let until = now + pause;
        self.not_before = Some(self.not_before.map_or(until, |earlier| earlier.max(until)));
        self.ready.insert(sequence, report);
        Verdict::Again {
            why: why.clone(),
            attempts: self.failures,
            pause,
        }
    }

    /// Doubles with each failure in a row; half of it is random, so that agents do not come back in step.
    fn backoff(&self, min: Duration, max: Duration, jitter: f64) -> Duration {
        let doubled = min.saturating_mul(1 << self.failures.min(16));
        doubled.min(max).mul_f64(0.5 + jitter / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use codec::envelope::Encoding;
    use codec::id::AgentId;
    use codec::key::{ContentHash, ReportKey, SpoolEpoch, Stream};
    use codec::time::Timestamp;

    use super::*;
    use crate::spool::Meta;

    fn report(sequence: u64) -> Waiting {
        let meta = Meta {
            encoding: Encoding::Gzip,
            epoch: SpoolEpoch(1),
            hash: ContentHash([0; 32]),
            sealed_at: Timestamp::default(),
            devices: 1,
        };
        Waiting {
            key: ReportKey {
                agent: AgentId::new("a").unwrap(),
                epoch: meta.epoch,
                stream: Stream::Meters,
                sequence,
                hash: meta.hash,
            },
            meta,
            sealed: Vec::new(),
        }
    }

    fn loaded(in_flight: usize, sequences: std::ops::RangeInclusive<u64>) -> Queue {
        let mut queue = Queue::new(in_flight);
        assert!(matches!(
            queue.next(Instant::now()),
            Next::Load { after: 0, .. }
        ));
        queue.loaded(sequences.map(report).collect());
        queue
    }

    fn later(why: &str) -> Outcome {
        Outcome::Later {
            after: None,
            why: why.to_owned(),
        }
    }

    fn deliver(queue: &mut Queue, now: Instant) -> Option<Waiting> {
        match queue.next(now) {
            Next::Deliver(report) => Some(report),
            _ => None,
        }
    }

    const DELIVERED: Outcome = Outcome::Delivered {
        need_full: Vec::new(),
    };

    #[test]
    fn the_oldest_go_first_and_no_more_at_once_than_allowed() {
        let now = Instant::now();
        let mut queue = loaded(2, 1..=3);
        let first = deliver(&mut queue, now).unwrap();
        let second = deliver(&mut queue, now).unwrap();
        assert_eq!((first.key.sequence, second.key.sequence), (1, 2));
        assert_eq!(queue.next(now), Next::Wait(None));
        assert_eq!(queue.settle(second, &DELIVERED, now, 0.0), Verdict::Done);
        assert_eq!(deliver(&mut queue, now).unwrap().key.sequence, 3);
    }

    #[test]
    fn after_a_failure_the_oldest_is_tried_alone_with_growing_pauses() {
        let mut now = Instant::now();
        let mut queue = loaded(4, 1..=4);
        let reports: Vec<Waiting> = (0..4).map(|_| deliver(&mut queue, now).unwrap()).collect();
        for report in reports {
            queue.settle(report, &later("away"), now, 1.0);
        }
        let mut pauses = Vec::new();
        for _ in 0..12 {
            let Next::Wait(Some(until)) = queue.next(now) else {
                panic!("a failure makes a pause");
            };
            pauses.push((until - now).as_secs());
            now = until;
            let report = deliver(&mut queue, now).unwrap();
            assert_eq!(report.key.sequence, 1);
            assert_eq!(queue.next(now), Next::Wait(None), "one at a time");
            queue.settle(report, &later("away"), now, 1.0);
        }
        assert_eq!(pauses[..4], [8, 16, 32, 64], "four failures came before");
        assert_eq!(pauses.last(), Some(&300));
        let Next::Wait(Some(until)) = queue.next(now) else {
            panic!("still paused");
        };
        let report = deliver(&mut queue, until).unwrap();
        assert_eq!(queue.settle(report, &DELIVERED, until, 0.0), Verdict::Done);
        let back: Vec<u64> = std::iter::from_fn(|| deliver(&mut queue, until))
            .map(|report| report.key.sequence)
            .collect();
        assert_eq!(back, [2, 3, 4], "all at once again, in order");
    }

    #[test]
    fn retry_after_is_obeyed_within_reason() {
        let now = Instant::now();
        let mut queue = loaded(1, 1..=1);
        for (asked, least, most) in [(7, 7, 8), (1_000_000, 3600, 3960)] {
            let at = match queue.next(now + Duration::from_secs(10_000)) {
                Next::Deliver(report) => {
                    let outcome = Outcome::Later {
                        after: Some(Duration::from_secs(asked)),
                        why: "busy".to_owned(),
                    };
                    queue.settle(report, &outcome, now, 1.0);
                    queue.next(now)
                }
                other => panic!("{other:?}"),
            };
            let Next::Wait(Some(until)) = at else {
                panic!("{at:?}")
            };
            let pause = (until - now).as_secs();
            assert!((least..=most).contains(&pause), "{asked}: {pause}");
        }
    }

    #[test]
    fn a_refusal_goes_to_the_dead_letters_and_the_stream_goes_on() {
        let now = Instant::now();
        let mut queue = loaded(1, 1..=2);
        let first = deliver(&mut queue, now).unwrap();
        let refused = Outcome::Refused {
            why: "malformed".to_owned(),
        };
        assert_eq!(
            queue.settle(first.clone(), &refused, now, 0.0),
            Verdict::Dead(first, "malformed".to_owned())
        );
        assert_eq!(deliver(&mut queue, now).unwrap().key.sequence, 2);
    }

    #[test]
    fn an_unsigned_refusal_blocks_the_stream_for_a_while_only() {
        let mut now = Instant::now();
        let mut queue = loaded(1, 1..=2);
        let unsigned = Outcome::RefusedUnsigned {
            why: "413 from a proxy".to_owned(),
        };
        let mut tries = 0;
        loop {
            tries += 1;
            now += PAUSE_MAX;
            let report = deliver(&mut queue, now).unwrap();
            assert_eq!(report.key.sequence, 1);
            if let Verdict::Dead(..) = queue.settle(report, &unsigned, now, 0.0) {
                break;
            }
        }
        assert_eq!(tries, UNSIGNED_REFUSALS_MAX);
        assert_eq!(deliver(&mut queue, now).unwrap().key.sequence, 2);
    }

    #[test]
    fn an_empty_spool_is_asked_again_when_something_came() {
        let now = Instant::now();
        let mut queue = Queue::new(2);
        assert!(matches!(queue.next(now), Next::Load { .. }));
        queue.loaded(Vec::new());
        assert_eq!(queue.next(now), Next::Wait(None));
        queue.refresh();
        assert!(matches!(queue.next(now), Next::Load { after: 0, .. }));
    }
}
