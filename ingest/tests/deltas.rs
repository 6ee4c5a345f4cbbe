//! Deltas at the manager's door: they mean the same after a restart, in a rebuild and when their base was archived; each base is read once for
//! a report that builds on it; and a base that never came is asked for, until it is there.

mod common;

use std::path::Path;
use std::sync::Arc;

use codec::delta::{Digest, diff};
use codec::id::{AgentId, Scope};
use codec::key::Stream;
use codec::model::DeviceReport;
use codec::time::Timestamp;
use common::{Door, NOON, all_readings, delivery, metered, report, wait_until};
use ingest::{Delivery, IngestConfig};
use olap::{DuckOptions, DuckStore, Store};
use registry::Registry;

/// What came since the base, in one stream.
const REPORTS: u64 = 450;

fn at_minute(minute: u64) -> Timestamp {
    NOON.plus_ms(i64::try_from(minute).unwrap() * 60_000)
}

/// One device in a report, said as a delta on `base` where there is one.
fn sealed(
    agent: &AgentId,
    sequence: u64,
    base: Option<(u64, &DeviceReport)>,
    device: DeviceReport,
) -> Delivery {
    let mut report = report(agent, Stream::Meters, sequence, device.observed_at);
    report.devices.push(match base {
        Some((base_sequence, base)) => {
            diff(&Digest::of(base).unwrap(), base_sequence, &device).unwrap()
        }
        None => device,
    });
    delivery(&report)
}

/// What the meter that moves says, oldest first.
fn values(store: &dyn Store) -> Vec<u64> {
    let mut readings = all_readings(store);
    readings.retain(|reading| reading.code == "print.mono.impressions");
    readings.sort_by_key(|reading| reading.observed_at);
    readings.iter().map(|reading| reading.value).collect()
}

#[tokio::test]
async fn a_base_is_found_after_a_restart_and_in_a_rebuild() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    let base = metered(1, NOON, 0);
    let full = sealed(&agent, 1, None, base.clone());
    door.ingest.accept(full).await.unwrap();
    let later = |sequence: u64| {
        let device = metered(1, at_minute(sequence), sequence / 100);
        sealed(&agent, sequence, Some((1, &base)), device)
    };
    for sequence in 2..REPORTS {
        door.ingest.accept(later(sequence)).await.unwrap();
    }
    door.settle();
    drop(door);

    let door = Door::open(folder.path());
    let last = door.ingest.accept(later(REPORTS)).await.unwrap();
    assert_eq!(last.need_full, [""; 0]);
    door.settle();
    let moved: Vec<u64> = (0..=REPORTS / 100).collect();
    assert_eq!(values(door.store.as_ref()), moved);
    // What the applier lacked would be asked for by now.
    let next = door.ingest.accept(later(REPORTS + 1)).await.unwrap();
    assert_eq!(next.need_full, [""; 0]);
    door.settle();
    let before = all_readings(door.store.as_ref());
    for reading in &before {
        let evidence = door.ingest.evidence(&Scope::Everything, &reading.id);
        let meta = evidence.unwrap().expect("its bytes are kept").meta;
        assert_eq!(meta.is_deltas_only, meta.key.sequence > 1);
    }
    drop(door);

    let registry = Registry::open(&folder.path().join("registry.sqlite")).unwrap();
    let anew = folder.path().join("anew.duckdb");
    let anew: Arc<dyn Store> = Arc::new(DuckStore::open(&anew, &DuckOptions::default()).unwrap());
    let config = IngestConfig::new(folder.path().join("ingest"));
    ingest::rebuild(config, registry, Arc::clone(&anew)).unwrap();
    assert_eq!(all_readings(anew.as_ref()), before);
}

/// What is known of bases goes for its age when newer ones come: what a start finds of deltas must not count as such.
#[tokio::test]
async fn a_report_of_deltas_alone_is_no_base_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    let base = metered(1, NOON, 0);
    let full = sealed(&agent, 1, None, base.clone());
    door.ingest.accept(full).await.unwrap();
    let later = |sequence: u64| {
        let device = metered(1, at_minute(20 * 1_440 + sequence), sequence);
        sealed(&agent, sequence, Some((1, &base)), device)
    };
    door.ingest.accept(later(2)).await.unwrap();
    door.settle();
    drop(door);

    let door = Door::open(folder.path());
    door.ingest.accept(later(3)).await.unwrap();
    door.settle();
    assert_eq!(values(door.store.as_ref()), [0, 2, 3]);
    assert_eq!(door.ingest.metrics().full_asked.get(), 0);
}

