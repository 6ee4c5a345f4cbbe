//! Segments that are archived: any reading leads back to its bytes, a rebuild reads them, and they go when they are old enough.

mod common;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use codec::id::{AgentId, Scope};
use codec::key::{ContentHash, Stream};
use common::{Door, NOON, all_readings, delivery, metered, report, wait_until};
use ingest::{Delivery, Ingest, IngestConfig, StartError};
use journal::{Disk, StdDisk};
use olap::{DuckOptions, DuckStore, Store};
use registry::Registry;

const REPORTS: u64 = 40;

fn sealed(agent: &AgentId, sequence: u64) -> Delivery {
    let at = NOON.plus_ms(i64::try_from(sequence).unwrap() * 60_000);
    let mut report = report(agent, Stream::Meters, sequence, at);
    report.devices.push(metered(1, at, 1_000 + sequence));
    delivery(&report)
}

fn small(config: &mut IngestConfig) {
    config.segment_bytes = 2_000;
    config.shards = 1;
    config.archive_after_ms = 0;
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn every_reading_leads_back_to_its_bytes_also_from_the_archive_and_a_rebuild_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let shard = folder.path().join("ingest/journal/shard-00");
    let archive = shard.join("archive");
    let door = Door::open_with(folder.path(), small);
    let agent = door.add_agent("meyer");
    let mut bodies = HashMap::new();
    for sequence in 1..=REPORTS {
        let delivery = sealed(&agent, sequence);
        bodies.insert(sequence, delivery.body.clone());
        door.ingest.accept(delivery).await.unwrap();
    }
    door.settle();
    wait_until("all but the newest segment are archived", || {
        files(&shard, "plj").len() <= 1
    });
    assert!(files(&archive, "pla").len() > 3);
    let before = door.readings();
    assert!(before.len() as u64 > REPORTS);
    for reading in &before {
        let evidence = door.ingest.evidence(&Scope::Everything, &reading.id);
        let evidence = evidence.unwrap().expect("its bytes are kept");
        assert_eq!(evidence.body, bodies[&reading.id.sequence]);
        assert_eq!(evidence.meta.key.hash, ContentHash::of(&evidence.body));
    }
    drop(door);

    // A crash left half an archive, and one whose live segment was not removed yet.
    std::fs::write(archive.join("0000000000000001.pla-making"), b"half").unwrap();
    let registry = Registry::open(&folder.path().join("registry.sqlite")).unwrap();
    let store: Arc<dyn Store> = Arc::new(DuckStore::in_memory(&DuckOptions::default()).unwrap());
    let config = IngestConfig::new(folder.path().join("ingest"));
    ingest::rebuild(config, registry, Arc::clone(&store)).unwrap();
    assert_eq!(all_readings(store.as_ref()), before);
    let halves = files(&archive, "pla-making").len();
    assert_eq!(halves, 1, "a rebuild only reads");

    // What came before is still told from what is new.
    let door = Door::open_with(folder.path(), small);
    assert!(door.ingest.accept(sealed(&agent, REPORTS)).await.is_ok());
    door.settle();
    assert_eq!(door.readings(), before);
    wait_until("half an archive is swept", || {
        files(&archive, "pla-making").is_empty()
    });
}

/// A disk of live segments beside which an archive goes just before it is opened.
struct Ageing {
    live: StdDisk,
    archive: PathBuf,
    is_old: Arc<AtomicBool>,
}

impl Disk for Ageing {
    fn name(&self) -> &'static str {
        self.live.name()
    }

    fn list(&mut self) -> io::Result<Vec<(u64, u64)>> {
        self.live.list()
    }

    fn create(&mut self, segment: u64) -> io::Result<()> {
        self.live.create(segment)
    }

    fn append(&mut self, segment: u64, offset: u64, bytes: Vec<u8>) -> (io::Result<()>, Vec<u8>) {
        self.live.append(segment, offset, bytes)
    }

    fn sync(&mut self, segment: u64) -> io::Result<()> {
        self.live.sync(segment)
    }

    fn read(&mut self, segment: u64, offset: u64, buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
        let (read, buffer) = self.live.read(segment, offset, buffer);
        if read.is_err() && self.is_old.load(SeqCst) {
            journal::archive::remove(&self.archive, segment).unwrap();
        }
        (read, buffer)
    }

    fn truncate(&mut self, segment: u64, bytes: u64) -> io::Result<()> {
        self.live.truncate(segment, bytes)
    }

    fn remove(&mut self, segment: u64) -> io::Result<()> {
        self.live.remove(segment)
    }
}

