//! Sessions: what a browser holds after a login.
//!
//! The token is 256 random bits; its SHA-256 is what is stored. A session ends after some hours without a request, after some
//! days in any case, when somebody ends it, and when the account is barred or its password changes. The CSRF token is made of
//! the session's token, so that a form knows it and a foreign page cannot.

use codec::time::Timestamp;
use data_encoding::BASE64URL_NOPAD;
use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::account::login::unnoted;
use crate::account::{Account, AccountId};
use crate::error::{During, Error};
use crate::{Registry, locked, token};

/// Without a request for this long, a session is over: half a working day.
pub const IDLE_MS_MAX: i64 = 12 * 3_600_000;
/// However busy, a session is over after this.
pub const AGE_MS_MAX: i64 = 7 * 86_400_000;
/// Sessions of one account at once; the oldest goes when one more begins.
pub const SESSIONS_PER_ACCOUNT_MAX: i64 = 50;
/// How fresh "last seen" is kept: a write per request would be a write per request.
const SEEN_STEP_MS: i64 = 60_000;

/// A session that has just begun.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// What the cookie holds. It cannot be read again.
    pub token: String,
    /// What forms send back.
    pub csrf: String,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
}

/// A session that stands.
#[derive(Clone, Debug)]
pub struct Session {
    /// Whose it is.
    pub account: Account,
    /// What forms send back.
    pub csrf: String,
    /// When it began.
    pub created_at: Timestamp,
}

impl Session {
    /// Whether `given` is this session's CSRF token, compared in constant time.
    #[must_use]
    pub fn csrf_fits(&self, given: &str) -> bool {
        self.csrf.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

fn csrf_of(token: &str) -> String {
    let mut hash = Sha256::new();
    hash.update("csrf\0");
    hash.update(token);
    BASE64URL_NOPAD.encode(&hash.finalize())
}

impl Registry {
    /// Begins a session for an account whose password was just right.
    ///
    /// One that cannot be written, on a full disk, is in this program's memory alone and ends with it.
    ///
    /// # Errors
    /// When the source of random bytes fails.
    pub fn create_session(&self, account: AccountId, now: Timestamp) -> Result<NewSession, Error> {
        let token = token::draw("")?;
        let written = self.inner.database.write(|transaction| {
            transaction
                .execute(
                    "DELETE FROM session WHERE seen_at < ?1 OR created_at < ?2",
                    [now.unix_ms - IDLE_MS_MAX, now.unix_ms - AGE_MS_MAX],
                )
                .during("clear old sessions")?;
            transaction
                .execute(
                    "DELETE FROM session WHERE account = ?1 AND token_hash NOT IN
                     (SELECT token_hash FROM session WHERE account = ?1 ORDER BY created_at DESC LIMIT ?2)",
                    [account.0, SESSIONS_PER_ACCOUNT_MAX - 1],
                )
                .during("clear an account's oldest sessions")?;
            transaction
                .execute(
                    "INSERT INTO session (token_hash, account, created_at, seen_at) VALUES (?1, ?2, ?3, ?3)",
                    params![token::hash(&token), account.0, now.unix_ms],
                )
                .during("begin a session")
        });
        if written.is_err()
            && let Some(hash) = token::hash(&token)
        {
            unnoted(written.map(drop));
            locked(&self.inner.checked).keep_session(hash, account, now);
        }
        Ok(NewSession {
            csrf: csrf_of(&token),
            ends_at: now.plus_ms(AGE_MS_MAX),
            token,
        })
    }

    /// The session that a cookie speaks of, if it stands; this is a request of it.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn session(&self, token: &str, now: Timestamp) -> Result<Option<Session>, Error> {
        let Some(hash) = token::hash(token) else {
            return Ok(None);
        };
        let found = self.inner.database.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT account, created_at, seen_at FROM session WHERE token_hash = ?1",
                )
                .and_then(|mut statement| {
                    statement
                        .query_row([hash], |row| {
                            Ok((
                                AccountId(row.get(0)?),
                                row.get::<_, i64>(1)?,
                                row.get::<_, i64>(2)?,
                            ))
                        })
                        .optional()
                })
                .during("look up a session")
        })?;
        let unsaved = || {
            let (account, since) = locked(&self.inner.checked).kept_session(&hash, now)?;
            Some((account, since.unix_ms, now.unix_ms))
        };
        let Some((account, created_at, seen_at)) = found.or_else(unsaved) else {
            return Ok(None);
        };
        if now.unix_ms - seen_at >= IDLE_MS_MAX || now.unix_ms - created_at >= AGE_MS_MAX {
            unnoted(self.end_session(token));
            return Ok(None);
        }
        let account = self.account(account)?;
        if account.disabled {
            return Ok(None);
        }
        if now.unix_ms - seen_at >= SEEN_STEP_MS {
            let noted = self.inner.database.write(|transaction| {
                transaction
                    .execute(
                        "UPDATE session SET seen_at = ?2 WHERE token_hash = ?1",
                        params![hash, now.unix_ms],
                    )
                    .during("note a session's use")
            });
            unnoted(noted.map(drop));
        }
        Ok(Some(Session {
            account,
            csrf: csrf_of(token),
            created_at: Timestamp::from_unix_ms(created_at),
        }))
    }

    /// Ends a session; one that does not stand is ended already.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn end_session(&self, token: &str) -> Result<(), Error> {
        let Some(hash) = token::hash(token) else {
            return Ok(());
        };
        if locked(&self.inner.checked).drop_session(&hash) {
            // It was never written: a full disk hinders nobody from leaving.
            return Ok(());
        }
        self.inner.database.write(|transaction| {
            transaction
                .execute("DELETE FROM session WHERE token_hash = ?1", [hash])
                .during("end a session")
        })?;
        Ok(())
    }

    /// Ends every session of an account.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn end_sessions_of(&self, account: AccountId) -> Result<(), Error> {
        locked(&self.inner.checked).forget();
        self.inner.database.write(|transaction| {
            transaction
                .execute("DELETE FROM session WHERE account = ?1", [account.0])
                .during("end an account's sessions")
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