#[tokio::test]
async fn a_base_is_found_after_its_segment_was_archived() {
    let folder = tempfile::tempdir().unwrap();
    let small = |config: &mut IngestConfig| {
        config.segment_bytes = 2_000;
        config.shards = 1;
        config.archive_after_ms = 0;
    };
    let door = Door::open_with(folder.path(), small);
    let agent = door.add_agent("meyer");
    let base = metered(1, NOON, 0);
    let full = sealed(&agent, 1, None, base.clone());
    door.ingest.accept(full).await.unwrap();
    let later = |sequence: u64| {
        let device = metered(1, at_minute(sequence), sequence);
        sealed(&agent, sequence, Some((1, &base)), device)
    };
    for sequence in 2..20 {
        door.ingest.accept(later(sequence)).await.unwrap();
    }
    door.settle();
    let shard = folder.path().join("ingest/journal/shard-00");
    let segments = |folder: &Path| {
        let names = std::fs::read_dir(folder).into_iter().flatten();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.retain(|name| Path::new(name).extension().is_some());
        names.sort();
        names
    };
    wait_until("the segment of the base is archived", || {
        let live = segments(&shard);
        let archived = segments(&shard.join("archive"));
        live.len() == 1 && archived.first().is_some_and(|first| *first < live[0])
    });
    drop(door);

    let door = Door::open_with(folder.path(), small);
    for sequence in 20..22 {
        let receipt = door.ingest.accept(later(sequence)).await.unwrap();
        assert_eq!(receipt.need_full, [""; 0]);
        door.settle();
    }
    assert_eq!(door.ingest.metrics().bases_read.get(), 1);
    let expected: Vec<u64> = [0].into_iter().chain(2..22).collect();
    assert_eq!(values(door.store.as_ref()), expected);
}

#[tokio::test]
async fn each_base_is_read_once_for_a_report_that_builds_on_it_and_once_in_all_where_memory_is_enough()
 {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open_with(folder.path(), |config| config.bases_bytes_max = 0);
    let agent = door.add_agent("meyer");
    // Two full reports whose devices come in turn in what builds on them.
    let devices = 1..=8_u32;
    let base_of = |number: u32| u64::from(2 - number % 2);
    for sequence in 1..3 {
        let mut full = report(&agent, Stream::Meters, sequence, NOON);
        let those = devices
            .clone()
            .filter(|number| base_of(*number) == sequence);
        full.devices = those.map(|number| metered(number, NOON, 0)).collect();
        door.ingest.accept(delivery(&full)).await.unwrap();
    }
    let later = |sequence: u64| {
        let mut deltas = report(&agent, Stream::Meters, sequence, at_minute(sequence));
        let delta = |number: u32| {
            let base = Digest::of(&metered(number, NOON, 0)).unwrap();
            let device = metered(number, at_minute(sequence), sequence);
            diff(&base, base_of(number), &device).unwrap()
        };
        deltas.devices = devices.clone().map(delta).collect();
        delivery(&deltas)
    };
    for sequence in 3..8 {
        door.ingest.accept(later(sequence)).await.unwrap();
    }
    door.settle();
    assert_eq!(door.ingest.metrics().bases_read.get(), 5 * 2);
    drop(door);

    let door = Door::open(folder.path());
    for sequence in 8..13 {
        door.ingest.accept(later(sequence)).await.unwrap();
    }
    door.settle();
    assert_eq!(door.ingest.metrics().bases_read.get(), 2);
    assert_eq!(values(door.store.as_ref()).len(), 8 * 11);
    assert_eq!(door.ingest.metrics().full_asked.get(), 0);
}

#[tokio::test]
async fn deltas_without_their_base_are_left_out_until_the_device_came_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    // Reports 1 and 2 were lost on the way: a spool that was full dropped them.
    let lost = metered(1, NOON, 100);
    for sequence in 3..6 {
        let device = metered(1, at_minute(sequence), 100 + sequence);
        let delta = sealed(&agent, sequence, Some((1, &lost)), device);
        door.ingest.accept(delta).await.unwrap();
        door.settle();
    }
    assert_eq!(values(door.store.as_ref()), [0_u64; 0]);
    // The agent hears of it with the receipt of whatever comes next, and says the device in full.
    let device = metered(1, at_minute(6), 106);
    let delta = sealed(&agent, 6, Some((1, &lost)), device);
    let receipt = door.ingest.accept(delta).await.unwrap();
    assert_eq!(receipt.need_full, ["d1"]);
    let base = metered(1, at_minute(7), 107);
    let full = sealed(&agent, 7, None, base.clone());
    door.ingest.accept(full).await.unwrap();
    let device = metered(1, at_minute(8), 108);
    let delta = sealed(&agent, 8, Some((7, &base)), device);
    door.ingest.accept(delta).await.unwrap();
    door.settle();
    assert_eq!(values(door.store.as_ref()), [107, 108]);
    let device = metered(1, at_minute(9), 108);
    let delta = sealed(&agent, 9, Some((7, &base)), device);
    let receipt = door.ingest.accept(delta).await.unwrap();
    assert_eq!(receipt.need_full, [""; 0], "nothing is lacking any more");
}
