//! A start changes nothing: what was judged by what came before is judged the same after it.

mod common;

use codec::key::Stream;
use codec::time::Timestamp;
use common::{Door, NOON, delivery, metered, report};
use ingest::Delivery;

/// Reports of an agent whose clock was never set, after one whose clock was right.
fn lost_in_time(agent: &codec::id::AgentId, sequence: u64) -> Delivery {
    let arrived = NOON.plus_ms(i64::try_from(sequence).unwrap() * 3_600_000);
    let mut report = report(agent, Stream::Meters, sequence, arrived);
    let mut device = metered(1, arrived, 1_000 + sequence);
    if sequence > 1 {
        // 1970, and no other clock to tell better by.
        device.observed_at = Timestamp::from_unix_ms(1_000);
    }
    report.devices.push(device);
    let mut delivery = delivery(&report);
    if sequence > 1 {
        delivery.sent_at = None;
        delivery.uptime_ms = None;
    }
    delivery
}

#[tokio::test]
async fn a_clock_that_went_wrong_is_judged_the_same_after_a_start() {
    let mut observed = Vec::new();
    for starts_between in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut door = Door::open(folder.path());
        let agent = door.add_agent("meyer");
        for sequence in 1..=4 {
            door.ingest
                .accept(lost_in_time(&agent, sequence))
                .await
                .unwrap();
            door.settle();
            if starts_between {
                drop(door);
                door = Door::open(folder.path());
            }
        }
        let readings = door.readings();
        let times: Vec<_> = readings
            .iter()
            .map(|reading| (reading.value, reading.observed_at))
            .collect();
        assert!(times.iter().all(|(_, at)| *at == NOON.plus_ms(3_600_000)));
        observed.push(times);
    }
    assert_eq!(observed[0], observed[1]);
}

/// The agent's time of day jumps to anywhere between its polls, its monotonic clock counts on: every reading is put where it belongs.
#[tokio::test]
async fn an_agent_whose_clock_jumps_puts_no_reading_out_of_place() {
    const POLL_MS: i64 = 600_000;
    for seed in 1..=3_u64 {
        let folder = tempfile::tempdir().unwrap();
        let door = Door::open(folder.path());
        let agent = door.add_agent("meyer");
        let mut random = seed;
        let mut wrong_ms = 0;
        for sequence in 1..=40_u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let at = NOON.plus_ms(i64::try_from(sequence).unwrap() * POLL_MS);
            let mut report = report(&agent, Stream::Meters, sequence, at);
            let mut device = metered(1, at, 1_000 + sequence);
            device.observed_at = at.plus_ms(wrong_ms);
            // Some jumps fall between observation and sending, some between the polls; all are of hours, or to 1970.
            let jumps = (random >> 33) % 4 == 0;
            if jumps {
                wrong_ms = match (random >> 40) % 4 {
                    0 => 0,
                    1 => -26 * 3_600_000,
                    2 => 75 * 3_600_000,
                    _ => 1_000 - at.unix_ms,
                };
            }
            report.devices.push(device);
            let mut delivery = delivery(&report);
            let sent_at = at.plus_ms(1_000);
            delivery.sent_at = Some(sent_at.plus_ms(wrong_ms));
            door.ingest.accept(delivery).await.unwrap();
        }
        door.settle();
        let readings = door.readings();
        let moved: Vec<_> = readings
            .iter()
            .filter(|reading| reading.value > 1_000)
            .collect();
        assert_eq!(moved.len(), 40, "seed {seed}: nothing lost, nothing twice");
        for reading in moved {
            let sequence = i64::try_from(reading.value - 1_000).unwrap();
            let off_ms = reading
                .observed_at
                .ms_since(NOON.plus_ms(sequence * POLL_MS));
            assert!(
                off_ms.abs() <= 60_000,
                "seed {seed}, {sequence}: {off_ms} ms"
            );
        }
    }
}
