//! Meters become runs (Rule 4).
//!
//! The value of the open run again confirms it; another value ends it and begins the next, whose continuous value [`super::step`] tells. A
//! meter that a poll did not read is neither confirmed nor ended. What comes late goes where [`super::late`] puts it.

use codec::id::TenantId;
use codec::model::Meter;
use codec::time::Timestamp;
use olap::ask::OpenRun;
use olap::reading::MeterWords;
use olap::rows::{EventRow, RunEnd, RunRow};
use olap::words::{EventKind, Quality, ReadReason};

use super::device::Device;
use super::engine::Context;
use super::history::{self, Earlier};
use super::late::{self, Known, Late};
use super::meter_key::{MeterKey, MeterKeys};
use super::step::{Step, StepKind, first, step};
use crate::metrics::IngestMetrics;

/// The rest of a run that a report split has the ordinal of the device in that report and this: a report has at most 10,000 devices.
const REST_ORDINAL: u32 = 1_000_000;
/// The greatest value that a meter is believed to say; above that readers of signed numbers (ERP systems, spreadsheets) fail.
pub(super) const VALUE_MAX: u64 = i64::MAX.unsigned_abs();

/// A meter's open run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Which meter.
    pub key: MeterKey,
    /// Its place in the total order.
    pub place: u64,
    /// As the device said it.
    pub value: u64,
    /// With resets and offsets applied.
    pub continuous: u64,
    /// Which period of the meter.
    pub meter_epoch: u32,
    /// When it was first observed.
    pub observed_at: Timestamp,
    /// When it was last observed.
    pub confirmed_until: Timestamp,
    /// The site it was opened at.
    pub site: TenantId,
}

impl Run {
    /// A run as the store has it.
    pub fn load(run: &OpenRun, keys: &mut MeterKeys) -> Option<Self> {
        Some(Self {
            key: keys.parse(&run.code)?,
            place: run.place,
            value: run.value,
            continuous: run.continuous,
            meter_epoch: run.meter_epoch,
            observed_at: run.observed_at,
            confirmed_until: run.confirmed_until,
            site: run.site,
        })
    }

    /// As a late reading needs it.
    #[must_use]
    pub const fn known(&self, superseded_at: Option<Timestamp>) -> Known {
        Known {
            place: self.place,
            value: self.value,
            continuous: self.continuous,
            meter_epoch: self.meter_epoch,
            observed_at: self.observed_at,
            confirmed_until: self.confirmed_until,
            superseded_at,
            site: self.site,
        }
    }
}

/// Applies the meters that a poll read. `earlier` are runs from the store, where the report is older than what is in memory.
pub(crate) fn apply(
    device: &mut Device,
    meters: &[Meter],
    is_conflicting: bool,
    earlier: &[Earlier],
    context: &mut Context<'_>,
    metrics: &IngestMetrics,
) {
    let at = context.observed.at;
    if device.runs.is_empty() {
        // As many as there are, and no more: a list that grows by itself takes half as much again, of every device.
        device.runs.reserve_exact(meters.len());
    }
    let mut confirmed = 0;
    for meter in meters {
        if meter.value > VALUE_MAX {
            metrics.skip("impossible-value");
            continue;
        }
        let Some(key) = context.keys.key(meter) else {
            metrics.skip("too-many-media-sizes");
            continue;
        };
        let quality = if is_conflicting {
            Quality::Conflict
        } else {
            Quality::Ok
        };
        let reading = Reading {
            key,
            meter,
            quality,
        };
        let Some(index) = device.runs.iter().position(|run| run.key == key) else {
            let last = history::last(earlier, key, at).filter(|_| device.has_ended);
            let step = last.map_or(first(meter.value), |run| step(&run, meter.value));
            open(device, None, &reading, step, context);
            confirmed += 1;
            continue;
        };
        let run = device.runs[index];
        if at < run.confirmed_until {
            apply_late(device, index, &reading, earlier, context, metrics);
            continue;
        }
        confirmed += 1;
        if meter.value == run.value && run.site == device.site {
            device.runs[index].confirmed_until = at;
            continue;
        }
        context.batch.end_run(RunEnd {
            place: run.place,
            confirmed_until: run.confirmed_until,
            superseded_at: at,
        });
        remember(device, &run, at, context);
        let step = step(&run, meter.value);
        let quality = match step.kind {
            StepKind::Reset if !is_conflicting => Quality::ResetSuspected,
            _ => quality,
        };
        tell(device, &run, meter, step.kind, context);
        open(
            device,
            Some(index),
            &Reading { quality, ..reading },
            step,
            context,
        );
    }
    confirm(device, confirmed, context);
}

/// A value that was read, and what it is of.
#[derive(Clone, Copy)]
struct Reading<'a> {
    key: MeterKey,
    meter: &'a Meter,
    quality: Quality,
}

