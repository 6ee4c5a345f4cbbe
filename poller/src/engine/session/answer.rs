//! What an answer leads to.

use std::time::Duration;

use super::{Asking, Attempt, Candidate, Next, Session};
use crate::conversation::{Conversation, Failure};
use crate::engine::outcome::PollError;
use crate::engine::{memory, walk};
use crate::pdu::{Pdu, Request, error_status};
use crate::value::ValueRef;

impl<K, C: Conversation> Session<K, C> {
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
                return self.refused(attempt.candidate, "authorizationError");
            }
            self.prove(attempt.candidate);
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

    /// The device lets this candidate not in.
    pub(super) fn refused(&mut self, candidate: Candidate, reason: &'static str) -> Next {
        self.refusal = Some(reason);
        self.candidates.retain(|other| !other.is_same(candidate));
        let retired = self
            .attempts
            .extract_if(.., |attempt| attempt.candidate.is_same(candidate));
        self.retired.extend(retired.map(|attempt| attempt.id));
        if self.candidates.is_empty() {
            // The next poll tries them all.
            self.job.memory.credential_misses = memory::CREDENTIAL_MISSES_MAX;
            self.abandon(Failure::Authentication);
            return Next::End(Some(PollError::Refused { reason }));
        }
        if self.candidate >= self.candidates.len() {
            self.candidate = 0;
        }
        Next::Send
    }

    fn prove(&mut self, candidate: Candidate) {
        self.proven = true;
        self.candidates.clear();
        self.candidates.push(candidate);
        self.candidate = 0;
        let credential = &self.job.options.credentials[candidate.credential];
        let memory = &mut self.job.memory;
        self.stats.credential = Some(credential.label.clone());
        self.stats.version = Some(credential.version());
        memory.credential = Some(credential.label.clone());
        memory.credential_misses = 0;
        memory.context = candidate
            .context_of(credential)
            .filter(|context| !context.is_empty())
            .map(Into::into);
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
                if taken == walk::Taken::default() {
                    if bulk {
                        walk.bulk = false;
                        memory.bulk_refused = true;
                    } else {
                        walk.drop_group(Failure::Malformed);
                    }
                }
                memory.bulk_proven |= bulk && taken.variables > 0 && taken.loops_cut == 0;
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
}
