//! One poll of one device: which PDU is under way, under which credential, and what its answer, or none, leads to.

use std::time::Duration;

use super::get::GetProgress;
use super::outcome::{Job, PollError, PollStats};
use super::walk::WalkProgress;
use crate::ber::Writer;
use crate::conversation::{Ask, Conversation, Failure};
use crate::credentials::{Access, Credential, Version};
use crate::pdu::{self, Pdu, Request, error_status};
use crate::value::ValueRef;

/// The most asks of one poll: a conversation that never ends must end.
const ASKS_MAX: u32 = 10_000;

/// The most attempts of one PDU that are remembered: a late answer to any of them is as good as to the last.
const ATTEMPTS_MAX: usize = 24;

/// What version, community and the heads of message and PDU need, at most.
const MESSAGE_BYTES_BESIDE_BINDINGS: usize = 60;

/// The attempt (from 0) that is made smaller, because a device that answered neither of the two before may have found them too big.
const SMALLER_ATTEMPT: usize = 2;

/// After so many asks in a row without an answer the device is silent.
const SILENT_ASKS_MAX: u32 = 2;

/// What a session wants next.
#[derive(Debug)]
pub enum Next {
    /// To send: [`Session::write`].
    Send,
    /// Nothing, until an answer or its deadline comes.
    Wait,
    /// To end.
    End(Option<PollError>),
}

