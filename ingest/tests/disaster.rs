//! What disks do at the worst moment, on a simulated disk; and the rebuild of a store from the journal.

mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use codec::id::{AgentId, Scope};
use codec::key::{ContentHash, Stream};
use common::{Door, NOON, all_readings, delivery, metered, report, wait_until};
use ingest::{DecideError, Delivery, Ingest, IngestConfig};
use journal::Disk;
use journal::sim::{Faults, SimDisk};
use olap::{DuckOptions, DuckStore, Store};
use registry::{Decision, DecisionOp, Registry};

/// The simulated disks of a manager, by folder.
#[derive(Clone, Default)]
struct Disks(Arc<Mutex<HashMap<PathBuf, SimDisk>>>);

impl Disks {
    fn each(&self, change: impl Fn(&SimDisk)) {
        self.0.lock().unwrap().values().for_each(change);
    }

    fn of(&self, folder: &Path) -> SimDisk {
        let mut disks = self.0.lock().unwrap();
        let seed = disks.len() as u64;
        disks
            .entry(folder.to_owned())
            .or_insert_with(|| SimDisk::new(seed))
            .clone()
    }

    /// A manager on these disks, with a store that is empty: all it knows comes from the journal.
    fn open(&self, folder: &Path, registry: &Registry) -> (Ingest, Arc<dyn Store>) {
        let store: Arc<dyn Store> =
            Arc::new(DuckStore::in_memory(&DuckOptions::default()).unwrap());
        let mut config = IngestConfig::new(folder.to_owned());
        config.batch_linger_ms = 10;
        config.segment_bytes = 5_000;
        let disks = self.clone();
        let factory =
            Arc::new(move |folder: &Path| Ok(Box::new(disks.of(folder)) as Box<dyn Disk>));
        let ingest =
            Ingest::start_on(config, registry.clone(), Arc::clone(&store), factory).unwrap();
        (ingest, store)
    }
}

fn sealed(agent: &AgentId, sequence: u64) -> Delivery {
    let at = NOON.plus_ms(i64::try_from(sequence).unwrap() * 60_000);
    let mut report = report(agent, Stream::Meters, sequence, at);
    report.devices.push(metered(1, at, 1_000 + sequence));
    delivery(&report)
}

fn stored(store: &dyn Store) -> Vec<u64> {
    let readings = all_readings(store);
    let mono = readings
        .iter()
        .filter(|reading| reading.code == "print.mono.impressions");
    let mut sequences: Vec<u64> = mono.map(|reading| reading.id.sequence).collect();
    sequences.sort_unstable();
    sequences
}

fn settle(ingest: &Ingest) {
    wait_until("everything is applied", || ingest.status().is_caught_up);
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_whatever_the_disk_does_before_the_power_goes() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::in_memory().unwrap();
    let agent = registry
        .add_agent("meyer", common::SITE, NOON)
        .unwrap()
        .agent
        .id;
    let disks = Disks::default();
    let mut acknowledged = Vec::new();
    let mut sequence = 0;
    for round in 0_u64..12 {
        let (ingest, store) = disks.open(folder.path(), &registry);
        settle(&ingest);
        assert_eq!(stored(store.as_ref()), acknowledged, "round {round}");
        for step in 0..8_u64 {
            // A different fault in every round, at a different report.
            let faults = match (round % 4, step == round % 8) {
                (1, true) => Faults {
                    syncs_failing: 1,
                    ..Faults::default()
                },
                (2, true) => Faults {
                    writes_failing: 1,
                    ..Faults::default()
                },
                (3, true) => Faults {
                    capacity_bytes: Some(0),
                    ..Faults::default()
                },
                _ => Faults::default(),
            };
            disks.each(|disk| disk.set_faults(faults));
            let answer = ingest.accept(sealed(&agent, sequence + 1)).await;
            disks.each(|disk| disk.set_faults(Faults::default()));
            match answer {
                Ok(receipt) => {
                    sequence = receipt.receipt.sequence;
                    acknowledged.push(sequence);
                }
                // The agent tries the same report again with the next step.
                Err(rejection) => assert_eq!(rejection.status(), 503),
            }
        }
        ingest.stop();
        disks.each(SimDisk::power_cut);
    }
    assert!(acknowledged.len() > 80, "{}", acknowledged.len());
    assert_eq!(acknowledged, (1..=sequence).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_damaged_record_costs_itself_alone_and_the_start_needs_no_hand() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::in_memory().unwrap();
    let agent = registry
        .add_agent("meyer", common::SITE, NOON)
        .unwrap()
        .agent
        .id;
    let disks = Disks::default();
    let (ingest, _) = disks.open(folder.path(), &registry);
    for sequence in 1..=20 {
        ingest.accept(sealed(&agent, sequence)).await.unwrap();
    }
    ingest.stop();
    // In the middle of the second segment, whatever report stands there.
    let hit = Mutex::new(0);
    disks.each(|disk| *hit.lock().unwrap() += usize::from(disk.flip_bit(2, 2_500, 4)));
    assert_eq!(hit.into_inner().unwrap(), 1);
    let (ingest, store) = disks.open(folder.path(), &registry);
    settle(&ingest);
    let stored = stored(store.as_ref());
    assert_eq!(stored.len(), 19, "{stored:?}");
    assert_eq!(ingest.metrics().journal_damage.get(), 1);
}

#[tokio::test]
async fn a_rebuild_gives_the_same_rows_at_the_same_places() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open_with(folder.path(), |config| config.segment_bytes = 20_000);
    let agents: Vec<_> = ["anna", "berta", "clara"]
        .iter()
        .map(|name| door.add_agent(name))
        .collect();
    for sequence in 1..=10 {
        for (number, agent) in (0..).zip(&agents) {
            let at = NOON.plus_ms(sequence * 600_000);
            let mut report = report(agent, Stream::Meters, sequence.try_into().unwrap(), at);
            for device in 0..5 {
                // Every third poll says what the one before said.
                let value = 1_000 + u64::try_from(sequence - sequence % 3).unwrap();
                report
                    .devices
                    .push(metered(number * 100 + device, at, value));
            }
            door.ingest.accept(delivery(&report)).await.unwrap();
        }
    }
    door.settle();
    let before = door.readings();
    drop(door);

    let registry = Registry::open(&folder.path().join("registry.sqlite")).unwrap();
    let store: Arc<dyn Store> = Arc::new(DuckStore::in_memory(&DuckOptions::default()).unwrap());
    let config = IngestConfig::new(folder.path().join("ingest"));
    ingest::rebuild(config.clone(), registry.clone(), Arc::clone(&store)).unwrap();
    assert_eq!(all_readings(store.as_ref()), before);
    assert!(before.len() > 60);
    let again = ingest::rebuild(config, registry, store);
    assert!(matches!(again, Err(ingest::StartError::NotEmpty)));
}

