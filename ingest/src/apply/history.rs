//! Earlier runs, for readings that arrive late.
//!
//! Reports overtake each other all the time (several are on their way at once), so the runs that ended lately stay in memory. What
//! reaches back further asks the store, which must have everything by then: the batch at hand is committed first.

use std::collections::{HashMap, VecDeque};

use codec::id::{DeviceId, Scope};
use codec::model::Meter;
use codec::time::Timestamp;
use olap::ask::{PAGE_ITEMS_MAX, ReadingsQuery};
use olap::{Reading, Store, StoreError};

use super::device::Device;
use super::late::Known;
use super::meter_key::{MeterKey, MeterKeys};
use super::meters::{Run, VALUE_MAX};

/// Ended runs kept in memory, all devices together: some 20 MB, what 1,000 agents with 8 reports of 100 devices on their way may mix up.
const RECENT_RUNS_MAX: usize = 200_000;
/// How far back runs are looked for around a late reading; what is older is put before everything that is known.
const LOOK_BACK_MS: i64 = 100 * 86_400_000;
/// Pages of runs that one late device may cost.
const LOOK_BACK_PAGES_MAX: usize = 10;
/// How far back the last run of a meter that ended is looked for first; then twice as far, and so on.
const LAST_LOOK_BACK_MS: i64 = 86_400_000;

/// A run as the store has it.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// Which meter.
    pub key: MeterKey,
    /// What places a late reading.
    pub known: Known,
    /// All of it: what a part of it that is cut off takes along.
    pub reading: Reading,
}

/// Earlier runs of the devices of one report, from the store.
pub type History = HashMap<DeviceId, Vec<Earlier>>;

/// Which ended runs are in memory, oldest first; the runs themselves are with their devices.
#[derive(Debug, Default)]
pub struct Recents {
    order: VecDeque<(DeviceId, u64)>,
}

impl Recents {
    /// Notes that a run was put to its device's recent ones.
    pub fn note(&mut self, device: DeviceId, place: u64) {
        self.order.push_back((device, place));
    }

    /// Takes the oldest out while there are too many.
    pub fn trim(&mut self, devices: &mut HashMap<DeviceId, Box<Device>>) {
        while self.order.len() > RECENT_RUNS_MAX {
            let Some((device, place)) = self.order.pop_front() else {
                return;
            };
            if let Some(device) = devices.get_mut(&device) {
                device.recent.retain(|(_, known)| known.place != place);
            }
        }
    }
}

/// Whether more must be known than is in memory: it does not reach back to `at` for one of the meters that were read, a run is to be
/// split, or a meter may have ended that nothing followed.
#[must_use]
pub fn is_needed(device: &Device, meters: &[Meter], at: Timestamp, keys: &mut MeterKeys) -> bool {
    is_late(device, meters, at, keys) || ended(device, meters, keys).next().is_some()
}

fn is_late(device: &Device, meters: &[Meter], at: Timestamp, keys: &mut MeterKeys) -> bool {
    device.runs.iter().any(|run| at < run.confirmed_until)
        && meters.iter().any(|meter| {
            keys.key(meter)
                .is_some_and(|key| is_beyond_memory(device, key, meter.value, at))
        })
}

/// Meters that were read and have no open run, of a device whose runs may have ended.
fn ended<'a>(
    device: &'a Device,
    meters: &'a [Meter],
    keys: &'a mut MeterKeys,
) -> impl Iterator<Item = (MeterKey, &'a Meter)> {
    let meters = if device.has_ended { meters } else { &[] };
    meters
        .iter()
        .filter(|meter| meter.value <= VALUE_MAX)
        .filter_map(|meter| Some((keys.key(meter)?, meter)))
        .filter(|(key, _)| device.runs.iter().all(|run| run.key != *key))
}

/// The run of a meter that nothing followed, of a device that was another for a while: its count goes on from there.
#[must_use]
pub fn last(earlier: &[Earlier], key: MeterKey, at: Timestamp) -> Option<Run> {
    let of_meter = earlier
        .iter()
        .filter(|run| run.key == key && run.known.observed_at <= at);
    let last = of_meter.max_by_key(|run| (run.known.observed_at, run.known.place))?;
    Some(Run {
        key,
        place: last.known.place,
        value: last.known.value,
        continuous: last.known.continuous,
        meter_epoch: last.known.meter_epoch,
        observed_at: last.known.observed_at,
        confirmed_until: last.known.confirmed_until,
        site: last.known.site,
    })
}

