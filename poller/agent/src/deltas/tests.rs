//! Deltas against what a manager would make of them.

use codec::model::{
    Basis, Colour, DeviceStatus, Identity, Meter, MeterUnit, Section, Status, Work,
};

use super::*;

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
const DAY: Duration = Duration::from_secs(86_400);

fn device(handle: &str, value: u64) -> DeviceReport {
    DeviceReport {
        observed_at: NOW,
        observed_uptime_ms: 1,
        handle: handle.to_owned(),
        identity: Identity {
            serial: Some(handle.to_uppercase()),
            model: Some("Example 1".to_owned()),
            ..Identity::default()
        },
        meters: Section::Read(vec![Meter {
            work: Work::Total,
            colour: Colour::Total,
            unit: MeterUnit::Impressions,
            size: None,
            sides: None,
            value,
            basis: Basis::Billing,
            oid: "1.3.6.1".to_owned(),
            parts: Vec::new(),
        }]),
        ..DeviceReport::default()
    }
}

/// Encodes one device into the report of that number and keeps it.
fn sealed(
    deltas: &mut Deltas,
    sequence: u64,
    device: &DeviceReport,
    now: Timestamp,
) -> DeviceReport {
    let mut devices = deltas.encode(Stream::Meters, sequence, std::slice::from_ref(device), now);
    deltas.keep_last();
    devices.remove(0)
}

#[test]
fn a_delta_names_the_last_full_report_and_leads_back_to_what_was_read() {
    let mut deltas = Deltas::new(DAY, Wanted::default());
    let full = sealed(&mut deltas, 7, &device("a", 100), NOW);
    assert_eq!(full.base, None);
    for (sequence, value) in [(8, 100), (9, 117)] {
        let read = device("a", value);
        let delta = sealed(&mut deltas, sequence, &read, NOW);
        assert_eq!(delta.base, Some(7), "never on top of another delta");
        assert_eq!(
            delta.identity.model, None,
            "what did not change is left out"
        );
        let resolved = delta::apply(&full, &delta).unwrap();
        assert_eq!(resolved.meters, read.meters);
        assert_eq!(resolved.identity, read.identity);
    }
    let unchanged = sealed(&mut deltas, 10, &device("a", 100), NOW);
    assert_eq!(unchanged.meters, Section::Unchanged);
}

#[test]
fn full_again_after_a_day_when_wanted_and_when_the_base_read_less() {
    let wanted = Wanted::default();
    let mut deltas = Deltas::new(DAY, wanted.clone());
    sealed(&mut deltas, 1, &device("a", 1), NOW);
    assert_eq!(sealed(&mut deltas, 2, &device("a", 2), NOW).base, Some(1));

    wanted.note(&["b".to_owned()]);
    assert_eq!(
        sealed(&mut deltas, 3, &device("a", 2), NOW).base,
        Some(1),
        "another device"
    );
    wanted.note(&["a".to_owned()]);
    assert_eq!(sealed(&mut deltas, 4, &device("a", 3), NOW).base, None);
    assert_eq!(sealed(&mut deltas, 5, &device("a", 3), NOW).base, Some(4));

    let later = NOW.plus_ms(86_400_000);
    assert_eq!(sealed(&mut deltas, 6, &device("a", 3), later).base, None);

    let with_status = DeviceReport {
        status: Section::Read(Status {
            device: Some(DeviceStatus::Running),
            ..Status::default()
        }),
        ..device("a", 3)
    };
    assert_eq!(sealed(&mut deltas, 7, &with_status, later).base, None);
    assert_eq!(sealed(&mut deltas, 8, &with_status, later).base, Some(7));
}

#[test]
fn a_report_that_the_spool_did_not_take_is_no_base() {
    let mut deltas = Deltas::new(DAY, Wanted::default());
    let devices = [device("a", 1)];
    assert_eq!(
        deltas.encode(Stream::Meters, 1, &devices, NOW)[0].base,
        None
    );
    deltas.forget_last();
    assert_eq!(
        deltas.encode(Stream::Meters, 1, &devices, NOW)[0].base,
        None
    );
    deltas.keep_last();
    assert_eq!(
        deltas.encode(Stream::Meters, 2, &devices, NOW)[0].base,
        Some(1)
    );
}

