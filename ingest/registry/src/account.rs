//! Accounts: people and ERP programs that log in.
//!
//! A login is compared without regard to case.

pub(crate) mod login;

use codec::id::TenantId;
use codec::time::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use crate::Registry;
use crate::error::{During, Error};
use crate::tenant::{Branch, checked_name};

pub(crate) use login::CheckedPasswords;
pub use login::LoginError;

/// The longest login, in characters: an e-mail address fits.
pub const LOGIN_CHARS_MAX: usize = 100;

/// An account, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub i64);

macro_rules! stored_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word for programs, as stored.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The value that `word` names.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

stored_words! {
    /// What an account may do within its branch.
    Role {
        /// Everything, accounts and settings included.
        Admin = "admin",
        /// Devices, agents and tenants, but no accounts and no settings.
        Operator = "operator",
        /// Look.
        Viewer = "viewer",
        /// A program: the SOAP service and the API, no pages.
        Erp = "erp",
    }
}

stored_words! {
    /// The language of an account's pages.
    Language {
        /// German.
        De = "de",
        /// English.
        En = "en",
    }
}

impl Role {
    /// May manage accounts, settings and everything below.
    #[must_use]
    pub const fn administers(self) -> bool {
        matches!(self, Self::Admin)
    }

    /// May change devices, agents and tenants.
    #[must_use]
    pub const fn operates(self) -> bool {
        matches!(self, Self::Admin | Self::Operator)
    }

    /// May write the ERP's references at devices.
    #[must_use]
    pub const fn writes_references(self) -> bool {
        matches!(self, Self::Admin | Self::Operator | Self::Erp)
    }
}

/// Somebody who can log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// What is typed, in lower case.
    pub login: String,
    /// What is shown.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// What it may see.
    pub branch: Branch,
    /// The language of its pages.
    pub language: Language,
    /// Whether it is barred.
    pub disabled: bool,
    /// Since when it is here.
    pub created_at: Timestamp,
    /// The last login with the password, to some minutes.
    pub last_login_at: Option<Timestamp>,
}

/// What a new account is to be.
#[derive(Clone, Copy, Debug)]
pub struct NewAccount<'a> {
    /// What is typed.
    pub login: &'a str,
    /// What is shown.
    pub name: &'a str,
    /// At least ten characters.
    pub password: &'a str,
    /// What it may do.
    pub role: Role,
    /// What it may see.
    pub branch: Branch,
    /// The language of its pages.
    pub language: Language,
}

/// What of an account is to be other; `None` leaves it.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccountChange<'a> {
    /// What is shown.
    pub name: Option<&'a str>,
    /// What it may do.
    pub role: Option<Role>,
    /// What it may see.
    pub branch: Option<Branch>,
    /// The language of its pages.
    pub language: Option<Language>,
    /// Whether it is barred. Barring ends its sessions.
    pub disabled: Option<bool>,
}

const COLUMNS: &str =
    "id, login, name, role, branch, language, disabled, created_at, last_login_at";

fn account_from(row: &Row<'_>) -> Result<Account, rusqlite::Error> {
    let word: String = row.get(3)?;
    let language: String = row.get(5)?;
    Ok(Account {
        id: AccountId(row.get(0)?),
        login: row.get(1)?,
        name: row.get(2)?,
        // A word that this program does not know (a newer one's) means the least.
        role: Role::from_word(&word).unwrap_or(Role::Viewer),
        branch: row
            .get::<_, Option<i64>>(4)?
            .map_or(Branch::House, |id| Branch::Tenant(TenantId(id))),
        language: Language::from_word(&language).unwrap_or(Language::En),
        disabled: row.get(6)?,
        created_at: Timestamp::from_unix_ms(row.get(7)?),
        last_login_at: row.get::<_, Option<i64>>(8)?.map(Timestamp::from_unix_ms),
    })
}

const fn branch_column(branch: Branch) -> Option<i64> {
    match branch {
        Branch::House => None,
        Branch::Tenant(id) => Some(id.0),
    }
}

