//! One poll of one device: which PDU is under way, under which credential, and what its answer, or none, leads to.

mod answer;
mod candidate;
mod secure;

use std::time::Duration;

use super::get::GetProgress;
use super::outcome::{Job, PollError, PollStats};
use super::walk::WalkProgress;
use crate::ber::Writer;
use crate::conversation::{Ask, Conversation, Failure};
use crate::credentials::{Access, Version};
use crate::pdu::{self, Request};
use candidate::Candidate;
pub use secure::Forged;
use secure::Sent;

/// The most asks of one poll: a conversation that never ends must end.
const ASKS_MAX: u32 = 10_000;

/// The most attempts of one PDU that are remembered: a late answer to any of them is as good as to the last.
const ATTEMPTS_MAX: usize = 24;

/// What version and the heads of message and PDU need, at most.
const MESSAGE_BYTES_BESIDE_BINDINGS: usize = 60;

/// What SNMPv3 needs beside that, names left out, at most.
const SECURITY_BYTES: usize = 150;

/// The attempt (from 0) that is made smaller, because a device that answered neither of the two before may have found them too big.
const SMALLER_ATTEMPT: usize = 2;

/// After so many asks in a row without an answer the device is silent.
const SILENT_ASKS_MAX: u32 = 2;

/// What a session wants next.
#[derive(Debug)]
pub enum Next {
    /// To send: [`Session::write`].
    Send,
    /// To end.
    End(Option<PollError>),
}

/// A message that was sent and may be answered.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// What the answer must carry.
    pub id: i32,
    sent: Duration,
    candidate: Candidate,
    request: Request,
    /// How many instances or columns it asks for.
    count: usize,
    /// It asks for less than the attempts before it.
    smaller: bool,
}

#[derive(Debug)]
enum Asking {
    Nothing,
    Get(GetProgress),
    Walk(Box<WalkProgress>),
}

/// One poll under way.
#[derive(Debug)]
pub struct Session<K, C> {
    /// The job; `memory` is brought up to date as the poll goes on.
    pub job: Job<K, C>,
    /// What it cost so far.
    pub stats: PollStats,
    started: Duration,
    asking: Asking,
    asks: u32,
    silent_asks: u32,
    /// What may be tried, in order; one, once it was answered.
    candidates: Vec<Candidate>,
    candidate: usize,
    proven: bool,
    refusal: Option<&'static str>,
    /// How often the clock of an SNMPv3 engine was asked for in vain.
    resyncs: u32,
    /// The PDU under way: how often it timed out, what may still answer it.
    round: usize,
    attempts: Vec<Attempt>,
    /// Ids that no answer may carry any more, until the engine has heard of it.
    retired: Vec<i32>,
    /// The PDU was made smaller, because it had timed out.
    made_smaller: bool,
    done_buffer: Vec<bool>,
}

impl<K, C: Conversation> Session<K, C> {
    /// A session that has sent nothing yet, and what it wants first.
    pub fn start(job: Job<K, C>, now: Duration) -> (Self, Next) {
        let candidates = candidate::candidates(&job.options.credentials, &job.memory);
        let mut session = Self {
            job,
            stats: PollStats::default(),
            started: now,
            asking: Asking::Nothing,
            asks: 0,
            silent_asks: 0,
            candidates,
            candidate: 0,
            proven: false,
            refusal: None,
            resyncs: 0,
            round: 0,
            attempts: Vec::new(),
            retired: Vec::new(),
            made_smaller: false,
            done_buffer: Vec::new(),
        };
        let next = if session.candidates.is_empty() || session.job.options.timeouts.is_empty() {
            Next::End(Some(PollError::NoCredential))
        } else {
            session.go_on()
        };
        (session, next)
    }

    /// Whether there is an ask under way.
    pub const fn wants_to_send(&self) -> bool {
        !matches!(self.asking, Asking::Nothing)
    }

    /// The message under `id`, while it may still be answered.
    pub fn attempt(&self, id: i32) -> Option<Attempt> {
        self.attempts
            .iter()
            .find(|attempt| attempt.id == id)
            .copied()
    }

