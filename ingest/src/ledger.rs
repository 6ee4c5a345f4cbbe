//! Which reports are there already (Rule 1), in bounded memory.
//!
//! Per spool and stream the ledger knows the highest number accepted, the ranges below it that never came (gaps), and the hashes
//! of the latest reports. From that follows, for a report that arrives:
//!
//! | its number is | verdict |
//! |---|---|
//! | above the highest | new; numbers skipped become a gap |
//! | in a gap | new, late |
//! | among the latest, same hash | duplicate: the same receipt again |
//! | among the latest, other hash | conflict: 409 |
//! | at or below the highest, not in a gap, hash no longer known | duplicate: it was accepted once, and its agent only lost the receipt |
//! | below the line under which gaps were forgotten | too old to tell: refused, so that nothing is acknowledged that may not be there |
//!
//! The ledger is not kept in a file of its own: every journal segment opens with a checkpoint of it, and the records behind the
//! checkpoint say the rest.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use codec::id::AgentId;
use codec::key::{Missing, ReportKey, SpoolEpoch, Stream};
use codec::time::Timestamp;

use crate::record::{Cursor, MetaError};

/// Hashes remembered per stream: an agent repeats what it sent minutes ago, with a handful in flight.
pub const RECENT_MAX: usize = 256;
/// Of these, how many a checkpoint holds: enough for what is in flight when the manager dies.
const RECENT_IN_CHECKPOINT_MAX: usize = 32;
/// Gaps remembered per stream. A full spool drops its oldest in one range; so many ranges are made on purpose.
pub const GAPS_MAX: usize = 512;
/// Missing ranges that one receipt asks for: a receipt stays small, and the next one asks for the next.
pub const ASKED_AGAIN_MAX: usize = 16;
/// Spools remembered per agent: each reinstallation makes one.
pub const EPOCHS_PER_AGENT_MAX: usize = 32;
/// A spool that was not heard of for so long may be forgotten when there are too many: agents keep reports for weeks, not for a year.
const EPOCH_FORGOTTEN_AFTER_MS: i64 = 180 * 86_400_000;
/// The first 16 bytes of a SHA-256: as good as all of it for telling two reports apart.
type ShortHash = [u8; 16];

/// What the ledger says of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was not there.
    New,
    /// It is there.
    Duplicate,
    /// Its number is there with another hash.
    Conflict,
    /// It is older than what is remembered.
    TooOld,
    /// Its agent has had too many spools lately.
    TooManySpools,
}

/// Numbers that never came, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first missing number.
    pub from: u64,
    /// The last missing number.
    pub to: u64,
}

/// What is known of one stream of one spool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamLedger {
    /// The highest number accepted; 0 for none.
    pub high: u64,
    /// Missing ranges below it, ascending.
    pub gaps: VecDeque<Gap>,
    /// Below this, gaps were forgotten.
    pub forgotten_below: u64,
    /// When the last report came.
    pub heard_at: Timestamp,
    recent: VecDeque<(u64, ShortHash)>,
}

/// Which spool and stream of an agent.
pub type StreamId = (SpoolEpoch, Stream);

/// Which reports are there already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    agents: HashMap<AgentId, BTreeMap<StreamId, StreamLedger>>,
}

impl StreamLedger {
    fn judge(&self, sequence: u64, hash: &ShortHash) -> Verdict {
        if sequence > self.high || self.gap_of(sequence).is_some() {
            return Verdict::New;
        }
        let known = self
            .recent
            .iter()
            .rev()
            .find(|(number, _)| *number == sequence);
        match known {
            Some((_, before)) if before == hash => Verdict::Duplicate,
            Some(_) => Verdict::Conflict,
            None if sequence < self.forgotten_below => Verdict::TooOld,
            None => Verdict::Duplicate,
        }
    }

    fn gap_of(&self, sequence: u64) -> Option<usize> {
        let at = self.gaps.partition_point(|gap| gap.to < sequence);
        self.gaps
            .get(at)
            .filter(|gap| gap.from <= sequence)
            .map(|_| at)
    }

    fn note(&mut self, sequence: u64, hash: ShortHash, heard_at: Timestamp) {
        if sequence > self.high {
            if sequence > self.high + 1 {
                self.gaps.push_back(Gap {
                    from: self.high + 1,
                    to: sequence - 1,
                });
            }
            self.high = sequence;
        } else if let Some(at) = self.gap_of(sequence) {
            self.close_gap(at, sequence);
        } else {
            return;
        }
        while self.gaps.len() > GAPS_MAX {
            if let Some(oldest) = self.gaps.pop_front() {
                self.forgotten_below = oldest.to + 1;
            }
        }
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back((sequence, hash));
        self.heard_at = self.heard_at.max(heard_at);
    }

