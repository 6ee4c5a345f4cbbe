//! Devices that fall silent, refuse, lie or must be left alone: nothing is made up, and one bad row never costs the others.

mod simulated;

use std::path::Path;
use std::sync::Arc;

use codec::model::{Basis, DeviceReport, Level, Meter, MeterSet};
use poller::conversation::{Ask, Conversation, Failure};
use poller::device::{Depth, DevicePoll, PollContext, PollOutcome};
use poller::oid::Oid;
use poller::recording::Recording;
use poller::value::{Value, ValueRef};

use simulated::*;

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
        // One silent table is forgiven, two in a row are not; the first question must be answered.
        let forgiven = usize::from(answers > 0);
        assert!(
            silent.asked <= answers + 1 + forgiven,
            "{} asks after {answers} answers",
            silent.asked
        );
        let outcome = silent.poll.into_outcome();
        assert_eq!(outcome.failure, Some(Failure::Timeout));
        assert_eq!(outcome.report.is_some(), answers > 0);
        // A plan is learned whole, or the next poll learns it again.
        let mut next = Device::new("kyocera_colour_mfp.snmprec");
        next.plan.clone_from(&outcome.plan);
        assert_eq!(next.poll(Depth::Steady).depth, Depth::Learn);
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
            .map(Meter::code)
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

/// Loses one ask: after some of its answers, it fails.
struct Lossy {
    poll: DevicePoll,
    lost: std::ops::Range<usize>,
    answers: usize,
    failure: Failure,
    asks: Vec<Ask>,
    heard: usize,
}

impl Lossy {
    fn is_lost(&self) -> bool {
        self.lost.contains(&(self.asks.len() - 1))
    }
}

impl Conversation for Lossy {
    fn next_ask(&mut self) -> Option<Ask> {
        let ask = self.poll.next_ask()?;
        self.asks.push(ask.clone());
        self.heard = 0;
        Some(ask)
    }

    fn variable(&mut self, ask_index: usize, oid: &Oid, value: ValueRef<'_>) {
        self.heard += 1;
        if !self.is_lost() || self.heard <= self.answers {
            self.poll.variable(ask_index, oid, value);
        }
    }

    fn answered(&mut self, _failure: Option<Failure>) {
        let failure = self.is_lost().then_some(self.failure);
        self.poll.answered(failure);
    }
}

fn lossy(
    device: &Device,
    lost: std::ops::Range<usize>,
    answers: usize,
    failure: Failure,
) -> (PollOutcome, Vec<Ask>) {
    lossy_by_plan(device, Depth::Learn, lost, answers, failure)
}

fn lossy_by_plan(
    device: &Device,
    depth: Depth,
    lost: std::ops::Range<usize>,
    answers: usize,
    failure: Failure,
) -> (PollOutcome, Vec<Ask>) {
    let at = START.plus_ms((device.minute + 1) * MINUTE_MS);
    let mut context = PollContext::new("192.0.2.10", at, 0);
    context.depth = depth;
    let mut lossy = Lossy {
        poll: DevicePoll::new(Arc::clone(&device.profiles), device.plan.clone(), context),
        lost,
        answers,
        failure,
        asks: Vec::new(),
        heard: 0,
    };
    Recording::of(device.variables.clone()).answer(&mut lossy);
    (lossy.poll.into_outcome(), lossy.asks)
}

fn is_vendors(ask: &Ask) -> bool {
    let (Ask::Get(oids) | Ask::Walk { columns: oids, .. }) = ask;
    oids.iter()
        .any(|oid| oid.arcs().starts_with(&[1, 3, 6, 1, 4, 1]))
}

fn fixtures() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let names = std::fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".snmprec")).collect()
}

#[test]
fn whatever_answers_are_lost_no_meter_is_another_number() {
    for name in fixtures() {
        let device = Device::new(&name);
        let (outcome, asks) = lossy(&device, 0..0, 0, Failure::Timeout);
        assert_eq!(outcome.not_read, [""; 0], "{name}");
        let whole = report(outcome);
        let whole_meters = whole.meters.read().unwrap();
        let failures = [
            Failure::Timeout,
            Failure::Malformed,
            Failure::ErrorStatus(5),
        ];
        for (at, answers, failure) in (0..asks.len())
            .flat_map(|at| [0, 1, 4, 9, 20].map(|answers| (at, answers)))
            .flat_map(|(at, answers)| failures.map(|failure| (at, answers, failure)))
        {
            let (outcome, _) = lossy(&device, at..at + 1, answers, failure);
            let case = format!("{name}: ask {at}, {answers} answers, then {failure:?}");
            let not_read = outcome.not_read.clone();
            let Some(report) = outcome.report else {
                assert_eq!(at, 0, "{case}");
                continue;
            };
            if report.identity.profile != whole.identity.profile {
                continue; // the loss was what identifies it
            }
            let Some(meters) = report.meters.read() else {
                assert!(not_read.contains(&"meters"), "{case}: {not_read:?}");
                assert_eq!(report.meter_set, None, "{case}");
                continue;
            };
            for meter in meters {
                assert!(whole_meters.contains(meter), "{case}: {}", meter.code());
            }
            let all = meters.len() == whole_meters.len();
            let vendors = is_vendors(&asks[at]);
            assert!(all || !vendors || failure != Failure::Timeout, "{case}");
            let billing = |meter: &Meter| meter.basis == Basis::Billing;
            let engine_alone = whole_meters.iter().any(billing) && !meters.iter().any(billing);
            assert!(!engine_alone, "{case}: the engine's alone");
            assert!(
                all || report.meter_set != Some(MeterSet::Verified) || !vendors,
                "{case}: verified"
            );
        }
    }
}

