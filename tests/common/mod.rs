//! What the stories about the whole product share: starting programs, asking them over HTTP, waiting for a condition.
#![allow(dead_code)] // Each test binary uses its part.

pub mod agent;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use codec::envelope::{Encoding, compress};
use codec::key::{SpoolEpoch, Stream};
use codec::model::{
    Basis, Colour, DeviceReport, Header, Identity, Meter, MeterUnit, Report, Section, SourceKind,
    Work,
};
use codec::time::Timestamp;
use serde_json::Value;

/// How long a program may take to be ready, on a machine that is busy with other tests.
pub const READY_MAX: Duration = Duration::from_secs(90);
/// How long something that happens by itself may take.
pub const SOON: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Waits until `look` finds something. `what` ends the sentence "waited in vain for …".
pub fn wait_for<T>(what: &str, longest: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + longest;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::park_timeout(LOOK_EVERY);
    }
}

/// The program of this workspace.
pub fn platen() -> Command {
    Command::new(env!("CARGO_BIN_EXE_platen"))
}

/// A program that is killed when the test is over.
pub struct Running(pub Child);

impl Running {
    /// Asks it to end, as Ctrl-C does, and waits for its exit code.
    pub fn interrupt(mut self) -> Option<i32> {
        let pid = self.0.id().to_string();
        let status = Command::new("kill").args(["-INT", &pid]).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "the program can be signalled"
        );
        wait_for("the program to end", SOON, || {
            self.0.try_wait().ok().flatten()
        })
        .code()
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.0.kill().expect("the program can be killed");
        self.0.wait().expect("the program is reaped");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Somebody who asks the API with HTTP Basic.
#[derive(Clone)]
pub struct Asker {
    pub url: String,
    pub login: String,
    pub password: String,
    agent: ureq::Agent,
}

impl Asker {
    pub fn new(url: &str, login: &str, password: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build();
        Self {
            url: url.to_owned(),
            login: login.to_owned(),
            password: password.to_owned(),
            agent: config.into(),
        }
    }

    /// Status and body of a GET.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut answer = self
            .agent
            .get(format!("{}{path}", self.url))
            .header("authorization", self.basic())
            .call()
            .ok()?;
        let body = answer
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_string()
            .ok()?;
        Some((answer.status().as_u16(), body))
    }

    /// The JSON of a GET that succeeds.
    pub fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path).expect("the manager answers");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).expect("the API answers JSON")
    }

    /// All items of a list, page by page.
    pub fn items(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let join = if path.contains('?') { '&' } else { '?' };
            let page = self.json(&format!("{path}{join}limit=500{cursor}"));
            items.extend(
                page["items"]
                    .as_array()
                    .expect("a list has items")
                    .iter()
                    .cloned(),
            );
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// Status and body of a POST.
    pub fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Option<(u16, String)> {
        let mut answer = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("authorization", self.basic())
            .header("content-type", content_type)
            .send(body)
            .ok()?;
        let body = answer
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_string()
            .ok()?;
        Some((answer.status().as_u16(), body))
    }

    /// Delivers a sealed report as an agent; `None` when there was no answer.
    pub fn deliver(&self, token: &str, sealed: &[u8]) -> Option<(u16, String)> {
        let mut answer = self
            .agent
            .post(format!("{}/v1/reports", self.url))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/xml")
            .header("content-encoding", "gzip")
            .send(sealed)
            .ok()?;
        let body = answer.body_mut().read_to_string().ok()?;
        Some((answer.status().as_u16(), body))
    }

    fn basic(&self) -> String {
        let text = format!("{}:{}", self.login, self.password);
        format!("Basic {}", data_encoding::BASE64.encode(text.as_bytes()))
    }
}

/// A running demo.
pub struct Demo {
    pub running: Running,
    pub data: tempfile::TempDir,
    pub asker: Asker,
    pub agent_token: String,
}

