//! How many requests may go out: token buckets, one over everything and one for each subnet. No clock: times are arguments.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::config::PollingConfig;

/// How much of a second's allowance may go out at once: little, so that a thin line never sees a burst.
const BURST: f64 = 0.1;
/// Subnets whose bucket is full are forgotten when there are more than this.
const SUBNETS_MAX: usize = 4096;

/// The allowance.
#[derive(Debug)]
pub struct Pace {
    all: Bucket,
    subnets: HashMap<IpAddr, Bucket>,
    subnet_per_second: f64,
}

/// One bucket: it fills by the second, and may be overdrawn by what a poll turned out to need.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    per_second: f64,
    level: f64,
    at: Instant,
}

impl Pace {
    /// Full buckets.
    #[must_use]
    pub fn new(config: &PollingConfig, now: Instant) -> Self {
        Self {
            all: Bucket::new(f64::from(config.packets_per_second), now),
            subnets: HashMap::new(),
            subnet_per_second: f64::from(config.packets_per_second_subnet),
        }
    }

    /// Takes one request's worth, or says when there will be one.
    ///
    /// # Errors
    /// The time to come back.
    pub fn admit(&mut self, address: IpAddr, now: Instant) -> Result<(), Instant> {
        if self.subnets.len() >= SUBNETS_MAX {
            self.subnets.retain(|_, bucket| !bucket.is_full(now));
        }
        let per_second = self.subnet_per_second;
        let subnet = self
            .subnets
            .entry(subnet_of(address))
            .or_insert_with(|| Bucket::new(per_second, now));
        let wait = self.all.wait(now).max(subnet.wait(now));
        if wait > Duration::ZERO {
            return Err(now + wait);
        }
        self.all.level -= 1.0;
        subnet.level -= 1.0;
        Ok(())
    }

    /// Takes what a poll needed beyond its first request.
    pub fn charge(&mut self, address: IpAddr, requests: u32) {
        self.all.level -= f64::from(requests);
        if let Some(subnet) = self.subnets.get_mut(&subnet_of(address)) {
            subnet.level -= f64::from(requests);
        }
    }
}

impl Bucket {
    fn new(per_second: f64, now: Instant) -> Self {
        let mut bucket = Self {
            per_second,
            level: 0.0,
            at: now,
        };
        bucket.level = bucket.brim();
        bucket
    }

    /// At least one request, whatever the rate.
    fn brim(&self) -> f64 {
        (self.per_second * BURST).max(1.0)
    }

    fn fill(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = (self.level + seconds * self.per_second).min(self.brim());
        self.at = now;
    }

    /// How long until there is one request's worth.
    fn wait(&mut self, now: Instant) -> Duration {
        self.fill(now);
        if self.level >= 1.0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64((1.0 - self.level) / self.per_second)
        }
    }

    fn is_full(&self, now: Instant) -> bool {
        let mut bucket = *self;
        bucket.fill(now);
        bucket.level >= bucket.brim()
    }
}

/// The /24 or /64 around an address.
fn subnet_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(address) => {
            let mut segments = address.segments();
            segments[4..].fill(0);
            IpAddr::from(segments)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AgentConfig, Secret};

    fn pace(all: u32, subnet: u32, now: Instant) -> Pace {
        let agent = codec::id::AgentId::new("a").unwrap();
        let token = Secret::new("t".to_owned());
        let mut config = AgentConfig::new(String::new(), agent, token, "s".into()).polling;
        config.packets_per_second = all;
        config.packets_per_second_subnet = subnet;
        Pace::new(&config, now)
    }

    /// How many of these addresses in turn are admitted in ten seconds.
    fn admitted(pace: &mut Pace, addresses: &[&str], mut now: Instant) -> u32 {
        let end = now + Duration::from_secs(10);
        let mut count = 0;
        while now < end {
            let results: Vec<_> = addresses
                .iter()
                .map(|address| pace.admit(address.parse().unwrap(), now))
                .collect();
            count += u32::try_from(results.iter().filter(|r| r.is_ok()).count()).unwrap();
            if results.iter().all(Result::is_err) {
                now = results.iter().filter_map(|r| r.err()).min().unwrap();
            }
        }
        count
    }

    #[test]
    fn a_subnet_gets_its_share_and_all_get_no_more_than_all() {
        let now = Instant::now();
        let one = admitted(&mut pace(1000, 50, now), &["10.1.1.1", "10.1.1.2"], now);
        assert!((500..=506).contains(&one), "{one}");
        let two = admitted(&mut pace(1000, 50, now), &["10.1.1.1", "10.1.2.1"], now);
        assert!((1000..=1012).contains(&two), "{two}");
        let all = admitted(&mut pace(70, 50, now), &["10.1.1.1", "fd00::1"], now);
        assert!((700..=708).contains(&all), "{all}");
    }

    #[test]
    fn what_a_poll_needed_is_paid_before_the_next() {
        let now = Instant::now();
        let mut pace = pace(10, 10, now);
        let address = "10.1.1.1".parse().unwrap();
        assert!(pace.admit(address, now).is_ok());
        pace.charge(address, 10);
        let until = pace.admit(address, now).unwrap_err();
        assert!(
            (1000..=1101).contains(&(until - now).as_millis()),
            "{:?}",
            until - now
        );
        assert!(
            pace.admit(address, until + Duration::from_millis(1))
                .is_ok()
        );
    }
}
