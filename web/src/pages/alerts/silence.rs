//! Who is silent, above the alerts that devices tell themselves.

use codec::id::Scope;
use ingest::{Cause, Silence, Subject};
use olap::ask::FleetRules;

use crate::failure::Failure;
use crate::format;
use crate::pages::Ago;
use crate::pages::people::{self, Tenants};
use crate::state::Inner;
use crate::text::{Lang, fill};
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
        let row = |silence: &Silence| row(parts, member, scope, tenants, silence);
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

fn row(
    parts: &Inner,
    member: &Member,
    scope: &Scope,
    tenants: &Tenants,
    silence: &Silence,
) -> Result<Row, Failure> {
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
            let known = parts.registry.agents(scope)?;
            let known = known.into_iter().find(|known| known.id == *agent);
            let name = known.map_or_else(|| agent.to_string(), |known| known.name);
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
        cause: cause(lang, silence.cause),
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
const fn cause(lang: Lang, cause: Cause) -> &'static str {
    match cause {
        Cause::Manager => lang.pick(
            "this manager was down, or nobody gets through to it",
            "dieser Manager lief nicht oder ist für niemanden erreichbar",
        ),
        Cause::Agent => lang.pick(
            "the agent does not run, or its line is down",
            "der Agent läuft nicht, oder seine Leitung steht",
        ),
        Cause::Line => lang.pick(
            "the line is down: the agent ran meanwhile, or its neighbours are silent too",
            "Leitung gestört: Der Agent lief weiter, oder seine Nachbarn schweigen auch",
        ),
        Cause::Network => lang.pick(
            "the network at the site: many devices of this agent fell silent together",
            "Netz am Standort: Viele Geräte dieses Agenten verstummten zugleich",
        ),
        Cause::Moved => lang.pick(
            "moved or replaced: another device answers at its address",
            "umgezogen oder ersetzt: An seiner Adresse antwortet ein anderes Gerät",
        ),
        Cause::NoAnswer => lang.pick(
            "off, unplugged, or closed to SNMP; its agent is fine",
            "aus, ausgesteckt oder für SNMP gesperrt; sein Agent arbeitet",
        ),
        Cause::NoMeters => lang.pick(
            "it answers, but never told a meter",
            "antwortet, hat aber nie einen Zählerstand gemeldet",
        ),
    }
}
