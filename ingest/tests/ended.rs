//! A device that turned out to be another: evidence says so, and no list has it any more; after a start and a rebuild alike.

mod common;

use codec::id::{AgentId, DeviceId, Scope};
use codec::key::Stream;
use codec::model::DeviceReport;
use codec::time::Timestamp;
use common::{Door, NOON, delivery, metered, report};
use olap::ask::{FleetQuery, FleetRules};

/// Longer than the reports of a test take to arrive: they are applied in one batch.
const LINGER_MS: u64 = 1_000;

fn at(minute: i64) -> Timestamp {
    NOON.plus_ms(minute * 60_000)
}

/// A device known by its MAC alone.
fn of_mac(minute: i64) -> DeviceReport {
    let mut device = metered(1, at(minute), 500);
    device.identity.serial = None;
    device
}

/// A device known by its serial alone, elsewhere.
fn of_serial(minute: i64, value: u64) -> DeviceReport {
    let mut device = metered(2, at(minute), value);
    device.identity.mac = None;
    device
}

/// What shows that they are one: the serial of one and the MAC of the other.
fn of_both(minute: i64, value: u64) -> DeviceReport {
    let mut device = of_serial(minute, value);
    device.identity.mac = metered(1, at(minute), 0).identity.mac;
    device
}

async fn says(door: &Door, agent: &AgentId, sequence: u64, minute: i64, device: DeviceReport) {
    let mut report = report(agent, Stream::Meters, sequence, at(minute));
    report.devices = vec![device];
    door.ingest.accept(delivery(&report)).await.unwrap();
}

/// The devices that the fleet's list has, and how many are counted.
fn listed(door: &Door) -> (Vec<DeviceId>, u64) {
    let query = FleetQuery::at(at(60));
    let page = door.store.fleet(&Scope::Everything, &query).unwrap();
    let rules = FleetRules::at(at(60));
    let counts = door.store.fleet_counts(&Scope::Everything, &rules).unwrap();
    let devices = page.items.iter().map(|item| item.device).collect();
    (devices, counts.devices)
}

/// The device that is none is in no list, says whom it turned out to be, and none of its readings is open.
fn assert_is_one(door: &Door, old: DeviceId, now: DeviceId) {
    assert_eq!(listed(door), (vec![now], 1));
    let rules = FleetRules::at(at(60));
    let detail = door.store.device(&Scope::Everything, old, &rules).unwrap();
    assert_eq!(
        detail.expect("its history stays").item.superseded_by,
        Some(now)
    );
    let mut of_old = door.readings();
    of_old.retain(|reading| reading.device == old);
    assert!(!of_old.is_empty());
    assert!(of_old.iter().all(|reading| reading.superseded_at.is_some()));
    let (former, _) = door.registry.kin(now).unwrap();
    assert_eq!(former, [old]);
}

#[tokio::test]
async fn a_device_that_evidence_ended_leaves_the_list_of_the_fleet() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    says(&door, &agent, 1, 1, of_mac(1)).await;
    door.settle();
    let (before, _) = listed(&door);
    says(&door, &agent, 2, 2, of_serial(2, 900)).await;
    door.settle();
    let (both, count) = listed(&door);
    assert_eq!((both.len(), count), (2, 2));
    let old = before[0];
    let now = *both.iter().find(|device| **device != old).unwrap();
    says(&door, &agent, 3, 3, of_both(3, 901)).await;
    door.settle();
    assert_is_one(&door, old, now);

    drop(door);
    let door = Door::open(folder.path());
    says(&door, &agent, 4, 4, of_mac(4)).await;
    door.settle();
    assert_is_one(&door, old, now);
}

#[tokio::test]
async fn a_report_that_ends_a_device_and_must_wait_for_a_commit_ends_it_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open_with(folder.path(), |config| config.batch_linger_ms = LINGER_MS);
    let agent = door.add_agent("meyer");
    says(&door, &agent, 1, 1, of_mac(1)).await;
    says(&door, &agent, 2, 10, of_serial(10, 900)).await;
    says(&door, &agent, 3, 20, of_serial(20, 900)).await;
    // It says another value for a time between: the reading that it splits is in the batch at hand, which is committed first.
    says(&door, &agent, 4, 21, of_both(15, 950)).await;
    door.settle();
    let (left, _) = listed(&door);
    let readings = door.readings();
    let old = readings.iter().find(|reading| reading.value == 500);
    assert_is_one(&door, old.expect("it was read").device, left[0]);
    assert!(readings.iter().any(|reading| reading.value == 950));
}
