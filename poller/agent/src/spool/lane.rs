//! One stream of the spool: a journal of reports and marks, and what of it still waits.
//!
//! A report's record (kind 1) has the report's number as its sequence, the sealed bytes as its body, and [`Meta`] as its meta part.
//!
//! A mark (kind 2) has a number as its sequence: every report up to it is done with. Marks are hints that save sending again,
//! except the one written and synced before a segment is removed, which keeps that segment's numbers from being given out again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use codec::id::AgentId;
use codec::key::{Missing, ReportKey, SpoolEpoch, Stream};
use codec::time::Timestamp;
use journal::{Config, Disk, Item, Journal, Position, Record};

use super::meta::{META_BYTES, Meta, Waiting};
use super::{Dropped, SpoolError};

mod again;

const KIND_REPORT: u8 = 1;
pub const KIND_MARK: u8 = 2;
/// A mark is written when nothing waits any more, and in a backlog after so many receipts: what a crash at most sends again.
const DONE_PER_MARK: u64 = 16;

/// What a lane must keep to.
#[derive(Clone, Copy, Debug)]
pub struct LaneLimits {
    pub segment_bytes: u64,
    pub age_max_ms: i64,
    pub keep_acknowledged_ms: i64,
}

/// A report in the journal that is not done with.
#[derive(Clone, Copy, Debug)]
struct Place {
    sequence: u64,
    position: Position,
    bytes: u64,
}

/// What stands in a segment.
#[derive(Clone, Copy, Debug)]
struct Contents {
    sequence_last: u64,
    sealed_last: Timestamp,
}

/// A stream of the spool.
pub struct Lane<D> {
    stream: Stream,
    journal: Journal<D>,
    limits: LaneLimits,
    /// In order.
    waiting: VecDeque<Place>,
    waiting_bytes: u64,
    /// Done with, though an earlier one still waits.
    done_ahead: BTreeSet<u64>,
    segments: BTreeMap<u64, Contents>,
    sequence_last: u64,
    done_since_mark: u64,
    dropped: Dropped,
    /// Ranges that were asked for again and of which nothing is left.
    gone: Vec<Missing>,
    /// Reports that the manager refused for good: it will never have them, so its asking for them is no reason to send them again.
    refused: BTreeSet<(u64, SpoolEpoch)>,
}

impl<D: Disk> Lane<D> {
    /// Opens the journal and reads what waits.
    pub fn open(stream: Stream, disk: D, limits: LaneLimits) -> Result<Self, SpoolError> {
        let failed = |source| SpoolError::Journal { stream, source };
        let config = Config {
            segment_bytes: limits.segment_bytes,
            ..Config::default()
        };
        let (mut journal, recovery) = Journal::open(disk, config).map_err(failed)?;
        if recovery.truncated_bytes > 0 {
            tracing::info!(
                stream = stream.name(),
                bytes = recovery.truncated_bytes,
                "cut off a report that was being written when the agent ended"
            );
        }
        let mut places = Vec::new();
        let mut segments = BTreeMap::new();
        let (mut sequence_last, mut done) = (0, 0);
        let mut dropped = Dropped::default();
        let mut reader = journal.read_from(Position::START).map_err(failed)?;
        while let Some(item) = reader.next().map_err(failed)? {
            match item {
                Item::Record(entry) if entry.kind == KIND_MARK => {
                    done = done.max(entry.sequence);
                    sequence_last = sequence_last.max(entry.sequence);
                }
                Item::Record(entry) => {
                    let Some(meta) = Meta::read(entry.meta) else {
                        dropped.damaged += 1;
                        continue;
                    };
                    sequence_last = sequence_last.max(entry.sequence);
                    segments.insert(
                        entry.position.segment,
                        Contents {
                            sequence_last: entry.sequence,
                            sealed_last: meta.sealed_at,
                        },
                    );
                    places.push(Place {
                        sequence: entry.sequence,
                        position: entry.position,
                        bytes: entry.body.len() as u64,
                    });
                }
                Item::Damage(damage) => {
                    tracing::warn!(
                        stream = stream.name(),
                        ?damage,
                        "the spool is damaged here; reading goes on behind"
                    );
                    dropped.damaged += 1;
                }
                // Nothing in a spool is sealed.
                Item::Withheld(_) => dropped.damaged += 1,
            }
        }
        let waiting: VecDeque<Place> = places
            .into_iter()
            .filter(|place| place.sequence > done)
            .collect();
        Ok(Self {
            stream,
            journal,
            limits,
            waiting_bytes: waiting.iter().map(|place| place.bytes).sum(),
            waiting,
            done_ahead: BTreeSet::new(),
            segments,
            sequence_last,
            done_since_mark: 0,
            dropped,
            gone: Vec::new(),
            refused: BTreeSet::new(),
        })
    }

