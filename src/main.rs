//! The `platen` program: the manager, the all-in-one, the demo, and the commands that look after them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`allocator`] | how memory is kept |
//! | [`cli`] | the command line |
//! | [`config`] | `platen.toml` |
//! | [`manager`] | the wiring of a manager, in start order; stopping is the reverse |
//! | [`serve`] | `platen manager` and `platen all` |
//! | [`demo`] | `platen demo`: simulated printers, an agent and a manager in one process |
//! | [`waiting`] | a start that cannot be yet waits |
//! | [`people`] | `platen admin`, `platen agent`, `platen tenant`, `platen forget` |
//! | [`upkeep`] | `platen journal`, `platen store`, `platen rebuild`, `platen evidence` |

mod allocator;
mod cli;
mod config;
mod demo;
mod failure;
mod manager;
mod people;
mod serve;
mod stop;
mod upkeep;
mod waiting;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    allocator::set_up();
    let outcome = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Manager(args) => serve::run(&args.config, serve::Parts::Manager),
        Command::All(args) => serve::run(&args.config, serve::Parts::ManagerAndAgent),
        Command::Admin(args) => people::admin(&args),
        Command::Agent(args) => people::agent(&args),
        Command::Tenant(args) => people::tenant(&args),
        Command::Forget(args) => people::forget::run(&args),
        Command::Journal(args) => upkeep::journal(&args),
        Command::Store(args) => upkeep::store(&args),
        Command::Rebuild(args) => upkeep::rebuild(&args),
        Command::Evidence(args) => upkeep::evidence(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("platen: {failure}");
            ExitCode::FAILURE
        }
    }
}
