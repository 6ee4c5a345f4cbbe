//! What was found, for people and for programs. What is printed as CSV or JSON can be read again by
//! [`agent::config::ranges::list`].

use std::io::Write;
use std::time::Duration;

use agent::config::ranges::RowAccess;
use poller::discovery::{Found, shown};

use crate::cli::FoundFormat;
use crate::commands::Failure;
use crate::commands::output::results;

/// How many characters of a description fit beside the other columns.
const DESCRIPTION_CHARS_MAX: usize = 70;

/// A device, and what a list says about how it is asked: what its reader takes.
pub struct Listed<'a> {
    pub found: &'a Found,
    pub access: Option<RowAccess>,
}

impl Listed<'_> {
    /// The cells for credentials and community.
    fn access(&self) -> (Option<&str>, Option<&str>) {
        match &self.access {
            None => (None, None),
            Some(RowAccess::Named(name)) => (Some(name), None),
            Some(RowAccess::Community(community)) => (None, Some(community.reveal())),
        }
    }
}

/// Prints the devices.
pub fn print(found: &[Listed<'_>], format: FoundFormat) -> Result<(), Failure> {
    let mut out = results();
    match format {
        FoundFormat::Json => {
            let devices: Vec<_> = found.iter().map(json).collect();
            serde_json::to_writer_pretty(&mut out, &devices)?;
            writeln!(out)?;
        }
        FoundFormat::Csv => out.write_all(&csv(found)?)?,
        FoundFormat::Table if found.is_empty() => {}
        FoundFormat::Table => {
            writeln!(
                out,
                "{:<24} {:<8} {:<20} description",
                "address", "printer", "serial"
            )?;
            for Listed { found: device, .. } in found {
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

/// `answered_to` is for people: what is tried there has that name here, which a list need not know.
fn json(listed: &Listed<'_>) -> serde_json::Value {
    let (device, (credentials, community)) = (listed.found, listed.access());
    let mut object = serde_json::json!({
        "address": shown(device.address),
        "printer": device.is_printer(),
        "serial": device.serial.as_deref().map(text),
        "description": description(device),
        "object_id": device.object_id.as_ref().map(ToString::to_string),
        "answered_to": device.memory.credential.as_deref(),
    });
    let access = [("credentials", credentials), ("community", community)];
    for (name, value) in access {
        if let Some(value) = value {
            object[name] = value.into();
        }
    }
    object
}

fn csv(found: &[Listed<'_>]) -> Result<Vec<u8>, Failure> {
    let mut lines = csv::Writer::from_writer(Vec::new());
    // A column of secrets stands there only where the list that was read had one.
    let has_communities = found.iter().any(|listed| listed.access().1.is_some());
    let mut head = vec![
        "address",
        "port",
        "printer",
        "serial",
        "description",
        "object_id",
        "answered_to",
        "credentials",
    ];
    head.extend(has_communities.then_some("community"));
    lines.write_record(head)?;
    for listed in found {
        let (device, (credentials, community)) = (listed.found, listed.access());
        let cell = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let mut line = vec![
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
            harmless(cell(device.memory.credential.as_deref())),
            cell(credentials),
        ];
        line.extend(has_communities.then(|| cell(community)));
        lines.write_record(line)?;
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
    use agent::AgentConfig;
    use agent::config::RangeConfig;
    use agent::config::ranges::{self, RangeFile};
    use poller::credentials::{Access, Credential};
    use poller::engine::Memory;

    use super::*;

    /// What was found under each label of each range, at an address of its own.
    fn found_in(ranges: &[RangeConfig]) -> Vec<Found> {
        let labels = ranges.iter().enumerate().flat_map(|(area, range)| {
            let credentials = range.credentials.iter();
            credentials.map(move |one| (area, one.label.clone()))
        });
        (1..)
            .zip(labels)
            .map(|(number, (area, label))| Found {
                area,
                address: format!("[fd00::{number:x}]:1161").parse().unwrap(),
                object_id: None,
                description: Some(b"=HYPERLINK(\"http://x\"), \"quoted\"\n".to_vec()),
                device_type: None,
                device_description: None,
                serial: None,
                memory: Memory {
                    credential: Some(label),
                    ..Memory::default()
                },
            })
            .collect()
    }

    /// Where an address is asked, and with what, as the ranges say.
    fn asked(ranges: &[RangeConfig], found: &Found) -> Option<(u16, Vec<String>)> {
        let mut ranges = ranges.iter();
        ranges.find_map(|range| {
            let place = range.places(found.address.ip()).next()?;
            let credentials = range.credentials.iter();
            Some((
                place.port(),
                credentials
                    .map(|one| match &one.access {
                        Access::V1(community) => format!("v1 {community:?}"),
                        Access::V2c(community) => format!("v2c {community:?}"),
                        Access::V3(_) => format!("v3 {}", one.label),
                    })
                    .collect(),
            ))
        })
    }

    #[test]
    fn what_discover_prints_is_taken_by_include_file_and_asks_each_device_as_it_answered() {
        const MANAGER: &str = "[manager]\nurl = \"https://x\"\nagent_id = \"a\"\ntoken = \"t\"\n[spool]\ndirectory = \"s\"\n";
        // Names with every character that a spreadsheet, a list or a shell could stumble over; none of the configuration's own.
        const NAMED: &str = "[[credentials]]\nname = \" a, \\\"b\\\"; #c \"\nversion = \"1\"\ncommunity = \"x\"\n\
            [[credentials]]\nname = \"community 1\"\nversion = \"2c\"\ncommunity = \"y\"\n\
            [[credentials]]\nname = \"Secure\"\nversion = \"3\"\nuser = \"u\"\n";
        let folder = tempfile::tempdir().unwrap();
        let (list, printed) = (
            folder.path().join("list.csv"),
            folder.path().join("printed"),
        );
        std::fs::write(
            &list,
            "host;community;credentials\n10.0.0.1;;\n10.0.0.2;hush, hush;\n10.0.0.3;ü\"q\";\n",
        )
        .unwrap();
        for credentials in ["", NAMED] {
            let config = |include: &str| {
                let text = format!("{MANAGER}{credentials}[[range]]\nname = \"r\"\n{include}\n");
                AgentConfig::parse(&text, "agent.toml", folder.path())
            };
            let before = config("include_file = \"list.csv\"").unwrap();
            assert_eq!(before.ranges.len(), 3, "two communities of the list");
            let found = found_in(&before.ranges);
            let listed: Vec<Listed<'_>> = (found.iter())
                .map(|one| Listed {
                    found: one,
                    access: ranges::access_of(
                        &before.ranges[one.area],
                        one.area > 0,
                        one.memory.credential.as_ref().unwrap(),
                        &before.credentials,
                    ),
                })
                .collect();
            let as_csv = csv(&listed).unwrap();
            assert!(String::from_utf8_lossy(&as_csv).contains("'=HYPERLINK"));
            let as_json: Vec<_> = listed.iter().map(json).collect();
            for text in [as_csv, serde_json::to_vec(&as_json).unwrap()] {
                std::fs::write(&printed, &text).unwrap();
                let after = config("include_file = \"printed\"")
                    .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&text)));
                for one in &found {
                    let label = &**one.memory.credential.as_ref().unwrap();
                    let was = &before.ranges[one.area];
                    let (port, with) = asked(&after.ranges, one).unwrap();
                    assert_eq!(port, 1161);
                    let wanted = match one.area {
                        // A name stands for itself alone, whatever else its range tries.
                        0 => {
                            let mut only = was.clone();
                            only.credentials.retain(|one| *one.label == *label);
                            only
                        }
                        _ => was.clone(),
                    };
                    let mut here = wanted;
                    here.include = vec![agent::config::RangeEntry::of(one.address)];
                    assert_eq!(Some((port, with)), asked(&[here], one), "{label}");
                }
            }
        }
    }

    #[test]
    fn communities_of_the_command_line_are_printed_nowhere_and_its_list_is_read_by_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("found.csv");
        let range = RangeConfig {
            name: "the list".to_owned(),
            include: Vec::new(),
            exclude: Vec::new(),
            transport: poller::engine::Transport::Udp,
            credentials: vec![Credential::v2c("community 1, v2c", b"hunter2")],
            file: None,
        };
        let found = found_in(std::slice::from_ref(&range));
        let access = ranges::access_of(&range, false, "community 1, v2c", &[]);
        assert_eq!(access, None);
        let listed = [Listed {
            found: &found[0],
            access,
        }];
        for text in [
            csv(&listed).unwrap(),
            serde_json::to_vec(&[json(&listed[0])]).unwrap(),
        ] {
            assert!(!String::from_utf8_lossy(&text).contains("hunter2"));
            std::fs::write(&path, text).unwrap();
            let again = RangeFile::new(path.clone(), range.clone(), Vec::new()).read();
            assert_eq!(again.unwrap()[0].include[0].to_string(), "[fd00::1]:1161");
        }
    }

    #[test]
    fn times_are_said_as_people_do() {
        let said = [0, 119, 120, 121, 3600].map(|s| minutes(Duration::from_secs(s)));
        assert_eq!(said, ["0 s", "119 s", "2 min", "3 min", "60 min"]);
    }
}
