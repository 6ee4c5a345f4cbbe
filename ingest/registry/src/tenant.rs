//! Tenants: dealer → customer → site, and the branch of them that somebody may see.
//!
//! A dealer has no parent, a customer's parent is a dealer, a site's parent is a customer. Only a site has a time zone: its
//! month ends there (Rule 7). The whole tree is kept in memory (some thousands of rows at most) and replaced on each change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use codec::id::{Scope, TenantId};
use codec::time::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::database::Database;
use crate::error::{During, Error};
use crate::fresh::Notice;
use crate::{Registry, locked, read, written};

/// The longest name, number or time zone, in characters: what a page and an ERP field can still show.
pub const TEXT_CHARS_MAX: usize = 200;

/// Where in the tree a tenant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Sells and services; the top.
    Dealer,
    /// Has the contract.
    Customer,
    /// A place with devices and a time zone.
    Site,
}

impl Level {
    /// The word for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dealer => "dealer",
            Self::Customer => "customer",
            Self::Site => "site",
        }
    }

    /// The level that `word` names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Dealer, Self::Customer, Self::Site]
            .into_iter()
            .find(|level| level.word() == word)
    }

    /// What its parent must be.
    #[must_use]
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::Dealer => None,
            Self::Customer => Some(Self::Dealer),
            Self::Site => Some(Self::Customer),
        }
    }

    const fn number(self) -> i64 {
        match self {
            Self::Dealer => 1,
            Self::Customer => 2,
            Self::Site => 3,
        }
    }

    fn from_number(number: i64) -> Option<Self> {
        [Self::Dealer, Self::Customer, Self::Site]
            .into_iter()
            .find(|level| level.number() == number)
    }
}

/// A dealer, a customer or a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tenant {
    /// Its number here.
    pub id: TenantId,
    /// What it is.
    pub level: Level,
    /// Above it; none for a dealer.
    pub parent: Option<TenantId>,
    /// Unique among its siblings.
    pub name: String,
    /// What the ERP calls it (customerNo).
    pub number: Option<String>,
    /// Of a site: the IANA name of its time zone.
    pub time_zone: Option<String>,
    /// Since when it is here.
    pub created_at: Timestamp,
}

/// What a new tenant is to be.
#[derive(Clone, Copy, Debug)]
pub struct NewTenant<'a> {
    /// What it is.
    pub level: Level,
    /// Above it; none for a dealer.
    pub parent: Option<TenantId>,
    /// Its name.
    pub name: &'a str,
    /// What the ERP calls it.
    pub number: Option<&'a str>,
    /// Of a site, and only of one: an IANA name such as `Europe/Berlin`.
    pub time_zone: Option<&'a str>,
}

/// The part of the tree that an account may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Branch {
    /// All of it: the provider's own people.
    House,
    /// A tenant and what is below it.
    Tenant(TenantId),
}

/// A site and what is above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SitePath {
    /// The top.
    pub dealer: Tenant,
    /// The middle.
    pub customer: Tenant,
    /// The site itself.
    pub site: Tenant,
}

/// All tenants, by number, and each one's children.
#[derive(Debug, Default)]
pub struct TenantTree {
    tenants: BTreeMap<TenantId, Tenant>,
}

impl TenantTree {
    pub(crate) fn load(database: &Database) -> Result<Self, Error> {
        database.read(|connection| {
            let mut statement = connection
                .prepare(
                    "SELECT id, level, parent, name, number, time_zone, created_at FROM tenant",
                )
                .during("read the tenants")?;
            let rows = statement
                .query_map([], |row| {
                    Ok(Tenant {
                        id: TenantId(row.get(0)?),
                        level: Level::from_number(row.get(1)?)
                            .expect("the schema's check admits three levels"),
                        parent: row.get::<_, Option<i64>>(2)?.map(TenantId),
                        name: row.get(3)?,
                        number: row.get(4)?,
                        time_zone: row.get(5)?,
                        created_at: Timestamp::from_unix_ms(row.get(6)?),
                    })
                })
                .during("read the tenants")?;
            let mut tenants = BTreeMap::new();
            for tenant in rows {
                let tenant = tenant.during("read a tenant")?;
                tenants.insert(tenant.id, tenant);
            }
            Ok(Self { tenants })
        })
    }

    pub(crate) fn get(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(&id)
    }

    /// The tenant of `level` at or above `id`.
    pub(crate) fn ancestor(&self, id: TenantId, level: Level) -> Option<&Tenant> {
        let mut tenant = self.tenants.get(&id)?;
        while tenant.level != level {
            tenant = self.tenants.get(&tenant.parent?)?;
        }
        Some(tenant)
    }

    /// Whether `id` is `top` or below it.
    pub(crate) fn is_within(&self, id: TenantId, top: Branch) -> bool {
        match top {
            Branch::House => true,
            Branch::Tenant(top) => self
                .get(top)
                .and_then(|top| self.ancestor(id, top.level))
                .is_some_and(|ancestor| ancestor.id == top),
        }
    }

