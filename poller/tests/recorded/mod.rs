//! Where recordings of real devices are, and short forms of what their reports say.
#![allow(dead_code)] // Each test binary uses its part.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use codec::model::{Colorant, DeviceReport, Level, SupplyType};
use codec::time::Timestamp;
use poller::profile::ProfileSet;
use poller::recording::{Recording, replay};

static PROFILES: LazyLock<Arc<ProfileSet>> = LazyLock::new(|| Arc::new(ProfileSet::embedded()));

pub fn folder() -> Option<PathBuf> {
    let default =
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/devices/recordings");
    let folder = std::env::var_os("PLATEN_RECORDINGS").map_or_else(default, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no folder of recordings (PLATEN_RECORDINGS)");
    None
}

/// The report of one recording; `None` where it is not at hand.
pub fn report(name: &str) -> Option<DeviceReport> {
    let path = folder()?.join(name).with_extension("snmprec");
    let Ok(text) = std::fs::read(&path) else {
        println!("skipped: no recording {name}");
        return None;
    };
    let recording = Recording::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    replay(
        &recording,
        Arc::clone(&PROFILES),
        Timestamp::from_unix_ms(1_780_000_000_000),
    )
    .report
}

/// Meters as `code=value`, without those of a size that was never used.
pub fn meters(report: &DeviceReport) -> BTreeSet<String> {
    let meters = report.meters.read().unwrap().iter();
    let used = meters.filter(|meter| meter.size.is_none() || meter.value > 0);
    used.map(|meter| format!("{}={}", meter.code(), meter.value))
        .collect()
}

pub fn set(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

/// Supplies as index, kind, colour and level.
pub fn supplies(report: &DeviceReport) -> Vec<(u32, SupplyType, Option<Colorant>, Level)> {
    let supplies = report.supplies.read().unwrap().iter();
    supplies
        .map(|supply| (supply.index, supply.kind, supply.colorant, supply.level))
        .collect()
}

pub fn trays(report: &DeviceReport) -> Vec<(u32, String, Level)> {
    let trays = report.trays.read().unwrap().iter();
    trays
        .map(|tray| (tray.index, tray.name.clone(), tray.level))
        .collect()
}

/// The length of the serial number.
pub fn serial(report: &DeviceReport) -> usize {
    report.identity.serial.as_deref().unwrap_or_default().len()
}

/// Maker, model, and the profile it was read with.
pub fn who(report: &DeviceReport) -> [&str; 3] {
    let identity = &report.identity;
    let profile = identity
        .profile
        .as_deref()
        .and_then(|label| label.split('/').next());
    [
        identity.manufacturer.as_deref(),
        identity.model.as_deref(),
        profile,
    ]
    .map(|field| field.unwrap_or("-"))
}
