//! How often a password may be tried: per login and per address, with waits that double, in bounded memory.
//!
//! An attempt is counted before the password is checked, so that many at once gain nothing; a right password takes its count
//! back. A login's wait stays short, so that nobody can lock a person out for long by guessing; an address waits longer. No
//! clock inside: `now` is an argument.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use codec::time::Timestamp;

/// Attempts on one login before the first wait: a browser that sends six requests at once with a fresh password passes.
const LOGIN_FREE_MAX: u32 = 10;
/// Attempts from one address before the first wait: an office behind one address logs in on a Monday.
const ADDRESS_FREE_MAX: u32 = 30;
/// The first wait; each further failure doubles it.
const WAIT_FIRST_MS: i64 = 1_000;
/// The longest wait for a login.
const LOGIN_WAIT_MS_MAX: i64 = 60_000;
/// The longest wait for an address.
const ADDRESS_WAIT_MS_MAX: i64 = 900_000;
/// After this long without an attempt, everything is forgiven.
const FORGIVEN_AFTER_MS: i64 = 3_600_000;
/// Logins, and addresses, remembered at once (some 100 bytes each); the one that was quiet longest goes first.
const REMEMBERED_MAX: usize = 10_000;
/// Of a login only so much is remembered: no login is longer.
const LOGIN_BYTES_MAX: usize = 128;

/// Counts attempts.
#[derive(Default)]
pub struct Throttle {
    logins: HashMap<String, Attempts>,
    addresses: HashMap<IpAddr, Attempts>,
}

#[derive(Clone, Copy)]
struct Attempts {
    count: u32,
    last: Timestamp,
}

/// What may pass and how long it must wait after that.
struct Limit {
    free_max: u32,
    wait_ms_max: i64,
}

const LOGIN: Limit = Limit {
    free_max: LOGIN_FREE_MAX,
    wait_ms_max: LOGIN_WAIT_MS_MAX,
};
const ADDRESS: Limit = Limit {
    free_max: ADDRESS_FREE_MAX,
    wait_ms_max: ADDRESS_WAIT_MS_MAX,
};

impl Throttle {
    /// Counts an attempt that is about to be made.
    ///
    /// # Errors
    /// How many milliseconds are left to wait; the attempt was not counted and must not be made.
    pub fn attempt(&mut self, login: &str, address: IpAddr, now: Timestamp) -> Result<(), i64> {
        let (login, address) = (login_key(login), address_key(address));
        let wait_ms = LOGIN
            .wait_ms(self.logins.get(&login), now)
            .max(ADDRESS.wait_ms(self.addresses.get(&address), now));
        if wait_ms > 0 {
            return Err(wait_ms);
        }
        count(&mut self.logins, login, now);
        count(&mut self.addresses, address, now);
        Ok(())
    }

    /// The attempt was right: its login is forgiven, its address gets the count back.
    pub fn succeeded(&mut self, login: &str, address: IpAddr) {
        self.logins.remove(&login_key(login));
        self.taken_back(address);
    }

    /// The attempt was not made after all.
    pub fn taken_back(&mut self, address: IpAddr) {
        if let Some(attempts) = self.addresses.get_mut(&address_key(address)) {
            attempts.count = attempts.count.saturating_sub(1);
        }
    }
}

impl Limit {
    fn wait_ms(&self, attempts: Option<&Attempts>, now: Timestamp) -> i64 {
        let Some(attempts) = attempts else { return 0 };
        let quiet_ms = now.ms_since(attempts.last).max(0);
        if attempts.count < self.free_max || quiet_ms >= FORGIVEN_AFTER_MS {
            return 0;
        }
        let doublings = (attempts.count - self.free_max).min(20);
        let wait_ms = (WAIT_FIRST_MS << doublings).min(self.wait_ms_max);
        (wait_ms - quiet_ms).max(0)
    }
}

