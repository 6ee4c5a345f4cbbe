//! Recordings of real devices, where a folder of them is at hand: every one is replayed. They stay where they are; the project's
//! own fixtures stand in `fixtures/`.
use std::path::PathBuf;
use std::sync::Arc;

use codec::model::DeviceReport;
use codec::time::Timestamp;
use poller::profile::ProfileSet;
use poller::recording::{Recording, replay};

fn folder() -> Option<PathBuf> {
    let default =
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/devices/recordings");
    let folder = std::env::var_os("PLATEN_RECORDINGS").map_or_else(default, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no folder of recordings (PLATEN_RECORDINGS)");
    None
}

fn report(path: &std::path::Path) -> DeviceReport {
    let recording = Recording::parse(&std::fs::read(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let outcome = replay(
        &recording,
        Arc::new(ProfileSet::embedded()),
        Timestamp::from_unix_ms(1_780_000_000_000),
    );
    outcome.report.unwrap()
}

#[test]
fn print() {
    let Some(folder) = folder() else { return };
    let Some(which) = std::env::var_os("SHOW") else {
        return;
    };
    let mut paths = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect::<Vec<_>>();
    paths.sort();
    for path in paths {
        if !path.to_str().unwrap().contains(which.to_str().unwrap()) {
            continue;
        }
        let mut json = serde_json::to_value(report(&path)).unwrap();
        json["file"] = path.file_name().unwrap().to_str().unwrap().into();
        println!("{json}");
    }
}