#[tokio::test]
async fn evidence_that_goes_for_its_age_between_being_listed_and_being_opened_is_gone_and_no_error()
{
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("ingest/journal/shard-00/archive");
    let mut door = Door::open_with(folder.path(), small);
    let agent = door.add_agent("meyer");
    for sequence in 1..=REPORTS {
        door.ingest.accept(sealed(&agent, sequence)).await.unwrap();
    }
    door.settle();
    let shard = folder.path().join("ingest/journal/shard-00");
    wait_until("all but the newest segment are archived", || {
        files(&shard, "plj").len() <= 1
    });
    let mut readings = door.readings().into_iter();
    let first = readings.find(|reading| reading.id.sequence == 1).unwrap();
    door.ingest.stop();
    let is_old = Arc::new(AtomicBool::new(false));
    let disks = {
        let (archive, is_old) = (archive.clone(), Arc::clone(&is_old));
        Arc::new(move |folder: &Path| {
            let disk = Ageing {
                live: StdDisk::open(folder)?,
                archive: archive.clone(),
                is_old: Arc::clone(&is_old),
            };
            Ok(Box::new(disk) as Box<dyn Disk>)
        })
    };
    let mut config = IngestConfig::new(folder.path().join("ingest"));
    small(&mut config);
    let (registry, store) = (door.registry.clone(), Arc::clone(&door.store));
    door.ingest = Ingest::start_on(config, registry, store, disks).unwrap();
    let evidence = || door.ingest.evidence(&Scope::Everything, &first.id).unwrap();
    assert!(evidence().is_some());
    is_old.store(true, SeqCst);
    assert!(evidence().is_none());
}

#[tokio::test]
async fn archives_go_when_they_are_old_enough_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("ingest/journal/shard-00/archive");
    let door = Door::open_with(folder.path(), small);
    let agent = door.add_agent("meyer");
    for sequence in 1..=REPORTS {
        door.ingest.accept(sealed(&agent, sequence)).await.unwrap();
    }
    door.settle();
    wait_until("segments are archived", || files(&archive, "pla").len() > 3);
    let first = door.readings().remove(0);
    let evidence = |door: &Door| door.ingest.evidence(&Scope::Everything, &first.id).unwrap();
    assert!(evidence(&door).is_some());
    assert_eq!(door.ingest.metrics().archives_removed.get(), 0);
    drop(door);
    // One whose header rotted ended when the next began: it does not keep the others for ever.
    let oldest = files(&archive, "pla").remove(0);
    let mut bytes = std::fs::read(&oldest).unwrap();
    bytes[41] ^= 1;
    std::fs::write(&oldest, bytes).unwrap();

    // Nothing is kept for longer than no day at all: by now every archive ended before.
    let door = Door::open_with(folder.path(), |config| {
        small(config);
        config.evidence_days = 0;
    });
    wait_until("old archives are removed", || {
        door.ingest.metrics().archives_removed.get() > 3
    });
    wait_until("the reading no longer leads to bytes", || {
        evidence(&door).is_none()
    });
    assert!(door.readings().len() as u64 > REPORTS, "readings stay");
    assert!(door.ingest.accept(sealed(&agent, 1)).await.is_ok());
    door.settle();
    assert!(
        door.ingest
            .accept(sealed(&agent, REPORTS + 1))
            .await
            .is_ok()
    );
    drop(door);

    // A new store would be without what the readings came from that are left: only who says so gets one.
    let registry = || Registry::open(&folder.path().join("registry.sqlite")).unwrap();
    let config = || IngestConfig::new(folder.path().join("ingest"));
    let store: Arc<dyn Store> = Arc::new(DuckStore::in_memory(&DuckOptions::default()).unwrap());
    let refused = ingest::rebuild(config(), registry(), Arc::clone(&store));
    let Err(StartError::Forgotten(beginnings)) = refused else {
        panic!("a rebuild of half a journal");
    };
    assert_eq!(beginnings.len(), 1, "{beginnings:?}");
    assert_eq!(beginnings[0].shard, "shard-00");
    assert!(beginnings[0].segment > 3 && beginnings[0].begun.is_some());
    ingest::rebuild_from_what_is_left(config(), registry(), Arc::clone(&store)).unwrap();
    let left = all_readings(store.as_ref()).len() as u64;
    assert!(left > 0 && left < REPORTS, "{left}");
}
