//! Readings in the total order, one by its id, and those that stand at a cutoff.

use std::collections::{BTreeMap, BTreeSet};

use codec::id::{DeviceId, Scope, TenantId};
use codec::key::{SpoolEpoch, Stream};
use codec::model::{Basis, MeterPart};
use duckdb::{Connection, Row};

use super::readers::Answer;
use super::sql;
use crate::ask::{
    Apart, BillingPage, BillingQuery, BillingReading, DeviceBrief, PAGE_ITEMS_MAX, ReadingsPage,
    ReadingsQuery,
};
use crate::cursor::{Cursor, List};
use crate::reading::{JournalPosition, Reading, ReadingId};
use crate::words::{Quality, ReadReason};

/// Columns of a run, its origin, report, agent and device that make a reading, in its order.
pub(super) const READING_COLUMNS: &str = "r.place, d.device, r.site, \
     o.code, o.work, o.colour, o.unit, o.media_size, o.sides, o.basis, o.oid, o.profile, o.source, \
     r.value, r.continuous, r.meter_epoch, r.observed_ms, r.confirmed_ms, r.superseded_ms, p.agent_ms, p.received_ms, \
     n.agent, p.epoch, p.stream, p.sequence, p.ordinal, r.quality, r.clock_corrected, r.reason, p.shard, p.position, r.parts";

/// What a run is joined with to become a reading.
pub(super) const READING_JOINS: &str = "JOIN origin o ON o.origin_no = r.origin_no \
     JOIN report p ON p.report_no = r.report_no JOIN agent_name n ON n.agent_no = p.agent_no JOIN device d ON d.device_no = r.device_no";

pub(super) fn reading(row: &Row<'_>) -> duckdb::Result<Reading> {
    let origin = sql::origin(row, 3)?;
    let stream: u8 = row.get(23)?;
    let parts: Option<String> = row.get(31)?;
    Ok(Reading {
        id: ReadingId {
            agent: sql::parsed(row, 21)?,
            epoch: SpoolEpoch(row.get(22)?),
            stream: sql::found(23, &stream, stream_of(stream))?,
            sequence: row.get(24)?,
            ordinal: row.get(25)?,
            meter: origin.code.clone(),
        },
        place: row.get(0)?,
        device: sql::parsed(row, 1)?,
        site: TenantId(row.get(2)?),
        code: origin.code,
        work: origin.work,
        colour: origin.colour,
        unit: origin.unit,
        size: origin.size,
        sides: origin.sides,
        basis: origin.basis,
        value: row.get(13)?,
        continuous: row.get(14)?,
        meter_epoch: row.get(15)?,
        observed_at: sql::moment(row, 16)?,
        confirmed_until: sql::moment(row, 17)?,
        superseded_at: sql::moment_opt(row, 18)?,
        agent_at: sql::moment(row, 19)?,
        received_at: sql::moment(row, 20)?,
        oid: origin.oid,
        profile: origin.profile,
        parts: parts_of(parts.as_deref().unwrap_or_default(), 31)?,
        quality: sql::code(row, 26, Quality::from_code)?,
        clock_corrected: row.get(27)?,
        reason: sql::code(row, 28, ReadReason::from_code)?,
        source: origin.source,
        journal: JournalPosition {
            shard: row.get(29)?,
            position: row.get(30)?,
        },
    })
}

/// The code of a stream in columns.
pub(super) const fn stream_code(stream: Stream) -> u8 {
    match stream {
        Stream::Meters => 0,
        Stream::State => 1,
    }
}

fn stream_of(code: u8) -> Option<Stream> {
    Stream::ALL
        .into_iter()
        .find(|stream| stream_code(*stream) == code)
}

fn parts_of(text: &str, at: usize) -> duckdb::Result<Vec<MeterPart>> {
    text.split_ascii_whitespace()
        .map(|part| {
            let read = part.split_once('=').and_then(|(oid, value)| {
                Some(MeterPart {
                    oid: oid.to_owned(),
                    value: value.parse().ok()?,
                })
            });
            sql::found(at, &part, read)
        })
        .collect()
}

