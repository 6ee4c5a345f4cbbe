//! Where the reports stand that have full device reports.
//!
//! What always holds: memory has a bound, whatever agents send; within it, what is remembered of a stream follows from its reports and their order
//! alone, so that a start which finds them in the journal knows what was known before.

use std::collections::{HashMap, VecDeque};

use codec::id::AgentId;
use codec::key::ReportKey;
use codec::time::Timestamp;
use journal::Position;

use super::StreamKey;
use crate::record::ReportMeta;

/// Places remembered per stream, 24 bytes each: 100 kB at the most. An agent of 50,000 devices says them in full in 500 reports a day, and
/// builds on them for two days; four times as many are for devices that come in full at other times than their neighbours.
const PLACES_PER_STREAM_MAX: usize = 4_096;
/// Places remembered in all, 12 MB and at the most as much again of room to grow: what a million devices say in full in a month. Only agents that know no deltas make so many; the longest
/// streams lose the older half of theirs.
const PLACES_MAX: usize = 500_000;
/// How long a place is remembered, in milliseconds: nothing builds on a report that is older than two intervals between full reports, and an
/// agent can be told to let a week pass between them.
const AGE_MAX_MS: i64 = 14 * 86_400_000;

#[derive(Clone, Copy)]
struct Place {
    sequence: u64,
    /// Packed.
    position: u64,
    received_at: Timestamp,
}

/// The places of one stream, by ascending numbers of their reports.
struct Stream {
    /// All of an agent's reports are in one shard.
    shard: u16,
    places: VecDeque<Place>,
}

/// Where full reports stand.
#[derive(Default)]
pub(super) struct Places {
    streams: HashMap<StreamKey, Stream>,
    count: usize,
}

impl Places {
    /// Notes where a report stands that has full device reports.
    pub(super) fn note(&mut self, meta: &ReportMeta, shard: u16, position: Position) {
        let place = Place {
            sequence: meta.key.sequence,
            position: position.packed(),
            received_at: meta.received_at,
        };
        let stream = self.streams.entry(stream_of(&meta.key));
        let places = &mut stream
            .or_insert_with(|| Stream {
                shard,
                places: VecDeque::new(),
            })
            .places;
        let before = places.len();
        // A report is applied again where its batch had to be made anew.
        match places.binary_search_by_key(&place.sequence, |known| known.sequence) {
            Ok(index) => places[index] = place,
            Err(0) if before == PLACES_PER_STREAM_MAX => return,
            Err(index) if before == PLACES_PER_STREAM_MAX => {
                places.pop_front();
                places.insert(index - 1, place);
            }
            Err(index) => places.insert(index, place),
        }
        let is_old = |old: &Place| place.received_at.ms_since(old.received_at) > AGE_MAX_MS;
        while places.front().is_some_and(is_old) {
            places.pop_front();
        }
        self.count = self.count + places.len() - before;
        if self.count > PLACES_MAX {
            self.halve_longest();
        }
    }

    /// The shard and the place of the report with number `sequence`.
    pub(super) fn find(&self, stream: &StreamKey, sequence: u64) -> Option<(u16, Position)> {
        let stream = self.streams.get(stream)?;
        let places = &stream.places;
        let index = places.binary_search_by_key(&sequence, |place| place.sequence);
        let place = places[index.ok()?];
        Some((stream.shard, Position::unpacked(place.position)))
    }

    /// Forgets what these agents sent.
    pub(super) fn forget(&mut self, agents: &[AgentId]) {
        self.streams
            .retain(|(agent, _, _), _| !agents.contains(agent));
        self.count = self.streams.values().map(|known| known.places.len()).sum();
    }

    fn halve_longest(&mut self) {
        let longest = self
            .streams
            .values_mut()
            .map(|stream| &mut stream.places)
            .max_by_key(|places| places.len());
        if let Some(places) = longest {
            let older = places.len().div_ceil(2);
            places.drain(..older);
            places.shrink_to_fit();
            self.count -= older;
        }
    }
}

