//! What is known of a device, by OID: what a poll heard, and what a plan remembers of it in a packed form.
//!
//! Packed, a variable is: arcs shared with the one before (1 byte), further arcs (1 byte, then each as a base-128 integer, low
//! digits first), kind (1 byte), and the value (an integer, or a length and octets). Some 12 bytes a variable of a table.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::oid::{ARCS_MAX, Oid};
use crate::value::Value;

/// The most variables kept of one device: the largest known device needs some 600.
pub const VARIABLES_MAX: usize = 8000;

/// The longest string kept, in bytes: what is longer (raster lists, command sets) is no text of use here. A 1284 id may have 1023.
const OCTETS_MAX: usize = 1024;

/// What a packed variable needs, in bytes, a little less than on average: so much room is made, and some for what a poll adds.
const PACKED_BYTES: usize = 8;

/// What stands, packed, before the names of what could not be read: no variable of a device is there.
const UNREAD: [u32; 2] = [0, 0];

/// Variables by OID, and what could not be read.
///
/// A poll looks up hundreds of OIDs: what is compared is a number made of their first arcs ([`key`]), and whole OIDs only where that
/// is the same. Order and numbers stand beside each other, what they stand for elsewhere: inserting moves little.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// In the order of the OIDs.
    keys: Vec<u128>,
    /// By place in `keys`: where in `store` the variable is.
    slots: Vec<u32>,
    store: Vec<Slot>,
    /// Slots that nothing stands in any more.
    free: Vec<u32>,
    /// Instances and columns that were asked for and not told in full.
    unread: BTreeSet<Oid>,
}

#[derive(Clone, Debug)]
struct Slot {
    oid: Oid,
    value: Value,
    /// The device told it in this poll; else it is remembered.
    heard: bool,
}

impl PartialEq for Facts {
    fn eq(&self, other: &Self) -> bool {
        self.unread == other.unread && self.iter().eq(other.iter())
    }
}

impl Eq for Facts {}

impl Facts {
    /// Keeps a variable that is remembered. One that is too long is dropped, and so is one too many: then `false`.
    pub fn insert(&mut self, oid: &Oid, value: Value) -> bool {
        self.keep(oid, value, false)
    }

    /// Keeps a variable that the device told, like [`Self::insert`].
    pub fn hear(&mut self, oid: &Oid, value: Value) -> bool {
        self.keep(oid, value, true)
    }

    fn keep(&mut self, oid: &Oid, value: Value, heard: bool) -> bool {
        let fits = match &value {
            Value::OctetString(octets) | Value::Opaque(octets) => octets.len() <= OCTETS_MAX,
            _ => true,
        };
        let key = key(oid.arcs());
        match self.place(key, oid) {
            Ok(at) => {
                let slot = &mut self.store[self.slots[at] as usize];
                slot.heard |= heard;
                if fits {
                    slot.value = value;
                }
                true
            }
            Err(_) if self.keys.len() >= VARIABLES_MAX => false,
            Err(_) if !fits => true,
            Err(at) => {
                let oid = oid.clone();
                let slot = Slot { oid, value, heard };
                let slot = match self.free.pop() {
                    Some(free) => {
                        self.store[free as usize] = slot;
                        free
                    }
                    None => {
                        self.store.push(slot);
                        u32::try_from(self.store.len() - 1).expect("VARIABLES_MAX is less")
                    }
                };
                self.keys.insert(at, key);
                self.slots.insert(at, slot);
                true
            }
        }
    }

    /// Where the variable is, or would be.
    fn place(&self, key: u128, oid: &Oid) -> Result<usize, usize> {
        // What comes in order goes behind all there is.
        let first = match self.keys.last() {
            Some(last) if *last < key => self.keys.len(),
            _ => self.keys.partition_point(|known| *known < key),
        };
        let is_same = |at: usize| self.keys.get(at) == Some(&key);
        if !is_same(first) {
            return Err(first);
        }
        let oid_at = |slot: &u32| &self.store[*slot as usize].oid;
        if !is_same(first + 1) && oid_at(&self.slots[first]) == oid {
            return Ok(first);
        }
        let same = self.keys[first..].partition_point(|known| *known == key);
        let slots = &self.slots[first..first + same];
        let found = slots.binary_search_by(|slot| oid_at(slot).cmp(oid));
        found
            .map(|offset| first + offset)
            .map_err(|offset| first + offset)
    }

    fn slot(&self, oid: &Oid) -> Option<&Slot> {
        let at = self.place(key(oid.arcs()), oid).ok()?;
        Some(&self.store[self.slots[at] as usize])
    }

    /// From this OID on, in order.
    fn starting_at(&self, oid: &Oid) -> impl Iterator<Item = &Slot> {
        let at = self.place(key(oid.arcs()), oid).unwrap_or_else(|at| at);
        let slots = self.slots[at..].iter();
        slots.map(|slot| &self.store[*slot as usize])
    }

    /// Notes that an instance or a column was asked for and not told in full.
    pub fn mark_unread(&mut self, oid: Oid) {
        self.unread.insert(oid);
    }

