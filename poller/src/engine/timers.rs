//! When each session wants to be woken.
//!
//! A session has one deadline, and nearly every deadline is moved later (its answer came) long before it is due. So a deadline that
//! moves later touches nothing: the old entry fires early, sees the new deadline, and is put back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

#[derive(Debug, Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Duration, u32)>>,
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// When it wants to be woken.
    deadline: Option<Duration>,
    /// Its live entry in the heap; others of it are stale.
    entry: Option<Duration>,
}

impl Timers {
    /// Sets or moves the deadline of a slot.
    pub fn set(&mut self, slot: u32, deadline: Duration) {
        let at = slot as usize;
        if at >= self.slots.len() {
            self.slots.resize(at + 1, Slot::default());
        }
        let Some(state) = self.slots.get_mut(at) else {
            return;
        };
        state.deadline = Some(deadline);
        if state.entry.is_none_or(|entry| deadline < entry) {
            state.entry = Some(deadline);
            self.heap.push(Reverse((deadline, slot)));
        }
    }

    /// Removes the deadline of a slot.
    pub fn clear(&mut self, slot: u32) {
        if let Some(state) = self.slots.get_mut(slot as usize) {
            state.deadline = None;
        }
    }

    /// A time not later than the next deadline.
    pub fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// A slot whose deadline has come; its deadline is removed.
    pub fn due(&mut self, now: Duration) -> Option<u32> {
        while let Some(Reverse((at, slot))) = self.heap.peek().copied() {
            if at > now {
                return None;
            }
            self.heap.pop();
            let Some(state) = self.slots.get_mut(slot as usize) else {
                continue;
            };
            if state.entry != Some(at) {
                continue;
            }
            state.entry = None;
            match state.deadline {
                Some(deadline) if deadline <= now => {
                    state.deadline = None;
                    return Some(slot);
                }
                Some(deadline) => {
                    state.entry = Some(deadline);
                    self.heap.push(Reverse((deadline, slot)));
                }
                None => {}
            }
        }
        None
    }
}
