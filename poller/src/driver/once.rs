//! One device, now, blocking: for command lines.

use crate::conversation::Conversation;
use crate::engine::{Memory, PollError, PollOptions, PollStats, Target};

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
    let _ = (target, options, memory, conversation);
    Err(PollError::Stopped)
}
