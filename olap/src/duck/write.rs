//! The one connection that writes, and the numbers it has given to devices, agents, meters and origins.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;

use codec::id::DeviceId;
use duckdb::Connection;

use super::apply;
use super::schema;
use crate::batch::{Batch, Origin};
use crate::error::StoreError;
use crate::store::Applied;

/// What the writer knows of the tables without asking them.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub positions: BTreeMap<u16, u64>,
    pub devices: HashMap<DeviceId, u32>,
    /// The number of the next new device: above all, since forgotten ones leave gaps.
    pub device_next: u32,
    pub agents: HashMap<String, u32>,
    pub meters: HashMap<String, u16>,
    pub origins: HashMap<Origin, u32>,
    pub spread: apply::Spread,
}

/// The one connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    /// `None` after a batch failed: what it had added is not known to be undone in memory, so it is read anew.
    known: Option<Known>,
    /// See [`super::DuckOptions::gather_runs_min`].
    gather_runs_min: u64,
    /// Whether the connection is to nothing: the file is being written anew.
    is_detached: bool,
}

impl Writer {
    pub fn new(connection: Connection, gather_runs_min: u64) -> duckdb::Result<Self> {
        connection.execute_batch(schema::STAGES)?;
        Ok(Self {
            connection,
            known: None,
            gather_runs_min,
            is_detached: false,
        })
    }

    /// The connection, for upkeep between batches.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Gives its connection away for one to nothing, until another writer takes its place.
    pub fn detach(&mut self, nothing: Connection) -> Connection {
        self.known = None;
        self.is_detached = true;
        std::mem::replace(&mut self.connection, nothing)
    }

    /// Whether it was detached.
    pub const fn is_detached(&self) -> bool {
        self.is_detached
    }

    /// Forgets what it knows after something went wrong, and ends the transaction that may stand open.
    pub fn forget(&mut self) {
        self.known = None;
        // Without an open transaction this fails, and that is well.
        let _ = self.connection.execute_batch("ROLLBACK");
    }

    /// Commits a batch; see [`crate::Store::apply`].
    pub fn apply(&mut self, batch: &Batch) -> Result<Applied, StoreError> {
        let mut known = match self.known.take() {
            Some(known) => known,
            None => load(&self.connection).map_err(|source| StoreError::Apply {
                step: "read what is applied",
                source: Box::<dyn Error + Send + Sync>::from(source),
            })?,
        };
        if !continues(&known.positions, batch)? {
            self.known = Some(known);
            return Ok(Applied::Before);
        }
        match apply::commit(&self.connection, &mut known, batch) {
            Ok(()) => {
                self.gather(&mut known.spread);
                self.known = Some(known);
                Ok(Applied::Now)
            }
            Err(error) => {
                self.forget();
                Err(error)
            }
        }
    }
}

impl Writer {
    /// Brings open runs together once they lie far apart. When that fails nothing is lost: they are looked for in more of the file until the
    /// next time.
    fn gather(&self, spread: &mut apply::Spread) {
        if !spread.is_wide(self.gather_runs_min) {
            return;
        }
        match apply::gather(&self.connection, *spread) {
            Ok(gathered) => *spread = gathered,
            Err(error) => {
                tracing::warn!(%error, runs = spread.since, "open readings were not brought together; trying again after the next batch");
            }
        }
    }
}

/// Whether the batch goes on where the store stands; `false` when all of it is applied.
fn continues(positions: &BTreeMap<u16, u64>, batch: &Batch) -> Result<bool, StoreError> {
    let mut news = batch.spans.is_empty();
    let mut repeats = None;
    for (&shard, span) in &batch.spans {
        let applied = positions.get(&shard).copied().unwrap_or(0);
        if span.from > applied {
            return Err(StoreError::PositionGap {
                shard,
                from: span.from,
                applied,
            });
        }
        if span.from == applied {
            // An empty stretch at the very end is neither news nor a repetition.
            news |= span.to > applied;
            continue;
        }
        repeats = Some(StoreError::PositionOverlap {
            shard,
            from: span.from,
            to: span.to,
            applied,
        });
        news |= span.to > applied;
    }
    match repeats {
        Some(overlap) if news => Err(overlap),
        _ => Ok(news),
    }
}

pub(super) fn load(connection: &Connection) -> duckdb::Result<Known> {
    let mut known = Known::default();
    let mut statement = connection.prepare("SELECT shard, position FROM applied")?;
    for row in statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
        let (shard, position) = row?;
        known.positions.insert(shard, position);
    }
    let mut statement = connection.prepare("SELECT device, device_no FROM device")?;
    let rows = statement.query_map([], |row| {
        Ok((super::sql::parsed::<DeviceId>(row, 0)?, row.get(1)?))
    })?;
    for row in rows {
        let (device, number) = row?;
        known.devices.insert(device, number);
        known.device_next = known.device_next.max(number + 1);
    }
    known.device_next = (known.device_next).max(apply::device_next(connection)?);
    let mut statement = connection.prepare("SELECT agent, agent_no FROM agent_name")?;
    for row in statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
        let (agent, number) = row?;
        known.agents.insert(agent, number);
    }
    let mut statement = connection.prepare(
        "SELECT origin_no, meter_no, code, work, colour, unit, media_size, sides, basis, oid, profile, source FROM origin",
    )?;
    let rows = statement.query_map([], |row| {
        let number: u32 = row.get(0)?;
        let meter: u16 = row.get(1)?;
        Ok((number, meter, super::sql::origin(row, 2)?))
    })?;
    for row in rows {
        let (number, meter, origin) = row?;
        known.meters.insert(origin.code.clone(), meter);
        known.origins.insert(origin, number);
    }
    known.spread = apply::Spread::load(connection)?;
    Ok(known)
}
