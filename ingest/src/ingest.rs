//! The door: starts the shards and the applier, takes deliveries, stops.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use codec::id::{AgentId, Scope};
use codec::key::{ContentHash, Receipt, Refusal};
use journal::Position;
use olap::{ReadingId, Store, StoreError};
use registry::Registry;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::apply::bases::Bases;
use crate::apply::engine::{ApplyError, Engine, Places};
use crate::apply::{Applier, Needs};
use crate::config::IngestConfig;
use crate::decode::{Decoded, Decoder, Decoders, Undecodable};
use crate::delivery::{Delivery, Rejection};
use crate::evidence::{self, Evidence, EvidenceError};
use crate::feed::{Feed, Order};
use crate::metrics::IngestMetrics;
use crate::quarantine::Quarantine;
use crate::record::ReportMeta;
use crate::shard::{DiskFactory, Job, Shard, ShardError, ShardParts, ShardShared};

/// What an agent is told to wait when a queue is full: a second clears most of what can queue.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(2);
/// Bytes per permit of the in-flight semaphore, whose permits are counted in 32 bits.
const PERMIT_BYTES: usize = 1024;

/// Why the door could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A folder could not be made or read.
    #[error("preparing {path} failed")]
    Folder {
        /// The folder or file.
        path: std::path::PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A shard's journal could not be opened.
    #[error("opening the journal failed")]
    Shard(#[from] ShardError),
    /// The store did not say what it has.
    #[error("asking the store what it has failed")]
    Store(#[from] StoreError),
    /// The applier could not load what it starts from.
    #[error("loading what the applier starts from failed")]
    Load(#[from] ApplyError),
    /// A rebuild was asked for into a store that has something.
    #[error("the store is not empty: rebuild into a new one")]
    NotEmpty,
    /// The registry did not forget the identities that a rebuild derives anew.
    #[error("preparing the registry for a rebuild failed")]
    Registry(#[from] registry::Error),
    /// A thread could not be started.
    #[error("starting a thread failed")]
    Thread(#[source] std::io::Error),
}

/// The door of the manager.
pub struct Ingest {
    config: IngestConfig,
    decoders: Arc<Decoders>,
    quarantine: Arc<Quarantine>,
    metrics: IngestMetrics,
    reports: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    shards: Vec<Arc<ShardShared>>,
    jobs: Mutex<Option<Vec<SyncSender<Job>>>>,
    order: Arc<Order>,
    store: Arc<dyn Store>,
    disks: DiskFactory,
    stopping: Arc<AtomicBool>,
    shard_threads: Mutex<Vec<JoinHandle<()>>>,
    applier_thread: Mutex<Option<JoinHandle<()>>>,
}

impl Ingest {
    /// Opens the journals, reads what they and the store know, and starts to apply what is not applied yet.
    ///
    /// # Errors
    /// [`StartError`]; damaged contents are no error.
    pub fn start(
        config: IngestConfig,
        registry: Registry,
        store: Arc<dyn Store>,
    ) -> Result<Self, StartError> {
        let choice = config.disk;
        let writing: DiskFactory = Arc::new(move |folder| journal::disk::open(folder, choice));
        // What is read was written lately and is in memory, or is read once: a ring would gain nothing.
        let reading: DiskFactory = Arc::new(|folder| {
            Ok(Box::new(journal::StdDisk::open(folder)?) as Box<dyn journal::Disk>)
        });
        Self::start_on_both(config, registry, store, writing, reading)
    }

    /// As [`Ingest::start`], on disks of the caller's making: simulated ones, for tests.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start_on(
        config: IngestConfig,
        registry: Registry,
        store: Arc<dyn Store>,
        disks: DiskFactory,
    ) -> Result<Self, StartError> {
        let reading = Arc::clone(&disks);
        Self::start_on_both(config, registry, store, disks, reading)
    }

    fn start_on_both(
        config: IngestConfig,
        registry: Registry,
        store: Arc<dyn Store>,
        writing: DiskFactory,
        reading: DiskFactory,
    ) -> Result<Self, StartError> {
        let journal_folder = config.folder.join("journal");
        let shard_count = fixed_shard_count(&journal_folder, config.shards)?;
        let quarantine_folder = config.folder.join("quarantine");
        let quarantine = Quarantine::open(
            &quarantine_folder,
            config.quarantine_reports_max,
            config.quarantine_bytes_max,
        )
        .map_err(|source| StartError::Folder {
            path: quarantine_folder,
            source,
        })?;
        let metrics = IngestMetrics::default();
        let needs = Arc::new(Needs::default());
        let positions = store.positions()?;
        let order = Arc::new(Order::new(Places::stamp_after(positions.next_place).max(1)));
        let parts = ShardParts {
            config: config.clone(),
            disks: writing,
            order: Arc::clone(&order),
            metrics: metrics.clone(),
            needs: Arc::clone(&needs),
        };
        let mut shards = Vec::new();
        let mut jobs = Vec::new();
        let mut shard_threads = Vec::new();
        for number in 0..shard_count {
            let applied = positions.shards.get(&number).copied().unwrap_or(0);
            let folder = journal_folder.join(format!("shard-{number:02}"));
            let (sender, shared, thread) =
                start_shard(number, folder, Position::unpacked(applied), parts.clone())?;
            shards.push(shared);
            jobs.push(sender);
            shard_threads.push(thread);
        }
        recall_streams(store.as_ref(), &shards)?;
        let bases = Bases::new(
            shards.clone(),
            Arc::clone(&reading),
            Decoder::new(config.inflated_bytes_max),
        );
        let engine = Engine::load(registry, store.as_ref(), needs, bases, metrics.clone())?;
        tracing::info!(
            shards = shard_count,
            devices = engine.device_count(),
            next_stamp = order.stamp_now(),
            "ingest is open"
        );
        let stopping = Arc::new(AtomicBool::new(false));
        let applier = ApplierParts {
            engine,
            store: Arc::clone(&store),
            shards: shards.clone(),
            order: Arc::clone(&order),
            disks: Arc::clone(&reading),
            stopping: Arc::clone(&stopping),
            config: config.clone(),
            metrics: metrics.clone(),
        };
        let applier_thread = std::thread::Builder::new()
            .name("ingest-apply".to_owned())
            .spawn(move || applier.make().run())
            .map_err(StartError::Thread)?;
        Ok(Self {
            decoders: Arc::new(Decoders::new(config.decoders, config.inflated_bytes_max)),
            quarantine: Arc::new(quarantine),
            reports: Arc::new(Semaphore::new(config.inflight_reports_max)),
            bytes: Arc::new(Semaphore::new(config.inflight_bytes_max / PERMIT_BYTES)),
            config,
            metrics,
            shards,
            jobs: Mutex::new(Some(jobs)),
            order,
            store,
            disks: reading,
            stopping,
            shard_threads: Mutex::new(shard_threads),
            applier_thread: Mutex::new(Some(applier_thread)),
        })
    }

    /// Takes a report: returns its receipt once its bytes are durable.
    ///
    /// # Errors
    /// [`Rejection`]: nothing of it was kept, or (malformed) only in quarantine.
    pub async fn accept(&self, delivery: Delivery) -> Result<Receipt, Rejection> {
        let bytes = delivery.body.len();
        self.metrics.inflight_reports.inc();
        self.metrics.inflight_bytes.inc_by(bytes as i64);
        let result = self.accept_counted(delivery).await;
        self.metrics.inflight_reports.dec();
        self.metrics.inflight_bytes.dec_by(bytes as i64);
        if let Err(rejection) = &result {
            self.metrics.reject(rejection.word());
        }
        result
    }

    async fn accept_counted(&self, delivery: Delivery) -> Result<Receipt, Rejection> {
        if delivery.body.len() > self.config.body_bytes_max {
            return Err(Rejection::TooLarge(Box::new(Refusal {
                refused: None,
                reason: "too-large".to_owned(),
                detail: format!(
                    "the body has {} bytes, at most {} are taken",
                    delivery.body.len(),
                    self.config.body_bytes_max
                ),
            })));
        }
        let permits = self.admit(delivery.body.len())?;
        let decoded = self.decode(&delivery).await?;
        let sealed_by = &decoded.report.header.agent;
        if *sealed_by != delivery.agent {
            return Err(Rejection::WrongAgent {
                delivered_by: delivery.agent,
                sealed_by: sealed_by.clone(),
            });
        }
        let (reply, receipt) = oneshot::channel();
        let shard = shard_of(&delivery.agent, self.shards.len());
        let job = Job {
            meta: ReportMeta {
                key: decoded.key(),
                encoding: delivery.encoding,
                received_at: delivery.received_at,
                sent_at: delivery.sent_at,
                uptime_ms: delivery.uptime_ms,
            },
            body: delivery.body,
            decoded,
            reply,
            permits,
        };
        self.send(shard, job)?;
        receipt.await.unwrap_or_else(|_| Err(busy("stopping")))
    }

    /// Room for one more report of `bytes`, or 503.
    fn admit(&self, bytes: usize) -> Result<[OwnedSemaphorePermit; 2], Rejection> {
        let report = Arc::clone(&self.reports)
            .try_acquire_owned()
            .map_err(|_| busy("too-many-reports"))?;
        let units = u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        let bytes = Arc::clone(&self.bytes)
            .try_acquire_many_owned(units)
            .map_err(|_| busy("too-many-bytes"))?;
        Ok([report, bytes])
    }

    /// Inflates and parses on a blocking thread; what is malformed goes into quarantine.
    async fn decode(&self, delivery: &Delivery) -> Result<Box<Decoded>, Rejection> {
        let permit = self.decoders.permit().await;
        let decoders = Arc::clone(&self.decoders);
        let quarantine = Arc::clone(&self.quarantine);
        let metrics = self.metrics.clone();
        let delivery = delivery.clone();
        let work = tokio::task::spawn_blocking(move || {
            let result = decoders.with(|decoder| decoder.decode(delivery.encoding, &delivery.body));
            result.map(Box::new).map_err(|error| {
                keep_refused(&quarantine, &delivery, &error);
                metrics.quarantined.set(quarantine.size().0 as i64);
                Rejection::Malformed(Box::new(error.refusal()))
            })
        });
        let decoded = work.await;
        drop(permit);
        // A decoder that panicked is a fault of ours: the report is refused as one that cannot be read, and kept.
        decoded.unwrap_or_else(|error| {
            tracing::error!(%error, "a decoder failed");
            Err(busy("decoder-failed"))
        })
    }

    fn send(&self, shard: usize, job: Job) -> Result<(), Rejection> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = jobs.as_ref().and_then(|jobs| jobs.get(shard)) else {
            return Err(busy("stopping"));
        };
        sender.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => busy("shard-full"),
            TrySendError::Disconnected(_) => busy("stopping"),
        })
    }

    /// Stops taking reports, answers those on their way, applies everything that is durable, and ends. Blocks; may be called twice.
    pub fn stop(&self) {
        let jobs = self
            .jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(jobs);
        let threads = std::mem::take(
            &mut *self
                .shard_threads
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a journal thread failed");
            }
        }
        self.stopping.store(true, SeqCst);
        self.order.wake();
        let applier = self
            .applier_thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if applier.is_some_and(|applier| applier.join().is_err()) {
            tracing::error!("the applier's thread failed");
        }
    }

    /// The report that a reading was first read from; `None` when the reading is not known in `scope`, or when its bytes are kept no
    /// longer. Blocks.
    ///
    /// # Errors
    /// When the store or the journal fails.
    pub fn evidence(
        &self,
        scope: &Scope,
        reading: &ReadingId,
    ) -> Result<Option<Evidence>, EvidenceError> {
        evidence::find(
            scope,
            reading,
            self.store.as_ref(),
            &self.shards,
            &self.disks,
        )
    }

    /// The door's metrics.
    #[must_use]
    pub const fn metrics(&self) -> &IngestMetrics {
        &self.metrics
    }

    /// Adds the door's metrics to `registry`.
    pub fn register(&self, registry: &mut prometheus_client::registry::Registry) {
        self.metrics.register(registry);
    }

    /// How the door is doing.
    #[must_use]
    pub fn status(&self) -> IngestStatus {
        let (quarantined_reports, quarantined_bytes) = self.quarantine.size();
        let is_applying = self
            .applier_thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .is_some_and(|thread| !thread.is_finished());
        IngestStatus {
            is_taking: self.shards.iter().all(|shard| shard.is_writable())
                && !self.stopping.load(SeqCst),
            is_applying,
            is_caught_up: self.shards.iter().all(|shard| shard.is_caught_up()),
            quarantined_reports,
            quarantined_bytes,
            gaps: self.gaps(),
        }
    }

    /// Numbers that agents skipped and that have not come, by agent and stream.
    fn gaps(&self) -> Vec<StreamGaps> {
        let mut gaps = Vec::new();
        for shard in &self.shards {
            let ledger = shard.ledger();
            gaps.extend(
                ledger
                    .gaps()
                    .map(|(agent, (epoch, stream), ledger)| StreamGaps {
                        agent: agent.clone(),
                        epoch: epoch.to_string(),
                        stream: stream.name(),
                        ranges: ledger.gaps.iter().map(|gap| (gap.from, gap.to)).collect(),
                    }),
            );
        }
        gaps.sort_by(|a, b| (&a.agent, &a.epoch, a.stream).cmp(&(&b.agent, &b.epoch, b.stream)));
        gaps
    }
}

