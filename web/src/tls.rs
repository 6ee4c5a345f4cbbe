//! TLS from PEM files, with the crypto provider passed explicitly.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

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

    pub(crate) fn into_config(self) -> RustlsConfig {
        self.config
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
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
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
