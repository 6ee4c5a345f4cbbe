//! Enrolment: a one-time token, made by a person, is exchanged for a key that the agent drew itself.
//!
//! The agent draws its key, keeps it on disk, and sends the token together with the key's SHA-256. So the key never travels before it is
//! used, and an answer that was lost on the way strands nobody: the same token with the same key is answered again, with no further
//! effect. With any other key the token is used up. What always holds: of token and key only hashes are stored; a token is good for one
//! agent, once, until it expires; the newest token of an agent voids those before it.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use codec::id::{AgentId, Scope, TenantId};
use codec::time::Timestamp;
use data_encoding::HEXLOWER;
use rusqlite::{OptionalExtension, Transaction, params};

use crate::agent::{Agent, free_agent_id};
use crate::audit::Entry;
use crate::error::{During, Error};
use crate::tenant::checked_name;
use crate::token::{self, ENROL_PREFIX};
use crate::{Registry, locked};

/// How long a token is good unless asked otherwise: somebody drives to the customer tomorrow.
pub const VALID_MS_DEFAULT: i64 = 24 * 3_600_000;
/// The shortest: what is shorter expires while it is typed.
pub const VALID_MS_MIN: i64 = 60_000;
/// The longest: a token that lies about for longer is a key under the mat.
pub const VALID_MS_MAX: i64 = 30 * 24 * 3_600_000;
/// For so long after its end a token is still known by name, so that who uses it late is told why it does not work.
const REMEMBERED_MS: i64 = 30 * 24 * 3_600_000;

/// A token that was just made.
#[derive(Clone, Debug)]
pub struct NewEnrolment {
    /// The agent that it makes.
    pub agent: Agent,
    /// The token. It is shown once and cannot be read again.
    pub token: String,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// Why a token was not exchanged.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// None of ours, or voided by a newer one: 401.
    #[error("this enrolment token is not known, or a newer one was made: make another one")]
    Unknown,
    /// Too late: 410.
    #[error("this enrolment token expired at {at}: make another one")]
    Expired {
        /// When.
        at: Timestamp,
    },
    /// It was exchanged for another key, or that key is void since: 409.
    #[error(
        "this enrolment token was used at {at} already; if that was not this agent, revoke the agent's key. Make another token"
    )]
    Used {
        /// When.
        at: Timestamp,
    },
    /// The agent is barred: 403.
    #[error("the agent is disabled")]
    Disabled,
    /// Too many attempts; nothing was looked at: 429.
    #[error("too many attempts: try again in {retry_after_s} s")]
    Throttled {
        /// Seconds until the next attempt is looked at.
        retry_after_s: u64,
    },
    /// The registry failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl EnrolError {
    /// A stable word for metrics and programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown-token",
            Self::Expired { .. } => "expired",
            Self::Used { .. } => "used",
            Self::Disabled => "disabled",
            Self::Throttled { .. } => "throttled",
            Self::Failed(_) => "failed",
        }
    }
}

/// What is stored of a token.
struct Stored {
    agent: AgentId,
    expires_at: Timestamp,
    used_at: Option<Timestamp>,
    key_hash: Option<[u8; 32]>,
}

impl Registry {
    /// Adds an agent without a key at `site`, and makes the token that it enrols with. Its id is made as by [`Registry::add_agent`].
    ///
    /// # Errors
    /// [`Error::Invalid`] for a bad name or time, [`Error::NotFound`] when `site` is no site.
    pub fn invite_agent(
        &self,
        name: &str,
        site: TenantId,
        valid_ms: i64,
        now: Timestamp,
    ) -> Result<NewEnrolment, Error> {
        let name = checked_name(name)?;
        let customer = self.site_path(site)?.customer.id;
        let made = Made::draw(valid_ms, now)?;
        let id = self.inner.database.change(|transaction| {
            let id = free_agent_id(transaction, name)?;
            transaction
                .execute(
                    "INSERT INTO agent (id, name, site, domain, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![id.as_str(), name, site.0, customer.0, now.unix_ms],
                )
                .during("add an agent")?;
            made.store(transaction, &id, now)?;
            Ok(id)
        })?;
        self.reload_agents()?;
        Ok(made.of(self.agent(&Scope::Everything, &id)?))
    }

