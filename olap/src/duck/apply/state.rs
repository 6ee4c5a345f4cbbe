//! What is known of devices now: rows that replace those before.

use codec::id::DeviceId;
use codec::model::{Colorant, DeviceStatus, Level, MeterSet, PrinterStatus, Supply, SupplyType};

use super::fold;
use super::{Step, Work};
use crate::ask::SomeLeft;
use crate::batch::DeviceCells;
use crate::duck::columns::Columns;
use crate::duck::sql::{errors_mask, level_codes};

pub(super) fn devices(work: &Work<'_>) -> Step {
    let mut rows = Vec::with_capacity(work.batch.devices.len());
    for (device, cells) in &work.batch.devices {
        rows.push((work.device(*device, "a row")?, *device, cells));
    }
    // Rows of one batch lie in the order of their devices, whatever the order of the hash table was.
    rows.sort_unstable_by_key(|row| row.0);
    let numbers: Vec<u32> = rows.iter().map(|row| row.0).collect();
    work.forget(&["device"], &numbers)?;
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = rows.iter().map(|row| row.1.to_string()).collect();
    let cells = || rows.iter().map(|row| row.2);
    let texts = |columns: Columns, name: &str, of: fn(&DeviceCells) -> Option<&String>| {
        columns.texts_opt(name, cells().map(of))
    };
    let mut columns = Columns::new()
        .u32s("device_no", numbers.iter().copied())
        .texts("device", ids.iter())
        .i64s("site", cells().map(|row| row.site.0))
        .texts("agent", cells().map(|row| row.agent.as_str()))
        .texts("source", cells().map(|row| row.source.word()))
        .i64s(
            "first_seen_ms",
            cells().map(|row| row.first_seen_at.unix_ms),
        )
        .i64s("changed_ms", cells().map(|row| row.changed_at.unix_ms));
    columns = texts(columns, "serial", |row| row.identity.serial.as_ref());
    columns = texts(columns, "manufacturer", |row| {
        row.identity.manufacturer.as_ref()
    });
    columns = texts(columns, "model", |row| row.identity.model.as_ref());
    columns = texts(columns, "hostname", |row| row.identity.hostname.as_ref());
    columns = texts(columns, "dns_name", |row| row.identity.dns_name.as_ref());
    columns = texts(columns, "address", |row| row.identity.address.as_ref());
    columns = texts(columns, "mac", |row| row.identity.mac.as_ref());
    columns = texts(columns, "location", |row| row.identity.location.as_ref());
    columns = texts(columns, "contact", |row| row.identity.contact.as_ref());
    columns = texts(columns, "firmware", |row| row.identity.firmware.as_ref());
    columns = texts(columns, "description", |row| {
        row.identity.description.as_ref()
    });
    columns = texts(columns, "object_id", |row| row.identity.object_id.as_ref());
    columns = texts(columns, "asset", |row| row.identity.asset.as_ref());
    columns = texts(columns, "profile", |row| row.identity.profile.as_ref());
    columns
        .texts_opt(
            "sort_name",
            cells().map(|row| fold::name(&row.identity).map(fold::sort_text)),
        )
        .texts_opt("sort_model", cells().map(sort_model))
        .texts_opt(
            "sort_address",
            cells().map(|row| row.identity.address.as_deref().map(fold::sort_text)),
        )
        .texts(
            "search",
            rows.iter()
                .zip(&ids)
                .map(|(row, id)| fold::search_text(&row.2.identity, id)),
        )
        .texts_opt(
            "superseded_by",
            cells().map(|row| row.superseded_by.map(|by| by.to_string())),
        )
        .append_to(work.connection, "device")?;
    Ok(())
}

fn sort_model(row: &DeviceCells) -> Option<String> {
    let identity = &row.identity;
    match (&identity.manufacturer, &identity.model) {
        (None, None) => None,
        (maker, model) => Some(fold::sort_text(&format!(
            "{} {}",
            maker.as_deref().unwrap_or_default(),
            model.as_deref().unwrap_or_default()
        ))),
    }
}

/// The rows of a table by device number, in the order of the numbers.
fn numbered<'a, T>(
    work: &Work<'_>,
    what: &'static str,
    rows: impl Iterator<Item = (&'a DeviceId, &'a T)>,
) -> Step<Vec<(u32, &'a T)>> {
    let mut numbered = Vec::new();
    for (device, row) in rows {
        numbered.push((work.device(*device, what)?, row));
    }
    numbered.sort_unstable_by_key(|row| row.0);
    Ok(numbered)
}

