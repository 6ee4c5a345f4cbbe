//! Credentials and addresses as the command line gives them.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use agent::AgentConfig;
use agent::config::ranges::{Hosts, RANGE_FORM, RangeError};
use agent::config::{NamesConfig, RangeEntry, ReverseDns};
use poller::credentials::Credential;
use poller::engine::{PollOptions, SNMP_PORT};
use poller::profile::ProfileSet;
use poller::usm::{AuthProtocol, PrivProtocol, User};

use super::Failure;
use crate::cli::{AccessArgs, Auth, Privacy, Version};

/// The shortest password that SNMPv3 takes (RFC 3414, 11.2).
const PASSWORD_CHARS_MIN: usize = 8;

/// Attempts after the first at one device.
const POLL_RETRIES: u32 = 2;

/// How `target` is asked.
pub fn poll_options(args: &AccessArgs, target: Option<SocketAddr>) -> Result<PollOptions, Failure> {
    let timeouts = (0..=args.retries.unwrap_or(POLL_RETRIES))
        .map(|attempt| args.timeout * 2_u32.pow(attempt))
        .collect();
    Ok(PollOptions {
        credentials: credentials(args, target)?,
        timeouts,
        ..PollOptions::default()
    })
}

/// The embedded profiles and those of the folder.
pub fn profiles(folder: Option<&std::path::Path>) -> Result<Arc<ProfileSet>, Failure> {
    Ok(Arc::new(ProfileSet::load(folder)?))
}

/// The one address of `HOST[:PORT]`.
pub fn target(host: &str) -> Result<SocketAddr, Failure> {
    let refused = || {
        Failure::new(format!(
            "{host:?} is no host: give a name or an address, with \":PORT\" where that is not 161"
        ))
    };
    let entry = RangeEntry::parse(host).map_err(|_| refused())?;
    let port = entry.port.unwrap_or(SNMP_PORT);
    match entry.hosts {
        Hosts::Span(first, last) if first == last => Ok(SocketAddr::new(first, port)),
        Hosts::Span(..) => Err(refused()),
        Hosts::Name(name) => (name.as_str(), port)
            .to_socket_addrs()
            .map_err(|error| Failure::new(format!("the name {name} cannot be resolved: {error}")))?
            // IPv4 first: printers speak SNMP there, whatever else they have.
            .min_by_key(SocketAddr::is_ipv6)
            .ok_or_else(|| Failure::new(format!("the name {name} has no address"))),
    }
}

/// Which resolver a name is asked of: that of the configuration, else this machine's; `None` when it is switched off.
pub fn names(
    args: &AccessArgs,
    no_dns: bool,
    wait_max: Duration,
) -> Result<Option<NamesConfig>, Failure> {
    if no_dns {
        return Ok(None);
    }
    let mut names = match &args.config {
        Some(path) => AgentConfig::read(path)?.names,
        None => NamesConfig {
            reverse_dns: ReverseDns::System,
            keep: wait_max,
            timeout: wait_max,
        },
    };
    names.timeout = names.timeout.min(wait_max);
    Ok(Some(names))
}

/// Reads ranges, to ask or to leave alone.
pub fn ranges(
    texts: &[String],
    parse: fn(&str) -> Result<RangeEntry, RangeError>,
) -> Result<Vec<RangeEntry>, Failure> {
    let ranges = texts.iter().map(|text| {
        parse(text)
            .map_err(|error| Failure::new(format!("{text:?}: {error}; accepted: {RANGE_FORM}")))
    });
    ranges.collect()
}

fn credentials(args: &AccessArgs, target: Option<SocketAddr>) -> Result<Vec<Credential>, Failure> {
    if let Some(path) = &args.config {
        let config = AgentConfig::read(path)?;
        let covers = |range: &&agent::config::RangeConfig| {
            target.is_some_and(|target| {
                range
                    .include
                    .iter()
                    .any(|entry| entry.contains(target.ip()))
            })
        };
        let range = config.ranges.iter().find(covers).or(config.ranges.first());
        return range.map(|range| range.credentials.clone()).ok_or_else(|| {
            Failure::new(format!(
                "{} has no range, and so no credentials",
                path.display()
            ))
        });
    }
    match (args.version, &args.user) {
        (Some(Version::V3), None) => Err(Failure::new("SNMP version 3 needs --user")),
        (Some(Version::V1 | Version::V2c), Some(_)) => {
            Err(Failure::new("--user is for SNMP version 3 alone"))
        }
        (Some(Version::V3) | None, Some(user)) => {
            Ok(vec![Credential::v3(user, v3_user(args, user)?)])
        }
        (version, None) => Ok(args
            .community
            .iter()
            .enumerate()
            .flat_map(|(number, community)| communities(version, number + 1, community))
            .collect()),
    }
}

/// A community is a secret: it is called by its number.
fn communities(version: Option<Version>, number: usize, community: &str) -> Vec<Credential> {
    let name = |version: &str| match community {
        "public" => format!("\"public\", {version}"),
        _ => format!("community {number}, {version}"),
    };
    let v1 = || Credential::v1(&name("v1"), community.as_bytes());
    let v2c = || Credential::v2c(&name("v2c"), community.as_bytes());
    match version {
        Some(Version::V1) => vec![v1()],
        Some(_) => vec![v2c()],
        None => vec![v2c(), v1()],
    }
}

fn v3_user(args: &AccessArgs, name: &str) -> Result<User, Failure> {
    let password = |password: &Option<String>, what: &str| {
        password
            .clone()
            .filter(|password| password.chars().count() >= PASSWORD_CHARS_MIN)
            .ok_or_else(|| {
                Failure::new(format!(
                    "--{what} needs --{what}-password with at least {PASSWORD_CHARS_MIN} characters"
                ))
            })
    };
    let auth = match args.auth {
        None => None,
        Some(auth) => {
            let protocol = match auth {
                Auth::Md5 => AuthProtocol::Md5,
                Auth::Sha1 => AuthProtocol::Sha1,
                Auth::Sha224 => AuthProtocol::Sha224,
                Auth::Sha256 => AuthProtocol::Sha256,
                Auth::Sha384 => AuthProtocol::Sha384,
                Auth::Sha512 => AuthProtocol::Sha512,
            };
            Some((protocol, password(&args.auth_password, "auth")?))
        }
    };
    let privacy = match args.privacy {
        None => None,
        Some(privacy) => {
            let protocol = match privacy {
                Privacy::Des => PrivProtocol::Des,
                Privacy::Aes128 => PrivProtocol::Aes128,
                Privacy::Aes192 => PrivProtocol::Aes192,
                Privacy::Aes256 => PrivProtocol::Aes256,
                Privacy::Aes192Reeder => PrivProtocol::Aes192Reeder,
                Privacy::Aes256Reeder => PrivProtocol::Aes256Reeder,
            };
            Some((protocol, password(&args.privacy_password, "privacy")?))
        }
    };
    Ok(User {
        name: name.to_owned(),
        auth,
        privacy,
        contexts: args.context.iter().cloned().collect(),
    })
}
