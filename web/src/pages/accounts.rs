//! Accounts: who may log in, and one more. For administrators, within their branch.

use askama::Template;
use axum::extract::{Path, Query, State as Held};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use codec::id::TenantId;
use jiff::tz::TimeZone;
use registry::audit::Entry;
use registry::{Account, AccountChange, AccountId, Branch, Language, NewAccount, Role};
use serde::Deserialize;

use super::people::Tenants;
use super::tenants::lies_in_branch;
use super::{Ago, Chrome, Place, html};
use crate::failure::Failure;
use crate::state::{Inner, State};
use crate::text::{Lang, fill};
use crate::visit::guard::{Fields, Member, encode_component};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Params {
    made: String,
    changed: String,
}

struct Row {
    id: i64,
    login: String,
    name: String,
    role: &'static str,
    branch: String,
    last_login: Option<Ago>,
    disabled: bool,
    own: bool,
}

#[derive(Template)]
#[template(path = "accounts.html")]
struct AccountsView {
    page: Chrome,
    notice: String,
    fault: bool,
    /// What was typed into a form that was refused.
    typed: Fields,
    rows: Vec<Row>,
    roles: Vec<(&'static str, &'static str)>,
    branches: Vec<(String, String)>,
    password_hint: String,
}

/// A role's name.
pub(crate) const fn role_name(lang: Lang, role: Role) -> &'static str {
    let texts = lang.texts();
    match role {
        Role::Admin => texts.role_admin,
        Role::Operator => texts.role_staff,
        Role::Viewer => texts.role_viewer,
        Role::Erp => texts.role_erp,
    }
}

impl AccountsView {
    /// The role to begin with.
    fn role(&self) -> &str {
        match self.typed.get("role") {
            "" => "viewer",
            typed => typed,
        }
    }
}

/// `GET /accounts`.
pub(crate) async fn show(
    Held(state): Held<State>,
    member: Member,
    Query(params): Query<Params>,
) -> Result<Response, Failure> {
    member.administers()?;
    state
        .blocking(move |parts| render(parts, &member, &params, None))
        .await
}

/// The page: after what `params` say was done, or after a form that was `refused` because there is such a login already.
fn render(
    parts: &Inner,
    member: &Member,
    params: &Params,
    refused: Option<Fields>,
) -> Result<Response, Failure> {
    let scope = member.scope(parts);
    let (lang, now) = (member.visit.lang, member.visit.now);
    let texts = lang.texts();
    let tenants = Tenants::load(&parts.registry, &scope)?;
    let branch_name = |branch| match branch {
        Branch::House => texts.accounts_everything.to_owned(),
        Branch::Tenant(id) => tenants.name(id).to_owned(),
    };
    let rows = parts
        .registry
        .accounts(member.account.branch)?
        .into_iter()
        .map(|account| Row {
            id: account.id.0,
            role: role_name(lang, account.role),
            branch: branch_name(account.branch),
            last_login: account
                .last_login_at
                .map(|at| Ago::new(lang, &TimeZone::UTC, at, now)),
            disabled: account.disabled,
            own: account.id == member.account.id,
            login: account.login,
            name: account.name,
        })
        .collect();
    let mut branches = Vec::new();
    if member.account.branch == Branch::House {
        branches.push((String::new(), texts.accounts_everything.to_owned()));
    }
    for tenant in &tenants.ordered {
        if lies_in_branch(parts, tenant.id, member.account.branch)? {
            let name = match tenants.parent(tenant.id) {
                Some(parent) => format!("{} · {}", parent.name, tenant.name),
                None => tenant.name.clone(),
            };
            branches.push((tenant.id.to_string(), name));
        }
    }
    let fault = refused.is_some();
    let notice = match (params.made.as_str(), params.changed.as_str()) {
        _ if fault => texts.error_taken.to_owned(),
        ("", "") => String::new(),
        ("", changed) => fill(texts.accounts_changed, &[("name", changed)]),
        (made, _) => fill(texts.accounts_created, &[("name", made)]),
    };
    let counts = parts.counts(member.account.branch, now)?;
    let mut page = Chrome::of(
        &parts.config,
        member,
        Place::Accounts,
        texts.accounts_title,
        counts,
    );
    page.here = "/accounts".to_owned();
    html(&AccountsView {
        page,
        fault,
        typed: refused.unwrap_or(Fields::none()),
        notice,
        rows,
        roles: Role::ALL
            .iter()
            .map(|role| (role.word(), role_name(lang, *role)))
            .collect(),
        branches,
        password_hint: super::account::password_hint(lang),
    })
}

