//! The registry: what people and programs are to the manager, in one SQLite file.
//!
//! | module | what it holds |
//! |---|---|
//! | [`tenant`] | dealers, customers and sites; branches, and the scope each of them means |
//! | [`account`] | people and ERP programs that log in; roles, languages |
//! | [`password`] | argon2id hashes and the least a password must be |
//! | [`throttle`] | how often a password may be tried |
//! | [`session`] | what a browser holds after a login |
//! | [`token`] | API tokens, and how every secret of the house is drawn and hashed |
//! | [`agent`] | agents and their keys |
//! | [`enrolment`] | one-time tokens that are exchanged for an agent's key |
//! | [`identity`] | which device a report speaks of (Rule 3) |
//! | [`forget`] | a customer is forgotten (Rule 8) |
//! | [`device`] | what people know of a device: its site and its references in the ERP |
//! | [`settings`], [`audit`] | small typed values; who did what |
//! | [`database`] | the file: WAL, migrations, the writer and the readers |
//!
//! What always holds:
//!
//! - Every call blocks for at most a few milliseconds (a password check: some tens); callers in async code use `spawn_blocking`.
//! - What a method returned `Ok` for is on disk.
//! - Secrets are stored as hashes only; a token is shown once, when it is made.
//! - A change made by another process (the CLI beside a running manager) is noticed within a second.
//! - Locks are taken in one order: freshness, a reload, identity, the writer; the caches of tenants and agents only for a look.

pub mod account;
pub mod agent;
pub mod audit;
pub mod database;
pub mod device;
pub mod enrolment;
pub mod error;
pub mod forget;
mod fresh;
pub mod identity;
pub mod password;
pub mod session;
pub mod settings;
pub mod tenant;
pub mod throttle;
pub mod token;

use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

pub use account::{Account, AccountChange, AccountId, Language, LoginError, NewAccount, Role};
pub use agent::{Agent, AgentRefused, NewAgent};
pub use audit::{AuditEntry, Entry};
pub use device::{DeviceNote, DeviceRecord, References};
pub use enrolment::{EnrolError, NewEnrolment};
pub use error::Error;
pub use forget::{Concerned, ForgottenCustomer, Tombstone};
pub use identity::{
    Certainty, Change, Decision, DecisionOp, DecisionRecord, Evidence, Finding, Resolution,
    Resolver, Void,
};
pub use session::{NewSession, Session};
pub use tenant::{Branch, Level, NewTenant, SitePath, Tenant};
pub use token::{ApiToken, ApiTokenId};

use agent::AgentCache;
use database::Database;
use identity::IdentityCache;
use password::Passwords;
use tenant::TenantTree;
use throttle::Throttle;

/// The registry. A clone is another handle to the same one.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    tenants: RwLock<Arc<TenantTree>>,
    agents: RwLock<AgentCache>,
    /// Held while a cache is read anew, so that of two changes the later is what stays.
    reloading: Mutex<()>,
    identity: Mutex<IdentityCache>,
    fresh: Mutex<fresh::Freshness>,
    passwords: Passwords,
    throttle: Mutex<Throttle>,
    checked: Mutex<account::CheckedPasswords>,
}

impl Registry {
    /// Opens the registry at `path`, makes it when it is not there, and brings its schema up to date.
    ///
    /// A fresh registry has one dealer, one customer and one site, so that a first agent can be added at once.
    ///
    /// # Errors
    /// When the file cannot be opened, is no registry, or was written by a newer program.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::start(Database::open(path)?, Passwords::new(password::Cost::Full))
    }

    /// A registry that lives as long as its handles: for tests, benches and tools. Its passwords are hashed at the lowest
    /// cost, since nothing of it outlives the process.
    ///
    /// # Errors
    /// When SQLite fails, which without a file it has no reason to.
    pub fn in_memory() -> Result<Self, Error> {
        Self::start(
            Database::in_memory()?,
            Passwords::new(password::Cost::Lowest),
        )
    }

    fn start(database: Database, passwords: Passwords) -> Result<Self, Error> {
        tenant::plant_defaults(&database)?;
        let tenants = TenantTree::load(&database)?;
        let agents = AgentCache::load(&database)?;
        Ok(Self {
            inner: Arc::new(Inner {
                database,
                tenants: RwLock::new(Arc::new(tenants)),
                agents: RwLock::new(agents),
                reloading: Mutex::new(()),
                identity: Mutex::new(IdentityCache::default()),
                fresh: Mutex::new(fresh::Freshness::default()),
                passwords,
                throttle: Mutex::new(Throttle::default()),
                checked: Mutex::new(account::CheckedPasswords::default()),
            }),
        })
    }

    /// What is wrong in the file, in sentences; empty when all is well. It reads all of it.
    ///
    /// # Errors
    /// When the file cannot even be read.
    pub fn check(&self) -> Result<Vec<String>, Error> {
        self.inner.database.check()
    }

    /// Writes a consistent copy of the whole registry to `path`, while it is in use.
    ///
    /// # Errors
    /// When `path` exists or cannot be written.
    pub fn backup(&self, path: &Path) -> Result<(), Error> {
        self.inner.database.backup(path)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

/// The guard of a lock, also when a thread panicked while it held it: every cache behind these locks is rebuilt from SQLite
/// or is valid at each step, so that there is nothing to protect.
pub(crate) fn locked<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// As [`locked`], for reading.
pub(crate) fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// As [`locked`], for writing.
pub(crate) fn written<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
