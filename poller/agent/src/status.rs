//! What a running agent is doing: counters that its parts keep and a display reads. Cheap to read and to write.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use codec::key::{ReportKey, Stream};
use codec::time::Timestamp;

/// A handle on an agent's counters; clones share them.
#[derive(Clone, Debug, Default)]
pub struct StatusHandle {
    counters: Arc<Counters>,
}

/// One consistent enough reading of all counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Addresses that the running (or last) sweep asked, and how many it will have asked at its end.
    pub discovery_asked: u64,
    /// See [`Status::discovery_asked`].
    pub discovery_total: u64,
    /// Devices that are polled.
    pub devices_known: u64,
    /// Devices whose last poll was answered.
    pub devices_answering: u64,
    /// Polls that were answered.
    pub polls: u64,
    /// Polls that were not.
    pub polls_unanswered: u64,
    /// Device reports that were sealed.
    pub device_reports_sealed: u64,
    /// Of each stream, in the order of [`Stream::ALL`].
    pub streams: [StreamStatus; 2],
    /// The last receipt.
    pub receipt_last: Option<(Timestamp, ReportKey)>,
    /// Why the last delivery failed, if it did.
    pub delivery_error: Option<String>,
}

/// What a stream of the spool holds and what became of its reports since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStatus {
    /// Reports that wait for a receipt.
    pub waiting_reports: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Receipts.
    pub receipts: u64,
    /// Attempts that brought none.
    pub attempts_failed: u64,
    /// Reports that the manager refused.
    pub refused: u64,
    /// Reports dropped because the spool was full or they were too old.
    pub dropped: u64,
}

/// The counters themselves.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub discovery_asked: AtomicU64,
    pub discovery_total: AtomicU64,
    pub devices_known: AtomicU64,
    pub devices_answering: AtomicU64,
    pub polls: AtomicU64,
    pub polls_unanswered: AtomicU64,
    pub device_reports_sealed: AtomicU64,
    pub streams: [StreamCounters; 2],
    last: Mutex<Last>,
}

/// The last receipt, and what went wrong since.
#[derive(Clone, Debug, Default)]
struct Last {
    receipt: Option<(Timestamp, ReportKey)>,
    error: Option<String>,
}

/// A stream's counters.
#[derive(Debug, Default)]
pub(crate) struct StreamCounters {
    pub waiting_reports: AtomicU64,
    pub waiting_bytes: AtomicU64,
    pub receipts: AtomicU64,
    pub attempts_failed: AtomicU64,
    pub refused: AtomicU64,
    pub dropped: AtomicU64,
}

impl StatusHandle {
    /// Counters at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the counters say now.
    #[must_use]
    pub fn read(&self) -> Status {
        let counters = &*self.counters;
        let last = counters.last().clone();
        Status {
            discovery_asked: read(&counters.discovery_asked),
            discovery_total: read(&counters.discovery_total),
            devices_known: read(&counters.devices_known),
            devices_answering: read(&counters.devices_answering),
            polls: read(&counters.polls),
            polls_unanswered: read(&counters.polls_unanswered),
            device_reports_sealed: read(&counters.device_reports_sealed),
            streams: [0, 1].map(|at| counters.streams[at].read()),
            receipt_last: last.receipt,
            delivery_error: last.error,
        }
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl Counters {
    pub fn stream(&self, stream: Stream) -> &StreamCounters {
        match stream {
            Stream::Meters => &self.streams[0],
            Stream::State => &self.streams[1],
        }
    }

    /// A delivery succeeded.
    pub fn delivered(&self, at: Timestamp, key: ReportKey) {
        add(&self.stream(key.stream).receipts, 1);
        *self.last() = Last {
            receipt: Some((at, key)),
            error: None,
        };
    }

    /// A delivery failed.
    pub fn not_delivered(&self, stream: Stream, why: String) {
        add(&self.stream(stream).attempts_failed, 1);
        self.last().error = Some(why);
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StreamCounters {
    fn read(&self) -> StreamStatus {
        StreamStatus {
            waiting_reports: read(&self.waiting_reports),
            waiting_bytes: read(&self.waiting_bytes),
            receipts: read(&self.receipts),
            attempts_failed: read(&self.attempts_failed),
            refused: read(&self.refused),
            dropped: read(&self.dropped),
        }
    }
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

/// Sets a gauge.
pub(crate) fn set(gauge: &AtomicU64, n: u64) {
    gauge.store(n, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