/// Replays everything that the journal in `config.folder` still has into `store`, which must be empty, and returns when all of it is
/// applied. Identities are derived anew; what people decided stays.
///
/// # Errors
/// [`StartError`]; [`StartError::NotEmpty`] when the store has something.
pub fn rebuild(
    config: IngestConfig,
    registry: Registry,
    store: Arc<dyn Store>,
) -> Result<(), StartError> {
    if store.positions()?.next_place > 0 {
        return Err(StartError::NotEmpty);
    }
    registry.forget_identities()?;
    // Stopping applies everything first.
    Ingest::start(config, registry, store)?.stop();
    Ok(())
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.stop();
    }
}

/// How the door is doing: for `/healthz` and the manager's own page.
#[derive(Clone, Debug, Serialize)]
pub struct IngestStatus {
    /// Whether every journal takes reports.
    pub is_taking: bool,
    /// Whether the applier runs.
    pub is_applying: bool,
    /// Whether everything durable is applied.
    pub is_caught_up: bool,
    /// Refused reports kept for inspection.
    pub quarantined_reports: usize,
    /// Their bytes.
    pub quarantined_bytes: u64,
    /// Numbers that agents skipped.
    pub gaps: Vec<StreamGaps>,
}

/// Numbers that one stream skipped.
#[derive(Clone, Debug, Serialize)]
pub struct StreamGaps {
    /// The agent.
    pub agent: AgentId,
    /// Its spool.
    pub epoch: String,
    /// The stream.
    pub stream: &'static str,
    /// Missing ranges, inclusive.
    pub ranges: Vec<(u64, u64)>,
}

