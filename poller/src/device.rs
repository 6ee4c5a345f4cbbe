//! One poll of one printer: what to ask, and what the answers mean.
//!
//! [`DevicePoll`] is a [`Conversation`]: no socket, no clock. The first poll identifies the device, walks its tables and
//! learns a [`Plan`]; given that plan, later polls are one packed Get of what changes, with the serial number in
//! the same PDU as proof of whose values they are.

use std::sync::Arc;

use codec::model::DeviceReport;
use codec::time::Timestamp;

use crate::conversation::{Ask, Conversation, Failure};
use crate::oid::Oid;
use crate::profile::ProfileSet;
use crate::value::ValueRef;

/// How much a poll shall read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Four values that tell whether a steady poll is worth its bytes. Its report confirms nothing but the status it read (Rule 4).
    Heartbeat,
    /// All that changes: status, meters, levels; alerts when something points to them. Needs a plan, else it is a full poll.
    #[default]
    Steady,
    /// Everything, tables and all. Always the case for the first poll.
    Full,
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
            collect_contact: false,
        }
    }
}

/// What was learned about a device: exact instances for the steady poll and the facts that do not change. Made to be kept
/// (it serialises with `rkyv`) and handed to the next [`DevicePoll`] of the device. A plan that does not fit is learned anew.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Plan {
    /// The profile it was learned with, with its version: `kyocera/1`.
    pub profile: String,
    /// When it was learned, in milliseconds since the Unix epoch.
    pub learned_at_unix_ms: i64,
}

/// What a poll found out.
#[derive(Clone, Debug)]
pub struct PollOutcome {
    /// The report; `None` when the device did not answer at all.
    pub report: Option<DeviceReport>,
    /// The plan for the next poll; `None` when there is nothing to build one on. It replaces the one that was given.
    pub plan: Option<Plan>,
    /// How much was read indeed: a steady poll becomes a full one when the plan no longer fits.
    pub depth: Depth,
    /// The last failure of an ask, if there was one. A report may exist all the same.
    pub failure: Option<Failure>,
    /// Whether it is a printer: it has a row in a table of the Printer MIB or of the Host Resources MIB's printers.
    pub is_printer: bool,
    /// A profile says that this model must not be polled (it restarts or crashes): do not ask it again.
    pub do_not_touch: bool,
    /// Of a heartbeat: something moved, so a steady poll is due now.
    pub changed: bool,
}

/// One poll of one device.
#[derive(Debug)]
pub struct DevicePoll {
    profiles: Arc<ProfileSet>,
    plan: Option<Plan>,
    context: PollContext,
}

impl DevicePoll {
    /// A poll; without a `plan` it starts by identifying the device.
    #[must_use]
    pub fn new(profiles: Arc<ProfileSet>, plan: Option<Plan>, context: PollContext) -> Self {
        Self {
            profiles,
            plan,
            context,
        }
    }

    /// What came out, once [`Conversation::next_ask`] has given `None` (or the caller has had enough).
    #[must_use]
    pub fn into_outcome(self) -> PollOutcome {
        PollOutcome {
            report: None,
            plan: self.plan,
            depth: self.context.depth,
            failure: None,
            is_printer: self.profiles.iter().next().is_some(),
            do_not_touch: false,
            changed: false,
        }
    }
}

impl Conversation for DevicePoll {
    fn next_ask(&mut self) -> Option<Ask> {
        None
    }

    fn variable(&mut self, _ask_index: usize, _oid: &Oid, _value: ValueRef<'_>) {}

    fn answered(&mut self, _failure: Option<Failure>) {}
}
