//! `/api/v1/tenants`: dealers, customers and sites.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Held;
use axum::http::StatusCode;
use codec::id::TenantId;
use registry::{Level, NewTenant};
use serde::Deserialize;
use utoipa::ToSchema;

use super::asked::NothingAsked;
use super::body;
use super::caller::Caller;
use super::words::{Page, TenantWords};
use crate::failure::Failure;
use crate::pages::tenants::create_in_branch;
use crate::state::State;

/// A tenant to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantWish {
    /// dealer, customer or site.
    level: String,
    /// The number of the tenant above; not for a dealer.
    parent: Option<i64>,
    /// Its name, unique among its siblings.
    name: String,
    /// What the ERP calls it.
    number: Option<String>,
    /// Of a site, and only of one: an IANA name such as Europe/Berlin.
    time_zone: Option<String>,
}

/// The tenants that the caller may see: sites, and what is above them.
#[utoipa::path(get, path = "/api/v1/tenants", tag = "tenants", responses(
    (status = 200, body = Page<TenantWords>),
    (status = 400, body = super::Problem, content_type = "application/problem+json"),
    (status = 401, body = super::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    Held(state): Held<State>,
    Caller(member): Caller,
    _: NothingAsked,
) -> Result<Json<Page<TenantWords>>, Failure> {
    state
        .blocking(move |parts| {
            let tenants = parts.registry.tenants(&member.scope(parts))?;
            Ok(Json(Page {
                next: None,
                total: tenants.len() as u64,
                items: tenants.into_iter().map(TenantWords::of).collect(),
            }))
        })
        .await
}

/// Makes a tenant.
#[utoipa::path(post, path = "/api/v1/tenants", tag = "tenants", request_body = TenantWish, responses(
    (status = 201, body = TenantWords),
    (status = 400, body = super::Problem, content_type = "application/problem+json"),
    (status = 401, body = super::Problem, content_type = "application/problem+json"),
    (status = 403, body = super::Problem, content_type = "application/problem+json"),
    (status = 404, description = "The tenant above is not there", body = super::Problem, content_type = "application/problem+json"),
    (status = 409, description = "The name is taken", body = super::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn create(
    Held(state): Held<State>,
    Caller(member): Caller,
    _: NothingAsked,
    bytes: Bytes,
) -> Result<(StatusCode, Json<TenantWords>), Failure> {
    member.operates()?;
    let wish: TenantWish = body(&bytes)?;
    let level = Level::from_word(&wish.level)
        .ok_or_else(|| Failure::Invalid("level: dealer, customer or site.".to_owned()))?;
    state
        .blocking(move |parts| {
            let new = NewTenant {
                level,
                parent: wish.parent.map(TenantId),
                name: &wish.name,
                number: wish.number.as_deref(),
                time_zone: wish.time_zone.as_deref(),
            };
            let made = create_in_branch(parts, &member, &new)?;
            Ok((StatusCode::CREATED, Json(TenantWords::of(made))))
        })
        .await
}
