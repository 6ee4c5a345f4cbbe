//! Devices that misbehave.

use super::*;

fn names(printer: &Responder) -> Vec<Oid> {
    printer.mib.keys().cloned().collect()
}

/// Polls the device twice with all its instances in one ask and returns both polls.
fn poll_twice(
    sim: &mut Sim,
    printer: Responder,
) -> (Vec<Finished<usize, Script>>, usize, Vec<Oid>) {
    let names = names(&printer);
    let device = sim.device(printer);
    sim.submit(device, Script::new([Ask::Get(names.clone())]));
    let first = sim.run_to_end().remove(0);
    let memory = first.memory.clone();
    sim.submit_with(device, Script::new([Ask::Get(names.clone())]), memory);
    let second = sim.run_to_end().remove(0);
    (vec![first, second], device, names)
}

#[test]
fn too_big_is_halved_until_it_fits_and_remembered() {
    let mut sim = Sim::new(20);
    let mut printer = Responder::printer(10);
    printer.too_big_above = 5;
    let (polls, device, names) = poll_twice(&mut sim, printer);

    for poll in &polls {
        assert!(poll.error.is_none());
        assert_eq!(poll.conversation.values(0).len(), names.len());
        assert_eq!(poll.conversation.endings(), [None]);
    }
    let second = sim.responder(device).requests.iter().rev();
    let largest = second
        .take(polls[1].stats.requests as usize)
        .map(|(_, count)| *count)
        .max();
    assert!(
        largest <= Some(5),
        "the second poll asked for {largest:?} at once"
    );
}

#[test]
fn one_variable_that_is_too_big_does_not_cost_the_others() {
    let mut sim = Sim::new(21);
    let mut printer = Responder::printer(2);
    printer.too_big_above = 0;
    let device = sim.device(printer);
    sim.submit(device, Script::new([Script::get(&[SERIAL, LIFE])]));
    let done = sim.run_to_end().remove(0);

    assert!(done.error.is_none());
    assert_eq!(done.conversation.endings(), [Some(Failure::ErrorStatus(1))]);
}

#[test]
fn a_device_that_drops_big_requests_is_asked_for_less_after_two_timeouts() {
    let mut sim = Sim::new(22);
    let mut printer = Responder::printer(10);
    printer.silent_above = 8;
    let (polls, ..) = poll_twice(&mut sim, printer);

    assert!(polls[0].error.is_none(), "{:?}", polls[0].error);
    assert_eq!(polls[0].conversation.values(0).len(), 35);
    assert_eq!(polls[1].conversation.values(0).len(), 35);
    assert_eq!(polls[1].stats.retries, 0, "it was remembered");
}

#[test]
fn an_answer_that_leaves_some_out_is_completed_by_asking_again() {
    let mut sim = Sim::new(23);
    let mut printer = Responder::printer(10);
    printer.truncates_above = 4;
    let (polls, ..) = poll_twice(&mut sim, printer);

    for poll in polls {
        assert_eq!(poll.conversation.values(0).len(), 35);
        assert_eq!(poll.conversation.endings(), [None]);
    }
}

#[test]
fn v1_no_such_name_costs_one_request_once() {
    for within_v2c in [false, true] {
        let mut sim = Sim::new(24);
        let mut printer = Responder::printer(1);
        printer.versions = vec![if within_v2c {
            Version::V2c
        } else {
            Version::V1
        }];
        printer.no_such_name_in_v2c = within_v2c;
        let device = sim.device(printer);
        let missing = "1.3.6.1.2.1.43.5.1.1.19.1";
        let script = || Script::new([Script::get(&[SERIAL, missing, LIFE])]);
        sim.submit(device, script());
        let first = sim.run_to_end().remove(0);
        let asked = first.stats.requests;
        sim.submit_with(device, script(), first.memory);
        let second = sim.run_to_end().remove(0);

        assert_eq!(asked, if within_v2c { 2 } else { 3 });
        assert_eq!(second.stats.requests, 1);
        for conversation in [first.conversation, second.conversation] {
            assert_eq!(conversation.values(0).len(), 2);
            assert!(
                conversation
                    .heard
                    .contains(&Heard::Variable(0, 1, oid(missing), None))
            );
            assert_eq!(conversation.endings(), [None]);
        }
    }
}

