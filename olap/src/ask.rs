//! Questions and answers. A question says what it is about with checked types; the scope comes beside it.

use std::collections::{BTreeMap, BTreeSet};

use codec::id::{AgentId, DeviceId, TenantId};
use codec::model::{
    Alert, AlertSeverity, Basis, Colorant, Identity, Level, MeterSet, SourceKind, Status, Supply,
    SupplyType, Tray,
};
use codec::time::Timestamp;
use serde::Serialize;

use crate::cursor::Cursor;
use crate::reading::Reading;
use crate::words::{EventKind, Quality};

/// The most items of one page: what a browser shows and a caller holds without strain.
pub const PAGE_ITEMS_MAX: u32 = 5_000;
/// The items of a page when nothing was said.
pub const PAGE_ITEMS_DEFAULT: u32 = 50;
/// The most points of a chart: more than any screen has columns.
pub const HISTORY_POINTS_MAX: u32 = 4_000;
/// The longest search, in characters; the rest is not looked at.
pub const SEARCH_CHARS_MAX: usize = 200;
/// The most words of a search; further ones are not looked at.
pub const SEARCH_WORDS_MAX: usize = 8;

/// What counts as fresh, silent and low: the same on every page that counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetRules {
    /// The time of the question.
    pub now: Timestamp,
    /// A device is fresh when it was observed within this time.
    pub fresh_ms: i64,
    /// A device is silent when it was not observed for longer than this.
    pub silent_ms: i64,
    /// A supply is low at this per cent and below.
    pub low_percent: u8,
}

impl FleetRules {
    /// One hour is fresh, a day is silent, 10 % is low.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self {
            now,
            fresh_ms: 3_600_000,
            silent_ms: 86_400_000,
            low_percent: 10,
        }
    }
}

/// What the fleet is sorted by. Devices of which the value is not known come last, in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FleetSort {
    /// By what the device is called, as people sort: umlauts beside their letters, numbers by value.
    #[default]
    Name,
    /// By maker and model.
    Model,
    /// By serial number.
    Serial,
    /// By address.
    Address,
    /// By how much it needs a person: worst first when ascending.
    Status,
    /// By its lowest toner.
    LowestSupply,
    /// By its billed total.
    BilledTotal,
    /// By when it was last observed.
    Seen,
    /// By when it was first heard of.
    FirstSeen,
}

/// A question for a page of the fleet. Filters are joined by "and".
#[derive(Clone, Debug)]
pub struct FleetQuery {
    /// Words that must all occur in the device's name, host name, serial number, model, address, MAC, location or asset
    /// number, however written in capitals; `%` and `_` mean themselves.
    pub search: String,
    /// Sites whose own or customer's name matches the search, as the registry found them: their devices match, too.
    pub search_sites: BTreeSet<TenantId>,
    /// Only devices that need a person: silent, with an error or a critical alert, contradicting meters, or low supplies.
    pub attention: bool,
    /// Only silent devices.
    pub silent: bool,
    /// Only devices with a low supply.
    pub low: bool,
    /// Only devices that have (`true`) or have not (`false`) a coloured supply.
    pub colour: Option<bool>,
    /// Only this maker.
    pub manufacturer: Option<String>,
    /// Only what this agent reads.
    pub agent: Option<AgentId>,
    /// Only these sites (a customer's, for example); `None` for all in scope.
    pub sites: Option<BTreeSet<TenantId>>,
    /// What counts as silent and low.
    pub rules: FleetRules,
    /// Sorted by.
    pub sort: FleetSort,
    /// The other way round.
    pub descending: bool,
    /// How many to leave out.
    pub offset: u64,
    /// How many to give, up to [`PAGE_ITEMS_MAX`].
    pub limit: u32,
    /// Also say what was counted since this moment (the beginning of the month).
    pub counted_since: Option<Timestamp>,
}

