//! Meters become runs (Rule 4).
//!
//! | a value that was read | compared with the meter's open run | makes |
//! |---|---|---|
//! | the same | | a confirmation |
//! | greater | | another run; the continuous value grows by the difference |
//! | smaller by a little | a device that lost its last counts when its power went | another run; the continuous value stays |
//! | smaller, near zero, after one near the end of the counter's range | a rollover | another run; grows by the way around |
//! | smaller | a reset, or another board | another run in the next meter epoch, for a person to look at; what was counted since a reset is added |
//!
//! Every rule depends on the open run and the new value alone, both of which are in the store: a restart changes nothing.

use std::collections::HashMap;

use codec::id::TenantId;
use codec::model::{Basis, Colour, Meter, MeterUnit, Sides, Work};
use codec::time::Timestamp;
use olap::ask::OpenRun;
use olap::reading::MeterWords;
use olap::rows::{EventRow, RunEnd, RunRow};
use olap::words::{EventKind, Quality, ReadReason};

use super::device::Device;
use super::engine::Context;
use super::late::{self, Known, Late};
use crate::metrics::IngestMetrics;

/// A meter that lost at most so many counts lost them with the power: devices write their counters every few pages.
const LOST_COUNTS_MAX: u64 = 20;
/// A meter that went back to at most this was set to zero and has counted since; to more, the board came with a count of its own.
const COUNTED_SINCE_RESET_MAX: u64 = 2_000;
/// Where counters end: binary registers of 16, 24, 31 and 32 bits, and displays of six to nine digits.
const MODULI: [u64; 8] = [
    1 << 16,
    1 << 24,
    1 << 31,
    1 << 32,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
];
/// A rollover leaves from the last so many counts of the range and arrives in the first so many: what a fast printer makes in a day.
const ROLLOVER_WINDOW: u64 = 20_000;
/// A range is only believed to end where the window is a small part of it.
const ROLLOVER_WINDOW_PARTS: u64 = 20;
/// Distinct media sizes: the standards name some two hundred; more are made up.
const SIZES_MAX: usize = 4_096;

/// What is counted, as a number: the words' places in their lists, and an interned size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeterKey(u32);

/// Makes [`MeterKey`]s: knows every size that was seen.
#[derive(Debug, Default)]
pub struct MeterKeys {
    sizes: HashMap<String, u32>,
}

impl MeterKeys {
    /// The key of a meter; `None` when too many different sizes were seen.
    pub fn key(&mut self, meter: &Meter) -> Option<MeterKey> {
        self.of_words(
            meter.work,
            meter.colour,
            meter.unit,
            meter.size.as_deref(),
            meter.sides,
            meter.basis,
        )
    }

    /// The key of a code that [`codec::model::meter_code`] made.
    pub fn parse(&mut self, code: &str) -> Option<MeterKey> {
        let (basis, words) = match code.strip_prefix("engine.") {
            Some(words) => (Basis::Engine, words),
            None => (Basis::Billing, code),
        };
        let mut words = words.splitn(4, '.');
        let work = Work::from_word(words.next()?)?;
        let colour = Colour::from_word(words.next()?)?;
        let unit = MeterUnit::from_word(words.next()?)?;
        let rest = words.next();
        let (size, sides) =
            match rest.map(|rest| (rest, Sides::from_word(rest), rest.rsplit_once('.'))) {
                None => (None, None),
                Some((_, Some(sides), _)) => (None, Some(sides)),
                Some((rest, None, Some((size, last)))) => match Sides::from_word(last) {
                    Some(sides) => (Some(size), Some(sides)),
                    None => (Some(rest), None),
                },
                Some((size, None, None)) => (Some(size), None),
            };
        self.of_words(work, colour, unit, size, sides, basis)
    }

    fn of_words(
        &mut self,
        work: Work,
        colour: Colour,
        unit: MeterUnit,
        size: Option<&str>,
        sides: Option<Sides>,
        basis: Basis,
    ) -> Option<MeterKey> {
        let size = match size {
            None => 0,
            Some(size) => match self.sizes.get(size) {
                Some(number) => *number,
                None if self.sizes.len() < SIZES_MAX => {
                    let number = u32::try_from(self.sizes.len()).ok()? + 1;
                    self.sizes.insert(size.to_owned(), number);
                    number
                }
                None => return None,
            },
        };
        let sides = sides.map_or(0, |sides| sides as u32 + 1);
        Some(MeterKey(
            work as u32
                | (colour as u32) << 4
                | (unit as u32) << 8
                | sides << 12
                | (basis as u32) << 14
                | size << 16,
        ))
    }
}

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
        }
    }
}

/// What the next value of a meter means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its continuous value.
    pub continuous: u64,
    /// Its meter epoch.
    pub meter_epoch: u32,
    /// What happened.
    pub kind: StepKind,
}

/// What happened between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// It counted on, or lost a few counts.
    Counted,
    /// It passed the end of its range.
    Rollover,
    /// It was set back, or belongs to another board.
    Reset,
}

/// What `value` means after `run`.
#[must_use]
pub fn step(run: &Run, value: u64) -> Step {
    let counted = |continuous| Step {
        continuous,
        meter_epoch: run.meter_epoch,
        kind: StepKind::Counted,
    };
    if value >= run.value {
        return counted(run.continuous.saturating_add(value - run.value));
    }
    if run.value - value <= LOST_COUNTS_MAX {
        return counted(run.continuous);
    }
    if let Some(around) = rollover(run.value, value) {
        return Step {
            continuous: run.continuous.saturating_add(around),
            meter_epoch: run.meter_epoch,
            kind: StepKind::Rollover,
        };
    }
    let counted_since = if value <= COUNTED_SINCE_RESET_MAX {
        value
    } else {
        0
    };
    Step {
        continuous: run.continuous.saturating_add(counted_since),
        meter_epoch: run.meter_epoch + 1,
        kind: StepKind::Reset,
    }
}

