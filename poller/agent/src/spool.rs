//! The spool: sealed reports on disk until the manager has given a receipt for each.
//!
//! ```text
//! DIR/spool.json      whose it is, its epoch, which streams were begun
//! DIR/lock            held while an agent has it open
//! DIR/meters/*.plj    the stream of meters   ┐ journals of the shared crate:
//! DIR/state/*.plj     everything else        ┘ reports (kind 1) and marks (kind 2)
//! DIR/dead-letters/   what the manager refused, with its reason
//! ```
//!
//! What always holds:
//!
//! - [`Spool::append`] returns after the report is synced; only then can it be sent. So a sequence number that was ever sent is on
//!   disk, and after kill -9 or a power cut none is given out twice.
//! - A report leaves the waiting ones by a receipt, a refusal, or by being dropped, which is counted; never otherwise.
//! - When the spool is full, what is acknowledged goes first, then the oldest state, then the oldest meters.
//! - Damage never stops a start: what cannot be read is counted and stepped over.

mod dead;
mod identity;
pub mod inspect;
mod lane;
mod meta;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use codec::id::AgentId;
use codec::key::{Missing, ReportKey, SpoolEpoch, Stream};
use codec::time::Timestamp;
use journal::{Disk, StdDisk};

use crate::config::SpoolConfig;
pub use dead::DeadLetters;
use identity::Identity;
use lane::{Lane, LaneLimits};
pub use meta::{Meta, Waiting};

/// The lock's file name.
const LOCK_FILE: &str = "lock";
/// The folder of what was refused.
const DEAD_LETTERS_FOLDER: &str = "dead-letters";
/// A journal segment is the unit in which things are dropped: a hundredth of the spool, so that dropping one loses little …
const SEGMENTS_PER_SPOOL: u64 = 100;
/// … but not so small that there are more files than reports …
const SEGMENT_BYTES_MIN: u64 = 16 * 1024;
/// … nor so large that acknowledged ones linger.
const SEGMENT_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Why the spool could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// A file or folder beside the journals.
    #[error("{operation} {path:?} failed")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Another agent has it open.
    #[error("the spool {path:?} is in use by another agent")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// It belongs to another agent: its reports bear that agent's name.
    #[error(
        "the spool {path:?} belongs to the agent {owner}, not to {asked}: give this agent a folder of its own (or remove the \
         folder, and what was not yet delivered with it)"
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: AgentId,
        /// Who asked.
        asked: AgentId,
    },
    /// `spool.json` is there and cannot be understood.
    #[error("{path:?} is no spool description: {reason}")]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Of the journal.
    #[error("the journal of the stream {}", stream.name())]
    Journal {
        /// Which.
        stream: Stream,
        /// The cause.
        #[source]
        source: journal::Error,
    },
}

impl SpoolError {
    pub(crate) fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            operation,
            path: path.to_owned(),
            source,
        }
    }

    /// Whether the disk is full: it may work again later.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::StorageFull,
            Self::Journal { source, .. } => source.is_disk_full(),
            _ => false,
        }
    }
}

/// What was left out of the spool, by stream, since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Reports dropped because the spool was full.
    pub full: u64,
    /// Reports dropped because they were too old.
    pub aged: u64,
    /// Ranges of bytes that could not be read when the spool was opened.
    pub damaged: u64,
}

/// Sealed reports on disk. `D` is the disk below each stream's journal.
pub struct Spool<D> {
    identity: Identity,
    identity_path: Option<PathBuf>,
    meters: Lane<D>,
    state: Lane<D>,
    dead: Option<DeadLetters>,
    bytes_max: u64,
    /// Held open for its lock.
    _lock: Option<File>,
}

