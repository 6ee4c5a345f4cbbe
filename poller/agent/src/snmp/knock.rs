//! Knocking: an address of a sweep is asked for one value at first, and only who answers is learned.
//!
//! What always holds: however many addresses a sweep asks at once, no more than so many devices are being learned, which is what takes
//! memory (some 30 kB each, a silent address next to none) and packets.

use std::collections::VecDeque;
use std::sync::Arc;

use poller::conversation::{Ask, Conversation, Failure};
use poller::device::{Depth, DevicePoll, PollOutcome};
use poller::discovery::Candidate;
use poller::engine::Memory;
use poller::oid::Oid;
use poller::profile::ProfileSet;
use poller::value::ValueRef;

use super::schedule::Reading;
use super::sweeping::Kind;
use super::{SnmpSource, Token};

/// sysObjectID.0: who speaks SNMP has it (RFC 3418), and what a community lets in is shown by it.
const SYS_OBJECT_ID: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 2, 0];
/// Devices that are learned at once after a sweep found them: as many as take an eighth of a second's requests …
const LEARNED_AT_ONCE_SHARE: u32 = 8;
/// … but so many on the thinnest line, where each waits for its round trips …
const LEARNED_AT_ONCE_MIN: u32 = 32;
/// … and no more on the widest: some 8 MB.
const LEARNED_AT_ONCE_MAX: u32 = 256;

/// What the source has the engine ask.
#[derive(Debug)]
pub(super) enum Talk {
    /// Whether somebody is there.
    Knock(Knock),
    /// All that a poll asks, by these profiles.
    Poll(Box<DevicePoll>, Arc<ProfileSet>),
    /// What a bug in the poller would do.
    #[cfg(test)]
    Broken,
}

/// One value, and whether anything was said to it.
#[derive(Debug, Default)]
pub(super) struct Knock {
    asked: bool,
    answered: bool,
}

impl Conversation for Knock {
    fn next_ask(&mut self) -> Option<Ask> {
        let is_first = !std::mem::replace(&mut self.asked, true);
        is_first.then(|| Ask::Get(vec![Oid::new(SYS_OBJECT_ID)]))
    }

    fn variable(&mut self, _: usize, _: &Oid, _: ValueRef<'_>) {
        self.answered = true;
    }

    fn answered(&mut self, failure: Option<Failure>) {
        // An error is an answer too: the poll will tell.
        self.answered |= matches!(failure, None | Some(Failure::ErrorStatus(_)));
    }
}

impl Conversation for Talk {
    fn next_ask(&mut self) -> Option<Ask> {
        match self {
            Self::Knock(knock) => knock.next_ask(),
            Self::Poll(poll, _) => poll.next_ask(),
            #[cfg(test)]
            Self::Broken => panic!("this test's conversation panics"),
        }
    }

    fn variable(&mut self, ask_index: usize, oid: &Oid, value: ValueRef<'_>) {
        match self {
            Self::Knock(knock) => knock.variable(ask_index, oid, value),
            Self::Poll(poll, _) => poll.variable(ask_index, oid, value),
            #[cfg(test)]
            Self::Broken => {}
        }
    }

    fn answered(&mut self, failure: Option<Failure>) {
        match self {
            Self::Knock(knock) => knock.answered(failure),
            Self::Poll(poll, _) => poll.answered(failure),
            #[cfg(test)]
            Self::Broken => {}
        }
    }

    fn take_back(&mut self, oids: Vec<Oid>) {
        match self {
            Self::Knock(knock) => knock.take_back(oids),
            Self::Poll(poll, _) => poll.take_back(oids),
            #[cfg(test)]
            Self::Broken => {}
        }
    }

    fn bulk_allowed(&self) -> bool {
        match self {
            Self::Knock(knock) => knock.bulk_allowed(),
            Self::Poll(poll, _) => poll.bulk_allowed(),
            #[cfg(test)]
            Self::Broken => true,
        }
    }
}

impl Talk {
    /// Whether it is a poll by other profiles than these, which are in force now.
    pub fn is_outdated(&self, now: &Arc<ProfileSet>) -> bool {
        matches!(self, Self::Poll(_, by) if !Arc::ptr_eq(by, now))
    }

    /// What a poll came to, or whether somebody answered.
    pub fn end(self) -> Result<PollOutcome, bool> {
        match self {
            Self::Poll(poll, _) => Ok(poll.into_outcome()),
            Self::Knock(knock) => Err(knock.answered),
            #[cfg(test)]
            Self::Broken => Err(false),
        }
    }
}

/// Those that answered and are to be learned.
#[derive(Debug, Default)]
pub(super) struct Found {
    waiting: VecDeque<(Kind, Candidate, Memory)>,
    under_way: usize,
}

impl Found {
    /// One of them was learned, or was not.
    pub fn ended(&mut self) {
        self.under_way -= 1;
    }

    /// One answered: it is learned when its turn comes.
    pub fn answered(&mut self, kind: Kind, candidate: Candidate, memory: Memory) {
        self.waiting.push_back((kind, candidate, memory));
    }
}

impl SnmpSource {
    /// Asks an address of a sweep whether somebody is there.
    pub(super) fn knock(&mut self, kind: Kind, candidate: Candidate) {
        let range = &self.ranges[candidate.range];
        let options = range.sweep.get(candidate.attempt as usize);
        let options = Arc::clone(options.unwrap_or(&range.poll));
        self.discovery.began();
        let token = Token::Knock(kind, candidate);
        let target = range.config.target(candidate.address);
        // Who has proved itself by SNMPv3 is asked by nothing less, however silent it was.
        let memory = Memory {
            v3_proven: self.devices.has_proved(candidate.address),
            ..Memory::default()
        };
        self.ask(
            token,
            target,
            options,
            memory,
            Talk::Knock(Knock::default()),
        );
    }

    /// Learns those that answered, as many as may be under way.
    pub(super) fn learn_found(&mut self) {
        let at_once = (self.polling.packets_per_second / LEARNED_AT_ONCE_SHARE)
            .clamp(LEARNED_AT_ONCE_MIN, LEARNED_AT_ONCE_MAX);
        while self.found.under_way < at_once as usize
            && let Some((kind, candidate, memory)) = self.found.waiting.pop_front()
        {
            if self.has_no_room(candidate.range) {
                self.found.waiting.push_front((kind, candidate, memory));
                return;
            }
            // Meanwhile a poll may have found it there, or its range may have been told to leave it alone.
            if self.devices.is_answering(candidate.address)
                || !self.may_ask(candidate.range, candidate.address)
            {
                self.discovery.ended(kind, &candidate, true);
                continue;
            }
            let range = &self.ranges[candidate.range];
            let (options, target) = (
                Arc::clone(&range.poll),
                range.config.target(candidate.address),
            );
            let talk = self.poll_of(candidate.address, None, Reading::all(Depth::Learn));
            self.found.under_way += 1;
            self.ask(Token::Learn(kind, candidate), target, options, memory, talk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_an_answer_and_silence_is_none() {
        for (failure, expected) in [
            (None, true),
            (Some(Failure::ErrorStatus(5)), true),
            (Some(Failure::Timeout), false),
            (Some(Failure::Authentication), false),
        ] {
            let mut talk = Talk::Knock(Knock::default());
            assert!(talk.next_ask().is_some());
            talk.answered(failure);
            assert!(talk.next_ask().is_none());
            assert!(
                matches!(talk.end(), Err(answered) if answered == expected),
                "{failure:?}"
            );
        }
    }
}
