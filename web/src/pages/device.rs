//! One device: who it is, what is in it, what it counted and where that was read, what stands, what happened.

mod events;
mod history;
mod kin;
mod parts;

use askama::Template;
use axum::extract::{Path, Query, State as Held};
use axum::response::Response;
use codec::id::DeviceId;
use codec::model::MeterSet;
use codec::time::Timestamp;
use olap::ask::{DeviceDetail, FleetRules};
use olap::words::Quality;
use serde::Deserialize;

use super::people::{self, Tenants};
use super::{Ago, Chrome, Place, html};
use crate::failure::Failure;
use crate::format;
use crate::state::{Inner, State};
use crate::text::{Lang, fill};
use crate::visit::guard::Member;

use history::Span;
use kin::Kin;
pub(crate) use kin::{Relatives, decide, same, split, undo};
use parts::{AlertRow, MeterRow, SupplyRow, TrayRow};
pub(crate) use parts::{AlertWords, severity_class};

/// Half the width of the identity holds so much beside a label without breaking a word.
const HALF_CHARS_MAX: usize = 13;

/// What the address of a device's page says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Params {
    span: String,
    told: String,
}

/// A line of the identity: name, value, whether it is set in the fixed font.
struct Fact {
    name: &'static str,
    value: String,
    code: bool,
    full: bool,
}

struct SpanChoice {
    text: &'static str,
    address: String,
    current: bool,
}

#[derive(Template)]
#[template(path = "device.html")]
struct DeviceView {
    page: Chrome,
    id: String,
    place: String,
    state: people::State,
    errors_more: String,
    seen: Option<Ago>,
    read_around: (&'static str, &'static str),
    unchanged: String,
    facts: Vec<Fact>,
    meters: Vec<MeterRow>,
    meter_set: &'static str,
    meter_set_class: &'static str,
    supplies: Vec<SupplyRow>,
    supplies_at: String,
    trays: Vec<TrayRow>,
    trays_at: String,
    alerts: Vec<AlertRow>,
    spans: Vec<SpanChoice>,
    chart: String,
    chart_since: String,
    chart_names: Vec<String>,
    chart_rows: Vec<history::Row>,
    zone: String,
    events: Vec<events::Item>,
    export: String,
    kin: Kin,
}

/// `GET /devices/{id}`.
pub(crate) async fn show(
    Held(state): Held<State>,
    member: Member,
    Path(id): Path<String>,
    Query(params): Query<Params>,
) -> Result<Response, Failure> {
    let id: DeviceId = id.parse().map_err(|_| Failure::NotFound)?;
    let span = Span::from_word(&params.span);
    state
        .blocking(move |parts| render(parts, &member, id, span, &params.told))
        .await
}

fn render(
    parts: &Inner,
    member: &Member,
    id: DeviceId,
    span: Span,
    told: &str,
) -> Result<Response, Failure> {
    let scope = member.scope(parts);
    let now = member.visit.now;
    let lang = member.visit.lang;
    let texts = lang.texts();
    let detail = parts
        .store
        .device(&scope, id, &FleetRules::at(now))?
        .ok_or(Failure::NotFound)?;
    let tenants = Tenants::load(&parts.registry, &scope)?;
    let zone = tenants.zone(detail.item.site);
    let history = history::ask(parts, &scope, &detail, span, now)?;
    let name = people::device_name(&detail.item.identity, id);
    let counts = parts.counts(member.account.branch, now)?;
    let observed = |at: Option<Timestamp>| {
        at.map(|at| {
            fill(
                texts.device_since,
                &[("time", &format::moment(lang, &zone, at, now))],
            )
        })
        .unwrap_or_default()
    };
    let state = people::state(lang, &detail.item, now);
    let (meter_set, meter_set_class) = match detail.item.meter_set {
        Some(MeterSet::Verified) => (texts.device_meters_verified, "good"),
        Some(MeterSet::Conflicting) => (texts.device_meters_conflicting, "fault"),
        Some(MeterSet::Unverified) => (texts.device_meters_unverified, ""),
        None => ("", ""),
    };
    let view = DeviceView {
        page: Chrome::of(&parts.config, member, Place::Fleet, name, counts),
        id: id.to_string(),
        place: tenants.place(detail.item.site),
        errors_more: state.more.clone(),
        state,
        seen: detail
            .item
            .observed_at
            .map(|at| Ago::new(lang, &zone, at, now)),
        read_around: texts.device_read.split_once("{age}").unwrap_or_default(),
        unchanged: detail
            .item
            .unchanged_since
            .map(|at| {
                fill(
                    texts.device_meters_since,
                    &[("time", &format::moment(lang, &zone, at, now))],
                )
            })
            .unwrap_or_default(),
        facts: facts(lang, &tenants, &zone, &detail, now),
        meters: parts::meters(lang, &zone, &detail.meters, now),
        meter_set,
        meter_set_class,
        supplies: parts::supplies(lang, &detail.supplies),
        supplies_at: observed(detail.supplies_at),
        trays: parts::trays(lang, &detail.trays),
        trays_at: observed(detail.trays_at),
        alerts: parts::alerts(lang, &zone, &detail.alerts_open, now),
        spans: Span::ALL
            .into_iter()
            .map(|choice| SpanChoice {
                text: choice.name(lang),
                address: format!("/devices/{id}?span={}", choice.word()),
                current: choice == span,
            })
            .collect(),
        chart_since: history.since(lang, &zone, now),
        chart: history.draw(lang, &zone),
        chart_names: history.names(lang),
        chart_rows: history.rows(lang, &zone, now),
        zone: fill(
            texts.device_history_zone,
            &[("zone", tenants.zone_name(detail.item.site))],
        ),
        events: events::items(lang, &zone, &tenants, &detail, now),
        export: format!("/devices/{id}/readings.csv"),
        kin: Kin::of(parts, member, &scope, id, &zone, told)?,
    };
    html(&view)
}

