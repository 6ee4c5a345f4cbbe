//! What is known of a device, by OID: what a poll heard, and what a plan remembers of it in a packed form.
//!
//! Packed, a variable is: arcs shared with the one before (1 byte), further arcs (1 byte, then each as a base-128 integer, low
//! digits first), kind (1 byte), and the value (an integer, or a length and octets). Some 12 bytes a variable of a table.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::oid::{ARCS_MAX, Oid};
use crate::value::Value;

/// The most variables kept of one device: the largest known device needs some 600.
pub const VARIABLES_MAX: usize = 8000;

/// The longest string kept, in bytes: what is longer (raster lists, command sets) is no text of use here. A 1284 id may have 1023.
const OCTETS_MAX: usize = 1024;

/// What stands, packed, before the names of what could not be read: no variable of a device is there.
const UNREAD: [u32; 2] = [0, 0];

/// Variables by OID, and what could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    known: BTreeMap<Oid, Value>,
    /// Instances and columns that were asked for and not told in full.
    unread: BTreeSet<Oid>,
}

impl Facts {
    /// Keeps a variable. One that is too long is dropped, and so is one too many: then `false`.
    pub fn insert(&mut self, oid: Oid, value: Value) -> bool {
        let fits = match &value {
            Value::OctetString(octets) | Value::Opaque(octets) => octets.len() <= OCTETS_MAX,
            _ => true,
        };
        let room = self.known.len() < VARIABLES_MAX || self.known.contains_key(&oid);
        if fits && room {
            self.known.insert(oid, value);
        }
        room
    }

    /// Notes that an instance or a column was asked for and not told in full.
    pub fn mark_unread(&mut self, oid: Oid) {
        self.unread.insert(oid);
    }

    /// Whether an instance or a column, or anything below it, was asked for and not told in full.
    #[must_use]
    pub fn is_unread(&self, oid: &Oid) -> bool {
        let next = self.unread.range(oid..).next();
        next.is_some_and(|unread| unread.suffix_of(oid).is_some())
    }

    /// The subtree in which packed facts hold what could not be read.
    #[must_use]
    pub fn unread_subtree() -> Oid {
        Oid::new(&UNREAD)
    }

    /// The value of an instance.
    #[must_use]
    pub fn get(&self, oid: &Oid) -> Option<&Value> {
        self.known.get(oid)
    }

    /// The integer of an instance, whatever its type.
    #[must_use]
    pub fn integer(&self, oid: &Oid) -> Option<i64> {
        integer(self.known.get(oid)?)
    }

    /// The octets of an instance.
    #[must_use]
    pub fn octets(&self, oid: &Oid) -> Option<&[u8]> {
        match self.known.get(oid)? {
            Value::OctetString(octets) | Value::Opaque(octets) => Some(octets),
            _ => None,
        }
    }