fn numbers<T>(rows: &[(u32, T)]) -> Vec<u32> {
    rows.iter().map(|row| row.0).collect()
}

pub(super) fn statuses(work: &Work<'_>) -> Step {
    let rows = numbered(work, "a status", work.batch.statuses.iter())?;
    work.forget(&["device_status"], &numbers(&rows))?;
    if rows.is_empty() {
        return Ok(());
    }
    let cells = || rows.iter().map(|row| row.1);
    Columns::new()
        .u32s("device_no", rows.iter().map(|row| row.0))
        .i64s("since_ms", cells().map(|row| row.since.unix_ms))
        .texts_opt(
            "device_status",
            cells().map(|row| row.status.device.map(DeviceStatus::word)),
        )
        .texts_opt(
            "printer_status",
            cells().map(|row| row.status.printer.map(PrinterStatus::word)),
        )
        .u16s("errors", cells().map(|row| errors_mask(&row.status.errors)))
        .u32s_opt("uptime_ticks", cells().map(|row| row.status.uptime_ticks))
        .texts_opt("display", cells().map(|row| row.status.display.as_ref()))
        .texts_opt(
            "meter_set",
            cells().map(|row| row.meter_set.map(MeterSet::word)),
        )
        .append_to(work.connection, "device_status")?;
    Ok(())
}

pub(super) fn seen(work: &Work<'_>) -> Step {
    let rows = &work.batch.seen.rows;
    if rows.is_empty() {
        return Ok(());
    }
    let mut numbers = Vec::with_capacity(rows.len());
    for row in rows {
        numbers.push(work.device(row.device, "a time of its last report")?);
    }
    work.forget(&["device_seen"], &numbers)?;
    Columns::new()
        .u32s("device_no", numbers.into_iter())
        .i64s(
            "observed_ms",
            rows.iter().map(|row| row.observed_at.unix_ms),
        )
        .i64s("agent_ms", rows.iter().map(|row| row.agent_at.unix_ms))
        .i64s(
            "received_ms",
            rows.iter().map(|row| row.received_at.unix_ms),
        )
        .i64s_opt(
            "meters_confirmed_ms",
            rows.iter()
                .map(|row| row.meters_confirmed_until.map(|at| at.unix_ms)),
        )
        .i64s_opt(
            "unchanged_since_ms",
            rows.iter()
                .map(|row| row.unchanged_since.map(|at| at.unix_ms)),
        )
        .append_to(work.connection, "device_seen")?;
    Ok(())
}

pub(super) fn supplies(work: &Work<'_>) -> Step {
    let devices = numbered(work, "supplies", work.batch.supplies.iter())?;
    work.forget(&["supply", "device_level"], &numbers(&devices))?;
    if devices.is_empty() {
        return Ok(());
    }
    let rows: Vec<(u32, &Supply)> = devices
        .iter()
        .flat_map(|(number, (supplies, _))| supplies.iter().map(|supply| (*number, supply)))
        .collect();
    let cells = || rows.iter().map(|row| row.1);
    Columns::new()
        .u32s("device_no", rows.iter().map(|row| row.0))
        .u32s("idx", cells().map(|row| row.index))
        .texts("class", cells().map(|row| row.class.word()))
        .texts("kind", cells().map(|row| row.kind.word()))
        .texts_opt(
            "colorant",
            cells().map(|row| row.colorant.map(Colorant::word)),
        )
        .texts("description", cells().map(|row| &row.description))
        .texts_opt("part", cells().map(|row| row.part.as_ref()))
        .texts_opt("serial", cells().map(|row| row.serial.as_ref()))
        .texts("unit", cells().map(|row| row.unit.word()))
        .u32s_opt("capacity", cells().map(|row| row.capacity))
        .u8s("level_kind", cells().map(|row| level_codes(row.level).0))
        .u32s("level", cells().map(|row| level_codes(row.level).1))
        .u32s_opt("resolution", cells().map(|row| row.resolution))
        .append_to(work.connection, "supply")?;

    let marks: Vec<Marks> = devices
        .iter()
        .map(|(_, (supplies, _))| Marks::of(supplies))
        .collect();
    Columns::new()
        .u32s("device_no", devices.iter().map(|row| row.0))
        .i64s("observed_ms", devices.iter().map(|row| row.1.1.unix_ms))
        .u8s_opt("black", marks.iter().map(|marks| marks.black))
        .u8s_opt("cyan", marks.iter().map(|marks| marks.cyan))
        .u8s_opt("magenta", marks.iter().map(|marks| marks.magenta))
        .u8s_opt("yellow", marks.iter().map(|marks| marks.yellow))
        .u8s_opt(
            "lowest",
            marks
                .iter()
                .map(|marks| marks.lowest.map(|lowest| lowest.0)),
        )
        .texts_opt(
            "lowest_kind",
            marks
                .iter()
                .map(|marks| marks.lowest.map(|lowest| lowest.1.word())),
        )
        .texts_opt(
            "lowest_colorant",
            marks
                .iter()
                .map(|marks| marks.lowest.and_then(|lowest| lowest.2.map(Colorant::word))),
        )
        .bools("coloured", marks.iter().map(|marks| marks.coloured))
        .texts_opt(
            "some_class",
            marks
                .iter()
                .map(|marks| marks.some_left.map(|left| left.class.word())),
        )
        .texts_opt(
            "some_kind",
            marks
                .iter()
                .map(|marks| marks.some_left.map(|left| left.kind.word())),
        )
        .append_to(work.connection, "device_level")?;
    Ok(())
}

