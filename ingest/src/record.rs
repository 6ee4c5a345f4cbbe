//! What the journal's records mean.
//!
//! The frame's *sequence* is the **stamp**: a number that counts over all shards and says in which order reports are applied (Rule 2).
//!
//! A report ([`KIND_REPORT`]) has the sealed bytes, verbatim, as its body. Its meta part (little-endian):
//!
//! ```text
//!  0    1     2       3      4         12         20           28         36           44       76
//! +----+-----+-------+------+---------+----------+------------+----------+------------+--------+----------…--+
//! | 1  |strm.|encod. | has  | epoch   | sequence | received   | sent     | uptime     | SHA-256| agent id    |
//! |    |     |       |      |         |          | unix ms    | unix ms  | ms         |        | 1 to 64 B   |
//! +----+-----+-------+------+---------+----------+------------+----------+------------+--------+----------…--+
//! ```
//!
//! *has*: bit 0 says that *sent* was given, bit 1 *uptime*; bit 2 that no device is reported in full (earlier versions never said so).
//!
//! A decision ([`KIND_DECISION`]) has no body; its meta part:
//!
//! ```text
//!  0    1     2            10        20        30          38
//! +----+-----+------------+---------+---------+-----------+----------…--+
//! | 1  | op  | decided    | device  | other   | decision  | who        |
//! |    |     | unix ms    |         | device  | undone    | 0 to 128 B |
//! +----+-----+------------+---------+---------+-----------+----------…--+
//! ```
//!
//! *op*: 1 merge (*device* into *other*), 2 split, 3 undo. What an op does not use is zero.
//!
//! A checkpoint ([`KIND_CHECKPOINT`]) opens every segment: the shard's ledger as it was, so that a start reads one segment only.

use codec::envelope::Encoding;
use codec::id::{AgentId, DeviceId};
use codec::key::{ContentHash, ReportKey, SpoolEpoch, Stream};
use codec::time::Timestamp;
use registry::{Decision, DecisionOp};

/// A report as it was received.
pub const KIND_REPORT: u8 = 1;
/// The ledger at the head of a segment.
pub const KIND_CHECKPOINT: u8 = 2;
/// What somebody decided about who is who.
pub const KIND_DECISION: u8 = 3;

/// A customer is forgotten: see [`crate::tombstone`].
pub const KIND_FORGET: u8 = 4;

/// The longest login that a decision's record keeps, in bytes: longer ones are cut.
pub(crate) const WHO_BYTES_MAX: usize = 128;
const OP_MERGE: u8 = 1;
const OP_SPLIT: u8 = 2;
const OP_UNDO: u8 = 3;

const VERSION: u8 = 1;
const FIXED_BYTES: usize = 76;
const HAS_SENT: u8 = 1;
const HAS_UPTIME: u8 = 2;
const HAS_DELTAS_ONLY: u8 = 4;

/// What the journal knows of a report beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportMeta {
    /// Its key.
    pub key: ReportKey,
    /// How its bytes are compressed.
    pub encoding: Encoding,
    /// The manager's clock when it had arrived.
    pub received_at: Timestamp,
    /// The agent's clock when it was sent.
    pub sent_at: Option<Timestamp>,
    /// The agent's monotonic clock when it was sent, in milliseconds.
    pub uptime_ms: Option<u64>,
    /// Whether it is known to report no device in full, so that no delta builds on it.
    pub is_deltas_only: bool,
}

/// A meta part that was written by something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record's meta part is none of this version's")]
pub struct MetaError;

impl ReportMeta {
    /// Appends the meta part to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let encoding = match self.encoding {
            Encoding::Identity => 0,
            Encoding::Gzip => 1,
            Encoding::Zstd => 2,
        };
        let stream = match self.key.stream {
            Stream::Meters => 0,
            Stream::State => 1,
        };
        let has_sent = if self.sent_at.is_some() { HAS_SENT } else { 0 };
        let has_uptime = if self.uptime_ms.is_some() {
            HAS_UPTIME
        } else {
            0
        };
        let has_deltas_only = if self.is_deltas_only {
            HAS_DELTAS_ONLY
        } else {
            0
        };
        let has = has_sent | has_uptime | has_deltas_only;
        out.extend_from_slice(&[VERSION, stream, encoding, has]);
        out.extend_from_slice(&self.key.epoch.0.to_le_bytes());
        out.extend_from_slice(&self.key.sequence.to_le_bytes());
        out.extend_from_slice(&self.received_at.unix_ms.to_le_bytes());
        let sent = self.sent_at.unwrap_or_default();
        out.extend_from_slice(&sent.unix_ms.to_le_bytes());
        out.extend_from_slice(&self.uptime_ms.unwrap_or_default().to_le_bytes());
        out.extend_from_slice(&self.key.hash.0);
        out.extend_from_slice(self.key.agent.as_str().as_bytes());
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// [`MetaError`] for anything else.
    pub fn read(meta: &[u8]) -> Result<Self, MetaError> {
        let (fixed, agent) = meta.split_at_checked(FIXED_BYTES).ok_or(MetaError)?;
        let mut cursor = Cursor(fixed);
        let [version, stream, encoding, has] = cursor.take()?;
        if version != VERSION {
            return Err(MetaError);
        }
        let stream = match stream {
            0 => Stream::Meters,
            1 => Stream::State,
            _ => return Err(MetaError),
        };
        let encoding = match encoding {
            0 => Encoding::Identity,
            1 => Encoding::Gzip,
            2 => Encoding::Zstd,
            _ => return Err(MetaError),
        };
        let epoch = SpoolEpoch(u64::from_le_bytes(cursor.take()?));
        let sequence = u64::from_le_bytes(cursor.take()?);
        let received_at = Timestamp::from_unix_ms(i64::from_le_bytes(cursor.take()?));
        let sent_at = Timestamp::from_unix_ms(i64::from_le_bytes(cursor.take()?));
        let uptime_ms = u64::from_le_bytes(cursor.take()?);
        let hash = ContentHash(cursor.take()?);
        let agent = std::str::from_utf8(agent).map_err(|_| MetaError)?;
        Ok(Self {
            key: ReportKey {
                agent: AgentId::new(agent).map_err(|_| MetaError)?,
                epoch,
                stream,
                sequence,
                hash,
            },
            encoding,
            received_at,
            sent_at: (has & HAS_SENT != 0).then_some(sent_at),
            uptime_ms: (has & HAS_UPTIME != 0).then_some(uptime_ms),
            is_deltas_only: has & HAS_DELTAS_ONLY != 0,
        })
    }
}

