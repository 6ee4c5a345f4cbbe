//! Which device a report speaks of (Rule 3).
//!
//! Evidence, strongest first: the **serial** within its maker, the **MAC**, the **place** (agent and address, or the agent's
//! own handle where there is no address). A device's id is derived from the first evidence ever seen of it; what is learned
//! later is linked to the same device. Evidence is compared within one customer: an agent can never write to another
//! customer's device, and a printer that is sold on begins anew where it arrives.
//!
//! | serial | MAC | place | the report is of |
//! |---|---|---|---|
//! | known | any | any | the serial's device; the MAC, if another's, moves to it ([`Finding::MacMoved`]) or, if that device never showed a serial, both were one ([`Finding::Superseded`]) |
//! | new | known, its device has no serial | any | that device: the serial appeared later |
//! | new | known, its device has another serial | any | a new device ([`Finding::SerialChanged`]): a print server moved, or a board was swapped; either way no meter continues |
//! | new | new or absent | known only by its place, same model | that device |
//! | new | new or absent | else | a new device |
//! | absent | known | any | the MAC's device |
//! | absent | new | known only by its place, same model | that device |
//! | absent | new | else | a new device |
//! | absent | absent | known, same maker and model | the device seen there last |
//! | absent | absent | else | a new device, told apart by a number when the place led to others before |
//!
//! **People** decide otherwise where evidence is wrong: see [`Decision`].
//!
//! **Ahead of the store.** What [`Registry::resolver_at`] resolved waits in memory until [`Registry::write_identities`] puts all of it on
//! disk, right before the store commits the same reports. When the program dies in between, the reports are applied again, and must
//! find the evidence as it was: so a writing keeps how things were before it, [`Registry::settle_identities`] lets that be forgotten
//! once the store has the reports, and [`Registry::rewind_identities`] goes back to where the store stands at a start. What
//! people decide, and devices that turn out to be others, are written at once.
//!
//! What always holds: the outcome depends on the order of the reports and on nothing else, so that a replay into emptied
//! tables gives the same ids; in the steady state (nothing new in a report) no SQL runs.

mod cache;
mod decide;
mod evidence;
mod mark;
mod pending;
mod rows;
mod undo;

use std::sync::MutexGuard;

use codec::id::{DeviceId, TenantId};
use rusqlite::Connection;

pub(crate) use cache::IdentityCache;
use cache::Kind;
pub use decide::{Change, Decision, DecisionOp, DecisionRecord, Void};
pub use evidence::Evidence;
use evidence::{Keys, same_model, same_serial};
pub(crate) use pending::PendingChange;

use crate::error::{During, Error};
use crate::{Registry, locked};

/// What a report's device was recognised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// By its place alone: another device of the same model may stand there now.
    Place,
    /// By its MAC.
    Mac,
    /// By its serial.
    Serial,
}

/// Something about a device's identity that was not so before this report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The device was not known.
    New,
    /// A serial appeared for a known device.
    SerialLearned,
    /// A MAC appeared for a known device.
    MacLearned,
    /// The device was not seen at this place before; who was seen there last, if anybody.
    PlaceMoved {
        /// The device that was seen there last.
        from: Option<DeviceId>,
    },
    /// The MAC belonged to another device with a serial of its own.
    MacMoved {
        /// That device.
        from: DeviceId,
    },
    /// The MAC's device had another serial: this is a new device.
    SerialChanged {
        /// The device with the other serial.
        previous: DeviceId,
    },
    /// A device known without a serial turned out to be this one; its evidence is this one's from now on.
    Superseded {
        /// The device that is none.
        old: DeviceId,
    },
}

impl Finding {
    /// A stable word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::SerialLearned => "serial-learned",
            Self::MacLearned => "mac-learned",
            Self::PlaceMoved { .. } => "moved",
            Self::MacMoved { .. } => "mac-moved",
            Self::SerialChanged { .. } => "serial-changed",
            Self::Superseded { .. } => "superseded",
        }
    }
}

/// Which device a report speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The device.
    pub device: DeviceId,
    /// Where it stands: the site that people gave it, or else the site of the agent that reported it first.
    pub site: TenantId,
    /// What it was recognised by.
    pub certainty: Certainty,
    /// What is new; empty in the steady state.
    pub findings: Vec<Finding>,
}

/// A batch of resolutions: one transaction at most, none when nothing is new or when it waits to be written.
///
/// While it lives, the identity of devices is locked; do not call other methods of the registry from the same thread. Dropped
/// without [`Resolver::commit`], nothing of it happened.
pub struct Resolver<'a> {
    registry: &'a Registry,
    cache: MutexGuard<'a, IdentityCache>,
    transaction: Option<MutexGuard<'a, Connection>>,
    /// What waited to be written before it.
    mark: usize,
    is_committed: bool,
    /// The report's place in the total order, when how things were is to be kept.
    stamp: Option<u64>,
}

