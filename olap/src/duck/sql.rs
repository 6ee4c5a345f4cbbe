//! Pieces of SQL and of rows that several questions share.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::str::FromStr;

use codec::id::{AgentId, DeviceId, Scope, TenantId};
use codec::model::{
    Alert, AlertSeverity, Basis, CapacityUnit, Colorant, Colour, DeviceStatus, ErrorState,
    Identity, Level, MeterSet, MeterUnit, PrinterStatus, Sides, SourceKind, Status, Supply,
    SupplyClass, SupplyType, Tray, TrayType, Work,
};
use codec::time::Timestamp;
use duckdb::Row;
use duckdb::types::Type;

use crate::ask::AlertItem;
use crate::batch::Origin;

/// A condition that `column` is a site in scope, and among `sites` where these are given.
pub(super) fn sites_condition(
    column: &str,
    scope: &Scope,
    sites: Option<&BTreeSet<TenantId>>,
) -> String {
    let wanted: Option<BTreeSet<TenantId>> = match (scope, sites) {
        (Scope::Everything, None) => None,
        (Scope::Everything, Some(sites)) => Some(sites.clone()),
        (Scope::Sites(seen), None) => Some(seen.clone()),
        (Scope::Sites(seen), Some(sites)) => Some(seen.intersection(sites).copied().collect()),
    };
    wanted.map_or_else(
        || "true".to_owned(),
        |sites| number_condition(column, sites.iter().map(|site| site.0)),
    )
}

/// A condition that `column` is one of `numbers`.
pub(super) fn number_condition<N: std::fmt::Display>(
    column: &str,
    numbers: impl Iterator<Item = N>,
) -> String {
    let mut list = String::new();
    let mut count = 0;
    for number in numbers {
        let comma = if list.is_empty() { "" } else { ", " };
        let _ = write!(list, "{comma}{number}");
        count += 1;
    }
    match count {
        0 => "false".to_owned(),
        // Which DuckDB looks for while it reads; a list it looks at afterwards.
        1 => format!("{column} = {list}"),
        _ => format!("{column} IN ({list})"),
    }
}

/// A condition on `device d`: it did not turn out to be another. Lists and counts have it.
pub(super) const STANDS: &str = "d.superseded_by IS NULL";

/// A text as a literal of SQL.
pub(super) fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A condition that `column` is one of `texts`; true for none.
pub(super) fn text_condition<T: AsRef<str>>(column: &str, texts: &[T]) -> String {
    if texts.is_empty() {
        return "true".to_owned();
    }
    let list: Vec<String> = texts
        .iter()
        .map(|text| text_literal(text.as_ref()))
        .collect();
    format!("{column} IN ({})", list.join(", "))
}

/// A column's text as the checked type it was written from.
pub(super) fn parsed<T: FromStr>(row: &Row<'_>, at: usize) -> duckdb::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.get(at)?;
    text.parse()
        .map_err(|error| duckdb::Error::FromSqlConversionFailure(at, Type::Text, Box::new(error)))
}

/// As [`parsed`], of a column that may be absent.
pub(super) fn parsed_opt<T: FromStr>(row: &Row<'_>, at: usize) -> duckdb::Result<Option<T>>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: Option<String> = row.get(at)?;
    text.map(|_| parsed(row, at)).transpose()
}

/// A column's word as the value it names.
pub(super) fn word<T>(
    row: &Row<'_>,
    at: usize,
    from_word: impl Fn(&str) -> Option<T>,
) -> duckdb::Result<T> {
    let text: String = row.get(at)?;
    from_word(&text).ok_or_else(|| unwritten(at, &text))
}

/// A column's word, which may be absent.
pub(super) fn word_opt<T>(
    row: &Row<'_>,
    at: usize,
    from_word: impl Fn(&str) -> Option<T>,
) -> duckdb::Result<Option<T>> {
    let text: Option<String> = row.get(at)?;
    text.map(|text| from_word(&text).ok_or_else(|| unwritten(at, &text)))
        .transpose()
}

/// A column's code as the value it stands for.
pub(super) fn code<T>(
    row: &Row<'_>,
    at: usize,
    from_code: impl Fn(u8) -> Option<T>,
) -> duckdb::Result<T> {
    let code: u8 = row.get(at)?;
    from_code(code).ok_or_else(|| unwritten(at, &code))
}

