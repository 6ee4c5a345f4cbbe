//! Dealers, customers and sites: the tree, and forms for one more of each.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, State as Held};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use codec::id::TenantId;
use registry::audit::Entry;
use registry::{Branch, Level, NewTenant};
use serde::Deserialize;

use super::people::Tenants;
use super::{Chrome, Place, html};
use crate::failure::Failure;
use crate::format;
use crate::state::{Inner, State};
use crate::text::fill;
use crate::visit::guard::{Fields, Member, encode_component};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Params {
    made: String,
}

struct Row {
    class: &'static str,
    level: &'static str,
    name: String,
    number: String,
    zone: String,
    devices: String,
    fleet: String,
    /// Where he is forgotten; empty for what is no customer.
    forget: String,
}

/// A customer that was forgotten.
struct ForgottenRow {
    address: String,
    number: String,
    decided: String,
    class: &'static str,
    state: &'static str,
}

#[derive(Template)]
#[template(path = "tenants.html")]
struct TenantsView {
    page: Chrome,
    sub: String,
    notice: String,
    fault: bool,
    /// What was typed into a form that was refused.
    typed: Fields,
    rows: Vec<Row>,
    dealers: Vec<(String, String)>,
    customers: Vec<(String, String)>,
    may_add_dealers: bool,
    may_forget: bool,
    forgotten: Vec<ForgottenRow>,
}

impl TenantsView {
    /// What was typed into a field of the form of this level.
    fn typed(&self, level: &str, field: &str) -> &str {
        if self.typed.get("level") == level {
            self.typed.get(field)
        } else {
            ""
        }
    }

    /// The time zone to begin with.
    fn zone(&self) -> &str {
        match self.typed("site", "time_zone") {
            "" => "Europe/Berlin",
            typed => typed,
        }
    }
}

/// `GET /tenants`.
pub(crate) async fn show(
    Held(state): Held<State>,
    member: Member,
    Query(params): Query<Params>,
) -> Result<Response, Failure> {
    state
        .blocking(move |parts| render(parts, &member, &params.made, None))
        .await
}

/// The page: after a form that made `made`, or after one that was `refused` because there is such a thing already.
fn render(
    parts: &Inner,
    member: &Member,
    made: &str,
    refused: Option<Fields>,
) -> Result<Response, Failure> {
    let scope = member.scope(parts);
    let lang = member.visit.lang;
    let texts = lang.texts();
    let tenants = Tenants::load(&parts.registry, &scope)?;
    let devices = parts.store.facets(&scope)?.sites;
    let mut below: BTreeMap<Option<TenantId>, Vec<TenantId>> = BTreeMap::new();
    for tenant in &tenants.ordered {
        // What stands above the asker's branch is not shown: its children are the tops.
        let parent = tenant.parent.filter(|id| tenants.get(*id).is_some());
        below.entry(parent).or_default().push(tenant.id);
    }
    let mut rows = Vec::new();
    let mut stack: Vec<TenantId> = below
        .get(&None)
        .into_iter()
        .flatten()
        .rev()
        .copied()
        .collect();
    while let Some(id) = stack.pop() {
        if let Some(tenant) = tenants.get(id) {
            let count = tenants
                .sites_of(id)
                .iter()
                .filter_map(|site| devices.get(site))
                .sum();
            let (class, level) = match tenant.level {
                Level::Dealer => ("", texts.tenants_dealer),
                Level::Customer => ("tree-1", texts.tenants_customer),
                Level::Site => ("tree-2", texts.tenants_site),
            };
            rows.push(Row {
                class,
                level,
                name: tenant.name.clone(),
                number: tenant.number.clone().unwrap_or_default(),
                zone: tenant.time_zone.clone().unwrap_or_default(),
                devices: format::number(lang, count),
                fleet: format!("/devices?customer={id}"),
                forget: match tenant.level {
                    Level::Customer => format!("/tenants/{id}/forget"),
                    Level::Dealer | Level::Site => String::new(),
                },
            });
        }
        stack.extend(below.get(&Some(id)).into_iter().flatten().rev());
    }
    let count = |level, one, many| {
        let n = tenants
            .ordered
            .iter()
            .filter(|tenant| tenant.level == level)
            .count();
        let text = if n == 1 { one } else { many };
        fill(text, &[("n", &format::number(lang, n as u64))])
    };
    let choices = |level| {
        tenants
            .ordered
            .iter()
            .filter(|tenant| tenant.level == level)
            .map(|tenant| (tenant.id.to_string(), tenant.name.clone()))
            .collect()
    };
    let may_forget = super::forget::may_forget(member).is_ok();
    let forgotten = if may_forget {
        forgotten_rows(parts, member)?
    } else {
        Vec::new()
    };
    let counts = parts.counts(member.account.branch, member.visit.now)?;
    let mut page = Chrome::of(
        &parts.config,
        member,
        Place::Tenants,
        texts.tenants_title,
        counts,
    );
    page.here = "/tenants".to_owned();
    let fault = refused.is_some();
    html(&TenantsView {
        page,
        fault,
        typed: refused.unwrap_or(Fields::none()),
        sub: format!(
            "{}, {}",
            count(
                Level::Customer,
                texts.tenants_customers_one,
                texts.tenants_customers
            ),
            count(Level::Site, texts.tenants_sites_one, texts.tenants_sites)
        ),
        notice: match (fault, made) {
            (true, _) => texts.error_taken.to_owned(),
            (false, "") => String::new(),
            (false, made) => fill(texts.tenants_created, &[("name", made)]),
        },
        rows,
        dealers: choices(Level::Dealer),
        customers: choices(Level::Customer),
        may_add_dealers: member.account.branch == Branch::House,
        may_forget,
        forgotten,
    })
}

