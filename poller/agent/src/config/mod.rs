//! The agent's configuration: `agent.toml`, read in two steps.
//!
//! First the shape (`raw`: serde, an unknown key is an error), then the meaning (`parse`: every value becomes a checked
//! type, nothing behind this module checks again). An error names file, line, column, key, what is wrong and what is accepted.
//! Secrets are [`Secret`]s: they never appear in `Debug` or a log.

mod locate;
mod manager;
mod parse;
pub mod ranges;
mod raw;
mod secret;
#[cfg(test)]
mod tests;
pub mod units;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use codec::id::AgentId;
use poller::credentials::Credential;
use poller::engine::{SNMP_PORT, Target, Transport};
use poller::usm::User;

use crate::hints::Hint;

pub use locate::{ConfigError, KeyError};
pub use manager::{ClientCertificate, ManagerConfig, ProxyConfig, TlsConfig, Way};
pub use ranges::RangeEntry;
pub use secret::Secret;
pub use units::DaySpan;

/// The example, every key explained: what `platen-agent run --help` refers to.
pub const EXAMPLE: &str = include_str!("../../agent.example.toml");

/// What stands in the example where a secret belongs: no secret, so an agent does not run with it.
pub const PLACEHOLDER: &str = "replace-me";

/// The network of the example's range: TEST-NET-1 (RFC 5737), which exists in documents alone.
const EXAMPLE_NETWORK: &str = "192.0.2.0/24";

/// Everything an agent must be told.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The log filter, as in `RUST_LOG`.
    pub log: Option<String>,
    /// Where reports go.
    pub manager: ManagerConfig,
    /// Where they wait.
    pub spool: SpoolConfig,
    /// How device reports are put together.
    pub report: ReportConfig,
    /// How often what is read.
    pub schedule: ScheduleConfig,
    /// How hard the network is used.
    pub polling: PollingConfig,
    /// Whether devices may tell that they want to be asked.
    pub traps: TrapsConfig,
    /// What beside SNMP helps to find printers.
    pub discovery: DiscoveryConfig,
    /// Where the names of addresses come from.
    pub names: NamesConfig,
    /// What lists of devices may name.
    pub credentials: Vec<Credential>,
    /// Where printers are looked for.
    pub ranges: Vec<RangeConfig>,
    /// Secrets that are still [`PLACEHOLDER`], by their places in the file.
    pub placeholders: Vec<KeyError>,
}

/// The spool.
#[derive(Clone, Debug)]
pub struct SpoolConfig {
    /// Its folder; made when missing.
    pub directory: PathBuf,
    /// The most bytes on disk; beyond, the oldest state reports go first and meters last.
    pub bytes_max: u64,
    /// What is older is dropped, counted.
    pub age_max: Duration,
    /// How long acknowledged reports are kept, so that a manager restored from a backup can ask for them.
    pub keep_acknowledged: Duration,
    /// The most refused reports kept for inspection.
    pub dead_letters_max: usize,
}

/// How device reports are put together.
#[derive(Clone, Debug)]
pub struct ReportConfig {
    /// A report is sealed when it holds so many devices …
    pub devices_max: usize,
    /// … or when its first device has waited so long.
    pub age_max: Duration,
    /// How it is compressed.
    pub encoding: codec::envelope::Encoding,
    /// Whether what did not change since the last full report is left out (Rule 5).
    pub deltas: bool,
    /// How often everything is said anew though unchanged.
    pub full_every: Duration,
}

/// How often what is read.
#[derive(Clone, Debug)]
pub struct ScheduleConfig {
    /// Status and alerts.
    pub status: Duration,
    /// Supplies and trays.
    pub supplies: Duration,
    /// Meters.
    pub meters: Duration,
    /// Identity and everything static.
    pub inventory: Duration,
    /// Sweeps for new devices.
    pub discovery: Duration,
    /// The longest pause between attempts at a device that does not answer.
    pub dead_retry_max: Duration,
    /// A device that has not answered for so long is forgotten until discovery finds it again.
    pub forget_after: Duration,
    /// When nothing is polled.
    pub quiet_hours: Vec<DaySpan>,
    /// Whose clock the quiet hours mean; none: the machine's.
    pub time_zone: Option<jiff::tz::TimeZone>,
}

/// How hard the network is used, and how.
#[derive(Clone, Debug)]
pub struct PollingConfig {
    /// Devices asked at the same time; one request each.
    pub devices_at_once: usize,
    /// How long the first attempt waits for an answer; each further one twice as long.
    pub timeout: Duration,
    /// Attempts after the first.
    pub retries: u32,
    /// The most requests per second over everything.
    pub packets_per_second: u32,
    /// The most requests per second into one /24 (IPv6: /64).
    pub packets_per_second_subnet: u32,
    /// Whether io_uring may be used where it is there.
    pub io_uring: bool,
    /// Whether `sysContact`, often a person's name, is collected.
    pub contact: bool,
    /// Profiles that replace or extend the embedded ones.
    pub profiles_directory: Option<PathBuf>,
}

