//! What a report may leave out: for each device and stream the last full report is kept, and what follows says only how it differs
//! (Rule 5). Full again every day, and when the manager says that it lacks the base.
//!
//! What always holds: the base that is kept here is the newest full report of the device in that stream that went into the spool, since
//! that is the one the manager will have.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use codec::delta;
use codec::envelope::{Deflater, Encoding, Inflater};
use codec::id::AgentId;
use codec::key::{SpoolEpoch, Stream};
use codec::limits::INFLATED_BYTES_MAX;
use codec::model::{DeviceReport, Header, Report, Section};
use codec::time::Timestamp;

/// Devices that the manager wants in full. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Wanted(Arc<Mutex<HashSet<(Stream, String)>>>);

impl Wanted {
    /// The manager lacks the bases of these, in either stream: it does not say in which.
    pub fn note(&self, handles: &[String]) {
        let mut wanted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in Stream::ALL {
            wanted.extend(handles.iter().map(|handle| (stream, handle.clone())));
        }
    }

    fn take(&self) -> HashSet<(Stream, String)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The bases of all devices.
pub struct Deltas {
    full_every_ms: i64,
    wanted: Wanted,
    bases: HashMap<(Stream, String), Base>,
    /// The bases of the report that was encoded last, until it is known that the spool has it.
    made: Vec<((Stream, String), Base)>,
    deflater: Deflater,
    inflater: Inflater,
}

/// A full report as it was sealed, compressed: a tenth of what it takes unpacked, and read again once per poll.
struct Base {
    sequence: u64,
    sealed_at: Timestamp,
    packed: Box<[u8]>,
}

impl Deltas {
    /// No bases yet.
    #[must_use]
    pub fn new(full_every: Duration, wanted: Wanted) -> Self {
        Self {
            full_every_ms: i64::try_from(full_every.as_millis()).unwrap_or(i64::MAX),
            wanted,
            bases: HashMap::new(),
            made: Vec::new(),
            deflater: Deflater::new(),
            inflater: Inflater::new(),
        }
    }

    /// The devices as they stand in report `sequence`: as deltas where that can be. Then call [`Deltas::keep_last`] or
    /// [`Deltas::forget_last`].
    pub fn encode(
        &mut self,
        stream: Stream,
        sequence: u64,
        devices: &[DeviceReport],
        now: Timestamp,
    ) -> Vec<DeviceReport> {
        for key in self.wanted.take() {
            self.bases.remove(&key);
        }
        self.made.clear();
        let mut in_this_report = HashSet::new();
        devices
            .iter()
            .map(|device| {
                // A device that is in the report twice has its base in it too: the order of the two is the report's.
                let is_again = !in_this_report.insert(&device.handle);
                let difference = (!is_again)
                    .then(|| self.difference(stream, device, now))
                    .flatten();
                difference.unwrap_or_else(|| {
                    let base = self.pack(stream, sequence, device, now);
                    let key = (stream, device.handle.clone());
                    self.made.extend(base.map(|base| (key, base)));
                    device.clone()
                })
            })
            .collect()
    }

    /// The report of the last [`Deltas::encode`] is in the spool.
    pub fn keep_last(&mut self) {
        self.bases.extend(self.made.drain(..));
    }

    /// It is not.
    pub fn forget_last(&mut self) {
        self.made.clear();
    }

    fn difference(
        &mut self,
        stream: Stream,
        device: &DeviceReport,
        now: Timestamp,
    ) -> Option<DeviceReport> {
        let base = self.bases.get(&(stream, device.handle.clone()))?;
        // A clock that was set back makes ages negative: then too it is time.
        let age_ms = now.ms_since(base.sealed_at);
        if !(0..self.full_every_ms).contains(&age_ms) {
            return None;
        }
        let xml = self
            .inflater
            .inflate(Encoding::Zstd, &base.packed, INFLATED_BYTES_MAX)
            .ok()?;
        let full = codec::xml::read_report(xml).ok()?.devices.pop()?;
        // A base that lacks what was read now would make every delta as large as a full report.
        let lacks = full.status.is_not_read() && !device.status.is_not_read()
            || lacks(&full.meters, &device.meters)
            || lacks(&full.supplies, &device.supplies)
            || lacks(&full.trays, &device.trays)
            || lacks(&full.alerts, &device.alerts);
        if lacks {
            return None;
        }
        delta::diff(&full, base.sequence, device)
    }

    fn pack(
        &mut self,
        stream: Stream,
        sequence: u64,
        device: &DeviceReport,
        now: Timestamp,
    ) -> Option<Base> {
        let report = Report {
            header: Header {
                agent: AgentId::new("base").ok()?,
                epoch: SpoolEpoch(0),
                stream,
                sequence,
                sealed_at: now,
                sealed_uptime_ms: device.observed_uptime_ms,
                program: String::new(),
            },
            devices: vec![device.clone()],
        };
        let (mut xml, mut packed) = (Vec::new(), Vec::new());
        codec::xml::write_report(&report, &mut xml);
        self.deflater.deflate(Encoding::Zstd, &xml, &mut packed);
        Some(Base {
            sequence,
            sealed_at: now,
            packed: packed.into(),
        })
    }
}

/// Whether the base did not read what was read now.
fn lacks<T>(base: &Section<T>, now: &Section<T>) -> bool {
    base.is_not_read() && !now.is_not_read()
}

#[cfg(test)]
mod tests;
