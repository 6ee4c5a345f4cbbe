//! The health page: whether each part answers, and the figures that an operator asks for first.

use askama::Template;
use axum::extract::State as Held;
use axum::response::Response;
use registry::Branch;

use super::{Chrome, Place, html};
use crate::failure::Failure;
use crate::format;
use crate::health::check;
use crate::state::{Inner, State};
use crate::visit::guard::Member;

struct Row {
    name: &'static str,
    class: &'static str,
    word: &'static str,
    /// What is in the way, as a sentence for everybody.
    cause: &'static str,
    /// What failed, for the house.
    fault: String,
}

#[derive(Template)]
#[template(path = "health.html")]
struct HealthView {
    page: Chrome,
    rows: Vec<Row>,
    figures: Vec<(&'static str, String)>,
    metrics_before: String,
    metrics_after: String,
}

/// `GET /health`.
pub(crate) async fn show(Held(state): Held<State>, member: Member) -> Result<Response, Failure> {
    state.blocking(move |parts| render(parts, &member)).await
}

fn render(parts: &Inner, member: &Member) -> Result<Response, Failure> {
    let (lang, now) = (member.visit.lang, member.visit.now);
    let texts = lang.texts();
    // The inner workings are the house's matter; whether things work is everybody's.
    let of_the_house = member.account.branch == Branch::House;
    let rows = check(parts)
        .into_iter()
        .map(|part| Row {
            name: match part.name {
                "registry" => texts.health_registry,
                "store" => texts.health_store,
                "archive" => texts.health_archive,
                _ => texts.health_journal,
            },
            class: if part.fault.is_none() {
                "good"
            } else {
                "fault"
            },
            word: if part.fault.is_none() {
                texts.health_ok
            } else {
                texts.health_bad
            },
            cause: part.reason.map_or("", |reason| texts.hindered_by(reason)),
            fault: part.fault.filter(|_| of_the_house).unwrap_or_default(),
        })
        .collect();
    let mut figures = vec![
        (texts.health_version, env!("CARGO_PKG_VERSION").to_owned()),
        (
            texts.health_uptime,
            format::age(lang, now.ms_since(parts.started_at)),
        ),
    ];
    let silences = parts.ingest.silences(&member.scope(parts)).open;
    let silent = |is_counted: fn(&ingest::Subject) -> bool| {
        let counted = silences
            .iter()
            .filter(|silence| is_counted(&silence.subject));
        format::number(lang, counted.count() as u64)
    };
    figures.push((
        texts.health_silent_agents,
        silent(|subject| matches!(subject, ingest::Subject::Agent(_))),
    ));
    figures.push((
        texts.health_silent_devices,
        silent(|subject| matches!(subject, ingest::Subject::Device(_))),
    ));
    if of_the_house {
        let memory = parts.metrics.resident_bytes();
        if memory > 0 {
            figures.push((texts.health_memory, format::bytes(lang, memory)));
        }
        let status = parts.ingest.status();
        let quarantined = status.quarantined_reports as u64;
        figures.push((texts.health_quarantine, format::number(lang, quarantined)));
        figures.push((
            texts.health_passed_over,
            format::number(lang, status.passed_over),
        ));
        let caught_up = if status.is_caught_up {
            texts.yes
        } else {
            texts.no
        };
        figures.push((texts.health_caught_up, caught_up.to_owned()));
    }
    let counts = parts.counts(member.account.branch, now)?;
    let (before, after) = texts.health_metrics.split_once("{url}").unwrap_or_default();
    html(&HealthView {
        page: Chrome::of(
            &parts.config,
            member,
            Place::Health,
            texts.health_title,
            counts,
        ),
        rows,
        figures,
        metrics_before: before.to_owned(),
        metrics_after: after.to_owned(),
    })
}
