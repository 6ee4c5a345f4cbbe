//! Records from a position on, in order, stepping over damage.
//!
//! What always holds: an [`Entry`] is yielded only when its checksums hold at the place where it stands; damage is yielded as
//! what it is, with its bounds, and reading goes on behind it.

use std::collections::VecDeque;

use crate::archive::{Owner, Why};
use crate::disk::Disk;
use crate::error::Error;
use crate::frame::{
    FRAME_HEADER_BYTES, FRAME_MAGIC, FrameError, Head, Position, SEGMENT_HEADER_BYTES,
};

/// What is read from the disk at once: enough that a system call per read does not show, little enough to hold one per reader.
const READ_BYTES: usize = 1024 * 1024;

/// What a reader yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A record.
    Record(Entry<'a>),
    /// Bytes that are no record.
    Damage(Damage),
    /// A record that cannot be read since its owner's key is not there: neither damage nor an error.
    Withheld(Withheld),
}

/// A record whose data is withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// Where it begins.
    pub position: Position,
    /// Where the next one would begin.
    pub next: Position,
    /// As appended.
    pub kind: u8,
    /// As appended.
    pub sequence: u64,
    /// Bytes of its meta part and its body.
    pub data_bytes: u64,
    /// Whose it is.
    pub owner: Owner,
    /// Why it cannot be read.
    pub why: Why,
}

/// What stands where a frame should.
enum Found {
    Whole(Head),
    Withheld(Head, (Owner, Why)),
    /// Where the header holds but the data does not, with the header: its length can be trusted.
    Bad(FrameError, Option<Head>),
}

/// A record where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Where it begins.
    pub position: Position,
    /// Where the next one would begin: the position to go on from once this one is dealt with.
    pub next: Position,
    /// As appended.
    pub kind: u8,
    /// As appended.
    pub sequence: u64,
    /// As appended.
    pub meta: &'a [u8],
    /// As appended.
    pub body: &'a [u8],
}

/// A range of bytes that hold no valid record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The first bad byte.
    pub from: Position,
    /// The offset in the same segment where reading goes on.
    pub to: u64,
    /// What was wrong at `from`.
    pub reason: FrameError,
    /// Whether nothing valid follows in the segment: a torn tail, or as good as one.
    pub is_tail: bool,
}

/// Reads records from one position to another.
pub struct Reader<D> {
    disk: D,
    /// Segments still to read with their sizes, the current one first.
    segments: VecDeque<(u64, u64)>,
    at: Position,
    until: Position,
    buffer: Vec<u8>,
    /// The offset in the current segment of `buffer[0]`.
    buffer_from: u64,
    /// Bytes of `buffer` that are the segment's.
    buffer_filled: usize,
}

impl<D: Disk> Reader<D> {
    /// A reader of everything in `disk`'s folder from `from` (where a record begins, or [`Position::START`]) up to `until`.
    ///
    /// Pass as `until` what is known to be durable when the journal is being written at the same time, and [`Position::END`] when not.
    /// If the segment of `from` was removed, reading begins with the oldest one left.
    ///
    /// # Errors
    /// [`Error::List`].
    pub fn new(mut disk: D, from: Position, until: Position) -> Result<Self, Error> {
        let mut segments = disk.list().map_err(|source| Error::List { source })?;
        segments.retain(|(segment, _)| (from.segment..=until.segment).contains(segment));
        segments.sort_unstable();
        Ok(Self {
            disk,
            segments: segments.into(),
            at: from,
            until,
            buffer: Vec::new(),
            buffer_from: 0,
            buffer_filled: 0,
        })
    }

