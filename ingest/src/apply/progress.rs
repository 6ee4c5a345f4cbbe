//! Whether the applier gets on, and what keeps it from that.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::metrics::{HinderedLabel, IngestMetrics};

/// The applier hangs when it has work and committed nothing for so long: many times what the largest batch takes.
const HANGS_AFTER: Duration = Duration::from_secs(60);
/// What is tried again is no trouble before it went on for so long: another program's lock is gone by then.
const TROUBLE_AFTER: Duration = Duration::from_secs(5);
/// The part that the metrics call hindered.
const PART: &str = "applier";

/// What keeps the applier from getting on.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// A stable word.
    pub reason: &'static str,
    /// What failed last, with its causes.
    pub detail: String,
    since: Instant,
}

/// When the applier last committed, or had nothing to do.
#[derive(Debug)]
pub struct Progress {
    begun: Instant,
    noted_ms: AtomicU64,
    /// How old the oldest report of the last batch was when that was committed.
    lag_ms: AtomicU64,
    /// Reports and decisions that were passed over since the start.
    passed_over: AtomicU64,
    trouble: Mutex<Option<Trouble>>,
    metrics: IngestMetrics,
}

impl Progress {
    /// Of an applier that begins now.
    #[must_use]
    pub fn new(metrics: IngestMetrics) -> Self {
        Self {
            begun: Instant::now(),
            noted_ms: AtomicU64::new(0),
            lag_ms: AtomicU64::new(0),
            passed_over: AtomicU64::new(0),
            trouble: Mutex::new(None),
            metrics,
        }
    }

    /// Notes that it got on.
    pub fn note(&self) {
        self.noted_ms.store(self.ms_at(Instant::now()), SeqCst);
        if let Some(trouble) = self.lock().take() {
            tracing::info!(reason = trouble.reason, "the applier gets on again");
            self.show(trouble.reason, false);
        }
    }

    /// Notes how old the oldest report of a batch was when that was committed.
    pub fn lagged(&self, lag: Duration) {
        let lag_ms = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
        self.lag_ms.store(lag_ms, SeqCst);
    }

    /// How old, as of `now`, the oldest report is that waits for the applier, at the most, when any does.
    #[must_use]
    pub fn lag(&self, now: Instant) -> Duration {
        let still_ms = self.ms_at(now).saturating_sub(self.noted_ms.load(SeqCst));
        Duration::from_millis(still_ms.saturating_add(self.lag_ms.load(SeqCst)))
    }

    /// Notes that a report or a decision was passed over.
    pub fn passed_over(&self) {
        self.passed_over.fetch_add(1, SeqCst);
    }

    /// How many reports and decisions were passed over since the start.
    #[must_use]
    pub fn passed_over_count(&self) -> u64 {
        self.passed_over.load(SeqCst)
    }

    /// Notes that something failed and is tried again.
    pub fn hindered(&self, reason: &'static str, detail: String) {
        let mut trouble = self.lock();
        let since = trouble.as_ref().map_or_else(Instant::now, |before| {
            if before.reason != reason {
                self.show(before.reason, false);
            }
            before.since
        });
        *trouble = Some(Trouble {
            reason,
            detail,
            since,
        });
        self.show(reason, true);
    }

    /// What keeps it from getting on, as of `now`: a full disk at once, all else when it lasts.
    #[must_use]
    pub fn trouble(&self, now: Instant) -> Option<Trouble> {
        let trouble = self.last_trouble()?;
        let lasts = now.saturating_duration_since(trouble.since) >= TROUBLE_AFTER;
        (lasts || trouble.reason == crate::room::DISK_FULL).then_some(trouble)
    }

    /// What failed last, if nothing succeeded since.
    #[must_use]
    pub fn last_trouble(&self) -> Option<Trouble> {
        self.lock().clone()
    }

    /// Whether at `now` it has not got on for too long.
    #[must_use]
    pub fn hangs(&self, now: Instant) -> bool {
        let still_ms = self.ms_at(now).saturating_sub(self.noted_ms.load(SeqCst));
        u128::from(still_ms) > HANGS_AFTER.as_millis()
    }

    fn show(&self, reason: &'static str, is_hindered: bool) {
        let label = HinderedLabel {
            part: PART.to_owned(),
            reason,
        };
        let gauge = self.metrics.hindered.get_or_create(&label);
        gauge.set(i64::from(is_hindered));
    }

    fn lock(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
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
        let progress = Progress::new(IngestMetrics::default());
        progress.note();
        assert!(!progress.hangs(Instant::now()));
        assert!(progress.hangs(Instant::now() + HANGS_AFTER + Duration::from_secs(1)));
    }

    #[test]
    fn a_full_disk_is_told_at_once_and_what_may_pass_only_when_it_lasts() {
        let progress = Progress::new(IngestMetrics::default());
        let (now, later) = (Instant::now(), Instant::now() + TROUBLE_AFTER * 2);
        progress.hindered("store-error", "locked".to_owned());
        assert!(progress.trouble(now).is_none());
        assert_eq!(progress.trouble(later).unwrap().detail, "locked");
        progress.hindered(crate::room::DISK_FULL, "no room".to_owned());
        assert_eq!(
            progress.trouble(now).unwrap().reason,
            crate::room::DISK_FULL
        );
        progress.note();
        assert!(progress.trouble(later).is_none());
    }
}
