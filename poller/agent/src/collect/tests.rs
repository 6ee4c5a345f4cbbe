//! The collector on a spool of its own: what is split, when it is sealed, what happens when the spool has no room or a base is lost.

use std::collections::HashMap;
use std::path::Path;

use codec::envelope::{Encoding, Inflater};
use codec::limits::INFLATED_BYTES_MAX;
use codec::model::{Basis, Colour, Identity, Meter, MeterSet, MeterUnit, Status, Work};
use codec::time::Timestamp;
use journal::StdDisk;

use super::*;
use crate::config::{AgentConfig, Secret};
use crate::spool::Waiting;

struct Fixture {
    _folder: tempfile::TempDir,
    spool: Arc<Mutex<Spool<StdDisk>>>,
    collector: Collector<StdDisk>,
    status: StatusHandle,
    wanted: Wanted,
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
    fixture_with(|_| {})
}

fn fixture_with(change: impl FnOnce(&mut AgentConfig)) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    change(&mut config);
    let spool = Spool::open(&config.spool, &agent(), Timestamp::now()).unwrap();
    let spool = Arc::new(Mutex::new(spool));
    let status = StatusHandle::new();
    let wanted = Wanted::default();
    let collector = Collector::new(Setup {
        agent: agent(),
        config: config.report,
        clock: Clock::new(),
        names: Names::off(),
        spool: Arc::clone(&spool),
        status: status.clone(),
        wanted: wanted.clone(),
        wake: Box::new(|_| {}),
    });
    Fixture {
        _folder: folder,
        spool,
        collector,
        status,
        wanted,
    }
}

/// What the spool holds of a stream, opened again.
fn reports(fixture: &Fixture, stream: Stream) -> Vec<Report> {
    let mut spool = fixture.spool.lock().unwrap();
    let waiting = spool.waiting(stream, 0, usize::MAX, usize::MAX).unwrap();
    waiting
        .iter()
        .map(|report| {
            let read = opened(report);
            assert_eq!(read.header.stream, stream);
            read
        })
        .collect()
}

fn opened(report: &Waiting) -> Report {
    assert_eq!(report.meta.encoding, Encoding::Zstd);
    let mut inflater = Inflater::new();
    let xml = inflater
        .inflate(Encoding::Zstd, &report.sealed, INFLATED_BYTES_MAX)
        .unwrap();
    let read = codec::xml::read_report(xml).unwrap();
    assert_eq!(read.header.sequence, report.key.sequence);
    assert_eq!(read.header.epoch, report.key.epoch);
    assert_eq!(read.devices.len(), report.meta.devices as usize);
    read
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

/// What a manager does with deltas: keeps the bases of one stream, and asks for what it cannot resolve in full.
#[derive(Default)]
struct Resolver(HashMap<(String, u64), DeviceReport>);

impl Resolver {
    /// Takes all that waits in the stream; says of each device report what it said in full, if that could be told.
    fn take(&mut self, fixture: &Fixture, stream: Stream) -> Vec<Option<DeviceReport>> {
        let mut spool = fixture.spool.lock().unwrap();
        let waiting = spool.waiting(stream, 0, usize::MAX, usize::MAX).unwrap();
        let mut said = Vec::new();
        for report in &waiting {
            spool.acknowledge(&report.key, Timestamp::now()).unwrap();
            for device in opened(report).devices {
                let handle = device.handle.clone();
                said.push(if let Some(base) = device.base {
                    let base = self.0.get(&(handle.clone(), base));
                    base.map(|base| codec::delta::apply(base, &device).unwrap())
                } else {
                    let place = (handle.clone(), report.key.sequence);
                    self.0.insert(place, device.clone());
                    Some(device)
                });
                if said.last().is_some_and(Option::is_none) {
                    fixture.wanted.note(&[handle]);
                }
            }
        }
        said
    }
}

/// A device that is `number` on a page count of `value`.
fn counted(number: u32, value: u64) -> DeviceReport {
    let mut device = device(number);
    if let Section::Read(meters) = &mut device.meters {
        meters[0].value = value;
    }
    device
}

fn values(said: &[Option<DeviceReport>]) -> Vec<Option<u64>> {
    let value = |device: &DeviceReport| device.meters.read().map(|meters| meters[0].value);
    said.iter()
        .map(|device| device.as_ref().and_then(value))
        .collect()
}

#[test]
fn deltas_whose_base_was_refused_are_followed_by_a_full_report() {
    let mut fixture = fixture_with(|config| config.report.devices_max = 1);
    let mut manager = Resolver::default();
    fixture.collector.take(counted(1, 100));
    {
        let mut spool = fixture.spool.lock().unwrap();
        let base = spool.waiting(Stream::Meters, 0, 1, usize::MAX).unwrap();
        spool.refuse(&base[0], "no", Timestamp::now()).unwrap();
    }
    fixture.collector.take(counted(1, 101));
    fixture.collector.take(counted(1, 102));
    let said = manager.take(&fixture, Stream::Meters);
    assert_eq!(values(&said), [None, None], "both lack their base");
    fixture.collector.take(counted(1, 103));
    fixture.collector.take(counted(1, 104));
    let sealed = reports(&fixture, Stream::Meters);
    let bases: Vec<_> = sealed.iter().map(|report| report.devices[0].base).collect();
    assert_eq!(bases, [None, Some(4)]);
    let said = manager.take(&fixture, Stream::Meters);
    assert_eq!(values(&said), [Some(103), Some(104)]);
}

#[test]
fn deltas_whose_base_a_full_spool_dropped_are_followed_by_a_full_report() {
    let mut fixture = fixture_with(|config| {
        config.report.devices_max = 1;
        config.spool.bytes_max = 80_000;
    });
    let mut manager = Resolver::default();
    fixture.collector.take(counted(1, 100));
    // New devices with texts that do not compress, until the oldest reports had to go.
    let mut digits = 1_u64;
    let mut number = 2;
    while fixture.spool.lock().unwrap().dropped(Stream::Meters).full == 0 {
        assert!(number < 1000, "the spool never was full");
        let mut noisy = counted(number, 1);
        let noise = std::iter::repeat_with(|| {
            digits = digits.wrapping_mul(6_364_136_223_846_793_005) | 1;
            format!("{:016x}", digits ^ (digits >> 29))
        });
        noisy.identity.location = Some(noise.take(200).collect());
        fixture.collector.take(noisy);
        number += 1;
    }
    fixture.collector.take(counted(1, 101));
    let said = manager.take(&fixture, Stream::Meters);
    assert_eq!(values(&said).last(), Some(&None), "its base is gone");
    fixture.collector.take(counted(1, 102));
    fixture.collector.take(counted(1, 103));
    let said = manager.take(&fixture, Stream::Meters);
    assert_eq!(values(&said), [Some(102), Some(103)]);
}

#[test]
fn a_new_life_begins_with_full_reports() {
    let mut first = fixture_with(|config| config.report.devices_max = 1);
    first.collector.take(counted(1, 100));
    first.collector.take(counted(1, 100));
    let spool = Arc::clone(&first.spool);
    let mut second = Fixture {
        collector: Collector::new(Setup {
            agent: agent(),
            config: first.collector.config.clone(),
            clock: Clock::new(),
            names: Names::off(),
            spool,
            status: first.status.clone(),
            wanted: first.wanted.clone(),
            wake: Box::new(|_| {}),
        }),
        ..first
    };
    second.collector.take(counted(1, 100));
    let sealed = reports(&second, Stream::Meters);
    let bases: Vec<_> = sealed.iter().map(|report| report.devices[0].base).collect();
    assert_eq!(bases, [None, Some(1), None]);
}
