//! Object identifiers (X.660, RFC 2578): up to 128 arcs of 32 bits.

use std::fmt;
use std::str::FromStr;

/// The most arcs an OID may have (RFC 2578, 3.5).
pub const ARCS_MAX: usize = 128;

/// An object identifier, ordered as SNMP orders them: arc by arc.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(Box<[u32]>);

/// A text that is no object identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an object identifier such as 1.3.6.1.2.1.1.1.0: {0:?}")]
pub struct OidError(pub String);

impl Oid {
    /// An OID of these arcs, cut at [`ARCS_MAX`].
    #[must_use]
    pub fn new(arcs: &[u32]) -> Self {
        Self(arcs[..arcs.len().min(ARCS_MAX)].into())
    }

    /// The arcs.
    #[must_use]
    pub const fn arcs(&self) -> &[u32] {
        &self.0
    }

    /// This OID with `suffix` behind it.
    #[must_use]
    pub fn child(&self, suffix: &[u32]) -> Self {
        Self::new(&[&self.0, suffix].concat())
    }

    /// The arcs behind `prefix`, if this OID starts with it.
    #[must_use]
    pub fn suffix_of(&self, prefix: &Self) -> Option<&[u32]> {
        self.0.strip_prefix(&*prefix.0)
    }

    /// Reads BER content octets; `None` when they are malformed, an arc exceeds 32 bits, or there are too many.
    #[must_use]
    pub fn from_ber(content: &[u8]) -> Option<Self> {
        let mut arcs = Vec::with_capacity(content.len() + 1);
        let mut arc: u32 = 0;
        let mut inside = false;
        for byte in content {
            if arc > u32::MAX >> 7 {
                return None;
            }
            arc = arc << 7 | u32::from(byte & 0x7f);
            inside = byte & 0x80 != 0;
            if inside {
                continue;
            }
            if arcs.is_empty() {
                let first = (arc / 40).min(2);
                arcs.push(first);
                arcs.push(arc - first * 40);
            } else {
                arcs.push(arc);
            }
            arc = 0;
        }
        (!inside && !arcs.is_empty() && arcs.len() <= ARCS_MAX).then(|| Self(arcs.into()))
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, arc) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            arc.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Oid {
    type Err = OidError;

    fn from_str(text: &str) -> Result<Self, OidError> {
        let refused = || OidError(text.chars().take(80).collect());
        let arcs = text
            .strip_prefix('.')
            .unwrap_or(text)
            .split('.')
            .map(str::parse)
            .collect::<Result<Vec<u32>, _>>()
            .map_err(|_| refused())?;
        if (2..=ARCS_MAX).contains(&arcs.len()) {
            Ok(Self(arcs.into()))
        } else {
            Err(refused())
        }
    }
}
