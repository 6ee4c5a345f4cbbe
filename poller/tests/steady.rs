//! Polls by plan: what they ask, what they make of the answers, and when everything is learned anew.

mod simulated;

use std::path::Path;

use codec::model::{Basis, DeviceReport, Level, MeterSet, Section};
use poller::conversation::Ask;
use poller::device::{Depth, Plan};
use poller::value::Value;

use simulated::*;

#[test]
fn after_the_first_poll_one_get_reads_everything_that_changes() {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    // A fixture with no alert that stands: only then nothing but the Get is needed.
    device
        .variables
        .retain(|oid, _| !oid.arcs().starts_with(&[1, 3, 6, 1, 2, 1, 43, 18]));
    let first = device.poll(Depth::Steady);
    assert_eq!(first.depth, Depth::Learn);
    assert!(first.is_printer && first.plan.is_some());

    device.set(TOTAL, Value::Integer(9950));
    device.set(PRINT, Value::Integer(6010));
    device.set("1.3.6.1.4.1.1347.42.3.1.2.1.1.1.1", Value::Integer(4010));
    device.set("1.3.6.1.2.1.43.11.1.1.9.1.1", Value::Integer(12990));
    let second = device.poll(Depth::Steady);
    assert_eq!(second.depth, Depth::Steady);
    // uptime, 3 of the Host Resources MIB, 3 general, engine count, 5 levels, 3 trays twice, 14 of the vendor
    assert_eq!(device.asks.len(), 1);
    assert_eq!(device.gets(), [33]);
    let report = report(second);
    assert_eq!(total(&report), 9950);
    assert_eq!(report.meter_set, Some(MeterSet::Verified));
    assert_eq!(report.identity, first.report.unwrap().identity);
    assert_eq!(report.identity.serial.as_deref(), Some("PLT5500123"));
    let supply = &report.supplies.read().unwrap()[0];
    assert_eq!(
        (supply.level, supply.description.as_str()),
        (Level::Amount(12990), "TK-0001C")
    );
    assert_eq!(report.trays.read().unwrap()[1].name, "Cassette 1");
    assert!(report.alerts.is_not_read(), "nothing pointed to the alerts");
    assert!(
        report
            .meters
            .read()
            .unwrap()
            .iter()
            .any(|meter| meter.basis == Basis::Engine)
    );
    assert!(
        report
            .meters
            .read()
            .unwrap()
            .iter()
            .all(|meter| meter.size.is_none()),
        "sizes are read daily"
    );
}

#[test]
fn alerts_are_read_when_something_points_to_them() {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    let learned = report(device.poll(Depth::Steady));
    assert_eq!(learned.alerts.read().unwrap().len(), 2);
    // One stands that will end: it is looked after at every poll.
    assert_eq!(
        report(device.poll(Depth::Steady))
            .alerts
            .read()
            .unwrap()
            .len(),
        2
    );
    let alerts = oid("1.3.6.1.2.1.43.18.1.1");
    device
        .variables
        .retain(|oid, _| oid.suffix_of(&alerts).is_none_or(|suffix| suffix[2] == 2));
    assert_eq!(
        report(device.poll(Depth::Steady)).alerts,
        Section::Read(Vec::new())
    );
    assert!(report(device.poll(Depth::Steady)).alerts.is_not_read());
    // The error state changes.
    device.set(ERRORS, Value::OctetString(vec![0x04]));
    assert!(!report(device.poll(Depth::Steady)).alerts.is_not_read());
    // The alert counter changes, is trusted from then on, and nothing is read while it stands still.
    device.set(EVENTS, Value::Counter32(312));
    assert!(!report(device.poll(Depth::Steady)).alerts.is_not_read());
    for _ in 0..30 {
        assert!(report(device.poll(Depth::Steady)).alerts.is_not_read());
    }
}

