//! Words found by their bytes: one multiplication and one look, whatever the word.

use crate::model::{
    AlertSeverity, Basis, CapacityUnit, Colorant, Colour, DeviceStatus, MeterSet, MeterUnit,
    PrinterStatus, Sides, SourceKind, SupplyClass, SupplyType, TrayType, Work,
};

/// A word of up to fifteen bytes and the quotation mark behind it, the first the lowest; then zeros.
pub(super) type Key = [u64; 2];

/// One of a list of words.
pub(super) trait Word: Copy {
    /// The value that `word` names.
    fn from_word(word: &str) -> Option<Self>;
    /// The value that the word of these bytes names. Longer words than a key holds are not found.
    fn from_key(key: Key) -> Option<Self>;
}

/// So many bits tell the places of a table apart: with four times as many places as words, a factor that keeps them apart is found soon.
const BITS: u32 = 6;

/// The words of a list, each at the place that its bytes and a factor give.
struct Table<T> {
    factor: u64,
    places: [(Key, Option<T>); 1 << BITS],
}

impl<T: Copy> Table<T> {
    /// Looks for a factor that gives every word a place of its own; when this is compiled.
    const fn new(words: &[&str], values: &[T]) -> Self {
        let mut factor = 0x9e37_79b9_7f4a_7c15;
        loop {
            if let Some(places) = Self::places(words, values, factor) {
                return Self { factor, places };
            }
            factor = factor.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(2);
        }
    }

    const fn places(
        words: &[&str],
        values: &[T],
        factor: u64,
    ) -> Option<[(Key, Option<T>); 1 << BITS]> {
        let mut places = [([0; 2], None); 1 << BITS];
        let mut number = 0;
        while number < words.len() {
            if let Some(key) = key(words[number].as_bytes()) {
                let place = &mut places[place(key, factor)];
                if place.1.is_some() {
                    return None;
                }
                *place = (key, Some(values[number]));
            }
            number += 1;
        }
        Some(places)
    }

    #[inline(always)]
    fn find(&self, key: Key) -> Option<T> {
        let (found, value) = self.places[place(key, self.factor)];
        if found == key { value } else { None }
    }
}

#[inline(always)]
const fn place([low, high]: Key, factor: u64) -> usize {
    ((low ^ high.rotate_left(32)).wrapping_mul(factor) >> (64 - BITS)) as usize
}

/// The key of `word`, if one holds it.
const fn key(word: &[u8]) -> Option<Key> {
    let mut key: Key = [0; 2];
    let mut at = 0;
    while at <= word.len() {
        if at == 16 {
            return None;
        }
        let byte = if at < word.len() { word[at] } else { b'"' };
        key[at / 8] |= (byte as u64) << (8 * (at % 8));
        at += 1;
    }
    Some(key)
}

macro_rules! tables {
    ($($name:ident)+) => { $(
        impl Word for $name {
            #[inline]
            fn from_word(word: &str) -> Option<Self> {
                Self::from_word(word)
            }

            #[inline(always)]
            fn from_key(key: Key) -> Option<Self> {
                static TABLE: Table<$name> = {
                    let mut words = [""; $name::ALL.len()];
                    let mut number = 0;
                    while number < words.len() {
                        words[number] = $name::ALL[number].word();
                        number += 1;
                    }
                    Table::new(&words, $name::ALL)
                };
                TABLE.find(key)
            }
        }
    )+
    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn every_word_that_fits_is_found_by_its_bytes() {
            $(for value in $name::ALL {
                let word = value.word();
                let found = key(word.as_bytes()).map(<$name as Word>::from_key);
                assert_eq!(found, (word.len() <= 15).then_some(Some(*value)), "{word}");
            }
            for foreign in ["", "x", "tone", "toner2", "toner\0", "\0", "removables", "nonRemovabl"] {
                let key = key(foreign.as_bytes()).unwrap();
                assert_eq!(<$name as Word>::from_key(key), None, "{foreign}");
            })+
        }
    }
    };
}

tables! {
    AlertSeverity Basis CapacityUnit Colorant Colour DeviceStatus MeterSet MeterUnit PrinterStatus Sides SourceKind SupplyClass SupplyType TrayType Work
}