/// Where the readings were read: at the sites, with those apart.
fn places_condition(scope: &Scope, sites: Option<&BTreeSet<TenantId>>, apart: &Apart) -> String {
    let mut condition = sql::sites_condition("r.site", scope, sites);
    if sites.is_none() {
        return condition;
    }
    let among = |devices: &BTreeSet<DeviceId>| {
        let ids: Vec<String> = devices.iter().map(DeviceId::to_string).collect();
        format!(
            "IN (SELECT device_no FROM device WHERE {})",
            sql::text_condition("device", &ids)
        )
    };
    if !apart.except.is_empty() {
        condition = format!("{condition} AND r.device_no NOT {}", among(&apart.except));
    }
    if !apart.also.is_empty() {
        let in_scope = sql::sites_condition("r.site", scope, None);
        let also = among(&apart.also);
        condition = format!("({condition} OR {in_scope} AND r.device_no {also})");
    }
    condition
}

/// The conditions that readings and billing readings share.
fn conditions(
    connection: &Connection,
    scope: &Scope,
    sites: Option<&BTreeSet<TenantId>>,
    apart: &Apart,
    device: Option<DeviceId>,
    codes: &[String],
    basis: Option<Basis>,
) -> Answer<Vec<String>> {
    let mut conditions = vec![places_condition(scope, sites, apart)];
    if let Some(device) = device {
        let number = super::load::number_of(connection, device)?;
        conditions.push(sql::number_condition("r.device_no", number.into_iter()));
    }
    if !codes.is_empty() || basis.is_some() {
        let mut of = vec![sql::text_condition("code", codes)];
        if let Some(basis) = basis {
            of.push(format!("basis = '{}'", basis.word()));
        }
        let mut statement = connection.prepare(&format!(
            "SELECT DISTINCT meter_no FROM origin WHERE {}",
            of.join(" AND ")
        ))?;
        let meters = statement
            .query_map([], |row| row.get(0))?
            .collect::<duckdb::Result<Vec<u16>>>()?;
        conditions.push(sql::number_condition("r.meter_no", meters.iter()));
    }
    Ok(conditions)
}

