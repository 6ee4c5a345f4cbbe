//! Every version of the schema that was ever written is read for ever: the fixtures of each stay.
//!
//! A fixture is XML, and beside it the devices as JSON. To add a version, add a folder; never change a file here.

use std::fs;
use std::path::{Path, PathBuf};

use codec::key::Stream;
use codec::limits::SCHEMA_VERSION;
use codec::model::{ErrorState, Level, Report, Section};
use codec::time::Timestamp;
use codec::xml;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn read(name: &str) -> (Vec<u8>, Report) {
    let bytes = fs::read(folder().join(name)).unwrap();
    let report = xml::read_report(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    xml::differential(&bytes);
    (bytes, report)
}

#[test]
fn the_fixtures_of_version_1_read_as_their_json_says() {
    for name in ["meters-full", "state-full", "state-delta"] {
        let (bytes, report) = read(&format!("v1/{name}.xml"));
        let json = fs::read_to_string(folder().join(format!("v1/{name}.json"))).unwrap();
        let expected: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            serde_json::to_value(&report.devices).unwrap(),
            expected,
            "{name}"
        );
        // JSON leaves out handles, bases and monotonic times. That they were read shows when they are written again, as long as this is the version
        // that is written.
        let mut again = Vec::new();
        xml::write_report(&report, &mut again);
        assert_eq!(String::from_utf8(again), String::from_utf8(bytes), "{name}");
    }
}

#[test]
fn every_version_that_was_ever_written_has_fixtures() {
    for version in 1..=SCHEMA_VERSION {
        let folder = folder().join(format!("v{version}"));
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{version}: {error}"));
        let mut count = 0;
        for file in files {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "xml") {
                xml::read_report(&fs::read(&path).unwrap())
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                count += 1;
            }
        }
        assert!(count > 0, "version {version} has none");
    }
}

#[test]
fn version_1_by_a_foreign_hand_reads() {
    let (_, report) = read("v1/foreign.xml");
    let header = &report.header;
    assert_eq!(
        (header.agent.as_str(), header.epoch.0),
        ("other.agent_1", 255)
    );
    assert_eq!((header.stream, header.sequence), (Stream::State, 1));
    assert_eq!(header.program, "third party 2.0");
    let [device] = report.devices.as_slice() else {
        panic!("one device")
    };
    assert_eq!(device.handle, "copier 1");
    assert_eq!(device.observed_uptime_ms, 90_005);
    let half_past = Timestamp::parse_bytes(b"2026-11-21T10:40:59.500Z").unwrap();
    assert_eq!(device.observed_at, half_past);
    assert_eq!(device.identity.serial.as_deref(), Some("A&B"));
    assert_eq!(device.identity.model.as_deref(), Some("Müller's \"best\""));
    let status = device.status.read().unwrap();
    assert_eq!(status.errors, [ErrorState::LowToner, ErrorState::DoorOpen]);
    let supplies = device.supplies.read().unwrap();
    assert_eq!(supplies[0].description, "Toner Black");
    assert_eq!(supplies[0].level, Level::Percent(12));
    assert_eq!(supplies[1].level, Level::Unknown);
    assert_eq!(device.trays, Section::Read(Vec::new()));
    assert_eq!(
        (&device.meters, &device.alerts),
        (&Section::NotRead, &Section::NotRead)
    );
}
