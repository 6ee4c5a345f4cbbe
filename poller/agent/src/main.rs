//! The `platen-agent` program.

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::execute(cli) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("platen-agent: {failure}");
            ExitCode::FAILURE
        }
    }
}
