//! The herd, from receipt to rows: 1,000 agents deliver one report of 100 devices each, of which none was ever seen before.
//!
//! `cargo bench -p platen-ingest --bench herd` (Linux). One process, door and applier with registry and store in files under the system's
//! temporary folder or `PLATEN_BENCH_DIR`, without TLS. The same devices are then reported once more, with other values: what is new about
//! a device is the difference.

#[path = "../tests/common/mod.rs"]
mod common;
mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use codec::id::AgentId;
use codec::key::Stream;
use codec::model::{Colour, Section, Work};
use common::{Door, NOON, delivery, device, meter, report};
use ingest::Delivery;
use support::{cpu, peak_mib, spent};

const AGENTS: u32 = 1_000;
const DEVICES: u32 = 100;
const INFLIGHT: usize = 64;
const GIVE_UP_AFTER: Duration = Duration::from_secs(300);

fn main() {
    let parent =
        std::env::var_os("PLATEN_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent).expect("the folder can be written");
    let door = Arc::new(Door::open_with(folder.path(), |config| {
        config.batch_linger_ms = 250;
    }));
    let agents: Vec<AgentId> = (0..AGENTS)
        .map(|number| door.add_agent(&format!("agent-{number}")))
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("bench")
        .build()
        .expect("a runtime starts");
    for (sequence, what) in (1..).zip(["never seen before", "known"]) {
        let deliveries: Vec<Delivery> = (0..)
            .zip(&agents)
            .map(|(number, agent)| deliver(number, agent, sequence))
            .collect();
        let before = cpu();
        let started = Instant::now();
        runtime.block_on(send(&door, deliveries));
        let received = started.elapsed().as_secs_f64();
        while !door.ingest.status().is_caught_up {
            assert!(started.elapsed() < GIVE_UP_AFTER, "not applied in time");
            std::thread::sleep(Duration::from_millis(5));
        }
        let wall = started.elapsed().as_secs_f64();
        let applier = spent(&before, |name| name.starts_with("ingest-apply"));
        let door_side = spent(&before, |name| {
            name.starts_with("bench") || name.starts_with("journal")
        });
        let all = spent(&before, |_| true);
        println!(
            "{} devices {what}: receipts after {received:.2} s, applied after {wall:.2} s; CPU: applier {applier:.2} s, door {door_side:.2} s, \
             all threads {all:.2} s; peak {} MiB",
            AGENTS * DEVICES,
            peak_mib()
        );
    }
}

/// One report of an agent: all meters of its devices.
fn deliver(number: u32, agent: &AgentId, sequence: u64) -> Delivery {
    let at = NOON.plus_ms(i64::try_from(sequence).expect("few") * 3_600_000);
    let mut report = report(agent, Stream::Meters, sequence, at);
    for at_agent in 0..DEVICES {
        let mut device = device(number * DEVICES + at_agent, at);
        let kinds = [Work::Total, Work::Print, Work::Copy, Work::Fax].map(|work| {
            [Colour::Mono, Colour::Colour]
                .map(|colour| meter(work, colour, 10_000 + sequence * u64::from(at_agent)))
        });
        device.meters = Section::Read(kinds.into_iter().flatten().collect());
        report.devices.push(device);
    }
    delivery(&report)
}

async fn send(door: &Arc<Door>, deliveries: Vec<Delivery>) {
    let mut inflight = tokio::task::JoinSet::new();
    for delivery in deliveries {
        if inflight.len() >= INFLIGHT {
            let done = inflight.join_next().await.expect("some are in flight");
            done.expect("no panic");
        }
        let door = Arc::clone(door);
        inflight.spawn(async move {
            let answer = door.ingest.accept(delivery).await;
            answer.expect("a receipt");
        });
    }
    while let Some(done) = inflight.join_next().await {
        done.expect("no panic");
    }
}