#[test]
fn a_silent_table_costs_its_part_alone_and_two_in_a_row_end_the_poll() {
    for name in ["kyocera_colour_mfp.snmprec", "sharp_mx.snmprec"] {
        let device = Device::new(name);
        let (outcome, asks) = lossy(&device, 0..0, 0, Failure::Timeout);
        let whole = report(outcome);
        let first = asks
            .iter()
            .position(|ask| matches!(ask, Ask::Walk { .. }))
            .unwrap();
        for at in first..asks.len() {
            let (outcome, asked) = lossy(&device, at..at + 1, 0, Failure::Timeout);
            assert_eq!(asked.len(), asks.len(), "{name}: ask {at}");
            let mut next = Device::new(name);
            (next.plan, next.minute) = (outcome.plan.clone(), device.minute + 1);
            let next = next.poll(Depth::Steady);
            assert_eq!(next.depth, Depth::Learn, "it may have been chance");
            assert_eq!(next.not_read, [""; 0]);
            let not_read = outcome.not_read.clone();
            assert!((1..=2).contains(&not_read.len()), "{name}: {not_read:?}");
            let report = report(outcome);
            assert_eq!(report.identity.serial, whole.identity.serial);
            let lost = |section| not_read.contains(&section);
            assert_eq!(report.status.is_not_read(), lost("status"));
            assert_eq!(report.meters.is_not_read(), lost("meters"));
            assert_eq!(report.supplies.is_not_read(), lost("supplies"));
            assert_eq!(report.trays.is_not_read(), lost("trays"));
            assert_eq!(report.alerts.is_not_read(), lost("alerts"));
            if at + 1 < asks.len() {
                let (outcome, asked) = lossy(&device, at..asks.len(), 0, Failure::Timeout);
                assert_eq!(asked.len(), at + 2, "{name}: dead from ask {at}");
                assert!(outcome.not_read.len() >= not_read.len());
            }
        }
    }
}

#[test]
fn a_vendor_table_that_breaks_off_or_fills_its_limit_yields_no_meters() {
    let mut device = Device::new("sharp_mx.snmprec");
    let (outcome, asks) = lossy(&device, 0..0, 0, Failure::Timeout);
    assert_eq!(total(&report(outcome)), 1206);
    let table = asks
        .iter()
        .position(|ask| matches!(ask, Ask::Walk { .. }) && is_vendors(ask))
        .unwrap();
    for failure in [
        Failure::Timeout,
        Failure::Malformed,
        Failure::ErrorStatus(5),
    ] {
        for answers in 1..37 {
            let (outcome, _) = lossy(&device, table..table + 1, answers, failure);
            assert_eq!(outcome.not_read, ["meters"], "{answers} rows");
            assert!(outcome.plan.is_none());
            let report = report(outcome);
            assert!(report.meters.is_not_read() && report.meter_set.is_none());
            assert!(report.status.read().is_some() && report.supplies.read().is_some());
            assert!(report.trays.read().is_some() && report.alerts.read().is_some());
        }
    }
    // More rows than are taken of a table: the total may be behind the last.
    for row in 0..2000 {
        device.set(
            &format!("1.3.6.1.4.1.2385.1.1.19.2.1.3.1.1.{row}"),
            Value::Counter32(1),
        );
    }
    let outcome = device.poll(Depth::Learn);
    assert_eq!(outcome.not_read, ["meters"]);
    assert!(report(outcome).meters.is_not_read());
}

#[test]
fn whatever_answers_a_poll_by_plan_loses_no_meter_is_another_number() {
    for name in fixtures() {
        let mut device = Device::new(&name);
        let learned = device.poll(Depth::Learn);
        assert!(learned.plan.is_some(), "{name}");
        for depth in [Depth::Full, Depth::Steady] {
            let (outcome, asks) = lossy_by_plan(&device, depth, 0..0, 0, Failure::Timeout);
            assert_eq!(outcome.not_read, [""; 0], "{name}");
            let whole = report(outcome);
            let whole_meters = whole.meters.read().unwrap();
            for (at, answers) in
                (0..asks.len()).flat_map(|at| [0, 1, 5, 12, 20].map(|answers| (at, answers)))
            {
                for failure in [Failure::Timeout, Failure::ErrorStatus(5)] {
                    let (outcome, _) = lossy_by_plan(&device, depth, at..at + 1, answers, failure);
                    let case =
                        format!("{name}: {depth:?} ask {at}, {answers} answers, then {failure:?}");
                    // A plan is given up only where the poll learned, and lost, another.
                    assert!(
                        outcome.plan.is_some() || outcome.depth == Depth::Learn,
                        "{case}"
                    );
                    let Some(report) = outcome.report else {
                        continue;
                    };
                    let meters = report.meters.read().map_or(&[][..], Vec::as_slice);
                    for meter in meters {
                        let same = |whole: &Meter| whole.code() == meter.code();
                        let whole = whole_meters.iter().find(|whole| same(whole));
                        let learned_more = outcome.depth == Depth::Learn && whole.is_none();
                        assert!(
                            learned_more || whole == Some(meter),
                            "{case}: {}",
                            meter.code()
                        );
                    }
                }
            }
        }
    }
}
