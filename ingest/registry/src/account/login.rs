//! Logging in: a login and its password, checked.
//!
//! A password that was right is remembered for a few minutes (as a keyed hash, in memory), so that a program which sends HTTP
//! Basic with every request does not cost a slow hash each time; every change of any account empties that memory. Beside them are the
//! sessions that could not be written: whoever comes to see why the disk is full must get in.

use std::collections::HashMap;
use std::net::IpAddr;

use codec::time::Timestamp;
use sha2::{Digest, Sha256};

use super::{Account, AccountId};
use crate::error::{During, Error};
use crate::password::Check;
use crate::{Registry, locked};

/// How long a password that was right is taken again without a slow hash.
const CHECKED_KEPT_MS: i64 = 300_000;
/// Right passwords remembered at once; when full, all are forgotten.
const CHECKED_MAX: usize = 1_000;

/// Sessions kept in memory alone at once; when full, all are forgotten.
const UNSAVED_MAX: usize = 100;
/// A session that is in memory alone ends after this: long enough to make room.
const UNSAVED_AGE_MS_MAX: i64 = 3_600_000;

/// Why a login did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Unknown login, wrong password or barred account: one answer for all three.
    #[error("login or password is wrong")]
    Refused,
    /// Too many attempts; nothing was checked.
    #[error("too many attempts: try again in {retry_after_s} s")]
    Throttled {
        /// Seconds until the next attempt is looked at.
        retry_after_s: u64,
    },
    /// The registry failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Passwords that were right lately.
#[derive(Default)]
pub(crate) struct CheckedPasswords {
    key: Option<[u8; 32]>,
    known: HashMap<[u8; 32], Known>,
    /// By the token's hash: whose, and since when.
    unsaved: HashMap<[u8; 32], (AccountId, Timestamp)>,
    generation: u64,
}

/// A password that was right.
#[derive(Clone)]
struct Known {
    account: AccountId,
    /// What it was checked against: when another process changes the password, this is no longer what is stored.
    hash: String,
    at: Timestamp,
}

impl CheckedPasswords {
    pub(crate) fn forget(&mut self) {
        self.known.clear();
        self.unsaved.clear();
        self.generation += 1;
    }

    fn digest(&mut self, login: &str, password: &str) -> Option<[u8; 32]> {
        let key = match self.key {
            Some(key) => key,
            None => {
                let mut key = [0; 32];
                getrandom::fill(&mut key).ok()?;
                *self.key.insert(key)
            }
        };
        let mut hash = Sha256::new();
        hash.update(key);
        hash.update((login.len() as u64).to_be_bytes());
        hash.update(login);
        hash.update(password);
        // The length of the login stands before it and the key is secret: no two pairs share a text, and none can be computed.
        Some(hash.finalize().into())
    }

    fn known(&self, digest: &[u8; 32], now: Timestamp) -> Option<Known> {
        self.known
            .get(digest)
            .filter(|known| (0..CHECKED_KEPT_MS).contains(&now.ms_since(known.at)))
            .cloned()
    }

    /// Keeps a session that could not be written.
    pub(crate) fn keep_session(&mut self, hash: [u8; 32], account: AccountId, now: Timestamp) {
        if self.unsaved.len() >= UNSAVED_MAX {
            self.unsaved.clear();
        }
        self.unsaved.insert(hash, (account, now));
    }

    /// A session that could not be written: whose, and since when.
    pub(crate) fn kept_session(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Option<(AccountId, Timestamp)> {
        let kept = self.unsaved.get(hash).copied();
        kept.filter(|(_, since)| (0..UNSAVED_AGE_MS_MAX).contains(&now.ms_since(*since)))
    }

    /// Ends such a session; says whether there was one.
    pub(crate) fn drop_session(&mut self, hash: &[u8; 32]) -> bool {
        self.unsaved.remove(hash).is_some()
    }

    fn remember(&mut self, digest: [u8; 32], known: Known) {
        if self.known.len() >= CHECKED_MAX {
            self.known.clear();
        }
        self.known.insert(digest, known);
    }
}

/// Says that something was not noted which nobody needs to get on: on a full disk questions are answered all the same.
pub(crate) fn unnoted(noted: Result<(), Error>) {
    if let Err(error) = noted {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the registry could not note something, which hinders nobody"
        );
    }
}

impl Registry {
    /// Checks a login and its password: for the login page, for HTTP Basic and for the SOAP header alike.
    ///
    /// # Errors
    /// [`LoginError::Refused`] and [`LoginError::Throttled`] are for the caller, [`LoginError::Failed`] is ours.
    pub fn verify_password(
        &self,
        login: &str,
        password: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Account, LoginError> {
        let (digest, known, generation) = {
            let mut checked = locked(&self.inner.checked);
            let digest = checked.digest(&login.trim().to_lowercase(), password);
            let known = digest.and_then(|digest| checked.known(&digest, now));
            (digest, known, checked.generation)
        };
        if let Some(known) = known {
            let account = self.account(known.account)?;
            if !account.disabled && self.password_hash(account.id)? == known.hash {
                return Ok(account);
            }
        }
        if let Err(wait_ms) = locked(&self.inner.throttle).attempt(login, address, now) {
            return Err(LoginError::Throttled {
                retry_after_s: u64::try_from(wait_ms).unwrap_or(0).div_ceil(1000),
            });
        }
        let account = self
            .account_by_login(login)?
            .filter(|account| !account.disabled);
        let hash = match &account {
            Some(account) => Some(self.password_hash(account.id)?),
            None => None,
        };
        let check = self.inner.passwords.check(password, hash.as_deref())?;
        let account = match (check, account) {
            (Check::Right, Some(account)) => account,
            (Check::Busy, _) => {
                locked(&self.inner.throttle).taken_back(address);
                return Err(LoginError::Throttled { retry_after_s: 1 });
            }
            (Check::Right | Check::Wrong, _) => return Err(LoginError::Refused),
        };
        locked(&self.inner.throttle).succeeded(login, address);
        let noted = self.inner.database.write(|transaction| {
            transaction
                .execute(
                    "UPDATE account SET last_login_at = ?2 WHERE id = ?1",
                    [account.id.0, now.unix_ms],
                )
                .during("note a login")
        });
        // The password was right all the same.
        unnoted(noted.map(drop));
        if let Some(digest) = digest {
            let mut checked = locked(&self.inner.checked);
            if checked.generation == generation {
                let hash = hash.expect("an account that was found has a hash");
                checked.remember(
                    digest,
                    Known {
                        account: account.id,
                        hash,
                        at: now,
                    },
                );
            }
        }
        Ok(account)
    }

    fn password_hash(&self, id: AccountId) -> Result<String, Error> {
        self.inner.database.read(|connection| {
            connection
                .query_row(
                    "SELECT password_hash FROM account WHERE id = ?1",
                    [id.0],
                    |row| row.get(0),
                )
                .during("read a password's hash")
        })
    }

    /// Forgets every password that was checked lately: after a change of an account.
    pub(super) fn forget_checked_passwords(&self) {
        locked(&self.inner.checked).forget();
    }
}
