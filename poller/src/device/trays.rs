//! Input trays (quirks P1 to P5).

use codec::model::{CapacityUnit, Level, Tray, TrayType};

use super::mib;
use super::view::View;

/// Reads the trays: every row that has a level or a name.
#[must_use]
pub fn trays(view: &View<'_>) -> Vec<Tray> {
    let column = mib::input;
    let rows = view.rows(&[column(10), column(9), column(13), column(18)]);
    rows.into_iter()
        .map(|(row, index)| tray(view, row, &index))
        .collect()
}

fn tray(view: &View<'_>, row: u32, index: &[u32]) -> Tray {
    let integer = |column| view.integer_in(&mib::input(column), index);
    let text = |column| view.text_in(&mib::input(column), index);
    let kind = match integer(2) {
        Some(1) => TrayType::Other,
        Some(3) => TrayType::Removable,
        Some(4) => TrayType::NonRemovable,
        Some(5) => TrayType::Manual,
        Some(6) => TrayType::Roll,
        Some(7) => TrayType::FanFold,
        _ => TrayType::Unknown,
    };
    let unit = capacity_unit(integer(8));
    Tray {
        index: row,
        name: text(13)
            .or_else(|| text(18))
            .unwrap_or_else(|| format!("Tray {row}")),
        kind,
        media: text(12),
        unit,
        capacity: capacity(integer(9)),
        level: level(integer(10), unit),
        status: integer(11).and_then(|status| u32::try_from(status).ok()),
    }
}

/// The unit that a code of PrtMarkerSuppliesSupplyUnitTC or PrtCapacityUnitTC names.
#[must_use]
pub const fn capacity_unit(code: Option<i64>) -> CapacityUnit {
    match code {
        Some(1) => CapacityUnit::Other,
        Some(3) => CapacityUnit::TenThousandthsOfInches,
        Some(4) => CapacityUnit::Micrometers,
        Some(7) => CapacityUnit::Impressions,
        Some(8) => CapacityUnit::Sheets,
        Some(11) => CapacityUnit::Hours,
        Some(12) => CapacityUnit::ThousandthsOfOunces,
        Some(13) => CapacityUnit::TenthsOfGrams,
        Some(14) => CapacityUnit::HundredthsOfFluidOunces,
        Some(15) => CapacityUnit::TenthsOfMilliliters,
        Some(16) => CapacityUnit::Feet,
        Some(17) => CapacityUnit::Metres,
        Some(18) => CapacityUnit::Items,
        Some(19) => CapacityUnit::Percent,
        _ => CapacityUnit::Unknown,
    }
}

/// A capacity: the sentinels, and nothing at all, are none.
#[must_use]
pub fn capacity(told: Option<i64>) -> Option<u32> {
    told.and_then(|capacity| u32::try_from(capacity).ok())
        .filter(|capacity| *capacity > 0)
}

/// A level: the sentinels become words, a number stays one, and 0 is a number.
#[must_use]
pub fn level(told: Option<i64>, unit: CapacityUnit) -> Level {
    match told {
        Some(-1) => Level::Unlimited,
        Some(-3) => Level::Some,
        Some(amount) => match u32::try_from(amount) {
            Ok(percent) if unit == CapacityUnit::Percent => Level::Percent(percent),
            Ok(amount) => Level::Amount(amount),
            Err(_) => Level::Unknown,
        },
        None => Level::Unknown,
    }
}
