//! Prints how many bytes a device costs on the wire: full reports and deltas of an invented fleet, by stream, encoding and size of report.
//!
//! `cargo run -p platen-codec --example sizes`

use codec::delta;
use codec::envelope::{Encoding, compress};
use codec::key::Stream;
use codec::model::Report;
use codec::sample::Fleet;
use codec::xml;

/// Minutes between two polls.
const POLL_MINUTES: u32 = 60;

fn main() {
    println!("bytes per device and report; a poll sends one report of each stream");
    println!(
        "{:<8} {:<6} {:>7} {:>8} {:>8} {:>8}",
        "stream", "kind", "devices", "xml", "gzip", "zstd"
    );
    for devices in [1, 100, 10_000] {
        let mut fleet = Fleet::new(devices, 1);
        for stream in Stream::ALL {
            let base = fleet.report(stream, 1041);
            fleet.pass(POLL_MINUTES);
            let mut new = fleet.report(stream, 1042);
            for (device, base) in new.devices.iter_mut().zip(&base.devices) {
                if let Some(delta) = delta::diff(base, 1041, device) {
                    *device = delta;
                }
            }
            print("full", &base);
            print("delta", &new);
        }
    }
}

fn print(kind: &str, report: &Report) {
    let mut xml = Vec::new();
    xml::write_report(report, &mut xml);
    let devices = report.devices.len();
    let per_device = |bytes: usize| bytes / devices.max(1);
    println!(
        "{:<8} {kind:<6} {devices:>7} {:>8} {:>8} {:>8}",
        report.header.stream.name(),
        per_device(xml.len()),
        per_device(compress(Encoding::Gzip, &xml).len()),
        per_device(compress(Encoding::Zstd, &xml).len()),
    );
}
