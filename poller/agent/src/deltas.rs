//! What a report may leave out: for each device and stream it is known what the last full report said, and what follows says only how it
//! differs (Rule 5). Full again every day, when who the device is has changed, and when the manager says that it lacks the base.
//!
//! What always holds:
//!
//! - A base that is known here is the newest full report of the device in that stream that went into the spool, since that is the one the
//!   manager will have. Where the manager never gets it (the spool was full and dropped it, or it was refused), the deltas on it mean
//!   nothing to the manager; its next receipts ask for those devices, and they are said in full again.
//! - Bases are in memory alone, and as hashes ([`Digest`]): some 400 bytes a device, whatever it says. A new life of the agent begins with
//!   full reports.
//! - A base of a device that is not read any more goes after two intervals.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use codec::delta::{self, Digest};
use codec::key::Stream;
use codec::model::DeviceReport;
use codec::time::Timestamp;

/// In each interval between two full reports it is looked so often for bases that are too old.
const SWEEPS_PER_INTERVAL: i64 = 24;

/// Devices that the manager wants in full, in either stream: it does not say in which. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Wanted(Arc<Mutex<HashSet<String>>>);

impl Wanted {
    /// The manager lacks the bases of these.
    pub fn note(&self, handles: &[String]) {
        let mut wanted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.extend(handles.iter().cloned());
    }

    fn take(&self) -> HashSet<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The bases of all devices.
pub struct Deltas {
    full_every_ms: i64,
    wanted: Wanted,
    /// The bases of each device's two streams, by the hash of its handle: a digest knows whose it is, so two devices of one hash would
    /// only be said in full.
    bases: HashMap<u64, Box<[Option<Base>; 2]>>,
    handles: RandomState,
    /// The bases of the report that was encoded last, until it is known that the spool has it.
    made: Vec<(u64, Stream, Base)>,
    swept_at: Option<Timestamp>,
}

/// What a full report said.
struct Base {
    sequence: u64,
    sealed_at: Timestamp,
    digest: Digest,
}

impl Base {
    /// Whether deltas can be made on it at all. A clock that was set back makes ages negative: then they cannot.
    fn is_alive(&self, now: Timestamp, full_every_ms: i64) -> bool {
        (0..full_every_ms.saturating_mul(2)).contains(&now.ms_since(self.sealed_at))
    }
}

impl Deltas {
    /// No bases yet.
    #[must_use]
    pub fn new(full_every: Duration, wanted: Wanted) -> Self {
        Self {
            full_every_ms: i64::try_from(full_every.as_millis()).unwrap_or(i64::MAX),
            wanted,
            bases: HashMap::new(),
            handles: RandomState::new(),
            made: Vec::new(),
            swept_at: None,
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
        for handle in self.wanted.take() {
            self.bases.remove(&self.handles.hash_one(handle.as_str()));
        }
        self.sweep(now);
        self.made.clear();
        let mut in_this_report = HashSet::new();
        devices
            .iter()
            .map(|device| {
                let key = self.handles.hash_one(device.handle.as_str());
                // A device that is in the report twice has its base in it too: the order of the two is the report's.
                let is_again = !in_this_report.insert(key);
                let difference = (!is_again)
                    .then(|| self.difference(key, stream, device, now))
                    .flatten();
                difference.unwrap_or_else(|| {
                    let base = Digest::of(device).map(|digest| Base {
                        sequence,
                        sealed_at: now,
                        digest,
                    });
                    self.made.extend(base.map(|base| (key, stream, base)));
                    device.clone()
                })
            })
            .collect()
    }

    /// The report of the last [`Deltas::encode`] is in the spool.
    pub fn keep_last(&mut self) {
        for (key, stream, base) in self.made.drain(..) {
            let bases = self.bases.entry(key).or_default();
            bases[slot(stream)] = Some(base);
        }
    }

    /// It is not.
    pub fn forget_last(&mut self) {
        self.made.clear();
    }

    fn difference(
        &self,
        key: u64,
        stream: Stream,
        device: &DeviceReport,
        now: Timestamp,
    ) -> Option<DeviceReport> {
        let base = self.bases.get(&key)?[slot(stream)].as_ref()?;
        if !base.is_alive(now, self.full_every_ms) {
            return None;
        }
        // It is time, but a poll that reads less (a heartbeat) would make a base that the next one cannot use: that one's turn comes.
        let is_due = now.ms_since(base.sealed_at) >= self.full_every_ms;
        if base.digest.lacks(device) || is_due && base.digest.is_covered_by(device) {
            return None;
        }
        delta::diff(&base.digest, base.sequence, device)
    }

    /// Drops now and then what no delta can be made on any more.
    fn sweep(&mut self, now: Timestamp) {
        let pause_ms = (self.full_every_ms / SWEEPS_PER_INTERVAL).max(1);
        let is_early = |at: Timestamp| (0..pause_ms).contains(&now.ms_since(at));
        if self.swept_at.is_some_and(is_early) {
            return;
        }
        self.swept_at = Some(now);
        let full_every_ms = self.full_every_ms;
        self.bases.retain(|_, bases| {
            for base in bases.iter_mut() {
                base.take_if(|base| !base.is_alive(now, full_every_ms));
            }
            bases.iter().any(Option::is_some)
        });
    }
}

/// Where a stream's base stands among a device's.
const fn slot(stream: Stream) -> usize {
    match stream {
        Stream::Meters => 0,
        Stream::State => 1,
    }
}

#[cfg(test)]
mod tests;
