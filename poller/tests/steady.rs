//! Polls by plan: what they ask, what they make of the answers, and when everything is learned anew.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use codec::model::{Basis, DeviceReport, Level, MeterSet, Section};
use codec::time::Timestamp;
use poller::conversation::{Ask, Conversation, Failure};
use poller::device::{Depth, DevicePoll, Plan, PollContext, PollOutcome};
use poller::oid::Oid;
use poller::profile::ProfileSet;
use poller::recording::Recording;
use poller::value::{Value, ValueRef};

const START: Timestamp = Timestamp::from_unix_ms(1_780_000_000_000);
const MINUTE_MS: i64 = 60_000;

const UPTIME: &str = "1.3.6.1.2.1.1.3.0";
const SERIAL: &str = "1.3.6.1.2.1.43.5.1.1.17.1";
const CONFIG: &str = "1.3.6.1.2.1.43.5.1.1.1.1";
const EVENTS: &str = "1.3.6.1.2.1.43.5.1.1.19.1";
const ERRORS: &str = "1.3.6.1.2.1.25.3.5.1.2.1";
const TOTAL: &str = "1.3.6.1.4.1.1347.43.10.1.1.12.1.1";
const PRINT: &str = "1.3.6.1.4.1.1347.42.3.1.1.1.1.1";

fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

/// A device whose values a test can change, and that counts what it is asked.
struct Device {
    variables: BTreeMap<Oid, Value>,
    profiles: Arc<ProfileSet>,
    plan: Option<Plan>,
    minute: i64,
    asks: Vec<Ask>,
}

impl Device {
    fn new(fixture: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures")
            .join(fixture);
        let recording = Recording::parse(&std::fs::read(path).unwrap()).unwrap();
        let variables = recording.variables().clone();
        Self {
            variables,
            profiles: Arc::new(ProfileSet::embedded()),
            plan: None,
            minute: 0,
            asks: Vec::new(),
        }
    }

    fn set(&mut self, instance: &str, value: Value) {
        self.variables.insert(oid(instance), value);
    }

    /// A minute passes; the device is polled.
    fn poll(&mut self, depth: Depth) -> PollOutcome {
        self.minute += 1;
        if let Some(Value::TimeTicks(ticks)) = self.variables.get_mut(&oid(UPTIME)) {
            *ticks += 6000;
        }
        let mut context = PollContext::new("192.0.2.10", START.plus_ms(self.minute * MINUTE_MS), 0);
        context.depth = depth;
        let poll = DevicePoll::new(Arc::clone(&self.profiles), self.plan.clone(), context);
        let mut counted = Counted {
            inner: poll,
            asks: Vec::new(),
        };
        Recording::of(self.variables.clone()).answer(&mut counted);
        self.asks = counted.asks;
        let outcome = counted.inner.into_outcome();
        self.plan.clone_from(&outcome.plan);
        outcome
    }

    fn gets(&self) -> Vec<usize> {
        let gets = self.asks.iter().filter_map(|ask| match ask {
            Ask::Get(oids) => Some(oids.len()),
            Ask::Walk { .. } => None,
        });
        gets.collect()
    }
}

struct Counted {
    inner: DevicePoll,
    asks: Vec<Ask>,
}

impl Conversation for Counted {
    fn next_ask(&mut self) -> Option<Ask> {
        let ask = self.inner.next_ask()?;
        self.asks.push(ask.clone());
        Some(ask)
    }

    fn variable(&mut self, ask_index: usize, oid: &Oid, value: ValueRef<'_>) {
        self.inner.variable(ask_index, oid, value);
    }

    fn answered(&mut self, failure: Option<Failure>) {
        self.inner.answered(failure);
    }
}

fn report(outcome: PollOutcome) -> DeviceReport {
    outcome.report.expect("a report")
}

fn total(report: &DeviceReport) -> u64 {
    let meters = report.meters.read().unwrap();
    meters
        .iter()
        .find(|meter| meter.code() == "total.total.impressions")
        .unwrap()
        .value
}

