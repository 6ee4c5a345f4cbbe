//! The report vocabulary and how it travels.
//!
//! | module | what it holds |
//! |---|---|
//! | [`model`] | the words: device report, meter, supply, tray, alert; owned, serialisable as JSON |
//! | [`sink`] | the same as borrowed rows, for column builders |
//! | [`xml`] | reports as XML: the canonical writer and the strict reader |
//! | [`envelope`] | the XML compressed: gzip, zstd |
//! | [`delta`] | what changed since a full report (Rule 5) |
//! | [`id`] | identifiers and the scope every question carries |
//! | [`key`] | the key of a report (Rule 1) and the receipt that echoes it |
//! | [`time`] | UTC timestamps in milliseconds |
//! | [`sample`] | an invented fleet, for tests, benches and load |
//! | [`limits`] | every bound, with its reason |
//!
//! No I/O and no clock: bytes and times are arguments.

#[cfg(test)]
mod arbitrary;
pub mod delta;
pub mod envelope;
pub mod id;
pub mod key;
pub mod limits;
pub mod model;
pub mod sample;
pub mod sink;
pub mod time;
pub mod xml;
