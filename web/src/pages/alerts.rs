//! Alerts that stand, over the whole fleet; above them, who is silent.

mod silence;

use askama::Template;
use axum::extract::{Query, State as Held};
use axum::response::Response;
use codec::model::{AlertSeverity, Identity};
use olap::ask::{AlertsQuery, DeviceBrief};
use olap::cursor::Cursor;
use serde::Deserialize;

use super::device::{AlertWords, severity_class};
use super::people::{self, Tenants};
use super::{Ago, Chrome, Place, html};
use crate::failure::Failure;
use crate::format;
use crate::limits::PAGE_ROWS_DEFAULT;
use crate::state::{Inner, State};
use crate::text::{fill, words};
use crate::visit::guard::Member;
use silence::Silent;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Params {
    after: String,
    show: String,
}

struct Row {
    class: &'static str,
    severity: &'static str,
    words: AlertWords,
    address: String,
    device: String,
    place: String,
    since: Ago,
}

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsView {
    page: Chrome,
    sub: String,
    critical: bool,
    silent: Silent,
    rows: Vec<Row>,
    next: Option<String>,
}

/// `GET /alerts`.
pub(crate) async fn show(
    Held(state): Held<State>,
    member: Member,
    Query(params): Query<Params>,
) -> Result<Response, Failure> {
    let after: Option<Cursor> = params.after.parse().ok();
    let critical = params.show == "critical";
    state
        .blocking(move |parts| render(parts, &member, after, critical))
        .await
}

fn render(
    parts: &Inner,
    member: &Member,
    cursor: Option<Cursor>,
    critical: bool,
) -> Result<Response, Failure> {
    let scope = member.scope(parts);
    let (lang, now) = (member.visit.lang, member.visit.now);
    let texts = lang.texts();
    let answer = parts.store.alerts(
        &scope,
        &AlertsQuery {
            severity: critical.then_some(AlertSeverity::Critical),
            cursor,
            limit: PAGE_ROWS_DEFAULT,
            ..AlertsQuery::default()
        },
    )?;
    let tenants = Tenants::load(&parts.registry, &scope)?;
    let rows = answer
        .items
        .iter()
        .map(|item| Row {
            class: severity_class(item.alert.severity),
            severity: words::severity(lang, item.alert.severity),
            words: AlertWords::of(lang, item),
            address: format!("/devices/{}", item.device),
            device: answer.devices.get(&item.device).map_or_else(
                || item.device.to_string(),
                |brief| brief_name(brief, item.device),
            ),
            place: tenants.place(item.site),
            since: Ago::new(lang, &tenants.zone(item.site), item.observed_since, now),
        })
        .collect();
    let counts = parts.counts(member.account.branch, now)?;
    let filter = if critical { "show=critical&" } else { "" };
    html(&AlertsView {
        page: Chrome::of(
            &parts.config,
            member,
            Place::Alerts,
            texts.alerts_title,
            counts,
        ),
        sub: fill(
            texts.alerts_sub,
            &[("n", &format::number(lang, answer.total))],
        ),
        critical,
        silent: Silent::of(parts, member, &scope, &tenants)?,
        rows,
        next: answer
            .next
            .map(|cursor| format!("/alerts?{filter}after={cursor}")),
    })
}

fn brief_name(brief: &DeviceBrief, id: codec::id::DeviceId) -> String {
    let identity = Identity {
        hostname: brief.hostname.clone(),
        location: brief.location.clone(),
        serial: brief.serial.clone(),
        address: brief.address.clone(),
        ..Identity::default()
    };
    people::device_name(&identity, id)
}
