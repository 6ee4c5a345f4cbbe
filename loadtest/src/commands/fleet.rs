//! `loadtest fleet`: printers that answer until they are stopped, a scenario that plays, and a control channel.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Args;
use loadtest::fleet::scenario::{Rates, Scenario, ScenarioError, Schedule};
use loadtest::fleet::{Fleet, FleetConfig, FleetError, control, event};

/// How often the fleet says how it fares.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// The options of `loadtest fleet`.
#[derive(Args)]
pub struct FleetArgs {
    /// How many printers.
    #[arg(long, default_value_t = 200)]
    devices: u32,
    /// The address of the first printer; the others follow, without addresses that end in 0 or 255.
    #[arg(long, default_value = "127.20.0.1")]
    first: Ipv4Addr,
    /// The UDP port of all printers (0: the system chooses).
    #[arg(long, default_value_t = 16100)]
    port: u16,
    /// Fleets of another seed have other printers, and other things happen to them.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The community they answer to.
    #[arg(long, default_value = "public")]
    community: String,
    /// How long an answer takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// How much longer it may take, in milliseconds, evenly spread: answers then overtake each other.
    #[arg(long, default_value_t = 0)]
    jitter_ms: u64,
    /// Answers that take ten times as long, of 1,000.
    #[arg(long, default_value_t = 0)]
    tail_permille: u32,
    /// Requests lost, and answers lost, of 1,000.
    #[arg(long, default_value_t = 0)]
    loss_permille: u32,
    /// Answers that come twice, of 1,000.
    #[arg(long, default_value_t = 0)]
    duplicate_permille: u32,
    /// Printers that are switched off, of 1,000.
    #[arg(long, default_value_t = 20)]
    dead_permille: u32,
    /// Printers in power save, of 1,000: they lose the request that wakes them.
    #[arg(long, default_value_t = 20)]
    asleep_permille: u32,
    /// What happens at random, per 1,000 printers and hour: reboots=20,resets=1,boards=1,moves=5,exchanges=1,rollovers=0.1
    #[arg(long, value_name = "RATES")]
    events: Option<String>,
    /// A TOML file that says what happens when: [rates] as above, and [[event]] with at_s and do.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Take events as lines over TCP on this loopback address; each is answered by one line, "ok: …" or "error: …", once it has
    /// happened. Port 0: the system chooses, and the port is printed.
    #[arg(long, value_name = "ADDR:PORT")]
    control: Option<SocketAddr>,
    /// Take events as lines on stdin, answered on stdout; the end of stdin stops the fleet.
    #[arg(long)]
    stdin: bool,
    /// Stop by itself after so many seconds.
    #[arg(long, default_value_t = 3600)]
    seconds: u64,
}

/// What `--help` says at its end.
pub fn help() -> String {
    format!(
        "Examples:\n  loadtest fleet --devices 10000 --first 127.64.0.1 --latency-ms 100 --loss-permille 10\n  \
         loadtest fleet --events reboots=20,moves=5 --control 127.0.0.1:16199\n  \
         echo 'move 17 127.20.9.9' | loadtest fleet --stdin --seconds 5\n\nEvents:\n{}",
        event::GRAMMAR
    )
}

/// Why the fleet did not run.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The fleet cannot start.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// What is to happen makes no sense.
    #[error("{}", what.display())]
    Scenario {
        /// The file, or the option.
        what: PathBuf,
        /// What is wrong.
        #[source]
        source: ScenarioError,
    },
    /// The scenario is not there.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No control channel.
    #[error("cannot take events on {address}")]
    Control {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Answers until the time is over or stdin ends.
pub fn run(args: &FleetArgs) -> Result<(), Failure> {
    let fleet = Fleet::start(FleetConfig {
        devices: args.devices,
        first: args.first,
        port: args.port,
        seed: args.seed,
        community: args.community.clone(),
        latency: Duration::from_millis(args.latency_ms),
        jitter: Duration::from_millis(args.jitter_ms),
        tail_permille: args.tail_permille,
        loss_permille: args.loss_permille,
        duplicate_permille: args.duplicate_permille,
        dead_permille: args.dead_permille,
        asleep_permille: args.asleep_permille,
        schedule: schedule(args)?,
    })?;
    let last = fleet.addresses().last().expect("a fleet has a printer");
    println!(
        "{} printers answer on UDP port {} from {} to {}; Ctrl-C stops them",
        args.devices,
        fleet.port(),
        args.first,
        last.ip()
    );
    if let Some(address) = args.control {
        let bound = control::listen(fleet.remote().clone(), address)
            .map_err(|source| Failure::Control { address, source })?;
        println!("events are taken on {bound}");
    }
    if args.stdin {
        // Who closed the other end of stdout has heard enough.
        let _ = control::converse(fleet.remote(), std::io::stdin(), std::io::stdout());
    } else {
        tell(&fleet, Duration::from_secs(args.seconds));
    }
    fleet.stop();
    Ok(())
}

fn tell(fleet: &Fleet, seconds: Duration) {
    let until = Instant::now() + seconds;
    let mut before = 0;
    while Instant::now() < until {
        std::thread::sleep(TELL_EVERY.min(until - Instant::now()));
        let stats = fleet.stats();
        let answers = stats.answers.load(Ordering::Relaxed);
        println!(
            "{} requests, {answers} answers ({}/s), {} unanswered, {} lost, {} events",
            stats.requests.load(Ordering::Relaxed),
            (answers - before) / TELL_EVERY.as_secs(),
            stats.unanswered.load(Ordering::Relaxed),
            stats.lost.load(Ordering::Relaxed),
            stats.events.load(Ordering::Relaxed)
        );
        before = answers;
    }
}

fn schedule(args: &FleetArgs) -> Result<Schedule, Failure> {
    let (mut what, mut scenario) = (PathBuf::from("--events"), Scenario::default());
    let refused = |what: &PathBuf| {
        let what = what.clone();
        move |source| Failure::Scenario { what, source }
    };
    if let Some(path) = &args.scenario {
        what.clone_from(path);
        let text = std::fs::read_to_string(path).map_err(|source| Failure::Read {
            path: path.clone(),
            source,
        })?;
        scenario = text.parse().map_err(refused(&what))?;
    }
    if let Some(rates) = &args.events {
        scenario.rates = rates
            .parse::<Rates>()
            .map_err(refused(&PathBuf::from("--events")))?;
    }
    Schedule::new(&scenario, args.devices, args.first, args.seed).map_err(refused(&what))
}