fn count<K: Hash + Eq + Clone>(all: &mut HashMap<K, Attempts>, key: K, now: Timestamp) {
    if all.len() >= REMEMBERED_MAX && !all.contains_key(&key) {
        all.retain(|_, attempts| now.ms_since(attempts.last) < FORGIVEN_AFTER_MS);
        if all.len() >= REMEMBERED_MAX {
            let quietest = all
                .iter()
                .min_by_key(|(_, attempts)| attempts.last)
                .map(|(key, _)| key.clone());
            if let Some(quietest) = quietest {
                all.remove(&quietest);
            }
        }
    }
    let attempts = all.entry(key).or_insert(Attempts {
        count: 0,
        last: now,
    });
    if now.ms_since(attempts.last) >= FORGIVEN_AFTER_MS {
        attempts.count = 0;
    }
    attempts.count = attempts.count.saturating_add(1);
    attempts.last = now;
}

fn login_key(login: &str) -> String {
    let mut end = login.len().min(LOGIN_BYTES_MAX);
    while !login.is_char_boundary(end) {
        end -= 1;
    }
    login[..end].to_lowercase()
}

/// An IPv6 host has a whole /64 to choose its addresses from: that is what counts as one.
fn address_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let mut segments = address.segments();
            segments[4..].fill(0);
            IpAddr::V6(segments.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    #[test]
    fn the_wait_doubles_with_each_failure_and_ends_at_a_minute_for_a_login() {
        let mut throttle = Throttle::default();
        for _ in 0..LOGIN_FREE_MAX {
            assert_eq!(throttle.attempt("admin", HERE, at(0)), Ok(()));
        }
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..8 {
            let wait_ms = throttle.attempt("Admin", HERE, now).unwrap_err();
            waits.push(wait_ms);
            now = now.plus_ms(wait_ms);
            assert_eq!(throttle.attempt("admin", HERE, now), Ok(()));
        }
        assert_eq!(
            waits,
            [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
        );
    }

    #[test]
    fn an_address_that_tries_many_logins_waits_and_others_do_not() {
        let mut throttle = Throttle::default();
        for login in 0..ADDRESS_FREE_MAX {
            assert_eq!(
                throttle.attempt(&format!("user{login}"), HERE, at(0)),
                Ok(())
            );
        }
        assert_eq!(throttle.attempt("one-more", HERE, at(0)), Err(1_000));
        assert_eq!(
            throttle.attempt("one-more", "192.0.2.2".parse().unwrap(), at(0)),
            Ok(())
        );
    }

    #[test]
    fn addresses_of_one_64_bit_network_count_as_one() {
        let mut throttle = Throttle::default();
        for host in 0..ADDRESS_FREE_MAX {
            let address = format!("2001:db8::{host:x}").parse().unwrap();
            assert_eq!(
                throttle.attempt(&format!("user{host}"), address, at(0)),
                Ok(())
            );
        }
        let address = "2001:db8::ffff".parse().unwrap();
        assert_eq!(throttle.attempt("one-more", address, at(0)), Err(1_000));
    }

    #[test]
    fn a_right_password_is_not_counted_and_an_hour_forgives() {
        let mut throttle = Throttle::default();
        for _ in 0..1_000 {
            assert_eq!(throttle.attempt("erp", HERE, at(0)), Ok(()));
            throttle.succeeded("erp", HERE);
        }
        for _ in 0..LOGIN_FREE_MAX {
            assert_eq!(throttle.attempt("erp", HERE, at(0)), Ok(()));
        }
        assert!(throttle.attempt("erp", HERE, at(0)).is_err());
        assert_eq!(throttle.attempt("erp", HERE, at(FORGIVEN_AFTER_MS)), Ok(()));
        assert_eq!(throttle.attempt("erp", HERE, at(FORGIVEN_AFTER_MS)), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_the_quietest_goes_first() {
        let mut throttle = Throttle::default();
        for number in 0..REMEMBERED_MAX + 10 {
            let number = u32::try_from(number).unwrap();
            let address = IpAddr::V4(std::net::Ipv4Addr::from(number));
            let now = at(i64::from(number));
            assert_eq!(
                throttle.attempt(&format!("user{number}"), address, now),
                Ok(())
            );
        }
        assert_eq!(throttle.logins.len(), REMEMBERED_MAX);
        assert_eq!(throttle.addresses.len(), REMEMBERED_MAX);
        assert!(!throttle.logins.contains_key("user0"));
    }
}
