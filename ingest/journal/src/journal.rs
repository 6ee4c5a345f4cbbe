//! The log itself: open and recover, append, sync, roll, remove.
//!
//! What always holds:
//!
//! - Only one segment is written, the newest, and only by the journal that made it: what an earlier life left is never
//!   appended to. So no position is given out twice, even if a damaged tail was cut off after its records had been used.
//! - After a failed append or sync nothing of it is in the journal (or, if even the taking back failed, the segment is left for good,
//!   and what stands in it is valid records that nobody was told of).
//! - The newest segment is never removed: its number is the memory of which numbers are used up.

use crate::config::Config;
use crate::disk::Disk;
use crate::error::Error;
use crate::frame::{Position, Record, SEGMENT_HEADER_BYTES, segment_header};
use crate::reader::{Damage, Item, Reader};

/// A segment that is no longer written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its number.
    pub segment: u64,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What [`Journal::open`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Segments in the folder.
    pub segments: usize,
    /// Bytes in them, after the tail was cut.
    pub bytes: u64,
    /// Valid records in the newest segment, the only one that a crash can have torn and so the only one that is read.
    pub tail_records: u64,
    /// Bytes cut off the newest segment.
    pub truncated_bytes: u64,
    /// Damage in the newest segment that has valid records behind it, and was left.
    pub damage: Vec<Damage>,
}

/// The segment being written.
#[derive(Clone, Copy, Debug)]
struct Active {
    segment: u64,
    written: u64,
    synced: u64,
}

/// An append-only log in a folder.
pub struct Journal<D> {
    disk: D,
    config: Config,
    /// In order of their numbers.
    sealed: Vec<SegmentInfo>,
    active: Option<Active>,
    /// The number of the next segment; every number below has been used up.
    segment_next: u64,
    /// The frames of one append; kept for its capacity.
    frames: Vec<u8>,
}

impl<D: Disk> Journal<D> {
    /// Opens the log in `disk`'s folder and repairs what a crash left: a torn tail is cut off, and what is valid is made durable,
    /// since the process that wrote it may have died before its sync.
    ///
    /// # Errors
    /// Of the disk. Damaged contents are no error.
    pub fn open(mut disk: D, config: Config) -> Result<(Self, Recovery), Error> {
        let mut listed = disk.list().map_err(|source| Error::List { source })?;
        listed.sort_unstable();
        let mut recovery = Recovery::default();
        if let Some((segment, bytes)) = listed.last_mut() {
            let valid = valid_bytes(&mut disk, *segment, *bytes, &mut recovery)?;
            if valid < *bytes {
                disk.truncate(*segment, valid)
                    .map_err(|source| Error::Truncate {
                        segment: *segment,
                        source,
                    })?;
                recovery.truncated_bytes = *bytes - valid;
                *bytes = valid;
            }
            disk.sync(*segment).map_err(|source| Error::Sync {
                segment: *segment,
                source,
            })?;
        }
        recovery.segments = listed.len();
        recovery.bytes = listed.iter().map(|(_, bytes)| bytes).sum();
        report(&recovery, listed.last().copied());
        let newest = listed.last().map_or(0, |(segment, _)| *segment);
        let journal = Self {
            disk,
            config,
            sealed: listed
                .into_iter()
                .map(|(segment, bytes)| SegmentInfo { segment, bytes })
                .collect(),
            active: None,
            segment_next: (newest + 1).max(config.segment_min),
            frames: Vec::new(),
        };
        Ok((journal, recovery))
    }