impl Registry {
    /// Begins a batch of resolutions that nobody will rewind.
    #[must_use]
    pub fn resolver(&self) -> Resolver<'_> {
        let cache = locked(&self.inner.identity);
        Resolver {
            registry: self,
            mark: cache.pending.len(),
            cache,
            transaction: None,
            is_committed: false,
            stamp: None,
        }
    }

    /// Begins a batch for the report with this place in the total order, and keeps how things were before it.
    #[must_use]
    pub fn resolver_at(&self, stamp: u64) -> Resolver<'_> {
        let mut resolver = self.resolver();
        resolver.stamp = Some(stamp);
        resolver
    }

    /// Writes what the reports up to and with `stamp` made known of devices: before the store commits them. Free when nothing changed.
    ///
    /// # Errors
    /// When SQLite fails; nothing was written then, and it can be called again.
    pub fn write_identities(&self, stamp: u64) -> Result<(), Error> {
        let mut cache = locked(&self.inner.identity);
        let due = cache
            .pending
            .partition_point(|pending| pending.stamp <= stamp);
        if due == 0 {
            return Ok(());
        }
        self.inner.database.write(|transaction| {
            if let Some(settled) = cache.settled {
                undo::forget(transaction, settled)?;
            }
            pending::write(transaction, &cache.pending[..due])
        })?;
        cache.settled = None;
        cache.pending.drain(..due);
        Ok(())
    }

    /// The store has every report up to and with `stamp`: how things were before them may be forgotten, with the next writing.
    pub fn settle_identities(&self, stamp: u64) {
        let mut cache = locked(&self.inner.identity);
        cache.settled = cache.settled.max(Some(stamp));
    }

    /// Goes back to how things were after the report with `stamp`, the last that the store has; `None` when it has none.
    /// Returns how many changes were undone. To be called at a start, before anything is resolved.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn rewind_identities(&self, stamp: Option<u64>) -> Result<u64, Error> {
        let mut cache = locked(&self.inner.identity);
        let undone = self
            .inner
            .database
            .write(|transaction| undo::rewind(transaction, stamp))?;
        let waiting = cache.pending.len();
        let stays = cache
            .pending
            .partition_point(|pending| stamp.is_some_and(|stamp| pending.stamp <= stamp));
        cache.take_back(stays);
        cache.settled = None;
        Ok(undone + (waiting - stays) as u64)
    }

    /// Resolves one report's device in a batch of its own.
    ///
    /// # Errors
    /// As [`Resolver::resolve`].
    pub fn resolve(&self, evidence: &Evidence<'_>) -> Result<Resolution, Error> {
        let mut resolver = self.resolver();
        let resolution = resolver.resolve(evidence)?;
        resolver.commit()?;
        Ok(resolution)
    }

    /// Empties what a replay of the journal fills again: devices, evidence, and what decisions made of them. What people noted of a
    /// device (its site, its references) stays.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn forget_identities(&self) -> Result<(), Error> {
        let mut cache = locked(&self.inner.identity);
        self.inner.database.write(|transaction| {
            transaction
                .execute_batch(
                    "DELETE FROM evidence; DELETE FROM device; DELETE FROM undo_evidence; DELETE FROM undo_device;
                     DELETE FROM written; DELETE FROM decision; DELETE FROM decided_evidence; DELETE FROM decided_device; DELETE FROM apart;
                     DELETE FROM barred; DELETE FROM handed_over",
                )
                .during("empty the devices")
        })?;
        cache.take_back(0);
        cache.settled = None;
        Ok(())
    }

    /// Makes every device's site be read anew.
    pub(crate) fn forget_device_sites(&self) {
        locked(&self.inner.identity).forget_sites();
    }
}

