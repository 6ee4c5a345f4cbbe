//! Devices: one with all about it, lists of them, and what an applier starts from.

use std::collections::BTreeSet;

use codec::id::{AgentId, DeviceId, TenantId};
use codec::model::{Identity, MeterSet, SourceKind, Status, Supply, Tray};
use codec::time::Timestamp;
use serde::Serialize;

use super::{AlertItem, FleetItem, FleetRules, PAGE_ITEMS_DEFAULT};
use crate::cursor::Cursor;
use crate::reading::Reading;
use crate::rows::SeenRow;
use crate::words::{EventKind, Quality};

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

/// A question for devices in the order in which they became known; those that turned out to be another are left out.
#[derive(Clone, Debug)]
pub struct DevicesQuery {
    /// Only devices whose identity, site or agent changed at or after this moment.
    pub changed_since: Option<Timestamp>,
    /// Only these sites; `None` for all in scope.
    pub sites: Option<BTreeSet<TenantId>>,
    /// Continue after this.
    pub cursor: Option<Cursor>,
    /// How many to give, up to [`super::PAGE_ITEMS_MAX`].
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

/// How fresh one device is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceFresh {
    /// The device.
    pub device: DeviceId,
    /// Where it stands.
    pub site: TenantId,
    /// Who reads it.
    pub agent: AgentId,
    /// The address it last answered from.
    pub address: Option<String>,
    /// When it was first heard of.
    pub first_seen_at: Timestamp,
    /// When it last answered, by the corrected clock.
    pub observed_at: Option<Timestamp>,
    /// When the manager received that.
    pub received_at: Option<Timestamp>,
    /// Whether a meter of it was ever read.
    pub has_meters: bool,
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
    /// The device that this one turned out to be.
    pub superseded_by: Option<DeviceId>,
    /// When it was first heard of.
    pub first_seen_at: Timestamp,
    /// When its row last changed.
    pub changed_at: Timestamp,
    /// Status and error states, since when, and what the arithmetic of its meters says.
    pub status: Option<(Status, Timestamp, Option<MeterSet>)>,
    /// How old the knowledge is.
    pub seen: Option<SeenRow>,
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
