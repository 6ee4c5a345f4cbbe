//! Deltas (Rule 5): what changed against a full report of the same device in the same stream, and the way back.
//!
//! A delta is a [`DeviceReport`] whose `base` names the sequence number of that full report. In it,
//!
//! - identity: an absent text is as in the base, an empty one is no longer reported. The serial is always there when known;
//! - a section that is [`Section::Unchanged`] was read and is as in the base; [`Section::Changed`] lists the rows that differ or are new
//!   (matched by index; meters by what they count), in the base's order; [`Section::Read`] replaces the base's; [`Section::NotRead`] says nothing.
//!
//! Every delta builds on the full report, never on another delta, so that a lost delta costs nothing. What a delta does not name was read as the base
//! says it: that confirms the values (Rule 4).

#[cfg(test)]
mod tests;

use crate::model::{Alert, DeviceReport, Identity, Meter, Section, Supply, Tray};

/// Why a delta cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeltaError {
    /// The report is full: there is nothing to resolve.
    #[error("the report of {handle} is a full one")]
    NotADelta {
        /// The device.
        handle: String,
    },
    /// The base is the report of another device, is itself a delta, or did not read what the delta says is unchanged.
    #[error("the report of {handle} does not build on this base: {reason}")]
    WrongBase {
        /// The device.
        handle: String,
        /// What does not fit.
        reason: &'static str,
    },
}

/// The delta that says `new` on top of `base`, a full report with the number `base_sequence` of the same stream.
///
/// `None` when it cannot be said as a delta (another handle, `base` or `new` is itself a delta, …): send `new` in full.
#[must_use]
pub fn diff(base: &DeviceReport, base_sequence: u64, new: &DeviceReport) -> Option<DeviceReport> {
    if base.handle != new.handle || !is_full(base) || !is_full(new) {
        return None;
    }
    Some(DeviceReport {
        observed_at: new.observed_at,
        observed_uptime_ms: new.observed_uptime_ms,
        source: new.source,
        handle: new.handle.clone(),
        base: Some(base_sequence),
        identity: identity_diff(&base.identity, &new.identity)?,
        status: if !new.status.is_not_read() && base.status == new.status {
            Section::Unchanged
        } else {
            new.status.clone()
        },
        meter_set: new.meter_set,
        meters: section_diff(&base.meters, &new.meters),
        supplies: section_diff(&base.supplies, &new.supplies),
        trays: section_diff(&base.trays, &new.trays),
        alerts: section_diff(&base.alerts, &new.alerts),
    })
}

/// What `delta` says on top of `base`: a full report.
///
/// # Errors
/// [`DeltaError`] when they do not belong together.
pub fn apply(base: &DeviceReport, delta: &DeviceReport) -> Result<DeviceReport, DeltaError> {
    let handle = || delta.handle.clone();
    if delta.base.is_none() {
        return Err(DeltaError::NotADelta { handle: handle() });
    }
    let wrong = |reason| DeltaError::WrongBase {
        handle: handle(),
        reason,
    };
    if base.handle != delta.handle {
        return Err(wrong("it is another device's"));
    }
    if !is_full(base) {
        return Err(wrong("it is a delta itself"));
    }
    let unread = |()| wrong("it did not read what the delta says is unchanged");
    Ok(DeviceReport {
        observed_at: delta.observed_at,
        observed_uptime_ms: delta.observed_uptime_ms,
        source: delta.source,
        handle: handle(),
        base: None,
        identity: identity_apply(&base.identity, &delta.identity),
        status: match (&delta.status, &base.status) {
            (Section::Unchanged, Section::Read(status)) => Section::Read(status.clone()),
            (Section::Unchanged, _) => return Err(unread(())),
            (Section::Changed(status) | Section::Read(status), _) => Section::Read(status.clone()),
            (Section::NotRead, _) => Section::NotRead,
        },
        meter_set: delta.meter_set,
        meters: section_apply(&base.meters, &delta.meters).map_err(unread)?,
        supplies: section_apply(&base.supplies, &delta.supplies).map_err(unread)?,
        trays: section_apply(&base.trays, &delta.trays).map_err(unread)?,
        alerts: section_apply(&base.alerts, &delta.alerts).map_err(unread)?,
    })
}

/// Whether a report stands for itself.
fn is_full(device: &DeviceReport) -> bool {
    fn stands<T>(section: &Section<T>) -> bool {
        matches!(section, Section::NotRead | Section::Read(_))
    }
    device.base.is_none()
        && stands(&device.status)
        && stands(&device.meters)
        && stands(&device.supplies)
        && stands(&device.trays)
        && stands(&device.alerts)
}