/// `POST /accounts`.
pub(crate) async fn create(
    Held(state): Held<State>,
    member: Member,
    fields: Fields,
) -> Result<Response, Failure> {
    member.administers()?;
    state
        .blocking(move |parts| {
            let branch = match fields.some("branch") {
                None => Branch::House,
                Some(id) => {
                    Branch::Tenant(TenantId(id.parse().map_err(|_| {
                        Failure::Invalid("branch: a tenant's number".to_owned())
                    })?))
                }
            };
            within_own_branch(parts, &member, branch)?;
            let role = Role::from_word(fields.get("role")).ok_or_else(|| {
                Failure::Invalid("role: admin, operator, viewer or erp".to_owned())
            })?;
            let login = fields.get("login");
            let made = match parts.registry.create_account(
                &NewAccount {
                    login,
                    name: fields.some("name").unwrap_or(login),
                    password: fields.raw("password"),
                    role,
                    branch,
                    language: Language::from(member.visit.lang),
                },
                member.visit.now,
            ) {
                Ok(made) => made,
                Err(registry::Error::Taken { .. }) => {
                    let mut page = render(parts, &member, &Params::default(), Some(fields))?;
                    *page.status_mut() = StatusCode::CONFLICT;
                    return Ok(page);
                }
                Err(error) => return Err(error.into()),
            };
            note(parts, &member, "account.create", &made, role.word())?;
            let address = format!("/accounts?made={}", encode_component(&made.login));
            Ok(Redirect::to(&address).into_response())
        })
        .await
}

/// `POST /accounts/{id}/state`: bars an account or lets it in again.
pub(crate) async fn bar(
    Held(state): Held<State>,
    member: Member,
    Path(id): Path<i64>,
    fields: Fields,
) -> Result<Response, Failure> {
    member.administers()?;
    let disabled = fields.get("disabled") == "true";
    let login = state
        .blocking(move |parts| {
            let account = parts.registry.account(AccountId(id))?;
            // Who is not in the asker's branch is not there for him.
            within_own_branch(parts, &member, account.branch).map_err(|_| Failure::NotFound)?;
            let change = AccountChange {
                disabled: Some(disabled),
                ..AccountChange::default()
            };
            let account = parts.registry.change_account(account.id, &change)?;
            let detail = if disabled { "disabled" } else { "enabled" };
            note(parts, &member, "account.change", &account, detail)?;
            Ok(account.login)
        })
        .await?;
    Ok(Redirect::to(&format!("/accounts?changed={}", encode_component(&login))).into_response())
}

/// An administrator of a branch manages that branch, not the house and not its neighbours.
fn within_own_branch(parts: &Inner, member: &Member, branch: Branch) -> Result<(), Failure> {
    let within = match branch {
        Branch::House => member.account.branch == Branch::House,
        Branch::Tenant(id) => lies_in_branch(parts, id, member.account.branch)?,
    };
    if within {
        Ok(())
    } else {
        Err(Failure::Forbidden)
    }
}

fn note(
    parts: &Inner,
    member: &Member,
    action: &str,
    account: &Account,
    detail: &str,
) -> Result<(), Failure> {
    let entry = Entry {
        who: &member.account.login,
        action,
        subject: &account.login,
        detail,
    };
    Ok(parts.registry.note(&entry, member.visit.now)?)
}
