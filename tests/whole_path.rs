//! The whole path, from simulated printers to the store, while agent and manager are killed at random moments: no report is missing, none is
//! there twice, every start goes on by itself, and a rebuild gives the same.

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use loadtest::fleet::{Fleet, FleetConfig};
use serde_json::Value;

use common::{ManagerUnderTest, READY_MAX, Running, SOON, free_port, platen, wait_for};

const SEED: u64 = 41;
const PRINTERS: u32 = 12;
const KILLS: u32 = 10;
/// Reports that an agent may have on their way when it is stopped.
const IN_FLIGHT: u64 = 4;
/// Nothing new for so long after the agent has ended: everything is applied.
const SETTLED: Duration = Duration::from_secs(2);

/// An agent as a program of its own: `platen all`, whose agent's file names another manager.
struct AgentUnderTest {
    config: PathBuf,
}

impl AgentUnderTest {
    fn prepare(manager: &ManagerUnderTest, fleet: &Fleet) -> Self {
        let folder = manager.folder.path().join("agent");
        std::fs::create_dir_all(&folder).expect("a folder");
        let printers: Vec<_> = fleet.addresses().collect();
        let (first, last) = (printers[0], printers[printers.len() - 1]);
        let agent = format!(
            "[manager]\nurl = \"{}\"\nplain_http = true\nagent_id = \"{}\"\ntoken = \"{}\"\nin_flight = {IN_FLIGHT}\n\
             [spool]\ndirectory = \"spool\"\n[report]\nage_max = \"200 ms\"\ndevices_max = 4\n\
             [schedule]\nstatus = \"1s\"\nsupplies = \"1s\"\nmeters = \"1s\"\ndiscovery = \"30s\"\n\
             [[credentials]]\nname = \"public\"\nversion = \"2c\"\ncommunity = \"public\"\n\
             [[range]]\nname = \"all\"\ninclude = [\"{}-{}:{}\"]\n",
            manager.asker.url,
            manager.agent_id,
            manager.agent_token,
            first.ip(),
            last.ip(),
            first.port()
        );
        std::fs::write(folder.join("agent.toml"), agent).expect("written");
        let port = free_port();
        let all = format!(
            "data = \"data\"\nlog = \"warn\"\n[web]\nlisten = \"127.0.0.1:{port}\"\n[agent]\nconfig = \"agent.toml\"\n"
        );
        let config = folder.join("platen.toml");
        std::fs::write(&config, all).expect("written");
        Self { config }
    }

    fn spawn(&self) -> Running {
        let child = platen()
            .args(["all", "--config"])
            .arg(&self.config)
            .stdin(Stdio::null())
            .spawn()
            .expect("the agent starts");
        Running(child)
    }
}

fn readings(manager: &ManagerUnderTest) -> Vec<Value> {
    manager.asker.items("/api/v1/readings")
}

/// The numbers of all reports in the journal, by spool and stream.
fn journaled(manager: &ManagerUnderTest) -> BTreeMap<(String, String), Vec<u64>> {
    let output = platen()
        .args(["journal", "dump", "--config"])
        .arg(&manager.config)
        .output()
        .expect("the command runs");
    assert!(output.status.success());
    let mut found: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let Some(at) = words.iter().position(|word| *word == "epoch") else {
            continue;
        };
        let key = (words[at + 1].to_owned(), words[at + 2].to_owned());
        let sequence = words[at + 3].parse().expect("a number");
        found.entry(key).or_default().push(sequence);
    }
    found
}

#[test]
fn agent_and_manager_are_killed_at_random_and_no_report_is_missing_or_there_twice() {
    let fleet = Fleet::start(FleetConfig {
        devices: PRINTERS,
        port: 0,
        dead_permille: 0,
        asleep_permille: 0,
        ..FleetConfig::default()
    })
    .expect("simulated printers");
    let manager = ManagerUnderTest::prepare();
    let agent = AgentUnderTest::prepare(&manager, &fleet);
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
    let mut seen = (readings(&manager), Instant::now());
    let stored = wait_for("the last report to be applied", SOON, || {
        let now = readings(&manager);
        if now != seen.0 {
            seen = (now, Instant::now());
        }
        (seen.1.elapsed() >= SETTLED).then(|| seen.0.clone())
    });
    assert_eq!(running.interrupt(), Some(0));

    let journaled = journaled(&manager);
    let epochs: Vec<&String> = journaled.keys().map(|(epoch, _)| epoch).collect();
    assert!(
        epochs.windows(2).all(|two| two[0] == two[1]),
        "the spool was never begun anew"
    );
    for (stream, mut sequences) in journaled {
        let (count, last) = (sequences.len(), *sequences.iter().max().expect("reports"));
        sequences.sort_unstable();
        sequences.dedup();
        assert_eq!(sequences.len(), count, "{stream:?}: none is there twice");
        let missing: Vec<u64> = (1..=last)
            .filter(|number| sequences.binary_search(number).is_err())
            .collect();
        let is_on_its_way = |number: &u64| number + IN_FLIGHT > last;
        assert!(
            missing.iter().all(is_on_its_way),
            "{stream:?}: {missing:?} of {last} are missing"
        );
        println!("{stream:?}: {count} reports over {KILLS} kills");
    }
    let rebuilt = platen()
        .args(["rebuild", "--config"])
        .arg(&manager.config)
        .output()
        .expect("the command runs");
    assert!(rebuilt.status.success());
    let running = manager.start();
    let differing: Vec<_> = readings(&manager)
        .into_iter()
        .zip(&stored)
        .filter(|(rebuilt, stored)| rebuilt != *stored)
        .collect();
    assert!(differing.is_empty(), "row for row: {differing:#?}");
    assert_eq!(readings(&manager).len(), stored.len());
    assert_eq!(running.interrupt(), Some(0));
    fleet.stop();
}
