//! A sweep: which address is asked next. No clock and no socket; names are looked up on a thread of the sweep's own.
//!
//! What always holds: every address of the ranges is offered once for each attempt, unless it answered; none that is excluded is, whether
//! it is written there or a name of the range leads to it; a range of which it is not known what a name excludes is left out; and addresses
//! are counted, never listed: a /16 needs no more memory than a /28.
//!
//! The order goes easy on the network: one address of each /24 (IPv6: /120) after the other, so that no subnet gets many requests at
//! once, and no switch has to look for many absent neighbours at once. The second attempts come when the first are through, and
//! only where nothing answered. What is likely to answer ([`Sweep::prefer`], [`Sweep::alive`]) goes before.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::mpsc::{Receiver, TryRecvError};

use super::entry::{Hosts, RangeEntry};
use super::names::{Resolved, Wanted, look_up};
use super::space::{Marks, Span, Spans, address, key};
use crate::engine::SNMP_PORT;

/// Addresses of a block: what an Ethernet segment usually has.
const BLOCK_ADDRESSES: u128 = 256;
/// From one step to the next the last number of the address goes on by this; odd, so that it passes them all.
const STEP: u128 = 157;
/// The most addresses that are remembered for being alive without SNMP.
const ALIVE_MAX: usize = 65_536;
/// The most addresses that wait to go before.
const FRONT_MAX: usize = 65_536;

/// What is to be asked, and left alone, together.
#[derive(Clone, Copy, Debug)]
pub struct SweepRange<'a> {
    /// What to ask.
    pub include: &'a [RangeEntry],
    /// What never to ask.
    pub exclude: &'a [RangeEntry],
}

/// An address to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The number of its range.
    pub range: usize,
    /// Where to ask.
    pub address: SocketAddr,
    /// Which attempt it is, from 0.
    pub attempt: u32,
    number: u64,
}

/// How far a sweep is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepProgress {
    /// Addresses in all. (A name counts once it is known.)
    pub addresses: u64,
    /// Addresses that were asked once, or need not be.
    pub asked: u64,
    /// Attempts that ended.
    pub attempts_done: u64,
    /// Attempts that are still to be made, if nothing more answers.
    pub attempts_left: u64,
}

/// Consecutive addresses, each with a number from `number` on.
#[derive(Clone, Copy, Debug)]
struct Strip {
    span: Span,
    number: u64,
}

/// The strips of one range and port, in order.
#[derive(Clone, Debug)]
struct Area {
    range: usize,
    port: u16,
    strips: Range<usize>,
}

/// A sweep under way.
#[derive(Debug)]
pub struct Sweep {
    areas: Vec<Area>,
    strips: Vec<Strip>,
    attempts: u32,
    attempt: u32,
    cursor: Cursor,
    front: VecDeque<Candidate>,
    /// Addresses that need no further attempt: they answered, or have it in `front`.
    done: Marks,
    /// Addresses whose first attempt went before.
    asked_before: Marks,
    /// Addresses that came from names, with their ranges.
    named: Vec<(usize, SocketAddr)>,
    named_next: usize,
    names: Option<Receiver<Resolved>>,
    /// What was looked up since it was last asked for.
    resolved: Vec<Resolved>,
    /// Some names are to be left alone and not known yet: those of these ranges.
    awaits_exclusions: bool,
    excluding_names: Vec<usize>,
    /// Ranges of which it is not known what is to be left alone.
    barred: BTreeSet<usize>,
    /// What may not be asked of the ranges that have names, on this port or on all.
    excluded: BTreeMap<usize, Vec<(Span, Option<u16>)>>,
    excluded_by_name: HashSet<(usize, IpAddr, Option<u16>)>,
    alive: HashSet<IpAddr>,
    /// Numbers of `strips` in all.
    counted: u64,
    outstanding: u64,
    asked: u64,
    answered: u64,
    ended: u64,
}

/// Where the next block is.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    step: u128,
    area: usize,
    strip: usize,
    /// Counted from the strip's first block.
    block: u128,
}

