//! Opening the door: journals, ledgers and what the store has are brought together, in this order, and the threads start.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use journal::Position;
use olap::{Store, StoreError};
use registry::Registry;
use tokio::sync::Semaphore;

use crate::apply::bases::Bases;
use crate::apply::engine::{ApplyError, Engine, Places};
use crate::apply::progress::Progress;
use crate::apply::{Applier, Needs};
use crate::archive::{self, Archiver, Unreadable, layered};
use crate::config::IngestConfig;
use crate::decode::{Decoder, Decoders};
use crate::evidence::{self, Beginning, Keep};
use crate::feed::{Feed, Order};
use crate::ingest::{Ingest, PERMIT_BYTES, shard_of};
use crate::keys::{self, CustomerKeys, Seals};
use crate::metrics::IngestMetrics;
use crate::quarantine::Quarantine;
use crate::shard::decisions::{self, Decisions};
use crate::shard::{DiskFactory, Job, Queue, Shard, ShardError, ShardParts, ShardShared};
use crate::silence::watch::Watch;

/// Why the door could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A folder could not be made or read.
    #[error("preparing {path} failed")]
    Folder {
        /// The folder or file.
        path: PathBuf,
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
    /// A rebuild would lose what the oldest segments held, which are kept no longer.
    #[error("the journal's oldest segments are kept no longer, a new store would be without what they held: {}", told(.0))]
    Forgotten(Vec<Beginning>),
    /// A rebuild would lose what is archived of customers whose keys are not there, though nobody wanted them forgotten.
    #[error("archived reports cannot be read, a new store would be without them: {}", told(.0))]
    Unreadable(Vec<Unreadable>),
    /// The registry did not forget the identities that a rebuild derives anew.
    #[error("preparing the registry for a rebuild failed")]
    Registry(#[from] registry::Error),
    /// A thread could not be started.
    #[error("starting a thread failed")]
    Thread(#[source] std::io::Error),
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
        let (writing, reading) = usual_disks(&config);
        Self::start_on_both(config, registry, store, (writing, reading), true)
    }

    /// As [`Ingest::start`], for a program that looks at the journal and ends: no segment is archived and none is forgotten.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start_without_archiver(
        config: IngestConfig,
        registry: Registry,
        store: Arc<dyn Store>,
    ) -> Result<Self, StartError> {
        let (writing, reading) = usual_disks(&config);
        Self::start_on_both(config, registry, store, (writing, reading), false)
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
        Self::start_on_both(config, registry, store, (disks, reading), true)
    }

    fn start_on_both(
        config: IngestConfig,
        registry: Registry,
        store: Arc<dyn Store>,
        (writing, reading): (DiskFactory, DiskFactory),
        archives: bool,
    ) -> Result<Self, StartError> {
        let journal_folder = journal_folder(&config);
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
        let live = Arc::clone(&reading);
        let keys_folder = config.folder.join(keys::FOLDER);
        // A full disk stops no start: the folder is made with the first key then.
        let keys = CustomerKeys::open(&keys_folder).unwrap_or_else(|error| {
            tracing::warn!(folder = %keys_folder.display(), %error, "the folder of keys is not in order");
            CustomerKeys::at(&keys_folder)
        });
        let seals = Seals::new(Arc::new(keys), Arc::new(registry.clone()));
        let reading = layered(reading, seals.opener());
        let needs = Arc::new(Needs::default());
        let positions = store.positions()?;
        let order = Arc::new(Order::new(Places::stamp_after(positions.next_place).max(1)));
        let decoders = Decoders::new(
            config.decoders,
            config.inflated_bytes_max,
            config.decoded_bytes_max,
        );
        let parts = ShardParts {
            config: config.clone(),
            disks: Arc::clone(&writing),
            order: Arc::clone(&order),
            metrics: metrics.clone(),
            hot_bytes_max: config.hot_bytes_max / usize::from(shard_count),
            spare: decoders.spare(),
            needs: Arc::clone(&needs),
        };
        let mut shards = Vec::new();
        let mut queues = Vec::new();
        let mut shard_threads = Vec::new();
        for number in 0..shard_count {
            let applied = positions.shards.get(&number).copied().unwrap_or(0);
            let folder = journal_folder.join(format!("shard-{number:02}"));
            let (queue, shared, thread) =
                start_shard(number, folder, Position::unpacked(applied), parts.clone())?;
            shards.push(shared);
            queues.push(queue);
            shard_threads.push(thread);
        }
        let decided = positions.shards.get(&decisions::SHARD).copied();
        let decisions = Decisions::open(
            journal_folder.join(decisions::FOLDER),
            Position::unpacked(decided.unwrap_or(0)),
            writing,
            Arc::clone(&order),
            metrics.clone(),
        )?;
        shard_threads.push(decisions.thread);
        recall_streams(store.as_ref(), &shards)?;
        let bases = Bases::new(
            shards.clone(),
            Arc::clone(&reading),
            Decoder::new(config.inflated_bytes_max),
        );
        let deciding = registry.clone();
        let engine = Engine::load(registry, store.as_ref(), needs, bases, metrics.clone())?;
        tracing::info!(
            shards = shard_count,
            devices = engine.device_count(),
            next_stamp = order.stamp_now(),
            "ingest is open"
        );
        let stopping = Arc::new(AtomicBool::new(false));
        let progress = Arc::new(Progress::default());
        let mut ordered = shards.clone();
        ordered.push(Arc::clone(&decisions.shared));
        let applier = ApplierParts {
            engine,
            progress: Arc::clone(&progress),
            store: Arc::clone(&store),
            shards: ordered,
            order: Arc::clone(&order),
            disks: Arc::clone(&reading),
            stopping: Arc::clone(&stopping),
            config: config.clone(),
            metrics: metrics.clone(),
        };
        let (archive_stop, stopped) = sync_channel(1);
        let archiver = Archiver {
            shards: shards.clone(),
            disks: live,
            seals: seals.clone(),
            keep: Keep {
                days: config.evidence_days,
                bytes_max: config.evidence_bytes_max,
            },
            metrics: metrics.clone(),
        };
        if archives {
            let archiving = std::thread::Builder::new()
                .name("ingest-archive".to_owned())
                .spawn(move || archiver.run(&stopped))
                .map_err(StartError::Thread)?;
            shard_threads.push(archiving);
        }
        let watch = Arc::new(Watch::new(
            config.silence,
            Arc::clone(&store),
            deciding.clone(),
            shards.clone(),
            metrics.clone(),
            archives.then(|| config.folder.join("rhythms.bin")),
        ));
        let (watch_stop, stopped) = sync_channel(1);
        let watching = Arc::clone(&watch);
        let watching = std::thread::Builder::new()
            .name("ingest-watch".to_owned())
            .spawn(move || watching.run(&stopped))
            .map_err(StartError::Thread)?;
        shard_threads.push(watching);
        let applier_thread = std::thread::Builder::new()
            .name("ingest-apply".to_owned())
            .spawn(move || applier.make().run())
            .map_err(StartError::Thread)?;
        Ok(Self {
            decoders: Arc::new(decoders),
            quarantine: Arc::new(quarantine),
            reports: Arc::new(Semaphore::new(config.inflight_reports_max)),
            bytes: Arc::new(Semaphore::new(config.inflight_bytes_max / PERMIT_BYTES)),
            config,
            metrics,
            shards,
            queues,
            deciding,
            decided: decisions.shared,
            decisions: Mutex::new(Some((decisions.jobs, [archive_stop, watch_stop]))),
            watch,
            order,
            store,
            disks: reading,
            seals,
            stopping,
            progress,
            shard_threads: Mutex::new(shard_threads),
            applier_thread: Mutex::new(Some(applier_thread)),
        })
    }
}

