//! A delta on top of its base is the report it was made of.

use proptest::prelude::*;

use super::*;
use crate::arbitrary::{full_device, identity};
use crate::key::Stream;
use crate::model::{Level, Report};
use crate::sample::Fleet;
use crate::xml;

fn first(fleet: &mut Fleet, stream: Stream) -> DeviceReport {
    fleet.report(stream, 1).devices.remove(0)
}

/// The delta on a base, by its digest.
fn diff(base: &DeviceReport, new: &DeviceReport) -> Option<DeviceReport> {
    super::diff(&Digest::of(base)?, 7, new)
}

/// What happens to the rows of a section from one poll to another; numbers choose which rows.
#[derive(Clone, Copy, Debug)]
enum Step {
    Change,
    Vanish,
    Swap,
    Double,
    Append,
    NotRead,
    Replace,
}

fn steps() -> impl Strategy<Value = Vec<(Step, [prop::sample::Index; 2])>> {
    let step = prop_oneof![
        6 => Just(Step::Change),
        1 => Just(Step::Vanish),
        1 => Just(Step::Swap),
        1 => Just(Step::Double),
        2 => Just(Step::Append),
        1 => Just(Step::NotRead),
        1 => Just(Step::Replace),
    ];
    prop::collection::vec((step, any::<[prop::sample::Index; 2]>()), 0..4)
}

/// Takes `section` through its steps: values come from the same section of another device.
fn walk<T: Clone>(
    section: &mut Section<Vec<T>>,
    other: &Section<Vec<T>>,
    steps: &[(Step, [prop::sample::Index; 2])],
    change: impl Fn(&mut T),
) {
    for (step, [first, second]) in steps {
        let foreign = other.read().and_then(|rows| {
            let at = first.index(rows.len().max(1));
            rows.get(at).cloned()
        });
        let Section::Read(rows) = section else {
            section.clone_from(other);
            continue;
        };
        let at = |index: &prop::sample::Index| index.index(rows.len().max(1));
        let (at, to) = (at(first), at(second));
        match (step, foreign) {
            (Step::Append, Some(row)) => rows.push(row),
            (Step::NotRead, _) => *section = Section::NotRead,
            _ if rows.is_empty() => {}
            (Step::Change, _) => change(&mut rows[at]),
            (Step::Vanish, _) => drop(rows.remove(at)),
            (Step::Swap, _) => rows.swap(at, to),
            (Step::Double, _) => rows.insert(to, rows[at].clone()),
            (Step::Replace, Some(row)) => rows[at] = row,
            (Step::Append | Step::Replace, None) => {}
        }
    }
}

/// A base, and its device some time later: rows that changed, went, came, changed places, stand there twice, or were not read.
fn moved_on() -> impl Strategy<Value = (DeviceReport, DeviceReport)> {
    let device = || {
        full_device().prop_map(|mut device| {
            device.identity.serial.take_if(|serial| serial.is_empty());
            device
        })
    };
    let steps = (steps(), steps(), steps(), steps());
    let meanwhile = (device(), steps, any::<bool>());
    (device(), meanwhile).prop_map(|(base, (other, steps, keeps_status))| {
        let mut new = DeviceReport {
            handle: base.handle.clone(),
            identity: base.identity.clone(),
            meters: base.meters.clone(),
            supplies: base.supplies.clone(),
            trays: base.trays.clone(),
            alerts: base.alerts.clone(),
            ..other.clone()
        };
        if keeps_status {
            new.status = base.status.clone();
        }
        walk(&mut new.meters, &other.meters, &steps.0, |row| {
            row.value = row.value.wrapping_add(1);
        });
        walk(&mut new.supplies, &other.supplies, &steps.1, |row| {
            row.level = Level::Percent(42);
        });
        walk(&mut new.trays, &other.trays, &steps.2, |row| {
            row.media = None;
        });
        walk(&mut new.alerts, &other.alerts, &steps.3, |row| {
            row.since = None;
        });
        (base, new)
    })
}

/// How a section is said, by a reader of both reports: the least that leads from one to the other, by the rule at the top of the module.
fn section_by_rule<T: Row + PartialEq>(
    base: &Section<Vec<T>>,
    new: &Section<Vec<T>>,
) -> Section<Vec<T>> {
    let (Section::Read(old), Section::Read(rows)) = (base, new) else {
        return new.clone();
    };
    if old == rows {
        return Section::Unchanged;
    }
    let differs = |(at, row): &(usize, &T)| old.get(*at) != Some(*row);
    let changed = rows.iter().enumerate().filter(differs);
    let changed: Vec<T> = changed.map(|(_, row)| row.clone()).collect();
    if changed.len() < rows.len() && rows_apply(old, &changed) == *rows {
        Section::Changed(changed)
    } else {
        new.clone()
    }
}

