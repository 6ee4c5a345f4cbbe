//! The engine: many devices' conversations at once, with no socket and no clock.
//!
//! Time is an argument (a duration since whatever the caller likes, never running backwards), and so are bytes. The caller
//! repeats: [`Engine::tick`], send what [`Engine::transmit`] yields, collect [`Engine::finished`], wait until
//! [`Engine::next_deadline`] or a message, give it to [`Engine::receive`].
//!
//! What always holds: a device has one request outstanding (and its retries); an answer counts only when it comes from the address that
//! was asked and carries an id that is outstanding, and ids cannot be guessed; every poll ends.

mod get;
mod ids;
mod memory;
mod options;
mod outcome;
mod pace;
mod saved;
mod session;
mod timers;
mod walk;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

pub use ids::Ids;
pub use memory::{EngineTime, Memory};
pub use options::{PollOptions, SNMP_PORT, Target, Transport};
pub use outcome::{Finished, Job, PollError, PollStats};
pub use pace::Pace;
pub use saved::SavedMemory;

use crate::ber::{BerError, MESSAGE_BYTES_MAX, Writer};
use crate::conversation::{Conversation, Failure};
use crate::credentials::Version;
use crate::pdu::{Envelope, Pdu, PduKind};
use crate::usm::message::Incoming;
use pace::Pacer;
use session::{Attempt, Forged, Next, Session};
use timers::Timers;

/// What the engine counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages sent.
    pub requests: u64,
    /// Messages that answered one of ours.
    pub responses: u64,
    /// Dropped: no valid SNMP, or no response.
    pub dropped_malformed: u64,
    /// Dropped: no such id is outstanding (late, duplicate, or a guess).
    pub dropped_unmatched: u64,
    /// Dropped: the id is outstanding, but with another address or version.
    pub dropped_spoofed: u64,
    /// Polls that ended, well or not.
    pub finished: u64,
}

/// A message to be sent.
#[derive(Debug)]
pub struct Transmit<'w> {
    /// Where to.
    pub target: Target,
    /// The message.
    pub bytes: &'w [u8],
    /// What [`Engine::send_failed`] wants to know when it could not be sent.
    pub ticket: Ticket,
}

/// Where a session stands that wants to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It does not want to.
    Idle,
    /// It waits (on its timer) for the moment that the pace allows.
    Booked,
    /// It stands in the queue of those that may.
    Queued,
}

/// Which request a message was of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    slot: u32,
    id: i32,
}

/// The engine. `K` is what the caller knows a device by, `C` the conversation.
#[derive(Debug)]
pub struct Engine<K, C> {
    sessions: Vec<Option<Box<Session<K, C>>>>,
    free: Vec<u32>,
    /// Which session waits for which id.
    waiting: HashMap<i32, u32, BuildHasherDefault<IdHasher>>,
    timers: Timers,
    /// Sessions that want to send.
    ready: VecDeque<u32>,
    turns: Vec<Turn>,
    pacer: Pacer,
    finished: VecDeque<Finished<K, C>>,
    ids: Ids,
    /// Counts up: no two messages are encrypted under the same.
    salt: u64,
    writer: Writer,
    scratch: Vec<u8>,
    counters: Counters,
}

impl<K, C: Conversation> Engine<K, C> {
    /// An engine without work.
    #[must_use]
    pub fn new(mut ids: Ids) -> Self {
        let salt = u64::from(ids.word()) << 32 | u64::from(ids.word());
        Self {
            salt,
            scratch: Vec::new(),
            sessions: Vec::new(),
            free: Vec::new(),
            waiting: HashMap::default(),
            timers: Timers::default(),
            ready: VecDeque::new(),
            turns: Vec::new(),
            pacer: Pacer::default(),
            finished: VecDeque::new(),
            ids,
            writer: Writer::new(MESSAGE_BYTES_MAX),
            counters: Counters::default(),
        }
    }

