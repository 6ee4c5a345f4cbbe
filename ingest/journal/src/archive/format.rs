//! The head of an archive, which in version 2 stands at both ends of the file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::seal::{Owner, SALT_BYTES, Share};
use super::{CHUNK_BYTES, Due};

const MAGIC: [u8; 8] = *b"PLATENAR";
const VERSION_1: u16 = 1;
const VERSION_2: u16 = 2;
const HEAD_1_BYTES: usize = 64;
const HEAD_2_BYTES: usize = 96;
const SHARE_BYTES: usize = 24;
/// Behind the second head: its length.
const TRAILER_BYTES: u64 = 4;

/// What an archive says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub due: Due,
    /// What its parts are sealed with; `None` in version 1, which seals nothing.
    pub salt: Option<[u8; SALT_BYTES]>,
    pub shares: Vec<Share>,
}

impl Head {
    pub fn write(&self) -> Vec<u8> {
        let Self { due, salt, shares } = self;
        let (version, bytes) = match salt {
            Some(_) => (VERSION_2, HEAD_2_BYTES),
            None => (VERSION_1, HEAD_1_BYTES),
        };
        let mut head = vec![0; bytes];
        head[0..8].copy_from_slice(&MAGIC);
        head[8..10].copy_from_slice(&version.to_le_bytes());
        head[10..12].copy_from_slice(&(bytes as u16).to_le_bytes());
        head[16..24].copy_from_slice(&due.segment.to_le_bytes());
        head[24..32].copy_from_slice(&due.bytes.to_le_bytes());
        head[32..40].copy_from_slice(&due.begun_ms.to_le_bytes());
        head[40..48].copy_from_slice(&due.ended_ms.to_le_bytes());
        head[48..52].copy_from_slice(&(CHUNK_BYTES as u32).to_le_bytes());
        let mut table = Vec::with_capacity(shares.len() * SHARE_BYTES);
        if let Some(salt) = salt {
            for share in shares {
                table.extend_from_slice(&share.owner.0.to_le_bytes());
                table.extend_from_slice(&share.key);
                table.extend_from_slice(&share.bytes.to_le_bytes());
            }
            let count = u32::try_from(shares.len()).expect("a segment has fewer owners than bytes");
            head[12..16].copy_from_slice(&count.to_le_bytes());
            head[56..88].copy_from_slice(salt);
            head[88..92].copy_from_slice(&crc32c::crc32c(&table).to_le_bytes());
        }
        let crc = crc32c::crc32c(&head[..bytes - 4]);
        head[bytes - 4..].copy_from_slice(&crc.to_le_bytes());
        head.extend_from_slice(&table);
        head
    }

    /// The head behind the chunks, and how long it is.
    pub fn write_behind(&self) -> Vec<u8> {
        let mut bytes = self.write();
        let length = u32::try_from(bytes.len()).expect("a head is shorter than its segment");
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes
    }

    /// Reads a head from the front of `bytes`, and says how long it is; `None` when it is none, or damaged.
    fn parse(bytes: &[u8], segment: u64) -> Option<(Self, usize)> {
        let version = u16::from_le_bytes(*bytes.get(8..)?.first_chunk()?);
        let length = match version {
            VERSION_1 => HEAD_1_BYTES,
            VERSION_2 => HEAD_2_BYTES,
            _ => return None,
        };
        let (head, rest) = bytes.split_at_checked(length)?;
        let crc = crc32c::crc32c(&head[..length - 4]).to_le_bytes();
        let due = Due {
            segment: number(head, 16),
            bytes: number(head, 24),
            begun_ms: number(head, 32).cast_signed(),
            ended_ms: number(head, 40).cast_signed(),
        };
        if !head.starts_with(&MAGIC) || head[length - 4..] != crc || due.segment != segment {
            return None;
        }
        if version == VERSION_1 {
            let (salt, shares) = (None, Vec::new());
            return Some((Self { due, salt, shares }, length));
        }
        let count = u32::from_le_bytes(*head[12..].first_chunk()?) as usize;
        let table = rest.get(..count.checked_mul(SHARE_BYTES)?)?;
        if crc32c::crc32c(table).to_le_bytes() != head[88..92] {
            return None;
        }
        let shares = table.chunks_exact(SHARE_BYTES).map(|share| Share {
            owner: Owner(number(share, 0).cast_signed()),
            key: number(share, 8).to_le_bytes(),
            bytes: number(share, 16),
        });
        let known = Self {
            due,
            salt: Some(*head[56..].first_chunk()?),
            shares: shares.collect(),
        };
        Some((known, length + table.len()))
    }
}

fn number(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

/// The heads of a file.
pub(super) struct Heads {
    /// The first that is as it was written.
    pub head: Option<Head>,
    /// Where the chunks begin.
    pub chunks_from: u64,
    /// Whether all that there should be are as they were written.
    pub is_sound: bool,
}

/// The longest head that is read: an owner for every record of the largest chunk's worth of records, and some. A longer one is damage.
const HEAD_BYTES_MAX: u64 = 16 << 20;

/// Reads the head at the front and, where there is one, that at the end.
pub(super) fn read(file: &mut File, segment: u64) -> io::Result<Heads> {
    let end = file.metadata()?.len();
    let fixed = part(file, 0, end.min(HEAD_2_BYTES as u64))?;
    // The first read is enough to know how many owners there are.
    let shares = fixed.get(12..16).and_then(|count| count.first_chunk());
    let shares = shares.map_or(0, |count| u64::from(u32::from_le_bytes(*count)));
    let wanted = HEAD_2_BYTES as u64 + shares * SHARE_BYTES as u64;
    let first = if shares == 0 || wanted > end.min(HEAD_BYTES_MAX) {
        fixed
    } else {
        part(file, 0, wanted)?
    };
    let first = Head::parse(&first, segment);
    let is_version_1 = first.as_ref().is_some_and(|(head, _)| head.salt.is_none());
    if is_version_1 {
        return Ok(Heads {
            head: first.map(|(head, _)| head),
            chunks_from: HEAD_1_BYTES as u64,
            is_sound: true,
        });
    }
    let second = match end.checked_sub(TRAILER_BYTES) {
        Some(at) => {
            let length = part(file, at, TRAILER_BYTES)?;
            let length = length.first_chunk().map_or(0, |l| u32::from_le_bytes(*l));
            let length = u64::from(length);
            match at.checked_sub(length) {
                Some(from) if length <= HEAD_BYTES_MAX => {
                    Head::parse(&part(file, from, length)?, segment)
                        .filter(|(head, _)| head.salt.is_some())
                }
                _ => None,
            }
        }
        None => None,
    };
    let is_sound = first.is_some() && first == second;
    // Without any it is taken for one of version 1.
    let (head, length) = first
        .or(second)
        .map_or((None, HEAD_1_BYTES), |(head, length)| (Some(head), length));
    Ok(Heads {
        head,
        chunks_from: length as u64,
        is_sound,
    })
}

fn part(file: &mut File, from: u64, bytes: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut part = Vec::new();
    file.take(bytes).read_to_end(&mut part)?;
    Ok(part)
}
