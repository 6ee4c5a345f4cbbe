//! One connection to a manager, HTTP/1.1 over TCP or TLS. Only what the load needs: requests with a known length, answers with a
//! `Content-Length`, no redirect, no compression.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use super::ReportsError;

/// The longest head of an answer.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// The longest body of an answer: `/metrics` has some 50 kB.
const BODY_BYTES_MAX: usize = 8 << 20;
/// How long a connection, its handshake included, and how long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Where the manager is, and how to reach it.
#[derive(Clone)]
pub struct Target {
    address: SocketAddr,
    host: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The connection could not be made, or broke.
    #[error("the connection")]
    Io(#[from] io::Error),
    /// Nothing came for a minute.
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
    /// What came is no answer that is understood here.
    #[error("what came is no HTTP answer that is understood here: {0}")]
    Answer(&'static str),
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// `Retry-After` in seconds, if it said so.
    pub retry_after: Option<Duration>,
    /// Its body.
    pub body: Vec<u8>,
    closes: bool,
}

/// What both TCP and TLS can do.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// An open connection.
pub struct Connection {
    wire: Box<dyn Wire>,
    buffer: Vec<u8>,
    open: bool,
}

impl Target {
    /// The manager at `url`. With `https`, `ca` is a PEM file of what is trusted. Only this machine is ever loaded: the address must be
    /// loopback.
    ///
    /// # Errors
    /// [`ReportsError`] for a URL that is none and certificates that cannot be read.
    pub fn new(url: &str, ca: Option<&Path>) -> Result<Self, ReportsError> {
        let refused = || ReportsError::Url(url.to_owned());
        let trimmed = url.trim_end_matches('/');
        let (is_tls, host) = match (
            trimmed.strip_prefix("https://"),
            trimmed.strip_prefix("http://"),
        ) {
            (Some(host), _) => (true, host),
            (None, Some(host)) => (false, host),
            (None, None) => return Err(refused()),
        };
        let address = host
            .to_socket_addrs()
            .ok()
            .and_then(|mut all| all.find(|address| address.ip().is_loopback()))
            .ok_or_else(refused)?;
        let tls = if is_tls {
            let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
            let name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned())
                .map_err(|_| refused())?;
            Some((TlsConnector::from(Arc::new(client_config(ca)?)), name))
        } else {
            None
        };
        Ok(Self {
            address,
            host: host.to_owned(),
            tls,
        })
    }

    /// Opens a connection; over TLS with a full handshake, nothing resumed.
    ///
    /// # Errors
    /// [`HttpError`].
    pub async fn connect(&self) -> Result<Connection, HttpError> {
        within(async { self.wrap(TcpStream::connect(self.address).await?).await }).await
    }

    /// The same from an address of its own within 127.0.0.0/8 for each number, as agents have; over IPv6 all have the same.
    ///
    /// # Errors
    /// [`HttpError`].
    pub async fn connect_as(&self, number: u32) -> Result<Connection, HttpError> {
        if self.address.is_ipv6() {
            return self.connect().await;
        }
        within(async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(source(number), 0))?;
            self.wrap(socket.connect(self.address).await?).await
        })
        .await
    }

    async fn wrap(&self, stream: TcpStream) -> Result<Connection, HttpError> {
        stream.set_nodelay(true)?;
        let wire: Box<dyn Wire> = match &self.tls {
            None => Box::new(stream),
            Some((connector, name)) => Box::new(connector.connect(name.clone(), stream).await?),
        };
        Ok(Connection {
            wire,
            buffer: Vec::new(),
            open: true,
        })
    }

    /// The head of a request, to which its body is appended.
    pub(super) fn head(&self, method: &str, path: &str, headers: &str, length: usize) -> Vec<u8> {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: loadtest\r\nContent-Length: {length}\r\n{headers}\r\n",
            self.host
        )
        .into_bytes()
    }
}

/// 127.30.0.1 and so on, without addresses that end in 0 or 255.
fn source(number: u32) -> IpAddr {
    const FIRST: u32 = 0x7f1e_0000;
    // Some 57,000 addresses: more agents share them.
    let number = number % (224 * 254);
    Ipv4Addr::from(FIRST + number / 254 * 256 + number % 254 + 1).into()
}

