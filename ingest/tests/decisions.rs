//! Devices that people join, tell apart, and join again: over the door, over a restart, and over a rebuild.

mod common;

use std::sync::Arc;

use codec::id::{AgentId, DeviceId, Scope};
use codec::key::Stream;
use codec::model::{DeviceReport, Section};
use codec::time::Timestamp;
use common::{Door, NOON, all_readings, delivery, metered, report};
use ingest::{DecideError, IngestConfig};
use olap::ask::{DevicesQuery, FleetRules};
use olap::words::EventKind;
use olap::{DuckOptions, DuckStore, Reading, Store};
use registry::{Decision, DecisionOp, DecisionRecord, Registry, Void};

fn at(minute: i64) -> Timestamp {
    NOON.plus_ms(minute * 60_000)
}

async fn says(door: &Door, agent: &AgentId, minute: i64, devices: Vec<DeviceReport>) {
    let sequence = u64::try_from(minute).unwrap();
    let mut report = report(agent, Stream::Meters, sequence, at(minute));
    report.devices = devices;
    door.ingest.accept(delivery(&report)).await.unwrap();
    door.settle();
}

async fn decides(door: &Door, minute: i64, op: DecisionOp) -> Result<DecisionRecord, DecideError> {
    let decision = Decision {
        op,
        who: "anna".to_owned(),
        at: at(minute),
    };
    door.ingest.decide(&Scope::Everything, decision).await
}

/// The devices in the lists, and all that any of `all` was and is.
fn shown(store: &dyn Store, all: &[DeviceId]) -> (Vec<DeviceId>, Vec<String>) {
    let query = DevicesQuery::at(at(1_000));
    let page = store.devices(&Scope::Everything, &query).unwrap();
    let mut listed: Vec<_> = page.items.iter().map(|item| item.device).collect();
    listed.sort_unstable();
    let details = all.iter().map(|device| {
        let rules = FleetRules::at(at(1_000));
        let detail = store.device(&Scope::Everything, *device, &rules).unwrap();
        format!("{:?}", detail.unwrap())
    });
    (listed, details.collect())
}

/// Devices by the serial they last said.
fn device_of(door: &Door, serial: &str) -> DeviceId {
    let page = door
        .store
        .devices(&Scope::Everything, &DevicesQuery::at(at(1_000)));
    let items = page.unwrap().items;
    let found = items
        .iter()
        .find(|item| item.identity.serial.as_deref() == Some(serial));
    found.unwrap_or_else(|| panic!("{serial} is listed")).device
}

