//! Patterns over what devices say of themselves: [`Pattern`] decides, [`Template`] takes apart. Both end soon on any text: a pattern
//! reads it once per literal, and a template counts its steps.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

/// The longest pattern, in characters: device texts are shorter than an OCTET STRING of 255.
const PATTERN_CHARS_MAX: usize = 255;

/// The most places of a template: there are five names.
const PLACES_MAX: usize = 6;

/// The most ways a template tries to fit a text: texts of devices need a dozen, and a hostile one shall cost no more than microseconds.
const STEPS_MAX: u32 = 2000;

/// A text with `*` for any run of characters; case does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    literals: Vec<String>,
    letters: Letters,
}

/// Which ASCII characters there are in a text, in lower case: a text that lacks one of the literals' fits nothing, and most do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Letters(u128);

impl Letters {
    fn of(text: &str) -> Self {
        let ascii = text.bytes().filter(u8::is_ascii);
        Self(ascii.fold(0, |all, byte| all | 1 << byte.to_ascii_lowercase()))
    }

    const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }
}

impl Pattern {
    /// A pattern from its text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let literals = text.to_lowercase();
        let literals: Vec<String> = literals.split('*').map(str::to_owned).collect();
        let letters = literals.iter().map(|literal| Letters::of(literal));
        Self {
            letters: letters.fold(Letters::default(), Letters::with),
            literals,
        }
    }

    /// Whether the whole of `text` fits.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        // Beyond ASCII there are signs whose lower case is in it.
        if text.is_ascii()
            && !(self
                .literals
                .first()
                .is_none_or(|first| starts_like(text, first))
                && Letters::of(text).covers(self.letters))
        {
            return false;
        }
        let text = text.to_lowercase();
        let Some((first, others)) = self.literals.split_first() else {
            return text.is_empty();
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        let Some((last, middle)) = others.split_last() else {
            return rest.is_empty();
        };
        for literal in middle {
            match rest.find(literal.as_str()) {
                Some(at) => rest = &rest[at + literal.len()..],
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}

/// Whether `text` may begin with `literal`, which is in lower case: whether the first bytes agree.
fn starts_like(text: &str, literal: &str) -> bool {
    let first = |text: &str| text.bytes().next().map(|byte| byte.to_ascii_lowercase());
    literal.is_empty() || first(text) == first(literal)
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || text.chars().count() > PATTERN_CHARS_MAX {
            return Err(D::Error::custom("a pattern has 1 to 255 characters"));
        }
        Ok(Self::new(&text))
    }
}

/// A text with named places: `{model} /P` applied to `LBP6670 /P` says that `model` is `LBP6670`. A place takes as little as
/// it can, `{model+}` as much, `{firmware!}` one word; none takes nothing. `*` is a place without a name, which may be empty. `{part=TK-*}` takes only
/// what fits the pattern. Case does not matter in the literals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    start: String,
    places: Vec<Place>,
    /// Of all literals.
    letters: Letters,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// Empty for `*`.
    name: String,
    greedy: bool,
    one_word: bool,
    pattern: Option<Pattern>,
    /// What follows the place; empty only at the end.
    literal: String,
}

/// What a template found: names and texts.
pub type Found<'a> = Vec<(&'a str, &'a str)>;

impl Template {
    /// A template from its text.
    ///
    /// # Errors
    /// A sentence, when a brace is not closed, a name is not of the list, or two places touch.
    pub fn new(text: &str) -> Result<Self, String> {
        const NAMES: [&str; 5] = ["name", "model", "part", "serial", "firmware"];
        let mut start = String::new();
        let mut places: Vec<Place> = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let inside = if c == '*' {
                rest = &rest[1..];
                ""
            } else if c == '{' {
                let end = rest.find('}').ok_or("a { without its }")?;
                let inside = &rest[1..end];
                rest = &rest[end + 1..];
                if inside.is_empty() {
                    return Err("a place without a name".to_owned());
                }
                inside
            } else {
                rest = &rest[c.len_utf8()..];
                let literal = places
                    .last_mut()
                    .map_or(&mut start, |place| &mut place.literal);
                literal.push(c.to_ascii_lowercase());
                continue;
            };
            if places.last().is_some_and(|place| place.literal.is_empty()) {
                return Err("two places touch: nothing says where one ends".to_owned());
            }
            let (name, pattern) = inside
                .split_once('=')
                .map_or((inside, None), |(name, fit)| {
                    (name, Some(Pattern::new(fit)))
                });
            let name_of = |mark| name.strip_suffix(mark);
            let (greedy, one_word) = (name_of('+').is_some(), name_of('!').is_some());
            let name = name.trim_end_matches(['+', '!']);
            if !name.is_empty() && !NAMES.contains(&name) {
                return Err(format!("{{{name}}} is none of {{{}}}", NAMES.join("}, {")));
            }
            places.push(Place {
                name: name.to_owned(),
                greedy,
                one_word,
                pattern,
                literal: String::new(),
            });
        }
        if places.len() > PLACES_MAX {
            return Err(format!("more than {PLACES_MAX} places"));
        }
        let literals = places.iter().map(|place| Letters::of(&place.literal));
        Ok(Self {
            letters: literals.fold(Letters::of(&start), Letters::with),
            start,
            places,
        })
    }

    /// The parts of `text`, trimmed, if the whole of it fits and each named place holds something.
    #[must_use]
    pub fn take<'a>(&'a self, text: &'a str) -> Option<Found<'a>> {
        if !starts_like(text, &self.start) || !Letters::of(text).covers(self.letters) {
            return None;
        }
        let lower = text.to_ascii_lowercase();
        if !lower.starts_with(&self.start) {
            return None;
        }
        let mut found = Vec::with_capacity(self.places.len());
        let mut steps = 0;
        fit(
            &self.places,
            text,
            &lower,
            self.start.len(),
            &mut steps,
            &mut found,
        )
        .then_some(found)
    }
}