/// What the fleet shows of a device's supplies.
#[derive(Debug, Default, PartialEq, Eq)]
struct Marks {
    black: Option<u8>,
    cyan: Option<u8>,
    magenta: Option<u8>,
    yellow: Option<u8>,
    lowest: Option<(u8, SupplyType, Option<Colorant>)>,
    coloured: bool,
    some_left: Option<SomeLeft>,
}

impl Marks {
    fn of(supplies: &[Supply]) -> Self {
        let mut marks = Self::default();
        let mut lowest_other = None;
        for supply in supplies {
            let percent = supply
                .percent()
                .and_then(|percent| u8::try_from(percent).ok());
            let paints = matches!(
                supply.kind,
                SupplyType::Toner | SupplyType::Ink | SupplyType::Ribbon | SupplyType::Wax
            );
            let lowest = if paints {
                &mut marks.lowest
            } else {
                &mut lowest_other
            };
            if let Some(percent) = percent
                && lowest.is_none_or(|(least, _, _)| percent < least)
            {
                *lowest = Some((percent, supply.kind, supply.colorant));
            }
            if !paints {
                continue;
            }
            if supply.level == Level::Some {
                marks.some_left.get_or_insert(SomeLeft {
                    class: supply.class,
                    kind: supply.kind,
                });
            }
            let column = match supply.colorant {
                Some(Colorant::Black) => &mut marks.black,
                Some(Colorant::Cyan) => &mut marks.cyan,
                Some(Colorant::Magenta) => &mut marks.magenta,
                Some(Colorant::Yellow) => &mut marks.yellow,
                _ => continue,
            };
            marks.coloured |= supply.colorant != Some(Colorant::Black);
            // Of two cartridges of one colour the emptier one matters.
            *column = match (*column, percent) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        marks.lowest = marks.lowest.or(lowest_other);
        marks
    }
}

pub(super) fn trays(work: &Work<'_>) -> Step {
    let devices = numbered(work, "trays", work.batch.trays.iter())?;
    work.forget(&["tray"], &numbers(&devices))?;
    let rows: Vec<_> = devices
        .iter()
        .flat_map(|(number, (trays, at))| trays.iter().map(|tray| (*number, tray, at.unix_ms)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let cells = || rows.iter().map(|row| row.1);
    Columns::new()
        .u32s("device_no", rows.iter().map(|row| row.0))
        .i64s("observed_ms", rows.iter().map(|row| row.2))
        .u32s("idx", cells().map(|row| row.index))
        .texts("name", cells().map(|row| &row.name))
        .texts("kind", cells().map(|row| row.kind.word()))
        .texts_opt("media", cells().map(|row| row.media.as_ref()))
        .texts("unit", cells().map(|row| row.unit.word()))
        .u32s_opt("capacity", cells().map(|row| row.capacity))
        .u8s("level_kind", cells().map(|row| level_codes(row.level).0))
        .u32s("level", cells().map(|row| level_codes(row.level).1))
        .u32s_opt("status", cells().map(|row| row.status))
        .append_to(work.connection, "tray")?;
    Ok(())
}