/// A moment.
pub(super) fn moment(row: &Row<'_>, at: usize) -> duckdb::Result<Timestamp> {
    row.get(at).map(Timestamp::from_unix_ms)
}

/// A moment, which may be absent.
pub(super) fn moment_opt(row: &Row<'_>, at: usize) -> duckdb::Result<Option<Timestamp>> {
    let ms: Option<i64> = row.get(at)?;
    Ok(ms.map(Timestamp::from_unix_ms))
}

/// What was made of a column's value, or an error that shows the value.
pub(super) fn found<T>(
    at: usize,
    value: &dyn std::fmt::Debug,
    made: Option<T>,
) -> duckdb::Result<T> {
    made.ok_or_else(|| unwritten(at, value))
}

fn unwritten(at: usize, value: &dyn std::fmt::Debug) -> duckdb::Error {
    let error = format!("{value:?} was never written there");
    duckdb::Error::FromSqlConversionFailure(at, Type::Text, error.into())
}

/// The columns of an origin from `at` on: code, work, colour, unit, media_size, sides, basis, oid, profile, source.
pub(super) fn origin(row: &Row<'_>, at: usize) -> duckdb::Result<Origin> {
    Ok(Origin {
        code: row.get(at)?,
        work: word(row, at + 1, Work::from_word)?,
        colour: word(row, at + 2, Colour::from_word)?,
        unit: word(row, at + 3, MeterUnit::from_word)?,
        size: row.get(at + 4)?,
        sides: word_opt(row, at + 5, Sides::from_word)?,
        basis: word(row, at + 6, Basis::from_word)?,
        oid: row.get(at + 7)?,
        profile: row.get(at + 8)?,
        source: word(row, at + 9, SourceKind::from_word)?,
    })
}

/// Columns of `device` that make a [`Home`], in its order.
pub(super) const HOME_COLUMNS: &str = "d.device_no, d.device, d.site, d.agent, d.source, d.first_seen_ms, d.changed_ms, \
     d.serial, d.manufacturer, d.model, d.hostname, d.dns_name, d.address, d.mac, d.location, d.contact, d.firmware, \
     d.description, d.object_id, d.asset, d.profile, d.superseded_by";
/// How many they are.
pub(super) const HOME_COLUMN_COUNT: usize = 22;

/// Who a device is and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub number: u32,
    pub device: DeviceId,
    pub site: TenantId,
    pub agent: AgentId,
    pub source: SourceKind,
    pub first_seen_at: Timestamp,
    pub changed_at: Timestamp,
    pub identity: Identity,
    pub superseded_by: Option<DeviceId>,
}

pub(super) fn home(row: &Row<'_>) -> duckdb::Result<Home> {
    Ok(Home {
        number: row.get(0)?,
        device: parsed(row, 1)?,
        site: TenantId(row.get(2)?),
        agent: parsed(row, 3)?,
        source: word(row, 4, SourceKind::from_word)?,
        first_seen_at: moment(row, 5)?,
        changed_at: moment(row, 6)?,
        identity: Identity {
            serial: row.get(7)?,
            manufacturer: row.get(8)?,
            model: row.get(9)?,
            hostname: row.get(10)?,
            dns_name: row.get(11)?,
            address: row.get(12)?,
            mac: row.get(13)?,
            location: row.get(14)?,
            contact: row.get(15)?,
            firmware: row.get(16)?,
            description: row.get(17)?,
            object_id: row.get(18)?,
            asset: row.get(19)?,
            profile: row.get(20)?,
        },
        superseded_by: parsed_opt(row, 21)?,
    })
}

/// Columns of `device_status` that make a status, in its order.
pub(super) const STATUS_COLUMNS: &str = "t.since_ms, t.device_status, t.printer_status, t.errors, t.uptime_ticks, t.display, t.meter_set";
/// How many they are.
pub(super) const STATUS_COLUMN_COUNT: usize = 7;

/// The status from column `at` on; `None` when the joined row is absent.
pub(super) fn status(
    row: &Row<'_>,
    at: usize,
) -> duckdb::Result<Option<(Status, Timestamp, Option<MeterSet>)>> {
    let Some(since) = moment_opt(row, at)? else {
        return Ok(None);
    };
    let errors: u16 = row.get(at + 3)?;
    let status = Status {
        device: word_opt(row, at + 1, DeviceStatus::from_word)?,
        printer: word_opt(row, at + 2, PrinterStatus::from_word)?,
        errors: errors_of(errors),
        uptime_ticks: row.get(at + 4)?,
        display: row.get(at + 5)?,
    };
    let meter_set = word_opt(row, at + 6, MeterSet::from_word)?;
    Ok(Some((status, since, meter_set)))
}

