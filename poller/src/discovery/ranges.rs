//! What people write when they mean many addresses.
//!
//! ```text
//! 10.1.0.0/16    10.1.2.3-10.1.2.90    10.1.2.3-90    10.1.2.3    10.1.2.3:1161    10.1.0.0/24:1161
//! fd00::/120     [fd00::7]:1161        printer.example            printer.example:1161
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use ipnet::IpNet;

use crate::engine::SNMP_PORT;

/// The most addresses of one range: an IPv4 /8. (Nobody lives long enough for an IPv6 /64.)
const RANGE_ADDRESSES_MAX: u64 = 1 << 24;

/// A text that names no addresses.
#[derive(Debug, thiserror::Error)]
pub enum RangesError {
    /// Neither address, range, network nor name.
    #[error(
        "not an address, a range such as 10.0.0.1-10.0.0.50, a network such as 10.0.0.0/24, or a host name: {0:?}"
    )]
    Syntax(String),
    /// It ends before it begins.
    #[error("the range ends before it begins: {0:?}")]
    Backwards(String),
    /// It has more addresses than can be asked.
    #[error("more than {RANGE_ADDRESSES_MAX} addresses: {0:?}")]
    TooMany(String),
    /// The name has no address.
    #[error("no address for the name {name:?}")]
    Name {
        /// The name.
        name: String,
        /// What the resolver said.
        #[source]
        source: std::io::Error,
    },
}

/// Addresses to ask, and addresses to leave alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    included: Vec<Span>,
    excluded: Vec<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Ask,
    LeaveAlone,
}

/// Consecutive addresses of one family, as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    is_ipv4: bool,
    first: u128,
    last: u128,
    port: u16,
}

impl Ranges {
    /// Reads ranges. Names are resolved, which may block.
    ///
    /// # Errors
    /// The first text that names no addresses.
    pub fn parse<T: AsRef<str>>(included: &[T], excluded: &[T]) -> Result<Self, RangesError> {
        let parse = |texts: &[T], purpose| {
            let spans = texts
                .iter()
                .map(|text| Span::parse(text.as_ref().trim(), purpose));
            spans.collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            included: parse(included, Purpose::Ask)?,
            excluded: parse(excluded, Purpose::LeaveAlone)?,
        })
    }

    /// How many addresses [`Ranges::iter`] yields, excluded ones counted in.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.included.iter().map(Span::count).sum()
    }

    /// Every address once per range that has it, those excluded left out.
    #[must_use]
    pub fn iter(&self) -> Addresses<'_> {
        Addresses {
            ranges: self,
            span: 0,
            next: self.included.first().map_or(0, |span| span.first),
        }
    }

    /// Whether an address is excluded.
    #[must_use]
    pub fn excludes(&self, address: IpAddr) -> bool {
        let (is_ipv4, number) = number(address);
        self.excluding(is_ipv4, number).is_some()
    }

    fn excluding(&self, is_ipv4: bool, number: u128) -> Option<&Span> {
        self.excluded
            .iter()
            .find(|span| span.is_ipv4 == is_ipv4 && (span.first..=span.last).contains(&number))
    }
}

/// Counts through ranges.
#[derive(Clone, Debug)]
pub struct Addresses<'r> {
    ranges: &'r Ranges,
    span: usize,
    next: u128,
}

impl Addresses<'_> {
    /// Whether every address was yielded. (Excluded ones may still be to come.)
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.span >= self.ranges.included.len()
    }
}

impl Iterator for Addresses<'_> {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        loop {
            let span = self.ranges.included.get(self.span)?;
            let number = self.next;
            let excluding = self.ranges.excluding(span.is_ipv4, number);
            let last = excluding.map_or(number, |excluding| excluding.last);
            if last < span.last {
                self.next = last + 1;
            } else {
                self.span += 1;
                let following = self.ranges.included.get(self.span);
                self.next = following.map_or(0, |span| span.first);
            }
            if excluding.is_none() {
                return Some(SocketAddr::new(span.address(number), span.port));
            }
        }
    }
}

