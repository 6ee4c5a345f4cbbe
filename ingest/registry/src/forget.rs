//! A customer is forgotten (Rule 8): his sites, agents, devices, accounts and all that names him go; a number, and who decided it when, stay.
//!
//! The decision is a record of the journal, a [`Tombstone`]: ids alone, and all that a replay needs. [`Registry::forget_customer`] applies it,
//! as often as it is asked to: to a registry that was restored from a backup too. What was deleted is in the file's free pages until
//! [`Registry::erase_deleted`].
//!
//! What always holds: an agent's id that was forgotten is no other agent's, ever, and no tenant's number is given twice, so that nothing
//! that is left in the journal can be taken for somebody else's.

use std::collections::HashSet;

use codec::id::{AgentId, DeviceId, TenantId};
use codec::time::Timestamp;
use rusqlite::{Transaction, params};
use serde::Serialize;

use crate::error::{During, Error};
use crate::identity::PendingChange;
use crate::tenant::Level;
use crate::{Registry, locked, read};

/// The shortest name that audit entries are searched for: a shorter one is in words that mean something else.
const NAME_CHARS_MIN: usize = 4;

/// The decision that a customer is forgotten, with all that a replay needs to know of him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The customer.
    pub customer: TenantId,
    /// His sites.
    pub sites: Vec<TenantId>,
    /// His agents.
    pub agents: Vec<AgentId>,
    /// Who decided it: a login.
    pub who: String,
    /// When.
    pub at: Timestamp,
}

/// What forgetting a customer concerns, as the registry knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concerned {
    /// The decision, were it taken now.
    pub tombstone: Tombstone,
    /// His name: what who decides must type.
    pub name: String,
    /// Devices that his agents reported.
    pub devices: u64,
    /// Of these, the ones that people gave a site of another customer: they stay with what they counted there.
    pub devices_elsewhere: u64,
    /// Accounts that are bound to him or a site of his.
    pub accounts: u64,
}

/// A customer that was forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForgottenCustomer {
    /// The number that he had.
    pub customer: TenantId,
    /// Who decided it.
    pub who: String,
    /// When.
    pub at: Timestamp,
    /// When the last file was without him; `None` while one may hold something.
    pub erased_at: Option<Timestamp>,
}

/// Where the gone devices of a transaction are listed.
const GONE: &str = "SELECT id FROM temp.gone_device";

impl Registry {
    /// What forgetting a customer concerns. It asks no scope: the whole house decides it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when he is not there or no customer.
    pub fn concerned(
        &self,
        customer: TenantId,
        who: &str,
        now: Timestamp,
    ) -> Result<Concerned, Error> {
        let tree = self.tree();
        let tenant = tree
            .get(customer)
            .filter(|tenant| tenant.level == Level::Customer)
            .ok_or_else(|| Error::not_found("customer", customer))?;
        let sites: Vec<TenantId> = tree.sites_of(customer).into_iter().collect();
        let agents = self.agents(&codec::id::Scope::Everything)?;
        let mut agents: Vec<AgentId> = agents
            .into_iter()
            .filter(|agent| agent.customer == customer)
            .map(|agent| agent.id)
            .collect();
        agents.sort_unstable();
        let list = numbers(customer, &sites);
        let count = |question: &str| {
            self.inner.database.read(|sql| {
                sql.query_row(question, [], |row| row.get::<_, i64>(0))
                    .during("count what is to be forgotten")
                    .map(|count| u64::try_from(count).unwrap_or(0))
            })
        };
        Ok(Concerned {
            name: tenant.name.clone(),
            devices: count(&format!(
                "SELECT count(*) FROM device WHERE domain = {customer}"
            ))?,
            devices_elsewhere: count(&format!(
                "SELECT count(*) FROM device WHERE domain = {customer} AND id IN
                 (SELECT device FROM device_note WHERE site NOT IN ({list}))"
            ))?,
            accounts: count(&format!(
                "SELECT count(*) FROM account WHERE branch IN ({list})"
            ))?,
            tombstone: Tombstone {
                customer,
                sites,
                agents,
                who: who.to_owned(),
                at: now,
            },
        })
    }

