//! What an agent with a large fleet takes: memory, CPU time and bytes per device.
//!
//! Starts `loadtest fleet` and `platen-agent run`, which have to stand beside this program (`benches/agent.sh` builds all three), gives
//! receipts for what the agent delivers, and looks at the agent from outside, in `/proc`. Linux only. The configuration is the default one but
//! for the intervals and the rate of packets; `full` switches deltas off.
//!
//! ```text
//! footprint [DEVICES] [LATENCY_MS] [deltas|full]
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use codec::envelope::{Encoding, Inflater};
use codec::key::{ContentHash, ReportKey, Stream};
use codec::limits::INFLATED_BYTES_MAX;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The port of the simulated printers.
const PORT: u16 = 16_161;
/// The interval at which every device is read in full width while the steady round is measured.
const ROUND_SECONDS: u64 = 30;
/// Clock ticks per second in `/proc/PID/stat` (USER_HZ, the same on every Linux).
const TICKS_PER_SECOND: f64 = 100.0;
/// So many of the devices have to be there.
const FOUND_PERCENT: usize = 98;
/// No step of this takes longer.
const PATIENCE: Duration = Duration::from_secs(900);

/// How often the meters of each device came in, and what all came to.
#[derive(Default)]
struct Got {
    meters: HashMap<String, u32>,
    totals: Totals,
}

/// What came, of both streams but for the polls.
#[derive(Clone, Copy, Default)]
struct Totals {
    /// Device reports with meters: one per poll and device.
    polls: u32,
    device_reports: u64,
    deltas: u64,
    sealed_bytes: u64,
}

