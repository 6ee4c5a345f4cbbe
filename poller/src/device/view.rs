//! What the interpreters look through: the facts of one device, its profile, its index and charset; and how sources become values.

use super::facts::{self, Facts};
use super::{forms, mib, text};
use crate::oid::Oid;
use crate::profile::{Form, Pattern, Profile, ProfileSet, RowKey, Source, Table};
use crate::value::Value;

/// One device, ready to be interpreted.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What was heard, and what is remembered.
    pub facts: &'a Facts,
    /// How this family is read.
    pub profile: &'a Profile,
    /// All profiles: the makers' names are there.
    pub profiles: &'a ProfileSet,
    /// hrDeviceIndex of the printer.
    pub device: u32,
    /// Charset of its texts, if known.
    pub charset: Option<u32>,
}

/// A number and what it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The number.
    pub value: u64,
    /// Each instance that was read for it with what it says, in order.
    pub parts: Vec<(Oid, u64)>,
}

impl<'a> View<'a> {
    /// A view on these facts; `device` where the printer's hrDeviceIndex is known already.
    #[must_use]
    pub fn new(
        facts: &'a Facts,
        profile: &'a Profile,
        profiles: &'a ProfileSet,
        device: Option<u32>,
    ) -> Self {
        let device = device.unwrap_or_else(|| device_index(facts));
        let view = Self {
            facts,
            profile,
            profiles,
            device,
            charset: None,
        };
        let told = view.told_charset();
        let charset = told.map(|told| {
            profile
                .identity
                .charsets
                .get(&told)
                .copied()
                .unwrap_or(told)
        });
        Self { charset, ..view }
    }

    fn told_charset(&self) -> Option<u32> {
        let current = self
            .facts
            .integer(&mib::general(2).child(&[self.device]))
            .unwrap_or(1);
        let current = u32::try_from(current).ok()?;
        let told = self
            .facts
            .integer(&mib::charset().child(&[self.device, current]))?;
        u32::try_from(told).ok()
    }

    /// The text of an instance, if it says anything.
    #[must_use]
    pub fn text_at(&self, oid: &Oid) -> Option<String> {
        text::meaningful(text::decode(self.facts.octets(oid)?, self.charset))
    }

    /// The rows of a printer's table in which one of `columns` has a value: number, and index as it stands behind the column.
    /// Rows of another hrDeviceIndex are not this printer's; an index without it is taken as it is.
    #[must_use]
    pub fn rows(&self, columns: &[Oid]) -> Vec<(u32, Vec<u32>)> {
        let mut rows: Vec<(u32, Vec<u32>)> = Vec::new();
        let mut strangers = Vec::new();
        for column in columns {
            for (index, _) in self.facts.rows(column) {
                let (list, row) = match index {
                    [row] => (&mut rows, *row),
                    [device, .., row] if *device == self.device => (&mut rows, *row),
                    [.., row] => (&mut strangers, *row),
                    [] => continue,
                };
                if !list.iter().any(|(known, _)| *known == row) {
                    list.push((row, index.to_vec()));
                }
            }
        }
        let mut rows = if rows.is_empty() { strangers } else { rows };
        rows.sort();
        rows
    }

    /// The integer in `column` at `index`: of any type, and where it was made a string its digits.
    #[must_use]
    pub fn integer_in(&self, column: &Oid, index: &[u32]) -> Option<i64> {
        match self.facts.get(&column.child(index))? {
            Value::OctetString(octets) | Value::Opaque(octets) => {
                let digits = std::str::from_utf8(octets).ok()?;
                digits.trim_matches([' ', '\0']).parse().ok()
            }
            value => facts::integer(value),
        }
    }

    /// The text in `column` at `index`.
    #[must_use]
    pub fn text_in(&self, column: &Oid, index: &[u32]) -> Option<String> {
        self.text_at(&column.child(index))
    }

    /// The text that a source finds.
    #[must_use]
    pub fn text(&self, source: &Source) -> Option<String> {
        match source {
            Source::Scalar { oid, guard, .. } => self
                .guarded(guard.as_ref())
                .then(|| self.any_text(oid))
                .flatten(),
            Source::Row {
                table,
                key,
                column,
                unit,
            } => {
                let column = column
                    .as_ref()
                    .or(self.profile.table.get(table)?.value.as_ref())?;
                self.row_indexes(table, key, *unit)
                    .into_iter()
                    .find_map(|index| self.any_text(&column.child(&index)))
            }
            Source::First(choices) => choices.iter().find_map(|choice| self.text(choice)),
            Source::Column(_) | Source::Sum { .. } => None,
        }
    }

