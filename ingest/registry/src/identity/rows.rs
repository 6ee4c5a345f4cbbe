//! How a [`Resolver`] reads and changes rows: from memory where it can, and changes wait in memory to be written with others
//! ([`super::pending`]).
//!
//! Once it needs a transaction (a device turned out to be another, a decision), all that waits is written into that, and all that
//! follows at once. What is not committed is taken back, in memory too.

use std::sync::Arc;

use codec::id::{DeviceId, TenantId};
use rusqlite::Connection;

use super::cache::{self, DeviceState, Kind};
use super::evidence::{Evidence, Keys};
use super::pending::{self, Pending, PendingChange};
use super::{Certainty, Resolver, undo};
use crate::agent::Agent;
use crate::error::{During, Error};

impl Resolver<'_> {
    /// Makes what was resolved count: durable at once, or in memory with a place in the order until
    /// [`crate::Registry::write_identities`].
    ///
    /// # Errors
    /// When SQLite fails; then nothing of the batch happened.
    pub fn commit(mut self) -> Result<(), Error> {
        if let Some(connection) = &self.transaction {
            connection
                .execute_batch("COMMIT")
                .during("commit devices' identities")?;
            // All that waited was part of it.
            self.cache.pending.clear();
            self.cache.settled = None;
            self.transaction = None;
        }
        self.is_committed = true;
        Ok(())
    }

    /// Reads what is kept in memory as a whole, unless it is there.
    pub(super) fn read_all(&mut self) -> Result<(), Error> {
        let cache = &mut *self.cache;
        if cache.has_rules() && cache.has_sites() && !cache.is_unread() {
            return Ok(());
        }
        let mut read = |sql: &Connection| {
            if !cache.has_rules() {
                cache.read_rules(sql)?;
            }
            if !cache.has_sites() {
                cache.read_sites(sql)?;
            }
            if cache.is_unread() {
                cache.read(sql)?;
            }
            Ok(())
        };
        match &self.transaction {
            Some(connection) => read(connection),
            None => self.registry.inner.database.read(read),
        }
    }

    pub(super) fn holder(
        &mut self,
        kind: Kind,
        value: Option<&str>,
        keys: &Keys,
    ) -> Result<Option<DeviceId>, Error> {
        let Some(value) = value else {
            return Ok(None);
        };
        if let Some(device) = self.cache.holder(keys.domain, kind, value) {
            return Ok(Some(device));
        }
        if self.cache.is_complete() {
            return Ok(None);
        }
        let device = self.read(|sql| cache::select_holder(sql, keys.domain, kind, value))?;
        if let Some(device) = device {
            self.cache.link(keys.domain, kind, value, device);
        }
        Ok(device)
    }

    pub(super) fn state(&mut self, device: DeviceId) -> Result<&mut DeviceState, Error> {
        if !self.cache.has_state(device) {
            let mut words = std::mem::take(&mut self.cache.words);
            let state = self.read(|sql| cache::select_state(sql, device, &mut words));
            self.cache.words = words;
            self.cache.keep_state(device, state?);
        }
        let found = self.cache.state(device);
        Ok(found.expect("it was put there just now").0)
    }

    /// Where a device stands; `agent` is the one that reports it now.
    pub(super) fn site(&mut self, device: DeviceId, agent: &Agent) -> Result<TenantId, Error> {
        if let Some(site) = self.cache.site(device) {
            return Ok(site);
        }
        let missing = || Error::not_found("site of device", device);
        let first = self.state(device)?.agent.clone().ok_or_else(missing)?;
        if *first == agent.id {
            return Ok(agent.site);
        }
        let first = self.registry.agent_record(&first).ok_or_else(missing)?;
        Ok(first.site)
    }

    pub(super) fn create(
        &mut self,
        keys: &Keys,
        certainty: Certainty,
        evidence: &Evidence<'_>,
    ) -> Result<DeviceId, Error> {
        let domain = keys.domain.to_string();
        let (kind, value) = match certainty {
            Certainty::Serial => ("serial", keys.serial.as_deref()),
            Certainty::Mac => ("mac", keys.mac.as_deref()),
            Certainty::Place => ("place", keys.place.as_deref()),
        };
        let value = value.expect("the certainty says that it is there");
        let mut device = DeviceId::derive(kind, &[&domain, value]);
        let mut number = 1_u64;
        while self.exists(device)? {
            number += 1;
            device = DeviceId::derive(kind, &[&domain, value, &number.to_string()]);
        }
        let mut state = DeviceState {
            agent: Some(self.cache.words.agent(evidence.agent)),
            ..DeviceState::default()
        };
        state.learn(keys, evidence, &mut self.cache.words);
        match self.waits() {
            Some(stamp) => {
                let agent = state.agent.as_ref().expect("it was put there just now");
                let change = PendingChange::Device {
                    device,
                    domain: keys.domain,
                    agent: Arc::clone(agent),
                    first_seen_ms: evidence.observed_at.unix_ms,
                    state: state.clone(),
                };
                self.cache.pending.push(Pending { stamp, change });
            }
            None => {
                let stamp = self.stamp;
                let sql = self.sql()?;
                if let Some(stamp) = stamp {
                    undo::keep_device(sql, stamp, device)?;
                }
                cache::insert_device(sql, device, keys.domain, evidence)?;
                cache::update_device(sql, device, &state)?;
            }
        }
        self.cache.keep_state(device, state);
        Ok(device)
    }

    pub(super) fn link(
        &mut self,
        kind: Kind,
        value: &str,
        domain: TenantId,
        device: DeviceId,
        before: Option<DeviceId>,
    ) -> Result<(), Error> {
        match self.waits() {
            Some(stamp) => {
                let change = PendingChange::Link {
                    domain,
                    kind,
                    value: value.into(),
                    device,
                    is_new: before.is_none(),
                };
                self.cache.pending.push(Pending { stamp, change });
            }
            None => {
                let stamp = self.stamp;
                let sql = self.sql()?;
                if let Some(stamp) = stamp {
                    undo::keep_evidence(sql, stamp, domain, kind, value)?;
                }
                cache::upsert_evidence(sql, domain, kind, value, device)?;
            }
        }
        self.cache.link(domain, kind, value, device);
        Ok(())
    }

    pub(super) fn supersede(&mut self, old: DeviceId, by: DeviceId) -> Result<(), Error> {
        let stamp = self.stamp;
        let sql = self.sql()?;
        if let Some(stamp) = stamp {
            undo::keep_all_evidence_of(sql, stamp, old)?;
            undo::keep_device(sql, stamp, old)?;
        }
        // All that waited is written by now: no evidence in memory is missing in the tables.
        let handed = cache::supersede(sql, stamp, old, by)?;
        self.cache.supersede(old, by, &handed);
        Ok(())
    }

    /// Keeps what the report says of the device and later resolutions need.
    pub(super) fn learn(
        &mut self,
        device: DeviceId,
        keys: &Keys,
        evidence: &Evidence<'_>,
    ) -> Result<(), Error> {
        self.state(device)?;
        let (state, words) = self.cache.state(device).expect("it was read just now");
        if !state.learn(keys, evidence, words) {
            return Ok(());
        }
        let state = state.clone();
        match self.waits() {
            Some(stamp) => {
                let change = PendingChange::State { device, state };
                self.cache.pending.push(Pending { stamp, change });
                Ok(())
            }
            None => {
                let stamp = self.stamp;
                let sql = self.sql()?;
                if let Some(stamp) = stamp {
                    undo::keep_device(sql, stamp, device)?;
                }
                cache::update_device(sql, device, &state)
            }
        }
    }

    /// The place in the order under which a change waits to be written; `None` when it is written at once.
    fn waits(&self) -> Option<u64> {
        self.stamp.filter(|_| self.transaction.is_none())
    }

    fn exists(&mut self, device: DeviceId) -> Result<bool, Error> {
        match self.cache.has_device(device) {
            Some(exists) => Ok(exists),
            None => self.read(|sql| cache::device_exists(sql, device)),
        }
    }

    /// Asks the tables as this batch sees them.
    fn read<T>(&self, ask: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        match &self.transaction {
            Some(connection) => ask(connection),
            None => self.registry.inner.database.read(ask),
        }
    }

    /// The connection, with the batch's transaction begun and all that waited in it.
    pub(super) fn sql(&mut self) -> Result<&Connection, Error> {
        if self.transaction.is_none() {
            let connection = self.registry.inner.database.writer();
            connection
                .execute_batch("BEGIN IMMEDIATE")
                .during("begin resolving devices")?;
            let connection = self.transaction.insert(connection);
            if let Some(settled) = self.cache.settled {
                undo::forget(connection, settled)?;
            }
            // What came before this batch may turn out to be in the store without it.
            let (before, own) = self.cache.pending.split_at(self.mark);
            pending::write(connection, before)?;
            pending::write(connection, own)?;
        }
        Ok(self
            .transaction
            .as_ref()
            .expect("it was put there just now"))
    }
}

impl Drop for Resolver<'_> {
    fn drop(&mut self) {
        if self.is_committed {
            return;
        }
        let is_changed = self.transaction.is_some() || self.cache.pending.len() > self.mark;
        if let Some(connection) = self.transaction.take() {
            // A transaction that SQLite gave up by itself needs no rollback.
            let _ = connection.execute_batch("ROLLBACK");
        }
        if is_changed {
            let mark = self.mark;
            self.cache.take_back(mark);
        }
    }
}
