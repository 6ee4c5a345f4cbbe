//! `/api/v1/devices`: the fleet as a list, and one device.

// What utoipa makes of the parameters names them in full.
#![allow(unused_qualifications)]

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State as Held};
use axum::http::request::Parts;
use codec::id::{AgentId, DeviceId, TenantId};
use codec::time::Timestamp;
use olap::ask::{DevicesQuery, FleetQuery, FleetRules};
use olap::cursor::Cursor;
use serde::Deserialize;
use utoipa::IntoParams;

use super::asked::{NothingAsked, limit, moment, query};
use super::caller::Caller;
use super::words::{Device, DeviceReport, Page};
use crate::failure::Failure;
use crate::limits::{OFFSET_MAX, SEARCH_CHARS_MAX};
use crate::pages::fleet::sort_of;
use crate::pages::people::{Tenants, ask_fleet};
use crate::state::State;

/// What can be asked of the list of devices. Without search, filter and sort it comes in the order in which devices became known, and
/// paging leaves nothing out and gives nothing twice, whatever happens meanwhile.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DevicesParams {
    /// Words that must all occur in name, serial number, model, address, MAC, location, customer or site.
    q: Option<String>,
    /// attention, silent, low or colour.
    show: Option<String>,
    /// Only this maker.
    manufacturer: Option<String>,
    /// Only what this agent reads.
    agent: Option<String>,
    /// Only what stands at this site or below this customer or dealer, by number.
    tenant: Option<i64>,
    /// Only devices whose identity, site or agent changed at or after this time. Not together with search, filter or sort.
    changed_since: Option<String>,
    /// name, model, serial, address, status, lowest, total, seen or first; with a minus before it downwards.
    sort: Option<String>,
    /// `next` of the answer before.
    cursor: Option<String>,
    /// How many items, 1 to 1000; 50 when not given.
    limit: Option<u32>,
}

/// The devices that the caller may see.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", params(DevicesParams), responses(
    (status = 200, body = Page<Device>),
    (status = 400, body = super::Problem, content_type = "application/problem+json"),
    (status = 401, body = super::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    Held(state): Held<State>,
    Caller(member): Caller,
    parts: Parts,
) -> Result<Json<Page<Device>>, Failure> {
    let params: DevicesParams = query(&parts.uri)?;
    let now = member.visit.now;
    state
        .blocking(move |parts| {
            let scope = member.scope(parts);
            let tenants = Tenants::load(&parts.registry, &scope)?;
            let page = match params.cursor_list(&tenants, now)? {
                Wanted::InOrder(query) => {
                    let answer = parts.store.devices(&scope, &query)?;
                    Page {
                        items: devices(&tenants, answer.items),
                        next: answer.next.map(|cursor| cursor.to_string()),
                        total: answer.total,
                    }
                }
                Wanted::Sorted(query) => {
                    let answer = ask_fleet(parts, &scope, &tenants, &query)?;
                    Page {
                        items: devices(&tenants, answer.items),
                        next: answer.next_offset.map(|offset| format!("o{offset}")),
                        total: answer.total,
                    }
                }
            };
            Ok(Json(page))
        })
        .await
}

fn devices(tenants: &Tenants, items: Vec<olap::ask::FleetItem>) -> Vec<Device> {
    items
        .into_iter()
        .map(|item| Device::of(tenants, item))
        .collect()
}

/// Which of the store's two lists answers.
enum Wanted {
    InOrder(DevicesQuery),
    Sorted(Box<FleetQuery>),
}

impl DevicesParams {
    fn cursor_list(self, tenants: &Tenants, now: Timestamp) -> Result<Wanted, Failure> {
        let limit = limit(self.limit)?;
        let sites = self.tenant.map(|id| tenants.sites_of(TenantId(id)));
        let changed_since = moment("changed_since", self.changed_since.as_deref())?;
        let plain = self.q.is_none()
            && self.show.is_none()
            && self.manufacturer.is_none()
            && self.agent.is_none()
            && self.sort.is_none();
        if plain {
            return Ok(Wanted::InOrder(DevicesQuery {
                changed_since,
                sites,
                cursor: cursor(self.cursor.as_deref())?,
                limit,
                ..DevicesQuery::at(now)
            }));
        }
        if changed_since.is_some() {
            return Err(Failure::Invalid(
                "changed_since: not together with search, filter or sort.".to_owned(),
            ));
        }
        self.sorted(tenants, sites, limit, now)
            .map(|query| Wanted::Sorted(Box::new(query)))
    }

