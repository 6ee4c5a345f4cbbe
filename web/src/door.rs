//! What the agents' addresses have in common: who calls, and how he is refused; and how an agent comes by its key.
//!
//! | address | what it takes | what it answers |
//! |---|---|---|
//! | `POST /v1/enrol` | `{"token", "key_hash"}`: a one-time token and the SHA-256 of a key that the agent drew | 200 `{"agent", "name", "key_hash"}` |
//! | `POST /v1/key` | `{"key_hash"}`, under the key that the agent has | 200 `{"agent", "name", "key_hash"}` |
//! | `POST /v1/reports` | see [`crate::reports`] | |
//!
//! A refusal is a [`Refusal`] with a word and a sentence. Both exchanges may be repeated with the same key after an answer was lost, with
//! no further effect; the answer echoes the hash, so that a proxy's 200 is none. The key itself travels only when it is used.

use std::sync::Arc;

use axum::Json;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use codec::id::AgentId;
use codec::key::{ContentHash, Refusal};
use codec::time::Timestamp;
use registry::agent::AgentRefused;
use registry::{Agent, EnrolError, Entry};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, chain};
use crate::metrics::Reason;
use crate::router::intake::{self, Room};
use crate::serve::{Client, NotShown};
use crate::state::State;
use crate::visit::client;

/// The most bytes of what is sent to `/v1/enrol` and `/v1/key`: two short texts.
const EXCHANGE_BYTES_MAX: usize = 4 * 1024;

/// A key to be registered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyWish {
    /// SHA-256 of the key as it will be sent.
    key_hash: ContentHash,
}

/// A token to be exchanged.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnrolWish {
    token: String,
    key_hash: ContentHash,
}

/// Whose key it is now.
#[derive(Serialize)]
struct Exchanged {
    agent: AgentId,
    name: String,
    key_hash: ContentHash,
}

impl Exchanged {
    fn answer(agent: &Agent, key_hash: ContentHash) -> Response {
        Json(Self {
            agent: agent.id.clone(),
            name: agent.name.clone(),
            key_hash,
        })
        .into_response()
    }
}

/// The agent that calls, by its key, and by its certificate where the listener asks for one.
pub(crate) async fn agent(state: &State, head: &Parts) -> Result<Arc<Agent>, Response> {
    let key = head
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default()
        .trim()
        .to_owned();
    let known = state
        .blocking(move |parts| Ok(parts.registry.agent_by_token(&key)))
        .await;
    match known {
        Ok(Ok(agent)) => uncertified(head, &agent.id).map_or(Ok(agent), Err),
        Ok(Err(AgentRefused::Unknown)) => Err(unauthorized()),
        Ok(Err(AgentRefused::Disabled)) => Err(refused(
            StatusCode::FORBIDDEN,
            "disabled",
            "this agent is disabled at the manager",
        )),
        Ok(Err(AgentRefused::Forgotten)) => Err(refused(
            StatusCode::FORBIDDEN,
            "forgotten",
            "the customer of this agent was forgotten at the manager, with all that it delivered: switch it off",
        )),
        Err(failure) => Err(failed(&failure)),
    }
}

/// The refusal of a client whose certificate does not let it speak for this agent.
fn uncertified(head: &Parts, agent: &AgentId) -> Option<Response> {
    let client = head.extensions.get::<Client>()?;
    Some(match client.speaks_for(agent).err()? {
        NotShown::Nothing => refused(
            StatusCode::FORBIDDEN,
            "no-certificate",
            "this manager lets agents in only with a client certificate: see client_certificate_file in the table [manager.tls] of agent.toml",
        ),
        NotShown::Other => refused(
            StatusCode::FORBIDDEN,
            "other-certificate",
            &format!(
                "the client certificate is not that of agent {agent}: its id must be among the certificate's DNS names"
            ),
        ),
    })
}

