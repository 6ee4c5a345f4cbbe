//! From what stands in the file to checked types. Each reader takes a value with its place, and an error points there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use codec::envelope::Encoding;
use codec::id::AgentId;
use poller::credentials::Credential;
use poller::usm::{AuthProtocol, PrivProtocol, User};
use toml::Spanned;

use super::locate::{ConfigError, Text};
use super::secret::Secret;
use super::units::{self, DaySpan};
use super::{
    AgentConfig, ClientCertificate, ManagerConfig, NamesConfig, PollingConfig, ProxyConfig,
    RangeConfig, RangeEntry, ReportConfig, ReverseDns, ScheduleConfig, SpoolConfig, TlsConfig,
    defaults, raw,
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(366 * 86_400);
/// Polling faster than this hurts printers and tells nothing new.
const INTERVAL_MIN: Duration = SECOND;
/// The smallest spool: two segments of each stream and a report in each must fit.
const SPOOL_BYTES_MIN: u64 = 1_000_000;
/// The largest upload rate that can be asked for is unlimited; the smallest must deliver a report within the timeout.
const RATE_BYTES_MIN: u64 = 1000;
/// What discovery would have to sweep if every range of a file were full: more than a /8 is a typing error.
const FILE_ENTRIES_MAX: usize = 100_000;

type Result<T> = std::result::Result<T, ConfigError>;

/// Reads and checks the whole file.
pub fn parse(text: Text<'_>, base: &Path) -> Result<AgentConfig> {
    let file: raw::File = toml::from_str(text.text).map_err(|error| text.toml_error(&error))?;
    let reader = Reader { text, base };
    let credentials = reader.credentials(&file.credentials)?;
    let ranges = file
        .range
        .iter()
        .map(|range| reader.range(range, &credentials))
        .collect::<Result<_>>()?;
    Ok(AgentConfig {
        log: file.log.map(Spanned::into_inner),
        manager: reader.manager(&file.manager)?,
        spool: reader.spool(file.spool.get_ref())?,
        report: reader.report(&file.report)?,
        schedule: reader.schedule(&file.schedule)?,
        polling: reader.polling(&file.polling)?,
        names: reader.names(&file.names)?,
        ranges,
    })
}

struct Reader<'a> {
    text: Text<'a>,
    base: &'a Path,
}

