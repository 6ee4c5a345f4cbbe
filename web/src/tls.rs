//! TLS 1.2 and 1.3 from PEM files, with the crypto provider passed explicitly.
//!
//! What always holds: a changed file is taken over as a whole with those beside it, or not at all; while the files cannot be used, the
//! ones before are served, and the log, `/healthz` and a metric say so.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum_server::tls_rustls::RustlsConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::connections::Connections;
use crate::failure::chain;

/// A certificate with its key, ready to serve; cheap to clone, and every clone follows a [`Tls::reload`].
#[derive(Clone, Debug)]
pub struct Tls {
    config: RustlsConfig,
    provider: Arc<CryptoProvider>,
    files: TlsFiles,
}

/// Where the PEM files are.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate chain, the server's own first.
    pub certificates: PathBuf,
    /// Its private key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
    /// Whether clients are asked for a certificate.
    pub clients: ClientCertificates,
}

/// Whether clients are asked for a certificate, and by whom it must be signed. At the level of TLS it is always optional, so that people's
/// browsers come in without; who must show one is decided at the agents' door (see `door.rs`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Nobody is asked.
    #[default]
    Off,
    /// Whoever has one shows it; an agent's must be its own.
    Optional(PathBuf),
    /// Agents are let in only with their own.
    Required(PathBuf),
}

impl ClientCertificates {
    fn authorities(&self) -> Option<&Path> {
        match self {
            Self::Off => None,
            Self::Optional(path) | Self::Required(path) => Some(path),
        }
    }
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds no PEM of the kind expected.
    #[error("cannot read {what} from {}", path.display())]
    Read {
        /// Certificates or key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// The file has no certificate in it.
    #[error("no certificate in {}", .0.display())]
    Empty(PathBuf),
    /// Key and certificate do not fit, or the provider supports neither.
    #[error("the certificate and key cannot be used")]
    Unusable(#[source] rustls::Error),
    /// The clients' authorities cannot be used.
    #[error("the clients' certificate authorities in {} cannot be used", path.display())]
    Clients {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] names the file or the misfit.
    pub fn load(files: TlsFiles, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let config = server_config(&files, &provider)?;
        Ok(Self {
            config: RustlsConfig::from_config(Arc::new(config)),
            provider,
            files,
        })
    }

    /// Reads the files again: connections from now on get the new certificate. On an error the old one stays.
    ///
    /// # Errors
    /// [`TlsError`] names the file or the misfit.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = server_config(&self.files, &self.provider)?;
        self.config.reload_from_config(Arc::new(config));
        Ok(())
    }

    /// Looks at the files `every` so often and takes changed ones over, until it is dropped. Files that cannot be used are tried again each
    /// time: somebody may be writing them.
    pub async fn follow(self, connections: Connections, every: Duration) {
        let mut seen = self.files.stamps();
        let mut is_used = true;
        loop {
            tokio::time::sleep(every).await;
            let now = self.files.stamps();
            if now == seen && is_used {
                continue;
            }
            seen = now;
            let result = self.reload();
            is_used = result.is_ok();
            let fault = result.err().map(|error| chain(&error));
            match (connections.certificate_reloaded(fault.clone()), fault) {
                (true, None) => tracing::info!("the changed certificate is in use"),
                (true, Some(fault)) => {
                    tracing::warn!(
                        fault,
                        "the changed certificate cannot be used; the one before is still served"
                    );
                }
                (false, _) => {}
            }
        }
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.get_inner()
    }

    pub(crate) const fn clients(&self) -> &ClientCertificates {
        &self.files.clients
    }
}

impl TlsFiles {
    /// What tells a changed file from the one before, for each file.
    fn stamps(&self) -> Vec<Option<(SystemTime, u64)>> {
        let files = [Some(&*self.certificates), Some(&*self.key)];
        files
            .into_iter()
            .chain([self.clients.authorities()])
            .flatten()
            .map(|path| {
                let file = std::fs::metadata(path).ok()?;
                Some((file.modified().ok()?, file.len()))
            })
            .collect()
    }
}

fn server_config(
    files: &TlsFiles,
    provider: &Arc<CryptoProvider>,
) -> Result<ServerConfig, TlsError> {
    let chain = read_certificates(&files.certificates)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|source| TlsError::Read {
        what: "the private key",
        path: files.key.clone(),
        source,
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?;
    let builder = match files.clients.authorities() {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let unusable = |source| TlsError::Clients {
                path: path.to_owned(),
                source,
            };
            let mut roots = RootCertStore::empty();
            for authority in read_certificates(path)? {
                roots
                    .add(authority)
                    .map_err(|error| unusable(error.into()))?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider))
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| unusable(error.into()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(TlsError::Unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Whoever comes again within hours shows a ticket instead of shaking hands in full: a herd of agents costs no memory and few
    // signatures. The key of the tickets changes with the files, so that none outlives the authority it was given under.
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(TlsError::Unusable)?;
    Ok(config)
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = |source| TlsError::Read {
        what: "certificates",
        path: path.to_owned(),
        source,
    };
    let chain = CertificateDer::pem_file_iter(path)
        .map_err(read)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(read)?;
    if chain.is_empty() {
        return Err(TlsError::Empty(path.to_owned()));
    }
    Ok(chain)
}
