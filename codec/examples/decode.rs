//! Our side of the comparison with other XML parsers (`benches/codec/rivals.py` runs both sides and prints the ratios).
//!
//! `decode dump DIR` writes sealed reports (`*.xml.gz`) and the lists of words (`words.inc`) for the other side;
//! `decode time DIR` inflates and reads each of them into columns and prints the CPU time of a device, and sums that both sides must agree on.

#[path = "../benches/support/columns.rs"]
mod columns;

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use codec::delta::{self, Digest};
use codec::envelope::{Encoding, Inflater, compress};
use codec::key::Stream;
use codec::limits::INFLATED_BYTES_MAX;
use codec::model::{
    AlertSeverity, Basis, CapacityUnit, Colorant, Colour, DeviceStatus, ErrorState, MeterSet,
    MeterUnit, PrinterStatus, Report, Sides, SourceKind, SupplyClass, SupplyType, TrayType, Work,
};
use codec::sample::Fleet;
use codec::xml;
use columns::Columns;

/// CPU time that each figure is measured over.
const MEASURED: Duration = Duration::from_millis(400);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["dump", folder] => dump(Path::new(folder)),
        ["time", folder] => time(Path::new(folder)),
        _ => {
            eprintln!("usage: decode dump DIR | decode time DIR");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Reports by name: full ones, deltas of one hour later, and one of 2,000 devices.
fn reports() -> Vec<(String, Report)> {
    let mut fleet = Fleet::new(100, 1);
    let mut reports = Vec::new();
    for stream in Stream::ALL {
        let base = fleet.report(stream, 1);
        fleet.pass(60);
        let mut new = fleet.report(stream, 2);
        for (device, base) in new.devices.iter_mut().zip(&base.devices) {
            let base = Digest::of(base).expect("a full report");
            *device = delta::diff(&base, 1, device).expect("the fleet can be said in deltas");
        }
        reports.push((format!("{}-100-full", stream.name()), base));
        reports.push((format!("{}-100-delta", stream.name()), new));
    }
    for stream in Stream::ALL {
        let report = Fleet::new(2000, 2).report(stream, 1);
        reports.push((format!("{}-2000-full", stream.name()), report));
    }
    reports
}

fn dump(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, report) in reports() {
        let mut text = Vec::new();
        xml::write_report(&report, &mut text);
        fs::write(
            folder.join(format!("{name}.xml.gz")),
            compress(Encoding::Gzip, &text),
        )?;
        fs::write(folder.join(format!("{name}.xml")), &text)?;
    }
    fs::write(folder.join("words.inc"), words())
}

/// The lists of words as C++ tables, each word with the number that it has in a column.
fn words() -> String {
    let mut out = String::new();
    macro_rules! table {
        ($($name:ident)*) => { $(
            let _ = write!(out, "static const Words {}{{", stringify!($name));
            for word in $name::ALL {
                let _ = write!(out, "{{\"{}\",{}}},", word.word(), *word as u8);
            }
            out.push_str("};\n");
        )* };
    }
    table! {
        AlertSeverity Basis CapacityUnit Colorant Colour DeviceStatus ErrorState MeterSet MeterUnit PrinterStatus Sides SourceKind
        SupplyClass SupplyType TrayType Work
    }
    out
}

fn time(folder: &Path) -> io::Result<()> {
    let mut names: Vec<_> = fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| Some(name.strip_suffix(".xml.gz")?.to_owned()))
        .collect();
    names.sort();
    let mut inflater = Inflater::new();
    let mut columns = Columns::default();
    for name in names {
        let sealed = fs::read(folder.join(format!("{name}.xml.gz")))?;
        let text = fs::read(folder.join(format!("{name}.xml")))?;
        let whole = measure(|| {
            columns.clear();
            let plain = inflater.inflate(Encoding::Gzip, &sealed, INFLATED_BYTES_MAX);
            xml::push_rows(plain.expect("our own"), &mut columns).expect("our own");
            columns.rows()
        })?;
        let parse = measure(|| {
            columns.clear();
            xml::push_rows(&text, &mut columns).expect("our own");
            columns.rows()
        })?;
        let [rows, numbers, words, bytes] = columns.sums();
        println!("{name} {whole:.0} {parse:.0} {rows} {numbers} {words} {bytes}");
    }
    Ok(())
}

/// The CPU time of one call in nanoseconds: the best of several rounds.
fn measure(mut work: impl FnMut() -> usize) -> io::Result<f64> {
    const ROUNDS: u32 = 8;
    black_box(work());
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let (began, mut calls) = (on_cpu()?, 0);
        let took = loop {
            for _ in 0..8 {
                black_box(work());
            }
            calls += 8;
            let took = on_cpu()? - began;
            if took >= MEASURED / ROUNDS {
                break took;
            }
        };
        best = best.min(took.as_nanos() as f64 / f64::from(calls));
    }
    Ok(best)
}

/// The time that this thread has been running (Linux counts it in nanoseconds).
fn on_cpu() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok());
    nanoseconds
        .map(Duration::from_nanos)
        .ok_or_else(|| io::Error::other("no CPU time in /proc/thread-self/schedstat"))
}