impl Sweep {
    /// A sweep with so many attempts at each address. Entries without a port mean `port`.
    #[must_use]
    pub fn new<'a>(
        ranges: impl IntoIterator<Item = SweepRange<'a>>,
        port: u16,
        attempts: u32,
    ) -> Self {
        let mut sweep = Self {
            areas: Vec::new(),
            strips: Vec::new(),
            attempts,
            attempt: 0,
            cursor: Cursor::default(),
            front: VecDeque::new(),
            done: Marks::default(),
            asked_before: Marks::default(),
            named: Vec::new(),
            named_next: 0,
            names: None,
            resolved: Vec::new(),
            awaits_exclusions: false,
            excluding_names: Vec::new(),
            barred: BTreeSet::new(),
            excluded: BTreeMap::new(),
            excluded_by_name: HashSet::new(),
            alive: HashSet::new(),
            counted: 0,
            outstanding: 0,
            asked: 0,
            answered: 0,
            ended: 0,
        };
        let mut names = Vec::new();
        for (range, SweepRange { include, exclude }) in ranges.into_iter().enumerate() {
            sweep.add(range, include, exclude, port);
            for (entries, is_excluded) in [(include, false), (exclude, true)] {
                names.extend(entries.iter().filter_map(|entry| match &entry.hosts {
                    Hosts::Name(name) => Some(Wanted {
                        range,
                        name: name.as_str().into(),
                        port: entry.port,
                        is_excluded,
                    }),
                    Hosts::Span(..) => None,
                }));
            }
            if include.iter().any(|entry| span_of(entry).is_none()) {
                let spans = exclude.iter().filter_map(|e| Some((span_of(e)?, e.port)));
                sweep.excluded.insert(range, spans.collect());
            }
        }
        if !names.is_empty() {
            let excluding = names.iter().filter(|wanted| wanted.is_excluded);
            sweep.excluding_names = excluding.map(|wanted| wanted.range).collect();
            sweep.awaits_exclusions = !sweep.excluding_names.is_empty();
            sweep.names = Some(look_up(names, port));
        }
        sweep
    }

    /// Takes in the spans of a range, without what is excluded.
    fn add(&mut self, range: usize, include: &[RangeEntry], exclude: &[RangeEntry], port: u16) {
        let mut ports: Vec<u16> = include.iter().map(|e| e.port.unwrap_or(port)).collect();
        ports.sort_unstable();
        ports.dedup();
        for at in ports {
            let asked: Spans = include
                .iter()
                .filter(|entry| entry.port.unwrap_or(port) == at)
                .filter_map(span_of)
                .collect();
            let excluded: Spans = exclude
                .iter()
                .filter(|entry| entry.port.is_none_or(|port| port == at))
                .filter_map(span_of)
                .collect();
            let start = self.strips.len();
            for span in asked.without(&excluded).iter() {
                self.strips.push(Strip {
                    span,
                    number: self.counted,
                });
                let count = u64::try_from(span.last - span.first).unwrap_or(u64::MAX);
                self.counted = self.counted.saturating_add(count).saturating_add(1);
            }
            self.areas.push(Area {
                range,
                port: at,
                strips: start..self.strips.len(),
            });
        }
    }

    /// Takes the next address to ask; `None` when there is none just now. What is taken is to be given back to [`Sweep::ended`].
    pub fn take_next(&mut self) -> Option<Candidate> {
        self.take_names();
        if self.awaits_exclusions {
            return None;
        }
        while let Some(candidate) = self.front.pop_front() {
            if !self.is_left_alone(&candidate) {
                self.outstanding += 1;
                return Some(candidate);
            }
        }
        loop {
            if self.attempt >= self.attempts {
                return None;
            }
            while let Some(candidate) = self.next_in_turn() {
                let is_first = self.attempt == 0;
                self.asked += u64::from(is_first);
                let is_asked = self.done.has(candidate.number)
                    || is_first && self.asked_before.has(candidate.number);
                if !is_asked && !self.is_left_alone(&candidate) {
                    self.outstanding += 1;
                    return Some(candidate);
                }
            }
            // Who is being asked may still answer, and a name may still come.
            let is_last = self.attempt + 1 == self.attempts;
            if self.outstanding > 0 || is_last && self.names.is_some() {
                return None;
            }
            self.attempt += 1;
            self.cursor = Cursor::default();
            self.named_next = 0;
        }
    }

    /// An address that was taken cannot be asked just now: it comes next.
    pub fn put_back(&mut self, candidate: Candidate) {
        self.outstanding = self.outstanding.saturating_sub(1);
        self.front.push_front(candidate);
    }

    /// An address that was taken was asked, or needs not be: whether it is done with, because it answered.
    pub fn ended(&mut self, candidate: &Candidate, is_done: bool) {
        self.outstanding = self.outstanding.saturating_sub(1);
        self.ended += 1;
        if is_done {
            self.answered += 1;
            self.done.set(candidate.number);
            self.alive.remove(&candidate.address.ip());
        }
    }

    /// This address, if it is in the ranges and still to be asked, goes before.
    pub fn prefer(&mut self, address: IpAddr) {
        if self.attempt > 0 {
            self.put_before(address, self.attempt);
            return;
        }
        for candidate in self.find(address, 0) {
            if self.front.len() < FRONT_MAX && self.asked_before.set(candidate.number) {
                self.front.push_back(candidate);
            }
        }
    }

    /// This address is alive, whatever it says by SNMP: its second attempt goes before.
    pub fn alive(&mut self, address: IpAddr) {
        let is_silent = self.put_before(address, self.attempts.saturating_sub(1).min(1));
        if is_silent && self.alive.len() < ALIVE_MAX {
            self.alive.insert(address.to_canonical());
        }
    }

    /// What is alive and did not answer.
    #[must_use]
    pub const fn alive_and_silent(&self) -> &HashSet<IpAddr> {
        &self.alive
    }

    /// Its last attempt goes before. Says whether it has not answered yet.
    fn put_before(&mut self, address: IpAddr, attempt: u32) -> bool {
        let mut is_silent = false;
        for candidate in self.find(address, attempt) {
            if self.done.has(candidate.number) {
                continue;
            }
            is_silent = true;
            if self.front.len() < FRONT_MAX {
                self.done.set(candidate.number);
                self.front.push_back(candidate);
            }
        }
        is_silent
    }

    /// Where the ranges have this address.
    fn find(&self, address: IpAddr, attempt: u32) -> Vec<Candidate> {
        let key = key(address);
        let counted = self.areas.iter().filter_map(|area| {
            let strips = &self.strips[area.strips.clone()];
            let after = strips.partition_point(|strip| strip.span.first <= key);
            let strip = strips[..after].last()?;
            (key <= strip.span.last).then(|| strip.candidate(area, key, attempt))
        });
        let named = (self.counted..).zip(&self.named);
        let named = named.filter(|(_, (_, target))| target.ip() == address);
        let named = named.map(|(number, &(range, address))| Candidate {
            range,
            address,
            attempt,
            number,
        });
        counted.chain(named).collect()
    }

    /// Which attempt it is at, from 0.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether nothing is asked any more and nothing will be.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.attempt >= self.attempts
            && self.front.is_empty()
            && self.outstanding == 0
            && !self.awaits_exclusions
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> SweepProgress {
        let addresses = self.counted + self.named.len() as u64;
        let attempts = addresses.saturating_mul(u64::from(self.attempts));
        let spared = self.answered * u64::from(self.attempts.saturating_sub(1));
        SweepProgress {
            addresses,
            asked: self.asked.min(addresses),
            attempts_done: self.ended,
            attempts_left: if self.is_over() {
                0
            } else {
                attempts.saturating_sub(self.ended).saturating_sub(spared)
            },
        }
    }

    /// The next in the order, whether it needs to be asked or not.
    fn next_in_turn(&mut self) -> Option<Candidate> {
        while self.cursor.step < BLOCK_ADDRESSES {
            let Some(area) = self.areas.get(self.cursor.area) else {
                self.cursor = Cursor {
                    step: self.cursor.step + 1,
                    ..Cursor::default()
                };
                continue;
            };
            let at = area.strips.start + self.cursor.strip;
            if at >= area.strips.end {
                self.cursor.area += 1;
                self.cursor.strip = 0;
                continue;
            }
            let strip = &self.strips[at];
            let base = (strip.span.first & !(BLOCK_ADDRESSES - 1))
                .saturating_add(self.cursor.block * BLOCK_ADDRESSES);
            let key = base | ((self.cursor.step * STEP + 1) % BLOCK_ADDRESSES);
            if (base | (BLOCK_ADDRESSES - 1)) >= strip.span.last {
                self.cursor.strip += 1;
                self.cursor.block = 0;
            } else {
                self.cursor.block += 1;
            }
            if (strip.span.first..=strip.span.last).contains(&key) {
                return Some(strip.candidate(area, key, self.attempt));
            }
        }
        let &(range, address) = self.named.get(self.named_next)?;
        let number = self.counted + self.named_next as u64;
        self.named_next += 1;
        Some(Candidate {
            range,
            address,
            attempt: self.attempt,
            number,
        })
    }

    /// What was looked up of the ranges' names since this was last asked, in order.
    pub fn take_resolved(&mut self) -> Vec<Resolved> {
        std::mem::take(&mut self.resolved)
    }

    /// The ranges that are left out, because it is not known which of their addresses are to be left alone.
    #[must_use]
    pub const fn barred(&self) -> &BTreeSet<usize> {
        &self.barred
    }

    /// Takes in what was looked up meanwhile.
    fn take_names(&mut self) {
        let Some(names) = self.names.take() else {
            return;
        };
        loop {
            match names.try_recv() {
                Ok(resolved) => self.take_name(resolved),
                Err(TryRecvError::Empty) => {
                    self.names = Some(names);
                    return;
                }
                Err(TryRecvError::Disconnected) => {
                    // Whoever was to say what is to be left alone is gone and has not said it.
                    if std::mem::take(&mut self.awaits_exclusions) {
                        let ranges = std::mem::take(&mut self.excluding_names);
                        self.resolved
                            .extend(ranges.iter().copied().map(Resolved::Unknown));
                        self.resolved.push(Resolved::ExclusionsKnown);
                        self.barred.extend(ranges);
                    }
                    return;
                }
            }
        }
    }

    fn take_name(&mut self, resolved: Resolved) {
        match &resolved {
            Resolved::ExclusionsKnown => self.awaits_exclusions = false,
            Resolved::Unknown(range) => {
                self.barred.insert(*range);
            }
            Resolved::Excluded(range, address, port) => {
                let excluded = (*range, address.ip().to_canonical(), *port);
                self.excluded_by_name.insert(excluded);
            }
            Resolved::Asked(range, _, address) => {
                if self.is_excluded_by_span(*range, *address) {
                    return;
                }
                let known = self.find(address.ip(), 0);
                let is_here = |(at, place): (usize, SocketAddr)| at == *range && place == *address;
                if !known.iter().any(|c| is_here((c.range, c.address))) {
                    self.named.push((*range, *address));
                }
            }
            Resolved::Known(..) => {}
        }
        self.resolved.push(resolved);
    }

    fn is_excluded_by_span(&self, range: usize, address: SocketAddr) -> bool {
        let key = key(address.ip());
        let mut spans = self.excluded.get(&range).into_iter().flatten();
        spans.any(|(span, port)| {
            (span.first..=span.last).contains(&key) && port.is_none_or(|it| it == address.port())
        })
    }

    fn is_left_alone(&self, candidate: &Candidate) -> bool {
        let (range, address) = (candidate.range, candidate.address);
        let is_excluded = |port: Option<u16>| {
            let place = (range, address.ip().to_canonical(), port);
            self.excluded_by_name.contains(&place)
        };
        self.barred.contains(&range)
            || !self.excluded_by_name.is_empty()
                && (is_excluded(None) || is_excluded(Some(address.port())))
    }
}

