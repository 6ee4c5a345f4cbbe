//! Agents: what was last heard of each, their keys, and one more. A token is shown once, on the answer to the form that made it.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State as Held};
use axum::response::{IntoResponse, Redirect, Response};
use codec::id::{AgentId, TenantId};
use registry::audit::Entry;
use registry::enrolment::VALID_MS_DEFAULT;
use registry::{Agent, Level, NewAgent, NewEnrolment};

use super::people::Tenants;
use super::{Ago, Chrome, Place, html};
use crate::failure::Failure;
use crate::format::{self, DAY_MS};
use crate::state::{Inner, State};
use crate::text::fill;
use crate::visit::guard::{Fields, Member};

struct Row {
    id: String,
    name: String,
    place: String,
    heard: Option<Ago>,
    program: String,
    devices: String,
    fleet: String,
    key: String,
    has_key: bool,
    disabled: bool,
}

/// A token that was just made, with what is run where the agent stands.
struct Fresh {
    title: String,
    hint: String,
    command: String,
}

#[derive(Template)]
#[template(path = "agents.html")]
struct AgentsView {
    page: Chrome,
    sub: String,
    rows: Vec<Row>,
    sites: Vec<(String, String)>,
    fresh: Option<Fresh>,
}

/// `GET /agents`.
pub(crate) async fn show(Held(state): Held<State>, member: Member) -> Result<Response, Failure> {
    state
        .blocking(move |parts| render(parts, &member, None))
        .await
}

fn render(parts: &Inner, member: &Member, made: Option<NewEnrolment>) -> Result<Response, Failure> {
    let scope = member.scope(parts);
    let (lang, now) = (member.visit.lang, member.visit.now);
    let texts = lang.texts();
    let tenants = Tenants::load(&parts.registry, &scope)?;
    let agents = parts.registry.agents(&scope)?;
    let heard: HashMap<_, _> = parts
        .store
        .agents_heard(&scope)?
        .into_iter()
        .map(|heard| (heard.agent.clone(), heard))
        .collect();
    let rows = agents
        .iter()
        .map(|agent| {
            let heard = heard.get(&agent.id);
            let zone = tenants.zone(agent.site);
            Row {
                id: agent.id.to_string(),
                name: agent.name.clone(),
                place: tenants.place(agent.site),
                heard: heard.map(|heard| Ago::new(lang, &zone, heard.heard_at, now)),
                program: heard.map(|heard| heard.program.clone()).unwrap_or_default(),
                devices: format::number(lang, heard.map_or(0, |heard| heard.devices)),
                fleet: format!("/devices?agent={}", agent.id),
                key: match (agent.key_since, agent.enrols_until) {
                    (_, Some(until)) if until > now => fill(
                        texts.agents_key_open,
                        &[("until", &format::moment(lang, &zone, until, now))],
                    ),
                    (Some(since), _) => fill(
                        texts.agents_key_since,
                        &[("date", &format::date(lang, &zone, since))],
                    ),
                    (None, _) => texts.agents_key_none.to_owned(),
                },
                has_key: agent.has_token || agent.enrols_until.is_some(),
                disabled: agent.disabled,
            }
        })
        .collect::<Vec<_>>();
    let sites = tenants
        .ordered
        .iter()
        .filter(|tenant| tenant.level == Level::Site)
        .map(|site| (site.id.to_string(), tenants.place(site.id)))
        .collect();
    let counts = parts.counts(member.account.branch, now)?;
    let mut page = Chrome::of(
        &parts.config,
        member,
        Place::Agents,
        texts.agents_title,
        counts,
    );
    page.here = "/agents".to_owned();
    html(&AgentsView {
        page,
        sub: fill(
            if rows.len() == 1 {
                texts.agents_sub_one
            } else {
                texts.agents_sub
            },
            &[("n", &format::number(lang, rows.len() as u64))],
        ),
        rows,
        sites,
        fresh: made.map(|made| {
            let zone = tenants.zone(made.agent.site);
            let until = format::moment(lang, &zone, made.expires_at, now);
            Fresh {
                title: fill(texts.agents_token, &[("agent", made.agent.id.as_str())]),
                hint: fill(texts.agents_token_once, &[("until", &until)]),
                command: command(parts, &made.token),
            }
        }),
    })
}

