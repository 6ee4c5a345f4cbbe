//! The whole path, from simulated printers to the store, while agent and manager are killed at random moments: no report is missing, none is
//! there twice, every start goes on by itself, and a rebuild gives the same.

mod common;

use std::time::Duration;

use common::agent::{AgentUnderTest, fleet, readings, settled};
use common::{ManagerUnderTest, READY_MAX, SOON, wait_for};

const SEED: u64 = 41;
const PRINTERS: u32 = 12;
const KILLS: u32 = 10;

#[test]
fn agent_and_manager_are_killed_at_random_and_no_report_is_missing_or_there_twice() {
    let fleet = fleet(PRINTERS);
    let manager = ManagerUnderTest::prepare();
    let agent = AgentUnderTest::prepare(&manager, &manager.asker.url, &fleet);
    let (mut running, mut polling) = (manager.spawn(), agent.spawn());
    let mut random = SEED;
    let mut roll = |sides: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % sides
    };
    for _ in 0..KILLS {
        std::thread::park_timeout(Duration::from_millis(200 + roll(1_500)));
        let which = roll(3);
        if which != 0 {
            running.kill();
            running = manager.spawn();
        }
        if which != 1 {
            polling.kill();
            polling = agent.spawn();
        }
    }
    wait_for("the manager to be healthy", READY_MAX, || {
        manager
            .asker
            .get("/healthz")
            .filter(|(status, _)| *status == 200)
    });
    wait_for("every printer to be there", SOON, || {
        let devices = manager.asker.items("/api/v1/devices");
        (devices.len() as u64 == u64::from(PRINTERS)).then_some(())
    });
    // What was sealed before the last kill is delivered before what is sealed now.
    let heard = || manager.asker.json("/api/v1/agents")["items"][0]["last_heard"].clone();
    let before = heard();
    wait_for("reports after the last kill", SOON, || {
        (heard() != before && !readings(&manager).is_empty()).then_some(())
    });
    assert_eq!(polling.interrupt(), Some(0));
    let stored = settled(&manager);
    assert_eq!(running.interrupt(), Some(0));
    common::agent::check_whole_and_once(&manager, &stored);
    fleet.stop();
}