#[test]
fn after_the_first_poll_one_get_reads_everything_that_changes() {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    // A fixture with no alert that stands: only then nothing but the Get is needed.
    device
        .variables
        .retain(|oid, _| !oid.arcs().starts_with(&[1, 3, 6, 1, 2, 1, 43, 18]));
    let first = device.poll(Depth::Steady);
    assert_eq!(first.depth, Depth::Learn);
    assert!(first.is_printer && first.plan.is_some());

    device.set(TOTAL, Value::Integer(9950));
    device.set(PRINT, Value::Integer(6010));
    device.set("1.3.6.1.4.1.1347.42.3.1.2.1.1.1.1", Value::Integer(4010));
    device.set("1.3.6.1.2.1.43.11.1.1.9.1.1", Value::Integer(12990));
    let second = device.poll(Depth::Steady);
    assert_eq!(second.depth, Depth::Steady);
    // uptime, 3 of the Host Resources MIB, 3 general, engine count, 5 levels, 3 trays twice, 14 of the vendor
    assert_eq!(device.asks.len(), 1);
    assert_eq!(device.gets(), [33]);
    let report = report(second);
    assert_eq!(total(&report), 9950);
    assert_eq!(report.meter_set, Some(MeterSet::Verified));
    assert_eq!(report.identity, first.report.unwrap().identity);
    assert_eq!(report.identity.serial.as_deref(), Some("PLT5500123"));
    let supply = &report.supplies.read().unwrap()[0];
    assert_eq!(
        (supply.level, supply.description.as_str()),
        (Level::Amount(12990), "TK-0001C")
    );
    assert_eq!(report.trays.read().unwrap()[1].name, "Cassette 1");
    assert!(report.alerts.is_not_read(), "nothing pointed to the alerts");
    assert!(
        report
            .meters
            .read()
            .unwrap()
            .iter()
            .any(|meter| meter.basis == Basis::Engine)
    );
    assert!(
        report
            .meters
            .read()
            .unwrap()
            .iter()
            .all(|meter| meter.size.is_none()),
        "sizes are read daily"
    );
}

#[test]
fn alerts_are_read_when_something_points_to_them() {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    let learned = report(device.poll(Depth::Steady));
    assert_eq!(learned.alerts.read().unwrap().len(), 2);
    // One stands that will end: it is looked after at every poll.
    assert_eq!(
        report(device.poll(Depth::Steady))
            .alerts
            .read()
            .unwrap()
            .len(),
        2
    );
    let alerts = oid("1.3.6.1.2.1.43.18.1.1");
    device
        .variables
        .retain(|oid, _| oid.suffix_of(&alerts).is_none_or(|suffix| suffix[2] == 2));
    assert_eq!(
        report(device.poll(Depth::Steady)).alerts,
        Section::Read(Vec::new())
    );
    assert!(report(device.poll(Depth::Steady)).alerts.is_not_read());
    // The error state changes.
    device.set(ERRORS, Value::OctetString(vec![0x04]));
    assert!(!report(device.poll(Depth::Steady)).alerts.is_not_read());
    // The alert counter changes, is trusted from then on, and nothing is read while it stands still.
    device.set(EVENTS, Value::Counter32(312));
    assert!(!report(device.poll(Depth::Steady)).alerts.is_not_read());
    for _ in 0..30 {
        assert!(report(device.poll(Depth::Steady)).alerts.is_not_read());
    }
}

#[test]
fn alerts_of_a_device_without_a_moving_counter_are_read_every_ten_minutes() {
    let mut device = Device::new("kyocera_mono_printer.snmprec");
    device.poll(Depth::Steady);
    let read = (0..30)
        .filter(|_| !report(device.poll(Depth::Steady)).alerts.is_not_read())
        .count();
    assert_eq!(read, 3);
}

