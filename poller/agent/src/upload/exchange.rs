//! Keys and the manager: a token becomes a key (enrolment), a key follows another.
//!
//! | address | what is sent | under which key |
//! |---|---|---|
//! | `/v1/enrol` | the token, and the SHA-256 of the key | none |
//! | `/v1/key` | the SHA-256 of the key that comes next | the present one |
//!
//! What always holds: an answer counts only when it echoes the hash (a proxy's 200 does not), and both exchanges may be repeated.

use std::path::{Path, PathBuf};

use codec::id::AgentId;
use codec::key::{ContentHash, Refusal};
use serde::Deserialize;
use serde_json::json;
use ureq::http::StatusCode;

use super::http::{HttpError, Line, quoted};
use super::keys::{KeyFile, KeyFileError, Keys};
use crate::clock::Clock;
use crate::config::{ManagerConfig, Secret};

/// How a key file ends that was written beside the one that was meant, which is another agent's.
const TAKEN_ENDING: &str = "enrolled.key";

/// What the manager answers when it knows a key.
#[derive(Deserialize)]
struct Exchanged {
    agent: AgentId,
    key_hash: ContentHash,
}

/// Why an agent did not enrol.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Certificates or proxy.
    #[error("the way to the manager cannot be set up")]
    Way(#[from] HttpError),
    /// The key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The manager refuses.
    #[error("the manager refuses: {0}")]
    Refused(String),
    /// The manager cannot be reached, or something else answers for it.
    #[error("{0}; the same command goes on where this one stopped")]
    Again(String),
    /// The token was another agent's than the one whose key is in the file.
    #[error(
        "the token is one of the agent {agent}, and {path:?} holds the key of {holder}, which stays there: the key of {agent} is in {kept_in:?}"
    )]
    Other {
        /// Whose token it was.
        agent: AgentId,
        /// Whose key the file holds.
        holder: AgentId,
        /// The file.
        path: PathBuf,
        /// Where the key is that came of the token.
        kept_in: PathBuf,
    },
}

/// Exchanges a token for a key, which stands in `key_file` from before it is told of. A key of another agent that stands there stays.
///
/// # Errors
/// [`EnrolError`]; after [`EnrolError::Again`] the same call may be made again, whatever became of this one.
pub fn enrol(
    manager: &ManagerConfig,
    token: &str,
    key_file: &Path,
    clock: Clock,
) -> Result<AgentId, EnrolError> {
    let line = Line::new(manager, clock)?;
    let mut file = KeyFile::read(key_file)?.unwrap_or_default();
    let key = file.begin_enrolling(token);
    file.write(key_file)?;
    let key_hash = ContentHash::of(key.reveal().as_bytes());
    let wish = json!({ "token": token, "key_hash": key_hash });
    match exchange(&line, "/v1/enrol", None, &wish, key_hash) {
        Ok(agent) => {
            let now = clock.now();
            if let Some(holder) = file.holder().filter(|holder| **holder != agent) {
                let kept_in = key_file.with_file_name(format!("{agent}.{TAKEN_ENDING}"));
                let mut own = KeyFile::default();
                own.enrolled(agent.clone(), key, now);
                own.write(&kept_in)?;
                return Err(EnrolError::Other {
                    agent,
                    holder: holder.clone(),
                    path: key_file.to_owned(),
                    kept_in,
                });
            }
            file.enrolled(agent.clone(), key, now);
            file.write(key_file)?;
            Ok(agent)
        }
        Err(Failed::Refused(sentence)) => Err(EnrolError::Refused(sentence)),
        Err(Failed::Again(sentence)) => Err(EnrolError::Again(sentence)),
    }
}

/// Why there is no new key.
enum Failed {
    /// The manager says so.
    Refused(String),
    /// Not now.
    Again(String),
}

/// Asks the manager to know a key.
fn exchange(
    line: &Line,
    path: &str,
    bearer: Option<&Secret>,
    wish: &serde_json::Value,
    key_hash: ContentHash,
) -> Result<AgentId, Failed> {
    let (status, body) = line
        .exchange(path, bearer, &wish.to_string())
        .map_err(|error| Failed::Again(format!("{error} ({})", line.url(path))))?;
    if status == StatusCode::OK {
        return match serde_json::from_slice::<Exchanged>(&body) {
            Ok(exchanged) if exchanged.key_hash == key_hash => Ok(exchanged.agent),
            _ => Err(Failed::Again(format!(
                "answered 200 without naming the key: something between here and the manager answers for it ({})",
                quoted(&body)
            ))),
        };
    }
    match serde_json::from_slice::<Refusal>(&body) {
        Ok(refusal) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
            Err(Failed::Refused(refusal.detail))
        }
        Ok(refusal) => Err(Failed::Again(format!(
            "answered {status}: {}",
            refusal.detail
        ))),
        Err(_) => Err(Failed::Again(format!(
            "answered {status} ({})",
            quoted(&body)
        ))),
    }
}

/// The key is old, says the manager: another one follows it. What hinders that is logged; the present key stays in use.
pub(super) fn renew(line: &Line, keys: &Keys, clock: Clock) {
    // Another thread is at it.
    let Ok(_one_at_a_time) = keys.exchanging.try_lock() else {
        return;
    };
    let next = match keys.prepare() {
        Ok(Some(next)) => next,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(error = %super::Chain(&error), "the agent's key is old, but the next one cannot be written: the present one stays in use");
            return;
        }
    };
    match register(line, &keys.current(), &next) {
        Ok(()) => match keys.take(&next, clock.now()) {
            Ok(()) => tracing::info!("the agent has a new key: the one before was old"),
            Err(error) => {
                tracing::error!(error = %super::Chain(&error), "the manager knows the agent's next key, but that cannot be written: the present one stays in use");
            }
        },
        Err(Failed::Refused(sentence) | Failed::Again(sentence)) => {
            tracing::warn!(
                why = sentence,
                "the agent's key is old, but the manager did not take the next one yet"
            );
        }
    }
}

/// The manager refuses the present key: perhaps it takes the next or the one before, and learns of the present one by that. Says whether it
/// did.
pub(super) fn heal(line: &Line, keys: &Keys) -> bool {
    let Ok(_one_at_a_time) = keys.exchanging.try_lock() else {
        return false;
    };
    let current = keys.current();
    let healed = keys
        .others()
        .iter()
        .any(|other| register(line, other, &current).is_ok());
    if healed {
        tracing::warn!(
            "the manager did not know the agent's key but another one of its keys, as after being restored from a backup: it knows both now"
        );
    }
    healed
}

fn register(line: &Line, bearer: &Secret, key: &Secret) -> Result<(), Failed> {
    let key_hash = ContentHash::of(key.reveal().as_bytes());
    let wish = json!({ "key_hash": key_hash });
    exchange(line, "/v1/key", Some(bearer), &wish, key_hash).map(drop)
}

#[cfg(test)]
mod tests;