/// How far it is from `before` to `after` around the end of a range, if that is what happened.
fn rollover(before: u64, after: u64) -> Option<u64> {
    MODULI.into_iter().find_map(|modulus| {
        let window = ROLLOVER_WINDOW.min(modulus / ROLLOVER_WINDOW_PARTS);
        let left = before < modulus && modulus - before <= window;
        (left && after <= window).then(|| modulus - before + after)
    })
}

/// Applies the meters that a poll read. `earlier` are runs from the store, where the report is older than what is in memory.
pub(crate) fn apply(
    device: &mut Device,
    meters: &[Meter],
    is_conflicting: bool,
    earlier: &[(MeterKey, Known)],
    context: &mut Context<'_>,
    metrics: &IngestMetrics,
) {
    let at = context.observed.at;
    let mut confirmed = 0;
    for meter in meters {
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
            open(device, None, &reading, first_step(meter.value), context);
            confirmed += 1;
            continue;
        };
        let run = device.runs[index];
        if at < run.confirmed_until {
            apply_late(device, index, &reading, earlier, context);
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

const fn first_step(value: u64) -> Step {
    Step {
        continuous: value,
        meter_epoch: 0,
        kind: StepKind::Counted,
    }
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
        profile: device.identity.profile.as_deref(),
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
    earlier: &[(MeterKey, Known)],
    context: &mut Context<'_>,
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
    for (_, known) in earlier.iter().filter(is_of_meter) {
        if around.iter().all(|newer| newer.place != known.place) {
            around.push(*known);
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
            rest,
            contradicts,
        }) => {
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
                site: device.site,
            };
            push(device, &run, Some(superseded_at), &reading, context);
            remember(device, &run, superseded_at, context);
            if let Some(rest) = rest {
                put_rest(device, index, rest, &reading, context);
            }
        }
    }
}

/// The rest of a run that was split: its value stands again from where it was last seen.
fn put_rest(
    device: &mut Device,
    index: usize,
    rest: Known,
    reading: &Reading<'_>,
    context: &mut Context<'_>,
) {
    let run = Run {
        key: reading.key,
        place: context.places.next(),
        value: rest.value,
        continuous: rest.continuous,
        meter_epoch: rest.meter_epoch,
        observed_at: rest.observed_at,
        confirmed_until: rest.confirmed_until,
        site: device.site,
    };
    push(device, &run, rest.superseded_at, reading, context);
    match rest.superseded_at {
        None => device.runs[index] = run,
        Some(superseded_at) => remember(device, &run, superseded_at, context),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn run(value: u64, continuous: u64) -> Run {
        Run {
            key: MeterKey(0),
            place: 1,
            value,
            continuous,
            meter_epoch: 3,
            observed_at: Timestamp::default(),
            confirmed_until: Timestamp::default(),
            site: TenantId(1),
        }
    }

    #[test]
    fn each_kind_of_step_is_told_apart() {
        let cases = [
            (run(1_000, 5_000), 1_200, 5_200, 3, StepKind::Counted),
            (run(1_000, 5_000), 990, 5_000, 3, StepKind::Counted),
            (run(4_294_967_290, 5_000), 4, 5_010, 3, StepKind::Rollover),
            (run(999_990, 999_990), 15, 1_000_015, 3, StepKind::Rollover),
            (run(60_000, 60_000), 0, 60_000, 4, StepKind::Reset),
            (run(120_000, 120_000), 17, 120_017, 4, StepKind::Reset),
            (run(120_000, 120_000), 54_321, 120_000, 4, StepKind::Reset),
        ];
        for (before, value, continuous, meter_epoch, kind) in cases {
            let expected = Step {
                continuous,
                meter_epoch,
                kind,
            };
            assert_eq!(
                step(&before, value),
                expected,
                "{} to {value}",
                before.value
            );
        }
    }

    #[test]
    fn the_continuous_value_never_goes_back() {
        let values = [
            0,
            1,
            19,
            21,
            2_001,
            65_535,
            65_536,
            999_999,
            u64::from(u32::MAX),
            u64::MAX,
        ];
        for before in values {
            for after in values {
                for continuous in [0, before, u64::MAX] {
                    let next = step(&run(before, continuous), after);
                    assert!(next.continuous >= continuous, "{before} to {after}");
                }
            }
        }
    }

    #[test]
    fn a_code_leads_to_the_key_of_its_meter() {
        let mut keys = MeterKeys::default();
        for size in [None, Some("a3"), Some("na.letter")] {
            for sides in [None, Some(Sides::Simplex), Some(Sides::Duplex)] {
                for basis in [Basis::Billing, Basis::Engine] {
                    let meter = Meter {
                        work: Work::Scan,
                        colour: Colour::SingleColour,
                        unit: MeterUnit::Images,
                        size: size.map(str::to_owned),
                        sides,
                        value: 1,
                        basis,
                        oid: String::new(),
                        parts: Vec::new(),
                    };
                    assert_eq!(
                        keys.parse(&meter.code()),
                        keys.key(&meter),
                        "{}",
                        meter.code()
                    );
                }
            }
        }
        assert_eq!(keys.parse("print.mono"), None);
    }
}
