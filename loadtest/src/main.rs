//! The `loadtest` program: load over real loopback sockets.

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use loadtest::fleet::{Fleet, FleetConfig, FleetError};

#[derive(Parser)]
#[command(
    name = "loadtest",
    version,
    about = "Simulated printers and load for Platen, over loopback sockets"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer SNMP as a fleet of printers, each with an address of its own within 127.0.0.0/8.
    #[command(
        after_help = "Example: loadtest fleet --devices 10000 --first 127.64.0.1 --port 16100 --latency-ms 100 --loss-permille 10"
    )]
    Fleet(FleetArgs),
}

#[derive(Args)]
struct FleetArgs {
    /// How many printers.
    #[arg(long, default_value_t = 200)]
    devices: u32,
    /// The address of the first printer; the others follow.
    #[arg(long, default_value = "127.20.0.1")]
    first: Ipv4Addr,
    /// The UDP port of all printers (0: the system chooses).
    #[arg(long, default_value_t = 16100)]
    port: u16,
    /// Fleets of another seed have other printers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The community they answer to.
    #[arg(long, default_value = "public")]
    community: String,
    /// How long an answer takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// How much longer it may take, in milliseconds.
    #[arg(long, default_value_t = 0)]
    jitter_ms: u64,
    /// Requests and answers lost, of 1,000.
    #[arg(long, default_value_t = 0)]
    loss_permille: u32,
    /// Answers that come twice, of 1,000.
    #[arg(long, default_value_t = 0)]
    duplicate_permille: u32,
    /// Printers that are switched off, of 1,000.
    #[arg(long, default_value_t = 20)]
    dead_permille: u32,
    /// Printers in power save, of 1,000.
    #[arg(long, default_value_t = 20)]
    asleep_permille: u32,
    /// Stop by itself after so many seconds.
    #[arg(long, default_value_t = 3600)]
    seconds: u64,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let Command::Fleet(args) = Cli::parse().command;
    match run_fleet(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = std::error::Error::source(&error)
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            eprintln!("loadtest: {error}{cause}");
            ExitCode::FAILURE
        }
    }
}

fn run_fleet(args: FleetArgs) -> Result<(), FleetError> {
    let fleet = Fleet::start(FleetConfig {
        devices: args.devices,
        first: args.first,
        port: args.port,
        seed: args.seed,
        community: args.community,
        latency: Duration::from_millis(args.latency_ms),
        jitter: Duration::from_millis(args.jitter_ms),
        loss_permille: args.loss_permille,
        duplicate_permille: args.duplicate_permille,
        dead_permille: args.dead_permille,
        asleep_permille: args.asleep_permille,
    })?;
    let last = fleet.addresses().last().expect("a fleet has a printer");
    println!(
        "{} printers answer on UDP port {} from {} to {}; Ctrl-C stops them",
        args.devices,
        fleet.port(),
        args.first,
        last.ip()
    );
    let until = Instant::now() + Duration::from_secs(args.seconds);
    let mut before = 0;
    while Instant::now() < until {
        std::thread::sleep(Duration::from_secs(5).min(until - Instant::now()));
        let stats = fleet.stats();
        let answers = stats.answers.load(Ordering::Relaxed);
        println!(
            "{} requests, {answers} answers ({}/s), {} unanswered, {} lost",
            stats.requests.load(Ordering::Relaxed),
            (answers - before) / 5,
            stats.unanswered.load(Ordering::Relaxed),
            stats.lost.load(Ordering::Relaxed)
        );
        before = answers;
    }
    fleet.stop();
    Ok(())
}
