//! When a device started, as a moment that stays: what its `sysUpTime` counts from, and so does `prtAlertTime`.
//!
//! What always holds: as long as a device runs and no clock is set, the moment is the same at each poll, whatever the latency of an answer
//! and the hundredths of its ticks. So what began at a tick began at the same moment each time it is told.

use codec::time::Timestamp;

use super::facts::Facts;
use super::mib;
use crate::oid::Oid;

/// Estimates that differ by no more are of one start. A poll waits its turn, its answer may come seven seconds later (two requests
/// lost), and the clocks of printers drift by seconds a day.
const SAME_START_MS: i64 = 30_000;

/// `TimeTicks` begin anew after so long (RFC 2578): 497 days.
const ROUND_MS: i64 = (1 << 32) * 10;

/// A device's uptime at one poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uptime {
    ticks: i64,
    /// How often the ticks began anew since it started.
    rounds: i64,
    started: Timestamp,
}

impl Uptime {
    /// What this poll says of it; `None` when it did not read it. `kept` is when the device started as far as was known.
    pub fn of(facts: &Facts, kept: Option<Timestamp>, observed_at: Timestamp) -> Option<Self> {
        let ticks = ticks(facts, &mib::system(3))?;
        let began = observed_at.plus_ms(-ticks * 10);
        let anew = Self {
            ticks,
            rounds: 0,
            started: began,
        };
        let Some(started) = kept else {
            return Some(anew);
        };
        let later = began.ms_since(started);
        let rounds = later.saturating_add(SAME_START_MS).div_euclid(ROUND_MS);
        let is_same = rounds >= 0 && (later - rounds * ROUND_MS).abs() <= SAME_START_MS;
        Some(match is_same {
            true => Self {
                ticks,
                rounds,
                started,
            },
            false => anew,
        })
    }

    /// When the device started. To be kept for its next poll.
    pub const fn started(&self) -> Timestamp {
        self.started
    }

    /// When something was that an object says in ticks: 0, and a time that has not come yet, tell nothing.
    pub fn moment(&self, facts: &Facts, instance: &Oid) -> Option<Timestamp> {
        let then = ticks(facts, instance).filter(|then| *then > 0)?;
        let rounds = match then <= self.ticks {
            true => self.rounds,
            false => self.rounds - 1,
        };
        (rounds >= 0).then(|| self.started.plus_ms(rounds * ROUND_MS + then * 10))
    }
}

/// TimeTicks, whatever type they were sent as: 32 bits of hundredths of a second.
fn ticks(facts: &Facts, instance: &Oid) -> Option<i64> {
    u32::try_from(facts.integer(instance)?).ok().map(i64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_780_000_000_000);

    fn facts(uptime: u32, then: u32) -> Facts {
        let mut facts = Facts::default();
        facts.hear(&mib::system(3), Value::TimeTicks(uptime));
        facts.hear(&mib::alert(9), Value::TimeTicks(then));
        facts
    }

    /// The start that is told, and the moment of `then`.
    fn told(
        kept: Option<Timestamp>,
        at: Timestamp,
        (uptime, then): (u32, u32),
    ) -> (Timestamp, Option<Timestamp>) {
        let facts = facts(uptime, then);
        let uptime = Uptime::of(&facts, kept, at).expect("it was read");
        (uptime.started(), uptime.moment(&facts, &mib::alert(9)))
    }

    #[test]
    fn a_start_that_is_known_stays_until_another_is_too_far_off() {
        let start = NOW.plus_ms(-60_000);
        let began = start.plus_ms(5_000);
        assert_eq!(told(None, NOW, (6_000, 500)), (start, Some(began)));
        for late_ms in [-SAME_START_MS, -7_003, 0, 9, SAME_START_MS] {
            let at = NOW.plus_ms(late_ms);
            let expected = (start, Some(began));
            assert_eq!(told(Some(start), at, (6_000, 500)), expected, "{late_ms}");
        }
        for late_ms in [
            -3_600_000,
            -SAME_START_MS - 1,
            SAME_START_MS + 1,
            ROUND_MS / 2,
        ] {
            let moved = (start.plus_ms(late_ms), Some(began.plus_ms(late_ms)));
            let at = NOW.plus_ms(late_ms);
            assert_eq!(told(Some(start), at, (6_000, 500)), moved, "{late_ms}");
        }
    }

    #[test]
    fn ticks_that_began_anew_are_of_the_same_start() {
        let start = NOW.plus_ms(-ROUND_MS - 60_000);
        // It began ten seconds before the ticks began anew; then one that began after.
        let before = Some(start.plus_ms(ROUND_MS - 10_000));
        let at = NOW.plus_ms(17);
        assert_eq!(
            told(Some(start), at, (6_000, u32::MAX - 999)),
            (start, before)
        );
        let after = Some(start.plus_ms(ROUND_MS + 10_000));
        assert_eq!(told(Some(start), at, (6_000, 1_000)), (start, after));
        // Where nobody knows that they did, the first is a time to come.
        let (started, moment) = told(None, at, (6_000, u32::MAX - 999));
        assert_eq!((started, moment), (at.plus_ms(-60_000), None));
    }

    #[test]
    fn a_time_of_zero_or_to_come_and_an_uptime_that_was_not_read_tell_nothing() {
        assert_eq!(told(None, NOW, (6_000, 0)).1, None);
        assert_eq!(told(None, NOW, (6_000, 6_001)).1, None);
        assert_eq!(told(None, NOW, (6_000, 6_000)).1, Some(NOW));
        assert_eq!(Uptime::of(&Facts::default(), Some(NOW), NOW), None);
        let far = Timestamp::from_unix_ms(i64::MIN);
        assert_eq!(told(Some(far), NOW, (6_000, 500)).0, NOW.plus_ms(-60_000));
    }
}
