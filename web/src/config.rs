//! What the operator decides about the web layer. The root program fills it from its configuration file.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

/// The web layer's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where people and programs reach this manager, without a trailing slash: `https://platen.example.org`. It stands in the WSDL and in
    /// the examples for agents, and decides whether a write's `Origin` is ours.
    pub public_url: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Whether cookies are sent over TLS only. True whenever people come over `https`.
    pub secure_cookies: bool,
    /// The name in the corner and in the titles.
    pub brand: String,
    /// Who may read `/metrics`.
    pub metrics: MetricsAccess,
    /// When an agent is asked to register another key; never, when left out.
    pub agent_key_age_max: Option<Duration>,
}

impl Config {
    /// Plain HTTP on a loopback address: the demo, tests, and a manager behind a proxy on the same machine.
    #[must_use]
    pub fn loopback(addr: SocketAddr) -> Self {
        Self {
            public_url: format!("http://{addr}"),
            trusted_proxies: Vec::new(),
            secure_cookies: false,
            brand: "Platen".to_owned(),
            metrics: MetricsAccess::Loopback,
            agent_key_age_max: None,
        }
    }

    /// Whether `peer` is a proxy that is believed.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|network| network.contains(peer))
    }
}

/// Who may read `/metrics`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricsAccess {
    /// Whoever asks from this machine.
    Loopback,
    /// Whoever asks: the network is the operator's own.
    Everybody,
    /// Whoever shows this bearer token.
    Token(String),
}

/// A network in CIDR notation, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// A text that is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a network such as 10.0.0.0/8 or an address: {0:?}")]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let refused = || NetworkError(text.to_owned());
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| refused())?,
            None => bits,
        };
        if prefix > bits {
            return Err(refused());
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Network {
    /// Whether `address` lies in this network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.prefix).unwrap_or(0);
                (network.to_bits() ^ address.to_bits()) & mask == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.prefix).unwrap_or(0);
                (network.to_bits() ^ address.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_its_addresses_and_no_others() {
        let contains = |network: &str, address: &str| {
            network
                .parse::<Network>()
                .unwrap()
                .contains(address.parse().unwrap())
        };
        assert!(contains("10.0.0.0/8", "10.255.1.2"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("127.0.0.1", "127.0.0.1"));
        assert!(!contains("127.0.0.1", "127.0.0.2"));
        assert!(contains("0.0.0.0/0", "8.8.8.8"));
        assert!(contains("fd00::/8", "fdff::1"));
        assert!(!contains("fd00::/8", "fe80::1"));
        assert!("10.0.0.0/33".parse::<Network>().is_err());
        assert!("office".parse::<Network>().is_err());
    }
}