/// Which sections were read.
fn reads(device: &DeviceReport) -> [bool; 5] {
    let (meters, supplies) = (device.meters.read(), device.supplies.read());
    let (trays, alerts) = (device.trays.read(), device.alerts.read());
    [
        device.status.read().is_some(),
        meters.is_some(),
        supplies.is_some(),
        trays.is_some(),
        alerts.is_some(),
    ]
}

proptest! {
    #[test]
    fn a_delta_on_its_base_is_the_new_report((base, new) in moved_on()) {
        let delta = diff(&base, &new).unwrap();
        prop_assert_eq!(delta.base, Some(7));
        prop_assert_eq!(apply(&base, &delta).unwrap(), new);
    }

    #[test]
    fn a_digest_tells_what_the_base_itself_would((base, new) in moved_on()) {
        let delta = diff(&base, &new).unwrap();
        prop_assert_eq!(&delta.meters, &section_by_rule(&base.meters, &new.meters));
        prop_assert_eq!(&delta.supplies, &section_by_rule(&base.supplies, &new.supplies));
        prop_assert_eq!(&delta.trays, &section_by_rule(&base.trays, &new.trays));
        prop_assert_eq!(&delta.alerts, &section_by_rule(&base.alerts, &new.alerts));
        let is_same = !new.status.is_not_read() && base.status == new.status;
        prop_assert_eq!(delta.status.is_unchanged(), is_same);
        let digest = Digest::of(&base).unwrap();
        let (old, now) = (reads(&base), reads(&new));
        prop_assert_eq!(digest.lacks(&new), (0..5).any(|at| now[at] && !old[at]));
        prop_assert_eq!(digest.is_covered_by(&new), (0..5).all(|at| now[at] || !old[at]));
    }

    #[test]
    fn a_delta_says_the_same_after_a_trip_over_the_wire((base, new) in moved_on()) {
        let header = Fleet::new(0, 1).report(Stream::State, 9).header;
        let mut bytes = Vec::new();
        xml::write_report(&Report { header, devices: vec![diff(&base, &new).unwrap()] }, &mut bytes);
        let arrived = xml::read_report(&bytes).unwrap().devices.remove(0);
        prop_assert_eq!(apply(&base, &arrived).unwrap(), new);
    }

    #[test]
    fn whoever_is_not_who_the_base_was_is_said_in_full((base, new) in moved_on(), other in identity()) {
        let same = other == base.identity;
        let renamed = DeviceReport { identity: other, ..new.clone() };
        prop_assert_eq!(diff(&base, &renamed).is_some(), same && renamed.identity.serial.as_deref() != Some(""));
        let moved = DeviceReport { handle: format!("{}x", new.handle), ..new };
        prop_assert_eq!(diff(&base, &moved), None);
    }
}

#[test]
fn a_device_at_rest_says_that_everything_is_unchanged() {
    let mut fleet = Fleet::new(1, 3);
    let base = first(&mut fleet, Stream::Meters);
    let delta = diff(&base, &first(&mut fleet, Stream::Meters)).unwrap();
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
    let delta = diff(&base, &new).unwrap();
    assert_eq!(delta.supplies, Section::Changed(vec![moved]));
    assert_eq!(delta.trays, Section::Unchanged);
}

#[test]
fn rows_that_went_are_said_by_saying_all() {
    let mut fleet = Fleet::new(1, 3);
    let base = first(&mut fleet, Stream::State);
    let mut new = base.clone();
    let Section::Read(supplies) = &mut new.supplies else {
        unreachable!()
    };
    supplies.remove(0);
    new.alerts = Section::NotRead;
    let delta = diff(&base, &new).unwrap();
    assert_eq!(delta.supplies, new.supplies);
    assert_eq!(delta.alerts, Section::NotRead);
    assert_eq!(apply(&base, &delta), Ok(new));
}

#[test]
fn a_text_of_the_identity_that_went_away_is_told_from_one_that_did_not_change() {
    let mut fleet = Fleet::new(1, 3);
    let base = first(&mut fleet, Stream::State);
    let mut delta = diff(&base, &base).unwrap();
    delta.identity.location = Some(String::new());
    delta.identity.firmware = Some("2.0".to_owned());
    let mut new = base.clone();
    new.identity.location = None;
    new.identity.firmware = Some("2.0".to_owned());
    assert_eq!(apply(&base, &delta), Ok(new));
}

#[test]
fn a_delta_is_refused_on_a_base_that_is_not_its_own() {
    let mut fleet = Fleet::new(2, 3);
    let devices = fleet.report(Stream::State, 1).devices;
    let delta = diff(&devices[0], &devices[0]).unwrap();
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
    assert_eq!(diff(&devices[0], &devices[1]), None);
    assert_eq!(Digest::of(&delta), None);
    assert_eq!(diff(&devices[0], &delta), None);
}
