//! What devices tell by themselves: traps of SNMPv1, v2c and v3, and informs, which are answered.
//!
//! [`TrapReceiver`] is a state machine without sockets; [`TrapListener`] runs it on UDP and TCP. A notification is a reason to ask
//! the device at once, never data: anybody can send one.
//!
//! What always holds: a source that sends more than it may is cut off and counted, whatever it sends; informs that were not accepted are
//! not acknowledged; a v3 message is delivered only if it is authentic for a user we know.

mod flood;
mod listener;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use listener::{TrapListener, TrapOptions};

use crate::ber::{BerError, Cursor, MESSAGE_BYTES_MAX, TAG_SEQUENCE, Writer};
use crate::credentials::Version;
use crate::oid::Oid;
use crate::pdu::{self, Bindings, Envelope, Pdu, PduKind};
use crate::usm::cipher::Moment;
use crate::usm::message::{self, Incoming, Outgoing};
use crate::usm::{EngineKeys, Principal, User};
use crate::value::{Value, ValueRef};
use flood::Flood;

/// The most variables that are kept of one notification.
const VARIABLES_MAX: usize = 64;

/// The tag of an SNMPv1 trap, which has a form of its own.
const TAG_TRAP_V1: u8 = 0xa4;
const TAG_IP_ADDRESS: u8 = 0x40;
const TAG_TIME_TICKS: u8 = 0x43;

/// sysUpTime.0, the first variable of a notification
const SYS_UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];
/// snmpTrapOID.0, the second
const SNMP_TRAP_OID: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];
/// snmpTraps, where the generic traps of SNMPv1 stand (RFC 3584, 3.1)
const SNMP_TRAPS: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5];
/// The generic trap that is none: the enterprise's own.
const ENTERPRISE_SPECIFIC: i64 = 6;

/// usmStats: unknownEngineIDs, notInTimeWindows
const UNKNOWN_ENGINE_IDS: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0];
const NOT_IN_TIME_WINDOWS: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0];

/// How far the clock of who sends an inform may be off ours (RFC 3414, 2.2.3).
const TIME_WINDOW_SECONDS: u32 = 150;

/// What a device told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Who sent it.
    pub source: SocketAddr,
    /// In which version.
    pub version: Version,
    /// Whether it wanted an answer (and got it).
    pub is_inform: bool,
    /// Whether it was authenticated (SNMPv3 only).
    pub is_authentic: bool,
    /// What it is: `printerV2Alert`, say. Of SNMPv1 made as RFC 3584 says.
    pub trap: Oid,
    /// How long the sender has been up, in hundredths of a second.
    pub uptime_ticks: Option<u32>,
    /// The other variables.
    pub variables: Vec<(Oid, Value)>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrapCounters {
    /// Notifications delivered.
    pub delivered: u64,
    /// Dropped: more than the source may send.
    pub dropped_flood: u64,
    /// Dropped: no notification.
    pub dropped_malformed: u64,
    /// Dropped: a community, user, password or level that is not let in.
    pub dropped_refused: u64,
}

/// Takes messages, yields notifications and the answers to informs.
#[derive(Debug)]
pub struct TrapReceiver {
    /// Empty: every community is let in.
    communities: Vec<Vec<u8>>,
    users: Vec<Arc<Principal>>,
    /// Our own engine, which informs are addressed to.
    engine_id: Vec<u8>,
    flood: Flood,
    counters: TrapCounters,
    writer: Writer,
    scratch: Vec<u8>,
    salt: u64,
}

/// Why a message was dropped.
enum Dropped {
    Malformed,
    Refused,
    /// It is answered with a report and dropped.
    Reported,
}

impl From<BerError> for Dropped {
    fn from(_: BerError) -> Self {
        Self::Malformed
    }
}

