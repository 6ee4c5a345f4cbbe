//! One device, now, blocking: for command lines.

use std::sync::Arc;

use super::DriverChoice;
use super::run::Loop;
use crate::conversation::Conversation;
use crate::engine::{
    Engine, Finished, Ids, Job, Memory, PollError, PollOptions, PollStats, Target,
};

/// What [`poll_once`] gives back.
#[derive(Debug)]
pub struct Polled {
    /// What the poll cost.
    pub stats: PollStats,
    /// What was learned of the device.
    pub memory: Memory,
}

/// Polls one device on the calling thread. `memory` is what an earlier poll returned, or `Memory::default()`.
///
/// # Errors
/// Whatever ended the poll before the conversation was through; the conversation keeps what it had heard until then.
pub fn poll_once(
    target: Target,
    options: &PollOptions,
    memory: Memory,
    conversation: &mut dyn Conversation,
) -> Result<Polled, PollError> {
    let (datagrams, waker) = DriverChoice::Portable.open().map_err(PollError::Send)?;
    let mut driver = Loop::new(Engine::new(Ids::system()), datagrams, waker);
    driver.submit(Job {
        token: (),
        target,
        options: Arc::new(options.clone()),
        memory,
        conversation,
    });
    loop {
        driver.send().map_err(PollError::Send)?;
        if let Some(finished) = driver.finished() {
            let Finished {
                stats,
                memory,
                error,
                ..
            } = finished;
            return error.map_or(Ok(Polled { stats, memory }), Err);
        }
        driver.receive(None).map_err(PollError::Send)?;
    }
}
