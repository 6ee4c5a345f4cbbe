//! What opens a device's SNMP: communities and USM users.
//!
//! Secrets never reach a log: `Debug` of everything here leaves them out, and what the engine remembers about a device
//! (see [`crate::engine::Memory`]) names a credential by its label only.

use std::fmt;
use std::sync::Arc;

use crate::usm::{Principal, User};

/// The label a credential gets when the configuration gives it none.
pub const LABEL_DEFAULT: &str = "default";

/// An SNMP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// SNMPv1 (RFC 1157)
    V1,
    /// Community-based SNMPv2 (RFC 1901)
    V2c,
    /// SNMPv3 with the user-based security model (RFC 3412, 3414)
    V3,
}

impl Version {
    /// The name people use: `v1`, `v2c`, `v3`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2c => "v2c",
            Self::V3 => "v3",
        }
    }
}

/// One way into a device, with the name it has in the configuration.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The name it is remembered and reported by.
    pub label: Arc<str>,
    /// What is sent.
    pub access: Access,
}

/// What a message carries to be let in.
#[derive(Clone)]
pub enum Access {
    /// An SNMPv1 community.
    V1(Arc<[u8]>),
    /// An SNMPv2c community.
    V2c(Arc<[u8]>),
    /// An SNMPv3 user.
    V3(Arc<Principal>),
}

impl Credential {
    /// SNMPv1 with this community.
    #[must_use]
    pub fn v1(label: &str, community: &[u8]) -> Self {
        Self::new(label, Access::V1(community.into()))
    }

    /// SNMPv2c with this community.
    #[must_use]
    pub fn v2c(label: &str, community: &[u8]) -> Self {
        Self::new(label, Access::V2c(community.into()))
    }

    /// SNMPv3 as this user. Takes some milliseconds: passwords are turned into keys.
    #[must_use]
    pub fn v3(label: &str, user: User) -> Self {
        Self::new(label, Access::V3(Arc::new(Principal::new(user))))
    }

    fn new(label: &str, access: Access) -> Self {
        Self {
            label: label.into(),
            access,
        }
    }

    /// The version it speaks.
    #[must_use]
    pub const fn version(&self) -> Version {
        match self.access {
            Access::V1(_) => Version::V1,
            Access::V2c(_) => Version::V2c,
            Access::V3(_) => Version::V3,
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V1(_) => f.write_str("V1(..)"),
            Self::V2c(_) => f.write_str("V2c(..)"),
            Self::V3(user) => f.debug_tuple("V3").field(user).finish(),
        }
    }
}