    /// The version an attempt was made in.
    pub fn version_of(&self, attempt: &Attempt) -> Version {
        self.job.options.credentials[attempt.candidate.credential].version()
    }

    /// Writes the next message under `id` and says until when to wait for its answer. `salt` is for encryption and new each time.
    pub fn write(&mut self, id: i32, salt: u64, writer: &mut Writer, now: Duration) -> Duration {
        let candidate = self.candidates[self.candidate];
        let options = self.job.options.clone();
        let credential = &options.credentials[candidate.credential];
        let access = &credential.access;
        let bytes_max = options
            .reply_bytes_max
            .saturating_sub(bytes_beside_bindings(access));
        let (request, count) = self.plan(credential.version(), bytes_max);
        let write_pdu = |w: &mut Writer| match &self.asking {
            Asking::Get(get) => pdu::write_request(w, request, id, get.names(count)),
            Asking::Walk(walk) => pdu::write_request(w, request, id, walk.names(count)),
            Asking::Nothing => {}
        };
        match access {
            Access::V1(community) | Access::V2c(community) => {
                writer.clear();
                write_pdu(writer);
                pdu::write_community(writer, credential.version(), community);
            }
            Access::V3(principal) => {
                let engine = self.job.memory.engine.as_ref();
                let sent = Sent { id, salt, now };
                secure::write(
                    writer,
                    principal,
                    candidate.context,
                    engine,
                    sent,
                    write_pdu,
                );
            }
        }
        self.stats.requests += 1;
        self.stats.retries += u32::from(!self.attempts.is_empty());
        self.stats.bytes_sent += writer.len() as u64;
        if self.attempts.len() >= ATTEMPTS_MAX {
            self.retired.push(self.attempts.remove(0).id);
        }
        self.attempts.push(Attempt {
            id,
            sent: now,
            candidate,
            request,
            count,
            smaller: self.made_smaller,
        });
        now + self.patience()
    }

    /// What the next PDU asks for, and how many instances or columns.
    fn plan(&mut self, version: Version, bytes_max: usize) -> (Request, usize) {
        match &mut self.asking {
            Asking::Get(get) => {
                let count = get.plan(variables_limit(&self.job), bytes_max);
                let count = if self.made_smaller {
                    count.div_ceil(2)
                } else {
                    count
                };
                (Request::Get, count)
            }
            Asking::Walk(walk) => {
                let bulk = walk.bulk && version != Version::V1 && !self.made_smaller;
                let (count, repetitions) = walk.plan(bulk, bytes_max);
                let request = repetitions.map_or(Request::GetNext, |max_repetitions| {
                    Request::GetBulk { max_repetitions }
                });
                (request, count)
            }
            Asking::Nothing => unreachable!("only a session with an ask wants to send"),
        }
    }

    /// How long the attempt just made waits. Where the round trip time is known, the first attempts wait a few of it; the last
    /// always waits as long as configured, for devices that have to wake up first.
    fn patience(&self) -> Duration {
        let timeouts = &self.job.options.timeouts;
        let last = timeouts.len() - 1;
        let configured = timeouts[self.round.min(last)];
        let memory = &self.job.memory;
        if memory.rtt.is_zero() || self.round >= last {
            return configured;
        }
        let estimate = (memory.rtt + memory.rtt_deviation * 4) * (1 << self.round.min(8));
        estimate.max(self.job.options.timeout_min).min(configured)
    }

