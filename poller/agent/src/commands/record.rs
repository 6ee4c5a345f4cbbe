//! `platen-agent record`: what a printer answers, scrubbed, for a test.

use std::io::Write;
use std::process::ExitCode;

use poller::driver::poll_once;
use poller::engine::Memory;
use poller::recording::Recorder;

use super::access::{Access, Device};
use super::output::results;
use super::{Failure, Outcome};
use crate::cli::RecordArgs;

/// Walks what is allowed and prints it.
pub fn record(args: &RecordArgs) -> Outcome {
    let access = Access::read(&args.access)?;
    let Device { target, options } = access.device(&args.host)?;
    let profiles = access.profiles()?;
    let mut recorder = Recorder::new(&profiles);
    let polled = poll_once(target, &options, Memory::default(), &mut recorder);
    let text = recorder.into_text();
    if let Err(error) = polled {
        if text.is_empty() {
            return Err(Failure::new(format!(
                "{} could not be recorded: {error}. `platen-agent poll {}` says what to check.",
                target.address, args.host
            )));
        }
        eprintln!("platen-agent: the recording is incomplete: {error}");
    }
    let mut out = results();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    eprintln!("{} variables recorded", text.lines().count());
    Ok(ExitCode::SUCCESS)
}
