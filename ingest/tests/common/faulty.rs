//! A store that fails when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};

use codec::id::{DeviceId, Scope};
use olap::ask::{
    AgentHeard, AlertsPage, AlertsQuery, BillingPage, BillingQuery, DeviceDetail, DeviceFresh,
    DeviceState, DevicesPage, DevicesQuery, Facets, FleetCounts, FleetPage, FleetQuery, FleetRules,
    HistoryQuery, LevelHistory, MeterHistory, ReadingsPage, ReadingsQuery,
};
use olap::{Applied, Batch, Positions, Reading, ReadingId, Store, StoreError, StreamApplied};

/// A store that fails when it is told to.
pub struct Faulty {
    pub inner: Arc<dyn Store>,
    /// Whether asking for readings panics.
    pub panics: AtomicBool,
    /// How many questions for readings fail.
    pub fails: AtomicU32,
    /// How many batches are refused.
    pub refuses: AtomicU32,
    /// How often erasing what was deleted fails.
    pub fails_to_erase: AtomicU32,
    /// Whether no batch is taken, for what is no batch's fault.
    pub is_away: AtomicBool,
    /// Batches of so many rows and more make it panic: none when 0.
    pub panics_over_rows: AtomicUsize,
    /// How often it panicked over a batch.
    pub panicked: AtomicU32,
    /// How often all devices were loaded.
    pub loads: AtomicU32,
}

impl Faulty {
    pub fn around(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            panics: AtomicBool::new(false),
            fails: AtomicU32::new(0),
            refuses: AtomicU32::new(0),
            is_away: AtomicBool::new(false),
            panics_over_rows: AtomicUsize::new(0),
            panicked: AtomicU32::new(0),
            fails_to_erase: AtomicU32::new(0),
            loads: AtomicU32::new(0),
        })
    }
}

impl Store for Faulty {
    fn apply(&self, batch: &Batch) -> Result<Applied, StoreError> {
        if self.is_away.load(SeqCst) {
            return Err(StoreError::Busy { waited_ms: 1 });
        }
        let limit = self.panics_over_rows.load(SeqCst);
        if limit > 0 && batch.row_count() >= limit {
            self.panicked.fetch_add(1, SeqCst);
            panic!("told to");
        }
        let left = self.refuses.load(SeqCst);
        if left > 0 {
            self.refuses.store(left - 1, SeqCst);
            return Err(StoreError::TooManyMeters);
        }
        self.inner.apply(batch)
    }

    fn erase_deleted(&self) -> Result<(), StoreError> {
        let left = self.fails_to_erase.load(SeqCst);
        if left > 0 {
            self.fails_to_erase.store(left - 1, SeqCst);
            return Err(StoreError::TooManyMeters);
        }
        self.inner.erase_deleted()
    }

    fn positions(&self) -> Result<Positions, StoreError> {
        self.inner.positions()
    }

    fn streams(&self) -> Result<Vec<StreamApplied>, StoreError> {
        self.inner.streams()
    }

    fn load(&self, each: &mut dyn FnMut(DeviceState)) -> Result<(), StoreError> {
        self.loads.fetch_add(1, SeqCst);
        self.inner.load(each)
    }

    fn state(&self, device: DeviceId) -> Result<Option<DeviceState>, StoreError> {
        self.inner.state(device)
    }

    fn fleet(&self, scope: &Scope, query: &FleetQuery) -> Result<FleetPage, StoreError> {
        self.inner.fleet(scope, query)
    }

    fn fleet_counts(&self, scope: &Scope, rules: &FleetRules) -> Result<FleetCounts, StoreError> {
        self.inner.fleet_counts(scope, rules)
    }

    fn facets(&self, scope: &Scope) -> Result<Facets, StoreError> {
        self.inner.facets(scope)
    }

    fn device(
        &self,
        scope: &Scope,
        device: DeviceId,
        rules: &FleetRules,
    ) -> Result<Option<DeviceDetail>, StoreError> {
        self.inner.device(scope, device, rules)
    }

    fn devices(&self, scope: &Scope, query: &DevicesQuery) -> Result<DevicesPage, StoreError> {
        self.inner.devices(scope, query)
    }

    fn readings(&self, scope: &Scope, query: &ReadingsQuery) -> Result<ReadingsPage, StoreError> {
        assert!(!self.panics.load(SeqCst), "told to");
        let left = self.fails.load(SeqCst);
        if left > 0 {
            self.fails.store(left - 1, SeqCst);
            return Err(StoreError::TooManyMeters);
        }
        self.inner.readings(scope, query)
    }

    fn reading(&self, scope: &Scope, id: &ReadingId) -> Result<Option<Reading>, StoreError> {
        self.inner.reading(scope, id)
    }

    fn billing(&self, scope: &Scope, query: &BillingQuery) -> Result<BillingPage, StoreError> {
        self.inner.billing(scope, query)
    }

    fn meter_history(
        &self,
        scope: &Scope,
        device: DeviceId,
        code: &str,
        query: &HistoryQuery,
    ) -> Result<MeterHistory, StoreError> {
        self.inner.meter_history(scope, device, code, query)
    }

    fn level_history(
        &self,
        scope: &Scope,
        device: DeviceId,
        query: &HistoryQuery,
    ) -> Result<LevelHistory, StoreError> {
        self.inner.level_history(scope, device, query)
    }

    fn alerts(&self, scope: &Scope, query: &AlertsQuery) -> Result<AlertsPage, StoreError> {
        self.inner.alerts(scope, query)
    }

    fn agents_heard(&self, scope: &Scope) -> Result<Vec<AgentHeard>, StoreError> {
        self.inner.agents_heard(scope)
    }

    fn freshness(&self, scope: &Scope) -> Result<Vec<DeviceFresh>, StoreError> {
        self.inner.freshness(scope)
    }
}
