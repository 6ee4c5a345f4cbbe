//! The collector on a spool of its own: what is split, when it is sealed, what happens when the spool has no room.

use std::path::Path;

use codec::envelope::{Encoding, Inflater};
use codec::limits::INFLATED_BYTES_MAX;
use codec::model::{Basis, Colour, Identity, Meter, MeterSet, MeterUnit, Status, Work};
use codec::time::Timestamp;
use journal::StdDisk;

use super::*;
use crate::config::{AgentConfig, Secret};

struct Fixture {
    _folder: tempfile::TempDir,
    spool: Arc<Mutex<Spool<StdDisk>>>,
    collector: Collector<StdDisk>,
    status: StatusHandle,
}

fn agent() -> AgentId {
    AgentId::new("tester").unwrap()
}

fn config(folder: &Path) -> AgentConfig {
    let token = Secret::new("t".to_owned());
    let mut config = AgentConfig::new(String::new(), agent(), token, folder.join("spool"));
    config.report.devices_max = 3;
    config.report.encoding = Encoding::Zstd;
    config
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let spool = Spool::open(&config.spool, &agent(), Timestamp::now()).unwrap();
    let spool = Arc::new(Mutex::new(spool));
    let status = StatusHandle::new();
    let collector = Collector::new(Setup {
        agent: agent(),
        config: config.report,
        clock: Clock::new(),
        names: Names::off(),
        spool: Arc::clone(&spool),
        status: status.clone(),
        wanted: Wanted::default(),
        wake: Box::new(|_| {}),
    });
    Fixture {
        _folder: folder,
        spool,
        collector,
        status,
    }
}

/// What the spool holds of a stream, opened again.
fn reports(fixture: &Fixture, stream: Stream) -> Vec<Report> {
    let mut spool = fixture.spool.lock().unwrap();
    let waiting = spool.waiting(stream, 0, usize::MAX, usize::MAX).unwrap();
    waiting
        .iter()
        .map(|report| {
            assert_eq!(report.meta.encoding, Encoding::Zstd);
            let mut inflater = Inflater::new();
            let xml = inflater
                .inflate(Encoding::Zstd, &report.sealed, INFLATED_BYTES_MAX)
                .unwrap();
            let read = codec::xml::read_report(xml).unwrap();
            assert_eq!(read.header.sequence, report.key.sequence);
            assert_eq!(read.header.epoch, report.key.epoch);
            assert_eq!(read.header.stream, stream);
            assert_eq!(read.devices.len(), report.meta.devices as usize);
            read
        })
        .collect()
}

fn device(number: u32) -> DeviceReport {
    let clock = Clock::new();
    DeviceReport {
        observed_at: clock.now(),
        observed_uptime_ms: clock.uptime_ms(),
        handle: format!("d{number}"),
        identity: Identity {
            serial: Some(format!("S{number}")),
            address: Some("10.0.0.1:1161".to_owned()),
            ..Identity::default()
        },
        status: Section::Read(Status::default()),
        meter_set: Some(MeterSet::Verified),
        meters: Section::Read(vec![Meter {
            work: Work::Total,
            colour: Colour::Total,
            unit: MeterUnit::Impressions,
            size: None,
            sides: None,
            value: 42,
            basis: Basis::Billing,
            oid: "1.3.6.1".to_owned(),
            parts: Vec::new(),
        }]),
        supplies: Section::Read(Vec::new()),
        ..DeviceReport::default()
    }
}

