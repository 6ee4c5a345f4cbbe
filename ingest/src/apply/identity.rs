//! Who a device says it is: taken over from the agent that reads it, and told where it changed.
//!
//! A device that two agents reach belongs to one of them: its address, name and site are as that agent sees them. The other's readings count
//! all the same. When the first has been silent for a while, the other takes over.

use codec::id::{DeviceId, TenantId};
use codec::model::{DeviceReport, Identity};
use codec::time::Timestamp;
use olap::Batch;
use olap::rows::{DeviceRow, EventRow, RunEnd};
use olap::words::EventKind;

use super::device::Device;
use super::engine::{Context, Places};
use super::who::Who;

/// When another agent reports a device, it takes over (address, site, name as that agent sees them) after its own was silent for so long.
const HANDOVER_MS: i64 = 2 * 3_600_000;

/// Takes over who the device says it is, and tells what changed.
pub(crate) fn apply(
    device: &mut Device,
    site: TenantId,
    report: &DeviceReport,
    context: &mut Context<'_>,
) {
    let at = context.observed.at;
    let is_new = device.who.is_empty();
    let is_late = !is_new && at < device.seen.observed_at;
    let is_other_agent = device.agent != *context.agent;
    let is_owned = !is_other_agent || at.ms_since(device.agent_seen_at) > HANDOVER_MS;
    if is_late || !(is_new || is_owned) {
        return;
    }
    device.agent_seen_at = at;
    let same = device.who.says(&report.identity) && device.site == site && !is_other_agent;
    if same && device.source == context.source && !is_new {
        return;
    }
    if is_new {
        event(device, context, EventKind::New, None, None);
        device.who = Who::of(&report.identity);
    } else {
        let before = device.who.identity();
        let now = known_or(&report.identity, &before);
        changes(device, site, &before, &now, context);
        device.who = Who::of(&now);
    }
    device.site = site;
    device.source = context.source;
    if is_other_agent {
        device.agent = context.agent.clone();
    }
    put(device, at, context.batch);
}

/// Ends all that stands of a device that turned out to be `now`: no list and no invoice has it beside that one. `kind` says whether
/// evidence or people found out.
pub(crate) fn end(
    device: &mut Device,
    now: DeviceId,
    kind: EventKind,
    at: Timestamp,
    places: &mut Places,
    batch: &mut Batch,
) {
    for run in device.runs.drain(..) {
        batch.end_run(RunEnd {
            place: run.place,
            confirmed_until: run.confirmed_until,
            superseded_at: at.max(run.confirmed_until),
        });
    }
    device.has_ended = true;
    for alert in device.alerts.drain(..) {
        batch.end_alert(alert.place, at);
    }
    device.superseded_by = Some(now);
    put(device, at, batch);
    let (before, after) = (device.id.to_string(), now.to_string());
    tell(device, at, kind, Some(&before), Some(&after), places, batch);
}

/// Writes the device's row.
pub(crate) fn put(device: &Device, at: Timestamp, batch: &mut Batch) {
    batch.device(&DeviceRow {
        device: device.id,
        site: device.site,
        agent: &device.agent,
        source: device.source,
        identity: &device.who.identity(),
        superseded_by: device.superseded_by,
        first_seen_at: device.first_seen_at,
        changed_at: at,
    });
}

/// Tells of something that happened to a device.
pub(crate) fn tell(
    device: &Device,
    at: Timestamp,
    kind: EventKind,
    before: Option<&str>,
    after: Option<&str>,
    places: &mut Places,
    batch: &mut Batch,
) {
    batch.event(&EventRow {
        place: places.next(),
        device: device.id,
        site: device.site,
        at,
        kind,
        subject: None,
        before,
        after,
    });
}

/// What the report says, and what was known where it says nothing: a poll that did not get to an answer is no news.
fn known_or(now: &Identity, before: &Identity) -> Identity {
    let or = |now: &Option<String>, before: &Option<String>| now.clone().or_else(|| before.clone());
    Identity {
        serial: or(&now.serial, &before.serial),
        manufacturer: or(&now.manufacturer, &before.manufacturer),
        model: or(&now.model, &before.model),
        hostname: or(&now.hostname, &before.hostname),
        dns_name: or(&now.dns_name, &before.dns_name),
        address: or(&now.address, &before.address),
        mac: or(&now.mac, &before.mac),
        location: or(&now.location, &before.location),
        contact: or(&now.contact, &before.contact),
        firmware: or(&now.firmware, &before.firmware),
        description: or(&now.description, &before.description),
        object_id: or(&now.object_id, &before.object_id),
        asset: or(&now.asset, &before.asset),
        profile: or(&now.profile, &before.profile),
    }
}

/// One event for each thing that became another.
fn changes(
    device: &Device,
    site: TenantId,
    before: &Identity,
    now: &Identity,
    context: &mut Context<'_>,
) {
    let words = [
        (EventKind::AddressChanged, &before.address, &now.address),
        (EventKind::HostnameChanged, &before.hostname, &now.hostname),
        (EventKind::FirmwareChanged, &before.firmware, &now.firmware),
        (EventKind::IdentityChanged, &before.serial, &now.serial),
        (EventKind::IdentityChanged, &before.mac, &now.mac),
        (EventKind::IdentityChanged, &before.model, &now.model),
    ];
    for (kind, before, now) in words {
        if before != now {
            event(device, context, kind, before.as_deref(), now.as_deref());
        }
    }
    if device.site != site {
        let (before, now) = (device.site.to_string(), site.to_string());
        event(
            device,
            context,
            EventKind::SiteChanged,
            Some(&before),
            Some(&now),
        );
    }
    if device.agent != *context.agent {
        let now = context.agent.clone();
        event(
            device,
            context,
            EventKind::AgentChanged,
            Some(device.agent.as_str()),
            Some(now.as_str()),
        );
    }
}

fn event(
    device: &Device,
    context: &mut Context<'_>,
    kind: EventKind,
    before: Option<&str>,
    after: Option<&str>,
) {
    let at = context.observed.at;
    tell(
        device,
        at,
        kind,
        before,
        after,
        context.places,
        context.batch,
    );
}
