//! Steady polls that leave sections out: meters and levels have intervals of their own.
//!
//! What always holds: what says whose values they are, and the signs that something moved, are always asked for; what is left out is
//! not told, and its last value stays in the plan.

use std::collections::BTreeSet;

use super::context::Sections;
use super::learn::Part;
use super::plan::Known;
use super::view::View;
use super::{DevicePoll, meters, mib, supplies};
use crate::oid::Oid;

impl DevicePoll {
    /// Of a steady poll: what is not wanted is not asked. Its last values stand for it in the plan; the report does not tell them.
    pub(super) fn leave_out(&mut self) {
        let sections = self.context.sections;
        self.asked.insert(Part::Status);
        if sections.meters {
            self.asked.insert(Part::Meters);
        }
        if sections.supplies {
            self.asked.extend([Part::Supplies, Part::Trays]);
        }
        if sections.meters && sections.supplies {
            return;
        }
        for oid in &self.known.steady {
            if let Some(value) = self.known.last.get(oid) {
                self.facts.insert(oid, value.clone());
            }
        }
        let left_out = left_out(&self.view(), &self.known, sections);
        let asked = |oid: &&Oid| !left_out.contains(*oid);
        for oid in self.known.steady.iter().filter(asked) {
            self.facts.forget(oid);
        }
        self.known.left_out = left_out;
    }
}

/// What of a steady poll serves only sections that are not wanted. Proof and signs always are.
fn left_out(view: &View<'_>, known: &Known, sections: Sections) -> BTreeSet<Oid> {
    let of_meters: BTreeSet<Oid> = meters::steady_parts(view).into_iter().collect();
    let of_known: BTreeSet<Oid> = supplies::known_parts(view).into_iter().collect();
    let columns = [mib::supplies(9), mib::input(10), mib::input(11)];
    let columns: Vec<Oid> = columns
        .into_iter()
        .chain(view.profile.supplies.private_level.clone())
        .collect();
    let is_supply = |oid: &Oid| {
        of_known.contains(oid) || columns.iter().any(|column| oid.suffix_of(column).is_some())
    };
    let signs = known.signs();
    let serves = |oid: &Oid| {
        let (meter, supply) = (of_meters.contains(oid), is_supply(oid));
        signs.contains(oid)
            || known.proof.contains(oid)
            || !(meter || supply)
            || (meter && sections.meters)
            || (supply && sections.supplies)
    };
    let steady = known.steady.iter();
    steady.filter(|oid| !serves(oid)).cloned().collect()
}
