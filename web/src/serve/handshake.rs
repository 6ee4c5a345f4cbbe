//! The TLS handshake of a connection: bounded in time, counted, and what it told of the client.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::middleware::AddExtension;
use axum::{Extension, Router};
use axum_server::accept::Accept;
use codec::id::AgentId;
use rustls::HandshakeKind;
use rustls::client::verify_server_name;
use rustls::server::ParsedCertificate;
use rustls_pki_types::{CertificateDer, DnsName, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Guard, Guarded};
use crate::connections::Connections;
use crate::limits::HANDSHAKE_TIMEOUT;
use crate::tls::{ClientCertificates, Tls};

/// What serves one connection's requests.
type Served = AddExtension<Router, ConnectInfo<SocketAddr>>;

/// Shakes hands with whom the [`Guard`] lets in.
#[derive(Clone)]
pub(super) struct Handshake {
    guard: Guard,
    tls: Tls,
    connections: Connections,
}

impl Handshake {
    pub(super) const fn new(guard: Guard, tls: Tls, connections: Connections) -> Self {
        Self {
            guard,
            tls,
            connections,
        }
    }

    fn shake<S: Send + 'static>(
        &self,
        stream: TcpStream,
        service: S,
    ) -> impl Future<Output = io::Result<(TlsStream<Guarded>, S)>> + Send + use<S> {
        let admitted = self.guard.accept(stream, service);
        let config = self.tls.config();
        let connections = self.connections.clone();
        async move {
            let (stream, service) = admitted.await?;
            let handshake = TlsAcceptor::from(config).accept(stream);
            let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake)
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            match shaken {
                Ok(stream) => {
                    let kind = stream.get_ref().1.handshake_kind();
                    connections.shook_hands(kind == Some(HandshakeKind::Resumed));
                    Ok((stream, service))
                }
                Err(error) => {
                    connections.handshake_failed(&error);
                    Err(error)
                }
            }
        }
    }
}

type Admission<S> = Pin<Box<dyn Future<Output = io::Result<(TlsStream<Guarded>, S)>> + Send>>;

impl<S: Send + 'static> Accept<TcpStream, S> for Handshake {
    type Stream = TlsStream<Guarded>;
    type Service = S;
    type Future = Admission<S>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        Box::pin(self.shake(stream, service))
    }
}

/// As [`Handshake`], and tells each request what certificate its client has shown.
#[derive(Clone)]
pub(super) struct Asking(pub(super) Handshake);

impl Accept<TcpStream, Served> for Asking {
    type Stream = TlsStream<Guarded>;
    type Service = Router;
    type Future = Admission<Router>;

    fn accept(&self, stream: TcpStream, service: Served) -> Self::Future {
        let shaken = self.0.shake(stream, service);
        let is_required = matches!(self.0.tls.clients(), ClientCertificates::Required(_));
        Box::pin(async move {
            let (stream, service) = shaken.await?;
            let certificates = stream.get_ref().1.peer_certificates();
            let client = Client {
                certificate: certificates
                    .and_then(<[_]>::first)
                    .map(|first| Arc::new(first.clone().into_owned())),
                is_required,
            };
            let told = Router::new()
                .fallback_service(service)
                .layer(Extension(client));
            Ok((stream, told))
        })
    }
}

/// What a client has shown of itself, on a listener that asks for certificates. Its chain was verified in the handshake.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    certificate: Option<Arc<CertificateDer<'static>>>,
    /// Whether agents must show one.
    is_required: bool,
}

/// Why a client is not let in as an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotShown {
    /// It has shown no certificate, and must.
    Nothing,
    /// It has shown somebody else's.
    Other,
}

impl Client {
    /// Whether it may speak for this agent: its certificate has the agent's id among its DNS names (subjectAltName).
    pub(crate) fn speaks_for(&self, agent: &AgentId) -> Result<(), NotShown> {
        let Some(certificate) = &self.certificate else {
            return if self.is_required {
                Err(NotShown::Nothing)
            } else {
                Ok(())
            };
        };
        let name = DnsName::try_from(agent.as_str()).map_err(|_| NotShown::Other)?;
        let parsed = ParsedCertificate::try_from(&**certificate).map_err(|_| NotShown::Other)?;
        verify_server_name(&parsed, &ServerName::DnsName(name)).map_err(|_| NotShown::Other)
    }
}
