//! A list of instances on its way through PDUs.

use crate::conversation::{Conversation, Failure};
use crate::oid::Oid;
use crate::pdu::Bindings;
use crate::value::ValueRef;

/// What a binding is taken to need beside an octet for each arc of its name: three heads of two bytes, a value of three bytes as most
/// are, and one for an arc that needs two octets. An estimate, for it is made for every variable of every request.
const BINDING_BYTES_BESIDE_ARCS: usize = 9;

/// An `Ask::Get` under way. What is not `done` is pending; PDUs take pending instances from the front.
#[derive(Debug, Default)]
pub struct GetProgress {
    oids: Vec<Oid>,
    done: Vec<bool>,
    /// Everything before is done.
    first: usize,
    failure: Option<Failure>,
}

impl GetProgress {
    /// Starts; `done` is a buffer of an earlier ask.
    pub fn start(oids: Vec<Oid>, mut done: Vec<bool>) -> Self {
        done.clear();
        done.resize(oids.len(), false);
        Self {
            oids,
            done,
            first: 0,
            failure: None,
        }
    }

    /// The list, for the conversation, and the buffer, for the next ask.
    pub fn into_parts(self) -> (Vec<Oid>, Vec<bool>) {
        (self.oids, self.done)
    }

    /// Answers instances that are known to be missing without asking.
    pub fn skip_missing(&mut self, missing: &[Oid], conversation: &mut impl Conversation) {
        if missing.is_empty() {
            return;
        }
        for at in 0..self.oids.len() {
            if missing.contains(&self.oids[at]) {
                self.answer(at, ValueRef::NoSuchInstance, conversation);
            }
        }
    }

    /// How the ask went, once nothing is pending.
    pub const fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// Whether anything is pending.
    pub fn is_pending(&mut self) -> bool {
        while self.done.get(self.first) == Some(&true) {
            self.first += 1;
        }
        self.first < self.done.len()
    }

    /// How many of the pending instances the next PDU should have: at most `variables_max`, a reply of about `bytes_max`, and
    /// parts of equal size where it takes several.
    pub fn plan(&self, variables_max: usize, bytes_max: usize) -> usize {
        let pending = self.pending_from_first().count();
        let mut bytes = 0;
        let fitting = self
            .pending_from_first()
            .take_while(|oid| {
                bytes += oid.arcs().len() + BINDING_BYTES_BESIDE_ARCS;
                bytes <= bytes_max
            })
            .take(variables_max)
            .count()
            .max(1);
        pending.div_ceil(pending.div_ceil(fitting).max(1))
    }

    /// The next `count` pending instances.
    pub fn names(&self, count: usize) -> impl DoubleEndedIterator<Item = &Oid> {
        self.asked(count).map(|at| &self.oids[at])
    }

    fn pending_from_first(&self) -> impl Iterator<Item = &Oid> {
        (self.first..self.oids.len())
            .filter(|&at| !self.done[at])
            .map(|at| &self.oids[at])
    }

    fn asked(&self, count: usize) -> impl DoubleEndedIterator<Item = usize> {
        let end = (self.first..self.done.len())
            .filter(|&at| !self.done[at])
            .nth(count.saturating_sub(1))
            .map_or(self.done.len(), |last| last + 1);
        (self.first..end).filter(|&at| !self.done[at])
    }

    fn answer(&mut self, at: usize, value: ValueRef<'_>, conversation: &mut impl Conversation) {
        self.done[at] = true;
        conversation.variable(at, &self.oids[at], value);
    }

    /// Takes the answer to a PDU of `count` instances and says how many of them it answered. A binding is matched by its place
    /// first, and by its name where the device left some out or changed the order.
    pub fn take(
        &mut self,
        count: usize,
        bindings: Bindings<'_>,
        conversation: &mut impl Conversation,
    ) -> usize {
        let end = self
            .asked(count)
            .next_back()
            .map_or(self.first, |last| last + 1);
        let mut answered = 0;
        let mut cursor = self.first;
        for binding in bindings.map_while(Result::ok) {
            while cursor < end && self.done[cursor] {
                cursor += 1;
            }
            let at = if cursor < end && self.oids[cursor].is_ber(binding.name) {
                Some(cursor)
            } else {
                (self.first..end).find(|&at| !self.done[at] && self.oids[at].is_ber(binding.name))
            };
            if let Some(at) = at {
                self.answer(at, binding.value, conversation);
                answered += 1;
                cursor = at + 1;
            }
        }
        answered
    }

    /// The `nth` (from 0) of the instances of a PDU of `count`: gives it up and says which it was. With `value` it is answered, else the
    /// ask fails with `failure`.
    pub fn drop_nth(
        &mut self,
        count: usize,
        nth: usize,
        outcome: Result<ValueRef<'_>, Failure>,
        conversation: &mut impl Conversation,
    ) -> Option<Oid> {
        let at = self.asked(count).nth(nth)?;
        match outcome {
            Ok(value) => self.answer(at, value, conversation),
            Err(failure) => {
                self.done[at] = true;
                self.failure = Some(failure);
            }
        }
        Some(self.oids[at].clone())
    }
}
