//! What is known of devices' identities: the rows in SQLite, and in memory all evidence, where it fits, and the devices used lately.
//!
//! The memory holds nothing that the tables and the changes that wait to be written ([`super::pending`]) do not: it may be emptied at any
//! time. While it holds all evidence, what is not in it is not there.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use codec::id::{AgentId, DeviceId, TenantId};
use rusqlite::{Connection, OptionalExtension, params};

use super::evidence::{Evidence, Keys};
use super::mark::{Mark, Marker};
use super::pending::{Pending, PendingChange};
use crate::error::{During, Error};

/// Evidence kept in memory: three entries for each of 200,000 devices, some 30 MB. When full, all goes and comes back as used; what is not
/// in memory is then looked up.
const EVIDENCE_CACHED_MAX: usize = 600_000;

/// Makers, models and agents whose text is kept once; more are kept per device.
const WORDS_MAX: usize = 10_000;

/// A kind of evidence, as numbered in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Serial = 1,
    Mac = 2,
    Place = 3,
}

/// What of a device the decisions need.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeviceState {
    pub serial: Option<Box<str>>,
    pub mac: Option<Box<str>>,
    pub manufacturer: Option<Arc<str>>,
    pub model: Option<Arc<str>>,
    /// Who reported it first; `None` only until it is told.
    pub agent: Option<Arc<AgentId>>,
}

impl DeviceState {
    /// Takes over what a report says; whether anything changed. The MAC is the first that was seen: a device with two network
    /// ports would otherwise change at each poll.
    pub(crate) fn learn(
        &mut self,
        keys: &Keys,
        evidence: &Evidence<'_>,
        words: &mut Words,
    ) -> bool {
        let mut changed = false;
        if let Some(serial) = keys.serial.as_deref()
            && self.serial.as_deref() != Some(serial)
        {
            self.serial = Some(serial.into());
            changed = true;
        }
        if let Some(mac) = keys.mac.as_deref()
            && self.mac.is_none()
        {
            self.mac = Some(mac.into());
            changed = true;
        }
        for (field, said) in [
            (&mut self.manufacturer, evidence.manufacturer),
            (&mut self.model, evidence.model),
        ] {
            if let Some(said) = said
                && field.as_deref() != Some(said)
            {
                *field = Some(words.text(said));
                changed = true;
            }
        }
        changed
    }
}

/// Texts that many devices share, once each.
#[derive(Debug, Default)]
pub(crate) struct Words {
    texts: HashSet<Arc<str>>,
    agents: HashSet<Arc<AgentId>>,
}

impl Words {
    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        if self.texts.len() < WORDS_MAX {
            self.texts.insert(Arc::clone(&text));
        }
        text
    }

    pub(crate) fn agent(&mut self, agent: &AgentId) -> Arc<AgentId> {
        if let Some(known) = self.agents.get(agent) {
            return Arc::clone(known);
        }
        let agent = Arc::new(agent.clone());
        if self.agents.len() < WORDS_MAX {
            self.agents.insert(Arc::clone(&agent));
        }
        agent
    }
}

/// A row of evidence: customer, kind, value.
pub(crate) type EvidenceRow = (TenantId, i64, String);

/// Evidence and devices that were used lately.
#[derive(Default)]
pub struct IdentityCache {
    evidence: HashMap<Mark, DeviceId>,
    marker: Marker,
    devices: HashMap<DeviceId, DeviceState>,
    /// Every device, while all is in memory.
    ids: HashSet<DeviceId>,
    /// Whether all evidence is in memory; `None` until somebody looked.
    is_complete: Option<bool>,
    /// The sites that people gave devices; read when first asked.
    sites: Option<HashMap<DeviceId, TenantId>>,
    /// Texts of devices.
    pub(crate) words: Words,
    /// What was resolved and is not written yet, in the order of the reports.
    pub(crate) pending: Vec<Pending>,
    /// The last report that the store is known to have, until that is noted.
    pub(crate) settled: Option<u64>,
    /// What decisions that stand say of evidence; read when first asked.
    rules: Option<Rules>,
}

/// What decisions that stand say of evidence. Each is a person's, so that all fit.
#[derive(Debug, Default)]
struct Rules {
    /// Serials that tell nobody apart.
    barred: HashSet<(TenantId, Box<str>)>,
    /// Devices that no evidence joins.
    apart: HashSet<(DeviceId, DeviceId)>,
}

