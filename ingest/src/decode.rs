//! Inflate and parse, once per report, with a fixed number of decoders.
//!
//! A decoder keeps its inflated buffer between reports, and what it reads goes into columns that were used before; how many there are bounds the memory that hostile bodies can take.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use codec::envelope::{Encoding, EnvelopeError, Inflater};
use codec::key::{ContentHash, Refusal, ReportKey};
use codec::model::Report;
use codec::sink::{ReportBuilder, RowSink};
use codec::xml::push_rows;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::columns::{Columns, Kept, Spare};

/// What the largest bodies inflate to that are read at once by whoever accepts them, in bytes: a millisecond of work at the most, for which
/// handing over to another thread and back would cost more than it saves. A report of 100 devices has a sixteenth of it.
pub const INLINE_INFLATED_BYTES_MAX: usize = 1 << 20;
/// Sealed bodies above this are not even tried inline, in bytes: ours shrink to a twentieth.
pub const INLINE_SEALED_BYTES_MAX: usize = 64 << 10;

/// A report that was read at the door.
#[derive(Debug)]
pub struct Received {
    /// What it says.
    pub columns: Box<Columns>,
    /// Its key.
    pub key: ReportKey,
}

/// A report as the door keeps it until the applier takes it.
#[derive(Debug)]
pub struct Taken {
    /// Whether it reports no device in full.
    pub is_deltas_only: bool,
    /// What it says, when there was room for it.
    pub columns: Option<Kept>,
    /// Its key.
    pub key: ReportKey,
}

/// A decoded report.
#[derive(Debug)]
pub struct Decoded {
    /// What it says.
    pub report: Report,
}

/// Why a body is no report: a stable word and a sentence with the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecodable {
    /// A stable word.
    pub reason: &'static str,
    /// A sentence.
    pub detail: String,
}

impl Undecodable {
    /// What the agent is told.
    #[must_use]
    pub fn refusal(self) -> Refusal {
        Refusal {
            refused: None,
            reason: self.reason.to_owned(),
            detail: self.detail,
        }
    }
}

/// Reads with `read`; a fault of ours that panics over a report makes it one that cannot be read, so that it is kept aside and holds up
/// nobody. What `read` changes must not be used again then.
///
/// # Errors
/// Those of `read`, and one with the reason `decoder-failed`.
pub fn guarded<T>(read: impl FnOnce() -> Result<T, Undecodable>) -> Result<T, Undecodable> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(Undecodable {
            reason: "decoder-failed",
            detail: "this program fails over the report".to_owned(),
        })
    })
}

/// Inflates and parses one report at a time.
pub struct Decoder {
    inflater: Inflater,
    inflated_bytes_max: usize,
}

impl Decoder {
    /// A decoder that takes bodies which inflate to at most `inflated_bytes_max`.
    #[must_use]
    pub fn new(inflated_bytes_max: usize) -> Self {
        Self {
            inflater: Inflater::new(),
            inflated_bytes_max,
        }
    }

    /// Reads a sealed report of the journal.
    ///
    /// # Errors
    /// [`Undecodable`] with the place and the reason.
    pub fn decode(&mut self, encoding: Encoding, sealed: &[u8]) -> Result<Decoded, Undecodable> {
        let decoded = guarded(|| {
            let mut builder = ReportBuilder::new();
            self.push(self.inflated_bytes_max, encoding, sealed, &mut builder)?;
            let report = builder.finish().ok_or_else(headless)?;
            Ok(Decoded { report })
        });
        if decoded.is_err() {
            // It may have stopped anywhere.
            self.inflater = Inflater::new();
        }
        decoded
    }

    /// Reads a sealed report into columns, with their memory; returns also the bytes of its XML.
    ///
    /// # Errors
    /// [`Undecodable`] with the place and the reason.
    pub fn receive(
        &mut self,
        encoding: Encoding,
        sealed: &[u8],
        columns: Box<Columns>,
    ) -> Result<(Received, usize), Undecodable> {
        self.receive_up_to(self.inflated_bytes_max, encoding, sealed, columns)
    }

    /// As [`receive`](Self::receive), of bodies that inflate to at most `inflated_bytes_max` (or what the decoder takes, if that is less).
    ///
    /// # Errors
    /// [`Undecodable`] with the place and the reason.
    pub fn receive_up_to(
        &mut self,
        inflated_bytes_max: usize,
        encoding: Encoding,
        sealed: &[u8],
        mut columns: Box<Columns>,
    ) -> Result<(Received, usize), Undecodable> {
        columns.clear();
        let max = inflated_bytes_max.min(self.inflated_bytes_max);
        let xml_bytes = self.push(max, encoding, sealed, &mut *columns)?;
        let (agent, epoch, stream, sequence) = columns.sender().ok_or_else(headless)?;
        if sequence == 0 {
            return Err(malformed("sequence numbers begin at 1".to_owned()));
        }
        let key = ReportKey {
            agent,
            epoch,
            stream,
            sequence,
            hash: ContentHash::of(sealed),
        };
        Ok((Received { columns, key }, xml_bytes))
    }

