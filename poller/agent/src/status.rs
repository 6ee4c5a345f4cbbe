//! What a running agent is doing: counters that its parts keep and a display reads. Cheap to read and to write.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use codec::key::{ReportKey, Stream};
use codec::time::Timestamp;
use poller::device::Depth;
use poller::engine::PollStats;
use serde::{Deserialize, Serialize};

mod file;
mod teller;

pub use file::{File, read_file};
pub(crate) use teller::Teller;

/// What IPv4 and UDP put in front of each message (RFC 791, RFC 768).
const HEADER_BYTES: u64 = 20 + 8;

/// A handle on an agent's counters; clones share them.
#[derive(Clone, Debug, Default)]
pub struct StatusHandle {
    counters: Arc<Counters>,
}

/// One consistent enough reading of all counters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Addresses that the running (or last) sweep asked, and how many it will have asked at its end.
    pub discovery_asked: u64,
    /// See [`Status::discovery_asked`].
    pub discovery_total: u64,
    /// Addresses that the last sweep found alive and that answer no SNMP, where signs of life are asked for.
    pub discovery_alive_silent: u64,
    /// Devices that are polled.
    pub devices_known: u64,
    /// Devices whose last poll was answered.
    pub devices_answering: u64,
    /// Polls that were answered.
    pub polls: u64,
    /// Polls that were not.
    pub polls_unanswered: u64,
    /// Of each depth, from the shallowest: answered polls, and the bytes they took on the network.
    pub depths: [DepthStatus; 4],
    /// Device reports that were sealed.
    pub device_reports_sealed: u64,
    /// Traps and informs.
    pub traps: TrapStatus,
    /// Why the device profiles in the folder cannot be used, if they cannot: those read before are in force.
    pub profiles_error: Option<String>,
    /// Why no printer can be found, if that is plain from the configuration.
    pub ranges_error: Option<String>,
    /// Of each stream, in the order of [`Stream::ALL`].
    pub streams: [StreamStatus; 2],
    /// The last receipt.
    pub receipt_last: Option<(Timestamp, ReportKey)>,
    /// Why the last delivery failed, if it did.
    pub delivery_error: Option<String>,
}

/// Polls of one depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepthStatus {
    /// That were answered.
    pub polls: u64,
    /// Messages sent and received for them.
    pub messages: u64,
    /// The bytes of those, with the headers of IPv4 and UDP.
    pub bytes: u64,
}

/// What devices told by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrapStatus {
    /// Reasons to ask.
    pub heard: u64,
    /// Polls that they led to.
    pub polls: u64,
    /// No reasons to ask.
    pub ignored: u64,
    /// From addresses that no range has.
    pub strange: u64,
    /// Dropped: more than may be told.
    pub flood: u64,
    /// Dropped: of an unknown community or user.
    pub refused: u64,
    /// Dropped: no notification.
    pub malformed: u64,
}

/// What a stream of the spool holds and what became of its reports since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    pub discovery_alive_silent: AtomicU64,
    pub devices_known: AtomicU64,
    pub devices_answering: AtomicU64,
    pub polls: AtomicU64,
    pub polls_unanswered: AtomicU64,
    depths: [DepthCounters; 4],
    pub device_reports_sealed: AtomicU64,
    pub traps_heard: AtomicU64,
    pub traps_polls: AtomicU64,
    pub traps_ignored: AtomicU64,
    pub traps_strange: AtomicU64,
    pub traps_flood: AtomicU64,
    /// Of `flood`: those for which the source had no room.
    pub traps_dropped_here: AtomicU64,
    pub traps_refused: AtomicU64,
    pub traps_malformed: AtomicU64,
    pub streams: [StreamCounters; 2],
    last: Mutex<Last>,
}

/// The last receipt, and what went wrong since.
#[derive(Clone, Debug, Default)]
struct Last {
    receipt: Option<(Timestamp, ReportKey)>,
    error: Option<String>,
    profiles_error: Option<String>,
    ranges_error: Option<String>,
}

/// A depth's counters.
#[derive(Debug, Default)]
struct DepthCounters {
    polls: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
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
            discovery_alive_silent: read(&counters.discovery_alive_silent),
            devices_known: read(&counters.devices_known),
            devices_answering: read(&counters.devices_answering),
            polls: read(&counters.polls),
            polls_unanswered: read(&counters.polls_unanswered),
            depths: [0, 1, 2, 3].map(|at| counters.depths[at].read()),
            device_reports_sealed: read(&counters.device_reports_sealed),
            traps: TrapStatus {
                heard: read(&counters.traps_heard),
                polls: read(&counters.traps_polls),
                ignored: read(&counters.traps_ignored),
                strange: read(&counters.traps_strange),
                flood: read(&counters.traps_flood) + read(&counters.traps_dropped_here),
                refused: read(&counters.traps_refused),
                malformed: read(&counters.traps_malformed),
            },
            profiles_error: last.profiles_error,
            ranges_error: last.ranges_error,
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
        let mut last = self.last();
        last.receipt = Some((at, key));
        last.error = None;
    }

    /// The profiles were read anew, or could not be.
    pub fn profiles(&self, error: Option<String>) {
        self.last().profiles_error = error;
    }

    /// The configuration says why no printer can be found.
    pub fn ranges(&self, error: &str) {
        self.last().ranges_error = Some(error.to_owned());
    }

    /// A poll was answered; `depth` is how deep it was.
    pub fn polled(&self, depth: Depth, stats: &PollStats) {
        let counters = &self.depths[match depth {
            Depth::Heartbeat => 0,
            Depth::Steady => 1,
            Depth::Full => 2,
            Depth::Learn => 3,
        }];
        let messages = u64::from(stats.requests) + u64::from(stats.responses);
        add(&counters.polls, 1);
        add(&counters.messages, messages);
        let headers = messages * HEADER_BYTES;
        add(
            &counters.bytes,
            stats.bytes_sent + stats.bytes_received + headers,
        );
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

impl DepthCounters {
    fn read(&self) -> DepthStatus {
        DepthStatus {
            polls: read(&self.polls),
            messages: read(&self.messages),
            bytes: read(&self.bytes),
        }
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
