//! What was pushed comes out again.

use codec::model::{MeterPart, Report};
use codec::sample::Fleet;
use codec::xml::{push_rows, write_report};

use super::*;

fn xml(report: &Report) -> Vec<u8> {
    let mut xml = Vec::new();
    write_report(report, &mut xml);
    xml
}

/// Reports of both streams, full and changed, with a computed meter and a section of each state.
fn reports() -> Vec<Report> {
    let mut fleet = Fleet::new(40, 7);
    let mut reports = Vec::new();
    for stream in Stream::ALL {
        let full = fleet.report(stream, 1);
        fleet.pass(60);
        let mut later = fleet.report(stream, 2);
        for (device, base) in later.devices.iter_mut().zip(&full.devices).step_by(2) {
            let base = codec::delta::Digest::of(base).expect("a full report");
            *device = codec::delta::diff(&base, 1, device).expect("a delta");
        }
        reports.extend([full, later]);
    }
    let mut computed = reports[0].clone();
    for device in &mut computed.devices {
        if let codec::model::Section::Read(meters) = &mut device.meters {
            for (part, meter) in (0..).zip(meters) {
                meter.parts = (0..part % 3)
                    .map(|value| MeterPart {
                        oid: format!("1.3.6.1.{value}"),
                        value,
                    })
                    .collect();
            }
        }
    }
    reports.push(computed);
    reports
}

#[test]
fn a_report_comes_out_as_it_went_in() {
    let mut columns = Columns::default();
    assert_eq!(columns.report(), None);
    for report in reports() {
        push_rows(&xml(&report), &mut columns).unwrap();
        assert_eq!(columns.report().as_ref(), Some(&report));
        let header = &report.header;
        let sender = (
            header.agent.clone(),
            header.epoch,
            header.stream,
            header.sequence,
        );
        assert_eq!(columns.sender(), Some(sender));
        let has_full = report.devices.iter().any(|device| device.base.is_none());
        assert_eq!(columns.is_deltas_only(), !has_full);
    }
}

#[test]
fn memory_is_given_on_and_does_not_grow_by_the_same_report() {
    let spare = Spare::new(0);
    let xml = xml(&reports()[0]);
    let mut columns = spare.take();
    push_rows(&xml, &mut *columns).unwrap();
    let bytes = columns.bytes();
    assert!(bytes > 0 && bytes <= SPARE_BYTES_MAX);
    for _ in 0..3 {
        spare.put(columns);
        columns = spare.take();
        assert_eq!((columns.bytes(), columns.report()), (bytes, None));
        push_rows(&xml, &mut *columns).unwrap();
        assert_eq!(columns.bytes(), bytes);
    }
}

#[test]
fn what_is_too_large_or_too_many_is_not_kept() {
    let spare = Spare::new(0);
    let mut large = Box::new(Columns::default());
    large.text.reserve(SPARE_BYTES_MAX + 1);
    spare.put(large);
    assert_eq!(spare.lock().len(), 0);
    for _ in 0..SPARE_MAX + 3 {
        spare.put(Box::default());
    }
    assert_eq!(spare.lock().len(), SPARE_MAX);
}

#[test]
fn what_is_kept_never_takes_more_than_was_allowed_and_leaves_its_room() {
    let xml = xml(&reports()[0]);
    let read = || {
        let mut columns = Box::new(Columns::default());
        push_rows(&xml, &mut *columns).unwrap();
        columns
    };
    let bytes = read().bytes();
    let spare = Arc::new(Spare::new(2 * bytes + bytes / 2));
    let first = spare.keep(read()).unwrap();
    let second = spare.keep(read()).unwrap();
    assert_eq!(first.columns().report(), read().report());
    assert!(spare.keep(read()).is_none());
    assert_eq!((spare.kept_bytes(), spare.lock().len()), (2 * bytes, 1));
    drop(first);
    assert_eq!((spare.kept_bytes(), spare.lock().len()), (bytes, 2));
    let third = spare.keep(read());
    assert!(third.is_some());
    drop((second, third));
    assert_eq!(spare.kept_bytes(), 0);
}
