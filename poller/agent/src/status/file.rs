//! The status as a file in the spool's folder: what `platen-agent status` shows of an agent that runs in another process.
//!
//! What always holds: whoever reads it reads it whole; a file that is missing or old only says that no agent runs there.

use std::io;
use std::path::{Path, PathBuf};

use codec::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Status;

/// Its name.
const NAME: &str = "status.json";
/// A status has some kilobytes.
const BYTES_MAX: u64 = 1_000_000;

/// What stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Which agent.
    pub agent: String,
    /// Its program and version.
    pub program: String,
    /// The process.
    pub process: u32,
    /// When it was started.
    pub started_at: Timestamp,
    /// When this was written.
    pub written_at: Timestamp,
    /// What it is doing.
    pub status: Status,
}

impl File {
    /// Writes it beside and puts it in place. A status that is lost in a power cut is no loss, so nothing is synced.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, spool: &Path) -> io::Result<()> {
        let beside = spool.join(format!("{NAME}.new"));
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        std::fs::write(&beside, text)?;
        std::fs::rename(beside, path(spool))
    }
}

/// Reads what the agent of this spool wrote last.
///
/// # Errors
/// When there is none, or it is no status.
pub fn read_file(spool: &Path) -> io::Result<File> {
    let path = path(spool);
    if std::fs::metadata(&path)?.len() > BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too large"));
    }
    serde_json::from_slice(&std::fs::read(&path)?).map_err(io::Error::other)
}

fn path(spool: &Path) -> PathBuf {
    spool.join(NAME)
}
