//! Reading an archive: chunk by chunk, what can be opened, and what is withheld and why.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::seal::{Access, NO_KEY, Opener, Owner, Place, SALT_BYTES, Share, Why};
use super::{CHUNK_BYTES, Due, FRAME_BYTES_MAX, format};

/// A frame in an archive.
#[derive(Clone, Copy, Debug)]
struct Frame {
    offset: u64,
    bytes: usize,
    crc: u32,
}

/// Bytes of a chunk that are zeros, and not because they are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub from: usize,
    pub to: usize,
    pub owner: Owner,
    pub why: Why,
}

/// A chunk, opened.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub bytes: Vec<u8>,
    pub gaps: Vec<Gap>,
}

/// An archive being read.
#[derive(Debug)]
pub(super) struct Open {
    pub segment: u64,
    file: File,
    /// What its head says; `None` when that is damaged.
    pub due: Option<Due>,
    pub raw_bytes: u64,
    salt: Option<[u8; SALT_BYTES]>,
    pub shares: Vec<Share>,
    access: Vec<Access>,
    opener: Arc<dyn Opener>,
    frames: Vec<Frame>,
    /// Whether its heads, and of its chunks all that were read so far, are as they were written.
    pub is_sound: bool,
    /// The chunk opened last.
    chunk: Option<(usize, Chunk)>,
}

