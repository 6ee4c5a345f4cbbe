//! What every handler holds: the registry, the store, the configuration, and the bound on blocking calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use codec::time::Timestamp;
use ingest::Ingest;
use olap::Store;
use olap::ask::{FleetCounts, FleetRules};
use registry::{Branch, Registry};
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::connections::Connections;
use crate::failure::Failure;
use crate::limits::{BLOCKING_CALLS_MAX, COUNTS_KEPT_MS, REQUESTS_INFLIGHT_MAX};
use crate::metrics::Metrics;

/// The web layer's state. A clone is another handle to the same one.
#[derive(Clone)]
pub struct State {
    inner: Arc<Inner>,
}

pub struct Inner {
    pub(crate) registry: Registry,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ingest: Arc<Ingest>,
    pub(crate) soap: soap::Service,
    pub(crate) config: Config,
    pub(crate) metrics: Metrics,
    pub(crate) connections: Connections,
    pub(crate) started_at: Timestamp,
    pub(crate) admission: Semaphore,
    blocking: Arc<Semaphore>,
    counts: Mutex<HashMap<Branch, (Timestamp, FleetCounts)>>,
}

impl State {
    /// Wires the parts together. Called once, by the root program.
    #[must_use]
    pub fn new(
        registry: Registry,
        store: Arc<dyn Store>,
        ingest: Arc<Ingest>,
        soap: soap::Service,
        config: Config,
    ) -> Self {
        let connections = Connections::default();
        let metrics = Metrics::new(|registry| {
            connections.register(registry);
            ingest.register(registry);
        });
        Self {
            inner: Arc::new(Inner {
                registry,
                store,
                ingest,
                soap,
                config,
                metrics,
                connections,
                started_at: Timestamp::now(),
                admission: Semaphore::new(REQUESTS_INFLIGHT_MAX),
                blocking: Arc::new(Semaphore::new(BLOCKING_CALLS_MAX)),
                counts: Mutex::new(HashMap::new()),
            }),
        }
    }

    /// What the listeners of this manager count in.
    #[must_use]
    pub fn connections(&self) -> &Connections {
        &self.inner.connections
    }

    /// Runs a call of registry or store on a thread that may block; at most [`BLOCKING_CALLS_MAX`] run at once, others wait here.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Inner) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let permit = Arc::clone(&self.inner.blocking)
            .acquire_owned()
            .await
            .map_err(Failure::internal)?;
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || {
            let answer = call(&inner);
            drop(permit);
            answer
        })
        .await
        .map_err(Failure::internal)?
    }
}

impl std::ops::Deref for State {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

/// What is in the way of the door.
pub(crate) struct Hindered {
    /// A stable word.
    pub(crate) reason: &'static str,
    /// For whoever runs the house.
    pub(crate) detail: String,
}

impl Inner {
    /// How the fleet of a branch stands, at most [`COUNTS_KEPT_MS`] old: for the figures beside the menu, which every page shows.
    pub(crate) fn counts(&self, branch: Branch, now: Timestamp) -> Result<FleetCounts, Failure> {
        let known = self.counts_lock().get(&branch).copied();
        match known {
            Some((at, counts)) if (0..COUNTS_KEPT_MS).contains(&now.ms_since(at)) => Ok(counts),
            _ => self.counts_now(branch, now),
        }
    }

    /// How the fleet of a branch stands, asked now.
    pub(crate) fn counts_now(
        &self,
        branch: Branch,
        now: Timestamp,
    ) -> Result<FleetCounts, Failure> {
        let scope = self.registry.scope_of(branch);
        let counts = self.store.fleet_counts(&scope, &FleetRules::at(now))?;
        let mut known = self.counts_lock();
        known.retain(|_, (at, _)| now.ms_since(*at) < COUNTS_KEPT_MS);
        known.insert(branch, (now, counts));
        Ok(counts)
    }

    /// Whether the journal takes reports and what is durable comes into the store.
    pub(crate) fn journal(&self) -> Result<(), Hindered> {
        let hindrances = self.ingest.status().hindrances;
        let Some(first) = hindrances.first() else {
            return Ok(());
        };
        let mut sentences: Vec<String> = Vec::new();
        for hindrance in &hindrances {
            let what = if hindrance.is_of_taking {
                "reports are not taken"
            } else {
                "reports are not applied"
            };
            let mut sentence = format!("{what}: {}", hindrance.reason);
            if !hindrance.detail.is_empty() {
                sentence.push_str(&format!(" ({})", hindrance.detail));
            }
            sentences.push(sentence);
        }
        Err(Hindered {
            reason: first.reason,
            detail: sentences.join("; "),
        })
    }

    fn counts_lock(&self) -> std::sync::MutexGuard<'_, HashMap<Branch, (Timestamp, FleetCounts)>> {
        // A panic while it was held leaves at worst an old figure.
        self.counts
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}
