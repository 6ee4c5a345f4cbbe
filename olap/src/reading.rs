//! Readings as runs, and the ids that name them for ever.
//!
//! A reading is a run (Rule 4): one value of one meter, from when it was first observed until it was last confirmed. The
//! run that a device's meter is in now is open; a different value closes it. Its value never changes, only its
//! `confirmed_until` grows while it is open.
//!
//! Its id is made of the report and place it was first read from (Rule 3): `AGENT:EPOCH:STREAM:SEQUENCE:ORDINAL:METER`.

use std::fmt;
use std::str::FromStr;

use codec::id::{AgentId, DeviceId, TenantId};
use codec::key::{SpoolEpoch, Stream};
use codec::model::{Basis, Colour, MeterPart, MeterUnit, Sides, SourceKind, Work, meter_code};
use codec::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::words::{Quality, ReadReason};

/// The longest meter code in an id, in bytes: far more than any that is made of the words.
const METER_CODE_BYTES_MAX: usize = 128;

/// The id of a reading: stable over replays and rebuilds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadingId {
    /// The agent whose report had it first.
    pub agent: AgentId,
    /// The spool of that report.
    pub epoch: SpoolEpoch,
    /// The stream of that report.
    pub stream: Stream,
    /// The number of that report.
    pub sequence: u64,
    /// Which device report in it, from 0.
    pub ordinal: u32,
    /// The meter's code.
    pub meter: String,
}

/// A text that is no reading id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a reading id (AGENT:EPOCH:STREAM:SEQUENCE:ORDINAL:METER): {text:?}")]
pub struct ReadingIdError {
    /// What was given, cut to 80 characters.
    pub text: String,
}

impl fmt::Display for ReadingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stream = self.stream.name();
        write!(
            f,
            "{}:{}:{stream}:{}:{}:{}",
            self.agent, self.epoch, self.sequence, self.ordinal, self.meter
        )
    }
}

impl FromStr for ReadingId {
    type Err = ReadingIdError;

    fn from_str(text: &str) -> Result<Self, ReadingIdError> {
        let parse = || {
            let mut words = text.split(':');
            let id = Self {
                agent: AgentId::new(words.next()?).ok()?,
                epoch: words.next()?.parse().ok()?,
                stream: Stream::from_name(words.next()?)?,
                sequence: words.next()?.parse().ok()?,
                ordinal: words.next()?.parse().ok()?,
                meter: words
                    .next()
                    .filter(|code| !code.is_empty() && code.len() <= METER_CODE_BYTES_MAX)?
                    .to_owned(),
            };
            (words.next().is_none() && id.to_string() == text).then_some(id)
        };
        parse().ok_or_else(|| ReadingIdError {
            text: text.chars().take(80).collect(),
        })
    }
}

impl Serialize for ReadingId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ReadingId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// Where in the journal the bytes lie that a row came from: a shard, and a position as the journal counts them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct JournalPosition {
    /// The shard of the journal.
    pub shard: u16,
    /// The position in that shard; see [`position_number`].
    pub position: u64,
}

/// The longest segment of a journal, in bytes, whose positions fit into one number.
pub const SEGMENT_BYTES_MAX: u64 = u32::MAX as u64;

/// A journal position (segment and byte in it) as one number of the same order. `None` when either does not fit into 32 bits.
#[must_use]
pub fn position_number(segment: u64, offset: u64) -> Option<u64> {
    (segment <= SEGMENT_BYTES_MAX && offset <= SEGMENT_BYTES_MAX).then_some(segment << 32 | offset)
}

/// Segment and byte of a number made by [`position_number`].
#[must_use]
pub const fn position_parts(number: u64) -> (u64, u64) {
    (number >> 32, number & SEGMENT_BYTES_MAX)
}

/// What is counted: the words of a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MeterWords<'a> {
    /// What the device did.
    pub work: Work,
    /// The colour of it.
    pub colour: Colour,
    /// What is counted.
    pub unit: MeterUnit,
    /// Media size, where counted apart.
    pub size: Option<&'a str>,
    /// Sides, where counted apart.
    pub sides: Option<Sides>,
    /// What it may be used for.
    pub basis: Basis,
}

impl MeterWords<'_> {
    /// The meter's code, as [`codec::model::Meter::code`] makes it.
    #[must_use]
    pub fn code(&self) -> String {
        meter_code(
            self.work.word(),
            self.colour.word(),
            self.unit.word(),
            self.size,
            self.sides.map(Sides::word),
            self.basis,
        )
    }
}

/// A reading as the store gives it out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// Its stable id.
    pub id: ReadingId,
    /// Its place in the total order (Rule 2); unique, and the order of cursors.
    pub place: u64,
    /// The device.
    pub device: DeviceId,
    /// The site where the device stood when the value was first read.
    pub site: TenantId,
    /// The meter's code.
    pub code: String,
    /// What the device did.
    pub work: Work,
    /// The colour of it.
    pub colour: Colour,
    /// What is counted.
    pub unit: MeterUnit,
    /// Media size, where counted apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Sides, where counted apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sides: Option<Sides>,
    /// What it may be used for.
    pub basis: Basis,
    /// As the device said it, or as computed from the parts.
    pub value: u64,
    /// With resets and offsets applied: it never goes back within the device's life.
    pub continuous: u64,
    /// Which period of the meter: a reset or another board ends one and begins the next, from 0.
    pub meter_epoch: u32,
    /// When the value was first observed, by the corrected clock (Rule 7).
    pub observed_at: Timestamp,
    /// When it was last observed.
    pub confirmed_until: Timestamp,
    /// When a different value was observed after it; absent while the run is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_at: Option<Timestamp>,
    /// When the agent sent the report that had it first.
    pub agent_at: Timestamp,
    /// When the manager received that report.
    pub received_at: Timestamp,
    /// Where it was read; of a computed meter, the first part's OID.
    pub oid: String,
    /// The profile that read it, with its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Of a computed meter: what it was computed from (Rule 6).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<MeterPart>,
    /// How far it can be trusted.
    pub quality: Quality,
    /// Whether `observed_at` was corrected for the agent's clock (Rule 7).
    pub clock_corrected: bool,
    /// Why it was read.
    pub reason: ReadReason,
    /// What it was read by.
    pub source: SourceKind,
    /// Where the bytes lie that it came from.
    pub journal: JournalPosition,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_id_reads_back() {
        let text = "meyer-werk2:00000000000000ff:meters:42:7:print.mono.impressions";
        let id: ReadingId = text.parse().unwrap();
        assert_eq!((id.sequence, id.ordinal), (42, 7));
        assert_eq!(id.to_string(), text);
    }

    #[test]
    fn what_is_no_reading_id_is_refused() {
        for bad in [
            "",
            "a:b",
            "meyer:00000000000000ff:meters:42:7:",
            "meyer:00000000000000ff:meters:042:7:x",
            "meyer:00000000000000ff:paper:42:7:x",
            "meyer:00000000000000ff:meters:42:7:x:y",
        ] {
            assert!(bad.parse::<ReadingId>().is_err(), "{bad}");
        }
    }
}
