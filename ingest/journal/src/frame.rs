//! The format of a segment and of the records in it. All numbers are little-endian.
//!
//! A segment is a file named by its number. It opens with 32 bytes:
//!
//! ```text
//!  0                 8      10     12        16                24        28       32
//! +-----------------+------+------+---------+-----------------+---------+--------+
//! | "PLATENJL"      | ver. | 32   | 0       | segment number  | 0       | CRC32C |
//! +-----------------+------+------+---------+-----------------+---------+--------+
//! ```
//!
//! Then records follow each other without padding:
//!
//! ```text
//!  0      4    5    6      8        12       16               24       28       32
//! +------+----+----+------+--------+--------+----------------+--------+--------+-------…-------+--------…--------+
//! | "PLR"| v. |kind| meta | body   | 0      | sequence       | data   | head   | meta          | body            |
//! | 0xA7 |    |    | bytes| bytes  |        |                | CRC32C | CRC32C | ≤ 65,535      | ≤ 256 MiB       |
//! +------+----+----+------+--------+--------+----------------+--------+--------+-------…-------+--------…--------+
//! ```
//!
//! *data CRC32C* covers meta and body. *head CRC32C* covers the 28 bytes before it and then, without storing them, the segment's
//! number and the record's offset: a frame that a disk or a copy put at another place, or one that lies inside some record's
//! body, is no frame. Therefore a reader that lost its way finds the next record by searching for the magic, and the segment's own
//! header is only there for people: a damaged one costs nothing.

use std::fmt;

/// Bytes before the first record of a segment.
pub const SEGMENT_HEADER_BYTES: usize = 32;
/// Bytes of a record before its meta part.
pub const FRAME_HEADER_BYTES: usize = 32;
/// The version that is written.
pub const VERSION: u8 = 1;
/// The largest meta part: its length has two bytes.
pub const META_BYTES_MAX: usize = u16::MAX as usize;
/// The largest body. What the manager takes and the agent seals is far below; a length above it is damage.
pub const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;

pub(crate) const FRAME_MAGIC: [u8; 4] = [b'P', b'L', b'R', 0xA7];
const SEGMENT_MAGIC: [u8; 8] = *b"PLATENJL";

/// Where a record is: stable for ever, and ordered as the records were appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The segment's number, from 1.
    pub segment: u64,
    /// The byte in the segment's file.
    pub offset: u64,
}

impl Position {
    /// Before everything.
    pub const START: Self = Self {
        segment: 0,
        offset: 0,
    };

    /// Behind everything.
    pub const END: Self = Self {
        segment: u64::MAX,
        offset: u64::MAX,
    };

    /// A position from its two numbers.
    #[must_use]
    pub const fn new(segment: u64, offset: u64) -> Self {
        Self { segment, offset }
    }
}

/// Bits of a [packed](Position::packed) position that hold the offset: segments of up to 64 GiB.
const OFFSET_BITS: u32 = 36;

impl Position {
    /// The position as one number, ordered as positions are: 28 bits of segment, 36 of offset. Beyond them it saturates, which a
    /// journal that starts a segment per second reaches after eight years.
    #[must_use]
    pub const fn packed(self) -> u64 {
        if self.segment >= 1 << (64 - OFFSET_BITS) || self.offset >= 1 << OFFSET_BITS {
            return u64::MAX;
        }
        self.segment << OFFSET_BITS | self.offset
    }

    /// The position that [`packed`](Self::packed) made `number` of.
    #[must_use]
    pub const fn unpacked(number: u64) -> Self {
        Self::new(number >> OFFSET_BITS, number & ((1 << OFFSET_BITS) - 1))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment, self.offset)
    }
}

/// What is appended. What `kind`, `sequence` and `meta` mean is the caller's; `body` is kept verbatim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// What kind of record it is.
    pub kind: u8,
    /// A number of the caller's.
    pub sequence: u64,
    /// A small part beside the body, at most [`META_BYTES_MAX`].
    pub meta: &'a [u8],
    /// The bytes as they came, at most [`BODY_BYTES_MAX`].
    pub body: &'a [u8],
}

impl Record<'_> {
    /// Whether the format can hold it.
    #[must_use]
    pub const fn fits(&self) -> bool {
        self.meta.len() <= META_BYTES_MAX && self.body.len() <= BODY_BYTES_MAX
    }

    /// The bytes it takes in a segment.
    #[must_use]
    pub const fn framed_bytes(&self) -> u64 {
        (FRAME_HEADER_BYTES + self.meta.len() + self.body.len()) as u64
    }

    /// Appends the frame to `out`, for the place `at`. The record must [fit](Self::fits).
    pub(crate) fn write(&self, at: Position, out: &mut Vec<u8>) {
        assert!(
            self.fits(),
            "the journal checks a record's size before it frames it"
        );
        let mut head = [0_u8; FRAME_HEADER_BYTES];
        head[0..4].copy_from_slice(&FRAME_MAGIC);
        head[4] = VERSION;
        head[5] = self.kind;
        head[6..8].copy_from_slice(&(self.meta.len() as u16).to_le_bytes());
        head[8..12].copy_from_slice(&(self.body.len() as u32).to_le_bytes());
        head[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        let data_crc = crc32c::crc32c_append(crc32c::crc32c(self.meta), self.body);
        head[24..28].copy_from_slice(&data_crc.to_le_bytes());
        let head_crc = crc_at(&head[..28], at);
        head[28..32].copy_from_slice(&head_crc.to_le_bytes());
        out.extend_from_slice(&head);
        out.extend_from_slice(self.meta);
        out.extend_from_slice(self.body);
    }
}