/// A message that was sent and may be answered.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// What the answer must carry.
    pub id: i32,
    sent: Duration,
    credential: usize,
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
    /// Indices of the credentials that may be tried, in order; one, once it was answered.
    candidates: Vec<usize>,
    candidate: usize,
    proven: bool,
    refusal: Option<&'static str>,
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
        let candidates = candidates(&job);
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
        self.job.options.credentials[attempt.credential].version()
    }

    /// Writes the next message under `id` and says until when to wait for its answer.
    pub fn write(&mut self, id: i32, writer: &mut Writer, now: Duration) -> Duration {
        let credential_at = self.candidates[self.candidate];
        let options = &self.job.options;
        let credential = &options.credentials[credential_at];
        let (community, version) = community(credential);
        let bytes_max = options
            .reply_bytes_max
            .saturating_sub(MESSAGE_BYTES_BESIDE_BINDINGS + community.len());
        let (request, count) = match &mut self.asking {
            Asking::Get(get) => {
                let mut count = get.plan(variables_limit(&self.job), bytes_max);
                if self.made_smaller {
                    count = count.div_ceil(2);
                }
                let names = get.names(count);
                pdu::write_community_request(writer, (version, community), Request::Get, id, names);
                (Request::Get, count)
            }
            Asking::Walk(walk) => {
                let bulk = walk.bulk;
                walk.bulk = bulk && version != Version::V1 && !self.made_smaller;
                let (count, repetitions) = walk.plan(bytes_max);
                walk.bulk = bulk;
                let request = repetitions.map_or(Request::GetNext, |max_repetitions| {
                    Request::GetBulk { max_repetitions }
                });
                let names = walk.names(count);
                pdu::write_community_request(writer, (version, community), request, id, names);
                (request, count)
            }
            Asking::Nothing => unreachable!("only a session with an ask wants to send"),
        };
        self.stats.requests += 1;
        self.stats.retries += u32::from(!self.attempts.is_empty());
        self.stats.bytes_sent += writer.len() as u64;
        if self.attempts.len() >= ATTEMPTS_MAX {
            self.retired.push(self.attempts.remove(0).id);
        }
        self.attempts.push(Attempt {
            id,
            sent: now,
            credential: credential_at,
            request,
            count,
            smaller: self.made_smaller,
        });
        now + self.patience()
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
        if self.round < self.job.options.timeouts.len() {
            self.made_smaller |= self.round == SMALLER_ATTEMPT;
            return Next::Send;
        }
        if self.stats.responses == 0 {
            self.job.memory.credential_misses += 1;
            let requests = self.stats.requests;
            self.abandon(Failure::Timeout);
            return Next::End(Some(PollError::NoAnswer { requests }));
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

    /// An answer to `attempt`, `bytes` long, came in.
    pub fn respond(
        &mut self,
        attempt: Attempt,
        pdu: &Pdu<'_>,
        bytes: usize,
        now: Duration,
    ) -> Next {
        self.stats.responses += 1;
        self.stats.bytes_received += bytes as u64;
        self.measure(now.saturating_sub(attempt.sent));
        if !self.proven {
            if matches!(
                pdu.error_status,
                error_status::AUTHORIZATION_ERROR | error_status::NO_ACCESS
            ) {
                return self.refused(attempt.credential, "authorizationError");
            }
            self.prove(attempt.credential);
        }
        self.silent_asks = 0;
        self.retire();
        match pdu.error_status {
            error_status::NO_ERROR => self.take(attempt, pdu, bytes),
            error_status::TOO_BIG => self.too_big(attempt),
            status => self.failed(attempt, status, pdu.error_index),
        }
        self.go_on()
    }

    /// The device lets this credential not in.
    fn refused(&mut self, credential: usize, reason: &'static str) -> Next {
        self.refusal = Some(reason);
        let Some(at) = self.candidates.iter().position(|&it| it == credential) else {
            return Next::Wait;
        };
        self.candidates.remove(at);
        self.attempts
            .retain(|attempt| attempt.credential != credential);
        if self.candidates.is_empty() {
            self.job.memory.credential_misses += 1;
            self.abandon(Failure::Authentication);
            return Next::End(Some(PollError::Refused { reason }));
        }
        if self.candidate >= self.candidates.len() {
            self.candidate = 0;
        }
        Next::Send
    }

    fn prove(&mut self, credential: usize) {
        self.proven = true;
        self.candidates.clear();
        self.candidates.push(credential);
        self.candidate = 0;
        let credential = &self.job.options.credentials[credential];
        self.stats.credential = Some(credential.label.clone());
        self.stats.version = Some(credential.version());
        self.job.memory.credential = Some(credential.label.clone());
        self.job.memory.credential_misses = 0;
    }

    /// RFC 6298's estimate of the round trip time.
    fn measure(&mut self, rtt: Duration) {
        let memory = &mut self.job.memory;
        if memory.rtt.is_zero() {
            memory.rtt = rtt;
            memory.rtt_deviation = rtt / 2;
        } else {
            let off = memory.rtt.abs_diff(rtt);
            memory.rtt_deviation = (memory.rtt_deviation * 3 + off) / 4;
            memory.rtt = (memory.rtt * 7 + rtt) / 8;
        }
        let least = &mut self.stats.rtt_min;
        if least.is_zero() || rtt < *least {
            *least = rtt;
        }
    }

    fn take(&mut self, attempt: Attempt, pdu: &Pdu<'_>, bytes: usize) {
        let conversation = &mut self.job.conversation;
        let memory = &mut self.job.memory;
        match &mut self.asking {
            Asking::Get(get) => {
                let answered = get.take(attempt.count, pdu.bindings, conversation);
                if answered == 0 {
                    // Valid SNMP that answers another question: ask for less, and in the end for nothing.
                    if attempt.count > 1 {
                        memory.refuse(attempt.count);
                    } else {
                        get.drop_nth(1, 0, Err(Failure::Malformed), conversation);
                    }
                } else if answered < attempt.count {
                    memory.refuse(attempt.count);
                } else if attempt.smaller {
                    memory.limit(attempt.count, attempt.count * 2);
                } else if bytes > self.job.options.reply_bytes_max && attempt.count > 1 {
                    let fitting = attempt.count * self.job.options.reply_bytes_max / bytes;
                    memory.limit(fitting, attempt.count);
                } else {
                    memory.accept(attempt.count, self.job.options.variables_max);
                }
            }
            Asking::Walk(walk) => {
                if attempt.smaller && walk.bulk {
                    // GETBULK went unanswered twice and GETNEXT was answered at once.
                    walk.bulk = false;
                    memory.bulk_strike();
                }
                let taken = walk.take(attempt.count, pdu.bindings, conversation);
                let bulk = matches!(attempt.request, Request::GetBulk { .. });
                if taken.loops_cut > 0 && bulk {
                    memory.bulk_strike();
                }
                if taken == super::walk::Taken::default() {
                    if bulk {
                        walk.bulk = false;
                        memory.bulk_refused = true;
                    } else {
                        walk.drop_group(Failure::Malformed);
                    }
                }
                memory.binding_bytes = walk.binding_bytes();
            }
            Asking::Nothing => {}
        }
    }

    fn too_big(&mut self, attempt: Attempt) {
        let failure = Failure::ErrorStatus(error_status::TOO_BIG);
        match &mut self.asking {
            Asking::Get(_) if attempt.count > 1 => self.job.memory.refuse(attempt.count),
            Asking::Get(get) => {
                get.drop_nth(1, 0, Err(failure), &mut self.job.conversation);
            }
            Asking::Walk(walk) => match attempt.request {
                Request::GetBulk { max_repetitions } if max_repetitions > 1 => {
                    walk.repetitions_max = (max_repetitions / 2) as usize;
                }
                _ if attempt.count > 1 => walk.columns_max = attempt.count / 2,
                _ => walk.drop_group(failure),
            },
            Asking::Nothing => {}
        }
    }

    /// An error status. The device blames one binding: it is given up and the others are asked again. SNMPv1's noSuchName says that
    /// the instance does not exist; some devices say so within SNMPv2c.
    fn failed(&mut self, attempt: Attempt, status: u32, index: u32) {
        let missing = status == error_status::NO_SUCH_NAME;
        let failure = Failure::ErrorStatus(status);
        let blamed = match index as usize {
            _ if attempt.count == 1 => Some(0),
            index @ 1.. if index <= attempt.count => Some(index - 1),
            _ => None,
        };
        match (&mut self.asking, blamed) {
            (Asking::Get(get), Some(nth)) => {
                let outcome = if missing {
                    Ok(ValueRef::NoSuchInstance)
                } else {
                    Err(failure)
                };
                let conversation = &mut self.job.conversation;
                let dropped = get.drop_nth(attempt.count, nth, outcome, conversation);
                if let (true, Some(oid)) = (missing, dropped) {
                    self.job.memory.miss(oid);
                }
            }
            // It does not say which: ask for less until it is clear.
            (Asking::Get(_), None) => self.job.memory.refuse(attempt.count),
            (Asking::Walk(walk), _) if matches!(attempt.request, Request::GetBulk { .. }) => {
                walk.bulk = false;
                self.job.memory.bulk_refused = true;
            }
            (Asking::Walk(walk), Some(nth)) => walk.drop_nth(nth, (!missing).then_some(failure)),
            (Asking::Walk(walk), None) => walk.columns_max = (attempt.count / 2).max(1),
            (Asking::Nothing, _) => {}
        }
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
            Asking::Get(get) => self.done_buffer = get.into_buffer(),
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

/// The community of a credential that has one.
fn community(credential: &Credential) -> (&[u8], Version) {
    match &credential.access {
        Access::V1(community) | Access::V2c(community) => (community, credential.version()),
        Access::V3(_) => unreachable!("not a candidate"),
    }
}

/// How many variables the next PDU may have.
fn variables_limit<K, C>(job: &Job<K, C>) -> usize {
    let limit = match job.memory.variables {
        0 => job.options.variables_start,
        known => known as usize,
    };
    limit.clamp(1, job.options.variables_max.max(1))
}

/// The credentials to try: the one that worked before, alone as long as it was not missed twice; else all, that one first.
/// Communities are out once the device answered SNMPv3.
fn candidates<K, C>(job: &Job<K, C>) -> Vec<usize> {
    let memory = &job.memory;
    let remembered =
        |credential: &Credential| memory.credential.as_ref() == Some(&credential.label);
    let mut candidates: Vec<usize> = (0..job.options.credentials.len())
        .filter(|&at| {
            let version = job.options.credentials[at].version();
            version != Version::V3
        })
        .collect();
    candidates.sort_by_key(|&at| !remembered(&job.options.credentials[at]));
    let known = candidates
        .first()
        .is_some_and(|&at| remembered(&job.options.credentials[at]));
    if known && memory.credential_misses < super::memory::CREDENTIAL_MISSES_MAX {
        candidates.truncate(1);
    }
    candidates
}
