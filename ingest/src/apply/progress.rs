//! Whether the applier gets on.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// The applier hangs when it has work and committed nothing for so long: many times what the largest batch takes.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// When the applier last committed, or had nothing to do.
#[derive(Debug)]
pub struct Progress {
    begun: Instant,
    noted_ms: AtomicU64,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            noted_ms: AtomicU64::new(0),
        }
    }
}

impl Progress {
    /// Notes that it got on.
    pub fn note(&self) {
        self.noted_ms.store(self.ms_at(Instant::now()), SeqCst);
    }

    /// Whether at `now` it has not got on for too long.
    #[must_use]
    pub fn hangs(&self, now: Instant) -> bool {
        let still_ms = self.ms_at(now).saturating_sub(self.noted_ms.load(SeqCst));
        u128::from(still_ms) > HANGS_AFTER.as_millis()
    }

    fn ms_at(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.begun);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_applier_that_commits_nothing_for_a_minute_hangs() {
        let progress = Progress::default();
        progress.note();
        assert!(!progress.hangs(Instant::now()));
        assert!(progress.hangs(Instant::now() + HANGS_AFTER + Duration::from_secs(1)));
    }
}