impl Strip {
    fn candidate(&self, area: &Area, key: u128, attempt: u32) -> Candidate {
        let into = u64::try_from(key - self.span.first).unwrap_or(u64::MAX);
        Candidate {
            range: area.range,
            address: SocketAddr::new(address(key), area.port),
            attempt,
            number: self.number.saturating_add(into),
        }
    }
}

fn span_of(entry: &RangeEntry) -> Option<Span> {
    match entry.hosts {
        Hosts::Span(first, last) => Some(Span {
            first: key(first),
            last: key(last),
        }),
        Hosts::Name(_) => None,
    }
}

/// How many addresses the spans of these entries have together, a name counting as one: each once, none that is excluded.
#[must_use]
pub fn addresses(range: SweepRange<'_>) -> u64 {
    let sweep = {
        let spans = |entries: &[RangeEntry]| -> Vec<RangeEntry> {
            let spans = entries.iter();
            spans.filter(|e| span_of(e).is_some()).cloned().collect()
        };
        let (include, exclude) = (spans(range.include), spans(range.exclude));
        let mut sweep = Sweep::new([], SNMP_PORT, 1);
        sweep.add(0, &include, &exclude, SNMP_PORT);
        sweep
    };
    let names = range
        .include
        .iter()
        .filter(|entry| span_of(entry).is_none());
    sweep.counted.saturating_add(names.count() as u64)
}

#[cfg(test)]
#[path = "sweep_tests.rs"]
mod tests;
