//! Looking at a journal without opening it for writing: `check` and `dump` of the command lines.

use std::collections::BTreeMap;
use std::fmt;

use crate::archive::{Owner, Why};
use crate::disk::Disk;
use crate::error::Error;
use crate::frame::Position;
use crate::reader::{Damage, Entry, Item, Reader};

/// What [`check`] found in one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentReport {
    /// Its number.
    pub segment: u64,
    /// Its size.
    pub bytes: u64,
    /// Valid records.
    pub records: u64,
    /// Bytes of their bodies.
    pub body_bytes: u64,
    /// The smallest and the largest sequence number in it.
    pub sequences: Option<(u64, u64)>,
    /// Bytes that are no record.
    pub damage: Vec<Damage>,
    /// Records that cannot be read since their owner's key is not there, by owner and reason.
    pub withheld: BTreeMap<(Owner, Why), u64>,
}

/// What [`check`] found. Its `Display` is the table that the command lines print.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// One per segment, in order.
    pub segments: Vec<SegmentReport>,
}

impl CheckReport {
    /// Whether every byte belongs to a valid record, or to one that is withheld.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.segments
            .iter()
            .all(|segment| segment.damage.is_empty())
    }

    /// Records that cannot be read for this reason, by their owners.
    #[must_use]
    pub fn withheld(&self, why: Why) -> BTreeMap<Owner, u64> {
        let mut records = BTreeMap::new();
        for ((owner, reason), count) in self.segments.iter().flat_map(|s| &s.withheld) {
            if *reason == why {
                *records.entry(*owner).or_default() += count;
            }
        }
        records
    }

    /// Valid records in all segments.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.segments.iter().map(|segment| segment.records).sum()
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>16} {:>12} {:>9}  sequences",
            "segment", "bytes", "records"
        )?;
        for segment in &self.segments {
            write!(
                f,
                "{:>16} {:>12} {:>9}",
                segment.segment, segment.bytes, segment.records
            )?;
            match segment.sequences {
                Some((first, last)) => writeln!(f, "  {first}..{last}")?,
                None => writeln!(f, "  -")?,
            }
            for ((owner, why), records) in &segment.withheld {
                let why = match why {
                    Why::Forgotten => "forgotten on request, the key was destroyed",
                    Why::NoKey => "THE KEY IS NOT THERE",
                };
                writeln!(f, "{:>16} {records} records of owner {owner}: {why}", "")?;
            }
            for damage in &segment.damage {
                let place = if damage.is_tail {
                    "to the segment's end"
                } else {
                    "records follow"
                };
                writeln!(
                    f,
                    "{:>16} damaged from byte {} to {} ({place}): {}",
                    "", damage.from.offset, damage.to, damage.reason
                )?;
            }
        }
        let word = if self.is_sound() { "sound" } else { "DAMAGED" };
        write!(
            f,
            "{word}: {} segments, {} records",
            self.segments.len(),
            self.records()
        )
    }
}

/// Reads every segment and checks every record.
///
/// # Errors
/// Of the disk. Damage is reported, not an error.
pub fn check(mut disk: impl Disk) -> Result<CheckReport, Error> {
    let mut listed = disk.list().map_err(|source| Error::List { source })?;
    listed.sort_unstable();
    let mut report = CheckReport::default();
    for (segment, bytes) in listed {
        let mut found = SegmentReport {
            segment,
            bytes,
            ..SegmentReport::default()
        };
        let from = Position::new(segment, 0);
        let mut reader = Reader::new(&mut disk, from, Position::new(segment, u64::MAX))?;
        while let Some(item) = reader.next()? {
            match item {
                Item::Record(entry) => {
                    found.records += 1;
                    found.body_bytes += entry.body.len() as u64;
                    let (first, last) = found.sequences.unwrap_or((u64::MAX, 0));
                    found.sequences = Some((first.min(entry.sequence), last.max(entry.sequence)));
                }
                Item::Damage(damage) => found.damage.push(damage),
                Item::Withheld(withheld) => {
                    let why = (withheld.owner, withheld.why);
                    *found.withheld.entry(why).or_default() += 1;
                }
            }
        }
        report.segments.push(found);
    }
    Ok(report)
}

/// Shows every record from `from` on to `show`, and damage as what it is; stops when `show` says `false`.
///
/// # Errors
/// Of the disk.
pub fn dump(
    disk: impl Disk,
    from: Position,
    mut show: impl FnMut(&Item<'_>) -> bool,
) -> Result<(), Error> {
    let mut reader = Reader::new(disk, from, Position::END)?;
    while let Some(item) = reader.next()? {
        if !show(&item) {
            break;
        }
    }
    Ok(())
}

/// Cuts the damaged tail off every segment (an open does it for the newest) and returns what was cut. Damage with valid
/// records behind it stays: positions are stable, and nothing valid is thrown away.
///
/// # Errors
/// Of the disk.
pub fn repair(mut disk: impl Disk) -> Result<Vec<Damage>, Error> {
    let report = check(&mut disk)?;
    let mut cut = Vec::new();
    for damage in report.segments.iter().flat_map(|segment| &segment.damage) {
        if damage.is_tail {
            let segment = damage.from.segment;
            disk.truncate(segment, damage.from.offset)
                .map_err(|source| Error::Truncate { segment, source })?;
            cut.push(*damage);
        }
    }
    Ok(cut)
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kind {} sequence {} meta {} B body {} B",
            self.position,
            self.kind,
            self.sequence,
            self.meta.len(),
            self.body.len()
        )
    }
}