    /// Writes records in their order and says where each stands. They are durable after the next [`sync`](Self::sync).
    ///
    /// # Errors
    /// [`Error::TooLarge`], or of the disk (full, broken). None of the records is in the journal then, and appending may be tried again.
    /// An append that starts a new segment syncs the one before; when that fails, [`Error::Sync`] says so, and what it says of earlier
    /// unsynced records holds.
    pub fn append(&mut self, records: &[Record<'_>]) -> Result<Vec<Position>, Error> {
        if let Some(record) = records.iter().find(|record| !record.fits()) {
            return Err(Error::TooLarge {
                meta_bytes: record.meta.len(),
                body_bytes: record.body.len(),
            });
        }
        let mut active = self.writable()?;
        let mut frames = std::mem::take(&mut self.frames);
        frames.clear();
        let mut positions = Vec::with_capacity(records.len());
        for record in records {
            let at = Position::new(active.segment, active.written + frames.len() as u64);
            record.write(at, &mut frames);
            positions.push(at);
        }
        let (result, frames) = self.disk.append(active.segment, active.written, frames);
        let frames_bytes = frames.len() as u64;
        self.frames = frames;
        if let Err(source) = result {
            self.take_back(active.written);
            return Err(Error::Append {
                segment: active.segment,
                source,
            });
        }
        active.written += frames_bytes;
        self.active = Some(active);
        Ok(positions)
    }

    /// Makes everything appended so far durable and says how far that is.
    ///
    /// # Errors
    /// [`Error::Sync`]: what was appended since the last good sync was taken back. (The kernel may have thrown the pages away: a second
    /// sync of the same file would succeed and mean nothing.) Append it again; it goes to a new segment.
    pub fn sync(&mut self) -> Result<Position, Error> {
        if let Some(active) = &mut self.active
            && active.synced < active.written
        {
            let segment = active.segment;
            if let Err(source) = self.disk.sync(segment) {
                let synced = active.synced;
                self.take_back(synced);
                self.leave_segment();
                return Err(Error::Sync { segment, source });
            }
            active.synced = active.written;
        }
        Ok(self.synced())
    }

    /// Whether the next append starts a new segment. Who keeps a summary at the head of each segment puts it first then.
    #[must_use]
    pub fn starts_segment(&self) -> bool {
        self.active
            .is_none_or(|active| active.written >= self.config.segment_bytes)
    }

    /// Ends the segment being written, so that it can be removed or archived; the next append starts another.
    ///
    /// # Errors
    /// [`Error::Sync`], as of [`sync`](Self::sync).
    pub fn seal(&mut self) -> Result<(), Error> {
        self.sync()?;
        self.leave_segment();
        Ok(())
    }

    /// Where the next record goes, at the earliest.
    #[must_use]
    pub fn end(&self) -> Position {
        self.place(|active| active.written)
    }

    /// Everything before this is durable.
    #[must_use]
    pub fn synced(&self) -> Position {
        self.place(|active| active.synced)
    }

    /// The segments that are no longer written, oldest first.
    #[must_use]
    pub fn sealed(&self) -> &[SegmentInfo] {
        &self.sealed
    }

    /// Bytes in all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let active = self.active.map_or(0, |active| active.written);
        self.sealed.iter().map(|info| info.bytes).sum::<u64>() + active
    }

    /// A reader of what is in the journal now, from `from` on.
    ///
    /// # Errors
    /// [`Error::List`].
    pub fn read_from(&mut self, from: Position) -> Result<Reader<&mut D>, Error> {
        let until = self.end();
        Reader::new(&mut self.disk, from, until)
    }

    /// Removes the sealed segments that lie wholly before `position`, oldest first, except the newest segment of all.
    /// Returns those removed.
    ///
    /// # Errors
    /// [`Error::Remove`]; those removed before the error are gone.
    pub fn remove_until(&mut self, position: Position) -> Result<Vec<SegmentInfo>, Error> {
        let mut removed = Vec::new();
        while let Some(&info) = self.sealed.first() {
            let is_newest = self.sealed.len() == 1 && self.active.is_none();
            let end = Position::new(info.segment, info.bytes);
            if is_newest || end > position {
                break;
            }
            self.remove_segment(info.segment)?;
            removed.push(info);
        }
        Ok(removed)
    }

    /// Removes one sealed segment; does nothing to the newest of all and to those that are not there. Says whether it is gone.
    ///
    /// # Errors
    /// [`Error::Remove`].
    pub fn remove_segment(&mut self, segment: u64) -> Result<bool, Error> {
        let at = self.sealed.iter().position(|info| info.segment == segment);
        let is_newest = self.active.is_none() && at.is_some_and(|at| at + 1 == self.sealed.len());
        let Some(at) = at.filter(|_| !is_newest) else {
            return Ok(false);
        };
        self.disk
            .remove(segment)
            .map_err(|source| Error::Remove { segment, source })?;
        self.sealed.remove(at);
        Ok(true)
    }

