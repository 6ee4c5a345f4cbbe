//! The table of devices: order, moves, and addresses that change hands.

use std::time::Duration;

use codec::model::DeviceReport;

use super::*;

fn report(serial: &str) -> DeviceReport {
    DeviceReport {
        identity: Identity {
            serial: Some(serial.to_owned()),
            ..Identity::default()
        },
        ..DeviceReport::default()
    }
}

fn target(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 161))
}

#[test]
fn the_device_that_is_due_first_comes_first_and_not_while_it_is_polled() {
    let now = Instant::now();
    let mut devices = Devices::default();
    let a = devices
        .found(0, target(1), &report("A"), false, now)
        .id()
        .unwrap();
    let b = devices
        .found(0, target(2), &report("B"), false, now)
        .id()
        .unwrap();
    devices.end(a, now + Duration::from_secs(2), now);
    devices.end(b, now + Duration::from_secs(1), now);
    assert_eq!(devices.next_due(), Some((now + Duration::from_secs(1), b)));
    devices.begin(b, Reading::all(Depth::Steady), now);
    assert_eq!(devices.next_due(), Some((now + Duration::from_secs(2), a)));
    devices.put_off(a, now + Duration::from_secs(9));
    devices.end(b, now + Duration::from_secs(5), now);
    assert_eq!(devices.next_due(), Some((now + Duration::from_secs(5), b)));
    devices.remove(b);
    assert_eq!(devices.next_due(), Some((now + Duration::from_secs(9), a)));
}

#[test]
fn a_silent_device_that_answers_elsewhere_has_moved_and_keeps_its_handle() {
    let now = Instant::now();
    let mut devices = Devices::default();
    let id = devices
        .found(0, target(1), &report("A"), false, now)
        .id()
        .unwrap();
    devices.end(id, now, now);
    let handle = devices.get(id).handle.clone();
    assert_eq!(
        devices.found(0, target(2), &report("A"), false, now),
        Found::Elsewhere,
        "it answers at the first"
    );
    devices.failed(id);
    assert_eq!(
        devices.found(0, target(2), &report("A"), false, now),
        Found::Moved(id, target(1))
    );
    assert_eq!(devices.get(id).target, target(2));
    assert_eq!(devices.get(id).handle, handle);
    assert_eq!((devices.len(), devices.answering()), (1, 0));
    devices.answered(id, now);
    assert_eq!(devices.answering(), 1);
}

/// What answers: serial number, MAC, object id, model; `-` for what it does not say.
fn answer(parts: [&str; 4]) -> DeviceReport {
    let [serial, mac, object_id, model] = parts.map(|part| (part != "-").then(|| part.to_owned()));
    DeviceReport {
        identity: Identity {
            serial,
            mac,
            object_id,
            model,
            ..Identity::default()
        },
        ..DeviceReport::default()
    }
}

#[test]
fn who_answers_without_a_serial_is_told_by_mac_then_by_object_id_and_model() {
    use Noted::{Other, Same};
    for (before, after, expected) in [
        // The serial number decides, whatever else moved.
        (["S", "m1", "1.1", "M"], ["S", "m2", "1.2", "N"], Same),
        (["S", "m1", "1.1", "M"], ["T", "m1", "1.1", "M"], Other),
        // On either side none: the MAC decides.
        (["S", "m1", "1.1", "M"], ["-", "m2", "1.1", "M"], Other),
        (["S", "m1", "1.1", "M"], ["-", "m1", "1.1", "N"], Same),
        (["-", "m1", "1.1", "M"], ["S", "m2", "1.1", "M"], Other),
        (["-", "m1", "1.1", "M"], ["S", "m1", "1.1", "M"], Same),
        // Neither: object id and model decide.
        (["S", "m1", "1.1", "M"], ["-", "-", "1.2", "M"], Other),
        (["-", "-", "1.1", "M"], ["S", "-", "1.1", "N"], Other),
        (["-", "-", "1.1", "M"], ["-", "-", "1.1", "N"], Other),
        (["S", "m1", "1.1", "M"], ["-", "-", "1.1", "M"], Same),
        // What is not said contradicts nothing.
        (["S", "m1", "1.1", "M"], ["-", "-", "-", "-"], Same),
    ] {
        let now = Instant::now();
        let mut devices = Devices::default();
        let id = devices
            .found(0, target(1), &answer(before), false, now)
            .id()
            .unwrap();
        let handle = devices.get(id).handle.clone();
        let noted = devices.note(id, &answer(after), true, now);
        if noted == Other {
            devices.replace(id, &answer(after), true, now);
        }
        assert_eq!(noted, expected, "{before:?} then {after:?}");
        let has_same_handle = devices.get(id).handle == handle;
        assert_eq!(
            has_same_handle,
            expected == Same,
            "{before:?} then {after:?}"
        );
        assert_eq!(devices.len(), 1);
    }
}

