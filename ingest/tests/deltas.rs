//! Deltas at the manager's door: they mean the same after a restart and in a rebuild, and a base that never came is asked
//! for, until it is there.

mod common;

use std::sync::Arc;

use codec::delta::{Digest, diff};
use codec::id::AgentId;
use codec::key::Stream;
use codec::model::DeviceReport;
use codec::time::Timestamp;
use common::{Door, NOON, all_readings, delivery, metered, report};
use ingest::{Delivery, IngestConfig};
use olap::{DuckOptions, DuckStore, Store};
use registry::Registry;

/// What came since the base, in one stream.
const REPORTS: u64 = 200;

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
    assert_eq!(values(door.store.as_ref()), [0, 1, 2]);
    // What the applier lacked would be asked for by now.
    let next = door.ingest.accept(later(REPORTS + 1)).await.unwrap();
    assert_eq!(next.need_full, [""; 0]);
    door.settle();
    let before = all_readings(door.store.as_ref());
    drop(door);

    let registry = Registry::open(&folder.path().join("registry.sqlite")).unwrap();
    let anew = folder.path().join("anew.duckdb");
    let anew: Arc<dyn Store> = Arc::new(DuckStore::open(&anew, &DuckOptions::default()).unwrap());
    let config = IngestConfig::new(folder.path().join("ingest"));
    ingest::rebuild(config, registry, Arc::clone(&anew)).unwrap();
    assert_eq!(all_readings(anew.as_ref()), before);
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
