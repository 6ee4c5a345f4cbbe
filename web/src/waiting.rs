//! What is served while the manager cannot begin yet: its disk has no room, or another program has its store open.
//!
//! | asked | answered |
//! |---|---|
//! | `/healthz` | 503 and the reason in a word |
//! | `/metrics` | `platen_start_waiting`, to those who may read metrics |
//! | `/v1/reports`, `/soap/v1`, `/api/v1/…`, and all else that programs ask | 503 with `Retry-After` and the reason in a word |
//! | pages | 503 with `Retry-After`: a page that says why, in the visitor's language, and asks again by itself |
//!
//! Nothing here needs a disk, an account or a session, and nothing is told but the reason's word.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::{Request, State as Held};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::config::Config;
use crate::router::guard_headers;
use crate::text::Lang;
use crate::{assets, metrics};

/// When agents and programs are told to come again: the disk was filled over hours, and is not cleared within seconds.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// When a page asks again by itself.
const PAGE_AGAIN: Duration = Duration::from_secs(5);

/// Why the manager cannot begin yet. A clone is another handle to the same one.
#[derive(Clone, Debug)]
pub struct Waiting {
    config: Config,
    reason: Arc<Mutex<&'static str>>,
}

impl Waiting {
    /// Waits for `reason`, a stable word: disk-full or store-locked.
    #[must_use]
    pub fn new(config: Config, reason: &'static str) -> Self {
        Self {
            config,
            reason: Arc::new(Mutex::new(reason)),
        }
    }

    /// Waits for another reason.
    pub fn set_reason(&self, reason: &'static str) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    fn reason(&self) -> &'static str {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that is served meanwhile.
pub fn router(waiting: Waiting) -> Router {
    let secure_cookies = waiting.config.secure_cookies;
    Router::new()
        .route("/metrics", get(figures))
        .merge(assets::routes())
        .fallback(answer)
        .layer(middleware::map_response(
            move |mut response: Response| async move {
                guard_headers(response.headers_mut(), secure_cookies);
                response
            },
        ))
        .with_state(waiting)
}

#[derive(Template)]
#[template(path = "waiting.html")]
struct Page<'a> {
    lang: &'static str,
    again_s: u64,
    brand: &'a str,
    css: &'static str,
    message: &'static str,
    cause: &'static str,
    hint: &'static str,
}

async fn answer(Held(waiting): Held<Waiting>, request: Request) -> Response {
    let reason = waiting.reason();
    let path = request.uri().path();
    let is_for_programs = ["/v1/", "/api/", "/soap/", "/healthz"]
        .iter()
        .any(|prefix| path.starts_with(prefix));
    let mut response = if is_for_programs {
        format!("not begun yet: {reason}; it goes on by itself\n").into_response()
    } else {
        let accepted = request.headers().get(header::ACCEPT_LANGUAGE);
        let lang = accepted
            .and_then(|value| value.to_str().ok())
            .and_then(Lang::from_accept)
            .unwrap_or_default();
        page(&waiting, lang, reason)
    };
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(
        header::RETRY_AFTER,
        HeaderValue::from(RETRY_AFTER.as_secs()),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // What was not read of a body is not waited for.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn page(waiting: &Waiting, lang: Lang, reason: &str) -> Response {
    let texts = lang.texts();
    let page = Page {
        lang: lang.tag(),
        again_s: PAGE_AGAIN.as_secs(),
        brand: &waiting.config.brand,
        css: assets::css_address(),
        message: texts.waiting_title,
        cause: texts.hindered_by(reason),
        hint: texts.waiting_hint,
    };
    match page.render() {
        Ok(text) => Html(text).into_response(),
        Err(_) => reason.to_owned().into_response(),
    }
}

async fn figures(Held(waiting): Held<Waiting>, request: Request) -> Response {
    if !metrics::may_read(&waiting.config, &request) {
        return metrics::refused();
    }
    let reason = waiting.reason();
    let text = format!(
        "# HELP platen_start_waiting 1 while the manager cannot begin, by reason.\n# TYPE platen_start_waiting gauge\n\
         platen_start_waiting{{reason=\"{reason}\"}} 1\n# EOF\n"
    );
    ([(header::CONTENT_TYPE, metrics::OPENMETRICS)], text).into_response()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::connections::Connections;

    /// Status, seconds until it makes sense to come again, and body.
    fn ask(address: SocketAddr, path: &str, language: &str) -> (u16, Option<u64>, String) {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent: ureq::Agent = config.build().into();
        let asked = agent
            .get(format!("http://{address}{path}"))
            .header("accept-language", language);
        let mut response = asked.call().unwrap();
        let again = response.headers().get("retry-after");
        let again = again.and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), again, body)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn everybody_is_told_why_and_when_to_come_again() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let waiting = Waiting::new(Config::loopback(address), "disk-full");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(crate::serve(
            listener,
            None,
            router(waiting.clone()),
            Connections::default(),
            async {
                let _ = stopped.await;
            },
        ));
        let asked = tokio::task::spawn_blocking(move || {
            for path in ["/healthz", "/v1/reports", "/api/v1/devices", "/soap/v1"] {
                let (status, again, body) = ask(address, path, "en");
                assert_eq!((status, again), (503, Some(30)), "{path}");
                assert!(body.contains("disk-full"), "{path}: {body}");
            }
            let (status, again, english) = ask(address, "/devices", "en");
            assert_eq!((status, again), (503, Some(30)));
            let (_, _, german) = ask(address, "/", "de-DE,de;q=0.9");
            assert!(english.contains("no room"), "{english}");
            assert!(german.contains("kein Platz"), "{german}");
            let (status, _, figures) = ask(address, "/metrics", "en");
            assert_eq!(status, 200);
            assert!(figures.contains("platen_start_waiting{reason=\"disk-full\"} 1\n"));
            waiting.set_reason("store-locked");
            assert!(ask(address, "/healthz", "").2.contains("store-locked"));
        });
        asked.await.unwrap();
        drop(stop);
        serving.await.unwrap().unwrap();
    }
}
