//! Status, supplies, trays and alerts: what stands now replaces what stood before, and what began or ended is told.
//!
//! What was read before something that is known already (a late report) changes nothing: these parts say how a device is, not how it was.

use codec::model::{Alert, MeterSet, Status, Supply, Tray};
use codec::time::Timestamp;
use olap::Batch;
use olap::rows::{AlertRow, EventRow, LevelRow, StatusRow, SuppliesRow, TraysRow};
use olap::words::EventKind;

use super::device::{AlertKey, Device, StandingAlert, SupplyTrace, supplies_hash, trays_hash};
use super::engine::Places;

/// A supply that rises by so many per cent was replaced, or filled: sensors waver by less.
const REPLACED_RISE_PERCENT: u32 = 30;

/// Applies a status that was read.
pub fn status(device: &mut Device, status: &Status, at: Timestamp, batch: &mut Batch) {
    if at < device.status_at {
        return;
    }
    device.status_at = at;
    let before = device.status.as_ref();
    let same_state = before.is_some_and(|before| {
        (before.device, before.printer, &before.errors)
            == (status.device, status.printer, &status.errors)
    });
    // The uptime changes with every poll and is no news.
    if same_state && before.is_some_and(|before| before.display == status.display) {
        return;
    }
    if !same_state {
        device.status_since = at;
    }
    device.status = Some(status.clone());
    push_status(device, batch);
}

/// Applies what the arithmetic of the meters says.
pub fn meter_set(
    device: &mut Device,
    set: MeterSet,
    at: Timestamp,
    places: &mut Places,
    batch: &mut Batch,
) {
    if device.meter_set == Some(set) {
        return;
    }
    let before = device.meter_set.replace(set);
    if device.status.is_none() {
        device.status_since = at;
    }
    push_status(device, batch);
    let was_conflicting = before == Some(MeterSet::Conflicting);
    if was_conflicting || set == MeterSet::Conflicting {
        batch.event(&EventRow {
            place: places.next(),
            device: device.id,
            site: device.site,
            at,
            kind: EventKind::MeterSetChanged,
            subject: None,
            before: before.map(MeterSet::word),
            after: Some(set.word()),
        });
    }
}

fn push_status(device: &Device, batch: &mut Batch) {
    let unknown = Status::default();
    batch.status(&StatusRow {
        device: device.id,
        status: device.status.as_ref().unwrap_or(&unknown),
        meter_set: device.meter_set,
        since: device.status_since,
    });
}

/// Applies supplies that were read.
pub fn supplies(
    device: &mut Device,
    supplies: &[Supply],
    at: Timestamp,
    places: &mut Places,
    batch: &mut Batch,
) {
    if at < device.supplies_at {
        return;
    }
    device.supplies_at = at;
    let hash = supplies_hash(supplies);
    if device.supplies_hash == Some(hash) {
        return;
    }
    device.supplies_hash = Some(hash);
    let traces: Vec<SupplyTrace> = supplies.iter().map(SupplyTrace::of).collect();
    for (supply, trace) in supplies.iter().zip(&traces) {
        let before = device
            .supplies
            .iter()
            .find(|before| before.index == trace.index && before.what == trace.what);
        if before.is_none_or(|before| before.level != trace.level) {
            batch.level(&LevelRow {
                device: device.id,
                supply,
                observed_at: at,
            });
        }
        if let Some(before) = before
            && is_replaced(before, trace)
        {
            let percent = |trace: &SupplyTrace| trace.percent.map(|percent| format!("{percent} %"));
            batch.event(&EventRow {
                place: places.next(),
                device: device.id,
                site: device.site,
                at,
                kind: EventKind::SupplyReplaced,
                subject: Some(&supply.description),
                before: percent(before).as_deref(),
                after: percent(trace).as_deref(),
            });
        }
    }
    device.supplies = traces;
    batch.supplies(&SuppliesRow {
        device: device.id,
        supplies,
        observed_at: at,
    });
}

fn is_replaced(before: &SupplyTrace, now: &SupplyTrace) -> bool {
    match (before.serial, now.serial) {
        (Some(before), Some(now)) => before != now,
        _ => match (before.percent, now.percent) {
            (Some(before), Some(now)) => now >= before + REPLACED_RISE_PERCENT,
            _ => false,
        },
    }
}

/// Applies trays that were read.
pub fn trays(device: &mut Device, trays: &[Tray], at: Timestamp, batch: &mut Batch) {
    if at < device.trays_at {
        return;
    }
    device.trays_at = at;
    let hash = trays_hash(trays);
    if device.trays_hash == Some(hash) {
        return;
    }
    device.trays_hash = Some(hash);
    batch.trays(&TraysRow {
        device: device.id,
        trays,
        observed_at: at,
    });
}

/// Applies the alerts that stand: opens those that are new, ends those that are gone.
pub fn alerts(
    device: &mut Device,
    alerts: &[Alert],
    at: Timestamp,
    places: &mut Places,
    batch: &mut Batch,
) {
    if at < device.alerts_at {
        return;
    }
    device.alerts_at = at;
    let mut gone = std::mem::take(&mut device.alerts);
    for alert in alerts {
        let key = AlertKey::of(alert);
        // Two equal alerts (two trays that do not say which) are two.
        if let Some(index) = gone.iter().position(|standing| standing.key == key) {
            device.alerts.push(gone.swap_remove(index));
            continue;
        }
        let place = places.next();
        batch.open_alert(&AlertRow {
            place,
            device: device.id,
            site: device.site,
            alert,
            since: at,
        });
        device.alerts.push(StandingAlert { place, key });
    }
    for ended in gone {
        batch.end_alert(ended.place, at);
    }
}
