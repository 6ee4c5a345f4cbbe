//! Who calls the API: a session's cookie, an API token, or login and password by HTTP Basic. The SOAP service asks here, too.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use registry::Account;
use registry::account::LoginError;

use crate::failure::Failure;
use crate::state::State;
use crate::visit::guard::{Member, csrf_fits};
use crate::visit::{Visit, reads_only, recognise};

/// The longest `Authorization` header that is looked at, in bytes.
const AUTHORIZATION_BYTES_MAX: usize = 4096;

/// An account that calls the API.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Member);

impl FromRequestParts<State> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Failure> {
        let (visit, _) = recognise(state, &parts.headers, &parts.extensions, &parts.uri).await?;
        if let Some(account) = by_header(state, &parts.headers, &visit).await? {
            return Ok(Self(Member { visit, account }));
        }
        let Some(session) = visit.session.clone() else {
            return Err(Failure::Login);
        };
        // A browser sends the cookie by itself, also for a page of somebody else: a write must prove that it knows the session.
        let given = parts
            .headers
            .get("x-csrf-token")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !reads_only(&parts.method) && !csrf_fits(&visit.csrf, given) {
            return Err(Failure::Csrf);
        }
        let account = session.account.clone();
        Ok(Self(Member { visit, account }))
    }
}

/// The account that an `Authorization` header speaks for; `None` without such a header. A wrong one is a failure even when a good cookie
/// came along: who sends it means it.
pub(crate) async fn by_header(
    state: &State,
    headers: &HeaderMap,
    visit: &Visit,
) -> Result<Option<Account>, Failure> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let value = value.to_str().map_err(|_| Failure::Login)?;
    if value.len() > AUTHORIZATION_BYTES_MAX {
        return Err(Failure::Login);
    }
    let (scheme, credentials) = value.split_once(' ').ok_or(Failure::Login)?;
    let (client, now) = (visit.client, visit.now);
    if scheme.eq_ignore_ascii_case("bearer") {
        let secret = credentials.trim().to_owned();
        return state
            .blocking(move |parts| {
                let account = parts.registry.account_of_api_token(&secret, now)?;
                account.ok_or(Failure::Login).map(Some)
            })
            .await;
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Failure::Login);
    }
    let decoded = STANDARD
        .decode(credentials.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or(Failure::Login)?;
    let (login, password) = decoded
        .split_once(':')
        .map(|(login, password)| (login.to_owned(), password.to_owned()))
        .ok_or(Failure::Login)?;
    state
        .blocking(move |parts| {
            match parts
                .registry
                .verify_password(&login, &password, client, now)
            {
                Ok(account) => Ok(Some(account)),
                Err(LoginError::Refused) => Err(Failure::Login),
                Err(LoginError::Throttled { retry_after_s }) => Err(Failure::Wait {
                    status: StatusCode::TOO_MANY_REQUESTS,
                    retry_after_s,
                }),
                Err(LoginError::Failed(error)) => Err(error.into()),
            }
        })
        .await
}
