//! [`Batch`]: everything that the applier learned from a stretch of the journal, to be committed at once (Rule 2).
//!
//! What always holds in it: of each device the latest row of a kind wins; runs are pushed in the order of their places;
//! a run that begins and ends within the batch never appears as open. A batch is reused: [`Batch::clear`] keeps its
//! memory.

mod intern;
mod runs;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use codec::id::{AgentId, DeviceId, TenantId};
use codec::key::{SpoolEpoch, Stream};
use codec::model::{Alert, Identity, MeterSet, SourceKind, Status, Supply, Tray};
use codec::time::Timestamp;

pub(crate) use intern::{Origin, Origins, Texts};
pub(crate) use runs::Runs;

use crate::rows::{
    AgentRow, AlertRow, DeviceRow, EventRow, LevelRow, RunEnd, RunRow, SeenRow, StatusRow,
    SuppliesRow, TraysRow,
};
use crate::words::EventKind;

/// The stretch of one journal shard that a batch covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it begins: what the store has applied so far.
    pub from: u64,
    /// Where it ends: what the store has applied once the batch is committed.
    pub to: u64,
}

/// Rows and positions to be committed at once. See [`crate::Store::apply`].
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) spans: BTreeMap<u16, Span>,
    pub(crate) next_place: u64,
    pub(crate) streams: BTreeMap<(AgentId, SpoolEpoch, Stream), (u64, Timestamp)>,
    pub(crate) devices: HashMap<DeviceId, DeviceCells>,
    pub(crate) statuses: HashMap<DeviceId, StatusCells>,
    pub(crate) seen: Latest<SeenRow>,
    pub(crate) supplies: HashMap<DeviceId, (Vec<Supply>, Timestamp)>,
    pub(crate) trays: HashMap<DeviceId, (Vec<Tray>, Timestamp)>,
    pub(crate) runs: Runs,
    pub(crate) origins: Origins,
    pub(crate) agents: Texts,
    pub(crate) parts: String,
    pub(crate) run_ends: Vec<RunEnd>,
    /// By place: a run may be cut again and again, and the last cut stands.
    pub(crate) run_recuts: BTreeMap<u64, RunEnd>,
    pub(crate) run_confirmed: HashMap<u64, Timestamp>,
    pub(crate) alerts: BTreeMap<u64, AlertCells>,
    pub(crate) alert_ends: BTreeMap<u64, Timestamp>,
    pub(crate) events: Vec<EventCells>,
    pub(crate) levels: Vec<LevelCells>,
    pub(crate) heard: BTreeMap<AgentId, AgentCells>,
    pub(crate) forgotten: Forgotten,
}

/// Sites and agents of which the store keeps nothing.
#[derive(Debug, Default)]
pub(crate) struct Forgotten {
    pub sites: BTreeSet<TenantId>,
    pub agents: BTreeSet<AgentId>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties it and keeps its memory for the next stretch.
    pub fn clear(&mut self) {
        self.spans.clear();
        self.next_place = 0;
        self.streams.clear();
        self.devices.clear();
        self.statuses.clear();
        self.seen.clear();
        self.supplies.clear();
        self.trays.clear();
        self.runs.clear();
        self.origins.clear();
        self.agents.clear();
        self.parts.clear();
        self.run_ends.clear();
        self.run_recuts.clear();
        self.run_confirmed.clear();
        self.alerts.clear();
        self.alert_ends.clear();
        self.events.clear();
        self.levels.clear();
        self.heard.clear();
        self.forgotten.sites.clear();
        self.forgotten.agents.clear();
    }

    /// Says which stretch of a journal shard the batch covers. Several calls for one shard must join: each begins where
    /// the one before ended.
    pub fn covers(&mut self, shard: u16, from: u64, to: u64) {
        assert!(
            from <= to,
            "a stretch of the journal does not run backwards"
        );
        self.spans
            .entry(shard)
            .and_modify(|span| {
                assert!(span.to == from, "the stretches of a batch join");
                span.to = to;
            })
            .or_insert(Span { from, to });
    }

    /// Says which place in the total order comes next after the batch.
    pub fn next_place(&mut self, place: u64) {
        self.next_place = self.next_place.max(place);
    }

