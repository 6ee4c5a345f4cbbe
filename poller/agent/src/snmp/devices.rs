//! What is known of each device: where it is, what earlier polls learned, when it is due.
//!
//! A device is known by its handle, which comes from what it is (serial number, else MAC, else address and model), so that it keeps
//! it when its address changes. What always holds: one handle has one device, and one address has one device; and who answers
//! with another serial number, else another MAC, else as another model, is never taken for the device that was there before.

mod moves;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use codec::id::DeviceId;
use codec::model::Identity;
use poller::device::{Depth, Plan};
use poller::engine::Memory;

use super::schedule::{Dues, Reading};
use super::snapshot::{Moment, Saved};
use super::who::Who;
use moves::Sighted;
pub use moves::{Found, Heard, Noted};

/// A device's place in the table; used again after the device is gone.
pub type Id = usize;

/// A device sends its traps before its tables say the same, and some at once: it is asked so long after the first of them …
const TOLD_SETTLE: Duration = Duration::from_millis(300);
/// … and no sooner than this after it was last asked for that reason, however often it tells.
const TOLD_PAUSE: Duration = Duration::from_secs(10);

/// What a device's next poll should do beside what is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Read all that changes: a heartbeat saw something move.
    pub steady: bool,
    /// Read the tables: the manager lacks its base.
    pub full: bool,
    /// Read everything anew: its profile has changed.
    pub learn: bool,
    /// Read what an alert is about: the device told of one.
    pub told: bool,
}

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
    /// What else its next poll should do.
    pub wants: Wants,
    /// What the poll under way reads.
    pub reading: Reading,
    failures: u32,
    answered_at: Instant,
    who: Who,
    polling: bool,
    /// When it was last asked because it told of something.
    told_at: Option<Instant>,
    /// Only the entry in the timeline that says this counts.
    due: Option<Instant>,
    /// It answered at another address while its own was not known to be given up.
    sighted: Option<Sighted>,
    /// Since when its address is where another device was, and nobody has proved it yet.
    guessed_at: Option<Instant>,
}

impl Device {
    fn new(handle: String, target: SocketAddr, range: usize, who: Who, now: Instant) -> Self {
        Self {
            handle,
            target,
            range,
            memory: Memory::default(),
            plan: None,
            dues: Dues::default(),
            wants: Wants::default(),
            reading: Reading::all(Depth::Learn),
            failures: 0,
            answered_at: now,
            who,
            polling: false,
            told_at: None,
            due: None,
            sighted: None,
            guessed_at: None,
        }
    }

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

    /// When it is asked for what it tells now.
    fn told_due(&self, now: Instant) -> Instant {
        let soon = now + TOLD_SETTLE;
        self.told_at.map_or(soon, |at| soon.max(at + TOLD_PAUSE))
    }
}

/// All devices.
#[derive(Debug, Default)]
pub struct Devices {
    slots: Vec<Option<Device>>,
    free: Vec<Id>,
    by_target: BTreeMap<SocketAddr, Id>,
    by_handle: HashMap<String, Id>,
    by_mac: HashMap<String, Id>,
    timeline: BinaryHeap<Reverse<(Instant, Id)>>,
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

    /// The device at this place.
    #[must_use]
    pub fn at(&self, target: SocketAddr) -> Option<Id> {
        self.by_target.get(&target).copied()
    }

    /// Whether the device at this address has proved itself by SNMPv3.
    #[must_use]
    pub fn has_proved(&self, target: SocketAddr) -> bool {
        self.by_target
            .get(&target)
            .is_some_and(|id| self.get(*id).memory.v3_proven)
    }

