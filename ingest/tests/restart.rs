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
