//! What can be seen from outside: one metric for every queue, drop, reason of refusal, lag and duration.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Why something was refused or left out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// A stable word.
    pub reason: String,
}

/// Which shard of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ShardLabel {
    /// Its number.
    pub shard: u16,
}

/// Who is silent, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SilentLabel {
    /// agent or device.
    pub kind: &'static str,
    /// The likely cause.
    pub cause: &'static str,
}

/// What does not get on, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HinderedLabel {
    /// applier, decisions, or journal or archive and the shard's number.
    pub part: String,
    /// A stable word.
    pub reason: &'static str,
}

/// The door's metrics. A clone counts into the same.
#[derive(Clone, Debug)]
pub struct IngestMetrics {
    /// Reports acknowledged, duplicates included.
    pub acknowledged: Counter,
    /// Of these, duplicates.
    pub duplicates: Counter,
    /// Reports not acknowledged, by reason.
    pub rejected: Family<ReasonLabel, Counter>,
    /// Bytes of sealed reports made durable.
    pub journaled_bytes: Counter,
    /// Reports being worked on, from arrival to receipt.
    pub inflight_reports: Gauge,
    /// Bytes of these.
    pub inflight_bytes: Gauge,
    /// Reports per group commit.
    pub group_reports: Histogram,
    /// Seconds of writing a group.
    pub append_seconds: Histogram,
    /// Seconds of a sync.
    pub sync_seconds: Histogram,
    /// Journal errors (write or sync failed, disk full).
    pub journal_errors: Counter,
    /// 1 while the last write of a part failed.
    pub hindered: Family<HinderedLabel, Gauge>,
    /// Bytes in the journal's segments.
    pub journal_bytes: Family<ShardLabel, Gauge>,
    /// Bytes of journal not yet applied.
    pub unapplied_bytes: Family<ShardLabel, Gauge>,
    /// Sealed bytes of reports that wait for the applier in memory.
    pub hot_bytes: Family<ShardLabel, Gauge>,
    /// Memory of decoded reports between the door and the applier.
    pub decoded_bytes: Gauge,
    /// Reports that waited in their sealed form and were decoded again.
    pub decoded_again: Counter,
    /// Of these, reports that did not even wait in memory and were read from the journal again.
    pub reread: Counter,
    /// Full reports read from the journal for the deltas that build on them.
    pub bases_read: Counter,
    /// Numbers that agents skipped and that have not come yet.
    pub missing_reports: Family<ShardLabel, Gauge>,
    /// Damaged places in the journal.
    pub journal_damage: Counter,
    /// Reports applied.
    pub applied_reports: Counter,
    /// Device reports applied.
    pub applied_devices: Counter,
    /// Rows given to the store.
    pub applied_rows: Counter,
    /// What the applier left out, by reason.
    pub skipped: Family<ReasonLabel, Counter>,
    /// Seconds of a batch in the store.
    pub store_seconds: Histogram,
    /// Batches that the store refused and that are tried again.
    pub store_errors: Counter,
    /// Age of the oldest report that waits for the applier, at the most; see [`crate::Ingest::measure`].
    pub apply_lag_seconds: Gauge<f64, std::sync::atomic::AtomicU64>,
    /// Refused reports kept in quarantine.
    pub quarantined: Gauge,
    /// Refused reports that are not kept: not written, or gone for newer ones.
    pub quarantine_unkept: Gauge,
    /// When any agent was last heard, in seconds since 1970.
    pub last_heard_timestamp_seconds: Gauge,
    /// What reports told of devices' identity that was not so before: moved, learned, superseded, …
    pub findings: Family<ReasonLabel, Counter>,
    /// Devices whose agents were asked for a full report.
    pub full_asked: Counter,
    /// Agents and devices whose silence is worth an alert, by likely cause.
    pub silent: Family<SilentLabel, Gauge>,
    /// Journal segments that were archived.
    pub archived_segments: Counter,
    /// Archived segments that were removed: too old, or too much.
    pub archives_removed: Counter,
    /// Failures of archiving.
    pub archive_errors: Counter,
    /// Customers who are not forgotten and whose archives cannot be read.
    pub unreadable_customers: Gauge,
    /// Bytes of the archives.
    pub archive_bytes: Family<ShardLabel, Gauge>,
    /// Bytes of the segments in them.
    pub archive_raw_bytes: Family<ShardLabel, Gauge>,
    /// Decisions of people that were journaled.
    pub decisions: Counter,
}

fn seconds() -> Histogram {
    // 0.1 ms to 3.3 s.
    Histogram::new(exponential_buckets(0.0001, 2.0, 16))
}