    /// Requests leave no faster than this.
    pub fn set_pace(&mut self, pace: Pace) {
        self.pacer = Pacer::new(pace);
    }

    /// How many polls are under way.
    #[must_use]
    pub fn inflight(&self) -> usize {
        self.sessions.len() - self.free.len()
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Begins a poll.
    pub fn submit(&mut self, job: Job<K, C>, now: Duration) {
        let (session, next) = Session::start(job, now);
        let session = Some(Box::new(session));
        let slot = match self.free.pop() {
            Some(slot) => {
                self.sessions[slot as usize] = session;
                slot
            }
            None => {
                self.sessions.push(session);
                self.turns.push(Turn::Idle);
                u32::try_from(self.sessions.len() - 1).expect("fewer than four billion polls")
            }
        };
        self.follow(slot, next, now);
    }

    /// The next message to send, if any.
    pub fn transmit(&mut self, now: Duration) -> Option<Transmit<'_>> {
        let (slot, target, id) = loop {
            let slot = self.ready.pop_front()?;
            self.turns[slot as usize] = Turn::Idle;
            let Some(session) = self.sessions[slot as usize]
                .as_deref_mut()
                .filter(|session| session.wants_to_send())
            else {
                continue;
            };
            let id = loop {
                let id = self.ids.next_id();
                if !self.waiting.contains_key(&id) {
                    break id;
                }
            };
            self.salt = self.salt.wrapping_add(1);
            let deadline = session.write(id, self.salt, &mut self.writer, now);
            self.waiting.insert(id, slot);
            self.timers.set(slot, deadline);
            break (slot, session.job.target, id);
        };
        self.counters.requests += 1;
        Some(Transmit {
            target,
            bytes: self
                .writer
                .finish()
                .expect("a request is limited by reply_bytes_max and fits a datagram"),
            ticket: Ticket { slot, id },
        })
    }

    /// A message of [`Engine::transmit`] could not be sent: its poll ends, unless that was said of a former message.
    pub fn send_failed(&mut self, ticket: Ticket, error: io::Error, now: Duration) {
        if self.waiting.get(&ticket.id) != Some(&ticket.slot) {
            return;
        }
        if let Some(session) = self.sessions[ticket.slot as usize].as_deref_mut() {
            session.abandon(Failure::Timeout);
        }
        self.follow(ticket.slot, Next::End(Some(PollError::Send(error))), now);
    }

    /// A message came in.
    pub fn receive(&mut self, source: SocketAddr, bytes: &[u8], now: Duration) {
        let outcome = Envelope::read(bytes).and_then(|envelope| match envelope.version {
            Version::V3 => self.receive_secure(source, bytes, envelope, now),
            _ => self.receive_open(source, bytes, envelope, now),
        });
        if outcome.is_err() {
            self.counters.dropped_malformed += 1;
        }
    }

    fn receive_open(
        &mut self,
        source: SocketAddr,
        bytes: &[u8],
        envelope: Envelope<'_>,
        now: Duration,
    ) -> Result<(), BerError> {
        let (_, tag, content) = envelope.community()?;
        let pdu = Pdu::read_content(tag, content)?;
        if pdu.kind != PduKind::Response {
            return Err(BerError::Message);
        }
        if let Some((slot, attempt)) = self.find(source, envelope.version, pdu.request_id)
            && let Some(session) = self.sessions[slot as usize].as_deref_mut()
        {
            self.counters.responses += 1;
            let next = session.respond(attempt, &pdu, bytes.len(), now);
            self.follow(slot, next, now);
        }
        Ok(())
    }

    fn receive_secure(
        &mut self,
        source: SocketAddr,
        bytes: &[u8],
        envelope: Envelope<'_>,
        now: Duration,
    ) -> Result<(), BerError> {
        let incoming = Incoming::read(bytes, envelope.rest)?;
        if let Some((slot, attempt)) = self.find(source, Version::V3, incoming.id)
            && let Some(session) = self.sessions[slot as usize].as_deref_mut()
        {
            let scratch = &mut self.scratch;
            match session.respond_secure(attempt, &incoming, scratch, bytes.len(), now) {
                Ok(next) => {
                    self.counters.responses += 1;
                    self.follow(slot, next, now);
                }
                Err(Forged) => self.counters.dropped_spoofed += 1,
            }
        }
        Ok(())
    }

