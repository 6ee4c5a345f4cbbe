//! What is kept in memory and may be changed in the file by another process: the CLI beside a running manager.
//!
//! Every change of tenants, agents and devices' sites counts a number up, in the same transaction. Whoever looks into memory
//! first looks, at most once a second, whether that number is still what it was.

use std::sync::{PoisonError, TryLockError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::{Registry, locked};

/// For so long, a change made by another process may go unnoticed, such as a token that was revoked.
const NOTICED_AFTER_MS_MAX: u64 = 1_000;

/// What is known of the file.
#[derive(Default)]
pub(crate) struct Freshness {
    looked: Option<Instant>,
    generation: i64,
}

/// How much a look matters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// A look within the last second will do.
    Lately,
    /// Look now.
    Now,
}

impl Registry {
    /// Reads anew what is kept in memory, if another process changed it. When the file cannot be read, what is in memory stays.
    pub(crate) fn notice_changes(&self, notice: Notice) {
        if !self.inner.database.is_shared() {
            return;
        }
        let mut fresh = match (notice, self.inner.fresh.try_lock()) {
            (_, Ok(fresh)) => fresh,
            (_, Err(TryLockError::Poisoned(poisoned))) => PoisonError::into_inner(poisoned),
            (Notice::Lately, Err(TryLockError::WouldBlock)) => return,
            (Notice::Now, Err(TryLockError::WouldBlock)) => locked(&self.inner.fresh),
        };
        let is_fresh = fresh
            .looked
            .is_some_and(|looked| looked.elapsed() < Duration::from_millis(NOTICED_AFTER_MS_MAX));
        if notice == Notice::Lately && is_fresh {
            return;
        }
        fresh.looked = Some(Instant::now());
        match self.reload_if_changed(fresh.generation) {
            Ok(generation) => fresh.generation = generation,
            Err(error) => {
                tracing::warn!(%error, "the registry cannot look for changes; it goes on with what it knows");
            }
        }
    }

    fn reload_if_changed(&self, known: i64) -> Result<i64, Error> {
        let generation = self.inner.database.generation()?;
        if generation != known {
            self.reload_tenants()?;
            self.reload_agents()?;
            self.forget_device_sites();
        }
        Ok(generation)
    }
}
