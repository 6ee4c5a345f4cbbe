//! The shape of `platen.toml`, and the step from shape to meaning.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use journal::DiskChoice;
use olap::duck::DuckOptions;
use serde::Deserialize;
use toml::Spanned;
use web::config::{MetricsAccess, Network};
use web::{ClientCertificates, TlsFiles};

use super::{ConfigError, JournalConfig, PlatenConfig, WebConfig};

/// The age of an agent's key, in days, at which it is to be replaced: a quarter, as most houses' rules want it.
const KEY_DAYS: u32 = 90;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    data: PathBuf,
    log: Option<String>,
    #[serde(default)]
    web: RawWeb,
    #[serde(default)]
    store: RawStore,
    #[serde(default)]
    journal: RawJournal,
    #[serde(default)]
    silence: RawSilence,
    #[serde(default)]
    agents: RawAgents,
    agent: Option<RawAgent>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWeb {
    listen: Option<Spanned<String>>,
    public_url: Option<Spanned<String>>,
    tls_certificate: Option<Spanned<PathBuf>>,
    tls_key: Option<Spanned<PathBuf>>,
    tls_client_ca: Option<Spanned<PathBuf>>,
    tls_clients: Option<Spanned<String>>,
    #[serde(default)]
    trusted_proxies: Vec<Spanned<String>>,
    brand: Option<String>,
    metrics: Option<Spanned<String>>,
    metrics_token_file: Option<Spanned<PathBuf>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStore {
    memory_mb: Option<Spanned<u32>>,
    threads: Option<Spanned<u32>>,
    readers: Option<Spanned<u32>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawJournal {
    disk: Option<Spanned<String>>,
    shards: Option<Spanned<u16>>,
    evidence_days: Option<u32>,
    evidence_gb: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAgents {
    key_days: Option<Spanned<u32>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSilence {
    missed: Option<Spanned<u32>>,
    agent_minutes: Option<Spanned<u32>>,
    device_minutes: Option<Spanned<u32>>,
    meters_hours: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAgent {
    config: PathBuf,
}

/// The text and its name, for errors that point.
struct Place<'a> {
    text: &'a str,
    file: &'a str,
}

impl Place<'_> {
    fn refuse<T>(
        &self,
        key: &'static str,
        at: &Spanned<T>,
        problem: impl Into<String>,
    ) -> ConfigError {
        let before = self.text.get(..at.span().start).unwrap_or(self.text);
        ConfigError::Value {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            key,
            problem: problem.into(),
        }
    }

    /// A number within bounds, or its default.
    fn number<T: Copy + PartialOrd + std::fmt::Display>(
        &self,
        key: &'static str,
        value: Option<&Spanned<T>>,
        (min, max): (T, T),
        default: T,
    ) -> Result<T, ConfigError> {
        let Some(value) = value else {
            return Ok(default);
        };
        let number = *value.get_ref();
        if number < min || number > max {
            return Err(self.refuse(key, value, format!("{number} is not within {min} to {max}")));
        }
        Ok(number)
    }
}

pub(super) fn parse(text: &str, file: &str, base: &Path) -> Result<PlatenConfig, ConfigError> {
    let raw: Raw = toml::from_str(text).map_err(|problem| ConfigError::Shape {
        file: file.to_owned(),
        problem: Box::new(problem),
    })?;
    let place = Place { text, file };
    Ok(PlatenConfig {
        data: base.join(raw.data),
        log: raw.log.unwrap_or_else(|| "info".to_owned()),
        web: web(&place, raw.web, base)?,
        store: store(&place, &raw.store)?,
        journal: journal(&place, &raw.journal)?,
        silence: silence(&place, &raw.silence)?,
        agent_key_age_max: agents(&place, &raw.agents)?,
        agent: raw.agent.map(|agent| base.join(agent.config)),
    })
}

fn web(place: &Place<'_>, raw: RawWeb, base: &Path) -> Result<WebConfig, ConfigError> {
    let listen = match &raw.listen {
        None => SocketAddr::from(([127, 0, 0, 1], 8000)),
        Some(text) => text.get_ref().parse().map_err(|_| {
            place.refuse(
                "web.listen",
                text,
                format!(
                    "{:?} is not an address with a port, such as \"0.0.0.0:8443\"",
                    text.get_ref()
                ),
            )
        })?,
    };
    let tls = match (&raw.tls_certificate, &raw.tls_key) {
        (Some(certificates), Some(key)) => Some(TlsFiles {
            certificates: base.join(certificates.get_ref()),
            key: base.join(key.get_ref()),
            clients: clients(place, &raw, base)?,
        }),
        (None, None) => None,
        (Some(given), None) => {
            return Err(place.refuse("web.tls_certificate", given, "needs web.tls_key beside it"));
        }
        (None, Some(given)) => {
            return Err(place.refuse("web.tls_key", given, "needs web.tls_certificate beside it"));
        }
    };
    if let (None, Some(given)) = (&tls, &raw.tls_client_ca) {
        return Err(place.refuse(
            "web.tls_client_ca",
            given,
            "needs web.tls_certificate and web.tls_key: without TLS nobody shows a certificate",
        ));
    }
    let public_url = match &raw.public_url {
        None => format!(
            "{}://{listen}",
            if tls.is_some() { "https" } else { "http" }
        ),
        Some(url) => {
            let text = url.get_ref().trim_end_matches('/');
            let host = text
                .strip_prefix("https://")
                .or_else(|| text.strip_prefix("http://"));
            if host.is_none_or(|host| host.is_empty() || host.contains(char::is_whitespace)) {
                return Err(place.refuse(
                    "web.public_url",
                    url,
                    format!("{text:?} is not a URL such as \"https://platen.example.org\""),
                ));
            }
            text.to_owned()
        }
    };
    let trusted_proxies = raw
        .trusted_proxies
        .iter()
        .map(|text| {
            text.get_ref()
                .parse::<Network>()
                .map_err(|error| place.refuse("web.trusted_proxies", text, error.to_string()))
        })
        .collect::<Result<_, _>>()?;
    Ok(WebConfig {
        listen,
        tls,
        public_url,
        trusted_proxies,
        brand: raw.brand.unwrap_or_else(|| "Platen".to_owned()),
        metrics: metrics(
            place,
            raw.metrics.as_ref(),
            raw.metrics_token_file.as_ref(),
            base,
        )?,
    })
}

/// Whether clients are asked for certificates.
fn clients(
    place: &Place<'_>,
    raw: &RawWeb,
    base: &Path,
) -> Result<ClientCertificates, ConfigError> {
    let word = raw.tls_clients.as_ref();
    let word_or = |default| word.map_or(default, |word| word.get_ref().as_str());
    let Some(authorities) = &raw.tls_client_ca else {
        return match (word_or("off"), word) {
            ("off", _) | (_, None) => Ok(ClientCertificates::Off),
            (_, Some(given)) => Err(place.refuse(
                "web.tls_clients",
                given,
                "needs web.tls_client_ca: who signs the clients' certificates",
            )),
        };
    };
    let path = base.join(authorities.get_ref());
    match (word_or("optional"), word) {
        ("off", _) => Ok(ClientCertificates::Off),
        ("optional", _) | (_, None) => Ok(ClientCertificates::Optional(path)),
        ("required", _) => Ok(ClientCertificates::Required(path)),
        (other, Some(given)) => Err(place.refuse(
            "web.tls_clients",
            given,
            format!("{other:?} is none of \"off\", \"optional\", \"required\""),
        )),
    }
}

/// When an agent's key is old.
fn agents(place: &Place<'_>, raw: &RawAgents) -> Result<Option<Duration>, ConfigError> {
    let days = place.number(
        "agents.key_days",
        raw.key_days.as_ref(),
        (0, 3650),
        KEY_DAYS,
    )?;
    Ok((days > 0).then(|| Duration::from_secs(u64::from(days) * 86_400)))
}

fn metrics(
    place: &Place<'_>,
    access: Option<&Spanned<String>>,
    token_file: Option<&Spanned<PathBuf>>,
    base: &Path,
) -> Result<MetricsAccess, ConfigError> {
    if let Some(file) = token_file {
        let path = base.join(file.get_ref());
        let token = std::fs::read_to_string(&path).map_err(|error| {
            place.refuse(
                "web.metrics_token_file",
                file,
                format!("cannot read {}: {error}", path.display()),
            )
        })?;
        let token = token.trim();
        if token.len() < 16 {
            return Err(place.refuse(
                "web.metrics_token_file",
                file,
                "the token has less than 16 characters",
            ));
        }
        return Ok(MetricsAccess::Token(token.to_owned()));
    }
    match access {
        None => Ok(MetricsAccess::Loopback),
        Some(word) => match word.get_ref().as_str() {
            "loopback" => Ok(MetricsAccess::Loopback),
            "everybody" => Ok(MetricsAccess::Everybody),
            other => Err(place.refuse(
                "web.metrics",
                word,
                format!("{other:?} is neither \"loopback\" nor \"everybody\"; for a token, give metrics_token_file"),
            )),
        },
    }
}

fn store(place: &Place<'_>, raw: &RawStore) -> Result<DuckOptions, ConfigError> {
    let default = DuckOptions::default();
    Ok(DuckOptions {
        memory_mb_max: place.number(
            "store.memory_mb",
            raw.memory_mb.as_ref(),
            (64, 1 << 20),
            default.memory_mb_max,
        )?,
        threads: place.number(
            "store.threads",
            raw.threads.as_ref(),
            (1, 256),
            default.threads,
        )?,
        readers: place.number(
            "store.readers",
            raw.readers.as_ref(),
            (1, 64),
            default.readers,
        )?,
        ..default
    })
}

fn journal(place: &Place<'_>, raw: &RawJournal) -> Result<JournalConfig, ConfigError> {
    let disk = match &raw.disk {
        None => DiskChoice::Auto,
        Some(word) => match word.get_ref().as_str() {
            "auto" => DiskChoice::Auto,
            "io_uring" => DiskChoice::Uring,
            "std" => DiskChoice::Std,
            other => {
                return Err(place.refuse(
                    "journal.disk",
                    word,
                    format!("{other:?} is none of \"auto\", \"io_uring\", \"std\""),
                ));
            }
        },
    };
    let shards = raw
        .shards
        .as_ref()
        .map(|shards| place.number("journal.shards", Some(shards), (1, 64), 1))
        .transpose()?;
    Ok(JournalConfig {
        disk,
        shards,
        evidence_days: raw.evidence_days,
        evidence_bytes_max: raw.evidence_gb.map(|gb| u64::from(gb) << 30),
    })
}

fn silence(place: &Place<'_>, raw: &RawSilence) -> Result<ingest::SilenceRules, ConfigError> {
    /// The most minutes that make sense: a month.
    const MINUTES_MAX: u32 = 31 * 24 * 60;
    const MINUTE_MS: i64 = 60_000;
    let default = ingest::SilenceRules::default();
    let ms = |key, value: &Option<Spanned<u32>>, unit_ms: i64, default_ms: i64| {
        let unset = u32::try_from(default_ms / unit_ms).unwrap_or(u32::MAX);
        let number = place.number(key, value.as_ref(), (1, MINUTES_MAX), unset)?;
        Ok(i64::from(number) * unit_ms)
    };
    let agent_floor_ms = ms(
        "silence.agent_minutes",
        &raw.agent_minutes,
        MINUTE_MS,
        default.agent_floor_ms,
    )?;
    let device_floor_ms = ms(
        "silence.device_minutes",
        &raw.device_minutes,
        MINUTE_MS,
        default.device_floor_ms,
    )?;
    Ok(ingest::SilenceRules {
        factor: place.number(
            "silence.missed",
            raw.missed.as_ref(),
            (1, 1_000),
            default.factor,
        )?,
        agent_floor_ms,
        agent_unknown_ms: default.agent_unknown_ms.max(agent_floor_ms),
        device_floor_ms,
        device_unknown_ms: default.device_unknown_ms.max(device_floor_ms),
        meters_ms: ms(
            "silence.meters_hours",
            &raw.meters_hours,
            60 * MINUTE_MS,
            default.meters_ms,
        )?,
    })
}
