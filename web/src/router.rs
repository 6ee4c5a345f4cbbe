//! The routes, and the layers around them.
//!
//! | surface | layers, from the outside |
//! |---|---|
//! | all | counting, security headers |
//! | `/v1/reports` | its own limits of size, time and bytes held |
//! | `/v1/enrol`, `/v1/key` | who calls, and the body, in the handler |
//! | `/soap/v1` | login, body, admission and time, in the handler; no compression, so that answers carry `Content-Length` |
//! | pages, API | gzip; the visitor, or problem documents; the body; time and admission |
//! | `/healthz`, `/metrics`, assets | size: they must answer when all else is busy |
//!
//! What always holds: nobody waits for a body while he holds one of the places where work is done, and a request that is refused by a
//! layer gets a page or a problem document like any other.

pub(crate) mod intake;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State as Held};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use tokio::sync::SemaphorePermit;
use tower_http::compression::CompressionLayer;

use crate::failure::Failure;
use crate::limits::{
    ADMISSION_WAIT, BODIES_BYTES_MAX, FORM_BODY_BYTES_MAX, REPORTS_BYTES_MAX, REQUEST_TIMEOUT,
};
use crate::pages::{
    account, accounts, agents, alerts, audit, csv, device, fleet, forget, health, login, settings,
    tenants,
};
use crate::state::State;
use crate::{api, assets, door, erp, metrics, reports, visit};
use intake::Room;

/// What a page may load and do: only what comes from here, nothing inline, in no frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Everything that the manager serves by HTTP.
pub fn router(state: State) -> Router {
    let bodies = Room::new(BODIES_BYTES_MAX);
    let reports = Room::new(REPORTS_BYTES_MAX);
    let bare = Router::new()
        .route("/healthz", get(crate::health::healthz))
        .route("/metrics", get(metrics::show))
        .layer(middleware::from_fn(intake::refuse_large));
    let shown = worked(&state, &bodies, pages())
        .layer(middleware::from_fn_with_state(state.clone(), visit::visit))
        .merge(
            worked(&state, &bodies, api::routes())
                .layer(middleware::from_fn_with_state(state.clone(), api::problems)),
        )
        .merge(assets::routes().layer(middleware::from_fn(intake::refuse_large)))
        .layer(CompressionLayer::new());
    let enrolled = {
        let bodies = bodies.clone();
        move |held: Held<State>, request: Request| {
            let bodies = bodies.clone();
            async move { door::enrol(&held.0, &bodies, request).await }
        }
    };
    let renewed = {
        let bodies = bodies.clone();
        move |held: Held<State>, request: Request| {
            let bodies = bodies.clone();
            async move { door::next_key(&held.0, &bodies, request).await }
        }
    };
    let called = move |held: Held<State>, request: Request| {
        let bodies = bodies.clone();
        async move { erp::call(&held.0, &bodies, request).await }
    };
    let delivered = move |held: Held<State>, request: Request| {
        let reports = reports.clone();
        async move { reports::accept(&held.0, &reports, request).await }
    };
    Router::new()
        .route("/v1/reports", post(delivered))
        .route("/v1/enrol", post(enrolled))
        .route("/v1/key", post(renewed))
        .route("/soap/v1", get(erp::wsdl).post(called))
        .merge(bare)
        .merge(shown)
        .layer(middleware::from_fn_with_state(state.clone(), secure))
        .layer(middleware::from_fn_with_state(
            state.clone(),
            metrics::count,
        ))
        .with_state(state)
}

/// Puts the body, and then time and admission, around routes: the same for pages and API.
fn worked(state: &State, bodies: &Room, routes: Router<State>) -> Router<State> {
    routes
        .layer(DefaultBodyLimit::max(FORM_BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(state.clone(), admit))
        .layer(middleware::from_fn_with_state(bodies.clone(), intake::take))
}

/// The pages, with the page of what is not there.
fn pages() -> Router<State> {
    Router::new()
        .route("/", get(login::root))
        .route("/login", get(login::show).post(login::submit))
        .route("/logout", post(login::logout))
        .route("/language", post(login::language))
        .route("/devices", get(fleet::show))
        .route("/devices.csv", get(csv::devices))
        .route("/devices/{id}", get(device::show))
        .route("/devices/{id}/same", post(device::same))
        .route("/devices/{id}/split", post(device::split))
        .route(
            "/devices/{id}/decisions/{decision}/undo",
            post(device::undo),
        )
        .route("/devices/{id}/readings.csv", get(csv::readings))
        .route("/alerts", get(alerts::show))
        .route("/tenants", get(tenants::show).post(tenants::create))
        .route(
            "/tenants/{id}/forget",
            get(forget::show).post(forget::submit),
        )
        .route("/agents", get(agents::show).post(agents::create))
        .route("/agents/{id}/enrol", post(agents::enrol))
        .route("/agents/{id}/revoke", post(agents::end_key))
        .route("/accounts", get(accounts::show).post(accounts::create))
        .route("/accounts/{id}/state", post(accounts::bar))
        .route("/account", get(account::show))
        .route("/account/password", post(account::change_password))
        .route("/account/tokens", post(account::create_token))
        .route("/account/tokens/{id}/revoke", post(account::revoke_token))
        .route("/settings", get(settings::show))
        .route("/audit", get(audit::show))
        .route("/health", get(health::show))
        .fallback(|| async { Failure::NotFound })
}

/// Lets so many requests work at once, each for so long; others wait a little, and are then told to come again.
async fn admit(
    Held(state): Held<State>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    in_turn(&state, next.run(request)).await
}

/// Does `work` when there is a place for it, within [`REQUEST_TIMEOUT`].
pub(crate) async fn in_turn<T>(state: &State, work: impl Future<Output = T>) -> Result<T, Failure> {
    let _permit = place(state).await?;
    tokio::time::timeout(REQUEST_TIMEOUT, work)
        .await
        .map_err(|_| Failure::busy())
}

async fn place(state: &State) -> Result<SemaphorePermit<'_>, Failure> {
    match tokio::time::timeout(ADMISSION_WAIT, state.admission.acquire()).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) | Err(_) => Err(Failure::busy()),
    }
}

/// Puts the security headers on every answer.
async fn secure(Held(state): Held<State>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    // What was not read of a body is not waited for: the connection ends with the answer.
    let is_unread = matches!(
        response.status(),
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT
    );
    let headers = response.headers_mut();
    if is_unread {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    guard_headers(headers, state.config.secure_cookies);
    response
}

/// What a browser is told on every answer.
pub(crate) fn guard_headers(headers: &mut HeaderMap, secure_cookies: bool) {
    let fixed: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=()",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if secure_cookies {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
}

#[cfg(test)]
mod tests;
