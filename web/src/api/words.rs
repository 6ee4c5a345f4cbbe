//! The JSON that goes out. A device reads like a device report (the design page's words), with what the manager knows beside it.

pub(crate) mod shapes;

use codec::id::{AgentId, DeviceId, TenantId};
use codec::model::{
    AlertSeverity, Basis, Colour, Identity, MeterPart, MeterSet, MeterUnit, Sides, SourceKind,
    Status, Supply, Tray, Work,
};
use codec::time::Timestamp;
use olap::Reading;
use olap::ask::{
    AlertCounts, AlertItem, BilledTotal, DeviceDetail, FleetItem, Levels, LowestSupply,
};
use olap::words::{Quality, ReadReason};
use registry::{Agent, Level as TenantLevel, Tenant};
use serde::Serialize;
use utoipa::ToSchema;

use shapes::{
    AlertCountWords, BilledWords, IdentityWords, LevelsWords, LowestWords, PartWords, StatusWords,
    SupplyWords, TrayWords,
};

use crate::pages::people::{Tenants, device_name};

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The items, in the list's order.
    pub(crate) items: Vec<T>,
    /// Give this as `cursor` to go on; null when this was all.
    pub(crate) next: Option<String>,
    /// How many items the whole list has.
    pub(crate) total: u64,
}

/// Where a device stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Place {
    /// The site's number.
    #[schema(value_type = i64)]
    id: TenantId,
    /// The site's name.
    name: String,
    /// The customer's name.
    customer: String,
    /// The customer's number in the ERP, where it is known.
    customer_no: Option<String>,
    /// The site's time zone: its month ends there.
    time_zone: String,
}

impl Place {
    fn of(tenants: &Tenants, site: TenantId) -> Self {
        Self {
            id: site,
            name: tenants.name(site).to_owned(),
            customer: tenants.customer(site).to_owned(),
            customer_no: tenants
                .parent(site)
                .and_then(|customer| customer.number.clone()),
            time_zone: tenants.zone_name(site).to_owned(),
        }
    }
}

/// A device as an item of the list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Device {
    /// The device's id, for ever.
    #[schema(value_type = String)]
    id: DeviceId,
    /// What pages call it.
    name: String,
    /// Where it stands.
    site: Place,
    /// Who reads it.
    #[schema(value_type = String)]
    agent: AgentId,
    /// When it was first heard of.
    #[schema(value_type = String, format = DateTime)]
    first_seen: Timestamp,
    /// When it last answered; null when it never did.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_seen: Option<Timestamp>,
    /// When its identity, site or agent last changed.
    #[schema(value_type = String, format = DateTime)]
    changed_at: Timestamp,
    /// Whether it has not answered for longer than a day.
    silent: bool,
    /// Who it is.
    #[schema(value_type = IdentityWords)]
    identity: Identity,
    /// Status and error states.
    #[schema(value_type = StatusWords)]
    status: Status,
    /// What the arithmetic of its meters says: unverified, verified, conflicting.
    #[schema(value_type = Option<String>)]
    meter_set: Option<MeterSet>,
    /// Black, cyan, magenta and yellow in per cent; null where the device has none or does not say.
    #[schema(value_type = LevelsWords)]
    levels: Levels,
    /// What runs out first.
    #[schema(value_type = Option<LowestWords>)]
    lowest: Option<LowestSupply>,
    /// The total that is billed.
    #[schema(value_type = Option<BilledWords>)]
    billed_total: Option<BilledTotal>,
    /// How many alerts stand.
    #[schema(value_type = AlertCountWords)]
    alert_counts: AlertCounts,
}

impl Device {
    pub(crate) fn of(tenants: &Tenants, item: FleetItem) -> Self {
        Self {
            id: item.device,
            name: device_name(&item.identity, item.device),
            site: Place::of(tenants, item.site),
            agent: item.agent,
            first_seen: item.first_seen_at,
            last_seen: item.observed_at,
            changed_at: item.changed_at,
            silent: item.silent,
            identity: item.identity,
            status: item.status,
            meter_set: item.meter_set,
            levels: item.levels,
            lowest: item.lowest,
            billed_total: item.billed_total,
            alert_counts: item.alerts,
        }
    }
}