    pub const fn stream(&self) -> Stream {
        self.stream
    }

    /// Whether nothing was ever numbered here, as far as the disk tells.
    pub const fn is_blank(&self) -> bool {
        self.sequence_last == 0
    }

    pub const fn sequence_next(&self) -> u64 {
        self.sequence_last + 1
    }

    pub fn depth(&self) -> (u64, u64) {
        (self.waiting.len() as u64, self.waiting_bytes)
    }

    pub const fn dropped(&self) -> Dropped {
        self.dropped
    }

    pub fn bytes(&self) -> u64 {
        self.journal.bytes()
    }

    /// What a report of these bytes takes on disk, with a mark beside it.
    pub fn framed_bytes(sealed: &[u8]) -> u64 {
        let record = Record {
            body: sealed,
            meta: &[0; META_BYTES],
            ..Record::default()
        };
        record.framed_bytes() + Record::default().framed_bytes()
    }

    /// Writes a report and syncs.
    pub fn append(&mut self, meta: &Meta, sequence: u64, sealed: &[u8]) -> Result<(), SpoolError> {
        assert_eq!(
            sequence,
            self.sequence_next(),
            "a report bears the number that the spool gave out"
        );
        let record = Record {
            kind: KIND_REPORT,
            sequence,
            meta: &meta.write(),
            body: sealed,
        };
        let position = self.write(&[record])?;
        self.sequence_last = sequence;
        self.segments.insert(
            position.segment,
            Contents {
                sequence_last: sequence,
                sealed_last: meta.sealed_at,
            },
        );
        self.waiting.push_back(Place {
            sequence,
            position,
            bytes: sealed.len() as u64,
        });
        self.waiting_bytes += sealed.len() as u64;
        Ok(())
    }

