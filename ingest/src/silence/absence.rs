//! When this manager was not there to hear anybody: that time is nobody's silence.

use std::collections::VecDeque;

use codec::time::Timestamp;

/// Absences remembered: a disk that is full now and then for a day. Of more, the oldest count as if this manager had been there.
const ABSENCES_MAX: usize = 100;

/// When this manager was not there, ascending and apart from each other.
#[derive(Debug, Default)]
pub(super) struct Absences {
    spans: VecDeque<(Timestamp, Timestamp)>,
}

impl Absences {
    /// Notes that nobody could be heard from `from` to `to`.
    pub fn note(&mut self, from: Timestamp, to: Timestamp) {
        if to <= from {
            return;
        }
        match self.spans.back_mut() {
            Some((_, end)) if from <= *end => *end = to.max(*end),
            _ => self.spans.push_back((from, to)),
        }
        if self.spans.len() > ABSENCES_MAX {
            self.spans.pop_front();
        }
    }

    /// The absences, ascending.
    pub const fn spans(&self) -> &VecDeque<(Timestamp, Timestamp)> {
        &self.spans
    }

    /// How long this manager was there from `from` to `to`; negative when `to` is earlier.
    pub fn there_ms(&self, from: Timestamp, to: Timestamp) -> i64 {
        let overlap =
            |(begin, end): &(Timestamp, Timestamp)| to.min(*end).ms_since(from.max(*begin)).max(0);
        let absent_ms: i64 = self.spans.iter().map(overlap).sum();
        to.ms_since(from) - absent_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_time_between_counts_and_the_oldest_are_forgotten() {
        let at = Timestamp::from_unix_ms;
        let mut absences = Absences::default();
        absences.note(at(100), at(200));
        absences.note(at(150), at(250));
        absences.note(at(400), at(500));
        absences.note(at(500), at(500));
        let there = |from, to| absences.there_ms(at(from), at(to));
        assert_eq!(there(0, 600), 350);
        assert_eq!(there(120, 450), 150);
        assert_eq!(there(300, 400), 100);
        assert_eq!(there(410, 420), 0);
        assert_eq!(there(420, 410), -10);
        for hour in 10..10 + 2 * ABSENCES_MAX as i64 {
            absences.note(at(hour * 100), at(hour * 100 + 1));
        }
        assert_eq!(absences.spans.len(), ABSENCES_MAX);
    }
}
