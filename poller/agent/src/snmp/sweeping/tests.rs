//! What an answer to a sweep may change about a device, and what may not be asked.

use codec::id::AgentId;
use codec::model::DeviceReport;
use poller::profile::ProfileSet;
use poller::recording::Recording;

use super::*;
use crate::clock::Clock;
use crate::config::{AgentConfig, Secret};
use crate::run::Control;
use crate::snmp::snapshot::Reader;
use crate::source::Source;

/// What was reported.
#[derive(Default)]
struct Reports(Vec<DeviceReport>);

impl Sink for Reports {
    fn report(&mut self, report: DeviceReport) -> bool {
        self.0.push(report);
        true
    }
}

const CREDENTIALS: &str = "[[credentials]]\nname = \"secure\"\nversion = \"3\"\nuser = \"platen\"\nauthentication = \"sha256\"\n\
     authentication_password = \"long-enough\"\n[[credentials]]\nname = \"public\"\nversion = \"2c\"\ncommunity = \"public\"\n";

/// A source with these ranges, each a list of entries and one of what is excluded; its folder.
fn source(ranges: &[(&str, &str)]) -> (SnmpSource, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let source = source_in(folder.path(), ranges);
    (source, folder)
}

fn source_in(folder: &std::path::Path, ranges: &[(&str, &str)]) -> SnmpSource {
    let mut text = format!(
        "[manager]\nurl = \"http://127.0.0.1:9\"\nagent_id = \"a\"\ntoken = \"t\"\n[spool]\ndirectory = \".\"\n\
         [polling]\nio_uring = false\n{CREDENTIALS}"
    );
    for (number, (include, exclude)) in ranges.iter().enumerate() {
        text += &format!(
            "[[range]]\nname = \"r{number}\"\ninclude = [{include}]\nexclude = [{exclude}]\n"
        );
    }
    let read = AgentConfig::parse(&text, "agent.toml", folder).unwrap();
    let agent = AgentId::new("a").unwrap();
    let url = "http://127.0.0.1:9".to_owned();
    let token = Secret::new("t".to_owned());
    let config = AgentConfig {
        ranges: read.ranges,
        polling: read.polling,
        ..AgentConfig::new(url, agent, token, folder.to_owned())
    };
    let profiles = Arc::new(ProfileSet::embedded());
    SnmpSource::start(&config, profiles, Clock::new(), Control::default()).unwrap()
}

/// What the sweep of a source offers, once for each place.
fn candidates(source: &SnmpSource) -> Vec<Candidate> {
    let ranges = source.ranges.iter().map(|range| SweepRange {
        include: &range.config.include,
        exclude: &range.config.exclude,
    });
    let mut sweep = Sweep::new(ranges, SNMP_PORT, 1);
    std::iter::from_fn(|| sweep.take_next()).collect()
}

/// A printer with this serial number answered there, to whom this is remembered.
fn learned(source: &mut SnmpSource, candidate: Candidate, serial: &str, memory: &Memory) -> usize {
    let recording = format!(
        "1.3.6.1.2.1.1.1.0|4|Example Laser 1\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.99999.1\n\
         1.3.6.1.2.1.25.3.2.1.2.1|6|1.3.6.1.2.1.25.3.1.5\n1.3.6.1.2.1.43.5.1.1.1.1|65|1\n1.3.6.1.2.1.43.5.1.1.17.1|4|{serial}\n"
    );
    let recording = Recording::parse(recording.as_bytes()).unwrap();
    let mut talk = source.poll_of(candidate.address, None, Reading::all(Depth::Learn));
    recording.answer(&mut talk);
    let outcome = talk.end().unwrap();
    let mut reports = Reports::default();
    source.discovery.began();
    let now = Instant::now();
    source.finish_sweep(
        (Kind::Sweep, candidate),
        outcome,
        memory.clone(),
        now,
        &mut reports,
    );
    reports.0.len()
}

fn by_user() -> Memory {
    Memory {
        credential: Some("secure".into()),
        v3_proven: true,
        ..Memory::default()
    }
}

fn by_community(v3_proven: bool) -> Memory {
    Memory {
        credential: Some("public".into()),
        v3_proven,
        ..Memory::default()
    }
}

/// Where each device is, and with what it is asked.
fn known(source: &SnmpSource) -> Vec<(SocketAddr, String)> {
    let devices = source.devices.iter().map(|(_, device)| {
        let credential = device.memory.credential.as_deref().unwrap_or("-");
        (device.target, credential.to_owned())
    });
    let mut all: Vec<_> = devices.collect();
    all.sort();
    all
}

#[test]
fn who_has_proved_itself_by_snmpv3_is_neither_followed_nor_asked_anew_by_a_community() {
    let (mut source, _folder) = source(&[("\"192.0.2.1-2\"", "")]);
    let places = candidates(&source);
    let (first, second) = (places[0], places[1]);
    assert_eq!(learned(&mut source, first, "SERIAL-A", &by_user()), 1);
    let as_it_was = [(first.address, "secure".to_owned())];
    assert!(source.devices.has_proved(first.address));
    assert!(!source.devices.has_proved(second.address));
    let (id, _) = source.devices.iter().next().unwrap();

    // Somebody else says that it is this device: while it answers, and when it is silent.
    for _ in 0..2 {
        for memory in [by_community(false), by_community(true)] {
            assert_eq!(learned(&mut source, second, "SERIAL-A", &memory), 0);
            assert_eq!(source.devices.follow(id, Instant::now()), None);
            assert_eq!(known(&source), as_it_was);
        }
        source.devices.failed(id);
    }
    // Or answers in its place, as itself or as another.
    for serial in ["SERIAL-A", "SERIAL-B"] {
        assert_eq!(learned(&mut source, first, serial, &by_community(false)), 0);
        assert_eq!(known(&source), as_it_was);
    }
    // The device itself has moved.
    assert_eq!(learned(&mut source, second, "SERIAL-A", &by_user()), 1);
    assert_eq!(known(&source), [(second.address, "secure".to_owned())]);
}

#[test]
fn a_device_that_is_being_polled_when_the_agent_ends_is_still_asked_by_snmpv3_after_it() {
    let (mut source, folder) = source(&[("\"127.0.0.1:9\"", "")]);
    let place = candidates(&source)[0];
    learned(&mut source, place, "SERIAL-A", &by_user());
    let (id, _) = source.devices.iter().next().unwrap();
    let now = Instant::now();
    source.devices.put_off(id, now);
    source.poll_due(now);
    assert_eq!(source.polling_now, 1);
    source.end();
    let saved: Vec<_> = Reader::open(&source.snapshot).unwrap().collect();
    assert_eq!(saved.len(), 1);
    drop(source);

    let again = source_in(folder.path(), &[("\"127.0.0.1:9\"", "")]);
    assert_eq!(known(&again), [(place.address, "secure".to_owned())]);
    assert!(again.devices.has_proved(place.address));
}