#[test]
fn alerts_of_a_device_without_a_moving_counter_are_read_every_ten_minutes() {
    let mut device = Device::new("kyocera_mono_printer.snmprec");
    device.poll(Depth::Steady);
    let read = (0..30)
        .filter(|_| !report(device.poll(Depth::Steady)).alerts.is_not_read())
        .count();
    assert_eq!(read, 3);
}

#[test]
fn another_device_at_the_address_is_learned_anew_and_its_values_are_its_own() {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    device.poll(Depth::Steady);
    for serial in [SERIAL, "1.3.6.1.4.1.1347.43.5.1.1.28.1"] {
        device.set(serial, Value::OctetString(b"PLT5500999".to_vec()));
    }
    device.set(
        "1.3.6.1.2.1.25.3.2.1.3.1",
        Value::OctetString(b"TASKalfa 4444".to_vec()),
    );
    device.set(
        "1.3.6.1.4.1.1347.43.5.1.1.1.1",
        Value::OctetString(b"TASKalfa 4444".to_vec()),
    );
    let outcome = device.poll(Depth::Steady);
    assert_eq!(outcome.depth, Depth::Learn);
    let report = report(outcome);
    assert_eq!(report.identity.serial.as_deref(), Some("PLT5500999"));
    assert_eq!(report.identity.model.as_deref(), Some("TASKalfa 4444"));
}

#[test]
fn what_does_not_fit_any_more_is_learned_anew() {
    type Change = fn(&mut Device);
    let changes: [(&str, Change); 5] = [
        ("a reboot", |device| {
            device.set(UPTIME, Value::TimeTicks(100));
        }),
        ("another configuration", |device| {
            device.set(CONFIG, Value::Counter32(1));
        }),
        ("an instance that is gone", |device| {
            device.variables.retain(|at, _| *at != oid(TOTAL));
        }),
        ("a new cartridge", |device| {
            device.set("1.3.6.1.2.1.43.11.1.1.9.1.2", Value::Integer(20000));
        }),
        ("a day", |device| device.minute += 24 * 60),
    ];
    for (name, change) in changes {
        let mut device = Device::new("kyocera_colour_mfp.snmprec");
        device.poll(Depth::Steady);
        assert_eq!(device.poll(Depth::Steady).depth, Depth::Steady);
        change(&mut device);
        let outcome = device.poll(Depth::Steady);
        assert_eq!(outcome.depth, Depth::Learn, "{name}");
        assert!(outcome.report.is_some(), "{name}");
        assert_eq!(
            device.poll(Depth::Steady).depth,
            Depth::Steady,
            "{name}: learned once"
        );
    }
}

#[test]
fn a_full_poll_by_plan_reads_tables_with_their_known_rows() {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    let learned = report(device.poll(Depth::Steady));
    device.set(
        "1.3.6.1.2.1.43.8.2.1.12.1.2",
        Value::OctetString(b"LETTERHEAD".to_vec()),
    );
    let outcome = device.poll(Depth::Full);
    assert_eq!(outcome.depth, Depth::Full);
    let rows = device.asks.iter().filter_map(|ask| match ask {
        Ask::Walk { rows_expected, .. } => Some(*rows_expected),
        Ask::Get(_) => None,
    });
    assert_eq!(rows.collect::<Vec<_>>(), [5, 4, 3, 4]);
    let full = report(outcome);
    assert_eq!(
        full.trays.read().unwrap()[1].media.as_deref(),
        Some("LETTERHEAD")
    );
    assert_eq!(full.supplies, learned.supplies);
    assert_eq!(full.identity, learned.identity);
    assert_eq!(
        full.status.read().unwrap().display,
        learned.status.read().unwrap().display
    );
    assert_eq!(device.poll(Depth::Steady).depth, Depth::Steady);
}