/// All about a device: a device report, and what the manager knows beside it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceReport {
    /// What the list says of it.
    #[serde(flatten)]
    device: Device,
    /// When the device gave these values; null when it never answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    observed_at: Option<Timestamp>,
    /// What it is read by: snmp, usb.
    #[schema(value_type = String)]
    source: SourceKind,
    /// Its meters as they are now.
    meters: Vec<Meter>,
    /// Its supplies.
    #[schema(value_type = Vec<SupplyWords>)]
    supplies: Vec<Supply>,
    /// Its trays.
    #[schema(value_type = Vec<TrayWords>)]
    trays: Vec<Tray>,
    /// The alerts that stand.
    alerts: Vec<Alert>,
}

impl DeviceReport {
    pub(crate) fn of(tenants: &Tenants, detail: DeviceDetail) -> Self {
        Self {
            observed_at: detail.item.observed_at,
            source: detail.source,
            meters: detail.meters.into_iter().map(Meter::of).collect(),
            supplies: detail.supplies,
            trays: detail.trays,
            alerts: detail.alerts_open.into_iter().map(Alert::of).collect(),
            device: Device::of(tenants, detail.item),
        }
    }
}

/// A meter as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Meter {
    /// The meter's code: work.colour.unit, with size and sides where counted apart, and `engine.` before it when it is not billed.
    code: String,
    /// What the device did: total, print, copy, fax, scan.
    #[schema(value_type = String)]
    work: Work,
    /// total, mono, colour, single-colour, full-colour.
    #[schema(value_type = String)]
    colour: Colour,
    /// What is counted: impressions, sheets, images, feet, metres, hours, other.
    #[schema(value_type = String)]
    unit: MeterUnit,
    /// Media size, where counted apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<String>,
    /// simplex or duplex, where counted apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    sides: Option<Sides>,
    /// As the device says it, or as computed from the parts.
    value: u64,
    /// With resets and offsets applied.
    continuous: u64,
    /// billing: an invoice may rest on it. engine: cycles of the print engine.
    #[schema(value_type = String)]
    basis: Basis,
    /// Where it was read; of a computed meter, the first part's OID.
    oid: String,
    /// The profile that read it, with its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    /// Of a computed meter: OID and value of each part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<PartWords>)]
    parts: Vec<MeterPart>,
    /// How far it can be trusted: ok, manual, resetSuspected, conflict.
    #[schema(value_type = String)]
    quality: Quality,
    /// When this value was first read.
    #[schema(value_type = String, format = DateTime)]
    observed_at: Timestamp,
    /// When it was last read with this value.
    #[schema(value_type = String, format = DateTime)]
    confirmed_until: Timestamp,
    /// The reading it is, as the readings name it.
    reading: String,
}

impl Meter {
    fn of(reading: Reading) -> Self {
        Self {
            reading: reading.id.to_string(),
            code: reading.code,
            work: reading.work,
            colour: reading.colour,
            unit: reading.unit,
            size: reading.size,
            sides: reading.sides,
            value: reading.value,
            continuous: reading.continuous,
            basis: reading.basis,
            oid: reading.oid,
            profile: reading.profile,
            parts: reading.parts,
            quality: reading.quality,
            observed_at: reading.observed_at,
            confirmed_until: reading.confirmed_until,
        }
    }
}

/// An alert that stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alert {
    /// other, critical, warning, warningBinaryChangeEvent (RFC 3805).
    #[schema(value_type = String)]
    severity: AlertSeverity,
    /// The alert group's name in RFC 3805, or its number.
    group: String,
    /// The row of the group's table it speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    group_index: Option<u32>,
    /// The alert code's name in RFC 3805, or its number.
    code: String,
    /// What the device says.
    description: String,
    /// When it began: by the device where it tells, else when it was first observed.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

impl Alert {
    fn of(item: AlertItem) -> Self {
        Self {
            severity: item.alert.severity,
            group: item.alert.group,
            group_index: item.alert.group_index,
            code: item.alert.code,
            description: item.alert.description,
            since: item.alert.since.unwrap_or(item.observed_since),
        }
    }
}

