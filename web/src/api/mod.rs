//! The JSON API under `/api/v1`, for people and programs.
//!
//! Every question takes the caller's scope (Rule 9). Lists answer `{"items": [...], "next": cursor or null, "total": n}`; errors are problem
//! documents (RFC 9457) with a sentence. [`openapi`] describes all of it, and a test compares the description with the routes.
//!
//! | module | what it holds |
//! |---|---|
//! | [`caller`] | who calls: session, API token or HTTP Basic |
//! | [`asked`] | the query of an address |
//! | [`words`] | the JSON that goes out and comes in |
//! | [`devices`], [`readings`], [`tenants`], [`agents`] | the questions |
//! | [`decisions`] | who is who, as people decide |
//! | [`forget`] | a customer is forgotten |
//! | [`silences`] | who is not heard from |

pub(crate) mod agents;
pub(crate) mod asked;
pub(crate) mod caller;
pub(crate) mod decisions;
pub(crate) mod devices;
pub(crate) mod forget;
pub(crate) mod openapi;
pub(crate) mod readings;
pub(crate) mod silences;
pub(crate) mod tenants;
pub(crate) mod words;

use axum::extract::{Request, State as Held};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::failure::Failure;
use crate::limits::{BODY_TIMEOUT, FORM_BODY_BYTES_MAX};
use crate::state::State;
use crate::visit::failure_of;

/// What an error answers (RFC 9457, `application/problem+json`).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The kind of problem, in a few words that do not change.
    title: &'static str,
    /// The HTTP status again.
    status: u16,
    /// A sentence for people: what was wrong and what to do.
    detail: String,
}

/// The routes, as one list: what is served and what the description is checked against.
pub(crate) fn list() -> Vec<(&'static str, MethodRouter<State>)> {
    vec![
        ("/api/v1/devices", get(devices::list)),
        ("/api/v1/devices/{id}", get(devices::one)),
        ("/api/v1/devices/{id}/readings", get(readings::of_device)),
        (
            "/api/v1/devices/{id}/decisions",
            get(decisions::list).post(decisions::create),
        ),
        ("/api/v1/decisions/{id}/undo", post(decisions::undo)),
        ("/api/v1/silences", get(silences::list)),
        ("/api/v1/readings", get(readings::list)),
        ("/api/v1/tenants", get(tenants::list).post(tenants::create)),
        (
            "/api/v1/customers/{id}/forget",
            get(forget::look).post(forget::create),
        ),
        ("/api/v1/agents", get(agents::list).post(agents::create)),
        ("/api/v1/agents/{id}/revoke", post(agents::revoke)),
        ("/api/v1/enrolments", post(agents::enrol)),
        ("/api/v1/openapi.json", get(openapi::show)),
    ]
}

/// The API's router.
pub(crate) fn routes() -> Router<State> {
    let mut router = Router::new();
    for (path, methods) in list() {
        router = router.route(path, methods);
    }
    router.route(
        "/api/{*rest}",
        axum::routing::any(|| async { Failure::NotFound }),
    )
}

/// Writes every failure, ours or the router's, as a problem document.
pub(crate) async fn problems(Held(_): Held<State>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let Some(failure) = failure_of(&response) else {
        response
            .headers_mut()
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        return response;
    };
    problem(&failure)
}

/// A failure as a problem document.
pub(crate) fn problem(failure: &Failure) -> Response {
    let (title, detail) = sentence(failure);
    let status = failure.status();
    let mut response = (
        status,
        [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/problem+json"),
            ),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ],
        Json(Problem {
            title,
            status: status.as_u16(),
            detail,
        })
        .into_response()
        .into_body(),
    )
        .into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(r#"Basic realm="Platen", charset="UTF-8""#),
        );
    }
    failure.headers(&mut response);
    response
}

fn sentence(failure: &Failure) -> (&'static str, String) {
    let own = |text: &str| text.to_owned();
    match failure {
        Failure::NotFound => (
            "not found",
            own("There is nothing at this address, or it is not yours to see."),
        ),
        Failure::Forbidden => ("forbidden", own("The account's role does not allow this.")),
        Failure::Login => (
            "login needed",
            own(
                "Send an API token (Authorization: Bearer …), or login and password by HTTP Basic.",
            ),
        ),
        Failure::Csrf => (
            "csrf token missing",
            own(
                "A write with a session cookie needs the session's token in X-CSRF-Token. Programs use an API token instead.",
            ),
        ),
        Failure::Invalid(detail) if detail.is_empty() => {
            ("invalid request", own("The request cannot be understood."))
        }
        Failure::Invalid(detail) => ("invalid request", detail.clone()),
        Failure::Conflict(detail) => ("conflict", detail.clone()),
        Failure::Wait { status, .. } if *status == StatusCode::REQUEST_TIMEOUT => (
            "too slow",
            format!(
                "The body must arrive within {} seconds.",
                BODY_TIMEOUT.as_secs()
            ),
        ),
        Failure::Wait { retry_after_s, .. } => (
            "try again later",
            format!("Come again in {retry_after_s} seconds."),
        ),
        Failure::Method => (
            "method not allowed",
            own("This address does not take that method; see /api/v1/openapi.json."),
        ),
        Failure::TooLarge => (
            "too large",
            format!("The body may have {FORM_BODY_BYTES_MAX} bytes."),
        ),
        Failure::Internal(number) => (
            "internal error",
            format!("Something failed inside the manager; its log has the details under {number}."),
        ),
    }
}

/// A JSON body as `T`; what cannot be read is an error with line and column.
pub(crate) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| Failure::Invalid(format!("The body: {error}.")))
}