/// A frame's header whose checksum held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub kind: u8,
    pub sequence: u64,
    pub meta_bytes: usize,
    pub body_bytes: usize,
    data_crc: u32,
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The magic is not there.
    #[error("no record begins here")]
    Magic,
    /// The header's checksum does not hold.
    #[error("the record's header is damaged")]
    Head,
    /// Written by a later version of this program.
    #[error("the record has format version {0}, which this program does not know")]
    Version(u8),
    /// The segment ends before the record does.
    #[error("the record is cut off")]
    Short,
    /// The data's checksum does not hold.
    #[error("the record's data is damaged")]
    Data,
}

impl Head {
    /// Reads the header at `at` from the first 32 bytes of `bytes`.
    pub(crate) fn read(bytes: &[u8], at: Position) -> Result<Self, FrameError> {
        let Some(head) = bytes.first_chunk::<FRAME_HEADER_BYTES>() else {
            let magic = &FRAME_MAGIC[..bytes.len().min(4)];
            return Err(if bytes.starts_with(magic) {
                FrameError::Short
            } else {
                FrameError::Magic
            });
        };
        if !head.starts_with(&FRAME_MAGIC) {
            return Err(FrameError::Magic);
        }
        if u32::from_le_bytes(part(head, 28)) != crc_at(&head[..28], at) {
            return Err(FrameError::Head);
        }
        if head[4] != VERSION {
            return Err(FrameError::Version(head[4]));
        }
        let body_bytes = u32::from_le_bytes(part(head, 8)) as usize;
        if body_bytes > BODY_BYTES_MAX {
            return Err(FrameError::Head);
        }
        Ok(Self {
            kind: head[5],
            sequence: u64::from_le_bytes(part(head, 16)),
            meta_bytes: usize::from(u16::from_le_bytes(part(head, 6))),
            body_bytes,
            data_crc: u32::from_le_bytes(part(head, 24)),
        })
    }

    /// Bytes of the whole frame.
    pub(crate) const fn framed_bytes(&self) -> usize {
        FRAME_HEADER_BYTES + self.meta_bytes + self.body_bytes
    }

    /// Checks the data behind the header and splits it into meta and body. `data` is exactly both.
    pub(crate) fn split<'a>(&self, data: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), FrameError> {
        if crc32c::crc32c(data) != self.data_crc {
            return Err(FrameError::Data);
        }
        data.split_at_checked(self.meta_bytes)
            .ok_or(FrameError::Short)
    }
}

/// The header of segment `segment`.
pub(crate) fn segment_header(segment: u64) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut head = [0_u8; SEGMENT_HEADER_BYTES];
    head[0..8].copy_from_slice(&SEGMENT_MAGIC);
    head[8..10].copy_from_slice(&u16::from(VERSION).to_le_bytes());
    head[10..12].copy_from_slice(&(SEGMENT_HEADER_BYTES as u16).to_le_bytes());
    head[16..24].copy_from_slice(&segment.to_le_bytes());
    let crc = crc32c::crc32c(&head[..28]);
    head[28..32].copy_from_slice(&crc.to_le_bytes());
    head
}

fn crc_at(head: &[u8], at: Position) -> u32 {
    let crc = crc32c::crc32c(head);
    let crc = crc32c::crc32c_append(crc, &at.segment.to_le_bytes());
    crc32c::crc32c_append(crc, &at.offset.to_le_bytes())
}

fn part<const N: usize>(head: &[u8; FRAME_HEADER_BYTES], from: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&head[from..from + N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Position = Position::new(3, 32);

    fn framed() -> Vec<u8> {
        let mut out = Vec::new();
        let record = Record {
            kind: 7,
            sequence: 41,
            meta: b"meta",
            body: b"a body",
        };
        record.write(AT, &mut out);
        assert_eq!(out.len() as u64, record.framed_bytes());
        out
    }

    #[test]
    fn a_frame_reads_back() {
        let bytes = framed();
        let head = Head::read(&bytes, AT).unwrap();
        assert_eq!((head.kind, head.sequence), (7, 41));
        assert_eq!(head.framed_bytes(), bytes.len());
        assert_eq!(
            head.split(&bytes[FRAME_HEADER_BYTES..]),
            Ok((&b"meta"[..], &b"a body"[..]))
        );
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = framed();
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let read = Head::read(&bytes, AT)
                .and_then(|head| head.split(&bytes[FRAME_HEADER_BYTES..]).map(|_| ()));
            assert!(read.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_frame_at_another_place_is_none() {
        let bytes = framed();
        for at in [Position::new(3, 33), Position::new(2, 32)] {
            assert_eq!(Head::read(&bytes, at), Err(FrameError::Head));
        }
    }
}
