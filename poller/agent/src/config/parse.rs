//! From what stands in the file to checked types. Each reader takes a value with its place, and an error points there.

mod access;
mod manager;
mod values;

pub use manager::bare_host;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use codec::envelope::Encoding;
use toml::Spanned;

use super::locate::{ConfigError, KeyError, Text};
use super::units::{self, DaySpan};
use super::{
    AgentConfig, DiscoveryConfig, NamesConfig, PLACEHOLDER, PollingConfig, ReportConfig,
    ReverseDns, ScheduleConfig, SpoolConfig, Way, defaults, raw,
};
use crate::hints::Hint;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(366 * 86_400);
/// Polling faster than this hurts printers and tells nothing new.
const INTERVAL_MIN: Duration = SECOND;
/// The smallest spool: two segments of each stream and a report in each must fit.
const SPOOL_BYTES_MIN: u64 = 1_000_000;

type Result<T> = std::result::Result<T, ConfigError>;

/// Reads and checks the whole file.
pub fn parse(text: Text<'_>, base: &Path) -> Result<AgentConfig> {
    let file: raw::File = toml::from_str(text.text).map_err(|error| text.toml_error(&error))?;
    let reader = Reader { text, base };
    let placeholders = reader.placeholders(&file);
    let (credentials, users) = reader.credentials(&file.credentials)?;
    reader.unique_names(&file.range)?;
    let ranges = file
        .range
        .iter()
        .map(|range| reader.range(range, &credentials))
        .collect::<Result<Vec<_>>>()?
        .concat();
    Ok(AgentConfig {
        log: file.log.map(Spanned::into_inner),
        manager: reader.manager(&file.manager)?,
        spool: reader.spool(file.spool.get_ref())?,
        report: reader.report(&file.report)?,
        schedule: reader.schedule(&file.schedule)?,
        polling: reader.polling(&file.polling)?,
        traps: reader.traps(&file.traps, users)?,
        discovery: reader.discovery(&file.discovery)?,
        names: reader.names(&file.names)?,
        credentials,
        ranges,
        placeholders,
    })
}

/// Reads the way to the manager alone.
pub fn way(text: Text<'_>, base: &Path) -> Result<Way> {
    let file: raw::File = toml::from_str(text.text).map_err(|error| text.toml_error(&error))?;
    Reader { text, base }.way(&file.manager)
}

/// Checks an address that was given on the command line.
pub fn url(url: &str, plain_http: bool) -> Result<String> {
    let text = Text {
        file: "--manager",
        text: url,
    };
    let reader = Reader {
        text,
        base: Path::new(""),
    };
    reader.manager_url(&Spanned::new(0..url.len(), url.to_owned()), plain_http)
}

struct Reader<'a> {
    text: Text<'a>,
    base: &'a Path,
}