/// A child that is killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let devices: u32 = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let latency_ms: u32 = arguments.next().map_or(Ok(20), |text| text.parse())?;
    let deltas = match arguments.next().as_deref() {
        None | Some("deltas") => true,
        Some("full") => false,
        Some(other) => return Err(format!("deltas or full, not {other}").into()),
    };
    let beside = std::env::current_exe()?;
    let beside = beside
        .parent()
        .and_then(Path::parent)
        .ok_or("no folder above examples")?
        .to_owned();

    let got = Arc::new(Mutex::new(Got::default()));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let manager = listener.local_addr()?;
    let accepted = Arc::clone(&got);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let got = Arc::clone(&accepted);
            std::thread::spawn(move || {
                if let Err(error) = serve(&socket, &got) {
                    eprintln!("manager: {error}");
                }
            });
        }
    });

    let fleet = Command::new(beside.join("loadtest"))
        .args(["fleet", "--devices", &devices.to_string()])
        .args(["--port", &PORT.to_string()])
        .args(["--latency-ms", &latency_ms.to_string()])
        .args(["--dead-permille", "0", "--asleep-permille", "0"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut fleet = Running(fleet);
    let stdout = fleet.0.stdout.take().ok_or("the fleet has no stdout")?;
    let mut lines = BufReader::new(stdout).lines();
    println!("{}", lines.next().ok_or("the fleet does not start")??);
    std::thread::spawn(move || lines.for_each(drop));

    let folder = std::env::temp_dir().join(format!("platen-footprint-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let config = write_config(&folder, &manager.to_string(), devices, deltas)?;
    let log = std::fs::File::create(folder.join("agent.log"))?;
    let began = Instant::now();
    let agent = Command::new(beside.join("platen-agent"))
        .args(["run", "--log", "info", "--config"])
        .arg(&config)
        .stderr(log)
        .spawn()?;
    let agent = Running(agent);
    let process = PathBuf::from(format!("/proc/{}", agent.0.id()));

    let reported = |times: u32| {
        let got = got.lock().unwrap_or_else(PoisonError::into_inner);
        got.meters.values().filter(|count| **count >= times).count()
    };
    wait_for(devices, || reported(1))?;
    let (learned, first) = (Usage::of(&process)?, totals(&got));
    println!(
        "learning: {devices} devices in {:.1} s; {:.2} ms CPU and {:.0} sealed bytes per device; memory {} MiB, at the most {} MiB",
        began.elapsed().as_secs_f64(),
        learned.cpu_seconds * 1e3 / f64::from(devices),
        first.sealed_bytes as f64 / f64::from(first.polls.max(1)),
        learned.rss_kib / 1024,
        learned.peak_kib / 1024,
    );

    // From here on every device is read again each round: two rounds to settle, two that count.
    past(&got, devices, 2)?;
    let (before, settled) = (Usage::of(&process)?, totals(&got));
    past(&got, devices, 2)?;
    let (after, measured) = (Usage::of(&process)?, totals(&got));
    let polls = f64::from((measured.polls - settled.polls).max(1));
    println!(
        "steady: {polls} polls; per device and round {:.3} ms CPU and {:.0} sealed bytes; memory {} MiB, at the most {} MiB",
        (after.cpu_seconds - before.cpu_seconds) * 1e3 / polls,
        (measured.sealed_bytes - settled.sealed_bytes) as f64 / polls,
        after.rss_kib / 1024,
        after.peak_kib / 1024,
    );
    let deltas = measured.deltas - settled.deltas;
    println!(
        "of {} device reports in both streams {deltas} are deltas",
        measured.device_reports - settled.device_reports,
    );
    if let Ok(status) = std::fs::read_to_string(folder.join("spool/status.json")) {
        println!("status: {status}");
    }
    println!("threads: {}", after.threads);
    let log = std::fs::read_to_string(folder.join("agent.log"))?;
    println!("the agent's log has {} lines", log.lines().count());
    if std::env::var_os("FOOTPRINT_KEEP").is_none() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

fn totals(got: &Mutex<Got>) -> Totals {
    got.lock().unwrap_or_else(PoisonError::into_inner).totals
}

/// Waits until every device was reported so often more.
fn past(got: &Mutex<Got>, devices: u32, times: u32) -> Outcome<()> {
    let lock = || got.lock().unwrap_or_else(PoisonError::into_inner);
    let base = lock().meters.clone();
    wait_for(devices, || {
        let got = lock();
        let more = |(handle, count): (&String, &u32)| {
            *count >= base.get(handle).copied().unwrap_or_default() + times
        };
        got.meters.iter().filter(|entry| more(*entry)).count()
    })
}

fn wait_for(devices: u32, count: impl Fn() -> usize) -> Outcome<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let so_many = count();
        // Where the machine is busy, a few answers are lost, and with them a printer until the next sweep.
        if so_many * 100 >= devices as usize * FOUND_PERCENT {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(format!("{so_many} of {devices} after {PATIENCE:?}").into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn write_config(folder: &Path, manager: &str, devices: u32, deltas: bool) -> Outcome<PathBuf> {
    // The simulator leaves out addresses that end in 0 or 255.
    let network = u32::from(std::net::Ipv4Addr::new(127, 20, 0, 0));
    let last = (devices - 1) / 254 * 256 + (devices - 1) % 254 + 1;
    let last = std::net::Ipv4Addr::from(network + last);
    let path = folder.join("agent.toml");
    let text = format!(
        r#"
[manager]
url = "http://{manager}"
agent_id = "footprint"
token = "secret"

[spool]
directory = "spool"

[report]
age_max = "2 s"
deltas = {deltas}

[schedule]
status = "{ROUND_SECONDS} s"
supplies = "{ROUND_SECONDS} s"
meters = "{ROUND_SECONDS} s"

[polling]
packets_per_second = 20000
packets_per_second_subnet = 20000

[names]
reverse_dns = "off"

[[range]]
name = "fleet"
include = ["127.20.0.1-{last}:{PORT}"]
"#
    );
    std::fs::write(&path, text)?;
    Ok(path)
}

/// What the kernel says of a process.
struct Usage {
    rss_kib: u64,
    peak_kib: u64,
    threads: u64,
    cpu_seconds: f64,
}

impl Usage {
    fn of(process: &Path) -> Outcome<Self> {
        let status = std::fs::read_to_string(process.join("status"))?;
        let field = |name: &str| -> Outcome<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|rest| rest.split_whitespace().next());
            Ok(number.ok_or("no such line in status")?.parse()?)
        };
        let stat = std::fs::read_to_string(process.join("stat"))?;
        // Behind the name, which may hold anything but a parenthesis: state, then numbers; user and system time are the 12th and 13th.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|text| text.parse().unwrap_or(0))
            .sum::<u64>();
        Ok(Self {
            rss_kib: field("VmRSS:")?,
            peak_kib: field("VmHWM:")?,
            threads: field("Threads:")?,
            cpu_seconds: ticks as f64 / TICKS_PER_SECOND,
        })
    }
}

/// Gives receipts on one connection until it is closed.
fn serve(socket: &TcpStream, got: &Mutex<Got>) -> Outcome<()> {
    let mut reader = BufReader::new(socket);
    let mut inflater = Inflater::new();
    loop {
        let (mut length, mut encoding) = (0, Encoding::Gzip);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim().to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("content-length", number)) => length = number.parse()?,
                Some(("content-encoding", name)) => {
                    encoding = Encoding::from_name(name).ok_or("an unknown encoding")?;
                }
                None if line.is_empty() => break,
                _ => {}
            }
        }
        let mut sealed = vec![0; length];
        reader.read_exact(&mut sealed)?;
        let xml = inflater.inflate(encoding, &sealed, INFLATED_BYTES_MAX)?;
        let report = codec::xml::read_report(xml)?;
        {
            let mut got = got.lock().unwrap_or_else(PoisonError::into_inner);
            got.totals.sealed_bytes += sealed.len() as u64;
            for device in report.devices {
                got.totals.device_reports += 1;
                got.totals.deltas += u64::from(device.base.is_some());
                if report.header.stream == Stream::Meters {
                    got.totals.polls += 1;
                    *got.meters.entry(device.handle).or_default() += 1;
                }
            }
        }
        let key = ReportKey {
            agent: report.header.agent,
            epoch: report.header.epoch,
            stream: report.header.stream,
            sequence: report.header.sequence,
            hash: ContentHash::of(&sealed),
        };
        let body = serde_json::json!({ "receipt": key }).to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut socket = socket;
        socket.write_all((head + &body).as_bytes())?;
    }
}
