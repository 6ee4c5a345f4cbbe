//! Where devices that fell silent are searched for, because they may have moved: near where they were at once, farther off later, and
//! never so often that the search is a burden. No clock and no socket.
//!
//! A device that has not answered two polls in a row is searched for in its block of 256 addresses (all of its range, where that is
//! small): usually within a minute of its first silence. What stays silent is searched for again there after 20 minutes, 40, and so on,
//! every two hours at most; and once in all of its range. The rest is left to the sweeps.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use poller::discovery::{Hosts, RangeEntry};

/// A range of no more addresses is searched as a whole: sixteen /24, or eight seconds at the default rate.
pub const SMALL_RANGE_ADDRESSES_MAX: u64 = 4096;
/// A range of more addresses than a /16 is never searched as a whole beside its sweeps.
const WHOLE_RANGE_ADDRESSES_MAX: u64 = 65_536;
/// Silent polls in a row after which a device is searched for near where it was …
pub const NEAR_AFTER_FAILURES: u32 = 2;
/// … and in all of its range: some minutes later, when its own retries and the first search were in vain.
const WHOLE_AFTER_FAILURES: u32 = 4;
/// A block is not searched again before this …
const NEAR_PAUSE: Duration = Duration::from_secs(20 * 60);
/// … and, as long as that finds nothing, after pauses that double up to this. (All printers of ten thousand that are switched off over
/// night then cost some thirty requests per second.)
const NEAR_PAUSE_MAX: Duration = Duration::from_secs(2 * 3600);
/// A range is not searched as a whole again before this.
const WHOLE_PAUSE: Duration = Duration::from_secs(2 * 3600);
/// Blocks of one search: more wait for the next.
const BLOCKS_MAX: usize = 64;
/// How soon it is looked again whether a pause is over.
const IDLE: Duration = Duration::from_secs(1);
/// Single addresses that wait to be asked.
const PLACES_MAX: usize = 1024;
/// Blocks that are remembered for their pauses; those whose pause is over are forgotten first.
const PAUSES_MAX: usize = 65_536;

/// What is searched, by range: what [`poller::discovery::Sweep`] wants.
pub type Plan = BTreeMap<usize, Vec<RangeEntry>>;

/// The number of a block within its family: the address without its last eight bits.
type Block = IpAddr;

/// What is to be searched, and what was.
#[derive(Debug, Default)]
pub struct Searches {
    near: BTreeSet<(usize, Block)>,
    whole: BTreeSet<usize>,
    places: Vec<(usize, SocketAddr)>,
    near_pauses: HashMap<(usize, Block), Pause>,
    /// Nothing that is wanted is due before this.
    idle_until: Option<Instant>,
    whole_at: HashMap<usize, Instant>,
}

/// When a block may be searched again, and how long the pause was.
#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Instant,
    length: Duration,
}

impl Searches {
    /// A device at this address of this range, which has so many addresses, did not answer so many polls in a row.
    pub fn silent(
        &mut self,
        range: usize,
        range_addresses: u64,
        address: IpAddr,
        failures: u32,
        now: Instant,
    ) {
        if failures < NEAR_AFTER_FAILURES {
            return;
        }
        let is_small = range_addresses <= SMALL_RANGE_ADDRESSES_MAX;
        let block = if is_small {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        } else {
            block_of(address)
        };
        if failures == NEAR_AFTER_FAILURES
            && let Some(pause) = self.near_pauses.get_mut(&(range, block))
            && pause.length > NEAR_PAUSE
        {
            // It is this one's first time: not later than after the shortest pause.
            pause.until = pause.until.min(now + NEAR_PAUSE);
            pause.length = NEAR_PAUSE;
        }
        self.near.insert((range, block));
        self.idle_until = None;
        if failures == WHOLE_AFTER_FAILURES
            && !is_small
            && range_addresses <= WHOLE_RANGE_ADDRESSES_MAX
        {
            self.whole.insert(range);
        }
    }

    /// A device may be at this place: asked with the next search.
    pub fn place(&mut self, range: usize, place: SocketAddr) {
        if self.places.len() < PLACES_MAX && !self.places.contains(&(range, place)) {
            self.places.push((range, place));
        }
    }

    /// What is to be searched now, if anything: of the ranges whose entries `include` tells.
    pub fn take<'a>(
        &mut self,
        include: impl Fn(usize) -> &'a [RangeEntry],
        now: Instant,
    ) -> Option<Plan> {
        if self.places.is_empty() && self.idle_until.is_some_and(|until| now < until) {
            return None;
        }
        let mut plan = Plan::new();
        for (range, place) in self.places.drain(..) {
            plan.entry(range).or_default().push(RangeEntry::of(place));
        }
        let whole_at = &mut self.whole_at;
        self.whole.retain(|range| {
            let is_due = whole_at
                .get(range)
                .is_none_or(|at| now >= *at + WHOLE_PAUSE);
            if is_due {
                whole_at.insert(*range, now);
                plan.insert(*range, include(*range).to_vec());
            }
            !is_due
        });
        if self.near_pauses.len() >= PAUSES_MAX {
            self.near_pauses.retain(|_, pause| pause.until > now);
        }
        let pauses = &mut self.near_pauses;
        let mut blocks = 0;
        self.near.retain(|key| {
            let pause = pauses.get(key).copied();
            if blocks == BLOCKS_MAX || pause.is_some_and(|pause| now < pause.until) {
                return true;
            }
            blocks += 1;
            let length = pause.map_or(NEAR_PAUSE, |pause| (pause.length * 2).min(NEAR_PAUSE_MAX));
            let until = now + length;
            pauses.insert(*key, Pause { until, length });
            let (range, block) = *key;
            let entries = include(range);
            let searched = plan.entry(range).or_default();
            if block.is_unspecified() {
                searched.extend_from_slice(entries);
            } else {
                searched.extend(entries.iter().filter_map(|entry| within(entry, block)));
            }
            false
        });
        plan.retain(|_, entries| !entries.is_empty());
        if plan.is_empty() {
            self.idle_until = Some(now + IDLE);
            return None;
        }
        Some(plan)
    }

    /// A device was found where it moved to: its block deserves a look as soon as any other.
    pub fn found(&mut self, range: usize, before: IpAddr) {
        self.near_pauses.remove(&(range, block_of(before)));
        let all = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        self.near_pauses.remove(&(range, all));
    }
}

