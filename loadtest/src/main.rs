//! The `loadtest` program: load over real loopback sockets.

mod commands {
    //! One module per command: its options, and what it does.
    pub mod exchanges;
    pub mod fleet;
    pub mod reports;
}

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    #[command(after_help = commands::fleet::help())]
    Fleet(commands::fleet::FleetArgs),
    /// Measure how many exchanges per second one core of the simulated fleet answers.
    Exchanges(commands::exchanges::ExchangesArgs),
    /// Deliver reports to a manager on this machine, as many agents at once.
    #[command(after_help = commands::reports::HELP)]
    Reports(commands::reports::ReportsArgs),
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let result: Result<(), Box<dyn Error>> = match Cli::parse().command {
        Command::Fleet(args) => commands::fleet::run(&args).map_err(Into::into),
        Command::Exchanges(args) => commands::exchanges::run(&args),
        Command::Reports(args) => commands::reports::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loadtest: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, as one sentence.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
