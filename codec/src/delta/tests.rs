//! A delta on top of its base is the report it was made of.

use proptest::prelude::*;

use super::*;
use crate::arbitrary::full_device;
use crate::key::Stream;
use crate::model::{Level, Report};
use crate::sample::Fleet;
use crate::xml;

fn first(fleet: &mut Fleet, stream: Stream) -> DeviceReport {
    fleet.report(stream, 1).devices.remove(0)
}

/// A device that has moved on from `base`: some sections as they were, some new.
fn later(base: DeviceReport) -> impl Strategy<Value = (DeviceReport, DeviceReport)> {
    (
        Just(base),
        full_device(),
        any::<[bool; 7]>(),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(base, other, keep, at)| {
            let mut new = DeviceReport {
                handle: base.handle.clone(),
                ..other
            };
            macro_rules! keep {
                ($($number:literal $field:ident),+) => {
                    $(if keep[$number] { new.$field = base.$field.clone(); })+
                };
            }
            keep!(0 identity, 1 status, 2 meters, 3 supplies, 4 trays, 5 alerts);
            if keep[6]
                && let Section::Read(supplies) = &mut new.supplies
                && !supplies.is_empty()
            {
                let at = at.index(supplies.len());
                supplies[at].level = Level::Percent(42);
            }
            (base, new)
        })
}

proptest! {
    #[test]
    fn a_delta_on_its_base_is_the_new_report((base, new) in full_device().prop_flat_map(later)) {
        if let Some(delta) = diff(&base, 7, &new) {
            prop_assert_eq!(delta.base, Some(7));
            prop_assert_eq!(apply(&base, &delta).unwrap(), new);
        } else {
            // Only an empty text that is really there cannot be said.
            let said = format!("{:?}", new.identity);
            prop_assert!(said.contains("Some(\"\")"), "{}", said);
        }
    }

    #[test]
    fn a_delta_says_the_same_after_a_trip_over_the_wire((base, new) in full_device().prop_flat_map(later)) {
        let header = Fleet::new(0, 1).report(Stream::State, 9).header;
        if let Some(delta) = diff(&base, 7, &new) {
            let mut bytes = Vec::new();
            xml::write_report(&Report { header, devices: vec![delta] }, &mut bytes);
            let arrived = xml::read_report(&bytes).unwrap().devices.remove(0);
            prop_assert_eq!(apply(&base, &arrived).unwrap(), new);
        }
    }
}

#[test]
fn a_device_at_rest_says_that_everything_is_unchanged() {
    let mut fleet = Fleet::new(1, 3);
    let base = first(&mut fleet, Stream::Meters);
    let delta = diff(&base, 1, &first(&mut fleet, Stream::Meters)).unwrap();
    assert_eq!(delta.meters, Section::Unchanged);
    assert_eq!(delta.status, Section::NotRead);
    let only_serial = Identity {
        serial: base.identity.serial.clone(),
        ..Identity::default()
    };
    assert_eq!(delta.identity, only_serial);
}

#[test]
fn a_row_that_moved_is_said_alone() {
    let mut fleet = Fleet::new(1, 3);
    let base = first(&mut fleet, Stream::State);
    let mut new = base.clone();
    let Section::Read(supplies) = &mut new.supplies else {
        unreachable!()
    };
    supplies[0].level = Level::Some;
    let moved = supplies[0].clone();
    let delta = diff(&base, 1, &new).unwrap();
    assert_eq!(delta.supplies, Section::Changed(vec![moved]));
    assert_eq!(delta.trays, Section::Unchanged);
}

#[test]
fn what_went_away_is_told_from_what_did_not_change() {
    let mut fleet = Fleet::new(1, 3);
    let base = first(&mut fleet, Stream::State);
    let mut new = base.clone();
    new.identity.location = None;
    let Section::Read(supplies) = &mut new.supplies else {
        unreachable!()
    };
    supplies.remove(0);
    new.alerts = Section::NotRead;
    let delta = diff(&base, 1, &new).unwrap();
    assert_eq!(delta.identity.location.as_deref(), Some(""));
    assert_eq!(delta.identity.hostname, None);
    assert_eq!(
        delta.supplies, new.supplies,
        "rows that went are said by saying all"
    );
    assert_eq!(delta.alerts, Section::NotRead);
    assert_eq!(apply(&base, &delta), Ok(new));
}

#[test]
fn a_delta_is_refused_on_a_base_that_is_not_its_own() {
    let mut fleet = Fleet::new(2, 3);
    let devices = fleet.report(Stream::State, 1).devices;
    let delta = diff(&devices[0], 1, &devices[0]).unwrap();
    let wrong = |result: Result<DeviceReport, DeltaError>| {
        assert!(
            matches!(result, Err(DeltaError::WrongBase { .. })),
            "{result:?}"
        );
    };
    wrong(apply(&devices[1], &delta));
    wrong(apply(&delta, &delta));
    let unread = DeviceReport {
        supplies: Section::NotRead,
        ..devices[0].clone()
    };
    wrong(apply(&unread, &delta));
    let full = apply(&devices[0], &devices[0]);
    assert!(
        matches!(full, Err(DeltaError::NotADelta { .. })),
        "{full:?}"
    );
    assert_eq!(diff(&devices[0], 1, &devices[1]), None);
    assert_eq!(diff(&delta, 1, &devices[0]), None);
}
