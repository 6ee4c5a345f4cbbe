//! A customer is forgotten (Rule 8): what it concerns before it is done, and behind that what is done and what remains.
//!
//! Administrators of the house alone may, and type the customer's name: it cannot be undone.

use askama::Template;
use axum::extract::{Path, State as Held};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use codec::id::{Scope, TenantId};
use ingest::{DecideError, Forgotten, Remains, Toll};
use olap::ask::{AlertsQuery, ReadingsQuery};
use registry::Branch;

use super::{Chrome, Place, html};
use crate::failure::Failure;
use crate::format;
use crate::state::{Inner, State};
use crate::text::{Texts, fill};
use crate::visit::guard::{Fields, Member};

/// What forgetting a customer concerns.
pub(crate) struct Extent {
    /// What registry and journal say.
    pub(crate) toll: Toll,
    /// Devices that stand at his sites.
    pub(crate) devices: u64,
    /// Readings that stand under his sites.
    pub(crate) readings: u64,
    /// Alerts that stand or stood there.
    pub(crate) alerts: u64,
}

impl Extent {
    /// Counts it.
    ///
    /// # Errors
    /// [`Failure::NotFound`] when there is no such customer.
    pub(crate) fn of(parts: &Inner, customer: TenantId, who: &str) -> Result<Self, Failure> {
        let toll = parts.ingest.toll(customer, who)?;
        let sites = toll.concerned.tombstone.sites.iter().copied();
        let scope = Scope::Sites(sites.collect());
        let readings = ReadingsQuery {
            limit: 1,
            ..ReadingsQuery::default()
        };
        let alerts = AlertsQuery {
            limit: 1,
            ..AlertsQuery::default()
        };
        Ok(Self {
            devices: parts.store.facets(&scope)?.sites.values().sum(),
            readings: parts.store.readings(&scope, &readings)?.total,
            alerts: parts.store.alerts(&scope, &alerts)?.total,
            toll,
        })
    }
}

/// A step, and whether it is done.
struct Step {
    name: &'static str,
    class: &'static str,
    state: String,
}