/// `POST /v1/enrol`.
pub(crate) async fn enrol(state: &State, bodies: &Room, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let wish: EnrolWish = match wish(bodies, &head, body).await {
        Ok(wish) => wish,
        Err(response) => return response,
    };
    let address = client::address(&state.config, &head.headers, &head.extensions);
    let exchanged = state
        .blocking(move |parts| {
            let key_hash = wish.key_hash;
            // A certificate is looked at before the token is used up, and after the attempt was counted.
            let enrolled = parts.registry.enrol_if(
                &wish.token,
                key_hash.0,
                (address, Timestamp::now()),
                |agent| uncertified(&head, agent).map_or(Ok(()), |no| Err(Box::new(no))),
            );
            Ok(match enrolled {
                Ok(Err(response)) => *response,
                Ok(Ok(agent)) => {
                    tracing::info!(agent = %agent.id, %address, "an agent enrolled");
                    Exchanged::answer(&agent, key_hash)
                }
                Err(error) => enrol_refused(&error),
            })
        })
        .await;
    exchanged.unwrap_or_else(|failure| failed(&failure))
}

fn enrol_refused(error: &EnrolError) -> Response {
    let status = match error {
        EnrolError::Unknown => StatusCode::UNAUTHORIZED,
        EnrolError::Disabled => StatusCode::FORBIDDEN,
        EnrolError::Used { .. } => StatusCode::CONFLICT,
        EnrolError::Expired { .. } => StatusCode::GONE,
        EnrolError::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
        EnrolError::Failed(registry::Error::Taken { .. }) => StatusCode::CONFLICT,
        EnrolError::Failed(cause) => return failed(&Failure::internal(chain(cause))),
    };
    let mut response = refused(status, error.word(), &error.to_string());
    if let EnrolError::Throttled { retry_after_s } = error {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(*retry_after_s));
    }
    response
}

/// `POST /v1/key`: the key that the agent will use next. The one that it has stays good until then.
pub(crate) async fn next_key(state: &State, bodies: &Room, request: Request) -> Response {
    let (head, body) = request.into_parts();
    // Who it is comes first: a stranger's body is not read.
    let agent = match agent(state, &head).await {
        Ok(agent) => agent,
        Err(response) => return response,
    };
    let wish: KeyWish = match wish(bodies, &head, body).await {
        Ok(wish) => wish,
        Err(response) => return response,
    };
    let address = client::address(&state.config, &head.headers, &head.extensions);
    let registered = state
        .blocking(move |parts| {
            let now = Timestamp::now();
            let is_new = parts
                .registry
                .register_agent_key(&agent.id, wish.key_hash.0, now)?;
            if is_new {
                tracing::info!(agent = %agent.id, "an agent registered its next key");
                let entry = Entry {
                    who: "agent",
                    action: "agent.key",
                    subject: agent.id.as_str(),
                    detail: &format!("from {address}"),
                };
                parts.registry.note(&entry, now)?;
            }
            Ok(Exchanged::answer(&agent, wish.key_hash))
        })
        .await;
    registered.unwrap_or_else(|failure| match failure {
        Failure::Conflict(sentence) => refused(StatusCode::CONFLICT, "taken", &sentence),
        failure => failed(&failure),
    })
}

async fn wish<T: serde::de::DeserializeOwned>(
    bodies: &Room,
    head: &Parts,
    body: axum::body::Body,
) -> Result<T, Response> {
    let body = intake::read(bodies, &head.headers, body, EXCHANGE_BYTES_MAX)
        .await
        .map_err(|failure| failed(&failure))?;
    serde_json::from_slice(&body.bytes).map_err(|error| {
        refused(
            StatusCode::BAD_REQUEST,
            "malformed",
            &format!("the body cannot be understood: {error}"),
        )
    })
}

/// A refusal with a word and a sentence.
pub(crate) fn refused(status: StatusCode, reason: &'static str, detail: &str) -> Response {
    let refusal = Refusal {
        refused: None,
        reason: reason.to_owned(),
        detail: detail.to_owned(),
    };
    let mut response = (status, Json(refusal)).into_response();
    response.extensions_mut().insert(Reason(reason.into()));
    response
}

fn unauthorized() -> Response {
    let mut response = refused(
        StatusCode::UNAUTHORIZED,
        "unknown-key",
        "this key is no agent's, or was replaced or revoked: enrol the agent again (see `platen agent enrol`)",
    );
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(r#"Bearer realm="Platen""#),
    );
    response
}

/// A failure that is not the agent's alone: of time, of room, or ours.
fn failed(failure: &Failure) -> Response {
    let status = failure.status();
    let mut response = refused(status, failure.word(), &status.to_string());
    failure.headers(&mut response);
    response
}
