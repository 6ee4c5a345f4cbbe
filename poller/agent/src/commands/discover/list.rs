//! What was found, for people and for programs. What is printed as CSV or JSON can be read again by
//! [`agent::config::ranges::list`].

use std::io::Write;
use std::time::Duration;

use poller::discovery::{Found, shown};

use crate::cli::FoundFormat;
use crate::commands::Failure;
use crate::commands::output::results;

/// How many characters of a description fit beside the other columns.
const DESCRIPTION_CHARS_MAX: usize = 70;

/// Prints the devices. `is_named`: their credentials are named in a configuration, so that others may look them up there.
pub fn print(found: &[Found], format: FoundFormat, is_named: bool) -> Result<(), Failure> {
    let mut out = results();
    match format {
        FoundFormat::Json => {
            let devices: Vec<_> = found.iter().map(|device| json(device, is_named)).collect();
            serde_json::to_writer_pretty(&mut out, &devices)?;
            writeln!(out)?;
        }
        FoundFormat::Csv => out.write_all(&csv(found, is_named)?)?,
        FoundFormat::Table if found.is_empty() => {}
        FoundFormat::Table => {
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

/// What answered: a name that a list may have in its column `credentials`, or only a description.
const fn access_column(is_named: bool) -> &'static str {
    if is_named {
        "credentials"
    } else {
        "answered_to"
    }
}

fn json(device: &Found, is_named: bool) -> serde_json::Value {
    serde_json::json!({
        "address": shown(device.address),
        "printer": device.is_printer(),
        "serial": device.serial.as_deref().map(text),
        "description": description(device),
        "object_id": device.object_id.as_ref().map(ToString::to_string),
        access_column(is_named): device.memory.credential.as_deref(),
    })
}

fn csv(found: &[Found], is_named: bool) -> Result<Vec<u8>, Failure> {
    let mut lines = csv::Writer::from_writer(Vec::new());
    lines.write_record([
        "address",
        "port",
        "printer",
        "serial",
        "description",
        "object_id",
        access_column(is_named),
    ])?;
    for device in found {
        lines.write_record([
            device.address.ip().to_string(),
            device.address.port().to_string(),
            if device.is_printer() { "yes" } else { "no" }.to_owned(),
            harmless(device.serial.as_deref().map(text).unwrap_or_default()),
            harmless(description(device)),
            device
                .object_id
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            device
                .memory
                .credential
                .as_deref()
                .unwrap_or_default()
                .to_owned(),
        ])?;
    }
    lines
        .into_inner()
        .map_err(|error| Failure::new(error.to_string()))
}

/// What a device says of itself must not be a formula in somebody's spreadsheet.
fn harmless(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@']) {
        format!("'{text}")
    } else {
        text
    }
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

/// A time as people say it.
pub fn minutes(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use poller::engine::Memory;

    use super::*;

    #[test]
    fn what_is_printed_as_csv_is_read_again_and_runs_nothing() {
        let device = |address: &str, description: &str| Found {
            address: address.parse().unwrap(),
            object_id: None,
            description: Some(description.as_bytes().to_vec()),
            device_type: None,
            device_description: None,
            serial: None,
            memory: Memory {
                credential: Some("secure".into()),
                ..Memory::default()
            },
        };
        let found = [
            device("10.0.0.7:1161", "=HYPERLINK(\"http://x\"), \"quoted\"\n"),
            device("[fd00::7]:161", "Laser"),
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("found.csv");
        for (is_named, access) in [(true, Some("secure")), (false, None)] {
            let text = csv(&found, is_named).unwrap();
            assert!(String::from_utf8_lossy(&text).contains("'=HYPERLINK"));
            std::fs::write(&path, &text).unwrap();
            let from_csv = agent::config::ranges::list::read(&path).unwrap();
            let list: Vec<_> = found.iter().map(|one| json(one, is_named)).collect();
            std::fs::write(&path, serde_json::to_vec(&list).unwrap()).unwrap();
            let from_json = agent::config::ranges::list::read(&path).unwrap();
            for (rows, first_line) in [(from_csv, 2), (from_json, 1)] {
                let entries: Vec<String> = rows.iter().map(|row| row.entry.to_string()).collect();
                assert_eq!(rows[0].line, first_line);
                assert_eq!(entries[0], "10.0.0.7:1161");
                assert!(entries[1].contains("fd00::7"), "{entries:?}");
                for row in &rows {
                    let named =
                        access.map(|name| agent::config::ranges::RowAccess::Named(name.to_owned()));
                    assert_eq!(row.access, named);
                }
            }
        }
    }

    #[test]
    fn times_are_said_as_people_do() {
        let said = [0, 119, 120, 121, 3600].map(|s| minutes(Duration::from_secs(s)));
        assert_eq!(said, ["0 s", "119 s", "2 min", "3 min", "60 min"]);
    }
}