impl FleetQuery {
    /// The whole fleet by name, first page.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self {
            search: String::new(),
            search_sites: BTreeSet::new(),
            attention: false,
            silent: false,
            low: false,
            colour: None,
            manufacturer: None,
            agent: None,
            sites: None,
            rules: FleetRules::at(now),
            sort: FleetSort::Name,
            descending: false,
            offset: 0,
            limit: PAGE_ITEMS_DEFAULT,
            counted_since: None,
        }
    }
}

/// The four columns of a fleet's toner, in per cent; `None` where the device has none or does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Levels {
    /// Black.
    pub black: Option<u8>,
    /// Cyan.
    pub cyan: Option<u8>,
    /// Magenta.
    pub magenta: Option<u8>,
    /// Yellow.
    pub yellow: Option<u8>,
}

/// The supply of a device that has least left: toner, ink, ribbon or wax; drums and waste only where it has none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LowestSupply {
    /// What is left.
    pub percent: u8,
    /// What it is.
    pub kind: SupplyType,
    /// Its colour.
    pub colorant: Option<Colorant>,
}

/// Which meter is a device's total, by preference.
pub const BILLED_TOTAL_CODES: [&str; 8] = [
    "total.total.impressions",
    "total.total.sheets",
    "total.total.metres",
    "total.total.feet",
    "print.total.impressions",
    "total.mono.impressions",
    "print.mono.impressions",
    "print.total.metres",
];

/// The value of the total that is billed, with its age.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BilledTotal {
    /// The code of the meter that is this device's total: the first of [`BILLED_TOTAL_CODES`] that it has.
    pub code: String,
    /// As the device says it.
    pub value: u64,
    /// With resets and offsets applied.
    pub continuous: u64,
    /// Since when it has stood.
    pub observed_at: Timestamp,
    /// When it was last read.
    pub confirmed_until: Timestamp,
    /// How far it can be trusted.
    pub quality: Quality,
    /// What was counted since [`FleetQuery::counted_since`], where a reading is old enough to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted: Option<u64>,
}

/// How many alerts of a device stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AlertCounts {
    /// The printer stopped.
    pub critical: u32,
    /// All others.
    pub other: u32,
}

/// A device as a row of the fleet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FleetItem {
    /// The device.
    pub device: DeviceId,
    /// Where it stands.
    pub site: TenantId,
    /// Who reads it.
    pub agent: AgentId,
    /// Who it is.
    pub identity: Identity,
    /// Status and error states.
    pub status: Status,
    /// What the arithmetic of its meters says.
    pub meter_set: Option<MeterSet>,
    /// Its toner or ink, as four columns.
    pub levels: Levels,
    /// What runs out first.
    pub lowest: Option<LowestSupply>,
    /// The total that is billed.
    pub billed_total: Option<BilledTotal>,
    /// Alerts that stand.
    pub alerts: AlertCounts,
    /// When it last answered; `None` when it never did since it was introduced.
    pub observed_at: Option<Timestamp>,
    /// When the manager received that.
    pub received_at: Option<Timestamp>,
    /// Since when none of its meters has changed.
    pub unchanged_since: Option<Timestamp>,
    /// Whether it was not observed for longer than the rules allow.
    pub silent: bool,
    /// When it was first heard of.
    pub first_seen_at: Timestamp,
    /// When its identity, site or agent last changed.
    pub changed_at: Timestamp,
}

/// A page of the fleet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FleetPage {
    /// The devices of this page.
    pub items: Vec<FleetItem>,
    /// How many match in all.
    pub total: u64,
    /// The offset of the next page; `None` on the last.
    pub next_offset: Option<u64>,
}

/// The qualities of an open reading that a person should confirm.
pub const METERS_TO_CONFIRM: [Quality; 2] = [Quality::ResetSuspected, Quality::Conflict];

/// How many devices there are, and how many need something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FleetCounts {
    /// All.
    pub devices: u64,
    /// Observed within the fresh time.
    pub fresh: u64,
    /// Not observed for longer than allowed.
    pub silent: u64,
    /// With a low supply.
    pub low: u64,
    /// That need a person, as [`FleetQuery::attention`] has it.
    pub attention: u64,
    /// With a critical alert or a stopped printer.
    pub stopped: u64,
    /// Whose meters contradict each other or may have been reset: to confirm.
    pub meters_to_confirm: u64,
    /// Alerts that stand, on all devices together.
    pub alerts: u64,
    /// Sites with devices.
    pub sites: u64,
    /// Agents with devices.
    pub agents: u64,
}

