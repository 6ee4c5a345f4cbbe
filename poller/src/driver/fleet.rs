//! Thousands of devices at once, on a thread of its own.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::DriverChoice;
use super::run::Loop;
use super::socket::Waker;
use crate::conversation::Conversation;
use crate::engine::{Counters, Engine, Finished, Ids, Job, Pace, PollError, PollStats};

/// How a [`Fleet`] runs.
#[derive(Clone, Copy, Debug)]
pub struct FleetOptions {
    /// Which sockets carry the datagrams.
    pub driver: DriverChoice,
    /// How many polls may be under way at once; further ones wait in the queue.
    pub inflight_max: usize,
    /// How many polls may wait in the queue; further ones are handed back.
    pub queue_max: usize,
    /// How fast requests may leave.
    pub pace: Pace,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            driver: DriverChoice::Auto,
            inflight_max: 4_096,
            queue_max: 65_536,
            pace: Pace::default(),
        }
    }
}

/// The queue is full (or the fleet was stopped, or its thread is gone): the job, handed back.
#[derive(Debug)]
pub struct Full<K, C>(pub Box<Job<K, C>>);

/// Runs polls on a thread of its own until it is stopped or dropped.
#[derive(Debug)]
pub struct Fleet<K, C> {
    shared: Arc<Shared<K, C>>,
    waker: Waker,
    queue_max: usize,
    thread: Option<JoinHandle<()>>,
    driver_name: &'static str,
    started: Instant,
}

/// What the fleet's thread and the others share.
#[derive(Debug)]
struct Shared<K, C> {
    state: Mutex<State<K, C>>,
    /// The thread was woken and has not looked yet: no need to wake it again.
    is_woken: AtomicBool,
}

#[derive(Debug)]
struct State<K, C> {
    queue: VecDeque<Job<K, C>>,
    counters: Counters,
    inflight: usize,
    is_stopped: bool,
}

impl<K, C> Shared<K, C> {
    fn lock(&self) -> MutexGuard<'_, State<K, C>> {
        // Nobody panics while holding it, and the state would be sound if somebody did.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                counters: Counters::default(),
                inflight: 0,
                is_stopped: false,
            }),
            is_woken: AtomicBool::new(false),
        });
        let (report, reported) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("poller".into()).spawn({
            let shared = shared.clone();
            move || {
                // Sockets of monoio belong to the thread that opened them.
                let opened = options.driver.open();
                let opened = opened
                    .and_then(|(datagrams, waker)| Ok((datagrams, waker.try_clone()?, waker)));
                let (datagrams, own_waker, waker) = match opened {
                    Ok(opened) => opened,
                    Err(error) => {
                        let _ = report.send(Err(error));
                        return;
                    }
                };
                let name = datagrams.name();
                let mut engine = Engine::new(Ids::system());
                engine.set_pace(options.pace);
                let driver = Loop::new(engine, datagrams, own_waker);
                if report.send(Ok((waker, name, driver.started()))).is_ok() {
                    run(&shared, driver, options.inflight_max.max(1), done);
                }
            }
        })?;
        let (waker, driver_name, started) = reported
            .recv()
            .map_err(|_| io::Error::other("the poller's thread ended at once"))??;
        tracing::info!(driver = driver_name, "the poller is running");
        Ok(Self {
            shared,
            waker,
            queue_max: options.queue_max,
            thread: Some(thread),
            driver_name,
            started,
        })
    }

    /// What the engine's clock says: the time since the fleet was started.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Queues a poll. Never blocks.
    ///
    /// # Errors
    /// Hands the job back when the queue is full, the fleet stopped, or its thread gone.
    pub fn submit(&self, job: Job<K, C>) -> Result<(), Full<K, C>> {
        {
            let mut state = self.shared.lock();
            if state.is_stopped || self.has_ended() || state.queue.len() >= self.queue_max {
                return Err(Full(Box::new(job)));
            }
            state.queue.push_back(job);
        }
        self.wake();
        Ok(())
    }

    /// How many polls wait in the queue, and how many are under way.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        let state = self.shared.lock();
        (state.queue.len(), state.inflight)
    }

    /// What the engine counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.lock().counters
    }

    /// Which sockets carry the datagrams.
    #[must_use]
    pub const fn driver_name(&self) -> &'static str {
        self.driver_name
    }

    /// Ends the thread. Polls under way and queued are given to `done` with [`PollError::Stopped`].
    pub fn stop(mut self) {
        self.end();
    }
}

impl<K, C> Fleet<K, C> {
    fn wake(&self) {
        if !self.shared.is_woken.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    /// Whether its thread is gone, without having been asked to end: the socket failed, or something panicked. Nothing is polled any
    /// more then, and what was under way is not given to `done`: whoever started the fleet has to end, or to start another.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn end(&mut self) {
        self.shared.lock().is_stopped = true;
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // A panic there was printed when it happened.
            let _ = thread.join();
        }
    }
}

impl<K, C> Drop for Fleet<K, C> {
    fn drop(&mut self) {
        self.end();
    }
}

fn run<K, C: Conversation>(
    shared: &Shared<K, C>,
    mut driver: Loop<K, C>,
    inflight_max: usize,
    mut done: impl FnMut(Finished<K, C>),
) {
    loop {
        shared.is_woken.store(false, Ordering::Release);
        let is_stopped = {
            let mut state = shared.lock();
            state.counters = driver.engine.counters();
            while driver.engine.inflight() < inflight_max
                && let Some(job) = state.queue.pop_front()
            {
                driver.submit(job);
            }
            state.inflight = driver.engine.inflight();
            state.is_stopped
        };
        let result = if is_stopped {
            Err(io::Error::other("stopped"))
        } else {
            driver.send()
        };
        let mut ended = 0;
        while let Some(finished) = driver.finished() {
            done(finished);
            ended += 1;
        }
        if let Err(error) = result {
            if !is_stopped {
                tracing::error!(%error, "the poller's socket failed");
            }
            break;
        }
        // There is room for more, perhaps: look into the queue before waiting.
        if ended > 0 && !shared.lock().queue.is_empty() {
            continue;
        }
        if let Err(error) = driver.receive(None) {
            tracing::error!(%error, "the poller's socket failed");
            break;
        }
    }
    give_back(shared, &mut driver, done);
}

/// What was under way and what was queued, all of it stopped.
fn give_back<K, C: Conversation>(
    shared: &Shared<K, C>,
    driver: &mut Loop<K, C>,
    mut done: impl FnMut(Finished<K, C>),
) {
    let queue = {
        let mut state = shared.lock();
        state.is_stopped = true;
        state.inflight = 0;
        std::mem::take(&mut state.queue)
    };
    let now = driver.now();
    driver.engine.stop(now);
    while let Some(finished) = driver.finished() {
        done(finished);
    }
    for job in queue {
        done(Finished {
            token: job.token,
            target: job.target,
            conversation: job.conversation,
            memory: job.memory,
            stats: PollStats::default(),
            error: Some(PollError::Stopped),
        });
    }
}
