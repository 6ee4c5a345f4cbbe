//! SNMPv3 on virtual time: an agent with contexts, whose clock can be set back and whose answers can be replayed.

use std::sync::LazyLock;

use super::*;
use crate::pdu::{Envelope, WriteValue};
use crate::usm::message::{Incoming, Outgoing, write};
use crate::usm::{AuthProtocol, EngineKeys, Principal, PrivProtocol, User, cipher::Moment};

const ENGINE: &[u8] = b"\x80\0\0\0\x05agent";
const PATIENCE: u32 = 200;

/// Turning passwords into keys takes a moment: once is enough.
static PRINCIPAL: LazyLock<Arc<Principal>> = LazyLock::new(|| Arc::new(Principal::new(user(&[]))));
pub(super) static CREDENTIAL: LazyLock<Credential> =
    LazyLock::new(|| Credential::v3("it", user(&[])));

/// An agent that shows its printer in one context only.
pub(super) struct Agent {
    principal: Arc<Principal>,
    moment: Moment,
    context: &'static str,
    pub(super) printer: Responder,
    /// Answers that are protected less than the requests.
    is_downgrading: bool,
    messages: u32,
}

fn user(contexts: &[&str]) -> User {
    User {
        name: "somebody".to_owned(),
        auth: Some((AuthProtocol::Sha256, "authpass1".to_owned())),
        privacy: Some((PrivProtocol::Aes128, "privpass1".to_owned())),
        contexts: contexts.iter().map(|&it| it.to_owned()).collect(),
    }
}

impl Agent {
    pub(super) fn new(context: &'static str) -> Self {
        Self {
            principal: Arc::clone(&PRINCIPAL),
            moment: Moment {
                boots: 3,
                time: 5_000,
            },
            context,
            printer: Responder::printer(2),
            is_downgrading: false,
            messages: 0,
        }
    }

    pub(super) fn answer(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        self.messages += 1;
        let incoming = Incoming::read(message, Envelope::read(message).ok()?.rest).ok()?;
        let none = EngineKeys {
            auth: None,
            privacy: None,
        };
        let keys = self.principal.at_engine(ENGINE);
        let authentic = EngineKeys {
            auth: keys.auth.clone(),
            privacy: None,
        };
        if incoming.engine_id != ENGINE {
            return Some(self.report(&incoming, &none, 4));
        }
        if !incoming.is_authentic(&keys) {
            return Some(self.report(&incoming, &none, 5));
        }
        let is_timely = incoming.moment.boots == self.moment.boots
            && incoming.moment.time.abs_diff(self.moment.time) <= 150;
        if !is_timely {
            return Some(self.report(&incoming, &authentic, 2));
        }
        let mut scratch = Vec::new();
        let scoped = incoming.open(&keys, &mut scratch).ok()?;
        let is_shown = scoped.context == self.context.as_bytes();
        if is_shown && !self.is_downgrading {
            let names = scoped.pdu.bindings.filter_map(Result::ok);
            let names: Option<Vec<Oid>> = names.map(|it| Oid::from_ber(it.name)).collect();
            let names = names?;
            return Some(self.message(&incoming, &keys, |w| {
                self.printer.respond(w, Version::V2c, &scoped.pdu, &names);
            }));
        }
        let values: Vec<(Oid, Option<Value>)> = scoped
            .pdu
            .bindings
            .filter_map(Result::ok)
            .filter_map(|binding| Oid::from_ber(binding.name))
            .map(|name| {
                let is_system = name.arcs().starts_with(&[1, 3, 6, 1, 2, 1, 1]);
                let value = self
                    .printer
                    .mib
                    .get(&name)
                    .filter(|_| is_shown || is_system);
                (name, value.cloned())
            })
            .collect();
        let keys = if self.is_downgrading { &none } else { &*keys };
        Some(self.message(&incoming, keys, |w| {
            let values = values.iter().map(|(name, value)| (name, Shown(value)));
            crate::pdu::write_response(w, scoped.pdu.request_id, (0, 0), values);
        }))
    }

