//! When a device was observed, by the manager's clock (Rule 7).
//!
//! The agent says when the device answered by its time of day and by its monotonic clock, and both clocks again with each attempt
//! to send. The manager knows when the report arrived. That gives two estimates:
//!
//! - by the wall: the agent's time of day, less how far that clock was ahead when it sent;
//! - by age: the arrival, less the monotonic time between observation and sending. Right whatever the time of day did in
//!   between, unless the agent's machine was restarted.
//!
//! Where they agree, the age is taken. Where they do not, either the time of day was set between observation and sending (a small
//! computer without a battery for its clock) or the monotonic clock began anew (a restart): the wall is believed unless it
//! contradicts the order of the agent's own reports.

use codec::time::Timestamp;

/// Below this the agent's own time stands: no invoice depends on it, and uncorrected times stay comparable with the agent's log.
const TOLERATED_MS: i64 = 5_000;
/// The two estimates agree within this: a clock is slewed, not set, by less.
const AGREEING_MS: i64 = 60_000;
/// An agent's monotonic clock that claims a greater age than this is wrong: 400 days, more than any spool holds.
const AGE_MAX_MS: u64 = 400 * 86_400_000;
/// No report was observed longer than this before it arrived: 800 days. A time before that is a clock that was never set.
const OLDEST_MS: i64 = 800 * 86_400_000;

/// When a device was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// By the manager's clock, never after the report arrived.
    pub at: Timestamp,
    /// Whether that differs from what the agent said.
    pub is_corrected: bool,
}

/// The clocks around one observation.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// The agent's time of day when the device answered.
    pub observed_at: Timestamp,
    /// The agent's monotonic clock when the device answered.
    pub observed_uptime_ms: u64,
    /// The agent's monotonic clock when the report was sealed.
    pub sealed_uptime_ms: u64,
    /// The agent's time of day when the report was sent.
    pub sent_at: Option<Timestamp>,
    /// The agent's monotonic clock when the report was sent.
    pub sent_uptime_ms: Option<u64>,
    /// The manager's clock when the report had arrived.
    pub received_at: Timestamp,
    /// When the agent's report before this one was observed, where known.
    pub not_before: Option<Timestamp>,
}

impl Clocks {
    /// How far the agent's clock was ahead when it sent, in milliseconds.
    #[must_use]
    pub fn ahead_ms(&self) -> Option<i64> {
        Some(self.sent_at?.ms_since(self.received_at))
    }

    /// When the device was observed.
    #[must_use]
    pub fn observed(&self) -> Observed {
        let ahead_ms = self.ahead_ms().unwrap_or(0);
        let by_wall = self.observed_at.plus_ms(ahead_ms.saturating_neg());
        let best = match self.by_age() {
            None => by_wall,
            Some(by_age) if is_near(by_age, by_wall, AGREEING_MS) => by_age,
            Some(by_age) if !self.is_plausible(by_wall) && self.is_plausible(by_age) => by_age,
            Some(_) => by_wall,
        };
        let best = if best < self.oldest() {
            // Somewhere between its predecessor and its arrival; the earlier end claims less.
            self.not_before
                .filter(|at| self.oldest() <= *at)
                .unwrap_or(self.received_at)
        } else {
            best
        };
        let differs = |at: Timestamp| !is_near(at, self.observed_at, TOLERATED_MS);
        let at = if differs(best) {
            best
        } else {
            self.observed_at
        };
        let at = at.min(self.received_at);
        Observed {
            at,
            is_corrected: differs(at),
        }
    }

    fn by_age(&self) -> Option<Timestamp> {
        let is_one_life = self.observed_uptime_ms <= self.sealed_uptime_ms;
        let age_ms = self.sent_uptime_ms?.checked_sub(self.observed_uptime_ms)?;
        let sealed_before = self.sent_uptime_ms? >= self.sealed_uptime_ms;
        let is_possible = is_one_life && sealed_before && age_ms <= AGE_MAX_MS;
        let age_ms = i64::try_from(age_ms).ok().filter(|_| is_possible)?;
        Some(self.received_at.plus_ms(-age_ms))
    }

    /// Nothing that arrived now was observed before this.
    const fn oldest(&self) -> Timestamp {
        self.received_at.plus_ms(-OLDEST_MS)
    }

    fn is_plausible(&self, at: Timestamp) -> bool {
        let not_before = self
            .not_before
            .map_or(i64::MIN, |at| at.plus_ms(-AGREEING_MS).unix_ms);
        not_before <= at.unix_ms && at <= self.received_at.plus_ms(AGREEING_MS)
    }
}