fn client_config(ca: Option<&Path>) -> Result<ClientConfig, ReportsError> {
    let path = ca.unwrap_or(Path::new("(no --ca given)"));
    let refused = |problem: String| ReportsError::Certificates {
        path: path.to_owned(),
        problem,
    };
    let mut roots = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| refused(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| refused(error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Every connection is one that was never there before: that is what a herd is.
    config.resumption = Resumption::disabled();
    Ok(config)
}

async fn within<T>(work: impl Future<Output = Result<T, HttpError>>) -> Result<T, HttpError> {
    tokio::time::timeout(TIMEOUT, work)
        .await
        .unwrap_or(Err(HttpError::Timeout))
}

impl Connection {
    /// Whether another request can be sent.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// Sends a request, head and body, and reads its answer. After an error the connection is of no use.
    ///
    /// # Errors
    /// [`HttpError`].
    pub async fn ask(&mut self, head: &[u8], body: &[u8]) -> Result<Answer, HttpError> {
        self.open = false;
        let answer = within(async {
            self.wire.write_all(head).await?;
            self.wire.write_all(body).await?;
            self.wire.flush().await?;
            self.read().await
        })
        .await?;
        self.open = !answer.closes;
        Ok(answer)
    }

    async fn read(&mut self) -> Result<Answer, HttpError> {
        let mut head_end = None;
        while head_end.is_none() {
            if self.buffer.len() > HEAD_BYTES_MAX {
                return Err(HttpError::Answer("its head is too long"));
            }
            self.more().await?;
            head_end = self.buffer.windows(4).position(|four| four == b"\r\n\r\n");
        }
        let body_at = head_end.unwrap_or(0) + 4;
        let head = String::from_utf8_lossy(&self.buffer[..body_at]).into_owned();
        let (mut answer, length) = read_head(&head)?;
        while self.buffer.len() < body_at + length {
            self.more().await?;
        }
        answer.body = self.buffer[body_at..body_at + length].to_vec();
        self.buffer.drain(..body_at + length);
        Ok(answer)
    }

    async fn more(&mut self) -> Result<(), HttpError> {
        if self.wire.read_buf(&mut self.buffer).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(())
    }
}

/// Status and headers; the body is still to be read, and has the length that comes beside.
fn read_head(head: &str) -> Result<(Answer, usize), HttpError> {
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .ok_or(HttpError::Answer("no status line"))?;
    let mut answer = Answer {
        status,
        retry_after: None,
        body: Vec::new(),
        closes: false,
    };
    let mut length = None;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse::<usize>().ok();
        } else if name.eq_ignore_ascii_case("retry-after") {
            answer.retry_after = value.parse().ok().map(Duration::from_secs);
        } else if name.eq_ignore_ascii_case("connection") {
            answer.closes = value.eq_ignore_ascii_case("close");
        }
    }
    match length {
        Some(length) if length <= BODY_BYTES_MAX => Ok((answer, length)),
        Some(_) => Err(HttpError::Answer("its body is too long")),
        None => Err(HttpError::Answer("no Content-Length")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_and_a_broken_one_is_refused() {
        let head = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nConnection: close\r\nContent-Length: 6\r\n\r\n";
        let (answer, length) = read_head(head).unwrap();
        assert_eq!((answer.status, length, answer.closes), (503, 6, true));
        assert_eq!(answer.retry_after, Some(Duration::from_secs(5)));
        assert!(read_head("SSH-2.0\r\n\r\n").is_err());
        assert!(read_head("HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(read_head("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n").is_err());
    }

    #[test]
    fn agents_come_from_addresses_of_their_own() {
        let all: std::collections::HashSet<_> = (0..50_000).map(source).collect();
        assert_eq!(all.len(), 50_000);
        assert!(all.iter().all(IpAddr::is_loopback));
    }

    #[test]
    fn only_this_machine_is_loaded() {
        assert!(Target::new("http://127.0.0.1:8000/", None).is_ok());
        assert!(Target::new("http://192.0.2.1:8000", None).is_err());
        assert!(Target::new("ftp://127.0.0.1:1", None).is_err());
        assert!(
            Target::new("https://127.0.0.1:8000", None).is_err(),
            "nothing is trusted"
        );
    }
}
