//! Where printers may be: networks, spans of addresses, single hosts, each with an optional port.
//!
//! `10.1.0.0/16`, `10.1.0.10-10.1.0.99`, `10.1.0.10-99`, `printer.example.com`, `10.1.0.7:1161`, `[fd00::7]:161`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// The most addresses one entry may cover: a /12 of IPv4. More than that is a typing error, and a sweep of it takes hours.
pub const ADDRESSES_PER_ENTRY_MAX: u128 = 1 << 20;

/// The longest host name (RFC 1035).
const HOST_NAME_BYTES_MAX: usize = 253;

/// What an entry looks like.
pub const RANGE_FORM: &str = "a network (\"10.1.0.0/16\"), a span (\"10.1.0.10-10.1.0.99\" or \"10.1.0.10-99\"), an address or a host name, \
                              each with \":PORT\" where it is not 161; at most 1048576 addresses";

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
    /// A name, looked up when the range is swept.
    Name(String),
}

impl RangeEntry {
    /// Reads an entry; `None` when it is none of the forms, or covers too much.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (host, port) = split_port(text)?;
        let hosts = if host.contains('/') {
            let net: IpNet = host.parse().ok()?;
            span_of_net(net)
        } else if let Some((first, last)) = host.split_once('-')
            && let Ok(first) = first.trim().parse::<IpAddr>()
        {
            (first, span_end(first, last.trim())?).into()
        } else if let Ok(address) = host.parse::<IpAddr>() {
            Hosts::Span(address, address)
        } else {
            is_host_name(host).then(|| Hosts::Name(host.to_ascii_lowercase()))?
        };
        let entry = Self { hosts, port };
        (1..=ADDRESSES_PER_ENTRY_MAX)
            .contains(&entry.addresses())
            .then_some(entry)
    }

    /// How many addresses it covers; a name counts as one.
    #[must_use]
    pub fn addresses(&self) -> u128 {
        match &self.hosts {
            Hosts::Name(_) => 1,
            Hosts::Span(first, last) => (to_bits(*last) + 1).saturating_sub(to_bits(*first)),
        }
    }

    /// Its addresses in order; none for a name.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let span = match self.hosts {
            Hosts::Name(_) => None,
            Hosts::Span(first, last) => Some((first, last)),
        };
        span.into_iter().flat_map(|(first, last)| {
            (to_bits(first)..=to_bits(last)).map(move |bits| from_bits(first, bits))
        })
    }

    /// Whether it covers the address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match self.hosts {
            Hosts::Name(_) => false,
            Hosts::Span(first, last) => {
                first.is_ipv4() == address.is_ipv4() && first <= address && address <= last
            }
        }
    }
}

impl fmt::Display for RangeEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Hosts::Name(name) => f.write_str(name)?,
            Hosts::Span(first, last) if first == last => {
                if first.is_ipv6() && self.port.is_some() {
                    write!(f, "[{first}]")?;
                } else {
                    write!(f, "{first}")?;
                }
            }
            Hosts::Span(first, last) => write!(f, "{first}-{last}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl From<(IpAddr, IpAddr)> for Hosts {
    fn from((first, last): (IpAddr, IpAddr)) -> Self {
        Self::Span(first, last)
    }
}

/// Splits `:PORT` off. A bare IPv6 address has colons of its own, so with a port it needs brackets.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return match after.strip_prefix(':') {
            Some(port) => Some((host, Some(port_number(port)?))),
            None => after.is_empty().then_some((host, None)),
        };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => Some((host, Some(port_number(port)?))),
        _ => Some((text, None)),
    }
}

fn port_number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

/// The hosts of a network: without network and broadcast address where it has them.
fn span_of_net(net: IpNet) -> Hosts {
    match net {
        IpNet::V4(net) if net.prefix_len() < 31 => Hosts::Span(
            Ipv4Addr::from(u32::from(net.network()) + 1).into(),
            Ipv4Addr::from(u32::from(net.broadcast()) - 1).into(),
        ),
        net => Hosts::Span(net.network(), net.broadcast()),
    }
}

/// The end of a span: a whole address, or for IPv4 the last number alone.
fn span_end(first: IpAddr, last: &str) -> Option<IpAddr> {
    let last = match (first, last.parse::<u8>()) {
        (IpAddr::V4(first), Ok(number)) => {
            let [a, b, c, _] = first.octets();
            IpAddr::from([a, b, c, number])
        }
        _ => last.parse().ok()?,
    };
    (last.is_ipv4() == first.is_ipv4() && first <= last).then_some(last)
}

fn is_host_name(text: &str) -> bool {
    // All digits and dots is a mistyped address, not a name.
    text.len() <= HOST_NAME_BYTES_MAX
        && !text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

/// The address as a number.
pub(crate) fn to_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// The address of that number, in the family of `like`.
pub(crate) fn from_bits(like: IpAddr, bits: u128) -> IpAddr {
    if like.is_ipv4() {
        Ipv4Addr::from(u32::try_from(bits).unwrap_or(u32::MAX)).into()
    } else {
        Ipv6Addr::from(bits).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        for (text, addresses, shown) in [
            ("10.1.0.0/24", 254, "10.1.0.1-10.1.0.254"),
            ("10.1.0.4/31", 2, "10.1.0.4-10.1.0.5"),
            ("10.1.0.10-10.1.1.9", 256, "10.1.0.10-10.1.1.9"),
            ("10.1.0.10-99", 90, "10.1.0.10-10.1.0.99"),
            ("10.1.0.7", 1, "10.1.0.7"),
            ("10.1.0.7:1161", 1, "10.1.0.7:1161"),
            ("127.1.0.0/30:1161", 2, "127.1.0.1-127.1.0.2:1161"),
            ("fd00::7", 1, "fd00::7"),
            ("[fd00::7]:1161", 1, "[fd00::7]:1161"),
            ("Printer-7.example.com", 1, "printer-7.example.com"),
            ("printer:1161", 1, "printer:1161"),
        ] {
            let entry = RangeEntry::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(entry.addresses(), addresses, "{text}");
            assert_eq!(entry.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_range_or_too_large_is_refused() {
        for text in [
            "",
            "10.1.0",
            "10.1.0.256",
            "10.1.0.9-10.1.0.1",
            "10.0.0.0/8",
            "10.1.0.0/33",
            "fd00::/64",
            "a b",
            "printer:0",
            "printer:99999",
            "-x",
            "10.1.0.1-fd00::1",
            "[fd00::7",
        ] {
            assert_eq!(RangeEntry::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn addresses_come_in_order_and_are_contained() {
        let entry = RangeEntry::parse("10.1.0.254-10.1.1.1").unwrap();
        let all: Vec<String> = entry.iter().map(|a| a.to_string()).collect();
        assert_eq!(all, ["10.1.0.254", "10.1.0.255", "10.1.1.0", "10.1.1.1"]);
        assert!(entry.contains("10.1.1.0".parse().unwrap()));
        assert!(!entry.contains("10.1.1.2".parse().unwrap()));
    }
}
