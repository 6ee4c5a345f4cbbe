//! What people decide about who is who: two devices are one, one is two, a decision is taken back.
//!
//! A decision is a record of the journal with a place in the total order, and is applied there like a report, so that a rebuild
//! reproduces what came of it. What it says is checked twice: when somebody decides, and when it is applied; what does not hold then is
//! noted with the reason and changes nothing.
//!
//! | decision | on | what it does |
//! |---|---|---|
//! | merge A into B | two devices of one customer | A's evidence leads to B; A is superseded |
//! | split A | A turned out to be another device | the evidence that went over comes back; no evidence joins the two again |
//! | split A | A stands for itself, has a serial | the serial tells nobody apart any more; A keeps its first MAC alone, others become new devices |
//! | split A | A stands for itself, has none | with several MACs it keeps the first; else the next report begins a new device |
//! | undo | a merge or a split | everything that it changed and nobody changed since is as it was |

mod rows;

use codec::id::{DeviceId, Scope, TenantId};
use codec::time::Timestamp;
use rusqlite::{Connection, params};
use serde::Serialize;

use super::cache::{self, Kind};
use super::{Resolver, undo};
use crate::Registry;
use crate::error::{During, Error};
use rows::{
    Row, bytes_of, changed_devices, changed_evidence, column, evidence_of, handed_over_of, holder,
    insert, note_device, note_evidence, select, state, superseded_by, survivor,
};

/// Devices that superseded each other in a row are followed so far; evidence makes chains of two or three.
const CHAIN_MAX: usize = 64;
/// Decisions shown of one device.
const SHOWN_MAX: i64 = 20;

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionOp {
    /// `device` is the same as `into`, which goes on.
    Merge {
        /// The device that is none of its own.
        device: DeviceId,
        /// The device that it is.
        into: DeviceId,
    },
    /// `device` is not what it was taken for.
    Split {
        /// The device.
        device: DeviceId,
    },
    /// An earlier decision is taken back.
    Undo {
        /// Its place in the total order.
        decision: u64,
    },
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What.
    pub op: DecisionOp,
    /// Who: a login.
    pub who: String,
    /// When.
    pub at: Timestamp,
}

/// What a decision changed for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A device is another from now on.
    Superseded {
        /// The device that is none.
        old: DeviceId,
        /// The device that it is.
        now: DeviceId,
    },
    /// A device is itself again.
    Restored {
        /// The device.
        device: DeviceId,
        /// What it was taken for.
        from: DeviceId,
    },
    /// What was taken for one device is more than one.
    Parted {
        /// The device.
        device: DeviceId,
    },
}

/// Why a decision cannot be, or changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Void {
    /// A device is not known.
    UnknownDevice,
    /// Both are the same device.
    SameDevice,
    /// The devices belong to different customers.
    OtherCustomer,
    /// One of them turned out to be another device already.
    Superseded,
    /// No evidence leads to the device.
    NothingToSplit,
    /// There is no such decision, or it changed nothing.
    UnknownDecision,
    /// The decision was taken back already.
    Undone,
}

impl Void {
    /// A stable word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::UnknownDevice => "unknown-device",
            Self::SameDevice => "same-device",
            Self::OtherCustomer => "other-customer",
            Self::Superseded => "superseded",
            Self::NothingToSplit => "nothing-to-split",
            Self::UnknownDecision => "unknown-decision",
            Self::Undone => "undone",
        }
    }
}

/// A decision as it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRecord {
    /// Its place in the total order: its id.
    pub id: u64,
    /// What was decided.
    pub op: DecisionOp,
    /// By whom.
    pub who: String,
    /// When.
    pub at: Timestamp,
    /// `done`, or the word of a [`Void`].
    pub outcome: String,
    /// The decision that took it back.
    pub undone_by: Option<u64>,
}

const DONE: &str = "done";

/// What a decision will do.
enum Plan {
    Merge {
        old: DeviceId,
        now: DeviceId,
    },
    Restore {
        device: DeviceId,
        from: DeviceId,
    },
    Part {
        device: DeviceId,
        domain: TenantId,
        mac: Option<String>,
    },
    Undo {
        decision: u64,
    },
}