/// Error states as the bits of `hrPrinterDetectedErrorState`: bit n is the n-th of the list.
pub(super) fn errors_mask(errors: &[ErrorState]) -> u16 {
    errors
        .iter()
        .fold(0, |mask, error| mask | error_bit(*error))
}

/// The bit of one error state.
pub(super) fn error_bit(error: ErrorState) -> u16 {
    let at = ErrorState::ALL.iter().position(|state| *state == error);
    1 << at.expect("ALL has every error state")
}

fn errors_of(mask: u16) -> Vec<ErrorState> {
    let all = ErrorState::ALL.iter().copied();
    all.filter(|error| mask & error_bit(*error) != 0).collect()
}

/// A level as two columns.
pub(super) const fn level_codes(level: Level) -> (u8, u32) {
    match level {
        Level::Amount(amount) => (0, amount),
        Level::Percent(percent) => (1, percent),
        Level::Some => (2, 0),
        Level::Unknown => (3, 0),
        Level::Unlimited => (4, 0),
    }
}

/// The level of two columns.
pub(super) fn level(row: &Row<'_>, at: usize) -> duckdb::Result<Level> {
    let kind: u8 = row.get(at)?;
    let number: u32 = row.get(at + 1)?;
    match kind {
        0 => Ok(Level::Amount(number)),
        1 => Ok(Level::Percent(number)),
        2 => Ok(Level::Some),
        3 => Ok(Level::Unknown),
        4 => Ok(Level::Unlimited),
        _ => Err(unwritten(at, &kind)),
    }
}

/// Columns of `supply` that make a supply, in its order.
pub(super) const SUPPLY_COLUMNS: &str = "idx, class, kind, colorant, description, part, serial, unit, capacity, level_kind, level, resolution";

pub(super) fn supply(row: &Row<'_>, at: usize) -> duckdb::Result<Supply> {
    Ok(Supply {
        index: row.get(at)?,
        class: word(row, at + 1, SupplyClass::from_word)?,
        kind: word(row, at + 2, SupplyType::from_word)?,
        colorant: word_opt(row, at + 3, Colorant::from_word)?,
        description: row.get(at + 4)?,
        part: row.get(at + 5)?,
        serial: row.get(at + 6)?,
        unit: word(row, at + 7, CapacityUnit::from_word)?,
        capacity: row.get(at + 8)?,
        level: level(row, at + 9)?,
        resolution: row.get(at + 11)?,
    })
}

/// Columns of `tray` that make a tray and its time, in their order.
pub(super) const TRAY_COLUMNS: &str =
    "idx, name, kind, media, unit, capacity, level_kind, level, status, observed_ms";

pub(super) fn tray(row: &Row<'_>, at: usize) -> duckdb::Result<(Tray, Timestamp)> {
    let tray = Tray {
        index: row.get(at)?,
        name: row.get(at + 1)?,
        kind: word(row, at + 2, TrayType::from_word)?,
        media: row.get(at + 3)?,
        unit: word(row, at + 4, CapacityUnit::from_word)?,
        capacity: row.get(at + 5)?,
        level: level(row, at + 6)?,
        status: row.get(at + 8)?,
    };
    Ok((tray, moment(row, at + 9)?))
}

/// Columns of an alert that make an [`AlertItem`] of a known device, in its order.
pub(super) const ALERT_COLUMNS: &str = "a.place, a.site, a.idx, a.severity, a.group_name, a.group_idx, a.code, a.description, a.device_since_ms, a.since_ms, a.until_ms";

pub(super) fn alert(row: &Row<'_>, at: usize, device: DeviceId) -> duckdb::Result<AlertItem> {
    Ok(AlertItem {
        id: row.get(at)?,
        device,
        site: TenantId(row.get(at + 1)?),
        alert: Alert {
            index: row.get(at + 2)?,
            severity: word(row, at + 3, AlertSeverity::from_word)?,
            group: row.get(at + 4)?,
            group_index: row.get(at + 5)?,
            code: row.get(at + 6)?,
            description: row.get(at + 7)?,
            since: moment_opt(row, at + 8)?,
        },
        observed_since: moment(row, at + 9)?,
        until: moment_opt(row, at + 10)?,
    })
}
