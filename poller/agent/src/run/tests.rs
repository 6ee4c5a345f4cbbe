//! How an agent ends that nobody asked to.

use std::time::Duration;

use codec::id::AgentId;

use super::*;
use crate::config::Secret;

/// Longer than any of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// An agent without devices, and of a manager that is not there.
fn config(folder: &std::path::Path) -> AgentConfig {
    let agent = AgentId::new("tester").unwrap();
    let token = Secret::new("secret-token".to_owned());
    let url = "http://127.0.0.1:9".to_owned();
    AgentConfig::new(url, agent, token, folder.join("spool"))
}

/// Panics at its first work.
struct Broken;

impl Source for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn work(&mut self, _: Instant, _: &mut dyn Sink) -> Instant {
        panic!("this test's source panics");
    }

    fn need_full(&mut self, _: &[String]) {}
}

#[test]
fn a_source_that_panics_ends_the_agent_with_an_error() {
    let stop = StopHandle::new();
    let (events, _reports) = sync_channel(1);
    let source = SourceThread::start(Box::new(Broken), &events, &stop).unwrap();
    assert!(stop.wait_for(PATIENCE), "nobody noticed");
    source.join();
    assert_eq!(
        stop.failure().as_deref(),
        Some("the broken source panicked")
    );
}

#[test]
fn an_agent_whose_poller_is_gone_ends_in_order_and_says_so_to_who_started_it() {
    let folder = tempfile::tempdir().unwrap();
    let control = Control::default();
    let config = config(folder.path());
    let handles = control.clone();
    let agent = std::thread::spawn(move || run_controlled(config, handles));
    control.stop.fail("the poller's thread has ended");
    let ended = agent.join().expect("it does not panic");
    assert!(matches!(ended, Err(RunError::Failed(what)) if what.contains("poller")));

    let control = Control::default();
    let config = self::config(folder.path());
    control.stop.stop();
    run_controlled(config, control).expect("an end that was asked for is no failure");
}