    /// Says up to which number a stream is applied, and when the latest device of that report was observed: what a restarted applier tells
    /// repeated reports and wild clocks by.
    pub fn stream(
        &mut self,
        agent: &AgentId,
        epoch: SpoolEpoch,
        stream: Stream,
        sequence: u64,
        observed_at: Timestamp,
    ) {
        let reached = (sequence, observed_at);
        let applied = self
            .streams
            .entry((agent.clone(), epoch, stream))
            .or_insert(reached);
        if applied.0 < sequence {
            *applied = reached;
        }
    }

    /// Who a device is. The first row of any kind for a new device must be in the same batch as this or in a later one.
    pub fn device(&mut self, row: &DeviceRow<'_>) {
        self.devices.insert(
            row.device,
            DeviceCells {
                site: row.site,
                agent: row.agent.clone(),
                source: row.source,
                identity: row.identity.clone(),
                superseded_by: row.superseded_by,
                first_seen_at: row.first_seen_at,
                changed_at: row.changed_at,
            },
        );
    }

    /// The state of a device.
    pub fn status(&mut self, row: &StatusRow<'_>) {
        self.statuses.insert(
            row.device,
            StatusCells {
                status: row.status.clone(),
                meter_set: row.meter_set,
                since: row.since,
            },
        );
    }

    /// How old the knowledge of a device is: once for every device report.
    pub fn seen(&mut self, row: &SeenRow) {
        self.seen.put(row.device, *row);
    }

    /// The supplies of a device, all of them.
    pub fn supplies(&mut self, row: &SuppliesRow<'_>) {
        self.supplies
            .insert(row.device, (row.supplies.to_vec(), row.observed_at));
    }

    /// The trays of a device, all of them.
    pub fn trays(&mut self, row: &TraysRow<'_>) {
        self.trays
            .insert(row.device, (row.trays.to_vec(), row.observed_at));
    }

    /// A run that begins and is now its meter's open run. The one before it must be ended.
    pub fn open_run(&mut self, row: &RunRow<'_>) {
        self.push_run(row, None);
    }

    /// A run that is over already: a reading that arrived late (Rule 4).
    pub fn closed_run(&mut self, row: &RunRow<'_>, superseded_at: Timestamp) {
        self.push_run(row, Some(superseded_at));
    }

    /// The end of an open run, of this batch or an earlier one. It says until when the run stood, whatever was confirmed before.
    pub fn end_run(&mut self, end: RunEnd) {
        self.run_confirmed.remove(&end.place);
        if !self.runs.end(&end) {
            self.run_ends.push(end);
        }
    }

    /// Moves the end of a run that is over: a late reading has extended or split it. What was said before of the same run gives way.
    pub fn recut_run(&mut self, end: RunEnd) {
        if !self.runs.end(&end) {
            self.run_recuts.insert(end.place, end);
        }
    }

    /// Confirms one open run, where [`SeenRow::meters_confirmed_until`] would say too much: the poll read only some of
    /// the device's meters.
    pub fn confirm_run(&mut self, place: u64, until: Timestamp) {
        if !self.runs.confirm(place, until) {
            let latest = self.run_confirmed.entry(place).or_insert(until);
            *latest = (*latest).max(until);
        }
    }

    /// An alert that begins to stand.
    pub fn open_alert(&mut self, row: &AlertRow<'_>) {
        self.alerts.insert(
            row.place,
            AlertCells {
                device: row.device,
                site: row.site,
                alert: row.alert.clone(),
                since: row.since,
                until: None,
            },
        );
    }

    /// The end of an alert, of this batch or an earlier one.
    pub fn end_alert(&mut self, place: u64, until: Timestamp) {
        match self.alerts.get_mut(&place) {
            Some(alert) => alert.until = Some(until),
            None => {
                self.alert_ends.insert(place, until);
            }
        }
    }

    /// Something that happened to a device.
    pub fn event(&mut self, row: &EventRow<'_>) {
        self.events.push(EventCells {
            place: row.place,
            device: row.device,
            site: row.site,
            at: row.at,
            kind: row.kind,
            subject: row.subject.map(str::to_owned),
            before: row.before.map(str::to_owned),
            after: row.after.map(str::to_owned),
        });
    }

    /// A supply's level that differs from the one before.
    pub fn level(&mut self, row: &LevelRow<'_>) {
        self.levels.push(LevelCells {
            device: row.device,
            supply: row.supply.clone(),
            observed_at: row.observed_at,
        });
    }

