//! Texts that repeat in nearly every row are numbered, so that rows hold small numbers: agents, and origins of readings.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use codec::model::{Basis, Colour, MeterUnit, Sides, SourceKind, Work};

use crate::reading::MeterWords;
use crate::rows::RunRow;

/// Texts, numbered from 0 in the order of their first appearance.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    numbers: HashMap<String, u32>,
    pub texts: Vec<String>,
}

impl Texts {
    pub fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = count_u32(self.texts.len());
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        number
    }

    pub fn clear(&mut self) {
        self.numbers.clear();
        self.texts.clear();
    }
}

/// What a reading is of and how it was read: all that is the same for every reading of one meter through one profile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub code: String,
    pub work: Work,
    pub colour: Colour,
    pub unit: MeterUnit,
    pub size: Option<String>,
    pub sides: Option<Sides>,
    pub basis: Basis,
    pub oid: String,
    pub profile: Option<String>,
    pub source: SourceKind,
}

impl Origin {
    fn is_of(&self, row: &RunRow<'_>) -> bool {
        let words = MeterWords {
            work: self.work,
            colour: self.colour,
            unit: self.unit,
            size: self.size.as_deref(),
            sides: self.sides,
            basis: self.basis,
        };
        words == row.meter
            && self.oid == row.oid
            && self.profile.as_deref() == row.profile
            && self.source == row.source
    }
}

/// Origins, numbered from 0; found without building an owned key.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    hasher: RandomState,
    by_hash: HashMap<u64, u32>,
    pub origins: Vec<Origin>,
}

impl Origins {
    pub fn number(&mut self, row: &RunRow<'_>) -> u32 {
        let mut hash = self
            .hasher
            .hash_one((row.meter, row.oid, row.profile, row.source));
        // Two origins of one hash lie side by side.
        while let Some(number) = self.by_hash.get(&hash) {
            if self.origins[*number as usize].is_of(row) {
                return *number;
            }
            hash = hash.wrapping_add(1);
        }
        let number = count_u32(self.origins.len());
        self.by_hash.insert(hash, number);
        self.origins.push(Origin {
            code: row.meter.code(),
            work: row.meter.work,
            colour: row.meter.colour,
            unit: row.meter.unit,
            size: row.meter.size.map(str::to_owned),
            sides: row.meter.sides,
            basis: row.meter.basis,
            oid: row.oid.to_owned(),
            profile: row.profile.map(str::to_owned),
            source: row.source,
        });
        number
    }

    pub fn clear(&mut self) {
        self.by_hash.clear();
        self.origins.clear();
    }
}

fn count_u32(count: usize) -> u32 {
    u32::try_from(count).expect("a batch holds far fewer than 2^32 distinct texts")
}