    /// The rows of a column: index and value.
    pub fn rows<'a>(&'a self, column: &'a Oid) -> impl Iterator<Item = (&'a [u32], &'a Value)> {
        let below = self
            .known
            .range(column..)
            .take_while(|(oid, _)| oid.suffix_of(column).is_some());
        below
            .filter_map(|(oid, value)| Some((oid.suffix_of(column)?, value)))
            .filter(|(index, _)| !index.is_empty())
    }

    /// Whether anything is known at or below `prefix`.
    #[must_use]
    pub fn any_below(&self, prefix: &Oid) -> bool {
        self.known
            .range(prefix..)
            .next()
            .is_some_and(|(oid, _)| oid.suffix_of(prefix).is_some())
    }

    /// Forgets everything at or below `prefix`.
    pub fn forget(&mut self, prefix: &Oid) {
        while let Some((oid, _)) = self.known.range(prefix..).next()
            && oid.suffix_of(prefix).is_some()
        {
            let oid = oid.clone();
            self.known.remove(&oid);
        }
    }

    /// The variables, in order.
    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = (&Oid, &Value)> {
        self.known.iter()
    }

    /// The instances, in order.
    pub fn oids(&self) -> impl Iterator<Item = &Oid> {
        self.known.keys()
    }

    /// Packs the variables that `keep` wants.
    #[must_use]
    pub fn pack(&self, keep: impl Fn(&Oid) -> bool) -> Vec<u8> {
        let mut out = Vec::new();
        let mut previous: &[u32] = &[];
        let unread = self
            .unread
            .iter()
            .map(|oid| (Self::unread_subtree().child(oid.arcs()), Value::Integer(0)))
            .collect::<Vec<_>>();
        for (oid, value) in unread
            .iter()
            .map(|(oid, value)| (oid, value))
            .chain(&self.known)
        {
            if keep(oid) {
                let (kind, number, content) = parts(value);
                put_oid(&mut out, previous, oid.arcs());
                previous = oid.arcs();
                out.push(kind);
                put_number(&mut out, number);
                out.extend_from_slice(&content);
            }
        }
        out
    }

    /// Unpacks what [`Self::pack`] made; `None` for anything else.
    #[must_use]
    pub fn unpack(packed: &[u8]) -> Option<Self> {
        let mut rest = packed;
        let mut arcs: Vec<u32> = Vec::new();
        let mut facts = Self::default();
        while !rest.is_empty() {
            take_oid(&mut rest, &mut arcs)?;
            let (kind, tail) = rest.split_first()?;
            rest = tail;
            let number = take_number(&mut rest)?;
            let small = u32::try_from(number).ok();
            let mut octets = || {
                let (head, tail) = rest.split_at_checked(usize::try_from(number).ok()?)?;
                rest = tail;
                Some(head.to_vec())
            };
            let value = match kind {
                0 => Value::Integer(unzigzag(number)),
                1 => Value::OctetString(octets()?),
                2 => {
                    let content = octets()?;
                    let mut rest = content.as_slice();
                    let mut arcs = Vec::new();
                    while !rest.is_empty() && arcs.len() < ARCS_MAX {
                        arcs.push(u32::try_from(take_number(&mut rest)?).ok()?);
                    }
                    Value::ObjectId(Oid::new(&arcs))
                }
                3 => Value::IpAddress(small?.to_be_bytes()),
                4 => Value::Counter32(small?),
                5 => Value::Gauge32(small?),
                6 => Value::TimeTicks(small?),
                7 => Value::Counter64(number),
                8 => Value::Opaque(octets()?),
                9 => Value::Null,
                _ => return None,
            };
            match arcs.strip_prefix(&UNREAD) {
                Some(unread) if !unread.is_empty() => {
                    facts.mark_unread(Oid::new(unread));
                }
                _ => {
                    facts.insert(Oid::new(&arcs), value);
                }
            }
        }
        Some(facts)
    }
}

/// Packs OIDs, in their order.
#[must_use]
pub fn pack_oids<'a>(oids: impl IntoIterator<Item = &'a Oid>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut previous: &[u32] = &[];
    for oid in oids {
        put_oid(&mut out, previous, oid.arcs());
        previous = oid.arcs();
    }
    out
}

/// Unpacks what [`pack_oids`] made.
#[must_use]
pub fn unpack_oids(packed: &[u8]) -> Option<Vec<Oid>> {
    let mut rest = packed;
    let mut arcs = Vec::new();
    let mut oids = Vec::new();
    while !rest.is_empty() {
        take_oid(&mut rest, &mut arcs)?;
        oids.push(Oid::new(&arcs));
    }
    Some(oids)
}

/// The integer of a value, whatever its type.
#[must_use]
pub fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(n) => Some(*n),
        Value::Counter32(n) | Value::Gauge32(n) | Value::TimeTicks(n) => Some(i64::from(*n)),
        Value::Counter64(n) => i64::try_from(*n).ok(),
        _ => None,
    }
}

