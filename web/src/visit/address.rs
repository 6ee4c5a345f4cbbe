//! The query of a page's address without control characters: an edited address still shows a page, and nothing behind has to take them.

use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// The address with spaces for the control characters of its query, if it has any: left out, what stands around them could become a new
/// one. A tab stays: it comes along when a cell of a spreadsheet is pasted into a search.
pub(crate) fn printable(uri: &Uri) -> Option<Uri> {
    let mut rest = uri.query()?;
    let mut kept = String::with_capacity(rest.len());
    let mut is_changed = false;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        kept.push_str(before);
        if is_control(escape) {
            kept.push('+');
            is_changed = true;
            rest = escape.get(3..).unwrap_or_default();
        } else {
            kept.push('%');
            rest = escape.get(1..).unwrap_or_default();
        }
    }
    if !is_changed {
        return None;
    }
    kept.push_str(rest);
    let address = format!("{}?{kept}", uri.path());
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(address).ok()?);
    Uri::from_parts(parts).ok()
}

/// Whether a text begins with the escape of a control character other than a tab.
fn is_control(text: &str) -> bool {
    let digits = text
        .get(1..3)
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    digits
        .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        .is_some_and(|code| code.is_ascii_control() && code != b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_typed_becomes_a_space_and_the_rest_stays_as_it_is() {
        let read = |uri: &str| printable(&uri.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(read("/x"), None);
        assert_eq!(read("/x?q=%C3%A4%20%09b+c&page=2"), None);
        assert_eq!(read("/x?q=100%&r=%zz&s=%4"), None);
        assert_eq!(read("/x?q=a%00b%1F%7f&r=%0a").unwrap(), "/x?q=a+b++&r=+");
        assert_eq!(read("/x?%00%").unwrap(), "/x?+%");
        assert_eq!(read("/x?%0%000=%41").unwrap(), "/x?%0+0=%41");
        assert_eq!(read("/x?%+1"), None);
    }
}
