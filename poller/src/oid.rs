//! Object identifiers (X.660, RFC 2578): up to 128 arcs of 32 bits.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::ber::{TAG_OBJECT_ID, Writer};

/// The most arcs an OID may have (RFC 2578, 3.5).
pub const ARCS_MAX: usize = 128;

/// An object identifier, ordered as SNMP orders them: arc by arc. Cloning shares the arcs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(Arc<[u32]>);

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
    pub fn arcs(&self) -> &[u32] {
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
        let mut arcs = [0; ARCS_MAX];
        Some(Self(read_arcs(content, &mut arcs)?.into()))
    }

    /// Becomes what `content` (BER content octets) says, and says whether that was well formed; if not, it stays what it was.
    /// Allocates only when the number of arcs changes or the arcs are shared.
    pub fn assign_ber(&mut self, content: &[u8]) -> bool {
        let mut buffer = [0; ARCS_MAX];
        let Some(arcs) = read_arcs(content, &mut buffer) else {
            return false;
        };
        match Arc::get_mut(&mut self.0) {
            Some(own) if own.len() == arcs.len() => own.copy_from_slice(arcs),
            _ => self.0 = arcs.into(),
        }
        true
    }

    /// Whether these BER content octets say this OID.
    #[inline]
    #[must_use]
    pub fn is_ber(&self, content: &[u8]) -> bool {
        let [first, second, rest @ ..] = &*self.0 else {
            return false;
        };
        let Some(mut left) = strip_arc(
            content,
            u64::from((*first).min(2)) * 40 + u64::from(*second),
        ) else {
            return false;
        };
        if left.len() == rest.len() {
            // As many octets as arcs: each arc is one octet.
            let differing = rest.iter().zip(left).fold(0, |all, (arc, byte)| {
                all | (arc ^ u32::from(*byte)) | u32::from(byte & 0x80)
            });
            return differing == 0;
        }
        for arc in rest {
            match strip_arc(left, u64::from(*arc)) {
                Some(behind) => left = behind,
                None => return false,
            }
        }
        left.is_empty()
    }

    /// Writes it as a BER element, back to front.
    #[inline]
    pub fn write(&self, writer: &mut Writer) {
        let since = writer.len();
        let (first, rest) = match &*self.0 {
            [first, second, rest @ ..] => {
                (u64::from((*first).min(2)) * 40 + u64::from(*second), rest)
            }
            [first] => (u64::from((*first).min(2)) * 40, &[][..]),
            [] => (0, &[][..]),
        };
        // Most arcs are small: they are written at once, each a byte.
        if first < 0x80 && rest.iter().fold(0, |all, arc| all | arc) < 0x80 {
            if let Some(room) = writer.room(rest.len() + 1)
                && let Some((head, tail)) = room.split_first_mut()
            {
                *head = first as u8;
                for (byte, arc) in tail.iter_mut().zip(rest) {
                    *byte = *arc as u8;
                }
            }
        } else {
            for arc in rest.iter().rev() {
                write_arc(writer, u64::from(*arc));
            }
            write_arc(writer, first);
        }
        writer.head(TAG_OBJECT_ID, since);
    }

    /// How many BER content octets it has.
    #[must_use]
    pub fn ber_len(&self) -> usize {
        let (first, second, rest) = match &*self.0 {
            [first, second, rest @ ..] => (*first, *second, rest),
            [first] => (*first, 0, &[][..]),
            [] => (0, 0, &[][..]),
        };
        let arcs = rest.iter().map(|arc| arc_len(*arc));
        arc_len((first.min(2) * 40).saturating_add(second)) + arcs.sum::<usize>()
    }
}

/// How many octets an arc needs.
#[inline]
const fn arc_len(arc: u32) -> usize {
    // Comparisons, not branches: this is summed over every arc of every request.
    1 + (arc >= 0x80) as usize
        + (arc >= 0x4000) as usize
        + (arc >= 0x20_0000) as usize
        + (arc >= 0x1000_0000) as usize
}

#[inline]
fn write_arc(writer: &mut Writer, arc: u64) {
    writer.byte((arc & 0x7f) as u8);
    let mut left = arc >> 7;
    while left > 0 {
        writer.byte((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
}

/// What follows this arc, if it stands there in its shortest form.
#[inline]
fn strip_arc(content: &[u8], arc: u64) -> Option<&[u8]> {
    let (&byte, rest) = content.split_first()?;
    if arc < 0x80 {
        return (u64::from(byte) == arc).then_some(rest);
    }
    let mut left = content;
    let mut read: u64 = 0;
    loop {
        let (&byte, behind) = left.split_first()?;
        left = behind;
        read = read << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return (read == arc).then_some(left);
        }
        if read > arc {
            return None;
        }
    }
}

fn read_arcs<'b>(content: &[u8], arcs: &'b mut [u32; ARCS_MAX]) -> Option<&'b [u32]> {
    let mut count = 0;
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
        if count == 0 {
            let first = (arc / 40).min(2);
            *arcs.get_mut(count)? = first;
            count += 1;
            arc -= first * 40;
        }
        *arcs.get_mut(count)? = arc;
        count += 1;
        arc = 0;
    }
    if inside || count == 0 {
        return None;
    }
    arcs.get(..count)
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
