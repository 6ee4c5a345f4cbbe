//! Whether the disk has room: what an error says of it, and what a small file does where the error says nothing.
//!
//! SQLite and DuckDB have their own words for a full disk, some of which name no cause. So who was refused asks twice: the error's chain
//! first, and then the disk.

use std::error::Error;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// The stable word for it, in answers, metrics and the health page.
pub const DISK_FULL: &str = "disk-full";
/// What is written to see whether there is room, in bytes: the store's block, the most that any part of the manager writes at once before it
/// can go on.
const PROBE_BYTES: usize = 256 << 10;
/// The file that is written and removed again.
const PROBE: &str = "room.probe";
/// What the system, SQLite and DuckDB say when there is no room.
const SAYINGS: [&str; 4] = [
    "No space left on device",
    "Disk quota exceeded",
    "database or disk is full",
    "Could not write all bytes",
];

/// Whether `error` came of a disk without room: by what it says, or else by what the disk below `folder` does.
#[must_use]
pub fn is_wanting(error: &(dyn Error + 'static), folder: &Path) -> bool {
    says_full(error) || probe(folder).is_err_and(|error| is_full(&error))
}

/// Writes a small file in `folder` and removes it.
///
/// # Errors
/// Of the file system: the disk is full, or nobody may write there.
pub fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(PROBE);
    let written = std::fs::File::create(&path).and_then(|mut file| {
        file.write_all(&vec![0; PROBE_BYTES])?;
        // Some file systems find out only now.
        file.sync_data()
    });
    let removed = std::fs::remove_file(&path);
    written.and(removed)
}

/// Whether that is what a full disk, or a full share of it, answers.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

/// An error with its causes, in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn says_full(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if error.downcast_ref::<io::Error>().is_some_and(is_full)
            || SAYINGS.iter().any(|saying| text.contains(saying))
        {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_known_by_its_error_wherever_that_stands_in_the_chain() {
        let folder = tempfile::tempdir().unwrap();
        let full = io::Error::from(ErrorKind::StorageFull);
        let chained = journal::Error::Sync {
            segment: 1,
            source: full,
        };
        assert!(is_wanting(&chained, folder.path()));
        let said = io::Error::other("database or disk is full");
        assert!(is_wanting(&said, folder.path()));
        let other = io::Error::other("disk I/O error");
        assert!(!is_wanting(&other, folder.path()), "this disk has room");
        assert!(
            std::fs::read_dir(folder.path()).unwrap().next().is_none(),
            "the probe leaves nothing"
        );
        let gone = folder.path().join("gone");
        assert!(!is_wanting(&other, &gone), "a missing folder is not full");
    }
}
