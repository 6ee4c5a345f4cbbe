//! What an applier starts from: positions, streams, and the state of every device.

use std::collections::HashMap;

use codec::id::{AgentId, DeviceId};
use codec::key::{SpoolEpoch, Stream};
use duckdb::Connection;

use super::readers::Answer;
use super::sql;
use crate::ask::{DeviceState, OpenRun};
use crate::rows::SeenRow;
use crate::store::{Positions, StreamApplied};

/// How many devices are read at once: their open runs are some MB.
const CHUNK_DEVICES: u32 = 4_096;

pub(super) fn positions(connection: &Connection) -> Answer<Positions> {
    let mut positions = Positions::default();
    let mut statement = connection.prepare("SELECT shard, position FROM applied")?;
    for row in statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
        let (shard, position) = row?;
        positions.shards.insert(shard, position);
    }
    let mut statement = connection.prepare("SELECT value FROM meta WHERE key = 'next_place'")?;
    for value in statement.query_map([], |row| sql::parsed::<u64>(row, 0))? {
        positions.next_place = value?;
    }
    Ok(positions)
}

pub(super) fn streams(connection: &Connection) -> Answer<Vec<StreamApplied>> {
    let mut statement = connection
        .prepare("SELECT agent, epoch, stream, sequence, observed_ms FROM stream ORDER BY ALL")?;
    let streams = statement.query_map([], |row| {
        Ok(StreamApplied {
            agent: sql::parsed::<AgentId>(row, 0)?,
            epoch: SpoolEpoch(row.get(1)?),
            stream: sql::word(row, 2, Stream::from_name)?,
            sequence: row.get(3)?,
            observed_at: row
                .get::<_, Option<i64>>(4)?
                .map(codec::time::Timestamp::from_unix_ms),
        })
    })?;
    Ok(streams.collect::<duckdb::Result<_>>()?)
}

pub(super) fn all(connection: &Connection, each: &mut dyn FnMut(DeviceState)) -> Answer<()> {
    let end: Option<u32> =
        connection.query_row("SELECT max(device_no) + 1 FROM device", [], |row| {
            row.get(0)
        })?;
    let end = end.unwrap_or(0);
    let mut from = 0;
    while from < end {
        let to = from.saturating_add(CHUNK_DEVICES);
        for state in range(connection, from, to)? {
            each(state);
        }
        from = to;
    }
    Ok(())
}

pub(super) fn one(connection: &Connection, device: DeviceId) -> Answer<Option<DeviceState>> {
    let Some(number) = number_of(connection, device)? else {
        return Ok(None);
    };
    Ok(range(connection, number, number + 1)?.pop())
}

/// The store's number of a device.
pub(super) fn number_of(connection: &Connection, device: DeviceId) -> Answer<Option<u32>> {
    let mut statement = connection.prepare("SELECT device_no FROM device WHERE device = ?")?;
    let number = statement
        .query_map([device.to_string()], |row| row.get(0))?
        .next()
        .transpose()?;
    Ok(number)
}

/// The devices with numbers from `from` to before `to`.
fn range(connection: &Connection, from: u32, to: u32) -> Answer<Vec<DeviceState>> {
    let within = format!("device_no BETWEEN {from} AND {}", to - 1);
    let mut states = Vec::new();
    let mut at = HashMap::new();
    let (home, status) = (sql::HOME_COLUMNS, sql::STATUS_COLUMNS);
    let mut statement = connection.prepare(&format!(
        "SELECT {home}, {status}, s.observed_ms, s.agent_ms, s.received_ms, s.meters_confirmed_ms, s.unchanged_since_ms \
         FROM device d LEFT JOIN device_status t ON t.device_no = d.device_no \
         LEFT JOIN device_seen s ON s.device_no = d.device_no WHERE d.{within} ORDER BY d.device_no"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let home = sql::home(row)?;
        let status = sql::status(row, sql::HOME_COLUMN_COUNT)?;
        let seen = seen(
            row,
            sql::HOME_COLUMN_COUNT + sql::STATUS_COLUMN_COUNT,
            home.device,
        )?;
        at.insert(home.number, states.len());
        states.push(DeviceState {
            device: home.device,
            site: home.site,
            agent: home.agent,
            source: home.source,
            identity: home.identity,
            superseded_by: home.superseded_by,
            first_seen_at: home.first_seen_at,
            changed_at: home.changed_at,
            status,
            seen,
            supplies: Vec::new(),
            trays: Vec::new(),
            alerts: Vec::new(),
            runs: Vec::new(),
        });
    }
    let mut each =
        |columns: &str,
         from: &str,
         add: &mut dyn FnMut(&duckdb::Row<'_>, &mut DeviceState) -> duckdb::Result<()>|
         -> duckdb::Result<()> {
            let mut statement =
                connection.prepare(&format!("SELECT device_no, {columns} FROM {from}"))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let number: u32 = row.get(0)?;
                if let Some(state) = at.get(&number).and_then(|at| states.get_mut(*at)) {
                    add(row, state)?;
                }
            }
            Ok(())
        };
    let supplies = format!("supply WHERE {within} ORDER BY device_no, idx");
    each(sql::SUPPLY_COLUMNS, &supplies, &mut |row, state| {
        state.supplies.push(sql::supply(row, 1)?);
        Ok(())
    })?;
    let trays = format!("tray WHERE {within} ORDER BY device_no, idx");
    each(sql::TRAY_COLUMNS, &trays, &mut |row, state| {
        state.trays.push(sql::tray(row, 1)?.0);
        Ok(())
    })?;
    let alerts = format!("alert_open a WHERE {within} ORDER BY device_no, place");
    each(sql::ALERT_COLUMNS, &alerts, &mut |row, state| {
        state.alerts.push(sql::alert(row, 1, state.device)?);
        Ok(())
    })?;
    let runs = format!(
        "run_now r JOIN origin o ON o.origin_no = r.origin_no WHERE {within} ORDER BY device_no, place"
    );
    each(
        "r.place, o.code, r.value, r.continuous, r.meter_epoch, r.observed_ms, r.confirmed_ms, r.quality, o.oid, o.profile, r.site",
        &runs,
        &mut |row, state| {
            let confirmed = sql::moment(row, 7)?;
            let all = state.seen.and_then(|seen| seen.meters_confirmed_until);
            state.runs.push(OpenRun {
                place: row.get(1)?,
                code: row.get(2)?,
                value: row.get(3)?,
                continuous: row.get(4)?,
                meter_epoch: row.get(5)?,
                observed_at: sql::moment(row, 6)?,
                confirmed_until: confirmed.max(all.unwrap_or(confirmed)),
                quality: sql::code(row, 8, crate::words::Quality::from_code)?,
                oid: row.get(9)?,
                profile: row.get(10)?,
                site: codec::id::TenantId(row.get(11)?),
            });
            Ok(())
        },
    )?;
    Ok(states)
}

fn seen(row: &duckdb::Row<'_>, at: usize, device: DeviceId) -> duckdb::Result<Option<SeenRow>> {
    let Some(observed_at) = sql::moment_opt(row, at)? else {
        return Ok(None);
    };
    Ok(Some(SeenRow {
        device,
        observed_at,
        agent_at: sql::moment(row, at + 1)?,
        received_at: sql::moment(row, at + 2)?,
        meters_confirmed_until: sql::moment_opt(row, at + 3)?,
        unchanged_since: sql::moment_opt(row, at + 4)?,
    }))
}