#[derive(Template)]
#[template(path = "forget.html")]
struct ForgetView {
    page: Chrome,
    customer: TenantId,
    /// His name; empty when he is forgotten.
    name: String,
    /// What was typed did not fit.
    fault: bool,
    figures: Vec<(&'static str, String)>,
    elsewhere: String,
    /// Who forgot him and when.
    decided: String,
    erased: String,
    steps: Vec<Step>,
    trouble: String,
}

/// Passes administrators of the whole house.
pub(crate) fn may_forget(member: &Member) -> Result<(), Failure> {
    member.administers()?;
    match member.account.branch {
        Branch::House => Ok(()),
        Branch::Tenant(_) => Err(Failure::Forbidden),
    }
}

/// A customer that was forgotten, and what remains of him.
///
/// # Errors
/// When the registry fails.
pub(crate) fn forgotten(parts: &Inner, customer: TenantId) -> Result<Option<Forgotten>, Failure> {
    let all = parts.ingest.forgotten()?;
    Ok(all
        .into_iter()
        .find(|forgotten| forgotten.customer.customer == customer))
}

/// `GET /tenants/{id}/forget`.
pub(crate) async fn show(
    Held(state): Held<State>,
    member: Member,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    may_forget(&member)?;
    state
        .blocking(move |parts| render(parts, &member, TenantId(id), false))
        .await
}

/// `POST /tenants/{id}/forget`.
pub(crate) async fn submit(
    Held(state): Held<State>,
    member: Member,
    Path(id): Path<i64>,
    fields: Fields,
) -> Result<Response, Failure> {
    may_forget(&member)?;
    let customer = TenantId(id);
    let who = member.account.login.clone();
    let typed = fields.get("name").to_owned();
    let refused = state
        .blocking(move |parts| {
            let name = parts.ingest.toll(customer, "")?.concerned.name;
            if name == typed {
                return Ok(None);
            }
            let mut page = render(parts, &member, customer, true)?;
            *page.status_mut() = StatusCode::BAD_REQUEST;
            Ok(Some(page))
        })
        .await?;
    if let Some(page) = refused {
        return Ok(page);
    }
    forget(&state, customer, &who).await?;
    Ok(Redirect::to(&format!("/tenants/{customer}/forget")).into_response())
}

/// Forgets a customer; says whether that is applied already.
///
/// # Errors
/// [`Failure::NotFound`] when there is no such customer, [`Failure::busy`] when the journal takes no decision now.
pub(crate) async fn forget(state: &State, customer: TenantId, who: &str) -> Result<bool, Failure> {
    match state.ingest.forget(customer, who).await {
        Ok(()) => Ok(true),
        Err(DecideError::Late) => Ok(false),
        Err(DecideError::Busy) => Err(Failure::busy()),
        Err(DecideError::Registry(error)) => Err(error.into()),
        Err(error @ DecideError::Void(_)) => Err(Failure::internal(error)),
    }
}

fn render(
    parts: &Inner,
    member: &Member,
    customer: TenantId,
    fault: bool,
) -> Result<Response, Failure> {
    let lang = member.visit.lang;
    let t = lang.texts();
    let counts = parts.counts(member.account.branch, member.visit.now)?;
    let title = fill(t.forget_title, &[("n", &customer.to_string())]);
    let mut page = Chrome::of(&parts.config, member, Place::Tenants, title, counts);
    page.here = format!("/tenants/{customer}/forget");
    let mut view = ForgetView {
        page,
        customer,
        name: String::new(),
        fault,
        figures: Vec::new(),
        elsewhere: String::new(),
        decided: String::new(),
        erased: String::new(),
        steps: Vec::new(),
        trouble: String::new(),
    };
    let utc = jiff::tz::TimeZone::UTC;
    if let Some(forgotten) = forgotten(parts, customer)? {
        let known = &forgotten.customer;
        let moment = |at| format::moment_full(lang, &utc, at);
        view.decided = fill(
            t.forget_decided,
            &[("who", &known.who), ("at", &moment(known.at))],
        );
        if let Some(at) = known.erased_at {
            view.erased = fill(t.forget_erased, &[("at", &moment(at))]);
        }
        let remains = forgotten.remains.unwrap_or_default();
        view.trouble.clone_from(&remains.trouble);
        view.steps = steps(t, &remains);
    } else {
        let extent = Extent::of(parts, customer, "")?;
        let concerned = &extent.toll.concerned;
        let number = |value: u64| format::number(lang, value);
        let count = |of: usize| number(of as u64);
        view.name.clone_from(&concerned.name);
        view.figures = vec![
            (t.forget_sites, count(concerned.tombstone.sites.len())),
            (t.forget_agents, count(concerned.tombstone.agents.len())),
            (t.forget_devices, number(extent.devices)),
            (t.forget_readings, number(extent.readings)),
            (t.forget_alerts, number(extent.alerts)),
            (t.forget_reports, number(extent.toll.reports)),
            (t.forget_accounts, number(concerned.accounts)),
        ];
        if concerned.devices_elsewhere > 0 {
            let n = number(concerned.devices_elsewhere);
            view.elsewhere = fill(t.forget_elsewhere, &[("n", &n)]);
        }
    }
    html(&view)
}

fn steps(t: &'static Texts, remains: &Remains) -> Vec<Step> {
    let step = |name, is_left: bool| Step {
        name,
        class: if is_left { "care" } else { "good" },
        state: if is_left {
            t.forget_left
        } else {
            t.forget_done
        }
        .to_owned(),
    };
    let mut live = step(t.forget_step_live, remains.live_shards > 0);
    if remains.live_shards > 0 {
        let n = remains.live_shards.to_string();
        live.state = fill(t.forget_live_left, &[("n", &n)]);
    }
    vec![
        step(t.forget_step_rows, remains.unapplied),
        step(t.forget_step_quarantine, remains.quarantine),
        step(t.forget_step_key, remains.key),
        step(t.forget_step_registry, remains.registry_file),
        step(t.forget_step_store, remains.store_file),
        live,
    ]
}
