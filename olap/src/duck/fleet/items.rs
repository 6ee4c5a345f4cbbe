//! All that a row of the fleet says of a few devices.

use std::collections::{BTreeMap, HashMap};

use codec::model::{Colorant, SourceKind, SupplyClass, SupplyType};
use codec::time::Timestamp;
use duckdb::{Connection, Row};

use crate::ask::{
    AlertCounts, BILLED_TOTAL_CODES, BilledTotal, FleetItem, FleetRules, Levels, LowestSupply,
    SomeLeft,
};
use crate::duck::readers::Answer;
use crate::duck::sql;
use crate::words::Quality;

/// A row of the fleet, and what only the device's own page shows.
#[derive(Debug)]
pub(in crate::duck) struct Details {
    pub number: u32,
    pub item: FleetItem,
    pub source: SourceKind,
    pub status_since: Option<Timestamp>,
    pub agent_at: Option<Timestamp>,
    pub supplies_at: Option<Timestamp>,
    pub meters_confirmed_until: Option<Timestamp>,
}

/// The numbers of the meters that can be a device's total: preference and code.
pub(super) fn billed_meters(connection: &Connection) -> Answer<BTreeMap<u16, (usize, String)>> {
    let among = sql::text_condition("code", &BILLED_TOTAL_CODES);
    let mut statement = connection.prepare(&format!(
        "SELECT DISTINCT meter_no, code FROM origin WHERE {among}"
    ))?;
    let mut meters = BTreeMap::new();
    for row in statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))? {
        let (meter, code) = row?;
        let at = BILLED_TOTAL_CODES.iter().position(|known| *known == code);
        meters.insert(meter, (at.unwrap_or(usize::MAX), code));
    }
    Ok(meters)
}