/// Replays everything that the journal in `config.folder` has into `store`, which must be empty, and returns when all of it is applied.
/// Identities are derived anew; what people decided stays. Nothing is archived and nothing forgotten meanwhile.
///
/// # Errors
/// [`StartError`]; [`StartError::NotEmpty`] when the store has something, [`StartError::Forgotten`] when the journal does not begin at its
/// beginning any more, [`StartError::Unreadable`] when a key is missing. Nothing was changed then.
pub fn rebuild(
    config: IngestConfig,
    registry: Registry,
    store: Arc<dyn Store>,
) -> Result<(), StartError> {
    let journal = journal_folder(&config);
    let forgotten = evidence::forgotten(&journal)?;
    if !forgotten.is_empty() {
        return Err(StartError::Forgotten(forgotten));
    }
    let keys = Arc::new(CustomerKeys::at(&config.folder.join(keys::FOLDER)));
    let seals = Seals::new(keys, Arc::new(registry.clone()));
    let unreadable = archive::unreadable(&journal, &seals).map_err(|source| StartError::Folder {
        path: journal,
        source,
    })?;
    if !unreadable.is_empty() {
        return Err(StartError::Unreadable(unreadable));
    }
    rebuild_from_what_is_left(config, registry, store)
}

/// As [`rebuild`], also where the oldest segments are kept no longer or a key is missing: what they held is not in the new store.
///
/// # Errors
/// As [`rebuild`], but for [`StartError::Forgotten`] and [`StartError::Unreadable`].
pub fn rebuild_from_what_is_left(
    config: IngestConfig,
    registry: Registry,
    store: Arc<dyn Store>,
) -> Result<(), StartError> {
    if store.positions()?.next_place > 0 {
        return Err(StartError::NotEmpty);
    }
    registry.forget_identities()?;
    // Stopping applies everything first.
    Ingest::start_without_archiver(config, registry, store)?.stop();
    Ok(())
}