#[test]
fn another_device_at_the_address_is_learned_anew_and_its_values_are_its_own() {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    device.poll(Depth::Steady);
    for serial in [SERIAL, "1.3.6.1.4.1.1347.43.5.1.1.28.1"] {
        device.set(serial, Value::OctetString(b"PLT5500999".to_vec()));
    }
    device.set(
        "1.3.6.1.2.1.25.3.2.1.3.1",
        Value::OctetString(b"TASKalfa 4444".to_vec()),
    );
    device.set(
        "1.3.6.1.4.1.1347.43.5.1.1.1.1",
        Value::OctetString(b"TASKalfa 4444".to_vec()),
    );
    let outcome = device.poll(Depth::Steady);
    assert_eq!(outcome.depth, Depth::Learn);
    let report = report(outcome);
    assert_eq!(report.identity.serial.as_deref(), Some("PLT5500999"));
    assert_eq!(report.identity.model.as_deref(), Some("TASKalfa 4444"));
}

#[test]
fn what_does_not_fit_any_more_is_learned_anew() {
    type Change = fn(&mut Device);
    let changes: [(&str, Change); 5] = [
        ("a reboot", |device| {
            device.set(UPTIME, Value::TimeTicks(100));
        }),
        ("another configuration", |device| {
            device.set(CONFIG, Value::Counter32(1));
        }),
        ("an instance that is gone", |device| {
            device.variables.retain(|at, _| *at != oid(TOTAL));
        }),
        ("a new cartridge", |device| {
            device.set("1.3.6.1.2.1.43.11.1.1.9.1.2", Value::Integer(20000));
        }),
        ("a day", |device| device.minute += 24 * 60),
    ];
    for (name, change) in changes {
        let mut device = Device::new("kyocera_colour_mfp.snmprec");
        device.poll(Depth::Steady);
        assert_eq!(device.poll(Depth::Steady).depth, Depth::Steady);
        change(&mut device);
        let outcome = device.poll(Depth::Steady);
        assert_eq!(outcome.depth, Depth::Learn, "{name}");
        assert!(outcome.report.is_some(), "{name}");
        assert_eq!(
            device.poll(Depth::Steady).depth,
            Depth::Steady,
            "{name}: learned once"
        );
    }
}

#[test]
fn a_full_poll_by_plan_reads_tables_with_their_known_rows() {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    let learned = report(device.poll(Depth::Steady));
    device.set(
        "1.3.6.1.2.1.43.8.2.1.12.1.2",
        Value::OctetString(b"LETTERHEAD".to_vec()),
    );
    let outcome = device.poll(Depth::Full);
    assert_eq!(outcome.depth, Depth::Full);
    let rows = device.asks.iter().filter_map(|ask| match ask {
        Ask::Walk { rows_expected, .. } => Some(*rows_expected),
        Ask::Get(_) => None,
    });
    assert_eq!(rows.collect::<Vec<_>>(), [5, 4, 3, 4]);
    let full = report(outcome);
    assert_eq!(
        full.trays.read().unwrap()[1].media.as_deref(),
        Some("LETTERHEAD")
    );
    assert_eq!(full.supplies, learned.supplies);
    assert_eq!(full.identity, learned.identity);
    assert_eq!(
        full.status.read().unwrap().display,
        learned.status.read().unwrap().display
    );
    assert_eq!(device.poll(Depth::Steady).depth, Depth::Steady);
}

#[test]
fn a_heartbeat_asks_four_values_and_confirms_nothing() {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    device.poll(Depth::Steady);
    let still = device.poll(Depth::Heartbeat);
    assert_eq!(device.gets(), [4]);
    assert!(!still.changed);
    let still = report(still);
    assert!(
        still.meters.is_not_read()
            && still.supplies.is_not_read()
            && still.status.is_not_read()
            && still.alerts.is_not_read()
    );
    device.set("1.3.6.1.2.1.43.10.2.1.4.1.1", Value::Counter32(10_121));
    let moved = device.poll(Depth::Heartbeat);
    assert!(moved.changed && moved.report.is_none());
    assert_eq!(device.poll(Depth::Steady).depth, Depth::Steady);
    assert!(!device.poll(Depth::Heartbeat).changed);
    device.set(UPTIME, Value::TimeTicks(5));
    assert!(device.poll(Depth::Heartbeat).changed, "it was restarted");
}

#[test]
fn a_heartbeat_says_whose_it_is_though_it_reads_no_serial_number() {
    for fixture in ["kyocera_colour_mfp.snmprec", "sharp_mx.snmprec"] {
        let mut device = Device::new(fixture);
        let steady = report(device.poll(Depth::Steady)).identity;
        assert!(steady.serial.is_some(), "{fixture}");
        assert_eq!(report(device.poll(Depth::Heartbeat)).identity, steady);
    }
}