#[test]
fn a_heartbeat_asks_four_values_and_confirms_nothing() {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    device.poll(Depth::Steady);
    let still = device.poll(Depth::Heartbeat);
    assert_eq!(device.gets(), [4]);
    assert!(!still.changed);
    let still = report(still);
    assert!(
        still.meters.is_not_read()
            && still.supplies.is_not_read()
            && still.status.is_not_read()
            && still.alerts.is_not_read()
    );
    device.set("1.3.6.1.2.1.43.10.2.1.4.1.1", Value::Counter32(10_121));
    let moved = device.poll(Depth::Heartbeat);
    assert!(moved.changed && moved.report.is_none());
    assert_eq!(device.poll(Depth::Steady).depth, Depth::Steady);
    assert!(!device.poll(Depth::Heartbeat).changed);
    device.set(UPTIME, Value::TimeTicks(5));
    assert!(device.poll(Depth::Heartbeat).changed, "it was restarted");
}

#[test]
fn a_heartbeat_says_whose_it_is_though_it_reads_no_serial_number() {
    for fixture in ["kyocera_colour_mfp.snmprec", "sharp_mx.snmprec"] {
        let mut device = Device::new(fixture);
        let steady = report(device.poll(Depth::Steady)).identity;
        assert!(steady.serial.is_some(), "{fixture}");
        assert_eq!(report(device.poll(Depth::Heartbeat)).identity, steady);
    }
}

#[test]
fn a_plan_survives_a_restart_of_the_agent() {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    device.poll(Depth::Steady);
    let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(device.plan.as_ref().unwrap()).unwrap();
    assert!(bytes.len() < 3000, "{} bytes", bytes.len());
    let plan = rkyv::from_bytes::<Plan, rkyv::rancor::Error>(&bytes).unwrap();
    assert_eq!(Some(&plan), device.plan.as_ref());
    device.plan = Some(plan);
    assert_eq!(device.poll(Depth::Steady).depth, Depth::Steady);
}

#[test]
fn a_steady_poll_says_of_supplies_and_trays_what_the_first_said() {
    for fixture in
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")).unwrap()
    {
        let name = fixture.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".snmprec") {
            continue;
        }
        let mut device = Device::new(&name);
        let learned = report(device.poll(Depth::Steady));
        let steady = device.poll(Depth::Steady);
        assert_eq!(steady.depth, Depth::Steady, "{name}");
        let steady = report(steady);
        assert_eq!(steady.identity, learned.identity, "{name}");
        assert_eq!(steady.supplies, learned.supplies, "{name}");
        assert_eq!(steady.trays, learned.trays, "{name}");
        let unsized_meters = |report: &DeviceReport| {
            let meters = report.meters.read().unwrap().iter();
            meters
                .filter(|meter| meter.size.is_none() && meter.sides.is_none())
                .cloned()
                .collect::<Vec<_>>()
        };
        let (first, then) = (unsized_meters(&learned), unsized_meters(&steady));
        let missing = first
            .iter()
            .filter(|meter| !then.contains(meter))
            .collect::<Vec<_>>();
        // What is read daily is missing; nothing is there that was not.
        assert!(then.iter().all(|meter| first.contains(meter)), "{name}");
        assert!(
            missing
                .iter()
                .all(|meter| meter.code() == "total.total.sheets"),
            "{name}: {missing:?}"
        );
    }
}

#[test]
fn meters_that_do_not_add_up_are_conflicting() {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    device.set(PRINT, Value::Integer(6100));
    assert_eq!(
        report(device.poll(Depth::Steady)).meter_set,
        Some(MeterSet::Conflicting)
    );
    assert_eq!(
        report(device.poll(Depth::Steady)).meter_set,
        Some(MeterSet::Conflicting)
    );
}

#[test]
fn every_ask_is_on_the_allow_list() {
    for fixture in
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")).unwrap()
    {
        let name = fixture.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".snmprec") {
            continue;
        }
        let mut device = Device::new(&name);
        for depth in [Depth::Learn, Depth::Steady, Depth::Full, Depth::Heartbeat] {
            device.poll(depth);
            for ask in &device.asks {
                let (Ask::Get(oids) | Ask::Walk { columns: oids, .. }) = ask;
                for oid in oids {
                    assert!(device.profiles.allowed().permits(oid), "{name}: {oid}");
                }
            }
        }
    }
}