impl Spool<StdDisk> {
    /// Opens the spool in its folder, making it when missing.
    ///
    /// # Errors
    /// [`SpoolError`]; damage inside the journals is none.
    pub fn open(config: &SpoolConfig, agent: &AgentId, now: Timestamp) -> Result<Self, SpoolError> {
        let folder = &config.directory;
        std::fs::create_dir_all(folder)
            .map_err(|source| SpoolError::io("making the folder", folder, source))?;
        let lock = lock(folder)?;
        let identity_path = Identity::path(folder);
        let identity = match Identity::read(&identity_path)? {
            Some(identity) if identity.agent != *agent => {
                return Err(SpoolError::Foreign {
                    path: folder.clone(),
                    owner: identity.agent,
                    asked: agent.clone(),
                });
            }
            Some(identity) => identity,
            None => Identity::new(agent.clone()),
        };
        let disk = |stream: Stream| {
            let path = folder.join(stream.name());
            StdDisk::open(&path).map_err(|source| SpoolError::io("opening", &path, source))
        };
        let dead = DeadLetters::new(folder.join(DEAD_LETTERS_FOLDER), config.dead_letters_max);
        let mut spool = Self::assemble(
            config,
            identity,
            disk(Stream::Meters)?,
            disk(Stream::State)?,
            now,
        )?;
        for (epoch, stream, sequence) in dead.refused()? {
            spool.lane_mut(stream).remember_refused(epoch, sequence);
        }
        spool.identity_path = Some(identity_path);
        spool.dead = Some(dead);
        spool._lock = Some(lock);
        spool.keep_identity()?;
        Ok(spool)
    }
}

impl<D: Disk> Spool<D> {
    fn assemble(
        config: &SpoolConfig,
        mut identity: Identity,
        meters: D,
        state: D,
        now: Timestamp,
    ) -> Result<Self, SpoolError> {
        let limits = LaneLimits {
            segment_bytes: (config.bytes_max / SEGMENTS_PER_SPOOL)
                .clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
            age_max_ms: ms(config.age_max),
            keep_acknowledged_ms: ms(config.keep_acknowledged),
        };
        let meters = Lane::open(Stream::Meters, meters, limits)?;
        let state = Lane::open(Stream::State, state, limits)?;
        // A stream that was begun and has no trace left was emptied by hand: its numbers would be given out again, and the
        // manager would take them for forgeries of the old ones. A new epoch makes them new.
        let emptied = [&meters, &state]
            .iter()
            .any(|lane| identity.has_begun(lane.stream()) && lane.is_blank());
        if emptied {
            tracing::warn!(epoch = %identity.epoch, "the spool was emptied from outside: it starts a new epoch");
            identity.epoch = Identity::new(identity.agent.clone()).epoch;
        }
        let mut spool = Self {
            identity,
            identity_path: None,
            meters,
            state,
            dead: None,
            bytes_max: config.bytes_max,
            _lock: None,
        };
        spool.clean(now)?;
        Ok(spool)
    }

    /// The epoch that new reports bear.
    #[must_use]
    pub const fn epoch(&self) -> SpoolEpoch {
        self.identity.epoch
    }

    /// The number that the next report of the stream must bear.
    #[must_use]
    pub fn sequence_next(&self, stream: Stream) -> u64 {
        self.lane(stream).sequence_next()
    }

    /// Takes a sealed report and returns when it is durable.
    ///
    /// # Errors
    /// [`SpoolError`]: the report is not in the spool, its number is free again, and appending may be tried later.
    ///
    /// # Panics
    /// When the report does not bear [`Spool::sequence_next`].
    pub fn append(
        &mut self,
        stream: Stream,
        meta: &Meta,
        sequence: u64,
        sealed: &[u8],
        now: Timestamp,
    ) -> Result<(), SpoolError> {
        if !self.identity.has_begun(stream) {
            self.identity.begin(stream);
            self.keep_identity()?;
        }
        self.make_room(Lane::<D>::framed_bytes(sealed))?;
        let first_try = self.lane_mut(stream).append(meta, sequence, sealed);
        match first_try {
            // The disk is fuller than the limit says: give up what is dropped first anyway, once.
            Err(error) if error.is_disk_full() && self.drop_oldest()? => {
                self.lane_mut(stream).append(meta, sequence, sealed)?;
            }
            result => result?,
        }
        self.clean(now)
    }

