//! A report on its way into the journal: its turn, and its answer.

use std::time::{Duration, Instant};

use bytes::Bytes;
use codec::id::AgentId;
use codec::key::{Receipt, Refusal, ReportKey, SpoolEpoch, Stream};
use tokio::sync::oneshot;

use crate::apply::Needs;
use crate::columns::Kept;
use crate::delivery::Rejection;
use crate::ingest::Permits;
use crate::ledger::Ledger;
use crate::metrics::IngestMetrics;
use crate::record::ReportMeta;
use crate::shard::ShardShared;

/// How long a report waits for its predecessors: longer than reports sent together come apart, too short to be felt where one is
/// missing for good.
const REORDER_WAIT: Duration = Duration::from_millis(200);
/// What an agent is told to wait when the disk does not take its report.
const DISK_RETRY_AFTER: Duration = Duration::from_secs(30);

/// A decoded report on its way into the journal.
pub struct Job {
    /// What the journal keeps beside the bytes.
    pub meta: ReportMeta,
    /// The sealed bytes.
    pub body: Bytes,
    /// What they say, when there was room for it.
    pub columns: Option<Kept>,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Receipt, Rejection>>,
    /// Its share of what may be in flight.
    pub permits: Permits,
}

/// A job that waits for its turn.
pub(super) struct Arrived {
    pub(super) job: Job,
    at: Instant,
}

impl Arrived {
    pub(super) fn now(job: Job) -> Self {
        Self {
            job,
            at: Instant::now(),
        }
    }

    /// How much longer it may wait for those before it.
    pub(super) fn patience(&self) -> Duration {
        REORDER_WAIT.saturating_sub(self.at.elapsed())
    }

    fn stream(&self) -> (&AgentId, SpoolEpoch, Stream) {
        stream_of(&self.job.meta.key)
    }

    const fn sequence(&self) -> u64 {
        self.job.meta.key.sequence
    }
}

const fn stream_of(key: &ReportKey) -> (&AgentId, SpoolEpoch, Stream) {
    (&key.agent, key.epoch, key.stream)
}

/// Sorts reports by their numbers, and holds those back a moment whose predecessors have not come: several are sent at once, and
/// overtake each other on the way and in the decoders. A delta that came before its base would be worth nothing.
pub(super) fn in_order(mut arrived: Vec<Arrived>, ledger: &Ledger) -> (Vec<Job>, Vec<Arrived>) {
    arrived.sort_by(|a, b| {
        a.stream()
            .cmp(&b.stream())
            .then(a.sequence().cmp(&b.sequence()))
    });
    let mut ready: Vec<Job> = Vec::with_capacity(arrived.len());
    let mut waiting = Vec::new();
    let mut expected = 0;
    for (index, next) in arrived.into_iter().enumerate() {
        let begins_stream = index == 0
            || waiting.last().map(Arrived::stream) != Some(next.stream())
                && ready.last().map(|job| stream_of(&job.meta.key)) != Some(next.stream());
        if begins_stream {
            expected = ledger.high(&next.job.meta.key) + 1;
        }
        if next.sequence() > expected && !next.patience().is_zero() {
            waiting.push(next);
        } else {
            expected = expected.max(next.sequence() + 1);
            ready.push(next.job);
        }
    }
    (ready, waiting)
}

/// Answers duplicates: the same receipt again.
pub(super) fn answer(
    duplicates: Vec<Job>,
    metrics: &IngestMetrics,
    needs: &Needs,
    ledger: &ShardShared,
) {
    for job in duplicates {
        metrics.acknowledged.inc();
        metrics.duplicates.inc();
        let key = &job.meta.key;
        let receipt = Receipt {
            need_full: needs.take(&key.agent, key.epoch),
            need_again: ledger.ledger().missing(key),
            ..Receipt::of(key.clone())
        };
        send(job, Ok(receipt));
    }
}

/// Refuses a report for good.
pub(super) fn refuse(job: Job, reason: &str, detail: String) {
    let refusal = Refusal {
        refused: Some(job.meta.key.clone()),
        reason: reason.to_owned(),
        detail,
    };
    send(job, Err(Rejection::Conflict(Box::new(refusal))));
}

/// Sends agents away for a while.
pub(super) fn refuse_all(jobs: Vec<Job>, reason: &'static str) {
    for job in jobs {
        let busy = Rejection::Busy {
            reason,
            retry_after: DISK_RETRY_AFTER,
        };
        send(job, Err(busy));
    }
}

/// Gives the answer.
pub(super) fn send(job: Job, answer: Result<Receipt, Rejection>) {
    // An agent that hung up asks again.
    let _ = job.reply.send(answer);
}
