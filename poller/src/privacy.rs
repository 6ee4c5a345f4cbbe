//! What the agent can ever ask a device for: an allow-list of OID subtrees, made from the standard tables and the profiles.
//! Every ask passes [`AllowList::permits`]; job names, document names and user names are not on it.

use crate::oid::Oid;
use crate::profile::ProfileSet;

/// A subtree that may be asked for, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allowed {
    /// The subtree.
    pub subtree: Oid,
    /// What is read there.
    pub purpose: String,
}

/// The subtrees that may be asked for.
#[derive(Clone, Debug, Default)]
pub struct AllowList {
    allowed: Vec<Allowed>,
}

impl AllowList {
    /// Whether `oid` may be asked for: it is, or is below, a subtree of the list.
    #[must_use]
    pub fn permits(&self, oid: &Oid) -> bool {
        self.allowed
            .iter()
            .any(|allowed| oid.suffix_of(&allowed.subtree).is_some())
    }
}

/// The list that `profiles` lead to, in the order of the OIDs: what `platen-agent privacy` prints.
#[must_use]
pub fn list(_profiles: &ProfileSet) -> Vec<Allowed> {
    Vec::new()
}
