//! The engine among simulated devices, on virtual time.

mod cost;
mod lossy;
mod pacing;
mod quirks;
mod secure;
mod sim;

use std::sync::Arc;

use super::*;
use crate::credentials::Credential;
use crate::testing::{Heard, Responder, Script, oid};
use crate::value::Value;
use sim::Sim;

const SERIAL: &str = "1.3.6.1.2.1.43.5.1.1.17.1";
const LIFE: &str = "1.3.6.1.2.1.43.10.2.1.4.1.1";
const DESCR: &str = "1.3.6.1.2.1.1.1.0";

fn column(number: u32) -> String {
    format!("1.3.6.1.2.1.43.11.1.1.{number}")
}

#[test]
fn a_get_is_one_request_and_its_values_arrive_in_order() {
    let mut sim = Sim::new(1);
    let device = sim.device(Responder::printer(4));
    sim.submit(
        device,
        Script::new([Script::get(&[DESCR, SERIAL, "1.3.6.1.2.1.1.9.0", LIFE])]),
    );
    let done = sim.run_to_end();

    assert_eq!(done.len(), 1);
    assert!(done[0].error.is_none());
    assert_eq!(done[0].stats.requests, 1);
    assert_eq!(done[0].stats.version, Some(Version::V2c));
    assert_eq!(
        done[0].conversation.heard,
        [
            Heard::Variable(
                0,
                0,
                oid(DESCR),
                Some(Value::OctetString(b"Printer of a test".to_vec()))
            ),
            Heard::Variable(
                0,
                1,
                oid(SERIAL),
                Some(Value::OctetString(b"SERIAL-1".to_vec()))
            ),
            Heard::Variable(0, 2, oid("1.3.6.1.2.1.1.9.0"), None),
            Heard::Variable(0, 3, oid(LIFE), Some(Value::Counter32(4_000_000_000))),
            Heard::Answered(0, None),
        ]
    );
}

#[test]
fn a_walk_of_known_size_is_one_getbulk() {
    let mut sim = Sim::new(2);
    let device = sim.device(Responder::printer(5));
    let columns = [column(6), column(8), column(9)];
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    sim.submit(device, Script::new([Script::walk(&columns, 5, 64)]));
    let done = sim.run_to_end();

    assert_eq!(done[0].stats.requests, 1, "five rows and one that ends it");
    assert_eq!(done[0].conversation.values(0).len(), 15);
    assert_eq!(done[0].conversation.endings(), [None]);
}

#[test]
fn a_walk_of_more_rows_than_expected_does_not_go_row_by_row() {
    let mut sim = Sim::new(12);
    let device = sim.device(Responder::printer(20));
    sim.submit(device, Script::new([Script::walk(&[&column(9)], 1, 64)]));
    let done = sim.run_to_end();

    assert_eq!(done[0].conversation.values(0).len(), 20);
    assert_eq!(done[0].stats.requests, 4, "2, 8, 10 and 20 rows");
}

#[test]
fn a_walk_of_unknown_size_finds_every_row_by_getbulk_and_by_getnext() {
    for version in [Version::V2c, Version::V1] {
        let mut sim = Sim::new(3);
        let mut printer = Responder::printer(40);
        printer.versions = vec![version];
        let expected: Vec<(String, Value)> = printer
            .mib
            .iter()
            .filter(|(name, _)| name.suffix_of(&oid(&column(9))).is_some())
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect();
        let device = sim.device(printer);
        sim.submit(device, Script::new([Script::walk(&[&column(9)], 0, 1_000)]));
        let done = sim.run_to_end();

        assert_eq!(done[0].stats.version, Some(version));
        assert_eq!(done[0].conversation.values(0), expected, "{version:?}");
        assert_eq!(done[0].conversation.endings(), [None]);
    }
}

#[test]
fn a_walk_stops_at_its_row_limit() {
    let mut sim = Sim::new(4);
    let device = sim.device(Responder::printer(40));
    sim.submit(
        device,
        Script::new([Script::walk(&[&column(6), &column(8)], 0, 3)]),
    );
    let done = sim.run_to_end();

    assert_eq!(done[0].conversation.values(0).len(), 6);
    assert_eq!(done[0].stats.requests, 1);
}

#[test]
fn a_big_get_is_split_into_replies_below_the_limit() {
    let mut sim = Sim::new(5);
    let printer = Responder::printer(60);
    let names: Vec<Oid> = printer.mib.keys().cloned().collect();
    let device = sim.device(printer);
    sim.submit(device, Script::new([Ask::Get(names.clone())]));
    let done = sim.run_to_end();

    assert_eq!(done[0].conversation.values(0).len(), names.len());
    assert!(sim.largest_reply <= 1_200, "{}", sim.largest_reply);
    assert!(
        sim.responder(device).requests[0].1 <= 15,
        "careful at first"
    );
    assert!(done[0].memory.variables > 15, "and bolder later");
}

#[test]
fn the_version_that_worked_is_remembered_and_used_first() {
    let mut sim = Sim::new(6);
    let mut printer = Responder::printer(1);
    printer.versions = vec![Version::V1];
    let device = sim.device(printer);
    sim.submit(device, Script::new([Script::get(&[SERIAL])]));
    let first = sim.run_to_end().remove(0);
    assert_eq!(first.stats.version, Some(Version::V1));
    assert_eq!(first.memory.credential.as_deref(), Some("public-v1"));
    assert_eq!(first.stats.requests, 2);

    sim.submit_with(device, Script::new([Script::get(&[SERIAL])]), first.memory);
    let second = sim.run_to_end().remove(0);
    assert_eq!(second.stats.requests, 1);
}

