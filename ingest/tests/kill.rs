//! kill -9 at random moments while reports flow: everything acknowledged is stored, each report once.
//!
//! The test starts this program again as a child that opens the door, delivers reports of several agents to it and writes down each
//! receipt. The parent kills it after some more receipts, or while it starts, many times over, and then looks into the store.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use codec::id::AgentId;
use codec::key::Stream;
use common::{Door, NOON, PATIENCE, delivery, metered, report};

/// Tells the child what it is, and where.
const CHILD_FOLDER: &str = "PLATEN_KILL_CHILD_FOLDER";
/// Set when the child is to stop by itself after everything is applied.
const CHILD_FINISHES: &str = "PLATEN_KILL_CHILD_FINISHES";
const AGENTS: [&str; 4] = ["anna", "berta", "clara", "dora"];
const DEVICES: u32 = 3;
const KILLS: u32 = 50;
/// Reports that one agent has on their way at once.
const INFLIGHT: u64 = 3;
/// More than a run of the test can send.
const SEQUENCE_MAX: u64 = 1_000_000;

#[test]
fn everything_acknowledged_is_stored_once_however_often_the_manager_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    for agent in AGENTS {
        door.add_agent(agent);
    }
    drop(door);

    let mut random = 0x5eed_u64;
    for _ in 0..KILLS {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let more_receipts = (random >> 33) as usize % 60;
        let before = receipts(folder.path()).len();
        let mut child = spawn(folder.path(), false);
        let until = Instant::now() + PATIENCE;
        while receipts(folder.path()).len() < before + more_receipts {
            assert!(Instant::now() < until, "the child acknowledges nothing");
            assert!(
                child.try_wait().unwrap().is_none(),
                "the child ended by itself"
            );
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(spawn(folder.path(), true).wait().unwrap().success());

    let acknowledged = receipts(folder.path());
    assert!(
        acknowledged.len() > KILLS as usize,
        "reports flowed: {}",
        acknowledged.len()
    );
    let door = Door::open(folder.path());
    door.settle();
    let mut stored: BTreeMap<(String, u64), Vec<(u32, u64)>> = BTreeMap::new();
    for reading in door.readings() {
        if reading.code == "print.mono.impressions" {
            let report = (reading.id.agent.to_string(), reading.id.sequence);
            stored
                .entry(report)
                .or_default()
                .push((reading.id.ordinal, reading.value));
        }
    }
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|key| !stored.contains_key(*key))
        .collect();
    assert!(lost.is_empty(), "acknowledged and not stored: {lost:?}");
    for ((agent, sequence), readings) in &mut stored {
        readings.sort_unstable();
        let once: Vec<_> = (0..DEVICES)
            .map(|ordinal| (ordinal, value(*sequence)))
            .collect();
        assert_eq!(readings, &once, "{agent} {sequence}");
    }
}

/// The child's part; does nothing when the test is run as a test.
#[test]
fn child() {
    let Ok(folder) = std::env::var(CHILD_FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let finishes = std::env::var(CHILD_FINISHES).is_ok();
    let known = receipts(folder);
    let door = Arc::new(Door::open_with(folder, |config| {
        config.segment_bytes = 20_000;
    }));
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.join("receipts"))
        .unwrap();
    let file = Arc::new(Mutex::new(file));
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async {
        let mut agents = Vec::new();
        for agent in AGENTS {
            let received = known.iter().filter(|(known, _)| known == agent);
            let last = received.map(|(_, sequence)| *sequence).max().unwrap_or(0);
            let until = if finishes {
                last + 2 * INFLIGHT
            } else {
                SEQUENCE_MAX
            };
            agents.push(tokio::spawn(send(
                Arc::clone(&door),
                Arc::clone(&file),
                agent,
                last,
                until,
            )));
        }
        for agent in agents {
            agent.await.unwrap();
        }
    });
    door.settle();
}

/// Sends an agent's reports from a few before the last receipt on: repeated ones must do no harm.
async fn send(door: Arc<Door>, file: Arc<Mutex<File>>, agent: &'static str, last: u64, until: u64) {
    let mut first = last.saturating_sub(INFLIGHT).max(1);
    while first <= until {
        let mut inflight = Vec::new();
        for sequence in first..first + INFLIGHT {
            let door = Arc::clone(&door);
            inflight.push(tokio::spawn(async move {
                door.ingest.accept(sealed(agent, sequence)).await
            }));
        }
        for answer in inflight {
            let receipt = answer.await.unwrap().unwrap().receipt;
            let line = format!("{} {}\n", receipt.agent, receipt.sequence);
            file.lock().unwrap().write_all(line.as_bytes()).unwrap();
        }
        first += INFLIGHT;
    }
}

/// The same bytes whenever they are asked for, as from a spool. Every report has another value, so that each makes a run.
fn sealed(agent: &str, sequence: u64) -> ingest::Delivery {
    let at = NOON.plus_ms(i64::try_from(sequence).unwrap() * 60_000);
    let mut report = report(&AgentId::new(agent).unwrap(), Stream::Meters, sequence, at);
    let base = AGENTS.iter().position(|known| *known == agent).unwrap();
    for device in 0..DEVICES {
        let number = u32::try_from(base).unwrap() * 100 + device;
        report.devices.push(metered(number, at, value(sequence)));
    }
    delivery(&report)
}

const fn value(sequence: u64) -> u64 {
    1_000 + 7 * sequence
}

fn spawn(folder: &Path, finishes: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--nocapture", "--quiet"])
        .env(CHILD_FOLDER, folder)
        .stdout(Stdio::null());
    if finishes {
        command.env(CHILD_FINISHES, "1");
    }
    command.spawn().unwrap()
}

/// The receipts that were written down.
fn receipts(folder: &Path) -> BTreeSet<(String, u64)> {
    let text = std::fs::read_to_string(folder.join("receipts")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .filter_map(|(agent, sequence)| Some((agent.to_owned(), sequence.parse().ok()?)))
        .collect()
}