impl Demo {
    /// Starts a demo with that many printers and waits until it answers.
    pub fn start(devices: u32) -> Self {
        Self::start_in(tempfile::tempdir().expect("a temporary folder"), devices)
    }

    /// The same on data that are there already.
    pub fn start_in(data: tempfile::TempDir, devices: u32) -> Self {
        let child = platen()
            .args([
                "demo",
                "--listen",
                "127.0.0.1:0",
                "--devices",
                &devices.to_string(),
                "--data",
            ])
            .arg(data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the demo starts");
        let running = Running(child);
        let file = data.path().join("demo.json");
        let known: Value = wait_for("demo.json", READY_MAX, || {
            serde_json::from_slice(&std::fs::read(&file).ok()?).ok()
        });
        let text = |key: &str| {
            known[key]
                .as_str()
                .expect("demo.json is complete")
                .to_owned()
        };
        let asker = Asker::new(&text("url"), &text("login"), &text("password"));
        wait_for("the demo to answer", READY_MAX, || {
            asker.get("/healthz").filter(|(status, _)| *status == 200)
        });
        Self {
            running,
            data,
            asker,
            agent_token: text("agent_token"),
        }
    }

    /// Waits until at least that many devices are visible.
    pub fn wait_for_devices(&self, count: u64) {
        wait_for(&format!("{count} devices"), SOON, || {
            let total = self.asker.json("/api/v1/devices?limit=1")["total"].as_u64()?;
            (total >= count).then_some(())
        });
    }
}

/// Says that a peer is missing, or fails where peers are required. Returns whether the test should go on.
pub fn peer_is_here<T>(name: &str, path: Option<T>) -> Option<T> {
    if path.is_none() {
        assert!(
            std::env::var("PLATEN_PEERS").as_deref() != Ok("required"),
            "{name} is required and missing; `bash .ci/peers` installs it"
        );
        eprintln!("skipped: {name} is not installed (`bash .ci/peers` does that)");
    }
    path
}

/// A program on the path.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Where `.ci/peers` puts what is not a Debian package.
fn peers_folder() -> Option<PathBuf> {
    std::env::var_os("PLATEN_PEERS_DIR")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/platen-peers")))
}

/// The Python of the peers' environment.
pub fn peers_python() -> Option<PathBuf> {
    Some(peers_folder()?.join("python/bin/python")).filter(|path| path.is_file())
}

/// Node, and the module that drives a browser.
pub fn peers_node() -> Option<(PathBuf, PathBuf)> {
    let module = peers_folder()?.join("node/node_modules/playwright-core/index.mjs");
    Some((program("node")?, module)).filter(|(_, module)| module.is_file())
}

/// Where a test's own helper files are.
pub fn helper(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(name)
}

/// A manager as its own program, with an account and an agent.
pub struct ManagerUnderTest {
    pub folder: tempfile::TempDir,
    pub config: PathBuf,
    pub asker: Asker,
    pub agent_id: String,
    pub agent_token: String,
}

impl ManagerUnderTest {
    /// Sets a manager up; nothing runs yet.
    pub fn prepare() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let config = folder.path().join("platen.toml");
        let text =
            format!("data = \"data\"\nlog = \"warn\"\n[web]\nlisten = \"127.0.0.1:{port}\"\n");
        std::fs::write(&config, text).expect("the configuration can be written");
        let password = "correct horse battery";
        let created = command_with_input(
            platen()
                .args(["admin", "create", "anna", "--config"])
                .arg(&config),
            password,
        );
        assert!(created.contains("anna"), "{created}");
        let added = command_with_input(
            platen()
                .args(["agent", "add", "Werk 2", "--config"])
                .arg(&config),
            "",
        );
        let value = |key: &str| {
            let line = added
                .lines()
                .find(|line| line.starts_with(key))
                .expect("id and token are printed");
            line.split('"').nth(1).expect("in quotes").to_owned()
        };
        Self {
            asker: Asker::new(&format!("http://127.0.0.1:{port}"), "anna", password),
            agent_id: value("agent_id"),
            agent_token: value("token"),
            folder,
            config,
        }
    }

