//! Peers for tests: net-snmp's programs, started and stopped by the test that needs them.

#![allow(dead_code, reason = "each test uses a part")]

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use poller::conversation::{Ask, Conversation, Failure};
use poller::credentials::Credential;
use poller::driver::poll_once;
use poller::engine::{Memory, PollOptions, Target};
use poller::oid::Oid;
use poller::value::{Value, ValueRef};
use tempfile::TempDir;

/// How long a peer may take to start on a busy machine.
const START_MAX: Duration = Duration::from_secs(30);

/// Whether a program is there. If not, the test says so and skips, unless peers are required.
pub fn has(program: &str) -> bool {
    let found = Command::new(program)
        .arg("-v")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        assert!(
            std::env::var("PLATEN_PEERS").as_deref() != Ok("required"),
            "{program} is missing, and peers are required"
        );
        println!("skipped: {program} is not installed");
    }
    found
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    socket.local_addr().expect("it is bound").port()
}

/// An `snmpd`, stopped when dropped.
pub struct Snmpd {
    child: Child,
    port: u16,
    directory: TempDir,
}

impl Snmpd {
    /// Starts one with this configuration on UDP and TCP, and waits until it answers the community `public`. `None` when it is not
    /// installed.
    pub fn start(configuration: &str) -> Option<Self> {
        if !has("snmpd") {
            return None;
        }
        let directory = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let addresses = format!("agentAddress udp:127.0.0.1:{port},tcp:127.0.0.1:{port}\n");
        let file = directory.path().join("agent.conf");
        std::fs::write(&file, addresses + configuration).expect("it can be written");
        let snmpd = Self {
            child: Self::spawn(directory.path()),
            port,
            directory,
        };
        snmpd.wait();
        Some(snmpd)
    }

    fn spawn(directory: &Path) -> Child {
        Command::new("snmpd")
            .args(["-f", "-C", "-LE", "0-2", "-I", "-smux", "-c"])
            .arg(directory.join("agent.conf"))
            .env("SNMP_PERSISTENT_DIR", directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("snmpd starts")
    }

    /// Kills it and starts it again with the same state.
    pub fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = Self::spawn(self.directory.path());
        self.wait();
    }

    fn wait(&self) {
        let begun = Instant::now();
        let options = PollOptions {
            credentials: vec![Credential::v2c("public", b"public")],
            timeouts: vec![Duration::from_millis(100)],
            ..PollOptions::default()
        };
        let target = Target::udp(self.address());
        while begun.elapsed() < START_MAX {
            let ask = Ask::Get(vec![Oid::new(&[1, 3, 6, 1, 2, 1, 1, 3, 0])]);
            let mut heard = Heard::of(vec![ask]);
            if poll_once(target, &options, Memory::default(), &mut heard).is_ok() {
                return;
            }
        }
        panic!("snmpd did not answer within {START_MAX:?}");
    }

    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }
}

impl Drop for Snmpd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program of net-snmp to its end with its state in `directory`.
pub fn run(program: &str, arguments: &[&str], directory: &Path) -> std::process::Output {
    Command::new(program)
        .args(arguments)
        .env("SNMP_PERSISTENT_DIR", directory)
        .env("SNMPCONFPATH", directory)
        .env("MIBS", "")
        .output()
        .expect("it runs")
}

/// A conversation of given asks that keeps what it hears.
#[derive(Debug, Default)]
pub struct Heard {
    asks: Vec<Ask>,
    pub values: Vec<(Oid, Option<Value>)>,
    pub failures: Vec<Option<Failure>>,
}

impl Heard {
    pub fn of(mut asks: Vec<Ask>) -> Self {
        asks.reverse();
        Self {
            asks,
            ..Self::default()
        }
    }

    /// The values in the order of their names: SNMPv1 tells what is missing first.
    pub fn sorted(&self) -> Vec<(Oid, Option<Value>)> {
        let mut values = self.values.clone();
        values.sort_by(|a, b| a.0.cmp(&b.0));
        values
    }
}

impl Conversation for Heard {
    fn next_ask(&mut self) -> Option<Ask> {
        self.asks.pop()
    }

    fn variable(&mut self, _ask_index: usize, oid: &Oid, value: ValueRef<'_>) {
        self.values.push((oid.clone(), value.to_value()));
    }

    fn answered(&mut self, failure: Option<Failure>) {
        self.failures.push(failure);
    }
}
