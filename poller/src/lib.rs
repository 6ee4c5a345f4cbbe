//! Asking printers: from OIDs to device reports.
//!
//! | module | what it holds |
//! |---|---|
//! | [`oid`] | object identifiers |
//! | [`value`] | SNMP values, borrowed from a response and owned |
//! | [`profile`] | vendor knowledge as data |
//! | [`device`] | one poll of one printer: what to ask, and what the answers mean |
//! | [`recording`] | recordings of devices: read, replayed, written |
//! | [`privacy`] | what the agent can ever ask for |
//! | [`conversation`] | the seam between the engine, which moves PDUs, and the interpreters, which know printers |
//! | [`ber`], [`pdu`] | messages, read by a borrowed cursor and written back to front |
//! | [`credentials`] | communities and users, tried in order |
//! | [`engine`] | many conversations at once, without socket or clock; what is remembered of a device |
//! | [`driver`] | the engine on real sockets: [`driver::Fleet`] and [`driver::poll_once`] |
//! | [`discovery`] | which addresses of a network are devices |
//! | [`trap`] | what devices tell by themselves |
//! | [`usm`] | SNMPv3's security |

pub mod ber;
pub mod conversation;
pub mod credentials;
pub mod device;
pub mod discovery;
pub mod driver;
pub mod engine;
pub mod oid;
pub mod pdu;
pub mod privacy;
pub mod profile;
pub mod recording;
pub mod trap;
pub mod usm;
pub mod value;

#[cfg(test)]
mod testing;
