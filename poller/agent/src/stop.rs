//! How a running agent is told to end.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Tells everything that holds a clone to end. Stopping is final and may be asked for more than once.
#[derive(Clone, Default)]
pub struct StopHandle {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stopped: bool,
    failure: Option<String>,
    wakers: Vec<Box<dyn Fn() + Send>>,
}

impl StopHandle {
    /// A handle that nobody has stopped yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells everybody to end. Never blocks for long.
    pub fn stop(&self) {
        let wakers = {
            let mut state = self.lock();
            state.stopped = true;
            self.shared.changed.notify_all();
            std::mem::take(&mut state.wakers)
        };
        // Not under the lock: a waker may need one that somebody holds who is just asking whether to stop.
        for wake in wakers {
            wake();
        }
    }

    /// Tells everybody to end because something that the agent cannot do without is gone; what fails first counts. An end that was
    /// asked for before stays an orderly one.
    pub fn fail(&self, what: &str) {
        {
            let mut state = self.lock();
            if !state.stopped && state.failure.is_none() {
                state.failure = Some(what.to_owned());
            }
        }
        self.stop();
    }

    /// What made the agent end, if nobody asked it to.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    /// Whether the end was asked for.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    /// Waits until `deadline` at most, and says whether the end was asked for.
    pub fn wait_until(&self, deadline: Instant) -> bool {
        let mut state = self.lock();
        while !state.stopped {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self
                .shared
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        state.stopped
    }

    /// Waits for `duration` at most, and says whether the end was asked for.
    pub fn wait_for(&self, duration: Duration) -> bool {
        // A duration beyond what the clock can count is a wait without end; a day at a time is the same.
        const DAY: Duration = Duration::from_secs(86_400);
        let deadline = Instant::now().checked_add(duration);
        loop {
            let now = Instant::now();
            let until = deadline.unwrap_or(now + DAY);
            if self.wait_until(until) {
                return true;
            }
            if deadline.is_some() {
                return false;
            }
        }
    }

    /// Calls `wake` once when the end is asked for, at once if it already was. It must be quick.
    pub fn on_stop(&self, wake: impl Fn() + Send + 'static) {
        let mut state = self.lock();
        if state.stopped {
            drop(state);
            wake();
        } else {
            state.wakers.push(Box::new(wake));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopHandle")
            .field("stopped", &self.is_stopped())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_stop_wakes_who_waits_and_who_comes_later() {
        let stop = StopHandle::new();
        assert!(!stop.wait_for(Duration::ZERO));
        let (sender, woken) = mpsc::channel();
        let early = sender.clone();
        stop.on_stop(move || early.send("early").unwrap());
        let waiting = stop.clone();
        let thread = std::thread::spawn(move || waiting.wait_for(Duration::from_secs(60)));
        stop.stop();
        stop.stop();
        stop.on_stop(move || sender.send("late").unwrap());
        assert!(thread.join().unwrap());
        assert_eq!(woken.iter().collect::<Vec<_>>(), ["early", "late"]);
    }

    #[test]
    fn a_failure_stops_and_the_first_is_kept_but_an_orderly_end_is_none() {
        let stop = StopHandle::new();
        stop.fail("the first");
        stop.fail("the second");
        assert!(stop.is_stopped());
        assert_eq!(stop.failure().as_deref(), Some("the first"));

        let stop = StopHandle::new();
        stop.stop();
        stop.fail("too late to matter");
        assert_eq!(stop.failure(), None);
    }
}
