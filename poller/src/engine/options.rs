//! How a device is to be asked.

use std::net::SocketAddr;
use std::time::Duration;

use crate::credentials::Credential;

/// The UDP port of SNMP agents.
pub const SNMP_PORT: u16 = 161;

/// What carries the messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transport {
    /// RFC 3417: a message a datagram.
    #[default]
    Udp,
    /// RFC 3430: messages one behind the other on a connection.
    Tcp,
}

/// Where a device listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Address and port.
    pub address: SocketAddr,
    /// What carries the messages.
    pub transport: Transport,
}

impl Target {
    /// A device that is asked by UDP.
    #[must_use]
    pub const fn udp(address: SocketAddr) -> Self {
        Self {
            address,
            transport: Transport::Udp,
        }
    }

    /// A device that is asked by TCP.
    #[must_use]
    pub const fn tcp(address: SocketAddr) -> Self {
        Self {
            address,
            transport: Transport::Tcp,
        }
    }
}

/// How a device is asked. One value serves many devices: share it in an `Arc`.
#[derive(Clone, Debug)]
pub struct PollOptions {
    /// Tried in this order until one is answered; the winner is remembered in [`super::Memory`].
    pub credentials: Vec<Credential>,
    /// How long each attempt of a request waits: as many attempts as entries. Where the round trip time is known to be
    /// short, the first waits are shorter (never below [`PollOptions::timeout_min`]).
    pub timeouts: Vec<Duration>,
    /// How many of those attempts a device gets that has not answered anything in this poll. One that did gets them all.
    pub rounds_unanswered: usize,
    /// The least a request waits, however quick the device answered before.
    pub timeout_min: Duration,
    /// The size a reply should not exceed, in bytes of SNMP.
    pub reply_bytes_max: usize,
    /// How many variables the first PDU to an unknown device may have. More once that was answered.
    pub variables_start: usize,
    /// How many variables a PDU may ever have.
    pub variables_max: usize,
    /// Whether GETBULK may be used at all.
    pub bulk: bool,
}

impl Default for PollOptions {
    fn default() -> Self {
        Self {
            credentials: vec![
                Credential::v2c("public", b"public"),
                Credential::v1("public-v1", b"public"),
            ],
            timeouts: [1, 2, 4].map(Duration::from_secs).to_vec(),
            rounds_unanswered: usize::MAX,
            timeout_min: Duration::from_millis(250),
            reply_bytes_max: 1_200,
            variables_start: 15,
            variables_max: 64,
            bulk: true,
        }
    }
}

impl PollOptions {
    /// The waits of a first attempt and so many retries: each waits twice as long as the one before.
    #[must_use]
    pub fn attempts(timeout: Duration, retries: u32) -> Vec<Duration> {
        (0..=retries)
            .map(|attempt| timeout.saturating_mul(2_u32.saturating_pow(attempt)))
            .collect()
    }
}
