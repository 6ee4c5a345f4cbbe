//! What is known of the devices, over restarts: read once at the start, written now and then and at the end.

use std::time::{Duration, Instant};

use super::SnmpSource;
use super::snapshot::{self, Moment, Reader};

/// How often what is known of the devices is written down.
pub(super) const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(600);

impl SnmpSource {
    /// Takes in the devices of an earlier life that are still within the configured ranges, due one by one within `within`. Those whose
    /// profile is another one now are learned anew.
    pub(super) fn restore(&mut self, within: Duration) {
        let Some(mut saved) = Reader::open(&self.snapshot) else {
            return;
        };
        let changed = saved.digests.changed(&self.digests);
        let (now, moment) = (Instant::now(), self.moment());
        let untouched = std::mem::take(&mut saved.untouched);
        if changed.is_empty() {
            self.untouched.restore(untouched, now, moment.unix_ms);
        }
        for device in saved {
            let Some(target) = device.target() else {
                continue;
            };
            let range = self.ranges.iter_mut().position(|range| {
                range.config.name == device.range
                    && range.takes_back(target, device.name.as_deref())
            });
            let silent_ms = moment.unix_ms.saturating_sub(device.answered_at_unix_ms);
            let silent = Duration::from_millis(u64::try_from(silent_ms).unwrap_or(0));
            let answered_at = now.checked_sub(silent).unwrap_or(now);
            if let Some(range) = range
                && let Some(id) = self.devices.restore(device, range, answered_at, moment)
            {
                let phase = self.devices.get(id).phase();
                self.devices.put_off(id, now + within.mul_f64(phase));
            }
        }
        let relearned = self.relearn(&changed, now);
        if !self.devices.is_empty() {
            tracing::info!(
                devices = self.devices.len(),
                relearned,
                "devices of an earlier life are polled at once"
            );
        }
        self.count_devices();
    }

    /// Writes down what is known of the devices.
    pub(super) fn save(&mut self, now: Instant) {
        self.snapshot_due = now + SNAPSHOT_INTERVAL;
        let ranges = &self.ranges;
        let place = |range: usize, target| {
            let range = &ranges[range];
            (range.config.name.as_str(), range.name_to_save(target))
        };
        let moment = self.moment();
        let untouched = self.untouched.to_save(now, moment.unix_ms);
        let devices = self.devices.to_save(now, moment, place);
        let written = snapshot::write(&self.snapshot, &self.digests, &untouched, devices);
        if let Err(error) = written {
            tracing::warn!(path = %self.snapshot.display(), %error, "what is known of the devices cannot be written down");
        }
    }

    fn moment(&self) -> Moment {
        Moment {
            engine: self.fleet.now(),
            unix_ms: self.clock.now().unix_ms,
        }
    }
}
