//! The fleet: which devices a page shows, and what it says of them.
//!
//! A page is asked for in two steps: which devices (only the columns that filter and sort), then all about these few.

mod filter;
mod items;

use std::collections::BTreeSet;

use codec::id::{Scope, TenantId};
use duckdb::{Connection, params_from_iter};

use super::readers::Answer;
use super::sql;
use crate::ask::{
    AgentHeard, DevicesPage, DevicesQuery, Facets, FleetCounts, FleetPage, FleetQuery, FleetRules,
    METERS_TO_CONFIRM, PAGE_ITEMS_MAX,
};
use crate::cursor::{Cursor, List};

use filter::Filter;
pub(super) use items::items;

pub(super) fn page(
    connection: &Connection,
    scope: &Scope,
    query: &FleetQuery,
) -> Answer<FleetPage> {
    let mut filter = Filter::of_query(scope, query);
    let (from, words) = (filter.from(connection)?, filter.words.clone());
    let total: u64 = connection.query_row(
        &format!("SELECT count(*) FROM {from} WHERE {}", filter.condition()),
        params_from_iter(words.iter()),
        |row| row.get(0),
    )?;
    let order = filter.sorted_by(query.sort, &query.rules);
    let from = filter.from(connection)?;
    let limit = query.limit.clamp(1, PAGE_ITEMS_MAX);
    let direction = if query.descending { "DESC" } else { "ASC" };
    let mut statement = connection.prepare(&format!(
        "SELECT d.device_no FROM {from} WHERE {} ORDER BY {order} {direction} NULLS LAST, d.device_no LIMIT {limit} OFFSET {}",
        filter.condition(),
        query.offset,
    ))?;
    let numbers = statement
        .query_map(params_from_iter(words.iter()), |row| row.get(0))?
        .collect::<duckdb::Result<Vec<u32>>>()?;
    let items: Vec<_> = items(connection, &numbers, &query.rules, query.counted_since)?
        .into_iter()
        .map(|details| details.item)
        .collect();
    let next = query.offset.saturating_add(items.len() as u64);
    Ok(FleetPage {
        next_offset: (!items.is_empty() && next < total).then_some(next),
        items,
        total,
    })
}

pub(super) fn list(
    connection: &Connection,
    scope: &Scope,
    query: &DevicesQuery,
) -> Answer<DevicesPage> {
    // Cursors name the next number: 0 for a list that has not begun.
    let begin = Cursor::place(query.cursor, List::Devices)?;
    let limit = query.limit.clamp(1, PAGE_ITEMS_MAX);
    let mut condition = standing(scope, query.sites.as_ref());
    if let Some(since) = query.changed_since {
        condition.push_str(&format!(" AND d.changed_ms >= {}", since.unix_ms));
    }
    let total: u64 = connection.query_row(
        &format!("SELECT count(*) FROM device d WHERE {condition}"),
        [],
        |row| row.get(0),
    )?;
    let mut statement = connection.prepare(&format!(
        "SELECT d.device_no FROM device d WHERE {condition} AND d.device_no >= {begin} ORDER BY d.device_no LIMIT {}",
        limit + 1,
    ))?;
    let mut numbers = statement
        .query_map([], |row| row.get(0))?
        .collect::<duckdb::Result<Vec<u32>>>()?;
    let more = numbers.len() > limit as usize;
    numbers.truncate(limit as usize);
    let next = numbers
        .last()
        .filter(|_| more)
        .map(|last| Cursor::new(List::Devices, u64::from(*last) + 1));
    let items = items(connection, &numbers, &query.rules, None)?
        .into_iter()
        .map(|details| details.item)
        .collect();
    Ok(DevicesPage { items, next, total })
}

/// The devices at these sites that did not turn out to be another.
fn standing(scope: &Scope, sites: Option<&BTreeSet<TenantId>>) -> String {
    let at_sites = sql::sites_condition("d.site", scope, sites);
    format!("{at_sites} AND {}", sql::STANDS)
}

