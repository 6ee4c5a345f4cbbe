//! SNMPv3 from the side of who asks: learning an engine's id and clock, and what its reports mean.

use std::time::Duration;

use super::{Attempt, Candidate, Next, Session};
use crate::ber::Writer;
use crate::conversation::Conversation;
use crate::credentials::{Access, Version};
use crate::engine::memory::EngineTime;
use crate::oid::Oid;
use crate::pdu::{self, Pdu, PduKind, Request, error_status};
use crate::usm::cipher::Moment;
use crate::usm::message::{self, Incoming, Outgoing};
use crate::usm::{EngineKeys, Principal};

/// After so many corrections in a row of id or clock that did not help, the engine is given up.
const RESYNCS_MAX: u32 = 3;

/// How far an authentic message may lag behind (RFC 3414, 2.2.3).
const TIME_WINDOW_SECONDS: u32 = 150;

const NO_KEYS: &EngineKeys = &EngineKeys {
    auth: None,
    privacy: None,
};

/// The group that agents show in every context.
const SYSTEM: &[u32] = &[1, 3, 6, 1, 2, 1, 1];

/// snmpUnknownContexts
const UNKNOWN_CONTEXTS: &[u32] = &[1, 3, 6, 1, 6, 3, 12, 1, 5, 0];
/// usmStats
const USM_STATS: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1];

/// A message that does not prove to be what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forged;

/// What differs with each message.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub id: i32,
    pub salt: u64,
    pub now: Duration,
}

/// Writes a request, or, when the engine is not known yet, the question who it is.
pub fn write(
    writer: &mut Writer,
    principal: &Principal,
    context: usize,
    engine: Option<&EngineTime>,
    sent: Sent,
    write_pdu: impl FnOnce(&mut Writer),
) {
    let Sent { id, salt, now } = sent;
    let Some(engine) = engine else {
        let question = Outgoing {
            id,
            is_reportable: true,
            engine_id: &[],
            moment: Moment { boots: 0, time: 0 },
            user: &[],
            keys: NO_KEYS,
            context_engine_id: &[],
            context: &[],
            salt,
        };
        message::write(writer, &question, |w| {
            pdu::write_request(w, Request::Get, id, [].into_iter());
        });
        return;
    };
    let request = Outgoing {
        id,
        is_reportable: true,
        engine_id: &engine.id,
        moment: engine.moment(now),
        user: principal.user().name.as_bytes(),
        keys: &principal.at_engine(&engine.id),
        context_engine_id: &engine.id,
        context: principal.context(context).as_bytes(),
        salt,
    };
    message::write(writer, &request, write_pdu);
}

impl EngineTime {
    /// What its clock says now, as far as known.
    fn moment(&self, now: Duration) -> Moment {
        let passed = now.saturating_sub(self.at).as_secs();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        Moment {
            boots: self.boots,
            time: self.time.saturating_add(passed).min(i32::MAX as u32),
        }
    }
}

impl<K, C: Conversation> Session<K, C> {
    /// An answer to `attempt` came in.
    ///
    /// # Errors
    /// When it is not authentic, too late, or less protected than what was asked.
    pub fn respond_secure(
        &mut self,
        attempt: Attempt,
        incoming: &Incoming<'_>,
        scratch: &mut Vec<u8>,
        bytes: usize,
        now: Duration,
    ) -> Result<Next, Forged> {
        let options = self.job.options.clone();
        let credential = &options.credentials[attempt.candidate.credential];
        let Access::V3(principal) = &credential.access else {
            return Err(Forged);
        };
        let (is_authenticated, is_encrypted) = incoming.level();
        if is_encrypted && !is_authenticated {
            return Err(Forged);
        }
        let known;
        let keys = if is_authenticated {
            known = principal.at_engine(incoming.engine_id);
            if !incoming.is_authentic(&known) {
                return Err(Forged);
            }
            &*known
        } else {
            NO_KEYS
        };
        let scoped = incoming.open(keys, scratch).map_err(|_| Forged)?;
        let pdu = scoped.pdu;
        if pdu.kind == PduKind::Report {
            return Ok(self.report(attempt, incoming, &pdu, bytes, now));
        }
        let is_fitting = pdu.kind == PduKind::Response
            && pdu.request_id == attempt.id
            && incoming.level() == principal.level();
        if !is_fitting || !self.is_timely(incoming, is_authenticated, now) {
            return Err(Forged);
        }
        self.resyncs = 0;
        if is_authenticated {
            self.job.memory.v3_proven = true;
            let is_v3 =
                |other: &Candidate| options.credentials[other.credential].version() == Version::V3;
            self.candidates.retain(is_v3);
        }
        if self.is_poor(attempt.candidate, &pdu) {
            self.stats.responses += 1;
            self.stats.bytes_received += bytes as u64;
            self.put_last(attempt.candidate);
            return Ok(Next::Send);
        }
        Ok(self.respond(attempt, &pdu, bytes, now))
    }

