//! What others see of a shard: its durable end, reports that are still in memory, its ledger, and how far it is applied.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use codec::id::AgentId;
use journal::Position;
use olap::StreamApplied;

use crate::archive::ArchiveState;
use crate::columns::Kept;
use crate::ledger::Ledger;
use crate::metrics::{HinderedLabel, IngestMetrics};
use crate::record::ReportMeta;

/// How long a failed write speaks for the journal: twice as long as agents are told to wait. Then nobody came, and nobody knows.
const FAULT_LASTS: Duration = Duration::from_secs(60);

/// A durable report that is still in memory.
pub struct Hot {
    /// Its number in the one order.
    pub stamp: u64,
    /// The end of the report before it in this shard: nothing but checkpoints lies between.
    pub from: Position,
    /// Where it stands.
    pub position: Position,
    /// Where it ends.
    pub next: Position,
    /// Its meta part.
    pub meta: ReportMeta,
    /// Its sealed bytes.
    pub body: Bytes,
    /// What it says, when there was room for it.
    pub columns: Option<Kept>,
}

impl Hot {
    /// The memory it takes beside its columns, in bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.body.len()
    }
}

/// The durable end of a shard's journal.
#[derive(Default)]
pub struct Tail {
    /// Everything before this is durable.
    pub synced: Position,
    /// The end of the last durable report.
    pub last_report_end: Position,
    /// Durable reports in order; some may be missing between them.
    pub hot: VecDeque<Hot>,
    pub(super) hot_bytes: usize,
}

/// What others see of a shard.
pub struct ShardShared {
    /// Its number.
    pub number: u16,
    /// Its journal's folder.
    pub folder: PathBuf,
    /// Which reports it has.
    ledger: Mutex<Ledger>,
    /// What the store had applied at the start, of which the journal need not know any more.
    recalled: Mutex<Vec<StreamApplied>>,
    tail: Mutex<Tail>,
    /// No report that is not yet durable has a stamp below this; `u64::MAX` when none is on its way.
    pub(super) floor: AtomicU64,
    /// The applied position, packed.
    applied: AtomicU64,
    /// Whether the journal takes reports.
    pub(super) is_writable: AtomicBool,
    /// When a write failed last, and why, until one succeeds.
    fault: Mutex<Option<(Instant, &'static str)>>,
    archive: Mutex<ArchiveState>,
}

impl ShardShared {
    pub(super) fn new(number: u16, folder: PathBuf) -> Self {
        Self {
            number,
            folder,
            ledger: Mutex::default(),
            recalled: Mutex::default(),
            tail: Mutex::default(),
            floor: AtomicU64::new(u64::MAX),
            applied: AtomicU64::new(0),
            is_writable: AtomicBool::new(true),
            fault: Mutex::default(),
            archive: Mutex::default(),
        }
    }

    /// The ledger, for looking.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what the store has applied of a stream, for good: also when the ledger is read from the journal again.
    pub fn recall(&self, applied: StreamApplied) {
        raise(&mut self.ledger(), &applied);
        self.recalled().push(applied);
    }

    /// Forgets these agents: nobody lets them in again.
    pub(crate) fn forget(&self, agents: &HashSet<AgentId>) {
        self.ledger().forget(agents);
        self.recalled()
            .retain(|applied| !agents.contains(&applied.agent));
    }

    /// Replaces the ledger by one that was read from the journal.
    pub(super) fn replace_ledger(&self, mut ledger: Ledger) {
        for applied in self.recalled().iter() {
            raise(&mut ledger, applied);
        }
        *self.ledger() = ledger;
    }

    fn recalled(&self) -> MutexGuard<'_, Vec<StreamApplied>> {
        self.recalled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be archived, and what is.
    pub(crate) fn archive(&self) -> MutexGuard<'_, ArchiveState> {
        self.archive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The durable end.
    pub fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`Order::safe_before`].
    pub fn floor(&self) -> u64 {
        self.floor.load(SeqCst)
    }

    /// How far the store is.
    pub fn applied(&self) -> Position {
        Position::unpacked(self.applied.load(SeqCst))
    }

    /// Notes how far the store is.
    pub fn set_applied(&self, position: Position) {
        self.applied.store(position.packed(), SeqCst);
    }

    /// Whether everything durable is applied.
    pub fn is_caught_up(&self) -> bool {
        self.applied() >= self.tail().last_report_end
    }

    /// Whether the journal takes reports.
    pub fn is_writable(&self) -> bool {
        self.is_writable.load(SeqCst)
    }

    /// Notes how a write went: why it failed, or nothing.
    pub(super) fn note_write(&self, fault: Option<&'static str>, metrics: &IngestMetrics) {
        let noted = fault.map(|reason| (Instant::now(), reason));
        let before = std::mem::replace(&mut *self.fault_lock(), noted);
        let before = before.map(|(_, reason)| reason);
        if before == fault {
            return;
        }
        let part = match self.number {
            super::decisions::SHARD => "decisions".to_owned(),
            number => format!("journal-{number}"),
        };
        for (reason, failed) in [(before, 0), (fault, 1)] {
            if let Some(reason) = reason {
                let part = part.clone();
                let label = HinderedLabel { part, reason };
                metrics.hindered.get_or_create(&label).set(failed);
            }
        }
    }

    /// Why the last write failed, as a stable word, if that was lately: who came since was told to come again, and would be here.
    pub fn fault(&self, now: Instant) -> Option<&'static str> {
        let (at, reason) = (*self.fault_lock())?;
        (now.saturating_duration_since(at) < FAULT_LASTS).then_some(reason)
    }

    fn fault_lock(&self) -> MutexGuard<'_, Option<(Instant, &'static str)>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn raise(ledger: &mut Ledger, applied: &StreamApplied) {
    ledger.raise(
        &applied.agent,
        (applied.epoch, applied.stream),
        applied.sequence,
    );
}

impl Tail {
    /// Takes the first hot report out.
    pub fn pop_hot(&mut self) -> Option<Hot> {
        let hot = self.hot.pop_front()?;
        self.hot_bytes -= hot.bytes();
        Some(hot)
    }
}

#[cfg(test)]
mod tests {
    use codec::id::AgentId;
    use codec::key::{ContentHash, ReportKey, SpoolEpoch, Stream};

    use super::*;

    #[test]
    fn what_the_store_has_is_known_also_when_the_journal_is_read_again() {
        let shared = ShardShared::new(0, PathBuf::new());
        let applied = StreamApplied {
            agent: AgentId::new("meyer").unwrap(),
            epoch: SpoolEpoch(7),
            stream: Stream::Meters,
            sequence: 41,
            observed_at: None,
        };
        shared.recall(applied.clone());
        shared.replace_ledger(Ledger::default());
        let key = ReportKey {
            agent: applied.agent,
            epoch: applied.epoch,
            stream: applied.stream,
            sequence: 1,
            hash: ContentHash::of(b""),
        };
        assert_eq!(shared.ledger().high(&key), 41);
    }
}