    /// Applies the decision: everything of the customer goes but his number, who decided it and when, and what refuses his agents. Applied
    /// again, it deletes what a backup brought back. Says whether there was anything: then the file is not without him yet.
    ///
    /// # Errors
    /// When SQLite fails; nothing was deleted then.
    pub fn forget_customer(&self, tombstone: &Tombstone) -> Result<bool, Error> {
        let mut cache = locked(&self.inner.identity);
        let was_there = self
            .inner
            .database
            .change(|transaction| delete(transaction, tombstone))?;
        cache.pending.retain(|pending| match &pending.change {
            PendingChange::Device { domain, .. } | PendingChange::Link { domain, .. } => {
                *domain != tombstone.customer
            }
            // Of a device that is not there, it changes nothing.
            PendingChange::State { .. } => true,
        });
        cache.clear();
        drop(cache);
        self.reload_agents()?;
        self.reload_tenants()?;
        Ok(was_there)
    }

    /// Makes the file hold nothing any more that was deleted from it.
    ///
    /// # Errors
    /// When SQLite fails, or another program reads for too long. It can be called again.
    pub fn erase_deleted(&self) -> Result<(), Error> {
        let writer = self.inner.database.writer();
        writer
            .execute_batch("VACUUM")
            .during("write the file anew")?;
        let is_busy = writer
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                row.get::<_, bool>(0)
            })
            .during("empty the write-ahead log")?;
        if is_busy {
            return Err(Error::Invalid(
                "the registry's write-ahead log is in use and could not be emptied".to_owned(),
            ));
        }
        Ok(())
    }

    /// Notes since when no file holds anything of a forgotten customer any more; `None` that one may.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn note_erased(&self, customer: TenantId, at: Option<Timestamp>) -> Result<(), Error> {
        self.inner.database.write(|transaction| {
            transaction
                .execute(
                    "UPDATE forgotten SET erased_at = ?2 WHERE customer = ?1",
                    params![customer.0, at.map(|at| at.unix_ms)],
                )
                .during("note that a customer is erased")
        })?;
        Ok(())
    }

    /// The customers that were forgotten, the latest first.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn forgotten(&self) -> Result<Vec<ForgottenCustomer>, Error> {
        self.inner.database.read(|sql| {
            sql.prepare_cached(
                "SELECT customer, who, decided_at, erased_at FROM forgotten ORDER BY decided_at DESC, customer DESC",
            )
            .and_then(|mut statement| {
                statement
                    .query_map([], |row| {
                        Ok(ForgottenCustomer {
                            customer: TenantId(row.get(0)?),
                            who: row.get(1)?,
                            at: Timestamp::from_unix_ms(row.get(2)?),
                            erased_at: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_unix_ms),
                        })
                    })
                    .and_then(Iterator::collect)
            })
            .during("list forgotten customers")
        })
    }

    /// Whether a customer was forgotten.
    #[must_use]
    pub fn is_forgotten(&self, customer: TenantId) -> bool {
        read(&self.inner.agents).is_forgotten(customer)
    }

    /// The customer whose agent this is, or was until he was forgotten; `None` for one that is not known.
    #[must_use]
    pub fn customer_of_agent(&self, id: &AgentId) -> Option<TenantId> {
        let agents = read(&self.inner.agents);
        let of = agents.get(id).map(|agent| agent.customer);
        of.or_else(|| agents.forgotten().get(id).copied())
    }

    /// Whether there is an agent of this id.
    #[must_use]
    pub fn knows_agent(&self, id: &AgentId) -> bool {
        read(&self.inner.agents).get(id).is_some()
    }

    /// Whether an agent was a forgotten customer's.
    #[must_use]
    pub fn is_forgotten_agent(&self, id: &AgentId) -> bool {
        read(&self.inner.agents).forgotten().contains_key(id)
    }

    /// The agents that a forgotten customer had.
    #[must_use]
    pub fn forgotten_agents(&self, customer: TenantId) -> HashSet<AgentId> {
        let agents = read(&self.inner.agents);
        let his = agents.forgotten().iter().filter(|(_, of)| **of == customer);
        his.map(|(agent, _)| agent.clone()).collect()
    }
}

/// Customer and sites as a list of SQL.
fn numbers(customer: TenantId, sites: &[TenantId]) -> String {
    let mut list = customer.to_string();
    for site in sites {
        list.push_str(", ");
        list.push_str(&site.to_string());
    }
    list
}