/// What the fleet can be filtered by, with the number of devices each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Facets {
    /// Makers, by name.
    pub manufacturers: BTreeMap<String, u64>,
    /// Agents, by id.
    pub agents: BTreeMap<AgentId, u64>,
    /// Sites, by number.
    pub sites: BTreeMap<TenantId, u64>,
}

/// All about one device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceDetail {
    /// What the fleet says of it.
    #[serde(flatten)]
    pub item: FleetItem,
    /// What it is read by.
    pub source: SourceKind,
    /// Since when its status is what it is.
    pub status_since: Option<Timestamp>,
    /// When the agent sent what was last heard of it.
    pub agent_at: Option<Timestamp>,
    /// Its meters as they are now, by code.
    pub meters: Vec<Reading>,
    /// Its supplies, by index.
    pub supplies: Vec<Supply>,
    /// When the supplies were observed so.
    pub supplies_at: Option<Timestamp>,
    /// Its trays, by index.
    pub trays: Vec<Tray>,
    /// When the trays were observed so.
    pub trays_at: Option<Timestamp>,
    /// Alerts that stand, newest first.
    pub alerts_open: Vec<AlertItem>,
    /// What happened to it lately, newest first, [`DEVICE_EVENTS_MAX`] at most.
    pub events: Vec<Event>,
}

/// The events on a device's page: what fits a timeline.
pub const DEVICE_EVENTS_MAX: u32 = 50;

/// An alert with its times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlertItem {
    /// Its id: its place in the total order.
    pub id: u64,
    /// The device.
    pub device: DeviceId,
    /// The site where the device stood.
    pub site: TenantId,
    /// What the device says; `since` in it is the device's own time, where it tells.
    pub alert: Alert,
    /// When it was first observed.
    pub observed_since: Timestamp,
    /// When it was observed to be gone; `None` while it stands.
    pub until: Option<Timestamp>,
}

/// Something that happened to a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its id: its place in the total order.
    pub id: u64,
    /// The device.
    pub device: DeviceId,
    /// When it happened or was noticed.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// How it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// How it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A question for devices in the order in which they became known.
#[derive(Clone, Debug)]
pub struct DevicesQuery {
    /// Only devices whose identity, site or agent changed at or after this moment.
    pub changed_since: Option<Timestamp>,
    /// Only these sites; `None` for all in scope.
    pub sites: Option<BTreeSet<TenantId>>,
    /// Continue after this.
    pub cursor: Option<Cursor>,
    /// How many to give, up to [`PAGE_ITEMS_MAX`].
    pub limit: u32,
    /// What counts as silent.
    pub rules: FleetRules,
}

impl DevicesQuery {
    /// All devices, first page.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self {
            changed_since: None,
            sites: None,
            cursor: None,
            limit: PAGE_ITEMS_DEFAULT,
            rules: FleetRules::at(now),
        }
    }
}

/// A page of devices.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DevicesPage {
    /// The devices of this page.
    pub items: Vec<FleetItem>,
    /// Where to go on; `None` when this was all. A list that is asked again later with the last cursor gives what is new.
    pub next: Option<Cursor>,
    /// How many match in all.
    pub total: u64,
}

/// A question for readings in the total order.
#[derive(Clone, Debug)]
pub struct ReadingsQuery {
    /// Only of this device.
    pub device: Option<DeviceId>,
    /// Only of these sites; `None` for all in scope.
    pub sites: Option<BTreeSet<TenantId>>,
    /// Only readings whose run reaches this moment or goes beyond it.
    pub from: Option<Timestamp>,
    /// Only readings first observed before this moment.
    pub to: Option<Timestamp>,
    /// Only these meters, by code; empty for all.
    pub codes: Vec<String>,
    /// Only what may be used for this.
    pub basis: Option<Basis>,
    /// Continue after this.
    pub cursor: Option<Cursor>,
    /// How many to give, up to [`PAGE_ITEMS_MAX`].
    pub limit: u32,
}

