//! Sealed segments, compressed and kept as evidence: the same bytes at the same positions, in less room.
//!
//! An archive is one file per segment, named by its number. It opens with 64 bytes (little-endian):
//!
//! ```text
//!  0           8      10     12     16        24          32          40          48        52     60       64
//! +-----------+------+------+------+---------+-----------+-----------+-----------+---------+------+--------+
//! | "PLATENAR"| ver. | 64   | 0    | segment | raw bytes | begun     | ended     | chunk   | 0    | CRC32C |
//! |           |      |      |      | number  |           | unix ms   | unix ms   | bytes   |      |        |
//! +-----------+------+------+------+---------+-----------+-----------+-----------+---------+------+--------+
//! ```
//!
//! Then the segment's bytes follow in chunks of *chunk bytes* (the last one may be shorter), each a zstd frame of its own behind its length and
//! its CRC32C, so that one record is read by inflating one or two of them:
//!
//! ```text
//!  0        4        8
//! +--------+--------+--------…------+
//! | length | CRC32C | zstd frame    |
//! +--------+--------+--------…------+
//! ```
//!
//! What always holds: a file under its final name is whole and was read back before it got that name; the live segment is removed after
//! that and never before; a chunk that was damaged since reads as zeros, which a [`crate::Reader`] steps over and reports like any damage.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::disk::{Disk, sync_folder};

mod layered;
#[cfg(test)]
mod tests;

pub use layered::ArchiveDisk;

const MAGIC: [u8; 8] = *b"PLATENAR";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 64;
/// Bytes of a segment compressed at once: enough to compress well, little enough to inflate for one record.
const CHUNK_BYTES: usize = 1 << 20;
/// A frame never grows beyond this: what zstd makes of a chunk that cannot be compressed, and some.
const FRAME_BYTES_MAX: usize = CHUNK_BYTES + (64 << 10);
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

/// Compresses a sealed segment of `live` into `folder`. When this returns, the archive is durable and was read back: the live segment may be
/// removed.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when the segment has an archive, which is never written over: [`mend`] compares the two. Else of either
/// disk; nothing is under the final name then.
pub fn write(folder: &Path, live: &mut dyn Disk, due: &Due) -> io::Result<Archived> {
    std::fs::create_dir_all(folder)?;
    if path_of(folder, due.segment, EXTENSION).try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let making = path_of(folder, due.segment, MAKING);
    let made = make(&making, live, due).and_then(|raw_crc| {
        let mut open = Open::read(&making, due.segment)?;
        if open.raw_crc()? == raw_crc {
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

/// Writes all chunks and makes them durable; returns the CRC32C of what they hold.
fn make(path: &Path, live: &mut dyn Disk, due: &Due) -> io::Result<u32> {
    let mut file = File::create(path)?;
    file.write_all(&header(due))?;
    let (mut offset, mut raw_crc) = (0, 0);
    let mut buffer = Vec::new();
    while offset < due.bytes {
        let wanted = (due.bytes - offset).min(CHUNK_BYTES as u64);
        buffer.resize(usize::try_from(wanted).unwrap_or(CHUNK_BYTES), 0);
        let (read, back) = live.read(due.segment, offset, buffer);
        buffer = back;
        if read? != buffer.len() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the segment is shorter than it was",
            ));
        }
        raw_crc = crc32c::crc32c_append(raw_crc, &buffer);
        let frame = zstd::bulk::compress(&buffer, LEVEL)?;
        let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
        file.write_all(&length.to_le_bytes())?;
        file.write_all(&crc32c::crc32c(&frame).to_le_bytes())?;
        file.write_all(&frame)?;
        offset += wanted;
    }
    file.sync_all()?;
    Ok(raw_crc)
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
/// checksums hold: where the live one differs, it is the live one that rotted.
///
/// # Errors
/// Of the file system.
pub fn mend(folder: &Path, live: &mut dyn Disk) -> io::Result<Mended> {
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
        let archived = Open::read(&path, segment).and_then(|mut open| {
            let crc = open.raw_crc()?;
            Ok(open.is_sound.then_some((open.raw_bytes, crc)))
        });
        let live = live_crc(live, segment, *bytes).map(|crc| (*bytes, crc));
        match (archived, live) {
            (Ok(Some(archived)), Ok(live)) if archived == live => mended.doubled.push(segment),
            (Ok(None), Ok(_)) => {
                std::fs::remove_file(path)?;
                mended.removed.push(segment);
            }
            _ => mended.unlike.push(segment),
        }
    }
    Ok(mended)
}

fn live_crc(live: &mut dyn Disk, segment: u64, bytes: u64) -> io::Result<u32> {
    let (mut offset, mut crc, mut buffer) = (0, 0, Vec::new());
    while offset < bytes {
        let wanted = (bytes - offset).min(CHUNK_BYTES as u64);
        buffer.resize(usize::try_from(wanted).unwrap_or(CHUNK_BYTES), 0);
        let (read, back) = live.read(segment, offset, buffer);
        buffer = back;
        crc = crc32c::crc32c_append(crc, &buffer[..read?]);
        offset += wanted;
    }
    Ok(crc)
}

fn header(due: &Due) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[0..8].copy_from_slice(&MAGIC);
    header[8..10].copy_from_slice(&VERSION.to_le_bytes());
    header[10..12].copy_from_slice(&(HEADER_BYTES as u16).to_le_bytes());
    header[16..24].copy_from_slice(&due.segment.to_le_bytes());
    header[24..32].copy_from_slice(&due.bytes.to_le_bytes());
    header[32..40].copy_from_slice(&due.begun_ms.to_le_bytes());
    header[40..48].copy_from_slice(&due.ended_ms.to_le_bytes());
    header[48..52].copy_from_slice(&(CHUNK_BYTES as u32).to_le_bytes());
    let crc = crc32c::crc32c(&header[..60]);
    header[60..64].copy_from_slice(&crc.to_le_bytes());
    header
}

