//! What a poll has to know, and what it yields.

use codec::model::DeviceReport;
use codec::time::Timestamp;

use super::plan::Plan;
use crate::conversation::Failure;

/// How much a poll shall read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Four values that tell whether a steady poll is worth its bytes. Its report says that the device is there, and confirms nothing (Rule 4).
    Heartbeat,
    /// All that changes: status, meters, levels; alerts when something points to them. Needs a plan, else the device is learned.
    #[default]
    Steady,
    /// The tables too, with the rows that the plan knows: names, media, alerts.
    Full,
    /// Everything anew: identification, vendor tables, meters by size. Always the case for the first poll, and daily.
    Learn,
}

/// What a steady poll reads beside the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sections {
    /// The meters.
    pub meters: bool,
    /// Levels of supplies and trays.
    pub supplies: bool,
    /// The alerts, even if nothing that is read points to them (the device told that there is one). Else they are read when something does.
    pub alerts: bool,
}

impl Sections {
    /// All that changes; the alerts when something points to them.
    pub const ALL: Self = Self {
        meters: true,
        supplies: true,
        alerts: false,
    };
}

impl Default for Sections {
    fn default() -> Self {
        Self::ALL
    }
}

/// What a poll has to know about its surroundings.
#[derive(Clone, Debug)]
pub struct PollContext {
    /// The address as it shall stand in the report: without a port unless that is not 161.
    pub address: String,
    /// The agent's time of day at this poll.
    pub observed_at: Timestamp,
    /// The agent's monotonic clock at this poll, in milliseconds.
    pub observed_uptime_ms: u64,
    /// How much to read.
    pub depth: Depth,
    /// Of a steady poll: what of it. What is left out is not read in the report, and keeps its last value in the plan.
    pub sections: Sections,
    /// Whether `sysContact` is collected (off unless the operator wants it: it names a person).
    pub collect_contact: bool,
}

impl PollContext {
    /// A steady poll (or the first) of `address`, without `sysContact`.
    #[must_use]
    pub fn new(address: &str, observed_at: Timestamp, observed_uptime_ms: u64) -> Self {
        Self {
            address: address.to_owned(),
            observed_at,
            observed_uptime_ms,
            depth: Depth::Steady,
            sections: Sections::ALL,
            collect_contact: false,
        }
    }
}

/// What a poll found out.
#[derive(Clone, Debug)]
pub struct PollOutcome {
    /// The report; `None` when the device did not answer, or (of a heartbeat) when something moved.
    pub report: Option<DeviceReport>,
    /// What was asked for and not read, by the names of the report's sections (`identity`, `status`, `meters`, `supplies`, `trays`, `alerts`):
    /// the device was silent, or its answers are too incomplete to be told.
    pub not_read: Vec<&'static str>,
    /// The plan for the next poll; `None` when there is nothing to build one on. It replaces the one that was given.
    pub plan: Option<Plan>,
    /// How much was read indeed: a steady poll becomes a learning one when the plan no longer fits.
    pub depth: Depth,
    /// The last failure of an ask, if there was one. A report may exist all the same.
    pub failure: Option<Failure>,
    /// Whether it is a printer: it has a row in a table of the Printer MIB or is one by the Host Resources MIB, or a profile knows it.
    pub is_printer: bool,
    /// A profile says that this model must not be polled (it restarts or crashes): do not ask it again.
    pub do_not_touch: bool,
    /// Of a heartbeat: something moved, so a steady poll is due now.
    pub changed: bool,
}