    /// Starts the program, without waiting for anything.
    pub fn spawn(&self) -> Running {
        let child = platen()
            .args(["manager", "--config"])
            .arg(&self.config)
            .stdin(Stdio::null())
            .spawn()
            .expect("the manager starts");
        Running(child)
    }

    /// Starts the program and waits until it is healthy.
    pub fn start(&self) -> Running {
        let running = self.spawn();
        self.wait_until_healthy();
        running
    }

    /// Delivers reports of one device each until every one has its receipt.
    pub fn deliver(&self, epoch: SpoolEpoch, from: u64, to: u64) {
        for sequence in from..=to {
            let sealed = sealed_report(&self.agent_id, epoch, sequence, 1);
            wait_for("a receipt", SOON, || {
                let answer = self.asker.deliver(&self.agent_token, &sealed);
                answer.filter(|(status, _)| *status == 200)
            });
        }
    }

    /// The values of the first device's readings, in order.
    pub fn values(&self) -> Vec<u64> {
        let devices = self.asker.items("/api/v1/devices");
        let Some(device) = devices.first() else {
            return Vec::new();
        };
        let id = device["id"].as_str().expect("an id").to_owned();
        let readings = self.asker.items(&format!("/api/v1/devices/{id}/readings"));
        let values = readings
            .iter()
            .filter_map(|reading| reading["value"].as_u64());
        let mut values: Vec<u64> = values.collect();
        values.sort_unstable();
        values
    }

    pub fn wait_until_healthy(&self) {
        wait_for("the manager to be healthy", READY_MAX, || {
            self.asker
                .get("/healthz")
                .filter(|(status, _)| *status == 200)
        });
    }
}

/// A TCP port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener
        .local_addr()
        .expect("a bound listener has an address")
        .port()
}

/// The standard output of a command that succeeds.
pub fn command_with_input(command: &mut Command, input: &str) -> String {
    use std::io::Write;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    stdin
        .write_all(format!("{input}\n").as_bytes())
        .expect("the command reads");
    drop(stdin);
    let output = child.wait_with_output().expect("the command ends");
    assert!(
        output.status.success(),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A sealed report of meters of so many devices. The value of each one's meter is the report's number, so that every report leaves one
/// reading of each.
pub fn sealed_report(agent: &str, epoch: SpoolEpoch, sequence: u64, devices: u64) -> Vec<u8> {
    let now = Timestamp::now();
    let devices = (0..devices)
        .map(|number| DeviceReport {
            observed_at: now,
            observed_uptime_ms: sequence * 1000,
            source: Some(SourceKind::Snmp),
            handle: format!("d{number}"),
            identity: Identity {
                serial: Some(format!("CRASH{number:05}")),
                manufacturer: Some("Kyocera".to_owned()),
                address: Some(format!("127.1.0.{}", number + 1)),
                ..Identity::default()
            },
            meters: Section::Read(vec![Meter {
                work: Work::Total,
                colour: Colour::Total,
                unit: MeterUnit::Impressions,
                size: None,
                sides: None,
                value: sequence,
                basis: Basis::Billing,
                oid: "1.3.6.1.4.1.1347.43.10.1.1.12.1.1".to_owned(),
                parts: Vec::new(),
            }]),
            ..DeviceReport::default()
        })
        .collect();
    let report = Report {
        header: Header {
            agent: agent.parse().expect("an agent id"),
            epoch,
            stream: Stream::Meters,
            sequence,
            sealed_at: now,
            sealed_uptime_ms: sequence * 1000,
            program: "test".to_owned(),
        },
        devices,
    };
    let mut xml = Vec::new();
    codec::xml::write_report(&report, &mut xml);
    compress(Encoding::Gzip, &xml)
}
