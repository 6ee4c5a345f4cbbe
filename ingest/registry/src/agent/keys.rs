//! Keys of agents: whom one lets in, how one follows another, how one ends.

use std::sync::Arc;

use codec::id::{AgentId, Scope};
use codec::time::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};

use super::{Agent, AgentRefused, Held};
use crate::error::{During, Error};
use crate::fresh::Notice;
use crate::{Registry, read, token};

impl Registry {
    /// The agent that a key speaks for. A key that was registered and is used for the first time takes the place of the one before, which
    /// is worth nothing from then on.
    ///
    /// # Errors
    /// [`AgentRefused`].
    pub fn agent_by_token(&self, key: &str) -> Result<Arc<Agent>, AgentRefused> {
        let hash = token::hash(key).ok_or(AgentRefused::Unknown)?;
        self.notice_changes(Notice::Lately);
        let held = self.held(&hash).or_else(|| {
            // Another process may have added the agent a moment ago.
            self.notice_changes(Notice::Now);
            self.held(&hash)
        });
        match held {
            Some(held) if held.agent.disabled => Err(AgentRefused::Disabled),
            Some(held) if held.is_next => self.take_next(&held.agent, &hash),
            Some(held) => Ok(held.agent),
            None if read(&self.inner.agents).forgotten_hashes.contains(&hash) => {
                Err(AgentRefused::Forgotten)
            }
            None => Err(AgentRefused::Unknown),
        }
    }

    /// Registers the SHA-256 of the key that an agent will use next. The key that it has stays good until then. The same again, or the key
    /// that it has, changes nothing; another one replaces the one registered before. Says whether it changed anything.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown agent, [`Error::Taken`] when another agent has that key.
    pub fn register_agent_key(
        &self,
        id: &AgentId,
        key_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<bool, Error> {
        let is_known = self
            .held(&key_hash)
            .is_some_and(|held| held.agent.id == *id);
        if is_known {
            return Ok(false);
        }
        self.change_agent(&Scope::Everything, id, |transaction| {
            refuse_taken_key(transaction, id, &key_hash)?;
            transaction
                .execute(
                    "UPDATE agent SET next_hash = ?2, next_since = ?3 WHERE id = ?1",
                    params![id.as_str(), key_hash, now.unix_ms],
                )
                .during("register an agent's next key")
        })?;
        Ok(true)
    }

    /// Draws another key for an agent; the one before is worth nothing from now on.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not in `scope`.
    pub fn rotate_agent_token(
        &self,
        scope: &Scope,
        id: &AgentId,
        now: Timestamp,
    ) -> Result<String, Error> {
        let key = token::draw(token::AGENT_PREFIX)?;
        self.change_agent(scope, id, |transaction| {
            transaction
                .execute(
                    "UPDATE agent SET token_hash = ?2, key_since = ?3, next_hash = NULL, next_since = NULL WHERE id = ?1",
                    params![id.as_str(), token::hash(&key), now.unix_ms],
                )
                .during("change an agent's key")
        })?;
        Ok(key)
    }

    /// Takes an agent's keys away, also one that is registered and unused, and voids its open enrolment token. Takes effect at its next
    /// request. [`Registry::invite_agent_again`] and [`Registry::rotate_agent_token`] let it in again.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not in `scope`.
    pub fn revoke_agent_token(&self, scope: &Scope, id: &AgentId) -> Result<(), Error> {
        self.change_agent(scope, id, |transaction| {
            transaction
                .execute(
                    "DELETE FROM enrolment WHERE agent = ?1 AND used_at IS NULL",
                    [id.as_str()],
                )
                .during("void an agent's enrolment token")?;
            transaction
                .execute(
                    "UPDATE agent SET token_hash = NULL, next_hash = NULL, next_since = NULL WHERE id = ?1",
                    [id.as_str()],
                )
                .during("revoke an agent's key")
        })
    }

    /// Whose key has this hash.
    pub(crate) fn agent_of_key(&self, hash: &[u8; 32]) -> Option<Arc<Agent>> {
        self.held(hash).map(|held| held.agent)
    }

    /// An agent as the file has it now.
    pub(crate) fn agent_record_now(&self, id: &AgentId) -> Option<Arc<Agent>> {
        self.notice_changes(Notice::Now);
        self.agent_record(id)
    }

    fn held(&self, hash: &[u8; 32]) -> Option<Held> {
        read(&self.inner.agents).by_hash.get(hash).cloned()
    }

    /// The registered key is in use: it is the agent's key now. When that cannot be written, both keys stay good; when it was revoked or
    /// replaced a moment ago, it lets nobody in.
    fn take_next(&self, agent: &Arc<Agent>, hash: &[u8; 32]) -> Result<Arc<Agent>, AgentRefused> {
        let taken = self.change_agent(&Scope::Everything, &agent.id, |transaction| {
            transaction
                .execute(
                    "UPDATE agent SET token_hash = next_hash, key_since = next_since, next_hash = NULL, next_since = NULL
                     WHERE id = ?1 AND next_hash = ?2",
                    params![agent.id.as_str(), hash],
                )
                .during("take an agent's next key")
        });
        if let Err(error) = taken {
            tracing::warn!(agent = %agent.id, %error, "the key before the agent's present one is still good: the change could not be written");
            return Ok(Arc::clone(agent));
        }
        match self.held(hash) {
            Some(held) if held.agent.disabled => Err(AgentRefused::Disabled),
            Some(held) => Ok(held.agent),
            None => Err(AgentRefused::Unknown),
        }
    }
}

/// Refuses a key that is another agent's: two that draw the same 256 bits are one program that was copied.
pub(crate) fn refuse_taken_key(
    transaction: &Transaction<'_>,
    id: &AgentId,
    key_hash: &[u8; 32],
) -> Result<(), Error> {
    let other = transaction
        .query_row(
            "SELECT id FROM agent WHERE id <> ?1 AND (token_hash = ?2 OR next_hash = ?2)",
            params![id.as_str(), key_hash],
            |row| row.get::<_, String>(0),
        )
        .optional()
        .during("look for a key")?;
    match other {
        Some(other) => Err(Error::Taken {
            what: "agent with that key,",
            which: other,
        }),
        None => Ok(()),
    }
}