#[test]
fn a_device_that_falls_silent_is_asked_no_further_and_nothing_is_made_up() {
    struct Silent {
        poll: DevicePoll,
        answers: usize,
        asked: usize,
    }
    let device = Device::new("kyocera_colour_mfp.snmprec");
    for answers in 0..14 {
        let context = PollContext::new("192.0.2.10", START, 0);
        let mut silent = Silent {
            poll: DevicePoll::new(Arc::clone(&device.profiles), None, context),
            answers,
            asked: 0,
        };
        while let Some(ask) = silent.poll.next_ask() {
            silent.asked += 1;
            if silent.asked > silent.answers {
                silent.poll.answered(Some(Failure::Timeout));
                continue;
            }
            let mut once = Once {
                poll: &mut silent.poll,
                ask: Some(ask),
            };
            Recording::of(device.variables.clone()).answer(&mut once);
        }
        // Silence about the vendor's own tables is forgiven once.
        let forgiven = usize::from(answers >= 11);
        assert!(
            silent.asked <= answers + 1 + forgiven,
            "{} asks after {answers} answers",
            silent.asked
        );
        let outcome = silent.poll.into_outcome();
        assert_eq!(outcome.failure, Some(Failure::Timeout));
        assert_eq!(outcome.report.is_some(), answers > 0);
        assert!(
            outcome.plan.is_none(),
            "a plan is learned whole or not at all"
        );
        if let Some(report) = outcome.report {
            assert!(report.alerts.is_not_read() || answers > 10);
            assert!(
                report
                    .supplies
                    .read()
                    .is_none_or(|supplies| supplies.len() == 5)
            );
        }
    }
}

#[test]
fn a_device_that_refuses_the_vendors_own_tables_still_tells_the_rest() {
    struct Refusing(DevicePoll, Failure, bool);
    impl Conversation for Refusing {
        fn next_ask(&mut self) -> Option<Ask> {
            let ask = self.0.next_ask()?;
            self.2 = matches!(&ask, Ask::Walk { columns, .. } if columns[0].arcs().starts_with(&[1, 3, 6, 1, 4]));
            Some(ask)
        }

        fn variable(&mut self, ask_index: usize, oid: &Oid, value: ValueRef<'_>) {
            if !self.2 {
                self.0.variable(ask_index, oid, value);
            }
        }

        fn answered(&mut self, _failure: Option<Failure>) {
            self.0.answered(self.2.then_some(self.1));
        }
    }
    let device = Device::new("kyocera_mono_printer.snmprec");
    for failure in [Failure::ErrorStatus(5), Failure::Malformed] {
        let poll = DevicePoll::new(
            Arc::clone(&device.profiles),
            None,
            PollContext::new("192.0.2.10", START, 0),
        );
        let mut refusing = Refusing(poll, failure, false);
        Recording::of(device.variables.clone()).answer(&mut refusing);
        let outcome = refusing.0.into_outcome();
        assert!(outcome.plan.is_some());
        let report = report(outcome);
        assert_eq!(total(&report), 7342);
        assert_eq!(report.supplies.read().unwrap().len(), 2);
        assert!(
            report
                .meters
                .read()
                .unwrap()
                .iter()
                .all(|meter| meter.size.is_none())
        );
    }
}

/// Lets one ask of an inner poll through.
struct Once<'a> {
    poll: &'a mut DevicePoll,
    ask: Option<Ask>,
}

impl Conversation for Once<'_> {
    fn next_ask(&mut self) -> Option<Ask> {
        self.ask.take()
    }

    fn variable(&mut self, ask_index: usize, oid: &Oid, value: ValueRef<'_>) {
        self.poll.variable(ask_index, oid, value);
    }

    fn answered(&mut self, failure: Option<Failure>) {
        self.poll.answered(failure);
    }
}

