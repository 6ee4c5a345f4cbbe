//! Agents: what was last heard of each, and one more. A token is shown once, on the answer to the form that made it.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State as Held};
use axum::response::Response;
use codec::id::{AgentId, TenantId};
use registry::audit::Entry;
use registry::{Level, NewAgent};

use super::people::Tenants;
use super::{Ago, Chrome, Place, html};
use crate::failure::Failure;
use crate::format;
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
    disabled: bool,
}

/// A token that was just drawn, with what goes into the agent's file.
struct Fresh {
    id: String,
    config: String,
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

fn render(parts: &Inner, member: &Member, fresh: Option<Fresh>) -> Result<Response, Failure> {
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
                disabled: agent.disabled || !agent.has_token,
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
        fresh,
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
    state
        .blocking(move |parts| {
            let made = add(parts, &member, &name, site)?;
            let fresh = fresh(parts, made.agent.id.as_str(), &made.token);
            render(parts, &member, Some(fresh))
        })
        .await
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
    note(parts, member, "agent.add", &made.agent.id)?;
    Ok(made)
}

/// `POST /agents/{id}/token`.
pub(crate) async fn renew(
    Held(state): Held<State>,
    member: Member,
    Path(id): Path<String>,
    _: Fields,
) -> Result<Response, Failure> {
    member.operates()?;
    let id = AgentId::new(&id).map_err(|_| Failure::NotFound)?;
    state
        .blocking(move |parts| {
            let scope = member.scope(parts);
            let token = parts.registry.rotate_agent_token(&scope, &id, member.visit.now)?;
            note(parts, &member, "agent.token", &id)?;
            let fresh = fresh(parts, id.as_str(), &token);
            render(parts, &member, Some(fresh))
        })
        .await
}

fn note(parts: &Inner, member: &Member, action: &str, id: &AgentId) -> Result<(), Failure> {
    let entry = Entry {
        who: &member.account.login,
        action,
        subject: id.as_str(),
        detail: "",
    };
    Ok(parts.registry.note(&entry, member.visit.now)?)
}

fn fresh(parts: &Inner, id: &str, token: &str) -> Fresh {
    Fresh {
        id: id.to_owned(),
        config: format!(
            "[manager]\nurl = \"{}\"\nagent_id = \"{id}\"\ntoken = \"{token}\"",
            parts.config.public_url
        ),
    }
}
