//! What the commands do. Results go to stdout, everything else to stderr.

mod access;
mod discover;
mod enrol;
mod output;
mod poll;
mod privacy;
mod record;
mod run;
mod spool;
mod status;

use std::error::Error;
use std::fmt;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};

/// The log of `run` unless something else is asked for.
const LOG_RUN: &str = "info";
/// The log of the commands that answer a question: only what is wrong.
const LOG_QUESTION: &str = "warn";

/// Why a command failed: one sentence with its causes.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// A sentence of our own.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self(text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

type Outcome = Result<ExitCode, Failure>;

/// Does what was asked.
pub fn execute(cli: Cli) -> Outcome {
    let log = cli.log.as_deref();
    if !matches!(cli.command, Command::Run(_)) {
        start_log(log, LOG_QUESTION)?;
    }
    match cli.command {
        Command::Run(args) => run::run(&args, log),
        Command::Enrol(args) => enrol::enrol(&args),
        Command::Poll(args) => poll::poll(&args),
        Command::Discover(args) => discover::discover(&args),
        Command::Record(args) => record::record(&args),
        Command::Status(args) => status::status(&args),
        Command::Spool(args) => spool::spool(&args.command),
        Command::Privacy(args) => privacy::privacy(&args),
        Command::Example => {
            output::results().write_all(agent::config::EXAMPLE.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Starts the log on stderr.
fn start_log(filter: Option<&str>, default: &str) -> Result<(), Failure> {
    let filter = filter.unwrap_or(default);
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Failure::new(format!("--log {filter:?} is no log filter: {error}")))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    Ok(())
}