fn block_of(address: IpAddr) -> Block {
    match address.to_canonical() {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & !0xff).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !0xff).into(),
    }
}

/// What of an entry lies in a block.
fn within(entry: &RangeEntry, block: Block) -> Option<RangeEntry> {
    let Hosts::Span(first, last) = entry.hosts else {
        return None;
    };
    let end = match block {
        IpAddr::V4(block) => IpAddr::V4(Ipv4Addr::from_bits(block.to_bits() | 0xff)),
        IpAddr::V6(block) => IpAddr::V6(Ipv6Addr::from_bits(block.to_bits() | 0xff)),
    };
    let (first, last) = (
        first.to_canonical().max(block),
        last.to_canonical().min(end),
    );
    (first.is_ipv4() == block.is_ipv4() && first <= last).then_some(RangeEntry {
        hosts: Hosts::Span(first, last),
        port: entry.port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn entries(texts: &[&str]) -> Vec<RangeEntry> {
        let entries = texts.iter().map(|text| RangeEntry::parse(text));
        entries.collect::<Result<_, _>>().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// What is searched, in short.
    fn take(searches: &mut Searches, include: &[RangeEntry], now: Instant) -> Vec<String> {
        let plan = searches.take(|_| include, now).unwrap_or_default();
        let all = plan.values().flatten();
        all.map(ToString::to_string).collect()
    }

    #[test]
    fn one_poll_without_an_answer_is_no_reason_and_two_are() {
        let include = entries(&["10.1.0.0/16", "10.1.7.7:1161", "printer"]);
        let mut searches = Searches::default();
        let now = Instant::now();
        searches.silent(0, 65_536, ip("10.1.7.20"), 1, now);
        assert_eq!(take(&mut searches, &include, now), [""; 0]);
        searches.silent(0, 65_536, ip("10.1.7.20"), 2, now);
        searches.silent(0, 65_536, ip("10.1.7.21"), 2, now);
        assert_eq!(
            take(&mut searches, &include, now),
            ["10.1.7.0-10.1.7.255", "10.1.7.7:1161"]
        );
        assert_eq!(take(&mut searches, &include, now), [""; 0]);
    }

    #[test]
    fn a_small_range_is_searched_as_a_whole() {
        let include = entries(&["10.1.0.0/22", "printer"]);
        let mut searches = Searches::default();
        let now = Instant::now();
        searches.silent(0, 1023, ip("10.1.2.20"), 2, now);
        assert_eq!(
            take(&mut searches, &include, now),
            ["10.1.0.1-10.1.3.254", "printer"]
        );
    }

    #[test]
    fn what_stays_silent_is_searched_for_ever_less_often_and_once_everywhere() {
        let include = entries(&["10.1.0.0/16"]);
        let mut searches = Searches::default();
        let start = Instant::now();
        let mut near = Vec::new();
        let mut whole = Vec::new();
        let mut failures = 1;
        for minute in 0..24 * 60 {
            let now = start + MINUTE * minute;
            failures += u32::from(minute < 4 || minute % 15 == 0);
            searches.silent(0, 65_534, ip("10.1.7.20"), failures, now);
            for searched in take(&mut searches, &include, now) {
                match searched.as_str() {
                    "10.1.7.0-10.1.7.255" => near.push(minute),
                    "10.1.0.1-10.1.255.254" => whole.push(minute),
                    other => panic!("{other}"),
                }
            }
        }
        assert_eq!(near[..5], [0, 20, 60, 140, 260]);
        assert!(near.len() < 20, "{near:?}");
        assert_eq!(whole, [2]);
        // Another one of the block is a new reason.
        let now = start + MINUTE * 24 * 60;
        searches.silent(0, 65_534, ip("10.1.7.99"), 2, now);
        let soon = now + NEAR_PAUSE;
        assert_eq!(take(&mut searches, &include, soon).len(), 1);
    }

    #[test]
    fn a_search_is_bounded_and_what_is_left_comes_next() {
        let include = entries(&["10.0.0.0/12"]);
        let mut searches = Searches::default();
        let now = Instant::now();
        for block in 0..=255 {
            searches.silent(0, 1 << 20, IpAddr::from([10, 0, block, 9]), 4, now);
        }
        let counts: Vec<usize> = (0..5)
            .map(|_| take(&mut searches, &include, now).len())
            .collect();
        assert_eq!(
            counts,
            [64, 64, 64, 64, 0],
            "and never all of a range so large"
        );
    }

    #[test]
    fn a_place_that_was_told_is_asked_at_once_and_once() {
        let mut searches = Searches::default();
        let place: SocketAddr = "10.0.0.7:161".parse().unwrap();
        searches.place(3, place);
        searches.place(3, place);
        let now = Instant::now();
        let plan = searches.take(|_| &[], now).unwrap();
        assert_eq!(plan, Plan::from([(3, vec![RangeEntry::of(place)])]));
        assert_eq!(searches.take(|_| &[], now), None);
    }
}
