//! `loadtest reports`: what agents send, to a manager on this machine.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use codec::envelope::Encoding;
use codec::key::{SpoolEpoch, Stream};
use codec::time::Timestamp;
use data_encoding::BASE64;
use loadtest::reports::deliver::Pace;
use loadtest::reports::http::Target;
use loadtest::reports::make::Plan;
use loadtest::reports::{ReportsError, Run, read_agents, run as run_reports};

/// What `--help` says at its end.
pub const HELP: &str = "\
Everything is sealed before the first connection; a report counts by its receipt, which must echo its whole key. 503 and a broken
connection mean to come again, at Retry-After or a little later each time. The exit code is 0 when nothing was refused or given up
and, with --verify, everything was applied once.

Agents are made in one go:
  seq -f 'load-%04g' 1000 | platen agent add-many --config platen.toml - > agents.tsv
Examples:
  loadtest reports --agents-file agents.tsv --url http://127.0.0.1:8000 --agents 20 --rounds 10 --verify
  loadtest reports --agents-file agents.tsv --url https://localhost:8443 --ca ca.pem --agents 1000 --connect-within 2 --verify";

/// Which streams agents report.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Streams {
    /// Meters alone.
    Meters,
    /// Everything but meters.
    State,
    /// A report of each per round.
    Both,
}

/// How reports are compressed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Compression {
    /// RFC 1952
    Gzip,
    /// RFC 8878
    Zstd,
}

/// The options of `loadtest reports`.
#[derive(Args)]
pub struct ReportsArgs {
    /// The manager; it must be on this machine.
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    url: String,
    /// Trust these certificates (PEM); needed for https.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Agents' ids and tokens, one agent a line.
    #[arg(long, value_name = "FILE")]
    agents_file: PathBuf,
    /// How many of them deliver (all of the file when left out).
    #[arg(long)]
    agents: Option<usize>,
    /// Printers of each agent.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    devices: u32,
    /// Polls of all printers; each makes one report per stream and agent.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
    /// Minutes between two polls; the last one is now.
    #[arg(long, default_value_t = 60)]
    minutes: u32,
    /// What is reported.
    #[arg(long, value_enum, default_value_t = Streams::Meters)]
    streams: Streams,
    /// How reports are compressed.
    #[arg(long, value_enum, default_value_t = Compression::Gzip)]
    encoding: Compression,
    /// Other seeds have other fleets.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The spool epoch of all agents, 16 hex digits; drawn when left out. The same epoch, seed and agents again are other reports with the
    /// same keys, which a manager must refuse.
    #[arg(long, value_name = "HEX")]
    epoch: Option<SpoolEpoch>,
    /// All agents make their first connection within so many seconds, evenly spread.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    connect_within: f64,
    /// Connections of each agent, each with one report under way.
    #[arg(long, default_value_t = 1)]
    in_flight: usize,
    /// Connections of all agents at once.
    #[arg(long, default_value_t = 2000)]
    connections_max: usize,
    /// Connections stay open until all agents are done, as agents keep theirs for the next report.
    #[arg(long)]
    keep_open: bool,
    /// Threads that deliver; they compete with the manager for the machine.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: u32,
    /// Give up what has no receipt after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    give_up_after: u64,
    /// Ask the manager until everything is applied, and fail when it is not, or twice.
    #[arg(long)]
    verify: bool,
    /// With --verify: a login whose password is in the environment as LOADTEST_PASSWORD; the API is then asked how many devices there are.
    #[arg(long, requires = "verify")]
    login: Option<String>,
    /// The manager's process: its peak of memory and its processor time are told.
    #[arg(long)]
    pid: Option<u32>,
    /// Print the summary as JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// Delivers, and prints what came of it.
pub fn run(args: &ReportsArgs) -> Result<(), Box<dyn std::error::Error>> {
    let mut agents = read_agents(&args.agents_file)?;
    let asked = args.agents.unwrap_or(agents.len());
    if agents.len() < asked {
        return Err(ReportsError::TooFewAgents {
            known: agents.len(),
            asked,
        }
        .into());
    }
    agents.truncate(asked);
    let target = Target::new(&args.url, args.ca.as_deref())?;
    let authorization = match &args.login {
        None => None,
        Some(login) => {
            let password = std::env::var("LOADTEST_PASSWORD")
                .map_err(|_| "--login needs the password in LOADTEST_PASSWORD")?;
            let pair = format!("{login}:{password}");
            Some(format!("Basic {}", BASE64.encode(pair.as_bytes())))
        }
    };
    let plan = Plan {
        devices: args.devices as usize,
        rounds: args.rounds,
        minutes: args.minutes,
        streams: match args.streams {
            Streams::Meters => vec![Stream::Meters],
            Streams::State => vec![Stream::State],
            Streams::Both => Stream::ALL.to_vec(),
        },
        encoding: match args.encoding {
            Compression::Gzip => Encoding::Gzip,
            Compression::Zstd => Encoding::Zstd,
        },
        seed: args.seed,
        epoch: match args.epoch {
            Some(epoch) => epoch,
            None => draw_epoch()?,
        },
        until: Timestamp::now(),
    };
    let run = Run {
        plan,
        pace: Pace {
            connect_within: Duration::try_from_secs_f64(args.connect_within)?,
            in_flight: args.in_flight,
            connections_max: args.connections_max,
            keep_open: args.keep_open,
            give_up_after: Duration::from_secs(args.give_up_after),
        },
        verify: args.verify.then(|| Duration::from_secs(args.give_up_after)),
        authorization,
        pid: args.pid,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.threads as usize)
        .enable_all()
        .build()?;
    let summary = runtime.block_on(run_reports(&target, agents, &run))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        print!("{summary}");
    }
    let missing = summary.planned_reports - summary.reports;
    if missing > 0 {
        return Err(format!("{missing} reports have no receipt").into());
    }
    Ok(())
}

fn draw_epoch() -> Result<SpoolEpoch, getrandom::Error> {
    Ok(SpoolEpoch(getrandom::u64()?))
}