impl Open {
    pub fn read(path: &Path, segment: u64, opener: &Arc<dyn Opener>) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let file_bytes = file.metadata()?.len();
        let heads = format::read(&mut file, segment)?;
        let (due, salt, shares) = match heads.head {
            Some(head) => (Some(head.due), head.salt, head.shares),
            None => (None, None, Vec::new()),
        };
        let expected = due.map(|due| due.bytes.div_ceil(CHUNK_BYTES as u64));
        let frames = frames(&mut file, (heads.chunks_from, file_bytes), expected)?;
        // Without a head the last chunk is taken for a full one: what is not there reads as zeros, which is damage at the end.
        let raw_bytes = match due {
            Some(due) => due.bytes,
            None if frames.is_empty() => file_bytes,
            None => (frames.len() * CHUNK_BYTES) as u64,
        };
        let access = shares.iter().map(|share| match share.key {
            NO_KEY => Access::Withheld(Why::Forgotten),
            key => opener.access(share.owner, &key),
        });
        let access = access.collect();
        Ok(Self {
            segment,
            file,
            due,
            raw_bytes,
            salt,
            shares,
            access,
            opener: Arc::clone(opener),
            frames,
            is_sound: heads.is_sound,
            chunk: None,
        })
    }

    /// Whether nothing of it is sealed since it was written before there were keys.
    pub const fn is_unsealed(&self) -> bool {
        self.due.is_some() && self.salt.is_none()
    }

    /// The owner and the reason when any of the bytes are withheld.
    pub fn withheld(&mut self, from: u64, to: u64) -> io::Result<Option<(Owner, Why)>> {
        let mut at = from;
        while at < to.min(self.raw_bytes) {
            let (index, begin) = place_of(at)?;
            let chunk_end = at - begin as u64 + CHUNK_BYTES as u64;
            let end = begin + usize::try_from(to.min(chunk_end) - at).map_err(io::Error::other)?;
            let gaps = &self.chunk(index)?.gaps;
            let gap = gaps.iter().find(|gap| gap.from < end && begin < gap.to);
            if let Some(gap) = gap {
                return Ok(Some((gap.owner, gap.why)));
            }
            at = chunk_end;
        }
        Ok(None)
    }

    /// Fills the buffer from `offset` on, as far as there is something.
    pub fn fill(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let at = offset + filled as u64;
            if at >= self.raw_bytes {
                break;
            }
            let (index, begin) = place_of(at)?;
            let bytes = self.chunk(index)?.bytes.get(begin..).unwrap_or_default();
            let count = bytes.len().min(buffer.len() - filled);
            if count == 0 {
                break;
            }
            buffer[filled..filled + count].copy_from_slice(&bytes[..count]);
            filled += count;
        }
        Ok(filled)
    }

    /// How many chunks it has.
    pub fn chunks(&self) -> usize {
        usize::try_from(self.raw_bytes.div_ceil(CHUNK_BYTES as u64)).unwrap_or(0)
    }

    /// Chunk `index`: zeros where it is damaged or withheld.
    pub fn chunk(&mut self, index: usize) -> io::Result<&Chunk> {
        if self.chunk.as_ref().is_none_or(|(known, _)| *known != index) {
            self.chunk = None;
            let chunk = self.load(index)?;
            self.chunk = Some((index, chunk));
        }
        let (_, chunk) = self.chunk.as_ref().expect("it was loaded above");
        Ok(chunk)
    }

    fn load(&mut self, index: usize) -> io::Result<Chunk> {
        let begin = (index * CHUNK_BYTES) as u64;
        let wanted = self.raw_bytes.saturating_sub(begin).min(CHUNK_BYTES as u64);
        let wanted = usize::try_from(wanted).unwrap_or(CHUNK_BYTES);
        let mut chunk = Chunk::default();
        let mut is_whole = false;
        if let Some(frame) = self.frames.get(index) {
            let mut bytes = vec![0; frame.bytes];
            self.file.seek(SeekFrom::Start(frame.offset))?;
            self.file.read_exact(&mut bytes)?;
            if crc32c::crc32c(&bytes) == frame.crc {
                let unpacked = match self.salt {
                    None => zstd::bulk::decompress(&bytes, CHUNK_BYTES)
                        .ok()
                        .map(|bytes| {
                            let gaps = Vec::new();
                            (Chunk { bytes, gaps }, true)
                        }),
                    Some(salt) => self.unpack(&bytes, (index, wanted), salt),
                };
                (chunk, is_whole) = unpacked.unwrap_or_default();
            }
        }
        self.is_sound &= is_whole && chunk.bytes.len() == wanted;
        chunk.bytes.resize(wanted, 0);
        Ok(chunk)
    }

    /// Puts a chunk together, and says whether all was as it was written; `None` when it cannot be told what is where.
    fn unpack(
        &self,
        content: &[u8],
        (index, wanted): (usize, usize),
        salt: [u8; SALT_BYTES],
    ) -> Option<(Chunk, bool)> {
        let mut rest = content;
        let open_bytes = take_count(&mut rest)?;
        let frame_bytes = take_count(&mut rest)?;
        let count = take_count(&mut rest)?;
        // Eight bytes each: more than fit are not believed.
        let (mut table, rest) = rest.split_at_checked(count.checked_mul(8)?)?;
        let (frame, mut sealed) = rest.split_at_checked(frame_bytes)?;
        // What says where the parts are takes nine bytes a stretch at the most, and a stretch has one byte at least.
        if open_bytes > 10 * CHUNK_BYTES {
            return None;
        }
        let open = zstd::bulk::decompress(frame, open_bytes).ok()?;
        let mut is_whole = open.len() == open_bytes;
        let mut parts = Vec::with_capacity(count);
        while !table.is_empty() {
            let share = take_count(&mut table)?;
            let (bytes, behind) = sealed.split_at_checked(take_count(&mut table)?)?;
            sealed = behind;
            let owner = self.shares.get(share)?.owner;
            let part = match *self.access.get(share)? {
                Access::Withheld(why) => Part::Withheld(owner, why),
                Access::Open => {
                    let place = Place {
                        salt,
                        segment: self.segment,
                        chunk: u32::try_from(index).ok()?,
                        owner,
                        key: self.shares.get(share)?.key,
                    };
                    let mut bytes = bytes.to_vec();
                    let inflated = self.opener.open(&place, &mut bytes);
                    let inflated = inflated.then(|| zstd::bulk::decompress(&bytes, wanted).ok());
                    Part::Bytes(inflated.flatten().unwrap_or_default(), 0)
                }
            };
            parts.push(part);
        }
        let mut plain = &open[..];
        let mut runs = Vec::new();
        for _ in 0..take_number(&mut plain)? {
            let run = [(); 3].map(|()| take_number(&mut plain));
            runs.push([run[0]?, run[1]?, run[2]?]);
        }
        let mut chunk = Chunk::default();
        let bytes = &mut chunk.bytes;
        for [before, length, number] in runs {
            let (stays, behind) = plain.split_at_checked(before)?;
            plain = behind;
            bytes.extend_from_slice(stays);
            let from = bytes.len();
            let to = from.checked_add(length).filter(|to| *to <= wanted)?;
            match parts.get_mut(number)? {
                Part::Withheld(owner, why) => chunk.gaps.push(Gap {
                    from,
                    to,
                    owner: *owner,
                    why: *why,
                }),
                Part::Bytes(part, done) => {
                    let given = part.get(*done..).unwrap_or_default();
                    let given = &given[..given.len().min(length)];
                    *done += given.len();
                    // What could not be opened is missing here, and damage.
                    is_whole &= given.len() == length;
                    bytes.extend_from_slice(given);
                }
            }
            bytes.resize(to, 0);
        }
        bytes.extend_from_slice(plain);
        is_whole &= sealed.is_empty();
        Some((chunk, is_whole))
    }
}

/// One owner's bytes of a chunk.
enum Part {
    Withheld(Owner, Why),
    /// Those, and how many of them were taken.
    Bytes(Vec<u8>, usize),
}

/// Finds the frames between two places: as many as there should be, where that is known.
fn frames(
    file: &mut File,
    (from, end): (u64, u64),
    expected: Option<u64>,
) -> io::Result<Vec<Frame>> {
    let mut frames = Vec::new();
    let mut offset = from;
    while offset + 8 <= end && expected.is_none_or(|expected| (frames.len() as u64) < expected) {
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
    Ok(frames)
}

/// The chunk that has byte `at` of a segment, and where in it.
fn place_of(at: u64) -> io::Result<(usize, usize)> {
    let index = usize::try_from(at / CHUNK_BYTES as u64).map_err(io::Error::other)?;
    Ok((index, (at % CHUNK_BYTES as u64) as usize))
}

fn take_count(bytes: &mut &[u8]) -> Option<usize> {
    let (count, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*count) as usize)
}

/// Reads what `put_number` wrote.
fn take_number(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in (0..u32::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= (u64::from(*byte) & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return usize::try_from(number).ok();
        }
    }
    None
}
