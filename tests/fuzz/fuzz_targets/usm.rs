//! SNMPv3 from the side of who asks: whatever comes back, the poll goes on and ends, and without the password nothing is heard.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use poller::conversation::{Ask, Conversation, Failure};
use poller::credentials::Credential;
use poller::engine::{Engine, Ids, Job, Memory, PollOptions, Target};
use poller::oid::Oid;
use poller::usm::{AuthProtocol, PrivProtocol, User};
use poller::value::ValueRef;

/// Made once: passwords take milliseconds.
static OPTIONS: LazyLock<[Arc<PollOptions>; 2]> = LazyLock::new(|| {
    let auth = Some((AuthProtocol::Sha1, "authentication".to_owned()));
    let privacy = Some((PrivProtocol::Aes128, "confidential".to_owned()));
    [(None, None), (auth, privacy)].map(|(auth, privacy)| {
        let user = User { name: "u".into(), auth, privacy, contexts: Vec::new() };
        Arc::new(PollOptions {
            credentials: vec![Credential::v3("u", user)],
            ..PollOptions::default()
        })
    })
});

#[derive(Default)]
struct One {
    asked: bool,
    heard: usize,
}

impl Conversation for One {
    fn next_ask(&mut self) -> Option<Ask> {
        let first = !std::mem::replace(&mut self.asked, true);
        first.then(|| Ask::Get(vec![Oid::new(&[1, 3, 6, 1, 2, 1, 1, 3, 0])]))
    }

    fn variable(&mut self, _ask_index: usize, _oid: &Oid, _value: ValueRef<'_>) {
        self.heard += 1;
    }

    fn answered(&mut self, _failure: Option<Failure>) {}
}

fuzz_target!(|bytes: &[u8]| {
    let address = ([127, 0, 0, 1], 161).into();
    for (is_secret, options) in OPTIONS.iter().enumerate() {
        // The same ids each time, so that they can be found.
        let mut engine = Engine::new(Ids::seeded(1));
        engine.submit(
            Job {
                token: (),
                target: Target::udp(address),
                options: Arc::clone(options),
                memory: Memory::default(),
                conversation: One::default(),
            },
            Duration::ZERO,
        );
        let mut now = Duration::ZERO;
        // The answer to the question who it is, and the answer to what follows.
        for message in bytes.chunks(bytes.len() / 2 + 1) {
            while engine.transmit(now).is_some() {}
            engine.receive(address, message, now);
        }
        while engine.inflight() > 0 {
            now += Duration::from_secs(10);
            engine.tick(now);
            while engine.transmit(now).is_some() {}
        }
        let done = engine.finished().expect("every poll ends");
        assert!(is_secret == 0 || done.conversation.heard == 0);
    }
});
