//! `platen-agent discover`: which addresses are printers.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use agent::snmp::shown;
use poller::discovery::{DiscoveryOptions, Event, Found, Progress, Ranges};
use poller::engine::Pace;

use super::output::results;
use super::{Failure, Outcome, access};
use crate::cli::{DiscoverArgs, ListFormat};

/// How many characters of a description fit beside the other columns.
const DESCRIPTION_CHARS_MAX: usize = 70;

/// Asks and lists.
pub fn discover(args: &DiscoverArgs) -> Outcome {
    for range in args.ranges.iter().chain(&args.exclude) {
        access::check_range(range)?;
    }
    let ranges = Ranges::parse(&args.ranges, &args.exclude)?;
    let options = DiscoveryOptions {
        poll: Arc::new(access::poll_options(&args.access, None)?),
        pace: Pace {
            requests_per_second: args.packets_per_second,
            ..Pace::default()
        },
        ..DiscoveryOptions::default()
    };
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&stop))?;
    let shows_progress = std::io::stderr().is_terminal();
    if !shows_progress {
        eprintln!("asking {} addresses", ranges.count());
    }
    let mut found = Vec::new();
    let progress =
        poller::discovery::discover(&ranges, &options, &stop, &mut |event| match event {
            Event::Found(device) if args.all || device.is_printer() => found.push(*device),
            Event::Found(_) => {}
            Event::Progress(progress) if shows_progress => show_progress(&progress),
            Event::Progress(_) => {}
        })?;
    if shows_progress {
        eprintln!();
    }
    found.sort_by_key(|device| device.address);
    print(&found, args.format)?;
    eprintln!(
        "{} of {} addresses asked in {:.1} s: {} answered, {} listed",
        progress.done,
        progress.addresses,
        progress.elapsed.as_secs_f64(),
        progress.found,
        found.len()
    );
    Ok(if found.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn show_progress(progress: &Progress) {
    let left = progress.remaining.map_or_else(String::new, |left| {
        format!(", about {} s left", left.as_secs())
    });
    eprint!(
        "\r{} of {} addresses, {} devices{left}        ",
        progress.done, progress.addresses, progress.found
    );
    // Progress that cannot be shown is no reason to stop.
    let _ = std::io::stderr().flush();
}

fn print(found: &[Found], format: ListFormat) -> Result<(), Failure> {
    let mut out = results();
    match format {
        ListFormat::Json => {
            let devices: Vec<_> = found.iter().map(json).collect();
            serde_json::to_writer_pretty(&mut out, &devices)?;
            writeln!(out)?;
        }
        ListFormat::Table if found.is_empty() => {}
        ListFormat::Table => {
            writeln!(
                out,
                "{:<24} {:<8} {:<20} description",
                "address", "printer", "serial"
            )?;
            for device in found {
                writeln!(
                    out,
                    "{:<24} {:<8} {:<20} {}",
                    shown(device.address),
                    if device.is_printer() { "yes" } else { "no" },
                    device
                        .serial
                        .as_deref()
                        .map_or_else(|| "-".to_owned(), text),
                    description(device)
                        .chars()
                        .take(DESCRIPTION_CHARS_MAX)
                        .collect::<String>()
                )?;
            }
        }
    }
    Ok(())
}

fn json(device: &Found) -> serde_json::Value {
    serde_json::json!({
        "address": shown(device.address),
        "printer": device.is_printer(),
        "serial": device.serial.as_deref().map(text),
        "description": description(device),
        "object_id": device.object_id.as_ref().map(ToString::to_string),
        "credential": device.memory.credential.as_deref(),
    })
}

fn description(device: &Found) -> String {
    [&device.device_description, &device.description]
        .into_iter()
        .flatten()
        .map(|bytes| text(bytes))
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

/// Bytes of a device for a terminal: without control characters.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text
        .split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}