#[test]
fn a_poll_that_broke_off_makes_no_other_device_of_a_model_that_reads_otherwise() {
    let now = Instant::now();
    let mut devices = Devices::default();
    let full = answer(["-", "-", "1.1", "Laser 1"]);
    let id = devices.found(0, target(1), &full, false, now).id().unwrap();
    let part = answer(["-", "-", "1.1", "Laser 1; firmware 2"]);
    assert_eq!(devices.note(id, &part, false, now), Noted::Same);
    assert_eq!(devices.note(id, &full, true, now), Noted::Same);
    assert_eq!(devices.note(id, &part, true, now), Noted::Other);
}

#[test]
fn what_was_learned_of_a_device_is_remembered_when_it_says_less() {
    let now = Instant::now();
    let mut devices = Devices::default();
    let first = answer(["-", "m1", "1.1", "M"]);
    let id = devices
        .found(0, target(1), &first, false, now)
        .id()
        .unwrap();
    let with_serial = answer(["S", "m1", "1.1", "M"]);
    assert_eq!(devices.note(id, &with_serial, true, now), Noted::Same);
    let without = answer(["-", "-", "1.1", "M"]);
    assert_eq!(devices.note(id, &without, true, now), Noted::Same);
    let another = answer(["T", "-", "1.1", "M"]);
    assert_eq!(devices.note(id, &another, true, now), Noted::Other);
}

#[test]
fn a_silent_device_that_a_sweep_meets_again_without_its_serial_keeps_its_handle() {
    let now = Instant::now();
    let mut devices = Devices::default();
    let full = answer(["S", "m1", "1.1", "M"]);
    let id = devices.found(0, target(1), &full, false, now).id().unwrap();
    devices.failed(id);
    let less = answer(["-", "-", "1.1", "M"]);
    assert_eq!(
        devices.found(0, target(1), &less, false, now),
        Found::Here(id)
    );
    let other = answer(["-", "-", "1.2", "N"]);
    let handle = devices.get(id).handle.clone();
    let new = devices
        .found(0, target(1), &other, false, now)
        .id()
        .unwrap();
    assert_ne!(devices.get(new).handle, handle);
    assert_eq!(devices.len(), 1);
}

#[test]
fn a_burst_of_traps_is_one_poll_and_a_flood_of_them_one_every_ten_seconds() {
    let begin = Instant::now();
    let mut devices = Devices::default();
    let id = devices
        .found(0, target(1), &report("A"), false, begin)
        .id()
        .unwrap();
    devices.end(id, begin + Duration::from_secs(300), begin);
    assert_eq!(devices.at_address(target(1).ip()).collect::<Vec<_>>(), [id]);
    assert_eq!(devices.at_address(target(2).ip()).count(), 0);

    // Ten traps a second for a minute; each poll takes half a second.
    let mut polls = Vec::new();
    let mut ends = None;
    for tick in 0..600 {
        let now = begin + Duration::from_millis(tick * 100);
        if ends.is_some_and(|ends| ends <= now) {
            ends = None;
            devices.end(id, now + Duration::from_secs(300), now);
        }
        devices.told(id, now);
        if let Some((due, _)) = devices.next_due()
            && due <= now
        {
            devices.begin(id, Reading::all(Depth::Steady), now);
            ends = Some(now + Duration::from_millis(500));
            polls.push((now - begin).as_millis());
        }
    }
    assert_eq!(polls, [300, 10_300, 20_300, 30_300, 40_300, 50_300]);
}
