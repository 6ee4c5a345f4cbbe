//! The key of a report (Rule 1) and the receipt that echoes it.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use crate::id::AgentId;

/// Which of the agent's two streams a report belongs to. When a spool is full, the oldest of [`Stream::State`] goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Meters: what is billed.
    Meters,
    /// Everything else: status, supplies, trays, alerts.
    State,
}

impl Stream {
    /// Both streams.
    pub const ALL: [Self; 2] = [Self::Meters, Self::State];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meters => "meters",
            Self::State => "state",
        }
    }

    /// The stream of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.name() == name)
    }
}

/// The random number that a spool draws when it is made, so that a reinstalled agent starts anew. Written as 16 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpoolEpoch(pub u64);

/// SHA-256 of a report's sealed bytes, as sent. Written as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// The hash of `sealed`.
    #[must_use]
    pub fn of(sealed: &[u8]) -> Self {
        Self(Sha256::digest(sealed).into())
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is not the hexadecimal text of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {0} lower-case hex digits")]
pub struct HexError(pub usize);

macro_rules! hex_text {
    ($kind:ty, $bytes:literal, $to:expr, $from:expr) => {
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&$to(self)))
            }
        }

        impl FromStr for $kind {
            type Err = HexError;

            fn from_str(text: &str) -> Result<Self, HexError> {
                let bytes = HEXLOWER
                    .decode(text.as_bytes())
                    .map_err(|_| HexError($bytes * 2))?;
                let bytes: [u8; $bytes] = bytes.try_into().map_err(|_| HexError($bytes * 2))?;
                Ok($from(bytes))
            }
        }

        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(de::Error::custom)
            }
        }
    };
}

hex_text!(
    SpoolEpoch,
    8,
    |epoch: &SpoolEpoch| epoch.0.to_be_bytes(),
    |bytes| SpoolEpoch(u64::from_be_bytes(bytes))
);
hex_text!(ContentHash, 32, |hash: &ContentHash| hash.0, ContentHash);

/// The key of a report. The same key with another hash is refused with 409.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReportKey {
    /// Who sent it.
    pub agent: AgentId,
    /// Which of the agent's spools it comes from.
    pub epoch: SpoolEpoch,
    /// Which stream of that spool.
    pub stream: Stream,
    /// Its number in the stream, from 1, without gaps unless the spool had to drop reports.
    pub sequence: u64,
    /// SHA-256 of the sealed bytes.
    pub hash: ContentHash,
}

/// What the manager answers once a report is durable. A 200 without it (a proxy's) is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The whole key of the report.
    pub receipt: ReportKey,
    /// Devices whose base the manager does not have (Rule 5): report them in full next time. By the agent's own device handles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub need_full: Vec<String>,
    /// Reports of this stream and spool that the manager does not have: it was restored from a backup, or the spool dropped them. Whoever
    /// still keeps them sends them again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub need_again: Vec<Missing>,
    /// Whether the agent's key is older than the manager wants it: time to register another one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renew_key: bool,
}

/// Numbers of reports that never came, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The first of them.
    pub from: u64,
    /// The last of them.
    pub to: u64,
}

impl Receipt {
    /// The bare receipt of a report: nothing else is asked.
    #[must_use]
    pub const fn of(receipt: ReportKey) -> Self {
        Self {
            receipt,
            need_full: Vec::new(),
            need_again: Vec::new(),
            renew_key: false,
        }
    }
}

/// What the manager answers to a report that it refuses for good: the agent moves it to its dead letters and goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The key as far as it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<ReportKey>,
    /// A stable word for programs, such as `malformed` or `key-conflict`.
    pub reason: String,
    /// A sentence for people: the place of the fault and what to do.
    pub detail: String,
}
