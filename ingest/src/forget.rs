//! A customer is forgotten (Rule 8): the decision on its way into the order, and the thread that takes him out of every file.
//!
//! The decision ([`crate::tombstone`]) is durable before anything is deleted, is applied in the one order (`apply::forget`), and cannot be
//! undone. What is deleted then is in no answer any more, and still in files. A thread of its own erases it:
//!
//! | what | how |
//! |---|---|
//! | the ledgers in memory and in the next checkpoints | his agents' entries go |
//! | refused reports of his agents | their files go |
//! | his key | destroyed: archives hold nothing readable of his |
//! | live segments of the journal | closed and archived at once, without him |
//! | the registry's file and its log | written anew |
//! | the store's file | written anew; stores that a rebuild put aside go |
//!
//! What always holds: each step can be repeated, and all are until all have succeeded, also after a crash: the registry notes when. A
//! start knows every tombstone before anything is replayed, and takes a registry and keys that were restored from a backup back to where they
//! had been.

use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use codec::id::{AgentId, TenantId};
use codec::time::Timestamp;
use olap::Store;
use registry::{Concerned, ForgottenCustomer, Registry};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::decide::DecideError;
use crate::ingest::Ingest;
use crate::keys::CustomerKeys;
use crate::quarantine::Quarantine;
use crate::shard::ShardShared;
use crate::shard::decisions::DecisionJob;
use crate::tombstone::{Placed, Ruling};

/// How often is looked what remains: segments are archived every second.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long is waited at least after something failed: a full disk that was cleared is noticed soon.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// And so many times as long as it took to fail: while the store is written anew, reports are not applied.
const RETRY_AFTER_TIMES: u32 = 10;

/// What of a forgotten customer is still in files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Remains {
    /// Whether the decision is durable and not applied yet: nothing is deleted then.
    pub unapplied: bool,
    /// Whether refused reports are kept.
    pub quarantine: bool,
    /// Whether his key is there.
    pub key: bool,
    /// Whether the registry's file has deleted rows.
    pub registry_file: bool,
    /// Whether the store's file has deleted rows.
    pub store_file: bool,
    /// Shards of the journal with live segments that were written before.
    pub live_shards: usize,
    /// What failed last; empty when nothing did.
    pub trouble: String,
}

impl Remains {
    fn all(shards: usize) -> Self {
        Self {
            unapplied: true,
            quarantine: true,
            key: true,
            registry_file: true,
            store_file: true,
            live_shards: shards,
            trouble: String::new(),
        }
    }

    /// Whether nothing remains.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// A forgotten customer, and what remains of him.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forgotten {
    /// Who decided it and when.
    #[serde(flatten)]
    pub customer: ForgottenCustomer,
    /// What is still in files; `None` when nothing is.
    pub remains: Option<Remains>,
}

/// What forgetting a customer concerns: what is said before it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toll {
    /// What the registry says.
    pub concerned: Concerned,
    /// Reports that his agents delivered.
    pub reports: u64,
}

/// What the applier, the door and the thread share.
pub(crate) struct Forgetting {
    state: Mutex<State>,
    bell: SyncSender<()>,
}

#[derive(Default)]
struct State {
    /// Tombstones, by customer.
    placed: BTreeMap<TenantId, Placed>,
    remains: BTreeMap<TenantId, Remains>,
}

impl Forgetting {
    /// What is known at a start; the other half is for [`Eraser::run`].
    pub(crate) fn new(placed: Vec<Placed>) -> (Arc<Self>, Receiver<()>) {
        // One ring that was not heard yet says all.
        let (bell, rung) = sync_channel(1);
        let placed = placed
            .into_iter()
            .map(|placed| (placed.tombstone.customer, placed));
        let state = State {
            placed: placed.collect(),
            remains: BTreeMap::new(),
        };
        let state = Mutex::new(state);
        (Arc::new(Self { state, bell }), rung)
    }

    /// A decision was applied.
    pub(crate) fn applied(&self, placed: Placed) {
        let customer = placed.tombstone.customer;
        {
            let mut state = self.lock();
            state.placed.insert(customer, placed);
            state.remains.remove(&customer);
        }
        // When it is full the thread will look anyway.
        let _ = self.bell.try_send(());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes forgotten customers out of every file.
pub(crate) struct Eraser {
    pub forgetting: Arc<Forgetting>,
    pub registry: Registry,
    pub store: Arc<dyn Store>,
    pub keys: Arc<CustomerKeys>,
    pub quarantine: Arc<Quarantine>,
    pub shards: Vec<Arc<ShardShared>>,
    pub decided: Arc<ShardShared>,
}

impl Eraser {
    /// Works until the other end of `stop` is gone.
    pub(crate) fn run(&self, rung: &Receiver<()>, stop: &Receiver<()>) {
        loop {
            let began = std::time::Instant::now();
            // A panic of the engine is as good as an error: everything can be repeated.
            let left = catch_unwind(AssertUnwindSafe(|| self.look()));
            let retry_after = RETRY_AFTER.max(began.elapsed() * RETRY_AFTER_TIMES);
            let wait = match left {
                Ok(Ok(false)) => LOOK_AGAIN,
                Ok(Ok(true)) => retry_after,
                Ok(Err(error)) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "who is to be erased cannot be told now"
                    );
                    retry_after
                }
                Err(_) => retry_after,
            };
            let until = std::time::Instant::now() + wait;
            while std::time::Instant::now() < until {
                match stop.recv_timeout(LOOK_AGAIN.min(Duration::from_millis(100))) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
                if rung.try_recv().is_ok() {
                    break;
                }
            }
        }
    }

