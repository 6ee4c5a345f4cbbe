//! Every recording says what stands about it in `recordings.expected`: who it is, its status, every meter, supply, tray and alert.
//!
//! The expectations were derived by reading the recordings and the MIBs. Of serial numbers, addresses and host names of real devices only
//! the length, the maker's half or nothing is told. Sizes that were never used are left out.

mod recorded;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use codec::model::*;

use recorded::*;

const EXPECTED: &str = include_str!("recordings.expected");

#[test]
fn every_recording_says_what_is_expected_of_it() {
    let Some(folder) = folder() else { return };
    let expected = sections();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".snmprec") else {
            continue;
        };
        let Some(lines) = expected.get(name) else {
            println!("{name}: nothing is expected of it");
            continue;
        };
        let told = told(&report(name).unwrap_or_else(|| panic!("{name}: no report")));
        let told = told.lines().collect::<Vec<_>>();
        let missing = lines.iter().filter(|line| !told.contains(line));
        let surplus = told.iter().filter(|line| !lines.contains(line));
        wrong.extend(missing.map(|line| format!("{name}: not told: {line}")));
        wrong.extend(surplus.map(|line| format!("{name}: not expected: {line}")));
        compared += 1;
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    println!("{compared} recordings compared");
}

/// The lines of each recording: a name at the margin, its lines indented.
fn sections() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut sections: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut name = "";
    for line in EXPECTED.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix("  ") {
            Some(fact) => sections.entry(name).or_default().push(fact),
            None if line.is_empty() => {}
            None => name = line,
        }
    }
    sections
}

/// A report in words, a fact a line.
fn told(report: &DeviceReport) -> String {
    let mut out = String::new();
    let identity = &report.identity;
    let [maker, model, profile] = who(report);
    let _ = write!(out, "{maker} / {model} / {profile}");
    if serial(report) > 0 {
        let _ = write!(out, ", serial of {}", serial(report));
    }
    if let Some(firmware) = &identity.firmware {
        let _ = write!(out, ", firmware {firmware}");
    }
    if let Some(mac) = &identity.mac {
        let _ = write!(out, ", mac {}", &mac[..8]);
    }
    let status = report.status.read().unwrap();
    let device = status.device.map_or("-", DeviceStatus::word);
    let printer = status.printer.map_or("-", PrinterStatus::word);
    let errors = status
        .errors
        .iter()
        .map(|error| format!(" {}", error.word()));
    let _ = write!(
        out,
        "\n{device} {printer}{}",
        errors.collect::<Vec<_>>().concat()
    );
    if let Some(display) = &status.display {
        let _ = write!(out, " \"{display}\"");
    }
    let set = report.meter_set.unwrap_or(MeterSet::Unverified);
    let _ = writeln!(out, "\n{}", set.word());
    for meter in meters(report) {
        let _ = writeln!(out, "{meter}");
    }
    for supply in report.supplies.read().unwrap() {
        let _ = write!(
            out,
            "supply {} {} {}",
            supply.index,
            supply.class.word(),
            supply.kind.word()
        );
        if let Some(colorant) = supply.colorant {
            let _ = write!(out, " {}", colorant.word());
        }
        let _ = write!(out, " \"{}\"", supply.description);
        if let Some(part) = &supply.part {
            let _ = write!(out, " part {part}");
        }
        if let Some(serial) = &supply.serial {
            let _ = write!(out, " serial of {}", serial.len());
        }
        let _ = writeln!(
            out,
            " {}",
            amount(supply.level, supply.capacity, supply.unit)
        );
    }
    for tray in report.trays.read().unwrap() {
        let _ = write!(
            out,
            "tray {} \"{}\" {}",
            tray.index,
            tray.name,
            tray.kind.word()
        );
        if let Some(media) = &tray.media {
            let _ = write!(out, " ({media})");
        }
        let _ = write!(out, " {}", amount(tray.level, tray.capacity, tray.unit));
        if let Some(status) = tray.status {
            let _ = write!(out, " status {status}");
        }
        out.push('\n');
    }
    for alert in report.alerts.read().unwrap() {
        let place = alert.group_index.map(|index| format!(" {index}"));
        let _ = writeln!(
            out,
            "alert {} {}{} {} \"{}\"",
            alert.severity.word(),
            alert.group,
            place.unwrap_or_default(),
            alert.code,
            alert.description
        );
    }
    out
}

/// `7500 of 15000 impressions`.
fn amount(level: Level, capacity: Option<u32>, unit: CapacityUnit) -> String {
    let level = match level {
        Level::Percent(percent) => format!("{percent} %"),
        Level::Amount(amount) => amount.to_string(),
        Level::Some => "some".to_owned(),
        Level::Unknown => "unknown".to_owned(),
        Level::Unlimited => "unlimited".to_owned(),
    };
    let capacity = capacity.map(|capacity| format!(" of {capacity}"));
    format!("{level}{} {}", capacity.unwrap_or_default(), unit.word())
}
