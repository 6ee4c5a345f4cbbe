//! When a device is read next, and how much of it. No clock: times are arguments.
//!
//! Each device has its own moment in every interval: the first one after it was found is a share of the interval that comes
//! from its handle, so a fleet found at once does not beat in step.

use std::time::{Duration, Instant};

use codec::time::Timestamp;
use poller::device::Depth;

use super::devices::Device;
use crate::config::ScheduleConfig;
use crate::upload::random_fraction;

/// The first retry of a device that fell silent comes at least so soon, however long its interval.
const RETRY_FIRST_MAX: Duration = Duration::from_secs(30);
/// No device waits for less than this share of an interval after it was found.
const FIRST_SHARE_MIN: f64 = 0.1;
/// Learning everything costs a few kilobytes; the tables with known rows are read so often in between.
const FULLS_PER_INVENTORY: u32 = 4;

/// The depths in their order.
const DEPTHS: [Depth; 4] = [Depth::Heartbeat, Depth::Steady, Depth::Full, Depth::Learn];

/// When a device is due for each depth; not yet known before its first poll.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dues([Option<Instant>; 4]);

/// The schedule of all devices.
#[derive(Debug)]
pub struct Schedule {
    config: ScheduleConfig,
    intervals: [Duration; 4],
}

impl Schedule {
    /// The schedule as configured.
    #[must_use]
    pub fn new(config: ScheduleConfig) -> Self {
        let steady = config.supplies.min(config.meters);
        let full = (config.inventory / FULLS_PER_INVENTORY).max(steady);
        Self {
            intervals: [config.status, steady, full, config.inventory],
            config,
        }
    }

    /// How much the poll that begins now shall read: what is due, or will be before the next poll.
    #[must_use]
    pub fn depth(&self, device: &Device, now: Instant) -> Depth {
        if device.plan.is_none() {
            return Depth::Learn;
        }
        let soon = now + self.intervals[0] / 2;
        let due = DEPTHS
            .iter()
            .zip(device.dues.0)
            .rev()
            // Of an earlier life it is only known that it had a plan: by that it is read, and learned when its turn comes.
            .find(|(depth, due)| due.map_or(**depth <= Depth::Steady, |due| due <= soon))
            .map_or(Depth::Heartbeat, |(depth, _)| *depth);
        let wanted = if device.wants_full {
            Depth::Full
        } else if device.wants_steady {
            Depth::Steady
        } else {
            Depth::Heartbeat
        };
        due.max(wanted)
    }

    /// A poll of this depth was answered.
    pub fn did(&self, device: &mut Device, depth: Depth, now: Instant) {
        let phase = device.phase();
        let reached = DEPTHS.map(|other| other <= depth);
        let dues = device.dues.0.iter_mut().zip(self.intervals);
        for ((due, interval), reached) in dues.zip(reached) {
            *due = match *due {
                Some(_) if reached => Some(now + interval),
                None => Some(now + interval.mul_f64(phase.max(FIRST_SHARE_MIN))),
                later => later,
            };
        }
        if depth >= Depth::Steady {
            device.wants_steady = false;
        }
        if depth >= Depth::Full {
            device.wants_full = false;
        }
    }

    /// When a device that answered is polled next.
    #[must_use]
    pub fn next(&self, device: &Device, now: Instant) -> Instant {
        let due = device.dues.0.into_iter().flatten().min();
        due.unwrap_or(now + self.intervals[0])
    }

    /// When a device that did not answer is tried next; `None` when it has been silent for too long.
    #[must_use]
    pub fn after_failure(&self, device: &Device, now: Instant) -> Option<Instant> {
        let silent = now.saturating_duration_since(device.answered_at());
        if silent >= self.config.forget_after {
            return None;
        }
        let first = self.intervals[0].min(RETRY_FIRST_MAX);
        let doubled = first.saturating_mul(1 << device.failures().saturating_sub(1).min(16));
        let pause = doubled.min(self.config.dead_retry_max);
        // Devices that fell silent together (a switch, a power cut) do not come back in step either.
        Some(now + pause.mul_f64(0.75 + device.phase() / 4.0))
    }

    /// When the quiet hours that hold now end; `None` when there are none.
    #[must_use]
    pub fn quiet_until(&self, now: Instant, time: Timestamp) -> Option<Instant> {
        if self.config.quiet_hours.is_empty() {
            return None;
        }
        let zone = self
            .config
            .time_zone
            .clone()
            .unwrap_or_else(jiff::tz::TimeZone::system);
        let local = jiff::Timestamp::from_millisecond(time.unix_ms)
            .ok()?
            .to_zoned(zone);
        let minute =
            u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let spans = &self.config.quiet_hours;
        let mut left = 0;
        // Spans may follow each other; a day of quiet at most.
        while left < 1440
            && spans
                .iter()
                .any(|span| span.contains((minute + left) % 1440))
        {
            left += 1;
        }
        let into_minute = u64::from(local.second().unsigned_abs());
        let seconds = (u64::from(left) * 60).saturating_sub(into_minute);
        (left > 0).then(|| now + Duration::from_secs(seconds.max(1)))
    }

    /// How long until the next sweep.
    #[must_use]
    pub fn discovery_pause(&self) -> Duration {
        self.config.discovery.mul_f64(0.9 + random_fraction() * 0.2)
    }
}

#[cfg(test)]
mod tests;
