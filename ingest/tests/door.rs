//! The door, told as what agents experience and what the store holds afterwards.

mod common;

use std::time::Instant;

use bytes::Bytes;
use codec::delta::{Digest, diff};
use codec::envelope::{Encoding, compress};
use codec::id::{AgentId, Scope};
use codec::key::Stream;
use codec::model::{Colour, Section, Work};
use codec::time::Timestamp;
use common::{Door, NOON, PATIENCE, delivery, device, meter, metered, report, stateful};
use ingest::{Delivery, Rejection};
use olap::ask::{DeviceDetail, FleetRules};
use olap::words::{EventKind, Quality};

const HOUR_MS: i64 = 3_600_000;

fn after_hours(hours: i64) -> Timestamp {
    NOON.plus_ms(hours * HOUR_MS)
}

/// A meters report with one device whose print meter says `value`, `hours` after noon.
fn one_value(agent: &AgentId, sequence: u64, hours: i64, value: u64) -> Delivery {
    let mut report = report(agent, Stream::Meters, sequence, after_hours(hours));
    report.devices.push(metered(1, after_hours(hours), value));
    delivery(&report)
}

async fn deliver(door: &Door, delivery: Delivery) {
    let sequence = door.ingest.accept(delivery).await.unwrap().receipt.sequence;
    assert!(sequence > 0);
}

/// The runs of the print meter: value, continuous, hours after noon of first observation and last confirmation, whether open.
fn runs(door: &Door) -> Vec<(u64, u64, i64, i64, bool)> {
    let hours = |at: Timestamp| at.ms_since(NOON) / HOUR_MS;
    let mut runs: Vec<_> = door
        .readings()
        .iter()
        .filter(|reading| reading.code == "print.mono.impressions")
        .map(|reading| {
            (
                reading.value,
                reading.continuous,
                hours(reading.observed_at),
                hours(reading.confirmed_until),
                reading.superseded_at.is_none(),
            )
        })
        .collect();
    runs.sort_by_key(|run| (run.2, run.0));
    runs
}

fn rules() -> FleetRules {
    FleetRules::at(NOON)
}

fn only_device(door: &Door) -> DeviceDetail {
    let readings = door.readings();
    let device = readings.first().expect("a reading").device;
    door.store
        .device(&Scope::Everything, device, &rules())
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn a_report_gets_its_receipt_and_its_devices_are_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    let mut meters = report(&agent, Stream::Meters, 1, NOON);
    let mut state = report(&agent, Stream::State, 1, NOON);
    for number in 0..50 {
        meters
            .devices
            .push(metered(number, NOON, 1_000 + u64::from(number)));
        state
            .devices
            .push(stateful(number, NOON, 40, &["tonerLow"]));
    }
    for report in [&meters, &state] {
        let sent = delivery(report);
        let receipt = door.ingest.accept(sent.clone()).await.unwrap().receipt;
        assert_eq!(receipt.hash, codec::key::ContentHash::of(&sent.body));
        assert_eq!((receipt.agent, receipt.sequence), (agent.clone(), 1));
    }
    door.settle();
    let readings = door.readings();
    assert_eq!(readings.len(), 100);
    assert!(
        readings
            .iter()
            .all(|reading| reading.observed_at == NOON && !reading.clock_corrected)
    );
    let detail = door
        .store
        .device(&Scope::Everything, readings[0].device, &rules())
        .unwrap()
        .unwrap();
    assert_eq!(detail.supplies.len(), 1);
    assert_eq!(detail.trays.len(), 1);
    assert_eq!(detail.alerts_open.len(), 1);
    assert_eq!(detail.events[0].kind, EventKind::New);
}

#[tokio::test]
async fn the_same_report_again_gets_the_same_receipt_and_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    let sent = one_value(&agent, 1, 0, 100);
    let first = door.ingest.accept(sent.clone()).await.unwrap();
    let again = door.ingest.accept(sent.clone()).await.unwrap();
    assert_eq!(first, again);
    door.settle();
    drop(door);
    let door = Door::open(folder.path());
    assert_eq!(door.ingest.accept(sent).await.unwrap(), first);
    door.settle();
    assert_eq!(runs(&door), [(100, 100, 0, 0, true)]);
}

