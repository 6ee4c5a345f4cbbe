//! Agents: the programs at the customers' sites, and the keys (bearer tokens) that they send.
//!
//! A key comes from enrolment (see [`crate::enrolment`]), or is drawn here and shown once. An agent replaces its own in two steps, so that
//! it has a working one whatever dies when: the next key is registered under the present one, and takes its place when it is first used.
//! An agent belongs to the customer it was made for, for ever: devices that it reports are told apart within that customer
//! (see [`crate::identity`]). It may move between that customer's sites; for another customer, another agent is added.
//! All agents are kept in memory, so that a token costs one SHA-256 and one look-up.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use codec::id::{AGENT_ID_BYTES_MAX, AgentId, Scope, TenantId};
use codec::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use crate::database::Database;
use crate::error::{During, Error};
use crate::fresh::Notice;
use crate::tenant::{Level, checked_name};
use crate::{Registry, locked, read, token, written};

mod keys;

pub(crate) use keys::refuse_taken_key;

/// An agent without its token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Agent {
    /// What it calls itself in reports; made from the name, unique.
    pub id: AgentId,
    /// What people call it.
    pub name: String,
    /// Where it stands: the site of the devices it reports, unless somebody said otherwise.
    pub site: TenantId,
    /// The customer whose devices it reports; never changes.
    pub customer: TenantId,
    /// Whether it is barred.
    pub disabled: bool,
    /// Whether it has a key at all.
    pub has_token: bool,
    /// Since when it has the key that it uses; `None` without one.
    pub key_since: Option<Timestamp>,
    /// Until when the enrolment token is good that was made for it and not yet used.
    pub enrols_until: Option<Timestamp>,
    /// Since when it is here.
    pub created_at: Timestamp,
}

/// An agent that was just added.
#[derive(Clone, Debug)]
pub struct NewAgent {
    /// The agent.
    pub agent: Agent,
    /// Its bearer token. It is shown once and cannot be read again.
    pub token: String,
}

/// Why a key does not let an agent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentRefused {
    /// The key is none of ours, was replaced or revoked: 401.
    #[error("the key is unknown, was replaced or revoked")]
    Unknown,
    /// The agent is barred: 403.
    #[error("the agent is disabled")]
    Disabled,
    /// The agent was a customer's that is forgotten: 403.
    #[error("the agent's customer was forgotten")]
    Forgotten,
}

/// All agents, by id and by the hash of the key.
#[derive(Default)]
pub struct AgentCache {
    by_id: HashMap<AgentId, Arc<Agent>>,
    by_hash: HashMap<[u8; 32], Held>,
    /// Forgotten customers' agents, and whose they were.
    forgotten: HashMap<AgentId, TenantId>,
    /// Customers that were forgotten.
    forgotten_customers: HashSet<TenantId>,
    /// Hashes of the keys that these had.
    forgotten_hashes: HashSet<[u8; 32]>,
}

/// Whose key it is.
#[derive(Clone)]
struct Held {
    agent: Arc<Agent>,
    /// Whether it is registered and was never used: the one before it is good until then.
    is_next: bool,
}

impl AgentCache {
    pub(crate) fn get(&self, id: &AgentId) -> Option<&Arc<Agent>> {
        self.by_id.get(id)
    }

    pub(crate) fn load(database: &Database) -> Result<Self, Error> {
        database.read(|connection| {
            let mut statement = connection
                .prepare(
                    "SELECT id, name, site, domain, disabled, created_at, token_hash, coalesce(key_since, created_at), next_hash,
                            (SELECT max(expires_at) FROM enrolment WHERE agent = agent.id AND used_at IS NULL)
                     FROM agent",
                )
                .during("read the agents")?;
            let mut rows = statement.query([]).during("read the agents")?;
            let mut cache = Self::default();
            while let Some(row) = rows.next().during("read the agents")? {
                let id: String = row.get(0).during("read an agent")?;
                let hash: Option<[u8; 32]> = row.get(6).during("read an agent")?;
                let key_since: i64 = row.get(7).during("read an agent")?;
                let next: Option<[u8; 32]> = row.get(8).during("read an agent")?;
                let enrols_until: Option<i64> = row.get(9).during("read an agent")?;
                let agent = Arc::new(Agent {
                    id: AgentId::new(&id).map_err(|error| Error::Invalid(error.to_string()))?,
                    name: row.get(1).during("read an agent")?,
                    site: TenantId(row.get(2).during("read an agent")?),
                    customer: TenantId(row.get(3).during("read an agent")?),
                    disabled: row.get(4).during("read an agent")?,
                    created_at: Timestamp::from_unix_ms(row.get(5).during("read an agent")?),
                    has_token: hash.is_some(),
                    key_since: hash.map(|_| Timestamp::from_unix_ms(key_since)),
                    enrols_until: enrols_until.map(Timestamp::from_unix_ms),
                });
                for (hash, is_next) in [(hash, false), (next, true)] {
                    if let Some(hash) = hash {
                        let agent = Arc::clone(&agent);
                        cache.by_hash.insert(hash, Held { agent, is_next });
                    }
                }
                cache.by_id.insert(agent.id.clone(), agent);
            }
            cache.load_forgotten(connection)?;
            Ok(cache)
        })
    }

