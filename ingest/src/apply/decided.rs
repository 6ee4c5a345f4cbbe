//! What people decided becomes rows: a device that is another leaves lists and counts, one that is itself again comes back.
//!
//! What it counted stays its own history: nothing moves from one device to another, so that every reading is there once, under the device
//! that it was read from.

use codec::id::DeviceId;
use codec::time::Timestamp;
use olap::Batch;
use olap::words::EventKind;
use registry::{Change, Decision};

use super::engine::{ApplyError, Engine, PLACE_BITS, Places};
use super::identity;

impl Engine {
    /// Adds what a decision changes to the batch.
    ///
    /// # Errors
    /// When the registry fails; nothing of the decision was applied then.
    pub fn decide(
        &mut self,
        stamp: u64,
        decision: &Decision,
        batch: &mut Batch,
    ) -> Result<(), ApplyError> {
        let mut resolver = self.registry.resolver_at(stamp);
        let outcome = resolver.decide(decision)?;
        resolver.commit()?;
        // From here on nothing fails.
        let mut places = Places::of(stamp);
        let at = decision.at;
        match outcome {
            Ok(changes) => {
                for change in changes {
                    self.change(change, at, &mut places, batch);
                }
            }
            Err(void) => self.metrics.skip(void.word()),
        }
        batch.next_place((stamp + 1) << PLACE_BITS);
        self.stamp_applied = Some(stamp);
        Ok(())
    }

    fn change(&mut self, change: Change, at: Timestamp, places: &mut Places, batch: &mut Batch) {
        match change {
            Change::Superseded { old, now } => {
                if let Some(device) = self.devices.get_mut(&old) {
                    identity::end(device, now, EventKind::Merged, at, places, batch);
                    if !std::mem::replace(&mut device.has_uncommitted, true) {
                        self.uncommitted.push(old);
                    }
                }
                self.tell(now, EventKind::Merged, old, now, at, places, batch);
            }
            Change::Restored { device, from } => {
                if let Some(restored) = self.devices.get_mut(&device) {
                    restored.superseded_by = None;
                    identity::put(restored, at, batch);
                }
                self.tell(device, EventKind::Split, from, device, at, places, batch);
                self.tell(from, EventKind::Split, from, device, at, places, batch);
            }
            Change::Parted { device } => {
                self.tell(device, EventKind::Split, device, device, at, places, batch);
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the columns of one row")]
    fn tell(
        &self,
        of: DeviceId,
        kind: EventKind,
        before: DeviceId,
        after: DeviceId,
        at: Timestamp,
        places: &mut Places,
        batch: &mut Batch,
    ) {
        if let Some(device) = self.devices.get(&of) {
            let (before, after) = (before.to_string(), after.to_string());
            identity::tell(device, at, kind, Some(&before), Some(&after), places, batch);
        }
    }
}
