//! What a poll hears: the answers to its current ask, and what it means when they do not come in full.
//!
//! Nothing is computed from a part of the vendor's own counters: a sum over the rows that happened to arrive, or the second choice
//! because the first was lost, is a wrong number on an invoice. What was not told in full is forgotten and marked as unread.

use std::collections::BTreeSet;

use super::learn::{Part, Step};
use super::{DevicePoll, Stage, plan};
use crate::conversation::{Ask, Conversation, Failure};
use crate::oid::Oid;
use crate::profile::Source;
use crate::value::ValueRef;

/// So many silent asks in a row mean a dead device: it is not asked for every table (quirk N13).
const SILENCES_IN_A_ROW_MAX: u32 = 2;

/// So many silent asks end a poll even if others are answered: each costs all the retries.
const SILENCES_MAX: u32 = 4;

/// What is heard of the current ask.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    pub step: Option<Step>,
    variables: usize,
    /// Of a Get, by place: told, be it that there is no such instance.
    told: Vec<bool>,
    /// Of a walk: rows by column.
    rows: Vec<u32>,
    /// Rows are missing, though nothing failed.
    cut: bool,
}

impl Hearing {
    fn of(step: Step) -> Self {
        let (told, rows) = match &step.ask {
            Ask::Get(oids) => (vec![false; oids.len()], Vec::new()),
            Ask::Walk { columns, .. } => (Vec::new(), vec![0; columns.len()]),
        };
        Self {
            step: Some(step),
            told,
            rows,
            ..Self::default()
        }
    }

    /// Notes an answer; `false` for what was not asked for, whatever a device sends.
    fn note(&mut self, ask_index: usize, oid: &Oid, absent: bool) -> bool {
        match self.step.as_ref().map(|step| &step.ask) {
            Some(Ask::Get(oids)) => {
                let at = Some(ask_index)
                    .filter(|at| oids.get(*at) == Some(oid))
                    .or_else(|| oids.iter().position(|asked| asked == oid));
                let Some(at) = at else { return false };
                self.told[at] = true;
            }
            Some(Ask::Walk {
                columns, rows_max, ..
            }) => {
                let below =
                    |column: &Oid| oid.suffix_of(column).is_some_and(|index| !index.is_empty());
                let at = Some(ask_index)
                    .filter(|at| columns.get(*at).is_some_and(below))
                    .or_else(|| columns.iter().position(below));
                let Some(at) = at else { return false };
                if !absent {
                    self.rows[at] += 1;
                    // There the engine stops, and nobody knows what comes behind.
                    self.cut |= self.rows[at] >= *rows_max;
                }
            }
            None => return false,
        }
        self.variables += 1;
        true
    }

    /// The instances of a Get that were not told.
    fn untold<'a>(&'a self, oids: &'a [Oid]) -> impl Iterator<Item = &'a Oid> {
        let told = self.told.iter().copied().chain(std::iter::repeat(false));
        oids.iter()
            .zip(told)
            .filter_map(|(oid, told)| (!told).then_some(oid))
    }
}

impl Conversation for DevicePoll {
    fn next_ask(&mut self) -> Option<Ask> {
        loop {
            while let Some(step) = self.queue.pop_front() {
                self.asked.insert(step.part);
                if let Some(ask) = self.permitted(step.ask) {
                    self.hearing = Hearing::of(Step {
                        ask: ask.clone(),
                        ..step
                    });
                    return Some(ask);
                }
            }
            if self.stage == Stage::Done {
                return None;
            }
            self.advance();
        }
    }

    fn variable(&mut self, ask_index: usize, oid: &Oid, value: ValueRef<'_>) {
        let value = value.to_value();
        if !self.hearing.note(ask_index, oid, value.is_none()) {
            return;
        }
        self.answered_once = true;
        if self.hearing.variables == 1 {
            self.spoken
                .extend(self.hearing.step.as_ref().map(|step| step.part));
        }
        match value {
            Some(value) => {
                let kept = self.facts.hear(oid, value);
                self.hearing.cut |= !kept;
            }
            None => self.facts.forget(oid),
        }
    }

    fn answered(&mut self, failure: Option<Failure>) {
        let mut hearing = std::mem::take(&mut self.hearing);
        let broken_before = self.broken.clone();
        let Some(step) = hearing.step.take() else {
            self.failure = failure.or(self.failure);
            return;
        };
        if failure.is_some() || hearing.cut {
            self.give_up_incomplete(&step, &hearing, failure);
        }
        let Some(failure) = failure else {
            self.answered_once = true;
            self.silences_in_a_row = 0;
            return;
        };
        self.failure = Some(failure);
        if !is_silence(failure) {
            self.silences_in_a_row = 0;
            if hearing.variables == 0 {
                self.refused.insert(step.part);
            }
            return;
        }
        if hearing.variables > 0 {
            self.silences_in_a_row = 0;
        }
        self.silences += 1;
        self.silences_in_a_row += 1;
        let parts = self.parts_lost(&step, &hearing);
        self.broken.extend(parts);
        if self.is_forgiven(&step) {
            self.note_silence(&step, &hearing, failure, &broken_before);
            return;
        }
        self.is_cut_short = true;
        self.break_off(Some(step));
        if !matches!(self.stage, Stage::Tables | Stage::Signs) {
            self.broken.insert(Part::Identity);
        }
        if matches!(self.stage, Stage::Identify | Stage::Probe) {
            self.broken.extend(Part::ALL);
        }
        if self.stage != Stage::Steady {
            self.stage = Stage::Done;
        }
    }
}

