//! The seals of a manager that is stopped: what its files say, tombstones that its registry does not know yet (it may come from a backup) included.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use codec::id::{AgentId, TenantId};
use journal::{Disk, StdDisk};
use registry::Registry;

use super::{CustomerKeys, FOLDER, Owners, Seals};
use crate::shard::{DiskFactory, ShardError, decisions};
use crate::tombstone;

/// A registry, and the tombstones in the journal.
struct Stopped {
    registry: Option<Registry>,
    forgotten: BTreeSet<TenantId>,
    agents: BTreeMap<AgentId, TenantId>,
}

impl Seals {
    /// The seals of the manager whose data are in `folder`. Reads the journal of decisions; makes and destroys nothing by itself.
    ///
    /// # Errors
    /// Of the disk, and when a tombstone cannot be read.
    pub fn of_stopped(folder: &Path, registry: Option<Registry>) -> Result<Self, ShardError> {
        let mut stopped = Stopped {
            registry,
            forgotten: BTreeSet::new(),
            agents: BTreeMap::new(),
        };
        let decided = folder.join("journal").join(decisions::FOLDER);
        if decided.is_dir() {
            let disks: DiskFactory =
                Arc::new(|folder| Ok(Box::new(StdDisk::open(folder)?) as Box<dyn Disk>));
            for placed in tombstone::all(&decided, &disks)? {
                let tombstone = placed.tombstone;
                let his = tombstone.agents.into_iter();
                stopped
                    .agents
                    .extend(his.map(|agent| (agent, tombstone.customer)));
                stopped.forgotten.insert(tombstone.customer);
            }
        }
        let keys = CustomerKeys::at(&folder.join(FOLDER));
        Ok(Self::new(Arc::new(keys), Arc::new(stopped)))
    }
}

impl Owners for Stopped {
    fn owner_of(&self, agent: &AgentId) -> Option<TenantId> {
        let known = self.registry.as_ref();
        known
            .and_then(|registry| registry.owner_of(agent))
            .or_else(|| self.agents.get(agent).copied())
    }

    fn is_forgotten(&self, customer: TenantId) -> bool {
        let known = self.registry.as_ref();
        self.forgotten.contains(&customer)
            || known.is_some_and(|registry| registry.is_forgotten(customer))
    }

    fn forgotten(&self) -> Vec<TenantId> {
        let mut forgotten = self.forgotten.clone();
        if let Some(registry) = &self.registry {
            forgotten.extend(Owners::forgotten(registry));
        }
        forgotten.into_iter().collect()
    }
}