/// Appends the meta part of a decision to `out`.
pub fn write_decision(decision: &Decision, out: &mut Vec<u8>) {
    let (op, device, other, undone) = match decision.op {
        DecisionOp::Merge { device, into } => (OP_MERGE, *device.as_bytes(), *into.as_bytes(), 0),
        DecisionOp::Split { device } => (OP_SPLIT, *device.as_bytes(), [0; 10], 0),
        DecisionOp::Undo { decision } => (OP_UNDO, [0; 10], [0; 10], decision),
    };
    out.extend_from_slice(&[VERSION, op]);
    out.extend_from_slice(&decision.at.unix_ms.to_le_bytes());
    out.extend_from_slice(&device);
    out.extend_from_slice(&other);
    out.extend_from_slice(&undone.to_le_bytes());
    let who = &decision.who;
    out.extend_from_slice(&who.as_bytes()[..who.floor_char_boundary(WHO_BYTES_MAX)]);
}

/// Reads what [`write_decision`] wrote.
///
/// # Errors
/// [`MetaError`] for anything else.
pub fn read_decision(meta: &[u8]) -> Result<Decision, MetaError> {
    let mut cursor = Cursor(meta);
    let [version, op] = cursor.take()?;
    if version != VERSION {
        return Err(MetaError);
    }
    let at = Timestamp::from_unix_ms(i64::from_le_bytes(cursor.take()?));
    let device = DeviceId::from_bytes(cursor.take()?);
    let into = DeviceId::from_bytes(cursor.take()?);
    let decision = u64::from_le_bytes(cursor.take()?);
    let op = match op {
        OP_MERGE => DecisionOp::Merge { device, into },
        OP_SPLIT => DecisionOp::Split { device },
        OP_UNDO => DecisionOp::Undo { decision },
        _ => return Err(MetaError),
    };
    let who = std::str::from_utf8(cursor.0).map_err(|_| MetaError)?;
    Ok(Decision {
        op,
        who: who.to_owned(),
        at,
    })
}

/// Reads fixed parts from the front of bytes.
pub(crate) struct Cursor<'a>(pub &'a [u8]);

impl Cursor<'_> {
    pub fn take<const N: usize>(&mut self) -> Result<[u8; N], MetaError> {
        let (part, rest) = self.0.split_first_chunk().ok_or(MetaError)?;
        self.0 = rest;
        Ok(*part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_reads_back() {
        let (device, into) = (DeviceId::from_bytes([7; 10]), DeviceId::from_bytes([9; 10]));
        for op in [
            DecisionOp::Merge { device, into },
            DecisionOp::Split { device },
            DecisionOp::Undo { decision: 1 << 40 },
        ] {
            let decision = Decision {
                op,
                who: "jürgen".to_owned(),
                at: Timestamp::from_unix_ms(-3),
            };
            let mut bytes = Vec::new();
            write_decision(&decision, &mut bytes);
            assert_eq!(read_decision(&bytes), Ok(decision));
            for cut in 0..38 {
                assert_eq!(read_decision(&bytes[..cut]), Err(MetaError));
            }
        }
    }

    #[test]
    fn a_meta_part_reads_back() {
        let sent = Some(Timestamp::from_unix_ms(-5));
        for (sent_at, uptime_ms, is_deltas_only) in [
            (None, None, false),
            (sent, Some(7), false),
            (sent, None, true),
        ] {
            let meta = ReportMeta {
                key: ReportKey {
                    agent: AgentId::new("meyer").unwrap(),
                    epoch: SpoolEpoch(1 << 63),
                    stream: Stream::State,
                    sequence: 12,
                    hash: ContentHash::of(b"x"),
                },
                encoding: Encoding::Zstd,
                received_at: Timestamp::from_unix_ms(1_700_000_000_000),
                sent_at,
                uptime_ms,
                is_deltas_only,
            };
            let mut bytes = Vec::new();
            meta.write(&mut bytes);
            assert_eq!(ReportMeta::read(&bytes), Ok(meta));
            for cut in 0..FIXED_BYTES + 1 {
                assert_eq!(ReportMeta::read(&bytes[..cut]), Err(MetaError));
            }
        }
    }
}