#[test]
fn a_device_that_loops_under_getnext_is_cut_at_once() {
    for version in [Version::V1, Version::V2c] {
        let mut sim = Sim::new(25);
        let mut printer = Responder::printer(3);
        printer.loops = true;
        printer.versions = vec![version];
        let device = sim.device(printer);
        sim.submit(device, Script::new([Script::walk(&[&column(9)], 0, 1_000)]));
        let done = sim.run_to_end().remove(0);

        assert_eq!(done.conversation.endings(), [Some(Failure::Malformed)]);
        assert!(done.stats.requests <= 4);
    }
}

#[test]
fn a_device_silent_under_getbulk_is_walked_by_getnext_and_remembered() {
    let mut sim = Sim::new(26);
    let mut printer = Responder::printer(4);
    printer.silent_on_bulk = true;
    let device = sim.device(printer);
    let script = || {
        Script::new([
            Script::get(&[SERIAL]),
            Script::walk(&[&column(6), &column(8)], 0, 100),
        ])
    };
    // Where it never worked, once is enough; where it did, packets may have been lost.
    for (bulk_proven, expected) in [(false, [2, 0, 0]), (true, [2, 2, 0])] {
        let mut memory = Memory {
            bulk_proven,
            ..Memory::default()
        };
        let mut retries = Vec::new();
        for _ in 0..3 {
            sim.submit_with(device, script(), memory);
            let done = sim.run_to_end().remove(0);
            assert_eq!(done.conversation.values(1).len(), 8);
            memory = done.memory;
            retries.push(done.stats.retries);
        }
        assert!(memory.bulk_refused);
        assert_eq!(memory.bulk_proven, bulk_proven);
        assert_eq!(retries, expected);
    }
}

#[test]
fn a_conversation_can_forbid_getbulk() {
    struct Careful(Script);
    impl Conversation for Careful {
        fn next_ask(&mut self) -> Option<Ask> {
            self.0.next_ask()
        }
        fn variable(&mut self, at: usize, oid: &Oid, value: crate::value::ValueRef<'_>) {
            self.0.variable(at, oid, value);
        }
        fn answered(&mut self, failure: Option<Failure>) {
            self.0.answered(failure);
        }
        fn bulk_allowed(&self) -> bool {
            false
        }
    }
    let mut printer = Responder::printer(3);
    let mut engine = Engine::new(Ids::seeded(27));
    let address = ([10, 0, 0, 1], 161).into();
    engine.submit(
        Job {
            token: (),
            target: Target::udp(address),
            options: options(vec![Credential::v2c("public", b"public")]),
            memory: Memory::default(),
            conversation: Careful(Script::new([Script::walk(&[&column(9)], 3, 10)])),
        },
        Duration::ZERO,
    );
    while let Some(transmit) = engine.transmit(Duration::ZERO) {
        let answer = printer.answer(transmit.bytes).expect("it answers");
        engine.receive(address, &answer, Duration::ZERO);
    }
    let done = engine.finished().expect("it ended");

    assert_eq!(done.conversation.0.values(0).len(), 3);
    assert!(
        printer
            .requests
            .iter()
            .all(|(kind, _)| *kind == PduKind::GetNext)
    );
}

#[test]
fn a_device_that_falls_silent_ends_after_two_asks() {
    let mut sim = Sim::new(28);
    let mut printer = Responder::printer(3);
    printer.silent_above = 1;
    printer.silent_on_bulk = true;
    let device = sim.device(printer);
    let two = || Script::get(&[SERIAL, LIFE]);
    sim.submit(
        device,
        Script::new([Script::get(&[DESCR]), two(), two(), two()]),
    );
    let done = sim.run_to_end().remove(0);

    // Two variables are halved to one after two timeouts, and that is answered.
    assert!(done.error.is_none());
    assert_eq!(done.conversation.endings(), [None; 4]);
    assert_eq!(done.memory.variables, 1);
}
