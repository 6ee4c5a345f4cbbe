//! Whether the parts answer: for `/healthz` and for the health page.

use axum::extract::State as Held;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use codec::id::Scope;

use crate::failure::{Failure, chain};
use crate::state::{Inner, State};

/// How a part of the manager is.
pub(crate) struct Part {
    /// A stable word.
    pub(crate) name: &'static str,
    /// `None` when it works; else why not.
    pub(crate) fault: Option<String>,
    /// Why not, as a word that everybody may know.
    pub(crate) reason: Option<&'static str>,
    /// Whether nothing works without it.
    pub(crate) is_vital: bool,
}

/// Asks each part a small question.
pub(crate) fn check(parts: &Inner) -> Vec<Part> {
    let part = |name, answer: Result<(), String>| Part {
        name,
        fault: answer.err(),
        reason: None,
        is_vital: true,
    };
    let hindered = parts.journal().err();
    let reason = hindered.as_ref().map(|hindered| hindered.reason);
    vec![
        part(
            "registry",
            parts
                .registry
                .tenants(&Scope::Everything)
                .map(drop)
                .map_err(|error| chain(&error)),
        ),
        part(
            "store",
            parts
                .store
                .positions()
                .map(drop)
                .map_err(|error| chain(&error)),
        ),
        Part {
            name: "journal",
            fault: hindered.map(|hindered| hindered.detail),
            reason,
            is_vital: true,
        },
        archive(parts),
    ]
}

/// Reports are taken and applied without it, until the disk is full.
fn archive(parts: &Inner) -> Part {
    let trouble = parts.ingest.archive_trouble();
    let unreadable = parts.ingest.unreadable_customers();
    let (fault, reason) = if !trouble.is_empty() {
        (Some(trouble), Some("archive-error"))
    } else if unreadable > 0 {
        let fault = format!("{unreadable} customers; the log and `platen journal check` say which");
        (Some(fault), Some("archive-unreadable"))
    } else {
        (None, None)
    };
    Part {
        name: "archive",
        fault,
        reason,
        is_vital: false,
    }
}

/// `GET /healthz`: 200 only when every part answers. Says which part does not, and why in a word at the most: nobody needs to be logged in
/// to ask.
pub(crate) async fn healthz(Held(state): Held<State>) -> Response {
    let checked: Result<Vec<Part>, Failure> = state.blocking(|parts| Ok(check(parts))).await;
    let faulty: Vec<String> = match &checked {
        Ok(parts) => parts
            .iter()
            .filter(|part| part.fault.is_some() && part.is_vital)
            .map(|part| match part.reason {
                Some(reason) => format!("{} ({reason})", part.name),
                None => part.name.to_owned(),
            })
            .collect(),
        Err(_) => vec!["web".to_owned()],
    };
    if faulty.is_empty() {
        // It works; but somebody should know before the old certificate ends.
        let mut text = "ok\n".to_owned();
        if state.connections.certificate_fault().is_some() {
            text.push_str(
                "the changed certificate files cannot be used; the ones before are still served (the log says why)\n",
            );
        }
        for part in checked.iter().flatten() {
            if let (Some(_), Some(reason)) = (&part.fault, part.reason) {
                text.push_str(&format!("not working: {} ({reason})\n", part.name));
            }
        }
        return (StatusCode::OK, text).into_response();
    }
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("not working: {}\n", faulty.join(", ")),
    )
        .into_response()
}