impl Span {
    fn parse(text: &str, purpose: Purpose) -> Result<Self, RangesError> {
        let syntax = || RangesError::Syntax(text.chars().take(80).collect());
        if text.is_empty() {
            return Err(syntax());
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::one(address, SNMP_PORT));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self::one(address.ip(), address.port()));
        }
        let (range, port) = split_port(text).ok_or_else(syntax)?;
        if range.contains('/') {
            let network: IpNet = range.parse().map_err(|_| syntax())?;
            return Self::network(network, port, purpose).checked(purpose, text);
        }
        if let Some((first, last)) = range.split_once('-')
            && let Ok(first) = first.trim().parse::<IpAddr>()
        {
            let last = last_address(first, last.trim()).ok_or_else(syntax)?;
            if number(last) < number(first) {
                return Err(RangesError::Backwards(text.to_owned()));
            }
            return Self::between(first, last, port).checked(purpose, text);
        }
        // A resolver would read 10.1 as 10.0.0.1.
        let is_number = range.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.'));
        if is_number || !range.bytes().all(is_name_byte) {
            return Err(syntax());
        }
        let resolved = (range, port).to_socket_addrs();
        let mut addresses = resolved.map_err(|source| RangesError::Name {
            name: range.to_owned(),
            source,
        })?;
        // Of several addresses of one device one is enough.
        let address = addresses.next().ok_or_else(syntax)?;
        Ok(Self::one(address.ip(), port))
    }

    fn one(address: IpAddr, port: u16) -> Self {
        let (is_ipv4, number) = number(address);
        Self {
            is_ipv4,
            first: number,
            last: number,
            port,
        }
    }

    /// The addresses of a network. Its own and its broadcast address are not asked, where it has them.
    fn network(network: IpNet, port: u16, purpose: Purpose) -> Self {
        let mut span = Self::between(network.network(), network.broadcast(), port);
        if purpose == Purpose::Ask && span.is_ipv4 && network.prefix_len() < 31 {
            span.first += 1;
            span.last -= 1;
        }
        span
    }

    fn between(first: IpAddr, last: IpAddr, port: u16) -> Self {
        let ((is_ipv4, first), (_, last)) = (number(first), number(last));
        Self {
            is_ipv4,
            first,
            last,
            port,
        }
    }

    fn checked(self, purpose: Purpose, text: &str) -> Result<Self, RangesError> {
        let is_small = self.last - self.first < u128::from(RANGE_ADDRESSES_MAX);
        if is_small || purpose == Purpose::LeaveAlone {
            Ok(self)
        } else {
            Err(RangesError::TooMany(text.to_owned()))
        }
    }

    fn count(&self) -> u64 {
        u64::try_from(self.last - self.first).map_or(u64::MAX, |more| more + 1)
    }

    fn address(&self, number: u128) -> IpAddr {
        if self.is_ipv4 {
            IpAddr::V4(Ipv4Addr::from_bits(number as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(number))
        }
    }
}

fn number(address: IpAddr) -> (bool, u128) {
    match address.to_canonical() {
        IpAddr::V4(v4) => (true, v4.to_bits().into()),
        IpAddr::V6(v6) => (false, v6.to_bits()),
    }
}

/// `last` is an address of the same family, or the last part of an IPv4 address.
fn last_address(first: IpAddr, last: &str) -> Option<IpAddr> {
    if let Ok(last) = last.parse::<IpAddr>() {
        return (last.is_ipv4() == first.is_ipv4()).then_some(last);
    }
    match first {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            Some(IpAddr::V4(Ipv4Addr::new(a, b, c, last.parse().ok()?)))
        }
        IpAddr::V6(_) => None,
    }
}

/// What stands before `:port`, and the port. More than one colon outside brackets is IPv6 without a port.
fn split_port(text: &str) -> Option<(&str, u16)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (inside, behind) = rest.split_once(']')?;
        return match behind.strip_prefix(':') {
            Some(port) => Some((inside, port.parse().ok()?)),
            None if behind.is_empty() => Some((inside, SNMP_PORT)),
            None => None,
        };
    }
    match text.split_once(':') {
        Some((range, port)) if !port.contains(':') => Some((range, port.parse().ok()?)),
        _ => Some((text, SNMP_PORT)),
    }
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}