/// What the applier's thread makes its disks and readers of: they belong to the thread that made them.
struct ApplierParts {
    engine: Engine,
    store: Arc<dyn Store>,
    shards: Vec<Arc<ShardShared>>,
    order: Arc<Order>,
    disks: DiskFactory,
    stopping: Arc<AtomicBool>,
    config: IngestConfig,
    metrics: IngestMetrics,
}

impl ApplierParts {
    fn make(self) -> Applier {
        let decoder = Decoder::new(self.config.inflated_bytes_max);
        Applier {
            feed: Feed::new(
                self.shards.clone(),
                Arc::clone(&self.order),
                self.disks,
                decoder,
                self.metrics.clone(),
            ),
            engine: self.engine,
            store: self.store,
            shards: self.shards,
            order: self.order,
            stopping: self.stopping,
            config: self.config,
            metrics: self.metrics,
            covered: HashMap::new(),
        }
    }
}

type StartedShard = (SyncSender<Job>, Arc<ShardShared>, JoinHandle<()>);

/// Starts a shard's thread and waits until its journal is open.
fn start_shard(
    number: u16,
    folder: std::path::PathBuf,
    applied: Position,
    parts: ShardParts,
) -> Result<StartedShard, StartError> {
    let (sender, jobs) = sync_channel(parts.config.inflight_reports_max);
    let (opened, is_open) = sync_channel(1);
    let order = Arc::clone(&parts.order);
    let thread = std::thread::Builder::new()
        .name(format!("journal-{number}"))
        .spawn(move || match Shard::open(number, folder, applied, parts) {
            Ok((mut shard, stamp_next)) => {
                // The other end waits for exactly this.
                let _ = opened.send(Ok((shard.shared(), stamp_next)));
                shard.run(&jobs);
            }
            Err(error) => {
                let _ = opened.send(Err(error));
            }
        })
        .map_err(StartError::Thread)?;
    let (shared, stamp_next) = is_open.recv().map_err(|_| {
        StartError::Thread(std::io::Error::other("the journal's thread ended early"))
    })??;
    order.raise(stamp_next);
    Ok((sender, shared, thread))
}

