//! Recordings of devices in the `.snmprec` format: one variable a line, `OID|type tag|value`.
//!
//! Tags are those of snmpsim: the BER tag in decimal (2 INTEGER, 4 OCTET STRING, 5 NULL, 6 OBJECT IDENTIFIER, 64 IpAddress, 65 Counter32,
//! 66 Gauge32, 67 TimeTicks, 68 Opaque, 70 Counter64), with `x` behind it where the value is in hexadecimal.

mod recorder;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use codec::time::Timestamp;

pub use recorder::Recorder;

use crate::conversation::{Ask, Conversation};
use crate::device::{DevicePoll, PollContext, PollOutcome};
use crate::oid::Oid;
use crate::profile::ProfileSet;
use crate::value::{Value, ValueRef};

/// The largest recording, in bytes: a full walk of the largest MFP has 3 MB.
pub const RECORDING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most variables of a recording: a full walk of the largest MFP has some 20,000.
pub const VARIABLES_MAX: usize = 200_000;

/// The longest string, in bytes: an SNMP message of 64 KB holds no longer one.
const OCTETS_MAX: usize = 65_535;

/// The address that a replayed device has, unless the caller says another.
pub const REPLAY_ADDRESS: &str = "recording";

/// The most lines that are remembered of those left out: more say nothing new.
const SKIPPED_MAX: usize = 100;

/// The variables of a device, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    variables: BTreeMap<Oid, Value>,
    skipped: Vec<RecordingError>,
}

/// A line that is no variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct RecordingError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl Recording {
    /// Reads the text of a recording. Empty lines and lines that begin with `#` are passed over; of an OID that comes twice the first
    /// counts, as in a walk that went round. A line that is no variable is left out, and [`Self::skipped`] says so: one bad line never
    /// costs the others.
    ///
    /// # Errors
    /// [`RecordingError`] when the text is too large, or when no line of it is a variable: then with the first line that is none.
    pub fn parse(text: &[u8]) -> Result<Self, RecordingError> {
        let refused = |line: usize, reason: String| RecordingError { line, reason };
        if text.len() > RECORDING_BYTES_MAX {
            return Err(refused(1, format!("more than {RECORDING_BYTES_MAX} bytes")));
        }
        let mut variables = BTreeMap::new();
        let mut skipped = Vec::new();
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let (oid, value) = match variable(line) {
                Ok(variable) => variable,
                Err(reason) => {
                    if skipped.len() < SKIPPED_MAX {
                        skipped.push(refused(number + 1, reason));
                    }
                    continue;
                }
            };
            if variables.len() == VARIABLES_MAX {
                return Err(refused(
                    number + 1,
                    format!("more than {VARIABLES_MAX} variables"),
                ));
            }
            variables.entry(oid).or_insert(value);
        }
        if variables.is_empty() && !skipped.is_empty() {
            return Err(skipped.swap_remove(0));
        }
        Ok(Self { variables, skipped })
    }

    /// The lines that were left out, in their order; the first hundred of them.
    #[must_use]
    pub fn skipped(&self) -> &[RecordingError] {
        &self.skipped
    }

    /// A recording of these variables.
    #[must_use]
    pub const fn of(variables: BTreeMap<Oid, Value>) -> Self {
        Self {
            variables,
            skipped: Vec::new(),
        }
    }

    /// The variables, in their order.
    #[must_use]
    pub const fn variables(&self) -> &BTreeMap<Oid, Value> {
        &self.variables
    }

    /// What a GET of `oid` answers; `None` for noSuchInstance.
    #[must_use]
    pub fn get(&self, oid: &Oid) -> Option<&Value> {
        self.variables.get(oid)
    }

    /// What a GETNEXT of `oid` answers; `None` for endOfMibView.
    #[must_use]
    pub fn next(&self, oid: &Oid) -> Option<(&Oid, &Value)> {
        self.variables
            .range((Bound::Excluded(oid), Bound::Unbounded))
            .next()
    }

    /// Holds a whole conversation, as a device would.
    pub fn answer(&self, conversation: &mut dyn Conversation) {
        while let Some(ask) = conversation.next_ask() {
            match ask {
                Ask::Get(oids) => {
                    for (index, oid) in oids.iter().enumerate() {
                        match self.get(oid) {
                            Some(value) => give(conversation, index, oid, value),
                            None => conversation.variable(index, oid, ValueRef::NoSuchInstance),
                        }
                    }
                }
                Ask::Walk {
                    columns, rows_max, ..
                } => {
                    for (index, column) in columns.iter().enumerate() {
                        let below = self
                            .variables
                            .range((Bound::Excluded(column), Bound::Unbounded));
                        let rows = below.take_while(|(oid, _)| oid.suffix_of(column).is_some());
                        for (oid, value) in rows.take(rows_max as usize) {
                            give(conversation, index, oid, value);
                        }
                    }
                }
            }
            conversation.answered(None);
        }
    }
}

/// Polls a recording as if it were the device: the same bytes make the same report.
#[must_use]
pub fn replay(
    recording: &Recording,
    profiles: Arc<ProfileSet>,
    observed_at: Timestamp,
) -> PollOutcome {
    let mut poll = DevicePoll::new(
        profiles,
        None,
        PollContext::new(REPLAY_ADDRESS, observed_at, 0),
    );
    recording.answer(&mut poll);
    poll.into_outcome()
}