impl Reader<'_> {
    /// What is known of a device names the range it is of.
    fn unique_names(&self, ranges: &[Spanned<raw::Range>]) -> Result<()> {
        let mut names = BTreeSet::new();
        for name in ranges.iter().map(|range| &range.get_ref().name) {
            if !names.insert(name.get_ref()) {
                return Err(self.text.error(
                    &name.span(),
                    "another range has this name",
                    "a name that is used once",
                ));
            }
        }
        Ok(())
    }

    /// The secrets that nobody has filled in yet.
    fn placeholders(&self, file: &raw::File) -> Vec<KeyError> {
        let manager = file.manager.get_ref();
        let proxy = manager.proxy.as_ref().map(Spanned::get_ref);
        let token = (&manager.token, "what `platen agent add NAME` printed");
        let of_proxy = proxy.map(|proxy| (&proxy.password, "the proxy's password"));
        let of_devices = file
            .credentials
            .iter()
            .map(Spanned::get_ref)
            .flat_map(|one| {
                [&one.authentication_password, &one.privacy_password]
                    .map(|password| (password, "the password that is set in the devices"))
            });
        [token]
            .into_iter()
            .chain(of_proxy)
            .chain(of_devices)
            .filter_map(|(secret, accepted)| Some((secret.as_ref()?, accepted)))
            .filter(|(secret, _)| secret.get_ref().reveal() == PLACEHOLDER)
            .map(|(secret, accepted)| {
                let problem = "still the placeholder of the example";
                self.text.key_error(&secret.span(), problem, accepted)
            })
            .collect()
    }

    fn spool(&self, raw: &raw::Spool) -> Result<SpoolConfig> {
        Ok(SpoolConfig {
            directory: self.path(&raw.directory),
            bytes_max: self.spool_bytes(&raw.bytes_max)?,
            age_max: self.duration(&raw.age_max, defaults::SPOOL_AGE_MAX, HOUR..=5 * YEAR)?,
            keep_acknowledged: self.duration(
                &raw.keep_acknowledged,
                defaults::KEEP_ACKNOWLEDGED,
                Duration::ZERO..=YEAR,
            )?,
            dead_letters_max: self.number(
                &raw.dead_letters_max,
                defaults::DEAD_LETTERS_MAX,
                0..=100_000,
            )?,
        })
    }

    fn spool_bytes(&self, text: &Option<Spanned<String>>) -> Result<u64> {
        let Some(text) = text else {
            return Ok(defaults::SPOOL_BYTES_MAX);
        };
        units::size_bytes(text.get_ref())
            .filter(|bytes| *bytes >= SPOOL_BYTES_MIN)
            .ok_or_else(|| {
                self.text.error(
                    &text.span(),
                    "not a size, or too small for a spool",
                    format!("{}, at least 1 MB", units::SIZE_FORM),
                )
            })
    }

    fn report(&self, raw: &raw::Report) -> Result<ReportConfig> {
        let encoding = self.word(
            &raw.encoding,
            Encoding::Gzip,
            &[("gzip", Encoding::Gzip), ("zstd", Encoding::Zstd)],
        )?;
        Ok(ReportConfig {
            devices_max: self.number(&raw.devices_max, defaults::REPORT_DEVICES_MAX, 1..=1000)?,
            age_max: self.duration(
                &raw.age_max,
                defaults::REPORT_AGE_MAX,
                Duration::from_millis(100)..=HOUR,
            )?,
            encoding,
            deltas: raw
                .deltas
                .as_ref()
                .map_or(defaults::DELTAS, |flag| *flag.get_ref()),
            full_every: self.duration(&raw.full_every, defaults::FULL_EVERY, HOUR..=7 * DAY)?,
        })
    }

    fn schedule(&self, raw: &raw::Schedule) -> Result<ScheduleConfig> {
        let interval = |text, default| self.duration(text, default, INTERVAL_MIN..=31 * DAY);
        let quiet_hours = raw
            .quiet_hours
            .as_ref()
            .map_or(&[][..], |spans| spans.get_ref())
            .iter()
            .map(|text| self.day_span(text))
            .collect::<Result<_>>()?;
        let time_zone = match &raw.time_zone {
            None => None,
            Some(name) => Some(jiff::tz::TimeZone::get(name.get_ref()).map_err(|_| {
                self.text.error(
                    &name.span(),
                    "not a time zone that is known here",
                    "an IANA name such as \"Europe/Berlin\"",
                )
            })?),
        };
        Ok(ScheduleConfig {
            status: interval(&raw.status, defaults::STATUS)?,
            supplies: interval(&raw.supplies, defaults::SUPPLIES)?,
            meters: interval(&raw.meters, defaults::METERS)?,
            inventory: interval(&raw.inventory, defaults::INVENTORY)?,
            discovery: interval(&raw.discovery, defaults::DISCOVERY)?,
            dead_retry_max: interval(&raw.dead_retry_max, defaults::DEAD_RETRY_MAX)?,
            forget_after: self.duration(&raw.forget_after, defaults::FORGET_AFTER, HOUR..=YEAR)?,
            quiet_hours,
            time_zone,
        })
    }

    fn day_span(&self, text: &Spanned<String>) -> Result<DaySpan> {
        units::day_span(text.get_ref()).ok_or_else(|| {
            self.text
                .error(&text.span(), "not a span of the day", units::DAY_SPAN_FORM)
        })
    }

    fn polling(&self, raw: &raw::Polling) -> Result<PollingConfig> {
        let flag = |flag: &Option<Spanned<bool>>, default| {
            flag.as_ref().map_or(default, |flag| *flag.get_ref())
        };
        let profiles_directory = raw.profiles_directory.as_ref().map(|text| self.path(text));
        if let (Some(path), Some(text)) = (&profiles_directory, &raw.profiles_directory)
            && !path.is_dir()
        {
            return Err(self.text.error(
                &text.span(),
                "there is no such folder",
                "a folder with profile files, or no such key for the embedded profiles alone",
            ));
        }
        Ok(PollingConfig {
            devices_at_once: self.number(
                &raw.devices_at_once,
                defaults::DEVICES_AT_ONCE,
                1..=10_000,
            )?,
            timeout: self.duration(
                &raw.timeout,
                defaults::POLL_TIMEOUT,
                Duration::from_millis(50)..=60 * SECOND,
            )?,
            retries: self.number(&raw.retries, defaults::POLL_RETRIES, 0..=10)?,
            packets_per_second: self.number(
                &raw.packets_per_second,
                defaults::PACKETS_PER_SECOND,
                1..=1_000_000,
            )?,
            packets_per_second_subnet: self.number(
                &raw.packets_per_second_subnet,
                defaults::PACKETS_PER_SECOND_SUBNET,
                1..=1_000_000,
            )?,
            io_uring: flag(&raw.io_uring, true),
            contact: flag(&raw.contact, false),
            profiles_directory,
        })
    }

    fn discovery(&self, raw: &raw::Discovery) -> Result<DiscoveryConfig> {
        let hints = raw.hints.as_ref().map_or(&[][..], |all| all.get_ref());
        let hints = hints.iter().map(|text| self.chosen(text, &Hint::NAMES));
        let interfaces = raw.mdns_interfaces.as_ref();
        let interfaces = interfaces.map_or(&[][..], |all| all.get_ref());
        let interfaces = interfaces.iter().map(|text| {
            text.get_ref().parse().map_err(|_| {
                self.text.error(
                    &text.span(),
                    "not the IPv4 address of an interface",
                    "an address of this machine such as \"10.1.0.5\"",
                )
            })
        });
        let (hints, interfaces) = (
            hints.collect::<Result<_>>()?,
            interfaces.collect::<Result<_>>()?,
        );
        let hears = raw.mdns.as_ref().is_some_and(|flag| *flag.get_ref());
        Ok(DiscoveryConfig {
            hints,
            mdns: hears.then_some(interfaces),
        })
    }

    fn names(&self, raw: &raw::Names) -> Result<NamesConfig> {
        let reverse_dns = match raw.reverse_dns.as_ref() {
            None => ReverseDns::System,
            Some(text) => match text.get_ref().as_str() {
                "system" => ReverseDns::System,
                "off" => ReverseDns::Off,
                server => ReverseDns::Server(server.parse::<SocketAddr>().map_err(|_| {
                    self.text.error(
                        &text.span(),
                        "not a resolver",
                        "\"system\", \"off\", or the ADDRESS:PORT of a name server such as \"10.1.0.1:53\"",
                    )
                })?),
            },
        };
        Ok(NamesConfig {
            reverse_dns,
            keep: self.duration(&raw.keep, defaults::NAMES_KEEP, SECOND..=31 * DAY)?,
            timeout: self.duration(
                &raw.timeout,
                defaults::NAMES_TIMEOUT,
                Duration::from_millis(50)..=60 * SECOND,
            )?,
        })
    }
}