#[tokio::test]
async fn joined_and_parted_devices_are_the_same_after_a_restart_and_a_rebuild() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    says(
        &door,
        &agent,
        1,
        vec![metered(1, at(1), 1_000), metered(2, at(1), 7)],
    )
    .await;
    let (old, new) = (device_of(&door, "SN000001"), device_of(&door, "SN000002"));

    // A new board with a serial and a count of its own is still the same printer.
    let merge = DecisionOp::Merge {
        device: new,
        into: old,
    };
    let merged = decides(&door, 2, merge).await.unwrap();
    assert_eq!(merged.outcome, "done");
    says(&door, &agent, 3, vec![metered(2, at(3), 17)]).await;
    let (listed, _) = shown(door.store.as_ref(), &[]);
    assert_eq!(listed, [old], "the other is in no list");
    let of = |device| {
        let readings = door.readings();
        let of_device = readings.into_iter().filter(move |reading| {
            reading.device == device && reading.code == "print.mono.impressions"
        });
        of_device
            .map(|reading| {
                (
                    reading.value,
                    reading.continuous,
                    reading.superseded_at.is_some(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(of(old), [(1_000, 1_000, true), (17, 1_017, false)]);
    assert_eq!(
        of(new),
        [(7, 7, true)],
        "its history is reachable, and over"
    );

    // It was a mistake.
    let undo = DecisionOp::Undo {
        decision: merged.id,
    };
    decides(&door, 4, undo).await.unwrap();
    says(
        &door,
        &agent,
        5,
        vec![metered(1, at(5), 1_003), metered(2, at(5), 19)],
    )
    .await;
    let (listed, _) = shown(door.store.as_ref(), &[]);
    assert_eq!(listed.len(), 2);
    assert_eq!(
        of(new),
        [(7, 7, true), (19, 19, false)],
        "its count goes on"
    );

    // And what cannot be says so, and leaves no record.
    let again = decides(&door, 6, undo).await;
    assert!(matches!(again, Err(DecideError::Void(Void::Undone))));
    let nobody = Scope::Sites(std::collections::BTreeSet::new());
    let unseen = door.ingest.decide(
        &nobody,
        Decision {
            op: merge,
            who: "eve".to_owned(),
            at: at(6),
        },
    );
    assert!(matches!(
        unseen.await,
        Err(DecideError::Void(Void::UnknownDevice))
    ));
    decides(&door, 7, DecisionOp::Split { device: old })
        .await
        .unwrap();
    says(&door, &agent, 8, vec![metered(1, at(8), 1_004)]).await;

    let all = [old, new];
    let (readings, before) = (door.readings(), shown(door.store.as_ref(), &all));
    let events = {
        let rules = FleetRules::at(at(1_000));
        let detail = door.store.device(&Scope::Everything, new, &rules).unwrap();
        let kinds = detail.unwrap().events.into_iter().map(|event| event.kind);
        kinds.collect::<Vec<_>>()
    };
    assert_eq!(
        events,
        [EventKind::Split, EventKind::Merged, EventKind::New]
    );
    drop(door);
    let door = Door::open(folder.path());
    door.settle();
    assert_eq!(shown(door.store.as_ref(), &all), before);
    drop(door);

    let registry = Registry::open(&folder.path().join("registry.sqlite")).unwrap();
    let store: Arc<dyn Store> = Arc::new(DuckStore::in_memory(&DuckOptions::default()).unwrap());
    let config = IngestConfig::new(folder.path().join("ingest"));
    ingest::rebuild(config, registry, Arc::clone(&store)).unwrap();
    assert_eq!(all_readings(store.as_ref()), readings);
    assert_eq!(shown(store.as_ref(), &all), before);
}

#[tokio::test]
async fn a_device_that_is_itself_again_counts_on_meter_by_meter_however_long_that_took() {
    const YEAR: i64 = 365 * 1_440;
    let folder = tempfile::tempdir().unwrap();
    let mut door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    // Its count of 1,017 began anew at 7 once, so that the continuous value is not the value.
    for (minute, value) in [(1, 1_000), (2, 1_017), (3, 7)] {
        let device = metered(1, at(minute), value);
        says(
            &door,
            &agent,
            minute,
            vec![device, metered(2, at(minute), 5)],
        )
        .await;
    }
    let (old, new) = (device_of(&door, "SN000001"), device_of(&door, "SN000002"));
    let before = door.readings();
    let merge = DecisionOp::Merge {
        device: old,
        into: new,
    };
    let merged = decides(&door, 4, merge).await.unwrap();
    let undo = DecisionOp::Undo {
        decision: merged.id,
    };
    decides(&door, YEAR, undo).await.unwrap();
    // First one meter alone, then, after another start, both.
    for (minute, read) in [(YEAR + 1, 1..2), (YEAR + 2, 0..2)] {
        let mut device = metered(1, at(minute), 9);
        let Section::Read(meters) = &mut device.meters else {
            panic!("it has meters");
        };
        *meters = meters.drain(read).collect();
        says(&door, &agent, minute, vec![device]).await;
        drop(door);
        door = Door::open(folder.path());
    }
    let last = |code: &str, readings: &[Reading]| {
        let mut of_meter = readings
            .iter()
            .filter(|reading| reading.device == old && reading.code == code);
        let last = of_meter.next_back().unwrap();
        (last.value, last.continuous, last.meter_epoch)
    };
    let (mono, colour) = ("print.mono.impressions", "print.colour.impressions");
    assert_eq!(last(mono, &before), (7, 1_024, 1));
    let after = door.readings();
    assert_eq!(last(mono, &after), (9, 1_026, 1));
    assert_eq!(last(colour, &after), last(colour, &before));
}

#[tokio::test]
async fn two_agents_that_see_one_device_yield_one() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let (first, second) = (door.add_agent("anna"), door.add_agent("berta"));
    says(&door, &first, 1, vec![metered(1, at(1), 1_000)]).await;
    says(&door, &second, 2, vec![metered(1, at(2), 1_004)]).await;
    says(&door, &first, 3, vec![metered(1, at(3), 1_004)]).await;
    let (listed, _) = shown(door.store.as_ref(), &[]);
    assert_eq!(listed.len(), 1);
    let readings = door.readings();
    let values: Vec<_> = readings
        .iter()
        .filter(|reading| reading.code == "print.mono.impressions")
        .map(|reading| (reading.value, &reading.id.agent))
        .collect();
    assert_eq!(values, [(1_000, &first), (1_004, &second)]);
}
