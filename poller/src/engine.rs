//! The engine: many devices' conversations at once, with no socket and no clock.

mod memory;
mod options;
mod outcome;

pub use memory::Memory;
pub use options::{PollOptions, SNMP_PORT, Target, Transport};
pub use outcome::{Finished, Job, PollError, PollStats};
