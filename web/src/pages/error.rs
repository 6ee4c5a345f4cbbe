//! The pages of failures.

use askama::Template;
use axum::http::{Method, StatusCode};
use axum::response::{Html, IntoResponse, Response};

use super::Chrome;
use crate::config::Config;
use crate::failure::Failure;
use crate::state::State;
use crate::text::{Texts, fill};
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    page: Chrome,
    status: String,
    message: String,
    hint: String,
}

/// The page of a failure in the visitor's language.
pub(crate) async fn page(
    state: &State,
    visit: &Visit,
    failure: &Failure,
    method: &Method,
) -> Response {
    let (message, hint) = sentence(visit.lang.texts(), failure);
    let mut page = Chrome::guest(&state.config, visit, message.clone());
    if !crate::visit::reads_only(method) {
        // The address of a form's target may not be one that can be read.
        page.here = "/".to_owned();
    }
    let status = failure.status();
    let template = ErrorPage {
        page,
        status: status.to_string(),
        message,
        hint,
    };
    let mut response = match super::html(&template) {
        Ok(response) => response,
        Err(_) => bare(&state.config, failure),
    };
    *response.status_mut() = status;
    failure.headers(&mut response);
    response
}

fn sentence(texts: &Texts, failure: &Failure) -> (String, String) {
    match failure {
        Failure::NotFound => (
            texts.error_not_found.to_owned(),
            texts.error_not_found_hint.to_owned(),
        ),
        Failure::Forbidden | Failure::Login => (texts.error_forbidden.to_owned(), String::new()),
        Failure::Csrf => (texts.error_csrf.to_owned(), String::new()),
        Failure::Invalid(sentence) => (texts.error_invalid.to_owned(), sentence.clone()),
        Failure::Conflict(_) => (
            texts.error_conflict.to_owned(),
            texts.error_conflict_hint.to_owned(),
        ),
        Failure::Wait { .. } => (texts.error_busy.to_owned(), String::new()),
        Failure::Method => (texts.error_method.to_owned(), String::new()),
        Failure::TooLarge => (texts.error_too_large.to_owned(), String::new()),
        Failure::Internal(number) => (fill(texts.error_internal, &[("n", number)]), String::new()),
    }
}

/// The plainest answer, for when not even the visitor is known.
pub(crate) fn bare(config: &Config, failure: &Failure) -> Response {
    let status: StatusCode = failure.status();
    let mut response = (
        status,
        Html(format!(
            "<!doctype html><title>{status}</title><p>{}: {status}",
            escape(&config.brand)
        )),
    )
        .into_response();
    failure.headers(&mut response);
    response
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