/// Kind, number (or length) and content of a value.
fn parts(value: &Value) -> (u8, u64, Cow<'_, [u8]>) {
    let length = |octets: &[u8]| u64::try_from(octets.len()).unwrap_or(u64::MAX);
    let number = |kind, number| (kind, number, Cow::Borrowed(&[][..]));
    match value {
        Value::Integer(n) => number(0, zigzag(*n)),
        Value::OctetString(octets) => (1, length(octets), Cow::Borrowed(octets)),
        Value::ObjectId(oid) => {
            let mut content = Vec::new();
            for arc in oid.arcs() {
                put_number(&mut content, u64::from(*arc));
            }
            (2, length(&content), Cow::Owned(content))
        }
        Value::IpAddress(octets) => number(3, u64::from(u32::from_be_bytes(*octets))),
        Value::Counter32(n) => number(4, u64::from(*n)),
        Value::Gauge32(n) => number(5, u64::from(*n)),
        Value::TimeTicks(n) => number(6, u64::from(*n)),
        Value::Counter64(n) => number(7, *n),
        Value::Opaque(octets) => (8, length(octets), Cow::Borrowed(octets)),
        Value::Null => number(9, 0),
    }
}

const fn zigzag(n: i64) -> u64 {
    (n.cast_unsigned() << 1) ^ (n >> 63).cast_unsigned()
}

const fn unzigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -((n & 1).cast_signed())
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(0x80 | u8::try_from(number & 0x7f).expect("seven bits"));
        number >>= 7;
    }
    out.push(u8::try_from(number).expect("seven bits"));
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn put_oid(out: &mut Vec<u8>, previous: &[u32], arcs: &[u32]) {
    let shared = previous
        .iter()
        .zip(arcs)
        .take_while(|(a, b)| a == b)
        .count();
    let byte = |n: usize| u8::try_from(n).expect("an OID has at most 128 arcs");
    out.push(byte(shared));
    out.push(byte(arcs.len() - shared));
    for arc in &arcs[shared..] {
        put_number(out, u64::from(*arc));
    }
}

fn take_oid(rest: &mut &[u8], arcs: &mut Vec<u32>) -> Option<()> {
    let [shared, further, tail @ ..] = rest else {
        return None;
    };
    *rest = tail;
    let shared = usize::from(*shared);
    if shared > arcs.len() || shared + usize::from(*further) > ARCS_MAX {
        return None;
    }
    arcs.truncate(shared);
    for _ in 0..*further {
        arcs.push(u32::try_from(take_number(rest)?).ok()?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i64>().prop_map(Value::Integer),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::OctetString),
            any::<[u8; 4]>().prop_map(Value::IpAddress),
            any::<u32>().prop_map(Value::Counter32),
            any::<u32>().prop_map(Value::Gauge32),
            any::<u32>().prop_map(Value::TimeTicks),
            any::<u64>().prop_map(Value::Counter64),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Opaque),
            Just(Value::Null),
            proptest::collection::vec(any::<u32>(), 2..20)
                .prop_map(|arcs| Value::ObjectId(Oid::new(&arcs))),
        ]
    }

    proptest! {
        #[test]
        fn facts_unpack_to_what_was_packed(list in proptest::collection::vec((proptest::collection::vec(0_u32..300, 2..12), value()), 0..40)) {
            let mut facts = Facts::default();
            for (arcs, value) in list {
                facts.insert(Oid::new(&arcs), value);
            }
            prop_assert_eq!(Facts::unpack(&facts.pack(|_| true)), Some(facts.clone()));
            let oids = facts.iter().map(|(oid, _)| oid.clone()).collect::<Vec<_>>();
            prop_assert_eq!(unpack_oids(&pack_oids(&oids)), Some(oids));
        }

        #[test]
        fn no_bytes_make_unpacking_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Facts::unpack(&bytes);
            let _ = unpack_oids(&bytes);
        }
    }

    #[test]
    fn rows_are_those_of_the_column_alone() {
        let mut facts = Facts::default();
        for (oid, n) in [
            ("1.3.6.1.2.1", 0),
            ("1.3.6.1.2.1.1", 1),
            ("1.3.6.1.2.1.7.2", 2),
            ("1.3.6.1.2.2.1", 3),
        ] {
            facts.insert(oid.parse().unwrap(), Value::Integer(n));
        }
        let column = "1.3.6.1.2.1".parse().unwrap();
        let rows = facts
            .rows(&column)
            .map(|(index, value)| (index.to_vec(), integer(value)))
            .collect::<Vec<_>>();
        assert_eq!(rows, [(vec![1], Some(1)), (vec![7, 2], Some(2))]);
    }
}
