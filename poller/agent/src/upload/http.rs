//! The transport over HTTP/1.1: `POST /v1/reports` under the agent's key, to one host and port.

use std::time::Duration;

use codec::key::{Receipt, Refusal};
use ureq::Agent;
use ureq::config::Config;
use ureq::http::{HeaderMap, StatusCode, header};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, TcpConnector};
use ureq::{Proxy, ProxyProtocol};

use super::exchange;
use super::keys::{KeyFileError, Keys};
use super::tls::{TlsConnector, TlsError, client_config};
use super::{Outcome, Transport};
use crate::clock::Clock;
use crate::config::{ManagerConfig, Secret};
use crate::spool::Waiting;

/// Where reports are posted, below the manager's URL.
const PATH: &str = "/v1/reports";
/// A receipt has 300 bytes; with `need_full` for every device of a large report some 100 kB.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;
/// What of a foreign answer is quoted in a log line.
const QUOTED_CHARS_MAX: usize = 120;
/// Connecting takes longer than this only where nothing will come of it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Why the transport could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The proxy.
    #[error("the proxy's address cannot be used")]
    Proxy(#[source] ureq::Error),
}

/// The line to the manager: one host and port, directly or through a proxy.
pub(super) struct Line {
    agent: Agent,
    manager: String,
    clock: Clock,
}

impl Line {
    pub(super) fn new(manager: &ManagerConfig, clock: Clock) -> Result<Self, HttpError> {
        let proxy = match &manager.proxy {
            None => None,
            Some(proxy) => {
                let mut builder = Proxy::builder(ProxyProtocol::Http)
                    .host(&proxy.url_host())
                    .port(proxy.port);
                if let Some((user, password)) = &proxy.login {
                    builder = builder.username(user).password(password.reveal());
                }
                Some(builder.build().map_err(HttpError::Proxy)?)
            }
        };
        let config = Config::builder()
            .http_status_as_error(false)
            .https_only(manager.url.starts_with("https:"))
            // A redirect would carry the key elsewhere.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(manager.timeout))
            .timeout_connect(Some(CONNECT_TIMEOUT.min(manager.timeout)))
            .max_idle_connections_per_host(2 * manager.in_flight)
            .user_agent(concat!("platen-agent/", env!("CARGO_PKG_VERSION")))
            .proxy(proxy)
            .build();
        let tls = client_config(&manager.tls)?;
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(TlsConnector(tls.into()));
        Ok(Self {
            agent: Agent::with_parts(config, connector, DefaultResolver::default()),
            manager: manager.url.clone(),
            clock,
        })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.manager)
    }

    fn deliver(
        &self,
        report: &Waiting,
        key: &Secret,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), ureq::Error> {
        let response = self
            .agent
            .post(self.url(PATH))
            .header(header::AUTHORIZATION, format!("Bearer {}", key.reveal()))
            .header(header::CONTENT_TYPE, "application/xml")
            .header(header::CONTENT_ENCODING, report.meta.encoding.name())
            .header("Platen-Sent-At", self.clock.now().to_string())
            .header("Platen-Uptime-Ms", self.clock.uptime_ms().to_string())
            .send(&report.sealed[..])?;
        let (parts, mut body) = response.into_parts();
        let body = body.with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        Ok((parts.status, parts.headers, body))
    }

    /// One JSON document for another.
    pub(super) fn exchange(
        &self,
        path: &str,
        key: Option<&Secret>,
        document: &str,
    ) -> Result<(StatusCode, Vec<u8>), ureq::Error> {
        let mut request = self
            .agent
            .post(self.url(path))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", key.reveal()));
        }
        let (parts, mut body) = request.send(document)?.into_parts();
        let body = body.with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        Ok((parts.status, body))
    }
}

/// The way to the manager over HTTP.
pub struct HttpTransport {
    line: Line,
    keys: Keys,
}

