//! `/api/v1/silences`: agents and devices that are silent for longer than usual, with the likely cause.

// What utoipa makes of the parameters names them in full.
#![allow(unused_qualifications)]

use axum::Json;
use axum::extract::State as Held;
use axum::http::request::Parts;
use codec::id::{AgentId, DeviceId, TenantId};
use codec::time::Timestamp;
use ingest::{Silence, Subject};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::asked::{limit, query};
use super::caller::Caller;
use super::words::Page;
use crate::failure::Failure;
use crate::state::State;

/// Which silences.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct SilencesParams {
    /// true for those that are over, the latest first; those of the last hours are kept. Those that last when not given.
    over: Option<bool>,
    /// How many to answer with; 50 when not given, 1000 at most.
    limit: Option<u32>,
    /// Where to go on: `next` of the page before. What opened or closed meanwhile shifts the list.
    cursor: Option<String>,
}

/// A silence.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SilenceWords {
    /// agent, device, or manager: the time in which this manager itself was not there.
    kind: &'static str,
    /// The agent.
    #[schema(value_type = Option<String>)]
    agent: Option<AgentId>,
    /// The device.
    #[schema(value_type = Option<String>)]
    device: Option<DeviceId>,
    /// The number of the site where it stands.
    #[schema(value_type = Option<i64>)]
    site: Option<TenantId>,
    /// When it was last heard.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// When it was heard from again; null while it lasts.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// The likely cause: manager (nobody gets through to it, or it was down), agent (it does not run), line (its line is down), network (of
    /// the agent's devices), moved (another device answers at its address), no-answer (off, unplugged or closed to SNMP; its agent is fine),
    /// no-meters (it answers and never told a meter).
    cause: &'static str,
    /// How many devices are silent because of it.
    devices: u64,
}

impl SilenceWords {
    fn of(silence: Silence) -> Self {
        let (kind, agent, device) = match silence.subject {
            Subject::Manager => ("manager", None, None),
            Subject::Agent(agent) => ("agent", Some(agent), None),
            Subject::Device(device) => ("device", None, Some(device)),
        };
        Self {
            kind,
            agent,
            device,
            site: silence.site,
            since: silence.since,
            until: silence.until,
            cause: silence.cause.word(),
            devices: silence.devices,
        }
    }
}

/// Who is silent at the sites that the caller may see: agents first, the longest first.
#[utoipa::path(get, path = "/api/v1/silences", tag = "alerts", params(SilencesParams), responses(
    (status = 200, body = Page<SilenceWords>),
    (status = 400, body = super::Problem, content_type = "application/problem+json"),
    (status = 401, body = super::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    Held(state): Held<State>,
    Caller(member): Caller,
    parts: Parts,
) -> Result<Json<Page<SilenceWords>>, Failure> {
    let params: SilencesParams = query(&parts.uri)?;
    let shown = limit(params.limit)? as usize;
    let skipped: usize = match params.cursor.as_deref() {
        None | Some("") => 0,
        Some(cursor) => cursor
            .parse()
            .map_err(|_| Failure::Invalid("cursor: `next` of the page before.".to_owned()))?,
    };
    state
        .blocking(move |parts| {
            let report = parts.ingest.silences(&member.scope(parts));
            let silences = if params.over == Some(true) {
                report.over
            } else {
                report.open
            };
            let total = silences.len();
            let end = skipped.saturating_add(shown);
            Ok(Json(Page {
                next: (end < total).then(|| end.to_string()),
                total: total as u64,
                items: silences
                    .into_iter()
                    .skip(skipped)
                    .take(shown)
                    .map(SilenceWords::of)
                    .collect(),
            }))
        })
        .await
}
