//! What the registry knows of a device besides its evidence: where it stands and what the ERP calls it.
//!
//! These are people's decisions. They are kept apart from what a replay of the journal rebuilds, under the device's id, which a
//! rebuild gives again.

use std::collections::BTreeSet;

use codec::id::{AgentId, DeviceId, Scope, TenantId};
use codec::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::Registry;
use crate::error::{During, Error};
use crate::tenant::{Level, checked_text};

/// What the ERP calls a device and whom it bills.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct References {
    /// The contract it runs under.
    pub contract_no: Option<String>,
    /// The customer it is billed to, where that is not its site's customer.
    pub customer_no: Option<String>,
    /// The provider's number for it.
    pub inventory_no: Option<String>,
    /// The customer's cost centre.
    pub cost_centre: Option<String>,
    /// Free for the ERP.
    pub reference1: Option<String>,
    /// Free for the ERP.
    pub reference2: Option<String>,
    /// Free for the ERP.
    pub reference3: Option<String>,
}

impl References {
    fn fields(&mut self) -> [&mut Option<String>; 7] {
        [
            &mut self.contract_no,
            &mut self.customer_no,
            &mut self.inventory_no,
            &mut self.cost_centre,
            &mut self.reference1,
            &mut self.reference2,
            &mut self.reference3,
        ]
    }
}

/// What people decided about a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeviceNote {
    /// The site they gave it; without one it stands where its first agent stands.
    pub site: Option<TenantId>,
    /// The references they gave it.
    pub references: References,
}

/// A device as the registry knows it. What it measures is in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceRecord {
    /// Its id.
    pub id: DeviceId,
    /// The agent that reported it first.
    pub agent: AgentId,
    /// Where it stands.
    pub site: TenantId,
    /// When it was seen first.
    pub first_seen_at: Timestamp,
    /// The device that this one turned out to be.
    pub superseded_by: Option<DeviceId>,
    /// What people decided.
    pub note: DeviceNote,
}

const NOTE_COLUMNS: &str = "n.site, contract_no, customer_no, inventory_no, cost_centre, reference1, reference2, reference3";

fn note_from(row: &rusqlite::Row<'_>) -> Result<DeviceNote, rusqlite::Error> {
    Ok(DeviceNote {
        site: row.get::<_, Option<i64>>(0)?.map(TenantId),
        references: References {
            contract_no: row.get(1)?,
            customer_no: row.get(2)?,
            inventory_no: row.get(3)?,
            cost_centre: row.get(4)?,
            reference1: row.get(5)?,
            reference2: row.get(6)?,
            reference3: row.get(7)?,
        },
    })
}

fn select_note(sql: &Connection, device: DeviceId) -> Result<Option<DeviceNote>, Error> {
    sql.prepare_cached(&format!(
        "SELECT {NOTE_COLUMNS} FROM device_note n WHERE device = ?1"
    ))
    .and_then(|mut statement| {
        statement
            .query_row([device.as_bytes()], note_from)
            .optional()
    })
    .during("read a device's note")
}

impl Registry {
    /// One device.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not there or does not stand in `scope`.
    pub fn device(&self, scope: &Scope, id: DeviceId) -> Result<DeviceRecord, Error> {
        let missing = || Error::not_found("device", id);
        let found = self.inner.database.read(|connection| {
            let row = connection
                .prepare_cached(
                    "SELECT agent, first_seen_at, superseded_by FROM device WHERE id = ?1",
                )
                .and_then(|mut statement| {
                    statement
                        .query_row([id.as_bytes()], |row| {
                            Ok((
                                row.get::<_, String>(0)?,
                                Timestamp::from_unix_ms(row.get(1)?),
                                row.get::<_, Option<[u8; 10]>>(2)?.map(DeviceId::from_bytes),
                            ))
                        })
                        .optional()
                })
                .during("read a device")?;
            Ok((row, select_note(connection, id)?))
        })?;
        let (Some((agent, first_seen_at, superseded_by)), note) = found else {
            return Err(missing());
        };
        let agent = AgentId::new(&agent).map_err(|error| Error::Invalid(error.to_string()))?;
        let note = note.unwrap_or_default();
        let site = match note.site {
            Some(site) => site,
            None => self.agent_record(&agent).ok_or_else(missing)?.site,
        };
        if !scope.sees(site) {
            return Err(missing());
        }
        Ok(DeviceRecord {
            id,
            agent,
            site,
            first_seen_at,
            superseded_by,
            note,
        })
    }