/// Whether two moments are at most `ms` apart.
const fn is_near(one: Timestamp, other: Timestamp, ms: i64) -> bool {
    one.ms_since(other).unsigned_abs() <= ms.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_unix_ms(1_700_000_000_000);
    const HOUR_MS: i64 = 3_600_000;

    /// Observed, sealed a second later and sent an hour later; all clocks right.
    fn good() -> Clocks {
        Clocks {
            observed_at: NOON,
            observed_uptime_ms: 10_000_000,
            sealed_uptime_ms: 10_001_000,
            sent_at: Some(NOON.plus_ms(HOUR_MS)),
            sent_uptime_ms: Some(10_000_000 + 3_600_000),
            received_at: NOON.plus_ms(HOUR_MS + 40),
            not_before: Some(NOON.plus_ms(-HOUR_MS)),
        }
    }

    fn observed(at: Timestamp, is_corrected: bool) -> Observed {
        Observed { at, is_corrected }
    }

    #[test]
    fn a_right_clock_is_left_alone() {
        assert_eq!(good().observed(), observed(NOON, false));
    }

    #[test]
    fn a_clock_that_is_wrong_by_a_constant_is_corrected() {
        for wrong_ms in [-86_400_000, -600_000, 600_000, 400 * 86_400_000] {
            let mut clocks = good();
            clocks.observed_at = NOON.plus_ms(wrong_ms);
            clocks.sent_at = Some(NOON.plus_ms(HOUR_MS + wrong_ms));
            assert_eq!(
                clocks.observed(),
                observed(NOON.plus_ms(40), true),
                "{wrong_ms}"
            );
            assert_eq!(clocks.ahead_ms(), Some(wrong_ms - 40));
        }
    }

    #[test]
    fn a_clock_that_was_set_between_observation_and_sending_does_not_count() {
        let mut clocks = good();
        clocks.observed_at = Timestamp::from_unix_ms(1_000);
        assert_eq!(clocks.observed(), observed(NOON.plus_ms(40), true));
    }

    #[test]
    fn after_a_restart_of_the_agents_machine_the_wall_is_believed() {
        let mut clocks = good();
        clocks.sent_uptime_ms = Some(5_000);
        assert_eq!(clocks.observed(), observed(NOON, false));
        // The new life has lasted longer than the old one had, and two days passed.
        clocks.sent_at = Some(NOON.plus_ms(48 * HOUR_MS));
        clocks.received_at = NOON.plus_ms(48 * HOUR_MS);
        clocks.sent_uptime_ms = Some(11_000_000);
        assert_eq!(clocks.observed(), observed(NOON, false));
    }

    #[test]
    fn nothing_is_observed_after_it_arrived() {
        let mut clocks = good();
        clocks.sent_at = None;
        clocks.sent_uptime_ms = None;
        clocks.observed_at = NOON.plus_ms(5 * HOUR_MS);
        let arrived = clocks.received_at;
        assert_eq!(clocks.observed(), observed(arrived, true));
    }

    #[test]
    fn no_clock_is_wrong_enough_to_overflow() {
        let moments = [
            i64::MIN,
            -62_167_219_200_000,
            0,
            253_402_300_799_999,
            i64::MAX,
        ]
        .map(Timestamp::from_unix_ms);
        let uptimes = [0, 1, 10_000_000, u64::MAX];
        for observed_at in moments {
            for sent_at in moments {
                for sent_uptime_ms in uptimes {
                    for observed_uptime_ms in uptimes {
                        let mut clocks = good();
                        clocks.observed_at = observed_at;
                        clocks.sent_at = Some(sent_at);
                        clocks.sent_uptime_ms = Some(sent_uptime_ms);
                        clocks.observed_uptime_ms = observed_uptime_ms;
                        clocks.sealed_uptime_ms = observed_uptime_ms;
                        let at = clocks.observed().at;
                        assert!(clocks.oldest() <= at && at <= clocks.received_at);
                    }
                }
            }
        }
    }

    #[test]
    fn a_time_before_any_report_is_taken_for_that_of_the_report_before() {
        let mut clocks = good();
        clocks.observed_at = Timestamp::from_unix_ms(1_000);
        clocks.sent_at = None;
        clocks.sent_uptime_ms = None;
        assert_eq!(clocks.observed(), observed(NOON.plus_ms(-HOUR_MS), true));
        clocks.not_before = None;
        assert_eq!(clocks.observed(), observed(clocks.received_at, true));
    }

    #[test]
    fn an_age_of_centuries_counts_for_nothing() {
        let mut clocks = good();
        clocks.sent_at = None;
        clocks.sent_uptime_ms = Some(u64::MAX);
        assert_eq!(clocks.observed(), observed(NOON, false));
    }
}
