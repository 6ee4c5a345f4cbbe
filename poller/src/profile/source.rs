//! Where a profile finds a value: one OID, a row of a table known by its code or its name, a sum, a choice, a part of a blob.

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::text::Pattern;
use crate::oid::Oid;

/// The deepest that sums and choices nest: more says nothing and could exhaust the stack.
const DEPTH_MAX: usize = 4;

/// Where a value is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// One instance.
    Scalar {
        /// The instance.
        oid: Oid,
        /// How its octets are to be read.
        form: Form,
        /// The value counts only if this instance is absent or fits one of the patterns.
        guard: Option<(Oid, Vec<Pattern>)>,
    },
    /// One row of a table of the profile.
    Row {
        /// The table's name.
        table: String,
        /// Which row.
        key: RowKey,
        /// The column to read, where it is not the table's value column.
        column: Option<Oid>,
        /// Only a row whose unit, in the table's unit column, is this.
        unit: Option<u32>,
    },
    /// The sum over all rows of a column.
    Column(Oid),
    /// The sum of what is there; at least one, or all of them.
    Sum {
        /// The parts.
        parts: Vec<Source>,
        /// Whether a part may be absent.
        any: bool,
    },
    /// The first that exists.
    First(Vec<Source>),
}

/// How a row is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowKey {
    /// By the number in the table's code column (or in the row's index).
    Code(u32),
    /// By the text in the table's name column.
    Name(Vec<Pattern>),
}

/// How octets become a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// An integer of any type, or decimal digits.
    #[default]
    Number,
    /// The leading digits of a text (`22193 INCHES`).
    LeadingDigits,
    /// An IEEE 754 single, big endian, rounded.
    Float32,
    /// The value of a tag in a Brother list (tag, 01, length, value).
    Tlv(u8),
    /// The two bytes of a tag in a Brother list, numerator and denominator, in ten-thousandths.
    TlvFraction(u8),
    /// A field of an Epson status (`@BDC ST2`): its one byte, or of its list of inks the level of the ink with this colour code.
    St2 {
        /// The field's tag.
        tag: u8,
        /// The colour code.
        item: Option<u8>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    oid: Option<String>,
    form: Option<String>,
    tlv: Option<u8>,
    fraction: Option<bool>,
    st2: Option<u8>,
    item: Option<u8>,
    unless: Option<String>,
    like: Option<Vec<Pattern>>,
    row: Option<String>,
    code: Option<u32>,
    name: Option<Names>,
    column: Option<String>,
    unit: Option<u32>,
    sum: Option<Vec<Source>>,
    any: Option<bool>,
    first: Option<Vec<Source>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    One(Pattern),
    Many(Vec<Pattern>),
}

/// Reads an OID of a profile: at least six arcs, so that no profile can open a whole branch.
pub fn parse_oid(text: &str) -> Result<Oid, String> {
    let oid: Oid = text
        .parse()
        .map_err(|error: crate::oid::OidError| error.to_string())?;
    if oid.arcs().len() < 6 || oid.arcs()[..3] != [1, 3, 6] {
        return Err(format!("{text} is too short or outside 1.3.6"));
    }
    Ok(oid)
}

impl Raw {
    fn check(self) -> Result<Source, String> {
        let ways = [
            self.oid.is_some(),
            self.row.is_some(),
            self.sum.is_some(),
            self.first.is_some(),
        ];
        let column_alone = self.column.is_some() && self.row.is_none();
        if ways.iter().filter(|way| **way).count() + usize::from(column_alone) != 1 {
            return Err("exactly one of oid, row, column, sum and first is needed".to_owned());
        }
        let column = self.column.as_deref().map(parse_oid).transpose()?;
        let source = if let Some(oid) = &self.oid {
            let form = match (self.form.as_deref(), self.tlv, self.st2) {
                (None, None, None) => Form::Number,
                (None, Some(tag), None) if self.fraction == Some(true) => Form::TlvFraction(tag),
                (None, Some(tag), None) => Form::Tlv(tag),
                (None, None, Some(tag)) => Form::St2 {
                    tag,
                    item: self.item,
                },
                (Some("float32"), None, None) => Form::Float32,
                (Some("leading-digits"), None, None) => Form::LeadingDigits,
                _ => {
                    let reason = "form is float32 or leading-digits; tlv and st2 stand alone";
                    return Err(reason.to_owned());
                }
            };
            let guard = match (&self.unless, self.like) {
                (None, None) => None,
                (Some(oid), Some(like)) => Some((parse_oid(oid)?, like)),
                _ => return Err("unless and like go together".to_owned()),
            };
            Source::Scalar {
                oid: parse_oid(oid)?,
                form,
                guard,
            }
        } else if let Some(table) = self.row {
            let key = match (self.code, self.name) {
                (Some(code), None) => RowKey::Code(code),
                (None, Some(Names::One(name))) => RowKey::Name(vec![name]),
                (None, Some(Names::Many(names))) => RowKey::Name(names),
                _ => return Err("a row is found by its code or by its name".to_owned()),
            };
            Source::Row {
                table,
                key,
                column,
                unit: self.unit,
            }
        } else if let Some(parts) = self.sum {
            Source::Sum {
                parts,
                any: self.any.unwrap_or(false),
            }
        } else if let Some(choices) = self.first {
            Source::First(choices)
        } else {
            Source::Column(column.ok_or("nothing to read")?)
        };
        if source.depth() > DEPTH_MAX {
            return Err("sums and choices nest too deep".to_owned());
        }
        match &source {
            Source::Sum { parts: list, .. } | Source::First(list) if list.is_empty() => {
                Err("an empty list".to_owned())
            }
            _ => Ok(source),
        }
    }
}

impl Source {
    fn depth(&self) -> usize {
        match self {
            Self::Sum { parts: list, .. } | Self::First(list) => {
                1 + list.iter().map(Self::depth).max().unwrap_or(0)
            }
            _ => 1,
        }
    }

    /// Calls `visit` for this source and all it is made of.
    pub fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        if let Self::Sum { parts: list, .. } | Self::First(list) = self {
            for source in list {
                source.each(visit);
            }
        }
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Source;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an OID, or a table with oid, row, column, sum or first")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Source, E> {
                let oid = parse_oid(text).map_err(E::custom)?;
                Ok(Source::Scalar {
                    oid,
                    form: Form::Number,
                    guard: None,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Source, A::Error> {
                Raw::deserialize(MapAccessDeserializer::new(map))?
                    .check()
                    .map_err(A::Error::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}