#[tokio::test]
async fn the_same_number_with_other_bytes_is_a_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    deliver(&door, one_value(&agent, 1, 0, 100)).await;
    let refused = door
        .ingest
        .accept(one_value(&agent, 1, 0, 999))
        .await
        .unwrap_err();
    assert_eq!(refused.status(), 409);
    assert_eq!(refused.refusal().unwrap().reason, "key-conflict");
    door.settle();
    assert_eq!(runs(&door), [(100, 100, 0, 0, true)]);
}

#[tokio::test]
async fn a_skipped_number_is_shown_until_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    deliver(&door, one_value(&agent, 1, 0, 100)).await;
    deliver(&door, one_value(&agent, 4, 3, 130)).await;
    assert_eq!(door.ingest.status().gaps[0].ranges, [(2, 3)]);
    deliver(&door, one_value(&agent, 2, 1, 110)).await;
    deliver(&door, one_value(&agent, 3, 2, 120)).await;
    assert!(door.ingest.status().gaps.is_empty());
    door.settle();
    let expected = [
        (100, 100, 0, 0, false),
        (110, 110, 1, 1, false),
        (120, 120, 2, 2, false),
        (130, 130, 3, 3, true),
    ];
    assert_eq!(runs(&door), expected);
}

#[tokio::test]
async fn what_is_malformed_is_refused_with_its_place_and_quarantined() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open_with(folder.path(), |config| config.inflated_bytes_max = 1 << 20);
    let agent = door.add_agent("meyer");
    let good = one_value(&agent, 1, 0, 100);
    let bodies: [(&str, Vec<u8>); 4] = [
        (
            "malformed",
            compress(Encoding::Gzip, b"<?xml version=\"1.0\"?><!DOCTYPE x><x/>"),
        ),
        (
            "malformed",
            compress(Encoding::Gzip, &b"<a>".repeat(10_000)),
        ),
        (
            "malformed-envelope",
            good.body[..good.body.len() - 9].to_vec(),
        ),
        (
            "inflated-too-large",
            compress(Encoding::Gzip, &vec![b' '; 2 << 20]),
        ),
    ];
    for (reason, body) in bodies {
        let refused = door
            .ingest
            .accept(Delivery {
                body: Bytes::from(body),
                ..good.clone()
            })
            .await
            .unwrap_err();
        assert_eq!(refused.status(), 400, "{reason}");
        let refusal = refused.refusal().unwrap();
        assert_eq!(refusal.reason, reason);
        assert!(!refusal.detail.is_empty());
    }
    let status = door.ingest.status();
    assert_eq!(status.quarantined_reports, 4);
    assert!(status.is_taking && status.is_caught_up);
    deliver(&door, good).await;
}

#[tokio::test]
async fn a_report_sealed_by_another_agent_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let (meyer, schulz) = (door.add_agent("meyer"), door.add_agent("schulz"));
    let mut sent = one_value(&meyer, 1, 0, 100);
    sent.agent = schulz;
    let refused = door.ingest.accept(sent).await.unwrap_err();
    assert!(matches!(refused, Rejection::WrongAgent { .. }));
    assert_eq!(refused.status(), 403);
}

#[tokio::test]
async fn over_the_bounds_it_says_busy_or_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open_with(folder.path(), |config| {
        config.body_bytes_max = 10_000;
        config.inflight_reports_max = 1;
    });
    let agent = door.add_agent("meyer");
    let sent = one_value(&agent, 1, 0, 100);
    let large = Delivery {
        body: Bytes::from(vec![0; 10_001]),
        ..sent.clone()
    };
    assert_eq!(door.ingest.accept(large).await.unwrap_err().status(), 413);
    let (first, second) = tokio::join!(
        door.ingest.accept(sent),
        door.ingest.accept(one_value(&agent, 2, 1, 110))
    );
    assert!(first.is_ok());
    let busy = second.unwrap_err();
    assert_eq!((busy.status(), busy.word()), (503, "too-many-reports"));
}

#[tokio::test]
async fn bodies_on_their_way_have_so_many_bytes_together_and_the_room_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open_with(folder.path(), |config| {
        // Counted in steps of a kilobyte: room for one of these.
        config.inflight_bytes_max = 1_024;
    });
    let agent = door.add_agent("meyer");
    let (first, second) = tokio::join!(
        door.ingest.accept(one_value(&agent, 1, 0, 100)),
        door.ingest.accept(one_value(&agent, 2, 1, 110))
    );
    assert!(first.is_ok());
    let busy = second.unwrap_err();
    assert_eq!((busy.status(), busy.word()), (503, "too-many-bytes"));
    let Rejection::Busy { retry_after, .. } = busy else {
        panic!("it says when to come again");
    };
    assert!(!retry_after.is_zero());
    let until = Instant::now() + PATIENCE;
    // The first one's permits come back a moment after its receipt.
    while door
        .ingest
        .accept(one_value(&agent, 2, 1, 110))
        .await
        .is_err()
    {
        assert!(Instant::now() < until, "the room comes back");
    }
}

