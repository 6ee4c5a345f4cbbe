//! Sealed segments, compressed and kept as evidence: the same bytes at the same positions, in less room, and each owner's sealed by himself.
//!
//! An archive is one file per segment, named by its number. Version 2, which is written, opens with 96 bytes (little-endian):
//!
//! ```text
//!  0           8      10     12       16        24          32          40          48        52  56      88       92       96
//! +-----------+------+------+--------+---------+-----------+-----------+-----------+---------+---+-------+--------+--------+
//! | "PLATENAR"| 2    | 96   | owners | segment | raw bytes | begun     | ended     | chunk   | 0 | salt  | CRC32C | CRC32C |
//! |           |      |      | n      | number  |           | unix ms   | unix ms   | bytes   |   |       | shares |        |
//! +-----------+------+------+--------+---------+-----------+-----------+-----------+---------+---+-------+--------+--------+
//! ```
//!
//! Then the *n* shares follow, 24 bytes each: the owner's number, the name of the key that his bytes are sealed under (zeros: they were left
//! out), and how many bytes of the segment are his. All this stands a second time at the file's end, behind it its length in 4 bytes.
//!
//! In between, the segment's bytes follow in chunks of *chunk bytes* (the last one may be shorter), so that one record is read by opening one
//! or two of them:
//!
//! ```text
//!  0        4        8        12       16       20                    20 + 8 n
//! +--------+--------+--------+--------+--------+---------------------+------------…------+----------…----------+
//! | length | CRC32C | open   | frame  | parts  | n times: share,     | zstd frame of     | n parts: each a zstd |
//! |        |        | bytes  | bytes  | n      | bytes of the part   | the open bytes    | frame, sealed        |
//! +--------+--------+--------+--------+--------+---------------------+------------…------+----------…----------+
//! ```
//!
//! *length* and *CRC32C* are those of what follows them. The open bytes say how the chunk is put together: a number of runs, and for each run
//! how many bytes of what is nobody's come before it, how many bytes it has, and of which part (numbers of seven bits a byte); then the
//! bytes that are nobody's. Compressed comes before sealed, since what is sealed cannot be compressed.
//!
//! Version 1 sealed nothing: 64 bytes of header (*owners*, *salt* and the CRC32C of the shares are not there), and a chunk is one zstd frame behind
//! its length and its CRC32C. It is read like version 2, and [`seal`] makes version 2 of it.
//!
//! What stays open: the frames of records (their kind, number, lengths and the CRC32C of their data), what the caller says is nobody's
//! ([`Sealer::record`]), the owners' numbers and how much they have. A CRC32C does not tell what it is the checksum of; it can tell somebody who
//! has a copy of exactly these bytes that it was them.
//!
//! What always holds: a file under its final name is whole and was read back before it got that name; the live segment is removed after
//! that and never before; a chunk that was damaged since reads as zeros, which a [`crate::Reader`] steps over and reports like any damage;
//! bytes whose key is not there read as zeros as well, and a reader says that and why ([`crate::Item::Withheld`]).

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, sync_folder};
use crate::frame::Position;
use crate::reader::{Item, Reader};

mod format;
mod layered;
mod make;
mod open;
mod seal;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_sealed;

pub use layered::ArchiveDisk;
use open::Open;
pub use seal::{
    Access, InTheClear, KeyId, NO_KEY, Opener, Owned, Owner, Place, SALT_BYTES, Sealer, Share, Why,
};

/// Bytes of a segment compressed at once: enough to compress well, little enough to open for one record.
const CHUNK_BYTES: usize = 1 << 20;
/// A frame never grows beyond this: what zstd makes of a chunk that cannot be compressed, and 45 bytes more for each of the 20,000 owners that
/// it has when every record is the smallest report and another owner's.
const FRAME_BYTES_MAX: usize = 2 * CHUNK_BYTES;
/// What is archived is compressed already: more effort gains nothing.
const LEVEL: i32 = 6;
const EXTENSION: &str = "pla";
const MAKING: &str = "pla-making";