/// Says that the runs were seen to stand: all at once where all were read.
fn confirm(device: &mut Device, confirmed: usize, context: &mut Context<'_>) {
    let at = context.observed.at;
    let all = confirmed == device.runs.len() && confirmed > 0;
    if all && device.runs.iter().all(|run| run.confirmed_until == at) {
        let until = device
            .seen
            .meters_confirmed_until
            .map_or(at, |until| until.max(at));
        device.seen.meters_confirmed_until = Some(until);
        return;
    }
    for run in device
        .runs
        .iter()
        .filter(|run| run.confirmed_until == at && run.observed_at < at)
    {
        context.batch.confirm_run(run.place, at);
    }
}

/// Opens a run in the place of the open one, or beside the others.
fn open(
    device: &mut Device,
    index: Option<usize>,
    reading: &Reading<'_>,
    step: Step,
    context: &mut Context<'_>,
) {
    let at = context.observed.at;
    let run = Run {
        key: reading.key,
        place: context.places.next(),
        value: reading.meter.value,
        continuous: step.continuous,
        meter_epoch: step.meter_epoch,
        observed_at: at,
        confirmed_until: at,
        site: device.site,
    };
    if device
        .seen
        .meters_confirmed_until
        .is_some_and(|until| at < until)
    {
        settle_confirmed(device, context);
    }
    push(device, &run, None, reading, context);
    match index {
        Some(index) => device.runs[index] = run,
        None => device.runs.push(run),
    }
    let changed = device
        .seen
        .unchanged_since
        .map_or(at, |since| since.max(at));
    device.seen.unchanged_since = Some(changed);
}

/// Says of each run until when it was seen to stand: what was said of all of them does not hold for one that joins them late.
fn settle_confirmed(device: &mut Device, context: &mut Context<'_>) {
    device.seen.meters_confirmed_until = None;
    for run in &device.runs {
        context.batch.confirm_run(run.place, run.confirmed_until);
    }
}

/// Adds the row of a run: open, or over at `superseded_at`.
fn push(
    device: &mut Device,
    run: &Run,
    superseded_at: Option<Timestamp>,
    reading: &Reading<'_>,
    context: &mut Context<'_>,
) {
    let meter = reading.meter;
    let parts: Vec<(&str, u64)> = meter
        .parts
        .iter()
        .map(|part| (part.oid.as_str(), part.value))
        .collect();
    let row = RunRow {
        place: run.place,
        agent: context.agent,
        epoch: context.epoch,
        stream: context.stream,
        sequence: context.sequence,
        ordinal: context.ordinal,
        device: device.id,
        site: run.site,
        meter: MeterWords {
            work: meter.work,
            colour: meter.colour,
            unit: meter.unit,
            size: meter.size.as_deref(),
            sides: meter.sides,
            basis: meter.basis,
        },
        value: run.value,
        continuous: run.continuous,
        meter_epoch: run.meter_epoch,
        observed_at: run.observed_at,
        confirmed_until: run.confirmed_until,
        agent_at: context.agent_at,
        received_at: context.received_at,
        oid: &meter.oid,
        profile: device.who.profile(),
        parts: &parts,
        quality: reading.quality,
        clock_corrected: context.observed.is_corrected,
        reason: ReadReason::Scheduled,
        source: context.source,
        journal: context.journal,
    };
    match superseded_at {
        None => context.batch.open_run(&row),
        Some(superseded_at) => context.batch.closed_run(&row, superseded_at),
    }
    device.has_uncommitted = true;
}

/// Tells of a reset or a rollover.
fn tell(device: &Device, run: &Run, meter: &Meter, kind: StepKind, context: &mut Context<'_>) {
    let kind = match kind {
        StepKind::Counted => return,
        StepKind::Rollover => EventKind::MeterRollover,
        StepKind::Reset => EventKind::MeterReset,
    };
    context.batch.event(&EventRow {
        place: context.places.next(),
        device: device.id,
        site: device.site,
        at: context.observed.at,
        kind,
        subject: Some(&meter.code()),
        before: Some(&run.value.to_string()),
        after: Some(&meter.value.to_string()),
    });
}

