//! Durable ingest against decoding alone, in CPU-seconds; and how fast a backlog is applied.
//!
//! `cargo bench -p platen-ingest` (Linux: CPU time per thread is read from `/proc`, in nanoseconds). Everything runs in one process: the door takes
//! reports of 100 devices, sealed beforehand, with eight in flight per agent, on the disk under the system's temporary folder or
//! `PLATEN_BENCH_DIR`.
//!
//! Whose CPU is whose, by the names of the threads: `manager` takes bodies (what the web server's threads are), `journal` and the kernel's
//! `iou-wrk` (its io_uring workers) make them durable: these three are the receipt's. `load` is the agents: it hands over bodies and waits for
//! receipts. `ingest-apply` is the applier, which works at the same time and is counted apart, like the store's own threads.

#[path = "../tests/common/mod.rs"]
mod common;
mod support;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use codec::id::AgentId;
use codec::key::{Receipt, Stream};
use common::{Door, NOON, delivery, metered, report, stateful};
use ingest::columns::Spare;
use ingest::decode::Decoder;
use ingest::{Delivery, Rejection};
use support::{cpu, spent};
use tokio::task::JoinHandle;

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
    let spare = Spare::new(0);
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
    let manager = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("manager")
        .build()
        .expect("a runtime starts");
    let handle = manager.handle().clone();
    let doors = Arc::clone(&door);
    let load = std::thread::Builder::new()
        .name("load".to_owned())
        .spawn(move || deliver_all(&handle, &doors, deliveries))
        .expect("a thread starts");
    load.join().expect("every report is taken");
    let wall = started.elapsed().as_secs_f64();
    let receipt = spent(&before, |name| {
        ["manager", "journal", "iou-wrk"]
            .iter()
            .any(|of| name.starts_with(of))
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
    let all = spent(&before, |name| !name.starts_with("load"));
    println!(
        "applied:         {:>9.0} device reports/s of wall time from the first report; {:.0} per CPU-second of the applier's thread",
        reports as f64 * f64::from(DEVICES) / wall,
        reports as f64 * f64::from(DEVICES) / apply
    );
    println!(
        "all of it:       {:>9.0} reports per CPU-second from body to store, every thread but the agents'",
        reports as f64 / all
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

/// The agents: one thread that hands bodies to the manager's runtime, as connections do, and waits for the receipts.
fn deliver_all(manager: &tokio::runtime::Handle, door: &Arc<Door>, deliveries: Vec<Vec<Delivery>>) {
    let agents = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime starts");
    agents.block_on(async {
        let mut senders = Vec::new();
        for deliveries in deliveries {
            let sender = send(manager.clone(), Arc::clone(door), deliveries);
            senders.push(tokio::spawn(sender));
        }
        for sender in senders {
            sender.await.expect("every report is taken");
        }
    });
}

/// One agent: always [`INFLIGHT`] reports on their way, in their order.
async fn send(manager: tokio::runtime::Handle, door: Arc<Door>, deliveries: Vec<Delivery>) {
    let mut inflight = VecDeque::new();
    for delivery in deliveries {
        if inflight.len() == INFLIGHT
            && let Some(oldest) = inflight.pop_front()
        {
            receipt(oldest).await;
        }
        let door = Arc::clone(&door);
        inflight.push_back(manager.spawn(async move { door.ingest.accept(delivery).await }));
    }
    for oldest in inflight {
        receipt(oldest).await;
    }
}

async fn receipt(answer: JoinHandle<Result<Receipt, Rejection>>) {
    answer.await.expect("no panic").expect("a receipt");
}