/// `POST /agents`.
pub(crate) async fn create(
    Held(state): Held<State>,
    member: Member,
    fields: Fields,
) -> Result<Response, Failure> {
    let name = fields.get("name").to_owned();
    let site = fields
        .get("site")
        .parse()
        .map(TenantId)
        .map_err(|_| Failure::Invalid("site: a site's number".to_owned()))?;
    let days: i64 = match fields.get("expires") {
        "" => 1,
        days => days
            .parse()
            .map_err(|_| Failure::Invalid("expires: a number of days".to_owned()))?,
    };
    state
        .blocking(move |parts| {
            let valid_ms = days.saturating_mul(DAY_MS);
            let made = invite(parts, &member, &name, site, valid_ms)?;
            render(parts, &member, Some(made))
        })
        .await
}

/// What is run where the agent stands.
pub(crate) fn command(parts: &Inner, token: &str) -> String {
    let url = &parts.config.public_url;
    format!("platen-agent enrol --manager {url} --token {token}")
}

/// Adds an agent at a site that the member may see.
pub(crate) fn add(
    parts: &Inner,
    member: &Member,
    name: &str,
    site: TenantId,
) -> Result<NewAgent, Failure> {
    member.operates()?;
    if parts.registry.tenant(&member.scope(parts), site)?.level != Level::Site {
        return Err(Failure::Invalid("an agent stands at a site".to_owned()));
    }
    let made = parts.registry.add_agent(name, site, member.visit.now)?;
    note(parts, member, "agent.add", &made.agent.id, "")?;
    Ok(made)
}

/// Adds an agent without a key at a site that the member may see, and makes the token that it enrols with.
pub(crate) fn invite(
    parts: &Inner,
    member: &Member,
    name: &str,
    site: TenantId,
    valid_ms: i64,
) -> Result<NewEnrolment, Failure> {
    member.operates()?;
    if parts.registry.tenant(&member.scope(parts), site)?.level != Level::Site {
        return Err(Failure::Invalid("an agent stands at a site".to_owned()));
    }
    let now = member.visit.now;
    let made = parts.registry.invite_agent(name, site, valid_ms, now)?;
    note_invited(parts, member, &made)?;
    Ok(made)
}

/// Makes a token for an agent that the member may see.
pub(crate) fn invite_again(
    parts: &Inner,
    member: &Member,
    id: &AgentId,
    valid_ms: i64,
) -> Result<NewEnrolment, Failure> {
    member.operates()?;
    let scope = member.scope(parts);
    let now = member.visit.now;
    let made = parts
        .registry
        .invite_agent_again(&scope, id, valid_ms, now)?;
    note_invited(parts, member, &made)?;
    Ok(made)
}

/// Takes the key of an agent away that the member may see.
pub(crate) fn revoke(parts: &Inner, member: &Member, id: &AgentId) -> Result<Agent, Failure> {
    member.operates()?;
    let scope = member.scope(parts);
    parts.registry.revoke_agent_token(&scope, id)?;
    note(parts, member, "agent.revoke", id, "")?;
    Ok(parts.registry.agent(&scope, id)?)
}

/// `POST /agents/{id}/enrol`.
pub(crate) async fn enrol(
    state: Held<State>,
    member: Member,
    id: Path<String>,
    _: Fields,
) -> Result<Response, Failure> {
    on_agent(state, member, id, |parts, member, id| {
        let made = invite_again(parts, member, id, VALID_MS_DEFAULT)?;
        render(parts, member, Some(made))
    })
    .await
}

/// `POST /agents/{id}/revoke`.
pub(crate) async fn end_key(
    state: Held<State>,
    member: Member,
    id: Path<String>,
    _: Fields,
) -> Result<Response, Failure> {
    on_agent(state, member, id, |parts, member, id| {
        revoke(parts, member, id)?;
        Ok(Redirect::to("/agents").into_response())
    })
    .await
}

/// Does something to the agent in the address, for one who may.
async fn on_agent(
    Held(state): Held<State>,
    member: Member,
    Path(id): Path<String>,
    act: impl FnOnce(&Inner, &Member, &AgentId) -> Result<Response, Failure> + Send + 'static,
) -> Result<Response, Failure> {
    member.operates()?;
    let id = AgentId::new(&id).map_err(|_| Failure::NotFound)?;
    state.blocking(move |parts| act(parts, &member, &id)).await
}

fn note_invited(parts: &Inner, member: &Member, made: &NewEnrolment) -> Result<(), Failure> {
    let until = format!("until {}", made.expires_at);
    note(parts, member, "agent.invite", &made.agent.id, &until)
}

fn note(
    parts: &Inner,
    member: &Member,
    action: &str,
    id: &AgentId,
    detail: &str,
) -> Result<(), Failure> {
    let entry = Entry {
        who: &member.account.login,
        action,
        subject: id.as_str(),
        detail,
    };
    Ok(parts.registry.note(&entry, member.visit.now)?)
}