/// Where traps and informs are listened for, and whose are heard.
#[derive(Clone, Debug, Default)]
pub struct TrapsConfig {
    /// Listened on by UDP and by TCP; none: traps are not listened for.
    pub listen: Vec<SocketAddr>,
    /// Communities that are let in; none: all. A trap is a reason to ask, never data.
    pub communities: Vec<Secret>,
    /// SNMPv3 users that are let in: those of the credentials.
    pub users: Vec<User>,
}

/// What beside SNMP helps to find printers, and explains why one is not found. Never a gate.
#[derive(Clone, Debug, Default)]
pub struct DiscoveryConfig {
    /// Signs of life that are asked for where SNMP is not answered.
    pub hints: Vec<Hint>,
    /// The interfaces, by their addresses, on which announcements of printers are heard; empty: the system's choice; none: not heard.
    pub mdns: Option<Vec<Ipv4Addr>>,
}

/// Where the names of addresses come from.
#[derive(Clone, Debug)]
pub struct NamesConfig {
    /// Which resolver.
    pub reverse_dns: ReverseDns,
    /// How long a name is kept, whatever its TTL says.
    pub keep: Duration,
    /// How long one question may take.
    pub timeout: Duration,
}

/// Which resolver reverse DNS asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReverseDns {
    /// What the machine is set up with.
    System,
    /// None.
    Off,
    /// This one, over UDP and TCP.
    Server(SocketAddr),
}

/// Where printers are looked for, and with which credentials.
#[derive(Clone, Debug)]
pub struct RangeConfig {
    /// What people call it.
    pub name: String,
    /// What to ask.
    pub include: Vec<RangeEntry>,
    /// What never to ask.
    pub exclude: Vec<RangeEntry>,
    /// What carries the messages.
    pub transport: Transport,
    /// What to try, in this order.
    pub credentials: Vec<Credential>,
    /// The list in a file that is part of it. (What the file says is in `include` and `exclude` already.)
    pub file: Option<ranges::RangeFile>,
}

impl RangeConfig {
    /// Where the devices at an address that is written in the range are asked: one place for each entry that covers it.
    pub fn places(&self, address: IpAddr) -> impl Iterator<Item = SocketAddr> {
        let has = |entries: &[RangeEntry]| entries.iter().any(|entry| entry.contains(address));
        let entries = if has(&self.exclude) {
            &[][..]
        } else {
            &self.include
        };
        entries
            .iter()
            .filter(move |entry| entry.contains(address))
            .map(move |entry| SocketAddr::new(address, entry.port.unwrap_or(SNMP_PORT)))
    }

    /// How a device of this range is reached.
    #[must_use]
    pub const fn target(&self, address: SocketAddr) -> Target {
        Target {
            address,
            transport: self.transport,
        }
    }
}

impl AgentConfig {
    /// Reads a file. Relative paths in it are taken from its folder.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that cannot be read and for everything in it that is not accepted.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            what: "the configuration".to_owned(),
            path: path.to_owned(),
            source,
        })?;
        let base = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, &path.display().to_string(), base)
    }

    /// Reads a text; `file` is its name in messages, `base` the folder for relative paths.
    ///
    /// # Errors
    /// As [`AgentConfig::read`].
    pub fn parse(text: &str, file: &str, base: &Path) -> Result<Self, ConfigError> {
        parse::parse(locate::Text { file, text }, base)
    }

    /// A configuration with nothing but defaults, for programs that run an agent inside: no ranges, no reverse DNS.
    #[must_use]
    pub fn new(url: String, agent_id: AgentId, token: Secret, spool_directory: PathBuf) -> Self {
        Self {
            log: None,
            manager: ManagerConfig {
                url,
                agent_id,
                token,
                key_file: None,
                timeout: defaults::MANAGER_TIMEOUT,
                in_flight: defaults::IN_FLIGHT,
                rate_bytes_max: None,
                tls: TlsConfig::default(),
                proxy: None,
            },
            spool: SpoolConfig {
                directory: spool_directory,
                bytes_max: defaults::SPOOL_BYTES_MAX,
                age_max: defaults::SPOOL_AGE_MAX,
                keep_acknowledged: defaults::KEEP_ACKNOWLEDGED,
                dead_letters_max: defaults::DEAD_LETTERS_MAX,
            },
            report: ReportConfig {
                devices_max: defaults::REPORT_DEVICES_MAX,
                age_max: defaults::REPORT_AGE_MAX,
                encoding: codec::envelope::Encoding::Gzip,
                deltas: defaults::DELTAS,
                full_every: defaults::FULL_EVERY,
            },
            schedule: ScheduleConfig {
                status: defaults::STATUS,
                supplies: defaults::SUPPLIES,
                meters: defaults::METERS,
                inventory: defaults::INVENTORY,
                discovery: defaults::DISCOVERY,
                dead_retry_max: defaults::DEAD_RETRY_MAX,
                forget_after: defaults::FORGET_AFTER,
                quiet_hours: Vec::new(),
                time_zone: None,
            },
            polling: PollingConfig {
                devices_at_once: defaults::DEVICES_AT_ONCE,
                timeout: defaults::POLL_TIMEOUT,
                retries: defaults::POLL_RETRIES,
                packets_per_second: defaults::PACKETS_PER_SECOND,
                packets_per_second_subnet: defaults::PACKETS_PER_SECOND_SUBNET,
                io_uring: true,
                contact: false,
                profiles_directory: None,
            },
            traps: TrapsConfig::default(),
            discovery: DiscoveryConfig::default(),
            names: NamesConfig {
                reverse_dns: ReverseDns::Off,
                keep: defaults::NAMES_KEEP,
                timeout: defaults::NAMES_TIMEOUT,
            },
            credentials: Vec::new(),
            ranges: Vec::new(),
            placeholders: Vec::new(),
        }
    }

    /// Why no printer will ever be found, if that is plain from the ranges.
    #[must_use]
    pub fn nothing_to_find(&self) -> Option<&'static str> {
        if self.ranges.is_empty() {
            return Some("there is no [[range]] in the configuration: no printer will be found");
        }
        let example = RangeEntry::parse_excluded(EXAMPLE_NETWORK).ok()?;
        let is_example = |entry: &RangeEntry| match entry.hosts {
            ranges::Hosts::Span(first, last) => example.contains(first) && example.contains(last),
            ranges::Hosts::Name(_) => false,
        };
        let mut asked = self.ranges.iter().flat_map(|range| &range.include);
        asked.all(is_example).then_some(
            "the only range is that of the example, 192.0.2.0/24, which exists in documents alone: no printer will be found before \
             [[range]] says where they are",
        )
    }
}