fn facts(
    lang: Lang,
    tenants: &Tenants,
    zone: &jiff::tz::TimeZone,
    detail: &DeviceDetail,
    now: Timestamp,
) -> Vec<Fact> {
    let texts = lang.texts();
    let item = &detail.item;
    let identity = &item.identity;
    let mut facts = Vec::new();
    let mut put = |name, value: Option<&str>, code, full| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.push(Fact {
                name,
                value: value.to_owned(),
                code,
                full: full || value.chars().count() > HALF_CHARS_MAX,
            });
        }
    };
    put(
        texts.device_model,
        Some(&people::model_name(identity)),
        false,
        true,
    );
    put(texts.device_serial, identity.serial.as_deref(), true, false);
    put(texts.device_asset, identity.asset.as_deref(), true, false);
    put(
        texts.device_customer,
        Some(tenants.customer(item.site)),
        false,
        false,
    );
    put(
        texts.device_site,
        Some(tenants.name(item.site)),
        false,
        false,
    );
    put(
        texts.device_address,
        identity.address.as_deref(),
        true,
        false,
    );
    put(texts.device_mac, identity.mac.as_deref(), true, false);
    put(
        texts.device_hostname,
        identity.hostname.as_deref(),
        true,
        false,
    );
    put(texts.device_dns, identity.dns_name.as_deref(), true, false);
    put(
        texts.device_location,
        identity.location.as_deref(),
        false,
        false,
    );
    put(
        texts.device_contact,
        identity.contact.as_deref(),
        false,
        false,
    );
    put(
        texts.device_firmware,
        identity.firmware.as_deref(),
        true,
        false,
    );
    put(texts.device_agent, Some(item.agent.as_str()), true, false);
    let first_seen = format::moment(lang, zone, item.first_seen_at, now);
    put(texts.device_first_seen, Some(&first_seen), false, false);
    let uptime = item
        .status
        .uptime_ticks
        .zip(item.observed_at)
        .map(|(ticks, at)| {
            let started = at.plus_ms(-i64::from(ticks) * 10);
            format::moment(lang, zone, started, now)
        });
    put(texts.device_uptime, uptime.as_deref(), false, false);
    put(
        texts.device_display,
        item.status.display.as_deref(),
        true,
        true,
    );
    put(
        texts.device_description,
        identity.description.as_deref(),
        false,
        true,
    );
    put(texts.device_id, Some(&item.device.to_string()), true, true);
    facts
}

/// A reading's quality, where it is not simply good.
pub(crate) const fn quality_word(lang: Lang, quality: Quality) -> &'static str {
    match quality {
        Quality::Ok => "ok",
        Quality::Stale => lang.pick("stale", "veraltet"),
        Quality::Interpolated => lang.pick("interpolated", "interpoliert"),
        Quality::Manual => lang.pick("typed in", "von Hand"),
        Quality::ResetSuspected => lang.pick("set back? confirm", "zurückgesetzt? bestätigen"),
        Quality::Conflict => lang.pick("conflicting", "widersprüchlich"),
    }
}
