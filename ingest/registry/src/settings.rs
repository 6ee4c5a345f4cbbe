//! Small values that outlive a restart and belong into no configuration file, such as when something was last done.
//!
//! A value is kept as the text that its type writes, and is read back by the same type.

use std::fmt::Display;
use std::str::FromStr;

use rusqlite::OptionalExtension;

use crate::Registry;
use crate::error::{During, Error};

/// The longest value: a setting is small.
const VALUE_BYTES_MAX: usize = 65_536;

impl Registry {
    /// The value of `key`, if it was set.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it was set as another type.
    pub fn setting<T: FromStr>(&self, key: &str) -> Result<Option<T>, Error> {
        let text: Option<String> = self.inner.database.read(|connection| {
            connection
                .query_row("SELECT value FROM setting WHERE key = ?1", [key], |row| {
                    row.get(0)
                })
                .optional()
                .during("read a setting")
        })?;
        text.map(|text| {
            text.parse().map_err(|_| {
                Error::Invalid(format!(
                    "the setting {key:?} holds {text:?}, which is not what it should"
                ))
            })
        })
        .transpose()
    }

    /// Sets `key`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the value is too long.
    pub fn set_setting(&self, key: &str, value: &impl Display) -> Result<(), Error> {
        let text = value.to_string();
        if text.len() > VALUE_BYTES_MAX {
            return Err(Error::Invalid(format!(
                "the setting {key:?} is longer than {VALUE_BYTES_MAX} bytes"
            )));
        }
        self.inner.database.write(|transaction| {
            transaction
                .execute(
                    "INSERT INTO setting (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    [key, &text],
                )
                .during("change a setting")
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Error, Registry};

    #[test]
    fn a_setting_is_read_back_as_what_it_was_written() {
        let registry = Registry::in_memory().unwrap();
        assert_eq!(registry.setting::<i64>("store.checked_at").unwrap(), None);
        registry.set_setting("store.checked_at", &41_i64).unwrap();
        registry.set_setting("store.checked_at", &42_i64).unwrap();
        assert_eq!(
            registry.setting::<i64>("store.checked_at").unwrap(),
            Some(42)
        );
        assert!(matches!(
            registry.setting::<bool>("store.checked_at"),
            Err(Error::Invalid(_))
        ));
    }
}
