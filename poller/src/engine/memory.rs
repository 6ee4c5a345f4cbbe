//! What the engine learned about a device and should be told at its next poll.

use std::sync::Arc;
use std::time::Duration;

use crate::oid::Oid;

/// After so many polls in a row without an answer the other credentials are tried again: somebody may have changed it.
pub(super) const CREDENTIAL_MISSES_MAX: u32 = 2;

/// The most missing instances that are remembered of a device.
const MISSING_MAX: usize = 256;

/// How much bigger the next PDU may be than the biggest that was answered.
const GROWTH: usize = 4;

/// GETBULK is given up for good when it misbehaved so often on a device where it had worked: once may have been a lost packet.
const BULK_STRIKES_MAX: u32 = 2;

/// After so many full answers a bigger PDU is tried again.
const REFUSED_ANSWERS_MAX: u32 = 500;

/// Id and clock of an SNMPv3 engine, as far as known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineTime {
    /// Its id.
    pub id: Box<[u8]>,
    /// How often it has started.
    pub boots: u32,
    /// Seconds since it started, at the moment `at` of our own clock.
    pub time: u32,
    /// When that was. (Of another run of this program it is wrong, which costs one exchange.)
    pub at: Duration,
}

/// What was learned about a device's SNMP. Holds no secret. Starts empty (`default`), comes back with each poll, and is given
/// to the next; losing it costs a few packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The label of the credential that worked.
    pub credential: Option<Arc<str>>,
    /// Polls in a row in which the remembered credential was not answered.
    pub credential_misses: u32,
    /// The device has answered an authenticated SNMPv3 message: communities are not tried any more.
    pub v3_proven: bool,
    /// The SNMPv3 context that works.
    pub context: Option<Arc<str>>,
    /// Id and clock of its SNMPv3 engine.
    pub engine: Option<EngineTime>,
    /// How many variables a PDU may have (0: not known yet).
    pub variables: u32,
    /// A PDU of this many variables was too much (0: none was).
    pub variables_refused: u32,
    /// Answers since then.
    pub variables_refused_answers: u32,
    /// A GETBULK was answered as it should be.
    pub bulk_proven: bool,
    /// GETBULK misbehaves: GETNEXT is used.
    pub bulk_refused: bool,
    /// How often GETBULK seemed to misbehave.
    pub bulk_strikes: u32,
    /// Instances the device answers with noSuchName: not asked again.
    pub missing: Vec<Oid>,
    /// The smoothed round trip time; zero when not known.
    pub rtt: Duration,
    /// Its mean deviation.
    pub rtt_deviation: Duration,
    /// Mean bytes of a variable binding in this device's replies (0: not known).
    pub binding_bytes: u32,
}

impl Memory {
    /// A PDU of this many variables was answered in full.
    pub(super) fn accept(&mut self, count: usize, variables_max: usize) {
        let refused = self.variables_refused as usize;
        if refused > 0 {
            self.variables_refused_answers += 1;
            if self.variables_refused_answers < REFUSED_ANSWERS_MAX {
                return;
            }
            self.variables_refused = 0;
        }
        let grown = (count * GROWTH).min(variables_max) as u32;
        self.variables = self.variables.max(grown);
    }

    /// A PDU of this many variables was too much: half of it from now on.
    pub(super) fn refuse(&mut self, count: usize) {
        self.limit(count / 2, count);
    }

    /// PDUs have at most `variables` from now on, because `refused` of them were too much.
    pub(super) fn limit(&mut self, variables: usize, refused: usize) {
        self.variables = variables.max(1) as u32;
        self.variables_refused = refused as u32;
        self.variables_refused_answers = 0;
    }

    /// GETBULK seemed to misbehave. Where it never worked, that is enough.
    pub(super) const fn bulk_strike(&mut self) {
        self.bulk_strikes += 1;
        self.bulk_refused |= !self.bulk_proven || self.bulk_strikes >= BULK_STRIKES_MAX;
    }

    /// This instance does not exist.
    pub(super) fn miss(&mut self, oid: Oid) {
        if self.missing.len() < MISSING_MAX && !self.missing.contains(&oid) {
            self.missing.push(oid);
        }
    }
}
