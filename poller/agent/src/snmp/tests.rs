//! The source when its driver is gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use codec::id::AgentId;
use codec::model::DeviceReport;
use poller::engine::{Memory, PollOptions, Target};
use poller::profile::ProfileSet;

use super::*;
use crate::config::Secret;

/// Longer than any of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Nowhere;

impl Sink for Nowhere {
    fn report(&mut self, _: DeviceReport) -> bool {
        true
    }
}

#[test]
fn a_poller_that_panicked_ends_the_agent_instead_of_leaving_it_deaf() {
    let folder = tempfile::tempdir().unwrap();
    let agent = AgentId::new("tester").unwrap();
    let token = Secret::new("secret-token".to_owned());
    let url = "http://127.0.0.1:9".to_owned();
    let config = AgentConfig::new(url, agent, token, folder.path().join("spool"));
    let control = Control::default();
    let stop = control.stop.clone();
    let profiles = Arc::new(ProfileSet::embedded());
    let mut source = SnmpSource::start(&config, profiles, Clock::new(), control).unwrap();
    let address = "127.0.0.1:9".parse().unwrap();
    let options = Arc::new(PollOptions::default());
    source.ask(
        Token::Device(0),
        Target::udp(address),
        options,
        Memory::default(),
        Talk::Broken,
    );
    let deadline = Instant::now() + PATIENCE;
    while !stop.is_stopped() {
        assert!(Instant::now() < deadline, "nobody noticed");
        source.work(Instant::now(), &mut Nowhere);
    }
    assert_eq!(
        stop.failure().as_deref(),
        Some("the poller's thread has ended")
    );
}
