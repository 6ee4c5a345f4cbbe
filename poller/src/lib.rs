//! Asking printers: from OIDs to device reports.
//!
//! | module | what it holds |
//! |---|---|
//! | [`oid`] | object identifiers |
//! | [`value`] | SNMP values, borrowed from a response and owned |
//! | [`conversation`] | the seam between the engine, which moves PDUs, and the interpreters, which know printers |

pub mod conversation;
pub mod oid;
pub mod value;