impl HttpTransport {
    /// A transport to this manager. Connects when there is something to deliver.
    ///
    /// # Errors
    /// [`HttpError`] when certificates, proxy or key file cannot be used.
    pub fn new(manager: &ManagerConfig, clock: Clock) -> Result<Self, HttpError> {
        Ok(Self {
            line: Line::new(manager, clock)?,
            keys: Keys::open(&manager.token, manager.key_file.as_deref())?,
        })
    }

    /// One attempt with the present key, and which that was.
    fn attempt(&self, report: &Waiting) -> (Judged, Secret) {
        let key = self.keys.current();
        let judged = match self.line.deliver(report, &key) {
            Ok((status, headers, body)) => judge(report, status, &headers, &body, &self.line.clock),
            Err(error) => Judged::of(Outcome::Later {
                after: None,
                why: format!("{error} ({})", self.line.url(PATH)),
            }),
        };
        (judged, key)
    }
}

impl Transport for HttpTransport {
    fn deliver(&self, report: &Waiting) -> Outcome {
        let (mut judged, key) = self.attempt(report);
        if matches!(judged.outcome, Outcome::Unauthorised { .. }) {
            // Another report may have gone out under the next key meanwhile, or the manager knows an older one.
            let is_other = self.keys.current() != key;
            if is_other || exchange::heal(&self.line, &self.keys) {
                judged = self.attempt(report).0;
            }
        }
        if judged.renew_key {
            exchange::renew(&self.line, &self.keys, self.line.clock);
        }
        judged.outcome
    }

    fn shutdown(&self) {
        self.line.agent.clone().shutdown();
    }
}

/// What an answer means.
struct Judged {
    outcome: Outcome,
    /// The manager finds the agent's key old.
    renew_key: bool,
}

impl Judged {
    const fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            renew_key: false,
        }
    }
}

/// What an answer means for the report.
fn judge(
    report: &Waiting,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    clock: &Clock,
) -> Judged {
    let outcome = match status.as_u16() {
        200 => match serde_json::from_slice::<Receipt>(body) {
            Ok(receipt) if receipt.receipt == report.key => {
                return Judged {
                    outcome: Outcome::Delivered {
                        need_full: receipt.need_full,
                        need_again: receipt.need_again,
                    },
                    renew_key: receipt.renew_key,
                };
            }
            Ok(receipt) => Outcome::Later {
                after: None,
                why: format!("a receipt for another report: {:?}", receipt.receipt),
            },
            Err(_) => Outcome::Later {
                after: None,
                why: format!(
                    "answered 200 without a receipt: something between here and the manager answers for it ({})",
                    quoted(body)
                ),
            },
        },
        400 | 409 | 413 => match serde_json::from_slice::<Refusal>(body) {
            Ok(refusal)
                if refusal
                    .refused
                    .as_ref()
                    .is_none_or(|key| *key == report.key) =>
            {
                Outcome::Refused {
                    why: format!("{status}: {}: {}", refusal.reason, refusal.detail),
                }
            }
            _ => Outcome::RefusedUnsigned {
                why: format!(
                    "answered {status} without a refusal of this report ({})",
                    quoted(body)
                ),
            },
        },
        401 | 403 => Outcome::Unauthorised {
            why: match serde_json::from_slice::<Refusal>(body) {
                Ok(refusal) => format!(
                    "the manager does not let this agent in ({status}): {}. What was read waits in the spool",
                    refusal.detail
                ),
                Err(_) => format!(
                    "answered {status}: the manager does not accept this agent's id and token ({})",
                    quoted(body)
                ),
            },
        },
        _ => Outcome::Later {
            after: retry_after(headers, clock),
            why: format!("answered {status} ({})", quoted(body)),
        },
    };
    Judged::of(outcome)
}

/// `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap, clock: &Clock) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()?;
    let ms = at.as_millisecond() - clock.now().unix_ms;
    Some(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
}

/// The beginning of a foreign answer, on one line.
pub(super) fn quoted(body: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(&body[..body.len().min(4 * QUOTED_CHARS_MAX)])
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(QUOTED_CHARS_MAX)
        .collect();
    let text = text.trim();
    if text.is_empty() {
        "no text".to_owned()
    } else {
        format!("{text:?}")
    }
}