    /// Who waits for this id from this address; counts what nobody waits for.
    fn find(&mut self, source: SocketAddr, version: Version, id: i32) -> Option<(u32, Attempt)> {
        let Some(slot) = self.waiting.get(&id).copied() else {
            self.counters.dropped_unmatched += 1;
            return None;
        };
        let session = self.sessions[slot as usize].as_deref()?;
        let target = session.job.target.address;
        let attempt = session.attempt(id).filter(|attempt| {
            target.ip() == source.ip()
                && target.port() == source.port()
                && session.version_of(attempt) == version
        });
        if attempt.is_none() {
            self.counters.dropped_spoofed += 1;
        }
        attempt.map(|attempt| (slot, attempt))
    }

    /// Lets time pass: requests that waited long enough are sent again or given up.
    pub fn tick(&mut self, now: Duration) {
        while let Some(slot) = self.timers.due(now) {
            if self.turns[slot as usize] == Turn::Booked {
                self.turns[slot as usize] = Turn::Queued;
                self.ready.push_back(slot);
                continue;
            }
            if let Some(session) = self.sessions[slot as usize].as_deref_mut() {
                let next = session.timed_out();
                self.follow(slot, next, now);
            }
        }
    }

    /// When [`Engine::tick`] has something to do, at the earliest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// A poll that ended.
    pub fn finished(&mut self) -> Option<Finished<K, C>> {
        self.finished.pop_front()
    }

    /// Ends every poll under way with [`PollError::Stopped`].
    pub fn stop(&mut self, now: Duration) {
        for slot in 0..self.sessions.len() as u32 {
            if let Some(session) = self.sessions[slot as usize].as_deref_mut() {
                session.abandon(Failure::Timeout);
                self.follow(slot, Next::End(Some(PollError::Stopped)), now);
            }
        }
    }

    fn follow(&mut self, slot: u32, next: Next, now: Duration) {
        let Some(session) = self.sessions[slot as usize].as_deref_mut() else {
            return;
        };
        for id in session.retired() {
            self.waiting.remove(&id);
        }
        match next {
            Next::Send if self.turns[slot as usize] == Turn::Idle => {
                let address = session.job.target.address.ip();
                let moment = self.pacer.book(address, now);
                if moment > now {
                    self.turns[slot as usize] = Turn::Booked;
                    self.timers.set(slot, moment);
                } else {
                    self.turns[slot as usize] = Turn::Queued;
                    self.timers.clear(slot);
                    self.ready.push_back(slot);
                }
            }
            Next::Send => {}
            Next::End(error) => self.end(slot, error, now),
        }
    }

    fn end(&mut self, slot: u32, error: Option<PollError>, now: Duration) {
        self.timers.clear(slot);
        if self.turns[slot as usize] == Turn::Booked {
            self.turns[slot as usize] = Turn::Idle;
        }
        let Some(session) = self.sessions[slot as usize].take() else {
            return;
        };
        self.free.push(slot);
        self.counters.finished += 1;
        let took = session.took(now);
        let Session { job, mut stats, .. } = *session;
        stats.took = took;
        self.finished.push_back(Finished {
            token: job.token,
            target: job.target,
            conversation: job.conversation,
            memory: job.memory,
            stats,
            error,
        });
    }
}

/// Ids are random already.
#[derive(Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn write_i32(&mut self, id: i32) {
        // The table takes its tag from the top bits and its place from the bottom bits.
        let id = u64::from(id.cast_unsigned());
        self.0 = id << 33 | id;
    }
}

#[cfg(test)]
mod tests;
