//! Marker supplies (quirks S1 to S31): what they are, their colour, part and serial, and how much is left. Nothing is invented: where
//! a device does not say, the report does not either.

use codec::model::{CapacityUnit, Colorant, Level, Supply, SupplyClass, SupplyType};

use super::facts;
use super::mib;
use super::trays::{capacity, capacity_unit, level};
use super::view::View;
use super::{text, words};
use crate::oid::Oid;
use crate::profile::{KnownLevel, Orientation};
use crate::value::Value;

/// Where the rows of supplies begin that a device tells of outside the standard table: no device has as many rows.
const EXTRA_ROWS_FROM: u32 = 1000;

/// Reads the supplies.
#[must_use]
pub fn supplies(view: &View<'_>) -> Vec<Supply> {
    let (mut list, _) = with_known(view);
    add_details(view, &mut list);
    list
}

/// The instances that levels outside the table are read from: of those places only that tell what nothing before them does.
#[must_use]
pub fn known_parts(view: &View<'_>) -> Vec<Oid> {
    if view.profile.supplies.known.is_empty() {
        return Vec::new();
    }
    let (_, used) = with_known(view);
    let sources = used.into_iter().flat_map(KnownLevel::sources);
    let parts = sources
        .filter_map(|source| view.number(source))
        .flat_map(|counted| counted.parts);
    parts.map(|(oid, _)| oid).collect()
}

/// The supplies of the tables, with the levels that are known otherwise, and which of these places were of use.
fn with_known<'a>(view: &View<'a>) -> (Vec<Supply>, Vec<&'a KnownLevel>) {
    let column = mib::supplies;
    let rows = view.rows(&[column(9), column(8), column(6), column(5)]);
    let mut list = rows
        .into_iter()
        .map(|(row, index)| supply(view, row, &index))
        .collect::<Vec<_>>();
    list.extend(private_rows(view, &list));
    let mut used = Vec::new();
    for (number, known) in (EXTRA_ROWS_FROM..).zip(&view.profile.supplies.known) {
        if apply_known(view, known, number, &mut list) {
            used.push(known);
        }
    }
    (list, used)
}

fn supply(view: &View<'_>, row: u32, index: &[u32]) -> Supply {
    let integer = |column| view.integer_in(&mib::supplies(column), index);
    let rules = &view.profile.supplies;
    let told = view.text_in(&mib::supplies(6), index);
    let told = told
        .or_else(|| view.text_in(rules.private_name.as_ref()?, &[row]))
        .unwrap_or_default();
    let name = name(view, &told);
    let kind = kind(view, integer(5), integer(4), &name.description);
    let class = match integer(4) {
        Some(3) => SupplyClass::Consumed,
        Some(4) => SupplyClass::Receptacle,
        Some(_) => SupplyClass::Other,
        None if kind == SupplyType::Waste => SupplyClass::Receptacle,
        None if kind == SupplyType::Other => SupplyClass::Other,
        None => SupplyClass::Consumed,
    };
    let mut unit = capacity_unit(integer(7));
    let mut whole = capacity(integer(8));
    if unit == CapacityUnit::Percent {
        // The whole of per cent is a hundred, whatever maximum stands there (quirk S6).
        whole = whole.map(|_| 100);
    }
    let mut left = standard_level(integer(9), integer(8), unit);
    if let Some(percent) = integer(9).and_then(|told| rules.codes.get(&told)) {
        (unit, whole, left) = (CapacityUnit::Percent, Some(100), Level::Percent(*percent));
    }
    if !is_number(left)
        && let Some(private) = rules
            .private_level
            .as_ref()
            .and_then(|column| view.integer_in(column, &[row]))
    {
        let percent = u32::try_from(private)
            .ok()
            .or_else(|| rules.codes.get(&private).copied());
        if let Some(percent) = percent.filter(|percent| *percent <= 100) {
            (unit, whole, left) = (CapacityUnit::Percent, Some(100), Level::Percent(percent));
        }
    }
    if class == SupplyClass::Receptacle && rules.waste == Some(Orientation::Filled) {
        left = turned(left, whole);
    }
    let colorant = colorant(view, index, kind, &name.description);
    Supply {
        index: row,
        class,
        kind,
        colorant,
        description: if name.description.is_empty() {
            words::described(kind, colorant)
        } else {
            name.description
        },
        part: name.part,
        serial: name.serial,
        unit,
        capacity: whole,
        level: left,
        resolution: rules.resolution.filter(|_| is_number(left)),
    }
}

