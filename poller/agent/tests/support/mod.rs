//! What the stories share: the program, a manager on loopback that decodes what it gets, a printer on loopback, external peers.

#![allow(dead_code, reason = "each story uses a part of it")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use codec::envelope::{Encoding, Inflater};
use codec::key::{ContentHash, Receipt, ReportKey, Stream};
use codec::limits::INFLATED_BYTES_MAX;
use codec::model::Report;

/// No condition of these stories takes longer on a machine that is busy with a build.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The program under test.
pub fn platen_agent() -> Command {
    Command::new(env!("CARGO_BIN_EXE_platen-agent"))
}

/// Whether an external peer is there; says so when not, and fails when peers are required.
pub fn has_peer(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|paths| {
        std::env::split_paths(&paths)
            .chain(["/usr/sbin".into()])
            .any(|folder| folder.join(program).is_file())
    });
    if !found {
        assert_ne!(
            std::env::var("PLATEN_PEERS").as_deref(),
            Ok("required"),
            "{program} is not installed"
        );
        println!("skipped: {program} is not installed");
    }
    found
}

/// A child that is killed when it is dropped.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something is so, with a bound.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A UDP port that was free a moment ago.
pub fn free_udp_port() -> u16 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

/// What a manager has been given.
#[derive(Default)]
pub struct Got {
    /// Every report that was acknowledged, by stream and number; a delta says all that it says on top of its base, and still names it.
    pub reports: BTreeMap<(Stream, u64), (ReportKey, Report)>,
    /// Deliveries in the order in which they came.
    pub deliveries: Vec<ReportKey>,
    /// Handles that the next receipt asks for in full.
    pub need_full: Vec<String>,
}

/// A manager on loopback: decodes, keeps, and gives receipts.
pub struct Manager {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it has.
    pub got: Arc<Mutex<Got>>,
    changed: Arc<Condvar>,
}

impl Manager {
    /// Starts one.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let manager = Self {
            address: listener.local_addr().unwrap(),
            got: Arc::default(),
            changed: Arc::default(),
        };
        let (got, changed) = (Arc::clone(&manager.got), Arc::clone(&manager.changed));
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (got, changed) = (Arc::clone(&got), Arc::clone(&changed));
                std::thread::spawn(move || serve(&socket, &got, &changed));
            }
        });
        manager
    }

    /// Waits until what it got is as wanted.
    pub fn wait_for(&self, what: &str, is_so: impl Fn(&Got) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut got = self.got.lock().unwrap();
        while !is_so(&got) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{what}: not within {PATIENCE:?}; deliveries: {:?}",
                got.deliveries
            );
            got = self.changed.wait_timeout(got, left).unwrap().0;
        }
    }
}

