//! What a meter counts, as a number: comparing and hashing one costs nothing.

use std::collections::HashMap;

use codec::model::{Basis, Colour, Meter, MeterUnit, Sides, Work};

/// Distinct media sizes: the standards name some two hundred; more are made up.
const SIZES_MAX: usize = 4_096;

/// What is counted, as a number: the words' places in their lists, and an interned size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeterKey(u32);

/// Makes [`MeterKey`]s: knows every size that was seen.
#[derive(Debug, Default)]
pub struct MeterKeys {
    sizes: HashMap<String, u32>,
}

impl MeterKeys {
    /// The key of a meter; `None` when too many different sizes were seen.
    pub fn key(&mut self, meter: &Meter) -> Option<MeterKey> {
        self.of_words(
            meter.work,
            meter.colour,
            meter.unit,
            meter.size.as_deref(),
            meter.sides,
            meter.basis,
        )
    }

    /// The key of a code that [`codec::model::meter_code`] made.
    pub fn parse(&mut self, code: &str) -> Option<MeterKey> {
        let (basis, words) = match code.strip_prefix("engine.") {
            Some(words) => (Basis::Engine, words),
            None => (Basis::Billing, code),
        };
        let mut words = words.splitn(4, '.');
        let work = Work::from_word(words.next()?)?;
        let colour = Colour::from_word(words.next()?)?;
        let unit = MeterUnit::from_word(words.next()?)?;
        let rest = words.next();
        let (size, sides) =
            match rest.map(|rest| (rest, Sides::from_word(rest), rest.rsplit_once('.'))) {
                None => (None, None),
                Some((_, Some(sides), _)) => (None, Some(sides)),
                Some((rest, None, Some((size, last)))) => match Sides::from_word(last) {
                    Some(sides) => (Some(size), Some(sides)),
                    None => (Some(rest), None),
                },
                Some((size, None, None)) => (Some(size), None),
            };
        self.of_words(work, colour, unit, size, sides, basis)
    }

    fn of_words(
        &mut self,
        work: Work,
        colour: Colour,
        unit: MeterUnit,
        size: Option<&str>,
        sides: Option<Sides>,
        basis: Basis,
    ) -> Option<MeterKey> {
        let size = match size {
            None => 0,
            Some(size) => match self.sizes.get(size) {
                Some(number) => *number,
                None if self.sizes.len() < SIZES_MAX => {
                    let number = u32::try_from(self.sizes.len()).ok()? + 1;
                    self.sizes.insert(size.to_owned(), number);
                    number
                }
                None => return None,
            },
        };
        let sides = sides.map_or(0, |sides| sides as u32 + 1);
        Some(MeterKey(
            work as u32
                | (colour as u32) << 4
                | (unit as u32) << 8
                | sides << 12
                | (basis as u32) << 14
                | size << 16,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_leads_to_the_key_of_its_meter() {
        let mut keys = MeterKeys::default();
        for size in [None, Some("a3"), Some("na.letter")] {
            for sides in [None, Some(Sides::Simplex), Some(Sides::Duplex)] {
                for basis in [Basis::Billing, Basis::Engine] {
                    let meter = Meter {
                        work: Work::Scan,
                        colour: Colour::SingleColour,
                        unit: MeterUnit::Images,
                        size: size.map(str::to_owned),
                        sides,
                        value: 1,
                        basis,
                        oid: String::new(),
                        parts: Vec::new(),
                    };
                    assert_eq!(
                        keys.parse(&meter.code()),
                        keys.key(&meter),
                        "{}",
                        meter.code()
                    );
                }
            }
        }
        assert_eq!(keys.parse("print.mono"), None);
    }
}