impl DevicePoll {
    /// Asks no further: whatever was still to be asked was not read, nor what the current ask was for.
    pub(super) fn break_off(&mut self, current: Option<Step>) {
        let mut rest = self.queue.drain(..).collect::<Vec<_>>();
        rest.extend(current.or_else(|| self.hearing.step.take()));
        self.is_cut_short |= !rest.is_empty();
        for step in rest {
            self.asked.insert(step.part);
            let parts = self.parts_lost(&step, &Hearing::default());
            self.broken.insert(step.part);
            self.broken.extend(parts);
        }
    }

    /// What a device that answers the rest did not answer at all is remembered: it may be no chance.
    fn note_silence(
        &mut self,
        step: &Step,
        hearing: &Hearing,
        failure: Failure,
        broken_before: &BTreeSet<Part>,
    ) {
        if self.stage != Stage::Tables || hearing.variables > 0 || failure != Failure::Timeout {
            self.is_cut_short = true;
            return;
        }
        match &step.ask {
            Ask::Get(oids) => self.silent.places.extend(oids.iter().cloned()),
            Ask::Walk { columns, .. } => {
                let entries = columns.iter().map(plan::entry_of);
                self.silent.places.extend(entries);
            }
        }
        let lost = self.broken.difference(broken_before).copied();
        self.silent.parts.extend(lost);
        self.silent.parts.extend(self.parts_lost(step, hearing));
        self.silent.learns += 1;
    }

    /// A device may fall silent at one table and still answer the rest. What says whose values they are must be answered.
    fn is_forgiven(&self, step: &Step) -> bool {
        let may = match self.stage {
            Stage::Tables => true,
            Stage::Refresh => matches!(step.ask, Ask::Walk { .. }),
            _ => false,
        };
        may && self.answered_once
            && self.silences_in_a_row < SILENCES_IN_A_ROW_MAX
            && self.silences < SILENCES_MAX
    }

    /// The parts of the report that are not read when a step met with silence. The vendor's own about supplies only adds to what the
    /// standard table says; but where it adds whole rows, the list would not be all there is.
    fn parts_lost(&self, step: &Step, hearing: &Hearing) -> Vec<Part> {
        if !step.own {
            return vec![step.part];
        }
        let profile = &self.profile;
        match &step.ask {
            Ask::Walk { .. } if step.part == Part::Supplies => {
                let whole_rows = profile.supplies.private_rows;
                Vec::from_iter(whole_rows.then_some(Part::Supplies))
            }
            Ask::Walk { .. } => vec![step.part],
            Ask::Get(oids) => {
                let lost = |source: &Source| {
                    let mut lost = false;
                    source.each(&mut |source| {
                        if let Source::Scalar { oid, guard, .. } = source {
                            let guard = guard.as_ref().map(|(oid, _)| oid);
                            lost |= hearing
                                .untold(oids)
                                .any(|untold| untold == oid || Some(untold) == guard);
                        }
                    });
                    lost
                };
                let rules = profile.meters.iter().map(|rule| &rule.from);
                let others = profile.checks.iter().flat_map(|check| &check.others);
                let mut known = profile.supplies.known.iter();
                let mut parts = vec![step.part];
                if rules.chain(others).any(lost) {
                    parts.push(Part::Meters);
                }
                if known.any(|known| known.description.is_some() && lost(&known.from)) {
                    parts.push(Part::Supplies);
                }
                parts
            }
        }
    }

    /// Forgets the rows of a table that was not told in full, and marks what is unread.
    fn give_up_incomplete(&mut self, step: &Step, hearing: &Hearing, failure: Option<Failure>) {
        match &step.ask {
            Ask::Walk { columns, .. } if step.own && step.part == Part::Meters => {
                for column in columns {
                    self.facts.forget(column);
                    self.facts.mark_unread(column.clone());
                }
                // Refused as a whole, the table costs what is read from it; else nobody knows what it would have said.
                let refused = hearing.variables == 0 && !failure.is_none_or(is_silence);
                if !refused {
                    self.broken.insert(Part::Meters);
                }
            }
            Ask::Get(oids) if step.own || self.stage == Stage::Refresh => {
                let mut untold = hearing.untold(oids).peekable();
                if !step.own && step.part == Part::Meters && untold.peek().is_some() {
                    // The plan knows what is there; it stays.
                    self.broken.insert(Part::Meters);
                }
                for oid in untold {
                    self.facts.mark_unread(oid.clone());
                }
            }
            _ => {}
        }
    }
}

const fn is_silence(failure: Failure) -> bool {
    matches!(failure, Failure::Timeout | Failure::Authentication)
}
