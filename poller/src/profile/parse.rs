//! From the text of a profile to its checked type: every error with file, line and key.

use std::collections::BTreeMap;

use codec::model::{Basis, Colour, MeterUnit, SupplyType, Work};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::source::parse_oid;
use super::{Profile, ProfileError, Source};
use crate::oid::Oid;
use crate::privacy;

/// The most rows of a table, unless the profile says otherwise: the largest seen (counters by type and size) has some 120.
const TABLE_ROWS_MAX: u32 = 256;

/// Parses and checks a profile. `file` is for the errors.
pub fn profile(file: &str, text: &str) -> Result<Profile, ProfileError> {
    let invalid = |at: usize, reason: String| {
        let (line, key) = place(text, at);
        ProfileError::Invalid {
            file: file.to_owned(),
            line,
            key,
            reason,
        }
    };
    let profile: Profile = toml::from_str(text).map_err(|error| {
        invalid(
            error.span().map_or(0, |span| span.start),
            error.message().trim().to_owned(),
        )
    })?;
    check(&profile).map_err(|(word, reason)| invalid(text.find(&word).unwrap_or(0), reason))?;
    Ok(profile)
}

/// What one field alone cannot tell. An error names a word to look for in the text, and what is wrong.
fn check(profile: &Profile) -> Result<(), (String, String)> {
    let mut wrong = None;
    let quoted = |word: &str| format!("\"{word}\"");
    profile.each_source(&mut |source| {
        if let Source::Row { table, column, .. } = source {
            match profile.table.get(table) {
                None => wrong = Some((quoted(table), format!("there is no table {table}"))),
                Some(found) if found.value.is_none() && column.is_none() => {
                    wrong = Some((quoted(table), format!("table {table} has no value column")));
                }
                Some(_) => {}
            }
        }
    });
    for meter in &profile.meters {
        if let Some(table) = &meter.each {
            if !profile.table.contains_key(table) {
                wrong = Some((quoted(table), format!("there is no table {table}")));
            }
            meter.from.each(&mut |source| {
                if !matches!(
                    source,
                    Source::Column(_) | Source::Sum { .. } | Source::First(_)
                ) {
                    wrong = Some((
                        quoted(table),
                        "with each, a meter is read from columns".to_owned(),
                    ));
                }
            });
        }
    }
    for name in profile
        .checks
        .iter()
        .flat_map(|c| c.parts.iter().chain(&c.optional).chain([&c.total]))
    {
        let mut words = name.split('.');
        let work = words.next().and_then(Work::from_word);
        let colour = words.next().and_then(Colour::from_word);
        let rest = words.next();
        if work.is_none()
            || colour.is_none()
            || rest.is_some_and(str::is_empty)
            || words.next().is_some()
        {
            wrong = Some((
                quoted(name),
                format!("{name} is no work.colour or work.colour.size"),
            ));
        }
    }
    for (oid, _) in privacy::of_profile(profile) {
        if let Some(what) = privacy::forbidden(&oid) {
            let reason = format!("{oid} reaches {what}: no profile may ask for that");
            wrong = Some((quoted(&oid.to_string()), reason));
        }
    }
    wrong.map_or(Ok(()), Err)
}

/// The line of an offset, from 1, and the key that stands there.
fn place(text: &str, at: usize) -> (usize, String) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let mut header = "";
    for (index, content) in text.lines().enumerate() {
        let content = content.trim();
        if content.starts_with('[') && index < line {
            header = content.trim_matches(['[', ']', ' ']);
        }
    }
    // A value may go on over lines: the key is on the last line that has one.
    let key = text
        .lines()
        .take(line)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .find_map(|content| {
            let (key, _) = content.split_once('=')?;
            let key = key.trim();
            key.chars()
                .all(|c| c.is_alphanumeric() || "-_.\"".contains(c))
                .then_some(key)
        });
    let here = text
        .lines()
        .nth(line - 1)
        .unwrap_or("")
        .trim()
        .starts_with('[');
    match (header, key) {
        ("", Some(key)) => (line, key.to_owned()),
        (header, Some(key)) if !here => (line, format!("{header}.{key}")),
        ("", None) => (line, "file".to_owned()),
        (header, _) => (line, header.to_owned()),
    }
}

pub fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    let fits = (1..=40).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    fits.then_some(name)
        .ok_or_else(|| D::Error::custom("1 to 40 characters of a-z, 0-9 and -"))
}

pub fn oid_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Oid>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_oid(&text).map(Some).map_err(D::Error::custom)
}

pub fn oid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Oid, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_oid(&text).map_err(D::Error::custom)
}

pub fn kinds<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<i64, SupplyType>, D::Error> {
    let map = BTreeMap::<String, SupplyType>::deserialize(deserializer)?;
    map.into_iter()
        .map(|(code, kind)| Some((code.parse().ok()?, kind)))
        .map(|pair| pair.ok_or_else(|| D::Error::custom("a code and a kind: 6 = \"toner\"")))
        .collect()
}

pub fn sizes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<u32, String>, D::Error> {
    let map = BTreeMap::<String, String>::deserialize(deserializer)?;
    let entry = |(code, name): (String, String)| Some((code.parse().ok()?, name));
    map.into_iter()
        .map(|pair| {
            entry(pair).ok_or_else(|| D::Error::custom("a size is a code and a name: 26 = \"a4\""))
        })
        .collect()
}

pub fn charsets<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<u32, u32>, D::Error> {
    let map = BTreeMap::<String, u32>::deserialize(deserializer)?;
    let entry = |(told, is): (String, u32)| Some((told.parse().ok()?, is));
    map.into_iter()
        .map(|pair| entry(pair).ok_or_else(|| D::Error::custom("two charsets: 2004 = 4")))
        .collect()
}

pub fn codes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<i64, u32>, D::Error> {
    let map = BTreeMap::<String, u32>::deserialize(deserializer)?;
    let entry = |(code, percent): (String, u32)| {
        Some((code.parse().ok()?, percent)).filter(|_| percent <= 100)
    };
    map.into_iter()
        .map(|pair| {
            entry(pair).ok_or_else(|| D::Error::custom("a code and its per cent: \"-100\" = 0"))
        })
        .collect()
}

pub const fn rows_max() -> u32 {
    TABLE_ROWS_MAX
}

pub const fn one() -> u32 {
    1
}

pub const fn colour_total() -> Colour {
    Colour::Total
}

pub const fn impressions() -> MeterUnit {
    MeterUnit::Impressions
}

pub const fn billing() -> Basis {
    Basis::Billing
}
