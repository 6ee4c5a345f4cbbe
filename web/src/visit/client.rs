//! The address of the client: the connection's, or what trusted proxies say.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};

use crate::config::Config;

/// Where a request comes from. `X-Forwarded-For` is read from its end, as long as the address before was a trusted proxy's: what stands
/// further to the front, a client may have written itself.
pub(crate) fn address(config: &Config, headers: &HeaderMap, extensions: &Extensions) -> IpAddr {
    forwarded(config, peer(extensions), headers)
}

/// The other end of the connection. Without one (a router driven without a socket) it is this machine.
pub(crate) fn peer(extensions: &Extensions) -> IpAddr {
    extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |info| info.0.ip())
        .to_canonical()
}

fn forwarded(config: &Config, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut client = peer;
    let hops = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect::<Vec<_>>();
    for hop in hops.into_iter().rev() {
        if !config.trusts(client) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(address) => client = address.to_canonical(),
            Err(_) => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed_and_only_from_the_end() {
        let mut config = Config::loopback(([127, 0, 0, 1], 80).into());
        config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let client = |peer: &str, header: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", header.parse().unwrap());
            forwarded(&config, peer.parse().unwrap(), &headers).to_string()
        };
        assert_eq!(client("192.0.2.9", "203.0.113.5"), "192.0.2.9");
        assert_eq!(client("10.0.0.1", "203.0.113.5"), "203.0.113.5");
        assert_eq!(
            client("10.0.0.1", "1.1.1.1, 203.0.113.5, 10.0.0.2"),
            "203.0.113.5"
        );
        assert_eq!(client("10.0.0.1", "nonsense"), "10.0.0.1");
    }
}