    /// Text of an instance that is octets or a number.
    fn any_text(&self, oid: &Oid) -> Option<String> {
        match self.facts.get(oid)? {
            Value::Integer(n) => Some(n.to_string()),
            _ => self.text_at(oid),
        }
    }

    /// Whether anything that a source looks at was asked for and not told in full: what it finds then is not what there is.
    #[must_use]
    pub fn is_unread(&self, source: &Source) -> bool {
        if self.facts.is_whole() {
            return false;
        }
        let mut unread = false;
        let mut look = |oid: &Oid| unread |= self.facts.is_unread(oid);
        source.each(&mut |source| match source {
            Source::Scalar { oid, guard, .. } => {
                look(oid);
                guard.iter().for_each(|(oid, _)| look(oid));
            }
            Source::Row { table, column, .. } => {
                let table = self.profile.table.get(table);
                let columns = table.iter().flat_map(|table| table.columns());
                columns.chain(column).for_each(&mut look);
            }
            Source::Column(column) => look(column),
            Source::Sum { .. } | Source::First(_) => {}
        });
        unread
    }

    /// The number that a source finds; none where a part of it went unread, since a sum or a choice of the rest is another number.
    #[must_use]
    pub fn number(&self, source: &Source) -> Option<Counted> {
        if self.is_unread(source) {
            return None;
        }
        match source {
            Source::Scalar { oid, form, guard } => self
                .guarded(guard.as_ref())
                .then(|| self.counted(oid, *form))
                .flatten(),
            Source::Row {
                table,
                key,
                column,
                unit,
            } => {
                let column = column
                    .as_ref()
                    .or(self.profile.table.get(table)?.value.as_ref())?;
                // Where one code has two rows (sides and sheets), the sides are the larger.
                let rows = self.row_indexes(table, key, *unit);
                let found = rows
                    .iter()
                    .filter_map(|index| self.counted(&column.child(index), Form::Number));
                found.reduce(|best, next| if next.value > best.value { next } else { best })
            }
            Source::Column(column) => {
                let rows = self
                    .facts
                    .rows(column)
                    .map(|(index, _)| self.counted(&column.child(index), Form::Number));
                add(rows.flatten())
            }
            Source::Sum { parts, any } => {
                let found = parts
                    .iter()
                    .filter_map(|part| self.number(part))
                    .collect::<Vec<_>>();
                let enough = *any || found.len() == parts.len();
                enough.then(|| add(found.into_iter())).flatten()
            }
            Source::First(choices) => choices.iter().find_map(|choice| self.number(choice)),
        }
    }

    /// The number that columns have in the row at `index`.
    #[must_use]
    pub fn number_in_row(&self, source: &Source, index: &[u32]) -> Option<Counted> {
        if self.is_unread(source) {
            return None;
        }
        match source {
            Source::Column(column) => self.counted(&column.child(index), Form::Number),
            Source::Sum { parts, any } => {
                let found = parts
                    .iter()
                    .filter_map(|part| self.number_in_row(part, index))
                    .collect::<Vec<_>>();
                let enough = *any || found.len() == parts.len();
                enough.then(|| add(found.into_iter())).flatten()
            }
            Source::First(choices) => choices
                .iter()
                .find_map(|choice| self.number_in_row(choice, index)),
            Source::Scalar { .. } | Source::Row { .. } => None,
        }
    }

    /// The rows of a table of the profile: index, and size name where it tells one.
    #[must_use]
    pub fn sized_rows(&self, table: &Table) -> Vec<(Vec<u32>, String)> {
        let named = table.name.iter().flat_map(|column| {
            self.facts.rows(column).filter_map(|(index, _)| {
                Some((index.to_vec(), size_name(&self.text_in(column, index)?)?))
            })
        });
        let coded = table.code.iter().flat_map(|column| {
            self.facts.rows(column).filter_map(|(index, value)| {
                let code = u32::try_from(facts::integer(value)?).ok()?;
                Some((index.to_vec(), table.sizes.get(&code)?.clone()))
            })
        });
        let mut rows: Vec<(Vec<u32>, String)> = named.chain(coded).collect();
        if table.name.is_none()
            && table.code.is_none()
            && let Some(column) = &table.value
        {
            let indexed = self.facts.rows(column);
            rows.extend(indexed.filter_map(|(index, _)| {
                Some((index.to_vec(), table.sizes.get(index.first()?)?.clone()))
            }));
        }
        rows
    }

