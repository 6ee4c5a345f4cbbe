//! Credentials and addresses as the command line gives them, or the configuration that it names.
//!
//! What always holds: a secret of a range goes to hosts of that range alone, unless `--range` says otherwise.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agent::AgentConfig;
use agent::config::ranges::{Hosts, RANGE_FORM, RangeError};
use agent::config::{NamesConfig, RangeConfig, RangeEntry, ReverseDns};
use poller::credentials::Credential;
use poller::engine::{PollOptions, SNMP_PORT, Target, Transport};
use poller::profile::ProfileSet;
use poller::usm::{AuthProtocol, PrivProtocol, User};

use super::Failure;
use crate::cli::{AccessArgs, Auth, Privacy, Version};

/// The shortest password that SNMPv3 takes (RFC 3414, 11.2).
const PASSWORD_CHARS_MIN: usize = 8;

/// Attempts after the first at one device, where nothing says how many.
const POLL_RETRIES: u32 = 2;

/// How long the first attempt waits, where nothing says how long.
const POLL_TIMEOUT: Duration = Duration::from_secs(1);

/// So many ranges of a configuration are named when none of them has a host.
const RANGES_SHOWN_MAX: usize = 12;
/// So many entries of a range are shown beside its name.
const ENTRIES_SHOWN_MAX: usize = 3;

/// What the command line says about access, and the configuration that it names, read once.
pub struct Access<'a> {
    args: &'a AccessArgs,
    config: Option<(&'a Path, AgentConfig)>,
}

/// One device of the command line.
pub struct Device {
    /// Where it is asked.
    pub target: Target,
    /// How.
    pub options: PollOptions,
}

impl<'a> Access<'a> {
    /// Reads the configuration, if one is named.
    pub fn read(args: &'a AccessArgs) -> Result<Self, Failure> {
        let config = args.config.as_deref();
        let config = config.map(|path| Ok::<_, Failure>((path, AgentConfig::read(path)?)));
        Ok(Self {
            args,
            config: config.transpose()?,
        })
    }

    /// The configuration, if one is named.
    pub fn config(&self) -> Option<&AgentConfig> {
        self.config.as_ref().map(|(_, config)| config)
    }

    /// How `HOST[:PORT]` is asked, and where: by the range of the configuration that has it, or else as the command line says. No
    /// range's credentials are ever sent to a host that is not in it, unless `--range` says so.
    pub fn device(&self, host: &str) -> Result<Device, Failure> {
        let host = Host::resolve(host)?;
        let Some((path, config)) = &self.config else {
            let credentials = credentials(self.args)?;
            return Ok(Device {
                target: Target::udp(host.at(SNMP_PORT)),
                options: self.options(credentials, POLL_RETRIES),
            });
        };
        let (range, place) = match &self.args.range {
            Some(name) => {
                let range = named(path, config, name)?;
                (range, host.place_in(range))
            }
            None => {
                let mut ranges = config.ranges.iter();
                let has_it = |range| Some((range, Some(host.place_in(range)?)));
                ranges
                    .find_map(has_it)
                    .ok_or_else(|| in_no_range(path, config, &host))?
            }
        };
        Ok(Device {
            target: range.target(place.unwrap_or(host.at(SNMP_PORT))),
            options: self.options(range.credentials.clone(), config.polling.retries),
        })
    }

    /// How devices with these credentials are asked; so many retries unless the command line says how many.
    pub fn options(&self, credentials: Vec<Credential>, retries: u32) -> PollOptions {
        let configured = self.config().map(|config| config.polling.timeout);
        let timeout = self.args.timeout.or(configured).unwrap_or(POLL_TIMEOUT);
        PollOptions {
            credentials,
            timeouts: PollOptions::attempts(timeout, self.args.retries.unwrap_or(retries)),
            ..PollOptions::default()
        }
    }

    /// What ranges of the command line are asked with: the credentials of the range of the configuration that `--range` names, or that
    /// all its ranges have; without a configuration what the command line says.
    pub fn common(&self) -> Result<(Transport, Vec<Credential>), Failure> {
        let Some((path, config)) = &self.config else {
            return Ok((Transport::Udp, credentials(self.args)?));
        };
        let way = |range: &RangeConfig| {
            let labels = range.credentials.iter().map(|one| Arc::clone(&one.label));
            (range.transport, labels.collect::<Vec<_>>())
        };
        let range = match (&self.args.range, &config.ranges[..]) {
            (Some(name), _) => named(path, config, name)?,
            (None, [first, others @ ..]) if others.iter().all(|one| way(one) == way(first)) => {
                first
            }
            (None, []) => {
                return Err(Failure::new(format!(
                    "{} has no range, and so no credentials",
                    path.display()
                )));
            }
            (None, _) => {
                return Err(Failure::new(format!(
                    "the ranges of {} are not all asked in the same way: say with --range NAME as which of them. Its ranges:{}",
                    path.display(),
                    shown_ranges(&config.ranges)
                )));
            }
        };
        Ok((range.transport, range.credentials.clone()))
    }