    pub(crate) fn sites_of(&self, branch: TenantId) -> BTreeSet<TenantId> {
        self.tenants
            .values()
            .filter(|tenant| tenant.level == Level::Site)
            .filter(|site| self.is_within(site.id, Branch::Tenant(branch)))
            .map(|site| site.id)
            .collect()
    }

    /// Whether somebody with `scope` may see `tenant`: everything, or a site in it, or what is above such a site.
    fn sees(&self, scope: &Scope, tenant: &Tenant) -> bool {
        match scope {
            Scope::Everything => true,
            Scope::Sites(sites) => sites.iter().any(|site| {
                self.ancestor(*site, tenant.level)
                    .is_some_and(|ancestor| ancestor.id == tenant.id)
            }),
        }
    }
}

/// Gives a fresh registry its first dealer, customer and site.
pub(crate) fn plant_defaults(database: &Database) -> Result<(), Error> {
    database.write(|transaction| {
        let tenants: i64 = transaction
            .query_row("SELECT count(*) FROM tenant", [], |row| row.get(0))
            .during("count the tenants")?;
        if tenants == 0 {
            transaction
                .execute_batch(
                    "INSERT INTO tenant (id, level, parent, name, number, time_zone, created_at) VALUES
                     (1, 1, NULL, 'Default dealer', NULL, NULL, 0),
                     (2, 2, 1, 'Default customer', NULL, NULL, 0),
                     (3, 3, 2, 'Default site', NULL, 'Etc/UTC', 0)",
                )
                .during("make the first tenants")?;
        }
        Ok(())
    })
}

impl Registry {
    /// Makes a tenant.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the parent is not of the level above, the name is empty or too long, or the time zone is no
    /// IANA name (a site must have one, others none); [`Error::Taken`] when a sibling has the name.
    pub fn create_tenant(&self, new: &NewTenant<'_>, now: Timestamp) -> Result<Tenant, Error> {
        let name = checked_name(new.name)?;
        let number = new.number.map(checked_text).transpose()?.flatten();
        let tree = self.tree();
        let parent = new
            .parent
            .map(|id| tree.get(id).ok_or_else(|| Error::not_found("tenant", id)));
        let parent = parent.transpose()?;
        if parent.map(|parent| parent.level) != new.level.parent() {
            return Err(Error::Invalid(match new.level.parent() {
                None => "a dealer has no parent".to_owned(),
                Some(parent) => format!(
                    "a {} needs a {} as its parent",
                    new.level.word(),
                    parent.word()
                ),
            }));
        }
        match (new.level, new.time_zone) {
            (Level::Site, Some(zone)) => check_time_zone(zone)?,
            (Level::Site, None) => {
                return Err(Error::Invalid(
                    "a site needs a time zone, such as Europe/Berlin".to_owned(),
                ));
            }
            (_, None) => {}
            (level, Some(_)) => {
                return Err(Error::Invalid(format!(
                    "a {} has no time zone: its sites have",
                    level.word()
                )));
            }
        }
        let id = self.inner.database.change(|transaction| {
            refuse_taken_name(transaction, new.parent, name, None)?;
            transaction
                .execute(
                    "INSERT INTO tenant (level, parent, name, number, time_zone, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![new.level.number(), new.parent.map(|id| id.0), name, number, new.time_zone, now.unix_ms],
                )
                .during("add a tenant")?;
            Ok(TenantId(transaction.last_insert_rowid()))
        })?;
        self.reload_tenants()?;
        self.tenant(&Scope::Everything, id)
    }

    /// Changes a tenant's name.
    ///
    /// # Errors
    /// As [`Registry::create_tenant`]; [`Error::NotFound`] when it is not in `scope`.
    pub fn rename_tenant(&self, scope: &Scope, id: TenantId, name: &str) -> Result<(), Error> {
        let tenant = self.tenant(scope, id)?;
        let name = checked_name(name)?;
        self.inner.database.change(|transaction| {
            refuse_taken_name(transaction, tenant.parent, name, Some(id))?;
            transaction
                .execute(
                    "UPDATE tenant SET name = ?2 WHERE id = ?1",
                    params![id.0, name],
                )
                .during("rename a tenant")
        })?;
        self.reload_tenants()
    }

    /// Changes what the ERP calls a tenant; an empty text is none.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not in `scope`, [`Error::Invalid`] when the number is too long.
    pub fn renumber_tenant(
        &self,
        scope: &Scope,
        id: TenantId,
        number: Option<&str>,
    ) -> Result<(), Error> {
        self.tenant(scope, id)?;
        let number = number.map(checked_text).transpose()?.flatten();
        self.inner.database.change(|transaction| {
            transaction
                .execute(
                    "UPDATE tenant SET number = ?2 WHERE id = ?1",
                    params![id.0, number],
                )
                .during("renumber a tenant")
        })?;
        self.reload_tenants()
    }

    /// Changes a site's time zone.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not in `scope`, [`Error::Invalid`] when it is no site or the zone no IANA name.
    pub fn set_time_zone(&self, scope: &Scope, id: TenantId, zone: &str) -> Result<(), Error> {
        if self.tenant(scope, id)?.level != Level::Site {
            return Err(Error::Invalid("only a site has a time zone".to_owned()));
        }
        check_time_zone(zone)?;
        self.inner.database.change(|transaction| {
            transaction
                .execute(
                    "UPDATE tenant SET time_zone = ?2 WHERE id = ?1",
                    params![id.0, zone],
                )
                .during("change a time zone")
        })?;
        self.reload_tenants()
    }

