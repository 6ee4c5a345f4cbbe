//! Durable ingest against decoding alone, in CPU-seconds; and how fast a backlog is applied.
//!
//! `cargo bench -p platen-ingest` (Linux: CPU time per thread is read from `/proc`, in nanoseconds). Everything runs in one process: the door takes
//! reports of 100 devices, sealed beforehand, with eight in flight per agent, on the disk under the system's temporary folder or
//! `PLATEN_BENCH_DIR`. CPU of the applier and of the store's own threads is not the receipt's and is counted apart.

#[path = "../tests/common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use codec::id::AgentId;
use codec::key::Stream;
use common::{Door, NOON, delivery, metered, report, stateful};
use ingest::Delivery;
use ingest::columns::Spare;
use ingest::decode::Decoder;

const AGENTS: usize = 20;
const REPORTS_PER_AGENT: u64 = 100;
const DEVICES: u32 = 100;
const INFLIGHT: usize = 8;

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
    let deliveries: Vec<Vec<Delivery>> = (0..)
        .zip(&agents)
        .map(|(number, agent)| backlog(number, agent))
        .collect();
    let reports = AGENTS as u64 * REPORTS_PER_AGENT;
    let bytes: usize = deliveries
        .iter()
        .flatten()
        .map(|delivery| delivery.body.len())
        .sum();
    println!(
        "{reports} reports of {DEVICES} devices, {} sealed bytes each",
        bytes as u64 / reports
    );

    let before = cpu();
    let mut decoder = Decoder::new(80 << 20);
    let spare = Spare::default();
    let mut xml_bytes = 0;
    for delivery in deliveries.iter().flatten() {
        let received = decoder.receive(delivery.encoding, &delivery.body, spare.take());
        let (received, bytes) = received.expect("our own report");
        xml_bytes += bytes;
        spare.put(received.columns);
    }
    let decode = spent(&before, |_| true);
    println!(
        "decode alone:    {:>9.0} reports per CPU-second ({:.0} MB/s of XML)",
        reports as f64 / decode,
        xml_bytes as f64 / decode / 1e6
    );

    let before = cpu();
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("bench")
        .build()
        .expect("a runtime starts");
    runtime.block_on(async {
        let mut senders = Vec::new();
        for deliveries in deliveries {
            senders.push(tokio::spawn(send(Arc::clone(&door), deliveries)));
        }
        for sender in senders {
            sender.await.expect("every report is taken");
        }
    });
    let wall = started.elapsed().as_secs_f64();
    let receipt = spent(&before, |name| {
        name.starts_with("bench") || name.starts_with("journal")
    });
    println!(
        "durable ingest:  {:>9.0} reports per CPU-second, {:.2} of decode alone; {:.0} device reports/s of wall time to receipt",
        reports as f64 / receipt,
        decode / receipt,
        reports as f64 * f64::from(DEVICES) / wall
    );
    door.settle();
    let wall = started.elapsed().as_secs_f64();
    let apply = spent(&before, |name| name.starts_with("ingest-apply"));
    println!(
        "applied:         {:>9.0} device reports/s of wall time from the first report; {:.0} per CPU-second of the applier's thread",
        reports as f64 * f64::from(DEVICES) / wall,
        reports as f64 * f64::from(DEVICES) / apply
    );
}

/// Hourly reports of one agent, one half meters and one half the rest.
fn backlog(number: u32, agent: &AgentId) -> Vec<Delivery> {
    let sequences = 1..=REPORTS_PER_AGENT / 2;
    let hours =
        sequences.flat_map(|sequence| [(sequence, Stream::Meters), (sequence, Stream::State)]);
    hours
        .map(|(sequence, stream)| {
            let hour = i64::try_from(sequence).expect("few");
            let at = NOON.plus_ms(hour * 3_600_000);
            let mut report = report(agent, stream, sequence, at);
            for device in 0..DEVICES {
                let id = number * DEVICES + device;
                report.devices.push(match stream {
                    Stream::Meters => metered(id, at, 10_000 + sequence * u64::from(device)),
                    Stream::State => stateful(
                        id,
                        at,
                        90 - u32::try_from(sequence).expect("few"),
                        &["tonerLow"],
                    ),
                });
            }
            delivery(&report)
        })
        .collect()
}

async fn send(door: Arc<Door>, deliveries: Vec<Delivery>) {
    for group in deliveries.chunks(INFLIGHT) {
        let mut inflight = Vec::new();
        for delivery in group.iter().cloned() {
            let door = Arc::clone(&door);
            inflight.push(tokio::spawn(
                async move { door.ingest.accept(delivery).await },
            ));
        }
        for answer in inflight {
            answer.await.expect("no panic").expect("a receipt");
        }
    }
}

/// CPU seconds of every thread so far, with its name.
fn cpu() -> BTreeMap<u64, (String, f64)> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let mut threads = BTreeMap::new();
    for task in tasks.flatten() {
        let read = |file: &str| std::fs::read_to_string(task.path().join(file)).ok();
        let (Some(name), Some(times)) = (read("comm"), read("schedstat")) else {
            continue;
        };
        let id = task.file_name().to_string_lossy().parse().unwrap_or(0);
        // The first number is the time it computed, in nanoseconds.
        let computed = times
            .split(' ')
            .next()
            .and_then(|ns| ns.parse::<f64>().ok());
        threads.insert(
            id,
            (name.trim().to_owned(), computed.expect("a number") / 1e9),
        );
    }
    threads
}

/// CPU seconds spent since `before` by threads of that name.
fn spent(before: &BTreeMap<u64, (String, f64)>, of: impl Fn(&str) -> bool) -> f64 {
    let now = cpu();
    let threads = now.iter().filter(|(_, (name, _))| of(name));
    threads
        .map(|(id, (_, seconds))| seconds - before.get(id).map_or(0.0, |(_, seconds)| *seconds))
        .sum()
}