#[tokio::test]
async fn a_reading_leads_back_to_the_bytes_it_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open_with(folder.path(), |config| config.segment_bytes = 2_000);
    let agent = door.add_agent("meyer");
    let mut bodies = HashMap::new();
    for sequence in 1..=10 {
        let sent = sealed(&agent, sequence);
        bodies.insert(sequence, sent.body.clone());
        door.ingest.accept(sent).await.unwrap();
    }
    door.settle();
    for reading in door.readings() {
        let evidence = door
            .ingest
            .evidence(&Scope::Everything, &reading.id)
            .unwrap()
            .unwrap();
        assert_eq!(evidence.body, bodies[&reading.id.sequence]);
        assert_eq!(evidence.meta.key.hash, ContentHash::of(&evidence.body));
        let nobody = Scope::Sites(std::collections::BTreeSet::new());
        assert_eq!(door.ingest.evidence(&nobody, &reading.id).unwrap(), None);
    }
}

#[tokio::test]
async fn evidence_is_kept_within_its_bytes_once_it_is_applied() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open_with(folder.path(), |config| {
        config.segment_bytes = 2_000;
        config.evidence_bytes_max = 10_000;
        config.shards = 1;
    });
    let agent = door.add_agent("meyer");
    let bytes = || {
        let folder = folder.path().join("ingest/journal/shard-00");
        let files = std::fs::read_dir(folder).unwrap();
        files
            // A segment may be removed between the list and the look.
            .filter_map(|file| file.unwrap().metadata().ok())
            .filter(std::fs::Metadata::is_file)
            .map(|file| file.len())
            .sum::<u64>()
    };
    for sequence in 1..=60 {
        door.ingest.accept(sealed(&agent, sequence)).await.unwrap();
    }
    door.settle();
    wait_until("old segments are removed", || bytes() < 14_000);
    assert_eq!(door.readings().len(), 61);
    drop(door);
    let door = Door::open(folder.path());
    assert!(door.ingest.accept(sealed(&agent, 60)).await.is_ok());
    door.settle();
    assert_eq!(door.readings().len(), 61);
}

#[tokio::test]
async fn a_decision_that_is_not_written_holds_the_reports_up_until_its_disk_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::in_memory().unwrap();
    let agent = registry.add_agent("meyer", common::SITE, NOON).unwrap();
    let agent = agent.agent.id;
    let (disks, is_away) = (Disks::default(), Arc::new(AtomicBool::new(false)));
    let (opened, away) = (disks.clone(), Arc::clone(&is_away));
    let factory = Arc::new(move |folder: &Path| {
        if away.load(SeqCst) && folder.ends_with("decisions") {
            return Err(std::io::Error::other("told to"));
        }
        Ok(Box::new(opened.of(folder)) as Box<dyn Disk>)
    });
    let store: Arc<dyn Store> = Arc::new(DuckStore::in_memory(&DuckOptions::default()).unwrap());
    let mut config = IngestConfig::new(folder.path().to_owned());
    config.batch_linger_ms = 10;
    let ingest = Ingest::start_on(config, registry, Arc::clone(&store), factory).unwrap();
    ingest.accept(sealed(&agent, 1)).await.unwrap();
    settle(&ingest);
    let device = all_readings(store.as_ref())[0].device;
    let decides = || {
        let op = DecisionOp::Split { device };
        let (who, at) = ("anna".to_owned(), NOON.plus_ms(60_000));
        ingest.decide(&Scope::Everything, Decision { op, who, at })
    };

    is_away.store(true, SeqCst);
    disks.each(|disk| {
        disk.set_faults(Faults {
            writes_failing: 1,
            ..Faults::default()
        });
    });
    assert!(matches!(decides().await, Err(DecideError::Busy)));
    disks.each(|disk| disk.set_faults(Faults::default()));
    assert!(!ingest.status().is_taking, "the health page says so");
    // Whether the decision was written cannot be told, so what comes behind it waits.
    ingest.accept(sealed(&agent, 2)).await.unwrap();
    assert_eq!(stored(store.as_ref()), [1]);
    assert!(matches!(decides().await, Err(DecideError::Busy)));

    is_away.store(false, SeqCst);
    wait_until("the reports go on by themselves", || {
        ingest.status().is_taking && ingest.status().is_caught_up
    });
    assert_eq!(stored(store.as_ref()), [1, 2]);
    assert_eq!(decides().await.unwrap().outcome, "done");
    ingest.stop();
}
