//! The door of the manager: take reports, make them durable, acknowledge, and apply them to the store exactly once.
//!
//! ```text
//!  Delivery ──▶ decode ──▶ shard (by agent): ledger ─▶ journal ─▶ sync ─▶ Receipt
//!               inflate,            │
//!               parse once          ▼  hot: decoded reports, bounded; what does not fit is read again from the journal
//!                              feed: one total order over all shards
//!                                   ▼
//!                              apply: identity, clock, runs, alerts ──▶ olap::Store (rows and positions in one transaction)
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`ingest`] | [`Ingest`]: accept, evidence, stop |
//! | [`start`] | opening the door, and [`rebuild`] |
//! | [`status`] | how the door is doing |
//! | [`config`] | every bound, with its reason |
//! | [`decide`] | what people decide about who is who, on its way into the order |
//! | [`forget`], [`tombstone`] | a customer is forgotten (Rule 8) |
//! | [`delivery`] | what comes in and what goes out: [`Delivery`], [`Rejection`] |
//! | [`decode`] | inflate and parse, with a fixed number of decoders |
//! | [`ledger`] | which reports are there already (Rule 1) |
//! | [`record`] | what the journal's records mean |
//! | [`room`] | whether the disk has room |
//! | [`shard`] | the thread that owns a journal: group commit, receipts |
//! | [`feed`] | durable reports in their one order, hot or read again |
//! | [`apply`] | reports become rows |
//! | [`archive`] | applied segments, compressed and kept for as long as configured |
//! | [`keys`] | what archives are encrypted under, a key for each customer |
//! | [`evidence`] | the way from a reading to its bytes |
//! | [`silence`] | who was last heard when, and whose silence is worth an alert |
//! | [`quarantine`] | refused reports, kept for inspection |
//! | [`metrics`] | counters, depths, durations |
//!
//! What always holds:
//!
//! - A receipt is given only after the report's bytes are synced.
//! - Rows and the journal position they came from are committed together, so a report is applied once, whatever dies when.
//! - The order in which reports are applied is written in the journal: replaying it gives the same rows at the same places.
//! - Nothing here grows without a bound; what is full answers 503.

pub mod apply;
pub mod archive;
pub mod columns;
pub mod config;
pub mod decide;
pub mod decode;
pub mod delivery;
pub mod evidence;
pub mod feed;
pub mod forget;
pub mod ingest;
pub mod keys;
pub mod ledger;
pub mod metrics;
pub mod quarantine;
pub mod record;
pub mod room;
pub mod shard;
pub mod silence;
pub mod start;
pub mod status;
pub mod tombstone;

pub use config::IngestConfig;
pub use decide::DecideError;
pub use delivery::{Delivery, Rejection};
pub use evidence::{Evidence, EvidenceError};
pub use forget::{Forgotten, Remains, Toll};
pub use ingest::Ingest;
pub use keys::CustomerKeys;
pub use metrics::IngestMetrics;
pub use silence::watch::SilenceReport;
pub use silence::{Cause, Silence, SilenceRules, Subject};
pub use start::{StartError, rebuild, rebuild_from_what_is_left};
pub use status::{Hindrance, IngestStatus, StreamGaps};
