//! What the runs against a whole manager share: a manager as its own process with TLS, its agents, its end.
#![allow(dead_code)] // Each run uses its part.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use loadtest::reports::http::Target;
use loadtest::reports::{Agent, read_agents, verify};

/// How long the manager may take to start or to stop.
const READY_MAX: Duration = Duration::from_secs(60);
const LOGIN: &str = "bench";
const PASSWORD: &str = "correct horse battery";

/// Whatever went wrong: a bench tells it and ends.
pub type Failure = Box<dyn std::error::Error>;

/// A manager that is running, in a folder that goes with it.
pub struct Manager {
    child: Child,
    folder: tempfile::TempDir,
    /// Its URL.
    pub url: String,
    /// Its certificate, which is its own authority.
    pub ca: PathBuf,
}

/// The program under test: `PLATEN_BIN`, or the one that cargo built with this bench.
pub fn platen() -> Command {
    let built = PathBuf::from(env!("CARGO_BIN_EXE_platen"));
    Command::new(std::env::var_os("PLATEN_BIN").map_or(built, PathBuf::from))
}

impl Manager {
    /// Sets a manager up with so many agents, and starts it. Its data are below the build folder: on a disk that syncs.
    pub fn start(agents: usize) -> Result<(Self, Vec<Agent>), Failure> {
        let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
        std::fs::create_dir_all(base)?;
        let folder = tempfile::tempdir_in(base)?;
        let at = |name: &str| folder.path().join(name);
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        std::fs::write(at("manager.pem"), certificate.cert.pem())?;
        std::fs::write(at("manager.key"), certificate.signing_key.serialize_pem())?;
        std::fs::write(
            at("platen.toml"),
            format!(
                "data = \"data\"\nlog = \"warn\"\n[web]\nlisten = \"127.0.0.1:{port}\"\ntls_certificate = \"manager.pem\"\ntls_key = \"manager.key\"\n"
            ),
        )?;
        let config = at("platen.toml");
        with_input(&config, &["admin", "create", LOGIN], PASSWORD)?;
        let mut names = String::new();
        for number in 0..agents {
            writeln!(names, "agent-{number:05}")?;
        }
        let added = with_input(&config, &["agent", "add-many", "-"], &names)?;
        std::fs::write(at("agents.tsv"), added)?;
        let agents = read_agents(&at("agents.tsv"))?;
        let child = platen()
            .arg("manager")
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .spawn()?;
        let manager = Self {
            child,
            url: format!("https://localhost:{port}"),
            ca: at("manager.pem"),
            folder,
        };
        manager.wait_until_ready()?;
        Ok((manager, agents))
    }

    fn wait_until_ready(&self) -> Result<(), Failure> {
        let target = self.target()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let until = Instant::now() + READY_MAX;
        runtime.block_on(async {
            loop {
                match verify::get(&target, "its health", "/healthz", None).await {
                    Ok(_) => return Ok(()),
                    Err(error) if Instant::now() > until => return Err(error.into()),
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        })
    }

    /// Where the load goes.
    pub fn target(&self) -> Result<Target, Failure> {
        Ok(Target::new(&self.url, Some(&self.ca))?)
    }

    /// The folder of the run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Who may ask the API.
    pub fn authorization() -> String {
        let pair = format!("{LOGIN}:{PASSWORD}");
        format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes()))
    }

    /// Ends it as Ctrl-C does, and returns what `platen journal dump` says of its journal.
    pub fn stop(mut self) -> Result<String, Failure> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-INT", &pid]).status()?;
        let until = Instant::now() + READY_MAX;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > until {
                return Err("the manager does not end".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        with_input(
            &self.folder.path().join("platen.toml"),
            &["journal", "dump"],
            "",
        )
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command of `platen` and returns what it printed.
fn with_input(config: &Path, args: &[&str], input: &str) -> Result<String, Failure> {
    let mut child = platen()
        .args(args)
        .arg("--config")
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("no standard input")?;
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("platen {} failed", args.join(" ")).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A figure beside its goal.
pub fn against(what: &str, measured: &str, goal: &str, is_met: bool) {
    let verdict = if is_met { "met" } else { "MISSED" };
    println!("{what:<34} {measured:<24} goal {goal:<12} {verdict}");
}

/// Whether the journal's dump has each of so many reports once, with the bytes that were acknowledged.
pub fn each_once(dump: &str, reports: u64) -> Result<(), Failure> {
    let mut seen = std::collections::HashSet::new();
    for line in dump.lines() {
        let Some((_, rest)) = line.split_once(" report ") else {
            continue;
        };
        let hash = rest.split_whitespace().next().unwrap_or_default();
        if line.ends_with("HASH DIFFERS") || !seen.insert(hash) {
            return Err(format!("damaged or twice in the journal: {line}").into());
        }
    }
    if seen.len() as u64 != reports {
        return Err(format!(
            "{} reports are in the journal, {reports} have a receipt",
            seen.len()
        )
        .into());
    }
    Ok(())
}
