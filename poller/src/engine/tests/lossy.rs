//! Bad networks, hostile neighbours, and long times.

use proptest::prelude::*;

use super::sim::Weather;
use super::*;

fn weather() -> impl Strategy<Value = Weather> {
    (
        0..40_u32,
        0..50_u32,
        0..50_u32,
        0..50_u32,
        0..50_u32,
        0..3_000_u32,
    )
        .prop_map(
            |(loss, duplicates, forged_source, forged_id, noise, jitter_ms)| Weather {
                loss,
                duplicates,
                forged_source,
                forged_id,
                noise,
                jitter_ms,
            },
        )
}

/// What happens to a fleet and to the agent between two rounds of polls.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Nothing,
    /// Devices restart: their uptime begins anew.
    Restart,
    /// The agent is started anew, with another engine and what it had written down, after its time of day was set by so many
    /// milliseconds.
    Resume(i64),
}

fn happening() -> impl Strategy<Value = Happening> {
    const YEAR_MS: i64 = 366 * 86_400_000;
    prop_oneof![
        Just(Happening::Nothing),
        Just(Happening::Restart),
        (-YEAR_MS..YEAR_MS).prop_map(Happening::Resume),
    ]
}

/// Every value heard is the device's, and none is heard twice.
fn check(script: &Script, printer: &Responder) {
    let mut seen = std::collections::HashSet::new();
    for heard in &script.heard {
        if let Heard::Variable(ask, _, name, value) = heard {
            assert_eq!(printer.mib.get(name), value.as_ref(), "{name}");
            assert!(seen.insert((*ask, name.clone())), "{name} twice");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_weather_polls_end_and_what_is_heard_is_true(
        weather in weather(),
        seed in any::<u64>(),
        versions in prop::sample::select(vec![vec![Version::V1], vec![Version::V2c], vec![Version::V1, Version::V2c]]),
        too_big_above in 1..40_usize,
        truncates_above in 1..40_usize,
        no_such_name_in_v2c: bool,
        happenings in prop::array::uniform4(happening()),
    ) {
        let mut sim = Sim::new(seed);
        sim.weather = weather;
        let mut devices = Vec::new();
        for rows in 0..6 {
            let mut printer = Responder::printer(rows * 3);
            printer.versions.clone_from(&versions);
            printer.too_big_above = too_big_above;
            printer.truncates_above = truncates_above;
            printer.no_such_name_in_v2c = no_such_name_in_v2c;
            devices.push(sim.device(printer));
        }
        let mut memories = vec![Memory::default(); devices.len()];
        let (mut time_ms, mut ended) = (1_780_000_000_000_i64, Counters::default());
        for (round, happening) in happenings.into_iter().enumerate() {
            match happening {
                Happening::Nothing => {}
                Happening::Restart => {
                    for &device in &devices {
                        let uptime = oid("1.3.6.1.2.1.1.3.0");
                        sim.responder_mut(device).mib.insert(uptime, Value::TimeTicks(round as u32));
                    }
                }
                Happening::Resume(ms) => {
                    let kept = memories.iter().map(|memory| SavedMemory::new(memory, sim.now, time_ms));
                    let kept: Vec<SavedMemory> = kept.collect();
                    time_ms += ms;
                    memories = kept.iter().map(|kept| kept.to_memory(sim.now, time_ms)).collect();
                    ended.dropped_spoofed += sim.engine.counters().dropped_spoofed;
                    ended.dropped_unmatched += sim.engine.counters().dropped_unmatched;
                    sim.engine = Engine::new(Ids::seeded(seed.wrapping_add(round as u64)));
                }
            }
            for &device in &devices {
                let mut names: Vec<Oid> = sim.responder(device).mib.keys().cloned().collect();
                names.push(oid("1.3.6.1.2.1.43.5.1.1.19.1"));
                let script = Script::new([
                    Ask::Get(names),
                    Script::walk(&[&column(6), &column(8), &column(7), &column(9)], 0, 1_000),
                    Script::get(&[SERIAL, LIFE]),
                ]);
                sim.submit_with(device, script, memories[device].clone());
            }
            for done in sim.run_to_end() {
                check(&done.conversation, sim.responder(done.token));
                if weather.loss == 0 && weather.jitter_ms < 900 {
                    prop_assert!(done.error.is_none(), "{:?}", done.error);
                    let heard = done.conversation.values(0).len();
                    prop_assert_eq!(heard, sim.responder(done.token).mib.len());
                }
                memories[done.token] = done.memory;
            }
        }
        let counters = sim.engine.counters();
        prop_assert!(weather.forged_source < 20 || weather.loss > 0 || counters.dropped_spoofed + counters.dropped_unmatched + ended.dropped_spoofed + ended.dropped_unmatched > 0);
    }
}

#[test]
fn forged_late_and_repeated_answers_are_dropped_and_counted() {
    let mut sim = Sim::new(30);
    sim.weather = Weather {
        duplicates: 100,
        forged_source: 100,
        forged_id: 100,
        noise: 100,
        ..Weather::default()
    };
    let device = sim.device(Responder::printer(2));
    sim.submit(device, Script::new([Script::get(&[SERIAL])]));
    let done = sim.run_to_end().remove(0);
    // What comes after the poll has ended is nobody's.
    sim.drain_air();
    let counters = sim.engine.counters();

    assert_eq!(done.stats.responses, 1);
    assert_eq!(counters.responses, 1);
    assert_eq!(
        counters.dropped_spoofed + counters.dropped_unmatched + counters.dropped_malformed,
        4,
        "{counters:?}"
    );
    assert!(counters.dropped_malformed >= 1, "{counters:?}");
}

#[test]
fn a_device_slower_than_its_timeout_is_heard_all_the_same() {
    let mut sim = Sim::new(31);
    sim.latency(Duration::from_millis(2_500));
    let device = sim.device(Responder::printer(2));
    sim.submit(device, Script::new([Script::get(&[SERIAL])]));
    let done = sim.run_to_end().remove(0);

    assert!(done.error.is_none(), "{:?}", done.error);
    assert_eq!(
        done.memory.rtt,
        Duration::from_millis(2_500),
        "measured by its own id"
    );
}

#[test]
fn a_day_of_polling_a_fleet_over_a_bad_line_loses_little() {
    let mut sim = Sim::new(32);
    sim.weather = Weather {
        loss: 5,
        duplicates: 2,
        jitter_ms: 200,
        ..Weather::default()
    };
    let devices: Vec<_> = (0..20)
        .map(|rows| sim.device(Responder::printer(rows % 7)))
        .collect();
    let mut memories = vec![Memory::default(); devices.len()];
    let mut failed = 0;
    for _ in 0..24 * 4 {
        for &device in &devices {
            let script = Script::new([
                Script::get(&[SERIAL, LIFE]),
                Script::walk(&[&column(9)], 7, 50),
            ]);
            sim.submit_with(device, script, memories[device].clone());
        }
        for done in sim.run_to_end() {
            failed += u32::from(done.error.is_some());
            memories[done.token] = done.memory;
        }
        sim.now += Duration::from_secs(15 * 60);
    }

    assert!(
        failed <= 10,
        "{failed} of 1920 polls failed; three attempts at 10 % fail one in a thousand"
    );
}
