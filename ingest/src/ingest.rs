//! The door: takes deliveries, stops.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use codec::id::{AgentId, Scope};
use codec::key::{ContentHash, Receipt, Refusal};
use olap::{ReadingId, Store};
use registry::Registry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::apply::progress::Progress;
use crate::config::IngestConfig;
use crate::decode::{
    Decoders, INLINE_INFLATED_BYTES_MAX, INLINE_SEALED_BYTES_MAX, Taken, Undecodable, guarded,
};
use crate::delivery::{Delivery, Rejection};
use crate::evidence::{self, Evidence, EvidenceError};
use crate::feed::Order;
use crate::forget::Forgetting;
use crate::keys::Seals;
use crate::metrics::IngestMetrics;
use crate::quarantine::Quarantine;
use crate::record::ReportMeta;
use crate::shard::decisions::DecisionJob;
use crate::shard::{DiskFactory, Job, Queue, ShardShared};
use crate::silence::watch::Watch;

/// What an agent is told to wait when a queue is full: a second clears most of what can queue.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(2);
/// Bytes per permit of the in-flight semaphore, whose permits are counted in 32 bits.
pub(crate) const PERMIT_BYTES: usize = 1024;

/// A report's share of what may be in flight.
pub(crate) type Permits = [OwnedSemaphorePermit; 2];

/// Where decisions go; and what the threads beside the applier's live as long as.
pub(crate) type Deciding = (SyncSender<DecisionJob>, Vec<SyncSender<()>>);

/// The door of the manager.
pub struct Ingest {
    pub(crate) config: IngestConfig,
    pub(crate) decoders: Arc<Decoders>,
    pub(crate) quarantine: Arc<Quarantine>,
    pub(crate) metrics: IngestMetrics,
    pub(crate) reports: Arc<Semaphore>,
    pub(crate) bytes: Arc<Semaphore>,
    pub(crate) shards: Vec<Arc<ShardShared>>,
    pub(crate) queues: Vec<Arc<Queue<Job>>>,
    pub(crate) deciding: Registry,
    pub(crate) decided: Arc<ShardShared>,
    pub(crate) forgetting: Arc<Forgetting>,
    /// Where decisions go; and what the threads of archive and watch live as long as.
    pub(crate) decisions: Mutex<Option<Deciding>>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) order: Arc<Order>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) disks: DiskFactory,
    pub(crate) seals: Seals,
    pub(crate) stopping: Arc<AtomicBool>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) shard_threads: Mutex<Vec<JoinHandle<()>>>,
    pub(crate) applier_thread: Mutex<Option<JoinHandle<()>>>,
}