/// Puts a late reading where it belongs.
fn apply_late(
    device: &mut Device,
    index: usize,
    reading: &Reading<'_>,
    earlier: &[Earlier],
    context: &mut Context<'_>,
    metrics: &IngestMetrics,
) {
    let at = context.observed.at;
    let open_run = device.runs[index];
    let is_of_meter = |(key, _): &&(MeterKey, Known)| *key == reading.key;
    let mut around: Vec<Known> = device
        .recent
        .iter()
        .filter(is_of_meter)
        .map(|(_, known)| *known)
        .collect();
    around.push(open_run.known(None));
    for run in earlier.iter().filter(|run| run.key == reading.key) {
        if around.iter().all(|newer| newer.place != run.known.place) {
            around.push(run.known);
        }
    }
    around.sort_by_key(|known| (known.observed_at, known.place));
    match late::place(&around, reading.meter.value, at) {
        None | Some(Late::Confirmed) => {}
        Some(Late::Extend {
            place,
            confirmed_until,
            superseded_at,
        }) => recut(
            device,
            RunEnd {
                place,
                confirmed_until,
                superseded_at,
            },
            context,
        ),
        Some(Late::Insert {
            before,
            superseded_at,
            continuous,
            meter_epoch,
            site,
            rest,
            contradicts,
        }) => {
            let split = rest.and_then(|rest| {
                let run = earlier.iter().find(|run| run.known.place == rest.place)?;
                Some((rest, &run.reading))
            });
            if rest.is_some() && split.is_none() {
                // More runs lie between than are looked at: nothing is cut that cannot be put together again.
                metrics.skip("late-too-far");
                return;
            }
            if let Some(cut) = before {
                let end = RunEnd {
                    place: cut.place,
                    confirmed_until: cut.confirmed_until,
                    superseded_at: at,
                };
                if cut.was_open {
                    context.batch.end_run(end);
                    let cut = Run {
                        confirmed_until: cut.confirmed_until,
                        ..open_run
                    };
                    remember(device, &cut, at, context);
                } else {
                    recut(device, end, context);
                }
            }
            let quality = if contradicts {
                Quality::Conflict
            } else {
                reading.quality
            };
            let reading = Reading {
                quality,
                ..*reading
            };
            let run = Run {
                key: reading.key,
                place: context.places.next(),
                value: reading.meter.value,
                continuous,
                meter_epoch,
                observed_at: at,
                confirmed_until: at,
                site,
            };
            push(device, &run, Some(superseded_at), &reading, context);
            remember(device, &run, superseded_at, context);
            if let Some((rest, split)) = split {
                put_rest(device, index, rest, reading.key, split, context);
            }
        }
    }
}

/// The rest of a run that was split: its value stands again from where it was last seen. It is another reading than the part before, so
/// its id is another, that of the report that split it; where it comes from is where the whole run came from.
fn put_rest(
    device: &mut Device,
    index: usize,
    rest: Known,
    key: MeterKey,
    split: &olap::Reading,
    context: &mut Context<'_>,
) {
    let run = Run {
        key,
        place: context.places.next(),
        value: rest.value,
        continuous: rest.continuous,
        meter_epoch: rest.meter_epoch,
        observed_at: rest.observed_at,
        confirmed_until: rest.confirmed_until,
        site: rest.site,
    };
    let parts: Vec<(&str, u64)> = split
        .parts
        .iter()
        .map(|part| (part.oid.as_str(), part.value))
        .collect();
    let row = RunRow {
        place: run.place,
        agent: context.agent,
        epoch: context.epoch,
        stream: context.stream,
        sequence: context.sequence,
        ordinal: context.ordinal.saturating_add(REST_ORDINAL),
        device: device.id,
        site: run.site,
        meter: MeterWords {
            work: split.work,
            colour: split.colour,
            unit: split.unit,
            size: split.size.as_deref(),
            sides: split.sides,
            basis: split.basis,
        },
        value: run.value,
        continuous: run.continuous,
        meter_epoch: run.meter_epoch,
        observed_at: run.observed_at,
        confirmed_until: run.confirmed_until,
        agent_at: split.agent_at,
        received_at: split.received_at,
        oid: &split.oid,
        profile: split.profile.as_deref(),
        parts: &parts,
        quality: split.quality,
        clock_corrected: split.clock_corrected,
        reason: split.reason,
        source: split.source,
        journal: split.journal,
    };
    match rest.superseded_at {
        None => {
            context.batch.open_run(&row);
            device.runs[index] = run;
        }
        Some(superseded_at) => {
            context.batch.closed_run(&row, superseded_at);
            remember(device, &run, superseded_at, context);
        }
    }
    device.has_uncommitted = true;
}

/// Keeps a run that ended in memory for a while, for what comes late.
fn remember(device: &mut Device, run: &Run, superseded_at: Timestamp, context: &mut Context<'_>) {
    device
        .recent
        .push((run.key, run.known(Some(superseded_at))));
    context.recents.note(device.id, run.place);
}

/// Moves the end of a run that is over.
fn recut(device: &mut Device, end: RunEnd, context: &mut Context<'_>) {
    context.batch.recut_run(end);
    let recent = device
        .recent
        .iter_mut()
        .find(|(_, known)| known.place == end.place);
    if let Some((_, known)) = recent {
        known.confirmed_until = end.confirmed_until;
        known.superseded_at = Some(end.superseded_at);
    }
}