    /// The device that is due first and is not being polled, and when.
    pub fn next_due(&mut self) -> Option<(Instant, Id)> {
        while let Some(Reverse((due, id))) = self.timeline.peek().copied() {
            let counts = self.slots[id]
                .as_ref()
                .is_some_and(|device| device.due == Some(due) && !device.polling);
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

    /// A poll of it begins. What it tells from now on is a reason for another.
    pub fn begin(&mut self, id: Id, reading: Reading, now: Instant) {
        let device = self.get_mut(id);
        device.polling = true;
        device.reading = reading;
        device.due = None;
        device.wants.learn = false;
        if std::mem::take(&mut device.wants.told) {
            device.told_at = Some(now);
        }
    }

    /// What the poll of it was for was not read: it is still wanted.
    pub fn want_again(&mut self, id: Id) {
        let device = self.get_mut(id);
        device.wants.learn |= device.reading.depth == Depth::Learn;
        device.wants.told |= device.reading.sections.alerts;
    }

    /// Everything about it is to be read anew, at `soon` unless it is asked sooner anyway.
    pub fn want_learn(&mut self, id: Id, soon: Instant) {
        let device = self.get_mut(id);
        device.wants.learn = true;
        if !device.polling && device.due.is_none_or(|due| due > soon) {
            self.put_off(id, soon);
        }
    }

    /// A poll of it ended; it is due again at `next`, or sooner if it told of something meanwhile.
    pub fn end(&mut self, id: Id, next: Instant, now: Instant) {
        let device = self.get_mut(id);
        device.polling = false;
        let next = match device.wants.told {
            true => next.min(device.told_due(now)),
            false => next,
        };
        self.put_off(id, next);
    }

    /// It is due at `next` instead.
    pub fn put_off(&mut self, id: Id, next: Instant) {
        self.get_mut(id).due = Some(next);
        self.timeline.push(Reverse((next, id)));
    }

    /// The device told that something happened: it is asked soon, once for all that it tells until then. Says whether that was not yet
    /// the case.
    pub fn told(&mut self, id: Id, now: Instant) -> bool {
        let device = self.get_mut(id);
        let is_first = !std::mem::replace(&mut device.wants.told, true);
        let soon = device.told_due(now);
        let is_sooner = !device.polling && device.due.is_none_or(|due| due > soon);
        if is_sooner {
            self.put_off(id, soon);
        }
        is_first || is_sooner
    }

    /// The devices at an address, whatever their ports.
    pub fn at_address(&self, address: IpAddr) -> impl Iterator<Item = Id> {
        let from = SocketAddr::new(address, 0);
        let until = SocketAddr::new(address, u16::MAX);
        self.by_target.range(from..=until).map(|(_, id)| *id)
    }

    /// All that are not being polled, with when they are due.
    pub fn waiting(&self) -> impl Iterator<Item = (Id, Instant)> {
        let devices = self.slots.iter().enumerate();
        devices.filter_map(|(id, slot)| {
            let device = slot.as_ref().filter(|device| !device.polling)?;
            Some((id, device.due?))
        })
    }

    /// All devices.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &Device)> {
        let devices = self.slots.iter().enumerate();
        devices.filter_map(|(id, slot)| Some((id, slot.as_ref()?)))
    }

    /// The manager lacks this device's base.
    pub fn want_full(&mut self, handle: &str) {
        if let Some(id) = self.by_handle.get(handle).copied() {
            self.get_mut(id).wants.full = true;
            if !self.get(id).polling {
                self.put_off(id, Instant::now());
            }
        }
    }

    /// Takes in a device of an earlier life; it is not due yet. `None` when its place or its name is taken.
    pub fn restore(
        &mut self,
        saved: Saved,
        range: usize,
        answered_at: Instant,
        now: Moment,
    ) -> Option<Id> {
        let target = saved.target()?;
        if self.by_target.contains_key(&target) || self.by_handle.contains_key(&saved.handle) {
            return None;
        }
        let memory = saved.memory(now);
        let mut device = Device::new(saved.handle, target, range, saved.who, answered_at);
        device.memory = memory;
        device.plan = saved.plan;
        Some(self.insert(device))
    }

    /// All devices, to be kept over a restart. `now` and `moment` are the same; `place` names a range, and the name in it that
    /// stands for an address.
    pub fn to_save<'a>(
        &'a self,
        now: Instant,
        moment: Moment,
        place: impl Fn(usize, SocketAddr) -> (&'a str, Option<&'a str>),
    ) -> impl Iterator<Item = Saved> {
        self.slots.iter().flatten().map(move |device| {
            let age = now.saturating_duration_since(device.answered_at);
            let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            Saved::new(
                (&device.handle, &device.who),
                device.target,
                place(device.range, device.target),
                moment.unix_ms.saturating_sub(age_ms),
                device.plan.as_ref(),
                &device.memory,
                moment,
            )
        })
    }

    /// Takes a device out.
    ///
    /// # Panics
    /// When it is gone already.
    pub fn remove(&mut self, id: Id) -> Device {
        let device = self.slots[id].take().expect("a device is removed once");
        self.by_target.remove(&device.target);
        self.by_handle.remove(&device.handle);
        self.forget_mac(id, device.who.mac());
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
        self.index_mac(id, device.who.mac().map(str::to_owned));
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