/// The rows of the vendor's own table that the standard one has not, neither by number nor by name (quirk S28).
fn private_rows(view: &View<'_>, list: &[Supply]) -> Vec<Supply> {
    let rules = &view.profile.supplies;
    let (true, Some(levels), Some(names)) = (
        rules.private_rows,
        &rules.private_level,
        &rules.private_name,
    ) else {
        return Vec::new();
    };
    let row = |(index, told): (&[u32], &Value)| {
        let [row] = index else { return None };
        let name = name(view, &view.text_in(names, index)?);
        if list
            .iter()
            .any(|known| known.index == *row || known.description == name.description)
        {
            return None;
        }
        let kind = kind(view, None, None, &name.description);
        let percent = facts::integer(told)
            .and_then(|told| u32::try_from(told).ok())
            .filter(|percent| *percent <= 100);
        Some(Supply {
            index: *row,
            class: if kind == SupplyType::Waste {
                SupplyClass::Receptacle
            } else {
                SupplyClass::Consumed
            },
            kind,
            colorant: colorant(view, &[], kind, &name.description),
            description: name.description,
            part: name.part,
            serial: name.serial,
            unit: CapacityUnit::Percent,
            capacity: percent.map(|_| 100),
            level: percent.map_or(Level::Unknown, Level::Percent),
            resolution: None,
        })
    };
    view.facts.rows(levels).filter_map(row).collect()
}

/// A level of the standard table. 0 out of a capacity that the device says it does not know is no proof of emptiness (quirk S4).
fn standard_level(told: Option<i64>, whole: Option<i64>, unit: CapacityUnit) -> Level {
    let unknown_whole = whole.is_some_and(|whole| whole < 0);
    if told == Some(0) && unknown_whole && unit != CapacityUnit::Percent {
        return Level::Unknown;
    }
    level(told, unit)
}

const fn is_number(level: Level) -> bool {
    matches!(level, Level::Amount(_) | Level::Percent(_))
}

/// What is in a receptacle, as the room that is left.
fn turned(level: Level, whole: Option<u32>) -> Level {
    match (level, whole) {
        (Level::Percent(filled), _) => Level::Percent(100_u32.saturating_sub(filled)),
        (Level::Amount(filled), Some(whole)) => Level::Amount(whole.saturating_sub(filled)),
        (level, _) => level,
    }
}

/// A level that the device tells of outside the table: for the row that it belongs to, or as a row of its own where the table has none of
/// the kind. Tells whether it was of use.
fn apply_known(view: &View<'_>, known: &KnownLevel, number: u32, list: &mut Vec<Supply>) -> bool {
    let Some((unit, whole, left)) = known_level(view, known) else {
        return false;
    };
    // Kits and the like have no colour to tell them apart: their name does.
    let by_name = matches!(known.kind, SupplyType::Kit | SupplyType::Other);
    let in_table = !by_name
        && list
            .iter()
            .any(|supply| supply.kind == known.kind && supply.index < EXTRA_ROWS_FROM);
    let same = |supply: &&mut Supply| {
        supply.kind == known.kind
            && (known.colorant.is_none() || supply.colorant == known.colorant)
            && (!by_name || known.description.as_deref() == Some(supply.description.as_str()))
    };
    let resolution = (unit == CapacityUnit::Percent).then_some(1);
    let mut rows = list.iter_mut().filter(same).collect::<Vec<_>>();
    match (rows.as_mut_slice(), &known.description) {
        // Of several such rows nobody can say which one is meant.
        ([row], _) if !is_number(row.level) => {
            (row.unit, row.capacity, row.level) = (unit, whole, left);
            row.resolution = resolution;
            true
        }
        ([], Some(description)) if !in_table => {
            list.push(Supply {
                index: number,
                class: if known.kind == SupplyType::Waste {
                    SupplyClass::Receptacle
                } else {
                    SupplyClass::Consumed
                },
                kind: known.kind,
                colorant: known.colorant,
                description: description.clone(),
                part: None,
                serial: None,
                unit,
                capacity: whole,
                level: left,
                resolution,
            });
            true
        }
        _ => false,
    }
}

/// Unit, whole and level that such a place tells.
fn known_level(view: &View<'_>, known: &KnownLevel) -> Option<(CapacityUnit, Option<u32>, Level)> {
    let told = view.number(&known.from)?.value;
    if let Some(unit) = known.unit {
        return Some((unit, None, Level::Amount(u32::try_from(told).ok()?)));
    }
    let percent = if !known.codes.is_empty() {
        u64::from(*known.codes.get(&i64::try_from(told).ok()?)?)
    } else if let Some(whole) = &known.whole {
        let whole = view.number(whole)?.value;
        let share = told.checked_mul(100)?.checked_add(whole / 2)?;
        share.checked_div(whole)?
    } else {
        let per_percent = u64::from(known.per_percent.max(1));
        (told + per_percent / 2) / per_percent
    };
    let percent = u32::try_from(percent)
        .ok()
        .filter(|percent| *percent <= 100)?;
    let left = if known.used { 100 - percent } else { percent };
    Some((CapacityUnit::Percent, Some(100), Level::Percent(left)))
}

