//! What the applier knows of a device: as much as it takes to tell what a report changes.

use std::hash::{DefaultHasher, Hash, Hasher};

use codec::id::{AgentId, DeviceId, TenantId};
use codec::model::{Alert, AlertSeverity, Level, MeterSet, SourceKind, Status, Supply, Tray};
use codec::time::Timestamp;
use olap::ask::DeviceState;
use olap::rows::SeenRow;

use super::late::Known;
use super::meter_key::{MeterKey, MeterKeys};
use super::meters::Run;
use super::who::Who;

/// A device as the store and the batch at hand have it.
#[derive(Debug)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Where it stands.
    pub site: TenantId,
    /// Who reads it.
    pub agent: AgentId,
    /// When that agent last did.
    pub agent_seen_at: Timestamp,
    /// What it is read by.
    pub source: SourceKind,
    /// Who it is.
    pub who: Who,
    /// The device that it turned out to be.
    pub superseded_by: Option<DeviceId>,
    /// When it was first heard of.
    pub first_seen_at: Timestamp,
    /// Its state, since when, and when it was last read.
    pub status: Option<Status>,
    /// When the state began.
    pub status_since: Timestamp,
    /// When the state was last read.
    pub status_at: Timestamp,
    /// What the arithmetic of its meters says.
    pub meter_set: Option<MeterSet>,
    /// Its supplies.
    pub supplies: Vec<SupplyTrace>,
    /// The hash of all that is known of them.
    pub supplies_hash: Option<u64>,
    /// When they were last read.
    pub supplies_at: Timestamp,
    /// The hash of all that is known of its trays.
    pub trays_hash: Option<u64>,
    /// When they were last read.
    pub trays_at: Timestamp,
    /// Alerts that stand.
    pub alerts: Vec<StandingAlert>,
    /// When they were last read.
    pub alerts_at: Timestamp,
    /// How old the knowledge is.
    pub seen: SeenRow,
    /// One open run per meter.
    pub runs: Vec<Run>,
    /// Runs that ended lately, of all meters; [`super::history::Recents`] bounds them.
    pub recent: Vec<(MeterKey, Known)>,
    /// Whether runs may have ended that no other run followed: it was another device for a while, or came from the store, which does not say.
    pub has_ended: bool,
    /// Whether the batch at hand has runs of it.
    pub has_uncommitted: bool,
}

/// As much of a supply as tells whether its level changed and whether it was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupplyTrace {
    /// The row's index.
    pub index: u32,
    /// The hash of what it is: class, type, colorant, description.
    pub what: u64,
    /// The hash of its serial number.
    pub serial: Option<u64>,
    /// Its level.
    pub level: Level,
    /// Its level in per cent.
    pub percent: Option<u32>,
}

impl SupplyTrace {
    /// The trace of a supply.
    #[must_use]
    pub fn of(supply: &Supply) -> Self {
        Self {
            index: supply.index,
            what: hash_of(&(
                supply.class,
                supply.kind,
                supply.colorant,
                &supply.description,
            )),
            serial: supply.serial.as_ref().map(hash_of),
            level: supply.level,
            percent: supply.percent(),
        }
    }
}

/// An alert that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandingAlert {
    /// Its id in the store.
    pub place: u64,
    /// What it is.
    pub key: AlertKey,
}

/// What makes two alerts the same: everything but the row they stand in and when they began, since devices renumber their tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertKey {
    severity: AlertSeverity,
    group_index: Option<u32>,
    words: u64,
}

impl AlertKey {
    /// The key of an alert.
    #[must_use]
    pub fn of(alert: &Alert) -> Self {
        Self {
            severity: alert.severity,
            group_index: alert.group_index,
            words: hash_of(&(&alert.group, &alert.code, &alert.description)),
        }
    }
}

/// A hash that is the same within one process.
pub fn hash_of<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Device {
    /// A device that was not known.
    #[must_use]
    pub fn new(
        id: DeviceId,
        site: TenantId,
        agent: &AgentId,
        source: SourceKind,
        seen: SeenRow,
    ) -> Self {
        Self {
            id,
            site,
            agent: agent.clone(),
            agent_seen_at: seen.observed_at,
            source,
            who: Who::default(),
            superseded_by: None,
            first_seen_at: seen.observed_at,
            status: None,
            status_since: Timestamp::default(),
            status_at: NEVER,
            meter_set: None,
            supplies: Vec::new(),
            supplies_hash: None,
            supplies_at: NEVER,
            trays_hash: None,
            trays_at: NEVER,
            alerts: Vec::new(),
            alerts_at: NEVER,
            seen,
            runs: Vec::new(),
            recent: Vec::new(),
            has_ended: false,
            has_uncommitted: false,
        }
    }

    /// A device as the store has it.
    #[must_use]
    pub fn load(state: DeviceState, keys: &mut MeterKeys) -> Self {
        let seen = state.seen.unwrap_or(SeenRow {
            device: state.device,
            observed_at: state.first_seen_at,
            agent_at: state.first_seen_at,
            received_at: state.first_seen_at,
            meters_confirmed_until: None,
            unchanged_since: None,
        });
        let mut device = Self::new(state.device, state.site, &state.agent, state.source, seen);
        device.who = Who::of(&state.identity);
        device.superseded_by = state.superseded_by;
        device.first_seen_at = state.first_seen_at;
        if let Some((status, since, meter_set)) = state.status {
            device.status = Some(status);
            device.status_since = since;
            device.meter_set = meter_set;
        }
        // An empty list and one that was never read look the same in the store; the first report after a start says it again.
        if !state.supplies.is_empty() {
            device.supplies_hash = Some(supplies_hash(&state.supplies));
            device.supplies = state.supplies.iter().map(SupplyTrace::of).collect();
        }
        if !state.trays.is_empty() {
            device.trays_hash = Some(trays_hash(&state.trays));
        }
        device.alerts = state
            .alerts
            .iter()
            .map(|item| StandingAlert {
                place: item.id,
                key: AlertKey::of(&item.alert),
            })
            .collect();
        device.runs = state
            .runs
            .iter()
            .filter_map(|run| Run::load(run, keys))
            .collect();
        device.has_ended = true;
        // When each part was last read is not stored: nothing older than the device's last report replaces it.
        for at in [
            &mut device.status_at,
            &mut device.supplies_at,
            &mut device.trays_at,
            &mut device.alerts_at,
        ] {
            *at = device.seen.observed_at;
        }
        device
    }
}

/// Before every observation.
pub const NEVER: Timestamp = Timestamp::from_unix_ms(i64::MIN);

/// The hash of all supplies.
#[must_use]
pub fn supplies_hash(supplies: &[Supply]) -> u64 {
    hash_of(supplies)
}

/// The hash of all trays.
#[must_use]
pub fn trays_hash(trays: &[Tray]) -> u64 {
    hash_of(trays)
}