/// One archived segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Archived {
    /// Its number.
    pub segment: u64,
    /// The bytes it had.
    pub raw_bytes: u64,
    /// The bytes of its file.
    pub file_bytes: u64,
    /// When its first record was written, in Unix milliseconds, by its writer's clock; `i64::MIN` when its header was damaged.
    pub begun_ms: i64,
    /// When its last record was written, at the latest; `i64::MAX` when neither its header nor a later archive's tells.
    pub ended_ms: i64,
    /// Whether it is of a version that seals.
    pub is_sealed: bool,
}

/// A segment to be archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its number.
    pub segment: u64,
    /// Its bytes.
    pub bytes: u64,
    /// When its first record was written, in Unix milliseconds.
    pub begun_ms: i64,
    /// When its last record was written, at the latest.
    pub ended_ms: i64,
}

/// Compresses and seals a sealed segment of `live` into `folder`. When this returns, the archive is durable and was read back: the live segment
/// may be removed.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when the segment has an archive, which is never written over: [`mend`] compares the two. Else of either
/// disk, and of the sealer; nothing is under the final name then.
pub fn write(
    folder: &Path,
    live: &mut dyn Disk,
    due: &Due,
    sealer: &mut dyn Sealer,
    opener: &Arc<dyn Opener>,
) -> io::Result<Archived> {
    std::fs::create_dir_all(folder)?;
    if path_of(folder, due.segment, EXTENSION).try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    put(folder, live, due, sealer, opener)
}

/// What became of an archive that was to be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// It is of version 2 now.
    Sealed(Archived),
    /// It was, already.
    WasSealed,
    /// It is damaged, and nobody in it is forgotten: left as it is, since another tool may read more of it.
    Damaged,
}

/// Makes version 2 of an archive of version 1: what it holds stays, but for what is of owners who are forgotten.
///
/// # Errors
/// Of the file system and of the sealer; the archive is as it was then.
pub fn seal(
    folder: &Path,
    segment: u64,
    sealer: &mut dyn Sealer,
    opener: &Arc<dyn Opener>,
) -> io::Result<Sealing> {
    let mut open = Open::read(&path_of(folder, segment, EXTENSION), segment, opener)?;
    let Some(due) = open.due.filter(|_| open.is_unsealed()) else {
        return Ok(if open.due.is_some() {
            Sealing::WasSealed
        } else {
            Sealing::Damaged
        });
    };
    for index in 0..open.chunks() {
        open.chunk(index)?;
    }
    let is_sound = open.is_sound;
    drop(open);
    let mut source = ArchiveDisk::new(Nothing, folder, Arc::clone(opener));
    if !is_sound {
        let survey = make::survey(&mut source, &due, sealer)?;
        if survey.shares.iter().all(|share| share.key != NO_KEY) {
            return Ok(Sealing::Damaged);
        }
    }
    put(folder, &mut source, &due, sealer, opener).map(Sealing::Sealed)
}

/// Makes an archive under its first name, reads it back, and gives it its own.
fn put(
    folder: &Path,
    source: &mut dyn Disk,
    due: &Due,
    sealer: &mut dyn Sealer,
    opener: &Arc<dyn Opener>,
) -> io::Result<Archived> {
    let making = path_of(folder, due.segment, MAKING);
    let made = make::make(&making, source, due, sealer).and_then(|raw_crc| {
        let mut open = Open::read(&making, due.segment, opener)?;
        if raw_crc_of(&mut open)? == raw_crc && open.is_sound {
            Ok(())
        } else {
            Err(io::Error::other(
                "the archive does not read back as it was written",
            ))
        }
    });
    if let Err(error) = made {
        // What is left of it is swept at the next start as well.
        let _ = std::fs::remove_file(&making);
        return Err(error);
    }
    let path = path_of(folder, due.segment, EXTENSION);
    std::fs::rename(&making, &path)?;
    sync_folder(folder)?;
    describe(&path, due.segment)
}

