//! The settings as this manager runs: what the configuration file and the built-in limits make. To be read, not yet to be changed.

use askama::Template;
use axum::extract::State as Held;
use axum::response::Response;
use olap::ask::FleetRules;

use super::{Chrome, Place, counts, html};
use crate::config::MetricsAccess;
use crate::failure::Failure;
use crate::format;
use crate::limits::REPORT_BODY_BYTES_MAX;
use crate::state::State;
use crate::text::fill;
use crate::visit::guard::Member;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsView {
    page: Chrome,
    groups: [Group; 2],
}

/// Settings of one origin.
struct Group {
    name: &'static str,
    rows: Vec<(&'static str, String)>,
}

/// `GET /settings`.
pub(crate) async fn show(Held(state): Held<State>, member: Member) -> Result<Response, Failure> {
    member.administers()?;
    let counts = counts(&state, &member).await?;
    let lang = member.visit.lang;
    let texts = lang.texts();
    let config = &state.config;
    let rules = FleetRules::at(member.visit.now);
    let yes = |yes: bool| if yes { texts.yes } else { texts.no }.to_owned();
    let proxies = config
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let metrics = match config.metrics {
        MetricsAccess::Loopback => texts.settings_metrics_loopback,
        MetricsAccess::Everybody => texts.settings_metrics_everybody,
        MetricsAccess::Token(_) => texts.settings_metrics_token,
    };
    let silence = state.ingest.silence_rules();
    let patience = |floor_ms, unknown_ms| {
        fill(
            texts.settings_silence_value,
            &[
                ("n", &silence.factor.to_string()),
                ("floor", &format::age(lang, floor_ms)),
                ("first", &format::age(lang, unknown_ms)),
            ],
        )
    };
    let file = vec![
        (texts.settings_public_url, config.public_url.clone()),
        (texts.settings_cookies, yes(config.secure_cookies)),
        (
            texts.settings_proxies,
            if proxies.is_empty() {
                texts.settings_none.to_owned()
            } else {
                proxies
            },
        ),
        (texts.settings_metrics, metrics.to_owned()),
        (
            texts.settings_silence_agent,
            patience(silence.agent_floor_ms, silence.agent_unknown_ms),
        ),
        (
            texts.settings_silence_device,
            patience(silence.device_floor_ms, silence.device_unknown_ms),
        ),
    ];
    let built_in = vec![
        (texts.settings_silent, format::age(lang, rules.silent_ms)),
        (
            texts.settings_low,
            fill(
                texts.settings_low_value,
                &[("p", &rules.low_percent.to_string())],
            ),
        ),
        (
            texts.settings_report_max,
            format::bytes(lang, REPORT_BODY_BYTES_MAX as u64),
        ),
        (
            texts.settings_sessions,
            format::age(lang, registry::session::IDLE_MS_MAX),
        ),
    ];
    let page = Chrome::of(
        config,
        &member,
        Place::Settings,
        texts.settings_title,
        counts,
    );
    let groups = [
        Group {
            name: texts.settings_file,
            rows: file,
        },
        Group {
            name: texts.settings_built_in,
            rows: built_in,
        },
    ];
    html(&SettingsView { page, groups })
}
