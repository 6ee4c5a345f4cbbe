//! kill -9 of a running agent: no report that was sealed is lost, no number is given out twice.

mod support;

use std::process::Stdio;
use std::time::{Duration, Instant};

use codec::key::Stream;
use support::{Manager, Running, platen_agent, wait_until, write_config};

mod printer;

/// How often the agent is killed, at moments that a generator with a fixed seed chooses.
const KILLS: u64 = 8;

#[test]
fn an_agent_that_is_killed_again_and_again_loses_nothing_and_repeats_no_number() {
    let printer = printer::Printer::start();
    let manager = Manager::start();
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(
        folder.path(),
        &format!("http://{}", manager.address),
        &printer.address.to_string(),
        "",
    );
    let start = || {
        let child = platen_agent()
            .args(["run", "--log", "off", "--config"])
            .arg(&config)
            .stderr(Stdio::null())
            .spawn();
        Running(child.unwrap())
    };
    let mut random = 4711_u64;
    for _ in 0..KILLS {
        let before = manager.got.lock().unwrap().deliveries.len();
        let agent = start();
        manager.wait_for("something is delivered", |got| {
            got.deliveries.len() > before + 2
        });
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let until = Instant::now() + Duration::from_millis(random >> 54);
        wait_until("the moment of the kill", || Instant::now() >= until);
        // Dropping kills with SIGKILL.
        drop(agent);
    }
    // What is left in the spool is delivered by the next life; then there are no gaps.
    let _agent = start();
    let last = manager.got.lock().unwrap().deliveries.len();
    manager.wait_for("the last life delivers", |got| {
        got.deliveries.len() > last + 4
    });
    let got = manager.got.lock().unwrap();
    for stream in Stream::ALL {
        let sequences: Vec<u64> = got
            .reports
            .keys()
            .filter(|(of, _)| *of == stream)
            .map(|(_, sequence)| *sequence)
            .collect();
        let expected: Vec<u64> = (1..=sequences.len() as u64).collect();
        assert_eq!(sequences, expected, "{}", stream.name());
        assert!(sequences.len() as u64 >= KILLS, "{sequences:?}");
    }
    // The manager itself checks, at each delivery, that no number comes with other bytes.
}