    /// Where the next item begins, or where everything ended.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.at
    }

    /// Where reading ends.
    #[must_use]
    pub const fn until(&self) -> Position {
        self.until
    }

    /// The next record or damaged range; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Read`]. The reader stays where it was, so that the call can be repeated.
    #[allow(
        clippy::should_implement_trait,
        reason = "the item borrows from the reader"
    )]
    pub fn next(&mut self) -> Result<Option<Item<'_>>, Error> {
        let end = loop {
            let Some(&(segment, bytes)) = self.segments.front() else {
                return Ok(None);
            };
            let end = if segment == self.until.segment {
                bytes.min(self.until.offset)
            } else {
                bytes
            };
            if self.at.segment != segment || self.at.offset < SEGMENT_HEADER_BYTES as u64 {
                self.at = Position::new(segment, SEGMENT_HEADER_BYTES as u64);
                self.buffer_filled = 0;
            }
            if self.at.offset < end {
                break end;
            }
            self.segments.pop_front();
            self.buffer_filled = 0;
        };
        match self.frame(self.at.offset, end)? {
            Found::Whole(head) => {
                let position = self.at;
                self.at.offset += head.framed_bytes() as u64;
                let from = index(position.offset - self.buffer_from);
                let data = &self.buffer[from + FRAME_HEADER_BYTES..from + head.framed_bytes()];
                let (meta, body) = data.split_at(head.meta_bytes);
                Ok(Some(Item::Record(Entry {
                    position,
                    next: self.at,
                    kind: head.kind,
                    sequence: head.sequence,
                    meta,
                    body,
                })))
            }
            Found::Withheld(head, (owner, why)) => {
                let position = self.at;
                self.at.offset += head.framed_bytes() as u64;
                Ok(Some(Item::Withheld(Withheld {
                    position,
                    next: self.at,
                    kind: head.kind,
                    sequence: head.sequence,
                    data_bytes: (head.meta_bytes + head.body_bytes) as u64,
                    owner,
                    why,
                })))
            }
            Found::Bad(reason, head) => {
                let from = self.at;
                let found = self.next_frame(head, end)?;
                self.at.offset = found.unwrap_or(end);
                Ok(Some(Item::Damage(Damage {
                    from,
                    to: self.at.offset,
                    reason,
                    is_tail: found.is_none(),
                })))
            }
        }
    }

    /// Checks the whole frame at `offset` and leaves it in the buffer.
    fn frame(&mut self, offset: u64, end: u64) -> Result<Found, Error> {
        let at = Position::new(self.at.segment, offset);
        let head = match Head::read(self.window(offset, FRAME_HEADER_BYTES, end)?, at) {
            Ok(head) => head,
            Err(reason) => return Ok(Found::Bad(reason, None)),
        };
        let framed = self.window(offset, head.framed_bytes(), end)?;
        if framed.len() < head.framed_bytes() {
            return Ok(Found::Bad(FrameError::Short, None));
        }
        let Err(reason) = head.split(&framed[FRAME_HEADER_BYTES..]).map(|_| ()) else {
            return Ok(Found::Whole(head));
        };
        let data = offset + FRAME_HEADER_BYTES as u64;
        let data_end = offset + head.framed_bytes() as u64;
        let segment = at.segment;
        let withheld = self.disk.withheld(segment, data, data_end);
        let withheld = withheld.map_err(|source| Error::Read { segment, source })?;
        Ok(match withheld {
            Some(withheld) => Found::Withheld(head, withheld),
            None => Found::Bad(reason, Some(head)),
        })
    }

    /// The offset of the first valid frame behind the damage at the current position.
    fn next_frame(&mut self, head: Option<Head>, end: u64) -> Result<Option<u64>, Error> {
        let mut offset = self.at.offset + head.map_or(1, |head| head.framed_bytes() as u64);
        // The length of a frame whose header holds is right: do not look for frames in its damaged body.
        while offset < end {
            let window = self.window(offset, READ_BYTES, end)?;
            let magic = window
                .windows(FRAME_MAGIC.len())
                .position(|bytes| bytes == FRAME_MAGIC);
            let Some(skipped) = magic else {
                let searched = window.len().saturating_sub(FRAME_MAGIC.len() - 1).max(1);
                offset += searched as u64;
                continue;
            };
            offset += skipped as u64;
            match self.frame(offset, end)? {
                Found::Whole(_) | Found::Withheld(..) => return Ok(Some(offset)),
                Found::Bad(_, Some(head)) => offset += head.framed_bytes() as u64,
                Found::Bad(_, None) => offset += 1,
            }
        }
        Ok(None)
    }

    /// The bytes from `offset` on: `wanted`, or fewer where the segment ends at `end`.
    fn window(&mut self, offset: u64, wanted: usize, end: u64) -> Result<&[u8], Error> {
        let wanted = wanted.min(index(end - offset));
        let buffered = self.buffer_from..=self.buffer_from + self.buffer_filled as u64;
        let is_there = buffered.contains(&offset) && buffered.contains(&(offset + wanted as u64));
        if !is_there {
            let bytes = wanted.max(READ_BYTES).min(index(end - offset));
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.resize(bytes, 0);
            self.buffer_filled = 0;
            let (result, buffer) = self.disk.read(self.at.segment, offset, buffer);
            self.buffer = buffer;
            self.buffer_from = offset;
            self.buffer_filled = result.map_err(|source| Error::Read {
                segment: self.at.segment,
                source,
            })?;
        }
        let from = index(offset - self.buffer_from);
        let to = (from + wanted).min(self.buffer_filled);
        Ok(&self.buffer[from..to])
    }
}

/// An offset within a window as an index: windows are bounded by the largest frame.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