    /// Whether everything that was asked for was told in full.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unread.is_empty()
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
        Some(&self.slot(oid)?.value)
    }

    /// Whether the device told this instance in this poll.
    #[must_use]
    pub fn is_heard(&self, oid: &Oid) -> bool {
        self.slot(oid).is_some_and(|slot| slot.heard)
    }

    /// The integer of an instance, whatever its type.
    #[must_use]
    pub fn integer(&self, oid: &Oid) -> Option<i64> {
        integer(self.get(oid)?)
    }

    /// The octets of an instance.
    #[must_use]
    pub fn octets(&self, oid: &Oid) -> Option<&[u8]> {
        match self.get(oid)? {
            Value::OctetString(octets) | Value::Opaque(octets) => Some(octets),
            _ => None,
        }
    }

    /// The rows of a column: index and value.
    pub fn rows<'a>(&'a self, column: &'a Oid) -> impl Iterator<Item = (&'a [u32], &'a Value)> {
        let below = self
            .starting_at(column)
            .map_while(|slot| Some((slot.oid.suffix_of(column)?, &slot.value)));
        below.filter(|(index, _)| !index.is_empty())
    }

    /// Whether anything is known at or below `prefix`.
    #[must_use]
    pub fn any_below(&self, prefix: &Oid) -> bool {
        let next = self.starting_at(prefix).next();
        next.is_some_and(|slot| slot.oid.suffix_of(prefix).is_some())
    }

    /// Forgets everything at or below `prefix`.
    pub fn forget(&mut self, prefix: &Oid) {
        let first = self.place(key(prefix.arcs()), prefix);
        let first = first.unwrap_or_else(|at| at);
        let below = |slot: &&u32| {
            let oid = &self.store[**slot as usize].oid;
            oid.suffix_of(prefix).is_some()
        };
        let end = first + self.slots[first..].iter().take_while(below).count();
        self.keys.drain(first..end);
        for slot in self.slots.drain(first..end) {
            self.store[slot as usize].value = Value::Null;
            self.free.push(slot);
        }
    }

    /// The variables, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Oid, &Value)> {
        let slots = self.slots.iter();
        slots.map(|slot| {
            let slot = &self.store[*slot as usize];
            (&slot.oid, &slot.value)
        })
    }

    /// The instances, in order.
    pub fn oids(&self) -> impl Iterator<Item = &Oid> {
        self.iter().map(|(oid, _)| oid)
    }

    /// Packs these instances, as far as they are known; they are in order.
    #[must_use]
    pub fn pack_only(&self, oids: &[Oid]) -> Vec<u8> {
        let mut out = Vec::with_capacity(oids.len() * 16);
        let mut previous: &[u32] = &[];
        for oid in oids {
            if let Some(value) = self.get(oid) {
                put_variable(&mut out, previous, oid, value);
                previous = oid.arcs();
            }
        }
        out
    }

    /// Packs the variables that `keep` wants, which is asked in the order of the OIDs: of what could not be read first.
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
            .chain(self.iter())
        {
            if keep(oid) {
                put_variable(&mut out, previous, oid, value);
                previous = oid.arcs();
            }
        }
        out
    }

    /// Unpacks what [`Self::pack`] made; `None` for anything else.
    #[must_use]
    pub fn unpack(packed: &[u8]) -> Option<Self> {
        let mut rest = packed;
        let mut arcs: Vec<u32> = Vec::with_capacity(ARCS_MAX);
        let room = (packed.len() / PACKED_BYTES).min(VARIABLES_MAX);
        let mut facts = Self {
            keys: Vec::with_capacity(room),
            slots: Vec::with_capacity(room),
            store: Vec::with_capacity(room),
            ..Self::default()
        };
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
                    facts.insert(&Oid::new(&arcs), value);
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

/// A number that stands for the first arcs of an OID: of two OIDs the greater never has the smaller number. The roots that printers use
/// are one octet; an arc is an octet, or, where it is large, how many octets it has and these.
fn key(arcs: &[u32]) -> u128 {
    const MIB_2: [u32; 6] = [1, 3, 6, 1, 2, 1];
    const ENTERPRISES: [u32; 6] = [1, 3, 6, 1, 4, 1];
    /// Arcs below are one octet.
    const LARGE: u32 = 0xfb;
    let (root, rest) = match arcs {
        [1, 3, 6, 1, 2, 1, rest @ ..] => (2, rest),
        [1, 3, 6, 1, 4, 1, rest @ ..] => (4, rest),
        _ if arcs < &MIB_2[..] => (1, &[][..]),
        _ if arcs < &ENTERPRISES[..] => (3, &[][..]),
        _ => (5, &[][..]),
    };
    let mut key: u128 = root;
    let mut left: u32 = 15;
    for arc in rest {
        let (octets, count) = if *arc < LARGE {
            (u64::from(*arc), 1)
        } else {
            let behind = (u32::BITS - arc.leading_zeros()).div_ceil(8);
            let mark = u64::from(LARGE + behind - 1);
            (mark << (8 * behind) | u64::from(*arc), behind + 1)
        };
        let taken = count.min(left);
        key = key << (8 * taken) | u128::from(octets >> (8 * (count - taken)));
        left -= taken;
        if left == 0 {
            break;
        }
    }
    key << (8 * left)
}

fn put_variable(out: &mut Vec<u8>, previous: &[u32], oid: &Oid, value: &Value) {
    let (kind, number, content) = parts(value);
    put_oid(out, previous, oid.arcs());
    out.push(kind);
    put_number(out, number);
    out.extend_from_slice(&content);
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
mod tests;
