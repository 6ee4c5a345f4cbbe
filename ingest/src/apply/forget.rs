//! The decision that a customer is forgotten, at its place in the order (Rule 8).
//!
//! | step | if the program dies behind it |
//! |---|---|
//! | what came before is committed | the decision comes next |
//! | the registry deletes him: his agents are refused, his reports skipped | again: it deletes what is left, and there is nothing |
//! | the store deletes him, and notes the decision as applied | what is in files is erased after the next start |
//! | the applier goes on from what the store has | |

use std::time::Duration;

use registry::Tombstone;

use super::engine::{ApplyError, PLACE_BITS};
use super::{Applier, Onward, RETRY_MIN};
use crate::feed::{Decided, Next};
use crate::shard::decisions;
use crate::tombstone::Placed;
use olap::Batch;

impl Applier {
    /// Applies the decision, and goes on anew from what the store has then.
    pub(super) fn forget(
        &mut self,
        decided: &Decided,
        tombstone: &Tombstone,
        batch: &mut Batch,
    ) -> Onward {
        if !batch.is_empty() {
            match self.flush(batch) {
                Onward::On => {}
                other => return other,
            }
        }
        let mut retry: Duration = RETRY_MIN;
        while let Err(error) = self.forget_in_registry(tombstone) {
            self.complain(&error);
            if !self.pause(&mut retry) {
                return Onward::End;
            }
        }
        batch.forget(
            tombstone.sites.iter().copied(),
            tombstone.agents.iter().cloned(),
        );
        batch.next_place((decided.stamp + 1) << PLACE_BITS);
        batch.covers(
            decisions::SHARD,
            decided.from.packed(),
            decided.next.packed(),
        );
        self.covered.insert(decisions::SHARD, decided.next);
        self.engine.stamp_applied = Some(decided.stamp);
        match self.flush(batch) {
            Onward::On => {}
            other => return other,
        }
        tracing::warn!(
            customer = tombstone.customer.0,
            who = tombstone.who,
            "a customer was forgotten"
        );
        self.engine.bases.forget(&tombstone.agents);
        self.forgetting.applied(Placed {
            tombstone: tombstone.clone(),
            end: decided.next,
        });
        Onward::Anew
    }

    fn forget_in_registry(&self, tombstone: &Tombstone) -> Result<(), ApplyError> {
        let registry = &self.engine.registry;
        registry.forget_customer(tombstone)?;
        // Also where the registry had forgotten him: the store had not.
        registry.note_erased(tombstone.customer, None)?;
        Ok(())
    }

    /// Whether a report is of nobody that the registry knows: of a forgotten customer's agent, as a rule. It is passed over then.
    pub(super) fn passes_over(&mut self, next: &Next, batch: &mut Batch) -> bool {
        let agent = &next.meta.key.agent;
        let registry = &self.engine.registry;
        if registry.knows_agent(agent) {
            return false;
        }
        self.metrics.skip(if registry.is_forgotten_agent(agent) {
            "forgotten"
        } else {
            "unknown-agent"
        });
        batch.next_place((next.stamp + 1) << PLACE_BITS);
        true
    }
}
