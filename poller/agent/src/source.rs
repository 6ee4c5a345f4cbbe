//! The seam between whatever finds device reports and the agent: SNMP; later USB and traps.

use std::time::Instant;

use codec::model::DeviceReport;

/// Something that yields device reports as they fall due.
///
/// Each source runs on a thread of its own and may block in [`Source::work`], but must come back soon once it is stopped (the
/// source is given the agent's [`crate::StopHandle`] when it is made). A caller may rely on: each report is yielded once, in the order of
/// observation for each device.
pub trait Source: Send {
    /// What log lines call it.
    fn name(&self) -> &'static str;

    /// Does what is due, hands each finished report to `sink`, and says when to be called again. The sink may block while the
    /// agent is busy: a source that cannot hand on must not go on asking.
    fn work(&mut self, now: Instant, sink: &mut dyn Sink) -> Instant;

    /// The agent ends: keep what is worth keeping.
    fn end(&mut self) {}

    /// The manager does not have the bases of these devices (by handle): report them in full next time.
    fn need_full(&mut self, handles: &[String]);
}

/// Where a source puts its reports.
pub trait Sink {
    /// Takes a report; says `false` when the agent is stopping and takes no more.
    fn report(&mut self, report: DeviceReport) -> bool;
}