impl Registry {
    /// Whether a decision can be, as things are: `None` when it can. What is out of `scope` is not known.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn check_decision(&self, scope: &Scope, op: DecisionOp) -> Result<Option<Void>, Error> {
        let devices: Vec<DeviceId> = match op {
            DecisionOp::Merge { device, into } => vec![device, into],
            DecisionOp::Split { device } => vec![device],
            DecisionOp::Undo { decision } => {
                let found = self.inner.database.read(|sql| select(sql, decision))?;
                match found.map(|record| record.op) {
                    Some(DecisionOp::Merge { device, into }) => vec![device, into],
                    Some(DecisionOp::Split { device }) => vec![device],
                    _ => return Ok(Some(Void::UnknownDecision)),
                }
            }
        };
        for device in devices {
            match self.device(scope, device) {
                Ok(_) => {}
                Err(Error::NotFound { .. }) => return Ok(Some(Void::UnknownDevice)),
                Err(error) => return Err(error),
            }
        }
        let planned = self.inner.database.read(|sql| plan(sql, op))?;
        Ok(planned.err())
    }

    /// A decision that was applied; `None` when it is not yet.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn decision(&self, id: u64) -> Result<Option<DecisionRecord>, Error> {
        self.inner.database.read(|sql| select(sql, id))
    }

    /// The latest decisions about a device, newest first, without those that only took another back. It asks no scope: the id comes from
    /// a question that did.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn decisions_of(&self, device: DeviceId) -> Result<Vec<DecisionRecord>, Error> {
        self.inner.database.read(|sql| {
            let mut statement = sql
                .prepare_cached(
                    "SELECT id FROM decision WHERE (device = ?1 OR other = ?1) AND op <> 3 AND outcome = 'done'
                     ORDER BY id DESC LIMIT ?2",
                )
                .during("list decisions")?;
            let ids = statement
                .query_map(params![device.as_bytes(), SHOWN_MAX], |row| row.get(0))
                .and_then(Iterator::collect::<Result<Vec<i64>, _>>)
                .during("list decisions")?;
            ids.into_iter()
                .filter_map(|id| select(sql, u64::try_from(id).unwrap_or(0)).transpose())
                .collect()
        })
    }

    /// The devices that turned out to be `device`, and the one that it turned out to be. It asks no scope, as above.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn kin(&self, device: DeviceId) -> Result<(Vec<DeviceId>, Option<DeviceId>), Error> {
        self.inner.database.read(|sql| {
            let mut statement = sql
                .prepare_cached(
                    "SELECT id FROM device WHERE superseded_by = ?1 ORDER BY id LIMIT ?2",
                )
                .during("list what a device was")?;
            let former = statement
                .query_map(params![device.as_bytes(), SHOWN_MAX], |row| {
                    row.get(0).map(DeviceId::from_bytes)
                })
                .and_then(Iterator::collect)
                .during("list what a device was")?;
            let now = survivor(sql, device)?;
            Ok((former, (now != device).then_some(now)))
        })
    }
}

