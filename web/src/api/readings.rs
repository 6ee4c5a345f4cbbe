//! `/api/v1/readings` and `/api/v1/devices/{id}/readings`: raw readings in the one order of the house (Rule 2).

// What utoipa makes of the parameters names them in full.
#![allow(unused_qualifications)]

use axum::Json;
use axum::extract::{Path, State as Held};
use axum::http::request::Parts;
use codec::id::{DeviceId, TenantId};
use codec::model::Basis;
use olap::ask::{FleetRules, ReadingsQuery};
use serde::Deserialize;
use utoipa::IntoParams;

use super::asked::{limit, query, span};
use super::caller::Caller;
use super::devices::{cursor, device_id};
use super::words::{Page, ReadingWords};
use crate::failure::Failure;
use crate::pages::people::Tenants;
use crate::state::State;
use crate::visit::guard::Member;

/// What can be asked of readings.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadingsParams {
    /// Only readings that were still confirmed at or after this time (RFC 3339, or a day).
    from: Option<String>,
    /// Only readings first observed before this time.
    to: Option<String>,
    /// Only these meters: codes, separated by commas.
    code: Option<String>,
    /// billing or engine.
    basis: Option<String>,
    /// Only what stood at this site or below this customer or dealer, by number.
    tenant: Option<i64>,
    /// `next` of the answer before.
    cursor: Option<String>,
    /// How many items, 1 to 1000; 50 when not given.
    limit: Option<u32>,
}

/// The readings of all devices that the caller may see.
#[utoipa::path(get, path = "/api/v1/readings", tag = "readings", params(ReadingsParams), responses(
    (status = 200, body = Page<ReadingWords>),
    (status = 400, body = super::Problem, content_type = "application/problem+json"),
    (status = 401, body = super::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    Held(state): Held<State>,
    Caller(member): Caller,
    parts: Parts,
) -> Result<Json<Page<ReadingWords>>, Failure> {
    ask(&state, member, None, query(&parts.uri)?).await
}

/// The readings of one device.
#[utoipa::path(get, path = "/api/v1/devices/{id}/readings", tag = "readings",
    params(("id" = String, Path, description = "The device's id"), ReadingsParams),
    responses(
        (status = 200, body = Page<ReadingWords>),
        (status = 400, body = super::Problem, content_type = "application/problem+json"),
        (status = 401, body = super::Problem, content_type = "application/problem+json"),
        (status = 404, body = super::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn of_device(
    Held(state): Held<State>,
    Caller(member): Caller,
    Path(id): Path<String>,
    parts: Parts,
) -> Result<Json<Page<ReadingWords>>, Failure> {
    let device = device_id(&id)?;
    ask(&state, member, Some(device), query(&parts.uri)?).await
}

async fn ask(
    state: &State,
    member: Member,
    device: Option<DeviceId>,
    params: ReadingsParams,
) -> Result<Json<Page<ReadingWords>>, Failure> {
    let (from, to) = span(params.from.as_deref(), params.to.as_deref())?;
    let mut question = ReadingsQuery {
        device,
        from,
        to,
        codes: params
            .code
            .iter()
            .flat_map(|codes| codes.split(','))
            .map(|code| code.trim().to_owned())
            .filter(|code| !code.is_empty())
            .collect(),
        basis: params
            .basis
            .as_deref()
            .map(|word| {
                Basis::from_word(word)
                    .ok_or_else(|| Failure::Invalid("basis: billing or engine.".to_owned()))
            })
            .transpose()?,
        cursor: cursor(params.cursor.as_deref())?,
        limit: limit(params.limit)?,
        ..ReadingsQuery::default()
    };
    let now = member.visit.now;
    state
        .blocking(move |parts| {
            let scope = member.scope(parts);
            if let Some(id) = params.tenant {
                let tenants = Tenants::load(&parts.registry, &scope)?;
                question.sites = Some(tenants.sites_of(TenantId(id)));
            }
            // A device that the caller may not see has no readings; it does not even exist.
            if let Some(device) = device
                && parts
                    .store
                    .device(&scope, device, &FleetRules::at(now))?
                    .is_none()
            {
                return Err(Failure::NotFound);
            }
            let answer = parts.store.readings(&scope, &question)?;
            let serial = |id| {
                answer
                    .devices
                    .get(id)
                    .and_then(|brief| brief.serial.clone())
            };
            Ok(Json(Page {
                next: answer.next.map(|cursor| cursor.to_string()),
                total: answer.total,
                items: answer
                    .items
                    .iter()
                    .map(|reading| ReadingWords::of(reading.clone(), serial(&reading.device)))
                    .collect(),
            }))
        })
        .await
}
