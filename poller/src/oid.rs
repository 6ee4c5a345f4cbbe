//! Object identifiers (X.660, RFC 2578): up to 128 arcs of 32 bits.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use crate::ber::{TAG_OBJECT_ID, Writer};

/// The most arcs an OID may have (RFC 2578, 3.5).
pub const ARCS_MAX: usize = 128;

/// Up to so many arcs stand in the OID itself, which nearly all have that printers know; a poll makes, copies and drops hundreds of them.
const ARCS_INLINE: usize = 19;

/// Digits of the largest arc.
const ARC_DIGITS_MAX: usize = 10;

/// An object identifier, ordered as SNMP orders them: arc by arc. Cloning is cheap: short ones are copied, long ones share their arcs.
#[derive(Clone)]
pub struct Oid(Arcs);

#[derive(Clone)]
enum Arcs {
    /// The first `len` are meant.
    Inline {
        len: u8,
        arcs: [u32; ARCS_INLINE],
    },
    Shared(Arc<[u32]>),
}

impl From<&[u32]> for Arcs {
    #[inline]
    fn from(from: &[u32]) -> Self {
        let mut arcs = [0; ARCS_INLINE];
        match (arcs.get_mut(..from.len()), u8::try_from(from.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(from);
                Self::Inline { len, arcs }
            }
            _ => Self::Shared(from.into()),
        }
    }
}

impl PartialEq for Oid {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.arcs() == other.arcs()
    }
}

impl Eq for Oid {}

impl PartialOrd for Oid {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Oid {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.arcs().cmp(other.arcs())
    }
}

impl Hash for Oid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.arcs().hash(state);
    }
}

/// A text that is no object identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an object identifier such as 1.3.6.1.2.1.1.1.0: {0:?}")]
pub struct OidError(pub String);

impl Oid {
    /// An OID of these arcs, cut at [`ARCS_MAX`].
    #[must_use]
    pub fn new(arcs: &[u32]) -> Self {
        Self(arcs.get(..ARCS_MAX).unwrap_or(arcs).into())
    }

    /// The arcs.
    #[must_use]
    #[inline]
    pub fn arcs(&self) -> &[u32] {
        match &self.0 {
            Arcs::Inline { len, arcs } => arcs.get(..usize::from(*len)).unwrap_or(arcs),
            Arcs::Shared(arcs) => arcs,
        }
    }

    /// This OID with `suffix` behind it.
    #[must_use]
    pub fn child(&self, suffix: &[u32]) -> Self {
        let own = self.arcs();
        let mut arcs = [0; ARCS_INLINE];
        let len = own.len() + suffix.len();
        if let (Some(place), Ok(short)) = (arcs.get_mut(..len), u8::try_from(len)) {
            let (head, tail) = place.split_at_mut(own.len());
            head.copy_from_slice(own);
            tail.copy_from_slice(suffix);
            return Self(Arcs::Inline { len: short, arcs });
        }
        Self::new(&[own, suffix].concat())
    }

    /// The arcs behind `prefix`, if this OID starts with it.
    #[must_use]
    pub fn suffix_of(&self, prefix: &Self) -> Option<&[u32]> {
        self.arcs().strip_prefix(prefix.arcs())
    }

    /// Reads BER content octets; `None` when they are malformed, an arc exceeds 32 bits, or there are too many.
    #[must_use]
    pub fn from_ber(content: &[u8]) -> Option<Self> {
        let mut arcs = [0; ARCS_MAX];
        Some(Self(read_arcs(content, &mut arcs)?.into()))
    }

    /// Becomes what `content` (BER content octets) says, and says whether that was well formed; if not, it stays what it was.
    /// Allocates only when it is long.
    pub fn assign_ber(&mut self, content: &[u8]) -> bool {
        let mut buffer = [0; ARCS_MAX];
        let Some(arcs) = read_arcs(content, &mut buffer) else {
            return false;
        };
        self.0 = arcs.into();
        true
    }

    /// Whether these BER content octets say this OID.
    #[inline]
    #[must_use]
    pub fn is_ber(&self, content: &[u8]) -> bool {
        let [first, second, rest @ ..] = self.arcs() else {
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
        let (first, rest) = match self.arcs() {
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
        let (first, second, rest) = match self.arcs() {
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
        // Digits are made here, back to front, and written a run of arcs at once: each reading carries its OID.
        let mut text = [0_u8; ARCS_INLINE * (ARC_DIGITS_MAX + 1)];
        for (run, arcs) in self.arcs().chunks(ARCS_INLINE).enumerate() {
            let mut start = text.len();
            let mut put = |byte: u8| {
                start -= 1;
                text[start] = byte;
            };
            for (at, arc) in arcs.iter().enumerate().rev() {
                let mut left = *arc;
                loop {
                    put(b'0' + (left % 10) as u8);
                    left /= 10;
                    if left == 0 {
                        break;
                    }
                }
                if at > 0 || run > 0 {
                    put(b'.');
                }
            }
            let digits = std::str::from_utf8(&text[start..]).map_err(|_| fmt::Error)?;
            f.write_str(digits)?;
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
            Ok(Self(arcs.as_slice().into()))
        } else {
            Err(refused())
        }
    }
}
