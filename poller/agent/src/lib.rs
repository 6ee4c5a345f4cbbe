//! The customer-site program: polls printers, spools reports, uploads them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | `agent.toml`, read in two steps; errors that point |
//! | [`spool`] | sealed reports on disk until the manager has given a receipt for each |
//! | [`upload`] | every report from the spool to the manager until its receipt |
//! | [`clock`] | the time of day and the uptime |
//! | [`hints`] | signs of life beside SNMP |
//! | [`mdns`] | printers that announce themselves |
//! | [`snmp`] | the SNMP source: discovery, schedules, polls |
//! | `collect` | device reports gathered, split into streams, encoded once, sealed |
//! | `deltas` | what a report may leave out |
//! | `names` | reverse DNS, cached |
//! | [`source`] | the seam between whatever finds device reports and the agent |
//! | [`stop`] | how a running agent is told to end |
//! | [`status`] | what a running agent is doing, for progress displays |
//!
//! [`run`] wires them; it has no global state, installs no logger and never ends the process, so that other programs can run an
//! agent inside.

pub mod clock;
mod collect;
pub mod config;
mod deltas;
pub mod hints;
pub mod mdns;
pub mod names;
mod run;
pub mod snmp;
pub mod source;
pub mod spool;
pub mod status;
pub mod stop;
pub mod upload;

pub use config::AgentConfig;
pub use run::{Control, RunError, run, run_controlled, run_observed};
pub use snmp::profiles::Reload;
pub use status::StatusHandle;
pub use stop::StopHandle;
