//! Addresses of models that a profile says must not be polled: they answered once who they are, and are left alone.
//!
//! What always holds: such an address is asked who it is once in [`PAUSE`] at the most, over restarts too, whatever a sweep, a trap or an
//! announcement says; but a change of the profiles lifts that, and an address that was handed to another device is found after it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// So long nothing is asked there: SNMP makes these models restart, so once a week is what finds the address's next device.
pub const PAUSE: Duration = Duration::from_secs(7 * 86_400);
/// The most addresses that are remembered: a /16 of nothing else. Further ones are asked at each sweep.
const ADDRESSES_MAX: usize = 65_536;

/// An address as it is kept: 4 or 16 octets, the port, and until when it is left alone, in milliseconds since the Unix epoch.
pub type Kept = (Vec<u8>, u16, i64);

/// The addresses that are left alone.
#[derive(Debug, Default)]
pub struct Untouched {
    until: BTreeMap<SocketAddr, Instant>,
}

impl Untouched {
    /// A model that must not be polled answered here.
    pub fn note(&mut self, address: SocketAddr, now: Instant) {
        self.until.retain(|_, until| *until > now);
        if self.until.len() < ADDRESSES_MAX {
            self.until.insert(address, now + PAUSE);
        }
    }

    /// Whether nothing is to be asked here.
    pub fn has(&self, address: SocketAddr, now: Instant) -> bool {
        self.until.get(&address).is_some_and(|until| *until > now)
    }

    /// The profiles have changed: what they say of these models may have, too.
    pub fn clear(&mut self) {
        self.until.clear();
    }

    /// What is kept over a restart; `now` and `unix_ms` are the same moment.
    pub fn to_save(&self, now: Instant, unix_ms: i64) -> Vec<Kept> {
        let left = self.until.iter().filter_map(|(address, until)| {
            let left = until.checked_duration_since(now)?;
            let left_ms = i64::try_from(left.as_millis()).ok()?;
            let octets = match address.ip() {
                std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
                std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
            };
            Some((octets, address.port(), unix_ms.saturating_add(left_ms)))
        });
        left.collect()
    }

    /// Takes in what was kept. A clock that was set back makes no pause longer than it ever is.
    pub fn restore(&mut self, kept: Vec<Kept>, now: Instant, unix_ms: i64) {
        for (octets, port, until_ms) in kept.into_iter().take(ADDRESSES_MAX) {
            let left_ms = u64::try_from(until_ms.saturating_sub(unix_ms)).unwrap_or(0);
            let left = Duration::from_millis(left_ms).min(PAUSE);
            let Some(ip) = super::snapshot::address(&octets) else {
                continue;
            };
            if !left.is_zero() {
                self.until.insert(SocketAddr::new(ip, port), now + left);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_left_alone_for_a_week_over_restarts_and_clocks_that_are_set() {
        const DAY: Duration = Duration::from_secs(86_400);
        const DAY_MS: i64 = 86_400_000;
        let (v4, v6) = (
            "10.0.0.7:161".parse().unwrap(),
            "[fd00::7]:1161".parse().unwrap(),
        );
        let (now, unix_ms) = (Instant::now(), 1_780_000_000_000);
        let mut untouched = Untouched::default();
        untouched.note(v4, now);
        untouched.note(v6, now + DAY);
        assert!(untouched.has(v4, now + 6 * DAY));
        assert!(!untouched.has(v4, now + 7 * DAY));
        assert!(!untouched.has("10.0.0.7:162".parse().unwrap(), now));

        let later = now + 2 * DAY;
        let kept = untouched.to_save(later, unix_ms);
        let restored = |unix_ms| {
            let mut restored = Untouched::default();
            restored.restore(kept.clone(), later, unix_ms);
            restored
        };
        // A day later by the calendar, whatever the clock of this process says.
        let next = restored(unix_ms + DAY_MS);
        assert!(next.has(v4, later + 3 * DAY) && !next.has(v4, later + 4 * DAY));
        assert!(next.has(v6, later + 4 * DAY) && !next.has(v6, later + 5 * DAY));
        let long_after = restored(unix_ms + 30 * DAY_MS);
        assert!(!long_after.has(v4, later));
        let set_back = restored(unix_ms - 300 * DAY_MS);
        assert!(set_back.has(v4, later + 6 * DAY) && !set_back.has(v4, later + 7 * DAY));
        untouched.clear();
        assert!(!untouched.has(v4, later));
    }
}
