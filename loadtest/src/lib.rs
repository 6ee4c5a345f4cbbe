//! A simulated printer fleet and a load generator, over real loopback sockets.
//!
//! | module | what it holds |
//! |---|---|
//! | [`fleet`] | thousands of SNMP printers from one thread, each with a 127.x.y.z address of its own |
//! | [`reports`] | what agents send, delivered to a manager, with receipts, latencies and a check that all of it is applied |
//!
//! This crate meets the agent and the manager only over sockets, and its BER code is its own: what the poller writes is read
//! here by other code than what the poller would read it with.

pub mod fleet;
pub mod reports;
