//! Days of polls of a device that restarts, while the agent's time of day is set forward and back: whatever happens when, each poll
//! tells the values that the device has, and everything is learned anew when there is a reason to, and no more often.

mod simulated;

use poller::device::Depth;
use poller::value::Value;
use proptest::prelude::*;

use simulated::*;

/// What happens between two polls.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// It prints.
    Prints(u16),
    /// It restarts: its uptime begins anew, its counters do not.
    Restarts,
    /// The agent's time of day is set, by so many minutes.
    Set(i32),
    /// Nothing is asked for so many minutes.
    Pause(u16),
    /// The agent is started anew: plans come from the snapshot.
    Resumes,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (1..2000_u16).prop_map(Happening::Prints),
        2 => Just(Happening::Restarts),
        2 => prop_oneof![-500_000..500_000_i32, -90..90_i32].prop_map(Happening::Set),
        2 => (1..600_u16).prop_map(Happening::Pause),
        1 => Just(Happening::Resumes),
    ]
}

fn depth() -> impl Strategy<Value = Depth> {
    prop::sample::select(vec![
        Depth::Heartbeat,
        Depth::Steady,
        Depth::Steady,
        Depth::Full,
    ])
}

fn add(device: &mut Device, instance: &str, pages: u16) {
    let Some(Value::Integer(count)) = device.variables.get_mut(&oid(instance)) else {
        panic!("{instance} is a number")
    };
    *count += i64::from(pages);
}

fn uptime(device: &Device) -> u32 {
    match device.variables.get(&oid(UPTIME)) {
        Some(Value::TimeTicks(ticks)) => *ticks,
        other => panic!("an uptime of {other:?}"),
    }
}

const DAY_MINUTES: i64 = 24 * 60;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn whatever_restarts_and_whatever_clock_is_set_each_poll_tells_what_the_device_has(
        turns in prop::collection::vec((happening(), depth()), 1..40),
    ) {
        let mut device = Device::new("kyocera_colour_mfp.snmprec");
        let mut expected = total(&report(device.poll(Depth::Steady)));
        // The time of day at which everything was last learned, while that counts.
        let mut learned = Some(device.minute);
        let mut uptime_read = uptime(&device);
        for (happening, depth) in turns {
            let mut has_restarted = false;
            match happening {
                Happening::Prints(pages) => {
                    add(&mut device, TOTAL, pages);
                    add(&mut device, PRINT, pages);
                    expected += u64::from(pages);
                }
                Happening::Restarts => {
                    device.set(UPTIME, Value::TimeTicks(0));
                    has_restarted = true;
                }
                Happening::Set(minutes) => device.minute += i64::from(minutes),
                Happening::Pause(minutes) => {
                    device.minute += i64::from(minutes);
                    if let Some(Value::TimeTicks(ticks)) = device.variables.get_mut(&oid(UPTIME)) {
                        *ticks += u32::from(minutes) * 6_000;
                    }
                }
                Happening::Resumes => {
                    let plan = device.plan.take().expect("a plan is kept");
                    let kept = rkyv::to_bytes::<rkyv::rancor::Error>(&plan).unwrap();
                    device.plan = rkyv::from_bytes::<_, rkyv::rancor::Error>(&kept).ok();
                }
            }
            // Whoever learns it less often than that trusts a clock too much; more often, too little.
            let at = device.minute + 1;
            let is_stale = learned.is_none_or(|then| !(0..DAY_MINUTES).contains(&(at - then)));
            let mut outcome = device.poll(depth);
            if outcome.changed {
                prop_assert_eq!(outcome.depth, Depth::Heartbeat);
                prop_assert!(outcome.report.is_none());
                // As the agent does: what moved is read at once.
                let now = uptime(&device);
                device.set(UPTIME, Value::TimeTicks(now - 6_000));
                device.minute -= 1;
                outcome = device.poll(Depth::Steady);
            }
            if outcome.depth != Depth::Heartbeat {
                uptime_read = uptime(&device);
            }
            let (was, saw) = (outcome.depth, outcome.depth != Depth::Heartbeat);
            prop_assert_eq!(outcome.failure, None);
            prop_assert_eq!(&outcome.not_read[..], &[""; 0][..]);
            prop_assert!(outcome.plan.is_some());
            // An uptime that has caught up with the one that was read before shows no restart.
            let is_seen = uptime_read > 6_000;
            if is_stale || (has_restarted && is_seen && depth != Depth::Full) {
                prop_assert_eq!(was, Depth::Learn, "{:?}, asked for {:?}", happening, depth);
            } else if !has_restarted && depth != Depth::Full {
                prop_assert!(was <= Depth::Steady, "{:?}: {:?} of {:?}", happening, was, depth);
            }
            let report = report(outcome);
            prop_assert_eq!(report.identity.serial.as_deref(), Some("PLT5500123"));
            if saw {
                prop_assert_eq!(total(&report), expected, "{:?}", happening);
            } else {
                prop_assert!(report.meters.is_not_read(), "a heartbeat confirms nothing");
            }
            if was == Depth::Learn {
                learned = Some(device.minute);
            }
        }
    }
}