/// The archived segments in a folder, in order. A file whose header was damaged is told by its name and its size, and ended when the next one
/// began.
///
/// # Errors
/// Of the file system.
pub fn list(folder: &Path) -> io::Result<Vec<Archived>> {
    let mut archived = BTreeMap::new();
    for (segment, path) in files(folder, EXTENSION)? {
        match describe(&path, segment) {
            Ok(info) => {
                archived.insert(segment, info);
            }
            // Removed since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let mut archived: Vec<Archived> = archived.into_values().collect();
    let mut next_begun_ms = i64::MAX;
    for info in archived.iter_mut().rev() {
        if info.begun_ms == i64::MIN {
            info.ended_ms = next_begun_ms;
        } else {
            next_begun_ms = info.begun_ms;
        }
    }
    Ok(archived)
}

/// Removes an archived segment; well if it was not there.
///
/// # Errors
/// Of the file system.
pub fn remove(folder: &Path, segment: u64) -> io::Result<()> {
    match std::fs::remove_file(path_of(folder, segment, EXTENSION)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => sync_folder(folder),
    }
}

/// What [`mend`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// Halves of archives that a crash left: removed, their segments are there.
    pub swept: usize,
    /// Segments that are archived as a whole and there as well: the live one may be removed.
    pub doubled: Vec<u64>,
    /// Archives that are damaged while their segment is there and readable: removed, they are made again.
    pub removed: Vec<u64>,
    /// Segments of which the live one is not what the archive holds, or one of them could not be read: both are kept, for a person to look at.
    pub unlike: Vec<u64>,
}

/// Cleans up after a crash in the middle of archiving. Never removes the only copy of anything, no live segment, and no archive whose own
/// checksums hold: where the live one differs, it is the live one that rotted. What is left out of an archive since its owner is forgotten
/// is no difference.
///
/// # Errors
/// Of the file system.
pub fn mend(folder: &Path, live: &mut dyn Disk, opener: &Arc<dyn Opener>) -> io::Result<Mended> {
    let mut mended = Mended::default();
    for (_, path) in files(folder, MAKING)? {
        std::fs::remove_file(path)?;
        mended.swept += 1;
    }
    let there: BTreeMap<u64, u64> = live.list()?.into_iter().collect();
    for (segment, path) in files(folder, EXTENSION)? {
        let Some(bytes) = there.get(&segment) else {
            continue;
        };
        let compared = Open::read(&path, segment, opener).and_then(|mut open| {
            let is_alike = compare(&mut open, live, *bytes)?;
            let is_as_long = open.due.is_none_or(|due| due.bytes == *bytes);
            Ok((is_alike, open.is_sound, is_as_long))
        });
        match compared {
            Ok((true, true, _)) => mended.doubled.push(segment),
            // Of two that are damaged, each may have what the other has not.
            Ok((_, false, true)) if is_whole(live, segment, *bytes) => {
                std::fs::remove_file(path)?;
                mended.removed.push(segment);
            }
            _ => mended.unlike.push(segment),
        }
    }
    Ok(mended)
}

/// Whether all of a live segment can be read.
fn is_whole(live: &mut dyn Disk, segment: u64, bytes: u64) -> bool {
    let (from, until) = (Position::new(segment, 0), Position::new(segment, bytes));
    let Ok(mut reader) = Reader::new(live, from, until) else {
        return false;
    };
    loop {
        match reader.next() {
            Ok(None) => return true,
            Ok(Some(Item::Record(_))) => {}
            _ => return false,
        }
    }
}

/// Whether an archive holds what a live segment of `live_bytes` does. Reads all of both.
fn compare(open: &mut Open, live: &mut dyn Disk, live_bytes: u64) -> io::Result<bool> {
    let mut is_alike = open.raw_bytes == live_bytes;
    let (mut offset, mut buffer) = (0, Vec::new());
    for index in 0..open.chunks() {
        let segment = open.segment;
        let chunk = open.chunk(index)?;
        buffer.resize(chunk.bytes.len(), 0);
        let (read, back) = live.read(segment, offset, buffer);
        buffer = back;
        is_alike &= read? == buffer.len();
        for gap in &chunk.gaps {
            is_alike &= gap.why == Why::Forgotten;
            buffer[gap.from..gap.to].fill(0);
        }
        is_alike &= buffer == chunk.bytes;
        offset += CHUNK_BYTES as u64;
    }
    Ok(is_alike)
}

/// The CRC32C of all it holds.
fn raw_crc_of(open: &mut Open) -> io::Result<u32> {
    let mut crc = 0;
    for index in 0..open.chunks() {
        crc = crc32c::crc32c_append(crc, &open.chunk(index)?.bytes);
    }
    Ok(crc)
}

/// What each owner has in an archive; nothing in one of version 1, and in one whose heads are both damaged.
///
/// # Errors
/// Of the file system.
pub fn shares(folder: &Path, segment: u64) -> io::Result<Vec<Share>> {
    let mut file = File::open(path_of(folder, segment, EXTENSION))?;
    let head = format::read(&mut file, segment)?.head;
    Ok(head.map_or_else(Vec::new, |head| head.shares))
}

fn describe(path: &Path, segment: u64) -> io::Result<Archived> {
    let mut file = File::open(path)?;
    let file_bytes = file.metadata()?.len();
    let heads = format::read(&mut file, segment)?;
    if let Some(head) = heads.head {
        return Ok(Archived {
            segment,
            raw_bytes: head.due.bytes,
            file_bytes,
            begun_ms: head.due.begun_ms,
            ended_ms: head.due.ended_ms,
            is_sealed: head.salt.is_some(),
        });
    }
    let opener: Arc<dyn Opener> = Arc::new(InTheClear);
    let open = Open::read(path, segment, &opener)?;
    Ok(Archived {
        segment,
        raw_bytes: open.raw_bytes,
        file_bytes,
        begun_ms: i64::MIN,
        ended_ms: i64::MAX,
        is_sealed: false,
    })
}

fn path_of(folder: &Path, segment: u64, extension: &str) -> PathBuf {
    folder.join(format!("{segment:016}.{extension}"))
}

/// The files of an extension by their segments, in order; none where the folder is not there.
fn files(folder: &Path, extension: &str) -> io::Result<BTreeMap<u64, PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries?,
    };
    let mut found = BTreeMap::new();
    for entry in entries {
        let path = entry?.path();
        let segment = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok())
            .filter(|_| path.extension().is_some_and(|found| found == extension));
        if let Some(segment) = segment {
            found.insert(segment, path);
        }
    }
    Ok(found)
}

/// No live segments at all.
struct Nothing;

impl Disk for Nothing {
    fn name(&self) -> &'static str {
        "none"
    }

    fn list(&mut self) -> io::Result<Vec<(u64, u64)>> {
        Ok(Vec::new())
    }

    fn create(&mut self, _segment: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn append(&mut self, _segment: u64, _offset: u64, bytes: Vec<u8>) -> (io::Result<()>, Vec<u8>) {
        (Err(io::ErrorKind::Unsupported.into()), bytes)
    }

    fn sync(&mut self, _segment: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn read(
        &mut self,
        _segment: u64,
        _offset: u64,
        buffer: Vec<u8>,
    ) -> (io::Result<usize>, Vec<u8>) {
        (Err(io::ErrorKind::NotFound.into()), buffer)
    }

    fn truncate(&mut self, _segment: u64, _bytes: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&mut self, _segment: u64) -> io::Result<()> {
        Ok(())
    }
}
