//! What was resolved and is in memory alone, and how it is written: many reports at a time, in one transaction, right before the store
//! commits the same reports.
//!
//! A row that a writing adds carries the writing's number, so that going back deletes it; nothing is kept of how it was, since it was not.
//! Only rows that were there before are copied first ([`super::undo`]). Of several changes of one row the last is written.

use std::collections::HashMap;
use std::sync::Arc;

use codec::id::{AgentId, DeviceId, TenantId};
use rusqlite::{Connection, params};

use super::cache::{self, DeviceState, Kind};
use super::undo;
use crate::error::{During, Error};

/// One change.
#[derive(Debug)]
pub(crate) struct Pending {
    /// The place of its report in the total order.
    pub stamp: u64,
    pub change: PendingChange,
}

#[derive(Debug)]
pub(crate) enum PendingChange {
    /// A new device.
    Device {
        device: DeviceId,
        domain: TenantId,
        agent: Arc<AgentId>,
        first_seen_ms: i64,
        state: DeviceState,
    },
    /// What is known of a device.
    State {
        device: DeviceId,
        state: DeviceState,
    },
    /// What evidence leads to.
    Link {
        domain: TenantId,
        kind: Kind,
        value: Box<str>,
        device: DeviceId,
        /// Whether it led to nobody before.
        is_new: bool,
    },
}

/// The rows that a writing leaves behind.
#[derive(Default)]
struct Rows<'a> {
    /// Devices that it adds, in order.
    devices: Vec<NewDevice<'a>>,
    by_id: HashMap<DeviceId, usize>,
    /// The last state of other devices, and where in the list a device is.
    states: Vec<(DeviceId, &'a DeviceState)>,
    state_at: HashMap<DeviceId, usize>,
    links: Vec<Link<'a>>,
    link_at: HashMap<(TenantId, Kind, &'a str), usize>,
}

struct NewDevice<'a> {
    device: DeviceId,
    domain: TenantId,
    agent: &'a AgentId,
    first_seen_ms: i64,
    state: &'a DeviceState,
}

struct Link<'a> {
    domain: TenantId,
    kind: Kind,
    value: &'a str,
    device: DeviceId,
    is_new: bool,
}

impl<'a> Rows<'a> {
    fn of(changes: &'a [Pending]) -> Self {
        let mut rows = Self::default();
        for pending in changes {
            rows.add(&pending.change);
        }
        // Neighbours in a table are written one after the other: fewer pages are touched twice.
        rows.devices.sort_unstable_by_key(|row| row.device);
        rows.links
            .sort_unstable_by_key(|row| (row.domain.0, row.kind as i64, row.value));
        rows
    }

    fn add(&mut self, change: &'a PendingChange) {
        match change {
            PendingChange::Device {
                device,
                domain,
                agent,
                first_seen_ms,
                state,
            } => {
                self.by_id.insert(*device, self.devices.len());
                self.devices.push(NewDevice {
                    device: *device,
                    domain: *domain,
                    agent,
                    first_seen_ms: *first_seen_ms,
                    state,
                });
            }
            PendingChange::State { device, state } => {
                if let Some(at) = self.by_id.get(device) {
                    self.devices[*at].state = state;
                } else if let Some(at) = self.state_at.get(device) {
                    self.states[*at].1 = state;
                } else {
                    self.state_at.insert(*device, self.states.len());
                    self.states.push((*device, state));
                }
            }
            PendingChange::Link {
                domain,
                kind,
                value,
                device,
                is_new,
            } => {
                let next = self.links.len();
                let at = *self.link_at.entry((*domain, *kind, value)).or_insert(next);
                match self.links.get_mut(at) {
                    Some(link) => link.device = *device,
                    None => self.links.push(Link {
                        domain: *domain,
                        kind: *kind,
                        value,
                        device: *device,
                        is_new: *is_new,
                    }),
                }
            }
        }
    }
}

/// Writes changes. They are undone together: when the store turns out not to have the last of their reports.
pub(super) fn write(sql: &Connection, changes: &[Pending]) -> Result<(), Error> {
    let Some(last) = changes.last() else {
        return Ok(());
    };
    let stamp = last.stamp;
    let rows = Rows::of(changes);
    let writing = if rows.devices.is_empty() && rows.links.iter().all(|link| !link.is_new) {
        None
    } else {
        sql.prepare_cached("INSERT INTO written (stamp) VALUES (?1)")
            .and_then(|mut statement| statement.insert([undo::column(stamp)]))
            .map(Some)
            .during("begin writing devices")?
    };
    let mut insert = sql
        .prepare_cached(
            "INSERT INTO device (id, domain, agent, first_seen_at, serial, mac, manufacturer, model, made)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )
        .during("add a device")?;
    for row in &rows.devices {
        let values = params![
            row.device.as_bytes(),
            row.domain.0,
            row.agent.as_str(),
            row.first_seen_ms,
            row.state.serial,
            row.state.mac,
            row.state.manufacturer,
            row.state.model,
            writing
        ];
        insert.execute(values).during("add a device")?;
    }
    for (device, state) in &rows.states {
        undo::keep_device(sql, stamp, *device)?;
        cache::update_device(sql, *device, state)?;
    }
    let mut insert = sql
        .prepare_cached(
            "INSERT INTO evidence (domain, kind, value, device, made) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .during("link evidence")?;
    for row in &rows.links {
        if row.is_new {
            let values = params![
                row.domain.0,
                row.kind as i64,
                row.value,
                row.device.as_bytes(),
                writing
            ];
            insert.execute(values).during("link evidence")?;
        } else {
            undo::keep_evidence(sql, stamp, row.domain, row.kind, row.value)?;
            cache::upsert_evidence(sql, row.domain, row.kind, row.value, row.device)?;
        }
    }
    Ok(())
}
