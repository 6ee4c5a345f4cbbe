//! Login, logout, language, and where `/` leads.

use std::net::IpAddr;

use askama::Template;
use axum::extract::{Query, State as Held};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use codec::time::Timestamp;
use registry::account::LoginError;
use registry::audit::Entry;
use registry::{Account, AccountChange, NewSession, Role};
use serde::Deserialize;

use super::{Chrome, html};
use crate::failure::{Failure, chain};
use crate::format;
use crate::state::State;
use crate::text::{Lang, fill};
use crate::visit::Visit;
use crate::visit::cookie::{self, Life};
use crate::visit::guard::{Fields, safe_next};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    page: Chrome,
    next: String,
    login: String,
    notice: String,
    fault: bool,
}

#[derive(Default, Deserialize)]
pub(crate) struct LoginQuery {
    #[serde(default)]
    next: String,
    #[serde(default)]
    out: String,
}

/// `GET /`: the fleet for who is logged in, the login for who is not.
pub(crate) async fn root(visit: Visit) -> Redirect {
    Redirect::to(if visit.session.is_some() {
        "/devices"
    } else {
        "/login"
    })
}

/// `GET /login`.
pub(crate) async fn show(
    Held(state): Held<State>,
    visit: Visit,
    Query(query): Query<LoginQuery>,
) -> Result<Response, Failure> {
    let next = safe_next(&query.next);
    if visit.session.is_some() {
        return Ok(Redirect::to(next).into_response());
    }
    let texts = visit.lang.texts();
    let notice = if query.out.is_empty() {
        ""
    } else {
        texts.login_out
    };
    let template = LoginPage {
        page: Chrome::guest(&state.config, &visit, texts.login_title),
        next: next.to_owned(),
        login: String::new(),
        notice: notice.to_owned(),
        fault: false,
    };
    html(&template)
}

enum Outcome {
    Welcome(Box<Account>, NewSession),
    Wrong,
    Throttled(u64),
}

/// `POST /login`: a right password begins a new session with a new token, whatever cookies came along.
pub(crate) async fn submit(
    Held(state): Held<State>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Failure> {
    let login = fields.get("login").to_owned();
    let next = safe_next(fields.get("next")).to_owned();
    let outcome = {
        let (login, password) = (login.clone(), fields.raw("password").to_owned());
        let (client, now, old) = (visit.client, visit.now, visit.session_token.clone());
        state
            .blocking(move |parts| {
                try_login(
                    &parts.registry,
                    &login,
                    &password,
                    client,
                    now,
                    old.as_deref(),
                )
            })
            .await?
    };
    let texts = visit.lang.texts();
    let (status, notice) = match outcome {
        Outcome::Welcome(account, session) => {
            let mut response = Redirect::to(&next).into_response();
            cookie::set(
                &mut response,
                &state.config,
                cookie::session_name(&state.config),
                &session.token,
                Life::Browser,
            );
            let language = Lang::from(account.language).tag();
            cookie::set(
                &mut response,
                &state.config,
                cookie::LANGUAGE,
                language,
                Life::Year,
            );
            return Ok(response);
        }
        Outcome::Wrong => (StatusCode::UNAUTHORIZED, texts.login_wrong.to_owned()),
        Outcome::Throttled(seconds) => {
            let wait = format::age(visit.lang, i64::try_from(seconds).unwrap_or(60) * 1000);
            let notice = fill(texts.login_throttled, &[("wait", &wait)]);
            let mut response = refused(&state, &visit, next, login, notice)?;
            let failure = Failure::Wait {
                status: StatusCode::TOO_MANY_REQUESTS,
                retry_after_s: seconds,
            };
            *response.status_mut() = failure.status();
            failure.headers(&mut response);
            return Ok(response);
        }
    };
    let mut response = refused(&state, &visit, next, login, notice)?;
    *response.status_mut() = status;
    Ok(response)
}

fn refused(
    state: &State,
    visit: &Visit,
    next: String,
    login: String,
    notice: String,
) -> Result<Response, Failure> {
    let mut page = Chrome::guest(&state.config, visit, visit.lang.texts().login_title);
    page.here = "/login".to_owned();
    html(&LoginPage {
        page,
        next,
        login,
        notice,
        fault: true,
    })
}

fn try_login(
    registry: &registry::Registry,
    login: &str,
    password: &str,
    client: IpAddr,
    now: Timestamp,
    old_session: Option<&str>,
) -> Result<Outcome, Failure> {
    let account = match registry.verify_password(login, password, client, now) {
        Ok(account) if account.role == Role::Erp => return Ok(Outcome::Wrong),
        Ok(account) => account,
        Err(LoginError::Refused) => return Ok(Outcome::Wrong),
        Err(LoginError::Throttled { retry_after_s }) => {
            return Ok(Outcome::Throttled(retry_after_s));
        }
        Err(LoginError::Failed(error)) => return Err(error.into()),
    };
    let session = registry.create_session(account.id, now)?;
    let noted = old_session
        .map_or(Ok(()), |old| registry.end_session(old))
        .and_then(|()| {
            registry.note(
                &Entry {
                    who: &account.login,
                    action: "session.begin",
                    subject: &account.login,
                    detail: &client.to_string(),
                },
                now,
            )
        });
    if let Err(error) = noted {
        // On a full disk the log is the audit: whoever comes to see what is the matter must get in.
        tracing::warn!(login = account.login, %client, error = chain(&error), "a session began that could not be written to the audit");
    }
    Ok(Outcome::Welcome(Box::new(account), session))
}

/// `POST /logout`.
pub(crate) async fn logout(
    Held(state): Held<State>,
    visit: Visit,
    _: Fields,
) -> Result<Response, Failure> {
    if let Some(token) = visit.session_token {
        state
            .blocking(move |parts| Ok(parts.registry.end_session(&token)?))
            .await?;
    }
    let mut response = Redirect::to("/login?out=1").into_response();
    cookie::set(
        &mut response,
        &state.config,
        cookie::session_name(&state.config),
        "",
        Life::Over,
    );
    Ok(response)
}

/// `POST /language`: the choice goes into a cookie, and into the account of who is logged in.
pub(crate) async fn language(
    Held(state): Held<State>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Failure> {
    let lang = Lang::from_tag(fields.get("language"))
        .ok_or_else(|| Failure::Invalid("language: de or en".to_owned()))?;
    if let Some(session) = visit.session {
        let id = session.account.id;
        let change = AccountChange {
            language: Some(lang.into()),
            ..AccountChange::default()
        };
        state
            .blocking(move |parts| Ok(parts.registry.change_account(id, &change)?))
            .await?;
    }
    let mut response = Redirect::to(safe_next(fields.get("next"))).into_response();
    cookie::set(
        &mut response,
        &state.config,
        cookie::LANGUAGE,
        lang.tag(),
        Life::Year,
    );
    Ok(response)
}