    fn close_gap(&mut self, at: usize, sequence: u64) {
        let Some(gap) = self.gaps.remove(at) else {
            return;
        };
        if sequence < gap.to {
            let behind = Gap {
                from: sequence + 1,
                ..gap
            };
            self.gaps.insert(at, behind);
        }
        if gap.from < sequence {
            let before = Gap {
                to: sequence - 1,
                ..gap
            };
            self.gaps.insert(at, before);
        }
    }
}

fn short(key: &ReportKey) -> ShortHash {
    *key.hash.0.first_chunk().expect("a SHA-256 has 32 bytes")
}

impl Ledger {
    /// What is to be done with a report that arrives now. Changes nothing.
    #[must_use]
    pub fn judge(&self, key: &ReportKey, now: Timestamp) -> Verdict {
        let Some(streams) = self.agents.get(&key.agent) else {
            return Verdict::New;
        };
        match streams.get(&(key.epoch, key.stream)) {
            Some(stream) => stream.judge(key.sequence, &short(key)),
            None if self.has_room(streams, key.epoch, now) => Verdict::New,
            None => Verdict::TooManySpools,
        }
    }

    /// The highest number accepted of the stream that `key` belongs to; 0 for none.
    #[must_use]
    pub fn high(&self, key: &ReportKey) -> u64 {
        let streams = self.agents.get(&key.agent);
        let stream = streams.and_then(|streams| streams.get(&(key.epoch, key.stream)));
        stream.map_or(0, |stream| stream.high)
    }

    /// What never came of the stream that `key` belongs to: so many ranges as a receipt carries, ascending. Of more, each number has its
    /// part of them: the newest ones first, and with the next number those before, so that what an agent cannot give any more hides
    /// nothing that it can.
    #[must_use]
    pub fn missing(&self, key: &ReportKey) -> Vec<Missing> {
        let streams = self.agents.get(&key.agent);
        let stream = streams.and_then(|streams| streams.get(&(key.epoch, key.stream)));
        let Some(stream) = stream else {
            return Vec::new();
        };
        let parts = stream.gaps.len().div_ceil(ASKED_AGAIN_MAX).max(1);
        let part = usize::try_from(key.sequence % parts as u64).unwrap_or(0);
        let end = stream.gaps.len() - part * ASKED_AGAIN_MAX;
        let asked = stream.gaps.range(end.saturating_sub(ASKED_AGAIN_MAX)..end);
        asked
            .map(|gap| Missing {
                from: gap.from,
                to: gap.to,
            })
            .collect()
    }

    /// Notes a report that is there.
    pub fn note(&mut self, key: &ReportKey, received_at: Timestamp) {
        let streams = self.agents.entry(key.agent.clone()).or_default();
        let id = (key.epoch, key.stream);
        if !streams.contains_key(&id) && epochs(streams) >= EPOCHS_PER_AGENT_MAX {
            forget_oldest_epoch(streams, key.epoch);
        }
        streams
            .entry(id)
            .or_default()
            .note(key.sequence, short(key), received_at);
    }

    /// Takes over from elsewhere (the store) that a stream was accepted up to `high`. What was skipped between what is known and that is not
    /// known, so nothing below it is acknowledged any more; what is known to be missing still is, and is asked for.
    pub fn raise(&mut self, agent: &AgentId, id: StreamId, high: u64) {
        let streams = self.agents.entry(agent.clone()).or_default();
        let stream = streams.entry(id).or_default();
        if stream.high < high {
            stream.high = high;
            stream.forgotten_below = high + 1;
        }
    }

    /// Forgets these agents: nobody lets them in again.
    pub fn forget(&mut self, agents: &HashSet<AgentId>) {
        self.agents.retain(|agent, _| !agents.contains(agent));
    }

    /// Every stream that has gaps.
    pub fn gaps(&self) -> impl Iterator<Item = (&AgentId, StreamId, &StreamLedger)> {
        self.streams()
            .filter(|(_, _, stream)| !stream.gaps.is_empty())
    }

    /// Every stream.
    pub fn streams(&self) -> impl Iterator<Item = (&AgentId, StreamId, &StreamLedger)> {
        self.agents.iter().flat_map(|(agent, streams)| {
            streams.iter().map(move |(id, stream)| (agent, *id, stream))
        })
    }

