//! The agent's keys: the one that it uses, and what lets it change that one without ever standing there with none.
//!
//! ```text
//! agent.key   {"format", "agent", "key", "since", "previous"?, "next"?, "enrolling"?}     JSON, for the agent's eyes only
//! ```
//!
//! A key is drawn here and told to the manager as its SHA-256. What always holds: a key is on disk before the manager hears of it, and it is
//! used only after the manager has said that it knows it; and what somebody else wrote into the file meanwhile (`platen-agent enrol` beside a
//! running agent) is taken over, never undone. So after a crash at any point either `key` is good, or `next` is, or (when the
//! manager was restored from a backup) `previous`; whoever is refused with one asks with the others.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use codec::id::AgentId;
use codec::key::ContentHash;
use codec::time::Timestamp;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::config::Secret;

/// The format that is written.
const FORMAT: u32 = 1;
/// What a key begins with, so that people and scanners of repositories know it for what it is.
const PREFIX: &str = "plt_agent_";

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read or written.
    #[error("{operation} the key file {path:?} failed")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It is there and cannot be understood.
    #[error("{path:?} is no key file: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It holds the key of another agent, which is not to be lost.
    #[error("{path:?} holds the key of the agent {holder}: it stays as it is")]
    Taken {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        holder: AgentId,
    },
}

/// What stands in the file.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFile {
    format: u32,
    /// Whose keys they are; nobody's until it has enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The key that is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// The one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Secret>,
    /// The one that the manager is to know before it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Secret>,
    /// The key that a token is being exchanged for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enrolling: Option<Enrolling>,
}

/// An exchange whose end is not known.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Enrolling {
    /// SHA-256 of the token.
    token: ContentHash,
    key: Secret,
}

impl KeyFile {
    /// Reads a file; `None` when there is none.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn read(path: &Path) -> Result<Option<Self>, KeyFileError> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed("reading", path, source)),
        };
        let malformed = |reason| KeyFileError::Malformed {
            path: path.to_owned(),
            reason,
        };
        let file: Self =
            serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
        if file.format != FORMAT {
            return Err(malformed(format!(
                "it has format {}, this program knows {FORMAT}",
                file.format
            )));
        }
        Ok(Some(file))
    }

    /// Writes it, so that after a crash the old or the new content is there, whole, and nobody else can read it.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn write(&self, path: &Path) -> Result<(), KeyFileError> {
        let whole = Self {
            format: FORMAT,
            ..self.clone()
        };
        let mut text = serde_json::to_vec_pretty(&whole).expect("plain data serialises");
        text.push(b'\n');
        write_private(path, &text).map_err(|source| failed("writing", path, source))
    }

    /// The key that is used.
    #[must_use]
    pub const fn key(&self) -> Option<&Secret> {
        self.key.as_ref()
    }

    /// Whose key it is, if it holds one.
    #[must_use]
    pub fn holder(&self) -> Option<&AgentId> {
        self.agent.as_ref().filter(|_| self.key.is_some())
    }

    /// The key that this token is exchanged for: the same each time, so that an exchange whose answer was lost can be repeated.
    pub fn begin_enrolling(&mut self, token: &str) -> Secret {
        let token = ContentHash::of(token.as_bytes());
        match &self.enrolling {
            Some(begun) if begun.token == token => begun.key.clone(),
            _ => {
                let key = draw();
                self.enrolling = Some(Enrolling {
                    token,
                    key: key.clone(),
                });
                key
            }
        }
    }

    /// Takes over what stands on disk now. Says whether that is another key than before.
    fn take_over(&mut self, path: &Path) -> Result<bool, KeyFileError> {
        let Some(on_disk) = Self::read(path)? else {
            // Somebody removed it: what is known is written anew.
            return Ok(false);
        };
        if let Some(holder) = on_disk.holder()
            && self.agent.as_ref().is_some_and(|own| own != holder)
        {
            return Err(KeyFileError::Taken {
                path: path.to_owned(),
                holder: holder.clone(),
            });
        }
        if on_disk.key.is_none() {
            return Ok(false);
        }
        let is_other = on_disk.key != self.key;
        *self = on_disk;
        Ok(is_other)
    }

    /// The manager knows the key that the token was exchanged for: it is the only one now.
    pub fn enrolled(&mut self, agent: AgentId, key: Secret, now: Timestamp) {
        *self = Self {
            agent: Some(agent),
            key: Some(key),
            since: Some(now),
            ..Self::default()
        };
    }
}

/// The keys of a running agent.
pub struct Keys {
    /// None: a key that stands in the configuration, and is never changed.
    path: Option<PathBuf>,
    file: Mutex<KeyFile>,
    /// Held while a key is exchanged: by one thread at a time.
    pub(super) exchanging: Mutex<()>,
}

impl Keys {
    /// The key that the configuration gives, with the file that it stands in, if it stands in one.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn open(key: &Secret, path: Option<&Path>) -> Result<Self, KeyFileError> {
        let file = match path {
            None => None,
            Some(path) => KeyFile::read(path)?,
        };
        let file = file.unwrap_or_else(|| KeyFile {
            key: Some(key.clone()),
            ..KeyFile::default()
        });
        Ok(Self {
            path: path.map(Path::to_owned),
            file: Mutex::new(file),
            exchanging: Mutex::new(()),
        })
    }

    /// The key to use now.
    #[must_use]
    pub fn current(&self) -> Secret {
        self.file()
            .key
            .clone()
            .unwrap_or_else(|| Secret::new(String::new()))
    }

    /// The keys that may be good when the current one is not.
    #[must_use]
    pub fn others(&self) -> Vec<Secret> {
        let file = self.file();
        file.next.iter().chain(&file.previous).cloned().collect()
    }

    /// The key to tell the manager of, on disk; `None` when keys are not changed here.
    ///
    /// # Errors
    /// [`KeyFileError`]: there is none yet.
    pub fn prepare(&self) -> Result<Option<Secret>, KeyFileError> {
        let Some(path) = &self.path else {
            return Ok(None);
        };
        let mut file = self.file();
        if file.take_over(path)? {
            // Somebody has just given it another key: that one is not old.
            return Ok(None);
        }
        if file.next.is_none() {
            let with = KeyFile {
                next: Some(draw()),
                ..file.clone()
            };
            with.write(path)?;
            *file = with;
        }
        Ok(file.next.clone())
    }

    /// The manager knows `next`: it is used from now on, once that is on disk.
    ///
    /// # Errors
    /// [`KeyFileError`]: the key before is used further, which the manager takes until the new one comes.
    pub fn take(&self, next: &Secret, now: Timestamp) -> Result<(), KeyFileError> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let mut file = self.file();
        if file.take_over(path)? {
            return Ok(());
        }
        let taken = KeyFile {
            previous: file.key.clone(),
            key: Some(next.clone()),
            since: Some(now),
            next: None,
            ..file.clone()
        };
        taken.write(path)?;
        *file = taken;
        Ok(())
    }

    fn file(&self) -> MutexGuard<'_, KeyFile> {
        // It is replaced as a whole.
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn draw() -> Secret {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    Secret::new(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes)))
}

fn failed(operation: &'static str, path: &Path, source: io::Error) -> KeyFileError {
    KeyFileError::Io {
        operation,
        path: path.to_owned(),
        source,
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Beside it under a name that no key file has, whatever its own ending.
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // One that a crash left may have other rights.
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&beside, path)?;
    // A folder cannot be opened as a file on Windows; NTFS journals its changes itself.
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
