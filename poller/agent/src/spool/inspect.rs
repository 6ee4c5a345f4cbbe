//! Looking at a spool without opening it for writing: for the command line. Nothing is changed, nothing is locked.

use std::fmt;
use std::path::Path;

use codec::id::AgentId;
use codec::key::{SpoolEpoch, Stream};
use journal::frame::Position;
use journal::inspect::{CheckReport, check as check_journal};
use journal::{Item, Reader, StdDisk};

use super::identity::Identity;
use super::lane::KIND_MARK;
use super::meta::Meta;
use super::{DEAD_LETTERS_FOLDER, SpoolError};

/// A report in a spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the stream.
    pub sequence: u64,
    /// What else is known of it.
    pub meta: Meta,
    /// Sealed bytes.
    pub bytes: usize,
    /// Whether it is noted as delivered, refused or dropped.
    pub is_done: bool,
}

/// What a check found. Its `Display` is what the command line prints.
#[derive(Debug)]
pub struct Checked {
    agent: AgentId,
    epoch: SpoolEpoch,
    streams: Vec<(Stream, CheckReport, Vec<Entry>)>,
    dead_letters: usize,
}

impl Checked {
    /// Whether every byte belongs to a valid record.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.streams.iter().all(|(_, report, _)| report.is_sound())
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "agent {}, epoch {}", self.agent, self.epoch)?;
        for (stream, report, entries) in &self.streams {
            let waiting: Vec<&Entry> = entries.iter().filter(|entry| !entry.is_done).collect();
            writeln!(f, "\n{}: {} reports wait", stream.name(), waiting.len())?;
            if let (Some(first), Some(last)) = (waiting.first(), waiting.last()) {
                writeln!(
                    f,
                    "  numbers {} to {}, sealed {} to {}, {} bytes",
                    first.sequence,
                    last.sequence,
                    first.meta.sealed_at,
                    last.meta.sealed_at,
                    waiting.iter().map(|entry| entry.bytes).sum::<usize>(),
                )?;
            }
            writeln!(f, "{report}")?;
        }
        writeln!(f, "{} dead letters", self.dead_letters)
    }
}

/// Reads all of a spool and verifies every checksum.
///
/// # Errors
/// When the folder is no spool, or of the disk. Damage is reported, not an error.
pub fn check(folder: &Path) -> Result<Checked, SpoolError> {
    let path = Identity::path(folder);
    let identity = Identity::read(&path)?.ok_or_else(|| SpoolError::Identity {
        path: path.clone(),
        reason: "it is not there".to_owned(),
    })?;
    let mut streams = Vec::new();
    for stream in Stream::ALL {
        let report = check_journal(disk(folder, stream)?)
            .map_err(|source| SpoolError::Journal { stream, source })?;
        streams.push((stream, report, list(folder, stream)?));
    }
    let letters = std::fs::read_dir(folder.join(DEAD_LETTERS_FOLDER));
    let dead_letters = letters.map_or(0, |letters| {
        letters
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|e| e == "json"))
            .count()
    });
    Ok(Checked {
        agent: identity.agent,
        epoch: identity.epoch,
        streams,
        dead_letters,
    })
}

/// Every report of a stream that is on disk, in order.
///
/// # Errors
/// Of the disk.
pub fn list(folder: &Path, stream: Stream) -> Result<Vec<Entry>, SpoolError> {
    let mut entries = Vec::new();
    let mut done = 0;
    visit(folder, stream, |record| match record {
        Record::Mark(sequence) => done = done.max(sequence),
        Record::Report(sequence, meta, sealed) => entries.push(Entry {
            sequence,
            meta,
            bytes: sealed.len(),
            is_done: false,
        }),
    })?;
    for entry in &mut entries {
        entry.is_done = entry.sequence <= done;
    }
    Ok(entries)
}

/// The sealed bytes of a report, if it is on disk.
///
/// # Errors
/// Of the disk.
pub fn report(
    folder: &Path,
    stream: Stream,
    wanted: u64,
) -> Result<Option<(Meta, Vec<u8>)>, SpoolError> {
    let mut found = None;
    visit(folder, stream, |record| {
        if let Record::Report(sequence, meta, sealed) = record
            && sequence == wanted
        {
            found = Some((meta, sealed.to_vec()));
        }
    })?;
    Ok(found)
}

enum Record<'a> {
    Mark(u64),
    Report(u64, Meta, &'a [u8]),
}

fn visit(
    folder: &Path,
    stream: Stream,
    mut each: impl FnMut(Record<'_>),
) -> Result<(), SpoolError> {
    let failed = |source| SpoolError::Journal { stream, source };
    let mut reader =
        Reader::new(disk(folder, stream)?, Position::START, Position::END).map_err(failed)?;
    while let Some(item) = reader.next().map_err(failed)? {
        let Item::Record(entry) = item else { continue };
        if entry.kind == KIND_MARK {
            each(Record::Mark(entry.sequence));
        } else if let Some(meta) = Meta::read(entry.meta) {
            each(Record::Report(entry.sequence, meta, entry.body));
        }
    }
    Ok(())
}

fn disk(folder: &Path, stream: Stream) -> Result<StdDisk, SpoolError> {
    let path = folder.join(stream.name());
    if !path.is_dir() {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(SpoolError::io("opening", &path, missing));
    }
    StdDisk::open(&path).map_err(|source| SpoolError::io("opening", &path, source))
}
