//! The manager, and the way to it: address, proxy, certificates, key.

use std::path::{Path, PathBuf};
use std::time::Duration;

use codec::id::AgentId;

use super::locate::{ConfigError, Text};
use super::{Secret, parse};

/// The manager and the way to it.
#[derive(Clone, Debug)]
pub struct ManagerConfig {
    /// `https://host[:port][/path]` without a slash at the end; `/v1/reports` is put behind it.
    pub url: String,
    /// The name under which the manager knows this agent.
    pub agent_id: AgentId,
    /// The key that it shows (a bearer token).
    pub token: Secret,
    /// Where that stands, if the agent enrolled: it replaces it there when the manager finds it old.
    pub key_file: Option<PathBuf>,
    /// How long one delivery may take from connect to receipt.
    pub timeout: Duration,
    /// How many reports of one stream may be under way while there is a backlog: so many neighbours may arrive in another order
    /// then, which the manager mends by their sequence. Without a backlog it is one.
    pub in_flight: usize,
    /// The most bytes per second of upload; none: as fast as the line.
    pub rate_bytes_max: Option<u64>,
    /// Certificates.
    pub tls: TlsConfig,
    /// An HTTP proxy.
    pub proxy: Option<ProxyConfig>,
}

/// The way to the manager, for who is still without a key.
#[derive(Clone, Debug)]
pub struct Way {
    /// Whom the configuration is for, if it says so in a form that is an agent's name.
    pub agent_id: Option<AgentId>,
    /// As [`ManagerConfig::url`].
    pub url: String,
    /// Certificates.
    pub tls: TlsConfig,
    /// An HTTP proxy.
    pub proxy: Option<ProxyConfig>,
    /// Where the key is to stand.
    pub key_file: Option<PathBuf>,
}

impl Way {
    /// The way that a file names; a key that is missing in it, or a file that it names for it, does not matter.
    ///
    /// # Errors
    /// As [`AgentConfig::read`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            what: "the configuration".to_owned(),
            path: path.to_owned(),
            source,
        })?;
        let file = path.display().to_string();
        let base = path.parent().unwrap_or(Path::new(""));
        parse::way(
            Text {
                file: &file,
                text: &text,
            },
            base,
        )
    }

    /// The way to an address that was given on the command line, which may be plain HTTP only to loopback.
    ///
    /// # Errors
    /// As [`AgentConfig::read`].
    pub fn to(url: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            agent_id: None,
            url: parse::url(url, false)?,
            tls: TlsConfig::default(),
            proxy: None,
            key_file: None,
        })
    }
}

/// Which certificates are trusted and shown. All PEM.
#[derive(Clone, Debug, Default)]
pub struct TlsConfig {
    /// Certificate authorities trusted besides the public ones.
    pub ca_file: Option<PathBuf>,
    /// If set, the only certificate authorities trusted.
    pub pinned_ca_file: Option<PathBuf>,
    /// The agent's own certificate chain and key.
    pub client: Option<ClientCertificate>,
}

/// The agent's own certificate.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The chain, PEM.
    pub certificate_file: PathBuf,
    /// The key, PEM.
    pub key_file: PathBuf,
}

/// An HTTP proxy: `CONNECT` for https.
#[derive(Clone, Debug)]
pub struct ProxyConfig {
    /// Host name or address; an IPv6 address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User and password for Basic.
    pub login: Option<(String, Secret)>,
}

impl ProxyConfig {
    /// The proxy at `http://HOST:PORT`, an IPv6 address in brackets; without a login.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn at(url: &str) -> Result<Self, &'static str> {
        let uri: ureq::http::Uri = url.parse().map_err(|_| "not a URL")?;
        let (host, port) = uri
            .host()
            .zip(uri.port_u16())
            .ok_or("the URL has no host or no port")?;
        if uri.scheme_str() != Some("http") || uri.path() != "/" {
            return Err("not the URL of an HTTP proxy");
        }
        if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err("the URL has a login");
        }
        if port == 0 {
            return Err("the port is not a number from 1 to 65535");
        }
        Ok(Self {
            host: parse::bare_host(host)?.to_owned(),
            port,
            login: None,
        })
    }

    /// The host as a URL has it: an IPv6 address in brackets.
    #[must_use]
    pub fn url_host(&self) -> String {
        match self.host.parse::<std::net::Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => self.host.clone(),
        }
    }
}
