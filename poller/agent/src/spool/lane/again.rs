//! Acknowledged reports that wait again, because the manager does not have them any more.

use codec::key::{Missing, SpoolEpoch};
use journal::{Disk, Item, Position};

use super::{KIND_REPORT, Lane, Place};
use crate::spool::SpoolError;
use crate::spool::meta::Meta;

/// Ranges of which nothing is left here are remembered, so that a manager that asks with each receipt does not make the disk busy.
const GONE_RANGES_MAX: usize = 64;

/// So many refused reports are remembered, the newest: more than a manager has shown to refuse between two looks at it, in 100 KB of memory.
const REFUSED_MAX: usize = 4_096;

impl<D: Disk> Lane<D> {
    /// Lets what is left of acknowledged reports in this range wait again, and says how many they are and which is the first. Reports that
    /// wait already are on their way: then nothing changes, and the manager will ask for the rest.
    pub fn again(
        &mut self,
        epoch: SpoolEpoch,
        missing: Missing,
    ) -> Result<Option<(u64, u64)>, SpoolError> {
        let (from, to) = (missing.from, missing.to.min(self.sequence_last));
        let at = self.waiting.partition_point(|place| place.sequence < from);
        let waits = self
            .waiting
            .get(at)
            .is_some_and(|place| place.sequence <= to);
        if from > to || waits || self.gone.contains(&missing) {
            return Ok(None);
        }
        let found = self.acknowledged(epoch, from, to)?;
        let Some(first) = found.first() else {
            if self.gone.len() >= GONE_RANGES_MAX {
                self.gone.clear();
            }
            self.gone.push(missing);
            return Ok(None);
        };
        let answer = (first.sequence, found.len() as u64);
        self.waiting_bytes += found.iter().map(|place| place.bytes).sum::<u64>();
        let behind = self.waiting.split_off(at);
        self.waiting.extend(found);
        self.waiting.extend(behind);
        Ok(Some(answer))
    }

    /// Remembers that a report was refused for good: it is not sent again, whoever asks. Beyond [`REFUSED_MAX`] the oldest is forgotten.
    pub fn remember_refused(&mut self, epoch: SpoolEpoch, sequence: u64) {
        self.refused.insert((sequence, epoch));
        if self.refused.len() > REFUSED_MAX {
            self.refused.pop_first();
        }
    }

    /// Where the reports of this range stand that are still here and were not refused for good.
    fn acknowledged(
        &mut self,
        epoch: SpoolEpoch,
        from: u64,
        to: u64,
    ) -> Result<Vec<Place>, SpoolError> {
        let stream = self.stream;
        let failed = |source| SpoolError::Journal { stream, source };
        let first = self
            .segments
            .iter()
            .find(|(_, contents)| contents.sequence_last >= from);
        let Some((segment, _)) = first else {
            return Ok(Vec::new());
        };
        let start = Position::new(*segment, 0);
        let mut reader = self.journal.read_from(start).map_err(failed)?;
        let mut found = Vec::new();
        while let Some(item) = reader.next().map_err(failed)? {
            // What is damaged is lost; what is no report is a mark.
            let Item::Record(entry) = item else { continue };
            if entry.kind != KIND_REPORT || entry.sequence < from {
                continue;
            }
            if entry.sequence > to {
                break;
            }
            let is_refused = self.refused.contains(&(entry.sequence, epoch));
            if !is_refused && Meta::read(entry.meta).is_some_and(|meta| meta.epoch == epoch) {
                found.push(Place {
                    sequence: entry.sequence,
                    position: entry.position,
                    bytes: entry.body.len() as u64,
                });
            }
        }
        Ok(found)
    }
}