    #[allow(clippy::unused_self, reason = "reads as a question to the ledger")]
    fn has_room(
        &self,
        streams: &BTreeMap<StreamId, StreamLedger>,
        epoch: SpoolEpoch,
        now: Timestamp,
    ) -> bool {
        let is_known = streams.keys().any(|(known, _)| *known == epoch);
        is_known
            || epochs(streams) < EPOCHS_PER_AGENT_MAX
            || streams
                .values()
                .any(|stream| now.ms_since(stream.heard_at) > EPOCH_FORGOTTEN_AFTER_MS)
    }

    /// The ledger as bytes, for a checkpoint.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut streams: Vec<_> = self.streams().collect();
        streams.sort_unstable_by_key(|(agent, id, _)| (*agent, *id));
        for (agent, (epoch, stream), ledger) in streams {
            let agent = agent.as_str().as_bytes();
            let gaps = &ledger.gaps;
            let recent = ledger.recent.len().min(RECENT_IN_CHECKPOINT_MAX);
            out.push(u8::try_from(agent.len()).expect("an agent id has at most 64 bytes"));
            out.extend_from_slice(agent);
            out.extend_from_slice(&epoch.0.to_le_bytes());
            out.push(u8::from(stream == Stream::State));
            out.extend_from_slice(&ledger.high.to_le_bytes());
            out.extend_from_slice(&ledger.forgotten_below.to_le_bytes());
            out.extend_from_slice(&ledger.heard_at.unix_ms.to_le_bytes());
            out.extend_from_slice(
                &u16::try_from(gaps.len())
                    .expect("at most GAPS_MAX")
                    .to_le_bytes(),
            );
            for gap in gaps {
                out.extend_from_slice(&gap.from.to_le_bytes());
                out.extend_from_slice(&gap.to.to_le_bytes());
            }
            out.extend_from_slice(&u16::try_from(recent).expect("at most 32").to_le_bytes());
            for (sequence, hash) in ledger.recent.range(ledger.recent.len() - recent..) {
                out.extend_from_slice(&sequence.to_le_bytes());
                out.extend_from_slice(hash);
            }
        }
        out
    }

    /// The ledger that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`MetaError`] for other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MetaError> {
        let mut cursor = Cursor(bytes);
        let mut ledger = Self::default();
        while !cursor.0.is_empty() {
            let [agent_bytes] = cursor.take()?;
            let (agent, rest) = cursor
                .0
                .split_at_checked(usize::from(agent_bytes))
                .ok_or(MetaError)?;
            cursor.0 = rest;
            let agent = std::str::from_utf8(agent).map_err(|_| MetaError)?;
            let agent = AgentId::new(agent).map_err(|_| MetaError)?;
            let epoch = SpoolEpoch(u64::from_le_bytes(cursor.take()?));
            let stream = match cursor.take()? {
                [0] => Stream::Meters,
                [1] => Stream::State,
                _ => return Err(MetaError),
            };
            let mut entry = StreamLedger {
                high: u64::from_le_bytes(cursor.take()?),
                forgotten_below: u64::from_le_bytes(cursor.take()?),
                heard_at: Timestamp::from_unix_ms(i64::from_le_bytes(cursor.take()?)),
                ..StreamLedger::default()
            };
            for _ in 0..u16::from_le_bytes(cursor.take()?) {
                entry.gaps.push_back(Gap {
                    from: u64::from_le_bytes(cursor.take()?),
                    to: u64::from_le_bytes(cursor.take()?),
                });
            }
            for _ in 0..u16::from_le_bytes(cursor.take()?) {
                let sequence = u64::from_le_bytes(cursor.take()?);
                entry.recent.push_back((sequence, cursor.take()?));
            }
            ledger
                .agents
                .entry(agent)
                .or_default()
                .insert((epoch, stream), entry);
        }
        Ok(ledger)
    }
}

fn epochs(streams: &BTreeMap<StreamId, StreamLedger>) -> usize {
    let mut last = None;
    streams
        .keys()
        .filter(|(epoch, _)| last.replace(*epoch) != Some(*epoch))
        .count()
}

/// Forgets the spool that was quiet longest.
fn forget_oldest_epoch(streams: &mut BTreeMap<StreamId, StreamLedger>, but: SpoolEpoch) {
    let mut heard: BTreeMap<SpoolEpoch, Timestamp> = BTreeMap::new();
    for ((epoch, _), stream) in streams.iter().filter(|((epoch, _), _)| *epoch != but) {
        let latest = heard.entry(*epoch).or_insert(stream.heard_at);
        *latest = (*latest).max(stream.heard_at);
    }
    if let Some((oldest, _)) = heard.into_iter().min_by_key(|(_, at)| *at) {
        streams.retain(|(epoch, _), _| *epoch != oldest);
    }
}

#[cfg(test)]
mod tests;
