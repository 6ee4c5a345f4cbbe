//! `/api/v1/devices/{id}/decisions`: what people decided about who is who.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State as Held};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use codec::id::DeviceId;
use codec::time::Timestamp;
use olap::ask::FleetRules;
use registry::{DecisionOp, DecisionRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::NothingAsked;
use super::body;
use super::caller::Caller;
use super::devices::device_id;
use crate::failure::Failure;
use crate::pages::device::{Relatives, decide};
use crate::state::State;
use crate::visit::guard::Member;

/// What is decided: one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionWish {
    /// The id of the device that this one is: it goes on, this one leaves the lists.
    same_as: Option<String>,
    /// That this device is not what it was taken for: it comes back when it had turned out to be another; else its serial number, which
    /// two devices say, tells nobody apart any more.
    #[serde(default)]
    split: bool,
}

/// A decision as it was applied.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DecisionWords {
    /// Its number: its place in the total order.
    id: u64,
    /// merge, split or undo.
    kind: &'static str,
    /// The device that it is about; null for an undo.
    #[schema(value_type = Option<String>)]
    device: Option<DeviceId>,
    /// Of a merge: the device that goes on.
    #[schema(value_type = Option<String>)]
    same_as: Option<DeviceId>,
    /// Of an undo: the decision that was taken back.
    undoes: Option<u64>,
    /// Who decided.
    by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The decision that took this one back; null while it stands.
    undone_by: Option<u64>,
}

/// A decision that is durable and not applied yet: the manager is behind.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotedWords {
    /// What became of it, as a sentence.
    detail: &'static str,
}

/// Who a device is with whom.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KinWords {
    /// The device that this one turned out to be; null when it is itself.
    #[schema(value_type = Option<String>)]
    superseded_by: Option<DeviceId>,
    /// The devices that turned out to be this one.
    #[schema(value_type = Vec<String>)]
    former: Vec<DeviceId>,
    /// What was decided, newest first.
    decisions: Vec<DecisionWords>,
}

impl DecisionWords {
    fn of(record: DecisionRecord) -> Self {
        let (kind, device, same_as, undoes) = match record.op {
            DecisionOp::Merge { device, into } => ("merge", Some(device), Some(into), None),
            DecisionOp::Split { device } => ("split", Some(device), None, None),
            DecisionOp::Undo { decision } => ("undo", None, None, Some(decision)),
        };
        Self {
            id: record.id,
            kind,
            device,
            same_as,
            undoes,
            by: record.who,
            at: record.at,
            undone_by: record.undone_by,
        }
    }
}

/// What a device turned out to be, what turned out to be it, and what was decided.
#[utoipa::path(get, path = "/api/v1/devices/{id}/decisions", tag = "devices",
    params(("id" = String, Path, description = "The device's id")),
    responses(
        (status = 200, body = KinWords),
        (status = 401, body = super::Problem, content_type = "application/problem+json"),
        (status = 404, body = super::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(
    Held(state): Held<State>,
    Caller(member): Caller,
    Path(id): Path<String>,
    _: NothingAsked,
) -> Result<Json<KinWords>, Failure> {
    let id = device_id(&id)?;
    state
        .blocking(move |parts| {
            let scope = member.scope(parts);
            let rules = FleetRules::at(member.visit.now);
            parts
                .store
                .device(&scope, id, &rules)?
                .ok_or(Failure::NotFound)?;
            let relatives = Relatives::of(parts, &scope, id, member.visit.now)?;
            let decisions = relatives.decisions.into_iter();
            Ok(Json(KinWords {
                superseded_by: relatives.now,
                former: relatives.former,
                decisions: decisions.map(DecisionWords::of).collect(),
            }))
        })
        .await
}

/// Decides who a device is. It can be taken back.
#[utoipa::path(post, path = "/api/v1/devices/{id}/decisions", tag = "devices", request_body = DecisionWish,
    params(("id" = String, Path, description = "The device's id")),
    responses(
        (status = 201, body = DecisionWords),
        (status = 202, description = "It is noted for good and takes effect in a moment", body = NotedWords),
        (status = 400, body = super::Problem, content_type = "application/problem+json"),
        (status = 401, body = super::Problem, content_type = "application/problem+json"),
        (status = 403, body = super::Problem, content_type = "application/problem+json"),
        (status = 404, body = super::Problem, content_type = "application/problem+json"),
        (status = 409, description = "As things are it cannot be", body = super::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn create(
    Held(state): Held<State>,
    Caller(member): Caller,
    Path(id): Path<String>,
    _: NothingAsked,
    bytes: Bytes,
) -> Result<Response, Failure> {
    member.operates()?;
    let device = device_id(&id)?;
    let wish: DecisionWish = body(&bytes)?;
    let op = match (wish.same_as, wish.split) {
        (Some(other), false) => DecisionOp::Merge {
            device,
            into: device_id(&other)?,
        },
        (None, true) => DecisionOp::Split { device },
        _ => {
            return Err(Failure::Invalid(
                "either same_as with a device's id, or split: true.".to_owned(),
            ));
        }
    };
    taken(&state, &member, op, StatusCode::CREATED).await
}

/// Takes a decision back: all that it changed and nobody changed since is as it was.
#[utoipa::path(post, path = "/api/v1/decisions/{id}/undo", tag = "devices",
    params(("id" = String, Path, description = "The decision's number")),
    responses(
        (status = 200, body = DecisionWords),
        (status = 202, description = "It is noted for good and takes effect in a moment", body = NotedWords),
        (status = 401, body = super::Problem, content_type = "application/problem+json"),
        (status = 403, body = super::Problem, content_type = "application/problem+json"),
        (status = 404, body = super::Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was taken back already", body = super::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn undo(
    Held(state): Held<State>,
    Caller(member): Caller,
    Path(id): Path<String>,
    _: NothingAsked,
) -> Result<Response, Failure> {
    member.operates()?;
    let decision = id.parse().map_err(|_| Failure::NotFound)?;
    let op = DecisionOp::Undo { decision };
    taken(&state, &member, op, StatusCode::OK).await
}

/// Takes a decision; `applied` is the status when it was applied at once.
async fn taken(
    state: &State,
    member: &Member,
    op: DecisionOp,
    applied: StatusCode,
) -> Result<Response, Failure> {
    let sentence = match decide(state, member, op).await? {
        Ok(record) => return Ok((applied, Json(DecisionWords::of(record))).into_response()),
        Err("unknown-device" | "unknown-decision") => return Err(Failure::NotFound),
        // It is in the journal and will be applied: asking again would decide twice.
        Err("late") => {
            let detail =
                "It is noted for good and takes effect in a moment; see the device's decisions.";
            return Ok((StatusCode::ACCEPTED, Json(NotedWords { detail })).into_response());
        }
        Err("same-device") => "Both are the same device.",
        Err("other-customer") => "The devices belong to different customers.",
        Err("superseded") => {
            "One of them turned out to be another device already: undo that first."
        }
        Err("nothing-to-split") => "No report leads to this device any more.",
        Err("undone") => "It was taken back already.",
        Err(other) => other,
    };
    Err(Failure::Conflict(sentence.to_owned()))
}
