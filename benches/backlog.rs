//! The backlog: seven days of 2,000 devices, hourly, in one agent's spool; the agent's own uploader delivers them over TLS, eight reports in
//! flight. Receipts at 50,000 device reports per second, applied at 25,000.
//!
//! ```text
//! cargo bench --workspace --bench backlog                  # PLATEN_BIN=… measures another build of the manager
//! ```
//!
//! The spool is filled through the agent's spool, report by report, each synced; then the whole agent runs, with nothing to poll. It lives
//! in this process and competes with the manager for the machine.

mod support;

use std::time::{Duration, Instant};

use agent::spool::{Meta, Spool};
use agent::{AgentConfig, StatusHandle, StopHandle};
use codec::envelope::{Deflater, Encoding};
use codec::key::{ContentHash, Stream};
use codec::model::Report;
use codec::sample::Fleet;
use codec::time::Timestamp;
use loadtest::reports::Agent;
use loadtest::reports::verify::{self, counters, wait_until_applied};
use support::{Failure, Manager, against, each_once};

const DEVICES: usize = 2000;
const DEVICES_PER_REPORT: usize = 100;
const HOURS: i64 = 7 * 24;
const IN_FLIGHT: usize = 8;
const HOUR_MS: i64 = 3_600_000;
const LONGEST: Duration = Duration::from_secs(300);
const REPORTS: u64 = HOURS as u64 * (DEVICES / DEVICES_PER_REPORT) as u64;
const DEVICE_REPORTS: u64 = HOURS as u64 * DEVICES as u64;

fn main() -> Result<(), Failure> {
    let (manager, agents) = Manager::start(1)?;
    let agent = agents.first().ok_or("one agent was asked for")?;
    let config = configure(&manager, agent)?;
    let bytes = fill(&config)?;
    println!(
        "The backlog: {DEVICE_REPORTS} device reports in {REPORTS} sealed reports, {:.1} MB in the spool, {IN_FLIGHT} in flight",
        bytes as f64 / 1e6
    );
    let target = manager.target()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let before = runtime.block_on(counters(&target))?;
    let cpu_before = verify::cpu_seconds(manager.pid());

    let (stop, status) = (StopHandle::new(), StatusHandle::new());
    let began = Instant::now();
    let running = std::thread::spawn({
        let (stop, status) = (stop.clone(), status.clone());
        move || agent::run_observed(config, stop, status)
    });
    // The applier is watched from the beginning, so that its end is seen when it comes.
    let applied = runtime.spawn({
        let target = target.clone();
        async move {
            let all = (REPORTS, DEVICE_REPORTS);
            wait_until_applied(&target, before, all, began, LONGEST).await
        }
    });
    let received_s = loop {
        let delivered = status.read().streams[0].receipts;
        if delivered >= REPORTS {
            break began.elapsed().as_secs_f64();
        }
        if began.elapsed() > LONGEST || running.is_finished() {
            return Err(format!("{delivered} of {REPORTS} reports have a receipt").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let applied = runtime.block_on(applied)??;
    let cpu_seconds = verify::cpu_seconds(manager.pid()) - cpu_before;
    let peak_mb = verify::peak_bytes(manager.pid()) as f64 / f64::from(1 << 20);
    stop.stop();
    running.join().map_err(|_| "the agent panicked")??;
    let known = runtime.block_on(verify::wait_until_known(
        &target,
        &Manager::authorization(),
        DEVICES as u64,
    ))?;
    let dump = manager.stop()?;

    let received = DEVICE_REPORTS as f64 / received_s;
    println!(
        "all receipts after {received_s:.2} s, all applied after {:.2} s, manager's CPU {cpu_seconds:.2} s\n",
        applied.seconds
    );
    against(
        "receipts",
        &format!("{received:.0} device reports/s"),
        "50000",
        received >= 50_000.0,
    );
    let rate = applied.device_reports_per_second;
    against(
        "applied",
        &format!("{rate:.0} device reports/s"),
        "25000",
        rate >= 25_000.0,
    );
    against(
        "manager's peak of memory",
        &format!("{peak_mb:.0} MB"),
        "<= 512 MB",
        peak_mb <= 512.0,
    );
    against(
        "devices known",
        &known.to_string(),
        &DEVICES.to_string(),
        known == DEVICES as u64,
    );
    each_once(&dump, REPORTS)?;
    println!("each report is in the journal once");
    if known == DEVICES as u64 {
        Ok(())
    } else {
        Err("devices are missing".into())
    }
}

/// An agent with nothing to poll.
fn configure(manager: &Manager, agent: &Agent) -> Result<AgentConfig, Failure> {
    let text = format!(
        "[manager]\nurl = \"{}\"\nagent_id = \"{}\"\ntoken = \"{}\"\nin_flight = {IN_FLIGHT}\n[manager.tls]\npinned_ca_file = \"{}\"\n\
         [spool]\ndirectory = \"spool\"\n",
        manager.url,
        agent.id,
        agent.token,
        manager.ca.display()
    );
    let path = manager.folder().join("agent.toml");
    std::fs::write(&path, text)?;
    Ok(AgentConfig::read(&path)?)
}

/// Fills the spool as an agent does that was cut off for seven days; returns its bytes.
fn fill(config: &AgentConfig) -> Result<u64, Failure> {
    let until = Timestamp::now();
    let name = &config.manager.agent_id;
    let mut spool = Spool::open(&config.spool, name, until)?;
    let mut fleet = Fleet::new(DEVICES, 1);
    let mut deflater = Deflater::new();
    let (mut xml, mut bytes) = (Vec::new(), 0);
    for hour in 0..HOURS {
        fleet.pass(60);
        let polled = fleet.report(Stream::Meters, 0);
        let sealed_at = until.plus_ms((hour + 1 - HOURS) * HOUR_MS);
        let shift_ms = sealed_at.ms_since(polled.header.sealed_at);
        for devices in polled.devices.chunks(DEVICES_PER_REPORT) {
            let mut report = Report {
                header: polled.header.clone(),
                devices: devices.to_vec(),
            };
            let sequence = spool.sequence_next(Stream::Meters);
            report.header.agent = name.clone();
            report.header.epoch = spool.epoch();
            report.header.sequence = sequence;
            report.header.sealed_at = sealed_at;
            for device in &mut report.devices {
                device.observed_at = device.observed_at.plus_ms(shift_ms);
            }
            xml.clear();
            codec::xml::write_report(&report, &mut xml);
            let mut sealed = Vec::new();
            deflater.deflate(Encoding::Gzip, &xml, &mut sealed);
            let meta = Meta {
                encoding: Encoding::Gzip,
                epoch: spool.epoch(),
                hash: ContentHash::of(&sealed),
                sealed_at,
                devices: u32::try_from(report.devices.len())?,
            };
            spool.append(Stream::Meters, &meta, sequence, &sealed, until)?;
            bytes += sealed.len() as u64;
        }
    }
    Ok(bytes)
}