    /// Inflates and reads once; returns the bytes of the XML.
    fn push<S: RowSink + ?Sized>(
        &mut self,
        inflated_bytes_max: usize,
        encoding: Encoding,
        sealed: &[u8],
        sink: &mut S,
    ) -> Result<usize, Undecodable> {
        let xml = self
            .inflater
            .inflate(encoding, sealed, inflated_bytes_max)
            .map_err(|error| Undecodable {
                reason: match error {
                    EnvelopeError::TooLarge { .. } => "inflated-too-large",
                    _ => "malformed-envelope",
                },
                detail: error.to_string(),
            })?;
        push_rows(xml, sink).map_err(|error| malformed(error.to_string()))?;
        Ok(xml.len())
    }
}

const fn malformed(detail: String) -> Undecodable {
    Undecodable {
        reason: "malformed",
        detail,
    }
}

pub(crate) fn headless() -> Undecodable {
    malformed("the report has no header".to_owned())
}

/// Large reports that are read at once: one inflates to 80 MB, and its columns take as much again for a moment. Two would take what a manager
/// has beside its store.
const LARGE_AT_ONCE: usize = 1;

/// The decoders of the door, each lent to one report at a time.
pub struct Decoders {
    free: Arc<Semaphore>,
    large: Arc<Semaphore>,
    idle: Mutex<Vec<Decoder>>,
    spare: Arc<Spare>,
    count: usize,
    inflated_bytes_max: usize,
}

impl Decoders {
    /// `count` decoders, made when first needed. Of what they read, at most `kept_bytes_max` of memory waits for the applier.
    #[must_use]
    pub fn new(count: usize, inflated_bytes_max: usize, kept_bytes_max: usize) -> Self {
        let count = count.max(1);
        Self {
            free: Arc::new(Semaphore::new(count)),
            large: Arc::new(Semaphore::new(LARGE_AT_ONCE)),
            idle: Mutex::new(Vec::new()),
            spare: Arc::new(Spare::new(kept_bytes_max)),
            count,
            inflated_bytes_max,
        }
    }

    /// Waits until a decoder is free. The permit goes with the work that calls [`with`](Self::with): who waits for the work may leave.
    pub async fn permit(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.free)
            .acquire_owned()
            .await
            .expect("the decoders' semaphore is never closed")
    }

    /// As [`permit`](Self::permit), for a report that may inflate to as much as is taken at all.
    pub async fn permit_large(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.large)
            .acquire_owned()
            .await
            .expect("the decoders' semaphore is never closed")
    }

    /// The memory of reports that were forgotten.
    #[must_use]
    pub fn spare(&self) -> Arc<Spare> {
        Arc::clone(&self.spare)
    }

    /// Runs `work` with a decoder.
    pub fn with<T>(&self, work: impl FnOnce(&mut Decoder) -> T) -> T {
        let idle = self.lock().pop();
        let mut decoder = idle.unwrap_or_else(|| Decoder::new(self.inflated_bytes_max));
        let result = work(&mut decoder);
        let mut idle = self.lock();
        if idle.len() < self.count {
            idle.push(decoder);
        }
        drop(idle);
        result
    }

    /// Reads a report and keeps what it says, when there is room for that.
    ///
    /// # Errors
    /// [`Undecodable`] with the place and the reason.
    pub fn take(
        &self,
        inflated_bytes_max: usize,
        encoding: Encoding,
        sealed: &[u8],
    ) -> Result<Taken, Undecodable> {
        let columns = self.spare.take();
        let (received, _) = self
            .with(|decoder| decoder.receive_up_to(inflated_bytes_max, encoding, sealed, columns))?;
        Ok(Taken {
            is_deltas_only: received.columns.is_deltas_only(),
            columns: self.spare.keep(received.columns),
            key: received.key,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Decoder>> {
        self.idle
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_ours_is_a_report_that_cannot_be_read() {
        let failed = guarded::<()>(|| panic!("told to")).unwrap_err();
        assert_eq!(failed.reason, "decoder-failed");
        assert_eq!(failed.refusal().reason, "decoder-failed");
        assert_eq!(guarded(|| Ok(7)), Ok(7));
        assert_eq!(guarded::<()>(|| Err(headless())), Err(headless()));
    }

    #[test]
    fn no_more_decoders_are_kept_than_were_asked_for() {
        let decoders = Decoders::new(2, 1_024, 0);
        decoders.with(|_| decoders.with(|_| decoders.with(|_| ())));
        assert_eq!(decoders.lock().len(), 2);
    }
}
