//! The fleet: its pages, counts and facets.

use std::collections::{BTreeMap, BTreeSet};

use codec::id::{AgentId, DeviceId, TenantId};
use codec::model::{Colorant, Identity, MeterSet, Status, SupplyClass, SupplyType};
use codec::time::Timestamp;
use serde::Serialize;

use super::PAGE_ITEMS_DEFAULT;
use crate::words::Quality;

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

/// A question for a page of the fleet. Filters are joined by "and"; devices that turned out to be another are left out.
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
    /// Only devices that do not print, as [`FleetCounts::stopped`] counts them.
    pub stopped: bool,
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
    /// How many to give, up to [`super::PAGE_ITEMS_MAX`].
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
            stopped: false,
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

/// What a supply is of which a device says that some is left, but not how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SomeLeft {
    /// Consumed or filled.
    pub class: SupplyClass,
    /// What it is.
    pub kind: SupplyType,
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
    /// The device that this one turned out to be: then no list of the fleet has this one, and none of its counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<DeviceId>,
    /// Status and error states.
    pub status: Status,
    /// What the arithmetic of its meters says.
    pub meter_set: Option<MeterSet>,
    /// Its toner or ink, as four columns.
    pub levels: Levels,
    /// What runs out first.
    pub lowest: Option<LowestSupply>,
    /// Of the first toner or ink of which the device says that some is left, but not how much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub some_left: Option<SomeLeft>,
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
