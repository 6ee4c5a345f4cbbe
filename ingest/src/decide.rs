//! What people decide about who is who, on its way into the order: checked, made durable, applied.

use std::sync::PoisonError;
use std::sync::mpsc::TrySendError;
use std::time::Duration;

use codec::id::Scope;
use journal::Position;
use registry::{Decision, DecisionRecord, Void};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::ingest::Ingest;
use crate::shard::decisions::DecisionJob;
use crate::tombstone::Ruling;

/// How often is looked whether it was applied: a page shows what came of it.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why a decision was not taken, or is not known to be applied.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// As things are it cannot be.
    #[error("the decision cannot be: {}", .0.word())]
    Void(Void),
    /// The registry failed.
    #[error("looking at the devices failed")]
    Registry(#[from] registry::Error),
    /// The journal takes nothing now.
    #[error("the journal does not take the decision now")]
    Busy,
    /// It is durable and will be applied, but was not within [`decision_wait_ms`](crate::IngestConfig::decision_wait_ms).
    #[error("the decision is noted, and not applied yet")]
    Late,
}

impl Ingest {
    /// Takes a decision about devices in `scope`: it is durable and applied when this returns, and says what came of it.
    ///
    /// # Errors
    /// [`DecideError`]; only [`DecideError::Late`] leaves something behind.
    pub async fn decide(
        &self,
        scope: &Scope,
        decision: Decision,
    ) -> Result<DecisionRecord, DecideError> {
        let (registry, op, seen) = (self.deciding.clone(), decision.op, scope.clone());
        let checked = tokio::task::spawn_blocking(move || registry.check_decision(&seen, op));
        if let Some(void) = checked.await.map_err(|_| DecideError::Busy)?? {
            return Err(DecideError::Void(void));
        }
        let (reply, placed) = oneshot::channel();
        let ruling = Ruling::Who(decision);
        self.send_decision(DecisionJob { ruling, reply })?;
        let (id, end) = placed.await.map_err(|_| DecideError::Busy)?;
        self.wait_applied(end).await?;
        let registry = self.deciding.clone();
        let found = tokio::task::spawn_blocking(move || registry.decision(id));
        let found = found.await.map_err(|_| DecideError::Busy)??;
        found.ok_or(DecideError::Late)
    }

    /// Waits until what the decisions' journal has before `end` is applied; what takes longer than is waited is applied all the same.
    pub(crate) async fn wait_applied(&self, end: Position) -> Result<(), DecideError> {
        let wait = Duration::from_millis(self.config.decision_wait_ms);
        let until = Instant::now() + wait;
        while wait.is_zero() || self.decided.applied() < end {
            if Instant::now() >= until {
                return Err(DecideError::Late);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    pub(crate) fn send_decision(&self, job: DecisionJob) -> Result<(), DecideError> {
        let decisions = self
            .decisions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (sender, _) = decisions.as_ref().ok_or(DecideError::Busy)?;
        sender.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => DecideError::Busy,
        })
    }
}