    /// Reads the oldest waiting reports behind `after` that are not done with. None means that nothing waits there: what cannot be
    /// read any more is given up and stepped over.
    pub fn waiting(
        &mut self,
        agent: &AgentId,
        after: u64,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Waiting>, SpoolError> {
        loop {
            let (found, unreadable) = self.read_ahead(agent, after, count_max, bytes_max)?;
            for sequence in &unreadable {
                // It must not stand in the way of the others for ever.
                self.dropped.damaged += 1;
                tracing::error!(
                    stream = self.stream.name(),
                    sequence,
                    "a waiting report can no longer be read; it is lost"
                );
                self.done(*sequence)?;
            }
            if !found.is_empty() || unreadable.is_empty() {
                return Ok(found);
            }
        }
    }

    /// One reading of what waits behind `after`, and the numbers of what could not be read before its end.
    fn read_ahead(
        &mut self,
        agent: &AgentId,
        after: u64,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<(Vec<Waiting>, Vec<u64>), SpoolError> {
        let stream = self.stream;
        let failed = |source| SpoolError::Journal { stream, source };
        let from = self
            .waiting
            .partition_point(|place| place.sequence <= after);
        let wanted: Vec<Place> = self
            .waiting
            .range(from..)
            .filter(|place| !self.done_ahead.contains(&place.sequence))
            .take(count_max)
            .copied()
            .collect();
        let Some(first) = wanted.first() else {
            return Ok((Vec::new(), Vec::new()));
        };
        let mut found = Vec::with_capacity(wanted.len());
        let mut unreadable = Vec::new();
        let mut bytes = 0;
        let mut reader = self.journal.read_from(first.position).map_err(failed)?;
        let mut wanted = wanted.iter().peekable();
        while wanted.peek().is_some() {
            let Some(item) = reader.next().map_err(failed)? else {
                // The journal ends before them.
                unreadable.extend(wanted.map(|place| place.sequence));
                break;
            };
            let Item::Record(entry) = item else { continue };
            // What the reader has passed without meeting it has no record any more.
            while let Some(passed) = wanted.next_if(|place| place.position < entry.position) {
                unreadable.push(passed.sequence);
            }
            let Some(place) = wanted.next_if(|place| place.position == entry.position) else {
                continue;
            };
            let Some(meta) = Meta::read(entry.meta) else {
                unreadable.push(place.sequence);
                continue;
            };
            bytes += entry.body.len();
            if bytes > bytes_max && !found.is_empty() {
                break;
            }
            found.push(Waiting {
                key: ReportKey {
                    agent: agent.clone(),
                    epoch: meta.epoch,
                    stream,
                    sequence: entry.sequence,
                    hash: meta.hash,
                },
                meta,
                sealed: entry.body.to_vec(),
            });
        }
        Ok((found, unreadable))
    }

    /// The report is done with.
    pub fn done(&mut self, sequence: u64) -> Result<(), SpoolError> {
        let is_waiting = self
            .waiting
            .binary_search_by_key(&sequence, |place| place.sequence)
            .is_ok();
        if !is_waiting || !self.done_ahead.insert(sequence) {
            return Ok(());
        }
        while let Some(place) = self.waiting.front()
            && self.done_ahead.remove(&place.sequence)
        {
            self.waiting_bytes -= place.bytes;
            self.waiting.pop_front();
        }
        self.done_since_mark += 1;
        if self.waiting.is_empty() || self.done_since_mark >= DONE_PER_MARK {
            self.mark(false)?;
        }
        Ok(())
    }

    /// Notes how far everything is done with; `durable` when something depends on it.
    pub fn mark(&mut self, durable: bool) -> Result<(), SpoolError> {
        if self.done_since_mark > 0 {
            let record = Record {
                kind: KIND_MARK,
                sequence: self.done_until(),
                ..Record::default()
            };
            let stream = self.stream;
            let failed = |source| SpoolError::Journal { stream, source };
            self.journal.append(&[record]).map_err(failed)?;
            self.done_since_mark = 0;
            if durable {
                self.journal.sync().map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Removes acknowledged segments that were kept long enough, and drops what is too old.
    pub fn clean(&mut self, now: Timestamp) -> Result<(), SpoolError> {
        while let Some((segment, contents)) = self.oldest_sealed() {
            let age_ms = now.ms_since(contents.sealed_last);
            if contents.sequence_last <= self.done_until()
                && age_ms >= self.limits.keep_acknowledged_ms
            {
                self.remove(segment)?;
            } else if age_ms >= self.limits.age_max_ms {
                self.dropped.aged += self.give_up(contents.sequence_last);
                self.remove(segment)?;
            } else {
                break;
            }
        }
        Ok(())
    }

    /// Removes the oldest segment if all of it is acknowledged.
    pub fn drop_acknowledged(&mut self) -> Result<bool, SpoolError> {
        match self.oldest_sealed() {
            Some((segment, contents)) if contents.sequence_last <= self.done_until() => {
                self.remove(segment)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Drops the oldest segment, whatever is in it.
    pub fn drop_oldest(&mut self) -> Result<bool, SpoolError> {
        let Some((segment, contents)) = self.oldest_sealed() else {
            return Ok(false);
        };
        let lost = self.give_up(contents.sequence_last);
        if lost > 0 {
            self.dropped.full += lost;
            tracing::warn!(
                stream = self.stream.name(),
                reports = lost,
                up_to = contents.sequence_last,
                "the spool is full: its oldest reports were dropped"
            );
        }
        self.remove(segment)?;
        Ok(true)
    }

    /// Everything up to here is done with.
    fn done_until(&self) -> u64 {
        self.waiting
            .front()
            .map_or(self.sequence_last, |place| place.sequence - 1)
    }

    /// The oldest segment that may be removed: never the newest, which holds the memory of which numbers are used up.
    fn oldest_sealed(&self) -> Option<(u64, Contents)> {
        let newest = self.journal.end().segment;
        let oldest = self.journal.sealed().first()?;
        if oldest.segment >= newest {
            return None;
        }
        // A segment of marks alone, or of damage, has nothing to wait for.
        let nothing = Contents {
            sequence_last: 0,
            sealed_last: Timestamp::default(),
        };
        let contents = self.segments.get(&oldest.segment).copied();
        Some((oldest.segment, contents.unwrap_or(nothing)))
    }

    /// Stops waiting for everything up to `sequence` and says how many that were.
    fn give_up(&mut self, sequence: u64) -> u64 {
        let mut lost = 0;
        while let Some(place) = self.waiting.front()
            && place.sequence <= sequence
        {
            self.waiting_bytes -= place.bytes;
            if !self.done_ahead.remove(&place.sequence) {
                lost += 1;
            }
            self.done_since_mark += 1;
            self.waiting.pop_front();
        }
        lost
    }

    fn remove(&mut self, segment: u64) -> Result<(), SpoolError> {
        let stream = self.stream;
        let failed = |source| SpoolError::Journal { stream, source };
        // The numbers in the segment must stay used up. Where no later report says so, a mark does, and it goes to disk before
        // the segment goes from it. (A full disk has no room for marks: so none where it is not needed.)
        let said_later = self.segments.range(segment + 1..).next().is_some();
        if !said_later {
            self.done_since_mark = self.done_since_mark.max(1);
            self.mark(true)?;
        }
        self.journal.remove_segment(segment).map_err(failed)?;
        self.segments.remove(&segment);
        Ok(())
    }

    fn write(&mut self, records: &[Record<'_>]) -> Result<Position, SpoolError> {
        let stream = self.stream;
        let failed = |source| SpoolError::Journal { stream, source };
        let positions = self.journal.append(records).map_err(failed)?;
        self.journal.sync().map_err(failed)?;
        Ok(positions[0])
    }
}
