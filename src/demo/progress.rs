//! What the demo prints while its printers appear, and now and then afterwards.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use agent::status::Status;
use olap::ask::FleetCounts;

/// How often the start is looked at.
const PAUSE_AT_START: Duration = Duration::from_millis(250);
/// How often the running fleet is looked at.
const PAUSE_AFTERWARDS: Duration = Duration::from_secs(5);
/// How often a line is printed afterwards.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// The progress display.
pub struct Progress {
    living: u64,
    all: u64,
    started: Instant,
    complete: bool,
    line_at: Instant,
    shown: u64,
}

impl Progress {
    /// Nothing is there yet.
    pub fn new(living: usize, all: usize) -> Self {
        Self {
            living: living as u64,
            all: all as u64,
            started: Instant::now(),
            complete: false,
            line_at: Instant::now(),
            shown: u64::MAX,
        }
    }

    /// How long to wait until the next look.
    pub const fn pause(&self) -> Duration {
        if self.complete {
            PAUSE_AFTERWARDS
        } else {
            PAUSE_AT_START
        }
    }

    /// Says how things stand.
    pub fn show(&mut self, agents: &[Status], fleet: FleetCounts) {
        let seen = fleet.devices;
        if !self.complete {
            self.show_start(agents, seen);
        } else if self.line_at.elapsed() >= LINE_EVERY {
            self.line_at = Instant::now();
            println!(
                "{} polls, {} receipts, {seen} printers, {} with alerts, {} low on supplies, {} silent",
                agents.iter().map(|agent| agent.polls).sum::<u64>(),
                agents
                    .iter()
                    .flat_map(|agent| &agent.streams)
                    .map(|stream| stream.receipts)
                    .sum::<u64>(),
                fleet.attention,
                fleet.low,
                fleet.silent
            );
        }
    }

    fn show_start(&mut self, agents: &[Status], seen: u64) {
        let found = agents.iter().map(|agent| agent.devices_known).sum::<u64>();
        let terminal = std::io::stdout().is_terminal();
        if seen >= self.living {
            self.complete = true;
            self.line_at = Instant::now();
            let end = if terminal { "\r" } else { "" };
            println!(
                "{end}All {} living printers are visible after {:.1} s ({} switched off). Ctrl-C stops the demo.",
                self.living,
                self.started.elapsed().as_secs_f64(),
                self.all - self.living
            );
        } else if terminal {
            print!("\r{found} found, {seen} of {} visible ", self.living);
            // A terminal that is gone shows nothing, which is no reason to stop.
            let _ = std::io::stdout().flush();
        } else if seen != self.shown {
            self.shown = seen;
            println!("{found} found, {seen} of {} visible", self.living);
        }
    }
}
