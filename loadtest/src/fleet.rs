//! A fleet of simulated printers: one thread, one UDP socket bound to the loopback interface, one address per printer.
//!
//! | module | what it holds |
//! |---|---|
//! | [`face`] | what a make of printer looks like: data files in `faces/` |
//! | [`printer`] | one printer's state as a function of the time of day, so that it outlives a restart |
//! | [`mib`] | a face compiled to a sorted list of instances; GET and GETNEXT over it |
//! | [`ber`] | reading requests and writing responses |
//! | [`respond`] | one answer to one request |
//! | [`server`] | the socket, with latency, loss and duplicates |

pub mod ber;
pub mod face;
pub mod mib;
pub mod printer;
pub mod respond;
pub mod server;

pub use server::{Fleet, FleetConfig, FleetError, FleetStats};
