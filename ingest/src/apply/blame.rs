//! What is at fault when this program or the store fails: one report, or what surrounds all of them.
//!
//! | fails | at fault is what is alone in the batch |
//! |---|---|
//! | the store refuses what the rows say, again and again | at once: no other store would take them |
//! | this program panics before the store | the second time in a row |
//! | the store panics | after [`PANICS_MIN`] times, if it stored other rows since the last that was at fault; else after [`BLAMED_AFTER`] |
//!
//! What always holds: on a disk without room nothing is at fault (the caller looks); a store that panics over everything, for want of memory
//! or because its file is broken, costs one report in [`BLAMED_AFTER`] at the most, and none before it went on for as long as that or for
//! [`PANICS_MIN`] attempts.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// So many panics of the store over the same report, some 3 s of them, before that may be at fault.
const PANICS_MIN: u32 = 6;
/// How long the store must have panicked where nothing tells that it would store anything else: what is short of memory was restarted by then.
const BLAMED_AFTER: Duration = Duration::from_secs(600);
/// The wait after the first panic, growing to [`WAIT_MAX`].
const WAIT_MIN: Duration = Duration::from_millis(100);
/// The longest wait between panics.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// What is at fault.
#[derive(Debug, Default)]
pub struct Blame {
    /// Stamps of reports and decisions that are passed over.
    pub at_fault: BTreeSet<u64>,
    /// The stamps in the batch at hand.
    pub in_batch: Vec<u64>,
    /// So many reports and decisions are committed one by one: among them is one over which the store fails for good.
    pub careful: usize,
    /// Panics since rows were stored last.
    panics: u32,
    /// When the first of them was.
    since: Option<Instant>,
    /// Whether rows were stored since anything was last found at fault.
    is_proven: bool,
}

impl Blame {
    /// The stamp that is alone in the batch, where one after the other is committed.
    #[must_use]
    pub fn alone(&self) -> Option<u64> {
        match self.in_batch[..] {
            [stamp] if self.careful > 0 => Some(stamp),
            _ => None,
        }
    }

    /// Notes a panic, and says how long to wait before another attempt.
    pub fn panicked(&mut self, now: Instant) -> Duration {
        self.since.get_or_insert(now);
        let wait = WAIT_MIN * 2_u32.saturating_pow(self.panics.min(16));
        self.panics = self.panics.saturating_add(1);
        wait.min(WAIT_MAX)
    }

    /// Whether this program panicked before, too.
    #[must_use]
    pub const fn is_again(&self) -> bool {
        self.panics > 1
    }

    /// Whether what is alone in the batch is at fault over which the store panicked.
    #[must_use]
    pub fn is_of_the_batch(&self, now: Instant) -> bool {
        let lasts = self
            .since
            .is_some_and(|since| now.saturating_duration_since(since) >= BLAMED_AFTER);
        self.panics >= PANICS_MIN && (self.is_proven || lasts)
    }

    /// Passes over what has that stamp from now on.
    pub fn pass_over(&mut self, stamp: u64) {
        self.at_fault.insert(stamp);
        self.is_proven = false;
        self.forget_panics();
    }

    /// Notes that a batch of so many rows was stored.
    pub fn stored(&mut self, rows: u64) {
        self.in_batch.clear();
        if rows > 0 {
            self.is_proven = true;
            self.forget_panics();
        }
    }

    fn forget_panics(&mut self) {
        self.panics = 0;
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_panics_over_everything_costs_no_report_before_it_lasted() {
        let begun = Instant::now();
        let mut blame = Blame::default();
        let mut waited = Duration::ZERO;
        for _ in 0..PANICS_MIN {
            assert!(!blame.is_of_the_batch(begun + waited));
            waited += blame.panicked(begun + waited);
        }
        assert!(!blame.is_of_the_batch(begun + waited));
        assert!(blame.is_of_the_batch(begun + BLAMED_AFTER));
        assert!(waited < Duration::from_secs(10));
        // The next begins anew.
        blame.pass_over(7);
        assert!(!blame.is_of_the_batch(begun + BLAMED_AFTER));
    }

    #[test]
    fn what_is_alone_is_at_fault_where_the_store_took_other_rows() {
        let now = Instant::now();
        let mut blame = Blame::default();
        blame.stored(3);
        for _ in 0..PANICS_MIN {
            assert!(!blame.is_of_the_batch(now));
            blame.panicked(now);
        }
        assert!(blame.is_of_the_batch(now));
        blame.pass_over(7);
        // A batch without rows, as of what is passed over, tells nothing of the store.
        blame.stored(0);
        for _ in 0..PANICS_MIN {
            blame.panicked(now);
        }
        assert!(!blame.is_of_the_batch(now));
    }
}
