//! The manager's wall clock is set, forward and back, while reports come: nothing is lost, nothing is there twice, no reading was observed
//! after it was received, what differs from the agent's own time is flagged, and a rebuild gives the same.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use codec::key::Stream;
use common::{Door, NOON, all_readings, delivery, metered, report};
use ingest::IngestConfig;
use olap::{DuckOptions, DuckStore, Store};

const POLL_MS: i64 = 600_000;
const REPORTS: u64 = 24;
/// How far the manager's clock is off from each report on.
const JUMPS: [(u64, i64); 5] = [
    (5, 26 * 3_600_000),
    (9, -50 * 3_600_000),
    (13, 0),
    (17, 400 * 86_400_000),
    (21, 0),
];

#[tokio::test]
async fn a_manager_whose_clock_is_set_forward_and_back_has_every_reading_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    let mut wrong_ms = 0;
    for sequence in 1..=REPORTS {
        let at = NOON.plus_ms(i64::try_from(sequence).unwrap() * POLL_MS);
        let jump = JUMPS.iter().find(|(from, _)| *from == sequence);
        if let Some((_, ms)) = jump {
            wrong_ms = *ms;
            // Some are set while the program is down.
            door.settle();
            drop(door);
            door = Door::open(folder.path());
        }
        let mut sealed = report(&agent, Stream::Meters, sequence, at);
        sealed.devices.push(metered(1, at, 1_000 + sequence));
        let mut delivered = delivery(&sealed);
        delivered.received_at = delivered.received_at.plus_ms(wrong_ms);
        door.ingest.accept(delivered.clone()).await.unwrap();
        // Its answer was lost, and the clock is another hour off when it comes again.
        delivered.received_at = delivered.received_at.plus_ms(-3_600_000);
        door.ingest.accept(delivered).await.unwrap();
    }
    door.settle();
    let readings = door.readings();
    let counted: Vec<_> = readings
        .iter()
        .filter(|reading| reading.code == "print.mono.impressions")
        .collect();
    let values: BTreeSet<u64> = counted.iter().map(|reading| reading.value).collect();
    let expected: BTreeSet<u64> = (1..=REPORTS).map(|sequence| 1_000 + sequence).collect();
    assert_eq!(values, expected, "none is missing");
    assert_eq!(counted.len() as u64, REPORTS, "none is there twice");
    for reading in counted {
        assert!(
            reading.observed_at <= reading.received_at,
            "{}: observed {} after it was received, {}",
            reading.value,
            reading.observed_at,
            reading.received_at
        );
        let off_ms = reading.observed_at.ms_since(reading.agent_at).abs();
        assert_eq!(
            reading.clock_corrected,
            off_ms > 5_000,
            "{}: {off_ms} ms from the agent's own time",
            reading.value
        );
        let sequence = reading.value - 1_000;
        let right = JUMPS.iter().rev().find(|(from, _)| *from <= sequence);
        let is_right = right.is_none_or(|(_, ms)| *ms == 0);
        assert_eq!(reading.clock_corrected, !is_right, "{}", reading.value);
    }
    // The same from the journal alone.
    let config = IngestConfig::new(folder.path().join("ingest"));
    let registry = door.registry.clone();
    drop(door);
    let store: Arc<dyn Store> = Arc::new(DuckStore::in_memory(&DuckOptions::default()).unwrap());
    ingest::rebuild(config, registry, Arc::clone(&store)).unwrap();
    let rebuilt = all_readings(store.as_ref());
    let differing: Vec<_> = rebuilt
        .iter()
        .zip(&readings)
        .filter(|(rebuilt, stored)| rebuilt != stored)
        .collect();
    assert!(differing.is_empty(), "row for row: {differing:#?}");
    assert_eq!(rebuilt.len(), readings.len());
}
