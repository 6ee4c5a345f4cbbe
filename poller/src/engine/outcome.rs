//! What goes into the engine and what comes out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::{Memory, PollOptions, Target};
use crate::credentials::Version;

/// One poll of one device.
#[derive(Debug)]
pub struct Job<K, C> {
    /// Whatever the caller knows the device by.
    pub token: K,
    /// Where it listens.
    pub target: Target,
    /// How it is asked.
    pub options: Arc<PollOptions>,
    /// What earlier polls learned.
    pub memory: Memory,
    /// What is asked.
    pub conversation: C,
}

/// A poll that ended.
#[derive(Debug)]
pub struct Finished<K, C> {
    /// As submitted.
    pub token: K,
    /// As submitted.
    pub target: Target,
    /// The conversation, with what it heard.
    pub conversation: C,
    /// What is now known of the device: keep it for the next poll.
    pub memory: Memory,
    /// What the poll cost.
    pub stats: PollStats,
    /// Why the poll ended before the conversation was through.
    pub error: Option<PollError>,
}

/// What a poll cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PollStats {
    /// Messages sent, retries included.
    pub requests: u32,
    /// Messages that answered one of ours.
    pub responses: u32,
    /// Requests that were sent again.
    pub retries: u32,
    /// Bytes of SNMP sent, without IP and UDP headers.
    pub bytes_sent: u64,
    /// Bytes of SNMP received in answers, without IP and UDP headers.
    pub bytes_received: u64,
    /// The shortest round trip of this poll, zero when none was measured.
    pub rtt_min: Duration,
    /// From submission to the end.
    pub took: Duration,
    /// The label of the credential that was answered.
    pub credential: Option<Arc<str>>,
    /// The version that was answered.
    pub version: Option<Version>,
}

/// Why a poll ended early.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// Nothing answered.
    #[error("no answer to {requests} requests")]
    NoAnswer {
        /// How many were sent.
        requests: u32,
    },
    /// The device answered before and then fell silent.
    #[error("the device fell silent after {responses} answers")]
    FellSilent {
        /// How many answers had come.
        responses: u32,
    },
    /// The device answers, but lets none of the credentials in.
    #[error("the device refuses the credentials: {reason}")]
    Refused {
        /// What it said to the last one.
        reason: &'static str,
    },
    /// No credential is configured that may be tried.
    #[error("there is no credential to try")]
    NoCredential,
    /// What came back was no SNMP.
    #[error("the answers are no valid SNMP")]
    Malformed,
    /// The messages could not be sent.
    #[error("cannot send to the device")]
    Send(#[source] io::Error),
    /// The driver was stopped first.
    #[error("stopped before the poll was through")]
    Stopped,
}
