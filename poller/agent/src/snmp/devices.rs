//! What is known of each device: where it is, what earlier polls learned, when it is due.
//!
//! A device is known by its handle, which comes from what it is (serial number, else MAC, else address and model), so that it keeps
//! it when its address changes. What always holds: one handle has one device, and one address has one device; and who answers
//! with another serial number, else another MAC, else as another model, is never taken for the device that was there before.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::time::Instant;

use codec::id::DeviceId;
use codec::model::{DeviceReport, Identity};
use poller::device::Plan;
use poller::engine::Memory;

use super::schedule::Dues;
use super::snapshot::Saved;
use super::who::Who;

/// A device's place in the table; used again after the device is gone.
pub type Id = usize;

/// What is known of a device.
#[derive(Debug)]
pub struct Device {
    /// Its name within the spool's epoch.
    pub handle: String,
    /// Where it is.
    pub target: SocketAddr,
    /// The configured range it was found in.
    pub range: usize,
    /// What the engine remembers.
    pub memory: Memory,
    /// What the last poll learned.
    pub plan: Option<Plan>,
    /// When it is due for what.
    pub dues: Dues,
    /// A heartbeat saw something move.
    pub wants_steady: bool,
    /// The manager lacks its base.
    pub wants_full: bool,
    failures: u32,
    answered_at: Instant,
    who: Who,
    polling: bool,
    /// Only the newest entry in the timeline counts.
    stamp: u64,
}

impl Device {
    /// Polls in a row that got no answer.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// When it last answered.
    #[must_use]
    pub const fn answered_at(&self) -> Instant {
        self.answered_at
    }

    /// A number from 0 to 1 that is this device's own: what spreads a fleet over an interval.
    #[must_use]
    pub fn phase(&self) -> f64 {
        let hash = self
            .handle
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        // The upper bits are the well-mixed ones.
        f64::from(u32::try_from(hash >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }
}

/// Who answered at a device's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// The device.
    Same,
    /// Another one: the address has changed hands.
    Other,
    /// A device that is polled, and answers, at another address.
    Twin,
}

/// All devices.
#[derive(Debug, Default)]
pub struct Devices {
    slots: Vec<Option<Device>>,
    free: Vec<Id>,
    by_target: HashMap<SocketAddr, Id>,
    by_handle: HashMap<String, Id>,
    timeline: BinaryHeap<Reverse<(Instant, Id, u64)>>,
    stamps: u64,
    /// How many did not answer their last poll.
    silent: usize,
}

impl Devices {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_target.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_target.is_empty()
    }

    /// How many answered their last poll.
    #[must_use]
    pub fn answering(&self) -> usize {
        self.len() - self.silent
    }

    /// The device.
    ///
    /// # Panics
    /// When it is gone.
    #[must_use]
    pub fn get(&self, id: Id) -> &Device {
        self.slots[id]
            .as_ref()
            .expect("ids of devices that are gone are not kept")
    }

    /// The device.
    ///
    /// # Panics
    /// When it is gone.
    pub fn get_mut(&mut self, id: Id) -> &mut Device {
        self.slots[id]
            .as_mut()
            .expect("ids of devices that are gone are not kept")
    }

    /// Whether a device is polled at this address and answers.
    #[must_use]
    pub fn is_answering(&self, target: SocketAddr) -> bool {
        self.by_target
            .get(&target)
            .is_some_and(|id| self.get(*id).failures == 0)
    }

    /// The device that is due first and is not being polled, and when.
    pub fn next_due(&mut self) -> Option<(Instant, Id)> {
        while let Some(Reverse((due, id, stamp))) = self.timeline.peek().copied() {
            let counts = self.slots[id]
                .as_ref()
                .is_some_and(|device| device.stamp == stamp && !device.polling);
            if counts {
                return Some((due, id));
            }
            self.timeline.pop();
        }
        None
    }

    /// A poll of it was answered.
    pub fn answered(&mut self, id: Id, now: Instant) {
        let device = self.get_mut(id);
        device.answered_at = now;
        if std::mem::take(&mut device.failures) > 0 {
            self.silent -= 1;
        }
    }

    /// A poll of it was not. Says how many that were in a row.
    pub fn failed(&mut self, id: Id) -> u32 {
        let device = self.get_mut(id);
        device.failures = device.failures.saturating_add(1);
        let failures = device.failures;
        if failures == 1 {
            self.silent += 1;
        }
        failures
    }

    /// A poll of it begins.
    pub fn begin(&mut self, id: Id) {
        self.get_mut(id).polling = true;
    }

    /// A poll of it ended; it is due again at `next`.
    pub fn end(&mut self, id: Id, next: Instant) {
        self.get_mut(id).polling = false;
        self.put_off(id, next);
    }

    /// It is due at `next` instead.
    pub fn put_off(&mut self, id: Id, next: Instant) {
        self.stamps += 1;
        let stamp = self.stamps;
        self.get_mut(id).stamp = stamp;
        self.timeline.push(Reverse((next, id, stamp)));
    }

