//! When a device is read next, and how much of it. No clock: times are arguments.
//!
//! Each device has its own moment in every interval, which comes from its handle: a fleet that was found at once, or that waited for
//! the end of the same quiet hours, does not beat in step. A moment of a long interval is one of the shorter ones too, so that one poll
//! does what is due for both.

use std::time::{Duration, Instant};

use codec::time::Timestamp;
use poller::device::{Depth, Sections};

use super::devices::Device;
use crate::config::ScheduleConfig;
use crate::upload::random_fraction;

/// The first retry of a device that fell silent comes at least so soon, however long its interval.
const RETRY_FIRST_MAX: Duration = Duration::from_secs(30);
/// No device waits for less than this share of an interval after it was found …
const FIRST_SHARE_MIN: f64 = 0.1;
/// … nor for less than this share after it was read.
const AGAIN_SHARE_MIN: f64 = 0.5;
/// Learning everything costs a few kilobytes; the tables with known rows are read so often in between.
const FULLS_PER_INVENTORY: u32 = 4;

/// What has an interval of its own, in the order of what it costs.
const STATUS: usize = 0;
const SUPPLIES: usize = 1;
const METERS: usize = 2;
const TABLES: usize = 3;
const EVERYTHING: usize = 4;

/// When a device is due for each; not yet known before its first poll.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dues([Option<Instant>; 5]);

/// How much a poll reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How deep.
    pub depth: Depth,
    /// Of a steady poll: what of it.
    pub sections: Sections,
}

impl Reading {
    /// All that there is at this depth.
    #[must_use]
    pub const fn all(depth: Depth) -> Self {
        Self {
            depth,
            sections: Sections::ALL,
        }
    }

    /// Whether it reads what has this interval.
    const fn reads(self, what: usize) -> bool {
        match self.depth {
            Depth::Heartbeat => what == STATUS,
            Depth::Steady => match what {
                STATUS => true,
                SUPPLIES => self.sections.supplies,
                METERS => self.sections.meters,
                _ => false,
            },
            Depth::Full => what <= TABLES,
            Depth::Learn => true,
        }
    }
}

/// The schedule of all devices.
#[derive(Debug)]
pub struct Schedule {
    config: ScheduleConfig,
    intervals: [Duration; 5],
    /// Their places, from the shortest interval to the longest.
    by_length: [usize; 5],
    /// What the devices' own moments are counted from.
    began: Instant,
}

impl Schedule {
    /// The schedule as configured, from `now` on.
    #[must_use]
    pub fn new(config: ScheduleConfig, now: Instant) -> Self {
        let steady = config.supplies.min(config.meters);
        let tables = (config.inventory / FULLS_PER_INVENTORY).max(steady);
        let intervals = [
            config.status,
            config.supplies,
            config.meters,
            tables,
            config.inventory,
        ];
        let mut by_length = [STATUS, SUPPLIES, METERS, TABLES, EVERYTHING];
        by_length.sort_by_key(|what| intervals[*what]);
        Self {
            config,
            intervals,
            by_length,
            began: now,
        }
    }

    /// How much the poll that begins now shall read: what is due, or will be before the next poll.
    #[must_use]
    pub fn reading(&self, device: &Device, now: Instant) -> Reading {
        if device.plan.is_none() || device.wants.learn {
            return Reading::all(Depth::Learn);
        }
        let soon = now + self.intervals[STATUS] / 2;
        // Of an earlier life it is only known that it had a plan: by that it is read, and learned when its turn comes.
        let due = |what: usize| device.dues.0[what].map_or(what <= METERS, |due| due <= soon);
        if due(EVERYTHING) {
            return Reading::all(Depth::Learn);
        }
        if due(TABLES) || device.wants.full {
            return Reading::all(Depth::Full);
        }
        let (moved, told) = (device.wants.steady, device.wants.told);
        let sections = Sections {
            meters: due(METERS) || moved,
            supplies: due(SUPPLIES) || moved || told,
            alerts: told,
        };
        let depth = if sections.meters || sections.supplies {
            Depth::Steady
        } else {
            Depth::Heartbeat
        };
        Reading { depth, sections }
    }

    /// A poll was answered.
    pub fn did(&self, device: &mut Device, reading: Reading, now: Instant) {
        let phase = device.phase();
        for (what, due) in device.dues.0.iter_mut().enumerate() {
            let share = match due {
                None => FIRST_SHARE_MIN,
                Some(_) if reading.reads(what) => AGAIN_SHARE_MIN,
                Some(_) => continue,
            };
            *due = Some(self.moment(what, phase, share, now));
        }
        if reading.reads(METERS) && reading.reads(SUPPLIES) {
            device.wants.steady = false;
        }
        if reading.depth >= Depth::Full {
            device.wants.full = false;
        }
    }