#[test]
fn a_device_that_is_in_a_report_twice_is_full_the_second_time() {
    let mut deltas = Deltas::new(DAY, Wanted::default());
    sealed(&mut deltas, 1, &device("a", 1), NOW);
    let twice = [device("a", 2), device("a", 3)];
    let encoded = deltas.encode(Stream::Meters, 2, &twice, NOW);
    deltas.keep_last();
    assert_eq!((encoded[0].base, encoded[1].base), (Some(1), None));
    assert_eq!(sealed(&mut deltas, 3, &device("a", 3), NOW).base, Some(2));
}

#[test]
fn whoever_is_not_who_the_base_was_is_said_in_full() {
    let mut deltas = Deltas::new(DAY, Wanted::default());
    sealed(&mut deltas, 1, &device("a", 1), NOW);
    let mut renamed = device("a", 2);
    renamed.identity.hostname = Some("front-desk".to_owned());
    let said = sealed(&mut deltas, 2, &renamed, NOW);
    assert_eq!((said.base, &said), (None, &renamed));
    assert_eq!(sealed(&mut deltas, 3, &renamed, NOW).base, Some(2));
}

#[test]
fn a_heartbeat_is_no_new_base_as_long_as_the_old_one_may_serve() {
    let mut deltas = Deltas::new(DAY, Wanted::default());
    let heartbeat = DeviceReport {
        meters: Section::NotRead,
        ..device("a", 1)
    };
    sealed(&mut deltas, 1, &device("a", 1), NOW);
    let due = NOW.plus_ms(86_400_000);
    assert_eq!(sealed(&mut deltas, 2, &heartbeat, due).base, Some(1));
    assert_eq!(sealed(&mut deltas, 3, &device("a", 2), due).base, None);
    assert_eq!(sealed(&mut deltas, 4, &heartbeat, due).base, Some(3));
    let long_due = due.plus_ms(2 * 86_400_000);
    assert_eq!(sealed(&mut deltas, 5, &heartbeat, long_due).base, None);
    assert_eq!(sealed(&mut deltas, 6, &heartbeat, long_due).base, Some(5));
}

#[test]
fn a_device_that_is_not_read_any_more_keeps_no_base() {
    let mut deltas = Deltas::new(DAY, Wanted::default());
    sealed(&mut deltas, 1, &device("a", 1), NOW);
    let hours = |hours: i64| NOW.plus_ms(hours * 3_600_000);
    for (sequence, hour) in (2..).zip([0, 20, 40]) {
        sealed(&mut deltas, sequence, &device("b", 1), hours(hour));
        assert_eq!(deltas.bases.len(), 2, "at {hour} h");
    }
    sealed(&mut deltas, 5, &device("b", 1), hours(48));
    assert_eq!(deltas.bases.len(), 1);
    assert_eq!(
        sealed(&mut deltas, 6, &device("b", 1), hours(49)).base,
        Some(4)
    );
    // Set back by a week, the clock says nothing about any age.
    assert_eq!(
        sealed(&mut deltas, 7, &device("b", 1), hours(-168)).base,
        None
    );
    assert_eq!(
        sealed(&mut deltas, 8, &device("b", 1), hours(-167)).base,
        Some(7)
    );
}

#[test]
fn what_the_manager_wants_in_full_is_in_both_streams() {
    let wanted = Wanted::default();
    let mut deltas = Deltas::new(DAY, wanted.clone());
    let device = device("a", 1);
    let mut said = |stream, sequence| {
        let said = deltas.encode(stream, sequence, std::slice::from_ref(&device), NOW);
        deltas.keep_last();
        said[0].base
    };
    for stream in Stream::ALL {
        assert_eq!(said(stream, 1), None);
        assert_eq!(said(stream, 2), Some(1));
    }
    wanted.note(&["a".to_owned()]);
    for stream in Stream::ALL {
        assert_eq!(said(stream, 3), None, "{}", stream.name());
    }
}
