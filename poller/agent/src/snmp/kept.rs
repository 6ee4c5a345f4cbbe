//! What is known of the devices, over restarts: read once at the start, written now and then and at the end.

use std::time::{Duration, Instant};

use super::{SnmpSource, snapshot};

/// How often what is known of the devices is written down.
pub(super) const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(600);

impl SnmpSource {
    /// Takes in the devices of an earlier life that are still within the configured ranges, due one by one within `within`.
    pub(super) fn restore(&mut self, within: Duration) {
        let saved = snapshot::read(&self.snapshot);
        let count = u32::try_from(saved.len()).unwrap_or(u32::MAX).max(1);
        let (now, now_ms) = (Instant::now(), self.clock.now().unix_ms);
        for (number, device) in (0..).zip(saved) {
            let Some(target) = device.target() else {
                continue;
            };
            let range = self.ranges.iter().position(|range| {
                range.config.name == device.range && range.config.covers(target.ip())
            });
            let silent_ms = u64::try_from(now_ms - device.answered_at_unix_ms).unwrap_or(0);
            let answered_at = now
                .checked_sub(Duration::from_millis(silent_ms))
                .unwrap_or(now);
            if let Some(range) = range {
                self.devices
                    .restore(device, range, answered_at, now + within * number / count);
            }
        }
        if !self.devices.is_empty() {
            tracing::info!(
                devices = self.devices.len(),
                "devices of an earlier life are polled at once"
            );
        }
        self.count_devices();
    }

    /// Writes down what is known of the devices.
    pub(super) fn save(&mut self, now: Instant) {
        self.snapshot_due = now + SNAPSHOT_INTERVAL;
        let ranges = &self.ranges;
        let devices = self
            .devices
            .to_save(now, self.clock.now().unix_ms, |range| {
                ranges[range].config.name.as_str()
            });
        if let Err(error) = snapshot::write(&self.snapshot, &devices) {
            tracing::warn!(path = %self.snapshot.display(), %error, "what is known of the devices cannot be written down");
        }
    }
}
