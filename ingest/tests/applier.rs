//! The applier, when a report or the store is against it: it goes on, and says so when it cannot.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Poll;
use std::time::Instant;

use codec::id::AgentId;
use codec::key::Stream;
use codec::time::Timestamp;
use common::faulty::Faulty;
use common::{Door, NOON, PATIENCE, delivery, metered, report};
use ingest::{Delivery, Ingest, IngestConfig};
use olap::{DuckOptions, DuckStore, Store};
use registry::Registry;

const HOUR_MS: i64 = 3_600_000;

fn one_value(agent: &AgentId, sequence: u64, hours: i64, value: u64) -> Delivery {
    let at = NOON.plus_ms(hours * HOUR_MS);
    let mut report = report(agent, Stream::Meters, sequence, at);
    report.devices.push(metered(1, at, value));
    delivery(&report)
}

/// A door whose store can be told to fail.
fn faulty_door(folder: &std::path::Path) -> (Door, Arc<Faulty>) {
    let store = DuckStore::open(&folder.join("store.duckdb"), &DuckOptions::default()).unwrap();
    let faulty = Faulty::around(Arc::new(store));
    let registry = Registry::open(&folder.join("registry.sqlite")).unwrap();
    let mut config = IngestConfig::new(folder.join("ingest"));
    config.batch_linger_ms = 20;
    let store: Arc<dyn Store> = Arc::<Faulty>::clone(&faulty);
    let door = Door {
        ingest: Ingest::start(config, registry.clone(), Arc::clone(&store)).unwrap(),
        store,
        registry,
    };
    (door, faulty)
}

/// The values of the print meter, in the order of the readings.
fn values(door: &Door) -> Vec<u64> {
    let readings = door.readings();
    let print = readings
        .iter()
        .filter(|reading| reading.code == "print.mono.impressions");
    print.map(|reading| reading.value).collect()
}

#[tokio::test]
async fn clocks_at_their_limits_are_applied() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    let mut sent = one_value(&agent, 1, 0, 100);
    sent.sent_at = Some(Timestamp::parse_bytes(b"0001-01-01T00:00:00Z").unwrap());
    sent.uptime_ms = Some(u64::MAX);
    let received_at = sent.received_at;
    door.ingest.accept(sent).await.unwrap();
    door.settle();
    let readings = door.readings();
    assert_eq!(readings.len(), 2);
    assert!(readings.iter().all(|reading| {
        reading.observed_at <= received_at && received_at.ms_since(reading.observed_at) < HOUR_MS
    }));
}

#[tokio::test]
async fn a_report_that_cannot_be_applied_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (door, faulty) = faulty_door(folder.path());
    let agent = door.add_agent("meyer");
    door.ingest
        .accept(one_value(&agent, 1, 10, 100))
        .await
        .unwrap();
    door.settle();
    faulty.panics.store(true, SeqCst);
    // Before everything that is known: the applier asks the store.
    for (sequence, hours, value) in [(2, 5, 90), (3, 11, 110)] {
        let sent = one_value(&agent, sequence, hours, value);
        door.ingest.accept(sent).await.unwrap();
    }
    door.settle();
    faulty.panics.store(false, SeqCst);
    assert!(door.ingest.status().is_applying);
    assert_eq!(values(&door), [100, 110]);
    let mut metrics = prometheus_client::registry::Registry::default();
    door.ingest.register(&mut metrics);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &metrics).unwrap();
    assert!(
        text.contains(r#"ingest_skipped_total{reason="applier-failed"} 1"#),
        "{text}"
    );
}

#[tokio::test]
async fn a_report_over_which_the_store_panics_is_found_passed_over_and_told_and_the_others_are_stored()
 {
    let folder = tempfile::tempdir().unwrap();
    let (door, faulty) = faulty_door(folder.path());
    let agent = door.add_agent("meyer");
    door.ingest
        .accept(one_value(&agent, 1, 1, 100))
        .await
        .unwrap();
    door.settle();
    // One report with many devices is too much for it, whatever else is in the batch.
    faulty.panics_over_rows.store(200, SeqCst);
    let at = NOON.plus_ms(3 * HOUR_MS);
    let mut large = report(&agent, Stream::Meters, 3, at);
    large
        .devices
        .extend((10..110).map(|number| metered(number, at, 7)));
    let (before, after) = (one_value(&agent, 2, 2, 110), one_value(&agent, 4, 4, 120));
    for sent in [before, delivery(&large), after] {
        door.ingest.accept(sent).await.unwrap();
    }
    door.settle();
    assert_eq!(values(&door), [100, 110, 120]);
    let status = door.ingest.status();
    assert_eq!(status.passed_over, 1);
    assert!(
        status.is_taking && status.is_applying,
        "{:?}",
        status.hindrances
    );
    // Not over and over: the next start goes on behind it.
    drop((door, faulty));
    let door = Door::open(folder.path());
    door.settle();
    assert_eq!(values(&door), [100, 110, 120]);
    assert_eq!(door.ingest.status().passed_over, 0);
}

#[tokio::test]
async fn a_store_that_panics_over_everything_is_waited_for_and_no_report_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let (door, faulty) = faulty_door(folder.path());
    let agent = door.add_agent("meyer");
    let mut metrics = prometheus_client::registry::Registry::default();
    door.ingest.register(&mut metrics);
    faulty.panics_over_rows.store(1, SeqCst);
    for (sequence, hours, value) in [(1, 1, 100), (2, 2, 110), (3, 3, 120)] {
        let sent = one_value(&agent, sequence, hours, value);
        door.ingest.accept(sent).await.unwrap();
    }
    // As a machine without memory may for a while: more than once, and over one report alone.
    let panics = || faulty.panicked.load(SeqCst);
    common::wait_until("it panicked over and over", || panics() >= 4);
    let status = door.ingest.status();
    assert!(status.is_taking && !status.is_caught_up);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &metrics).unwrap();
    let line = r#"ingest_hindered{part="applier",reason="store-failed"} 1"#;
    assert!(text.contains(line), "{text}");
    faulty.panics_over_rows.store(0, SeqCst);
    door.settle();
    assert_eq!(values(&door), [100, 110, 120]);
    let status = door.ingest.status();
    assert!(status.is_applying, "{:?}", status.hindrances);
    assert_eq!(status.passed_over, 0);
}

