//! What can go wrong. One variant per failed operation; [`Error::is_callers_fault`] tells a 4xx from a 5xx.

use std::path::PathBuf;

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be opened or prepared.
    #[error("cannot open the registry {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The file was written by a newer program.
    #[error(
        "the registry has schema {found}, this program knows up to {known}: use the newer program"
    )]
    SchemaTooNew {
        /// What the file says.
        found: i64,
        /// What this program knows.
        known: i64,
    },
    /// A statement failed.
    #[error("the registry cannot {operation}")]
    Sql {
        /// What was to be done.
        operation: &'static str,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// What was asked for is not there, or the asker may not see it (which is the same to him).
    #[error("there is no {what} {which}")]
    NotFound {
        /// Which kind of thing.
        what: &'static str,
        /// Which one.
        which: String,
    },
    /// A value that cannot be taken; the sentence is for people.
    #[error("{0}")]
    Invalid(String),
    /// Something of that name exists.
    #[error("there is already a {what} {which:?}")]
    Taken {
        /// Which kind of thing.
        what: &'static str,
        /// Which name.
        which: String,
    },
    /// The system's source of random bytes failed.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    /// A password could not be hashed, or a stored hash not be read.
    #[error("cannot hash a password: {0}")]
    PasswordHash(String),
}

impl Error {
    /// Whether another value or another name would have worked: to be answered with 4xx, the text shown as it is.
    #[must_use]
    pub const fn is_callers_fault(&self) -> bool {
        matches!(
            self,
            Self::NotFound { .. } | Self::Invalid(_) | Self::Taken { .. }
        )
    }

    pub(crate) fn not_found(what: &'static str, which: impl std::fmt::Display) -> Self {
        Self::NotFound {
            what,
            which: which.to_string(),
        }
    }
}

/// Says what was to be done when SQLite fails.
pub(crate) trait During<T> {
    fn during(self, operation: &'static str) -> Result<T, Error>;
}

impl<T> During<T> for Result<T, rusqlite::Error> {
    fn during(self, operation: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::Sql { operation, source })
    }
}