impl Registry {
    /// Makes an account.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a login, name or password that cannot be taken, [`Error::Taken`] when the login exists,
    /// [`Error::NotFound`] when the branch is no tenant.
    pub fn create_account(&self, new: &NewAccount<'_>, now: Timestamp) -> Result<Account, Error> {
        let login = checked_login(new.login)?;
        let name = checked_name(new.name)?;
        self.check_branch(new.branch)?;
        let hash = self.inner.passwords.hash(new.password)?;
        let id = self.inner.database.write(|transaction| {
            let taken = transaction
                .query_row("SELECT 1 FROM account WHERE login = ?1", [&login], |_| Ok(()))
                .optional()
                .during("look for a login")?;
            if taken.is_some() {
                return Err(Error::Taken { what: "account", which: login.clone() });
            }
            transaction
                .execute(
                    "INSERT INTO account (login, name, role, branch, language, password_hash, created_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![
                        login,
                        name,
                        new.role.word(),
                        branch_column(new.branch),
                        new.language.word(),
                        hash,
                        now.unix_ms
                    ],
                )
                .during("add an account")?;
            Ok(AccountId(transaction.last_insert_rowid()))
        })?;
        self.account(id)
    }

    /// One account.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not there.
    pub fn account(&self, id: AccountId) -> Result<Account, Error> {
        let found = self.inner.database.read(|connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM account WHERE id = ?1"))
                .and_then(|mut statement| statement.query_row([id.0], account_from).optional())
                .during("read an account")
        })?;
        found.ok_or_else(|| Error::not_found("account", id.0))
    }

    /// The account with that login.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn account_by_login(&self, login: &str) -> Result<Option<Account>, Error> {
        self.inner.database.read(|connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM account WHERE login = ?1"))
                .and_then(|mut statement| {
                    statement
                        .query_row([login.trim().to_lowercase()], account_from)
                        .optional()
                })
                .during("look for a login")
        })
    }

    /// The accounts whose branch lies within the asker's, by login.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn accounts(&self, asker: Branch) -> Result<Vec<Account>, Error> {
        let mut accounts: Vec<Account> = self.inner.database.read(|connection| {
            let mut statement = connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM account ORDER BY login"))
                .during("list the accounts")?;
            let rows = statement
                .query_map([], account_from)
                .during("list the accounts")?;
            rows.collect::<Result<_, _>>().during("list the accounts")
        })?;
        let tree = self.tree();
        accounts.retain(|account| match (asker, account.branch) {
            (Branch::House, _) => true,
            (Branch::Tenant(_), Branch::House) => false,
            (Branch::Tenant(_), Branch::Tenant(id)) => tree.is_within(id, asker),
        });
        Ok(accounts)
    }

    /// Changes an account. Barring it ends its sessions.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`]; also when nobody would be left to administer the house.
    pub fn change_account(
        &self,
        id: AccountId,
        change: &AccountChange<'_>,
    ) -> Result<Account, Error> {
        let name = change.name.map(checked_name).transpose()?;
        if let Some(branch) = change.branch {
            self.check_branch(branch)?;
        }
        // Read where it is written: of two changes at once, neither takes back the other's.
        let account = self.inner.database.write(|transaction| {
            let mut account = transaction
                .prepare_cached(&format!("SELECT {COLUMNS} FROM account WHERE id = ?1"))
                .and_then(|mut statement| statement.query_row([id.0], account_from).optional())
                .during("read an account")?
                .ok_or_else(|| Error::not_found("account", id.0))?;
            let administered = administers_the_house(&account);
            if let Some(name) = name {
                account.name = name.to_owned();
            }
            account.branch = change.branch.unwrap_or(account.branch);
            account.role = change.role.unwrap_or(account.role);
            account.language = change.language.unwrap_or(account.language);
            account.disabled = change.disabled.unwrap_or(account.disabled);
            transaction
                .execute(
                    "UPDATE account SET name = ?2, role = ?3, branch = ?4, language = ?5, disabled = ?6 WHERE id = ?1",
                    params![
                        id.0,
                        account.name,
                        account.role.word(),
                        branch_column(account.branch),
                        account.language.word(),
                        account.disabled
                    ],
                )
                .during("change an account")?;
            let admins: i64 = transaction
                .query_row(
                    "SELECT count(*) FROM account WHERE role = 'admin' AND branch IS NULL AND NOT disabled",
                    [],
                    |row| row.get(0),
                )
                .during("count the administrators")?;
            if admins == 0 && administered {
                return Err(Error::Invalid(
                    "nobody would be left to administer the house: give another account that right first".to_owned(),
                ));
            }
            if account.disabled {
                transaction
                    .execute("DELETE FROM session WHERE account = ?1", [id.0])
                    .during("end an account's sessions")?;
            }
            Ok(account)
        })?;
        self.forget_checked_passwords();
        Ok(account)
    }

    /// Gives an account another password and ends its sessions.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the password is too weak, [`Error::NotFound`] for an unknown account.
    pub fn reset_password(&self, id: AccountId, password: &str) -> Result<(), Error> {
        self.account(id)?;
        let hash = self.inner.passwords.hash(password)?;
        self.inner.database.write(|transaction| {
            transaction
                .execute(
                    "UPDATE account SET password_hash = ?2 WHERE id = ?1",
                    params![id.0, hash],
                )
                .during("change a password")?;
            transaction
                .execute("DELETE FROM session WHERE account = ?1", [id.0])
                .during("end an account's sessions")
        })?;
        self.forget_checked_passwords();
        Ok(())
    }

    fn check_branch(&self, branch: Branch) -> Result<(), Error> {
        match branch {
            Branch::Tenant(id) if self.tree().get(id).is_none() => {
                Err(Error::not_found("tenant", id))
            }
            Branch::House | Branch::Tenant(_) => Ok(()),
        }
    }
}

const fn administers_the_house(account: &Account) -> bool {
    account.role.administers() && matches!(account.branch, Branch::House) && !account.disabled
}

fn checked_login(login: &str) -> Result<String, Error> {
    let login = login.trim().to_lowercase();
    let chars = login.chars().count();
    if !(1..=LOGIN_CHARS_MAX).contains(&chars) {
        return Err(Error::Invalid(format!(
            "a login has 1 to {LOGIN_CHARS_MAX} characters"
        )));
    }
    // A colon would end the login in HTTP Basic (RFC 7617).
    if login
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || c == ':')
    {
        return Err(Error::Invalid(
            "a login has no spaces and no colon".to_owned(),
        ));
    }
    Ok(login)
}

#[cfg(test)]
mod tests;