impl Resolver<'_> {
    /// Applies a decision at the resolver's place in the order, and says what it changed, or why it changed nothing.
    ///
    /// # Errors
    /// When SQLite fails, or the resolver has no place in the order.
    pub fn decide(&mut self, decision: &Decision) -> Result<Result<Vec<Change>, Void>, Error> {
        let stamp = self
            .stamp
            .ok_or_else(|| Error::Invalid("a decision needs a place in the order".to_owned()))?;
        let planned = plan(self.sql()?, decision.op)?;
        let outcome = match planned {
            Err(void) => Err(void),
            Ok(plan) => Ok(self.carry_out(stamp, plan)?),
        };
        insert(self.sql()?, stamp, decision, &outcome)?;
        // Rare enough that nobody notices: every row is read anew.
        self.cache.clear();
        Ok(outcome)
    }

    fn carry_out(&mut self, stamp: u64, plan: Plan) -> Result<Vec<Change>, Error> {
        match plan {
            Plan::Merge { old, now } => {
                for row in evidence_of(self.sql()?, old)? {
                    note_evidence(self.sql()?, stamp, &row, Some(old), Some(now))?;
                }
                note_device(self.sql()?, stamp, old, None, Some(now))?;
                self.supersede(old, now)?;
                Ok(vec![Change::Superseded { old, now }])
            }
            Plan::Restore { device, from } => {
                for row in handed_over_of(self.sql()?, device)? {
                    if holder(self.sql()?, &row)? == Some(from) {
                        self.give(stamp, &row, Some(from), Some(device))?;
                    }
                }
                self.stand(stamp, device, None)?;
                self.sql()?
                    .execute(
                        "INSERT INTO apart (decision, one, other) VALUES (?1, ?2, ?3)",
                        params![column(stamp), device.as_bytes(), from.as_bytes()],
                    )
                    .during("keep devices apart")?;
                Ok(vec![Change::Restored { device, from }])
            }
            Plan::Part {
                device,
                domain,
                mac,
            } => {
                for row in evidence_of(self.sql()?, device)? {
                    let is_serial = row.1 == Kind::Serial as i64;
                    let is_own_mac =
                        row.1 == Kind::Mac as i64 && mac.as_deref() == Some(row.2.as_str());
                    if is_serial {
                        self.sql()?
                            .execute(
                                "INSERT INTO barred (decision, domain, kind, value) VALUES (?1, ?2, ?3, ?4)",
                                params![column(stamp), domain.0, row.1, row.2],
                            )
                            .during("bar a serial")?;
                    }
                    if !is_own_mac {
                        self.give(stamp, &row, Some(device), None)?;
                    }
                }
                undo::keep_device(self.sql()?, stamp, device)?;
                self.sql()?
                    .execute(
                        "UPDATE device SET serial = NULL WHERE id = ?1",
                        [device.as_bytes()],
                    )
                    .during("forget a serial")?;
                Ok(vec![Change::Parted { device }])
            }
            Plan::Undo { decision } => self.take_back(stamp, decision),
        }
    }

    /// Puts back what a decision changed, where nobody changed it since.
    fn take_back(&mut self, stamp: u64, decision: u64) -> Result<Vec<Change>, Error> {
        let mut changes = Vec::new();
        for (device, was, now) in changed_devices(self.sql()?, decision)? {
            let is = superseded_by(self.sql()?, device)?.flatten();
            if is != now {
                continue;
            }
            // Whom it turned out to be may have turned out to be another since.
            let was = was.map(|was| survivor(self.sql()?, was)).transpose()?;
            let was = was.filter(|was| *was != device);
            self.stand(stamp, device, was)?;
            match (was, now) {
                (None, Some(from)) => {
                    let from = survivor(self.sql()?, from)?;
                    changes.push(Change::Restored { device, from });
                }
                (Some(now), _) => changes.push(Change::Superseded { old: device, now }),
                (None, None) => {}
            }
        }
        for (row, was, now) in changed_evidence(self.sql()?, decision)? {
            let expected = now.map(|now| survivor(self.sql()?, now)).transpose()?;
            if holder(self.sql()?, &row)? == expected {
                let was = was.map(|was| survivor(self.sql()?, was)).transpose()?;
                self.give(stamp, &row, expected, was)?;
            }
        }
        self.sql()?
            .execute(
                "UPDATE decision SET undone_by = ?2 WHERE id = ?1",
                params![column(decision), column(stamp)],
            )
            .during("take a decision back")?;
        Ok(changes)
    }

    /// Evidence leads to another device, or to none.
    fn give(
        &mut self,
        stamp: u64,
        row: &Row,
        was: Option<DeviceId>,
        now: Option<DeviceId>,
    ) -> Result<(), Error> {
        let (domain, kind, value) = row;
        let sql = self.sql()?;
        undo::keep_evidence_row(sql, stamp, *domain, *kind, value)?;
        note_evidence(sql, stamp, row, was, now)?;
        match now {
            Some(now) => cache::upsert_evidence_row(sql, *domain, *kind, value, now),
            None => {
                sql.execute(
                    "DELETE FROM evidence WHERE domain = ?1 AND kind = ?2 AND value = ?3",
                    params![domain.0, kind, value],
                )
                .during("unlink evidence")?;
                Ok(())
            }
        }
    }

    /// A device is itself, or another.
    fn stand(&mut self, stamp: u64, device: DeviceId, by: Option<DeviceId>) -> Result<(), Error> {
        let sql = self.sql()?;
        undo::keep_device(sql, stamp, device)?;
        let was = superseded_by(sql, device)?.flatten();
        note_device(sql, stamp, device, was, by)?;
        sql.execute(
            "UPDATE device SET superseded_by = ?2 WHERE id = ?1",
            params![device.as_bytes(), bytes_of(by)],
        )
        .during("mark a device")?;
        Ok(())
    }
}

/// What a decision would do as things are.
fn plan(sql: &Connection, op: DecisionOp) -> Result<Result<Plan, Void>, Error> {
    match op {
        DecisionOp::Merge { device, into } => {
            let (Some(one), Some(other)) = (state(sql, device)?, state(sql, into)?) else {
                return Ok(Err(Void::UnknownDevice));
            };
            Ok(if device == into {
                Err(Void::SameDevice)
            } else if one.domain != other.domain {
                Err(Void::OtherCustomer)
            } else if one.superseded_by.is_some() || other.superseded_by.is_some() {
                Err(Void::Superseded)
            } else {
                Ok(Plan::Merge {
                    old: device,
                    now: into,
                })
            })
        }
        DecisionOp::Split { device } => {
            let Some(found) = state(sql, device)? else {
                return Ok(Err(Void::UnknownDevice));
            };
            if found.superseded_by.is_some() {
                let from = survivor(sql, device)?;
                return Ok(Ok(Plan::Restore { device, from }));
            }
            let evidence = evidence_of(sql, device)?;
            if evidence.is_empty() {
                return Ok(Err(Void::NothingToSplit));
            }
            let has = |kind: Kind| evidence.iter().filter(|row| row.1 == kind as i64).count();
            // Without a serial that two devices may share and with one MAC at most, nothing tells the two apart but the time.
            let tells = has(Kind::Serial) > 0 || has(Kind::Mac) > 1;
            Ok(Ok(Plan::Part {
                device,
                domain: found.domain,
                mac: found.mac.filter(|_| tells),
            }))
        }
        DecisionOp::Undo { decision } => {
            let Some(found) = select(sql, decision)? else {
                return Ok(Err(Void::UnknownDecision));
            };
            let is_undo = matches!(found.op, DecisionOp::Undo { .. });
            Ok(if is_undo || found.outcome != DONE {
                Err(Void::UnknownDecision)
            } else if found.undone_by.is_some() {
                Err(Void::Undone)
            } else {
                Ok(Plan::Undo { decision })
            })
        }
    }
}

#[cfg(test)]
mod tests;