fn serve(socket: &TcpStream, got: &Mutex<Got>, changed: &Condvar) {
    let mut reader = BufReader::new(socket);
    loop {
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            match line.trim().split_once(": ") {
                Some((name, value)) => {
                    headers.insert(name.to_ascii_lowercase(), value.to_owned());
                }
                None if line.trim().is_empty() => break,
                None => {}
            }
        }
        let mut sealed = vec![0; headers["content-length"].parse().unwrap()];
        if reader.read_exact(&mut sealed).is_err() {
            return;
        }
        let encoding = Encoding::from_name(&headers["content-encoding"]).unwrap();
        let mut inflater = Inflater::new();
        let xml = inflater
            .inflate(encoding, &sealed, INFLATED_BYTES_MAX)
            .unwrap();
        let mut report = codec::xml::read_report(xml).unwrap();
        let key = ReportKey {
            agent: report.header.agent.clone(),
            epoch: report.header.epoch,
            stream: report.header.stream,
            sequence: report.header.sequence,
            hash: ContentHash::of(&sealed),
        };
        let need_full = {
            let mut got = got.lock().unwrap();
            got.deliveries.push(key.clone());
            let place = (key.stream, key.sequence);
            if let Some((earlier, _)) = got.reports.get(&place) {
                assert_eq!(*earlier, key, "a number was used twice");
            }
            resolve(&mut report, &mut got);
            got.reports.insert(place, (key.clone(), report));
            changed.notify_all();
            std::mem::take(&mut got.need_full)
        };
        let receipt = Receipt {
            need_full,
            ..Receipt::of(key)
        };
        let body = serde_json::to_string(&receipt).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut socket = socket;
        if socket.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

/// Says in full what a report says as deltas; asks for the devices whose bases are not there.
fn resolve(report: &mut Report, got: &mut Got) {
    for device in &mut report.devices {
        let Some(sequence) = device.base else {
            continue;
        };
        let base = got.reports.get(&(report.header.stream, sequence));
        let base = base.and_then(|(_, report)| {
            let mut devices = report.devices.iter();
            devices.find(|base| base.handle == device.handle && base.base.is_none())
        });
        match base {
            Some(base) => {
                *device = codec::delta::apply(base, device).unwrap();
                device.base = Some(sequence);
            }
            None => got.need_full.push(device.handle.clone()),
        }
    }
}

/// The newest report of a stream.
pub fn newest(got: &Got, stream: Stream) -> Option<&Report> {
    let mut of_stream = got.reports.iter().filter(|((of, _), _)| *of == stream);
    of_stream.next_back().map(|(_, (_, report))| report)
}

/// What the running agent of a configuration says of itself, once it says something.
pub fn status_of(config: &Path) -> Option<agent::status::Status> {
    let folder = config.parent().unwrap().join("spool");
    Some(agent::status::read_file(&folder).ok()?.status)
}

/// Starts an agent whose log goes to `agent.log` beside its configuration.
pub fn start_agent(config: &Path) -> Running {
    let log = std::fs::File::create(config.with_file_name("agent.log")).unwrap();
    let child = platen_agent()
        .args(["run", "--log", "info", "--config"])
        .arg(config)
        .stderr(log)
        .spawn();
    Running(child.unwrap())
}

/// Asks the agent to end, as a service manager does, and waits for it.
#[cfg(unix)]
pub fn stop(mut agent: Running) {
    let pid = agent.0.id().to_string();
    let kill = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(kill.unwrap().success());
    let mut code = None;
    wait_until("the agent ends", || {
        code = agent.0.try_wait().unwrap();
        code.is_some()
    });
    assert!(code.unwrap().success(), "an ordered stop is a success");
}

/// Ends it.
#[cfg(not(unix))]
pub fn stop(agent: Running) {
    drop(agent);
}

/// Writes an `agent.toml` that polls `range` as often as it may and delivers to `manager`.
pub fn write_config(folder: &Path, manager: &str, range: &str, more: &str) -> std::path::PathBuf {
    let path = folder.join("agent.toml");
    let text = format!(
        r#"
[manager]
url = "{manager}"
agent_id = "tester"
token = "secret"
timeout = "5 s"

[spool]
directory = "spool"

[report]
age_max = "200 ms"

[schedule]
status = "1 s"
supplies = "1 s"
meters = "1 s"
inventory = "1h"

[polling]
timeout = "500 ms"
packets_per_second = 10000
packets_per_second_subnet = 10000

[names]
reverse_dns = "off"

[[range]]
name = "test"
include = ["{range}"]
{more}
"#
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// `snmpd` of net-snmp on loopback, with a v2c community and a v3 user.
pub struct Snmpd {
    _running: Running,
    _folder: tempfile::TempDir,
    /// Its address.
    pub address: String,
}

impl Snmpd {
    /// Starts one and waits until it answers; `None` when it is not installed. `lines` are further lines of its configuration.
    pub fn start(lines: &str) -> Option<Self> {
        if !has_peer("snmpd") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = free_udp_port();
        let address = format!("127.0.0.1:{port}");
        let conf = folder.path().join("snmpd.conf");
        std::fs::write(
            &conf,
            format!(
                "rocommunity hush 127.0.0.1\nsysName front-desk\nsysLocation Second floor\n\
                 createUser platen SHA-256 \"authentic-secret\" AES \"private-secret\"\nrouser platen priv\n{lines}\n"
            ),
        )
        .unwrap();
        let running = Command::new("snmpd")
            .args(["-f", "-C", "-LF", "0", "/dev/null", "-c"])
            .arg(&conf)
            .arg(format!("udp:{address}"))
            .env(
                "PATH",
                format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()),
            )
            .env("SNMP_PERSISTENT_DIR", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(Running)
            .unwrap();
        wait_until("snmpd answers", || {
            let output = platen_agent()
                .args([
                    "poll",
                    &address,
                    "--community",
                    "hush",
                    "--timeout",
                    "200ms",
                ])
                .output()
                .unwrap();
            output.status.success()
        });
        Some(Self {
            _running: running,
            _folder: folder,
            address,
        })
    }
}
