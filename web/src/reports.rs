//! `POST /v1/reports`: the agents' door. HTTP in front of [`ingest::Ingest`].
//!
//! | answer | means for the agent |
//! |---|---|
//! | 200 with a receipt | durable: delete it |
//! | 400, 409, 413 with a refusal | for good: to the dead letters |
//! | 401, 403 | keep it, try again slowly |
//! | 429, 503 with `Retry-After`, other 5xx | keep it, try again |

use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use codec::envelope::Encoding;
use codec::key::Refusal;
use codec::time::Timestamp;
use ingest::{Delivery, Rejection};
use registry::agent::AgentRefused;

use crate::limits::{REPORT_BODY_BYTES_MAX, REPORT_TIMEOUT};
use crate::router::intake::{self, Room};
use crate::state::State;

/// What an agent is told when its body came too slowly.
const SLOW_RETRY_AFTER: Duration = Duration::from_secs(30);

/// What an agent is told when there is no room for its body.
const FULL_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Takes a report. A declared length above the limit, and a body for which there is no room, are refused before a byte is read.
pub(crate) async fn accept(state: &State, room: &Room, request: Request) -> Response {
    let (head, body) = request.into_parts();
    // Who it is comes first: a stranger's body is not read.
    let token = head
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default()
        .trim()
        .to_owned();
    let known = state
        .blocking(move |parts| {
            let known = parts.registry.agent_by_token(&token);
            Ok(known.map(|agent| agent.id.clone()))
        })
        .await;
    let agent = match known {
        Ok(Ok(agent)) => agent,
        Ok(Err(AgentRefused::Unknown)) => return unauthorized(),
        Ok(Err(AgentRefused::Disabled)) => {
            return (StatusCode::FORBIDDEN, "this agent is disabled\n").into_response();
        }
        Err(failure) => return (failure.status(), "try again later\n").into_response(),
    };
    let encoding = match encoding(&head.headers) {
        Ok(encoding) => encoding,
        Err(refusal) => return refused(StatusCode::BAD_REQUEST, &refusal),
    };
    let declared = intake::declared(&head.headers);
    if declared.is_some_and(|length| length > REPORT_BODY_BYTES_MAX as u64) {
        return too_large();
    }
    let length = declared.and_then(|length| usize::try_from(length).ok());
    // Held until the journal has it.
    let Some(_room) = room.take(length.unwrap_or(REPORT_BODY_BYTES_MAX)) else {
        return busy(FULL_RETRY_AFTER);
    };
    let body = match read(body).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let delivery = Delivery {
        agent,
        body,
        encoding,
        sent_at: parsed(&head.headers, "platen-sent-at"),
        uptime_ms: parsed(&head.headers, "platen-uptime-ms"),
        received_at: Timestamp::now(),
    };
    match state.ingest.accept(delivery).await {
        Ok(receipt) => Json(receipt).into_response(),
        Err(rejection) => rejected(&rejection),
    }
}

/// The body, within its limits of size and time.
async fn read(body: Body) -> Result<Bytes, Response> {
    match tokio::time::timeout(REPORT_TIMEOUT, to_bytes(body, REPORT_BODY_BYTES_MAX)).await {
        Err(_) => Err(busy(SLOW_RETRY_AFTER)),
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if is_length_limit(&error) => Err(too_large()),
        // The connection broke: nobody will read this answer.
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST.into_response()),
    }
}

/// Whether reading stopped at the limit, as opposed to a broken connection.
fn is_length_limit(error: &axum::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.to_string() == "length limit exceeded" {
            return true;
        }
        cause = error.source();
    }
    false
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Box<Refusal>> {
    let word = headers
        .get(header::CONTENT_ENCODING)
        .map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
    match word.as_deref() {
        None | Some("identity") => Ok(Encoding::Identity),
        Some("gzip" | "x-gzip") => Ok(Encoding::Gzip),
        Some("zstd") => Ok(Encoding::Zstd),
        Some(other) => Err(Box::new(Refusal {
            refused: None,
            reason: "encoding".to_owned(),
            detail: format!(
                "Content-Encoding {:?} is not known: gzip or zstd",
                other.chars().take(40).collect::<String>()
            ),
        })),
    }
}

/// A header as `T`; absent when it cannot be read: the agent's clocks help, but no report is refused for them.
fn parsed<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn rejected(rejection: &Rejection) -> Response {
    let status =
        StatusCode::from_u16(rejection.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match (rejection.refusal(), rejection) {
        (Some(refusal), _) => refused(status, refusal),
        (None, Rejection::Busy { retry_after, .. }) => busy(*retry_after),
        (None, _) => (status, format!("{rejection}\n")).into_response(),
    }
}

fn refused(status: StatusCode, refusal: &Refusal) -> Response {
    (status, Json(refusal)).into_response()
}

fn too_large() -> Response {
    refused(
        StatusCode::PAYLOAD_TOO_LARGE,
        &Refusal {
            refused: None,
            reason: "too-large".to_owned(),
            detail: format!("a report may have {REPORT_BODY_BYTES_MAX} bytes"),
        },
    )
}

fn busy(retry_after: Duration) -> Response {
    let seconds = retry_after.as_secs().max(1);
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, HeaderValue::from(seconds))],
        "busy: try again later\n",
    )
        .into_response()
}

fn unauthorized() -> Response {
    (
        StatusCode::UNAUTHORIZED,
        [(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(r#"Bearer realm="Platen""#),
        )],
        "this token is no agent's: see `platen agent add`\n",
    )
        .into_response()
}
