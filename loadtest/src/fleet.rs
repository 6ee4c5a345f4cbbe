//! A fleet of simulated printers: one thread, one UDP socket bound to the loopback interface, one address per printer.
//!
//! | module | what it holds |
//! |---|---|
//! | [`face`] | what a make of printer looks like: data files in `faces/` |
//! | [`printer`] | one printer's state as a function of the time of day, so that it outlives a restart |
//! | [`turns`] | what happened to one printer: reboots, lost meters, boards |
//! | [`event`] | what can happen, as lines of text |
//! | `world` | who is at which address, and what an event changes |
//! | [`scenario`] | what is to happen when: at a second, or at random with a rate |
//! | [`control`] | lines over TCP or stdin that make it happen now |
//! | [`mib`] | a face compiled to a sorted list of instances; GET and GETNEXT over it |
//! | [`ber`] | reading requests and writing responses |
//! | [`respond`] | one answer to one request |
//! | [`server`] | the socket, with latency, loss and duplicates |

pub mod ber;
pub mod control;
pub mod event;
pub mod face;
pub mod mib;
pub mod printer;
pub mod respond;
pub mod scenario;
pub mod server;
pub mod turns;
mod world;

pub use event::{Event, EventError};
pub use server::{Fleet, FleetConfig, FleetError, FleetStats, Remote};
