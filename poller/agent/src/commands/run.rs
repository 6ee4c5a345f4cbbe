//! `platen-agent run`: the agent until it is told to stop.

use std::process::ExitCode;
#[cfg(unix)]
use std::time::{Duration, Instant};

use agent::{AgentConfig, Control};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{Failure, LOG_RUN, Outcome, start_log};
use crate::cli::RunArgs;

/// A signal to end that follows the first one so soon is the same one, which came to the process and to its group.
#[cfg(unix)]
const SAME_SIGNAL: Duration = Duration::from_secs(1);

/// Runs.
pub fn run(args: &RunArgs, log: Option<&str>) -> Outcome {
    let config = AgentConfig::read(&args.config)?;
    start_log(log.or(config.log.as_deref()), LOG_RUN)?;
    for placeholder in &config.placeholders {
        eprintln!("platen-agent: {placeholder}");
    }
    if !config.placeholders.is_empty() {
        return Err(Failure::new(format!(
            "{} is not filled in: replace what is named above",
            args.config.display()
        )));
    }
    if args.check {
        if let Some(why) = config.nothing_to_find() {
            eprintln!("platen-agent: {why}");
        }
        eprintln!("{} is accepted", args.config.display());
        return Ok(ExitCode::SUCCESS);
    }
    let control = Control::default();
    heed_signals(&control)?;
    agent::run_controlled(config, control)?;
    Ok(ExitCode::SUCCESS)
}

/// The first signal to end stops in order; another one, a second later or more, ends at once. SIGHUP has the device profiles read anew.
#[cfg(unix)]
fn heed_signals(control: &Control) -> Result<(), Failure> {
    use signal_hook::consts::SIGHUP;

    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let Control { stop, reload, .. } = control.clone();
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut first: Option<Instant> = None;
            for signal in signals.forever() {
                if signal == SIGHUP {
                    reload.ask();
                    continue;
                }
                match first {
                    None => {
                        first = Some(Instant::now());
                        tracing::info!(signal, "stopping");
                        stop.stop();
                    }
                    Some(at) if at.elapsed() < SAME_SIGNAL => {}
                    // 128 and the signal's number, as shells say it.
                    Some(_) => std::process::exit(128 + signal),
                }
            }
        })?;
    Ok(())
}

/// The first signal stops in order. Without an iterator of signals here, a flag is looked at.
#[cfg(not(unix))]
fn heed_signals(control: &Control) -> Result<(), Failure> {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    const LOOK: Duration = Duration::from_millis(200);
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    let stop = control.stop.clone();
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            while !stop.wait_for(LOOK) {
                if flag.load(Ordering::Relaxed) {
                    stop.stop();
                }
            }
        })?;
    Ok(())
}
