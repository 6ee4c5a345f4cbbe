//! Readings that arrive after later ones (Rule 4): from a spool that was full of gaps, or from a second agent whose line was down.
//!
//! What was said of a meter before stands; a late reading of the same value confirms it, and a different one splits the run it falls
//! into: the run ends where the other value was seen, and begins anew where its own value was seen again.

use codec::id::TenantId;
use codec::time::Timestamp;

/// A run, open or over, as far as a late reading needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its place.
    pub place: u64,
    /// Its value.
    pub value: u64,
    /// Its continuous value.
    pub continuous: u64,
    /// Its meter epoch.
    pub meter_epoch: u32,
    /// When it was first observed.
    pub observed_at: Timestamp,
    /// When it was last observed.
    pub confirmed_until: Timestamp,
    /// When another value was observed; `None` while it is open.
    pub superseded_at: Option<Timestamp>,
    /// Where the device stood.
    pub site: TenantId,
}

/// What a late reading changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// Nothing: the value was known to stand then.
    Confirmed,
    /// The run stood longer than was known.
    Extend {
        /// The run.
        place: u64,
        /// Until when.
        confirmed_until: Timestamp,
        /// As before.
        superseded_at: Timestamp,
    },
    /// Another run lies between.
    Insert {
        /// The run before it, which ends earlier now.
        before: Option<Cut>,
        /// When the run behind it was observed.
        superseded_at: Timestamp,
        /// Its continuous value.
        continuous: u64,
        /// Its meter epoch.
        meter_epoch: u32,
        /// Where the device stood: as in the run beside it.
        site: TenantId,
        /// The rest of the run it fell into.
        rest: Option<Known>,
        /// Whether the value does not lie between those around it.
        contradicts: bool,
    },
}

/// The new end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The run.
    pub place: u64,
    /// Whether it was open.
    pub was_open: bool,
    /// When its value was last observed before the late reading.
    pub confirmed_until: Timestamp,
}

/// What a reading of `value` at `at` changes, given the runs around that time in the order in which they were observed.
/// `None` when there is none: it is not late then.
#[must_use]
pub fn place(runs: &[Known], value: u64, at: Timestamp) -> Option<Late> {
    let behind = runs.partition_point(|run| run.observed_at <= at);
    let Some(before) = behind.checked_sub(1).map(|index| &runs[index]) else {
        let first = runs.first()?;
        return Some(Late::Insert {
            before: None,
            superseded_at: first.observed_at,
            continuous: first
                .continuous
                .saturating_sub(first.value.saturating_sub(value)),
            meter_epoch: first.meter_epoch,
            site: first.site,
            rest: None,
            contradicts: value > first.value,
        });
    };
    let after = runs.get(behind);
    if at <= before.confirmed_until {
        if value == before.value {
            return Some(Late::Confirmed);
        }
        return Some(Late::Insert {
            before: Some(Cut {
                place: before.place,
                was_open: before.superseded_at.is_none(),
                confirmed_until: before.observed_at,
            }),
            superseded_at: before.confirmed_until,
            // The value before stands again behind it: nothing was counted in between.
            continuous: before.continuous,
            meter_epoch: before.meter_epoch,
            site: before.site,
            rest: Some(Known {
                observed_at: before.confirmed_until,
                ..*before
            }),
            contradicts: true,
        });
    }
    let superseded_at = before.superseded_at.or(after.map(|run| run.observed_at))?;
    if value == before.value {
        return Some(Late::Extend {
            place: before.place,
            confirmed_until: at,
            superseded_at,
        });
    }
    Some(Late::Insert {
        before: Some(Cut {
            place: before.place,
            was_open: false,
            confirmed_until: before.confirmed_until,
        }),
        superseded_at,
        continuous: before
            .continuous
            .saturating_add(value.saturating_sub(before.value))
            .min(after.map_or(u64::MAX, |run| run.continuous))
            .max(before.continuous),
        meter_epoch: before.meter_epoch,
        site: before.site,
        rest: None,
        contradicts: value < before.value
            || after.is_some_and(|run| value > run.value && run.value >= before.value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    fn run(
        place: u64,
        value: u64,
        observed: i64,
        confirmed: i64,
        superseded: Option<i64>,
    ) -> Known {
        Known {
            place,
            value,
            continuous: value + 1_000,
            meter_epoch: 0,
            observed_at: at(observed),
            confirmed_until: at(confirmed),
            superseded_at: superseded.map(at),
            site: TenantId(3),
        }
    }

    /// 100 from 10 to 30, then 200 from 50, open, confirmed until 70.
    fn two() -> [Known; 2] {
        [run(1, 100, 10, 30, Some(50)), run(2, 200, 50, 70, None)]
    }

    #[test]
    fn the_same_value_within_a_run_changes_nothing() {
        assert_eq!(place(&two(), 100, at(20)), Some(Late::Confirmed));
        assert_eq!(place(&two(), 200, at(60)), Some(Late::Confirmed));
    }

    #[test]
    fn the_same_value_after_a_run_extends_it() {
        let extended = Late::Extend {
            place: 1,
            confirmed_until: at(40),
            superseded_at: at(50),
        };
        assert_eq!(place(&two(), 100, at(40)), Some(extended));
    }

    #[test]
    fn a_value_between_two_runs_is_a_run_between_them() {
        let inserted = Late::Insert {
            before: Some(Cut {
                place: 1,
                was_open: false,
                confirmed_until: at(30),
            }),
            superseded_at: at(50),
            continuous: 1_150,
            meter_epoch: 0,
            site: TenantId(3),
            rest: None,
            contradicts: false,
        };
        assert_eq!(place(&two(), 150, at(40)), Some(inserted));
    }

    #[test]
    fn the_continuous_value_does_not_go_back_behind_a_late_reading() {
        let Some(Late::Insert { continuous, .. }) = place(&two(), 900, at(40)) else {
            panic!("a run between the two");
        };
        assert_eq!(continuous, 1_200);
    }

    #[test]
    fn a_different_value_within_the_open_run_splits_it() {
        let split = Late::Insert {
            before: Some(Cut {
                place: 2,
                was_open: true,
                confirmed_until: at(50),
            }),
            superseded_at: at(70),
            continuous: 1_200,
            meter_epoch: 0,
            site: TenantId(3),
            rest: Some(run(2, 200, 70, 70, None)),
            contradicts: true,
        };
        assert_eq!(place(&two(), 250, at(60)), Some(split));
    }

    #[test]
    fn a_value_from_before_everything_ends_where_the_first_run_begins() {
        let inserted = Late::Insert {
            before: None,
            superseded_at: at(10),
            continuous: 1_090,
            meter_epoch: 0,
            site: TenantId(3),
            rest: None,
            contradicts: false,
        };
        assert_eq!(place(&two(), 90, at(5)), Some(inserted));
        assert_eq!(place(&[], 90, at(5)), None);
    }
}