fn delete(sql: &Transaction<'_>, tombstone: &Tombstone) -> Result<bool, Error> {
    let customer = tombstone.customer;
    let changes_before = sql.total_changes();
    let mut sites: HashSet<TenantId> = tombstone.sites.iter().copied().collect();
    sites.extend(
        ids(
            sql,
            &format!("SELECT id FROM tenant WHERE parent = {customer}"),
        )?
        .map(TenantId),
    );
    let sites: Vec<TenantId> = sites.into_iter().collect();
    let list = numbers(customer, &sites);
    let run = |batch: &str| sql.execute_batch(batch).during("forget a customer");

    run(&format!(
        "DROP TABLE IF EXISTS temp.gone_device;
         CREATE TEMP TABLE gone_device (id BLOB PRIMARY KEY);
         INSERT INTO temp.gone_device SELECT id FROM device WHERE domain = {customer}
         AND id NOT IN (SELECT device FROM device_note WHERE site IS NOT NULL AND site NOT IN ({list}))"
    ))?;
    let is_there = sql
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM tenant WHERE id = ?1) OR EXISTS (SELECT 1 FROM agent WHERE domain = ?1)",
            [customer.0],
            |row| row.get(0),
        )
        .during("look for a customer")?;
    if is_there {
        forget_audit(sql, tombstone, &list)?;
    }
    for agent in &tombstone.agents {
        sql.execute(
            "INSERT OR IGNORE INTO forgotten_agent (id, customer) VALUES (?1, ?2)",
            params![agent.as_str(), customer.0],
        )
        .during("remember a forgotten agent's id")?;
    }
    run(&format!(
        "INSERT INTO forgotten_agent (id, customer, token_hash, next_hash)
         SELECT id, domain, token_hash, next_hash FROM agent WHERE domain = {customer}
         ON CONFLICT (id) DO UPDATE SET token_hash = coalesce(excluded.token_hash, token_hash),
         next_hash = coalesce(excluded.next_hash, next_hash);
         DELETE FROM evidence WHERE domain = {customer};
         DELETE FROM undo_evidence WHERE domain = {customer};
         DELETE FROM undo_device WHERE device IN ({GONE});
         DELETE FROM handed_over WHERE domain = {customer};
         DELETE FROM barred WHERE domain = {customer};
         DELETE FROM device_note WHERE device IN ({GONE});
         UPDATE device_note SET site = NULL WHERE site IN ({list});
         DELETE FROM device WHERE id IN ({GONE});
         DROP TABLE temp.gone_device;
         DELETE FROM decided_evidence WHERE domain = {customer};
         DELETE FROM decided_device WHERE device NOT IN (SELECT id FROM device);
         DELETE FROM apart WHERE one NOT IN (SELECT id FROM device) OR other NOT IN (SELECT id FROM device);
         DELETE FROM decision WHERE device IS NOT NULL AND device NOT IN (SELECT id FROM device);
         DELETE FROM decision WHERE op = 3 AND undoes NOT IN (SELECT id FROM decision);
         DELETE FROM session WHERE account IN (SELECT id FROM account WHERE branch IN ({list}));
         DELETE FROM api_token WHERE account IN (SELECT id FROM account WHERE branch IN ({list}));
         DELETE FROM account WHERE branch IN ({list});
         DELETE FROM enrolment WHERE agent IN (SELECT id FROM agent WHERE domain = {customer});
         DELETE FROM agent WHERE domain = {customer};
         DELETE FROM tenant WHERE parent = {customer};
         DELETE FROM tenant WHERE id = {customer}"
    ))?;
    sql.execute(
        "INSERT OR IGNORE INTO forgotten (customer, who, decided_at) VALUES (?1, ?2, ?3)",
        params![customer.0, tombstone.who, tombstone.at.unix_ms],
    )
    .during("note a forgotten customer")?;
    sql.execute(
        "INSERT INTO audit (at, who, action, subject, detail) SELECT ?1, ?2, 'customer.forget', ?3, ''
         WHERE NOT EXISTS (SELECT 1 FROM audit WHERE action = 'customer.forget' AND subject = ?3)",
        params![
            tombstone.at.unix_ms,
            tombstone.who,
            customer.to_string()
        ],
    )
    .during("write the audit log")?;
    let was_there = sql.total_changes() > changes_before;
    spend_numbers(sql, tombstone)?;
    if was_there {
        sql.execute(
            "UPDATE forgotten SET erased_at = NULL WHERE customer = ?1",
            [customer.0],
        )
        .during("note that a customer is not erased")?;
    }
    Ok(was_there)
}