#[tokio::test]
async fn an_applier_that_does_not_get_on_says_why_until_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let (door, faulty) = faulty_door(folder.path());
    let agent = door.add_agent("meyer");
    faulty.is_away.store(true, SeqCst);
    door.ingest
        .accept(one_value(&agent, 1, 1, 100))
        .await
        .unwrap();
    common::wait_until("the status tells of it", || {
        let status = door.ingest.status();
        let told = status.hindrances.first();
        !status.is_applying
            && status.is_taking
            && told.is_some_and(|told| told.reason == "store-error" && told.detail.contains("busy"))
    });
    let mut metrics = prometheus_client::registry::Registry::default();
    door.ingest.register(&mut metrics);
    door.ingest.measure();
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &metrics).unwrap();
    let line = r#"ingest_hindered{part="applier",reason="store-error"} 1"#;
    assert!(text.contains(line), "{text}");
    faulty.is_away.store(false, SeqCst);
    door.settle();
    let status = door.ingest.status();
    assert!(
        status.is_applying && status.passed_over == 0,
        "{:?}",
        status.hindrances
    );
    assert_eq!(values(&door), [100]);
}

#[tokio::test]
async fn a_device_that_is_another_is_billed_once_also_when_its_report_is_applied_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (door, faulty) = faulty_door(folder.path());
    let agent = door.add_agent("meyer");
    let says = |sequence, hours: i64, has_mac, has_serial| {
        let at = NOON.plus_ms(hours * HOUR_MS);
        let mut said = report(&agent, Stream::Meters, sequence, at);
        let mut printer = metered(1, at, 100 + sequence);
        printer.handle = format!("h{sequence}");
        printer.identity.address = Some(format!("10.0.0.{sequence}"));
        printer.identity.mac = printer.identity.mac.filter(|_| has_mac);
        printer.identity.serial = printer.identity.serial.filter(|_| has_serial);
        said.devices.push(printer);
        said
    };
    let mut second = says(2, 5, false, true);
    second
        .devices
        .push(metered(2, NOON.plus_ms(5 * HOUR_MS), 900));
    for report in [says(1, 4, true, false), second] {
        door.ingest.accept(delivery(&report)).await.unwrap();
    }
    door.settle();
    // The report that shows two devices to be one also has a late reading, for which the store is asked, and fails once.
    let mut third = says(3, 6, true, true);
    third
        .devices
        .push(metered(2, NOON.plus_ms(2 * HOUR_MS), 800));
    faulty.fails.store(1, SeqCst);
    door.ingest.accept(delivery(&third)).await.unwrap();
    door.settle();
    assert_eq!(faulty.fails.load(SeqCst), 0, "it was asked");
    let mut open: Vec<_> = door
        .readings()
        .into_iter()
        .filter(|reading| reading.superseded_at.is_none())
        .filter(|reading| reading.code == "print.mono.impressions")
        .map(|reading| reading.value)
        .collect();
    open.sort_unstable();
    assert_eq!(open, [103, 900], "each printer once");
}

#[tokio::test]
async fn a_batch_that_the_store_refuses_for_good_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (door, faulty) = faulty_door(folder.path());
    let agent = door.add_agent("meyer");
    assert_eq!(faulty.loads.load(SeqCst), 1);
    faulty.refuses.store(6, SeqCst);
    for (sequence, hours, value) in [(1, 1, 100), (2, 2, 110)] {
        let sent = one_value(&agent, sequence, hours, value);
        door.ingest.accept(sent).await.unwrap();
    }
    door.settle();
    assert_eq!(faulty.loads.load(SeqCst), 2);
    assert_eq!(values(&door), [100, 110]);
    assert_eq!(door.store.positions().unwrap().shards.len(), 1);
}

#[tokio::test]
async fn a_value_that_no_signed_number_holds_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let agent = door.add_agent("meyer");
    for (sequence, value) in [(1, 100), (2, u64::MAX), (3, 120)] {
        let hours = i64::try_from(sequence).unwrap();
        let sent = one_value(&agent, sequence, hours, value);
        door.ingest.accept(sent).await.unwrap();
    }
    door.settle();
    assert_eq!(values(&door), [100, 120]);
}

#[tokio::test]
async fn a_sender_that_hangs_up_gives_its_place_back_only_when_its_report_is_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open_with(folder.path(), |config| config.inflight_reports_max = 1);
    let agent = door.add_agent("meyer");
    let mut large = report(&agent, Stream::Meters, 1, NOON);
    large
        .devices
        .extend((0..5_000).map(|number| metered(number, NOON, 100)));
    let mut delivered = Box::pin(door.ingest.accept(delivery(&large)));
    // As far as the decoder, and gone.
    std::future::poll_fn(|context| {
        assert!(delivered.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
    drop(delivered);
    let busy = door.ingest.accept(one_value(&agent, 1, 0, 100)).await;
    assert_eq!(busy.unwrap_err().word(), "too-many-reports");
    let until = Instant::now() + PATIENCE;
    while door
        .ingest
        .accept(one_value(&agent, 1, 0, 100))
        .await
        .is_err()
    {
        assert!(Instant::now() < until, "the place is never given back");
        tokio::task::yield_now().await;
    }
}