impl Default for ReadingsQuery {
    fn default() -> Self {
        Self {
            device: None,
            sites: None,
            from: None,
            to: None,
            codes: Vec::new(),
            basis: None,
            cursor: None,
            limit: PAGE_ITEMS_DEFAULT,
        }
    }
}

/// What an ERP wants to know of the device beside its readings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeviceBrief {
    /// Serial number.
    pub serial: Option<String>,
    /// Maker.
    pub manufacturer: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Hardware address.
    pub mac: Option<String>,
    /// Host name.
    pub hostname: Option<String>,
    /// Network address.
    pub address: Option<String>,
    /// Location.
    pub location: Option<String>,
    /// Asset number.
    pub asset: Option<String>,
}

/// A page of readings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadingsPage {
    /// The readings of this page.
    pub items: Vec<Reading>,
    /// The devices that these readings are of.
    pub devices: BTreeMap<DeviceId, DeviceBrief>,
    /// Where to go on; `None` when this was all so far.
    pub next: Option<Cursor>,
    /// Where to go on when the list is asked again later for what is new; the given cursor again when nothing was.
    pub resume: Option<Cursor>,
    /// How many match in all.
    pub total: u64,
}

/// A question for one reading per device and meter at a cutoff.
#[derive(Clone, Debug)]
pub struct BillingQuery {
    /// Nearest to and not after this moment.
    pub cutoff: Timestamp,
    /// A value that was last read longer than this before the cutoff is [`Quality::Stale`].
    pub age_ms_max: i64,
    /// Only of this device.
    pub device: Option<DeviceId>,
    /// Only of these sites; `None` for all in scope.
    pub sites: Option<BTreeSet<TenantId>>,
    /// Only these meters, by code; empty for all.
    pub codes: Vec<String>,
    /// What may be used: [`Basis::Billing`] unless somebody chose otherwise.
    pub basis: Option<Basis>,
    /// Continue after this.
    pub cursor: Option<Cursor>,
    /// How many to give, up to [`PAGE_ITEMS_MAX`].
    pub limit: u32,
}

/// The value of a meter at a cutoff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BillingReading {
    /// The reading that stood at the cutoff.
    #[serde(flatten)]
    pub reading: Reading,
    /// When the value was last read, not after the cutoff.
    pub read_at: Timestamp,
    /// The reading's quality, or stale.
    pub billing_quality: Quality,
}

/// A page of billing readings, in the total order of the readings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BillingPage {
    /// The readings of this page.
    pub items: Vec<BillingReading>,
    /// The devices that these readings are of.
    pub devices: BTreeMap<DeviceId, DeviceBrief>,
    /// Where to go on; `None` when this was all.
    pub next: Option<Cursor>,
    /// How many match in all.
    pub total: u64,
}

/// A question for a course over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// From this moment.
    pub from: Timestamp,
    /// Until before this moment.
    pub to: Timestamp,
    /// At most so many points, up to [`HISTORY_POINTS_MAX`].
    pub points_max: u32,
}

/// A value that stood for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MeterPoint {
    /// When it was first observed.
    pub observed_at: Timestamp,
    /// When it was last observed.
    pub confirmed_until: Timestamp,
    /// As the device said it.
    pub value: u64,
    /// With resets and offsets applied.
    pub continuous: u64,
    /// Which period of the meter.
    pub meter_epoch: u32,
    /// How far it can be trusted.
    pub quality: Quality,
}

/// The course of a meter, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MeterHistory {
    /// The points.
    pub points: Vec<MeterPoint>,
    /// How many runs there are in the time; more than points when it was thinned.
    pub runs: u64,
}

/// A supply's level at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LevelPoint {
    /// When it was observed.
    pub observed_at: Timestamp,
    /// What was left.
    pub level: Level,
    /// In per cent, where that can be said.
    pub percent: Option<u8>,
}