    fn load_forgotten(&mut self, connection: &Connection) -> Result<(), Error> {
        let mut statement = connection
            .prepare("SELECT id, token_hash, next_hash, customer FROM forgotten_agent")
            .during("read forgotten agents")?;
        let mut rows = statement.query([]).during("read forgotten agents")?;
        while let Some(row) = rows.next().during("read forgotten agents")? {
            let id: String = row.get(0).during("read a forgotten agent")?;
            let id = AgentId::new(&id).map_err(|error| Error::Invalid(error.to_string()))?;
            let customer = row.get(3).during("read a forgotten agent")?;
            self.forgotten.insert(id, TenantId(customer));
            for at in [1, 2] {
                let hash: Option<[u8; 32]> = row.get(at).during("read a forgotten agent")?;
                self.forgotten_hashes.extend(hash);
            }
        }
        let customers = connection
            .prepare("SELECT customer FROM forgotten")
            .and_then(|mut statement| {
                let rows = statement.query_map([], |row| row.get(0).map(TenantId))?;
                rows.collect()
            })
            .during("read forgotten customers")?;
        self.forgotten_customers = customers;
        Ok(())
    }

    /// Forgotten customers' agents, and whose they were.
    pub(crate) const fn forgotten(&self) -> &HashMap<AgentId, TenantId> {
        &self.forgotten
    }

    /// Whether a customer was forgotten.
    pub(crate) fn is_forgotten(&self, customer: TenantId) -> bool {
        self.forgotten_customers.contains(&customer)
    }
}

impl Registry {
    /// Adds an agent at `site` and draws its token. Its id is the name in lower case with `-` for what an id cannot hold, and
    /// a number behind it when that is taken.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a bad name, [`Error::NotFound`] when `site` is no site.
    pub fn add_agent(&self, name: &str, site: TenantId, now: Timestamp) -> Result<NewAgent, Error> {
        let mut added = self.add_agents(&[name], site, now)?;
        Ok(added.remove(0))
    }

    /// Adds many agents at `site` at once, all or none, as [`Registry::add_agent`] does one.
    ///
    /// # Errors
    /// As [`Registry::add_agent`].
    pub fn add_agents(
        &self,
        names: &[&str],
        site: TenantId,
        now: Timestamp,
    ) -> Result<Vec<NewAgent>, Error> {
        let customer = self.site_path(site)?.customer.id;
        let drawn = names
            .iter()
            .map(|name| Ok((checked_name(name)?, token::draw(token::AGENT_PREFIX)?)))
            .collect::<Result<Vec<_>, Error>>()?;
        let ids = self.inner.database.change(|transaction| {
            drawn
                .iter()
                .map(|(name, token)| {
                    let id = free_agent_id(transaction, name)?;
                    transaction
                        .execute(
                            "INSERT INTO agent (id, name, site, domain, token_hash, created_at, key_since) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
                            params![id.as_str(), name, site.0, customer.0, token::hash(token), now.unix_ms],
                        )
                        .during("add an agent")?;
                    Ok(id)
                })
                .collect::<Result<Vec<_>, Error>>()
        })?;
        self.reload_agents()?;
        ids.iter()
            .zip(drawn)
            .map(|(id, (_, token))| {
                Ok(NewAgent {
                    agent: self.agent(&Scope::Everything, id)?,
                    token,
                })
            })
            .collect()
    }

    /// The agents at the sites of `scope`, by name.
    ///
    /// # Errors
    /// None today.
    pub fn agents(&self, scope: &Scope) -> Result<Vec<Agent>, Error> {
        self.notice_changes(Notice::Lately);
        let mut agents: Vec<Agent> = read(&self.inner.agents)
            .by_id
            .values()
            .filter(|agent| scope.sees(agent.site))
            .map(|agent| Agent::clone(agent))
            .collect();
        agents.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Ok(agents)
    }

