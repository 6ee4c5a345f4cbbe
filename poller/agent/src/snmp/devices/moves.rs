//! Who is where: devices that are found, that move, that take each other's address, or that have two.
//!
//! What always holds: a poll or a sweep that heard a device say who it is proves where it is; all else is a guess that the next poll proves
//! or not. A device that moved keeps its handle, its plan and its schedule, and its old address is forgotten.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use codec::model::{DeviceReport, Identity};
use poller::device::Depth;
use poller::engine::Memory;

use super::{Device, Devices, Id, Wants, handle_of};
use crate::snmp::schedule::{Dues, Reading};
use crate::snmp::who::Who;

/// A device that was seen at another address so long ago may be anywhere.
const SIGHTED_MAX: Duration = Duration::from_secs(15 * 60);

/// Where a device answered beside the address at which it is polled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighted {
    target: SocketAddr,
    range: usize,
    at: Instant,
}

/// What a sweep found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A device that was not known.
    New(Id),
    /// A device that is known to be there.
    Here(Id),
    /// A device that was silent where it was known to be: there.
    Moved(Id, SocketAddr),
    /// A device that is polled, and answered, at another address; it is asked there now, and followed if it is there no more.
    Elsewhere,
    /// It says that it is a device, or is where one is, that has proved itself by SNMPv3, and this answer proves nothing: it changes
    /// nothing about that one.
    Unproven(Id),
}

/// Who answered at a device's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// The device.
    Same,
    /// One that was not known: the address has changed hands ([`Devices::replace`]).
    Other,
    /// This one, which was known at another address and has moved here; whose address it was is now looked for there.
    Moved(Id),
    /// One that was not known; the device itself was seen elsewhere, and is asked there from now on.
    Followed,
    /// A device that is polled, and answers, at another address.
    Twin,
}

impl Found {
    /// The device's place, unless it is polled elsewhere.
    #[must_use]
    pub const fn id(self) -> Option<Id> {
        match self {
            Self::New(id) | Self::Here(id) | Self::Moved(id, _) => Some(id),
            Self::Elsewhere | Self::Unproven(_) => None,
        }
    }
}

/// What the answer to a device's poll led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The device that answered; none, when it is polled elsewhere.
    pub device: Option<Id>,
    /// Near this place of this range a device is to be searched for: it was here and is no more.
    pub lost: Option<(usize, SocketAddr)>,
}

/// What a report says of who the device is. The model of a poll that broke off may be made up of less than usual, and says nothing.
fn told(report: &DeviceReport, whole: bool) -> Cow<'_, Identity> {
    if whole {
        return Cow::Borrowed(&report.identity);
    }
    Cow::Owned(Identity {
        model: None,
        ..report.identity.clone()
    })
}

impl Devices {
    /// A sweep found a printer. `is_proven`: by an authentic answer of SNMPv3.
    pub fn found(
        &mut self,
        range: usize,
        target: SocketAddr,
        report: &DeviceReport,
        is_proven: bool,
        now: Instant,
    ) -> Found {
        let handle = handle_of(&report.identity, target);
        let here = self.by_target.get(&target).copied();
        let known = self.known(&handle, &report.identity);
        // Whoever can take an address or suppress packets must not make us talk to it by a community instead.
        let is_secure = |id: &Id| self.get(*id).memory.v3_proven;
        if !is_proven && let Some(id) = known.into_iter().chain(here).find(is_secure) {
            return Found::Unproven(id);
        }
        match (known, here) {
            // Its own poll is about to tell the same, or that somebody else is there now.
            (_, Some(here)) if self.get(here).polling => Found::Elsewhere,
            (Some(known), Some(here)) if known == here => {
                self.get_mut(known).who.learn(&report.identity);
                Found::Here(known)
            }
            // It answered at another address, lately: it has two, or it moved since. A poll there tells.
            (Some(known), _) if self.get(known).polling || self.get(known).failures == 0 => {
                let device = self.get_mut(known);
                device.sighted = Some(Sighted {
                    target,
                    range,
                    at: now,
                });
                if !device.polling {
                    self.put_off(known, now);
                }
                Found::Elsewhere
            }
            (Some(known), _) => {
                let from = self.move_to(known, range, target);
                self.get_mut(known).who.learn(&report.identity);
                Found::Moved(known, from)
            }
            // It says less of itself than it once did, or more, and nothing else: it keeps its name.
            (None, Some(here)) if self.get(here).who.may_be(&report.identity) => {
                self.get_mut(here).who.learn(&report.identity);
                Found::Here(here)
            }
            (None, here) => {
                if let Some(here) = here {
                    self.remove(here);
                }
                Found::New(self.insert(Device {
                    handle,
                    target,
                    range,
                    memory: Memory::default(),
                    plan: None,
                    failures: 0,
                    answered_at: now,
                    dues: Dues::default(),
                    wants: Wants::default(),
                    reading: Reading::all(Depth::Learn),
                    who: Who::of(&report.identity),
                    polling: false,
                    told_at: None,
                    due: None,
                    sighted: None,
                    guessed_at: None,
                }))
            }
        }
    }

