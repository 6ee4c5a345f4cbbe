//! How often somebody is heard: the longest gap lately, and the long gaps that come again, of nights and of weekends.

use codec::time::Timestamp;

use super::kept::{put, put_time, take_time};
use crate::record::{Cursor, MetaError};

const DAY_MS: i64 = 86_400_000;
/// The longest gap is remembered for so long at least, and twice as long at the most.
const REMEMBERED_MS: i64 = 3 * DAY_MS;
/// Two long gaps that differ by no more than this part are a habit and no accident.
const ALIKE_PART: i64 = 4;
/// A habit is allowed this part more than its gap: who is switched off at five is not switched on at seven sharp.
const HABIT_SLACK_PART: i64 = 4;
/// A long gap that does not come again within two weeks was an accident, and a habit that does not is given up: a weekend that a holiday
/// shifts comes again the week after.
const HABIT_MS: i64 = 14 * DAY_MS;
/// Long gaps remembered: nights, weekends, and two others.
const HABITS_MAX: usize = 4;

/// How often somebody is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    heard_at: Timestamp,
    /// The longest gap of the period at hand, and of the one before.
    gaps_ms: [Option<i64>; 2],
    /// When the period at hand began.
    began_at: Timestamp,
    /// Gaps that were too long to be the rhythm.
    habits: [Option<Habit>; HABITS_MAX],
}

/// A gap that was too long to be the rhythm, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Habit {
    gap_ms: i64,
    /// When the last like it ended.
    at: Timestamp,
    /// Whether it came again.
    is_known: bool,
}

impl Habit {
    const fn is_alike(&self, gap_ms: i64) -> bool {
        (gap_ms - self.gap_ms).abs() <= self.gap_ms / ALIKE_PART
    }
}

impl Rhythm {
    /// Of somebody who was heard once.
    #[must_use]
    pub const fn new(heard_at: Timestamp) -> Self {
        Self {
            heard_at,
            gaps_ms: [None; 2],
            began_at: heard_at,
            habits: [None; HABITS_MAX],
        }
    }

    /// When it was last heard.
    #[must_use]
    pub const fn heard_at(&self) -> Timestamp {
        self.heard_at
    }

    /// Notes when somebody was last heard, `gap_ms` after the time before, less what is not his; says whether that was longer than usual.
    /// What is teaches nothing unless it comes again.
    pub fn heard(&mut self, at: Timestamp, gap_ms: i64, factor: u32, limits: (i64, i64)) -> bool {
        if at <= self.heard_at {
            return false;
        }
        let usual_ms = self.usual_ms(factor, limits);
        self.heard_at = at;
        let elapsed_ms = at.ms_since(self.began_at);
        if elapsed_ms >= REMEMBERED_MS {
            let [last, _] = self.gaps_ms;
            self.gaps_ms = [None, last.filter(|_| elapsed_ms < 2 * REMEMBERED_MS)];
            self.began_at = at;
        }
        let is_long = gap_ms > usual_ms;
        if is_long {
            self.note_long(gap_ms, at);
        } else if gap_ms > 0 {
            self.gaps_ms[0] = self.gaps_ms[0].max(Some(gap_ms));
        }
        is_long
    }

