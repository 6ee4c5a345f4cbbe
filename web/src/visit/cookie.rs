//! The three cookies: session, form key of a guest, language. All are `HttpOnly`, `SameSite=Lax`, and `Secure` where people come by TLS.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use crate::config::Config;
use crate::limits::COOKIE_BYTES_MAX;

/// Proves that a guest's form was shown by us.
pub(crate) const FORM: &str = "platen_form";
/// The language that a guest chose.
pub(crate) const LANGUAGE: &str = "platen_language";

/// How long a browser keeps a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Until it is closed.
    Browser,
    /// A year.
    Year,
    /// It is to be forgotten now.
    Over,
}

/// The session cookie's name. Over TLS it has the prefix by which browsers refuse one that was set by a neighbour or without `Secure`.
pub(crate) const fn session_name(config: &Config) -> &'static str {
    if config.secure_cookies {
        "__Host-platen_session"
    } else {
        "platen_session"
    }
}

/// The value of a cookie; the first of that name, as browsers send the most specific first.
pub(crate) fn get(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter(|value| value.len() <= COOKIE_BYTES_MAX)
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
        .filter(|value| !value.is_empty())
}

/// Sets a cookie. The value is one of ours: base64url, hex or a language tag.
pub(crate) fn set(response: &mut Response, config: &Config, name: &str, value: &str, life: Life) {
    let life = match life {
        Life::Browser => "",
        Life::Year => "; Max-Age=31536000",
        Life::Over => "; Max-Age=0",
    };
    let secure = if config.secure_cookies {
        "; Secure"
    } else {
        ""
    };
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{life}");
    match HeaderValue::try_from(cookie) {
        Ok(cookie) => {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Err(error) => tracing::error!(name, %error, "a cookie could not be written"),
    }
}
