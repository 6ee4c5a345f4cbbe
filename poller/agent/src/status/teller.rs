//! Says what a running agent does: a file every few seconds, a log line a minute while something happens.

use std::io;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use codec::time::Timestamp;

use super::{File, Status, StatusHandle};
use crate::collect::PROGRAM;
use crate::stop::StopHandle;

/// How often the file is written.
const WRITE_EVERY: Duration = Duration::from_secs(2);
/// How many files there are to a log line.
const WRITES_PER_LINE: u32 = 30;

/// The thread that says it. It ends with the agent.
pub struct Teller {
    thread: JoinHandle<()>,
}

impl Teller {
    /// Starts telling.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(
        agent: &str,
        spool: PathBuf,
        status: &StatusHandle,
        stop: &StopHandle,
    ) -> io::Result<Self> {
        let (status, stop) = (status.clone(), stop.clone());
        let mut file = File {
            agent: agent.to_owned(),
            program: PROGRAM.to_owned(),
            process: std::process::id(),
            started_at: Timestamp::now(),
            written_at: Timestamp::now(),
            status: Status::default(),
        };
        let thread = std::thread::Builder::new().name("status".to_owned());
        let thread = thread.spawn(move || {
            let mut told = Status::default();
            let mut is_refused = false;
            for turn in 1_u32.. {
                let is_over = stop.wait_for(WRITE_EVERY);
                file.written_at = Timestamp::now();
                file.status = status.read();
                match file.write(&spool) {
                    Ok(()) => is_refused = false,
                    Err(error) => {
                        // Once: what fails now fails again in two seconds.
                        if !std::mem::replace(&mut is_refused, true) {
                            tracing::warn!(folder = %spool.display(), %error, "the status file cannot be written");
                        }
                    }
                }
                if turn % WRITES_PER_LINE == 0 && file.status != told {
                    say(&file.status, &told);
                    told.clone_from(&file.status);
                }
                if is_over {
                    return;
                }
            }
        })?;
        Ok(Self { thread })
    }

    /// Waits for the last file.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the status thread panicked");
        }
    }
}

/// One line: what there is now, and what happened since the last one.
fn say(now: &Status, before: &Status) {
    let streams =
        |count: fn(&super::StreamStatus) -> u64| -> u64 { now.streams.iter().map(count).sum() };
    let receipts = |status: &Status| -> u64 { status.streams.iter().map(|it| it.receipts).sum() };
    tracing::info!(
        devices = now.devices_known,
        answering = now.devices_answering,
        polls = now.polls - before.polls,
        unanswered = now.polls_unanswered - before.polls_unanswered,
        traps = now.traps.heard - before.traps.heard,
        delivered = receipts(now) - receipts(before),
        waiting = streams(|it| it.waiting_reports),
        "in the last minute"
    );
}