/// A reading: one value of one meter, from when it was first read until it was last confirmed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReadingWords {
    /// The device.
    #[schema(value_type = String)]
    device: DeviceId,
    /// The number of the site where the device stood when the value was first read.
    #[schema(value_type = i64)]
    site: TenantId,
    /// The device's serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    /// The meter and its value. Its `reading` is the stable id.
    #[serde(flatten)]
    meter: Meter,
    /// Which period of the meter: a reset or another board ends one and begins the next, from 0.
    meter_epoch: u32,
    /// When a different value was read after it; absent while it is the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    superseded_at: Option<Timestamp>,
    /// When the agent sent it.
    #[schema(value_type = String, format = DateTime)]
    agent_at: Timestamp,
    /// When the manager received it.
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    /// Whether `observed_at` was corrected for the agent's clock.
    clock_corrected: bool,
    /// Why it was read: scheduled, triggered, requested, entered.
    #[schema(value_type = String)]
    reason: ReadReason,
    /// What it was read by: snmp, usb.
    #[schema(value_type = String)]
    source: SourceKind,
}

impl ReadingWords {
    pub(crate) fn of(reading: Reading, serial: Option<String>) -> Self {
        Self {
            device: reading.device,
            site: reading.site,
            serial,
            meter_epoch: reading.meter_epoch,
            superseded_at: reading.superseded_at,
            agent_at: reading.agent_at,
            received_at: reading.received_at,
            clock_corrected: reading.clock_corrected,
            reason: reading.reason,
            source: reading.source,
            meter: Meter::of(reading),
        }
    }
}

/// A dealer, a customer or a site.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TenantWords {
    /// Its number here.
    #[schema(value_type = i64)]
    id: TenantId,
    /// dealer, customer or site.
    level: &'static str,
    /// The number of the tenant above; null for a dealer.
    #[schema(value_type = Option<i64>)]
    parent: Option<TenantId>,
    /// Unique among its siblings.
    name: String,
    /// What the ERP calls it.
    number: Option<String>,
    /// Of a site: its IANA time zone.
    time_zone: Option<String>,
}

impl TenantWords {
    pub(crate) fn of(tenant: Tenant) -> Self {
        Self {
            id: tenant.id,
            level: TenantLevel::word(tenant.level),
            parent: tenant.parent,
            name: tenant.name,
            number: tenant.number,
            time_zone: tenant.time_zone,
        }
    }
}

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentWords {
    /// What it calls itself in reports.
    #[schema(value_type = String)]
    id: AgentId,
    /// What people call it.
    name: String,
    /// The number of the site where it stands.
    #[schema(value_type = i64)]
    site: TenantId,
    /// Whether it is barred or has no key.
    disabled: bool,
    /// Since when it has the key that it uses; null without one.
    #[schema(value_type = Option<String>, format = DateTime)]
    key_since: Option<Timestamp>,
    /// Until when an unused enrolment token is good; null without one.
    #[schema(value_type = Option<String>, format = DateTime)]
    enrols_until: Option<Timestamp>,
    /// When the manager last received something of it; null when it never did.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_heard: Option<Timestamp>,
    /// The version of its program.
    program: Option<String>,
    /// How many devices it reads.
    devices: u64,
}

impl AgentWords {
    pub(crate) fn of(agent: Agent, heard: Option<&olap::ask::AgentHeard>) -> Self {
        Self {
            id: agent.id,
            name: agent.name,
            site: agent.site,
            disabled: agent.disabled || !agent.has_token,
            key_since: agent.key_since,
            enrols_until: agent.enrols_until,
            last_heard: heard.map(|heard| heard.heard_at),
            program: heard.map(|heard| heard.program.clone()),
            devices: heard.map_or(0, |heard| heard.devices),
        }
    }
}

/// A one-time token with which an agent enrols.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EnrolmentWords {
    /// The agent.
    pub(crate) agent: AgentWords,
    /// The token. It is shown this once; only its hash is kept.
    pub(crate) token: String,
    /// Until when it is good.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
    /// What to run where the agent stands.
    pub(crate) command: String,
}

/// An agent that was just added.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewAgentWords {
    /// The agent.
    pub(crate) agent: AgentWords,
    /// Its bearer token. It is shown this once; only its hash is kept.
    pub(crate) token: String,
}
