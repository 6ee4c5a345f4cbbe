//! What a base said, as hashes: enough to say how a later report differs from it, in a twentieth of its room.
//!
//! What always holds: of the base `old` and a later report `new`, `apply(old, diff(Digest::of(old), …, new))` is `new`, unless two different
//! texts or rows have the same hash. Hashes are SipHash of 64 bits under a key that is drawn anew in every process, so nobody who names a
//! printer or chooses its texts can aim at such a pair: each row that did change is taken for unchanged with a chance of 2^-64. A million
//! devices with thirty rows, each changing every five minutes, would meet it once in 6 million years, and the full report of the next day
//! would put it right. Halving the hashes would make that half a day; doubling them would double what an agent keeps for nothing.
//!
//! What is about a device as a whole (handle and identity) is one hash: who a device is changes a few times in its life, and then it is said in
//! full, which is the next base.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::LazyLock;

use super::{Row, is_full};
use crate::model::{DeviceReport, Identity, Section};

/// The key of all hashes of this process.
static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// What a full report said, to tell what differs from it; of use in this process alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Handle and identity.
    who: u64,
    status: Option<u64>,
    /// How many rows each section has: meters, supplies, trays, alerts; [`NOT_READ`] of one that was not read.
    rows: [u16; 4],
    /// Section by section: what its rows are about, in their order, and behind it a hash of each row. Nothing of one that was not read.
    hashes: Box<[u64]>,
}

/// Says of a section that it was not read.
const NOT_READ: u16 = u16::MAX;

/// A section of a base, read.
struct Rows<'a> {
    keys: u64,
    rows: &'a [u64],
}

impl Digest {
    /// The digest of a base; `None` of a report that cannot be one, as it is a delta itself or a section has more than 65,534 rows.
    #[must_use]
    pub fn of(base: &DeviceReport) -> Option<Self> {
        if !is_full(base) {
            return None;
        }
        let mut hashes = Vec::with_capacity(hashes_of(base));
        let rows = [
            put(&base.meters, &mut hashes)?,
            put(&base.supplies, &mut hashes)?,
            put(&base.trays, &mut hashes)?,
            put(&base.alerts, &mut hashes)?,
        ];
        Some(Self {
            who: hash(&(&base.handle, &base.identity)),
            status: base.status.read().map(hash),
            rows,
            hashes: hashes.into(),
        })
    }

    /// Whether the base did not read a section that `new` read: each delta on it would be as large as a full report.
    #[must_use]
    pub fn lacks(&self, new: &DeviceReport) -> bool {
        let (mine, theirs) = (self.sections(), sections(new));
        mine.iter()
            .zip(theirs)
            .any(|(mine, theirs)| !mine && theirs)
    }

    /// Whether `new` read every section that the base read: as a base it would be as good.
    #[must_use]
    pub fn is_covered_by(&self, new: &DeviceReport) -> bool {
        let (mine, theirs) = (self.sections(), sections(new));
        mine.iter()
            .zip(theirs)
            .all(|(mine, theirs)| !mine || theirs)
    }

    /// Which sections the base read, in the order of [`sections`].
    fn sections(&self) -> [bool; 5] {
        let [meters, supplies, trays, alerts] = self.rows.map(|rows| rows != NOT_READ);
        [self.status.is_some(), meters, supplies, trays, alerts]
    }

    /// The sections with rows, in their order.
    fn lists(&self) -> [Option<Rows<'_>>; 4] {
        let mut rest = &*self.hashes;
        self.rows.map(|rows| {
            let (keys, behind) = (rows != NOT_READ).then_some(rest)?.split_first()?;
            let (rows, behind) = behind.split_at_checked(rows.into())?;
            rest = behind;
            Some(Rows { keys: *keys, rows })
        })
    }
}

