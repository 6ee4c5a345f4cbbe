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
//!
//! Who makes deltas keeps of the base a [`Digest`] alone; who resolves them ([`apply`]) needs the base itself.

mod digest;
#[cfg(test)]
mod tests;

use std::hash::Hash;

pub use digest::{Digest, diff};

use crate::model::{
    Alert, Basis, Colour, DeviceReport, Identity, Meter, MeterUnit, Section, Sides, Supply, Tray,
    Work,
};

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
trait Row: Clone + Hash {
    /// What the row is about.
    type Key<'a>: Eq + Hash
    where
        Self: 'a;

    /// What the row is about.
    fn key(&self) -> Self::Key<'_>;
}

impl Row for Meter {
    type Key<'a> = (
        Work,
        Colour,
        MeterUnit,
        Option<Sides>,
        Basis,
        Option<&'a str>,
    );

    fn key(&self) -> Self::Key<'_> {
        let size = self.size.as_deref();
        (
            self.work,
            self.colour,
            self.unit,
            self.sides,
            self.basis,
            size,
        )
    }
}

/// Rows of tables are about what stands at their index.
macro_rules! keyed_by_index {
    ($($row:ident),+) => {
        $(impl Row for $row {
            type Key<'a> = u32;

            fn key(&self) -> u32 {
                self.index
            }
        })+
    };
}

keyed_by_index!(Supply, Tray, Alert);

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
        match rows.iter_mut().find(|old| old.key() == row.key()) {
            Some(old) => *old = row.clone(),
            None => rows.push(row.clone()),
        }
    }
    rows
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
                $($field: text(base.$field.as_ref(), delta.$field.as_ref()),)+
            }
        };
    }
    apply!(
        serial,
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
}
