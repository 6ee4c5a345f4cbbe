//! Every bound of the door, with its reason.

use std::path::PathBuf;

use journal::DiskChoice;

use crate::silence::SilenceRules;

/// How the door behaves. [`IngestConfig::new`] has the defaults.
#[derive(Clone, Debug)]
pub struct IngestConfig {
    /// Where journal, archive and quarantine live.
    pub folder: PathBuf,
    /// Journals written in parallel, agents being spread over them. Fixed when the folder is made; a later change is ignored.
    pub shards: u16,
    /// Which disk driver the journals use.
    pub disk: DiskChoice,
    /// The largest body taken, as sent. Above: 413.
    pub body_bytes_max: usize,
    /// The largest body after inflating. Above: 400.
    pub inflated_bytes_max: usize,
    /// Bodies being worked on at once, in bytes, from arrival to receipt. Above: 503.
    pub inflight_bytes_max: usize,
    /// Reports being worked on at once. Above: 503.
    pub inflight_reports_max: usize,
    /// Reports decoded at once; each decoder keeps an inflated body in memory.
    pub decoders: usize,
    /// A group commit closes at this many bytes.
    pub group_bytes_max: usize,
    /// How long a group waits, in microseconds, until it is as large as the one before it. 0 takes what queued while that was synced.
    pub group_linger_us: u64,
    /// Journal segments are rolled at this size.
    pub segment_bytes: u64,
    /// Memory of decoded reports, from the door to the applier, in bytes. Behind it reports wait in their sealed form and are decoded again.
    pub decoded_bytes_max: usize,
    /// Sealed reports kept in memory for the applier, in bytes, all shards together; what is over is read again from the journal.
    pub hot_bytes_max: usize,
    /// A batch for the store closes at this many rows.
    pub batch_rows_max: usize,
    /// A batch for the store closes after this long, so that a new device is seen soon.
    pub batch_linger_ms: u64,
    /// A journal segment is archived (compressed) when it is applied and ended so long ago: agents repeat what they sent minutes ago, and
    /// a manager that takes a backlog has better things to do.
    pub archive_after_ms: i64,
    /// How long archived segments are kept as evidence.
    pub evidence_days: u32,
    /// How many bytes of a shard's segments, live and archived, are kept at most; what is not applied is kept whatever it takes.
    pub evidence_bytes_max: u64,
    /// When silence is worth an alert.
    pub silence: SilenceRules,
    /// Refused reports kept for inspection: how many.
    pub quarantine_reports_max: usize,
    /// Refused reports kept for inspection: bytes together.
    pub quarantine_bytes_max: u64,
}

impl IngestConfig {
    /// The defaults, for a manager whose data lives in `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            folder,
            // A sync takes milliseconds of waiting and little CPU: two overlap, more only make the groups smaller.
            shards: if cores > 1 { 2 } else { 1 },
            disk: DiskChoice::Auto,
            body_bytes_max: codec::limits::SEALED_BYTES_MAX,
            inflated_bytes_max: codec::limits::INFLATED_BYTES_MAX,
            // Four of the largest bodies, or some thousand usual ones.
            inflight_bytes_max: 4 * codec::limits::SEALED_BYTES_MAX,
            inflight_reports_max: 2048,
            decoders: cores.clamp(1, 4),
            // A sync of more takes visibly longer, and nobody waits for a group of more reports than that.
            group_bytes_max: 8 << 20,
            // Less than a sync takes: who has many reports on their way waits for their receipts half as long again at the most, and
            // a sync is shared by all of them. Reports that come alone do not wait, but for the first few after a load has ended.
            group_linger_us: 2_000,
            segment_bytes: journal::config::SEGMENT_BYTES_DEFAULT,
            // A hundred reports of 100 devices: more than wait where the applier keeps up, and little enough to stay in the cache.
            decoded_bytes_max: 8 << 20,
            // Some 14,000 reports of 100 devices: those of a herd.
            hot_bytes_max: 32 << 20,
            // Some 100 ms of appending.
            batch_rows_max: 50_000,
            batch_linger_ms: 250,
            archive_after_ms: 600_000,
            evidence_days: 400,
            evidence_bytes_max: 20 << 30,
            silence: SilenceRules::default(),
            quarantine_reports_max: 1_000,
            quarantine_bytes_max: 64 << 20,
        }
    }
}