    fn report(&self, incoming: &Incoming<'_>, keys: &EngineKeys, counter: u32) -> Vec<u8> {
        let name = Oid::new(&[1, 3, 6, 1, 6, 3, 15, 1, 1, counter, 0]);
        self.message(incoming, keys, |w| {
            crate::pdu::write_report(w, incoming.id, &name, crate::value::ValueRef::Counter32(1));
        })
    }

    fn message(
        &self,
        incoming: &Incoming<'_>,
        keys: &EngineKeys,
        write_pdu: impl FnOnce(&mut Writer),
    ) -> Vec<u8> {
        let mut writer = Writer::new(MESSAGE_BYTES_MAX);
        let message = Outgoing {
            id: incoming.id,
            is_reportable: false,
            engine_id: ENGINE,
            moment: self.moment,
            user: incoming.user,
            keys,
            context_engine_id: ENGINE,
            context: &[],
            salt: u64::from(self.messages),
        };
        write(&mut writer, &message, write_pdu);
        writer.finish().expect("it fits").to_vec()
    }
}

struct Shown<'v>(&'v Option<Value>);

impl WriteValue for Shown<'_> {
    fn write_value(&self, writer: &mut Writer) {
        match self.0 {
            Some(value) => value.write(writer),
            None => crate::value::ValueRef::NoSuchObject.write(writer),
        }
    }
}

fn poll(
    agent: &mut Agent,
    contexts: &[&str],
    memory: Memory,
    now: Duration,
    meddle: impl Fn(u32, Vec<u8>) -> Vec<u8>,
) -> (Finished<(), Script>, Counters) {
    let credential = match contexts {
        [] => CREDENTIAL.clone(),
        contexts => Credential::v3("it", user(contexts)),
    };
    poll_as(agent, credential, memory, now, meddle)
}

fn poll_as(
    agent: &mut Agent,
    credential: Credential,
    memory: Memory,
    now: Duration,
    meddle: impl Fn(u32, Vec<u8>) -> Vec<u8>,
) -> (Finished<(), Script>, Counters) {
    let mut engine = Engine::new(Ids::seeded(u64::from(agent.messages)));
    let address: SocketAddr = ([10, 0, 0, 1], 161).into();
    let job = Job {
        token: (),
        target: Target::udp(address),
        options: options(vec![credential]),
        memory,
        conversation: Script::new([Script::get(&[DESCR, SERIAL])]),
    };
    engine.submit(job, now);
    let mut now = now;
    for _ in 0..PATIENCE {
        while let Some(transmit) = engine.transmit(now) {
            let answer = agent.answer(transmit.bytes);
            let messages = agent.messages;
            if let Some(answer) = answer {
                engine.receive(address, &meddle(messages, answer), now);
            }
        }
        if let Some(finished) = engine.finished() {
            return (finished, engine.counters());
        }
        now = engine.next_deadline().expect("it waits for something");
        engine.tick(now);
    }
    panic!("the poll never ends");
}

fn as_it_is(_: u32, answer: Vec<u8>) -> Vec<u8> {
    answer
}

#[test]
fn contexts_are_tried_until_one_shows_the_printer_and_that_is_remembered() {
    let mut agent = Agent::new("Jetdirect");
    let contexts = ["", "MFP", "Jetdirect", "Laserjet"];
    let (first, _) = poll(
        &mut agent,
        &contexts,
        Memory::default(),
        Duration::ZERO,
        as_it_is,
    );
    assert_eq!(first.conversation.values(0).len(), 2);
    assert_eq!(first.memory.context.as_deref(), Some("Jetdirect"));
    assert_eq!(first.stats.requests, 4, "who are you, and three contexts");

    let (second, _) = poll(
        &mut agent,
        &contexts,
        first.memory,
        Duration::ZERO,
        as_it_is,
    );
    assert_eq!(second.conversation.values(0).len(), 2);
    assert_eq!(second.stats.requests, 1);
}

