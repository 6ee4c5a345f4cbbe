//! Readings that come late, as a store holds them afterwards: every reading has its own id and its own evidence, and none is said to be
//! confirmed by a poll that did not read it.

mod common;

use std::collections::BTreeSet;

use codec::id::{AgentId, Scope};
use codec::key::Stream;
use codec::model::{Colour, Meter, MeterPart, Section, Work};
use codec::time::Timestamp;
use common::{Door, NOON, delivery, device, meter, report};
use olap::Reading;

const HOUR_MS: i64 = 3_600_000;

fn after_hours(hours: i64) -> Timestamp {
    NOON.plus_ms(hours * HOUR_MS)
}

async fn deliver(door: &Door, agent: &AgentId, sequence: u64, hours: i64, meters: Vec<Meter>) {
    let mut report = report(agent, Stream::Meters, sequence, after_hours(hours));
    let mut polled = device(1, after_hours(hours));
    polled.meters = Section::Read(meters);
    report.devices.push(polled);
    door.ingest.accept(delivery(&report)).await.unwrap();
}

/// A meter of which the OID and the only part say where it was read.
fn told(value: u64, oid: &str) -> Meter {
    let mut meter = meter(Work::Print, Colour::Mono, value);
    oid.clone_into(&mut meter.oid);
    meter.parts = vec![MeterPart {
        oid: oid.to_owned(),
        value,
    }];
    meter
}

fn of_code(door: &Door, code: &str) -> Vec<Reading> {
    let mut readings = door.readings();
    readings.retain(|reading| reading.code == code);
    readings.sort_by_key(|reading| (reading.observed_at, reading.place));
    readings
}

#[tokio::test]
async fn the_rest_of_a_run_keeps_what_the_run_was_read_from() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    deliver(&door, &agent, 1, 0, vec![told(100, "1.3.6.1.1")]).await;
    deliver(&door, &agent, 2, 8, vec![told(100, "1.3.6.1.2")]).await;
    // Two that contradict, the second within what the first left of the run.
    deliver(&door, &agent, 4, 4, vec![told(120, "1.3.6.1.4")]).await;
    deliver(&door, &agent, 3, 2, vec![told(130, "1.3.6.1.3")]).await;
    deliver(&door, &agent, 5, 9, vec![told(150, "1.3.6.1.5")]).await;
    door.settle();
    let readings = of_code(&door, "print.mono.impressions");
    let ids: BTreeSet<String> = readings
        .iter()
        .map(|reading| reading.id.to_string())
        .collect();
    assert_eq!(ids.len(), readings.len(), "{ids:?}");
    let continuous: Vec<u64> = readings.iter().map(|reading| reading.continuous).collect();
    assert!(continuous.is_sorted(), "{continuous:?}");
    for reading in &readings {
        let evidence = door.ingest.evidence(&Scope::Everything, &reading.id);
        let evidence = evidence.unwrap().expect("its report is kept");
        let expected = match reading.value {
            100 => ("1.3.6.1.1", 1),
            120 => ("1.3.6.1.4", 4),
            130 => ("1.3.6.1.3", 3),
            _ => ("1.3.6.1.5", 5),
        };
        assert_eq!(
            (reading.oid.as_str(), evidence.meta.key.sequence),
            expected,
            "{reading:?}"
        );
        assert_eq!(reading.parts.len(), 1);
        assert_eq!(reading.parts[0].value, reading.value);
    }
    assert_eq!(readings.last().unwrap().value, 150);
    assert_eq!(
        readings
            .iter()
            .filter(|reading| reading.value == 100)
            .count(),
        2
    );
}

#[tokio::test]
async fn a_meter_that_comes_late_is_not_confirmed_by_polls_that_did_not_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    let mono = || meter(Work::Print, Colour::Mono, 100);
    let colour = || meter(Work::Print, Colour::Colour, 77);
    deliver(&door, &agent, 1, 0, vec![mono()]).await;
    deliver(&door, &agent, 3, 8, vec![mono()]).await;
    door.settle();
    deliver(&door, &agent, 2, 4, vec![mono(), colour()]).await;
    door.settle();
    let until = |code| {
        let readings = of_code(&door, code);
        assert_eq!(readings.len(), 1);
        readings[0].confirmed_until
    };
    assert_eq!(until("print.mono.impressions"), after_hours(8));
    assert_eq!(until("print.colour.impressions"), after_hours(4));
    deliver(&door, &agent, 4, 9, vec![mono(), colour()]).await;
    door.settle();
    assert_eq!(until("print.mono.impressions"), after_hours(9));
    assert_eq!(until("print.colour.impressions"), after_hours(9));
}

#[tokio::test]
async fn a_run_that_one_poll_confirms_and_the_next_ends_is_taken_in_one_batch() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open_with(folder.path(), |config| config.batch_linger_ms = 300);
    let agent = door.add_agent("meyer");
    let mono = |value| meter(Work::Print, Colour::Mono, value);
    let colour = || meter(Work::Print, Colour::Colour, 77);
    deliver(&door, &agent, 1, 0, vec![mono(100), colour()]).await;
    door.settle();
    deliver(&door, &agent, 2, 1, vec![mono(100)]).await;
    deliver(&door, &agent, 3, 2, vec![mono(110), colour()]).await;
    door.settle();
    let readings = of_code(&door, "print.mono.impressions");
    let ends: Vec<_> = readings
        .iter()
        .map(|reading| (reading.value, reading.confirmed_until))
        .collect();
    assert_eq!(ends, [(100, after_hours(1)), (110, after_hours(2))]);
}