/// Fits the places into `text` from `at` on. `lower` is `text` in ASCII lower case, so that offsets agree.
fn fit<'a>(
    places: &'a [Place],
    text: &'a str,
    lower: &str,
    at: usize,
    steps: &mut u32,
    found: &mut Found<'a>,
) -> bool {
    let Some((place, others)) = places.split_first() else {
        return at == text.len();
    };
    let named = !place.name.is_empty();
    let from = if named {
        at + lower[at..].chars().next().map_or(1, char::len_utf8)
    } else {
        at
    };
    let Some(window) = lower.get(from..) else {
        return false;
    };
    let mut ends: Vec<usize> = if place.literal.is_empty() {
        vec![text.len()]
    } else {
        window
            .match_indices(place.literal.as_str())
            .map(|(offset, _)| from + offset)
            .collect()
    };
    if place.greedy {
        ends.reverse();
    }
    for end in ends {
        *steps += 1;
        if *steps > STEPS_MAX {
            return false;
        }
        let part = text[at..end].trim();
        if named && part.is_empty()
            || place.one_word && part.contains(char::is_whitespace)
            || place
                .pattern
                .as_ref()
                .is_some_and(|pattern| !pattern.matches(part))
        {
            continue;
        }
        let length = found.len();
        if named {
            found.push((place.name.as_str(), part));
        }
        if fit(others, text, lower, end + place.literal.len(), steps, found) {
            return true;
        }
        found.truncate(length);
    }
    false
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_and_case_does_not_matter() {
        for (pattern, text, fits) in [
            ("sharp *", "SHARP MX-3570N", true),
            (
                "*jetdirect*",
                "HP ETHERNET MULTI-ENVIRONMENT,JETDIRECT EX",
                true,
            ),
            ("mfc-8660dn", "MFC-8660DN", true),
            ("mfc-8660dn", "MFC-8660DN series", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("*", "", true),
        ] {
            assert_eq!(
                Pattern::new(pattern).matches(text),
                fits,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn a_template_takes_a_text_apart() {
        let take = |template: &str, text| {
            Template::new(template).unwrap().take(text).map(|found| {
                found
                    .into_iter()
                    .map(|(name, part)| format!("{name}={part}"))
                    .collect::<Vec<_>>()
                    .join("|")
            })
        };
        assert_eq!(
            take(
                "{name}, PN {part};SN{serial}",
                "Black Toner, PN 000R11111;SN9912"
            )
            .as_deref(),
            Some("name=Black Toner|part=000R11111|serial=9912")
        );
        assert_eq!(take("{name} S/N:{serial}", "Toner S/N:"), None);
        assert_eq!(
            take("canon {model} /p", "Canon LBP1 /P").as_deref(),
            Some("model=LBP1")
        );
        assert_eq!(
            take("{model} version *", "X1 version 2 kernel").as_deref(),
            Some("model=X1")
        );
        assert_eq!(take("{part=TK-*}", "TK-1C").as_deref(), Some("part=TK-1C"));
        assert_eq!(take("{part=TK-*}", "PK-1"), None);
        assert_eq!(
            take(
                "{model} {firmware!} / *",
                "RICOH MP 1 2.3 / RICOH Network / RICOH Fax"
            )
            .as_deref(),
            Some("model=RICOH MP 1|firmware=2.3")
        );
    }

    #[test]
    fn a_template_that_cannot_be_read_is_refused() {
        for text in ["{name", "{nome}", "{name}{part}", "*{part}"] {
            assert!(Template::new(text).is_err(), "{text}");
        }
    }
}