/// What an archive's header says; `None` when it is damaged.
fn read_header(bytes: &[u8; HEADER_BYTES], segment: u64) -> Option<Due> {
    let part = |at: usize| {
        let mut eight = [0; 8];
        eight.copy_from_slice(&bytes[at..at + 8]);
        eight
    };
    let crc = crc32c::crc32c(&bytes[..60]).to_le_bytes();
    let is_ours = bytes.starts_with(&MAGIC)
        && bytes[8..10] == VERSION.to_le_bytes()
        && bytes[60..64] == crc
        && u64::from_le_bytes(part(16)) == segment;
    is_ours.then(|| Due {
        segment,
        bytes: u64::from_le_bytes(part(24)),
        begun_ms: i64::from_le_bytes(part(32)),
        ended_ms: i64::from_le_bytes(part(40)),
    })
}

fn describe(path: &Path, segment: u64) -> io::Result<Archived> {
    let mut file = File::open(path)?;
    let file_bytes = file.metadata()?.len();
    let mut bytes = [0; HEADER_BYTES];
    let known = match file.read_exact(&mut bytes) {
        Ok(()) => read_header(&bytes, segment),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
        Err(error) => return Err(error),
    };
    Ok(match known {
        Some(due) => Archived {
            segment,
            raw_bytes: due.bytes,
            file_bytes,
            begun_ms: due.begun_ms,
            ended_ms: due.ended_ms,
        },
        None => {
            let open = Open::read(path, segment)?;
            Archived {
                segment,
                raw_bytes: open.raw_bytes,
                file_bytes,
                begun_ms: i64::MIN,
                ended_ms: i64::MAX,
            }
        }
    })
}

/// A frame in an archive.
#[derive(Clone, Copy, Debug)]
struct Frame {
    offset: u64,
    bytes: usize,
    crc: u32,
}

/// An archive being read.
#[derive(Debug)]
struct Open {
    segment: u64,
    file: File,
    raw_bytes: u64,
    frames: Vec<Frame>,
    /// Whether its header, and of its chunks all that were read so far, are as they were written.
    is_sound: bool,
    /// The chunk inflated last.
    chunk: Option<(usize, Vec<u8>)>,
}

impl Open {
    fn read(path: &Path, segment: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let end = file.metadata()?.len();
        let mut bytes = [0; HEADER_BYTES];
        let known = match file.read_exact(&mut bytes) {
            Ok(()) => read_header(&bytes, segment),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        let mut frames = Vec::new();
        let mut offset = HEADER_BYTES as u64;
        while offset + 8 <= end {
            let mut head = [0; 8];
            file.seek(SeekFrom::Start(offset))?;
            file.read_exact(&mut head)?;
            let [a, b, c, d, e, f, g, h] = head;
            let bytes = u32::from_le_bytes([a, b, c, d]) as usize;
            if bytes > FRAME_BYTES_MAX || offset + 8 + bytes as u64 > end {
                break;
            }
            frames.push(Frame {
                offset: offset + 8,
                bytes,
                crc: u32::from_le_bytes([e, f, g, h]),
            });
            offset += 8 + bytes as u64;
        }
        // Without a header the last chunk is taken for a full one: what is not there reads as zeros, which is damage at the end.
        let raw_bytes = known.map_or((frames.len() * CHUNK_BYTES) as u64, |due| due.bytes);
        Ok(Self {
            segment,
            file,
            raw_bytes,
            frames,
            is_sound: known.is_some(),
            chunk: None,
        })
    }

    /// The bytes of chunk `index`: zeros where it is damaged.
    fn chunk(&mut self, index: usize) -> io::Result<&[u8]> {
        if self.chunk.as_ref().is_none_or(|(known, _)| *known != index) {
            let chunk = self.inflate(index)?;
            self.chunk = Some((index, chunk));
        }
        Ok(self.chunk.as_ref().map_or(&[], |(_, chunk)| chunk))
    }

    fn inflate(&mut self, index: usize) -> io::Result<Vec<u8>> {
        let begin = (index * CHUNK_BYTES) as u64;
        let wanted = self.raw_bytes.saturating_sub(begin).min(CHUNK_BYTES as u64);
        let wanted = usize::try_from(wanted).unwrap_or(CHUNK_BYTES);
        let mut chunk = Vec::new();
        if let Some(frame) = self.frames.get(index) {
            let mut bytes = vec![0; frame.bytes];
            self.file.seek(SeekFrom::Start(frame.offset))?;
            self.file.read_exact(&mut bytes)?;
            if crc32c::crc32c(&bytes) == frame.crc {
                chunk = zstd::bulk::decompress(&bytes, CHUNK_BYTES).unwrap_or_default();
            }
        }
        self.is_sound &= chunk.len() == wanted;
        chunk.resize(wanted, 0);
        Ok(chunk)
    }

    /// The CRC32C of all it holds.
    fn raw_crc(&mut self) -> io::Result<u32> {
        let chunks = usize::try_from(self.raw_bytes.div_ceil(CHUNK_BYTES as u64)).unwrap_or(0);
        let mut crc = 0;
        for index in 0..chunks {
            crc = crc32c::crc32c_append(crc, self.chunk(index)?);
        }
        Ok(crc)
    }
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
