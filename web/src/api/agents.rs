//! `/api/v1/agents`: agents, and one more.

use std::collections::HashMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State as Held};
use axum::http::StatusCode;
use codec::id::{AgentId, TenantId};
use registry::Level;
use registry::enrolment::VALID_MS_DEFAULT;
use serde::Deserialize;
use utoipa::ToSchema;

use super::asked::NothingAsked;
use super::body;
use super::caller::Caller;
use super::words::{AgentWords, EnrolmentWords, NewAgentWords, Page};
use crate::failure::Failure;
use crate::pages::agents::{add, command, invite, invite_again, revoke as revoke_key};
use crate::state::{Inner, State};
use crate::visit::guard::Member;

/// An agent to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentWish {
    /// What people call it; its id is made from this.
    name: String,
    /// The number of the site where it stands; when not given, the only site that the caller sees, or the house's first.
    site: Option<i64>,
}

/// The agents at the sites that the caller may see.
#[utoipa::path(get, path = "/api/v1/agents", tag = "agents", responses(
    (status = 200, body = Page<AgentWords>),
    (status = 400, body = super::Problem, content_type = "application/problem+json"),
    (status = 401, body = super::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    Held(state): Held<State>,
    Caller(member): Caller,
    _: NothingAsked,
) -> Result<Json<Page<AgentWords>>, Failure> {
    state
        .blocking(move |parts| {
            let scope = member.scope(parts);
            let heard: HashMap<_, _> = parts
                .store
                .agents_heard(&scope)?
                .into_iter()
                .map(|heard| (heard.agent.clone(), heard))
                .collect();
            let agents = parts.registry.agents(&scope)?;
            Ok(Json(Page {
                next: None,
                total: agents.len() as u64,
                items: agents
                    .into_iter()
                    .map(|agent| {
                        let heard = heard.get(&agent.id);
                        AgentWords::of(agent, heard)
                    })
                    .collect(),
            }))
        })
        .await
}

/// Adds an agent. Its token is in the answer, once.
#[utoipa::path(post, path = "/api/v1/agents", tag = "agents", request_body = AgentWish, responses(
    (status = 201, body = NewAgentWords),
    (status = 400, body = super::Problem, content_type = "application/problem+json"),
    (status = 401, body = super::Problem, content_type = "application/problem+json"),
    (status = 403, body = super::Problem, content_type = "application/problem+json"),
    (status = 404, description = "The site is not there", body = super::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn create(
    Held(state): Held<State>,
    Caller(member): Caller,
    _: NothingAsked,
    bytes: Bytes,
) -> Result<(StatusCode, Json<NewAgentWords>), Failure> {
    member.operates()?;
    let wish: AgentWish = body(&bytes)?;
    state
        .blocking(move |parts| {
            let site = match wish.site {
                Some(id) => TenantId(id),
                None => usual_site(parts, &member)?,
            };
            let made = add(parts, &member, &wish.name, site)?;
            Ok((
                StatusCode::CREATED,
                Json(NewAgentWords {
                    agent: AgentWords::of(made.agent, None),
                    token: made.token,
                }),
            ))
        })
        .await
}

/// An agent that is to enrol: a new one by its name, or one that is there by its id.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnrolmentWish {
    /// What people will call a new agent; its id is made from this.
    name: Option<String>,
    /// The number of the site where a new agent stands; when not given, as for `/api/v1/agents`.
    site: Option<i64>,
    /// The id of an agent that is there and is to have a new key.
    agent: Option<String>,
    /// For how many seconds the token is good: 60 to 2592000; a day when not given.
    expires_s: Option<i64>,
}

/// Makes a one-time token with which an agent enrols: it draws a key of its own and exchanges the token for it. The token is in the answer,
/// once.
#[utoipa::path(post, path = "/api/v1/enrolments", tag = "agents", request_body = EnrolmentWish, responses(
    (status = 201, body = EnrolmentWords),
    (status = 400, body = super::Problem, content_type = "application/problem+json"),
    (status = 401, body = super::Problem, content_type = "application/problem+json"),
    (status = 403, body = super::Problem, content_type = "application/problem+json"),
    (status = 404, description = "The site or the agent is not there", body = super::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn enrol(
    Held(state): Held<State>,
    Caller(member): Caller,
    _: NothingAsked,
    bytes: Bytes,
) -> Result<(StatusCode, Json<EnrolmentWords>), Failure> {
    member.operates()?;
    let wish: EnrolmentWish = body(&bytes)?;
    let valid_ms = wish
        .expires_s
        .map_or(VALID_MS_DEFAULT, |seconds| seconds.saturating_mul(1000));
    state
        .blocking(move |parts| {
            let made = match (&wish.name, &wish.agent) {
                (Some(name), None) => {
                    let site = match wish.site {
                        Some(id) => TenantId(id),
                        None => usual_site(parts, &member)?,
                    };
                    invite(parts, &member, name, site, valid_ms)?
                }
                (None, Some(id)) => {
                    let id = AgentId::new(id).map_err(|_| Failure::NotFound)?;
                    invite_again(parts, &member, &id, valid_ms)?
                }
                _ => {
                    return Err(Failure::Invalid(
                        "Give either the name of a new agent or the id of one that is there."
                            .to_owned(),
                    ));
                }
            };
            Ok((
                StatusCode::CREATED,
                Json(EnrolmentWords {
                    command: command(parts, &made.token),
                    agent: AgentWords::of(made.agent, None),
                    token: made.token,
                    expires_at: made.expires_at,
                }),
            ))
        })
        .await
}

/// Takes an agent's key and its open enrolment token away. Takes effect at its next request.
#[utoipa::path(post, path = "/api/v1/agents/{id}/revoke", tag = "agents",
    params(("id" = String, Path, description = "The agent's id")), responses(
    (status = 200, body = AgentWords),
    (status = 401, body = super::Problem, content_type = "application/problem+json"),
    (status = 403, body = super::Problem, content_type = "application/problem+json"),
    (status = 404, body = super::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn revoke(
    Held(state): Held<State>,
    Caller(member): Caller,
    Path(id): Path<String>,
    _: NothingAsked,
) -> Result<Json<AgentWords>, Failure> {
    member.operates()?;
    let id = AgentId::new(&id).map_err(|_| Failure::NotFound)?;
    state
        .blocking(move |parts| {
            let agent = revoke_key(parts, &member, &id)?;
            Ok(Json(AgentWords::of(agent, None)))
        })
        .await
}

/// Where an agent stands that was given no site: at the house's first site, if the caller sees that, or at the only one that he sees.
fn usual_site(parts: &Inner, member: &Member) -> Result<TenantId, Failure> {
    let sites: Vec<TenantId> = parts
        .registry
        .tenants(&member.scope(parts))?
        .into_iter()
        .filter(|tenant| tenant.level == Level::Site)
        .map(|site| site.id)
        .collect();
    let first = parts.registry.default_site().ok();
    match (&sites[..], first) {
        (_, Some(first)) if sites.contains(&first) => Ok(first),
        ([only], _) => Ok(*only),
        _ => Err(Failure::Invalid(
            "site: which one? Give the number of a site from /api/v1/tenants.".to_owned(),
        )),
    }
}