    /// The device of this handle; else the one with this MAC, if nothing it says contradicts (it told no serial number before, or
    /// tells none now).
    fn known(&self, handle: &str, identity: &Identity) -> Option<Id> {
        self.by_handle.get(handle).copied().or_else(|| {
            let id = self.by_mac.get(identity.mac.as_deref()?).copied()?;
            self.get(id).who.may_be(identity).then_some(id)
        })
    }

    /// The device is at another address now, and whoever was thought to be there is not. Says where it was.
    fn move_to(&mut self, id: Id, range: usize, target: SocketAddr) -> SocketAddr {
        if let Some(here) = self
            .by_target
            .get(&target)
            .copied()
            .filter(|here| *here != id)
        {
            self.remove(here);
        }
        let device = self.get_mut(id);
        device.sighted = None;
        device.guessed_at = None;
        device.range = range;
        let from = std::mem::replace(&mut device.target, target);
        tracing::info!(handle = device.handle, %from, to = %target, "a device has moved");
        self.by_target.remove(&from);
        self.by_target.insert(target, id);
        from
    }

    /// A device did not answer where it was, or somebody else did: if it was sighted elsewhere lately it has moved there, and is asked
    /// there at once. Says where it was.
    pub fn follow(&mut self, id: Id, now: Instant) -> Option<SocketAddr> {
        let sighted = self.get_mut(id).sighted.take()?;
        let is_fresh = now.saturating_duration_since(sighted.at) < SIGHTED_MAX;
        let is_free =
            (self.by_target.get(&sighted.target)).is_none_or(|here| !self.get(*here).polling);
        (is_fresh && is_free).then(|| self.move_to(id, sighted.range, sighted.target))
    }

    /// Who is polled under `id` answered as a device that is polled elsewhere: it is here now. Who was thought to be here is taken to be
    /// there instead, which its next poll proves or not: two devices that swapped addresses are settled by two polls, more of them by
    /// as many as there are. Not when that device answered there after this chain of guesses began: then it has two addresses.
    fn exchange(&mut self, id: Id, other: Id, now: Instant) -> bool {
        let (device, elsewhere) = (self.get(id), self.get(other));
        if elsewhere.polling
            || device
                .guessed_at
                .is_some_and(|at| elsewhere.answered_at >= at)
        {
            return false;
        }
        let (here, there) = (device.target, elsewhere.target);
        let (range, other_range) = (device.range, elsewhere.range);
        let guessed_at = device.guessed_at.unwrap_or(now);
        tracing::info!(handle = elsewhere.handle, from = %there, to = %here, "a device has moved");
        let device = self.get_mut(id);
        device.target = there;
        device.range = other_range;
        device.guessed_at = Some(guessed_at);
        let elsewhere = self.get_mut(other);
        elsewhere.target = here;
        elsewhere.range = range;
        elsewhere.guessed_at = None;
        elsewhere.sighted = None;
        self.by_target.insert(there, id);
        self.by_target.insert(here, other);
        true
    }