impl IdentityCache {
    /// Forgets all that can be read again.
    pub(crate) fn clear(&mut self) {
        self.rules = None;
        self.sites = None;
        self.is_complete = None;
        self.shrink();
    }

    /// Forgets where people put devices.
    pub(crate) fn forget_sites(&mut self) {
        self.sites = None;
    }

    /// Forgets evidence and devices, but for what is nowhere else.
    fn shrink(&mut self) {
        self.evidence.clear();
        self.devices.clear();
        self.ids.clear();
        self.words = Words::default();
        let pending = std::mem::take(&mut self.pending);
        for waiting in &pending {
            match &waiting.change {
                PendingChange::Device { device, state, .. }
                | PendingChange::State { device, state } => {
                    self.ids.insert(*device);
                    self.devices.insert(*device, state.clone());
                }
                PendingChange::Link {
                    domain,
                    kind,
                    value,
                    device,
                    ..
                } => self.put(*domain, *kind, value, *device),
            }
        }
        self.pending = pending;
    }

    /// Whether all evidence is in memory, so that what is not in it is not there.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete == Some(true)
    }

    /// Whether nobody looked yet whether all evidence fits.
    pub(crate) fn is_unread(&self) -> bool {
        self.is_complete.is_none()
    }

    /// Reads all evidence, if it fits.
    pub(crate) fn read(&mut self, sql: &Connection) -> Result<(), Error> {
        let count: i64 = sql
            .query_row("SELECT count(*) FROM evidence", [], |row| row.get(0))
            .during("count evidence")?;
        if usize::try_from(count).unwrap_or(usize::MAX) >= EVIDENCE_CACHED_MAX / 2 {
            self.is_complete = Some(false);
            return Ok(());
        }
        let mut statement = sql
            .prepare("SELECT domain, kind, value, device FROM evidence")
            .during("read evidence")?;
        let mut rows = statement.query([]).during("read evidence")?;
        while let Some(row) = rows.next().during("read evidence")? {
            let (domain, kind, device) =
                (|| Ok((row.get(0)?, row.get(1)?, row.get(3)?)))().during("read evidence")?;
            let value = row.get_ref(2).and_then(|value| Ok(value.as_str()?));
            let value = value.during("read evidence")?;
            let mark = self.marker.mark(TenantId(domain), kind, value);
            self.evidence.insert(mark, DeviceId::from_bytes(device));
        }
        let mut statement = sql
            .prepare("SELECT id FROM device")
            .during("read devices")?;
        let ids = statement
            .query_map([], |row| row.get(0).map(DeviceId::from_bytes))
            .during("read devices")?;
        for id in ids {
            self.ids.insert(id.during("read devices")?);
        }
        // What waits to be written is later than what is there.
        let pending = std::mem::take(&mut self.pending);
        for waiting in &pending {
            match &waiting.change {
                PendingChange::Device { device, .. } => {
                    self.ids.insert(*device);
                }
                PendingChange::State { .. } => {}
                PendingChange::Link {
                    domain,
                    kind,
                    value,
                    device,
                    ..
                } => self.put(*domain, *kind, value, *device),
            }
        }
        self.pending = pending;
        self.is_complete = Some(true);
        Ok(())
    }

    pub(crate) const fn has_sites(&self) -> bool {
        self.sites.is_some()
    }

    /// Reads where people put devices.
    pub(crate) fn read_sites(&mut self, sql: &Connection) -> Result<(), Error> {
        let sites = sql
            .prepare_cached("SELECT device, site FROM device_note WHERE site IS NOT NULL")
            .and_then(|mut statement| {
                let rows = statement.query_map([], |row| {
                    Ok((DeviceId::from_bytes(row.get(0)?), TenantId(row.get(1)?)))
                })?;
                rows.collect()
            })
            .during("read devices' sites")?;
        self.sites = Some(sites);
        Ok(())
    }

    /// Where people put a device.
    pub(crate) fn site(&self, device: DeviceId) -> Option<TenantId> {
        self.sites.as_ref()?.get(&device).copied()
    }

    /// Whether a device is known, where that can be told.
    pub(crate) fn has_device(&self, device: DeviceId) -> Option<bool> {
        let is_known = self.ids.contains(&device);
        (is_known || self.is_complete()).then_some(is_known)
    }

    /// Takes back what waits to be written from `mark` on.
    pub(crate) fn take_back(&mut self, mark: usize) {
        self.pending.truncate(mark);
        self.clear();
    }

    pub(crate) const fn has_rules(&self) -> bool {
        self.rules.is_some()
    }

    /// Reads the rules.
    pub(crate) fn read_rules(&mut self, sql: &Connection) -> Result<(), Error> {
        let mut rules = Rules::default();
        let mut statement = sql
            .prepare_cached(
                "SELECT domain, value FROM barred JOIN decision ON id = decision WHERE kind = 1 AND undone_by IS NULL",
            )
            .during("read barred serials")?;
        let mut rows = statement.query([]).during("read barred serials")?;
        while let Some(row) = rows.next().during("read barred serials")? {
            let of = || Ok((TenantId(row.get(0)?), row.get::<_, String>(1)?.into()));
            rules.barred.insert(of().during("read barred serials")?);
        }
        let mut statement = sql
            .prepare_cached(
                "SELECT one, apart.other FROM apart JOIN decision ON id = decision WHERE undone_by IS NULL",
            )
            .during("read devices kept apart")?;
        let mut rows = statement.query([]).during("read devices kept apart")?;
        while let Some(row) = rows.next().during("read devices kept apart")? {
            let of = || {
                Ok((
                    DeviceId::from_bytes(row.get(0)?),
                    DeviceId::from_bytes(row.get(1)?),
                ))
            };
            rules.apart.insert(of().during("read devices kept apart")?);
        }
        self.rules = Some(rules);
        Ok(())
    }

    /// Whether a serial tells nobody apart.
    pub(crate) fn is_barred(&self, domain: TenantId, serial: &str) -> bool {
        self.rules.as_ref().is_some_and(|rules| {
            !rules.barred.is_empty() && rules.barred.contains(&(domain, serial.into()))
        })
    }

    /// Whether no evidence joins these two.
    pub(crate) fn are_apart(&self, one: DeviceId, other: DeviceId) -> bool {
        self.rules.as_ref().is_some_and(|rules| {
            rules.apart.contains(&(one, other)) || rules.apart.contains(&(other, one))
        })
    }

    pub(crate) fn holder(&self, domain: TenantId, kind: Kind, value: &str) -> Option<DeviceId> {
        let mark = self.marker.mark(domain, kind as i64, value);
        self.evidence.get(&mark).copied()
    }

    pub(crate) fn link(&mut self, domain: TenantId, kind: Kind, value: &str, device: DeviceId) {
        if self.evidence.len() >= EVIDENCE_CACHED_MAX {
            self.is_complete = Some(false);
            self.shrink();
        }
        self.put(domain, kind, value, device);
    }

    fn put(&mut self, domain: TenantId, kind: Kind, value: &str, device: DeviceId) {
        let mark = self.marker.mark(domain, kind as i64, value);
        self.evidence.insert(mark, device);
    }

    /// A device turned out to be another: `handed` is the evidence that led to it.
    pub(crate) fn supersede(&mut self, old: DeviceId, by: DeviceId, handed: &[EvidenceRow]) {
        for (domain, kind, value) in handed {
            let mark = self.marker.mark(*domain, *kind, value);
            if let Some(holder) = self.evidence.get_mut(&mark) {
                *holder = by;
            }
        }
        self.devices.remove(&old);
    }

    pub(crate) fn has_state(&self, device: DeviceId) -> bool {
        self.devices.contains_key(&device)
    }

    pub(crate) fn state(&mut self, device: DeviceId) -> Option<(&mut DeviceState, &mut Words)> {
        Some((self.devices.get_mut(&device)?, &mut self.words))
    }

    pub(crate) fn keep_state(&mut self, device: DeviceId, state: DeviceState) {
        self.ids.insert(device);
        self.devices.insert(device, state);
    }
}