impl Reader<'_> {
    fn manager(&self, manager: &Spanned<raw::Manager>) -> Result<ManagerConfig> {
        let (span, raw) = (manager.span(), manager.get_ref());
        let token = self
            .secret(
                &span,
                ("token", &raw.token),
                ("token_file", &raw.token_file),
            )?
            .ok_or_else(|| {
                self.text.error(
                    &span,
                    "there is no token",
                    "`token` or `token_file`: what `platen agent add NAME` printed on the manager",
                )
            })?;
        Ok(ManagerConfig {
            url: self.manager_url(
                &raw.url,
                raw.plain_http.as_ref().is_some_and(|f| *f.get_ref()),
            )?,
            agent_id: AgentId::new(raw.agent_id.get_ref()).map_err(|_| {
                self.text.error(
                    &raw.agent_id.span(),
                    "not an agent id",
                    "1 to 64 characters of a-z, 0-9, -, _ and .",
                )
            })?,
            token,
            timeout: self.duration(&raw.timeout, defaults::MANAGER_TIMEOUT, SECOND..=HOUR)?,
            in_flight: self.number(&raw.in_flight, defaults::IN_FLIGHT, 1..=64)?,
            rate_bytes_max: self.rate(&raw.rate_max)?,
            tls: self.tls(&raw.tls)?,
            proxy: raw.proxy.as_ref().map(|p| self.proxy(p)).transpose()?,
        })
    }

    fn manager_url(&self, url: &Spanned<String>, plain_http: bool) -> Result<String> {
        const FORM: &str = "\"https://HOST[:PORT][/PATH]\"; \"http://…\" only to a loopback address or with `plain_http = true`";
        let refused = |problem: &str| self.text.error(&url.span(), problem, FORM);
        let text = url.get_ref().trim().trim_end_matches('/');
        let uri: ureq::http::Uri = text.parse().map_err(|_| refused("not a URL"))?;
        let host = uri.host().ok_or_else(|| refused("the URL has no host"))?;
        if uri.query().is_some() || uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(refused("the URL has a query or a login"));
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if plain_http || is_loopback(host) => {}
            Some("http") => {
                return Err(refused(
                    "the token and the readings would travel unencrypted",
                ));
            }
            _ => return Err(refused("the URL is neither https nor http")),
        }
        Ok(text.to_owned())
    }

    fn tls(&self, raw: &raw::Tls) -> Result<TlsConfig> {
        let path = |text: &Option<Spanned<String>>| text.as_ref().map(|text| self.path(text));
        let client = match (&raw.client_certificate_file, &raw.client_key_file) {
            (Some(certificate), Some(key)) => Some(ClientCertificate {
                certificate_file: self.path(certificate),
                key_file: self.path(key),
            }),
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => {
                return Err(self.text.error(
                    &one.span(),
                    "a client certificate is both a certificate and its key",
                    "`client_certificate_file` and `client_key_file` together",
                ));
            }
        };
        if let (Some(_), Some(pinned)) = (&raw.ca_file, &raw.pinned_ca_file) {
            return Err(self.text.error(
                &pinned.span(),
                "`ca_file` adds to what is trusted, `pinned_ca_file` replaces it",
                "one of the two",
            ));
        }
        Ok(TlsConfig {
            ca_file: path(&raw.ca_file),
            pinned_ca_file: path(&raw.pinned_ca_file),
            client,
        })
    }

    fn proxy(&self, proxy: &Spanned<raw::Proxy>) -> Result<ProxyConfig> {
        const FORM: &str = "\"http://HOST:PORT\"; the login stands in `user` and `password`";
        let raw = proxy.get_ref();
        let refused = |problem: &str| self.text.error(&raw.url.span(), problem, FORM);
        let uri: ureq::http::Uri = (raw.url.get_ref().parse()).map_err(|_| refused("not a URL"))?;
        let (host, port) = uri
            .host()
            .zip(uri.port_u16())
            .ok_or_else(|| refused("the URL has no host or no port"))?;
        if uri.scheme_str() != Some("http") || uri.path() != "/" {
            return Err(refused("not the URL of an HTTP proxy"));
        }
        if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(refused("the URL has a login"));
        }
        let password = self.secret(
            &proxy.span(),
            ("password", &raw.password),
            ("password_file", &raw.password_file),
        )?;
        let login = match (&raw.user, password) {
            (Some(user), Some(password)) => Some((user.get_ref().clone(), password)),
            (None, None) => None,
            _ => {
                return Err(self.text.error(
                    &proxy.span(),
                    "a login is both a user and a password",
                    "`user` together with `password` or `password_file`",
                ));
            }
        };
        Ok(ProxyConfig {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            login,
        })
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

    fn credentials(
        &self,
        all: &[Spanned<raw::Credentials>],
    ) -> Result<BTreeMap<String, Credential>> {
        let mut named = BTreeMap::new();
        for one in all {
            let name = &one.get_ref().name;
            let credential = self.credential(one)?;
            if named.insert(name.get_ref().clone(), credential).is_some() {
                return Err(self.text.error(
                    &name.span(),
                    "another entry of `credentials` has this name",
                    "a name that is used once",
                ));
            }
        }
        Ok(named)
    }

    fn credential(&self, credentials: &Spanned<raw::Credentials>) -> Result<Credential> {
        let (span, raw) = (credentials.span(), credentials.get_ref());
        let name = raw.name.get_ref();
        match raw.version.get_ref().as_str() {
            version @ ("1" | "2c") => {
                if let Some(extra) = [&raw.user, &raw.authentication, &raw.privacy, &raw.context]
                    .into_iter()
                    .flatten()
                    .next()
                {
                    return Err(self.text.error(
                        &extra.span(),
                        format!("SNMP version {version} has no users"),
                        "`community` alone, or `version = \"3\"`",
                    ));
                }
                let community = raw.community.as_ref().ok_or_else(|| {
                    self.text.error(
                        &span,
                        format!("SNMP version {version} needs a community"),
                        "`community = \"…\"`",
                    )
                })?;
                let community = community.get_ref().reveal().as_bytes();
                Ok(if version == "1" {
                    Credential::v1(name, community)
                } else {
                    Credential::v2c(name, community)
                })
            }
            "3" => Ok(Credential::v3(name, self.user(&span, raw)?)),
            _ => Err(self.text.error(
                &raw.version.span(),
                "not a version of SNMP",
                "\"1\", \"2c\" or \"3\"",
            )),
        }
    }

    fn user(&self, span: &Range<usize>, raw: &raw::Credentials) -> Result<User> {
        let user = raw.user.as_ref().ok_or_else(|| {
            self.text
                .error(span, "SNMP version 3 needs a user", "`user = \"…\"`")
        })?;
        if let Some(community) = &raw.community {
            return Err(self.text.error(
                &community.span(),
                "SNMP version 3 has no community",
                "`user`, `authentication` and `privacy`",
            ));
        }
        let auth = self.pair(
            "authentication",
            &raw.authentication,
            &raw.authentication_password,
            &[
                ("md5", AuthProtocol::Md5),
                ("sha1", AuthProtocol::Sha1),
                ("sha224", AuthProtocol::Sha224),
                ("sha256", AuthProtocol::Sha256),
                ("sha384", AuthProtocol::Sha384),
                ("sha512", AuthProtocol::Sha512),
            ],
        )?;
        let privacy = self.pair(
            "privacy",
            &raw.privacy,
            &raw.privacy_password,
            &[
                ("des", PrivProtocol::Des),
                ("aes128", PrivProtocol::Aes128),
                ("aes192", PrivProtocol::Aes192),
                ("aes256", PrivProtocol::Aes256),
                ("aes192-reeder", PrivProtocol::Aes192Reeder),
                ("aes256-reeder", PrivProtocol::Aes256Reeder),
            ],
        )?;
        if let (None, Some(_), Some(text)) = (&auth, &privacy, &raw.privacy) {
            return Err(self.text.error(
                &text.span(),
                "privacy needs authentication",
                "`authentication` and `authentication_password` as well",
            ));
        }
        Ok(User {
            name: user.get_ref().clone(),
            auth,
            privacy,
            contexts: raw
                .context
                .iter()
                .map(|context| context.get_ref().clone())
                .collect(),
        })
    }

    /// A protocol with its password: both or neither, and at least the eight characters that RFC 3414 asks for.
    fn pair<T: Copy>(
        &self,
        what: &str,
        protocol: &Option<Spanned<String>>,
        password: &Option<Spanned<Secret>>,
        words: &[(&str, T)],
    ) -> Result<Option<(T, String)>> {
        match (protocol, password) {
            (None, None) => Ok(None),
            (Some(text), Some(password)) => {
                let protocol = self.chosen(text, words)?;
                if password.get_ref().reveal().len() < 8 {
                    return Err(self.text.error(
                        &password.span(),
                        "the password is too short for SNMPv3",
                        "at least 8 characters",
                    ));
                }
                Ok(Some((protocol, password.get_ref().reveal().to_owned())))
            }
            (one, other) => {
                let span = one
                    .as_ref()
                    .map(Spanned::span)
                    .or(other.as_ref().map(Spanned::span))
                    .unwrap_or_default();
                Err(self.text.error(
                    &span,
                    format!("{what} is both a protocol and a password"),
                    format!("`{what}` and `{what}_password` together"),
                ))
            }
        }
    }

    fn range(
        &self,
        range: &Spanned<raw::Range>,
        credentials: &BTreeMap<String, Credential>,
    ) -> Result<RangeConfig> {
        let raw = range.get_ref();
        let mut include = self.entries(&raw.include)?;
        if let Some(file) = &raw.include_file {
            include.extend(self.entries_of_file(file)?);
        }
        if include.is_empty() {
            return Err(self.text.error(
                &range.span(),
                "the range is empty",
                "at least one entry in `include` or `include_file`",
            ));
        }
        let chosen = match &raw.credentials {
            None if credentials.is_empty() => vec![
                Credential::v2c("public", b"public"),
                Credential::v1("public-v1", b"public"),
            ],
            None => self.in_file_order(credentials),
            Some(names) => names
                .get_ref()
                .iter()
                .map(|name| {
                    credentials.get(name.get_ref()).cloned().ok_or_else(|| {
                        let known: Vec<_> = credentials.keys().map(String::as_str).collect();
                        self.text.error(
                            &name.span(),
                            "there are no credentials of this name",
                            format!("the name of a [[credentials]] entry: {}", known.join(", ")),
                        )
                    })
                })
                .collect::<Result<_>>()?,
        };
        Ok(RangeConfig {
            name: raw.name.get_ref().clone(),
            include,
            exclude: self.entries(&raw.exclude)?,
            credentials: chosen,
        })
    }

    /// All credentials, in the order in which they stand in the file.
    fn in_file_order(&self, credentials: &BTreeMap<String, Credential>) -> Vec<Credential> {
        let mut all: Vec<_> = credentials.values().cloned().collect();
        all.sort_by_key(|credential| {
            let quoted = format!("\"{}\"", credential.label);
            self.text.text.find(&quoted).unwrap_or(usize::MAX)
        });
        all
    }

    fn entries(&self, texts: &Option<Spanned<Vec<Spanned<String>>>>) -> Result<Vec<RangeEntry>> {
        texts
            .as_ref()
            .map_or(&[][..], |texts| texts.get_ref())
            .iter()
            .map(|text| {
                RangeEntry::parse(text.get_ref()).ok_or_else(|| {
                    self.text
                        .error(&text.span(), "not a range", super::ranges::RANGE_FORM)
                })
            })
            .collect()
    }

    /// A CSV file whose first column holds entries; a first line that is none is taken for headings.
    fn entries_of_file(&self, file: &Spanned<String>) -> Result<Vec<RangeEntry>> {
        let path = self.path(file);
        let refused = |line: u64, problem: &str| {
            self.text.error(
                &file.span(),
                format!("{} line {line}: {problem}", path.display()),
                "a CSV file with a range in the first column of each line",
            )
        };
        let mut lines = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .from_path(&path)
            .map_err(|error| refused(0, &error.to_string()))?;
        let mut entries = Vec::new();
        for (at, record) in lines.records().enumerate() {
            let record = record.map_err(|error| refused(at as u64 + 1, &error.to_string()))?;
            let line = record.position().map_or(0, csv::Position::line);
            let first = record.get(0).unwrap_or_default().trim();
            match RangeEntry::parse(first) {
                Some(_) if entries.len() >= FILE_ENTRIES_MAX => {
                    return Err(refused(line, "more than 100000 entries"));
                }
                Some(entry) if at > 0 || !is_heading(first) => entries.push(entry),
                _ if at == 0 || first.is_empty() => {}
                _ => return Err(refused(line, &format!("not a range: {first:?}"))),
            }
        }
        Ok(entries)
    }

    fn path(&self, text: &Spanned<String>) -> PathBuf {
        self.base.join(text.get_ref())
    }

    /// A secret that stands in the file or in a file of its own.
    fn secret(
        &self,
        table: &Range<usize>,
        (name, here): (&str, &Option<Spanned<Secret>>),
        (file_name, file): (&str, &Option<Spanned<String>>),
    ) -> Result<Option<Secret>> {
        let secret = match (here, file) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(self.text.error(
                    table,
                    format!("there are both `{name}` and `{file_name}`"),
                    "one of the two",
                ));
            }
            (Some(here), None) => here.get_ref().clone(),
            (None, Some(file)) => {
                let path = self.path(file);
                let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Read {
                    what: format!("the file that `{file_name}` names,"),
                    path,
                    source,
                })?;
                Secret::new(text.trim().to_owned())
            }
        };
        if secret.reveal().is_empty() || secret.reveal().contains(|c: char| c.is_control()) {
            return Err(self.text.error(
                table,
                format!("`{name}` is empty or has control characters"),
                "one line of printable text",
            ));
        }
        Ok(Some(secret))
    }

    fn duration(
        &self,
        text: &Option<Spanned<String>>,
        default: Duration,
        accepted: RangeInclusive<Duration>,
    ) -> Result<Duration> {
        let Some(text) = text else { return Ok(default) };
        let duration = units::duration(text.get_ref());
        duration
            .filter(|duration| accepted.contains(duration))
            .ok_or_else(|| {
                let problem = match duration {
                    None => "not a duration",
                    Some(short) if short < *accepted.start() => "too short",
                    Some(_) => "too long",
                };
                self.text.error(
                    &text.span(),
                    problem,
                    format!(
                        "{}, from {:?} to {:?}",
                        units::DURATION_FORM,
                        accepted.start(),
                        accepted.end()
                    ),
                )
            })
    }

    fn number<T: TryFrom<i64> + PartialOrd + std::fmt::Display>(
        &self,
        number: &Option<Spanned<i64>>,
        default: T,
        accepted: RangeInclusive<T>,
    ) -> Result<T> {
        let Some(number) = number else {
            return Ok(default);
        };
        T::try_from(*number.get_ref())
            .ok()
            .filter(|value| accepted.contains(value))
            .ok_or_else(|| {
                self.text.error(
                    &number.span(),
                    format!("{} is out of range", number.get_ref()),
                    format!(
                        "a whole number from {} to {}",
                        accepted.start(),
                        accepted.end()
                    ),
                )
            })
    }

    fn rate(&self, text: &Option<Spanned<String>>) -> Result<Option<u64>> {
        let Some(text) = text else { return Ok(None) };
        units::bytes_per_second(text.get_ref())
            .filter(|rate| *rate >= RATE_BYTES_MIN)
            .map(Some)
            .ok_or_else(|| {
                self.text.error(
                    &text.span(),
                    "not a rate, or too low to deliver a report",
                    format!("{}, at least 1 kB/s", units::RATE_FORM),
                )
            })
    }

    fn word<T: Copy>(
        &self,
        text: &Option<Spanned<String>>,
        default: T,
        words: &[(&str, T)],
    ) -> Result<T> {
        text.as_ref()
            .map_or(Ok(default), |text| self.chosen(text, words))
    }

    fn chosen<T: Copy>(&self, text: &Spanned<String>, words: &[(&str, T)]) -> Result<T> {
        words
            .iter()
            .find(|(word, _)| word == text.get_ref())
            .map(|(_, value)| *value)
            .ok_or_else(|| {
                let known: Vec<_> = words
                    .iter()
                    .map(|(word, _)| format!("\"{word}\""))
                    .collect();
                self.text.error(
                    &text.span(),
                    format!("{:?} is not known", text.get_ref()),
                    known.join(", "),
                )
            })
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Words that head the first column of the lists people export.
fn is_heading(text: &str) -> bool {
    [
        "address",
        "addresses",
        "ip",
        "ip-address",
        "ip_address",
        "host",
        "hostname",
        "name",
        "range",
        "network",
        "device",
        "printer",
    ]
    .contains(&text.to_ascii_lowercase().as_str())
}
