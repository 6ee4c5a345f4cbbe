//! How the door is doing: for `/healthz` and the manager's own page.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

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
    /// Refused reports kept for inspection.
    pub quarantined_reports: usize,
    /// Their bytes.
    pub quarantined_bytes: u64,
    /// Numbers that agents skipped.
    pub gaps: Vec<StreamGaps>,
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
        let is_caught_up =
            self.shards.iter().all(|shard| shard.is_caught_up()) && self.decided.is_caught_up();
        let is_running = self
            .applier_thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .is_some_and(|thread| !thread.is_finished());
        IngestStatus {
            is_taking: self.shards.iter().all(|shard| shard.is_writable())
                && self.decided.is_writable()
                && !self.stopping.load(SeqCst),
            is_applying: is_running && (is_caught_up || !self.progress.hangs(Instant::now())),
            is_caught_up,
            quarantined_reports,
            quarantined_bytes,
            gaps: self.gaps(),
        }
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
