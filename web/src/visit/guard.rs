//! Who may pass. Extractors: a handler that takes [`Member`] runs for people who are logged in, one that takes [`Fields`] runs only for
//! forms whose CSRF token is right.

use axum::RequestExt as _;
use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use codec::id::Scope;
use data_encoding::BASE64URL_NOPAD;
use registry::{Account, Role};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Visit;
use crate::failure::Failure;
use crate::limits::NEXT_BYTES_MAX;
use crate::state::State;

/// Somebody who is logged in and may see pages.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The request's asker.
    pub(crate) visit: Visit,
    /// The account.
    pub(crate) account: Account,
}

impl Member {
    /// What the account may see (Rule 9), worked out from its branch at this moment.
    pub(crate) fn scope(&self, state: &crate::state::Inner) -> Scope {
        state.registry.scope_of(self.account.branch)
    }

    /// Passes those who may change devices, agents and tenants.
    pub(crate) fn operates(&self) -> Result<(), Failure> {
        if self.account.role.operates() {
            Ok(())
        } else {
            Err(Failure::Forbidden)
        }
    }

    /// Passes those who may manage accounts and settings.
    pub(crate) fn administers(&self) -> Result<(), Failure> {
        if self.account.role.administers() {
            Ok(())
        } else {
            Err(Failure::Forbidden)
        }
    }
}

impl FromRequestParts<State> for Member {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Response> {
        let visit = visit_of(parts)?;
        match &visit.session {
            None if super::reads_only(&parts.method) => {
                Err(Redirect::to(&login_address(&visit.here)).into_response())
            }
            None => Err(Redirect::to("/login").into_response()),
            Some(session) if session.account.role == Role::Erp => {
                Err(Failure::Forbidden.into_response())
            }
            Some(session) => Ok(Self {
                account: session.account.clone(),
                visit,
            }),
        }
    }
}

impl FromRequestParts<State> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Response> {
        visit_of(parts)
    }
}

#[allow(clippy::result_large_err)]
fn visit_of(parts: &Parts) -> Result<Visit, Response> {
    parts
        .extensions
        .get::<Visit>()
        .cloned()
        .ok_or_else(|| Failure::internal("a page stands outside the visit layer").into_response())
}

/// The address of the login page that leads back to `here` afterwards.
pub(crate) fn login_address(here: &str) -> String {
    if here == "/" {
        return "/login".to_owned();
    }
    format!("/login?next={}", encode_component(here))
}

/// The way back after a login: a path of ours, or the start. Never an address of another host, whichever way browsers read slashes.
pub(crate) fn safe_next(next: &str) -> &str {
    let path_of_ours = next.starts_with('/')
        && !next.starts_with("//")
        && next.len() <= NEXT_BYTES_MAX
        && !next.contains('\\')
        && !next.chars().any(|c| c.is_control() || c.is_whitespace())
        && next.is_ascii();
    if path_of_ours { next } else { "/" }
}

/// Percent-encodes what is not unreserved (RFC 3986), for a value within a query.
pub(crate) fn encode_component(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
        }
    }
    encoded
}

/// A form that was shown by us to this visitor: its CSRF token was right.
#[derive(Clone, Debug)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Nothing was sent.
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// The value of a field, trimmed; empty when it is not there.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// The value as typed: for passwords.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }

    /// The value when there is one.
    pub(crate) fn some(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|value| !value.is_empty())
    }
}

impl FromRequest<State> for Fields {
    type Rejection = Response;

    async fn from_request(mut request: Request, state: &State) -> Result<Self, Response> {
        let visit = request
            .extract_parts_with_state::<Visit, State>(state)
            .await?;
        let Form(fields) = Form::<Vec<(String, String)>>::from_request(request, state)
            .await
            .map_err(IntoResponse::into_response)?;
        let fields = Self(fields);
        if csrf_fits(&visit.csrf, fields.raw("csrf")) {
            Ok(fields)
        } else {
            Err(Failure::Csrf.into_response())
        }
    }
}

/// Compares CSRF tokens in constant time.
pub(crate) fn csrf_fits(expected: &str, given: &str) -> bool {
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}

/// A key for a guest's forms: 128 random bits.
pub(crate) fn draw_form_key() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(Failure::internal)?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

/// What a guest's forms send back: it follows from the cookie, which no other site can read or compute from it.
pub(crate) fn csrf_of_form_key(key: &str) -> String {
    let mut hash = Sha256::new();
    hash.update("platen form\0");
    hash.update(key);
    BASE64URL_NOPAD.encode(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_never_leaves_this_host() {
        for good in ["/", "/devices?q=a%20b", "/devices/abc#x"] {
            assert_eq!(safe_next(good), good);
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/a\r\nSet-Cookie: x",
            " /devices",
        ] {
            assert_eq!(safe_next(bad), "/", "{bad:?}");
        }
        assert_eq!(safe_next(&format!("/{}", "x".repeat(NEXT_BYTES_MAX))), "/");
    }

    #[test]
    fn a_way_back_survives_the_query() {
        assert_eq!(login_address("/"), "/login");
        assert_eq!(
            login_address("/devices?q=ä&page=2"),
            "/login?next=/devices%3Fq%3D%C3%A4%26page%3D2"
        );
    }
}
