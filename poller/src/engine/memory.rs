//! What the engine learned about a device and should be told at its next poll.

use std::sync::Arc;
use std::time::Duration;

use crate::oid::Oid;

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
    /// How many variables a PDU may have (0: not known yet).
    pub variables: u32,
    /// A PDU of this many variables was too much (0: none was).
    pub variables_refused: u32,
    /// GETBULK misbehaves: GETNEXT is used.
    pub bulk_refused: bool,
    /// Instances the device answers with noSuchName: not asked again.
    pub missing: Vec<Oid>,
    /// The smoothed round trip time; zero when not known.
    pub rtt: Duration,
    /// Its mean deviation.
    pub rtt_deviation: Duration,
    /// Mean bytes of a variable binding in this device's replies (0: not known).
    pub binding_bytes: u32,
}
