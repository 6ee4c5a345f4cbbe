//! Who is silent, above the alerts that devices tell themselves.

use std::collections::HashMap;

use codec::id::{AgentId, Scope};
use ingest::{Cause, Silence, Subject};
use olap::ask::FleetRules;

use crate::failure::Failure;
use crate::format;
use crate::pages::Ago;
use crate::pages::people::{self, Tenants};
use crate::state::Inner;
use crate::text::{Texts, fill};
use crate::visit::guard::Member;

/// Lines shown: of a fleet that is switched off at night, the first say as much as all.
const SHOWN_MAX: usize = 50;
/// Lines shown of silences that are over.
const OVER_MAX: usize = 20;

/// A line.
pub(super) struct Row {
    pub(super) class: &'static str,
    pub(super) kind: &'static str,
    pub(super) cause: &'static str,
    pub(super) hint: String,
    pub(super) name: String,
    pub(super) address: String,
    pub(super) place: String,
    pub(super) since: Ago,
    /// How long it was, when it is over.
    pub(super) lasted: String,
}

/// Silences that last, and those that are over.
pub(super) struct Silent {
    pub(super) open: Vec<Row>,
    pub(super) more: String,
    pub(super) over: Vec<Row>,
}

impl Silent {
    pub(super) fn of(
        parts: &Inner,
        member: &Member,
        scope: &Scope,
        tenants: &Tenants,
    ) -> Result<Self, Failure> {
        let lang = member.visit.lang;
        let report = parts.ingest.silences(scope);
        let agents = parts.registry.agents(scope)?;
        let names = agents
            .into_iter()
            .map(|agent| (agent.id, agent.name))
            .collect();
        let known = Known {
            parts,
            member,
            scope,
            tenants,
            agents: names,
        };
        let row = |silence: &Silence| row(&known, silence);
        let hidden = report.open.len().saturating_sub(SHOWN_MAX);
        let shown = report.open.iter().take(SHOWN_MAX).map(row);
        let over = report.over.iter().take(OVER_MAX).map(row);
        Ok(Self {
            open: shown.collect::<Result<_, _>>()?,
            more: if hidden == 0 {
                String::new()
            } else {
                let n = format::number(lang, hidden as u64);
                fill(lang.texts().silence_more, &[("n", &n)])
            },
            over: over.collect::<Result<_, _>>()?,
        })
    }
}

/// What the lines are made with: the same for all of them.
struct Known<'a> {
    parts: &'a Inner,
    member: &'a Member,
    scope: &'a Scope,
    tenants: &'a Tenants,
    /// The names of the agents in scope.
    agents: HashMap<AgentId, String>,
}

fn row(known: &Known<'_>, silence: &Silence) -> Result<Row, Failure> {
    let Known {
        parts,
        member,
        scope,
        tenants,
        agents,
    } = known;
    let (lang, now) = (member.visit.lang, member.visit.now);
    let texts = lang.texts();
    let zone = silence
        .site
        .map_or(jiff::tz::TimeZone::UTC, |site| tenants.zone(site));
    let (kind, name, address) = match &silence.subject {
        Subject::Manager => (
            texts.silence_manager,
            parts.config.brand.clone(),
            "/health".to_owned(),
        ),
        Subject::Agent(agent) => {
            let known = agents.get(agent).cloned();
            let name = known.unwrap_or_else(|| agent.to_string());
            (texts.silence_agent, name, format!("/devices?agent={agent}"))
        }
        Subject::Device(device) => {
            let detail = parts.store.device(scope, *device, &FleetRules::at(now))?;
            let name = detail.map_or_else(
                || device.to_string(),
                |detail| people::device_name(&detail.item.identity, *device),
            );
            (texts.silence_device, name, format!("/devices/{device}"))
        }
    };
    let hint = match silence.subject {
        Subject::Device(_) | Subject::Manager => String::new(),
        _ if silence.devices == 1 => texts.silence_devices_one.to_owned(),
        _ => {
            let n = format::number(lang, silence.devices);
            fill(texts.silence_devices, &[("n", &n)])
        }
    };
    Ok(Row {
        class: match (silence.until, &silence.subject) {
            (Some(_), _) => "good",
            (None, Subject::Device(_)) => "care",
            (None, _) => "fault",
        },
        kind,
        cause: cause(texts, silence.cause),
        hint,
        name,
        address,
        place: silence
            .site
            .map(|site| tenants.place(site))
            .unwrap_or_default(),
        since: Ago::new(lang, &zone, silence.since, now),
        lasted: silence
            .until
            .map(|until| format::age(lang, until.ms_since(silence.since)))
            .unwrap_or_default(),
    })
}

/// The likely cause, as a sentence.
const fn cause(texts: &Texts, cause: Cause) -> &'static str {
    match cause {
        Cause::Manager => texts.silence_cause_manager,
        Cause::Agent => texts.silence_cause_agent,
        Cause::Line => texts.silence_cause_line,
        Cause::Network => texts.silence_cause_network,
        Cause::Moved => texts.silence_cause_moved,
        Cause::NoAnswer => texts.silence_cause_no_answer,
        Cause::NoMeters => texts.silence_cause_no_meters,
    }
}