/// The delta that says `new` on top of the base of that digest, the report with the number `base_sequence` of the same stream.
///
/// `None` when it is to be said in full: it is another device or its identity is not the base's, its serial is an empty text, or `new` is
/// itself a delta.
#[must_use]
pub fn diff(base: &Digest, base_sequence: u64, new: &DeviceReport) -> Option<DeviceReport> {
    let serial = new.identity.serial.clone();
    // An empty text in a delta says that it went away.
    let is_sayable = serial.as_deref() != Some("") && is_full(new);
    if !is_sayable || base.who != hash(&(&new.handle, &new.identity)) {
        return None;
    }
    let is_same_status = new
        .status
        .read()
        .is_some_and(|status| base.status == Some(hash(status)));
    let [meters, supplies, trays, alerts] = base.lists();
    Some(DeviceReport {
        observed_at: new.observed_at,
        observed_uptime_ms: new.observed_uptime_ms,
        source: new.source,
        handle: new.handle.clone(),
        base: Some(base_sequence),
        // The serial proves whose values these are, so it is said again.
        identity: Identity {
            serial,
            ..Identity::default()
        },
        status: if is_same_status {
            Section::Unchanged
        } else {
            new.status.clone()
        },
        meter_set: new.meter_set,
        meters: section_diff(meters, &new.meters),
        supplies: section_diff(supplies, &new.supplies),
        trays: section_diff(trays, &new.trays),
        alerts: section_diff(alerts, &new.alerts),
    })
}

fn section_diff<T: Row>(base: Option<Rows<'_>>, new: &Section<Vec<T>>) -> Section<Vec<T>> {
    let (Some(base), Section::Read(rows)) = (base, new) else {
        return new.clone();
    };
    // Rows that changed in place, and rows that were added at the end: that can be said by naming them. All else is said in full.
    let are_in_place = rows
        .get(..base.rows.len())
        .is_some_and(|rows| keys_hash(rows) == base.keys);
    if !are_in_place {
        return new.clone();
    }
    let changed: Vec<(usize, &T)> = rows
        .iter()
        .enumerate()
        .filter(|(at, row)| base.rows.get(*at) != Some(&hash(row)))
        .collect();
    if changed.is_empty() {
        return Section::Unchanged;
    }
    // Of several rows about the same thing, what is named is the first.
    let is_first = |(at, row): &(usize, &T)| {
        let before = rows.iter().take(*at);
        before.map(Row::key).all(|key| key != row.key())
    };
    if changed.len() < rows.len() && changed.iter().all(is_first) {
        Section::Changed(changed.into_iter().map(|(_, row)| row.clone()).collect())
    } else {
        new.clone()
    }
}

/// Appends a section's hashes; says how many rows it has.
fn put<T: Row>(section: &Section<Vec<T>>, hashes: &mut Vec<u64>) -> Option<u16> {
    let Some(rows) = section.read() else {
        return Some(NOT_READ);
    };
    hashes.push(keys_hash(rows));
    hashes.extend(rows.iter().map(hash));
    let count = u16::try_from(rows.len()).ok();
    count.filter(|count| *count != NOT_READ)
}

/// How many hashes a digest of this has, status and identity apart.
fn hashes_of(base: &DeviceReport) -> usize {
    fn of<T>(section: &Section<Vec<T>>) -> usize {
        section.read().map_or(0, |rows| 1 + rows.len())
    }
    of(&base.meters) + of(&base.supplies) + of(&base.trays) + of(&base.alerts)
}

/// Which sections were read: status, meters, supplies, trays, alerts.
const fn sections(device: &DeviceReport) -> [bool; 5] {
    [
        !device.status.is_not_read(),
        !device.meters.is_not_read(),
        !device.supplies.is_not_read(),
        !device.trays.is_not_read(),
        !device.alerts.is_not_read(),
    ]
}

/// What rows are about, in their order.
fn keys_hash<T: Row>(rows: &[T]) -> u64 {
    let mut hasher = KEY.build_hasher();
    for row in rows {
        row.key().hash(&mut hasher);
    }
    hasher.finish()
}

fn hash(what: &impl Hash) -> u64 {
    KEY.hash_one(what)
}
