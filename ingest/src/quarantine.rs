//! Refused reports, kept for inspection: the bytes as they came and, beside them, who sent them and what is wrong.
//!
//! Bounded by number and bytes; the oldest go first. What cannot be kept (a full disk) is counted and let go: the agent has it too. A folder
//! that cannot be made or listed hinders nobody: it is tried again with the next refused report.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::{fs, io};

use codec::envelope::Encoding;
use codec::id::AgentId;
use codec::time::Timestamp;

/// The folder of refused reports.
pub struct Quarantine {
    folder: PathBuf,
    reports_max: usize,
    bytes_max: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// File stems and the bytes behind each, oldest first.
    kept: VecDeque<(String, u64)>,
    bytes: u64,
    number: u64,
    /// Reports that were not written, and those that went for newer ones.
    unkept: u64,
}

/// What one refused report is kept as: `STEM.body` and `STEM.txt`.
const BODY: &str = "body";
const TEXT: &str = "txt";

impl Quarantine {
    /// Opens or makes the folder.
    #[must_use]
    pub fn open(folder: &Path, reports_max: usize, bytes_max: u64) -> Self {
        let state = listed(folder).unwrap_or_else(|error| {
            tracing::warn!(folder = %folder.display(), %error, "refused reports cannot be kept now");
            State::default()
        });
        Self {
            folder: folder.to_owned(),
            reports_max,
            bytes_max,
            state: Mutex::new(state),
        }
    }

    /// Keeps a refused body. Returns the name it can be found under.
    ///
    /// # Errors
    /// Of the file system; nothing is kept then.
    pub fn keep(
        &self,
        agent: &AgentId,
        encoding: Encoding,
        body: &[u8],
        detail: &str,
        now: Timestamp,
    ) -> io::Result<String> {
        let kept = self.try_keep(agent, encoding, body, detail, now);
        if kept.is_err() {
            self.state().unkept += 1;
        }
        kept
    }

    /// How many reports could not be kept, or went for newer ones, since the start.
    #[must_use]
    pub fn unkept(&self) -> u64 {
        self.state().unkept
    }

    fn try_keep(
        &self,
        agent: &AgentId,
        encoding: Encoding,
        body: &[u8],
        detail: &str,
        now: Timestamp,
    ) -> io::Result<String> {
        let bytes = body.len() as u64;
        let mut state = self.state();
        if !self.folder.is_dir() {
            let unkept = state.unkept;
            *state = listed(&self.folder)?;
            state.unkept = unkept;
        }
        if bytes > self.bytes_max || self.reports_max == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        while state.kept.len() >= self.reports_max || state.bytes + bytes > self.bytes_max {
            let Some((stem, bytes)) = state.kept.pop_front() else {
                break;
            };
            state.bytes -= bytes;
            state.unkept += 1;
            self.remove(&stem);
        }
        state.number += 1;
        // The time, so that names sort by age; the number, since one millisecond can refuse many.
        let stem = format!(
            "{:015}-{:06}-{agent}",
            now.unix_ms.max(0),
            state.number % 1_000_000
        );
        let text = format!(
            "received {now}\nagent {agent}\nencoding {encoding}\nbytes {bytes}\nrefused: {detail}\n"
        );
        let written = fs::write(self.path(&stem, BODY), body)
            .and_then(|()| fs::write(self.path(&stem, TEXT), text));
        if let Err(error) = written {
            self.remove(&stem);
            return Err(error);
        }
        state.kept.push_back((stem.clone(), bytes));
        state.bytes += bytes;
        Ok(stem)
    }

    /// Removes what these agents sent.
    ///
    /// # Errors
    /// When a file cannot be removed; it can be called again.
    pub fn forget(&self, agents: &HashSet<AgentId>) -> io::Result<()> {
        let mut state = self.state();
        let is_theirs = |stem: &str| {
            let agent = stem.splitn(3, '-').nth(2);
            agent.is_some_and(|agent| agents.iter().any(|their| their.as_str() == agent))
        };
        // Also what no list has: a text alone, after a crash.
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if stem.is_some_and(is_theirs) {
                fs::remove_file(&path)?;
            }
        }
        state.kept.retain(|(stem, _)| !is_theirs(stem));
        state.bytes = state.kept.iter().map(|(_, bytes)| bytes).sum();
        Ok(())
    }

    /// How many reports are kept, and their bytes.
    #[must_use]
    pub fn size(&self) -> (usize, u64) {
        let state = self.state();
        (state.kept.len(), state.bytes)
    }

    fn path(&self, stem: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{stem}.{extension}"))
    }

    fn remove(&self, stem: &str) {
        for extension in [BODY, TEXT] {
            let path = self.path(stem, extension);
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "a quarantined report could not be removed");
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What is in the folder, which is made.
fn listed(folder: &Path) -> io::Result<State> {
    fs::create_dir_all(folder)?;
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == BODY)
            && let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
        {
            let bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
            kept.push((stem.to_owned(), bytes));
        }
    }
    kept.sort_unstable();
    Ok(State {
        bytes: kept.iter().map(|(_, bytes)| bytes).sum(),
        kept: kept.into(),
        number: 0,
        unkept: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_or_too_much() {
        let folder = tempfile::tempdir().unwrap();
        let agent = AgentId::new("meyer").unwrap();
        let quarantine = Quarantine::open(folder.path(), 3, 100);
        let keep = |quarantine: &Quarantine, bytes: usize, at: i64| {
            let now = Timestamp::from_unix_ms(at);
            quarantine.keep(&agent, Encoding::Gzip, &vec![7; bytes], "broken", now)
        };
        for at in 0..5 {
            keep(&quarantine, 10, at).unwrap();
        }
        assert_eq!((quarantine.size(), files(folder.path())), ((3, 30), 6));
        keep(&quarantine, 95, 6).unwrap();
        assert_eq!((quarantine.size(), files(folder.path())), ((1, 95), 2));
        assert!(keep(&quarantine, 101, 7).is_err());
        assert_eq!(
            quarantine.unkept(),
            6,
            "five went for newer ones, one is too large"
        );
        let again = Quarantine::open(folder.path(), 3, 100);
        assert_eq!(again.size(), (1, 95));
        keep(&again, 50, 8).unwrap();
        assert_eq!(again.size(), (1, 50));
    }

    #[test]
    fn a_folder_that_cannot_be_made_hinders_nobody_and_is_made_later() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("quarantine");
        fs::write(&at, b"somebody else's file").unwrap();
        let quarantine = Quarantine::open(&at, 3, 100);
        let agent = AgentId::new("meyer").unwrap();
        let keep = || {
            let now = Timestamp::from_unix_ms(1);
            quarantine.keep(&agent, Encoding::Gzip, b"broken", "broken", now)
        };
        assert!(keep().is_err());
        assert_eq!(quarantine.unkept(), 1, "it is counted");
        fs::remove_file(&at).unwrap();
        keep().unwrap();
        assert_eq!((quarantine.size(), files(&at)), ((1, 6), 2));
    }
}
