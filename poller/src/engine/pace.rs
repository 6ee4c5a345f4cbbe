//! How fast requests may leave: over all, and into each subnet, so that a slow line to a branch is never flooded.
//!
//! Each line books its next free moment; a request takes the later of its two and waits for it. (The generic cell rate
//! algorithm: a bucket without counting drops.)

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// How many subnets are kept track of; those with nothing booked are forgotten first.
const SUBNETS_MAX: usize = 16_384;

/// How far a line that was idle may run ahead of its rate.
const BURST: Duration = Duration::from_millis(20);

/// Limits of requests per second; zero means none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Over all.
    pub requests_per_second: u32,
    /// Into each subnet.
    pub subnet_requests_per_second: u32,
    /// How long the prefix of an IPv4 subnet is.
    pub subnet_prefix_v4: u8,
    /// How long the prefix of an IPv6 subnet is.
    pub subnet_prefix_v6: u8,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            requests_per_second: 0,
            subnet_requests_per_second: 0,
            subnet_prefix_v4: 24,
            subnet_prefix_v6: 64,
        }
    }
}

#[derive(Debug, Default)]
pub struct Pacer {
    pace: Pace,
    all: Duration,
    subnets: HashMap<IpAddr, Duration>,
}

impl Pacer {
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            ..Self::default()
        }
    }

    /// Books the moment at which a request to this address may leave.
    pub fn book(&mut self, address: IpAddr, now: Duration) -> Duration {
        let mut moment = now;
        let subnet_interval = interval(self.pace.subnet_requests_per_second);
        let interval = interval(self.pace.requests_per_second);
        if let Some(interval) = interval {
            moment = moment.max(book(&mut self.all, interval, now));
        }
        if let Some(interval) = subnet_interval {
            if self.subnets.len() >= SUBNETS_MAX {
                self.subnets.retain(|_, free| *free > now);
            }
            let subnet = self.subnet(address);
            let free = self.subnets.entry(subnet).or_default();
            moment = moment.max(book(free, interval, now));
        }
        moment
    }

    fn subnet(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(v4) => {
                let host_bits = 32 - u32::from(self.pace.subnet_prefix_v4.min(32));
                let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
                IpAddr::V4((v4.to_bits() & mask).into())
            }
            IpAddr::V6(v6) => {
                let host_bits = 128 - u32::from(self.pace.subnet_prefix_v6.min(128));
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        }
    }
}

fn interval(per_second: u32) -> Option<Duration> {
    (per_second > 0).then(|| Duration::from_secs(1) / per_second)
}

/// The next free moment of a line, which is taken.
fn book(free: &mut Duration, interval: Duration, now: Duration) -> Duration {
    let moment = (*free).max(now.saturating_sub(BURST));
    *free = moment + interval;
    moment.max(now)
}
