//! kill -9 while reports flow: what was acknowledged is stored, each report once.

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use codec::key::{ContentHash, Receipt, SpoolEpoch};
use codec::time::Timestamp;

use common::{ManagerUnderTest, SOON, sealed_report, wait_for};

const KILLS: u32 = 50;
/// Devices in each report; the value of each one's meter is the report's number, so that every report leaves one reading of each.
const DEVICES: u64 = 3;
const EPOCH: SpoolEpoch = SpoolEpoch(0x00c0_ffee);

/// Delivers reports in order, each until its receipt comes; the numbers of the acknowledged ones come out.
fn deliver(manager: &ManagerUnderTest, stop: &AtomicBool) -> u64 {
    let mut acknowledged = 0;
    while !stop.load(Ordering::Relaxed) {
        let sequence = acknowledged + 1;
        let sealed = sealed_report(&manager.agent_id, EPOCH, sequence, DEVICES);
        // The same bytes until there is a receipt: that is what a spool does.
        while !stop.load(Ordering::Relaxed) {
            match manager.asker.deliver(&manager.agent_token, &sealed) {
                Some((200, body)) => {
                    let receipt: Receipt =
                        serde_json::from_str(&body).expect("a 200 carries a receipt");
                    assert_eq!(receipt.receipt.sequence, sequence);
                    assert_eq!(receipt.receipt.hash, ContentHash::of(&sealed));
                    acknowledged = sequence;
                    break;
                }
                Some((503, _)) | None => {
                    // The manager is away: a spool asks again.
                    std::thread::park_timeout(std::time::Duration::from_millis(2));
                }
                Some((status, body)) => panic!("report {sequence} is answered {status}: {body}"),
            }
        }
    }
    acknowledged
}

#[test]
fn fifty_kills_at_random_moments_lose_nothing_acknowledged_and_store_nothing_twice() {
    let manager = ManagerUnderTest::prepare();
    let stop = AtomicBool::new(false);
    let acknowledged = std::thread::scope(|scope| {
        let delivering = scope.spawn(|| deliver(&manager, &stop));
        let mut dice = Timestamp::now().unix_ms.unsigned_abs();
        for _ in 0..KILLS {
            let running = manager.spawn();
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            // From before it listens to some hundreds of reports later.
            std::thread::park_timeout(std::time::Duration::from_millis(30 + (dice >> 33) % 700));
            running.kill();
        }
        let running = manager.start();
        let before = delivered(&manager);
        wait_for("reports after the last kill", SOON, || {
            (delivered(&manager) > before + 5).then_some(())
        });
        stop.store(true, Ordering::Relaxed);
        let acknowledged = delivering
            .join()
            .expect("deliveries are answered as they should");
        check(&manager, acknowledged);
        running.kill();
        acknowledged
    });
    // Once more from a cold start: what is on disk is what was asked.
    let running = manager.start();
    check(&manager, acknowledged);
    assert_eq!(running.interrupt(), Some(0));
    println!("{acknowledged} reports were acknowledged over {KILLS} kills");
}

/// The highest value that the store shows of the first device.
fn delivered(manager: &ManagerUnderTest) -> u64 {
    let devices = manager.asker.items("/api/v1/devices");
    devices
        .iter()
        .filter_map(|device| device["billed_total"]["value"].as_u64())
        .max()
        .unwrap_or(0)
}

/// Every acknowledged report left one reading of each device: no value is missing, none is there twice.
fn check(manager: &ManagerUnderTest, acknowledged: u64) {
    assert!(acknowledged > 0);
    wait_for("the last report to be applied", SOON, || {
        (delivered(manager) >= acknowledged).then_some(())
    });
    let devices = manager.asker.items("/api/v1/devices");
    assert_eq!(devices.len() as u64, DEVICES);
    for device in devices {
        let id = device["id"].as_str().expect("a device has an id");
        let mut times: BTreeMap<u64, u32> = BTreeMap::new();
        for reading in manager
            .asker
            .items(&format!("/api/v1/devices/{id}/readings"))
        {
            *times
                .entry(reading["value"].as_u64().expect("a value"))
                .or_default() += 1;
        }
        // One report may be durable though its receipt was lost to the kill or the stop.
        let last = *times.keys().last().expect("readings");
        assert!(
            last == acknowledged || last == acknowledged + 1,
            "{last} stored, {acknowledged} acknowledged"
        );
        let expected: BTreeMap<u64, u32> = (1..=last).map(|value| (value, 1)).collect();
        assert_eq!(times, expected, "device {id}");
    }
}
