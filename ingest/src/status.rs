//! How the door is doing: for `/healthz` and the manager's own page.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use codec::id::AgentId;
use serde::Serialize;

use crate::ingest::Ingest;

/// How the door is doing: for `/healthz` and the manager's own page.
#[derive(Clone, Debug, Serialize)]
pub struct IngestStatus {
    /// Whether every journal takes reports, or decisions.
    pub is_taking: bool,
    /// Whether the applier runs and gets on.
    pub is_applying: bool,
    /// Whether everything durable is applied.
    pub is_caught_up: bool,
    /// What is in the way of taking or applying; empty when all is well.
    pub hindrances: Vec<Hindrance>,
    /// Reports and decisions that the applier passed over since the start: it or the store fails over them for good.
    pub passed_over: u64,
    /// Why segments of the journal are not archived that should be, and wait on the disk; empty when none does.
    pub archive_trouble: String,
    /// Customers who are not forgotten and whose archived reports cannot be read: a key is missing or damaged.
    pub unreadable_customers: u64,
    /// Refused reports kept for inspection.
    pub quarantined_reports: usize,
    /// Their bytes.
    pub quarantined_bytes: u64,
    /// Numbers that agents skipped.
    pub gaps: Vec<StreamGaps>,
}

/// What is in the way of a part of the door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hindrance {
    /// Whether reports are not taken; else they are not applied.
    pub is_of_taking: bool,
    /// Why, as a stable word: disk-full, journal-error, journal-unavailable, stopping of taking; disk-full,
    /// journal-unread, store-error, store-failed, apply-error, load-error, stands-still, ended of applying.
    pub reason: &'static str,
    /// What failed last, with its causes; empty where the log alone knows.
    pub detail: String,
}

/// Numbers that one stream skipped.
#[derive(Clone, Debug, Serialize)]
pub struct StreamGaps {
    /// The agent.
    pub agent: AgentId,
    /// Its spool.
    pub epoch: String,
    /// The stream.
    pub stream: &'static str,
    /// Missing ranges, inclusive.
    pub ranges: Vec<(u64, u64)>,
}

impl Ingest {
    /// How the door is doing.
    #[must_use]
    pub fn status(&self) -> IngestStatus {
        let (quarantined_reports, quarantined_bytes) = self.quarantine.size();
        let now = Instant::now();
        let is_caught_up = self.is_caught_up();
        let mut hindrances: Vec<Hindrance> = Vec::new();
        hindrances.extend(self.hindered_taking(now).map(|reason| Hindrance {
            is_of_taking: true,
            reason,
            detail: String::new(),
        }));
        let is_taking = hindrances.is_empty();
        hindrances.extend(self.hindered_applying(now));
        IngestStatus {
            is_taking,
            is_applying: hindrances.iter().all(|hindrance| hindrance.is_of_taking),
            is_caught_up,
            hindrances,
            passed_over: self.progress.passed_over_count(),
            archive_trouble: self.archive_trouble(),
            unreadable_customers: self.unreadable_customers(),
            quarantined_reports,
            quarantined_bytes,
            gaps: self.gaps(),
        }
    }

    /// Why a segment is not archived that is due; empty when all are.
    #[must_use]
    pub fn archive_trouble(&self) -> String {
        let mut shards = self.shards.iter();
        let trouble = shards.find_map(|shard| shard.archive().trouble().map(ToOwned::to_owned));
        trouble.unwrap_or_default()
    }

    /// Customers who are not forgotten and whose archived reports cannot be read.
    #[must_use]
    pub fn unreadable_customers(&self) -> u64 {
        u64::try_from(self.metrics.unreadable_customers.get()).unwrap_or(0)
    }

    /// Whether everything durable is applied.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.shards.iter().all(|shard| shard.is_caught_up()) && self.decided.is_caught_up()
    }

    /// Brings the figures up to date that grow while nothing happens: to be called before they are shown.
    pub fn measure(&self) {
        let lag = if self.is_caught_up() {
            Duration::ZERO
        } else {
            self.progress.lag(Instant::now())
        };
        self.metrics.apply_lag_seconds.set(lag.as_secs_f64());
        let unkept = i64::try_from(self.quarantine.unkept()).unwrap_or(i64::MAX);
        self.metrics.quarantine_unkept.set(unkept);
        self.metrics
            .quarantined
            .set(self.quarantine.size().0 as i64);
    }

    fn hindered_taking(&self, now: Instant) -> Option<&'static str> {
        if self.stopping.load(SeqCst) {
            return Some("stopping");
        }
        let mut journals = self.shards.iter().chain([&self.decided]);
        if let Some(reason) = journals.clone().find_map(|journal| journal.fault(now)) {
            return Some(reason);
        }
        journals
            .any(|journal| !journal.is_writable())
            .then_some("journal-unavailable")
    }

    fn hindered_applying(&self, now: Instant) -> Option<Hindrance> {
        let is_running = self
            .applier_thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .is_some_and(|thread| !thread.is_finished());
        let (reason, detail) = if !is_running {
            ("ended", String::new())
        } else if let Some(trouble) = self.progress.trouble(now) {
            (trouble.reason, trouble.detail)
        } else if !self.is_caught_up() && self.progress.hangs(now) {
            ("stands-still", String::new())
        } else {
            return None;
        };
        Some(Hindrance {
            is_of_taking: false,
            reason,
            detail,
        })
    }

    /// Numbers that agents skipped and that have not come, by agent and stream.
    fn gaps(&self) -> Vec<StreamGaps> {
        let mut gaps = Vec::new();
        for shard in &self.shards {
            let ledger = shard.ledger();
            gaps.extend(
                ledger
                    .gaps()
                    .map(|(agent, (epoch, stream), ledger)| StreamGaps {
                        agent: agent.clone(),
                        epoch: epoch.to_string(),
                        stream: stream.name(),
                        ranges: ledger.gaps.iter().map(|gap| (gap.from, gap.to)).collect(),
                    }),
            );
        }
        gaps.sort_by(|a, b| (&a.agent, &a.epoch, a.stream).cmp(&(&b.agent, &b.epoch, b.stream)));
        gaps
    }
}
