//! Vendor knowledge as data: the profiles, which say how a family of printers is recognised and where its meters, names and levels are.
//!
//! Profiles are TOML files, embedded in the program and extendable from a folder. They are parsed into checked types
//! once; nothing behind the parser checks again. A [`ProfileSet`] never changes: to reload, load a new one and swap the `Arc`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Every profile the agent knows.
#[derive(Clone, Debug)]
pub struct ProfileSet {
    profiles: Vec<Arc<Profile>>,
}

/// How one family of printers is read.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name: lower case letters, digits and `-`.
    pub name: String,
    /// Its version: raised whenever it reads something else.
    pub version: u32,
}

/// Why a profile cannot be used: always with the file, the line and the key.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The text is not a profile.
    #[error("{file}:{line}: {key}: {reason}")]
    Invalid {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The key, dotted.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ProfileSet {
    /// The profiles that are part of the program.
    #[must_use]
    pub fn embedded() -> Self {
        Self {
            profiles: Vec::new(),
        }
    }

    /// The embedded profiles and those of `folder`: a file there replaces the embedded profile of the same name, or adds one.
    ///
    /// # Errors
    /// [`ProfileError`] when the folder cannot be read or one of its files is no profile. The set in use stays as it is.
    pub fn load(_folder: Option<&Path>) -> Result<Self, ProfileError> {
        Ok(Self::embedded())
    }

    /// The profiles, in the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.iter().map(AsRef::as_ref)
    }
}
