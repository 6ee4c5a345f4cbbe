//! The seam between ingest, readers and the engine that keeps the columns.

use std::collections::BTreeMap;

use codec::id::{AgentId, DeviceId, Scope};
use codec::key::{SpoolEpoch, Stream};
use codec::time::Timestamp;
use serde::Serialize;

use crate::ask::{
    AgentHeard, AlertsPage, AlertsQuery, BillingPage, BillingQuery, DeviceDetail, DeviceFresh,
    DeviceState, DevicesPage, DevicesQuery, Facets, FleetCounts, FleetPage, FleetQuery, FleetRules,
    HistoryQuery, LevelHistory, MeterHistory, ReadingsPage, ReadingsQuery,
};
use crate::batch::Batch;
use crate::error::StoreError;
use crate::reading::{Reading, ReadingId};

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Its rows and positions are committed and durable.
    Now,
    /// All that it covers had been applied before; nothing was written.
    Before,
}

/// How far the store is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Positions {
    /// The applied position of each journal shard.
    pub shards: BTreeMap<u16, u64>,
    /// The next place in the total order; 0 for an empty store.
    pub next_place: u64,
}

/// How far a stream of an agent's spool is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamApplied {
    /// The agent.
    pub agent: AgentId,
    /// Which of its spools.
    pub epoch: SpoolEpoch,
    /// Which stream.
    pub stream: Stream,
    /// The highest number applied.
    pub sequence: u64,
    /// When the latest device of that report was observed, by the corrected clock: what later clocks of the agent are judged by. `None`
    /// where a store of an earlier version did not note it.
    pub observed_at: Option<Timestamp>,
}

/// A columnar store. All calls block: async callers use `spawn_blocking`.
///
/// What callers may rely on:
/// - [`Store::apply`] is all or nothing, and durable when it returns `Ok`. One caller applies at a time; others wait.
/// - Questions see whole batches, may be asked from many threads while batches are applied, and never wait for them long.
/// - A question never answers with a device, reading, alert or event outside its [`Scope`], nor counts one.
/// - Lists are in a stable order, and a cursor continues after what was given out: nothing that stays is left out or given
///   twice, however many rows arrive meanwhile.
pub trait Store: Send + Sync {
    /// Commits rows and positions at once.
    ///
    /// # Errors
    /// [`StoreError::PositionGap`] and [`StoreError::PositionOverlap`] when the batch does not continue what is applied;
    /// others when the engine refused it. Nothing of the batch is kept then.
    fn apply(&self, batch: &Batch) -> Result<Applied, StoreError>;

    /// Makes the store's files hold nothing any more that was deleted from it (see [`Batch::forget`]), and removes what it put aside of its
    /// own. It may take long, and batches wait for it; questions wait for a moment.
    ///
    /// # Errors
    /// When the engine or the disk fails. Nothing is lost; the call can be repeated.
    fn erase_deleted(&self) -> Result<(), StoreError>;

    /// How far the store is.
    ///
    /// # Errors
    /// When the engine fails, as with every question below.
    fn positions(&self) -> Result<Positions, StoreError>;

    /// How far each stream is applied.
    ///
    /// # Errors
    /// When the engine fails.
    fn streams(&self) -> Result<Vec<StreamApplied>, StoreError>;

    /// Gives `each` everything that an applier must know of every device, in a stable order: what it starts from.
    ///
    /// # Errors
    /// When the engine fails.
    fn load(&self, each: &mut dyn FnMut(DeviceState)) -> Result<(), StoreError>;

    /// The state of one device, or `None` when the store does not know it.
    ///
    /// # Errors
    /// When the engine fails.
    fn state(&self, device: DeviceId) -> Result<Option<DeviceState>, StoreError>;

    /// A page of the fleet: searched, filtered, sorted.
    ///
    /// # Errors
    /// When the engine fails.
    fn fleet(&self, scope: &Scope, query: &FleetQuery) -> Result<FleetPage, StoreError>;

    /// How many devices there are, and how many need something.
    ///
    /// # Errors
    /// When the engine fails.
    fn fleet_counts(&self, scope: &Scope, rules: &FleetRules) -> Result<FleetCounts, StoreError>;

    /// What the fleet can be filtered by: manufacturers, agents and sites that occur, with their counts.
    ///
    /// # Errors
    /// When the engine fails.
    fn facets(&self, scope: &Scope) -> Result<Facets, StoreError>;

    /// All about one device; `None` when there is none or it is out of scope.
    ///
    /// # Errors
    /// When the engine fails.
    fn device(
        &self,
        scope: &Scope,
        device: DeviceId,
        rules: &FleetRules,
    ) -> Result<Option<DeviceDetail>, StoreError>;

    /// Devices in the order in which they became known.
    ///
    /// # Errors
    /// When the cursor is none of this list, or the engine fails.
    fn devices(&self, scope: &Scope, query: &DevicesQuery) -> Result<DevicesPage, StoreError>;

    /// Readings in the total order.
    ///
    /// # Errors
    /// When the cursor is none of this list, or the engine fails.
    fn readings(&self, scope: &Scope, query: &ReadingsQuery) -> Result<ReadingsPage, StoreError>;

    /// One reading by its id.
    ///
    /// # Errors
    /// When the engine fails.
    fn reading(&self, scope: &Scope, id: &ReadingId) -> Result<Option<Reading>, StoreError>;

    /// One reading per device and meter: the nearest to and not after a cutoff.
    ///
    /// # Errors
    /// When the cursor is none of this list, or the engine fails.
    fn billing(&self, scope: &Scope, query: &BillingQuery) -> Result<BillingPage, StoreError>;

    /// The course of one meter of one device, thinned to at most so many points.
    ///
    /// # Errors
    /// When the engine fails.
    fn meter_history(
        &self,
        scope: &Scope,
        device: DeviceId,
        code: &str,
        query: &HistoryQuery,
    ) -> Result<MeterHistory, StoreError>;

    /// The course of the levels of a device's supplies.
    ///
    /// # Errors
    /// When the engine fails.
    fn level_history(
        &self,
        scope: &Scope,
        device: DeviceId,
        query: &HistoryQuery,
    ) -> Result<LevelHistory, StoreError>;

    /// Alerts in the order in which they began.
    ///
    /// # Errors
    /// When the cursor is none of this list, or the engine fails.
    fn alerts(&self, scope: &Scope, query: &AlertsQuery) -> Result<AlertsPage, StoreError>;

    /// What was last heard of each agent that reads devices in scope; under [`Scope::Everything`], of every agent.
    ///
    /// # Errors
    /// When the engine fails.
    fn agents_heard(&self, scope: &Scope) -> Result<Vec<AgentHeard>, StoreError>;

    /// How fresh each device in scope is; those that turned out to be another are left out.
    ///
    /// # Errors
    /// When the engine fails.
    fn freshness(&self, scope: &Scope) -> Result<Vec<DeviceFresh>, StoreError>;

    /// The memory that the engine takes for itself now, in bytes, by what for; empty where it does not tell, or is too busy to. Never waits.
    ///
    /// # Errors
    /// When the engine fails.
    fn memory(&self) -> Result<Vec<(String, u64)>, StoreError> {
        Ok(Vec::new())
    }
}
