//! The seam between the SNMP engine and what knows printers.
//!
//! A [`Conversation`] is what one poll of one device wants to know, step by step, with no socket and no clock: the engine asks it for
//! the next [`Ask`], turns that into PDUs (splits, retries, `tooBig`, noSuchName, versions and credentials are the engine's
//! affair), and hands back each response while it is still borrowed from the receive buffer.

use crate::oid::Oid;
use crate::value::ValueRef;

/// The next step of a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Exactly these instances. Each is answered once: with its value, or with `NoSuchObject` / `NoSuchInstance`
    /// (an SNMPv1 `noSuchName` is given back as `NoSuchInstance` of that one instance).
    Get(Vec<Oid>),
    /// All instances below each column, in order. `rows_expected` sizes the GETBULK (0: not known); `rows_max` is where the engine stops.
    Walk {
        /// The columns (or subtrees), without an instance.
        columns: Vec<Oid>,
        /// How many rows each is expected to have, 0 where that is not known.
        rows_expected: u32,
        /// The most rows to take of each.
        rows_max: u32,
    },
}

/// Why an ask could not be answered (in full).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No answer after all retries.
    Timeout,
    /// The device answered with an error status other than those the engine handles itself.
    ErrorStatus(u32),
    /// The device refused the credentials.
    Authentication,
    /// The answers were no valid SNMP.
    Malformed,
}

/// What a poll of one device is made of.
pub trait Conversation {
    /// The next step, or `None` when the poll is complete. Called once per step.
    fn next_ask(&mut self) -> Option<Ask>;

    /// One variable of the answer to the current ask. `ask_index` is the position in [`Ask::Get`]'s list or of the column in
    /// [`Ask::Walk`]. Values are borrowed: keep what is needed.
    fn variable(&mut self, ask_index: usize, oid: &Oid, value: ValueRef<'_>);

    /// The current ask is answered as far as it could be; `failure` says why not in full. The next call is `next_ask`.
    fn answered(&mut self, failure: Option<Failure>);

    /// The list of the [`Ask::Get`] that is about to be answered, given back just before [`Conversation::answered`]: who keeps it can
    /// ask the same again without making it anew.
    fn take_back(&mut self, oids: Vec<Oid>) {
        drop(oids);
    }

    /// Whether GETBULK may be used for this device's walks (some families crash or loop under it); GETNEXT is used otherwise.
    fn bulk_allowed(&self) -> bool {
        true
    }
}

impl<C: Conversation + ?Sized> Conversation for &mut C {
    fn next_ask(&mut self) -> Option<Ask> {
        (**self).next_ask()
    }

    fn variable(&mut self, ask_index: usize, oid: &Oid, value: ValueRef<'_>) {
        (**self).variable(ask_index, oid, value);
    }

    fn answered(&mut self, failure: Option<Failure>) {
        (**self).answered(failure);
    }

    fn take_back(&mut self, oids: Vec<Oid>) {
        (**self).take_back(oids);
    }

    fn bulk_allowed(&self) -> bool {
        (**self).bulk_allowed()
    }
}

impl<C: Conversation + ?Sized> Conversation for Box<C> {
    fn next_ask(&mut self) -> Option<Ask> {
        (**self).next_ask()
    }

    fn variable(&mut self, ask_index: usize, oid: &Oid, value: ValueRef<'_>) {
        (**self).variable(ask_index, oid, value);
    }

    fn answered(&mut self, failure: Option<Failure>) {
        (**self).answered(failure);
    }

    fn take_back(&mut self, oids: Vec<Oid>) {
        (**self).take_back(oids);
    }

    fn bulk_allowed(&self) -> bool {
        (**self).bulk_allowed()
    }
}
