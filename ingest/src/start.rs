//! Opening the door: journals, ledgers and what the store has are brought together, in this order, and the threads start.

use std::collections::HashMap;
use std::io::Write;
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
use crate::apply::blame::Blame;
use crate::apply::engine::{Engine, Places};
use crate::apply::progress::Progress;
use crate::apply::{Applier, Needs, Uncounted};
use crate::archive::{self, Archiver, Unreadable, layered};
use crate::config::IngestConfig;
use crate::decode::{Decoder, Decoders};
use crate::evidence::{self, Beginning, Keep};
use crate::feed::{Feed, Order};
use crate::forget::{Eraser, Forgetting};
use crate::ingest::{Ingest, PERMIT_BYTES, shard_of};
use crate::keys::{self, CustomerKeys, Seals};
use crate::metrics::IngestMetrics;
use crate::quarantine::Quarantine;
use crate::room;
use crate::shard::decisions::{self, Decisions};
use crate::shard::{DiskFactory, Job, Queue, Shard, ShardError, ShardParts, ShardShared};
use crate::silence::watch::Watch;
use crate::tombstone::{self, Placed};

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
    /// A rebuild ended before everything was applied; the log says what was in its way.
    #[error("not everything could be applied: {}", .0.as_deref().unwrap_or("the applier ended early"))]
    Unapplied(Option<String>),
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
        let quarantine = Arc::new(Quarantine::open(
            &config.folder.join("quarantine"),
            config.quarantine_reports_max,
            config.quarantine_bytes_max,
        ));
        let metrics = IngestMetrics::default();
        let live = Arc::clone(&reading);
        let keys_folder = config.folder.join(keys::FOLDER);
        // A full disk stops no start: the folder is made with the first key then.
        let keys = CustomerKeys::open(&keys_folder).unwrap_or_else(|error| {
            tracing::warn!(folder = %keys_folder.display(), %error, "the folder of keys is not in order");
            CustomerKeys::at(&keys_folder)
        });
        // Before anything is opened: what is replayed and archived must know who is forgotten.
        let placed = bury(&journal_folder, &reading, &registry)?;
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
        let mut opening = Opening::default();
        for number in 0..shard_count {
            let applied = positions.shards.get(&number).copied().unwrap_or(0);
            let folder = journal_folder.join(format!("shard-{number:02}"));
            let (queue, shared, thread) =
                start_shard(number, folder, Position::unpacked(applied), parts.clone())?;
            shards.push(shared);
            opening.queues.push(queue);
            opening.threads.push(thread);
        }
        let decided = positions.shards.get(&decisions::SHARD).copied();
        let decisions = Decisions::open(
            journal_folder.join(decisions::FOLDER),
            Position::unpacked(decided.unwrap_or(0)),
            writing,
            Arc::clone(&order),
            metrics.clone(),
        )?;
        opening.threads.push(decisions.thread);
        recall_streams(store.as_ref(), &shards)?;
        let bases = Bases::new(
            shards.clone(),
            Arc::clone(&reading),
            Decoder::new(config.inflated_bytes_max),
            config.bases_bytes_max,
            metrics.bases_read.clone(),
        );
        let deciding = registry.clone();
        let mut engine = Engine::new(registry, needs, bases, metrics.clone());
        let progress = Arc::new(Progress::new(metrics.clone()));
        let (forgetting, rung) = Forgetting::new(placed);
        let is_loaded = load(&mut engine, store.as_ref(), &progress, &config);
        tracing::info!(
            shards = shard_count,
            devices = engine.device_count(),
            next_stamp = order.stamp_now(),
            "ingest is open"
        );
        let stopping = Arc::new(AtomicBool::new(false));
        let mut ordered = shards.clone();
        ordered.push(Arc::clone(&decisions.shared));
        let applier = ApplierParts {
            engine,
            is_loaded,
            progress: Arc::clone(&progress),
            store: Arc::clone(&store),
            shards: ordered,
            order: Arc::clone(&order),
            disks: Arc::clone(&reading),
            stopping: Arc::clone(&stopping),
            forgetting: Arc::clone(&forgetting),
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
            opening.threads.push(archiving);
        }
        let watch = Arc::new(Watch::new(
            config.silence,
            Arc::clone(&store),
            deciding.clone(),
            shards.clone(),
            metrics.clone(),
            archives.then(|| config.folder.join("rhythms.bin")),
        ));
        let (erase_stop, stopped) = sync_channel(1);
        if archives {
            let eraser = Eraser {
                forgetting: Arc::clone(&forgetting),
                registry: deciding.clone(),
                store: Arc::clone(&store),
                keys: Arc::clone(seals.keys()),
                quarantine: Arc::clone(&quarantine),
                shards: shards.clone(),
                decided: Arc::clone(&decisions.shared),
            };
            let erasing = std::thread::Builder::new()
                .name("ingest-erase".to_owned())
                .spawn(move || eraser.run(&rung, &stopped))
                .map_err(StartError::Thread)?;
            opening.threads.push(erasing);
        }
        let (watch_stop, stopped) = sync_channel(1);
        let watching = Arc::clone(&watch);
        let watching = std::thread::Builder::new()
            .name("ingest-watch".to_owned())
            .spawn(move || watching.run(&stopped))
            .map_err(StartError::Thread)?;
        opening.threads.push(watching);
        let applier_thread = std::thread::Builder::new()
            .name("ingest-apply".to_owned())
            .spawn(move || applier.make().run())
            .map_err(StartError::Thread)?;
        let (queues, shard_threads) = opening.opened();
        Ok(Self {
            decoders: Arc::new(decoders),
            quarantine,
            reports: Arc::new(Semaphore::new(config.inflight_reports_max)),
            bytes: Arc::new(Semaphore::new(config.inflight_bytes_max / PERMIT_BYTES)),
            config,
            metrics,
            shards,
            queues,
            deciding,
            decided: decisions.shared,
            decisions: Mutex::new(Some((
                decisions.jobs,
                vec![archive_stop, watch_stop, erase_stop],
            ))),
            forgetting,
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
    let seals = Seals::of_stopped(&config.folder, Some(registry.clone()))?;
    let unreadable =
        archive::unreadable(&journal, &seals).map_err(|source| StartError::Folder {
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
    // While the registry still knows which devices were whose.
    let (_, reading) = usual_disks(&config);
    bury(&journal_folder(&config), &reading, &registry)?;
    registry.forget_identities()?;
    // Stopping applies everything first.
    let ingest = Ingest::start_without_archiver(config, registry, store)?;
    ingest.stop();
    if ingest.is_caught_up() {
        return Ok(());
    }
    let trouble = ingest.progress.last_trouble();
    Err(StartError::Unapplied(trouble.map(|trouble| trouble.detail)))
}

/// Reads every tombstone, and sees to it that the registry, which may come from a backup, has forgotten whom it should have.
fn bury(
    journal_folder: &Path,
    disks: &DiskFactory,
    registry: &Registry,
) -> Result<Vec<Placed>, StartError> {
    let placed = tombstone::all(&journal_folder.join(decisions::FOLDER), disks)?;
    for placed in &placed {
        let customer = placed.tombstone.customer;
        if registry.forget_customer(&placed.tombstone)? {
            tracing::warn!(
                customer = customer.0,
                "a forgotten customer was there again and was deleted again"
            );
        }
    }
    Ok(placed)
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
    is_loaded: bool,
    store: Arc<dyn Store>,
    shards: Vec<Arc<ShardShared>>,
    order: Arc<Order>,
    disks: DiskFactory,
    stopping: Arc<AtomicBool>,
    forgetting: Arc<Forgetting>,
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
            forgetting: self.forgetting,
            progress: self.progress,
            config: self.config,
            metrics: self.metrics,
            covered: HashMap::new(),
            is_loaded: self.is_loaded,
            uncounted: Uncounted::default(),
            blame: Blame::default(),
        }
    }
}

/// Lets the engine know what the store knows; says whether it does. Where not (the registry's step back needs room on the disk) the applier's
/// thread tries again until it does: reports are taken and questions answered meanwhile.
fn load(
    engine: &mut Engine,
    store: &dyn Store,
    progress: &Progress,
    config: &IngestConfig,
) -> bool {
    let Err(error) = engine.reload(store) else {
        return true;
    };
    tracing::error!(
        error = &error as &dyn std::error::Error,
        "the applier cannot begin yet; it tries again, and reports are taken meanwhile"
    );
    let is_full = room::is_wanting(&error, &config.folder);
    let reason = if is_full {
        room::DISK_FULL
    } else {
        "load-error"
    };
    progress.hindered(reason, room::chain(&error));
    false
}

/// Threads of a door that is not open yet: a start that fails ends them, so that it can be tried again.
#[derive(Default)]
struct Opening {
    queues: Vec<Arc<Queue<Job>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Opening {
    /// The door is open: queues and threads are its own.
    fn opened(mut self) -> (Vec<Arc<Queue<Job>>>, Vec<JoinHandle<()>>) {
        (
            std::mem::take(&mut self.queues),
            std::mem::take(&mut self.threads),
        )
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        for queue in &self.queues {
            queue.close();
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of a door that could not be opened failed");
            }
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
    let told = match std::fs::read_to_string(&file) {
        Ok(text) => text.trim().parse().ok().filter(|count| *count > 0),
        // Nobody wrote a text there: as good as torn.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => None,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(&file)(error)),
    };
    match told {
        Some(count) => {
            if count != wanted {
                tracing::info!(
                    count,
                    wanted,
                    "the journal keeps the number of shards it was made with"
                );
            }
            Ok(count)
        }
        None => {
            // The file of an earlier life may be torn: then the shards themselves say how many they are.
            let there = shards_there(folder).map_err(failed(folder))?;
            let count = if there > 0 { there } else { wanted.max(1) };
            if there > 0 {
                tracing::warn!(
                    count,
                    "the file `shards` could not be read and is written anew"
                );
            }
            write_whole(&file, &format!("{count}\n")).map_err(failed(&file))?;
            Ok(count)
        }
    }
}

/// The number of shards that have a folder.
fn shards_there(folder: &Path) -> std::io::Result<u16> {
    let mut count = 0;
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("shard-"));
        if let Some(number) = number.and_then(|number| number.parse::<u16>().ok()) {
            count = count.max(number.saturating_add(1));
        }
    }
    Ok(count)
}

/// Writes a file that is there as a whole or not at all.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let part = path.with_extension("part");
    let mut file = std::fs::File::create(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}
