//! Whole polls over real sockets against snmpsim, where it is installed (`snmpsim-command-responder` in the path, or named by
//! `PLATEN_SNMPSIM`): every fixture makes the same report as its replay, with SNMPv2c and with SNMPv1.

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use codec::model::DeviceReport;
use codec::time::Timestamp;
use poller::credentials::Credential;
use poller::device::{Depth, DevicePoll, PollContext};
use poller::driver::poll_once;
use poller::engine::{Memory, PollOptions, Target};
use poller::profile::ProfileSet;
use poller::recording::{REPLAY_ADDRESS, Recording, replay};

const NOW: Timestamp = Timestamp::from_unix_ms(1_780_000_000_000);
/// How long snmpsim may take to index its files.
const START_MAX: Duration = Duration::from_secs(60);

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A simulator that ends with the test.
struct Simulator {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Simulator {
    /// Starts it, and waits until it answers; `None` where there is none.
    fn start() -> Option<Self> {
        let program = std::env::var_os("PLATEN_SNMPSIM")
            .unwrap_or_else(|| "snmpsim-command-responder".into());
        let folder = tempfile::tempdir().unwrap();
        let (data, cache) = (folder.path().join("data"), folder.path().join("cache"));
        for path in [&data, &cache] {
            std::fs::create_dir(path).unwrap();
            open_to_all(path);
        }
        open_to_all(folder.path());
        for entry in std::fs::read_dir(fixtures()).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "snmprec")
            {
                std::fs::copy(&path, data.join(path.file_name().unwrap())).unwrap();
            }
        }
        let address = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let child = Command::new(&program)
            .arg(format!("--data-dir={}", data.display()))
            .arg(format!("--cache-dir={}", cache.display()))
            .arg(format!("--agent-udpv4-endpoint={address}"))
            .args(["--process-user=root", "--process-group=root"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            let missing = format!("{} is not installed", program.display());
            assert_ne!(
                std::env::var("PLATEN_PEERS").as_deref(),
                Ok("required"),
                "{missing}"
            );
            println!("skipped: {missing}");
            return None;
        };
        let simulator = Self {
            child,
            address,
            _folder: folder,
        };
        let started = Instant::now();
        while simulator.poll("tsc_label", 2).is_none() {
            assert!(started.elapsed() < START_MAX, "snmpsim does not answer");
        }
        Some(simulator)
    }

    /// The report of a fixture (its name is the community), as it comes over the network.
    fn poll(&self, name: &str, version: u8) -> Option<DeviceReport> {
        let credential = if version == 1 {
            Credential::v1
        } else {
            Credential::v2c
        };
        let options = PollOptions {
            credentials: vec![credential("test", name.as_bytes())],
            ..PollOptions::default()
        };
        let profiles = Arc::new(ProfileSet::embedded());
        let mut memory = Memory::default();
        let mut plan = None;
        let mut reports = Vec::new();
        // Learned first, then read by plan.
        for depth in [Depth::Learn, Depth::Steady] {
            let mut context = PollContext::new(REPLAY_ADDRESS, NOW, 0);
            context.depth = depth;
            let mut poll = DevicePoll::new(Arc::clone(&profiles), plan, context);
            memory = poll_once(Target::udp(self.address), &options, memory, &mut poll)
                .ok()?
                .memory;
            let outcome = poll.into_outcome();
            assert_eq!(outcome.depth, depth, "{name}");
            plan = outcome.plan;
            reports.push(outcome.report?);
        }
        let [learned, steady] = reports.try_into().ok()?;
        assert_eq!(learned.supplies, steady.supplies, "{name}");
        assert_eq!(learned.trays, steady.trays, "{name}");
        assert_eq!(learned.identity, steady.identity, "{name}");
        Some(learned)
    }
}

#[cfg(unix)]
fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}

#[cfg(not(unix))]
fn open_to_all(_path: &Path) {}

#[test]
fn every_fixture_says_the_same_over_the_network_as_replayed() {
    let Some(simulator) = Simulator::start() else {
        return;
    };
    let mut polled = 0;
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_none_or(|extension| extension != "snmprec")
        {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let recording = Recording::parse(&std::fs::read(&path).unwrap()).unwrap();
        let expected = replay(&recording, Arc::new(ProfileSet::embedded()), NOW)
            .report
            .unwrap();
        for version in [2, 1] {
            let found = simulator
                .poll(&name, version)
                .unwrap_or_else(|| panic!("{name}: no report by SNMPv{version}"));
            let json = |report: &DeviceReport| serde_json::to_value(report).unwrap();
            assert_eq!(json(&found), json(&expected), "{name} by SNMPv{version}");
            polled += 1;
        }
    }
    println!("{polled} polls");
}
