//! All about one device.

use codec::id::{DeviceId, Scope};
use codec::time::Timestamp;
use duckdb::{Connection, Row};

use super::alerts::STANDING;
use super::readers::Answer;
use super::readings::{READING_COLUMNS, READING_JOINS, reading};
use super::{fleet, load, sql};
use crate::ask::{DEVICE_EVENTS_MAX, DeviceDetail, Event, FleetRules};
use crate::words::EventKind;

pub(super) fn detail(
    connection: &Connection,
    scope: &Scope,
    device: DeviceId,
    rules: &FleetRules,
) -> Answer<Option<DeviceDetail>> {
    let Some(number) = load::number_of(connection, device)? else {
        return Ok(None);
    };
    let found = fleet::items(connection, &[number], rules, None)?.pop();
    let Some(details) = found.filter(|details| scope.sees(details.item.site)) else {
        return Ok(None);
    };
    let of_device = format!("device_no = {number}");
    let trays = rows(
        connection,
        &format!(
            "SELECT {} FROM tray WHERE {of_device} ORDER BY idx",
            sql::TRAY_COLUMNS
        ),
        |row| sql::tray(row, 0),
    )?;
    let trays_at: Option<Timestamp> = trays.iter().map(|(_, at)| *at).max();
    let at_site = sql::sites_condition("site", scope, None);
    Ok(Some(DeviceDetail {
        source: details.source,
        status_since: details.status_since,
        agent_at: details.agent_at,
        meters: rows(
            connection,
            &format!(
                "SELECT {READING_COLUMNS} FROM run_all r {READING_JOINS} \
                 WHERE r.{of_device} AND r.superseded_ms IS NULL ORDER BY o.basis, o.code"
            ),
            reading,
        )?,
        supplies: rows(
            connection,
            &format!(
                "SELECT {} FROM supply WHERE {of_device} ORDER BY idx",
                sql::SUPPLY_COLUMNS
            ),
            |row| sql::supply(row, 0),
        )?,
        supplies_at: details.supplies_at,
        trays: trays.into_iter().map(|(tray, _)| tray).collect(),
        trays_at,
        alerts_open: rows(
            connection,
            &format!(
                "SELECT {} FROM {STANDING} a WHERE {of_device} ORDER BY a.place DESC",
                sql::ALERT_COLUMNS
            ),
            |row| sql::alert(row, 0, device),
        )?,
        events: rows(
            connection,
            &format!(
                "SELECT place, at_ms, kind, subject, value_before, value_after FROM event \
                 WHERE {of_device} AND {at_site} ORDER BY place DESC LIMIT {DEVICE_EVENTS_MAX}"
            ),
            |row| {
                Ok(Event {
                    id: row.get(0)?,
                    device,
                    at: sql::moment(row, 1)?,
                    kind: sql::code(row, 2, EventKind::from_code)?,
                    subject: row.get(3)?,
                    before: row.get(4)?,
                    after: row.get(5)?,
                })
            },
        )?,
        item: details.item,
    }))
}

fn rows<T>(
    connection: &Connection,
    question: &str,
    each: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
) -> Answer<Vec<T>> {
    let mut statement = connection.prepare(question)?;
    Ok(statement
        .query_map([], each)?
        .collect::<duckdb::Result<_>>()?)
}