/// What holds where the file says nothing.
pub mod defaults {
    use std::time::Duration;

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(86_400);

    /// A slow line of 1 Mbit/s carries the largest report (4 MB) in half a minute; twice that for the manager's part.
    pub const MANAGER_TIMEOUT: Duration = MINUTE;
    /// Enough to fill a line with 200 ms of round trip when a backlog of 10 kB reports drains.
    pub const IN_FLIGHT: usize = 4;
    /// Some 90 days of 1,000 devices every five minutes.
    pub const SPOOL_BYTES_MAX: u64 = 1_000_000_000;
    /// A quarter: what a billing run may still want.
    pub const SPOOL_AGE_MAX: Duration = Duration::from_secs(92 * 86_400);
    /// A long weekend before somebody notices that the backup was old.
    pub const KEEP_ACKNOWLEDGED: Duration = Duration::from_secs(3 * 86_400);
    /// Refusals come from a bug on either side: a thousand samples are evidence enough.
    pub const DEAD_LETTERS_MAX: usize = 1000;
    /// Where the compressor has seen enough repetition; some 12 kB on the wire.
    pub const REPORT_DEVICES_MAX: usize = 100;
    /// How late a reading may be shown because its report waits for others.
    pub const REPORT_AGE_MAX: Duration = Duration::from_secs(30);
    /// Less than half the bytes, for some 400 bytes of memory a device; a manager that lacks a base says so and is told anew.
    pub const DELTAS: bool = true;
    /// A manager that lost its base has it again after a day at most.
    pub const FULL_EVERY: Duration = DAY;
    /// A jam should be seen while somebody still stands before the device.
    pub const STATUS: Duration = Duration::from_secs(5 * 60);
    /// A toner does not run out within half an hour of its warning.
    pub const SUPPLIES: Duration = Duration::from_secs(30 * 60);
    /// Fine enough for usage by hour.
    pub const METERS: Duration = HOUR;
    /// Names and firmware change rarely.
    pub const INVENTORY: Duration = DAY;
    /// New devices appear on the day they are installed.
    pub const DISCOVERY: Duration = Duration::from_secs(12 * 3600);
    /// A device that was off over night is back within this.
    pub const DEAD_RETRY_MAX: Duration = Duration::from_secs(15 * 60);
    /// Longer than a holiday closure.
    pub const FORGET_AFTER: Duration = Duration::from_secs(30 * 86_400);
    /// One request each: some 500 packets under way.
    pub const DEVICES_AT_ONCE: usize = 500;
    /// Sleeping printers take a second to wake up.
    pub const POLL_TIMEOUT: Duration = Duration::from_secs(1);
    /// 1 s, 2 s, 4 s.
    pub const POLL_RETRIES: u32 = 2;
    /// Some 2 Mbit/s of requests and answers.
    pub const PACKETS_PER_SECOND: u32 = 1000;
    /// A branch behind a thin line has one /24.
    pub const PACKETS_PER_SECOND_SUBNET: u32 = 200;
    /// Names follow DHCP leases, which rarely are shorter.
    pub const NAMES_KEEP: Duration = HOUR;
    /// A resolver that needs longer has no answer.
    pub const NAMES_TIMEOUT: Duration = Duration::from_secs(3);
}
