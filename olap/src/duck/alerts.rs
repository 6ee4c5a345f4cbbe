//! Alerts in the order in which they began, or the other way round.

use codec::id::Scope;
use duckdb::Connection;

use super::readers::Answer;
use super::{load, readings, sql};
use crate::ask::{AlertsPage, AlertsQuery, PAGE_ITEMS_MAX};
use crate::cursor::{Cursor, List};

/// The alerts that stand, each where its device stands now: who looks after the device looks after them.
pub(super) const STANDING: &str = "(SELECT o.* REPLACE (h.site AS site) FROM alert_open o JOIN device h ON h.device_no = o.device_no)";

pub(super) fn page(
    connection: &Connection,
    scope: &Scope,
    query: &AlertsQuery,
) -> Answer<AlertsPage> {
    let after = Cursor::place(query.cursor, List::Alerts)?;
    let mut conditions = vec![sql::sites_condition("a.site", scope, query.sites.as_ref())];
    if let Some(device) = query.device {
        let number = load::number_of(connection, device)?;
        conditions.push(sql::number_condition("a.device_no", number.into_iter()));
    }
    if let Some(severity) = query.severity {
        conditions.push(format!("a.severity = '{}'", severity.word()));
    }
    let table = match query.open {
        Some(true) => STANDING.to_owned(),
        Some(false) => "alert_over".to_owned(),
        None => format!("({STANDING} UNION ALL FROM alert_over)"),
    };
    let condition = conditions.join(" AND ");
    let total: u64 = connection.query_row(
        &format!("SELECT count(*) FROM {table} a WHERE {condition}"),
        [],
        |row| row.get(0),
    )?;
    let (order, beyond) = if query.newest_first {
        ("DESC", "<")
    } else {
        ("ASC", ">")
    };
    let begin = match query.cursor {
        Some(_) => format!("a.place {beyond} {after}"),
        None => "true".to_owned(),
    };
    let limit = query.limit.clamp(1, PAGE_ITEMS_MAX);
    let columns = sql::ALERT_COLUMNS;
    let mut statement = connection.prepare(&format!(
        "SELECT d.device, {columns} FROM {table} a JOIN device d ON d.device_no = a.device_no \
         WHERE {condition} AND {begin} ORDER BY a.place {order} LIMIT {}",
        u64::from(limit) + 1
    ))?;
    let mut items = statement
        .query_map([], |row| {
            let device = sql::parsed(row, 0)?;
            sql::alert(row, 1, device)
        })?
        .collect::<duckdb::Result<Vec<_>>>()?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    Ok(AlertsPage {
        devices: readings::briefs(connection, items.iter().map(|item| item.device))?,
        next: items
            .last()
            .filter(|_| more)
            .map(|last| Cursor::new(List::Alerts, last.id)),
        items,
        total,
    })
}