pub(super) fn counts(
    connection: &Connection,
    scope: &Scope,
    rules: &FleetRules,
) -> Answer<FleetCounts> {
    let mut filter = Filter::of_scope(scope, None);
    let silent = filter.silent(rules);
    let fresh = filter.fresh(rules);
    let low = filter.low(rules);
    let attention = filter.attention(rules);
    let stopped = filter.stopped();
    let from = filter.from(connection)?;
    let condition = filter.condition();
    let mut counts = connection.query_row(
        &format!(
            "SELECT count(*), count(*) FILTER ({fresh}), count(*) FILTER ({silent}), count(*) FILTER ({low}), \
             count(*) FILTER ({attention}), count(*) FILTER ({stopped}), coalesce(sum(a.critical + a.other), 0)::UBIGINT, \
             count(DISTINCT d.site), count(DISTINCT d.agent) FROM {from} WHERE {condition}"
        ),
        [],
        |row| {
            Ok(FleetCounts {
                devices: row.get(0)?,
                fresh: row.get(1)?,
                silent: row.get(2)?,
                low: row.get(3)?,
                attention: row.get(4)?,
                stopped: row.get(5)?,
                meters_to_confirm: 0,
                alerts: row.get(6)?,
                sites: row.get(7)?,
                agents: row.get(8)?,
            })
        },
    )?;
    let standing = standing(scope, None);
    let doubtful = METERS_TO_CONFIRM.map(|quality| quality.code().to_string());
    counts.meters_to_confirm = connection.query_row(
        &format!(
            "SELECT count(*) FROM device d WHERE {standing} AND ( \
             d.device_no IN (SELECT device_no FROM device_status WHERE meter_set = 'conflicting') \
             OR d.device_no IN (SELECT device_no FROM run_now WHERE quality IN ({})))",
            doubtful.join(", ")
        ),
        [],
        |row| row.get(0),
    )?;
    Ok(counts)
}

pub(super) fn facets(connection: &Connection, scope: &Scope) -> Answer<Facets> {
    let condition = standing(scope, None);
    let mut facets = Facets::default();
    let mut statement = connection.prepare(&format!(
        "SELECT d.manufacturer, count(*) FROM device d WHERE {condition} AND d.manufacturer IS NOT NULL GROUP BY ALL"
    ))?;
    for row in statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
        let (manufacturer, devices) = row?;
        facets.manufacturers.insert(manufacturer, devices);
    }
    let mut statement = connection.prepare(&format!(
        "SELECT d.agent, count(*) FROM device d WHERE {condition} GROUP BY ALL"
    ))?;
    for row in statement.query_map([], |row| Ok((sql::parsed(row, 0)?, row.get(1)?)))? {
        let (agent, devices) = row?;
        facets.agents.insert(agent, devices);
    }
    let mut statement = connection.prepare(&format!(
        "SELECT d.site, count(*) FROM device d WHERE {condition} GROUP BY ALL"
    ))?;
    for row in statement.query_map([], |row| Ok((TenantId(row.get(0)?), row.get(1)?)))? {
        let (site, devices) = row?;
        facets.sites.insert(site, devices);
    }
    Ok(facets)
}

pub(super) fn agents(connection: &Connection, scope: &Scope) -> Answer<Vec<AgentHeard>> {
    let condition = standing(scope, None);
    let join = match scope {
        Scope::Everything => "LEFT JOIN",
        Scope::Sites(_) => "JOIN",
    };
    let mut statement = connection.prepare(&format!(
        "SELECT h.agent, h.heard_ms, h.sealed_ms, h.program, h.clock_ahead_ms, coalesce(n.devices, 0) FROM agent_heard h \
         {join} (SELECT d.agent, count(*) AS devices FROM device d WHERE {condition} GROUP BY ALL) n ON n.agent = h.agent \
         ORDER BY h.agent"
    ))?;
    let agents = statement.query_map([], |row| {
        Ok(AgentHeard {
            agent: sql::parsed(row, 0)?,
            heard_at: sql::moment(row, 1)?,
            sealed_at: sql::moment(row, 2)?,
            program: row.get(3)?,
            clock_ahead_ms: row.get(4)?,
            devices: row.get(5)?,
        })
    })?;
    Ok(agents.collect::<duckdb::Result<_>>()?)
}