/// The devices with these numbers, in this order.
pub(in crate::duck) fn items(
    connection: &Connection,
    numbers: &[u32],
    rules: &FleetRules,
    counted_since: Option<Timestamp>,
) -> Answer<Vec<Details>> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: HashMap<u32, Details> = HashMap::with_capacity(numbers.len());
    // Said of each table: DuckDB does not carry such a condition over to what is joined.
    let among = sql::number_condition("d.device_no", numbers.iter());
    let few = sql::number_condition("device_no", numbers.iter());
    let (home, status) = (sql::HOME_COLUMNS, sql::STATUS_COLUMNS);
    let mut statement = connection.prepare(&format!(
        "SELECT {home}, {status}, s.observed_ms, s.agent_ms, s.received_ms, s.meters_confirmed_ms, s.unchanged_since_ms, \
         l.observed_ms, l.black, l.cyan, l.magenta, l.yellow, l.lowest, l.lowest_kind, l.lowest_colorant, l.some_class, l.some_kind FROM device d \
         LEFT JOIN (FROM device_status WHERE {few}) t ON t.device_no = d.device_no \
         LEFT JOIN (FROM device_seen WHERE {few}) s ON s.device_no = d.device_no \
         LEFT JOIN (FROM device_level WHERE {few}) l ON l.device_no = d.device_no WHERE {among}"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let details = details(row, rules)?;
        found.insert(details.number, details);
    }
    let among = few;
    let mut statement = connection.prepare(&format!(
        "SELECT device_no, (count(*) FILTER (severity = 'critical'))::UINTEGER, (count(*) FILTER (severity <> 'critical'))::UINTEGER \
         FROM alert_open WHERE {among} GROUP BY device_no"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let number: u32 = row.get(0)?;
        if let Some(details) = found.get_mut(&number) {
            details.item.alerts = AlertCounts {
                critical: row.get(1)?,
                other: row.get(2)?,
            };
        }
    }
    billed_totals(connection, &among, counted_since, &mut found)?;
    Ok(numbers
        .iter()
        .filter_map(|number| found.remove(number))
        .collect())
}

fn details(row: &Row<'_>, rules: &FleetRules) -> duckdb::Result<Details> {
    let home = sql::home(row)?;
    let status = sql::status(row, sql::HOME_COLUMN_COUNT)?;
    let seen = sql::HOME_COLUMN_COUNT + sql::STATUS_COLUMN_COUNT;
    let level = seen + 5;
    let observed_at = sql::moment_opt(row, seen)?;
    let lowest: Option<u8> = row.get(level + 5)?;
    let lowest_kind = sql::word_opt(row, level + 6, SupplyType::from_word)?;
    let lowest_colorant = sql::word_opt(row, level + 7, Colorant::from_word)?;
    let some_class = sql::word_opt(row, level + 8, SupplyClass::from_word)?;
    let some_kind = sql::word_opt(row, level + 9, SupplyType::from_word)?;
    let (status, status_since, meter_set) = match status {
        Some((status, since, meter_set)) => (status, Some(since), meter_set),
        None => Default::default(),
    };
    let heard = observed_at.unwrap_or(home.first_seen_at);
    Ok(Details {
        number: home.number,
        source: home.source,
        status_since,
        agent_at: sql::moment_opt(row, seen + 1)?,
        supplies_at: sql::moment_opt(row, level)?,
        meters_confirmed_until: sql::moment_opt(row, seen + 3)?,
        item: FleetItem {
            device: home.device,
            site: home.site,
            agent: home.agent,
            identity: home.identity,
            superseded_by: home.superseded_by,
            status,
            meter_set,
            levels: Levels {
                black: row.get(level + 1)?,
                cyan: row.get(level + 2)?,
                magenta: row.get(level + 3)?,
                yellow: row.get(level + 4)?,
            },
            lowest: lowest.zip(lowest_kind).map(|(percent, kind)| LowestSupply {
                percent,
                kind,
                colorant: lowest_colorant,
            }),
            some_left: some_class
                .zip(some_kind)
                .map(|(class, kind)| SomeLeft { class, kind }),
            billed_total: None,
            alerts: AlertCounts::default(),
            observed_at,
            received_at: sql::moment_opt(row, seen + 2)?,
            unchanged_since: sql::moment_opt(row, seen + 4)?,
            silent: rules.now.ms_since(heard) > rules.silent_ms,
            first_seen_at: home.first_seen_at,
            changed_at: home.changed_at,
        },
    })
}

/// Puts each device's total in, and what was counted since `since`.
fn billed_totals(
    connection: &Connection,
    among: &str,
    since: Option<Timestamp>,
    found: &mut HashMap<u32, Details>,
) -> Answer<()> {
    let meters = billed_meters(connection)?;
    let of_meters = sql::number_condition("meter_no", meters.keys());
    let mut statement = connection.prepare(&format!(
        "SELECT device_no, meter_no, value, continuous, observed_ms, confirmed_ms, quality FROM run_now WHERE {among} AND {of_meters}"
    ))?;
    let mut best: HashMap<u32, (usize, u16)> = HashMap::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (number, meter): (u32, u16) = (row.get(0)?, row.get(1)?);
        let (Some(details), Some((rank, code))) = (found.get_mut(&number), meters.get(&meter))
        else {
            continue;
        };
        if best.get(&number).is_some_and(|(better, _)| better < rank) {
            continue;
        }
        best.insert(number, (*rank, meter));
        let confirmed = sql::moment(row, 5)?;
        let all = details.meters_confirmed_until.unwrap_or(confirmed);
        details.item.billed_total = Some(BilledTotal {
            code: code.clone(),
            value: row.get(2)?,
            continuous: row.get(3)?,
            observed_at: sql::moment(row, 4)?,
            confirmed_until: confirmed.max(all),
            quality: sql::code(row, 6, Quality::from_code)?,
            counted: None,
        });
    }
    let Some(since) = since else { return Ok(()) };
    let mut statement = connection.prepare(&format!(
        "SELECT device_no, meter_no, continuous FROM run_all WHERE {among} AND {of_meters} \
         AND observed_ms <= {at} AND (superseded_ms IS NULL OR superseded_ms > {at})",
        at = since.unix_ms
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (number, meter, base): (u32, u16, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if best.get(&number).is_some_and(|(_, of)| *of == meter)
            && let Some(total) = found
                .get_mut(&number)
                .and_then(|details| details.item.billed_total.as_mut())
        {
            total.counted = total.continuous.checked_sub(base);
        }
    }
    Ok(())
}