    /// Erases what is due. Says whether something failed.
    fn look(&self) -> Result<bool, registry::Error> {
        let mut has_failed = false;
        for customer in self.registry.forgotten()? {
            if customer.erased_at.is_some() {
                continue;
            }
            let customer = customer.customer;
            let end = self
                .forgetting
                .lock()
                .placed
                .get(&customer)
                .map(|placed| placed.end);
            // Without a tombstone in the journal (which was restored from before) the store has applied none.
            let is_applied = end.is_none_or(|end| self.decided.applied() >= end);
            if !is_applied {
                continue;
            }
            let mut remains = {
                let mut state = self.forgetting.lock();
                let known = state.remains.entry(customer);
                known
                    .or_insert_with(|| Remains::all(self.shards.len()))
                    .clone()
            };
            let is_first = remains.unapplied;
            remains.trouble = String::new();
            if let Err(error) = self.erase(customer, &mut remains, is_first) {
                tracing::error!(
                    customer = customer.0,
                    error,
                    "a forgotten customer is not erased from every file yet"
                );
                remains.trouble = error;
                has_failed = true;
            }
            let is_erased = remains.is_nothing();
            self.forgetting.lock().remains.insert(customer, remains);
            if is_erased {
                self.registry
                    .note_erased(customer, Some(Timestamp::now()))?;
                tracing::info!(
                    customer = customer.0,
                    "a forgotten customer is erased from every file"
                );
            }
        }
        Ok(has_failed)
    }

    /// Takes every step that is left.
    fn erase(
        &self,
        customer: TenantId,
        remains: &mut Remains,
        is_first: bool,
    ) -> Result<(), String> {
        let agents = self.registry.forgotten_agents(customer);
        if is_first {
            for shard in &self.shards {
                shard.forget(&agents);
            }
            remains.unapplied = false;
            self.note(customer, remains);
        }
        if remains.quarantine {
            self.quarantine
                .forget(&agents)
                .map_err(|error| format!("refused reports: {error}"))?;
            remains.quarantine = false;
        }
        if remains.key {
            self.keys
                .destroy(customer)
                .map_err(|error| format!("the key: {error}"))?;
            remains.key = false;
            // From now on an archive has nothing of him.
            for shard in &self.shards {
                shard.archive_now();
            }
            self.note(customer, remains);
        }
        if remains.registry_file {
            self.registry
                .erase_deleted()
                .map_err(|error| format!("the registry: {}", chain(&error)))?;
            remains.registry_file = false;
            self.note(customer, remains);
        }
        if remains.store_file {
            self.store
                .erase_deleted()
                .map_err(|error| format!("the store: {}", chain(&error)))?;
            remains.store_file = false;
        }
        remains.live_shards = self
            .shards
            .iter()
            .filter(|shard| !shard.is_sealed())
            .count();
        Ok(())
    }

    fn note(&self, customer: TenantId, remains: &Remains) {
        self.forgetting
            .lock()
            .remains
            .insert(customer, remains.clone());
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told.push_str(": ");
        told.push_str(&error.to_string());
        cause = error.source();
    }
    told
}

impl Ingest {
    /// What forgetting a customer would concern. Blocks.
    ///
    /// # Errors
    /// [`registry::Error::NotFound`] when he is not there, others when the registry fails.
    pub fn toll(&self, customer: TenantId, who: &str) -> Result<Toll, registry::Error> {
        let concerned = self.deciding.concerned(customer, who, Timestamp::now())?;
        let his: HashSet<&AgentId> = concerned.tombstone.agents.iter().collect();
        let mut reports = 0;
        for shard in &self.shards {
            let ledger = shard.ledger();
            for (agent, _, stream) in ledger.streams() {
                if his.contains(agent) {
                    let missing: u64 = stream.gaps.iter().map(|gap| gap.to - gap.from + 1).sum();
                    reports += stream.high.saturating_sub(missing);
                }
            }
        }
        Ok(Toll { concerned, reports })
    }

    /// Forgets a customer: the decision is durable and applied when this returns. What is in files is erased behind that: see
    /// [`Ingest::forgotten`]. It cannot be undone. The caller has seen to it that `who` may.
    ///
    /// # Errors
    /// [`DecideError`]; only [`DecideError::Late`] leaves something behind: the decision, which will be applied.
    pub async fn forget(&self, customer: TenantId, who: &str) -> Result<(), DecideError> {
        let (registry, login) = (self.deciding.clone(), who.to_owned());
        let concerned = tokio::task::spawn_blocking(move || {
            registry.concerned(customer, &login, Timestamp::now())
        });
        let concerned = concerned.await.map_err(|_| DecideError::Busy)??;
        let (reply, placed) = oneshot::channel();
        let ruling = Ruling::Forget(concerned.tombstone);
        self.send_decision(DecisionJob { ruling, reply })?;
        let (_, end) = placed.await.map_err(|_| DecideError::Busy)?;
        self.wait_applied(end).await
    }

    /// The customers that were forgotten, the latest first, and what remains of each. Blocks.
    ///
    /// # Errors
    /// When the registry fails.
    pub fn forgotten(&self) -> Result<Vec<Forgotten>, registry::Error> {
        let customers = self.deciding.forgotten()?;
        let state = self.forgetting.lock();
        let told = customers.into_iter().map(|customer| {
            let known = state.remains.get(&customer.customer).cloned();
            let all = || Remains::all(self.shards.len());
            let remains = match customer.erased_at {
                Some(_) => None,
                None => Some(known.unwrap_or_else(all)),
            };
            Forgotten { customer, remains }
        });
        Ok(told.collect())
    }
}
