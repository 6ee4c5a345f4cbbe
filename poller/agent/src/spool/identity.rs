//! `spool.json`: whose spool it is, its epoch, and which streams were ever begun. Written whole, to a second file that then takes
//! the first one's place.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use codec::id::AgentId;
use codec::key::{SpoolEpoch, Stream};
use serde::{Deserialize, Serialize};

use super::SpoolError;

/// The format that is written.
const FORMAT: u32 = 1;

/// What `spool.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    format: u32,
    pub agent: AgentId,
    pub epoch: SpoolEpoch,
    #[serde(default)]
    begun: Vec<Stream>,
}

impl Identity {
    /// A new spool of this agent, with an epoch of its own.
    pub fn new(agent: AgentId) -> Self {
        let mut epoch = [0; 8];
        getrandom::fill(&mut epoch).expect("the operating system has random numbers");
        Self {
            format: FORMAT,
            agent,
            epoch: SpoolEpoch(u64::from_be_bytes(epoch)),
            begun: Vec::new(),
        }
    }

    pub fn path(folder: &Path) -> PathBuf {
        folder.join("spool.json")
    }

    pub fn has_begun(&self, stream: Stream) -> bool {
        self.begun.contains(&stream)
    }

    pub fn begin(&mut self, stream: Stream) {
        self.begun.push(stream);
    }

    pub fn read(path: &Path) -> Result<Option<Self>, SpoolError> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SpoolError::io("reading", path, source)),
        };
        let refused = |reason: String| SpoolError::Identity {
            path: path.to_owned(),
            reason,
        };
        let identity: Self =
            serde_json::from_slice(&text).map_err(|error| refused(error.to_string()))?;
        if identity.format != FORMAT {
            return Err(refused(format!(
                "it has format {}, this program knows {FORMAT}",
                identity.format
            )));
        }
        Ok(Some(identity))
    }

    pub fn write(&self, path: &Path) -> Result<(), SpoolError> {
        let mut text = serde_json::to_vec_pretty(self).expect("plain data serialises");
        text.push(b'\n');
        write_atomically(path, &text).map_err(|source| SpoolError::io("writing", path, source))
    }
}

/// Writes a file so that after a crash the old or the new content is there, whole.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&beside, path)?;
    // A folder cannot be opened as a file on Windows; NTFS journals its changes itself.
    if cfg!(unix)
        && let Some(folder) = path.parent()
    {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}
