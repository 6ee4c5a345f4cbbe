//! The agent's two clocks: the time of day, which can jump, and one that only goes forward (Rule 7).

use std::time::{Duration, Instant};

use codec::time::Timestamp;

/// Milliseconds that only ever grow: since the machine's start where the system says when that was, else since the program's.
/// So a report that was sealed before the agent was restarted still has its true age.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    began_uptime: Duration,
}

impl Clock {
    /// The clock of this machine.
    #[must_use]
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            began_uptime: machine_uptime().unwrap_or(Duration::ZERO),
        }
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// The uptime now.
    #[must_use]
    pub fn uptime_ms(&self) -> u64 {
        self.uptime_ms_at(Instant::now())
    }

    /// The uptime at an instant.
    #[must_use]
    pub fn uptime_ms_at(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.began);
        u64::try_from((self.began_uptime + since).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// How long this machine is up: Linux says so in a file, elsewhere nobody is asked.
fn machine_uptime() -> Option<Duration> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
