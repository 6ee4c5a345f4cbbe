//! An agent as a program of its own between simulated printers and a manager, and what must hold of all that it delivered.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use loadtest::fleet::{Fleet, FleetConfig};
use serde_json::Value;

use super::{ManagerUnderTest, Running, SOON, free_port, platen, wait_for};

/// Reports that an agent may have on their way when it is stopped.
const IN_FLIGHT: u64 = 4;
/// Nothing new for so long after the agent has ended: everything is applied.
const SETTLED: Duration = Duration::from_secs(2);

/// Simulated printers that are all there.
pub fn fleet(devices: u32) -> Fleet {
    Fleet::start(FleetConfig {
        devices,
        port: 0,
        dead_permille: 0,
        asleep_permille: 0,
        ..FleetConfig::default()
    })
    .expect("simulated printers")
}

/// An agent as a program of its own: `platen all`, whose agent's file names another manager.
pub struct AgentUnderTest {
    pub config: PathBuf,
}

impl AgentUnderTest {
    /// An agent that polls `fleet` and delivers to `url`; nothing runs yet.
    pub fn prepare(manager: &ManagerUnderTest, url: &str, fleet: &Fleet) -> Self {
        let folder = manager.folder.path().join("agent");
        std::fs::create_dir_all(&folder).expect("a folder");
        let printers: Vec<_> = fleet.addresses().collect();
        let (first, last) = (printers[0], printers[printers.len() - 1]);
        let agent = format!(
            "[manager]\nurl = \"{}\"\nplain_http = true\nagent_id = \"{}\"\ntoken = \"{}\"\nin_flight = {IN_FLIGHT}\n\
             [spool]\ndirectory = \"spool\"\n[report]\nage_max = \"200 ms\"\ndevices_max = 4\ndeltas = true\n\
             [schedule]\nstatus = \"1s\"\nsupplies = \"1s\"\nmeters = \"1s\"\ndiscovery = \"30s\"\n\
             [[credentials]]\nname = \"public\"\nversion = \"2c\"\ncommunity = \"public\"\n\
             [[range]]\nname = \"all\"\ninclude = [\"{}-{}:{}\"]\n",
            url,
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

    /// Starts the program.
    pub fn spawn(&self) -> Running {
        let child = platen()
            .args(["all", "--config"])
            .arg(&self.config)
            .stdin(Stdio::null())
            .spawn()
            .expect("the agent starts");
        Running(child)
    }
}

/// Every reading that the manager has.
pub fn readings(manager: &ManagerUnderTest) -> Vec<Value> {
    manager.asker.items("/api/v1/readings")
}

/// Every reading, once no more come.
pub fn settled(manager: &ManagerUnderTest) -> Vec<Value> {
    let mut seen = (readings(manager), Instant::now());
    wait_for("the last report to be applied", SOON, || {
        let now = readings(manager);
        if now != seen.0 {
            seen = (now, Instant::now());
        }
        (seen.1.elapsed() >= SETTLED).then(|| seen.0.clone())
    })
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

/// Of a manager that is stopped and had `stored`: no report is missing but those that were on their way, none is there twice, and a rebuild
/// gives the same rows.
pub fn check_whole_and_once(manager: &ManagerUnderTest, stored: &[Value]) {
    let journaled = journaled(manager);
    assert!(!journaled.is_empty(), "something was delivered");
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
        println!("{stream:?}: {count} reports");
    }
    let rebuilt = platen()
        .args(["rebuild", "--config"])
        .arg(&manager.config)
        .output()
        .expect("the command runs");
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    let running = manager.start();
    let now = readings(manager);
    let differing: Vec<_> = now
        .iter()
        .zip(stored)
        .filter(|(rebuilt, stored)| rebuilt != stored)
        .collect();
    assert!(differing.is_empty(), "row for row: {differing:#?}");
    assert_eq!(now.len(), stored.len());
    assert_eq!(running.interrupt(), Some(0));
}
