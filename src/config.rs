//! `platen.toml`, read in two steps: the shape (an unknown key is an error), then the meaning. Errors name file and line.

mod raw;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use journal::DiskChoice;
use web::TlsFiles;
use web::config::{MetricsAccess, Network};

/// The example, every key explained.
#[cfg(test)]
pub const EXAMPLE: &str = include_str!("../platen.example.toml");

/// Everything a manager must be told.
#[derive(Clone, Debug)]
pub struct PlatenConfig {
    /// Where registry, store and journal live.
    pub data: PathBuf,
    /// The log filter, as in `RUST_LOG`.
    pub log: String,
    /// Pages, API, SOAP and the agents' door.
    pub web: WebConfig,
    /// The embedded store.
    pub store: olap::duck::DuckOptions,
    /// The journal.
    pub journal: JournalConfig,
    /// When an agent is asked to register another key; never, when `None`.
    pub agent_key_age_max: Option<Duration>,
    /// When silence is worth an alert.
    pub silence: ingest::SilenceRules,
    /// The agent of `platen all`.
    pub agent: Option<PathBuf>,
}

/// What is served, and how.
#[derive(Clone, Debug)]
pub struct WebConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Certificate and key; plain HTTP without.
    pub tls: Option<TlsFiles>,
    /// How people, agents and ERPs reach this manager.
    pub public_url: String,
    /// Proxies whose `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<Network>,
    /// The name on the pages.
    pub brand: String,
    /// Who may read `/metrics`.
    pub metrics: MetricsAccess,
}

/// The journal.
#[derive(Clone, Debug)]
pub struct JournalConfig {
    /// Which disk driver.
    pub disk: DiskChoice,
    /// Shards; the program's own choice without.
    pub shards: Option<u16>,
    /// How long applied segments are kept.
    pub evidence_days: Option<u32>,
    /// How many bytes of them at most.
    pub evidence_bytes_max: Option<u64>,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}; platen.example.toml shows what belongs into it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML, or has a key that is not known, or a value of the wrong kind.
    #[error("{file}: {problem}")]
    Shape {
        /// The file.
        file: String,
        /// What, with line, column and the line itself.
        problem: Box<toml::de::Error>,
    },
    /// A value that is not accepted.
    #[error("{file}, line {line}: {key}: {problem}")]
    Value {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The key.
        key: &'static str,
        /// What is wrong and what is accepted.
        problem: String,
    },
}

impl PlatenConfig {
    /// Reads a file. Relative paths in it are taken from its folder.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that cannot be read and everything in it that is not accepted.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let base = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, &path.display().to_string(), base)
    }

    /// Reads a text; `file` is its name in messages, `base` the folder for relative paths.
    ///
    /// # Errors
    /// As [`PlatenConfig::read`].
    pub fn parse(text: &str, file: &str, base: &Path) -> Result<Self, ConfigError> {
        raw::parse(text, file, base)
    }

    /// The store's file.
    pub fn store_path(&self) -> PathBuf {
        store_path(&self.data)
    }

    /// The journal's folder.
    pub fn journal_path(&self) -> PathBuf {
        journal_path(&self.data)
    }
}

/// The registry's file below a data folder.
pub fn registry_path(data: &Path) -> PathBuf {
    data.join("registry.sqlite")
}

/// The store's file below a data folder.
pub fn store_path(data: &Path) -> PathBuf {
    data.join("store.duckdb")
}

/// The journal's folder below a data folder.
pub fn journal_path(data: &Path) -> PathBuf {
    data.join("journal")
}
