//! The routes, and the layers around them.
//!
//! | surface | layers, from the outside |
//! |---|---|
//! | all | counting, security headers |
//! | `/v1/reports` | its own limits of size and time |
//! | `/soap/v1` | time, admission; no compression, so that answers carry `Content-Length` |
//! | pages, API | gzip, time, admission, body size; then the visitor or caller |
//! | `/healthz`, `/metrics` | none: they must answer when all else is busy |

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State as Held};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;

use crate::failure::Failure;
use crate::limits::{ADMISSION_WAIT, FORM_BODY_BYTES_MAX, REQUEST_TIMEOUT};
use crate::pages::{
    account, accounts, agents, alerts, audit, csv, device, fleet, health, login, settings, tenants,
};
use crate::state::State;
use crate::{api, assets, erp, metrics, reports, visit};

/// What a page may load and do: only what comes from here, nothing inline, in no frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Everything that the manager serves by HTTP.
pub fn router(state: State) -> Router {
    let admitted = pages(&state)
        .merge(api::routes(&state))
        .layer(middleware::from_fn_with_state(state.clone(), admit))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            REQUEST_TIMEOUT,
        ))
        .merge(assets::routes())
        .layer(CompressionLayer::new());
    let erp = Router::new()
        .route("/soap/v1", get(erp::wsdl).post(erp::call))
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(state.clone(), admit))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            REQUEST_TIMEOUT,
        ));
    Router::new()
        .route(
            "/v1/reports",
            post(reports::accept).layer(DefaultBodyLimit::disable()),
        )
        .route("/healthz", get(crate::health::healthz))
        .route("/metrics", get(metrics::show))
        .merge(erp)
        .merge(admitted)
        .layer(middleware::from_fn_with_state(state.clone(), secure))
        .layer(middleware::from_fn_with_state(
            state.clone(),
            metrics::count,
        ))
        .with_state(state)
}

/// The pages, with the page of what is not there.
fn pages(state: &State) -> Router<State> {
    Router::new()
        .route("/", get(login::root))
        .route("/login", get(login::show).post(login::submit))
        .route("/logout", post(login::logout))
        .route("/language", post(login::language))
        .route("/devices", get(fleet::show))
        .route("/devices.csv", get(csv::devices))
        .route("/devices/{id}", get(device::show))
        .route("/devices/{id}/readings.csv", get(csv::readings))
        .route("/alerts", get(alerts::show))
        .route("/tenants", get(tenants::show).post(tenants::create))
        .route("/agents", get(agents::show).post(agents::create))
        .route("/agents/{id}/token", post(agents::renew))
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
        .layer(DefaultBodyLimit::max(FORM_BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(state.clone(), visit::visit))
}

/// Lets so many requests work at once; others wait a little, and are then told to come again.
async fn admit(
    Held(state): Held<State>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let admitted = tokio::time::timeout(ADMISSION_WAIT, state.admission.acquire()).await;
    match admitted {
        Ok(Ok(_permit)) => Ok(next.run(request).await),
        Ok(Err(_)) | Err(_) => Err(Failure::busy()),
    }
}

/// Puts the security headers on every answer.
async fn secure(Held(state): Held<State>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
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
    if state.config.secure_cookies {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    response
}
