//! Identifiers that more than one crate speaks of, and the scope that every question carries (Rule 9).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

/// The longest agent identifier, in bytes.
pub const AGENT_ID_BYTES_MAX: usize = 64;

/// An agent as the manager's registry knows it: 1 to 64 characters of `a-z`, `0-9`, `-`, `_` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct AgentId(String);

/// A text that is no identifier of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {expected}: {text:?}")]
pub struct IdError {
    /// What would have been accepted.
    pub expected: &'static str,
    /// What was given, cut to 80 characters.
    pub text: String,
}

impl IdError {
    fn new(expected: &'static str, text: &str) -> Self {
        Self {
            expected,
            text: text.chars().take(80).collect(),
        }
    }
}

impl AgentId {
    /// Checks and takes an identifier.
    ///
    /// # Errors
    /// [`IdError`] when it is empty, too long, or has a character outside the set.
    pub fn new(text: &str) -> Result<Self, IdError> {
        let ok = (1..=AGENT_ID_BYTES_MAX).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
        if ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::new(
                "an agent id (1 to 64 characters of a-z, 0-9, -, _ and .)",
                text,
            ))
        }
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AgentId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for AgentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A device, for ever: 80 bits derived from the first evidence seen of it (Rule 3), so that replaying the journal gives the same id.
/// Written as 16 lower-case characters of base 32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId([u8; 10]);

impl DeviceId {
    /// The id that `evidence` (a kind such as `serial`, then its parts) leads to.
    #[must_use]
    pub fn derive(kind: &str, parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        hash.update(kind.as_bytes());
        for part in parts {
            hash.update([0]);
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut id = [0; 10];
        id.copy_from_slice(&digest[..10]);
        Self(id)
    }

    /// The ten bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 10] {
        &self.0
    }

    /// An id from its ten bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 10]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DeviceId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let refused = || IdError::new("a device id (16 characters of a-z and 2-7)", text);
        if text.len() != 16 || text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(refused());
        }
        let bytes = BASE32_NOPAD
            .decode(text.to_ascii_uppercase().as_bytes())
            .map_err(|_| refused())?;
        Ok(Self(bytes.try_into().map_err(|_| refused())?))
    }
}

impl Serialize for DeviceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// A tenant of any level (dealer, customer or site), as numbered by the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(pub i64);

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the asker may see (Rule 9). Every device stands at a site, and a site is a tenant of the lowest level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole house: the provider's own people, and the manager itself.
    Everything,
    /// The devices that stand at these sites, and nothing else. Empty sees nothing.
    Sites(BTreeSet<TenantId>),
}

impl Scope {
    /// Whether a device at `site` may be seen.
    #[must_use]
    pub fn sees(&self, site: TenantId) -> bool {
        match self {
            Self::Everything => true,
            Self::Sites(sites) => sites.contains(&site),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_id_is_the_same_for_the_same_evidence_and_reads_back() {
        let id = DeviceId::derive("serial", &["kyocera", "VXF0417732"]);
        assert_eq!(id, DeviceId::derive("serial", &["kyocera", "VXF0417732"]));
        assert_ne!(id, DeviceId::derive("serial", &["kyoceraV", "XF0417732"]));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn an_agent_id_keeps_to_its_characters() {
        assert!(AgentId::new("meyer-werk2").is_ok());
        for bad in ["", "Meyer", "a b", "ä", &"x".repeat(65)] {
            assert!(AgentId::new(bad).is_err(), "{bad}");
        }
    }
}