    /// The embedded profiles and those of the folder that the command line names, or the configuration.
    pub fn profiles(&self) -> Result<Arc<ProfileSet>, Failure> {
        let configured = self.config();
        let configured = configured.and_then(|config| config.polling.profiles_directory.as_deref());
        let folder = self.args.profiles.as_deref().or(configured);
        Ok(Arc::new(ProfileSet::load(folder)?))
    }

    /// Which resolver a name is asked of: that of the configuration, else this machine's.
    pub fn names(&self, wait_max: Duration) -> NamesConfig {
        let mut names = self.config().map_or(
            NamesConfig {
                reverse_dns: ReverseDns::System,
                keep: wait_max,
                timeout: wait_max,
            },
            |config| config.names.clone(),
        );
        names.timeout = names.timeout.min(wait_max);
        names
    }
}

/// A host of the command line.
struct Host {
    shown: String,
    /// In lower case, where it is called by a name.
    name: Option<String>,
    address: IpAddr,
    port: Option<u16>,
}

impl Host {
    /// The one address of `HOST[:PORT]`.
    fn resolve(text: &str) -> Result<Self, Failure> {
        let refused = || {
            Failure::new(format!(
                "{text:?} is no host: give a name or an address, with \":PORT\" where that is not 161"
            ))
        };
        let entry = RangeEntry::parse(text).map_err(|_| refused())?;
        let (name, address) = match entry.hosts {
            Hosts::Span(first, last) if first == last => (None, first),
            Hosts::Span(..) => return Err(refused()),
            Hosts::Name(name) => {
                let address = (name.as_str(), SNMP_PORT)
                    .to_socket_addrs()
                    .map_err(|error| {
                        Failure::new(format!("the name {name} cannot be resolved: {error}"))
                    })?
                    // IPv4 first: printers speak SNMP there, whatever else they have.
                    .min_by_key(SocketAddr::is_ipv6)
                    .ok_or_else(|| Failure::new(format!("the name {name} has no address")))?;
                (Some(name), address.ip())
            }
        };
        Ok(Self {
            shown: text.to_owned(),
            name,
            address,
            port: entry.port,
        })
    }

    /// Where it is, on `port` unless the command line names another.
    fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address, self.port.unwrap_or(port))
    }

    /// Where it is asked in a range; `None` when it is not in it.
    fn place_in(&self, range: &RangeConfig) -> Option<SocketAddr> {
        if self.is_in(&range.exclude).next().is_some() {
            return None;
        }
        let ports: Vec<u16> = self
            .is_in(&range.include)
            .map(|entry| entry.port.unwrap_or(SNMP_PORT))
            .collect();
        ports.first().map(|first| self.at(*first))
    }

    fn is_in<'e>(&'e self, entries: &'e [RangeEntry]) -> impl Iterator<Item = &'e RangeEntry> {
        entries.iter().filter(|entry| match &entry.hosts {
            Hosts::Name(name) => self.name.as_ref() == Some(name),
            Hosts::Span(..) => entry.contains(self.address),
        })
    }
}

/// The range of this name.
fn named<'c>(path: &Path, config: &'c AgentConfig, name: &str) -> Result<&'c RangeConfig, Failure> {
    let mut ranges = config.ranges.iter();
    ranges.find(|range| range.name == name).ok_or_else(|| {
        Failure::new(format!(
            "{} has no range {name:?}. Its ranges:{}",
            path.display(),
            shown_ranges(&config.ranges)
        ))
    })
}

fn in_no_range(path: &Path, config: &AgentConfig, host: &Host) -> Failure {
    let mut ranges = config.ranges.iter();
    let excluded = ranges.find(|range| host.is_in(&range.exclude).next().is_some());
    let why = match excluded {
        Some(range) => format!("is excluded by the range {:?} of", range.name),
        None => "lies in no range of".to_owned(),
    };
    Failure::new(format!(
        "{} {why} {}, so it is not asked with the credentials that stand there. Say with --range NAME as which range it is to be asked, \
         or leave --config out and give --community or --user. The ranges:{}",
        host.shown,
        path.display(),
        shown_ranges(&config.ranges)
    ))
}

/// The ranges by their names, each with what it begins with.
fn shown_ranges(ranges: &[RangeConfig]) -> String {
    if ranges.is_empty() {
        return " none".to_owned();
    }
    let mut text = String::new();
    for range in ranges.iter().take(RANGES_SHOWN_MAX) {
        let entries = range.include.iter().take(ENTRIES_SHOWN_MAX);
        let entries: Vec<String> = entries.map(ToString::to_string).collect();
        let more = match range.include.len() > ENTRIES_SHOWN_MAX {
            true => ", …",
            false => "",
        };
        text += &format!("\n  {:?}: {}{more}", range.name, entries.join(", "));
    }
    match ranges.len().checked_sub(RANGES_SHOWN_MAX) {
        None | Some(0) => text,
        Some(more) => format!("{text}\n  and {more} more"),
    }
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

/// What the command line says alone.
fn credentials(args: &AccessArgs) -> Result<Vec<Credential>, Failure> {
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
