//! The parameters of a request, checked against the operation's list.
//!
//! A parameter that the operation does not know is refused and not passed over: a filter with a typing error would otherwise
//! give an ERP more than it asked for. An empty element, or one with `xsi:nil`, is as good as none; only an operation that
//! changes something may look at the difference.

use std::collections::{BTreeMap, BTreeSet};

use codec::time::Timestamp;

use crate::fault::{Code, Fault};
use crate::schema::{NAMESPACE, Operation};
use crate::xml::Element;

/// Where `nil` is from.
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// The longest value of a parameter, in bytes.
const VALUE_BYTES_MAX: usize = 4_096;

/// The parameters that were given.
pub(crate) struct Parameters {
    operation: &'static str,
    given: BTreeMap<&'static str, String>,
    /// What was there and held nothing.
    emptied: BTreeSet<&'static str>,
}

impl Parameters {
    /// Takes the parameters out of the operation's element.
    pub(crate) fn of(operation: &'static Operation, element: Element) -> Result<Self, Fault> {
        let invalid = |text: String| {
            Fault::new(
                Code::InvalidParameter,
                format!("{}: {text}", operation.name),
            )
        };
        let mut given = BTreeMap::new();
        let mut emptied = BTreeSet::new();
        for child in element.children {
            let column = operation.parameters.iter().find(|column| {
                // A client that did not qualify its elements means ours all the same.
                column.name == child.name
                    && (child.namespace == NAMESPACE || child.namespace.is_empty())
            });
            let Some(column) = column else {
                let known: Vec<&str> = operation
                    .parameters
                    .iter()
                    .map(|column| column.name)
                    .collect();
                return Err(invalid(format!(
                    "there is no parameter {:?} of namespace {:?}; known are: {}",
                    child.name,
                    child.namespace,
                    if known.is_empty() {
                        "none".to_owned()
                    } else {
                        known.join(", ")
                    }
                )));
            };
            if !child.children.is_empty() {
                return Err(invalid(format!("{} holds text, not elements", column.name)));
            }
            let value = child.text.trim();
            if value.len() > VALUE_BYTES_MAX {
                return Err(invalid(format!(
                    "{} is longer than {VALUE_BYTES_MAX} bytes",
                    column.name
                )));
            }
            let is_nil = matches!(child.attribute(XSI, "nil"), Some("true" | "1"));
            if is_nil {
                continue;
            }
            if value.is_empty() {
                emptied.insert(column.name);
                continue;
            }
            if given.insert(column.name, value.to_owned()).is_some() {
                return Err(invalid(format!("{} was given twice", column.name)));
            }
        }
        Ok(Self {
            operation: operation.name,
            given,
            emptied,
        })
    }

    /// Whether an element of this name was there and held nothing.
    pub(crate) fn is_emptied(&self, name: &str) -> bool {
        self.emptied.contains(name)
    }

    /// A fault that names the operation.
    pub(crate) fn invalid(&self, text: &str) -> Fault {
        Fault::new(
            Code::InvalidParameter,
            format!("{}: {text}", self.operation),
        )
    }

    /// The text of a parameter.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str)
    }

    /// A parameter as what it should be; `expected` says what that is.
    pub(crate) fn parsed<T>(
        &self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(self.invalid(&format!("{name} is {text:?}, but must be {expected}"))),
        }
    }

    /// A moment.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, Fault> {
        self.parsed(
            name,
            "a full xs:dateTime, best in UTC as 2026-11-21T10:41:00Z",
            parse_time,
        )
    }

    /// How many items a page may hold: `max` within the bounds, or what is usual.
    pub(crate) fn page_items(&self) -> Result<u32, Fault> {
        let items = self.parsed("max", "a whole number from 1", |text| {
            text.parse::<u32>().ok().filter(|items| *items >= 1)
        })?;
        Ok(items.unwrap_or(PAGE_ITEMS_DEFAULT).min(PAGE_ITEMS_MAX))
    }

    /// A cursor of some list.
    pub(crate) fn cursor(&self) -> Result<Option<olap::cursor::Cursor>, Fault> {
        self.text("cursor")
            .map(|text| {
                text.parse().map_err(|error: olap::cursor::CursorError| {
                    Fault::new(Code::InvalidCursor, format!("{}: {error}", self.operation))
                })
            })
            .transpose()
    }
}

/// The most items of a page: what the store gives at once, some 6 MB of XML.
pub(crate) const PAGE_ITEMS_MAX: u32 = olap::ask::PAGE_ITEMS_MAX;
/// The items of a page when nothing was said: some 600 kB of XML, what slow clients still take in one piece.
pub(crate) const PAGE_ITEMS_DEFAULT: u32 = 500;

/// An `xs:dateTime`: with `Z`, with an offset, or without either, which means UTC.
fn parse_time(text: &str) -> Option<Timestamp> {
    let zone_at = text.get(19..)?.find(['Z', '+', '-']).map(|at| at + 19);
    let (local, zone) = text.split_at(zone_at.unwrap_or(text.len()));
    let moment: Timestamp = format!("{local}Z").parse().ok()?;
    let east_min = match zone {
        "" | "Z" => 0,
        zone => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let two_digits = |text: &str| {
                let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
                digits.then(|| text.parse::<i64>().ok()).flatten()
            };
            let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
            let in_range = (hours < 14 && minutes < 60) || (hours == 14 && minutes == 0);
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            in_range.then_some(sign * (hours * 60 + minutes))?
        }
    };
    Some(moment.plus_ms(-east_min * 60_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_z_with_an_offset_and_as_utc_without_either() {
        let time = |text| parse_time(text).map(|time| time.to_string());
        let expected = Some("2026-11-21T10:41:00.000Z".to_owned());
        assert_eq!(time("2026-11-21T10:41:00Z"), expected);
        assert_eq!(time("2026-11-21T11:41:00+01:00"), expected);
        assert_eq!(time("2026-11-21T05:11:00.0000000-05:30"), expected);
        assert_eq!(time("2026-11-21T10:41:00"), expected);
        assert_eq!(
            time("2026-11-21T10:41:00.123456").as_deref(),
            Some("2026-11-21T10:41:00.123Z")
        );
        for bad in [
            "",
            "2026-11-21",
            "2026-11-21Z",
            "2026-11-21T10:41Z",
            "2026-11-21T10:41:00+1:00",
            "2026-11-21T10:41:00+15:00",
            "gestern um zwölf Uhr",
            "2026-11-21T10:41:00+01:0ä",
            "2026-11-21T10:41:00ZZ",
        ] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }
}
