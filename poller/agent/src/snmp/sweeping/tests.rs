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

#[test]
fn a_device_that_was_asked_by_profiles_of_before_is_learned_by_those_in_force() {
    let (mut source, _folder) = source(&[("\"127.0.0.1:9\"", "")]);
    let place = candidates(&source)[0];
    learned(&mut source, place, "SERIAL-A", &by_user());
    let (id, _) = source.devices.iter().next().unwrap();
    for is_reloaded in [false, true] {
        let now = Instant::now();
        let reading = Reading::all(Depth::Learn);
        let talk = source.poll_of(place.address, None, reading);
        source.devices.begin(id, reading, now);
        source.polling_now = 1;
        if is_reloaded {
            source.profiles = Arc::new(ProfileSet::embedded());
        }
        let done = crate::snmp::Done {
            token: crate::snmp::Token::Device(id),
            target: source.ranges[0].config.target(place.address),
            conversation: talk,
            memory: by_user(),
            stats: poller::engine::PollStats::default(),
            error: Some(poller::engine::PollError::NoAnswer { requests: 3 }),
        };
        source.devices.get_mut(id).reading.depth = Depth::Steady;
        source.finish(done, now, &mut Reports::default());
        assert_eq!(source.devices.get(id).wants.learn, is_reloaded);
    }
}

/// What the sweep of these ranges says it looked up.
fn look_up(source: &mut SnmpSource) {
    let ranges = source.ranges.iter().map(|range| SweepRange {
        include: &range.config.include,
        exclude: &range.config.exclude,
    });
    let mut sweep = Sweep::new(ranges, SNMP_PORT, 1);
    let deadline = Instant::now() + Duration::from_secs(60);
    while !sweep.is_over() {
        assert!(Instant::now() < deadline);
        match sweep.take_next() {
            Some(candidate) => sweep.ended(&candidate, true),
            None => std::thread::yield_now(),
        }
    }
    source.take_resolved(Kind::Sweep, &mut sweep);
}

/// The number of devices that are being polled once all that are due were looked at.
fn polled(source: &mut SnmpSource) -> usize {
    let now = Instant::now();
    let ids: Vec<_> = source.devices.waiting().map(|(id, _)| id).collect();
    for id in ids {
        source.devices.put_off(id, now);
    }
    source.poll_due(now);
    source.polling_now
}

#[test]
fn a_device_that_a_name_excludes_is_not_polled_before_that_is_known_and_forgotten_once_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = source_in(folder.path(), &[("\"127.0.0.1-2:9\"", "")]);
    let places = candidates(&before);
    learned(&mut before, places[0], "SERIAL-A", &by_user());
    learned(&mut before, places[1], "SERIAL-B", &by_user());
    before.end();
    drop(before);

    let mut source = source_in(folder.path(), &[("\"127.0.0.1-2:9\"", "\"localhost:9\"")]);
    assert_eq!(known(&source).len(), 2);
    assert_eq!(polled(&mut source), 0, "nobody knows which one it is");
    look_up(&mut source);
    let left = [("127.0.0.2:9".parse().unwrap(), "secure".to_owned())];
    assert_eq!(known(&source), left);
    assert_eq!(polled(&mut source), 1);
    // It is not learned again, however it was found.
    let excluded = candidate_at("127.0.0.1:9");
    assert_eq!(learned(&mut source, excluded, "SERIAL-A", &by_user()), 0);
    assert_eq!(known(&source), left);
}

fn candidate_at(entry: &str) -> Candidate {
    let include = [crate::config::RangeEntry::parse(entry).unwrap()];
    let range = SweepRange {
        include: &include,
        exclude: &[],
    };
    Sweep::new([range], SNMP_PORT, 1).take_next().unwrap()
}

#[test]
fn a_name_that_nobody_can_look_up_holds_the_polls_of_its_range_alone() {
    let folder = tempfile::tempdir().unwrap();
    let ranges = [("\"127.0.0.1:9\"", ""), ("\"127.0.1.1:9\"", "")];
    let mut before = source_in(folder.path(), &ranges);
    let places = candidates(&before);
    learned(&mut before, places[0], "SERIAL-A", &by_user());
    learned(&mut before, places[1], "SERIAL-B", &by_user());
    before.end();
    drop(before);
    let ranges = [
        ("\"127.0.0.1:9\"", "\"no-such-host.invalid\""),
        ("\"127.0.1.1:9\"", ""),
    ];
    let mut source = source_in(folder.path(), &ranges);
    look_up(&mut source);
    assert_eq!(known(&source).len(), 2);
    assert_eq!(polled(&mut source), 1);
}

#[test]
fn after_a_change_of_the_configuration_only_what_its_ranges_have_is_polled() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = source_in(
        folder.path(),
        &[("\"127.0.0.1-2:9\", \"localhost:1161\"", "")],
    );
    look_up(&mut before);
    let by_name = candidate_at("127.0.0.1:1161");
    learned(
        &mut before,
        candidate_at("127.0.0.1:9"),
        "SERIAL-A",
        &by_user(),
    );
    learned(
        &mut before,
        candidate_at("127.0.0.2:9"),
        "SERIAL-B",
        &by_user(),
    );
    learned(&mut before, by_name, "SERIAL-C", &by_user());
    assert_eq!(known(&before).len(), 3);
    before.end();
    drop(before);
    let places = |include: &str| -> Vec<String> {
        let source = source_in(folder.path(), &[(include, "")]);
        let known = known(&source).into_iter();
        known.map(|(target, _)| target.to_string()).collect()
    };
    // A name in a range is no reason to ask what the range does not have any more.
    assert_eq!(
        places("\"127.0.0.2:9\", \"localhost:1161\""),
        ["127.0.0.1:1161", "127.0.0.2:9"]
    );
    assert_eq!(places("\"127.0.0.2:9\", \"other\""), ["127.0.0.2:9"]);
    assert_eq!(places("\"127.0.0.2\", \"other\""), [""; 0], "another port");

    // A name that leads elsewhere now, as the next lookup finds.
    let mut source = source_in(folder.path(), &[("\"localhost:1161\"", "")]);
    source.ranges[0]
        .names
        .was("localhost", "127.0.0.9:1161".parse().unwrap());
    let elsewhere = candidate_at("127.0.0.9:1161");
    learned(&mut source, elsewhere, "SERIAL-D", &by_user());
    assert_eq!(known(&source).len(), 2);
    look_up(&mut source);
    assert_eq!(known(&source), [(by_name.address, "secure".to_owned())]);
}