/// What the store has applied is there, even where the journal that said so is gone.
fn recall_streams(store: &dyn Store, shards: &[Arc<ShardShared>]) -> Result<(), StoreError> {
    for applied in store.streams()? {
        let shard = &shards[shard_of(&applied.agent, shards.len())];
        shard.ledger().raise(
            &applied.agent,
            (applied.epoch, applied.stream),
            applied.sequence,
        );
    }
    Ok(())
}

/// The number of shards that the folder was made with; `wanted` for a new one.
fn fixed_shard_count(folder: &Path, wanted: u16) -> Result<u16, StartError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| StartError::Folder { path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    let file = folder.join("shards");
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            let count = text.trim().parse().ok().filter(|count| *count > 0);
            let count = count.ok_or_else(|| std::io::Error::other("not a number of shards"));
            let count = count.map_err(failed(&file))?;
            if count != wanted {
                tracing::info!(
                    count,
                    wanted,
                    "the journal keeps the number of shards it was made with"
                );
            }
            Ok(count)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let wanted = wanted.max(1);
            std::fs::write(&file, format!("{wanted}\n")).map_err(failed(&file))?;
            Ok(wanted)
        }
        Err(error) => Err(failed(&file)(error)),
    }
}

/// Which shard an agent's reports go to: the same for ever.
fn shard_of(agent: &AgentId, shards: usize) -> usize {
    let hash = ContentHash::of(agent.as_str().as_bytes());
    let number = u64::from_le_bytes(*hash.0.first_chunk().expect("a SHA-256 has 32 bytes"));
    usize::try_from(number % shards as u64).expect("below the number of shards")
}

fn keep_refused(quarantine: &Quarantine, delivery: &Delivery, error: &Undecodable) {
    let kept = quarantine.keep(
        &delivery.agent,
        delivery.encoding,
        &delivery.body,
        &error.detail,
        delivery.received_at,
    );
    match kept {
        Ok(name) => {
            tracing::warn!(agent = %delivery.agent, name, detail = error.detail, "a malformed report was refused");
        }
        Err(cause) => {
            tracing::warn!(agent = %delivery.agent, %cause, detail = error.detail, "a malformed report was refused and not kept");
        }
    }
}

const fn busy(reason: &'static str) -> Rejection {
    Rejection::Busy {
        reason,
        retry_after: BUSY_RETRY_AFTER,
    }
}
