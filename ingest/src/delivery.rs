//! What comes in at the door and what goes out.

use std::time::Duration;

use bytes::Bytes;
use codec::envelope::Encoding;
use codec::id::AgentId;
use codec::key::Refusal;
use codec::time::Timestamp;

/// A report as it was delivered. Who serves HTTP fills it in.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The agent, authenticated by its token.
    pub agent: AgentId,
    /// The sealed bytes, as sent.
    pub body: Bytes,
    /// How they are compressed.
    pub encoding: Encoding,
    /// The agent's clock at this attempt (`Platen-Sent-At`).
    pub sent_at: Option<Timestamp>,
    /// The agent's monotonic clock at this attempt, in milliseconds (`Platen-Uptime-Ms`).
    pub uptime_ms: Option<u64>,
    /// The manager's clock when the body had arrived.
    pub received_at: Timestamp,
}

/// Why there is no receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// 400: not a report. For good; kept in quarantine.
    #[error("the report is malformed: {}", .0.detail)]
    Malformed(Box<Refusal>),
    /// 409: the same key came before with other bytes, or is too old to tell. For good.
    #[error("the report's key is taken: {}", .0.detail)]
    Conflict(Box<Refusal>),
    /// 413: too large. For good.
    #[error("the report is too large: {}", .0.detail)]
    TooLarge(Box<Refusal>),
    /// 403: sealed by another agent than the one that delivers it. The agent keeps it and tries again slowly.
    #[error("the report was sealed by agent {sealed_by}, not by {delivered_by}")]
    WrongAgent {
        /// Who the token is for.
        delivered_by: AgentId,
        /// Who the report says.
        sealed_by: AgentId,
    },
    /// 403: the agent's customer was forgotten a moment ago. Nothing was kept.
    #[error("the customer of agent {agent} was forgotten")]
    Forgotten {
        /// The agent.
        agent: AgentId,
    },
    /// 503: a queue is full or the disk does not take it. Nothing was kept; try again later.
    #[error("busy: {reason}")]
    Busy {
        /// What is full, as a stable word.
        reason: &'static str,
        /// For `Retry-After`.
        retry_after: Duration,
    },
}

impl Rejection {
    /// The HTTP status that says it.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::WrongAgent { .. } | Self::Forgotten { .. } => 403,
            Self::Conflict(_) => 409,
            Self::TooLarge(_) => 413,
            Self::Busy { .. } => 503,
        }
    }

    /// The body of the answer, where the report is refused for good.
    #[must_use]
    pub const fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Malformed(refusal) | Self::Conflict(refusal) | Self::TooLarge(refusal) => {
                Some(refusal)
            }
            Self::WrongAgent { .. } | Self::Forgotten { .. } | Self::Busy { .. } => None,
        }
    }

    /// A stable word for metrics.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Malformed(refusal) | Self::Conflict(refusal) | Self::TooLarge(refusal) => {
                &refusal.reason
            }
            Self::WrongAgent { .. } => "wrong-agent",
            Self::Forgotten { .. } => "forgotten",
            Self::Busy { reason, .. } => reason,
        }
    }
}
