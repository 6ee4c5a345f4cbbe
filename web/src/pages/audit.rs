//! The audit log: who did what. For administrators of the whole house, since it names all of it.

use askama::Template;
use axum::extract::{Query, State as Held};
use axum::response::Response;
use jiff::tz::TimeZone;
use registry::Branch;
use serde::Deserialize;

use super::{Chrome, Place, html};
use crate::failure::Failure;
use crate::format;
use crate::limits::PAGE_ROWS_DEFAULT;
use crate::state::State;
use crate::text::Lang;
use crate::visit::guard::Member;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Params {
    before: String,
}

struct Row {
    time: String,
    who: String,
    /// What was done, in words where it is known.
    action: String,
    /// As the log has it.
    word: String,
    subject: String,
    detail: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditView {
    page: Chrome,
    rows: Vec<Row>,
    next: Option<String>,
}

/// `GET /audit`.
pub(crate) async fn show(
    Held(state): Held<State>,
    member: Member,
    Query(params): Query<Params>,
) -> Result<Response, Failure> {
    member.administers()?;
    if member.account.branch != Branch::House {
        return Err(Failure::Forbidden);
    }
    let before = params.before.parse().ok();
    state
        .blocking(move |parts| {
            let rows_max = PAGE_ROWS_DEFAULT as usize;
            let entries = parts.registry.audit_log(before, rows_max)?;
            let lang = member.visit.lang;
            let next = entries
                .last()
                .filter(|entry| entries.len() == rows_max && entry.id > 1)
                .map(|entry| format!("/audit?before={}", entry.id));
            let counts = parts.counts(member.account.branch, member.visit.now)?;
            html(&AuditView {
                page: Chrome::of(
                    &parts.config,
                    &member,
                    Place::Audit,
                    lang.texts().audit_title,
                    counts,
                ),
                rows: entries
                    .into_iter()
                    .map(|entry| Row {
                        time: format::moment_full(lang, &TimeZone::UTC, entry.at),
                        who: entry.who,
                        action: action(lang, &entry.action).to_owned(),
                        word: entry.action,
                        subject: entry.subject,
                        detail: entry.detail,
                    })
                    .collect(),
                next,
            })
        })
        .await
}

/// What an action of the log means.
fn action(lang: Lang, word: &str) -> &str {
    let texts = lang.texts();
    match word {
        "session.begin" => texts.audit_session_begin,
        "account.password" => texts.audit_account_password,
        "account.create" => texts.audit_account_create,
        "account.change" => texts.audit_account_change,
        "tenant.create" => texts.audit_tenant_create,
        "agent.add" => texts.audit_agent_add,
        "agent.token" | "agent.rotate-token" => texts.audit_agent_token,
        "agent.invite" => texts.audit_agent_invite,
        "agent.enrol" => texts.audit_agent_enrol,
        "agent.enrol-refused" => texts.audit_agent_enrol_refused,
        "agent.key" => texts.audit_agent_key,
        "agent.revoke" => texts.audit_agent_revoke,
        "token.create" => texts.audit_token_create,
        "token.revoke" => texts.audit_token_revoke,
        "device.merge" => texts.audit_device_merge,
        "device.split" => texts.audit_device_split,
        "device.undo" => texts.audit_device_undo,
        "customer.forget" => texts.audit_customer_forget,
        other => other,
    }
}
