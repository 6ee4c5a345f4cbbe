//! Where reports wait for the applier, decoded, sealed or only in the journal: the store holds the same whatever there is room for.

mod common;

use codec::id::AgentId;
use codec::key::Stream;
use common::{Door, NOON, delivery, metered, report, stateful};
use ingest::{Delivery, IngestConfig, Rejection};
use olap::Reading;

/// So many devices have more XML than is read by whoever accepts it.
const DEVICES_LARGE: u32 = 3_000;

fn reports(agent: &AgentId) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    for sequence in 1..=4_u32 {
        for stream in Stream::ALL {
            let at = NOON.plus_ms(i64::from(sequence) * 3_600_000);
            let mut report = report(agent, stream, sequence.into(), at);
            for number in 0..20 {
                report.devices.push(match stream {
                    Stream::Meters => metered(number, at, u64::from(1_000 * sequence + number)),
                    Stream::State => stateful(number, at, 90 - sequence, &["tonerLow"]),
                });
            }
            deliveries.push(delivery(&report));
        }
    }
    deliveries
}

/// Delivers the reports to a door of that configuration. Returns what is in the store, and how many reports were decoded again and, of
/// these, read from the journal.
async fn delivered(change: impl FnOnce(&mut IngestConfig)) -> (Vec<Reading>, u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open_with(folder.path(), change);
    let agent = door.add_agent("meyer");
    for delivery in reports(&agent) {
        door.ingest.accept(delivery).await.unwrap();
    }
    door.settle();
    let metrics = door.ingest.metrics();
    let (again, reread) = (metrics.decoded_again.get(), metrics.reread.get());
    (door.readings(), again, reread)
}

#[tokio::test]
async fn the_store_holds_the_same_whatever_there_is_room_for() {
    let (readings, again, reread) = delivered(|_| {}).await;
    assert!(!readings.is_empty());
    assert_eq!((again, reread), (0, 0));
    let (sealed, again, reread) = delivered(|config| config.decoded_bytes_max = 0).await;
    assert_eq!((again, reread), (8, 0));
    let (cold, again_cold, reread_cold) = delivered(|config| config.hot_bytes_max = 0).await;
    assert_eq!((again_cold, reread_cold), (8, 8));
    // Ids are drawn anew in each registry.
    let values = |readings: &[Reading]| -> Vec<_> {
        let value = |reading: &Reading| (reading.code.clone(), reading.value, reading.observed_at);
        readings.iter().map(value).collect()
    };
    assert_eq!(values(&sealed), values(&readings));
    assert_eq!(values(&cold), values(&readings));
}

#[tokio::test]
async fn a_report_too_large_to_be_read_by_whoever_accepts_it_is_read_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    let mut large = report(&agent, Stream::Meters, 1, NOON);
    for number in 0..DEVICES_LARGE {
        large.devices.push(metered(number, NOON, 5));
    }
    let mut xml = Vec::new();
    codec::xml::write_report(&large, &mut xml);
    assert!(xml.len() > ingest::decode::INLINE_INFLATED_BYTES_MAX);
    let large = delivery(&large);
    let receipt = door.ingest.accept(large.clone()).await.unwrap();
    // Cut in its middle it is no report, and is refused with the place.
    let cut = Delivery {
        body: large.body.slice(..large.body.len() / 2),
        ..large.clone()
    };
    let refused = door.ingest.accept(cut).await.unwrap_err();
    assert!(matches!(refused, Rejection::Malformed(_)), "{refused}");
    assert_eq!(door.ingest.accept(large).await.unwrap(), receipt);
    door.settle();
    assert_eq!(door.readings().len(), 2 * DEVICES_LARGE as usize);
}