    /// The tenants that `scope` may see (sites, and what is above them), dealers first, then by name.
    ///
    /// # Errors
    /// None today.
    pub fn tenants(&self, scope: &Scope) -> Result<Vec<Tenant>, Error> {
        let tree = self.tree();
        let mut tenants: Vec<Tenant> = tree
            .tenants
            .values()
            .filter(|tenant| tree.sees(scope, tenant))
            .cloned()
            .collect();
        tenants.sort_by(|a, b| (a.level, &a.name, a.id).cmp(&(b.level, &b.name, b.id)));
        Ok(tenants)
    }

    /// One tenant.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not there or not in `scope`.
    pub fn tenant(&self, scope: &Scope, id: TenantId) -> Result<Tenant, Error> {
        let tree = self.tree();
        tree.get(id)
            .filter(|tenant| tree.sees(scope, tenant))
            .cloned()
            .ok_or_else(|| Error::not_found("tenant", id))
    }

    /// The site that was made first: where an agent goes when nobody said where.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no site.
    pub fn default_site(&self) -> Result<TenantId, Error> {
        self.tree()
            .tenants
            .values()
            .find(|tenant| tenant.level == Level::Site)
            .map(|site| site.id)
            .ok_or_else(|| Error::not_found("site", "at all"))
    }

    /// The sites that a branch means.
    #[must_use]
    pub fn scope_of(&self, branch: Branch) -> Scope {
        match branch {
            Branch::House => Scope::Everything,
            Branch::Tenant(id) => Scope::Sites(self.tree().sites_of(id)),
        }
    }

    /// The sites in `scope` of every customer that the ERP calls `number`; empty when it calls none so.
    ///
    /// # Errors
    /// None today.
    pub fn sites_of_customer_no(
        &self,
        scope: &Scope,
        number: &str,
    ) -> Result<BTreeSet<TenantId>, Error> {
        let tree = self.tree();
        let sites = tree
            .tenants
            .values()
            .filter(|tenant| tenant.level == Level::Site && scope.sees(tenant.id))
            .filter(|site| {
                tree.ancestor(site.id, Level::Customer)
                    .is_some_and(|customer| customer.number.as_deref() == Some(number))
            });
        Ok(sites.map(|site| site.id).collect())
    }

    /// A site with its customer and its dealer, for pages and the ERP.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is no site.
    pub fn site_path(&self, site: TenantId) -> Result<SitePath, Error> {
        let tree = self.tree();
        let at = |level| {
            tree.ancestor(site, level)
                .cloned()
                .ok_or_else(|| Error::not_found("site", site))
        };
        let path = SitePath {
            dealer: at(Level::Dealer)?,
            customer: at(Level::Customer)?,
            site: at(Level::Site)?,
        };
        Ok(path)
    }

    pub(crate) fn tree(&self) -> Arc<TenantTree> {
        self.notice_changes(Notice::Lately);
        Arc::clone(&read(&self.inner.tenants))
    }

    pub(crate) fn reload_tenants(&self) -> Result<(), Error> {
        let _one_at_a_time = locked(&self.inner.reloading);
        let tree = TenantTree::load(&self.inner.database)?;
        *written(&self.inner.tenants) = Arc::new(tree);
        Ok(())
    }
}

fn refuse_taken_name(
    transaction: &rusqlite::Transaction<'_>,
    parent: Option<TenantId>,
    name: &str,
    but: Option<TenantId>,
) -> Result<(), Error> {
    let other: Option<i64> = transaction
        .query_row(
            "SELECT id FROM tenant WHERE coalesce(parent, 0) = ?1 AND name = ?2",
            params![parent.map_or(0, |id| id.0), name],
            |row| row.get(0),
        )
        .optional()
        .during("look for a tenant's name")?;
    match other {
        Some(id) if Some(TenantId(id)) != but => Err(Error::Taken {
            what: "tenant",
            which: name.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// A name without spaces around it: not empty, not too long, no control characters.
pub(crate) fn checked_name(name: &str) -> Result<&str, Error> {
    checked_text(name)?.ok_or_else(|| Error::Invalid("a name must not be empty".to_owned()))
}

/// A text without spaces around it; an empty one is none.
pub(crate) fn checked_text(text: &str) -> Result<Option<&str>, Error> {
    let text = text.trim();
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(Error::Invalid(format!(
            "a name or number has at most {TEXT_CHARS_MAX} characters"
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::Invalid(
            "a name or number has no control characters".to_owned(),
        ));
    }
    Ok((!text.is_empty()).then_some(text))
}

fn check_time_zone(zone: &str) -> Result<(), Error> {
    match jiff::tz::TimeZone::get(zone) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::Invalid(format!(
            "{zone:?} is no IANA time zone; one is Europe/Berlin"
        ))),
    }
}

#[cfg(test)]
mod tests;