    /// Whether the message is of the engine that was asked, and of now; the engine's clock is set by it.
    fn is_timely(
        &mut self,
        incoming: &Incoming<'_>,
        is_authenticated: bool,
        now: Duration,
    ) -> bool {
        let Some(engine) = &mut self.job.memory.engine else {
            return false;
        };
        if *engine.id != *incoming.engine_id {
            return false;
        }
        if !is_authenticated {
            return true;
        }
        let (told, expected) = (incoming.moment, engine.moment(now));
        let is_late = told.boots < expected.boots
            || (told.boots == expected.boots
                && told.time.saturating_add(TIME_WINDOW_SECONDS) < expected.time);
        if is_late {
            return false;
        }
        if told.boots > engine.boots || told.time > expected.time {
            engine.set(told, now);
        }
        true
    }

    /// The device says what is wrong with a message. Nobody can forge that who cannot read our messages: the id is a secret.
    fn report(
        &mut self,
        attempt: Attempt,
        incoming: &Incoming<'_>,
        pdu: &Pdu<'_>,
        bytes: usize,
        now: Duration,
    ) -> Next {
        self.stats.responses += 1;
        self.stats.bytes_received += bytes as u64;
        let mut bindings = *pdu;
        let first = bindings.bindings.next().and_then(Result::ok);
        let counter = first.and_then(|binding| Oid::from_ber(binding.name));
        let arcs = counter.as_ref().map_or(&[][..], Oid::arcs);
        let reason = match arcs.strip_prefix(USM_STATS) {
            Some([1, 0]) => "it does not support this level of security",
            Some([2, 0] | [4, 0]) => {
                return self.resync(attempt.candidate, incoming, now);
            }
            Some([3, 0]) => "it does not know the user",
            Some([5, 0]) => "the authentication password or protocol is wrong",
            Some([6, 0]) => "the privacy password or protocol is wrong",
            _ if arcs == UNKNOWN_CONTEXTS => "it does not know the context",
            _ => "it sends a report that says nothing",
        };
        self.refused(attempt.candidate, reason)
    }

    /// The device says who it is and what its clock says: the same is asked again with that.
    fn resync(&mut self, candidate: Candidate, incoming: &Incoming<'_>, now: Duration) -> Next {
        self.resyncs += 1;
        if self.resyncs > RESYNCS_MAX || incoming.engine_id.is_empty() {
            self.resyncs = 0;
            self.job.memory.engine = None;
            return self.refused(candidate, "its clock or its engine ID changes all the time");
        }
        self.job.memory.engine = Some(EngineTime {
            id: incoming.engine_id.into(),
            boots: incoming.moment.boots,
            time: incoming.moment.time,
            at: now,
        });
        self.retire();
        if let Some(at) = self.candidates.iter().position(|it| it.is_same(candidate)) {
            self.candidate = at;
        }
        Next::Send
    }

    /// Whether the answer is what agents give in a context that is not theirs: the system group alone. Only asked while there is
    /// another context to try.
    fn is_poor(&self, candidate: Candidate, pdu: &Pdu<'_>) -> bool {
        let has_others = self
            .candidates
            .iter()
            .any(|other| other.credential == candidate.credential && !other.is_same(candidate));
        let is_open = self.proven
            || candidate.is_last_resort
            || !has_others
            || pdu.error_status != error_status::NO_ERROR;
        if is_open {
            return false;
        }
        let mut outside = pdu.bindings.filter_map(Result::ok).filter(|binding| {
            Oid::from_ber(binding.name).is_none_or(|oid| !oid.arcs().starts_with(SYSTEM))
        });
        let mut seen = false;
        let all_missing = outside.all(|binding| {
            seen = true;
            binding.value.is_exception()
        });
        seen && all_missing
    }

    fn put_last(&mut self, candidate: Candidate) {
        self.retire();
        self.candidates.retain(|other| !other.is_same(candidate));
        self.candidates.push(Candidate {
            is_last_resort: true,
            ..candidate
        });
        self.candidate = self
            .candidates
            .iter()
            .position(|other| other.credential == candidate.credential)
            .unwrap_or(0);
    }
}

impl EngineTime {
    const fn set(&mut self, told: Moment, now: Duration) {
        self.boots = told.boots;
        self.time = told.time;
        self.at = now;
    }
}