#[test]
fn a_device_is_split_into_its_meters_and_its_state_each_with_the_identity() {
    let mut fixture = fixture();
    for number in 0..3 {
        fixture.collector.take(device(number));
    }
    let meters = &reports(&fixture, Stream::Meters)[0].devices[0];
    assert_eq!(meters.identity.serial.as_deref(), Some("S0"));
    assert_eq!(meters.meters.read().unwrap()[0].value, 42);
    assert_eq!(meters.meter_set, Some(MeterSet::Verified));
    assert!(meters.status.is_not_read() && meters.supplies.is_not_read());

    let state = &reports(&fixture, Stream::State)[0].devices[0];
    assert_eq!(state.identity.serial.as_deref(), Some("S0"));
    assert!(state.meters.is_not_read() && state.meter_set.is_none());
    assert!(state.status.read().is_some());
    assert!(state.supplies.read().unwrap().is_empty());
    assert!(
        state.trays.is_not_read(),
        "not read is not the same as none"
    );
    assert_eq!(fixture.status.read().device_reports_sealed, 6);
}

#[test]
fn a_poll_that_read_one_kind_makes_one_report() {
    let mut fixture = fixture();
    for number in 0..3 {
        fixture.collector.take(DeviceReport {
            status: Section::NotRead,
            supplies: Section::NotRead,
            ..device(number)
        });
    }
    assert_eq!(reports(&fixture, Stream::Meters).len(), 1);
    assert!(reports(&fixture, Stream::State).is_empty());

    // A heartbeat that read neither says that the device is there.
    for number in 0..3 {
        fixture.collector.take(DeviceReport {
            status: Section::NotRead,
            supplies: Section::NotRead,
            meters: Section::NotRead,
            meter_set: None,
            ..device(number)
        });
    }
    assert_eq!(reports(&fixture, Stream::Meters).len(), 1);
    assert_eq!(reports(&fixture, Stream::State).len(), 1);
}

#[test]
fn what_waits_is_sealed_when_it_is_due_and_at_the_end() {
    let mut fixture = fixture();
    fixture.collector.take(device(0));
    fixture.collector.seal_due(Instant::now());
    assert!(
        reports(&fixture, Stream::Meters).is_empty(),
        "it waits for company"
    );
    let later = Instant::now() + fixture.collector.config.age_max;
    fixture.collector.seal_due(later);
    assert_eq!(reports(&fixture, Stream::Meters).len(), 1);

    let (sender, events) = std::sync::mpsc::sync_channel(8);
    sender.send(Event::Report(Box::new(device(1)))).unwrap();
    sender.send(Event::Stop).unwrap();
    sender.send(Event::Report(Box::new(device(2)))).unwrap();
    drop(sender);
    fixture.collector.run(&events);
    let meters = reports(&fixture, Stream::Meters);
    assert_eq!(meters.len(), 2);
    let handles: Vec<_> = meters[1]
        .devices
        .iter()
        .map(|d| d.handle.as_str())
        .collect();
    assert_eq!(handles, ["d1", "d2"], "what came with the end is not lost");
}

#[test]
fn what_the_spool_does_not_take_waits_and_keeps_its_number_free() {
    let mut fixture = fixture();
    // A folder that is gone: no file can be made in it.
    std::fs::remove_dir_all(fixture._folder.path().join("spool/meters")).unwrap();
    for number in 0..3 {
        fixture.collector.take(device(number));
    }
    assert!(reports(&fixture, Stream::Meters).is_empty());
    assert_eq!(fixture.collector.meters.devices.len(), 3);
    std::fs::create_dir(fixture._folder.path().join("spool/meters")).unwrap();
    fixture.collector.seal_due(Instant::now() + SPOOL_PAUSE);
    let meters = reports(&fixture, Stream::Meters);
    assert_eq!(meters[0].header.sequence, 1);
    assert_eq!(meters[0].devices.len(), 3);
}

#[test]
fn memory_is_bounded_and_state_is_given_up_first() {
    let mut fixture = fixture();
    let many = DEVICES_PER_REPORT_MAX / 2 + 10;
    let devices = |count: usize| vec![DeviceReport::default(); count];
    fixture.collector.state.devices = devices(many);
    fixture
        .collector
        .keep_for_later(Stream::Meters, devices(many));
    assert_eq!(fixture.collector.meters.devices.len(), many);
    assert_eq!(fixture.collector.state.devices.len(), many - 20);
}