impl Resolver<'_> {
    /// Which device the evidence leads to; a new one when it leads to none.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the agent is none of ours, [`Error::Invalid`] when there is no evidence at all.
    pub fn resolve(&mut self, evidence: &Evidence<'_>) -> Result<Resolution, Error> {
        let agent = self
            .registry
            .agent_record(evidence.agent)
            .ok_or_else(|| Error::not_found("agent", evidence.agent))?;
        let mut keys = Keys::of(agent.customer, evidence);
        self.read_all()?;
        if let Some(serial) = &keys.serial
            && self.cache.is_barred(keys.domain, serial)
        {
            keys.serial = None;
        }
        let by_serial = self.holder(Kind::Serial, keys.serial.as_deref(), &keys)?;
        let by_mac = self.holder(Kind::Mac, keys.mac.as_deref(), &keys)?;
        let by_place = self.holder(Kind::Place, keys.place.as_deref(), &keys)?;

        let mut findings = Vec::new();
        let certainty = match (&keys.serial, &keys.mac, &keys.place) {
            (Some(_), _, _) => Certainty::Serial,
            (None, Some(_), _) => Certainty::Mac,
            (None, None, Some(_)) => Certainty::Place,
            (None, None, None) => {
                return Err(Error::Invalid(
                    "the report names neither a serial, nor a MAC, nor an address".to_owned(),
                ));
            }
        };
        let found = match certainty {
            Certainty::Serial if by_serial.is_some() => by_serial,
            Certainty::Serial => {
                self.of_new_serial(&keys, by_mac, by_place, evidence, &mut findings)?
            }
            Certainty::Mac if by_mac.is_some() => by_mac,
            Certainty::Mac => self.known_by_place_only(by_place, evidence)?,
            Certainty::Place => self.seen_at_place(by_place, evidence)?,
        };
        let device = match found {
            Some(device) => device,
            None => {
                findings.push(Finding::New);
                self.create(&keys, certainty, evidence)?
            }
        };

        if let Some(serial) = &keys.serial
            && by_serial != Some(device)
        {
            if found.is_some() {
                findings.push(Finding::SerialLearned);
            }
            self.link(Kind::Serial, serial, keys.domain, device, by_serial)?;
        }
        if let Some(mac) = &keys.mac
            && by_mac != Some(device)
        {
            let holder = match by_mac {
                Some(other) => {
                    let is_other =
                        self.state(other)?.serial.is_some() || self.cache.are_apart(other, device);
                    Some((other, is_other))
                }
                None => None,
            };
            match holder {
                Some((from, true)) => {
                    if !matches!(findings.first(), Some(Finding::SerialChanged { .. })) {
                        findings.push(Finding::MacMoved { from });
                    }
                    self.link(Kind::Mac, mac, keys.domain, device, by_mac)?;
                }
                Some((old, false)) => {
                    findings.push(Finding::Superseded { old });
                    self.supersede(old, device)?;
                }
                None => {
                    if found.is_some() {
                        findings.push(Finding::MacLearned);
                    }
                    self.link(Kind::Mac, mac, keys.domain, device, by_mac)?;
                }
            }
        }
        if let Some(place) = &keys.place {
            // Superseding may have moved this place along with the rest.
            let now_there = self.holder(Kind::Place, Some(place), &keys)?;
            if now_there != Some(device) {
                if found.is_some() {
                    findings.push(Finding::PlaceMoved { from: now_there });
                }
                self.link(Kind::Place, place, keys.domain, device, now_there)?;
            }
        }
        self.learn(device, &keys, evidence)?;
        let site = self.site(device, &agent)?;
        Ok(Resolution {
            device,
            site,
            certainty,
            findings,
        })
    }

    /// A serial that nobody has: whose may it be?
    fn of_new_serial(
        &mut self,
        keys: &Keys,
        by_mac: Option<DeviceId>,
        by_place: Option<DeviceId>,
        evidence: &Evidence<'_>,
        findings: &mut Vec<Finding>,
    ) -> Result<Option<DeviceId>, Error> {
        let Some(holder) = by_mac else {
            return self.known_by_place_only(by_place, evidence);
        };
        let state = self.state(holder)?;
        let free = match (&state.serial, &keys.serial) {
            (Some(theirs), Some(ours)) => same_serial(theirs, ours),
            _ => true,
        };
        if !free {
            findings.push(Finding::SerialChanged { previous: holder });
        }
        Ok(free.then_some(holder))
    }

    /// The device seen at the place, if nothing better than the place is known of it and it can be the same.
    fn known_by_place_only(
        &mut self,
        by_place: Option<DeviceId>,
        evidence: &Evidence<'_>,
    ) -> Result<Option<DeviceId>, Error> {
        let Some(device) = by_place else {
            return Ok(None);
        };
        let state = self.state(device)?;
        let adopts = state.serial.is_none()
            && state.mac.is_none()
            && same_model(state.manufacturer.as_deref(), evidence.manufacturer, true)
            && same_model(state.model.as_deref(), evidence.model, true);
        Ok(adopts.then_some(device))
    }

    /// The device seen at the place last, if a report without serial and MAC can be its: of a device with better evidence,
    /// maker and model must both be named and the same.
    fn seen_at_place(
        &mut self,
        by_place: Option<DeviceId>,
        evidence: &Evidence<'_>,
    ) -> Result<Option<DeviceId>, Error> {
        let Some(device) = by_place else {
            return Ok(None);
        };
        let state = self.state(device)?;
        let unnamed_will_do = state.serial.is_none() && state.mac.is_none();
        let same = same_model(
            state.manufacturer.as_deref(),
            evidence.manufacturer,
            unnamed_will_do,
        ) && same_model(state.model.as_deref(), evidence.model, unnamed_will_do);
        Ok(same.then_some(device))
    }
}

#[cfg(test)]
mod tests;