impl TrapReceiver {
    /// `communities`: which are let in; empty means all. `users`: who is let in by SNMPv3. `engine_suffix`: random bytes that make our
    /// engine ID unique.
    #[must_use]
    pub fn new(communities: Vec<Vec<u8>>, users: Vec<User>, engine_suffix: [u8; 8]) -> Self {
        // RFC 3411: no enterprise, then (5) octets of our choice.
        let engine_id = [&[0x80, 0, 0, 0, 5][..], &engine_suffix].concat();
        Self {
            communities,
            users: users
                .into_iter()
                .map(|user| Arc::new(Principal::new(user)))
                .collect(),
            engine_id,
            flood: Flood::default(),
            counters: TrapCounters::default(),
            writer: Writer::new(MESSAGE_BYTES_MAX),
            scratch: Vec::new(),
            salt: u64::from_be_bytes(engine_suffix),
        }
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> TrapCounters {
        self.counters
    }

    /// A message came in. Returns what it tells, and what to send back. `now` is the time since the receiver was made.
    pub fn receive(
        &mut self,
        source: SocketAddr,
        bytes: &[u8],
        now: Duration,
    ) -> (Option<Notification>, Option<Vec<u8>>) {
        if !self.flood.admits(source.ip(), now) {
            self.counters.dropped_flood += 1;
            return (None, None);
        }
        self.writer.clear();
        match self.read(source, bytes, now) {
            Ok(notification) => {
                self.counters.delivered += 1;
                let answer = notification.is_inform.then(|| self.answer()).flatten();
                (Some(notification), answer)
            }
            Err(Dropped::Reported) => (None, self.answer()),
            Err(Dropped::Malformed) => {
                self.counters.dropped_malformed += 1;
                (None, None)
            }
            Err(Dropped::Refused) => {
                self.counters.dropped_refused += 1;
                (None, None)
            }
        }
    }

    fn answer(&self) -> Option<Vec<u8>> {
        self.writer.finish().map(<[u8]>::to_vec)
    }

    fn read(
        &mut self,
        source: SocketAddr,
        bytes: &[u8],
        now: Duration,
    ) -> Result<Notification, Dropped> {
        let envelope = Envelope::read(bytes)?;
        if envelope.version == Version::V3 {
            return self.read_secure(source, bytes, envelope, now);
        }
        let (community, tag, content) = envelope.community()?;
        let is_known = |known: &Vec<u8>| known == community;
        if !self.communities.is_empty() && !self.communities.iter().any(is_known) {
            return Err(Dropped::Refused);
        }
        if tag == TAG_TRAP_V1 {
            return read_v1(source, content);
        }
        let pdu = Pdu::read_content(tag, content)?;
        let notification = read_v2(source, envelope.version, &pdu)?;
        if notification.is_inform {
            write_acknowledgement(&mut self.writer, &pdu)?;
            pdu::write_community(&mut self.writer, envelope.version, community);
        }
        Ok(notification)
    }

    fn read_secure(
        &mut self,
        source: SocketAddr,
        bytes: &[u8],
        envelope: Envelope<'_>,
        now: Duration,
    ) -> Result<Notification, Dropped> {
        let incoming = Incoming::read(bytes, envelope.rest)?;
        // Who expects an answer asks for our engine; who sends a trap names its own.
        let is_for_us = incoming.engine_id == self.engine_id;
        if incoming.is_reportable() && !is_for_us {
            self.report(&incoming, UNKNOWN_ENGINE_IDS, None, now);
            return Err(Dropped::Reported);
        }
        let (is_authenticated, is_encrypted) = incoming.level();
        let principal = self
            .users
            .iter()
            .find(|principal| principal.user().name.as_bytes() == incoming.user)
            .cloned()
            .ok_or(Dropped::Refused)?;
        if principal.level() != (is_authenticated, is_encrypted) {
            return Err(Dropped::Refused);
        }
        let keys = principal.at_engine(incoming.engine_id);
        if is_authenticated && !incoming.is_authentic(&keys) {
            return Err(Dropped::Refused);
        }
        let clock = clock(now);
        let is_timely = incoming.moment.boots == clock.boots
            && incoming.moment.time.abs_diff(clock.time) <= TIME_WINDOW_SECONDS;
        if is_for_us && is_authenticated && !is_timely {
            self.report(&incoming, NOT_IN_TIME_WINDOWS, Some(&keys), now);
            return Err(Dropped::Reported);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let result = self.open(source, &incoming, &keys, &mut scratch, clock);
        self.scratch = scratch;
        result
    }

    fn open(
        &mut self,
        source: SocketAddr,
        incoming: &Incoming<'_>,
        keys: &EngineKeys,
        scratch: &mut Vec<u8>,
        moment: Moment,
    ) -> Result<Notification, Dropped> {
        let scoped = incoming.open(keys, scratch)?;
        let mut notification = read_v2(source, Version::V3, &scoped.pdu)?;
        notification.is_authentic = incoming.level().0;
        if notification.is_inform {
            self.salt = self.salt.wrapping_add(1);
            let acknowledgement = Outgoing {
                id: incoming.id,
                is_reportable: false,
                engine_id: &self.engine_id,
                moment,
                user: incoming.user,
                keys,
                // Senders check that it is what they sent.
                context_engine_id: scoped.context_engine_id,
                context: scoped.context,
                salt: self.salt,
            };
            let mut result = Ok(());
            message::write(&mut self.writer, &acknowledgement, |w| {
                result = write_acknowledgement(w, &scoped.pdu);
            });
            result?;
        }
        Ok(notification)
    }

    /// Says who we are, or what our clock says; authenticated where `keys` are given.
    fn report(
        &mut self,
        incoming: &Incoming<'_>,
        counter: &[u32],
        keys: Option<&EngineKeys>,
        now: Duration,
    ) {
        let keys = EngineKeys {
            auth: keys.and_then(|keys| keys.auth.clone()),
            privacy: None,
        };
        let report = Outgoing {
            id: incoming.id,
            is_reportable: false,
            engine_id: &self.engine_id,
            moment: clock(now),
            user: incoming.user,
            keys: &keys,
            context_engine_id: &self.engine_id,
            context: &[],
            salt: 0,
        };
        let name = Oid::new(counter);
        message::write(&mut self.writer, &report, |w| {
            pdu::write_report(w, incoming.id, &name, ValueRef::Counter32(1));
        });
    }
}

/// Our engine's clock: its id is new with each start, so it has started once.
fn clock(now: Duration) -> Moment {
    Moment {
        boots: 1,
        time: u32::try_from(now.as_secs()).unwrap_or(u32::MAX),
    }
}

/// The response to an inform: the same variables.
fn write_acknowledgement(writer: &mut Writer, inform: &Pdu<'_>) -> Result<(), BerError> {
    let mut variables = Vec::new();
    for binding in inform.bindings {
        let binding = binding?;
        let name = Oid::from_ber(binding.name).ok_or(BerError::Number)?;
        variables.push((name, binding.value));
    }
    let variables = variables.iter().map(|(name, value)| (name, *value));
    pdu::write_response(writer, inform.request_id, (0, 0), variables);
    Ok(())
}

fn read_v2(source: SocketAddr, version: Version, pdu: &Pdu<'_>) -> Result<Notification, Dropped> {
    let is_inform = match pdu.kind {
        PduKind::Trap => false,
        PduKind::Inform => true,
        _ => return Err(Dropped::Malformed),
    };
    let mut uptime_ticks = None;
    let mut trap = None;
    let mut variables = Vec::new();
    for (name, value) in kept(pdu.bindings)? {
        match (name.arcs(), value) {
            (SYS_UP_TIME, Value::TimeTicks(ticks)) => uptime_ticks = Some(ticks),
            (SNMP_TRAP_OID, Value::ObjectId(oid)) => trap = Some(oid),
            (_, value) => variables.push((name, value)),
        }
    }
    Ok(Notification {
        source,
        version,
        is_inform,
        is_authentic: false,
        trap: trap.ok_or(Dropped::Malformed)?,
        uptime_ticks,
        variables,
    })
}

/// `{ enterprise, agent address, generic trap, specific trap, time stamp, bindings }` (RFC 1157, 4.1.6).
fn read_v1(source: SocketAddr, content: &[u8]) -> Result<Notification, Dropped> {
    let mut fields = Cursor::new(content);
    let enterprise = Oid::from_ber(fields.content(crate::ber::TAG_OBJECT_ID)?);
    let enterprise = enterprise.ok_or(Dropped::Malformed)?;
    fields.content(TAG_IP_ADDRESS)?;
    let generic = fields.integer()?;
    let specific = fields.integer()?;
    let ticks = crate::ber::unsigned(fields.content(TAG_TIME_TICKS)?)?;
    let bindings = Bindings::new(fields.sub(TAG_SEQUENCE)?);
    fields.end()?;
    let arc = |number: i64| u32::try_from(number).map_err(|_| Dropped::Malformed);
    let trap = if generic == ENTERPRISE_SPECIFIC {
        enterprise.child(&[0, arc(specific)?])
    } else {
        Oid::new(SNMP_TRAPS).child(&[arc(generic)?.saturating_add(1)])
    };
    Ok(Notification {
        source,
        version: Version::V1,
        is_inform: false,
        is_authentic: false,
        trap,
        uptime_ticks: u32::try_from(ticks).ok(),
        variables: kept(bindings)?,
    })
}

fn kept(bindings: Bindings<'_>) -> Result<Vec<(Oid, Value)>, BerError> {
    let mut variables = Vec::new();
    for binding in bindings.take(VARIABLES_MAX) {
        let binding = binding?;
        if let (Some(name), Some(value)) = (Oid::from_ber(binding.name), binding.value.to_value()) {
            variables.push((name, value));
        }
    }
    Ok(variables)
}

#[cfg(test)]
mod tests;