    /// A sweep found a printer. Gives its place, or `None` when it is already polled: here, or under another address where it
    /// answers. One that fell silent elsewhere has moved here.
    pub fn found(
        &mut self,
        range: usize,
        target: SocketAddr,
        report: &DeviceReport,
        now: Instant,
    ) -> Option<Id> {
        let handle = handle_of(&report.identity, target);
        let here = self.by_target.get(&target).copied();
        let known = self.by_handle.get(&handle).copied();
        match (known, here) {
            (Some(known), _) if self.get(known).polling => None,
            (_, Some(here)) if self.get(here).polling => None,
            (Some(known), Some(here)) if known == here => Some(known),
            (Some(known), _) if self.get(known).failures == 0 => None,
            (Some(known), here) => {
                if let Some(here) = here {
                    self.remove(here);
                }
                let device = self.get_mut(known);
                tracing::info!(handle, from = %device.target, to = %target, "a device has moved");
                let from = std::mem::replace(&mut device.target, target);
                device.range = range;
                self.by_target.remove(&from);
                self.by_target.insert(target, known);
                Some(known)
            }
            // It says less of itself than it once did, or more, and nothing else: it keeps its name.
            (None, Some(here)) if self.get(here).who.may_be(&report.identity) => {
                self.get_mut(here).who.learn(&report.identity);
                Some(here)
            }
            (None, here) => {
                if let Some(here) = here {
                    self.remove(here);
                }
                Some(self.insert(Device {
                    handle,
                    target,
                    range,
                    memory: Memory::default(),
                    plan: None,
                    failures: 0,
                    answered_at: now,
                    dues: Dues::default(),
                    wants_steady: false,
                    wants_full: false,
                    who: Who::of(&report.identity),
                    polling: false,
                    stamp: 0,
                }))
            }
        }
    }

    /// Looks at who answered the poll of a device. `whole`: the poll read all that it asked for; the model of one that broke off
    /// may be made up of less than usual, and says nothing.
    pub fn note(&mut self, id: Id, report: &DeviceReport, whole: bool, now: Instant) -> Noted {
        let device = self.get_mut(id);
        let stripped;
        let identity = if whole {
            &report.identity
        } else {
            stripped = Identity {
                model: None,
                ..report.identity.clone()
            };
            &stripped
        };
        if device.who.may_be(identity) {
            device.who.learn(identity);
            return Noted::Same;
        }
        let handle = handle_of(&report.identity, device.target);
        if let Some(other) = self.by_handle.get(&handle).copied()
            && other != id
        {
            let elsewhere = self.get(other);
            if elsewhere.failures == 0 || elsewhere.polling {
                return Noted::Twin;
            }
            self.remove(other);
        }
        let device = self.get_mut(id);
        let before = std::mem::replace(&mut device.handle, handle.clone());
        device.who = Who::of(identity);
        device.plan = None;
        device.dues = Dues::default();
        device.answered_at = now;
        self.by_handle.remove(&before);
        self.by_handle.insert(handle, id);
        Noted::Other
    }

    /// The manager lacks this device's base.
    pub fn want_full(&mut self, handle: &str) {
        if let Some(id) = self.by_handle.get(handle).copied() {
            self.get_mut(id).wants_full = true;
            if !self.get(id).polling {
                self.put_off(id, Instant::now());
            }
        }
    }

    /// Takes in a device of an earlier life, due at `due`. Not when its place or its name is taken.
    pub fn restore(&mut self, saved: Saved, range: usize, answered_at: Instant, due: Instant) {
        let Some(target) = saved.target() else { return };
        if self.by_target.contains_key(&target) || self.by_handle.contains_key(&saved.handle) {
            return;
        }
        let id = self.insert(Device {
            memory: saved.memory(),
            handle: saved.handle,
            target,
            range,
            plan: saved.plan,
            dues: Dues::default(),
            wants_steady: false,
            wants_full: false,
            failures: 0,
            answered_at,
            who: saved.who,
            polling: false,
            stamp: 0,
        });
        self.put_off(id, due);
    }

    /// All devices, to be kept over a restart. `now` and `now_unix_ms` are the same moment; `range_name` names a range.
    pub fn to_save<'a>(
        &self,
        now: Instant,
        now_unix_ms: i64,
        range_name: impl Fn(usize) -> &'a str,
    ) -> Vec<Saved> {
        let devices = self.slots.iter().flatten();
        devices
            .map(|device| {
                let age = now.saturating_duration_since(device.answered_at);
                let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
                Saved::new(
                    &device.handle,
                    &device.who,
                    device.target,
                    range_name(device.range),
                    now_unix_ms.saturating_sub(age_ms),
                    device.plan.as_ref(),
                    &device.memory,
                )
            })
            .collect()
    }

    /// Takes a device out.
    ///
    /// # Panics
    /// When it is gone already.
    pub fn remove(&mut self, id: Id) -> Device {
        let device = self.slots[id].take().expect("a device is removed once");
        self.by_target.remove(&device.target);
        self.by_handle.remove(&device.handle);
        self.silent -= usize::from(device.failures > 0);
        self.free.push(id);
        device
    }

    fn insert(&mut self, device: Device) -> Id {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.by_target.insert(device.target, id);
        self.by_handle.insert(device.handle.clone(), id);
        self.slots[id] = Some(device);
        id
    }
}

/// The handle of what answered: from the serial number with its maker, else the MAC, else the address and what answers there.
fn handle_of(identity: &Identity, target: SocketAddr) -> String {
    let maker = identity.manufacturer.as_deref().unwrap_or_default();
    match (&identity.serial, &identity.mac) {
        (Some(serial), _) => DeviceId::derive("serial", &[maker, serial]),
        (None, Some(mac)) => DeviceId::derive("mac", &[mac]),
        (None, None) => {
            let kind = identity.object_id.as_deref().unwrap_or_default();
            let model = identity.model.as_deref().unwrap_or_default();
            DeviceId::derive("address", &[&target.to_string(), kind, model])
        }
    }
    .to_string()
}

#[cfg(test)]
mod tests;
