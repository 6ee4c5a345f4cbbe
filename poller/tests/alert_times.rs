//! Since when an alert stands: the same moment at each poll, whatever the answers' latency, until a clock is set or the device restarts.

mod simulated;

use codec::time::Timestamp;
use poller::device::{Depth, Plan};
use poller::value::Value;

use simulated::*;

/// What a minute is in `TimeTicks`.
const MINUTE_TICKS: u32 = 6_000;
/// After so many ticks they begin anew.
const ROUND_MS: i64 = (1 << 32) * 10;

/// A device that has been running for `uptime` ticks, and an alert of the first row that came at `then`.
fn device(uptime: u32, then: u32) -> Device {
    let mut device = Device::new("kyocera_colour_mfp.snmprec");
    device.set(UPTIME, Value::TimeTicks(uptime));
    set_alert(&mut device, then);
    device
}

fn set_alert(device: &mut Device, then: u32) {
    let columns = [2, 4, 5, 7].map(|column| format!("1.3.6.1.2.1.43.18.1.1.{column}.1.1"));
    for (column, number) in columns.iter().zip([3, 8, 1, 808]) {
        device.set(column, Value::Integer(number));
    }
    device.set("1.3.6.1.2.1.43.18.1.1.9.1.1", Value::TimeTicks(then));
}

/// The answer of the next poll shows so many ticks more, or fewer, than a minute.
fn jitter(device: &mut Device, ticks: i32) {
    let Some(Value::TimeTicks(uptime)) = device.variables.get_mut(&oid(UPTIME)) else {
        panic!("an uptime")
    };
    *uptime = uptime.checked_add_signed(ticks).expect("it stays positive");
}

/// Polls, and tells since when that alert stands.
fn since(device: &mut Device, depth: Depth) -> Timestamp {
    let report = report(device.poll(depth));
    let alerts = report.alerts.read().expect("what stands is read");
    let alert = alerts.iter().find(|alert| alert.index == 1);
    let alert = alert.expect("the alert stands");
    alert.since.expect("the time is told")
}

/// The time of the device's next poll.
fn next_poll(device: &Device) -> Timestamp {
    START.plus_ms((device.minute + 1) * MINUTE_MS)
}

/// The agent is started anew: plans come from the snapshot.
fn resume(device: &mut Device) {
    let plan = device.plan.take().expect("a plan is kept");
    let kept = rkyv::to_bytes::<rkyv::rancor::Error>(&plan).unwrap();
    device.plan = rkyv::from_bytes::<Plan, rkyv::rancor::Error>(&kept).ok();
}

#[test]
fn an_alert_stands_since_the_same_moment_whatever_the_latency_of_the_polls() {
    let mut device = device(1_000_000, 900_000);
    let expected = next_poll(&device).plus_ms(-(100_000 + i64::from(MINUTE_TICKS)) * 10);
    assert_eq!(since(&mut device, Depth::Learn), expected);
    let depths = [Depth::Steady, Depth::Full, Depth::Learn, Depth::Steady];
    for (depth, ticks) in depths
        .into_iter()
        .cycle()
        .zip([1, 3, -2, 700, -690, 250, -3, 41])
    {
        jitter(&mut device, ticks);
        assert_eq!(since(&mut device, depth), expected, "{depth:?}, {ticks}");
    }
    resume(&mut device);
    jitter(&mut device, 17);
    assert_eq!(since(&mut device, Depth::Steady), expected, "resumed");
    // Another alert in that row.
    let Some(Value::TimeTicks(now)) = device.variables.get(&oid(UPTIME)).cloned() else {
        panic!("an uptime")
    };
    set_alert(&mut device, now);
    let between = i64::from(now - 900_000) * 10;
    assert_eq!(since(&mut device, Depth::Steady), expected.plus_ms(between));
}

#[test]
fn a_clock_that_is_set_moves_it_once() {
    let mut device = device(1_000_000, 900_000);
    let before = since(&mut device, Depth::Learn);
    for hours in [1, -2] {
        device.minute += hours * 60;
        jitter(&mut device, 5);
        let moved = since(&mut device, Depth::Steady);
        // The poll that sees it takes its own latency as it is.
        let off = moved.ms_since(before) - (hours.min(0) + 1) * 60 * MINUTE_MS;
        assert!(off.abs() < 200, "{hours} h: {off} ms");
        for ticks in [-7, 12, 3] {
            jitter(&mut device, ticks);
            assert_eq!(since(&mut device, Depth::Steady), moved, "{hours} h");
        }
    }
}

#[test]
fn a_heartbeat_that_sees_the_clock_set_settles_it_too() {
    let mut device = device(1_000_000, 900_000);
    let before = since(&mut device, Depth::Learn);
    device.minute += 60;
    assert!(!device.poll(Depth::Heartbeat).changed);
    jitter(&mut device, 9);
    let expected = before.plus_ms(60 * MINUTE_MS);
    assert_eq!(since(&mut device, Depth::Steady), expected);
}

#[test]
fn a_device_that_restarted_tells_of_a_new_moment() {
    let mut device = device(1_000_000, 900_000);
    since(&mut device, Depth::Learn);
    // Ten seconds after it started; the poll is another minute later.
    device.set(UPTIME, Value::TimeTicks(1_000));
    set_alert(&mut device, 500);
    let expected = next_poll(&device).plus_ms(-(500 + i64::from(MINUTE_TICKS)) * 10);
    assert_eq!(since(&mut device, Depth::Steady), expected);
    jitter(&mut device, -30);
    assert_eq!(since(&mut device, Depth::Steady), expected);
}

#[test]
fn an_uptime_that_begins_anew_moves_nothing() {
    let uptime = u32::MAX - 2 * MINUTE_TICKS;
    let mut device = device(uptime, uptime - 100);
    let expected = since(&mut device, Depth::Learn);
    // What a minute later is beyond 32 bits.
    device.set(UPTIME, Value::TimeTicks(0));
    device.minute += 1;
    for depth in [Depth::Steady, Depth::Steady, Depth::Full] {
        assert_eq!(since(&mut device, depth), expected, "{depth:?}");
        jitter(&mut device, 3);
    }
    set_alert(&mut device, 200);
    let start = expected.plus_ms(-i64::from(uptime - 100) * 10);
    let moment = since(&mut device, Depth::Steady);
    assert_eq!(moment, start.plus_ms(ROUND_MS + 2_000));
}
