//! The visitor's own account: password, API tokens.

use askama::Template;
use axum::extract::{Path, Query, State as Held};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::tz::TimeZone;
use registry::account::LoginError;
use registry::audit::Entry;
use registry::{ApiTokenId, NewSession, password};
use serde::Deserialize;

use super::accounts::role_name;
use super::{Ago, Chrome, Place, html};
use crate::failure::Failure;
use crate::format;
use crate::state::{Inner, State};
use crate::text::{Lang, fill};
use crate::visit::cookie::{self, Life};
use crate::visit::guard::{Fields, Member};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Params {
    done: String,
}

struct TokenRow {
    id: i64,
    name: String,
    created: Ago,
    used: Option<Ago>,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountView {
    page: Chrome,
    login: String,
    role: &'static str,
    notice: String,
    fault: bool,
    tokens: Vec<TokenRow>,
    fresh: String,
    password_hint: String,
    api_before: String,
    api_after: String,
}

/// What a page of the account says beside what always stands there.
#[derive(Default)]
struct Said {
    notice: String,
    fault: bool,
    fresh: String,
}

/// How long a password must be, in words.
pub(crate) fn password_hint(lang: Lang) -> String {
    fill(
        lang.texts().account_password_hint,
        &[("n", &password::PASSWORD_CHARS_MIN.to_string())],
    )
}

/// `GET /account`.
pub(crate) async fn show(
    Held(state): Held<State>,
    member: Member,
    Query(params): Query<Params>,
) -> Result<Response, Failure> {
    let texts = member.visit.lang.texts();
    let notice = match params.done.as_str() {
        "password" => texts.account_password_changed,
        "revoked" => texts.account_token_revoked,
        _ => "",
    };
    let said = Said {
        notice: notice.to_owned(),
        ..Said::default()
    };
    state
        .blocking(move |parts| render(parts, &member, said))
        .await
}

fn render(parts: &Inner, member: &Member, said: Said) -> Result<Response, Failure> {
    let (lang, now) = (member.visit.lang, member.visit.now);
    let texts = lang.texts();
    let ago = |at| Ago::new(lang, &TimeZone::UTC, at, now);
    let tokens = parts
        .registry
        .api_tokens(member.account.id)?
        .into_iter()
        .map(|token| TokenRow {
            id: token.id.0,
            name: token.name,
            created: ago(token.created_at),
            used: token.last_used_at.map(ago),
        })
        .collect();
    let counts = parts.counts(member.account.branch, now)?;
    let (api_before, api_after) = texts.account_api.split_once("{url}").unwrap_or_default();
    let mut page = Chrome::of(
        &parts.config,
        member,
        Place::Account,
        texts.account_title,
        counts,
    );
    page.here = "/account".to_owned();
    html(&AccountView {
        page,
        login: member.account.login.clone(),
        role: role_name(lang, member.account.role),
        notice: said.notice,
        fault: said.fault,
        tokens,
        fresh: said.fresh,
        password_hint: password_hint(lang),
        api_before: api_before.to_owned(),
        api_after: api_after.to_owned(),
    })
}

enum Changed {
    Done(NewSession),
    Wrong,
    Throttled(u64),
}

/// `POST /account/password`: needs the old one; ends every other session and begins this one anew.
pub(crate) async fn change_password(
    Held(state): Held<State>,
    member: Member,
    fields: Fields,
) -> Result<Response, Failure> {
    let texts = member.visit.lang.texts();
    let said = |notice: &str| Said {
        notice: notice.to_owned(),
        fault: true,
        ..Said::default()
    };
    let refused = async |member: Member, status: StatusCode, said: Said| {
        let mut response = state
            .blocking(move |parts| render(parts, &member, said))
            .await?;
        *response.status_mut() = status;
        Ok(response)
    };
    if fields.raw("new") != fields.raw("again") {
        let said = said(texts.account_password_differs);
        return refused(member, StatusCode::BAD_REQUEST, said).await;
    }
    let changed = {
        let (member, fields) = (member.clone(), fields.clone());
        state
            .blocking(move |parts| try_change(parts, &member, fields.raw("old"), fields.raw("new")))
            .await
    };
    match changed {
        Ok(Changed::Done(session)) => {
            let mut response = Redirect::to("/account?done=password").into_response();
            let name = cookie::session_name(&state.config);
            cookie::set(
                &mut response,
                &state.config,
                name,
                &session.token,
                Life::Browser,
            );
            Ok(response)
        }
        Ok(Changed::Wrong) => {
            let said = said(texts.account_password_wrong);
            refused(member, StatusCode::FORBIDDEN, said).await
        }
        Ok(Changed::Throttled(seconds)) => {
            let wait = format::age(
                member.visit.lang,
                i64::try_from(seconds).unwrap_or(60) * 1000,
            );
            let said = said(&fill(texts.login_throttled, &[("wait", &wait)]));
            refused(member, StatusCode::TOO_MANY_REQUESTS, said).await
        }
        Err(Failure::Invalid(_)) => {
            let said = said(&password_hint(member.visit.lang));
            refused(member, StatusCode::BAD_REQUEST, said).await
        }
        Err(failure) => Err(failure),
    }
}

fn try_change(parts: &Inner, member: &Member, old: &str, new: &str) -> Result<Changed, Failure> {
    let (account, now) = (&member.account, member.visit.now);
    match parts
        .registry
        .verify_password(&account.login, old, member.visit.client, now)
    {
        Ok(_) => {}
        Err(LoginError::Refused) => return Ok(Changed::Wrong),
        Err(LoginError::Throttled { retry_after_s }) => {
            return Ok(Changed::Throttled(retry_after_s));
        }
        Err(LoginError::Failed(error)) => return Err(error.into()),
    }
    parts.registry.reset_password(account.id, new)?;
    parts.registry.note(
        &Entry {
            who: &account.login,
            action: "account.password",
            subject: &account.login,
            detail: "",
        },
        now,
    )?;
    Ok(Changed::Done(
        parts.registry.create_session(account.id, now)?,
    ))
}

/// `POST /account/tokens`: the token is on the answer, once.
pub(crate) async fn create_token(
    Held(state): Held<State>,
    member: Member,
    fields: Fields,
) -> Result<Response, Failure> {
    state
        .blocking(move |parts| {
            let (account, now) = (&member.account, member.visit.now);
            let name = fields.get("name");
            let (_, secret) = parts.registry.create_api_token(account.id, name, now)?;
            note(parts, &member, "token.create", name)?;
            render(
                parts,
                &member,
                Said {
                    fresh: secret,
                    ..Said::default()
                },
            )
        })
        .await
}

/// `POST /account/tokens/{id}/revoke`.
pub(crate) async fn revoke_token(
    Held(state): Held<State>,
    member: Member,
    Path(id): Path<i64>,
    _: Fields,
) -> Result<Response, Failure> {
    state
        .blocking(move |parts| {
            parts
                .registry
                .revoke_api_token(member.account.id, ApiTokenId(id))?;
            note(parts, &member, "token.revoke", &id.to_string())
        })
        .await?;
    Ok(Redirect::to("/account?done=revoked").into_response())
}

fn note(parts: &Inner, member: &Member, action: &str, detail: &str) -> Result<(), Failure> {
    let entry = Entry {
        who: &member.account.login,
        action,
        subject: &member.account.login,
        detail,
    };
    Ok(parts.registry.note(&entry, member.visit.now)?)
}