impl Ingest {
    /// Takes a report: returns its receipt once its bytes are durable.
    ///
    /// # Errors
    /// [`Rejection`]: nothing of it was kept, or (malformed) only in quarantine.
    pub async fn accept(&self, delivery: Delivery) -> Result<Receipt, Rejection> {
        let _counted = Inflight::count(&self.metrics, delivery.body.len());
        let result = self.accept_counted(delivery).await;
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
        if self.deciding.is_forgotten_agent(&delivery.agent) {
            return Err(Rejection::Forgotten {
                agent: delivery.agent,
            });
        }
        let permits = self.admit(delivery.body.len())?;
        let (received, permits) = self.decode(&delivery, permits).await?;
        let sealed_by = &received.key.agent;
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
                key: received.key,
                encoding: delivery.encoding,
                received_at: delivery.received_at,
                sent_at: delivery.sent_at,
                uptime_ms: delivery.uptime_ms,
                is_deltas_only: received.is_deltas_only,
            },
            body: delivery.body,
            columns: received.columns,
            reply,
            permits,
        };
        let bytes = job.body.len();
        if !self.queues[shard].push(job, bytes) {
            return Err(busy("stopping"));
        }
        receipt.await.unwrap_or_else(|_| Err(busy("stopping")))
    }

    /// Room for one more report of `bytes`, or 503.
    fn admit(&self, bytes: usize) -> Result<Permits, Rejection> {
        let report = Arc::clone(&self.reports)
            .try_acquire_owned()
            .map_err(|_| busy("too-many-reports"))?;
        let units = u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        let bytes = Arc::clone(&self.bytes)
            .try_acquire_many_owned(units)
            .map_err(|_| busy("too-many-bytes"))?;
        Ok([report, bytes])
    }

    /// Inflates and parses; what is malformed goes into quarantine. Usual bodies are read here and now; only large ones are worth the way to
    /// a blocking thread and back, one after the other.
    async fn decode(
        &self,
        delivery: &Delivery,
        permits: Permits,
    ) -> Result<(Taken, Permits), Rejection> {
        if delivery.body.len() <= INLINE_SEALED_BYTES_MAX {
            let _permit = self.decoders.permit().await;
            let max = INLINE_INFLATED_BYTES_MAX;
            // Too large to be read here, or malformed: read again there, which also writes it into quarantine.
            if let Ok(taken) = read(&self.decoders, max, delivery) {
                return Ok((taken, permits));
            }
        }
        let permit = self.decoders.permit_large().await;
        let decoders = Arc::clone(&self.decoders);
        let quarantine = Arc::clone(&self.quarantine);
        let metrics = self.metrics.clone();
        let delivery = delivery.clone();
        // The permits go with the work: it goes on when the sender hangs up.
        let work = tokio::task::spawn_blocking(move || {
            let result = read(&decoders, usize::MAX, &delivery);
            drop(permit);
            let taken = result.map_err(|error| {
                keep_refused(&quarantine, &delivery, &error);
                metrics.quarantined.set(quarantine.size().0 as i64);
                Rejection::Malformed(Box::new(error.refusal()))
            });
            Ok((taken?, permits))
        });
        work.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a decoder's thread failed");
            Err(busy("decoder-failed"))
        })
    }

    /// Stops taking reports, answers those on their way, applies everything that is durable, and ends. Blocks; may be called twice.
    pub fn stop(&self) {
        for queue in &self.queues {
            queue.close();
        }
        let decisions = self
            .decisions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(decisions);
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

    /// Has everything live archived at once, without the reports of who is forgotten. Returns at once; [`is_sealed`](Self::is_sealed) says when it
    /// is done.
    pub fn archive_now(&self) {
        for shard in &self.shards {
            shard.archive_now();
        }
    }

    /// Whether what [`archive_now`](Self::archive_now) was asked for is done, and no archive of before there were keys is left: then nothing that a
    /// forgotten customer's agents sent can be read any more in the journal.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.shards.iter().all(|shard| shard.is_sealed())
    }

    /// The customers' keys, and what archives are sealed with.
    #[must_use]
    pub const fn seals(&self) -> &Seals {
        &self.seals
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
}

/// Counts a report as on its way for as long as it lives: also when its sender hangs up.
struct Inflight<'a> {
    metrics: &'a IngestMetrics,
    bytes: i64,
}

impl<'a> Inflight<'a> {
    fn count(metrics: &'a IngestMetrics, bytes: usize) -> Self {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        metrics.inflight_reports.inc();
        metrics.inflight_bytes.inc_by(bytes);
        Self { metrics, bytes }
    }
}

impl Drop for Inflight<'_> {
    fn drop(&mut self) {
        self.metrics.inflight_reports.dec();
        self.metrics.inflight_bytes.dec_by(self.bytes);
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Which shard an agent's reports go to: the same for ever.
pub(crate) fn shard_of(agent: &AgentId, shards: usize) -> usize {
    let hash = ContentHash::of(agent.as_str().as_bytes());
    let number = u64::from_le_bytes(*hash.0.first_chunk().expect("a SHA-256 has 32 bytes"));
    usize::try_from(number % shards as u64).expect("below the number of shards")
}

/// Reads a body. One over which a decoder panics is refused and kept as what is malformed is: its agent would send it for ever.
fn read(
    decoders: &Decoders,
    inflated_bytes_max: usize,
    delivery: &Delivery,
) -> Result<Taken, Undecodable> {
    // Nothing that outlives a panic is half changed: decoder and columns go with it.
    guarded(|| decoders.take(inflated_bytes_max, delivery.encoding, &delivery.body))
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