pub(crate) fn select_holder(
    sql: &Connection,
    domain: TenantId,
    kind: Kind,
    value: &str,
) -> Result<Option<DeviceId>, Error> {
    sql.prepare_cached("SELECT device FROM evidence WHERE domain = ?1 AND kind = ?2 AND value = ?3")
        .and_then(|mut statement| {
            statement
                .query_row(params![domain.0, kind as i64, value], |row| {
                    row.get(0).map(DeviceId::from_bytes)
                })
                .optional()
        })
        .during("look up evidence")
}

pub(crate) fn device_exists(sql: &Connection, device: DeviceId) -> Result<bool, Error> {
    sql.prepare_cached("SELECT 1 FROM device WHERE id = ?1")
        .and_then(|mut statement| statement.exists([device.as_bytes()]))
        .during("look up a device")
}

/// A device's state.
pub(crate) fn select_state(
    sql: &Connection,
    device: DeviceId,
    words: &mut Words,
) -> Result<DeviceState, Error> {
    let (agent, mut state) = sql
        .prepare_cached("SELECT agent, serial, mac, manufacturer, model FROM device WHERE id = ?1")
        .and_then(|mut statement| {
            statement.query_row([device.as_bytes()], |row| {
                let state = DeviceState {
                    serial: row.get(1)?,
                    mac: row.get(2)?,
                    manufacturer: row.get::<_, Option<Arc<str>>>(3)?,
                    model: row.get::<_, Option<Arc<str>>>(4)?,
                    agent: None,
                };
                Ok((row.get::<_, String>(0)?, state))
            })
        })
        .during("read a device")?;
    let agent = AgentId::new(&agent).map_err(|error| Error::Invalid(error.to_string()))?;
    state.agent = Some(words.agent(&agent));
    for field in [&mut state.manufacturer, &mut state.model] {
        *field = field.take().map(|text| words.text(&text));
    }
    Ok(state)
}