impl Default for IngestMetrics {
    fn default() -> Self {
        Self {
            acknowledged: Counter::default(),
            duplicates: Counter::default(),
            rejected: Family::default(),
            journaled_bytes: Counter::default(),
            inflight_reports: Gauge::default(),
            inflight_bytes: Gauge::default(),
            group_reports: Histogram::new(exponential_buckets(1.0, 2.0, 12)),
            append_seconds: seconds(),
            sync_seconds: seconds(),
            journal_errors: Counter::default(),
            hindered: Family::default(),
            journal_bytes: Family::default(),
            unapplied_bytes: Family::default(),
            hot_bytes: Family::default(),
            decoded_bytes: Gauge::default(),
            decoded_again: Counter::default(),
            reread: Counter::default(),
            bases_read: Counter::default(),
            missing_reports: Family::default(),
            journal_damage: Counter::default(),
            applied_reports: Counter::default(),
            applied_devices: Counter::default(),
            applied_rows: Counter::default(),
            skipped: Family::default(),
            store_seconds: seconds(),
            store_errors: Counter::default(),
            apply_lag_seconds: Gauge::default(),
            quarantined: Gauge::default(),
            quarantine_unkept: Gauge::default(),
            last_heard_timestamp_seconds: Gauge::default(),
            findings: Family::default(),
            full_asked: Counter::default(),
            silent: Family::default(),
            archived_segments: Counter::default(),
            archives_removed: Counter::default(),
            archive_errors: Counter::default(),
            unreadable_customers: Gauge::default(),
            archive_bytes: Family::default(),
            archive_raw_bytes: Family::default(),
            decisions: Counter::default(),
        }
    }
}

impl IngestMetrics {
    /// Adds them to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let ingest = registry.sub_registry_with_prefix("ingest");
        macro_rules! list {
            ($($field:ident: $help:literal,)+) => {
                $(ingest.register(stringify!($field), $help, self.$field.clone());)+
            };
        }
        list! {
            acknowledged: "Reports acknowledged, duplicates included",
            duplicates: "Reports that were there already and got the same receipt again",
            rejected: "Reports not acknowledged, by reason",
            journaled_bytes: "Bytes of sealed reports made durable",
            inflight_reports: "Reports between arrival and receipt",
            inflight_bytes: "Bytes of reports between arrival and receipt",
            group_reports: "Reports per group commit",
            append_seconds: "Seconds of writing a group to the journal",
            sync_seconds: "Seconds of a journal sync (fdatasync)",
            journal_errors: "Failed writes and syncs of the journal",
            hindered: "1 while the last write of a part of the door failed and is tried again, by reason",
            journal_bytes: "Bytes in journal segments",
            unapplied_bytes: "Bytes of journal not yet applied to the store",
            hot_bytes: "Sealed bytes of reports waiting in memory to be applied",
            decoded_bytes: "Bytes of memory of decoded reports on their way to be applied",
            decoded_again: "Reports that waited sealed and were decoded again to be applied",
            bases_read: "Full reports read from the journal for the deltas that build on them",
            reread: "Reports read from the journal again to be applied",
            missing_reports: "Sequence numbers that agents skipped",
            journal_damage: "Damaged places found in the journal",
            applied_reports: "Reports applied to the store",
            applied_devices: "Device reports applied to the store",
            applied_rows: "Rows given to the store",
            skipped: "What the applier left out, by reason",
            store_seconds: "Seconds of committing a batch to the store",
            store_errors: "Batches that the store refused",
            apply_lag_seconds: "Age in seconds, at the most, of the oldest durable report that is not applied; 0 when all are",
            quarantined: "Refused reports kept for inspection",
            quarantine_unkept: "Refused reports that could not be kept, and those that went for newer ones, since the start",
            last_heard_timestamp_seconds: "When any agent was last heard, in seconds since 1970; 0 when none ever was",
            findings: "Changes of devices' identities that reports told, by kind",
            full_asked: "Devices whose agents were asked for a full report",
            silent: "Agents and devices that are silent for too long, by likely cause",
            archived_segments: "Journal segments that were archived",
            archives_removed: "Archived segments removed for their age or for want of room",
            archive_errors: "Failures of archiving, each tried again",
            unreadable_customers: "Customers who are not forgotten and whose archived reports cannot be read: a key is missing or damaged",
            archive_bytes: "Bytes of archived journal segments, compressed",
            archive_raw_bytes: "Bytes of archived journal segments as they were",
            decisions: "Decisions about who is who that were made durable",
        }
    }

    /// Counts a refusal.
    pub fn reject(&self, reason: &str) {
        let label = ReasonLabel {
            reason: reason.to_owned(),
        };
        self.rejected.get_or_create(&label).inc();
    }

    /// Counts something that a report told of a device's identity.
    pub fn found(&self, kind: &str) {
        let label = ReasonLabel {
            reason: kind.to_owned(),
        };
        self.findings.get_or_create(&label).inc();
    }

    /// Counts something that the applier left out.
    pub fn skip(&self, reason: &str) {
        let label = ReasonLabel {
            reason: reason.to_owned(),
        };
        self.skipped.get_or_create(&label).inc();
    }
}
