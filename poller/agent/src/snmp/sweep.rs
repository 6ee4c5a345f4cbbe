//! Discovery: the addresses that are still to ask, in an order that goes easy on each subnet. No clock and no socket; names are
//! looked up on a thread of the sweep's own.
//!
//! What always holds: every address of the ranges is offered once, none that is excluded.

use std::collections::{HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use crate::config::ranges::{Hosts, from_bits, to_bits};
use crate::config::{RangeConfig, RangeEntry};

/// Blocks of a subnet's size …
const BLOCK_ADDRESSES: u128 = 256;
/// … of which so many take turns, so that one subnet does not get them all at once.
const BLOCKS_AT_ONCE: usize = 64;
/// Addresses that one name may have.
const ADDRESSES_PER_NAME_MAX: usize = 16;

/// Some addresses of a range.
#[derive(Clone, Copy, Debug)]
struct Block {
    range: usize,
    /// Any address of the family.
    like: IpAddr,
    next: u128,
    last: u128,
    port: u16,
}

/// A sweep under way.
pub struct Sweep {
    excluded: Vec<Vec<RangeEntry>>,
    spans: VecDeque<Block>,
    active: VecDeque<Block>,
    names: Option<Receiver<(usize, SocketAddr)>>,
    offered: HashSet<SocketAddr>,
    total: u64,
    asked: u64,
}

impl Sweep {
    /// A sweep of these ranges.
    pub fn new<'a>(ranges: impl Iterator<Item = &'a RangeConfig>, port: u16) -> Self {
        let mut sweep = Self {
            excluded: Vec::new(),
            spans: VecDeque::new(),
            active: VecDeque::new(),
            names: None,
            offered: HashSet::new(),
            total: 0,
            asked: 0,
        };
        let mut names = Vec::new();
        for (range, config) in ranges.enumerate() {
            sweep.excluded.push(config.exclude.clone());
            for entry in &config.include {
                let port = entry.port.unwrap_or(port);
                sweep.total += u64::try_from(entry.addresses()).unwrap_or(u64::MAX);
                match &entry.hosts {
                    Hosts::Span(first, last) => sweep.spans.push_back(Block {
                        range,
                        like: *first,
                        next: to_bits(*first),
                        last: to_bits(*last),
                        port,
                    }),
                    Hosts::Name(name) => names.push((range, name.clone(), port)),
                }
            }
        }
        if !names.is_empty() {
            sweep.names = Some(look_up(names));
        }
        sweep
    }

    /// How many addresses there are; a name counts as one.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// How many were asked or skipped.
    #[must_use]
    pub const fn asked(&self) -> u64 {
        self.asked
    }

    /// Whether nothing will come any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.spans.is_empty() && self.active.is_empty() && self.names.is_none()
    }

    /// Takes the next address to ask, with the number of its range; `None` when the sweep is over or names are still being looked up.
    pub fn take_next(&mut self) -> Option<(usize, SocketAddr)> {
        self.take_names();
        loop {
            while self.active.len() < BLOCKS_AT_ONCE
                && let Some(block) = self.cut_block()
            {
                self.active.push_back(block);
            }
            let mut block = self.active.pop_front()?;
            let address = SocketAddr::new(from_bits(block.like, block.next), block.port);
            block.next += 1;
            if block.next <= block.last {
                self.active.push_back(block);
            }
            self.asked += 1;
            if !self.is_excluded(block.range, address) {
                return Some((block.range, address));
            }
        }
    }

    /// Cuts the next block off the spans.
    fn cut_block(&mut self) -> Option<Block> {
        let mut span = self.spans.pop_front()?;
        let mut block = span;
        block.last = span.last.min(span.next | (BLOCK_ADDRESSES - 1));
        span.next = block.last + 1;
        if span.next <= span.last {
            self.spans.push_front(span);
        }
        Some(block)
    }

    /// Takes in what was looked up meanwhile.
    fn take_names(&mut self) {
        let Some(names) = &self.names else { return };
        loop {
            match names.try_recv() {
                Ok((range, address)) => {
                    if self.offered.insert(address) {
                        let bits = to_bits(address.ip());
                        self.active.push_back(Block {
                            range,
                            like: address.ip(),
                            next: bits,
                            last: bits,
                            port: address.port(),
                        });
                    }
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.names = None;
                    return;
                }
            }
        }
    }

    fn is_excluded(&self, range: usize, address: SocketAddr) -> bool {
        self.excluded[range].iter().any(|entry| {
            entry.contains(address.ip()) && entry.port.is_none_or(|port| port == address.port())
        })
    }
}