/// The stream that a report belongs to.
pub(super) fn stream_of(key: &ReportKey) -> StreamKey {
    (key.agent.clone(), key.epoch, key.stream)
}

#[cfg(test)]
mod tests {
    use codec::envelope::Encoding;
    use codec::key::{ContentHash, SpoolEpoch, Stream};

    use super::*;

    fn meta(agent: &str, sequence: u64, received_ms: i64) -> ReportMeta {
        ReportMeta {
            key: ReportKey {
                agent: AgentId::new(agent).unwrap(),
                epoch: SpoolEpoch(7),
                stream: Stream::State,
                sequence,
                hash: ContentHash::of(b"x"),
            },
            encoding: Encoding::Gzip,
            received_at: Timestamp::from_unix_ms(received_ms),
            sent_at: None,
            uptime_ms: None,
            is_deltas_only: false,
        }
    }

    fn place(sequence: u64) -> Position {
        Position::new(3, sequence * 100)
    }

    fn known(places: &Places, agent: &str) -> Vec<u64> {
        let stream = stream_of(&meta(agent, 1, 0).key);
        let found = |sequence: &u64| {
            let found = places.find(&stream, *sequence);
            assert!(found.is_none_or(|found| found == (1, place(*sequence))));
            found.is_some()
        };
        (0..10_000).filter(found).collect()
    }

    #[test]
    fn the_newest_of_a_stream_are_remembered_in_whatever_order_they_came() {
        let mut places = Places::default();
        let newest = PLACES_PER_STREAM_MAX as u64 + 10;
        for sequence in (0..newest).map(|number| (number ^ 1) + 1) {
            places.note(&meta("meyer", sequence, 0), 1, place(sequence));
            places.note(&meta("meyer", sequence, 0), 1, place(sequence));
        }
        let first = newest + 1 - PLACES_PER_STREAM_MAX as u64;
        let kept = known(&places, "meyer");
        assert_eq!(kept.len(), PLACES_PER_STREAM_MAX);
        assert_eq!((kept[0], kept.last()), (first, Some(&newest)));
        assert_eq!(places.count, PLACES_PER_STREAM_MAX);
    }

    #[test]
    fn what_nothing_builds_on_any_more_goes_for_its_age() {
        let mut places = Places::default();
        for (sequence, at) in [(1, 0), (2, 1), (3, AGE_MAX_MS), (4, AGE_MAX_MS + 1)] {
            places.note(&meta("meyer", sequence, at), 1, place(sequence));
        }
        assert_eq!(known(&places, "meyer"), [2, 3, 4]);
    }

    #[test]
    fn the_longest_stream_gives_way_when_all_together_are_too_many() {
        let mut places = Places::default();
        places.note(&meta("small", 1, 0), 1, place(1));
        let agents = PLACES_MAX / 4_000 + 1;
        for agent in 0..agents {
            let mut meta = meta(&format!("agent-{agent}"), 0, 0);
            for sequence in 1..=4_000 {
                meta.key.sequence = sequence;
                places.note(&meta, 1, place(sequence));
            }
        }
        let all: usize = places
            .streams
            .values()
            .map(|stream| stream.places.len())
            .sum();
        assert_eq!(all, places.count);
        assert!(all <= PLACES_MAX, "{all}");
        assert_eq!(known(&places, "small"), [1]);
        for agent in 0..agents {
            let stream = &places.streams[&stream_of(&meta(&format!("agent-{agent}"), 1, 0).key)];
            assert_eq!(stream.places.back().unwrap().sequence, 4_000);
            assert!(stream.places.len() >= 2_000);
        }
        places.forget(&[AgentId::new("small").unwrap()]);
        assert_eq!(known(&places, "small"), [0; 0]);
        assert_eq!(places.count, all - 1);
    }
}
