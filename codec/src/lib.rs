//! The report vocabulary and how it travels.
//!
//! | module | what it holds |
//! |---|---|
//! | [`model`] | the words: device report, meter, supply, tray, alert; owned, serialisable as JSON |
//! | [`id`] | identifiers and the scope every question carries |
//! | [`key`] | the key of a report (Rule 1) and the receipt that echoes it |
//! | [`time`] | UTC timestamps in milliseconds |
//!
//! No I/O and no clock: bytes and times are arguments.

pub mod id;
pub mod key;
pub mod model;
pub mod time;