/// A row of a section, matched between a base and a delta by its key.
trait Row: Clone + PartialEq {
    /// Whether both rows are about the same thing.
    fn same_key(&self, other: &Self) -> bool;
}

impl Row for Meter {
    fn same_key(&self, other: &Self) -> bool {
        (self.work, self.colour, self.unit, self.sides, self.basis)
            == (
                other.work,
                other.colour,
                other.unit,
                other.sides,
                other.basis,
            )
            && self.size == other.size
    }
}

impl Row for Supply {
    fn same_key(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl Row for Tray {
    fn same_key(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl Row for Alert {
    fn same_key(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

fn section_diff<T: Row>(base: &Section<Vec<T>>, new: &Section<Vec<T>>) -> Section<Vec<T>> {
    let (Section::Read(old_rows), Section::Read(new_rows)) = (base, new) else {
        return new.clone();
    };
    if old_rows == new_rows {
        return Section::Unchanged;
    }
    // Rows that changed in place, and rows that were added at the end: that can be said by naming them. All else is said in full.
    let changed: Vec<T> = new_rows
        .iter()
        .enumerate()
        .filter(|(at, row)| old_rows.get(*at) != Some(row))
        .map(|(_, row)| row.clone())
        .collect();
    let short = changed.len() < new_rows.len();
    if short && rows_apply(old_rows, &changed) == *new_rows {
        Section::Changed(changed)
    } else {
        new.clone()
    }
}

fn section_apply<T: Row>(
    base: &Section<Vec<T>>,
    delta: &Section<Vec<T>>,
) -> Result<Section<Vec<T>>, ()> {
    match (delta, base) {
        (Section::NotRead, _) => Ok(Section::NotRead),
        (Section::Read(rows), _) => Ok(Section::Read(rows.clone())),
        (Section::Unchanged, Section::Read(rows)) => Ok(Section::Read(rows.clone())),
        (Section::Changed(changed), Section::Read(rows)) => {
            Ok(Section::Read(rows_apply(rows, changed)))
        }
        (Section::Unchanged | Section::Changed(_), _) => Err(()),
    }
}

/// The base's rows with those of `changed` in their place, or at the end where the base has none of that key.
fn rows_apply<T: Row>(base: &[T], changed: &[T]) -> Vec<T> {
    let mut rows = base.to_vec();
    for row in changed {
        match rows.iter_mut().find(|old| old.same_key(row)) {
            Some(old) => *old = row.clone(),
            None => rows.push(row.clone()),
        }
    }
    rows
}

/// Every text of an identity but the serial.
macro_rules! identity_texts {
    ($each:ident) => {
        $each!(
            manufacturer,
            model,
            hostname,
            dns_name,
            address,
            mac,
            location,
            contact,
            firmware,
            description,
            object_id,
            asset,
            profile
        )
    };
}

fn identity_diff(base: &Identity, new: &Identity) -> Option<Identity> {
    /// Nothing where nothing changed, an empty text where the text went away.
    fn text(base: Option<&String>, new: Option<&String>) -> Option<Option<String>> {
        match (base, new) {
            (old, now) if old == now => Some(None),
            (_, None) => Some(Some(String::new())),
            // An empty text that is really there cannot be told from one that went away.
            (_, Some(now)) if now.is_empty() => None,
            (_, Some(now)) => Some(Some(now.clone())),
        }
    }
    macro_rules! diff {
        ($($field:ident),+) => {
            Identity {
                serial: match (&base.serial, &new.serial) {
                    // The serial proves whose values these are, so it is said again.
                    (old, Some(serial)) if old.as_ref() == Some(serial) => Some(serial.clone()),
                    (old, now) => text(old.as_ref(), now.as_ref())?,
                },
                $($field: text(base.$field.as_ref(), new.$field.as_ref())?,)+
            }
        };
    }
    let delta = identity_texts!(diff);
    // A serial that is the empty text would be said again, and mean that it went away.
    (delta.serial.as_deref() != Some("") || new.serial.is_none()).then_some(delta)
}

fn identity_apply(base: &Identity, delta: &Identity) -> Identity {
    fn text(base: Option<&String>, delta: Option<&String>) -> Option<String> {
        match delta {
            None => base.cloned(),
            Some(now) => (!now.is_empty()).then(|| now.clone()),
        }
    }
    macro_rules! apply {
        ($($field:ident),+) => {
            Identity {
                serial: text(base.serial.as_ref(), delta.serial.as_ref()),
                $($field: text(base.$field.as_ref(), delta.$field.as_ref()),)+
            }
        };
    }
    identity_texts!(apply)
}
