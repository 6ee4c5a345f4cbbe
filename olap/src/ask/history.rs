//! Courses over time.

use codec::model::{Colorant, Level, SupplyType};
use codec::time::Timestamp;
use serde::Serialize;

use crate::words::Quality;

/// A question for a course over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// From this moment.
    pub from: Timestamp,
    /// Until before this moment.
    pub to: Timestamp,
    /// At most so many points, up to [`super::HISTORY_POINTS_MAX`].
    pub points_max: u32,
}

/// A value that stood for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MeterPoint {
    /// When it was first observed.
    pub observed_at: Timestamp,
    /// When it was last observed.
    pub confirmed_until: Timestamp,
    /// As the device said it.
    pub value: u64,
    /// With resets and offsets applied.
    pub continuous: u64,
    /// Which period of the meter.
    pub meter_epoch: u32,
    /// How far it can be trusted.
    pub quality: Quality,
}

/// The course of a meter, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MeterHistory {
    /// The points.
    pub points: Vec<MeterPoint>,
    /// How many runs there are in the time; more than points when it was thinned.
    pub runs: u64,
}

/// A supply's level at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LevelPoint {
    /// When it was observed.
    pub observed_at: Timestamp,
    /// What was left.
    pub level: Level,
    /// In per cent, where that can be said.
    pub percent: Option<u8>,
}

/// The course of one supply's level, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LevelCourse {
    /// The supply's index.
    pub index: u32,
    /// What it is.
    pub kind: SupplyType,
    /// Its colour.
    pub colorant: Option<Colorant>,
    /// What the device calls it.
    pub description: String,
    /// The points.
    pub points: Vec<LevelPoint>,
}

/// The courses of a device's supplies, by index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LevelHistory {
    /// One for each supply that was observed in the time.
    pub courses: Vec<LevelCourse>,
}