    /// What was last heard of an agent.
    pub fn agent(&mut self, row: &AgentRow<'_>) {
        self.heard.insert(
            row.agent.clone(),
            AgentCells {
                heard_at: row.heard_at,
                sealed_at: row.sealed_at,
                program: row.program.to_owned(),
                clock_ahead_ms: row.clock_ahead_ms,
            },
        );
    }

    /// Says that a customer is forgotten (Rule 8): before any other row of the batch is written, all that stands under his `sites` goes, and
    /// what is kept of his `agents`. A device that stood elsewhere too stays with what it counted there; one that did not goes whole.
    pub fn forget(
        &mut self,
        sites: impl IntoIterator<Item = TenantId>,
        agents: impl IntoIterator<Item = AgentId>,
    ) {
        self.forgotten.sites.extend(sites);
        self.forgotten.agents.extend(agents);
    }

    /// How many rows would be written: what an applier bounds a batch by.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.devices.len()
            + self.statuses.len()
            + self.seen.rows.len()
            + self
                .supplies
                .values()
                .map(|(rows, _)| rows.len())
                .sum::<usize>()
            + self
                .trays
                .values()
                .map(|(rows, _)| rows.len())
                .sum::<usize>()
            + self.runs.len()
            + self.run_ends.len()
            + self.run_recuts.len()
            + self.run_confirmed.len()
            + self.alerts.len()
            + self.events.len()
            + self.levels.len()
    }

    /// Whether it has neither rows nor positions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.row_count() == 0 && self.spans.is_empty() && self.heard.is_empty()
    }

    fn push_run(&mut self, row: &RunRow<'_>, superseded_at: Option<Timestamp>) {
        let parts_begin = self.parts.len();
        for (oid, value) in row.parts {
            if self.parts.len() > parts_begin {
                self.parts.push(' ');
            }
            self.parts.push_str(oid);
            self.parts.push('=');
            self.parts.push_str(&value.to_string());
        }
        let numbers = (
            self.agents.number(row.agent.as_str()),
            self.origins.number(row),
        );
        let parts = (parts_begin, self.parts.len());
        self.runs.push(row, numbers, superseded_at, parts);
    }
}

/// The latest row of each device, in the order of the devices' first rows.
#[derive(Debug)]
pub(crate) struct Latest<T> {
    at: HashMap<DeviceId, usize>,
    pub(crate) rows: Vec<T>,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self {
            at: HashMap::new(),
            rows: Vec::new(),
        }
    }
}

impl<T> Latest<T> {
    fn put(&mut self, device: DeviceId, row: T) {
        let next = self.rows.len();
        let at = *self.at.entry(device).or_insert(next);
        match self.rows.get_mut(at) {
            Some(place) => *place = row,
            None => self.rows.push(row),
        }
    }

    fn clear(&mut self) {
        self.at.clear();
        self.rows.clear();
    }
}

#[derive(Debug)]
pub(crate) struct DeviceCells {
    pub site: TenantId,
    pub agent: AgentId,
    pub source: SourceKind,
    pub identity: Identity,
    pub superseded_by: Option<DeviceId>,
    pub first_seen_at: Timestamp,
    pub changed_at: Timestamp,
}

#[derive(Debug)]
pub(crate) struct StatusCells {
    pub status: Status,
    pub meter_set: Option<MeterSet>,
    pub since: Timestamp,
}

#[derive(Debug)]
pub(crate) struct AlertCells {
    pub device: DeviceId,
    pub site: TenantId,
    pub alert: Alert,
    pub since: Timestamp,
    pub until: Option<Timestamp>,
}

#[derive(Debug)]
pub(crate) struct EventCells {
    pub place: u64,
    pub device: DeviceId,
    pub site: TenantId,
    pub at: Timestamp,
    pub kind: EventKind,
    pub subject: Option<String>,
    pub before: Option<String>,
    pub after: Option<String>,
}

#[derive(Debug)]
pub(crate) struct LevelCells {
    pub device: DeviceId,
    pub supply: Supply,
    pub observed_at: Timestamp,
}

#[derive(Debug)]
pub(crate) struct AgentCells {
    pub heard_at: Timestamp,
    pub sealed_at: Timestamp,
    pub program: String,
    pub clock_ahead_ms: Option<i64>,
}
