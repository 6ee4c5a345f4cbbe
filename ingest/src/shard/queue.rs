//! Reports on their way to a shard's thread: one lock and at most two wake-ups per group, however many reports it has.
//!
//! The thread sleeps until a first report comes. Then it waits for company, a bounded moment, until the group is as large as the caller
//! expects, and is woken in between by nobody: neither by each report that comes, nor to find that the next has not come yet.
//!
//! What always holds: reports come out in the order they came in; none comes out after [`Queue::close`] that was refused; how many there are
//! is bounded by the permits that each carries.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Reports on their way to a shard's thread, each with its size in bytes.
pub struct Queue<T> {
    state: Mutex<State<T>>,
    bell: Condvar,
}

struct State<T> {
    jobs: VecDeque<(T, usize)>,
    bytes: usize,
    /// The thread sleeps until there are so many reports, or so many bytes; nothing while it does not sleep.
    wanted: Option<(usize, usize)>,
    is_closed: bool,
}

/// How a group is gathered.
#[derive(Clone, Copy, Debug)]
pub struct Gather {
    /// How long to wait for a first report.
    pub patience: Duration,
    /// How long a first report waits for company, at the most.
    pub linger: Duration,
    /// With so many reports no more are waited for.
    pub reports: usize,
    /// A group closes at this many bytes.
    pub bytes_max: usize,
}

impl<T> State<T> {
    fn has(&self, (reports, bytes): (usize, usize)) -> bool {
        self.jobs.len() >= reports || self.bytes >= bytes || self.is_closed
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                jobs: VecDeque::new(),
                bytes: 0,
                wanted: None,
                is_closed: false,
            }),
            bell: Condvar::new(),
        }
    }
}

impl<T> Queue<T> {
    /// Puts a report at the end. Returns whether somebody will take it: a closed queue drops it.
    #[must_use]
    pub fn push(&self, job: T, bytes: usize) -> bool {
        let mut state = self.lock();
        if state.is_closed {
            return false;
        }
        state.bytes += bytes;
        state.jobs.push_back((job, bytes));
        let is_due = state.wanted.is_some_and(|wanted| state.has(wanted));
        if is_due {
            state.wanted = None;
        }
        drop(state);
        if is_due {
            self.bell.notify_one();
        }
        true
    }

    /// Waits for reports and puts a group of them at the end of `group`. Returns whether there is more, or can be.
    pub fn take(&self, how: Gather, group: &mut Vec<T>) -> bool {
        let mut state = self.wait(self.lock(), how.patience, (1, usize::MAX));
        if !state.jobs.is_empty() {
            state = self.wait(state, how.linger, (how.reports, how.bytes_max));
        }
        let mut taken_bytes = 0;
        while taken_bytes < how.bytes_max
            && let Some((job, bytes)) = state.jobs.pop_front()
        {
            taken_bytes += bytes;
            group.push(job);
        }
        state.bytes -= taken_bytes;
        !state.is_closed || !state.jobs.is_empty()
    }

    /// Sleeps until there are so many reports or bytes, or for `patience`.
    fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<T>>,
        patience: Duration,
        wanted: (usize, usize),
    ) -> MutexGuard<'a, State<T>> {
        let until = Instant::now() + patience;
        while !state.has(wanted) {
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                break;
            }
            state.wanted = Some(wanted);
            let woken = self.bell.wait_timeout(state, rest);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.wanted = None;
        state
    }

    /// Takes no more reports. What is there can still be taken.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.bell.notify_one();
    }

    /// As [`close`](Self::close), and forgets what is there: who waits for an answer is told that there will be none.
    pub fn abandon(&self) {
        self.close();
        let jobs = {
            let mut state = self.lock();
            state.bytes = 0;
            std::mem::take(&mut state.jobs)
        };
        drop(jobs);
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);
    const HOW: Gather = Gather {
        patience: LONG,
        linger: LONG,
        reports: 1,
        bytes_max: 100,
    };

    fn filled(jobs: &[(u32, usize)]) -> Queue<u32> {
        let queue = Queue::default();
        for (job, bytes) in jobs {
            assert!(queue.push(*job, *bytes));
        }
        queue
    }

    fn take(queue: &Queue<u32>, how: Gather) -> (Vec<u32>, bool) {
        let mut group = Vec::new();
        let is_open = queue.take(how, &mut group);
        (group, is_open)
    }

    #[test]
    fn a_group_is_what_is_there_up_to_its_bytes() {
        let queue = filled(&[(1, 60), (2, 60), (3, 10), (4, 10)]);
        assert_eq!(take(&queue, HOW), (vec![1, 2], true));
        assert_eq!(take(&queue, HOW), (vec![3, 4], true));
        let nobody = Gather {
            patience: Duration::ZERO,
            ..HOW
        };
        assert_eq!(take(&queue, nobody), (Vec::new(), true));
    }

    #[test]
    fn a_group_waits_for_as_many_as_are_expected_and_not_for_longer_than_it_may() {
        let queue = Arc::new(filled(&[(1, 1)]));
        let pushing = Arc::clone(&queue);
        let thread = std::thread::spawn(move || pushing.push(2, 1) && pushing.push(3, 1));
        let three = Gather { reports: 3, ..HOW };
        // It would wait half a minute for the third: that is the bound of this test.
        assert_eq!(take(&queue, three), (vec![1, 2, 3], true));
        assert!(thread.join().unwrap());
        assert!(queue.push(4, 1));
        let brief = Gather {
            linger: Duration::from_millis(1),
            ..three
        };
        assert_eq!(take(&queue, brief), (vec![4], true));
    }

    #[test]
    fn what_was_taken_in_comes_out_after_the_queue_was_closed_and_nothing_more() {
        let queue = filled(&[(1, 100), (2, 1)]);
        queue.close();
        assert!(!queue.push(3, 1));
        assert_eq!(take(&queue, HOW), (vec![1], true));
        assert_eq!(take(&queue, HOW), (vec![2], false));
    }

    #[test]
    fn who_is_in_an_abandoned_queue_learns_that_nobody_comes() {
        let queue = Queue::default();
        let (reply, answer) = std::sync::mpsc::channel::<()>();
        assert!(queue.push(reply, 1));
        queue.abandon();
        assert!(answer.recv().is_err());
    }
}