#[test]
fn a_plan_survives_a_restart_of_the_agent() {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    device.poll(Depth::Steady);
    let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(device.plan.as_ref().unwrap()).unwrap();
    assert!(bytes.len() < 3000, "{} bytes", bytes.len());
    let plan = rkyv::from_bytes::<Plan, rkyv::rancor::Error>(&bytes).unwrap();
    assert_eq!(Some(&plan), device.plan.as_ref());
    device.plan = Some(plan);
    assert_eq!(device.poll(Depth::Steady).depth, Depth::Steady);
}

#[test]
fn a_steady_poll_says_of_supplies_and_trays_what_the_first_said() {
    for fixture in
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")).unwrap()
    {
        let name = fixture.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".snmprec") {
            continue;
        }
        let mut device = Device::new(&name);
        let learned = report(device.poll(Depth::Steady));
        let steady = device.poll(Depth::Steady);
        assert_eq!(steady.depth, Depth::Steady, "{name}");
        let steady = report(steady);
        assert_eq!(steady.identity, learned.identity, "{name}");
        assert_eq!(steady.supplies, learned.supplies, "{name}");
        assert_eq!(steady.trays, learned.trays, "{name}");
        let unsized_meters = |report: &DeviceReport| {
            let meters = report.meters.read().unwrap().iter();
            meters
                .filter(|meter| meter.size.is_none() && meter.sides.is_none())
                .cloned()
                .collect::<Vec<_>>()
        };
        let (first, then) = (unsized_meters(&learned), unsized_meters(&steady));
        let missing = first
            .iter()
            .filter(|meter| !then.contains(meter))
            .collect::<Vec<_>>();
        // What is read daily is missing; nothing is there that was not.
        assert!(then.iter().all(|meter| first.contains(meter)), "{name}");
        assert!(
            missing
                .iter()
                .all(|meter| meter.code() == "total.total.sheets"),
            "{name}: {missing:?}"
        );
    }
}

#[test]
fn a_model_that_must_not_be_polled_is_left_alone() {
    let mut device = Device::new("brother_colour_laser.snmprec");
    device.set(
        "1.3.6.1.2.1.25.3.2.1.3.1",
        Value::OctetString(b"Brother MFC-8660DN".to_vec()),
    );
    let outcome = device.poll(Depth::Steady);
    assert!(outcome.do_not_touch && outcome.plan.is_none());
    assert_eq!(device.asks.len(), 1, "only what it took to recognise it");
    let report = report(outcome);
    assert_eq!(report.identity.model.as_deref(), Some("MFC-8660DN"));
    assert!(report.meters.is_not_read() && report.status.is_not_read());
}

#[test]
fn one_bad_row_never_costs_the_others() {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    let whole = report(device.poll(Depth::Learn));
    // Wrong types, impossible numbers, rubbish in place of text.
    device.set(
        "1.3.6.1.2.1.43.11.1.1.9.1.2",
        Value::OctetString(b"full".to_vec()),
    );
    device.set(
        "1.3.6.1.2.1.43.11.1.1.6.1.2",
        Value::OctetString(vec![0xff, 0x00, 0x07, 0xfe]),
    );
    device.set("1.3.6.1.2.1.43.11.1.1.8.1.2", Value::Integer(i64::MIN));
    device.set("1.3.6.1.2.1.43.8.2.1.10.1.1", Value::Integer(i64::MAX));
    device.set("1.3.6.1.2.1.43.18.1.1.7.1.301", Value::Null);
    device.set("1.3.6.1.4.1.1347.42.3.1.1.1.1.4", Value::Integer(-1));
    device.set(
        "1.3.6.1.4.1.1347.46.10.1.1.5.3",
        Value::OctetString(b"None".to_vec()),
    );
    let hurt = report(device.poll(Depth::Learn));
    let (before, after) = (
        whole.supplies.read().unwrap(),
        hurt.supplies.read().unwrap(),
    );
    assert_eq!(after.len(), 5);
    assert_eq!(
        (after[1].level, after[1].capacity, after[1].part.as_deref()),
        (Level::Unknown, None, None)
    );
    assert!([0, 2, 3, 4].iter().all(|row| before[*row] == after[*row]));
    assert_eq!(hurt.trays.read().unwrap()[0].level, Level::Unknown);
    assert_eq!(hurt.alerts.read().unwrap().len(), 2);
    let codes = |report: &DeviceReport| {
        report
            .meters
            .read()
            .unwrap()
            .iter()
            .map(codec::model::Meter::code)
            .collect::<Vec<_>>()
    };
    let lost = codes(&whole)
        .into_iter()
        .filter(|code| !codes(&hurt).contains(code))
        .collect::<Vec<_>>();
    assert_eq!(lost, ["fax.total.impressions", "scan.total.images"]);
    assert_eq!(
        hurt.meter_set,
        Some(MeterSet::Verified),
        "what can be checked still holds"
    );
}