    /// Makes a token for an agent that is there: its machine was set up anew, or its key was revoked. The key that it has stays good
    /// until the token is exchanged.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not in `scope`, [`Error::Invalid`] for a bad time.
    pub fn invite_agent_again(
        &self,
        scope: &Scope,
        id: &AgentId,
        valid_ms: i64,
        now: Timestamp,
    ) -> Result<NewEnrolment, Error> {
        self.agent(scope, id)?;
        let made = Made::draw(valid_ms, now)?;
        self.inner
            .database
            .change(|transaction| made.store(transaction, id, now))?;
        self.reload_agents()?;
        Ok(made.of(self.agent(scope, id)?))
    }

    /// Exchanges a token for the key with this SHA-256. The same again has the same answer and no effect. Whatever is decided about a
    /// token of ours stands in the audit log.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub fn enrol(
        &self,
        token: &str,
        key_hash: [u8; 32],
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Arc<Agent>, EnrolError> {
        match self.enrol_if(
            token,
            key_hash,
            (address, now),
            |_| Ok::<(), Infallible>(()),
        )? {
            Ok(agent) => Ok(agent),
            Err(never) => match never {},
        }
    }

    /// As [`Registry::enrol`], unless `admits` says why not to the agent that the token was made for: then the token is not used up. It is
    /// asked after the attempt was counted, so that it costs a guesser as much as any other.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub fn enrol_if<Why>(
        &self,
        token: &str,
        key_hash: [u8; 32],
        (address, now): (IpAddr, Timestamp),
        admits: impl FnOnce(&AgentId) -> Result<(), Why>,
    ) -> Result<Result<Arc<Agent>, Why>, EnrolError> {
        let hash = token::hash(token)
            .filter(|_| token.starts_with(ENROL_PREFIX))
            .unwrap_or_default();
        let login = HEXLOWER.encode(&hash);
        if let Err(wait_ms) = locked(&self.inner.throttle).attempt(&login, address, now) {
            return Err(EnrolError::Throttled {
                retry_after_s: u64::try_from(wait_ms).unwrap_or(0).div_ceil(1000),
            });
        }
        let stored = self.stored_enrolment(&hash)?.ok_or(EnrolError::Unknown)?;
        if let Err(why) = admits(&stored.agent) {
            return Ok(Err(why));
        }
        let result = self.exchange(&stored, &hash, key_hash, now);
        let detail = match &result {
            Ok(_) => format!("from {address}"),
            Err(error) => format!("from {address}: {}", error.word()),
        };
        let entry = Entry {
            who: "agent",
            action: if result.is_ok() {
                "agent.enrol"
            } else {
                "agent.enrol-refused"
            },
            subject: stored.agent.as_str(),
            detail: &detail,
        };
        match result {
            // The same again: it stands there already.
            Ok((agent, false)) => {
                locked(&self.inner.throttle).succeeded(&login, address);
                Ok(Ok(agent))
            }
            Ok((agent, true)) => {
                locked(&self.inner.throttle).succeeded(&login, address);
                self.note(&entry, now)?;
                Ok(Ok(agent))
            }
            Err(error) => {
                self.note(&entry, now)?;
                Err(error)
            }
        }
    }

    fn stored_enrolment(&self, hash: &[u8; 32]) -> Result<Option<Stored>, Error> {
        self.inner.database.read(|connection| {
            connection
                .query_row(
                    "SELECT agent, expires_at, used_at, key_hash FROM enrolment WHERE token_hash = ?1",
                    [hash],
                    |row| {
                        Ok((
                            row.get::<_, String>(0)?,
                            row.get::<_, i64>(1)?,
                            row.get::<_, Option<i64>>(2)?,
                            row.get::<_, Option<[u8; 32]>>(3)?,
                        ))
                    },
                )
                .optional()
                .during("look up an enrolment token")?
                .map(|(agent, expires_at, used_at, key_hash)| {
                    Ok(Stored {
                        agent: AgentId::new(&agent)
                            .map_err(|error| Error::Invalid(error.to_string()))?,
                        expires_at: Timestamp::from_unix_ms(expires_at),
                        used_at: used_at.map(Timestamp::from_unix_ms),
                        key_hash,
                    })
                })
                .transpose()
        })
    }

    /// The agent, and whether anything changed.
    fn exchange(
        &self,
        stored: &Stored,
        token_hash: &[u8; 32],
        key_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<(Arc<Agent>, bool), EnrolError> {
        let agent = self
            .agent_record_now(&stored.agent)
            .ok_or(EnrolError::Unknown)?;
        if agent.disabled {
            return Err(EnrolError::Disabled);
        }
        if let Some(at) = stored.used_at {
            let is_repeated = stored.key_hash == Some(key_hash)
                && self
                    .agent_of_key(&key_hash)
                    .is_some_and(|held| held.id == agent.id);
            return if is_repeated {
                Ok((agent, false))
            } else {
                Err(EnrolError::Used { at })
            };
        }
        if now > stored.expires_at {
            return Err(EnrolError::Expired {
                at: stored.expires_at,
            });
        }
        let is_first = self.inner.database.change(|transaction| {
            // Of two at the same moment one comes first.
            let taken = transaction
                .execute(
                    "UPDATE enrolment SET used_at = ?2, key_hash = ?3 WHERE token_hash = ?1 AND used_at IS NULL",
                    params![token_hash, now.unix_ms, key_hash],
                )
                .during("use an enrolment token")?;
            if taken == 0 {
                return Ok(false);
            }
            crate::agent::refuse_taken_key(transaction, &stored.agent, &key_hash)?;
            transaction
                .execute(
                    "UPDATE agent SET token_hash = ?2, key_since = ?3, next_hash = NULL, next_since = NULL WHERE id = ?1",
                    params![stored.agent.as_str(), key_hash, now.unix_ms],
                )
                .during("give an agent its key")?;
            Ok(true)
        })?;
        if !is_first {
            return Err(EnrolError::Used { at: now });
        }
        self.reload_agents()?;
        let agent = self
            .agent_record_now(&stored.agent)
            .ok_or(EnrolError::Unknown)?;
        Ok((agent, true))
    }
}