    fn guarded(&self, guard: Option<&(Oid, Vec<Pattern>)>) -> bool {
        guard.is_none_or(|(oid, patterns)| {
            self.any_text(oid)
                .is_none_or(|told| patterns.iter().any(|pattern| pattern.matches(&told)))
        })
    }

    fn row_indexes(&self, table: &str, key: &RowKey, unit: Option<u32>) -> Vec<Vec<u32>> {
        let Some(table) = self.profile.table.get(table) else {
            return Vec::new();
        };
        let mut rows = self.rows_of(table, key);
        if let (Some(unit), Some(column)) = (unit, &table.unit) {
            rows.retain(|index| self.integer_in(column, index) == Some(i64::from(unit)));
        }
        rows
    }

    fn rows_of(&self, table: &Table, key: &RowKey) -> Vec<Vec<u32>> {
        match (key, &table.code, &table.name, &table.value) {
            (RowKey::Code(code), Some(column), ..) => {
                let rows = self.facts.rows(column);
                rows.filter(|(_, value)| facts::integer(value) == Some(i64::from(*code)))
                    .map(|(index, _)| index.to_vec())
                    .collect()
            }
            (RowKey::Code(code), None, _, Some(column)) => {
                let rows = self.facts.rows(column);
                rows.filter(|(index, _)| index.first() == Some(code))
                    .map(|(index, _)| index.to_vec())
                    .collect()
            }
            (RowKey::Name(patterns), _, Some(column), _) => {
                let rows = self.facts.rows(column);
                rows.filter(|(index, _)| {
                    let name = self.text_in(column, index);
                    name.is_some_and(|name| patterns.iter().any(|pattern| pattern.matches(&name)))
                })
                .map(|(index, _)| index.to_vec())
                .collect()
            }
            _ => Vec::new(),
        }
    }

    fn counted(&self, oid: &Oid, form: Form) -> Option<Counted> {
        let value = forms::count(self.facts.get(oid)?, form)?;
        Some(Counted {
            value,
            parts: vec![(oid.clone(), value)],
        })
    }
}

/// The sum, with all parts; `None` of nothing, or when it exceeds 64 bits.
pub fn add(counted: impl Iterator<Item = Counted>) -> Option<Counted> {
    let mut sum: Option<Counted> = None;
    for next in counted {
        match &mut sum {
            None => sum = Some(next),
            Some(sum) => {
                sum.value = sum.value.checked_add(next.value)?;
                sum.parts.extend(next.parts);
            }
        }
    }
    sum
}

/// A size's name as it stands in a meter: lower case, `-` for blanks, without what would break a code.
fn size_name(text: &str) -> Option<String> {
    let name = text
        .to_lowercase()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join("-")
        .replace('.', "_");
    (!name.is_empty() && name.chars().count() <= 40).then_some(name)
}

/// hrDeviceIndex of the printer: the device of that type (the one with supplies, if several are), else where printer data stands.
fn device_index(facts: &Facts) -> u32 {
    let printer = Value::ObjectId(mib::hr_device_printer());
    let kinds = mib::hr_device(2);
    let of_type = facts
        .rows(&kinds)
        .filter(|(_, value)| **value == printer)
        .filter_map(|(index, _)| index.first().copied());
    let of_type = of_type.collect::<Vec<_>>();
    let levels = mib::supplies(9);
    let with_supplies = of_type
        .iter()
        .find(|device| facts.any_below(&levels.child(&[**device])));
    if let Some(device) = with_supplies.or(of_type.first()) {
        return *device;
    }
    // Here the device is the whole index, there the first of two arcs (a table without it, quirk S16, tells no device).
    let alone = [
        mib::hr_printer(2),
        mib::hr_printer(1),
        mib::general(17),
        mib::general(16),
        mib::general(1),
    ];
    let before_row = [levels, mib::marker(4)];
    let first_of = |column: &Oid, arcs: usize| {
        let index = facts
            .rows(column)
            .map(|(index, _)| index)
            .find(|index| index.len() >= arcs)?;
        index.first().copied()
    };
    let found = alone.iter().find_map(|column| first_of(column, 1));
    found
        .or_else(|| before_row.iter().find_map(|column| first_of(column, 2)))
        .unwrap_or(1)
}