pub(super) fn page(
    connection: &Connection,
    scope: &Scope,
    query: &ReadingsQuery,
) -> Answer<ReadingsPage> {
    let after = Cursor::place(query.cursor, List::Readings)?;
    let sites = query.sites.as_ref();
    let mut conditions = conditions(
        connection,
        scope,
        sites,
        &query.apart,
        query.device,
        &query.codes,
        query.basis,
    )?;
    if let Some(from) = query.from {
        conditions.push(format!("r.confirmed_ms >= {}", from.unix_ms));
    }
    if let Some(to) = query.to {
        conditions.push(format!("r.observed_ms < {}", to.unix_ms));
    }
    let condition = conditions.join(" AND ");
    let limit = query.limit.clamp(1, PAGE_ITEMS_MAX);
    // Until when a reading is confirmed stands partly elsewhere; what does not ask for that counts in the table alone.
    let runs = query.from.map_or("run", |_| "run_all");
    let total: u64 = connection.query_row(
        &format!("SELECT count(*) FROM {runs} r WHERE {condition}"),
        [],
        |row| row.get(0),
    )?;
    // First where the page ends, looking at places alone; then the rows between.
    let begin = begin_condition(query.cursor, after);
    let (last, found): (Option<u64>, u64) = connection.query_row(
        &format!(
            "SELECT max(place), count(*) FROM (SELECT place FROM {runs} r WHERE {condition} AND {begin} ORDER BY place LIMIT {})",
            u64::from(limit) + 1
        ),
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let mut items = Vec::new();
    if let Some(last) = last {
        let mut statement = connection.prepare(&format!(
            "SELECT {READING_COLUMNS} FROM run_all r {READING_JOINS} WHERE {condition} AND {begin} AND r.place <= {last} ORDER BY r.place"
        ))?;
        items = statement
            .query_map([], reading)?
            .collect::<duckdb::Result<Vec<_>>>()?;
    }
    let more = found > u64::from(limit);
    items.truncate(limit as usize);
    let end = items
        .last()
        .map(|last| Cursor::new(List::Readings, last.place));
    Ok(ReadingsPage {
        devices: briefs(connection, items.iter().map(|item| item.device))?,
        items,
        next: end.filter(|_| more),
        resume: end.or(query.cursor),
        total,
    })
}

/// Places after a cursor; all without one, the place 0 included.
fn begin_condition(cursor: Option<Cursor>, after: u64) -> String {
    match cursor {
        Some(_) => format!("r.place > {after}"),
        None => "true".to_owned(),
    }
}

pub(super) fn one(
    connection: &Connection,
    scope: &Scope,
    id: &ReadingId,
) -> Answer<Option<Reading>> {
    let condition = sql::sites_condition("r.site", scope, None);
    let mut statement = connection.prepare(&format!(
        "SELECT {READING_COLUMNS} FROM run_all r {READING_JOINS} WHERE {condition} AND p.epoch = ? AND p.stream = ? \
         AND p.sequence = ? AND p.ordinal = ? AND n.agent = ? AND o.code = ? ORDER BY r.place"
    ))?;
    let key = duckdb::params![
        id.epoch.0,
        stream_code(id.stream),
        id.sequence,
        id.ordinal,
        id.agent.as_str(),
        id.meter
    ];
    Ok(statement.query_map(key, reading)?.next().transpose()?)
}

pub(super) fn billing(
    connection: &Connection,
    scope: &Scope,
    query: &BillingQuery,
) -> Answer<BillingPage> {
    let after = Cursor::place(query.cursor, List::Readings)?;
    let sites = query.sites.as_ref();
    let mut conditions = conditions(
        connection,
        scope,
        sites,
        &query.apart,
        query.device,
        &query.codes,
        query.basis,
    )?;
    let at = query.cutoff.unix_ms;
    conditions.push(format!(
        "r.observed_ms <= {at} AND (r.superseded_ms IS NULL OR r.superseded_ms > {at})"
    ));
    let condition = conditions.join(" AND ");
    // Runs of one meter do not overlap; should a fault upstream make them, the later one counts, and only it.
    let standing = format!(
        "(SELECT arg_max(place, observed_ms) AS place FROM run_all r WHERE {condition} GROUP BY r.device_no, r.meter_no)"
    );
    let limit = query.limit.clamp(1, PAGE_ITEMS_MAX);
    let total: u64 =
        connection.query_row(&format!("SELECT count(*) FROM {standing}"), [], |row| {
            row.get(0)
        })?;
    let begin = begin_condition(query.cursor, after);
    let mut statement = connection.prepare(&format!(
        "WITH page AS MATERIALIZED (SELECT place FROM {standing} r WHERE {begin} ORDER BY place LIMIT {}) \
         SELECT {READING_COLUMNS} FROM page g JOIN run_all r ON r.place = g.place {READING_JOINS} ORDER BY r.place",
        u64::from(limit) + 1
    ))?;
    let mut items = Vec::new();
    for row in statement.query_map([], reading)? {
        let reading = row?;
        let read_at = reading.confirmed_until.min(query.cutoff);
        let stale = query.cutoff.ms_since(read_at) > query.age_ms_max;
        items.push(BillingReading {
            read_at,
            billing_quality: if stale && reading.quality == Quality::Ok {
                Quality::Stale
            } else {
                reading.quality
            },
            reading,
        });
    }
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| Cursor::new(List::Readings, last.reading.place));
    Ok(BillingPage {
        devices: briefs(connection, items.iter().map(|item| item.reading.device))?,
        items,
        next,
        total,
    })
}

/// What is said of the devices that a page's rows are of.
pub(super) fn briefs(
    connection: &Connection,
    devices: impl Iterator<Item = DeviceId>,
) -> Answer<BTreeMap<DeviceId, DeviceBrief>> {
    let devices: BTreeSet<DeviceId> = devices.collect();
    if devices.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<String> = devices.iter().map(DeviceId::to_string).collect();
    let mut statement = connection.prepare(&format!(
        "SELECT device, serial, manufacturer, model, mac, hostname, address, location, asset FROM device WHERE {}",
        sql::text_condition("device", &ids)
    ))?;
    let briefs = statement.query_map([], |row| {
        Ok((
            sql::parsed(row, 0)?,
            DeviceBrief {
                serial: row.get(1)?,
                manufacturer: row.get(2)?,
                model: row.get(3)?,
                mac: row.get(4)?,
                hostname: row.get(5)?,
                address: row.get(6)?,
                location: row.get(7)?,
                asset: row.get(8)?,
            },
        ))
    })?;
    Ok(briefs.collect::<duckdb::Result<_>>()?)
}
