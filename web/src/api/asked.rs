//! What stands in the query of an address: read strictly, so that a mistyped question is told and not answered as another one.

use axum::extract::{FromRequestParts, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use codec::time::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use crate::state::State;

/// The query of the address as `T`; what cannot be read, and what `T` does not know, is an error that says so.
pub(crate) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Failure> {
    printable(uri)?;
    Query::<T>::try_from_uri(uri)
        .map(|query| query.0)
        .map_err(|error| Failure::Invalid(error.body_text()))
}

/// Refuses control characters in the query: no name, code or serial number has any, and not everything behind takes them. A tab passes:
/// it comes along when a cell of a spreadsheet is pasted into a search.
fn printable(uri: &Uri) -> Result<(), Failure> {
    let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
        return Err(Failure::Invalid(
            "The query of the address cannot be read.".to_owned(),
        ));
    };
    let strange = |text: &str| text.chars().any(|c| c.is_control() && c != '\t');
    match pairs
        .iter()
        .find(|(key, value)| strange(key) || strange(value))
    {
        None => Ok(()),
        Some((key, _)) => Err(Failure::Invalid(format!(
            "{}: control characters are not allowed.",
            key.escape_default()
        ))),
    }
}

/// An address that takes no query: one is refused, by the name of what it asks.
pub(crate) struct NothingAsked;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl FromRequestParts<State> for NothingAsked {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Failure> {
        let Nothing {} = query(&parts.uri)?;
        Ok(Self)
    }
}

/// How many rows were asked for.
pub(crate) fn limit(limit: Option<u32>) -> Result<u32, Failure> {
    let limit = limit.unwrap_or(PAGE_ROWS_DEFAULT);
    if (1..=PAGE_ROWS_MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(Failure::Invalid(format!("limit: 1 to {PAGE_ROWS_MAX}.")))
    }
}

/// A moment as people write it: RFC 3339 with any offset, or a day, which begins at midnight in UTC. What lies
/// before 1970, and the last moments of the year 9999, by which programs mean "no beginning" and "no end", become the first and the last
/// moment that can be asked for.
pub(crate) fn moment(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Failure> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let invalid = |sentence: &str| Err(Failure::Invalid(format!("{name}: {sentence}")));
    let form = "a time such as 2026-11-21T10:41:00Z, or a day such as 2026-11-21.";
    // In an address a plus is a space: `+01:00` arrives as ` 01:00`.
    let text = text.replace(' ', "+");
    let at = if text.len() == 10 {
        let Ok(date) = text.parse::<jiff::civil::Date>() else {
            return invalid(form);
        };
        date.to_zoned(jiff::tz::TimeZone::UTC)
            .map_or(jiff::Timestamp::MAX, |midnight| midnight.timestamp())
    } else if let Ok(at) = text.parse() {
        at
    } else if text.starts_with("9999-12-3") && is_local(&text) {
        jiff::Timestamp::MAX
    } else {
        return invalid(form);
    };
    let at = at.max(jiff::Timestamp::UNIX_EPOCH);
    Ok(Some(Timestamp::from_unix_ms(at.as_millisecond())))
}

/// Whether a text is a time of day on a day, followed by the sign of UTC or an offset.
fn is_local(text: &str) -> bool {
    let local = text.strip_suffix('Z').or_else(|| text.get(..19));
    local.is_some_and(|local| local.parse::<jiff::civil::DateTime>().is_ok())
}

/// The ends of a span of time: the first may not lie behind the second.
pub(crate) fn span(
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Failure> {
    let (from, to) = (moment("from", from)?, moment("to", to)?);
    match (from, to) {
        (Some(from), Some(to)) if from > to => {
            Err(Failure::Invalid("from: later than to.".to_owned()))
        }
        ends => Ok(ends),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_people_write_it() {
        let read = |text| moment("from", Some(text)).map(|at| at.unwrap().to_string());
        assert_eq!(
            read("2026-11-21T10:41:00Z").unwrap(),
            "2026-11-21T10:41:00.000Z"
        );
        assert_eq!(
            read("2026-11-21T10:41:00 01:00").unwrap(),
            "2026-11-21T09:41:00.000Z"
        );
        assert_eq!(read("2026-11-21").unwrap(), "2026-11-21T00:00:00.000Z");
        assert!(read("21.11.2026").is_err());
        assert!(read("2026-02-30").is_err());
        assert_eq!(moment("from", None), Ok(None));
        assert_eq!(moment("from", Some("")), Ok(None));
    }

    #[test]
    fn the_ends_of_time_are_clamped() {
        let read = |text| moment("to", Some(text)).map(|at| at.unwrap().to_string());
        for far in [
            "9999-12-31",
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999Z",
            "9999-12-31T23:59:59+00:00",
        ] {
            assert!(read(far).unwrap().starts_with("9999-12-30"), "{far}");
        }
        assert!(read("9999-12-32").is_err());
        assert!(read("9999-12-31Tsoon").is_err());
        assert!(read("9999-12-31€€€€€").is_err());
        for early in ["0001-01-01", "0001-01-01T00:00:00Z", "1969-12-31"] {
            assert_eq!(read(early).unwrap(), "1970-01-01T00:00:00.000Z", "{early}");
        }
    }

    #[test]
    fn a_span_does_not_run_backwards() {
        assert!(span(Some("2026-11-21"), Some("2026-11-21")).is_ok());
        assert!(span(Some("2026-11-21"), None).is_ok());
        assert_eq!(
            span(Some("2026-11-22"), Some("2026-11-21")),
            Err(Failure::Invalid("from: later than to.".to_owned()))
        );
    }

    #[test]
    fn control_characters_are_named_and_refused() {
        let read = |uri: &str| printable(&uri.parse().unwrap());
        assert_eq!(read("/x?q=a%09b&code=%C3%A4"), Ok(()));
        assert_eq!(read("/x"), Ok(()));
        for bad in ["/x?code=%00", "/x?code=a%0Ab", "/x?code=%C2%85"] {
            assert_eq!(
                read(bad),
                Err(Failure::Invalid(
                    "code: control characters are not allowed.".to_owned()
                )),
                "{bad}"
            );
        }
        assert!(read("/x?%00=1").is_err());
    }
}