/// Sees to it that no tenant gets a number of the tombstone's: a registry from a backup of before may not have given them yet, and who got one
/// would be taken for the forgotten.
fn spend_numbers(sql: &Transaction<'_>, tombstone: &Tombstone) -> Result<(), Error> {
    let numbers = tombstone.sites.iter().chain([&tombstone.customer]);
    let highest = numbers.map(|tenant| tenant.0).max();
    sql.execute(
        "UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'tenant' AND seq < ?1",
        [highest],
    )
    .during("spend a forgotten customer's numbers")?;
    Ok(())
}

/// Deletes the audit entries that name the customer: his sites, agents, devices and accounts as who or what it was about, his name anywhere.
fn forget_audit(sql: &Transaction<'_>, tombstone: &Tombstone, list: &str) -> Result<(), Error> {
    let texts = |question: &str| -> Result<HashSet<String>, Error> {
        sql.prepare(question)
            .and_then(|mut statement| {
                statement
                    .query_map([], |row| row.get(0))
                    .and_then(Iterator::collect)
            })
            .during("list what audit entries name")
    };
    let logins = texts(&format!(
        "SELECT login FROM account WHERE branch IN ({list})"
    ))?;
    let mut agents = texts(&format!(
        "SELECT id FROM agent WHERE domain = {}",
        tombstone.customer
    ))?;
    agents.extend(tombstone.agents.iter().map(ToString::to_string));
    let mut names = texts(&format!(
        "SELECT name FROM tenant WHERE id = {}",
        tombstone.customer
    ))?;
    names.retain(|name| name.chars().count() >= NAME_CHARS_MIN);
    let tenants: HashSet<String> = list.split(", ").map(ToOwned::to_owned).collect();
    let devices: HashSet<String> = sql
        .prepare(GONE)
        .and_then(|mut statement| {
            statement
                .query_map([], |row| {
                    row.get(0).map(|id| DeviceId::from_bytes(id).to_string())
                })
                .and_then(Iterator::collect)
        })
        .during("list what audit entries name")?;
    let is_his = |who: &str, action: &str, subject: &str, detail: &str| {
        logins.contains(who)
            || names
                .iter()
                .any(|name| subject.contains(name.as_str()) || detail.contains(name.as_str()))
            || match action.split_once('.').map_or(action, |(of, _)| of) {
                "account" | "session" | "token" => logins.contains(subject),
                // Many agents at once are noted under their site.
                "agent" => agents.contains(subject) || tenants.contains(subject),
                "tenant" => tenants.contains(subject),
                "device" => devices.contains(subject),
                _ => false,
            }
    };
    let mut statement = sql
        .prepare(
            "SELECT id, who, action, subject, detail FROM audit WHERE action <> 'customer.forget'",
        )
        .during("read the audit log")?;
    let mut rows = statement.query([]).during("read the audit log")?;
    let mut gone: Vec<i64> = Vec::new();
    while let Some(row) = rows.next().during("read the audit log")? {
        let text = |at| {
            row.get_ref(at)
                .and_then(|value| Ok(value.as_str()?))
                .during("read the audit log")
        };
        if is_his(text(1)?, text(2)?, text(3)?, text(4)?) {
            gone.push(row.get(0).during("read the audit log")?);
        }
    }
    for id in gone {
        sql.execute("DELETE FROM audit WHERE id = ?1", [id])
            .during("forget audit entries")?;
    }
    Ok(())
}

fn ids(sql: &Transaction<'_>, question: &str) -> Result<impl Iterator<Item = i64> + use<>, Error> {
    let ids: Vec<i64> = sql
        .prepare(question)
        .and_then(|mut statement| {
            statement
                .query_map([], |row| row.get(0))
                .and_then(Iterator::collect)
        })
        .during("list tenants")?;
    Ok(ids.into_iter())
}

#[cfg(test)]
mod tests;
