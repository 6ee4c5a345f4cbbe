//! Passwords: argon2id hashes, the least a password must be, and how many are hashed at once.
//!
//! A hash at full cost takes 19 MiB and some tens of milliseconds on purpose. So only a few run at once, however many logins
//! arrive: memory stays flat under a flood, and what must wait too long is refused.

use std::sync::{Condvar, Mutex, OnceLock};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::error::Error;
use crate::locked;

/// The least a password must have. Length is what counts (NIST SP 800-63B): no rules about digits and signs.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// The most: beyond it hashing is only work for us.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// Hashes that run at once: two of 19 MiB each leave a small machine its memory and one core.
const HASHES_AT_ONCE_MAX: usize = 2;
/// How long a check waits for its turn before it is refused as throttled: longer, and a browser gives up.
const TURN_WAIT_MS_MAX: u64 = 5_000;

/// How much work a hash is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// What the argon2 crate holds for right: 19 MiB, two passes.
    Full,
    /// The least that argon2 can do, for registries that are forgotten with their process.
    Lowest,
}

/// Hashes and checks passwords.
pub struct Passwords {
    argon2: Argon2<'static>,
    running: Mutex<usize>,
    freed: Condvar,
    /// What an unknown login's password is checked against, so that it takes as long as a known one's.
    nobody: OnceLock<String>,
}

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// It is the password.
    Right,
    /// It is not.
    Wrong,
    /// Too many checks are waiting: nothing was checked.
    Busy,
}

impl Passwords {
    /// A checker that hashes at `cost`.
    #[must_use]
    pub fn new(cost: Cost) -> Self {
        let params = match cost {
            Cost::Full => Params::default(),
            Cost::Lowest => Params::new(
                Params::MIN_M_COST,
                Params::MIN_T_COST,
                Params::MIN_P_COST,
                None,
            )
            .expect("the least values are values"),
        };
        Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            running: Mutex::new(0),
            freed: Condvar::new(),
            nobody: OnceLock::new(),
        }
    }

    /// The hash of a new password, as a PHC string.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a helpful sentence when it is too short or too long.
    pub fn hash(&self, password: &str) -> Result<String, Error> {
        check_strength(password)?;
        self.hash_any(password)
    }

    /// Whether `password` is what `hash` was made of; without a hash, the answer is [`Check::Wrong`], as late as ever.
    ///
    /// # Errors
    /// When the stored hash cannot be read.
    pub fn check(&self, password: &str, hash: Option<&str>) -> Result<Check, Error> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Ok(Check::Wrong);
        }
        let against = match hash {
            Some(hash) => hash,
            None => self.nobody()?,
        };
        let Some(_turn) = self.turn() else {
            return Ok(Check::Busy);
        };
        let parsed =
            PasswordHash::new(against).map_err(|error| Error::PasswordHash(error.to_string()))?;
        let fits = self
            .argon2
            .verify_password(password.as_bytes(), &parsed)
            .is_ok();
        Ok(if fits && hash.is_some() {
            Check::Right
        } else {
            Check::Wrong
        })
    }

    /// Made at the first unknown login, which takes twice as long therefore, once.
    fn nobody(&self) -> Result<&str, Error> {
        if let Some(nobody) = self.nobody.get() {
            return Ok(nobody);
        }
        let made = self.hash_any("nobody's password")?;
        Ok(self.nobody.get_or_init(|| made))
    }

    fn hash_any(&self, password: &str) -> Result<String, Error> {
        let turn = self.turn();
        if turn.is_none() {
            return Err(Error::PasswordHash(
                "too many are waiting; try again".to_owned(),
            ));
        }
        self.argon2
            .hash_password(password.as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|error| Error::PasswordHash(error.to_string()))
    }

    fn turn(&self) -> Option<Turn<'_>> {
        let (mut running, waited) = self
            .freed
            .wait_timeout_while(
                locked(&self.running),
                Duration::from_millis(TURN_WAIT_MS_MAX),
                |running| *running >= HASHES_AT_ONCE_MAX,
            )
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if waited.timed_out() {
            return None;
        }
        *running += 1;
        Some(Turn(self))
    }
}

/// The right to hash; given back when dropped.
struct Turn<'a>(&'a Passwords);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *locked(&self.0.running) -= 1;
        self.0.freed.notify_one();
    }
}

/// Whether a password may be set.
///
/// # Errors
/// [`Error::Invalid`] with a sentence that says what to do.
pub fn check_strength(password: &str) -> Result<(), Error> {
    let chars = password.chars().count();
    if chars < PASSWORD_CHARS_MIN {
        return Err(Error::Invalid(format!(
            "the password has {chars} characters and needs at least {PASSWORD_CHARS_MIN}: several words are easy to remember"
        )));
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(Error::Invalid(format!(
            "the password is longer than {PASSWORD_BYTES_MAX} bytes"
        )));
    }
    let first = password.chars().next();
    if password.chars().all(|character| Some(character) == first) {
        return Err(Error::Invalid(
            "the password is one character over and over: use several words".to_owned(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_knows_its_password_and_no_other() {
        let passwords = Passwords::new(Cost::Lowest);
        let hash = passwords.hash("korrekt pferd heftklammer").unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert_eq!(
            passwords
                .check("korrekt pferd heftklammer", Some(&hash))
                .unwrap(),
            Check::Right
        );
        assert_eq!(
            passwords
                .check("korrekt pferd heftklamme", Some(&hash))
                .unwrap(),
            Check::Wrong
        );
        assert_eq!(
            passwords.check("nobody's password", None).unwrap(),
            Check::Wrong
        );
    }

    #[test]
    fn a_weak_password_is_refused_with_a_sentence_that_helps() {
        let passwords = Passwords::new(Cost::Lowest);
        let said = |password: &str| passwords.hash(password).unwrap_err().to_string();
        assert_eq!(
            said("kurz"),
            "the password has 4 characters and needs at least 10: several words are easy to remember"
        );
        assert!(said(&"x".repeat(12)).contains("over and over"));
        assert!(said(&"ab".repeat(600)).contains("longer than 1024 bytes"));
        assert!(check_strength("zehn zeich").is_ok());
    }
}
