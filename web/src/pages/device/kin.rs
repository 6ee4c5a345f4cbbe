//! Who a device is with whom: records that turned out to be it, the one that it turned out to be, what people decided, and the forms to
//! decide.

use axum::extract::{Path, State as Held};
use axum::response::{IntoResponse, Redirect, Response};
use codec::id::{DeviceId, Scope};
use codec::time::Timestamp;
use ingest::DecideError;
use jiff::tz::TimeZone;
use olap::ask::{FleetQuery, FleetRules};
use registry::{Decision, DecisionOp, DecisionRecord, Entry, Void};

use crate::failure::Failure;
use crate::format;
use crate::pages::people;
use crate::state::{Inner, State};
use crate::text::{Lang, fill};
use crate::visit::guard::{Fields, Member};

/// Devices looked through for a serial number: more are not one answer.
const FOUND_MAX: u32 = 20;

/// A device with its name and its page.
pub(super) struct Relative {
    pub(super) name: String,
    pub(super) address: String,
}

/// A decision that stands or was taken back.
pub(super) struct Decided {
    pub(super) what: String,
    pub(super) detail: String,
    pub(super) undo: Option<String>,
}

/// All of it for one device's page.
pub(super) struct Kin {
    pub(super) now: Option<Relative>,
    pub(super) former: Vec<Relative>,
    pub(super) decisions: Vec<Decided>,
    pub(super) told: &'static str,
    pub(super) told_good: bool,
}

/// What the registry knows of a device's relatives, as far as an asker may see them.
pub(crate) struct Relatives {
    /// The devices that turned out to be this one.
    pub(crate) former: Vec<DeviceId>,
    /// The device that this one turned out to be.
    pub(crate) now: Option<DeviceId>,
    /// What was decided, newest first.
    pub(crate) decisions: Vec<DecisionRecord>,
}

impl Relatives {
    /// Those of `device`, which the asker may see. What names a device beyond his scope is left out: sites of one customer may have
    /// people of their own.
    pub(crate) fn of(
        parts: &Inner,
        scope: &Scope,
        device: DeviceId,
        at: Timestamp,
    ) -> Result<Self, Failure> {
        let rules = FleetRules::at(at);
        let sees = |id: DeviceId| -> Result<bool, Failure> {
            Ok(id == device || parts.store.device(scope, id, &rules)?.is_some())
        };
        let (all, superseded_by) = parts.registry.kin(device)?;
        let mut former = Vec::new();
        for id in all {
            if sees(id)? {
                former.push(id);
            }
        }
        let now = match superseded_by {
            Some(id) if sees(id)? => Some(id),
            _ => None,
        };
        let mut decisions = Vec::new();
        for record in parts.registry.decisions_of(device)? {
            let is_seen = match record.op {
                DecisionOp::Merge { device, into } => sees(device)? && sees(into)?,
                DecisionOp::Split { device } => sees(device)?,
                DecisionOp::Undo { .. } => true,
            };
            if is_seen {
                decisions.push(record);
            }
        }
        Ok(Self {
            former,
            now,
            decisions,
        })
    }
}

impl Kin {
    pub(super) fn of(
        parts: &Inner,
        member: &Member,
        scope: &Scope,
        device: DeviceId,
        zone: &TimeZone,
        told: &str,
    ) -> Result<Self, Failure> {
        let (lang, at) = (member.visit.lang, member.visit.now);
        let Relatives {
            former,
            now,
            decisions: records,
        } = Relatives::of(parts, scope, device, at)?;
        let relative = |id| relative(parts, scope, id, at);
        let name = |id: DeviceId| relative(id).map(|relative| relative.name);
        let mut decisions = Vec::new();
        for record in records {
            let texts = lang.texts();
            let what = match record.op {
                DecisionOp::Merge { device, into } => fill(
                    texts.kin_merged,
                    &[("one", &name(device)?), ("other", &name(into)?)],
                ),
                DecisionOp::Split { device } => {
                    fill(texts.kin_split_done, &[("one", &name(device)?)])
                }
                DecisionOp::Undo { .. } => continue,
            };
            let mut detail = format!(
                "{}, {}",
                record.who,
                format::moment(lang, zone, record.at, at)
            );
            if record.undone_by.is_some() {
                detail = format!("{detail} · {}", texts.kin_undone);
            }
            decisions.push(Decided {
                what,
                detail,
                undo: record
                    .undone_by
                    .is_none()
                    .then(|| format!("/devices/{device}/decisions/{}/undo", record.id)),
            });
        }
        let (told, told_good) = sentence(lang, told);
        Ok(Self {
            now: now.map(relative).transpose()?,
            former: former.into_iter().map(relative).collect::<Result<_, _>>()?,
            decisions,
            told,
            told_good,
        })
    }
}

fn relative(
    parts: &Inner,
    scope: &Scope,
    id: DeviceId,
    now: Timestamp,
) -> Result<Relative, Failure> {
    let detail = parts.store.device(scope, id, &FleetRules::at(now))?;
    Ok(Relative {
        name: detail.map_or_else(
            || id.to_string(),
            |detail| {
                let identity = &detail.item.identity;
                let name = people::device_name(identity, id);
                match identity.serial.as_deref() {
                    Some(serial) if serial != name => format!("{name} ({serial})"),
                    _ => name,
                }
            },
        ),
        address: format!("/devices/{id}"),
    })
}

