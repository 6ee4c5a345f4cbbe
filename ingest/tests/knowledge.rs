//! What is known of a device stays known: a report that says nothing of it, or that is older, takes nothing away.

mod common;

use std::collections::BTreeSet;

use codec::id::Scope;
use codec::key::Stream;
use codec::model::Level;
use codec::time::Timestamp;
use common::{Door, NOON, delivery, metered, report, stateful};
use olap::ask::{DeviceDetail, FleetRules};
use olap::words::EventKind;

const HOUR_MS: i64 = 3_600_000;

fn after_hours(hours: i64) -> Timestamp {
    NOON.plus_ms(hours * HOUR_MS)
}

fn only_device(door: &Door) -> DeviceDetail {
    let readings = door.readings();
    let device = readings.first().expect("a reading").device;
    door.store
        .device(&Scope::Everything, device, &FleetRules::at(NOON))
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn what_a_report_does_not_say_stays_known() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    for (sequence, hours) in [(1, 0), (2, 1), (3, 2)] {
        let mut report = report(&agent, Stream::Meters, sequence, after_hours(hours));
        let mut printer = metered(1, after_hours(hours), 100);
        if sequence == 2 {
            printer.identity.mac = None;
            printer.identity.model = None;
            printer.identity.hostname = None;
        }
        report.devices.push(printer);
        door.ingest.accept(delivery(&report)).await.unwrap();
        door.settle();
        let identity = only_device(&door).item.identity;
        assert_eq!(identity.mac.as_deref(), Some("00:c0:ee:00:00:01"));
        assert_eq!(identity.model.as_deref(), Some("ECOSYS P3145dn"));
        assert_eq!(identity.hostname.as_deref(), Some("printer-1"));
    }
    let kinds: Vec<_> = only_device(&door)
        .events
        .iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(kinds, [EventKind::New]);
}

#[tokio::test]
async fn an_older_state_does_not_replace_a_newer_one_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    let mut meters = report(&agent, Stream::Meters, 1, NOON);
    meters.devices.push(metered(1, NOON, 100));
    door.ingest.accept(delivery(&meters)).await.unwrap();
    let state = |sequence, hours, percent| {
        let mut state = report(&agent, Stream::State, sequence, after_hours(hours));
        let alerts: &[&str] = if hours == 1 { &["jam"] } else { &[] };
        state
            .devices
            .push(stateful(1, after_hours(hours), percent, alerts));
        delivery(&state)
    };
    door.ingest.accept(state(2, 4, 30)).await.unwrap();
    door.settle();
    drop(door);
    let door = Door::open(folder.path());
    door.ingest.accept(state(1, 1, 80)).await.unwrap();
    door.settle();
    let detail = only_device(&door);
    assert_eq!(detail.supplies[0].level, Level::Percent(30));
    assert!(detail.alerts_open.is_empty());
    door.ingest.accept(state(3, 5, 29)).await.unwrap();
    door.settle();
    assert_eq!(only_device(&door).supplies[0].level, Level::Percent(29));
}

#[tokio::test]
async fn a_device_that_turned_out_to_be_another_is_billed_once() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    // First only its MAC is known, then, at another address, only its serial, then both.
    for (sequence, has_mac, has_serial) in [(1, true, false), (2, false, true), (3, true, true)] {
        let at = after_hours(i64::try_from(sequence).unwrap());
        let mut report = report(&agent, Stream::Meters, sequence, at);
        let mut printer = metered(1, at, 100 + sequence);
        printer.handle = format!("h{sequence}");
        printer.identity.address = Some(format!("10.0.0.{sequence}"));
        if !has_mac {
            printer.identity.mac = None;
        }
        if !has_serial {
            printer.identity.serial = None;
        }
        report.devices.push(printer);
        door.ingest.accept(delivery(&report)).await.unwrap();
    }
    door.settle();
    let open: Vec<_> = door
        .readings()
        .into_iter()
        .filter(|reading| reading.superseded_at.is_none())
        .collect();
    assert_eq!(
        open.len(),
        2,
        "one run for each of the two meters: {open:?}"
    );
    assert!(open.iter().all(|reading| reading.device == open[0].device));
    assert_eq!(
        open.iter().map(|reading| reading.value).max(),
        Some(103),
        "{open:?}"
    );
    let devices: BTreeSet<_> = door
        .readings()
        .iter()
        .map(|reading| reading.device)
        .collect();
    assert_eq!(devices.len(), 2);
}
