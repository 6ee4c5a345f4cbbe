//! How often somebody is heard: the longest gap lately.

use codec::time::Timestamp;

/// A gap that is shorter than the longest makes it forget this part of itself: after some dozens it is a new rhythm.
const FORGETS_PART: i64 = 8;
/// Two long gaps in a row that differ by no more than this part are a new rhythm and no accident.
const ALIKE_PART: i64 = 4;

/// How often somebody is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    heard_at: Timestamp,
    /// The longest gap lately.
    gap_ms: Option<i64>,
    /// The last gap that was too long to be the rhythm.
    long_ms: Option<i64>,
}

impl Rhythm {
    /// Of somebody who was heard once.
    #[must_use]
    pub const fn new(heard_at: Timestamp) -> Self {
        Self {
            heard_at,
            gap_ms: None,
            long_ms: None,
        }
    }

    /// Notes when somebody was last heard; returns the gap before that, when it is news. What is longer than `allowed_ms` was a silence,
    /// which teaches nothing unless it comes again.
    pub fn heard(&mut self, at: Timestamp, allowed_ms: i64) -> Option<i64> {
        let gap_ms = at.ms_since(self.heard_at);
        if gap_ms <= 0 {
            return None;
        }
        self.heard_at = at;
        if gap_ms > allowed_ms {
            let alike = self
                .long_ms
                .is_some_and(|long| (gap_ms - long).abs() <= long / ALIKE_PART);
            self.long_ms = Some(gap_ms);
            if !alike {
                return Some(gap_ms);
            }
        }
        self.gap_ms = Some(match self.gap_ms {
            Some(longest) => gap_ms.max(longest - longest / FORGETS_PART),
            None => gap_ms,
        });
        Some(gap_ms)
    }

    /// How long it may be silent: `factor` gaps, and the first of the two limits at least; the second while the rhythm is not known.
    #[must_use]
    pub fn allowed_ms(&self, factor: u32, (floor_ms, unknown_ms): (i64, i64)) -> i64 {
        self.gap_ms.map_or(unknown_ms, |gap_ms| {
            gap_ms.saturating_mul(i64::from(factor)).max(floor_ms)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_unix_ms(minute * MINUTE_MS)
    }

    #[test]
    fn three_gaps_are_allowed_and_an_accident_teaches_nothing_while_a_new_rhythm_does() {
        let limits = (15 * MINUTE_MS, 60 * MINUTE_MS);
        let mut rhythm = Rhythm::new(at(0));
        assert_eq!(rhythm.allowed_ms(3, limits), 60 * MINUTE_MS, "not known");
        rhythm.heard(at(10), rhythm.allowed_ms(3, limits));
        assert_eq!(rhythm.allowed_ms(3, limits), 30 * MINUTE_MS);
        assert_eq!(rhythm.heard(at(10), 0), None, "no news");
        // A weekend.
        rhythm.heard(at(3_000), rhythm.allowed_ms(3, limits));
        assert_eq!(rhythm.allowed_ms(3, limits), 30 * MINUTE_MS);
        // From now on every six hours.
        rhythm.heard(at(3_360), rhythm.allowed_ms(3, limits));
        rhythm.heard(at(3_720), rhythm.allowed_ms(3, limits));
        assert_eq!(rhythm.allowed_ms(3, limits), 3 * 360 * MINUTE_MS);
        // And back to every minute: it takes a while, and ends at the floor.
        for minute in 3_721..3_800 {
            rhythm.heard(at(minute), rhythm.allowed_ms(3, limits));
        }
        assert_eq!(rhythm.allowed_ms(3, limits), 15 * MINUTE_MS);
    }
}