fn forgotten_rows(parts: &Inner, member: &Member) -> Result<Vec<ForgottenRow>, Failure> {
    let lang = member.visit.lang;
    let t = lang.texts();
    let rows = parts.ingest.forgotten()?.into_iter().map(|forgotten| {
        let known = forgotten.customer;
        let at = format::moment_full(lang, &jiff::tz::TimeZone::UTC, known.at);
        let is_left = forgotten.remains.is_some();
        ForgottenRow {
            address: format!("/tenants/{}/forget", known.customer),
            number: fill(t.forget_number, &[("n", &known.customer.to_string())]),
            decided: fill(t.forget_decided, &[("who", &known.who), ("at", &at)]),
            class: if is_left { "care" } else { "good" },
            state: if is_left {
                t.forget_left
            } else {
                t.forget_done
            },
        }
    });
    Ok(rows.collect())
}

/// `POST /tenants`.
pub(crate) async fn create(
    Held(state): Held<State>,
    member: Member,
    fields: Fields,
) -> Result<Response, Failure> {
    member.operates()?;
    let level = Level::from_word(fields.get("level"))
        .ok_or_else(|| Failure::Invalid("level: dealer, customer or site".to_owned()))?;
    let parent = fields
        .some("parent")
        .map(|id| id.parse().map(TenantId))
        .transpose()
        .map_err(|_| Failure::Invalid("parent: a tenant's number".to_owned()))?;
    let name = fields.get("name").to_owned();
    let number = fields.some("number").map(ToOwned::to_owned);
    let zone = fields.some("time_zone").map(ToOwned::to_owned);
    state
        .blocking(move |parts| {
            let new = NewTenant {
                level,
                parent,
                name: &name,
                number: number.as_deref(),
                time_zone: zone.as_deref(),
            };
            match create_in_branch(parts, &member, &new) {
                Ok(made) => {
                    let address = format!("/tenants?made={}", encode_component(&made.name));
                    Ok(Redirect::to(&address).into_response())
                }
                Err(Failure::Conflict(_)) => {
                    let mut page = render(parts, &member, "", Some(fields))?;
                    *page.status_mut() = StatusCode::CONFLICT;
                    Ok(page)
                }
                Err(failure) => Err(failure),
            }
        })
        .await
}

/// Makes a tenant below one that the member may see; only the house makes dealers, only who sees a whole branch adds to it.
pub(crate) fn create_in_branch(
    parts: &Inner,
    member: &Member,
    new: &NewTenant<'_>,
) -> Result<registry::Tenant, Failure> {
    if member.account.branch != Branch::House {
        let parent = new.parent.ok_or(Failure::Forbidden)?;
        if !lies_in_branch(parts, parent, member.account.branch)? {
            return Err(Failure::NotFound);
        }
    }
    let made = parts.registry.create_tenant(new, member.visit.now)?;
    parts.registry.note(
        &Entry {
            who: &member.account.login,
            action: "tenant.create",
            subject: &made.id.to_string(),
            detail: &format!("{} {}", made.level.word(), made.name),
        },
        member.visit.now,
    )?;
    Ok(made)
}

/// Whether a tenant is the branch's own or below it. What stands above a branch may be seen, but not added to.
pub(crate) fn lies_in_branch(
    parts: &Inner,
    tenant: TenantId,
    branch: Branch,
) -> Result<bool, Failure> {
    let Branch::Tenant(top) = branch else {
        return Ok(true);
    };
    let mut at = Some(tenant);
    while let Some(id) = at {
        if id == top {
            return Ok(true);
        }
        at = parts
            .registry
            .tenant(&codec::id::Scope::Everything, id)?
            .parent;
    }
    Ok(false)
}
