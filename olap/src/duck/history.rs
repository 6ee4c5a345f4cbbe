//! Courses over time, thinned to what a chart can show.

use std::collections::BTreeMap;

use codec::id::{DeviceId, Scope};
use codec::model::{Colorant, SupplyType};
use duckdb::Connection;

use super::readers::Answer;
use super::{load, sql};
use crate::ask::{
    HISTORY_POINTS_MAX, HistoryQuery, LevelCourse, LevelHistory, LevelPoint, MeterHistory,
    MeterPoint,
};
use crate::words::Quality;

pub(super) fn meter(
    connection: &Connection,
    scope: &Scope,
    device: DeviceId,
    code: &str,
    query: &HistoryQuery,
) -> Answer<MeterHistory> {
    let Some(number) = load::number_of(connection, device)? else {
        return Ok(MeterHistory::default());
    };
    let site = sql::sites_condition("r.site", scope, None);
    let code = sql::text_literal(code);
    let (from, to) = (query.from.unix_ms, query.to.unix_ms);
    let points_max = query.points_max.clamp(2, HISTORY_POINTS_MAX);
    // The time is cut into as many slots as points are wanted; of each slot the last run is kept, and the very first of all.
    let mut statement = connection.prepare(&format!(
        "WITH found AS MATERIALIZED ( \
           SELECT r.place, r.observed_ms, r.confirmed_ms, r.value, r.continuous, r.meter_epoch, r.quality FROM run_all r \
           WHERE r.device_no = {number} AND r.meter_no IN (SELECT meter_no FROM origin WHERE code = {code}) AND {site} \
           AND r.confirmed_ms >= {from} AND r.observed_ms < {to}), \
         numbered AS ( \
           SELECT *, count(*) OVER () AS runs, row_number() OVER (ORDER BY observed_ms, place) AS nth, \
           row_number() OVER (PARTITION BY (greatest(observed_ms, {from}) - {from}) * {slots} // {span} \
                              ORDER BY observed_ms DESC, place DESC) AS nth_back FROM found) \
         SELECT observed_ms, confirmed_ms, value, continuous, meter_epoch, quality, runs FROM numbered \
         WHERE runs <= {points_max} OR nth = 1 OR nth_back = 1 ORDER BY observed_ms, place",
        slots = points_max - 1,
        span = query.to.ms_since(query.from).max(1),
    ))?;
    let mut history = MeterHistory::default();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        history.points.push(MeterPoint {
            observed_at: sql::moment(row, 0)?,
            confirmed_until: sql::moment(row, 1)?,
            value: row.get(2)?,
            continuous: row.get(3)?,
            meter_epoch: row.get(4)?,
            quality: sql::code(row, 5, Quality::from_code)?,
        });
        history.runs = row.get(6)?;
    }
    Ok(history)
}

pub(super) fn levels(
    connection: &Connection,
    scope: &Scope,
    device: DeviceId,
    query: &HistoryQuery,
) -> Answer<LevelHistory> {
    let site = sql::sites_condition("site", scope, None);
    let mut statement = connection.prepare(&format!(
        "SELECT device_no FROM device WHERE device = ? AND {site}"
    ))?;
    let number: Option<u32> = statement
        .query_map([device.to_string()], |row| row.get(0))?
        .next()
        .transpose()?;
    let Some(number) = number else {
        return Ok(LevelHistory::default());
    };
    let (from, to) = (query.from.unix_ms, query.to.unix_ms);
    let points_max = query.points_max.clamp(2, HISTORY_POINTS_MAX);
    let mut statement = connection.prepare(&format!(
        "WITH numbered AS ( \
           SELECT *, count(*) OVER (PARTITION BY idx) AS points, row_number() OVER (PARTITION BY idx ORDER BY observed_ms) AS nth, \
           row_number() OVER (PARTITION BY idx, (observed_ms - {from}) * {slots} // {span} ORDER BY observed_ms DESC) AS nth_back \
           FROM supply_level WHERE device_no = {number} AND observed_ms >= {from} AND observed_ms < {to}) \
         SELECT idx, kind, colorant, description, observed_ms, level_kind, level, percent FROM numbered \
         WHERE points <= {points_max} OR nth = 1 OR nth_back = 1 ORDER BY idx, observed_ms",
        slots = points_max - 1,
        span = query.to.ms_since(query.from).max(1),
    ))?;
    let mut courses: BTreeMap<u32, LevelCourse> = BTreeMap::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let index = row.get(0)?;
        let course = courses.entry(index).or_insert_with(|| LevelCourse {
            index,
            kind: SupplyType::Other,
            colorant: None,
            description: String::new(),
            points: Vec::new(),
        });
        // The latest row says what the supply is now.
        course.kind = sql::word(row, 1, SupplyType::from_word)?;
        course.colorant = sql::word_opt(row, 2, Colorant::from_word)?;
        course.description = row.get(3)?;
        course.points.push(LevelPoint {
            observed_at: sql::moment(row, 4)?,
            level: sql::level(row, 5)?,
            percent: row.get(7)?,
        });
    }
    Ok(LevelHistory {
        courses: courses.into_values().collect(),
    })
}