    /// The device's own moment in the interval of `what`: the first that is at least this share of it away.
    fn moment(&self, what: usize, phase: f64, share_min: f64, now: Instant) -> Instant {
        let elapsed = now.saturating_duration_since(self.began);
        let earliest = elapsed + self.intervals[what].mul_f64(share_min);
        let rank = self.by_length.iter().position(|it| *it == what);
        self.began + self.moment_from(rank.unwrap_or(0), phase, earliest)
    }

    /// The first own moment at or after `earliest` of the interval of this rank: the next moment of the shorter intervals behind a
    /// whole number of intervals and the device's share.
    fn moment_from(&self, rank: usize, phase: f64, earliest: Duration) -> Duration {
        let interval = self.intervals[self.by_length[rank]];
        let own = interval.mul_f64(phase);
        let Some(shorter) = rank.checked_sub(1) else {
            return own
                + interval.saturating_mul(rounds_up(earliest.saturating_sub(own), interval));
        };
        let slack = self.intervals[self.by_length[shorter]];
        let past = earliest.saturating_sub(slack).saturating_sub(own);
        let mut moment = own + interval.saturating_mul(rounds_up(past, interval));
        // The moment of the shorter one is less than its interval behind: at most two turns.
        loop {
            let snapped = self.moment_from(shorter, phase, moment);
            if snapped >= earliest {
                return snapped;
            }
            moment += interval;
        }
    }

    /// When a device that answered is polled next.
    #[must_use]
    pub fn next(&self, device: &Device, now: Instant) -> Instant {
        let due = device.dues.0.into_iter().flatten().min();
        due.unwrap_or(now + self.intervals[STATUS])
    }

    /// The device's own moment in the status interval that begins now: where many are to be asked soon, they do not come at once.
    #[must_use]
    pub fn own_moment(&self, device: &Device, now: Instant) -> Instant {
        self.moment(STATUS, device.phase(), 0.0, now)
    }

    /// When a device that did not answer is tried next; `None` when it has been silent for too long.
    #[must_use]
    pub fn after_failure(&self, device: &Device, now: Instant) -> Option<Instant> {
        let silent = now.saturating_duration_since(device.answered_at());
        if silent >= self.config.forget_after {
            return None;
        }
        let first = self.intervals[STATUS].min(RETRY_FIRST_MAX);
        let doubled = first.saturating_mul(1 << device.failures().saturating_sub(1).min(16));
        let pause = doubled.min(self.config.dead_retry_max);
        // Devices that fell silent together (a switch, a power cut) do not come back in step either.
        Some(now + pause.mul_f64(0.75 + device.phase() / 4.0))
    }

    /// When the quiet hours that hold now end; `None` when there are none.
    #[must_use]
    pub fn quiet_until(&self, now: Instant, time: Timestamp) -> Option<Instant> {
        let spans = &self.config.quiet_hours;
        if spans.is_empty() {
            return None;
        }
        let zone = self
            .config
            .time_zone
            .clone()
            .unwrap_or_else(jiff::tz::TimeZone::system);
        let time = jiff::Timestamp::from_millisecond(time.unix_ms).ok()?;
        let local = time.to_zoned(zone.clone()).datetime();
        let minute =
            u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let is_quiet = |left: u16| {
            let minute = (minute + left) % 1440;
            spans.iter().any(|span| span.contains(minute))
        };
        // Spans may follow each other; a day of quiet at most.
        let left = (0..1440).find(|left| !is_quiet(*left)).unwrap_or(1440);
        if left == 0 {
            return None;
        }
        // By the clock on the wall: a night in which it is set is an hour longer or shorter.
        let whole = local.with().second(0).subsec_nanosecond(0).build().ok()?;
        let end = whole
            .checked_add(jiff::Span::new().minutes(i64::from(left)))
            .ok()?;
        let end = end.to_zoned(zone).ok()?.timestamp();
        let ms = end.as_millisecond().saturating_sub(time.as_millisecond());
        // Where an hour is repeated, its second turn may be the quiet one: a moment later it is looked at again.
        Some(now + Duration::from_millis(u64::try_from(ms).unwrap_or(0).max(1000)))
    }

    /// How long until the next sweep.
    #[must_use]
    pub fn discovery_pause(&self) -> Duration {
        self.config.discovery.mul_f64(0.9 + random_fraction() * 0.2)
    }
}

/// How many intervals make up at least `past`.
fn rounds_up(past: Duration, interval: Duration) -> u32 {
    let rounds = past.as_nanos().div_ceil(interval.as_nanos().max(1));
    u32::try_from(rounds).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
