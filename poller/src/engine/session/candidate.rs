//! Which credentials, and under SNMPv3 which contexts, may be tried, and in which order.

use crate::credentials::{Access, Credential, Version};
use crate::engine::memory::{CREDENTIAL_MISSES_MAX, Memory};

/// One way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its place in the options' credentials.
    pub credential: usize,
    /// The place of its context among those of the SNMPv3 user.
    pub context: usize,
    /// It stands at the end because its answer was poor: now it is taken as it is.
    pub is_last_resort: bool,
}

impl Candidate {
    /// Whether both are the same way in.
    pub const fn is_same(self, other: Self) -> bool {
        self.credential == other.credential && self.context == other.context
    }

    /// The SNMPv3 context it asks in.
    pub fn context_of(self, credential: &Credential) -> Option<&str> {
        match &credential.access {
            Access::V1(_) | Access::V2c(_) => None,
            Access::V3(principal) => Some(principal.context(self.context)),
        }
    }
}

/// What may be tried: what worked before first, and alone as long as it was not missed twice. Communities are out once the device
/// answered SNMPv3: whoever can suppress packets must not be able to make us send a community.
pub fn candidates(credentials: &[Credential], memory: &Memory) -> Vec<Candidate> {
    let is_remembered = |candidate: &Candidate| {
        let credential = &credentials[candidate.credential];
        let context = candidate.context_of(credential).unwrap_or_default();
        memory.credential.as_ref() == Some(&credential.label)
            && memory.context.as_deref().unwrap_or_default() == context
    };
    let mut candidates: Vec<Candidate> = Vec::new();
    for (at, credential) in credentials.iter().enumerate() {
        if memory.v3_proven && credential.version() != Version::V3 {
            continue;
        }
        let contexts = match &credential.access {
            Access::V1(_) | Access::V2c(_) => 1,
            Access::V3(principal) => principal.user().contexts.len().max(1),
        };
        candidates.extend((0..contexts).map(|context| Candidate {
            credential: at,
            context,
            is_last_resort: false,
        }));
    }
    candidates.sort_by_key(|candidate| !is_remembered(candidate));
    let is_known = candidates.first().is_some_and(is_remembered);
    if is_known && memory.credential_misses < CREDENTIAL_MISSES_MAX {
        candidates.truncate(1);
    }
    candidates
}
