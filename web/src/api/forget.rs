//! `/api/v1/customers/{id}/forget`: what it concerns, doing it, and what remains (Rule 8).

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State as Held};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use codec::id::TenantId;
use codec::time::Timestamp;
use ingest::Forgotten;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::NothingAsked;
use super::body;
use super::caller::Caller;
use crate::failure::Failure;
use crate::pages::forget::{Extent, forget, forgotten, may_forget};
use crate::state::State;

/// That a customer is to be forgotten.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForgetWish {
    /// The customer's name, as it is: so that nobody is forgotten for a wrong number.
    name: String,
}

/// What forgetting a customer concerns, or what remains of one that was forgotten.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct ForgetWords {
    /// The customer's number.
    customer: i64,
    /// What it concerns; null once he is forgotten.
    concerns: Option<ExtentWords>,
    /// Who forgot him; null as long as nobody did.
    by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// Since when no file holds anything of him; null before.
    #[schema(value_type = Option<String>, format = DateTime)]
    erased_at: Option<Timestamp>,
    /// What is still in files; null when nothing is, and as long as he is not forgotten.
    remains: Option<RemainsWords>,
}

/// What forgetting a customer concerns.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExtentWords {
    /// Sites.
    sites: u64,
    /// Agents: they are refused from then on.
    agents: u64,
    /// Devices at his sites.
    devices: u64,
    /// Devices of his agents at other customers' sites: what was counted there stays, and a rebuild is without it.
    devices_elsewhere: u64,
    /// Readings under his sites.
    readings: u64,
    /// Alerts, past ones included.
    alerts: u64,
    /// Reports that his agents delivered.
    reports: u64,
    /// Accounts bound to him or his sites.
    accounts: u64,
}

/// What of a forgotten customer is still in files.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RemainsWords {
    /// The decision is noted and not applied yet.
    unapplied: bool,
    /// Refused reports.
    quarantine: bool,
    /// The key of the archived reports.
    key: bool,
    /// Deleted rows in the registry's file.
    registry_file: bool,
    /// Deleted rows in the store's file.
    store_file: bool,
    /// Parts of the journal that are not yet rewritten.
    live_shards: u64,
    /// What failed last; empty when nothing did. It is tried again.
    trouble: String,
}

impl ForgetWords {
    fn of(forgotten: Forgotten) -> Self {
        let known = forgotten.customer;
        Self {
            customer: known.customer.0,
            by: Some(known.who),
            at: Some(known.at),
            erased_at: known.erased_at,
            remains: forgotten.remains.map(|remains| RemainsWords {
                unapplied: remains.unapplied,
                quarantine: remains.quarantine,
                key: remains.key,
                registry_file: remains.registry_file,
                store_file: remains.store_file,
                live_shards: remains.live_shards as u64,
                trouble: remains.trouble,
            }),
            ..Self::default()
        }
    }

    fn concerning(customer: TenantId, extent: &Extent) -> Self {
        let concerned = &extent.toll.concerned;
        Self {
            customer: customer.0,
            concerns: Some(ExtentWords {
                sites: concerned.tombstone.sites.len() as u64,
                agents: concerned.tombstone.agents.len() as u64,
                devices: extent.devices,
                devices_elsewhere: concerned.devices_elsewhere,
                readings: extent.readings,
                alerts: extent.alerts,
                reports: extent.toll.reports,
                accounts: concerned.accounts,
            }),
            ..Self::default()
        }
    }
}

/// What forgetting a customer would concern; of one that was forgotten, what remains.
#[utoipa::path(get, path = "/api/v1/customers/{id}/forget", tag = "tenants",
    params(("id" = String, Path, description = "The customer's number")),
    responses(
        (status = 200, body = ForgetWords),
        (status = 401, body = super::Problem, content_type = "application/problem+json"),
        (status = 403, description = "Administrators of the whole house alone may", body = super::Problem, content_type = "application/problem+json"),
        (status = 404, body = super::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn look(
    Held(state): Held<State>,
    Caller(member): Caller,
    Path(id): Path<String>,
    _: NothingAsked,
) -> Result<Json<ForgetWords>, Failure> {
    may_forget(&member)?;
    let customer = customer_id(&id)?;
    state
        .blocking(move |parts| {
            if let Some(forgotten) = forgotten(parts, customer)? {
                return Ok(Json(ForgetWords::of(forgotten)));
            }
            let extent = Extent::of(parts, customer, &member.account.login)?;
            Ok(Json(ForgetWords::concerning(customer, &extent)))
        })
        .await
}

/// Forgets a customer for good: everything of him is deleted, the key of his archived reports is destroyed. It cannot be undone.
#[utoipa::path(post, path = "/api/v1/customers/{id}/forget", tag = "tenants", request_body = ForgetWish,
    params(("id" = String, Path, description = "The customer's number")),
    responses(
        (status = 200, description = "He is deleted; what remains in files is erased in a while", body = ForgetWords),
        (status = 202, description = "It is noted for good and takes effect in a moment", body = ForgetWords),
        (status = 400, body = super::Problem, content_type = "application/problem+json"),
        (status = 401, body = super::Problem, content_type = "application/problem+json"),
        (status = 403, description = "Administrators of the whole house alone may", body = super::Problem, content_type = "application/problem+json"),
        (status = 404, body = super::Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is not the customer's", body = super::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn create(
    Held(state): Held<State>,
    Caller(member): Caller,
    Path(id): Path<String>,
    _: NothingAsked,
    bytes: Bytes,
) -> Result<Response, Failure> {
    may_forget(&member)?;
    let customer = customer_id(&id)?;
    let wish: ForgetWish = body(&bytes)?;
    let who = member.account.login;
    state
        .blocking(move |parts| {
            if parts.ingest.toll(customer, "")?.concerned.name == wish.name {
                Ok(())
            } else {
                let detail = "The name is not the customer's: nothing was deleted.";
                Err(Failure::Conflict(detail.to_owned()))
            }
        })
        .await?;
    let is_applied = forget(&state, customer, &who).await?;
    let words = state
        .blocking(move |parts| {
            let known = forgotten(parts, customer)?.map(ForgetWords::of);
            Ok(known.unwrap_or_else(|| ForgetWords {
                customer: customer.0,
                ..ForgetWords::default()
            }))
        })
        .await?;
    let status = if is_applied {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, Json(words)).into_response())
}

fn customer_id(id: &str) -> Result<TenantId, Failure> {
    id.parse().map(TenantId).map_err(|_| Failure::NotFound)
}
