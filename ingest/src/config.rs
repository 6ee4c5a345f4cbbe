//! Every bound of the door, with its reason.
//!
//! What the manager's memory adds up to, whatever is sent to it, with the defaults. Where a bound says "waits" or "is read again", what waits
//! holds its place among the bodies on their way, so that it ends in the first row's 503 (always with `Retry-After`).
//!
//! | memory of | at most | bound | what is over it |
//! |---|---:|---|---|
//! | bodies, from their first byte until the journal has them | 64 MB | `web::limits::REPORTS_BYTES_MAX`, [`inflight_bytes_max`](IngestConfig::inflight_bytes_max): the same bytes, counted as declared and as they came | 503 |
//! | reports on their way, without their bodies | 1 MB | [`inflight_reports_max`](IngestConfig::inflight_reports_max) | 503 |
//! | connections: TLS and buffers, some 30 kB each | 60 MB | `web::limits::CONNECTIONS_MAX`, or as many as there are descriptors | closed at once |
//! | bodies of pages, API and SOAP | 32 MB | `web::limits::BODIES_BYTES_MAX` | 503 |
//! | usual reports being inflated and read | 8 MB each of 4 | [`decoders`](IngestConfig::decoders), `codec::limits::INFLATER_RETAINED_BYTES_MAX` | waits |
//! | a large report being inflated and read | 160 MB | one at once; [`inflated_bytes_max`](IngestConfig::inflated_bytes_max) of text, and its columns | waits |
//! | decoded reports that wait for the applier | 8 MB | [`decoded_bytes_max`](IngestConfig::decoded_bytes_max) | waits sealed |
//! | columns that nobody uses, kept for the next reports | 32 MB | `SPARE_MAX` of `SPARE_BYTES_MAX` (`columns.rs`) | freed |
//! | sealed reports that wait for the applier | 32 MB | [`hot_bytes_max`](IngestConfig::hot_bytes_max) | read again from the journal |
//! | the report being applied | as being read | one at once | waits in the journal, for which the disk is the bound: full, it is 503 |
//! | rows of a batch on their way into the store | 30 MB | [`batch_rows_max`](IngestConfig::batch_rows_max), [`batch_linger_ms`](IngestConfig::batch_linger_ms) | committed first |
//! | readings that ended lately | 20 MB | `RECENT_RUNS_MAX` (`apply/history.rs`) | asked of the store |
//! | bases of deltas, and where they stand | 32 MB, 24 MB | [`bases_bytes_max`](IngestConfig::bases_bytes_max), `PLACES_MAX` (`apply/bases/places.rs`) | read from the journal, once for each report that builds on them; asked for in full |
//! | identities: evidence, SQLite's pages | 50 MB, 32 MB | `EVIDENCE_CACHED_MAX` and `WRITER_CACHE_KIB` (registry) | looked up |
//! | the store | 256 MB | `store.memory_mb` | goes to its folder of temporary files |
//! | what is known of each device | some 1.2 kB each with meters alone | the fleet, whatever is sent | |
//!
//! Agents with usual reports come nowhere near the large ones: `benches/herd.rs` and `benches/backlog.rs` measure them.

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
    /// Memory of full reports that are kept decoded for the deltas that build on them, in bytes, roughly. What is over is read from the journal
    /// again.
    pub bases_bytes_max: usize,
    /// A batch for the store closes at this many rows.
    pub batch_rows_max: usize,
    /// A batch for the store closes after this long, so that a new device is seen soon.
    pub batch_linger_ms: u64,
    /// How long a decision is waited for, in milliseconds, until whoever made it is told that it is noted and not applied yet: at once
    /// when 0.
    pub decision_wait_ms: u64,
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
            // Both streams of some 8,000 devices. Where it is too little, a report of deltas costs as much again as a full one.
            bases_bytes_max: 32 << 20,
            // Some 100 ms of appending.
            batch_rows_max: 50_000,
            batch_linger_ms: 250,
            // Many times what a batch and its commit take.
            decision_wait_ms: 10_000,
            archive_after_ms: 600_000,
            evidence_days: 400,
            evidence_bytes_max: 20 << 30,
            silence: SilenceRules::default(),
            quarantine_reports_max: 1_000,
            quarantine_bytes_max: 64 << 20,
        }
    }
}
