//! What stands in the file, before anything is checked but its shape: an unknown key is an error here.
//!
//! Every value keeps its place ([`Spanned`]), so that the second step can point to it. Each key is explained in
//! `agent.example.toml`, and a test holds that the two never differ.

use serde::Deserialize;
use toml::Spanned;

use super::secret::Secret;

type Text = Option<Spanned<String>>;
type Number = Option<Spanned<i64>>;
type Flag = Option<Spanned<bool>>;
type Texts = Option<Spanned<Vec<Spanned<String>>>>;
type Hidden = Option<Spanned<Secret>>;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub log: Text,
    pub manager: Spanned<Manager>,
    pub spool: Spanned<Spool>,
    #[serde(default)]
    pub report: Report,
    #[serde(default)]
    pub schedule: Schedule,
    #[serde(default)]
    pub polling: Polling,
    #[serde(default)]
    pub traps: Traps,
    #[serde(default)]
    pub discovery: Discovery,
    #[serde(default)]
    pub names: Names,
    #[serde(default)]
    pub credentials: Vec<Spanned<Credentials>>,
    #[serde(default)]
    pub range: Vec<Spanned<Range>>,
}

/// `[manager]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manager {
    pub url: Spanned<String>,
    pub agent_id: Spanned<String>,
    pub token: Hidden,
    pub token_file: Text,
    pub key_file: Text,
    pub plain_http: Flag,
    pub timeout: Text,
    pub in_flight: Number,
    pub rate_max: Text,
    #[serde(default)]
    pub tls: Tls,
    pub proxy: Option<Spanned<Proxy>>,
}

/// `[manager.tls]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub ca_file: Text,
    pub pinned_ca_file: Text,
    pub client_certificate_file: Text,
    pub client_key_file: Text,
}

/// `[manager.proxy]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    pub url: Spanned<String>,
    pub user: Text,
    pub password: Hidden,
    pub password_file: Text,
}

/// `[spool]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spool {
    pub directory: Spanned<String>,
    pub bytes_max: Text,
    pub age_max: Text,
    pub keep_acknowledged: Text,
    pub dead_letters_max: Number,
}

/// `[report]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Report {
    pub devices_max: Number,
    pub age_max: Text,
    pub encoding: Text,
    pub deltas: Flag,
    pub full_every: Text,
}

/// `[schedule]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    pub status: Text,
    pub supplies: Text,
    pub meters: Text,
    pub inventory: Text,
    pub discovery: Text,
    pub dead_retry_max: Text,
    pub forget_after: Text,
    pub quiet_hours: Texts,
    pub time_zone: Text,
}

/// `[polling]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Polling {
    pub devices_at_once: Number,
    pub timeout: Text,
    pub retries: Number,
    pub packets_per_second: Number,
    pub packets_per_second_subnet: Number,
    pub io_uring: Flag,
    pub contact: Flag,
    pub profiles_directory: Text,
}

/// `[traps]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Traps {
    pub listen: Texts,
    pub communities: Option<Spanned<Vec<Spanned<Secret>>>>,
}

/// `[discovery]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    pub hints: Texts,
    pub mdns: Flag,
    pub mdns_interfaces: Texts,
}

/// `[names]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Names {
    pub reverse_dns: Text,
    pub keep: Text,
    pub timeout: Text,
}

/// `[[credentials]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    pub name: Spanned<String>,
    pub version: Spanned<String>,
    pub community: Hidden,
    pub user: Text,
    pub authentication: Text,
    pub authentication_password: Hidden,
    pub privacy: Text,
    pub privacy_password: Hidden,
    pub context: Text,
}

/// `[[range]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    pub name: Spanned<String>,
    pub include: Texts,
    pub include_file: Text,
    pub exclude: Texts,
    pub transport: Text,
    pub credentials: Texts,
}