#[test]
fn a_changed_community_is_found_again_after_two_missed_polls() {
    let mut sim = Sim::new(7);
    sim.options(PollOptions {
        credentials: vec![
            Credential::v2c("old", b"public"),
            Credential::v2c("new", b"secret"),
        ],
        ..PollOptions::default()
    });
    let device = sim.device(Responder::printer(1));
    let script = || Script::new([Script::get(&[SERIAL])]);
    sim.submit(device, script());
    let mut memory = sim.run_to_end().remove(0).memory;
    sim.responder_mut(device).community = b"secret".to_vec();

    let mut labels = Vec::new();
    for _ in 0..4 {
        sim.submit_with(device, script(), memory);
        let done = sim.run_to_end().remove(0);
        labels.push(done.stats.credential.as_deref().map(str::to_owned));
        memory = done.memory;
    }
    let new = Some("new".to_owned());
    assert_eq!(labels, [None, None, new.clone(), new]);
}

#[test]
fn a_dead_device_ends_after_its_timeouts_and_costs_nobody_else_time() {
    let mut sim = Sim::new(8);
    let dead = sim.dead_device();
    let alive = sim.device(Responder::printer(1));
    sim.submit(
        dead,
        Script::new([Script::get(&[SERIAL]), Script::get(&[LIFE])]),
    );
    sim.submit(alive, Script::new([Script::get(&[SERIAL])]));
    let done = sim.run_to_end();

    assert_eq!(done[0].target.address, sim.address(alive));
    assert!(done[0].stats.took < Duration::from_millis(100));
    let dead = &done[1];
    assert!(matches!(
        dead.error,
        Some(PollError::NoAnswer { requests: 6 })
    ));
    assert_eq!(dead.stats.took, Duration::from_secs(2 * (1 + 2 + 4)));
    assert_eq!(
        dead.conversation.heard,
        [Heard::Answered(0, Some(Failure::Timeout))],
        "the second ask is not even begun"
    );
}

#[test]
fn who_never_answers_may_get_fewer_attempts_than_who_did() {
    let mut sim = Sim::new(11);
    sim.options(PollOptions {
        rounds_unanswered: 1,
        ..PollOptions::default()
    });
    let dead = sim.dead_device();
    sim.submit(dead, Script::new([Script::get(&[SERIAL])]));
    let done = sim.run_to_end().remove(0);
    let Some(PollError::NoAnswer { requests: 2 }) = done.error else {
        panic!("{:?}: one of each version", done.error);
    };
    assert_eq!(done.stats.took, Duration::from_secs(2));

    // Of those that answered the first ask, none is given up for a datagram that was lost later.
    sim.weather.loss = 10;
    for _ in 0..300 {
        let device = sim.device(Responder::printer(1));
        sim.submit(
            device,
            Script::new([Script::get(&[SERIAL]), Script::get(&[LIFE])]),
        );
    }
    let done = sim.run_to_end();
    let (given_up, answered): (Vec<_>, Vec<_>) = (done.iter())
        .partition(|done| matches!(done.error, Some(PollError::NoAnswer { requests: 2 })));
    assert!(!given_up.is_empty(), "both of their requests were lost");
    let retried = answered.iter().filter(|done| done.stats.requests > 3);
    assert!(retried.count() > 0);
    let whole = |done: &&&Finished<usize, Script>| done.conversation.endings() == [None, None];
    assert!(answered.iter().filter(whole).count() * 100 > answered.len() * 95);
}

#[test]
fn one_request_is_outstanding_per_device_among_hundreds_of_devices() {
    let mut sim = Sim::new(9);
    for _ in 0..500 {
        let device = sim.device(Responder::printer(3));
        sim.submit(
            device,
            Script::new([
                Script::get(&[SERIAL, LIFE]),
                Script::walk(&[&column(9)], 0, 100),
            ]),
        );
    }
    let done = sim.run_to_end();

    assert_eq!(done.len(), 500);
    assert!(done.iter().all(|done| done.error.is_none()));
    assert_eq!(sim.most_outstanding, 1);
}

#[test]
fn stopping_gives_back_every_conversation() {
    let mut sim = Sim::new(10);
    for _ in 0..3 {
        let device = sim.dead_device();
        sim.submit(device, Script::new([Script::get(&[SERIAL])]));
    }
    sim.engine.stop(Duration::from_secs(1));
    let stopped: Vec<_> = std::iter::from_fn(|| sim.engine.finished()).collect();

    assert_eq!(stopped.len(), 3);
    for finished in stopped {
        assert!(matches!(finished.error, Some(PollError::Stopped)));
        assert_eq!(finished.conversation.endings(), [Some(Failure::Timeout)]);
    }
    assert_eq!(sim.engine.inflight(), 0);
}

use crate::conversation::Ask;
use crate::oid::Oid;

fn options(credentials: Vec<Credential>) -> Arc<PollOptions> {
    Arc::new(PollOptions {
        credentials,
        ..PollOptions::default()
    })
}