#[test]
fn meters_that_do_not_add_up_are_conflicting() {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    device.set(PRINT, Value::Integer(6100));
    assert_eq!(
        report(device.poll(Depth::Steady)).meter_set,
        Some(MeterSet::Conflicting)
    );
    assert_eq!(
        report(device.poll(Depth::Steady)).meter_set,
        Some(MeterSet::Conflicting)
    );
}

fn any_value() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        prop_oneof![
            Just(-3_i64),
            Just(-2),
            Just(-1),
            Just(0),
            Just(i64::from(u32::MAX)),
            0_i64..200
        ]
        .prop_map(Value::Integer),
        proptest::collection::vec(any::<u8>(), 0..60).prop_map(Value::OctetString),
        any::<u32>().prop_map(Value::Counter32),
        any::<u64>().prop_map(Value::Counter64),
        any::<[u8; 4]>().prop_map(Value::IpAddress),
        proptest::collection::vec(any::<u32>(), 2..20)
            .prop_map(|arcs| Value::ObjectId(Oid::new(&arcs))),
        Just(Value::Null),
    ]
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(60))]

    /// Whatever a device answers: no panic, an end, and nothing impossible in the report.
    #[test]
    fn a_device_that_lies_breaks_nothing(
        which in 0_usize..100,
        changes in proptest::collection::vec((0_usize..500, any_value(), proptest::bool::ANY), 0..60),
        again in proptest::collection::vec((0_usize..500, any_value()), 0..10),
    ) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let mut names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>();
        names.retain(|name| name.ends_with(".snmprec"));
        names.sort();
        let mut device = Device::new(&names[which % names.len()]);
        let oids = device.variables.keys().cloned().collect::<Vec<_>>();
        for (index, value, below) in changes {
            let oid = &oids[index % oids.len()];
            device.variables.insert(if below { oid.child(&[7]) } else { oid.clone() }, value);
        }
        for depth in [Depth::Learn, Depth::Steady, Depth::Full, Depth::Heartbeat, Depth::Steady] {
            let outcome = device.poll(depth);
            proptest::prop_assert!(device.asks.len() < 60);
            if let Some(report) = outcome.report {
                for supply in report.supplies.read().into_iter().flatten() {
                    proptest::prop_assert!(supply.percent().is_none_or(|percent| percent <= 100));
                    proptest::prop_assert!(!supply.description.chars().any(char::is_control));
                }
                for meter in report.meters.read().into_iter().flatten() {
                    let sum = meter.parts.iter().map(|part| part.value).fold(0, u64::wrapping_add);
                    proptest::prop_assert!(meter.parts.is_empty() || sum == meter.value);
                }
                let _ = serde_json::to_string(&report).unwrap();
            }
            for (index, value) in &again {
                device.variables.insert(oids[index % oids.len()].clone(), value.clone());
            }
        }
    }
}

#[test]
fn every_ask_is_on_the_allow_list() {
    for fixture in
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")).unwrap()
    {
        let name = fixture.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".snmprec") {
            continue;
        }
        let mut device = Device::new(&name);
        for depth in [Depth::Learn, Depth::Steady, Depth::Full, Depth::Heartbeat] {
            device.poll(depth);
            for ask in &device.asks {
                let (Ask::Get(oids) | Ask::Walk { columns: oids, .. }) = ask;
                for oid in oids {
                    assert!(device.profiles.allowed().permits(oid), "{name}: {oid}");
                }
            }
        }
    }
}
