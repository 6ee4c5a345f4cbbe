//! Dead letters: reports that the manager refused for good, kept for a person to look at. Bounded: the oldest go.

use std::io;
use std::path::{Path, PathBuf};

use codec::envelope::Encoding;
use codec::key::{SpoolEpoch, Stream};
use codec::time::Timestamp;

use super::{SpoolError, Waiting};

/// The folder of refused reports: for each, the sealed bytes and a `.json` with its key and the reason.
pub struct DeadLetters {
    folder: PathBuf,
    letters_max: usize,
}

impl DeadLetters {
    /// The dead letters in `folder`, which is made when the first one comes.
    #[must_use]
    pub const fn new(folder: PathBuf, letters_max: usize) -> Self {
        Self {
            folder,
            letters_max,
        }
    }

    /// Keeps a report and why it was refused.
    ///
    /// # Errors
    /// Of the disk.
    pub fn keep(&mut self, report: &Waiting, why: &str, now: Timestamp) -> Result<(), SpoolError> {
        if self.letters_max == 0 {
            return Ok(());
        }
        let write = |path: &Path, bytes: &[u8]| {
            std::fs::write(path, bytes).map_err(|source| SpoolError::io("writing", path, source))
        };
        std::fs::create_dir_all(&self.folder)
            .map_err(|source| SpoolError::io("making the folder", &self.folder, source))?;
        let extension = match report.meta.encoding {
            Encoding::Identity => "xml",
            Encoding::Gzip => "xml.gz",
            Encoding::Zstd => "xml.zst",
        };
        let key = &report.key;
        let name = format!("{}-{}-{:012}", key.epoch, key.stream.name(), key.sequence);
        write(
            &self.folder.join(format!("{name}.{extension}")),
            &report.sealed,
        )?;
        let description = serde_json::json!({ "key": key, "refused_at": now, "reason": why });
        write(
            &self.folder.join(format!("{name}.json")),
            format!("{description:#}\n").as_bytes(),
        )?;
        self.trim()
    }

    /// Which reports the letters are, as far as their names tell.
    ///
    /// # Errors
    /// Of the disk.
    pub fn refused(&self) -> Result<Vec<(SpoolEpoch, Stream, u64)>, SpoolError> {
        let failed = |source| SpoolError::io("listing", &self.folder, source);
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut refused = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            refused.extend(name.to_str().and_then(report_of));
        }
        Ok(refused)
    }

    /// Removes the oldest letters beyond the limit.
    fn trim(&self) -> Result<(), SpoolError> {
        let failed = |source| SpoolError::io("listing", &self.folder, source);
        let mut letters = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                let written = path.metadata().and_then(|m| m.modified()).map_err(failed)?;
                letters.push((written, path));
            }
        }
        letters.sort_unstable();
        let excess = letters.len().saturating_sub(self.letters_max);
        for (_, path) in letters.drain(..excess) {
            for extension in ["json", "xml", "xml.gz", "xml.zst"] {
                // Not there is as good as removed.
                let _ = std::fs::remove_file(path.with_extension(extension));
            }
        }
        Ok(())
    }
}

/// The report that a description's file name tells: the reverse of what [`DeadLetters::keep`] makes of a key.
fn report_of(name: &str) -> Option<(SpoolEpoch, Stream, u64)> {
    let mut parts = name.strip_suffix(".json")?.split('-');
    let epoch = parts.next()?.parse().ok()?;
    let stream = Stream::from_name(parts.next()?)?;
    let sequence = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((epoch, stream, sequence))
}