/// What is told after a decision: the sentence for a word in the address, and whether it is good news.
fn sentence(lang: Lang, word: &str) -> (&'static str, bool) {
    let texts = lang.texts();
    match word {
        "" => ("", true),
        "done" => (texts.kin_told_done, true),
        "late" => (texts.kin_told_late, true),
        "same-device" => (texts.kin_told_same, false),
        "other-customer" => (texts.kin_told_customer, false),
        "superseded" => (texts.kin_told_superseded, false),
        "nothing-to-split" => (texts.kin_told_nothing, false),
        "undone" => (texts.kin_told_undone, false),
        _ => (texts.kin_told_unknown, false),
    }
}

/// Takes a decision of somebody who may, and notes it. The word is `done`, `late`, or why it cannot be.
pub(crate) async fn decide(
    state: &State,
    member: &Member,
    op: DecisionOp,
) -> Result<Result<DecisionRecord, &'static str>, Failure> {
    member.operates()?;
    let asker = member.clone();
    let scope = state.blocking(move |parts| Ok(asker.scope(parts))).await?;
    let decision = Decision {
        op,
        who: member.account.login.clone(),
        at: member.visit.now,
    };
    let record = match state.ingest.decide(&scope, decision).await {
        Ok(record) => Ok(record),
        Err(DecideError::Void(void)) => return Ok(Err(void.word())),
        Err(DecideError::Late) => Err("late"),
        Err(DecideError::Busy) => return Err(Failure::busy()),
        Err(DecideError::Registry(error)) => return Err(error.into()),
    };
    let member = member.clone();
    state
        .blocking(move |parts| {
            let (action, subject, detail) = match op {
                DecisionOp::Merge { device, into } => {
                    ("device.merge", device.to_string(), into.to_string())
                }
                DecisionOp::Split { device } => ("device.split", device.to_string(), String::new()),
                DecisionOp::Undo { decision } => {
                    ("device.undo", decision.to_string(), String::new())
                }
            };
            let entry = Entry {
                who: &member.account.login,
                action,
                subject: &subject,
                detail: &detail,
            };
            Ok(parts.registry.note(&entry, member.visit.now)?)
        })
        .await?;
    Ok(record)
}

/// `POST /devices/{id}/same`: this device is the one that is named by id or serial number.
pub(crate) async fn same(
    Held(state): Held<State>,
    member: Member,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, Failure> {
    let device: DeviceId = id.parse().map_err(|_| Failure::NotFound)?;
    let asker = member.clone();
    let named = fields.get("other").trim().to_owned();
    let found = state
        .blocking(move |parts| find(parts, &asker, &named))
        .await?;
    let Some(into) = found else {
        return Ok(back(device, Void::UnknownDevice.word()));
    };
    let told = decide(&state, &member, DecisionOp::Merge { device, into }).await?;
    // Where the device went to is what one wants to see.
    let shown = if told.is_ok() { into } else { device };
    Ok(back(shown, word(&told)))
}

/// `POST /devices/{id}/split`: this device is not what it was taken for.
pub(crate) async fn split(
    Held(state): Held<State>,
    member: Member,
    Path(id): Path<String>,
    _: Fields,
) -> Result<Response, Failure> {
    let device: DeviceId = id.parse().map_err(|_| Failure::NotFound)?;
    let told = decide(&state, &member, DecisionOp::Split { device }).await?;
    Ok(back(device, word(&told)))
}

/// `POST /devices/{id}/decisions/{decision}/undo`: a decision is taken back.
pub(crate) async fn undo(
    Held(state): Held<State>,
    member: Member,
    Path((id, decision)): Path<(String, u64)>,
    _: Fields,
) -> Result<Response, Failure> {
    let device: DeviceId = id.parse().map_err(|_| Failure::NotFound)?;
    let told = decide(&state, &member, DecisionOp::Undo { decision }).await?;
    Ok(back(device, word(&told)))
}

fn word(told: &Result<DecisionRecord, &'static str>) -> &'static str {
    match told {
        Ok(_) => "done",
        Err(word) => word,
    }
}

fn back(device: DeviceId, word: &str) -> Response {
    Redirect::to(&format!("/devices/{device}?told={word}")).into_response()
}

/// The one device in the asker's scope with this id or serial number.
fn find(parts: &Inner, member: &Member, named: &str) -> Result<Option<DeviceId>, Failure> {
    if let Ok(id) = named.parse() {
        return Ok(Some(id));
    }
    if named.is_empty() {
        return Ok(None);
    }
    let query = FleetQuery {
        search: named.to_owned(),
        limit: FOUND_MAX,
        ..FleetQuery::at(member.visit.now)
    };
    let page = parts.store.fleet(&member.scope(parts), &query)?;
    let mut found = page.items.iter().filter(|item| {
        let serial = item.identity.serial.as_deref();
        serial.is_some_and(|serial| serial.eq_ignore_ascii_case(named))
    });
    let first = found.next().map(|item| item.device);
    // Two makers may have the same serial number: the id tells which.
    Ok(first.filter(|_| found.next().is_none()))
}
