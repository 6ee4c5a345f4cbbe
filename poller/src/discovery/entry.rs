//! What people write when they mean many addresses: the one place that reads it, for configuration files, CSV files and command lines.
//!
//! ```text
//! 10.1.0.0/16    10.1.2.3-10.1.2.90    10.1.2.3-90    10.1.2.3    10.1.2.3:1161    10.1.0.0/24:1161
//! fd00::/120     [fd00::7]:1161        printer.example            printer.example:1161
//! ```

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;

use super::space::key;
use crate::engine::SNMP_PORT;

/// The most addresses that one entry may ask: a /12 of IPv4. More than that is a typing error, and a sweep of it takes hours.
pub const ENTRY_ADDRESSES_MAX: u128 = 1 << 20;

/// The longest host name (RFC 1035).
const HOST_NAME_BYTES_MAX: usize = 253;

/// What an entry looks like.
pub const RANGE_FORM: &str = "a network (\"10.1.0.0/16\"), a span (\"10.1.0.10-10.1.0.99\" or \"10.1.0.10-99\"), an address or a host name, \
                              each with \":PORT\" where it is not 161; at most 1048576 addresses";

/// A text that names no addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Neither address, range, network nor name.
    #[error("not a range")]
    Syntax,
    /// What stands behind the colon.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// It ends before it begins.
    #[error("the range ends before it begins")]
    Backwards,
    /// It has more addresses than can be asked.
    #[error("the range has more than {ENTRY_ADDRESSES_MAX} addresses")]
    TooMany,
}

/// One entry of a list of ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeEntry {
    /// Which hosts.
    pub hosts: Hosts,
    /// The port, where it was given.
    pub port: Option<u16>,
}

/// The hosts of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// From the first address to the last, both included.
    Span(IpAddr, IpAddr),
    /// A name, in lower case; looked up when the range is swept.
    Name(String),
}

impl RangeEntry {
    /// Reads what is to be asked: of a network, its own and its broadcast address are not.
    ///
    /// # Errors
    /// When it is none of the forms, or covers too much.
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        let entry = Self::read(text, inner_span)?;
        if entry.addresses() > ENTRY_ADDRESSES_MAX {
            return Err(RangeError::TooMany);
        }
        Ok(entry)
    }

    /// Reads what is to be left alone: a network is all of it, however large.
    ///
    /// # Errors
    /// When it is none of the forms.
    pub fn parse_excluded(text: &str) -> Result<Self, RangeError> {
        Self::read(text, |network| (network.network(), network.broadcast()))
    }

    /// The entry of one address.
    #[must_use]
    pub const fn of(address: SocketAddr) -> Self {
        Self {
            hosts: Hosts::Span(address.ip(), address.ip()),
            port: Some(address.port()),
        }
    }

    fn read(text: &str, span: impl Fn(IpNet) -> (IpAddr, IpAddr)) -> Result<Self, RangeError> {
        let (host, port) = split_port(text.trim())?;
        let hosts = if host.contains('/') {
            let network: IpNet = host.parse().map_err(|_| RangeError::Syntax)?;
            let (first, last) = span(network);
            Hosts::Span(first, last)
        } else if let Some((first, last)) = host.split_once('-')
            && let Ok(first) = first.trim().parse::<IpAddr>()
        {
            Hosts::Span(first, span_end(first, last.trim())?)
        } else if let Ok(address) = host.parse::<IpAddr>() {
            Hosts::Span(address, address)
        } else if is_host_name(host) {
            Hosts::Name(host.to_ascii_lowercase())
        } else {
            return Err(RangeError::Syntax);
        };
        Ok(Self { hosts, port })
    }

    /// How many addresses it covers; a name counts as one.
    #[must_use]
    pub fn addresses(&self) -> u128 {
        match &self.hosts {
            Hosts::Name(_) => 1,
            Hosts::Span(first, last) => (key(*last) - key(*first)).saturating_add(1),
        }
    }

    /// Whether it covers the address. A name covers none: nobody knows which is its before it is looked up.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match self.hosts {
            Hosts::Name(_) => false,
            Hosts::Span(first, last) => (key(first)..=key(last)).contains(&key(address)),
        }
    }
}

impl fmt::Display for RangeEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Hosts::Name(name) => f.write_str(name)?,
            Hosts::Span(first, last) if first == last => match first {
                IpAddr::V6(_) if self.port.is_some() => write!(f, "[{first}]")?,
                _ => write!(f, "{first}")?,
            },
            Hosts::Span(first, last) => write!(f, "{first}-{last}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// An address as people write it: without a port unless that is not 161.
#[must_use]
pub fn shown(target: SocketAddr) -> String {
    if target.port() == SNMP_PORT {
        target.ip().to_string()
    } else {
        target.to_string()
    }
}

/// Splits `:PORT` off. A bare IPv6 address has colons of its own, so with a port it needs brackets.
fn split_port(text: &str) -> Result<(&str, Option<u16>), RangeError> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(RangeError::Syntax)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port_number(port)?))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(RangeError::Syntax),
        };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => Ok((host, Some(port_number(port)?))),
        _ => Ok((text, None)),
    }
}

