//! What is known of devices' identities: the rows in SQLite, and those of them that were used lately, in memory.
//!
//! The memory holds nothing that the tables do not; it may be emptied at any time.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use codec::id::{AgentId, DeviceId, TenantId};
use rusqlite::{Connection, OptionalExtension, params};

use super::evidence::{Evidence, Keys};
use crate::error::{During, Error};

/// Evidence kept in memory: three entries for each of 200,000 devices, some 70 MB. When full, all goes and comes back as used.
const EVIDENCE_CACHED_MAX: usize = 600_000;

/// A kind of evidence, as numbered in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    pub manufacturer: Option<Box<str>>,
    pub model: Option<Box<str>>,
    /// The site it stands at.
    pub site: Option<TenantId>,
}

impl DeviceState {
    /// Takes over what a report says; whether anything changed. The MAC is the first that was seen: a device with two network
    /// ports would otherwise change at each poll.
    pub(crate) fn learn(&mut self, keys: &Keys, evidence: &Evidence<'_>) -> bool {
        let mut changed = false;
        let mut put = |field: &mut Option<Box<str>>, value: Option<&str>, replaces: bool| {
            if let Some(value) = value
                && (field.is_none() || replaces)
                && field.as_deref() != Some(value)
            {
                *field = Some(value.into());
                changed = true;
            }
        };
        put(&mut self.serial, keys.serial.as_deref(), true);
        put(&mut self.mac, keys.mac.as_deref(), false);
        put(&mut self.manufacturer, evidence.manufacturer, true);
        put(&mut self.model, evidence.model, true);
        changed
    }
}

/// Evidence and devices that were used lately.
#[derive(Default)]
pub struct IdentityCache {
    evidence: HashMap<Box<str>, DeviceId>,
    devices: HashMap<DeviceId, DeviceState>,
    /// The last report before which how things were is kept, until the store has it.
    pub(crate) kept_up_to: Option<u64>,
    /// Where look-up keys are built, so that a look-up allocates nothing.
    key: String,
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
    pub(crate) fn clear(&mut self) {
        self.evidence.clear();
        self.devices.clear();
        self.rules = None;
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

    pub(crate) fn holder(&mut self, domain: TenantId, kind: Kind, value: &str) -> Option<DeviceId> {
        self.build_key(domain, kind, value);
        self.evidence.get(self.key.as_str()).copied()
    }

    pub(crate) fn link(&mut self, domain: TenantId, kind: Kind, value: &str, device: DeviceId) {
        if self.evidence.len() >= EVIDENCE_CACHED_MAX {
            self.clear();
        }
        self.build_key(domain, kind, value);
        self.evidence.insert(self.key.as_str().into(), device);
    }

    pub(crate) fn supersede(&mut self, old: DeviceId, by: DeviceId) {
        for device in self.evidence.values_mut() {
            if *device == old {
                *device = by;
            }
        }
        self.devices.remove(&old);
    }

    pub(crate) fn has_state(&self, device: DeviceId) -> bool {
        self.devices.contains_key(&device)
    }

    pub(crate) fn state(&mut self, device: DeviceId) -> Option<&mut DeviceState> {
        self.devices.get_mut(&device)
    }

    pub(crate) fn keep_state(&mut self, device: DeviceId, state: DeviceState) {
        self.devices.insert(device, state);
    }

    fn build_key(&mut self, domain: TenantId, kind: Kind, value: &str) {
        self.key.clear();
        write!(self.key, "{domain} {} {value}", kind as u8).expect("writing to a string succeeds");
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

/// The agent that reported a device first, and its state; the site is what people gave it, if anything.
pub(crate) fn select_state(
    sql: &Connection,
    device: DeviceId,
) -> Result<(AgentId, DeviceState), Error> {
    let (agent, state) = sql
        .prepare_cached(
            "SELECT agent, serial, mac, manufacturer, model, site
             FROM device LEFT JOIN device_note ON device = id WHERE id = ?1",
        )
        .and_then(|mut statement| {
            statement.query_row([device.as_bytes()], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    DeviceState {
                        serial: row.get(1)?,
                        mac: row.get(2)?,
                        manufacturer: row.get(3)?,
                        model: row.get(4)?,
                        site: row.get::<_, Option<i64>>(5)?.map(TenantId),
                    },
                ))
            })
        })
        .during("read a device")?;
    let agent = AgentId::new(&agent).map_err(|error| Error::Invalid(error.to_string()))?;
    Ok((agent, state))
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

pub(crate) fn supersede(
    sql: &Connection,
    stamp: Option<u64>,
    old: DeviceId,
    by: DeviceId,
) -> Result<(), Error> {
    if let Some(stamp) = stamp {
        sql.execute(
            "INSERT INTO handed_over (stamp, old, domain, kind, value)
             SELECT ?1, ?2, domain, kind, value FROM evidence WHERE device = ?2",
            params![i64::try_from(stamp).unwrap_or(i64::MAX), old.as_bytes()],
        )
        .during("note what evidence a device had")?;
    }
    sql.execute(
        "UPDATE evidence SET device = ?2 WHERE device = ?1",
        [old.as_bytes(), by.as_bytes()],
    )
    .during("hand a device's evidence over")?;
    sql.execute(
        "UPDATE device SET superseded_by = ?2 WHERE id = ?1",
        [old.as_bytes(), by.as_bytes()],
    )
    .during("mark a superseded device")?;
    Ok(())
}
