//! One batch, one transaction: rows, then the applied positions, then the commit (Rule 2).
//!
//! What always holds: every appender is flushed, and its error looked at, before the positions are written; a batch that
//! speaks of what the store does not have (a device, an open run, an alert) is refused as a whole.

mod fold;
mod forget;
mod marks;
mod runs;
mod state;
mod stories;

use std::collections::HashMap;
use std::error::Error;

use codec::id::DeviceId;
use duckdb::Connection;

use super::columns::Columns;
use super::write::Known;
use crate::batch::Batch;
use crate::error::StoreError;
pub(super) use forget::device_next;
pub(super) use runs::{Spread, gather};

/// Why a step failed.
pub(super) enum StepError {
    /// DuckDB refused.
    Engine(duckdb::Error),
    /// The batch contradicts the store.
    Ours(StoreError),
}

impl From<duckdb::Error> for StepError {
    fn from(error: duckdb::Error) -> Self {
        Self::Engine(error)
    }
}

type Step<T = ()> = Result<T, StepError>;

/// What the steps share: the connection, and the numbers of devices.
struct Work<'a> {
    connection: &'a Connection,
    batch: &'a Batch,
    devices: &'a HashMap<DeviceId, u32>,
    /// Numbers from here on are of devices that this batch introduces: nothing of them has to be deleted.
    new_from: u32,
}

/// Commits a batch. On an error the caller rolls back and forgets `known`.
pub(super) fn commit(
    connection: &Connection,
    known: &mut Known,
    batch: &Batch,
) -> Result<(), StoreError> {
    let mut at = "begin";
    let done = (|| -> Step {
        connection.execute_batch("BEGIN")?;
        at = "forget a customer";
        forget::apply(connection, known, &batch.forgotten)?;
        at = "number new devices";
        let new_from = number_devices(known, batch);
        let work = Work {
            connection,
            batch,
            devices: &known.devices,
            new_from,
        };
        at = "write devices";
        state::devices(&work)?;
        at = "write statuses";
        state::statuses(&work)?;
        at = "write supplies";
        state::supplies(&work)?;
        at = "write trays";
        state::trays(&work)?;
        at = "write when devices were seen";
        state::seen(&work)?;
        at = "write alerts";
        stories::alerts(&work)?;
        at = "write events";
        stories::events(&work)?;
        at = "write supply levels";
        stories::levels(&work)?;
        at = "write agents";
        stories::agents(&work)?;
        at = "number new agents and meters";
        let numbers = runs::number(
            &work,
            &mut known.agents,
            &mut known.meters,
            &mut known.origins,
        )?;
        at = "end runs";
        let ended = runs::end(&work)?;
        at = "write runs";
        let opened = runs::append(&work, &numbers)?;
        at = "write positions";
        marks::write(&work)?;
        known.spread.open = (known.spread.open + opened).saturating_sub(ended);
        known.spread.since += batch.runs.len() as u64;
        at = "commit";
        connection.execute_batch("COMMIT")?;
        Ok(())
    })();
    done.map_err(|error| match error {
        StepError::Ours(error) => error,
        StepError::Engine(source) => StoreError::Apply {
            step: at,
            source: Box::<dyn Error + Send + Sync>::from(source),
        },
    })?;
    for (&shard, span) in &batch.spans {
        known.positions.insert(shard, span.to);
    }
    Ok(())
}

fn number_devices(known: &mut Known, batch: &Batch) -> u32 {
    let new_from = known.device_next;
    // In the order of their ids: a rebuild numbers them alike.
    let mut new: Vec<_> = batch
        .devices
        .keys()
        .filter(|device| !known.devices.contains_key(device))
        .collect();
    new.sort_unstable();
    for device in new {
        known.devices.insert(*device, known.device_next);
        known.device_next = (known.device_next.checked_add(1)).expect("fewer than 2^32 devices");
    }
    new_from
}

impl Work<'_> {
    /// The number of a device that a row of the kind `what` speaks of.
    fn device(&self, device: DeviceId, what: &'static str) -> Step<u32> {
        let number = self.devices.get(&device).copied();
        number.ok_or(StepError::Ours(StoreError::UnknownDevice { what, device }))
    }

    /// Deletes the rows of these devices from `tables`, unless the devices are new.
    fn forget(&self, tables: &[&str], numbers: &[u32]) -> Step {
        let old: Vec<u32> = numbers
            .iter()
            .copied()
            .filter(|number| *number < self.new_from)
            .collect();
        if old.is_empty() {
            return Ok(());
        }
        Columns::new()
            .u32s("device_no", old.iter().copied())
            .append_to_stage(self.connection, "stage_device")?;
        for table in tables {
            self.connection.execute_batch(&format!(
                "DELETE FROM {table} WHERE device_no IN (SELECT device_no FROM stage_device)"
            ))?;
        }
        self.connection.execute_batch("TRUNCATE stage_device")?;
        Ok(())
    }
}