    /// The deadline passed without an answer.
    pub fn timed_out(&mut self) -> Next {
        if !self.proven && self.candidate + 1 < self.candidates.len() {
            self.candidate += 1;
            return Next::Send;
        }
        if !self.proven {
            self.candidate = 0;
        }
        self.round += 1;
        let options = &self.job.options;
        let rounds = match self.proven {
            true => options.timeouts.len(),
            false => options.timeouts.len().min(options.rounds_unanswered),
        };
        if self.round < rounds {
            self.made_smaller |= self.round == SMALLER_ATTEMPT;
            return Next::Send;
        }
        if !self.proven {
            self.job.memory.credential_misses += 1;
            let requests = self.stats.requests;
            self.abandon(Failure::Timeout);
            return Next::End(Some(match self.refusal {
                Some(reason) => PollError::Refused { reason },
                None => PollError::NoAnswer { requests },
            }));
        }
        self.silent_asks += 1;
        if self.silent_asks >= SILENT_ASKS_MAX {
            let responses = self.stats.responses;
            self.abandon(Failure::Timeout);
            return Next::End(Some(PollError::FellSilent { responses }));
        }
        self.answered(Some(Failure::Timeout));
        self.go_on()
    }

    /// Goes on with the ask under way, or with the next that needs the network.
    fn go_on(&mut self) -> Next {
        loop {
            let pending = match &mut self.asking {
                Asking::Nothing => false,
                Asking::Get(get) => get.is_pending(),
                Asking::Walk(walk) => walk.is_pending(),
            };
            if pending {
                return Next::Send;
            }
            let failure = match &self.asking {
                Asking::Nothing => None,
                Asking::Get(get) => get.failure(),
                Asking::Walk(walk) => walk.failure(),
            };
            self.answered(failure);
            if self.asks >= ASKS_MAX {
                return Next::End(None);
            }
            let Some(ask) = self.job.conversation.next_ask() else {
                return Next::End(None);
            };
            self.asks += 1;
            self.asking = match ask {
                Ask::Get(oids) => {
                    let mut get = GetProgress::start(oids, std::mem::take(&mut self.done_buffer));
                    get.skip_missing(&self.job.memory.missing, &mut self.job.conversation);
                    Asking::Get(get)
                }
                Ask::Walk {
                    columns,
                    rows_expected,
                    rows_max,
                } => {
                    let bulk = self.job.options.bulk
                        && !self.job.memory.bulk_refused
                        && self.job.conversation.bulk_allowed();
                    let binding_bytes = self.job.memory.binding_bytes;
                    Asking::Walk(Box::new(WalkProgress::start(
                        columns,
                        rows_expected,
                        rows_max,
                        bulk,
                        binding_bytes,
                    )))
                }
            };
        }
    }

    /// The ask under way, if any, is over.
    fn answered(&mut self, failure: Option<Failure>) {
        self.retire();
        match std::mem::replace(&mut self.asking, Asking::Nothing) {
            Asking::Nothing => return,
            Asking::Get(get) => {
                let (oids, buffer) = get.into_parts();
                self.done_buffer = buffer;
                self.job.conversation.take_back(oids);
            }
            Asking::Walk(_) => {}
        }
        self.job.conversation.answered(failure);
    }

    /// The PDU under way is over: no answer to it counts any more.
    fn retire(&mut self) {
        self.round = 0;
        self.made_smaller = false;
        let ids = self.attempts.drain(..).map(|attempt| attempt.id);
        self.retired.extend(ids);
    }

    /// Ids that no answer may carry any more.
    pub fn retired(&mut self) -> impl Iterator<Item = i32> {
        self.retired.drain(..)
    }

    /// The poll ends here: the ask under way failed.
    pub fn abandon(&mut self, failure: Failure) {
        self.answered(Some(failure));
    }

    /// How long the poll took until `now`.
    pub fn took(&self, now: Duration) -> Duration {
        now.saturating_sub(self.started)
    }
}

/// What a message needs beside its bindings.
fn bytes_beside_bindings(access: &Access) -> usize {
    let own = match access {
        Access::V1(community) | Access::V2c(community) => community.len(),
        Access::V3(principal) => SECURITY_BYTES + principal.user().name.len(),
    };
    MESSAGE_BYTES_BESIDE_BINDINGS + own
}

/// How many variables the next PDU may have.
fn variables_limit<K, C>(job: &Job<K, C>) -> usize {
    let limit = match job.memory.variables {
        0 => job.options.variables_start,
        known => known as usize,
    };
    limit.clamp(1, job.options.variables_max.max(1))
}
