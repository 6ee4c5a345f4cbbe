//! A manager, wired once, in start order: registry, store, ingest, SOAP, web. Stopping is the reverse.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use ingest::{Ingest, IngestConfig};
use olap::Store;
use olap::duck::{DuckOptions, DuckStore};
use registry::Registry;
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info};
use web::{Tls, TlsFiles};

use crate::config::{self, JournalConfig};
use crate::failure::{Doing, Failure};

/// How often the certificate's files are looked at for a change.
const CERTIFICATE_CHECK: std::time::Duration = std::time::Duration::from_secs(5);

/// What a manager needs to know.
pub struct ManagerConfig<'a> {
    /// Where everything lives.
    pub data: &'a Path,
    /// The store.
    pub store: &'a DuckOptions,
    /// The journal.
    pub journal: &'a JournalConfig,
    /// When silence is worth an alert.
    pub silence: ingest::SilenceRules,
    /// The web layer.
    pub web: web::Config,
}

/// A running manager.
pub struct Manager {
    /// Tenants, accounts, agents.
    pub registry: Registry,
    /// Measurements.
    pub store: Arc<dyn Store>,
    ingest: Arc<Ingest>,
    state: web::State,
    stop: watch::Sender<bool>,
    serving: Vec<JoinHandle<()>>,
}

/// Opens the registry below `data`, making the folder when it is missing.
pub fn open_registry(data: &Path) -> Result<Registry, Failure> {
    std::fs::create_dir_all(data).doing(|| format!("make the data folder {}", data.display()))?;
    let path = config::registry_path(data);
    Registry::open(&path).doing(|| format!("open the registry {}", path.display()))
}

/// How the door of a manager behaves whose data are in `data`.
pub fn ingest_config(data: &Path, journal: &JournalConfig) -> IngestConfig {
    let mut config = IngestConfig::new(data.to_owned());
    config.disk = journal.disk;
    config.shards = journal.shards.unwrap_or(config.shards);
    config.evidence_days = journal.evidence_days.unwrap_or(config.evidence_days);
    config.evidence_bytes_max = journal
        .evidence_bytes_max
        .unwrap_or(config.evidence_bytes_max);
    config
}

/// Connections that the system accepts before the program does: a thousand agents that come back within a moment. Beyond, a client hears
/// nothing and knocks again after a second.
const BACKLOG: u32 = 2048;

/// Binds a listener, with an error that says what to do when the port is taken. Called within the runtime.
pub fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let listen = || -> std::io::Result<TcpListener> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        // As the standard library does: a port whose last connections are still dying is free. On Windows it would mean something else.
        if cfg!(unix) {
            socket.set_reuseaddr(true)?;
        }
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    listen().doing(|| {
        format!("listen on {address} (if another program has the port, choose another one)")
    })
}

impl Manager {
    /// Opens everything and starts applying what the journal holds. Nothing is served yet.
    pub fn start(config: ManagerConfig<'_>) -> Result<Self, Failure> {
        let registry = open_registry(config.data)?;
        let path = config::store_path(config.data);
        let store: Arc<dyn Store> = Arc::new(
            DuckStore::open(&path, config.store)
                .doing(|| format!("open the store {}", path.display()))?,
        );
        let mut ingesting = ingest_config(config.data, config.journal);
        ingesting.silence = config.silence;
        let ingest = Ingest::start(ingesting, registry.clone(), store.clone())
            .map(Arc::new)
            .doing(|| format!("start the journal in {}", config.data.display()))?;
        let soap = soap::Service::new(registry.clone(), store.clone(), &config.web.public_url);
        let state = web::State::new(
            registry.clone(),
            store.clone(),
            ingest.clone(),
            soap,
            config.web,
        );
        Ok(Self {
            registry,
            store,
            ingest,
            state,
            stop: watch::channel(false).0,
            serving: Vec::new(),
        })
    }

    /// Serves on one more listener; a runtime must be running. Returns where it listens.
    pub fn serve(
        &mut self,
        listener: TcpListener,
        tls: Option<TlsFiles>,
    ) -> Result<SocketAddr, Failure> {
        let address = listener
            .local_addr()
            .doing(|| "read the listener's address".to_owned())?;
        let tls = tls
            .map(|files| {
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let tls = Tls::load(files, provider).doing(|| "set up HTTPS".to_owned())?;
                let connections = self.state.connections().clone();
                let (following, stopped) = (tls.clone(), self.stopped());
                self.serving.push(tokio::spawn(async move {
                    tokio::select! {
                        () = following.follow(connections, CERTIFICATE_CHECK) => {}
                        () = stopped => {}
                    }
                }));
                Ok::<_, Failure>(tls)
            })
            .transpose()?;
        let router = web::router(self.state.clone());
        let connections = self.state.connections().clone();
        let serving = web::serve(listener, tls, router, connections, self.stopped());
        self.serving.push(tokio::spawn(async move {
            if let Err(error) = serving.await {
                error!(%address, %error, "no longer serving");
            }
        }));
        info!(%address, "serving");
        Ok(address)
    }

    /// Lets requests finish, then the journal, then the store.
    pub async fn stop(self) {
        // Nobody listens when nothing was served.
        let _ = self.stop.send(true);
        for task in self.serving {
            if let Err(error) = task.await {
                error!(%error, "a server task failed");
            }
        }
        drop(self.state);
        let ingest = self.ingest;
        let store = self.store;
        let stopping = tokio::task::spawn_blocking(move || {
            ingest.stop();
            drop(store);
        });
        if let Err(error) = stopping.await {
            error!(%error, "the journal did not stop cleanly; nothing acknowledged is lost");
        }
    }

    fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut receiver = self.stop.subscribe();
        async move {
            // An error means that the manager is gone, which is an end too.
            let _ = receiver.wait_for(|stopped| *stopped).await;
        }
    }
}
