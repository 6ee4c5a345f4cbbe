//! Models that never answer one table, though they answer all else: they are not learned in full at each poll because of it, and what is
//! left out is asked for again when there is a reason to.

mod simulated;

use poller::conversation::Ask;
use poller::device::Depth;
use poller::oid::Oid;
use poller::value::Value;

use simulated::*;

const TRAYS: &str = "1.3.6.1.2.1.43.8.2.1";
const ALERTS: &str = "1.3.6.1.2.1.43.18.1.1";
const DESCRIPTION: &str = "1.3.6.1.2.1.1.1.0";
/// Where a Sharp keeps what it counts, in a table of its own.
const SHARP_COUNTERS: &str = "1.3.6.1.4.1.2385.1.1.19.2.1.3";

/// A Kyocera without alerts that never answers its trays, after it was learned until it is known.
fn without_trays() -> Device {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    let alerts = oid(ALERTS);
    device
        .variables
        .retain(|oid, _| oid.suffix_of(&alerts).is_none());
    device.silent = vec![oid(TRAYS)];
    for _ in 0..2 {
        let outcome = device.poll(Depth::Steady);
        assert_eq!(outcome.depth, Depth::Learn);
        assert_eq!(outcome.not_read, ["trays"]);
        assert!(report(outcome).trays.is_not_read());
    }
    device
}

fn touches(asks: &[Ask], prefix: &Oid) -> bool {
    asks.iter().any(|ask| {
        let (Ask::Get(oids) | Ask::Walk { columns: oids, .. }) = ask;
        oids.iter().any(|oid| oid.suffix_of(prefix).is_some())
    })
}

#[test]
fn a_table_that_was_silent_twice_is_asked_for_no_more_and_all_else_is_read_by_plan() {
    let mut device = without_trays();
    for _ in 0..3 {
        let outcome = device.poll(Depth::Steady);
        assert_eq!(outcome.depth, Depth::Steady);
        assert_eq!(outcome.failure, None);
        assert_eq!(outcome.not_read, ["trays"]);
        assert_eq!(device.asks.len(), 1, "one packed Get");
        let report = report(outcome);
        assert!(report.trays.is_not_read(), "unread, not empty");
        assert_eq!(report.supplies.read().unwrap().len(), 5);
        assert_eq!(total(&report), 9940);
    }
    let outcome = device.poll(Depth::Full);
    assert_eq!((outcome.depth, outcome.failure), (Depth::Full, None));
    assert!(!touches(&device.asks, &oid(TRAYS)));
    assert!(report(outcome).trays.is_not_read());
    assert_eq!(
        device.poll(Depth::Steady).depth,
        Depth::Steady,
        "still known"
    );
}

#[test]
fn a_table_that_was_silent_once_was_unlucky() {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    device.silent = vec![oid(TRAYS)];
    device.poll(Depth::Steady);
    device.silent.clear();
    let outcome = device.poll(Depth::Steady);
    assert_eq!(
        (outcome.depth, &outcome.not_read[..]),
        (Depth::Learn, &[][..])
    );
    assert!(report(outcome).trays.read().is_some());
    assert_eq!(device.poll(Depth::Steady).depth, Depth::Steady);

    // Another one each time is no model that never answers one: it is a bad line.
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    for table in [TRAYS, ALERTS, TRAYS, ALERTS] {
        device.silent = vec![oid(table)];
        assert_eq!(device.poll(Depth::Steady).depth, Depth::Learn);
    }
}

#[test]
fn what_was_silent_is_asked_for_again_after_a_restart_a_new_configuration_another_firmware_or_a_day()
 {
    type Change = fn(&mut Device);
    let restart: Change = |device| device.set(UPTIME, Value::TimeTicks(100));
    let configure: Change = |device| device.set(CONFIG, Value::Counter32(77));
    let changes: [(&str, Depth, Change); 6] = [
        ("a restart", Depth::Steady, restart),
        ("a restart before a full poll", Depth::Full, restart),
        ("another configuration", Depth::Steady, configure),
        (
            "another configuration before a full poll",
            Depth::Full,
            configure,
        ),
        ("another firmware", Depth::Full, |device| {
            let text = b"KYOCERA Printing System, version 2".to_vec();
            device.set(DESCRIPTION, Value::OctetString(text));
        }),
        ("a day", Depth::Steady, |device| device.minute += 24 * 60),
    ];
    for (name, depth, change) in changes {
        for answers_now in [false, true] {
            let mut device = without_trays();
            assert_eq!(device.poll(depth).depth, depth, "{name}: before");
            change(&mut device);
            if answers_now {
                device.silent.clear();
            }
            let outcome = device.poll(depth);
            assert_eq!(outcome.depth, Depth::Learn, "{name}");
            assert!(touches(&device.asks, &oid(TRAYS)), "{name}");
            assert_eq!(
                report(outcome).trays.read().is_some(),
                answers_now,
                "{name}"
            );
            // Where it is still silent, that was known: it is not learned twice again.
            let outcome = device.poll(Depth::Steady);
            assert_eq!(outcome.depth, Depth::Steady, "{name}");
            assert_eq!(
                report(outcome).trays.read().is_some(),
                answers_now,
                "{name}"
            );
        }
    }
}

#[test]
fn meters_that_are_never_answered_are_asked_for_again_within_hours() {
    let mut device = Device::new("sharp_mx.snmprec");
    device.silent = vec![oid(SHARP_COUNTERS)];
    for depth in [Depth::Learn, Depth::Learn, Depth::Steady, Depth::Steady] {
        let outcome = device.poll(Depth::Steady);
        assert_eq!(outcome.depth, depth);
        assert_eq!(outcome.not_read, ["meters"]);
        let report = report(outcome);
        assert!(report.meters.is_not_read() && report.meter_set.is_none());
        assert!(report.supplies.read().is_some());
    }
    device.silent.clear();
    device.minute += 3 * 60;
    assert_eq!(device.poll(Depth::Steady).depth, Depth::Steady);
    device.minute += 60;
    let outcome = device.poll(Depth::Steady);
    assert_eq!(outcome.depth, Depth::Learn);
    assert_eq!(total(&report(outcome)), 1206);
}