pub(crate) fn insert_device(
    sql: &Connection,
    device: DeviceId,
    domain: TenantId,
    evidence: &Evidence<'_>,
) -> Result<(), Error> {
    sql.prepare_cached(
        "INSERT INTO device (id, domain, agent, first_seen_at) VALUES (?1, ?2, ?3, ?4)",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            device.as_bytes(),
            domain.0,
            evidence.agent.as_str(),
            evidence.observed_at.unix_ms
        ])
    })
    .during("add a device")?;
    Ok(())
}

pub(crate) fn update_device(
    sql: &Connection,
    device: DeviceId,
    state: &DeviceState,
) -> Result<(), Error> {
    sql.prepare_cached(
        "UPDATE device SET serial = ?2, mac = ?3, manufacturer = ?4, model = ?5 WHERE id = ?1",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            device.as_bytes(),
            state.serial,
            state.mac,
            state.manufacturer,
            state.model
        ])
    })
    .during("change a device")?;
    Ok(())
}

pub(crate) fn upsert_evidence(
    sql: &Connection,
    domain: TenantId,
    kind: Kind,
    value: &str,
    device: DeviceId,
) -> Result<(), Error> {
    upsert_evidence_row(sql, domain, kind as i64, value, device)
}

pub(crate) fn upsert_evidence_row(
    sql: &Connection,
    domain: TenantId,
    kind: i64,
    value: &str,
    device: DeviceId,
) -> Result<(), Error> {
    sql.prepare_cached(
        "INSERT INTO evidence (domain, kind, value, device) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (domain, kind, value) DO UPDATE SET device = excluded.device",
    )
    .and_then(|mut statement| statement.execute(params![domain.0, kind, value, device.as_bytes()]))
    .during("link evidence")?;
    Ok(())
}

/// Hands a device's evidence over to another, and says which it was.
pub(crate) fn supersede(
    sql: &Connection,
    stamp: Option<u64>,
    old: DeviceId,
    by: DeviceId,
) -> Result<Vec<EvidenceRow>, Error> {
    if let Some(stamp) = stamp {
        sql.execute(
            "INSERT INTO handed_over (stamp, old, domain, kind, value)
             SELECT ?1, ?2, domain, kind, value FROM evidence WHERE device = ?2",
            params![i64::try_from(stamp).unwrap_or(i64::MAX), old.as_bytes()],
        )
        .during("note what evidence a device had")?;
    }
    let handed = sql
        .prepare_cached(
            "UPDATE evidence SET device = ?2 WHERE device = ?1 RETURNING domain, kind, value",
        )
        .and_then(|mut statement| {
            statement
                .query_map([old.as_bytes(), by.as_bytes()], |row| {
                    Ok((TenantId(row.get(0)?), row.get(1)?, row.get(2)?))
                })
                .and_then(Iterator::collect)
        })
        .during("hand a device's evidence over")?;
    sql.execute(
        "UPDATE device SET superseded_by = ?2 WHERE id = ?1",
        [old.as_bytes(), by.as_bytes()],
    )
    .during("mark a superseded device")?;
    Ok(handed)
}