#[test]
fn where_no_context_shows_more_the_first_is_taken() {
    let mut agent = Agent::new("another");
    let (done, _) = poll(
        &mut agent,
        &["", "MFP"],
        Memory::default(),
        Duration::ZERO,
        as_it_is,
    );
    assert!(done.error.is_none());
    assert_eq!(done.conversation.values(0).len(), 1, "the system group");
    assert_eq!(done.memory.context, None);
}

#[test]
fn a_clock_that_was_set_back_costs_one_exchange() {
    let mut agent = Agent::new("");
    let (first, _) = poll(&mut agent, &[], Memory::default(), Duration::ZERO, as_it_is);
    agent.moment = Moment { boots: 4, time: 1 };
    let hour = Duration::from_secs(3_600);
    let (second, _) = poll(&mut agent, &[], first.memory, hour, as_it_is);
    assert_eq!(second.conversation.values(0).len(), 2);
    assert_eq!(second.stats.requests, 2);
    assert_eq!(second.memory.engine.map(|engine| engine.boots), Some(4));
}

#[test]
fn an_answer_that_is_protected_less_than_its_request_is_no_answer() {
    let mut agent = Agent::new("");
    agent.is_downgrading = true;
    let (done, counters) = poll(&mut agent, &[], Memory::default(), Duration::ZERO, as_it_is);
    assert!(done.error.is_some());
    assert!(done.conversation.values(0).is_empty());
    assert!(counters.dropped_spoofed > 0);
}

#[test]
fn an_answer_changed_on_its_way_is_no_answer() {
    let mut agent = Agent::new("");
    let (done, counters) = poll(
        &mut agent,
        &[],
        Memory::default(),
        Duration::ZERO,
        |message, mut answer| {
            // The first says who the agent is; the second is changed; the third is as it was.
            if message == 2
                && let Some(last) = answer.last_mut()
            {
                *last ^= 1;
            }
            answer
        },
    );
    assert_eq!(done.conversation.values(0).len(), 2);
    assert_eq!((done.stats.retries, counters.dropped_spoofed), (1, 1));
}

/// What happens between two polls of SNMPv3.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Nothing,
    /// The device restarts.
    Restart,
    /// The agent is started anew with what it had written down, after its time of day was set by so many seconds.
    Resume(i64),
}

fn happening() -> impl proptest::strategy::Strategy<Value = Happening> {
    use proptest::prelude::*;
    prop_oneof![
        Just(Happening::Nothing),
        Just(Happening::Restart),
        prop_oneof![-400..400_i64, -40_000_000..40_000_000_i64].prop_map(Happening::Resume),
    ]
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_restarts_and_whatever_clock_is_set_an_authentic_device_is_heard_for_one_exchange_more_at_most(
        turns in proptest::collection::vec((happening(), 1..200_000_u32), 1..12),
    ) {
        let mut agent = Agent::new("");
        let (mut now, mut time_ms) = (Duration::ZERO, 1_780_000_000_000_i64);
        let (first, _) = poll(&mut agent, &[], Memory::default(), now, as_it_is);
        let mut memory = first.memory;
        for (happening, seconds) in turns {
            agent.moment.time += seconds;
            now += Duration::from_secs(seconds.into());
            time_ms += i64::from(seconds) * 1000;
            let mut is_off = false;
            match happening {
                Happening::Nothing => {}
                Happening::Restart => {
                    agent.moment = Moment { boots: agent.moment.boots + 1, time: 7 };
                    is_off = true;
                }
                Happening::Resume(by) => {
                    let kept = SavedMemory::new(&memory, now, time_ms);
                    (now, time_ms) = (Duration::ZERO, time_ms + by * 1000);
                    memory = kept.to_memory(now, time_ms);
                    is_off = by.abs() > 140;
                }
            }
            let (done, _) = poll(&mut agent, &[], memory, now, as_it_is);
            proptest::prop_assert!(done.error.is_none(), "{:?}", done.error);
            proptest::prop_assert_eq!(done.conversation.values(0).len(), 2);
            proptest::prop_assert!(done.stats.requests <= 1 + u32::from(is_off), "{:?}: {:?}", happening, done.stats);
            proptest::prop_assert!(done.memory.v3_proven);
            memory = done.memory;
        }
    }
}