    /// The oldest reports that wait behind `after`, at most so many, and more than one only while they fit into `bytes_max` together.
    ///
    /// # Errors
    /// Of the disk.
    pub fn waiting(
        &mut self,
        stream: Stream,
        after: u64,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Waiting>, SpoolError> {
        let agent = self.identity.agent.clone();
        self.lane_mut(stream)
            .waiting(&agent, after, count_max, bytes_max)
    }

    /// How many reports wait, and their bytes.
    #[must_use]
    pub fn depth(&self, stream: Stream) -> (u64, u64) {
        self.lane(stream).depth()
    }

    /// What was left out since the spool was opened.
    #[must_use]
    pub fn dropped(&self, stream: Stream) -> Dropped {
        self.lane(stream).dropped()
    }

    /// The report is durable at the manager.
    ///
    /// # Errors
    /// Of the disk; the report counts as acknowledged all the same, and at worst is sent again after a restart.
    pub fn acknowledge(&mut self, key: &ReportKey, now: Timestamp) -> Result<(), SpoolError> {
        self.lane_mut(key.stream).done(key.sequence)?;
        self.clean(now)
    }

    /// The report was refused for good: it goes to the dead letters, and the stream goes on. It is never sent again, also when the manager
    /// lists it among what it lacks, which it does for as long as its number is missing there.
    ///
    /// # Errors
    /// Of the disk; the report then waits on, to be refused again.
    pub fn refuse(
        &mut self,
        report: &Waiting,
        why: &str,
        now: Timestamp,
    ) -> Result<(), SpoolError> {
        if let Some(dead) = &mut self.dead {
            dead.keep(report, why, now)?;
        }
        let lane = self.lane_mut(report.key.stream);
        lane.remember_refused(report.key.epoch, report.key.sequence);
        lane.done(report.key.sequence)
    }

    /// Lets acknowledged reports wait again that the manager does not have any more: those that are still here and that it did not refuse. Says how many they are and
    /// the lowest number. What happened so far is noted only in memory: after a restart the manager asks again.
    ///
    /// # Errors
    /// Of the disk.
    pub fn again(
        &mut self,
        stream: Stream,
        epoch: SpoolEpoch,
        missing: &[Missing],
    ) -> Result<Option<(u64, u64)>, SpoolError> {
        let mut first = None;
        let mut reports = 0;
        for range in missing {
            if let Some((sequence, count)) = self.lane_mut(stream).again(epoch, *range)? {
                first = Some(first.map_or(sequence, |first: u64| first.min(sequence)));
                reports += count;
            }
        }
        Ok(first.map(|first| (first, reports)))
    }

    /// Writes down how far each stream is acknowledged, so that a restart sends little again.
    ///
    /// # Errors
    /// Of the disk.
    pub fn settle(&mut self) -> Result<(), SpoolError> {
        self.meters.mark(true)?;
        self.state.mark(true)
    }

    /// Bytes of both streams on disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.meters.bytes() + self.state.bytes()
    }

    /// Removes what is acknowledged and old enough, and drops what is too old.
    fn clean(&mut self, now: Timestamp) -> Result<(), SpoolError> {
        self.meters.clean(now)?;
        self.state.clean(now)
    }

    /// Drops until `bytes` more fit.
    fn make_room(&mut self, bytes: u64) -> Result<(), SpoolError> {
        while self.bytes() + bytes > self.bytes_max && self.drop_oldest()? {}
        Ok(())
    }

    /// Gives up one segment: an acknowledged one, else the oldest of state, else the oldest of meters. Says whether there was one.
    fn drop_oldest(&mut self) -> Result<bool, SpoolError> {
        Ok(self.state.drop_acknowledged()?
            || self.meters.drop_acknowledged()?
            || self.state.drop_oldest()?
            || self.meters.drop_oldest()?)
    }

    fn keep_identity(&self) -> Result<(), SpoolError> {
        match &self.identity_path {
            Some(path) => self.identity.write(path),
            None => Ok(()),
        }
    }

    const fn lane(&self, stream: Stream) -> &Lane<D> {
        match stream {
            Stream::Meters => &self.meters,
            Stream::State => &self.state,
        }
    }

    const fn lane_mut(&mut self, stream: Stream) -> &mut Lane<D> {
        match stream {
            Stream::Meters => &mut self.meters,
            Stream::State => &mut self.state,
        }
    }
}

fn ms(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn lock(folder: &Path) -> Result<File, SpoolError> {
    let path = folder.join(LOCK_FILE);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|source| SpoolError::io("opening", &path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(SpoolError::InUse {
            path: folder.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(source)) => Err(SpoolError::io("locking", &path, source)),
    }
}