    /// Which disk driver is below.
    #[must_use]
    pub fn disk_name(&self) -> &'static str {
        self.disk.name()
    }

    /// The segment to write to: the active one while it has room, else a new one.
    fn writable(&mut self) -> Result<Active, Error> {
        if self
            .active
            .is_some_and(|active| active.written >= self.config.segment_bytes)
        {
            self.seal()?;
        }
        match self.active {
            Some(active) => Ok(active),
            None => self.start_segment(),
        }
    }

    fn start_segment(&mut self) -> Result<Active, Error> {
        let segment = self.segment_next;
        // Used up whatever happens: a failed attempt may have left a file.
        self.segment_next += 1;
        let made = self.disk.create(segment).and_then(|()| {
            let header = segment_header(segment).to_vec();
            self.disk.append(segment, 0, header).0
        });
        if let Err(source) = made {
            if let Err(error) = self.disk.remove(segment) {
                tracing::warn!(segment, %error, "a segment that could not be started could not be removed either");
            }
            return Err(Error::Create { segment, source });
        }
        let active = Active {
            segment,
            written: SEGMENT_HEADER_BYTES as u64,
            synced: 0,
        };
        self.active = Some(active);
        Ok(active)
    }

    /// Cuts the active segment back to `bytes`. Where that fails the segment is left: nothing may be written behind unknown bytes.
    fn take_back(&mut self, bytes: u64) {
        let Some(active) = &mut self.active else {
            return;
        };
        let segment = active.segment;
        active.written = bytes;
        active.synced = active.synced.min(bytes);
        if let Err(error) = self.disk.truncate(segment, bytes) {
            tracing::warn!(segment, %error, "a failed write could not be taken back; going on in a new segment");
            self.leave_segment();
        }
    }

    fn leave_segment(&mut self) {
        if let Some(active) = self.active.take() {
            self.sealed.push(SegmentInfo {
                segment: active.segment,
                bytes: active.written,
            });
        }
    }

    fn place(&self, offset: impl Fn(&Active) -> u64) -> Position {
        match (&self.active, self.sealed.last()) {
            (Some(active), _) if offset(active) > 0 => {
                Position::new(active.segment, offset(active))
            }
            (_, Some(last)) => Position::new(last.segment, last.bytes),
            _ => Position::START,
        }
    }
}

/// How many bytes of the segment to keep: all up to a damaged tail.
fn valid_bytes(
    disk: &mut impl Disk,
    segment: u64,
    bytes: u64,
    recovery: &mut Recovery,
) -> Result<u64, Error> {
    if bytes <= SEGMENT_HEADER_BYTES as u64 {
        // No record: nothing to keep but a whole header.
        return Ok(if bytes == SEGMENT_HEADER_BYTES as u64 {
            bytes
        } else {
            0
        });
    }
    let mut reader = Reader::new(disk, Position::new(segment, 0), Position::END)?;
    while let Some(item) = reader.next()? {
        match item {
            // Of live segments nothing is withheld.
            Item::Record(_) | Item::Withheld(_) => recovery.tail_records += 1,
            Item::Damage(damage) if damage.is_tail => return Ok(damage.from.offset),
            Item::Damage(damage) => recovery.damage.push(damage),
        }
    }
    Ok(bytes)
}

fn report(recovery: &Recovery, newest: Option<(u64, u64)>) {
    let segment = newest.map_or(0, |(segment, _)| segment);
    if recovery.truncated_bytes > 0 {
        tracing::warn!(
            segment,
            bytes = recovery.truncated_bytes,
            "cut a torn tail off the journal's newest segment"
        );
    }
    for damage in &recovery.damage {
        tracing::error!(
            segment,
            from = damage.from.offset,
            to = damage.to,
            reason = %damage.reason,
            "the journal is damaged here; the records behind it are read"
        );
    }
}

#[cfg(test)]
mod tests;