/// Part and serial numbers out of the vendor's own table, where one of its rows and one of the standard rows can only mean the same.
fn add_details(view: &View<'_>, list: &mut [Supply]) {
    let Some(details) = &view.profile.supplies.details else {
        return;
    };
    let rows = view.facts.rows(&details.kind).filter_map(|(index, code)| {
        let kind = *details.kinds.get(&facts::integer(code)?)?;
        let text = |column: &Option<Oid>| view.text_in(column.as_ref()?, index);
        let colorant = text(&details.colorant).and_then(|told| words::colorant_value(&told));
        let part = text(&details.part).filter(|part| is_whole(part));
        let serial =
            text(&details.serial).filter(|serial| text::is_serial(serial) && is_whole(serial));
        Some((kind, colorant, part, serial))
    });
    let rows = rows.collect::<Vec<_>>();
    for (kind, colorant, part, serial) in &rows {
        let alone = rows
            .iter()
            .filter(|row| (row.0, row.1) == (*kind, *colorant))
            .count()
            == 1;
        let mut same = list
            .iter_mut()
            .filter(|supply| (supply.kind, supply.colorant) == (*kind, *colorant));
        if let (true, Some(supply), None) = (alone, same.next(), same.next()) {
            supply.part = supply.part.take().or_else(|| part.clone());
            supply.serial = supply.serial.take().or_else(|| serial.clone());
        }
    }
}

struct Name {
    description: String,
    part: Option<String>,
    serial: Option<String>,
}

/// The description, taken apart where a template fits. Where the template has no name, the description stays whole.
fn name(view: &View<'_>, told: &str) -> Name {
    let own = &view.profile.supplies.description;
    let standard = if view.profile.name == crate::profile::STANDARD {
        &[][..]
    } else {
        &view.profiles.standard().supplies.description
    };
    let found = own
        .iter()
        .chain(standard)
        .find_map(|template| template.take(told))
        .unwrap_or_default();
    let place = |name: &str| {
        found
            .iter()
            .find(|(found, _)| *found == name)
            .map(|(_, part)| (*part).to_owned())
    };
    Name {
        description: place("name").unwrap_or_else(|| told.to_owned()),
        part: place("part")
            .and_then(text::meaningful)
            .filter(|part| is_whole(part)),
        serial: place("serial").filter(|serial| text::is_serial(serial) && is_whole(serial)),
    }
}

/// A number that breaks off (`CRUM-`) is none.
fn is_whole(number: &str) -> bool {
    !number.ends_with('-')
}

/// What a supply is: by its type, by its class, by the words of its description (quirk S10).
fn kind(view: &View<'_>, code: Option<i64>, class: Option<i64>, description: &str) -> SupplyType {
    match code {
        Some(3 | 21 | 35) => SupplyType::Toner,
        Some(4 | 8 | 14 | 24 | 26) => SupplyType::Waste,
        Some(5 | 6 | 36) => SupplyType::Ink,
        Some(7 | 13) => SupplyType::Ribbon,
        Some(9) => SupplyType::Drum,
        Some(10) => SupplyType::Developer,
        Some(11 | 15 | 17 | 19 | 22) => SupplyType::Fuser,
        Some(12) => SupplyType::Wax,
        Some(18) => SupplyType::Cleaner,
        Some(20) => SupplyType::Transfer,
        Some(29 | 32) => SupplyType::Staples,
        Some(16 | 23 | 25 | 27 | 28 | 30 | 31 | 33 | 34) => SupplyType::Other,
        _ => {
            let described = words::kind(description);
            let cartridge = || {
                words::is_cartridge(description)
                    .then(|| cartridge(view))
                    .flatten()
            };
            let receptacle = || (class == Some(4)).then_some(SupplyType::Waste);
            described
                .or_else(cartridge)
                .or_else(receptacle)
                .unwrap_or(SupplyType::Other)
        }
    }
}

/// What is in a cartridge of this device: as the profile or the marking technology says (quirk: no type column).
fn cartridge(view: &View<'_>) -> Option<SupplyType> {
    let technology = mib::marker(2);
    let rows = view.rows(std::slice::from_ref(&technology));
    let told = rows
        .first()
        .and_then(|(_, index)| view.integer_in(&technology, index));
    match told {
        Some(3..=5) => Some(SupplyType::Toner),
        Some(12..=14) => Some(SupplyType::Ink),
        _ => {
            let model = view
                .text_in(&mib::hr_device(3), &[view.device])
                .unwrap_or_default()
                .to_lowercase();
            view.profile
                .supplies
                .cartridge
                .or_else(|| model.contains("laser").then_some(SupplyType::Toner))
        }
    }
}

/// The colour: through the colorant table, else by the words of the description; never by position (quirks S12, S13).
fn colorant(
    view: &View<'_>,
    index: &[u32],
    kind: SupplyType,
    description: &str,
) -> Option<Colorant> {
    let joined = || {
        let number = view.integer_in(&mib::supplies(3), index)?;
        let number = u32::try_from(number).ok().filter(|number| *number > 0)?;
        let mut place = index.to_vec();
        *place.last_mut()? = number;
        words::colorant_value(&view.text_in(&mib::colorant_value(), &place)?)
    };
    let coloured = matches!(
        kind,
        SupplyType::Toner
            | SupplyType::Ink
            | SupplyType::Drum
            | SupplyType::Developer
            | SupplyType::Wax
            | SupplyType::Ribbon
    );
    joined().or_else(|| coloured.then(|| words::colorant(description)).flatten())
}
