//! The schedule over hours of virtual time.

use std::net::SocketAddr;

use codec::model::{DeviceReport, Identity};

use super::super::devices::{Devices, Found};
use super::*;
use crate::config::{AgentConfig, Secret, units};

fn config() -> ScheduleConfig {
    let agent = codec::id::AgentId::new("a").unwrap();
    let token = Secret::new("t".to_owned());
    AgentConfig::new(String::new(), agent, token, "s".into()).schedule
}

fn devices(count: u8, now: Instant) -> (Devices, Vec<usize>) {
    let mut devices = Devices::default();
    let ids = (0..count)
        .map(|n| {
            let report = DeviceReport {
                identity: Identity {
                    serial: Some(format!("S{n}")),
                    ..Identity::default()
                },
                ..DeviceReport::default()
            };
            let target = SocketAddr::from(([10, 0, 0, n], 161));
            match devices.found(0, target, &report, false, now) {
                Found::New(id) => id,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    (devices, ids)
}

#[test]
fn a_fleet_that_was_found_at_once_is_spread_over_the_interval() {
    let schedule = Schedule::new(config(), Instant::now());
    let now = Instant::now();
    let (mut devices, ids) = devices(200, now);
    let mut per_tenth = [0; 11];
    for id in ids {
        schedule.did(devices.get_mut(id), Reading::all(Depth::Learn), now);
        let next = schedule.next(devices.get(id), now) - now;
        per_tenth[(next.as_secs() / 30) as usize] += 1;
    }
    // Nobody waits for less than a tenth of the interval, nor for longer than one and a tenth.
    assert_eq!(per_tenth[0], 0, "{per_tenth:?}");
    assert!(
        per_tenth[1..].iter().all(|n| (8..=35).contains(n)),
        "{per_tenth:?}"
    );
}

#[test]
fn each_interval_is_kept_and_a_deep_poll_counts_for_the_shallow_ones() {
    let schedule = Schedule::new(config(), Instant::now());
    let begin = Instant::now();
    let (mut devices, ids) = devices(1, begin);
    let id = ids[0];
    let mut now = begin;
    let mut counts = std::collections::BTreeMap::new();
    let mut of_meters = std::collections::BTreeMap::new();
    schedule.did(devices.get_mut(id), Reading::all(Depth::Learn), now);
    devices.get_mut(id).plan = Some(plan());
    while now < begin + Duration::from_secs(7 * 86_400) {
        now = schedule.next(devices.get(id), now);
        let reading = schedule.reading(devices.get(id), now);
        *counts.entry(reading.depth).or_insert(0) += 1;
        if reading.depth == Depth::Steady {
            *of_meters.entry(reading.sections.meters).or_insert(0) += 1;
        }
        schedule.did(devices.get_mut(id), reading, now);
    }
    // A week: 2016 polls in all, every half hour one that reads levels and meters, every day all.
    let total: i32 = counts.values().sum();
    assert!((2010..=2040).contains(&total), "{counts:?}");
    assert!((300..=345).contains(&counts[&Depth::Steady]), "{counts:?}");
    assert!((18..=24).contains(&counts[&Depth::Full]), "{counts:?}");
    assert!((6..=8).contains(&counts[&Depth::Learn]), "{counts:?}");
    // Every second of those that read levels reads meters too, and none reads meters alone.
    assert!((140..=175).contains(&of_meters[&true]), "{of_meters:?}");
    assert!((140..=175).contains(&of_meters[&false]), "{of_meters:?}");
}

fn plan() -> poller::device::Plan {
    let recording = poller::recording::Recording::parse(
        b"1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.1347.41\n1.3.6.1.2.1.43.5.1.1.1.1|2|7\n1.3.6.1.2.1.43.5.1.1.17.1|4|ABC1234567\n",
    )
    .unwrap();
    let profiles = std::sync::Arc::new(poller::profile::ProfileSet::embedded());
    poller::recording::replay(&recording, profiles, Timestamp::default())
        .plan
        .expect("a device that answers is planned for")
}

#[test]
fn the_dead_are_asked_ever_less_often_and_forgotten_at_last() {
    let schedule = Schedule::new(config(), Instant::now());
    let begin = Instant::now();
    let (mut devices, ids) = devices(1, begin);
    let mut now = begin;
    let mut pauses = Vec::new();
    loop {
        devices.failed(ids[0]);
        let Some(next) = schedule.after_failure(devices.get(ids[0]), now) else {
            break;
        };
        pauses.push((next - now).as_secs());
        now = next;
    }
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert!((22..=30).contains(&pauses[0]), "{pauses:?}");
    assert!((675..=900).contains(pauses.last().unwrap()), "{pauses:?}");
    assert!(now - begin >= Duration::from_secs(30 * 86_400));
}

#[test]
fn quiet_hours_hold_by_the_local_clock_and_may_pass_midnight() {
    let mut config = config();
    config.quiet_hours = vec![units::day_span("22:00-05:30").unwrap()];
    config.time_zone = Some(jiff::tz::TimeZone::get("Europe/Berlin").unwrap());
    let schedule = Schedule::new(config, Instant::now());
    let now = Instant::now();
    let left = |text: &str| {
        schedule
            .quiet_until(now, text.parse().unwrap())
            .map(|until| (until - now).as_secs())
    };
    // Berlin is an hour ahead in winter.
    assert_eq!(left("2026-11-21T20:59:59Z"), None);
    assert_eq!(left("2026-11-21T21:00:00Z"), Some(7 * 3600 + 1800));
    assert_eq!(left("2026-11-22T04:29:30Z"), Some(30));
    assert_eq!(left("2026-11-22T04:30:00Z"), None);
    // The clock is set forward at 2:00 of 29 March and back at 3:00 of 25 October: the night is an hour shorter, or longer.
    assert_eq!(left("2026-03-28T21:00:00Z"), Some(6 * 3600 + 1800));
    assert_eq!(left("2026-10-24T20:00:00Z"), Some(8 * 3600 + 1800));
    // In the hour that comes twice, both times.
    assert_eq!(left("2026-10-25T00:30:00Z"), Some(4 * 3600));
    assert_eq!(left("2026-10-25T01:30:00Z"), Some(3 * 3600));
    assert_eq!(left("2026-10-25T04:30:00Z"), None);
}

#[test]
fn what_waited_for_the_end_of_quiet_hours_does_not_come_at_once() {
    let begin = Instant::now();
    let schedule = Schedule::new(config(), begin);
    let (mut devices, ids) = devices(200, begin);
    for id in &ids {
        schedule.did(devices.get_mut(*id), Reading::all(Depth::Learn), begin);
    }
    let quiet_ends = begin + Duration::from_secs(8 * 3600 + 7);
    let mut per_tenth = [0; 10];
    for id in ids {
        let next = schedule.own_moment(devices.get(id), quiet_ends) - quiet_ends;
        assert!(next <= Duration::from_secs(300));
        per_tenth[(next.as_secs() / 30).min(9) as usize] += 1;
    }
    assert!(
        per_tenth.iter().all(|n| (8..=35).contains(n)),
        "{per_tenth:?}"
    );
}

#[test]
fn a_device_keeps_its_own_moment_however_late_it_is_polled() {
    let begin = Instant::now();
    let schedule = Schedule::new(config(), begin);
    let (mut devices, ids) = devices(1, begin);
    let device = devices.get_mut(ids[0]);
    schedule.did(device, Reading::all(Depth::Learn), begin);
    let mut due = schedule.next(device, begin);
    let own = (due - begin).as_secs_f64() % 300.0;
    for late in [0, 10, 140, 3, 149] {
        let now = due + Duration::from_secs(late);
        schedule.did(device, Reading::all(Depth::Heartbeat), now);
        let next = device.dues.0[STATUS].unwrap();
        let apart = ((next - begin).as_secs_f64() % 300.0 - own).abs();
        assert!(apart.min(300.0 - apart) < 0.01, "{apart}");
        assert!(next - now >= Duration::from_secs(150) && next - now <= Duration::from_secs(450));
        due = next;
    }
}

#[test]
fn a_device_that_told_of_an_alert_is_read_without_its_meters_unless_they_are_due() {
    let begin = Instant::now();
    let schedule = Schedule::new(config(), begin);
    let (mut devices, ids) = devices(1, begin);
    let device = devices.get_mut(ids[0]);
    schedule.did(device, Reading::all(Depth::Learn), begin);
    device.plan = Some(plan());
    device.wants.told = true;
    let told = Sections {
        meters: false,
        supplies: true,
        alerts: true,
    };
    let reading = schedule.reading(device, begin);
    assert_eq!((reading.depth, reading.sections), (Depth::Steady, told));
    let later = begin + Duration::from_secs(3 * 3600);
    assert!(schedule.reading(device, later).sections.meters);
    // What a heartbeat saw is read in full.
    device.wants.steady = true;
    assert!(schedule.reading(device, begin).sections.meters);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(8))]

    #[test]
    fn however_the_time_of_day_is_set_no_device_is_asked_in_quiet_hours_or_late_outside_of_them(
        jumps in proptest::collection::vec((1..2_880_u64, -20_000_000..20_000_000_i64), 0..6),
    ) {
        const MINUTE: Duration = Duration::from_secs(60);
        let mut config = config();
        config.quiet_hours = vec![units::day_span("22:00-05:30").unwrap()];
        config.time_zone = Some(jiff::tz::TimeZone::get("Europe/Berlin").unwrap());
        let begin = Instant::now();
        let schedule = Schedule::new(config, begin);
        let (mut devices, ids) = devices(1, begin);
        let id = ids[0];
        schedule.did(devices.get_mut(id), Reading::all(Depth::Learn), begin);
        devices.get_mut(id).plan = Some(plan());
        let (mut now, mut unix_ms) = (begin, 1_780_000_000_000_i64);
        // Time spent awake since the last poll.
        let mut awake = Duration::ZERO;
        let mut was_quiet = false;
        let mut jumps = jumps.into_iter();
        let mut jump = jumps.next();
        for minute in 0..4 * 1440_u64 {
            if let Some((after, seconds)) = jump
                && minute % 2_880 == after
            {
                unix_ms += seconds * 1000;
                jump = jumps.next();
            }
            let time = Timestamp::from_unix_ms(unix_ms);
            let quiet_until = schedule.quiet_until(now, time);
            let local = jiff::Timestamp::from_millisecond(unix_ms).unwrap();
            let local = local.to_zoned(jiff::tz::TimeZone::get("Europe/Berlin").unwrap());
            let of_day = i32::from(local.hour()) * 60 + i32::from(local.minute());
            proptest::prop_assert_eq!(quiet_until.is_some(), !(330..1320).contains(&of_day));
            if let Some(until) = quiet_until {
                let left = until.saturating_duration_since(now);
                proptest::prop_assert!(!left.is_zero() && left <= Duration::from_secs(9 * 3600), "{left:?}");
            } else {
                if was_quiet && devices.get(id).dues.0.iter().flatten().any(|due| *due <= now) {
                    // As the source does at the end of quiet hours.
                    let own = schedule.own_moment(devices.get(id), now);
                    devices.put_off(id, own);
                    proptest::prop_assert!(own - now <= schedule.intervals[STATUS]);
                }
                awake += MINUTE;
                let due = schedule.next(devices.get(id), now);
                if due <= now {
                    let reading = schedule.reading(devices.get(id), now);
                    schedule.did(devices.get_mut(id), reading, now);
                    awake = Duration::ZERO;
                }
                proptest::prop_assert!(awake <= schedule.intervals[STATUS] * 2, "awake for {awake:?}");
            }
            was_quiet = quiet_until.is_some();
            now += MINUTE;
            unix_ms += 60_000;
        }
    }
}