fn journal_folder(config: &IngestConfig) -> PathBuf {
    config.folder.join("journal")
}

/// The disks that journals are written to, and those they are read from.
fn usual_disks(config: &IngestConfig) -> (DiskFactory, DiskFactory) {
    let choice = config.disk;
    let writing: DiskFactory = Arc::new(move |folder| journal::disk::open(folder, choice));
    // What is read was written lately and is in memory, or is read once: a ring would gain nothing.
    let reading: DiskFactory =
        Arc::new(|folder| Ok(Box::new(journal::StdDisk::open(folder)?) as Box<dyn journal::Disk>));
    (writing, reading)
}

fn told(these: &[impl ToString]) -> String {
    let told: Vec<String> = these.iter().map(ToString::to_string).collect();
    told.join(", ")
}

/// What the applier's thread makes its disks and readers of: they belong to the thread that made them.
struct ApplierParts {
    engine: Engine,
    store: Arc<dyn Store>,
    shards: Vec<Arc<ShardShared>>,
    order: Arc<Order>,
    disks: DiskFactory,
    stopping: Arc<AtomicBool>,
    progress: Arc<Progress>,
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
            progress: self.progress,
            config: self.config,
            metrics: self.metrics,
            covered: HashMap::new(),
            poison: BTreeSet::new(),
        }
    }
}

type StartedShard = (Arc<Queue<Job>>, Arc<ShardShared>, JoinHandle<()>);

/// Starts a shard's thread and waits until its journal is open.
fn start_shard(
    number: u16,
    folder: PathBuf,
    applied: Position,
    parts: ShardParts,
) -> Result<StartedShard, StartError> {
    let queue = Arc::new(Queue::default());
    let jobs = Arc::clone(&queue);
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
    Ok((queue, shared, thread))
}

/// What the store has applied is there, even where the journal that said so is gone.
fn recall_streams(store: &dyn Store, shards: &[Arc<ShardShared>]) -> Result<(), StoreError> {
    for applied in store.streams()? {
        let shard = &shards[shard_of(&applied.agent, shards.len())];
        shard.recall(applied);
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
