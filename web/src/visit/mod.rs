//! Who asks: client address, language, session, CSRF token. Worked out once per request, before any page or API handler runs.
//!
//! | module | what it holds |
//! |---|---|
//! | [`address`] | the query without what nobody typed |
//! | [`client`] | the address behind trusted proxies |
//! | [`cookie`] | reading and writing the three cookies |
//! | [`guard`] | who may pass: logged in, by role, with a proper CSRF token |

pub(crate) mod address;
pub(crate) mod client;
pub(crate) mod cookie;
pub(crate) mod guard;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State as Held};
use axum::http::{Extensions, HeaderMap, Method, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use codec::time::Timestamp;
use registry::{Language, Session};

use crate::failure::Failure;
use crate::limits::REQUEST_TIMEOUT;
use crate::pages;
use crate::state::State;
use crate::text::Lang;

/// One request's asker.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    /// Where it comes from.
    pub(crate) client: IpAddr,
    /// The language to answer in.
    pub(crate) lang: Lang,
    /// The session, if the cookie speaks of one that stands.
    pub(crate) session: Option<Arc<Session>>,
    /// The cookie's value, to end the session with.
    pub(crate) session_token: Option<String>,
    /// What forms must send back.
    pub(crate) csrf: String,
    /// When the request came: one moment for the whole answer.
    pub(crate) now: Timestamp,
    /// Path and query, for the language switch and for the way back after a login.
    pub(crate) here: String,
}

/// Works out the [`Visit`] and hands it to the pages; writes the page of a failure, and the cookie that a guest's forms need.
pub(crate) async fn visit(Held(state): Held<State>, mut request: Request, next: Next) -> Response {
    if let Some(printable) = address::printable(request.uri()) {
        *request.uri_mut() = printable;
    }
    let recognised = recognise(
        &state,
        request.headers(),
        request.extensions(),
        request.uri(),
    );
    let (visit, fresh_form_key) = match tokio::time::timeout(REQUEST_TIMEOUT, recognised).await {
        Ok(Ok(known)) => known,
        Ok(Err(failure)) => return pages::error::bare(&state.config, &failure),
        Err(_) => return pages::error::bare(&state.config, &Failure::busy()),
    };
    request.extensions_mut().insert(visit.clone());
    let method = request.method().clone();
    let mut response = next.run(request).await;
    if let Some(failure) = failure_of(&response) {
        response = pages::error::page(&state, &visit, &failure, &method).await;
    }
    if let Some(key) = fresh_form_key {
        cookie::set(
            &mut response,
            &state.config,
            cookie::FORM,
            &key,
            cookie::Life::Browser,
        );
    }
    response
}

/// The failure that a response stands for: ours, or the router's own refusals (no such path, no such method, a body it could not take).
pub(crate) fn failure_of(response: &Response) -> Option<Failure> {
    if let Some(failure) = response.extensions().get::<Failure>() {
        return Some(failure.clone());
    }
    let bare = !response.headers().contains_key(header::CONTENT_TYPE)
        || response.headers()[header::CONTENT_TYPE]
            .as_bytes()
            .starts_with(b"text/plain");
    match response.status().as_u16() {
        404 if bare => Some(Failure::NotFound),
        405 if bare => Some(Failure::Method),
        413 if bare => Some(Failure::TooLarge),
        400 | 415 | 422 if bare => Some(Failure::Invalid(String::new())),
        408 | 503 if bare => Some(Failure::busy()),
        _ => None,
    }
}

/// The visit, and a new key for a guest's forms when the request brought none.
pub(crate) async fn recognise(
    state: &State,
    headers: &HeaderMap,
    extensions: &Extensions,
    uri: &Uri,
) -> Result<(Visit, Option<String>), Failure> {
    let now = Timestamp::now();
    let session_token = cookie::get(headers, cookie::session_name(&state.config));
    let session = match &session_token {
        Some(token) => {
            let token = token.clone();
            state
                .blocking(move |parts| Ok(parts.registry.session(&token, now)?))
                .await?
        }
        None => None,
    };
    let mut fresh_form_key = None;
    let csrf = match &session {
        Some(session) => session.csrf.clone(),
        None => {
            let key = match cookie::get(headers, cookie::FORM) {
                Some(key) => key,
                None => fresh_form_key.insert(guard::draw_form_key()?).clone(),
            };
            guard::csrf_of_form_key(&key)
        }
    };
    let visit = Visit {
        client: client::address(&state.config, headers, extensions),
        lang: language(headers, session.as_ref()),
        session_token: session_token.filter(|_| session.is_some()),
        session: session.map(Arc::new),
        csrf,
        now,
        here: uri
            .path_and_query()
            .map_or_else(|| "/".to_owned(), ToString::to_string),
    };
    Ok((visit, fresh_form_key))
}

/// The account's language; for guests what they chose, then what their browser prefers.
fn language(headers: &HeaderMap, session: Option<&Session>) -> Lang {
    let accepted = || {
        headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .and_then(Lang::from_accept)
    };
    let chosen = || cookie::get(headers, cookie::LANGUAGE).and_then(|tag| Lang::from_tag(&tag));
    session
        .map(|session| Lang::from(session.account.language))
        .or_else(chosen)
        .or_else(accepted)
        .unwrap_or_default()
}

impl From<Language> for Lang {
    fn from(language: Language) -> Self {
        match language {
            Language::De => Self::De,
            Language::En => Self::En,
        }
    }
}

impl From<Lang> for Language {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::De => Self::De,
            Lang::En => Self::En,
        }
    }
}

/// Whether a method only reads.
pub(crate) fn reads_only(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}