/// The course of one supply's level, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LevelCourse {
    /// The supply's index.
    pub index: u32,
    /// What it is.
    pub kind: SupplyType,
    /// Its colour.
    pub colorant: Option<Colorant>,
    /// What the device calls it.
    pub description: String,
    /// The points.
    pub points: Vec<LevelPoint>,
}

/// The courses of a device's supplies, by index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LevelHistory {
    /// One for each supply that was observed in the time.
    pub courses: Vec<LevelCourse>,
}

/// A question for alerts.
#[derive(Clone, Debug)]
pub struct AlertsQuery {
    /// Only of this device.
    pub device: Option<DeviceId>,
    /// Only of these sites; `None` for all in scope.
    pub sites: Option<BTreeSet<TenantId>>,
    /// Only those that stand (`true`) or are over (`false`).
    pub open: Option<bool>,
    /// Only this severity.
    pub severity: Option<AlertSeverity>,
    /// Continue after this.
    pub cursor: Option<Cursor>,
    /// Newest first instead of oldest first; a cursor continues in the direction it came from.
    pub newest_first: bool,
    /// How many to give, up to [`PAGE_ITEMS_MAX`].
    pub limit: u32,
}

impl Default for AlertsQuery {
    fn default() -> Self {
        Self {
            device: None,
            sites: None,
            open: Some(true),
            severity: None,
            cursor: None,
            newest_first: true,
            limit: PAGE_ITEMS_DEFAULT,
        }
    }
}

/// A page of alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlertsPage {
    /// The alerts of this page.
    pub items: Vec<AlertItem>,
    /// The devices that these alerts are of.
    pub devices: BTreeMap<DeviceId, DeviceBrief>,
    /// Where to go on; `None` when this was all.
    pub next: Option<Cursor>,
    /// How many match in all.
    pub total: u64,
}

/// What was last heard of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentHeard {
    /// The agent.
    pub agent: AgentId,
    /// When the manager last received something of it.
    pub heard_at: Timestamp,
    /// When that was sealed, by the agent's clock.
    pub sealed_at: Timestamp,
    /// The version of its program.
    pub program: String,
    /// How far its clock is ahead of the manager's, in milliseconds.
    pub clock_ahead_ms: Option<i64>,
    /// How many devices in scope it reads.
    pub devices: u64,
}

/// Everything that an applier must know of a device to go on: what [`crate::Store::load`] gives.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceState {
    /// The device.
    pub device: DeviceId,
    /// Where it stands.
    pub site: TenantId,
    /// Who reads it.
    pub agent: AgentId,
    /// What it is read by.
    pub source: SourceKind,
    /// Who it is.
    pub identity: Identity,
    /// When it was first heard of.
    pub first_seen_at: Timestamp,
    /// When its row last changed.
    pub changed_at: Timestamp,
    /// Status and error states, since when, and what the arithmetic of its meters says.
    pub status: Option<(Status, Timestamp, Option<MeterSet>)>,
    /// How old the knowledge is.
    pub seen: Option<crate::rows::SeenRow>,
    /// Its supplies.
    pub supplies: Vec<Supply>,
    /// Its trays.
    pub trays: Vec<Tray>,
    /// Alerts that stand.
    pub alerts: Vec<AlertItem>,
    /// Open runs, by place.
    pub runs: Vec<OpenRun>,
}

/// An open run, as much of it as an applier compares with the next value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRun {
    /// Its place.
    pub place: u64,
    /// The meter's code.
    pub code: String,
    /// As the device said it.
    pub value: u64,
    /// With resets and offsets applied.
    pub continuous: u64,
    /// Which period of the meter.
    pub meter_epoch: u32,
    /// When it was first observed.
    pub observed_at: Timestamp,
    /// When it was last observed; the device's `meters_confirmed_until` is counted in.
    pub confirmed_until: Timestamp,
    /// How far it can be trusted.
    pub quality: Quality,
    /// Where it was read.
    pub oid: String,
    /// The profile that read it.
    pub profile: Option<String>,
    /// The site it was opened at.
    pub site: TenantId,
}