    /// A poll of `id` was answered, by whomever: every device that this says something about is put where it is now known to be. `whole`:
    /// the poll read all that it asked for.
    pub fn heard(&mut self, id: Id, report: &DeviceReport, whole: bool, now: Instant) -> Heard {
        let (range, target) = (self.get(id).range, self.get(id).target);
        let before = self.get(id).handle.clone();
        let (device, is_lost) = match self.note(id, report, whole, now) {
            Noted::Same => (Some(id), false),
            Noted::Moved(other) => {
                // Who was here is asked where the other one was.
                self.end(id, now, now);
                (Some(other), false)
            }
            Noted::Followed => {
                self.end(id, now, now);
                let is_proven = self.get(id).memory.v3_proven;
                let found = self.found(range, target, report, is_proven, now);
                (found.id(), false)
            }
            Noted::Other => {
                self.replace(id, report, whole, now);
                let handle = &self.get(id).handle;
                tracing::info!(address = %target, before, now = handle, "another device answers at this address");
                (Some(id), true)
            }
            Noted::Twin => {
                self.remove(id);
                tracing::info!(address = %target, before, "a device that is polled at another address answers here, too");
                (None, true)
            }
        };
        Heard {
            device,
            lost: is_lost.then_some((range, target)),
        }
    }

    /// Looks at who answered the poll of a device. `whole`: the poll read all that it asked for; the model of one that broke off
    /// may be made up of less than usual, and says nothing.
    pub(super) fn note(
        &mut self,
        id: Id,
        report: &DeviceReport,
        whole: bool,
        now: Instant,
    ) -> Noted {
        let device = self.get_mut(id);
        let identity = &*told(report, whole);
        if device.who.may_be(identity) {
            device.who.learn(identity);
            device.guessed_at = None;
            device.sighted = None;
            let mac = device.who.mac().map(str::to_owned);
            self.index_mac(id, mac);
            return Noted::Same;
        }
        let target = device.target;
        let handle = handle_of(&report.identity, target);
        let known = self.known(&handle, identity).filter(|other| *other != id);
        if let Some(other) = known {
            let is_unproven = self.get(other).memory.v3_proven && !self.get(id).memory.v3_proven;
            return match !is_unproven && self.exchange(id, other, now) {
                true => Noted::Moved(other),
                false => Noted::Twin,
            };
        }
        // Somebody new. Who was here is gone from here, and may have been seen elsewhere.
        if self.get(id).sighted.is_some() && self.follow(id, now).is_some() {
            return Noted::Followed;
        }
        Noted::Other
    }

    /// Another device is at the place of this one from now on; who was here is forgotten until it is found again. How it was let in, by
    /// the poll that it answered, stays known: above all that it was by SNMPv3.
    pub(super) fn replace(&mut self, id: Id, report: &DeviceReport, whole: bool, now: Instant) {
        let handle = handle_of(&report.identity, self.get(id).target);
        let before = self.get(id).who.mac().map(str::to_owned);
        self.forget_mac(id, before.as_deref());
        let device = self.get_mut(id);
        let before = std::mem::replace(&mut device.handle, handle.clone());
        device.who = Who::of(&told(report, whole));
        device.plan = None;
        let answered = std::mem::take(&mut device.memory);
        device.memory = Memory {
            credential: answered.credential,
            v3_proven: answered.v3_proven,
            context: answered.context,
            engine: answered.engine,
            ..Memory::default()
        };
        device.dues = Dues::default();
        device.answered_at = now;
        device.guessed_at = None;
        device.sighted = None;
        let mac = device.who.mac().map(str::to_owned);
        self.by_handle.remove(&before);
        self.by_handle.insert(handle, id);
        self.index_mac(id, mac);
    }

    pub(super) fn index_mac(&mut self, id: Id, mac: Option<String>) {
        if let Some(mac) = mac
            && self.by_mac.get(&mac) != Some(&id)
        {
            self.by_mac.insert(mac, id);
        }
    }

    pub(super) fn forget_mac(&mut self, id: Id, mac: Option<&str>) {
        if let Some(mac) = mac
            && self.by_mac.get(mac) == Some(&id)
        {
            self.by_mac.remove(mac);
        }
    }

    /// Where devices were sighted counts no more where it is not to be asked.
    pub fn forget_sightings(&mut self, may_ask: impl Fn(usize, SocketAddr) -> bool) {
        for device in self.slots.iter_mut().flatten() {
            device.sighted = device.sighted.filter(|it| may_ask(it.range, it.target));
        }
    }

    /// No range has this device any more. Says whether it is gone: not while it is being polled.
    pub fn leave(&mut self, id: Id) -> bool {
        if self.get(id).polling {
            return false;
        }
        let device = self.remove(id);
        tracing::info!(address = %device.target, handle = device.handle, "no range has this device any more");
        true
    }
}

#[cfg(test)]
mod tests;
