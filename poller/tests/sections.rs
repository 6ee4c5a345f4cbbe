//! Steady polls that leave sections out: what they ask, what they tell, and what the plan remembers.

mod simulated;

use poller::conversation::Ask;
use poller::device::{Depth, Sections};
use poller::oid::Oid;
use poller::value::Value;

use simulated::*;

const LIFE: &str = "1.3.6.1.2.1.43.10.2.1.4.1.1";
const LEVEL: &str = "1.3.6.1.2.1.43.11.1.1.9.1.1";
const TRAY: &str = "1.3.6.1.2.1.43.8.2.1.10.1.1";

const SUPPLIES: Sections = Sections {
    meters: false,
    ..Sections::ALL
};

const METERS: Sections = Sections {
    supplies: false,
    ..Sections::ALL
};

fn asked(device: &Device) -> Vec<Oid> {
    let gets = device.asks.iter().filter_map(|ask| match ask {
        Ask::Get(oids) => Some(oids.clone()),
        Ask::Walk { .. } => None,
    });
    gets.flatten().collect()
}

fn learned() -> Device {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    device
        .variables
        .retain(|oid, _| !oid.arcs().starts_with(&[1, 3, 6, 1, 2, 1, 43, 18]));
    assert_eq!(device.poll(Depth::Steady).depth, Depth::Learn);
    device
}

fn walks_alerts(device: &Device) -> bool {
    let alerts = oid("1.3.6.1.2.1.43.18.1.1");
    device.asks.iter().any(|ask| {
        matches!(ask, Ask::Walk { columns, .. } if columns.iter().any(|column| column.suffix_of(&alerts).is_some()))
    })
}

#[test]
fn a_poll_without_meters_asks_for_none_and_tells_none() {
    let mut device = learned();
    device.set(TOTAL, Value::Integer(9950));
    device.set(LEVEL, Value::Integer(12990));
    let outcome = device.poll_sections(SUPPLIES);
    assert_eq!(outcome.depth, Depth::Steady);
    let asked = asked(&device);
    let is_vendors = |oid: &Oid| oid.arcs().starts_with(&[1, 3, 6, 1, 4, 1]);
    assert!(!asked.iter().any(is_vendors), "{asked:?}");
    for instance in [UPTIME, SERIAL, ERRORS, EVENTS, LIFE, LEVEL, TRAY] {
        assert!(asked.contains(&oid(instance)), "{instance}");
    }
    let told = report(outcome);
    assert!(told.meters.is_not_read() && told.meter_set.is_none());
    assert!(!told.status.is_not_read() && !told.trays.is_not_read());
    assert_eq!(told.supplies.read().unwrap().len(), 5);
    assert_eq!(told.identity.serial.as_deref(), Some("PLT5500123"));

    // The next one has the plan of all, and the meters as they are.
    let next = report(device.poll(Depth::Steady));
    assert_eq!(total(&next), 9950);
    assert_eq!(device.gets().last(), Some(&33));
}

#[test]
fn a_poll_without_supplies_asks_for_no_level() {
    let mut device = learned();
    let outcome = device.poll_sections(METERS);
    let asked = asked(&device);
    assert!(asked.contains(&oid(TOTAL)) && asked.contains(&oid(SERIAL)));
    assert!(!asked.contains(&oid(LEVEL)) && !asked.contains(&oid(TRAY)));
    let told = report(outcome);
    assert!(told.supplies.is_not_read() && told.trays.is_not_read());
    assert_eq!(total(&told), 9940);
}

#[test]
fn pages_seen_by_a_poll_that_read_no_meters_are_seen_again_by_the_next_heartbeat() {
    let mut device = learned();
    device.set(LIFE, Value::Counter32(4_000_000));
    device.set(TOTAL, Value::Integer(9950));
    assert!(report(device.poll_sections(SUPPLIES)).meters.is_not_read());
    let heartbeat = device.poll(Depth::Heartbeat);
    assert!(heartbeat.changed && heartbeat.report.is_none());
    assert_eq!(total(&report(device.poll(Depth::Steady))), 9950);
    assert!(!device.poll(Depth::Heartbeat).changed);
}

#[test]
fn a_device_that_told_of_an_alert_has_its_alerts_read_whatever_its_counters_say() {
    let mut device = learned();
    assert!(report(device.poll(Depth::Steady)).alerts.is_not_read());
    device.asks.clear();
    let wanted = Sections {
        alerts: true,
        ..SUPPLIES
    };
    let told = report(device.poll_sections(wanted));
    assert!(walks_alerts(&device));
    assert!(!told.alerts.is_not_read() && told.meters.is_not_read());
}

#[test]
fn another_device_is_learned_in_full_though_only_a_part_was_wanted() {
    let mut device = learned();
    for serial in [SERIAL, "1.3.6.1.4.1.1347.43.5.1.1.28.1"] {
        device.set(serial, Value::OctetString(b"PLT5500999".to_vec()));
    }
    let outcome = device.poll_sections(SUPPLIES);
    assert_eq!(outcome.depth, Depth::Learn);
    let told = report(outcome);
    assert_eq!(told.identity.serial.as_deref(), Some("PLT5500999"));
    assert!(!told.meters.is_not_read());
}

#[test]
fn alerts_where_there_were_none_are_read_in_whole_once_one_shows() {
    let alerts = oid("1.3.6.1.2.1.43.18.1.1");
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    let all = report(device.poll(Depth::Steady)).alerts;
    assert!(all.read().unwrap().len() > 1);
    let (gone, rest) = std::mem::take(&mut device.variables)
        .into_iter()
        .partition(|(at, _)| at.suffix_of(&alerts).is_some());
    device.variables = rest;
    for depth in [Depth::Steady, Depth::Full] {
        let none = report(device.poll(Depth::Full));
        assert_eq!(none.alerts.read().unwrap(), &[]);
        device.poll(Depth::Full);
        let asked = device.asks.iter().filter_map(|ask| match ask {
            Ask::Walk { columns, .. } if columns[0].suffix_of(&alerts).is_some() => Some(columns),
            _ => None,
        });
        assert_eq!(asked.collect::<Vec<_>>(), [&vec![alerts.child(&[2])]]);

        device.variables.extend(gone.clone());
        device.set(ERRORS, Value::OctetString(vec![0x20]));
        // Their severities alone say nothing: what else there is, or what comes before it, may get no answer.
        let known = device.plan.clone();
        for (silent, depth) in [(alerts.child(&[7]), depth), (oid(TOTAL), Depth::Full)] {
            device.silent = vec![silent];
            let outcome = device.poll(depth);
            assert!(outcome.not_read.contains(&"alerts"), "{depth:?}");
            assert!(report(outcome).alerts.is_not_read(), "{depth:?}");
            device.plan.clone_from(&known);
        }
        device.silent.clear();
        let outcome = device.poll(depth);
        assert_eq!(outcome.depth, depth);
        assert_eq!(report(outcome).alerts, all, "{depth:?}");
        device.variables.retain(|at, _| !gone.contains_key(at));
    }
}