/// Looks names up, one after the other, on a thread that ends with the last.
fn look_up(names: Vec<(usize, String, u16)>) -> Receiver<(usize, SocketAddr)> {
    let (sender, receiver) = channel();
    let thread = std::thread::Builder::new().name("sweep-names".to_owned());
    let spawned = thread.spawn(move || {
        for (range, name, port) in names {
            match (name.as_str(), port).to_socket_addrs() {
                Ok(addresses) => {
                    for address in addresses.take(ADDRESSES_PER_NAME_MAX) {
                        if sender.send((range, address)).is_err() {
                            return;
                        }
                    }
                }
                Err(error) => tracing::warn!(name, %error, "a host of a range has no address"),
            }
        }
    });
    if let Err(error) = spawned {
        tracing::error!(%error, "the hosts of the ranges cannot be looked up");
    }
    receiver
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn range(include: &[&str], exclude: &[&str]) -> RangeConfig {
        let entries = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| RangeEntry::parse(text).unwrap())
                .collect()
        };
        RangeConfig {
            name: "r".to_owned(),
            include: entries(include),
            exclude: entries(exclude),
            transport: poller::engine::Transport::Udp,
            credentials: Vec::new(),
        }
    }

    #[test]
    fn every_address_is_offered_once_and_none_that_is_excluded() {
        let ranges = [
            range(
                &["10.0.0.0/22", "10.9.0.7:1161"],
                &["10.0.1.0-10.0.1.255", "10.0.0.5"],
            ),
            range(&["10.5.0.1-10.5.0.3"], &[]),
        ];
        let mut sweep = Sweep::new(ranges.iter(), 161);
        assert_eq!(sweep.total(), 1022 + 1 + 3);
        let mut seen = HashSet::new();
        while let Some((range, address)) = sweep.take_next() {
            assert!(seen.insert((range, address)), "{address} twice");
        }
        assert!(sweep.is_over());
        assert_eq!(sweep.asked(), sweep.total());
        assert_eq!(seen.len(), 1022 - 256 - 1 + 1 + 3);
        assert!(seen.contains(&(0, "10.9.0.7:1161".parse().unwrap())));
        assert!(seen.contains(&(1, "10.5.0.3:161".parse().unwrap())));
        assert!(!seen.contains(&(0, "10.0.1.7:161".parse().unwrap())));
    }

    #[test]
    fn subnets_take_turns() {
        let ranges = [range(&["10.0.0.0/22"], &[])];
        let mut sweep = Sweep::new(ranges.iter(), 161);
        let subnets: Vec<_> = (0..8)
            .map(|_| match sweep.take_next().unwrap().1.ip() {
                IpAddr::V4(address) => address.octets()[2],
                IpAddr::V6(_) => panic!("not in the range"),
            })
            .collect();
        assert_eq!(subnets, [0, 1, 2, 3, 0, 1, 2, 3]);
    }

    #[test]
    fn a_host_name_is_looked_up_on_the_side() {
        let ranges = [range(&["localhost:1161"], &[])];
        let mut sweep = Sweep::new(ranges.iter(), 161);
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut found = Vec::new();
        while !sweep.is_over() {
            assert!(Instant::now() < deadline);
            match sweep.take_next() {
                Some((_, address)) => found.push(address),
                None => std::thread::yield_now(),
            }
        }
        assert!(
            found
                .iter()
                .any(|address| address.ip().is_loopback() && address.port() == 1161),
            "{found:?}"
        );
    }
}