fn give(conversation: &mut dyn Conversation, index: usize, oid: &Oid, value: &Value) {
    let content;
    let value = match value {
        Value::Integer(n) => ValueRef::Integer(*n),
        Value::OctetString(octets) => ValueRef::OctetString(octets),
        Value::ObjectId(oid) => {
            content = ber_content(oid);
            ValueRef::ObjectId(&content)
        }
        Value::Null => ValueRef::Null,
        Value::IpAddress(octets) => ValueRef::IpAddress(*octets),
        Value::Counter32(n) => ValueRef::Counter32(*n),
        Value::Gauge32(n) => ValueRef::Gauge32(*n),
        Value::TimeTicks(n) => ValueRef::TimeTicks(*n),
        Value::Opaque(octets) => ValueRef::Opaque(octets),
        Value::Counter64(n) => ValueRef::Counter64(*n),
    };
    conversation.variable(index, oid, value);
}

/// The BER content octets of an OID: the inverse of `Oid::from_ber`.
fn ber_content(oid: &Oid) -> Vec<u8> {
    let mut out = Vec::with_capacity(oid.arcs().len() + 4);
    let (first, rest) = match oid.arcs() {
        [a, b, rest @ ..] => (a.saturating_mul(40).saturating_add(*b), rest),
        [a] => (a.saturating_mul(40), &[][..]),
        [] => return out,
    };
    for arc in std::iter::once(first).chain(rest.iter().copied()) {
        let groups = (32 - arc.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let bits = u8::try_from(arc >> (group * 7) & 0x7f).expect("seven bits");
            out.push(if group == 0 { bits } else { bits | 0x80 });
        }
    }
    out
}

/// One line.
fn variable(line: &[u8]) -> Result<(Oid, Value), String> {
    let mut fields = line.splitn(3, |byte| *byte == b'|');
    let (Some(oid), Some(tag), Some(value)) = (fields.next(), fields.next(), fields.next()) else {
        return Err("not OID|tag|value".to_owned());
    };
    let oid: Oid = std::str::from_utf8(oid)
        .map_err(|_| "the OID is no text".to_owned())
        .and_then(|oid| {
            oid.trim()
                .parse()
                .map_err(|error: crate::oid::OidError| error.to_string())
        })?;
    let tag = std::str::from_utf8(tag).unwrap_or_default();
    let (tag, octets) = match tag.strip_suffix('x') {
        Some(tag) => (tag, hexadecimal(value)?),
        None => (tag, value.to_vec()),
    };
    if octets.len() > OCTETS_MAX {
        return Err(format!("a value of more than {OCTETS_MAX} bytes"));
    }
    let text = || {
        std::str::from_utf8(&octets)
            .map(str::trim)
            .map_err(|_| "the value is no text".to_owned())
    };
    let unsigned = || {
        text()?
            .parse::<u64>()
            .map_err(|_| "the value is no unsigned number".to_owned())
    };
    let small = || u32::try_from(unsigned()?).map_err(|_| "the value exceeds 32 bits".to_owned());
    let value = match tag {
        "2" => Value::Integer(
            text()?
                .parse()
                .map_err(|_| "the value is no number".to_owned())?,
        ),
        "4" => Value::OctetString(octets),
        "5" => Value::Null,
        "6" => Value::ObjectId(object_id(text()?)?),
        "64" => Value::IpAddress(address(&octets)?),
        "65" => Value::Counter32(small()?),
        "66" => Value::Gauge32(small()?),
        "67" => Value::TimeTicks(small()?),
        "68" => Value::Opaque(octets),
        "70" => Value::Counter64(unsigned()?),
        other => {
            return Err(format!(
                "the type tag {:?} is not known",
                other.chars().take(20).collect::<String>()
            ));
        }
    };
    Ok((oid, value))
}

fn object_id(text: &str) -> Result<Oid, String> {
    text.parse()
        .map_err(|error: crate::oid::OidError| error.to_string())
}

/// Four octets, or their dotted text.
fn address(octets: &[u8]) -> Result<[u8; 4], String> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Ok(octets);
    }
    let text = std::str::from_utf8(octets).unwrap_or_default();
    text.trim()
        .parse::<std::net::Ipv4Addr>()
        .map(|address| address.octets())
        .map_err(|_| "the value is no IPv4 address".to_owned())
}

fn hexadecimal(text: &[u8]) -> Result<Vec<u8>, String> {
    let digits = text
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| char::from(*byte).to_digit(16));
    let digits = digits
        .collect::<Option<Vec<u32>>>()
        .ok_or("the value is no hexadecimal number")?;
    let (pairs, odd) = digits.as_chunks::<2>();
    if !odd.is_empty() {
        return Err("an odd number of hexadecimal digits".to_owned());
    }
    Ok(pairs
        .iter()
        .map(|[high, low]| u8::try_from(high * 16 + low).expect("two digits"))
        .collect())
}

#[cfg(test)]
mod tests;