    fn sorted(
        self,
        tenants: &Tenants,
        sites: Option<BTreeSet<TenantId>>,
        limit: u32,
        now: Timestamp,
    ) -> Result<FleetQuery, Failure> {
        let search: String = self
            .q
            .unwrap_or_default()
            .chars()
            .take(SEARCH_CHARS_MAX)
            .collect();
        let (sort, descending) = match self.sort.as_deref() {
            None => Default::default(),
            Some(word) => sort_of(word).ok_or_else(|| {
                Failure::Invalid(
                    "sort: name, model, serial, address, status, lowest, total, seen or first."
                        .to_owned(),
                )
            })?,
        };
        let mut query = FleetQuery {
            search_sites: tenants.sites_named(&search),
            search,
            manufacturer: self.manufacturer,
            agent: self
                .agent
                .map(|id| AgentId::new(&id))
                .transpose()
                .map_err(|error| Failure::Invalid(format!("agent: {error}.")))?,
            sites,
            sort,
            descending,
            offset: match self.cursor.as_deref() {
                None | Some("") => 0,
                Some(cursor) => cursor
                    .strip_prefix('o')
                    .and_then(|offset| offset.parse().ok())
                    .filter(|offset| *offset <= OFFSET_MAX)
                    .ok_or_else(|| Failure::Invalid("cursor: none of this list.".to_owned()))?,
            },
            limit,
            ..FleetQuery::at(now)
        };
        match self.show.as_deref() {
            None => {}
            Some("attention") => query.attention = true,
            Some("silent") => query.silent = true,
            Some("low") => query.low = true,
            Some("colour") => query.colour = Some(true),
            Some(_) => {
                return Err(Failure::Invalid(
                    "show: attention, silent, low or colour.".to_owned(),
                ));
            }
        }
        Ok(query)
    }
}

/// A cursor of the store's.
pub(super) fn cursor(text: Option<&str>) -> Result<Option<Cursor>, Failure> {
    let cursor: Option<Cursor> = text
        .filter(|text| !text.is_empty())
        .map(str::parse)
        .transpose()
        .map_err(|error: olap::cursor::CursorError| {
            Failure::Invalid(format!("cursor: {error}."))
        })?;
    // Places are counted from one and are signed in the store.
    if cursor.is_some_and(|cursor| i64::try_from(cursor.after).is_err()) {
        return Err(Failure::Invalid("cursor: none of this list.".to_owned()));
    }
    Ok(cursor)
}

/// One device with all that is known of it.
#[utoipa::path(get, path = "/api/v1/devices/{id}", tag = "devices",
    params(("id" = String, Path, description = "The device's id")),
    responses(
        (status = 200, body = DeviceReport),
        (status = 400, body = super::Problem, content_type = "application/problem+json"),
        (status = 401, body = super::Problem, content_type = "application/problem+json"),
        (status = 404, body = super::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn one(
    Held(state): Held<State>,
    Caller(member): Caller,
    Path(id): Path<String>,
    _: NothingAsked,
) -> Result<Json<DeviceReport>, Failure> {
    let id = device_id(&id)?;
    let now = member.visit.now;
    state
        .blocking(move |parts| {
            let scope = member.scope(parts);
            let detail = parts
                .store
                .device(&scope, id, &FleetRules::at(now))?
                .ok_or(Failure::NotFound)?;
            let tenants = Tenants::load(&parts.registry, &scope)?;
            Ok(Json(DeviceReport::of(&tenants, detail)))
        })
        .await
}

/// A device's id in an address: what is none names nothing.
pub(super) fn device_id(text: &str) -> Result<DeviceId, Failure> {
    text.parse().map_err(|_| Failure::NotFound)
}