    /// What people decided about each of `devices`, in their order. It asks no scope: the ids come from a question that did.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn device_notes(&self, devices: &[DeviceId]) -> Result<Vec<DeviceNote>, Error> {
        self.inner.database.read(|connection| {
            devices
                .iter()
                .map(|device| Ok(select_note(connection, *device)?.unwrap_or_default()))
                .collect()
        })
    }

    /// Gives a device a site of its own, or with `None` that of its agent again; returns where it stands now, which the caller
    /// tells the store.
    ///
    /// # Errors
    /// [`Error::NotFound`] when device or site are not in `scope`.
    pub fn assign_device_site(
        &self,
        scope: &Scope,
        id: DeviceId,
        site: Option<TenantId>,
        now: Timestamp,
    ) -> Result<TenantId, Error> {
        let device = self.device(scope, id)?;
        if let Some(site) = site
            && self.tenant(scope, site)?.level != Level::Site
        {
            return Err(Error::not_found("site", site));
        }
        let agent_site = self
            .agent_record(&device.agent)
            .ok_or_else(|| Error::not_found("agent", &device.agent))?
            .site;
        self.inner.database.change(|transaction| {
            transaction
                .execute(
                    "INSERT INTO device_note (device, site, changed_at) VALUES (?1, ?2, ?3)
                     ON CONFLICT (device) DO UPDATE SET site = excluded.site, changed_at = excluded.changed_at",
                    params![id.as_bytes(), site.map(|site| site.0), now.unix_ms],
                )
                .during("give a device a site")
        })?;
        self.forget_device_sites();
        Ok(site.unwrap_or(agent_site))
    }

    /// The devices with a customer number of their own: those whose number is `number`, and all others.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn devices_of_customer_no(
        &self,
        number: &str,
    ) -> Result<(BTreeSet<DeviceId>, BTreeSet<DeviceId>), Error> {
        self.inner.database.read(|connection| {
            let mut statement = connection
                .prepare_cached(
                    "SELECT device, customer_no = ?1 FROM device_note WHERE customer_no IS NOT NULL",
                )
                .during("look for a customer's devices")?;
            let rows = statement
                .query_map([number], |row| {
                    let device = DeviceId::from_bytes(row.get::<_, [u8; 10]>(0)?);
                    Ok((device, row.get::<_, bool>(1)?))
                })
                .during("look for a customer's devices")?;
            let (mut of_it, mut of_others) = (BTreeSet::new(), BTreeSet::new());
            for row in rows {
                let (device, is_of_it) = row.during("look for a customer's devices")?;
                if is_of_it {
                    of_it.insert(device);
                } else {
                    of_others.insert(device);
                }
            }
            Ok((of_it, of_others))
        })
    }

    /// Gives a device its references; an empty text is none. All are replaced.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not in `scope`, [`Error::Invalid`] for a text that is too long.
    pub fn set_device_references(
        &self,
        scope: &Scope,
        id: DeviceId,
        references: &References,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.device(scope, id)?;
        let mut checked = references.clone();
        for field in checked.fields() {
            *field = match field.take() {
                Some(text) => checked_text(&text)?.map(str::to_owned),
                None => None,
            };
        }
        self.inner.database.write(|transaction| {
            transaction
                .execute(
                    "INSERT INTO device_note (device, contract_no, customer_no, inventory_no, cost_centre, reference1, reference2, reference3, changed_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                     ON CONFLICT (device) DO UPDATE SET contract_no = excluded.contract_no, customer_no = excluded.customer_no,
                     inventory_no = excluded.inventory_no, cost_centre = excluded.cost_centre, reference1 = excluded.reference1,
                     reference2 = excluded.reference2, reference3 = excluded.reference3, changed_at = excluded.changed_at",
                    params![
                        id.as_bytes(),
                        checked.contract_no,
                        checked.customer_no,
                        checked.inventory_no,
                        checked.cost_centre,
                        checked.reference1,
                        checked.reference2,
                        checked.reference3,
                        now.unix_ms
                    ],
                )
                .during("give a device its references")
        })?;
        Ok(())
    }
}