/// A token before it is in the file.
struct Made {
    token: String,
    expires_at: Timestamp,
}

impl Made {
    fn draw(valid_ms: i64, now: Timestamp) -> Result<Self, Error> {
        if !(VALID_MS_MIN..=VALID_MS_MAX).contains(&valid_ms) {
            return Err(Error::Invalid(
                "an enrolment token is good for one minute to 30 days".to_owned(),
            ));
        }
        Ok(Self {
            token: token::draw(ENROL_PREFIX)?,
            expires_at: now.plus_ms(valid_ms),
        })
    }

    /// Stores it, voids the agent's open ones, and forgets what ended long ago.
    fn store(
        &self,
        transaction: &Transaction<'_>,
        id: &AgentId,
        now: Timestamp,
    ) -> Result<(), Error> {
        transaction
            .execute(
                "DELETE FROM enrolment WHERE (agent = ?1 AND used_at IS NULL) OR coalesce(used_at, expires_at) < ?2",
                params![id.as_str(), now.unix_ms - REMEMBERED_MS],
            )
            .during("void older enrolment tokens")?;
        transaction
            .execute(
                "INSERT INTO enrolment (token_hash, agent, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)",
                params![
                    token::hash(&self.token),
                    id.as_str(),
                    now.unix_ms,
                    self.expires_at.unix_ms
                ],
            )
            .during("make an enrolment token")?;
        Ok(())
    }

    fn of(self, agent: Agent) -> NewEnrolment {
        NewEnrolment {
            agent,
            token: self.token,
            expires_at: self.expires_at,
        }
    }
}

#[cfg(test)]
mod tests;