    /// Writes what [`read`](Self::read) reads; see [`super::kept`].
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        put_time(out, self.heard_at);
        put_time(out, self.began_at);
        let [last, before] = self.gaps_ms;
        out.push(u8::from(last.is_some()) | u8::from(before.is_some()) << 1);
        for gap_ms in self.gaps_ms.iter().flatten() {
            put(out, &gap_ms.to_le_bytes());
        }
        let habits = self.habits.iter().flatten();
        out.push(habits.clone().count() as u8);
        for habit in habits {
            put(out, &habit.gap_ms.to_le_bytes());
            put_time(out, habit.at);
            out.push(u8::from(habit.is_known));
        }
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// [`MetaError`] for other bytes.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, MetaError> {
        let mut rhythm = Self::new(take_time(cursor)?);
        rhythm.began_at = take_time(cursor)?;
        let [known] = cursor.take()?;
        for (bit, gap_ms) in rhythm.gaps_ms.iter_mut().enumerate() {
            if known >> bit & 1 == 1 {
                *gap_ms = Some(i64::from_le_bytes(cursor.take()?));
            }
        }
        let [habits] = cursor.take()?;
        for place in 0..usize::from(habits) {
            let habit = Habit {
                gap_ms: i64::from_le_bytes(cursor.take()?),
                at: take_time(cursor)?,
                is_known: cursor.take()? == [1],
            };
            *rhythm.habits.get_mut(place).ok_or(MetaError)? = Some(habit);
        }
        Ok(rhythm)
    }

    /// How long it may be silent: `factor` gaps or its longest habit, and the first of the two limits at least; the second while the rhythm
    /// is not known.
    #[must_use]
    pub fn allowed_ms(&self, factor: u32, limits: (i64, i64)) -> i64 {
        let is_kept = |habit: &&Habit| habit.is_known && self.is_fresh(habit);
        let habits = self.habits.iter().flatten().filter(is_kept);
        let longest = habits.map(|habit| habit.gap_ms).max().unwrap_or(0);
        self.usual_ms(factor, limits)
            .max(longest + longest / HABIT_SLACK_PART)
    }

    /// As [`allowed_ms`](Self::allowed_ms), without habits.
    fn usual_ms(&self, factor: u32, (floor_ms, unknown_ms): (i64, i64)) -> i64 {
        let longest = self.gaps_ms[0].max(self.gaps_ms[1]);
        longest.map_or(unknown_ms, |gap_ms| {
            gap_ms.saturating_mul(i64::from(factor)).max(floor_ms)
        })
    }

    /// Whether a habit lasts, as of when somebody was last heard: until then nobody can tell.
    const fn is_fresh(&self, habit: &Habit) -> bool {
        self.heard_at.ms_since(habit.at) <= HABIT_MS
    }

    /// Notes a long gap that ended at `at`: another like one before, or in the place of the one that is longest ago.
    fn note_long(&mut self, gap_ms: i64, at: Timestamp) {
        let heard_at = self.heard_at;
        let lasts = |habit: &Habit| heard_at.ms_since(habit.at) - gap_ms <= HABIT_MS;
        let before = self
            .habits
            .iter_mut()
            .flatten()
            .find(|habit| habit.is_alike(gap_ms) && lasts(habit));
        if let Some(habit) = before {
            *habit = Habit {
                gap_ms: habit.gap_ms.max(gap_ms),
                at,
                is_known: true,
            };
            return;
        }
        let oldest = self
            .habits
            .iter_mut()
            .min_by_key(|habit| habit.map(|habit| habit.at));
        if let Some(oldest) = oldest {
            *oldest = Some(Habit {
                gap_ms,
                at,
                is_known: false,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;
    const LIMITS: (i64, i64) = (15 * MINUTE_MS, 60 * MINUTE_MS);

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_unix_ms(minute * MINUTE_MS)
    }

    fn hear(rhythm: &mut Rhythm, at: Timestamp) -> bool {
        let gap_ms = at.ms_since(rhythm.heard_at());
        rhythm.heard(at, gap_ms, 3, LIMITS)
    }

    /// In minutes.
    fn allowed(rhythm: &Rhythm) -> i64 {
        rhythm.allowed_ms(3, LIMITS) / MINUTE_MS
    }

    #[test]
    fn three_gaps_are_allowed_and_an_accident_teaches_nothing_while_a_new_rhythm_does() {
        let mut rhythm = Rhythm::new(at(0));
        assert_eq!(allowed(&rhythm), 60, "not known");
        assert!(!hear(&mut rhythm, at(10)));
        assert_eq!(allowed(&rhythm), 30);
        // A weekend.
        assert!(hear(&mut rhythm, at(3_000)));
        assert_eq!(allowed(&rhythm), 30);
        // From now on every six hours.
        hear(&mut rhythm, at(3_360));
        hear(&mut rhythm, at(3_720));
        assert_eq!(allowed(&rhythm), 360 * 5 / 4);
        // And back to every minute: it takes two weeks, and ends at the floor.
        for minute in 3_721..3_720 + 15 * 1_440 {
            if minute == 3_720 + 13 * 1_440 {
                assert_eq!(allowed(&rhythm), 360 * 5 / 4);
            }
            hear(&mut rhythm, at(minute));
        }
        assert_eq!(allowed(&rhythm), 15);
    }

    #[test]
    fn a_gap_is_forgotten_by_the_days_and_not_by_how_often_somebody_is_heard() {
        let mut rhythm = Rhythm::new(at(0));
        hear(&mut rhythm, at(50));
        for minute in 51..3 * 1_440 {
            hear(&mut rhythm, at(minute));
        }
        assert_eq!(allowed(&rhythm), 150);
        for minute in 3 * 1_440..7 * 1_440 {
            hear(&mut rhythm, at(minute));
        }
        assert_eq!(allowed(&rhythm), 15);
    }

    #[test]
    fn what_is_not_his_teaches_nothing() {
        let mut rhythm = Rhythm::new(at(0));
        assert!(!rhythm.heard(at(600), 0, 3, LIMITS));
        assert_eq!(allowed(&rhythm), 60, "not known");
        assert!(!rhythm.heard(at(700), 10 * MINUTE_MS, 3, LIMITS));
        assert_eq!(allowed(&rhythm), 30);
    }
}