    /// One agent.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not there or not in `scope`.
    pub fn agent(&self, scope: &Scope, id: &AgentId) -> Result<Agent, Error> {
        self.agent_record(id)
            .filter(|agent| scope.sees(agent.site))
            .map(|agent| Agent::clone(&agent))
            .ok_or_else(|| Error::not_found("agent", id))
    }

    pub(crate) fn agent_record(&self, id: &AgentId) -> Option<Arc<Agent>> {
        read(&self.inner.agents).by_id.get(id).cloned()
    }

    /// Bars an agent, or lets it in again.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not in `scope`.
    pub fn set_agent_disabled(
        &self,
        scope: &Scope,
        id: &AgentId,
        disabled: bool,
    ) -> Result<(), Error> {
        self.change_agent(scope, id, |transaction| {
            transaction
                .execute(
                    "UPDATE agent SET disabled = ?2 WHERE id = ?1",
                    params![id.as_str(), disabled],
                )
                .during("bar an agent")
        })
    }

    /// Gives an agent another name. Its id stays.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not in `scope`, [`Error::Invalid`] for a bad name.
    pub fn rename_agent(&self, scope: &Scope, id: &AgentId, name: &str) -> Result<(), Error> {
        let name = checked_name(name)?;
        self.change_agent(scope, id, |transaction| {
            transaction
                .execute(
                    "UPDATE agent SET name = ?2 WHERE id = ?1",
                    [id.as_str(), name],
                )
                .during("rename an agent")
        })
    }

    /// Moves an agent to another site of its customer. Devices that nobody gave a site of their own move with it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when agent or site are not in `scope`, [`Error::Invalid`] when the site is another customer's.
    pub fn move_agent(&self, scope: &Scope, id: &AgentId, site: TenantId) -> Result<(), Error> {
        if self.tenant(scope, site)?.level != Level::Site {
            return Err(Error::not_found("site", site));
        }
        let customer = self.site_path(site)?.customer.id;
        if self.agent(scope, id)?.customer != customer {
            return Err(Error::Invalid(
                "an agent stays with its customer: add another agent for the other customer"
                    .to_owned(),
            ));
        }
        self.change_agent(scope, id, |transaction| {
            transaction
                .execute(
                    "UPDATE agent SET site = ?2 WHERE id = ?1",
                    params![id.as_str(), site.0],
                )
                .during("move an agent")
        })?;
        self.forget_device_sites();
        Ok(())
    }

    fn change_agent(
        &self,
        scope: &Scope,
        id: &AgentId,
        change: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<usize, Error>,
    ) -> Result<(), Error> {
        self.agent(scope, id)?;
        self.inner.database.change(change)?;
        self.reload_agents()
    }

    pub(crate) fn reload_agents(&self) -> Result<(), Error> {
        let _one_at_a_time = locked(&self.inner.reloading);
        let agents = AgentCache::load(&self.inner.database)?;
        *written(&self.inner.agents) = agents;
        Ok(())
    }
}

/// The first id made of `name` that no agent has.
pub(crate) fn free_agent_id(
    transaction: &rusqlite::Transaction<'_>,
    name: &str,
) -> Result<AgentId, Error> {
    /// Room for a number behind the name.
    const STEM_BYTES_MAX: usize = AGENT_ID_BYTES_MAX - 12;
    let mut stem = String::new();
    for character in name.to_lowercase().chars() {
        let mut bytes = [0; 4];
        let word: &str = match character {
            'ä' => "ae",
            'ö' => "oe",
            'ü' => "ue",
            'ß' => "ss",
            'a'..='z' | '0'..='9' | '_' | '.' => character.encode_utf8(&mut bytes),
            _ if stem.ends_with('-') || stem.is_empty() => "",
            _ => "-",
        };
        if stem.len() + word.len() > STEM_BYTES_MAX {
            break;
        }
        stem.push_str(word);
    }
    let stem = match stem.trim_end_matches('-') {
        "" => "agent",
        stem => stem,
    };
    let mut number = 1_u64;
    loop {
        let text = if number == 1 {
            stem.to_owned()
        } else {
            format!("{stem}-{number}")
        };
        let taken = transaction
            .query_row(
                "SELECT 1 FROM agent WHERE id = ?1 UNION ALL SELECT 1 FROM forgotten_agent WHERE id = ?1",
                [&text],
                |_| Ok(()),
            )
            .optional()
            .during("look for an agent's id")?;
        if taken.is_none() {
            return AgentId::new(&text).map_err(|error| Error::Invalid(error.to_string()));
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests;
