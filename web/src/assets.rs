//! The stylesheet, the script and the mark: compiled in, served from our own origin, cached for ever under the hash of their content.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

const CSS: &str = include_str!("../assets/platen.css");
const JS: &str = include_str!("../assets/platen.js");
const MARK: &str = include_str!("../assets/mark.svg");

static CSS_ADDRESS: LazyLock<String> = LazyLock::new(|| versioned("/assets/platen.css", CSS));
static JS_ADDRESS: LazyLock<String> = LazyLock::new(|| versioned("/assets/platen.js", JS));

/// Where the stylesheet is.
pub(crate) fn css_address() -> &'static str {
    &CSS_ADDRESS
}

/// Where the script is.
pub(crate) fn js_address() -> &'static str {
    &JS_ADDRESS
}

fn versioned(path: &str, content: &str) -> String {
    let hash = HEXLOWER.encode(&Sha256::digest(content)[..6]);
    format!("{path}?v={hash}")
}

/// The routes of the assets; no login is needed for them.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route(
            "/assets/platen.css",
            get(|| async { asset("text/css; charset=utf-8", CSS) }),
        )
        .route(
            "/assets/platen.js",
            get(|| async { asset("text/javascript; charset=utf-8", JS) }),
        )
        .route(
            "/assets/mark.svg",
            get(|| async { asset("image/svg+xml", MARK) }),
        )
        .route(
            "/favicon.ico",
            get(|| async { asset("image/svg+xml", MARK) }),
        )
}

fn asset(kind: &'static str, content: &'static str) -> Response {
    (
        [
            (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
            (
                header::CACHE_CONTROL,
                HeaderValue::from_static("public, max-age=31536000, immutable"),
            ),
        ],
        content,
    )
        .into_response()
}