fn port_number(text: &str) -> Result<u16, RangeError> {
    let port = text.trim().parse().map_err(|_| RangeError::Port)?;
    if port > 0 {
        Ok(port)
    } else {
        Err(RangeError::Port)
    }
}

/// The hosts of a network: without network and broadcast address where it has them.
fn inner_span(network: IpNet) -> (IpAddr, IpAddr) {
    match network {
        IpNet::V4(network) if network.prefix_len() < 31 => (
            Ipv4Addr::from_bits(network.network().to_bits() + 1).into(),
            Ipv4Addr::from_bits(network.broadcast().to_bits() - 1).into(),
        ),
        network => (network.network(), network.broadcast()),
    }
}

/// The end of a span: a whole address, or for IPv4 the last number alone.
fn span_end(first: IpAddr, last: &str) -> Result<IpAddr, RangeError> {
    let last = match (first, last.parse::<u8>()) {
        (IpAddr::V4(first), Ok(number)) => {
            let [a, b, c, _] = first.octets();
            IpAddr::from([a, b, c, number])
        }
        _ => last.parse().map_err(|_| RangeError::Syntax)?,
    };
    if last.is_ipv4() != first.is_ipv4() {
        return Err(RangeError::Syntax);
    }
    if last < first {
        return Err(RangeError::Backwards);
    }
    Ok(last)
}

fn is_host_name(text: &str) -> bool {
    // All digits and dots is a mistyped address, not a name: a resolver would read 10.1 as 10.0.0.1.
    text.len() <= HOST_NAME_BYTES_MAX
        && !text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && text
            .strip_suffix('.')
            .unwrap_or(text)
            .split('.')
            .all(|label| {
                (1..=63).contains(&label.len())
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read() {
        for (text, addresses, shown) in [
            ("10.1.0.0/16", 65_534, "10.1.0.1-10.1.255.254"),
            ("10.1.0.0/24", 254, "10.1.0.1-10.1.0.254"),
            ("10.1.0.4/31", 2, "10.1.0.4-10.1.0.5"),
            ("10.1.0.4/32", 1, "10.1.0.4"),
            ("10.1.0.10-10.1.1.9", 256, "10.1.0.10-10.1.1.9"),
            ("10.1.0.10-99", 90, "10.1.0.10-10.1.0.99"),
            (" 10.1.0.10 - 12 ", 3, "10.1.0.10-10.1.0.12"),
            ("10.1.0.7", 1, "10.1.0.7"),
            ("10.1.0.7:1161", 1, "10.1.0.7:1161"),
            ("10.1.0.0/30:1161", 2, "10.1.0.1-10.1.0.2:1161"),
            ("fd00::7", 1, "fd00::7"),
            ("[fd00::7]:1161", 1, "[fd00::7]:1161"),
            ("fd00::/120", 256, "fd00::-fd00::ff"),
            ("[fd00::8/127]:7", 2, "fd00::8-fd00::9:7"),
            ("Printer-7.example.com", 1, "printer-7.example.com"),
            ("printer:1161", 1, "printer:1161"),
        ] {
            let entry = RangeEntry::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(entry.addresses(), addresses, "{text}");
            assert_eq!(entry.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused_and_it_says_why() {
        use RangeError::{Backwards, Port, Syntax, TooMany};
        for (text, error) in [
            ("", Syntax),
            ("10.1.0", Syntax),
            ("10.1.0.256", Syntax),
            ("10.1.0.9-10.1.0.1", Backwards),
            ("10.1.0.9-1", Backwards),
            ("10.0.0.0/8", TooMany),
            ("10.1.0.0/33", Syntax),
            ("fd00::/64", TooMany),
            ("::/0", TooMany),
            ("a b", Syntax),
            ("printer:0", Port),
            ("printer:99999", Port),
            ("10.0.0.1:snmp", Port),
            ("-x", Syntax),
            ("10.1.0.1-fd00::1", Syntax),
            ("10.1.0.1-x", Syntax),
            ("[fd00::7", Syntax),
            ("[fd00::7]x", Syntax),
        ] {
            assert_eq!(RangeEntry::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn what_is_left_alone_may_be_large_and_is_the_whole_network() {
        let entry = RangeEntry::parse_excluded("10.0.0.0/8").unwrap();
        assert_eq!(entry.addresses(), 1 << 24);
        for (address, is_in) in [
            ("10.0.0.0", true),
            ("10.255.255.255", true),
            ("::ffff:10.1.2.3", true),
            ("11.0.0.0", false),
            ("fd00::1", false),
        ] {
            assert_eq!(entry.contains(address.parse().unwrap()), is_in, "{address}");
        }
        assert_eq!(
            RangeEntry::parse_excluded("::/0").unwrap().addresses(),
            u128::MAX
        );
    }
}