fn is_beyond_memory(device: &Device, key: MeterKey, value: u64, at: Timestamp) -> bool {
    let open = device.runs.iter().find(|run| run.key == key);
    let is_of_meter = |(recent, _): &&(MeterKey, Known)| *recent == key;
    let mut recent = device.recent.iter().filter(is_of_meter);
    // Run by run from the open one on: what is remembered of a late reading may lie before runs that are not, as after a start.
    let reaches_back = |open: &Run| {
        let mut begin = open.observed_at;
        while at < begin {
            let before = recent
                .clone()
                .find(|(_, known)| known.superseded_at == Some(begin) && known.observed_at < begin);
            let Some((_, known)) = before else {
                return false;
            };
            begin = known.observed_at;
        }
        true
    };
    let is_covered = open.is_none_or(reaches_back);
    let splits = |known: &Known| {
        known.observed_at <= at && at <= known.confirmed_until && value != known.value
    };
    !is_covered
        || open.is_some_and(|run| at < run.confirmed_until && splits(&run.known(None)))
        || recent.any(|(_, known)| splits(known))
}

/// The committed runs of a device around `at`, where its report is late; and the last of meters that ended.
///
/// # Errors
/// When the store fails.
pub fn ask(
    store: &dyn Store,
    device: &Device,
    meters: &[Meter],
    at: Timestamp,
    keys: &mut MeterKeys,
) -> Result<Vec<Earlier>, StoreError> {
    let ended: Vec<(MeterKey, String)> = ended(device, meters, keys)
        .map(|(key, meter)| (key, meter.code()))
        .collect();
    let mut found = Vec::new();
    if !ended.is_empty() {
        found = ask_last(store, device, ended, at, keys)?;
    }
    if is_late(device, meters, at, keys) {
        let newest = device.runs.iter().map(|run| run.observed_at).max();
        let mut query = ReadingsQuery {
            device: Some(device.id),
            from: Some(at.plus_ms(-LOOK_BACK_MS)),
            to: newest.map(|at| at.plus_ms(1)),
            limit: PAGE_ITEMS_MAX,
            ..ReadingsQuery::default()
        };
        for _ in 0..LOOK_BACK_PAGES_MAX {
            let page = store.readings(&Scope::Everything, &query)?;
            found.extend(runs(page.items, keys));
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
    }
    Ok(found)
}

/// The last runs until `at` of meters of a device, however long ago they ended.
fn ask_last(
    store: &dyn Store,
    device: &Device,
    mut wanted: Vec<(MeterKey, String)>,
    at: Timestamp,
    keys: &mut MeterKeys,
) -> Result<Vec<Earlier>, StoreError> {
    let mut found: Vec<Earlier> = Vec::new();
    let (mut to, mut look_back_ms) = (at.plus_ms(1), LAST_LOOK_BACK_MS);
    while !wanted.is_empty() && to > device.first_seen_at {
        let from = at.plus_ms(-look_back_ms);
        let mut query = ReadingsQuery {
            device: Some(device.id),
            from: Some(from),
            to: Some(to),
            codes: wanted.iter().map(|(_, code)| code.clone()).collect(),
            limit: PAGE_ITEMS_MAX,
            ..ReadingsQuery::default()
        };
        loop {
            let page = store.readings(&Scope::Everything, &query)?;
            for run in runs(page.items, keys) {
                let age = |run: &Earlier| (run.known.observed_at, run.known.place);
                match found.iter_mut().find(|last| last.key == run.key) {
                    Some(last) if age(last) >= age(&run) => {}
                    Some(last) => *last = run,
                    None => found.push(run),
                }
            }
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        wanted.retain(|(key, _)| found.iter().all(|run| run.key != *key));
        (to, look_back_ms) = (from, look_back_ms.saturating_mul(2));
    }
    Ok(found)
}

fn runs(readings: Vec<Reading>, keys: &mut MeterKeys) -> impl Iterator<Item = Earlier> {
    readings.into_iter().filter_map(|reading| {
        Some(Earlier {
            key: keys.parse(&reading.code)?,
            known: Known {
                place: reading.place,
                value: reading.value,
                continuous: reading.continuous,
                meter_epoch: reading.meter_epoch,
                observed_at: reading.observed_at,
                confirmed_until: reading.confirmed_until,
                superseded_at: reading.superseded_at,
                site: reading.site,
            },
            reading,
        })
    })
}
