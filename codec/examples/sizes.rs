//! Prints how many bytes a device costs on the wire: full reports and deltas of an invented fleet, by stream, encoding and size of report.
//! A poll sends one report of each stream: in reports of a hundred, the goals are 400 bytes together in full and 120 as deltas.
//!
//! `cargo run -p platen-codec --example sizes`; with a folder as argument it also writes the reports there, and others to train a dictionary on
//! (`benches/codec/dictionary.py`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use codec::delta::{self, Digest};
use codec::envelope::{Encoding, compress};
use codec::key::Stream;
use codec::model::Report;
use codec::sample::Fleet;
use codec::xml;

/// Minutes between two polls.
const POLL_MINUTES: u32 = 60;

/// Reports of other fleets to train a dictionary on: of one device each, as a dictionary serves small reports best.
const TRAINING_FLEETS: u64 = 300;

fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    println!("bytes per device and report; a poll sends one report of each stream");
    println!(
        "{:<8} {:<6} {:>7} {:>8} {:>8} {:>8}",
        "stream", "kind", "devices", "xml", "gzip", "zstd"
    );
    for devices in [1, 100, 10_000] {
        for (stream, kind, report) in reports(devices, 1) {
            let xml = print(stream, kind, &report);
            if let Some(folder) = &folder {
                let name = format!("{}-{kind}-{devices}.xml", stream.name());
                put(&folder.join("test"), &name, &xml)?;
            }
        }
    }
    if let Some(folder) = folder {
        for seed in 0..TRAINING_FLEETS {
            // Of many devices one, so that every maker is learned.
            for (stream, kind, mut report) in reports(20, 100 + seed) {
                report
                    .devices
                    .swap(0, usize::try_from(seed % 20).expect("below 20"));
                report.devices.truncate(1);
                let mut xml = Vec::new();
                xml::write_report(&report, &mut xml);
                let name = format!("{}-{kind}-{seed}.xml", stream.name());
                put(&folder.join("train"), &name, &xml)?;
            }
        }
    }
    Ok(())
}

fn put(folder: &Path, name: &str, xml: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(name), xml)
}

/// A full report of each stream, and the delta of the next poll.
fn reports(devices: usize, seed: u64) -> Vec<(Stream, &'static str, Report)> {
    let mut fleet = Fleet::new(devices, seed);
    let mut reports = Vec::new();
    for stream in Stream::ALL {
        let base = fleet.report(stream, 1041);
        fleet.pass(POLL_MINUTES);
        let mut new = fleet.report(stream, 1042);
        for (device, base) in new.devices.iter_mut().zip(&base.devices) {
            let base = Digest::of(base).expect("a full report");
            *device = delta::diff(&base, 1041, device).expect("the fleet can be said in deltas");
        }
        reports.push((stream, "full", base));
        reports.push((stream, "delta", new));
    }
    reports
}

/// Prints the sizes of a report and returns its XML.
fn print(stream: Stream, kind: &str, report: &Report) -> Vec<u8> {
    let mut xml = Vec::new();
    xml::write_report(report, &mut xml);
    let devices = report.devices.len();
    let per_device = |bytes: usize| bytes / devices.max(1);
    println!(
        "{:<8} {kind:<6} {devices:>7} {:>8} {:>8} {:>8}",
        stream.name(),
        per_device(xml.len()),
        per_device(compress(Encoding::Gzip, &xml).len()),
        per_device(compress(Encoding::Zstd, &xml).len()),
    );
    xml
}
