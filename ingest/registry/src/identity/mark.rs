//! Evidence as a number: 128 bits stand for whose it is, its kind and its text.
//!
//! What always holds: the bits are drawn anew in each process and never leave it. Nobody outside can find two pieces of evidence with the
//! same number, and that two of a million have it by chance takes more printers than were ever made.

use std::hash::{BuildHasher, RandomState};

use codec::id::TenantId;

/// The number of a piece of evidence: a third of the memory of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Mark([u8; 16]);

/// Gives evidence its numbers.
#[derive(Debug, Default)]
pub(super) struct Marker {
    high: RandomState,
    low: RandomState,
}

impl Marker {
    /// The number of the evidence `value` of a kind within a customer's devices.
    pub fn mark(&self, domain: TenantId, kind: i64, value: &str) -> Mark {
        let half = |keyed: &RandomState| u128::from(keyed.hash_one((domain.0, kind, value)));
        Mark((half(&self.high) << 64 | half(&self.low)).to_ne_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_evidence_has_another_number_and_the_same_the_same() {
        let marker = Marker::default();
        let mut seen = std::collections::HashMap::new();
        for domain in [1, 2] {
            for kind in [1, 2] {
                for number in 0..1_000 {
                    let (domain, value) = (TenantId(domain), format!("kyocera|A{number}"));
                    let mark = marker.mark(domain, kind, &value);
                    assert_eq!(marker.mark(domain, kind, &value), mark);
                    assert_eq!(seen.insert(mark, (domain, kind, value)), None);
                }
            }
        }
        let other = Marker::default().mark(TenantId(1), 1, "kyocera|A0");
        assert!(
            !seen.contains_key(&other),
            "the numbers are a process's own"
        );
        let halves = |Mark(bytes): Mark| bytes[..8] == bytes[8..];
        assert!(!halves(other));
    }
}
