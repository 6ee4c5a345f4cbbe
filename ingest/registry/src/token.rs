//! Secrets of the house: how they are drawn, how they look, and API tokens.
//!
//! A secret is 256 random bits behind a prefix that says what it is (so that scanners of repositories and people recognise
//! it). Only its SHA-256 is stored: with 256 bits of chance there is nothing to guess, and no need for a slow hash.

use codec::time::Timestamp;
use data_encoding::BASE64URL_NOPAD;
use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::Registry;
use crate::account::login::unnoted;
use crate::account::{Account, AccountId};
use crate::error::{During, Error};
use crate::tenant::checked_name;

/// What an agent's bearer token begins with.
pub const AGENT_PREFIX: &str = "plt_agent_";
/// What an enrolment token begins with.
pub const ENROL_PREFIX: &str = "plt_enrol_";
/// What an API token begins with.
pub const API_PREFIX: &str = "plt_api_";
/// API tokens that one account may hold: more is a program that does not keep its own.
pub const TOKENS_PER_ACCOUNT_MAX: i64 = 50;
/// No secret of ours is longer; what is longer is not even hashed.
const SECRET_BYTES_MAX: usize = 128;
/// How fresh "last used" is kept: a write per request would be a write per request.
const LAST_USED_STEP_MS: i64 = 60_000;

/// An API token, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ApiTokenId(pub i64);

/// An API token without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiToken {
    /// Its number.
    pub id: ApiTokenId,
    /// Whose it is.
    pub account: AccountId,
    /// What it is for.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// Draws a secret: `prefix` and 43 characters of base64url.
pub(crate) fn draw(prefix: &str) -> Result<String, Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| Error::Random(error.to_string()))?;
    Ok(format!("{prefix}{}", BASE64URL_NOPAD.encode(&bytes)))
}

/// What is stored of a secret; `None` when it cannot be one of ours.
pub(crate) fn hash(secret: &str) -> Option<[u8; 32]> {
    (secret.len() <= SECRET_BYTES_MAX).then(|| Sha256::digest(secret.as_bytes()).into())
}

impl Registry {
    /// Makes an API token. The second value is the secret: it is shown once and cannot be read again.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a bad name or too many tokens, [`Error::NotFound`] for an unknown account.
    pub fn create_api_token(
        &self,
        account: AccountId,
        name: &str,
        now: Timestamp,
    ) -> Result<(ApiToken, String), Error> {
        let name = checked_name(name)?;
        self.account(account)?;
        let secret = draw(API_PREFIX)?;
        let id = self.inner.database.write(|transaction| {
            let held: i64 = transaction
                .query_row("SELECT count(*) FROM api_token WHERE account = ?1", [account.0], |row| row.get(0))
                .during("count an account's API tokens")?;
            if held >= TOKENS_PER_ACCOUNT_MAX {
                return Err(Error::Invalid(format!(
                    "the account has {TOKENS_PER_ACCOUNT_MAX} API tokens already: revoke one first"
                )));
            }
            transaction
                .execute(
                    "INSERT INTO api_token (token_hash, account, name, created_at) VALUES (?1, ?2, ?3, ?4)",
                    params![hash(&secret), account.0, name, now.unix_ms],
                )
                .during("add an API token")?;
            Ok(ApiTokenId(transaction.last_insert_rowid()))
        })?;
        let token = ApiToken {
            id,
            account,
            name: name.to_owned(),
            created_at: now,
            last_used_at: None,
        };
        Ok((token, secret))
    }

    /// An account's API tokens, the newest first.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn api_tokens(&self, account: AccountId) -> Result<Vec<ApiToken>, Error> {
        self.inner.database.read(|connection| {
            let mut statement = connection
                .prepare_cached(
                    "SELECT id, account, name, created_at, last_used_at FROM api_token WHERE account = ?1 ORDER BY id DESC",
                )
                .during("list API tokens")?;
            let tokens = statement
                .query_map([account.0], |row| {
                    Ok(ApiToken {
                        id: ApiTokenId(row.get(0)?),
                        account: AccountId(row.get(1)?),
                        name: row.get(2)?,
                        created_at: Timestamp::from_unix_ms(row.get(3)?),
                        last_used_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_unix_ms),
                    })
                })
                .during("list API tokens")?;
            tokens.collect::<Result<_, _>>().during("list API tokens")
        })
    }

    /// Ends an API token of `account`.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the account has no such token.
    pub fn revoke_api_token(&self, account: AccountId, id: ApiTokenId) -> Result<(), Error> {
        let gone = self.inner.database.write(|transaction| {
            transaction
                .execute(
                    "DELETE FROM api_token WHERE id = ?1 AND account = ?2",
                    [id.0, account.0],
                )
                .during("revoke an API token")
        })?;
        if gone == 0 {
            return Err(Error::not_found("API token", id.0));
        }
        Ok(())
    }

    /// The account that a presented API token speaks for; `None` when it is none of ours or the account is disabled.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn account_of_api_token(
        &self,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<Account>, Error> {
        let Some(hash) = hash(secret).filter(|_| secret.starts_with(API_PREFIX)) else {
            return Ok(None);
        };
        let found = self.inner.database.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT id, account, last_used_at FROM api_token WHERE token_hash = ?1",
                )
                .and_then(|mut statement| {
                    statement
                        .query_row([hash], |row| {
                            Ok((
                                row.get::<_, i64>(0)?,
                                AccountId(row.get(1)?),
                                row.get::<_, Option<i64>>(2)?,
                            ))
                        })
                        .optional()
                })
                .during("look up an API token")
        })?;
        let Some((id, account, last_used_at)) = found else {
            return Ok(None);
        };
        let account = self.account(account)?;
        if account.disabled {
            return Ok(None);
        }
        if last_used_at.is_none_or(|last| now.unix_ms - last >= LAST_USED_STEP_MS) {
            let noted = self.inner.database.write(|transaction| {
                transaction
                    .execute(
                        "UPDATE api_token SET last_used_at = ?2 WHERE id = ?1",
                        [id, now.unix_ms],
                    )
                    .during("note an API token's use")
            });
            unnoted(noted.map(drop));
        }
        Ok(Some(account))
    }
}