#[tokio::test]
async fn values_become_runs_that_polls_confirm() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    for (sequence, hours, value) in [
        (1, 0, 100),
        (2, 1, 100),
        (3, 2, 100),
        (4, 3, 150),
        (5, 4, 150),
    ] {
        deliver(&door, one_value(&agent, sequence, hours, value)).await;
    }
    door.settle();
    assert_eq!(
        runs(&door),
        [(100, 100, 0, 2, false), (150, 150, 3, 4, true)]
    );
}

#[tokio::test]
async fn a_poll_that_did_not_read_a_meter_confirms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    deliver(&door, one_value(&agent, 1, 0, 100)).await;
    let mut other = report(&agent, Stream::Meters, 2, after_hours(1));
    let mut partial = device(1, after_hours(1));
    partial.meters = Section::Read(vec![meter(Work::Print, Colour::Colour, 77)]);
    other.devices.push(partial);
    deliver(&door, delivery(&other)).await;
    let mut unread = report(&agent, Stream::Meters, 3, after_hours(2));
    unread.devices.push(device(1, after_hours(2)));
    deliver(&door, delivery(&unread)).await;
    door.settle();
    assert_eq!(runs(&door), [(100, 100, 0, 0, true)]);
    let colour = door
        .readings()
        .into_iter()
        .find(|reading| reading.value == 77)
        .unwrap();
    assert_eq!(colour.confirmed_until, after_hours(1));
}

#[tokio::test]
async fn a_late_different_reading_splits_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    deliver(&door, one_value(&agent, 1, 0, 100)).await;
    deliver(&door, one_value(&agent, 3, 4, 100)).await;
    deliver(&door, one_value(&agent, 2, 2, 120)).await;
    door.settle();
    let split = [
        (100, 100, 0, 0, false),
        (120, 100, 2, 2, false),
        (100, 100, 4, 4, true),
    ];
    assert_eq!(runs(&door), split);
    deliver(&door, one_value(&agent, 4, 5, 130)).await;
    door.settle();
    assert_eq!(runs(&door)[3], (130, 130, 5, 5, true));
}

#[tokio::test]
async fn a_meter_that_goes_back_begins_another_epoch_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    deliver(&door, one_value(&agent, 1, 0, 50_000)).await;
    deliver(&door, one_value(&agent, 2, 1, 12)).await;
    door.settle();
    drop(door);
    // The continuous value goes on after a restart.
    let door = Door::open(folder.path());
    deliver(&door, one_value(&agent, 3, 2, 20)).await;
    door.settle();
    let expected = [
        (50_000, 50_000, 0, 0, false),
        (12, 50_012, 1, 1, false),
        (20, 50_020, 2, 2, true),
    ];
    assert_eq!(runs(&door), expected);
    let reset = door
        .readings()
        .into_iter()
        .find(|reading| reading.value == 12)
        .unwrap();
    assert_eq!(
        (reset.quality, reset.meter_epoch),
        (Quality::ResetSuspected, 1)
    );
    let detail = only_device(&door);
    let told = detail
        .events
        .iter()
        .find(|event| event.kind == EventKind::MeterReset)
        .unwrap();
    assert_eq!(told.before.as_deref(), Some("50000"));
}

#[tokio::test]
async fn alerts_open_and_close_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    let state = |sequence, hours, alerts: &[&str]| {
        let mut report = report(&agent, Stream::State, sequence, after_hours(hours));
        report
            .devices
            .push(stateful(1, after_hours(hours), 40, alerts));
        delivery(&report)
    };
    deliver(&door, one_value(&agent, 1, 0, 1)).await;
    deliver(&door, state(1, 0, &["tonerLow", "jam"])).await;
    door.settle();
    drop(door);
    let door = Door::open(folder.path());
    deliver(&door, state(2, 1, &["tonerLow"])).await;
    door.settle();
    let detail = only_device(&door);
    let open: Vec<_> = detail
        .alerts_open
        .iter()
        .map(|item| item.alert.code.as_str())
        .collect();
    assert_eq!(open, ["tonerLow"]);
    assert_eq!(detail.alerts_open[0].observed_since, NOON);
}

