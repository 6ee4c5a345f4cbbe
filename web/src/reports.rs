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
use codec::time::Timestamp;
use ingest::{Delivery, Rejection};

use crate::door::{self, refused};
use crate::limits::{HEADER_BYTES_MAX, REPORT_BODY_BYTES_MAX, REPORT_TIMEOUT};
use crate::metrics::Reason;
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
    let agent = match door::agent(state, &head).await {
        Ok(agent) => agent,
        Err(response) => return response,
    };
    let encoding = match encoding(&head.headers) {
        Ok(encoding) => encoding,
        Err(detail) => return refused(StatusCode::BAD_REQUEST, "encoding", &detail),
    };
    let declared = intake::declared(&head.headers);
    if declared.is_some_and(|length| length > REPORT_BODY_BYTES_MAX as u64) {
        return too_large();
    }
    let length = declared.and_then(|length| usize::try_from(length).ok());
    // Held until the journal has it.
    let Some(_room) = room.take(length.unwrap_or(REPORT_BODY_BYTES_MAX)) else {
        return busy("no-room", FULL_RETRY_AFTER);
    };
    let body = match read(body).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let delivery = Delivery {
        agent: agent.id.clone(),
        body,
        encoding,
        sent_at: parsed(&head.headers, "platen-sent-at"),
        uptime_ms: parsed(&head.headers, "platen-uptime-ms"),
        received_at: Timestamp::now(),
    };
    match state.ingest.accept(delivery).await {
        Ok(mut receipt) => {
            receipt.renew_key = is_old(state, agent.key_since);
            Json(receipt).into_response()
        }
        Err(rejection) => rejected(&rejection),
    }
}

/// Whether a key is older than the operator wants keys to be.
fn is_old(state: &State, key_since: Option<Timestamp>) -> bool {
    match (state.config.agent_key_age_max, key_since) {
        (Some(age_max), Some(since)) => {
            let age_ms = Timestamp::now().ms_since(since);
            i128::from(age_ms) > i128::try_from(age_max.as_millis()).unwrap_or(i128::MAX)
        }
        _ => false,
    }
}

/// The body, within its limits of size and time.
async fn read(body: Body) -> Result<Bytes, Response> {
    match tokio::time::timeout(REPORT_TIMEOUT, to_bytes(body, REPORT_BODY_BYTES_MAX)).await {
        Err(_) => Err(busy("slow-body", SLOW_RETRY_AFTER)),
        Ok(Ok(body)) => Ok(alone(body)),
        Ok(Err(error)) if is_length_limit(&error) => Err(too_large()),
        // The connection broke: nobody will read this answer.
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST.into_response()),
    }
}

/// The body in memory of its own: one that came in a single piece is a part of the connection's read buffer, and would keep all of that for as
/// long as it waits, which no budget counts.
fn alone(body: Bytes) -> Bytes {
    if body.len() <= HEADER_BYTES_MAX {
        Bytes::copy_from_slice(&body)
    } else {
        body
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

fn encoding(headers: &HeaderMap) -> Result<Encoding, String> {
    let word = headers
        .get(header::CONTENT_ENCODING)
        .map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
    match word.as_deref() {
        None | Some("identity") => Ok(Encoding::Identity),
        Some("gzip" | "x-gzip") => Ok(Encoding::Gzip),
        Some("zstd") => Ok(Encoding::Zstd),
        Some(other) => Err(format!(
            "Content-Encoding {:?} is not known: gzip or zstd",
            other.chars().take(40).collect::<String>()
        )),
    }
}

/// A header as `T`; absent when it cannot be read: the agent's clocks help, but no report is refused for them.
fn parsed<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn rejected(rejection: &Rejection) -> Response {
    let status =
        StatusCode::from_u16(rejection.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match (rejection.refusal(), rejection) {
        (Some(refusal), _) => (status, Json(refusal)).into_response(),
        (None, Rejection::Busy { retry_after, .. }) => busy("busy", *retry_after),
        (None, _) => (status, format!("{rejection}\n")).into_response(),
    };
    let reason = Reason(rejection.word().to_owned().into());
    response.extensions_mut().insert(reason);
    response
}

fn too_large() -> Response {
    refused(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        &format!("a report may have {REPORT_BODY_BYTES_MAX} bytes"),
    )
}

fn busy(reason: &'static str, retry_after: Duration) -> Response {
    let seconds = retry_after.as_secs().max(1);
    let mut response = (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, HeaderValue::from(seconds))],
        "busy: try again later\n",
    )
        .into_response();
    response.extensions_mut().insert(Reason(reason.into()));
    response
}
