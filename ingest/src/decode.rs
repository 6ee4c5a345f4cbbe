//! Inflate and parse, once per report, with a fixed number of decoders.
//!
//! A decoder keeps its inflated buffer between reports; how many there are bounds the memory that hostile bodies can take.

use std::sync::{Arc, Mutex};

use codec::envelope::{Encoding, EnvelopeError, Inflater};
use codec::key::{ContentHash, Refusal, ReportKey};
use codec::model::Report;
use codec::sink::ReportBuilder;
use codec::xml::push_rows;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A decoded report.
#[derive(Debug)]
pub struct Decoded {
    /// What it says.
    pub report: Report,
    /// The hash of its sealed bytes.
    pub hash: ContentHash,
    /// Bytes of its XML.
    pub xml_bytes: usize,
}

impl Decoded {
    /// The report's key.
    #[must_use]
    pub fn key(&self) -> ReportKey {
        let header = &self.report.header;
        ReportKey {
            agent: header.agent.clone(),
            epoch: header.epoch,
            stream: header.stream,
            sequence: header.sequence,
            hash: self.hash,
        }
    }
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

    /// Reads a sealed report.
    ///
    /// # Errors
    /// [`Undecodable`] with the place and the reason.
    pub fn decode(&mut self, encoding: Encoding, sealed: &[u8]) -> Result<Decoded, Undecodable> {
        let xml = self
            .inflater
            .inflate(encoding, sealed, self.inflated_bytes_max)
            .map_err(|error| Undecodable {
                reason: match error {
                    EnvelopeError::TooLarge { .. } => "inflated-too-large",
                    _ => "malformed-envelope",
                },
                detail: error.to_string(),
            })?;
        let mut builder = ReportBuilder::new();
        push_rows(xml, &mut builder).map_err(|error| Undecodable {
            reason: "malformed",
            detail: error.to_string(),
        })?;
        let report = builder.finish().ok_or_else(|| Undecodable {
            reason: "malformed",
            detail: "the report has no header".to_owned(),
        })?;
        if report.header.sequence == 0 {
            return Err(Undecodable {
                reason: "malformed",
                detail: "sequence numbers begin at 1".to_owned(),
            });
        }
        Ok(Decoded {
            report,
            hash: ContentHash::of(sealed),
            xml_bytes: xml.len(),
        })
    }
}

/// The decoders of the door, each lent to one report at a time.
pub struct Decoders {
    free: Arc<Semaphore>,
    idle: Mutex<Vec<Decoder>>,
    count: usize,
    inflated_bytes_max: usize,
}

impl Decoders {
    /// `count` decoders, made when first needed.
    #[must_use]
    pub fn new(count: usize, inflated_bytes_max: usize) -> Self {
        let count = count.max(1);
        Self {
            free: Arc::new(Semaphore::new(count)),
            idle: Mutex::new(Vec::new()),
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
    fn no_more_decoders_are_kept_than_were_asked_for() {
        let decoders = Decoders::new(2, 1_024);
        decoders.with(|_| decoders.with(|_| decoders.with(|_| ())));
        assert_eq!(decoders.lock().len(), 2);
    }
}