#[tokio::test]
async fn a_device_that_moved_to_another_address_is_the_same_device() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    deliver(&door, one_value(&agent, 1, 0, 100)).await;
    let mut moved = report(&agent, Stream::Meters, 2, after_hours(1));
    let mut printer = metered(1, after_hours(1), 110);
    printer.identity.address = Some("10.9.9.9".to_owned());
    moved.devices.push(printer);
    deliver(&door, delivery(&moved)).await;
    door.settle();
    assert_eq!(
        runs(&door),
        [(100, 100, 0, 0, false), (110, 110, 1, 1, true)]
    );
    let detail = only_device(&door);
    let told = detail
        .events
        .iter()
        .find(|event| event.kind == EventKind::AddressChanged)
        .unwrap();
    assert_eq!(told.before.as_deref(), Some("10.0.0.2"));
    assert_eq!(told.after.as_deref(), Some("10.9.9.9"));
}

#[tokio::test]
async fn an_agents_wrong_clock_is_corrected() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    let mut sent = one_value(&agent, 1, 0, 100);
    // Two hours slow: it says noon when it is two in the afternoon.
    sent.received_at = after_hours(2).plus_ms(1_000);
    deliver(&door, sent).await;
    door.settle();
    let reading = &door.readings()[0];
    assert_eq!(reading.observed_at, after_hours(2));
    assert!(reading.clock_corrected);
    assert_eq!(reading.agent_at, NOON.plus_ms(1_000));
}

#[tokio::test]
async fn deltas_build_on_their_base_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    let base = metered(1, NOON, 100);
    let mut full = report(&agent, Stream::Meters, 1, NOON);
    full.devices.push(base.clone());
    deliver(&door, delivery(&full)).await;
    let delta = |sequence, hours, value| {
        let now = metered(1, after_hours(hours), value);
        let mut report = report(&agent, Stream::Meters, sequence, after_hours(hours));
        report
            .devices
            .push(diff(&Digest::of(&base).unwrap(), 1, &now).unwrap());
        delivery(&report)
    };
    deliver(&door, delta(2, 1, 100)).await;
    deliver(&door, delta(3, 2, 150)).await;
    door.settle();
    assert_eq!(
        runs(&door),
        [(100, 100, 0, 1, false), (150, 150, 2, 2, true)]
    );
    drop(door);
    let door = Door::open(folder.path());
    let receipt = door.ingest.accept(delta(4, 3, 160)).await.unwrap();
    assert!(receipt.need_full.is_empty());
    door.settle();
    assert_eq!(
        runs(&door)[1..],
        [(150, 150, 2, 2, false), (160, 160, 3, 3, true)]
    );
}

#[tokio::test]
async fn a_delta_without_its_base_is_asked_for_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    let base = metered(1, NOON, 100);
    let mut lost = report(&agent, Stream::Meters, 5, after_hours(1));
    let now = metered(1, after_hours(1), 110);
    lost.devices
        .push(diff(&Digest::of(&base).unwrap(), 4, &now).unwrap());
    deliver(&door, delivery(&lost)).await;
    door.settle();
    assert_eq!(runs(&door), []);
    let receipt = door
        .ingest
        .accept(one_value(&agent, 6, 2, 120))
        .await
        .unwrap();
    assert_eq!(receipt.need_full, ["d1"]);
}

#[tokio::test]
async fn reports_that_overtake_each_other_are_put_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    let sent = |sequence: u64| {
        let hours = i64::try_from(sequence).unwrap();
        door.ingest
            .accept(one_value(&agent, sequence, hours, 100 + sequence))
    };
    let (fourth, third, second, first) = tokio::join!(sent(4), sent(3), sent(2), sent(1));
    assert!([first, second, third, fourth].iter().all(Result::is_ok));
    assert!(door.ingest.status().gaps.is_empty());
    door.settle();
    let readings = door.readings();
    let order: Vec<_> = readings
        .iter()
        .filter(|reading| reading.code == "print.mono.impressions")
        .map(|reading| reading.id.sequence)
        .collect();
    assert_eq!(order, [1, 2, 3, 4]);
}
