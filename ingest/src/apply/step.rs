//! What the next value of a meter means.
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

use super::meters::Run;

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

/// What the first value of a meter means.
#[must_use]
pub const fn first(value: u64) -> Step {
    Step {
        continuous: value,
        meter_epoch: 0,
        kind: StepKind::Counted,
    }
}

#[cfg(test)]
mod tests {
    use codec::id::TenantId;
    use codec::time::Timestamp;

    use super::*;
    use crate::apply::meter_key::MeterKeys;

    fn run(value: u64, continuous: u64) -> Run {
        Run {
            key: MeterKeys::default()
                .parse("print.mono.impressions")
                .unwrap(),
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
}
