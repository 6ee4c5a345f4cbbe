//! `[manager]`: where reports go, and the way there.

use codec::id::AgentId;
use toml::Spanned;

use super::{HOUR, Reader, Result, SECOND};
use crate::config::{
    ClientCertificate, ManagerConfig, ProxyConfig, Secret, TlsConfig, Way, defaults, raw,
};
use crate::upload::Chain;
use crate::upload::keys::KeyFile;

impl Reader<'_> {
    pub(super) fn manager(&self, manager: &Spanned<raw::Manager>) -> Result<ManagerConfig> {
        let (span, raw) = (manager.span(), manager.get_ref());
        let token = self.secret(
            &span,
            ("token", &raw.token),
            ("token_file", &raw.token_file),
        )?;
        let token = match (token, &raw.key_file) {
            (Some(token), None) => token,
            (None, Some(file)) => self.own_key(file, raw.agent_id.get_ref())?,
            (Some(_), Some(file)) => {
                return Err(self.text.error(
                    &file.span(),
                    "there is both a token and `key_file`",
                    "one of the two: `key_file` after `platen-agent enrol`",
                ));
            }
            (None, None) => {
                return Err(self.text.error(
                    &span,
                    "there is no token",
                    "`key_file`, which `platen-agent enrol` writes; or `token` or `token_file`: what `platen agent add NAME` printed on the manager",
                ));
            }
        };
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
            key_file: raw.key_file.as_ref().map(|file| self.path(file)),
            timeout: self.duration(&raw.timeout, defaults::MANAGER_TIMEOUT, SECOND..=HOUR)?,
            in_flight: self.number(&raw.in_flight, defaults::IN_FLIGHT, 1..=64)?,
            rate_bytes_max: self.rate(&raw.rate_max)?,
            tls: self.tls(&raw.tls)?,
            proxy: raw.proxy.as_ref().map(|p| self.proxy(p)).transpose()?,
        })
    }

    /// The key that the agent got when it enrolled.
    fn own_key(&self, file: &Spanned<String>, agent: &str) -> Result<Secret> {
        const ACCEPTED: &str = "the file that `platen-agent enrol --manager URL --token TOKEN` writes; `platen agent enrol NAME` on the manager makes the token";
        let refused = |problem: String| self.text.error(&file.span(), problem, ACCEPTED);
        let path = self.path(file);
        let keys = KeyFile::read(&path)
            .map_err(|error| refused(Chain(&error).to_string()))?
            .ok_or_else(|| refused(format!("there is no file {}", path.display())))?;
        match &keys.agent {
            Some(owner) if owner.as_str() != agent => Err(refused(format!(
                "the key is that of the agent {owner}, not of {agent}"
            ))),
            _ => keys
                .key()
                .cloned()
                .ok_or_else(|| refused("the agent has not enrolled yet".to_owned())),
        }
    }

    /// The way to the manager alone, for who is still without a key.
    pub(super) fn way(&self, manager: &Spanned<raw::Manager>) -> Result<Way> {
        let raw = manager.get_ref();
        let plain_http = raw.plain_http.as_ref().is_some_and(|f| *f.get_ref());
        Ok(Way {
            agent_id: AgentId::new(raw.agent_id.get_ref()).ok(),
            url: self.manager_url(&raw.url, plain_http)?,
            tls: self.tls(&raw.tls)?,
            proxy: raw.proxy.as_ref().map(|p| self.proxy(p)).transpose()?,
            key_file: raw.key_file.as_ref().map(|file| self.path(file)),
        })
    }

    pub(super) fn manager_url(&self, url: &Spanned<String>, plain_http: bool) -> Result<String> {
        const FORM: &str = "\"https://HOST[:PORT][/PATH]\"; \"http://…\" only to a loopback address or with `plain_http = true`";
        let refused = |problem: &str| self.text.error(&url.span(), problem, FORM);
        let text = url.get_ref().trim().trim_end_matches('/');
        let uri: ureq::http::Uri = text.parse().map_err(|_| refused("not a URL"))?;
        let host = uri.host().ok_or_else(|| refused("the URL has no host"))?;
        let bare = bare_host(host).map_err(refused)?;
        if uri.query().is_some() || uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(refused("the URL has a query or a login"));
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if plain_http || is_loopback(bare) => {}
            Some("http") => {
                return Err(refused(
                    "the token and the readings would travel unencrypted",
                ));
            }
            _ => return Err(refused("the URL is neither https nor http")),
        }
        Ok(text.to_owned())
    }

    pub(super) fn tls(&self, raw: &raw::Tls) -> Result<TlsConfig> {
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

    pub(super) fn proxy(&self, proxy: &Spanned<raw::Proxy>) -> Result<ProxyConfig> {
        const FORM: &str = "\"http://HOST:PORT\"; the login stands in `user` and `password`";
        let raw = proxy.get_ref();
        let refused = |problem: &str| self.text.error(&raw.url.span(), problem, FORM);
        let at = ProxyConfig::at(raw.url.get_ref()).map_err(refused)?;
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
        Ok(ProxyConfig { login, ..at })
    }
}

/// The host of a URL without the brackets of an IPv6 address, which is one.
pub fn bare_host(host: &str) -> std::result::Result<&str, &'static str> {
    let Some(inside) = host.strip_prefix('[') else {
        return Ok(host);
    };
    inside
        .strip_suffix(']')
        .filter(|inside| inside.parse::<std::net::Ipv6Addr>().is_ok())
        .ok_or("there is no IPv6 address in the brackets")
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
