//! Meters: the vendor's billing counters with their evidence, the engine's count, and whether their sums come out (quirks K1 to K18).

use codec::model::{Basis, Colour, Meter, MeterPart, MeterSet, MeterUnit, Sides, Work};

use super::mib;
use super::view::{self, Counted, View};
use crate::oid::Oid;
use crate::profile::{Cadence, Check, MeterRule, Source, Table};

/// Meters and what their arithmetic says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meters {
    /// In the profile's order, the engine's last.
    pub list: Vec<Meter>,
    /// What the checks of the profile found.
    pub set: MeterSet,
    /// Billing meters went unread, and none is left: the engine's count alone would pass for all there is.
    pub lost: bool,
}

/// Whether the billing total is missing because something went unread.
#[must_use]
pub fn total_unread(view: &View<'_>) -> bool {
    any_unread(view) && named(&meters(view).list, "total.total").next().is_none()
}

/// Whether anything went unread that a meter is read from, or a check.
fn any_unread(view: &View<'_>) -> bool {
    if view.facts.is_whole() {
        return false;
    }
    let rules = view.profile.meters.iter().map(|rule| &rule.from);
    let others = view.profile.checks.iter().flat_map(|check| &check.others);
    let mut columns = view.profile.table.values().flat_map(Table::columns);
    rules.chain(others).any(|source| view.is_unread(source))
        || columns.any(|column| view.facts.is_unread(column))
}

/// Reads the meters.
#[must_use]
pub fn meters(view: &View<'_>) -> Meters {
    let mut list: Vec<Meter> = Vec::new();
    for rule in &view.profile.meters {
        match rule
            .each
            .as_ref()
            .and_then(|table| view.profile.table.get(table))
        {
            None => list.extend(
                view.number(&rule.from)
                    .map(|counted| meter(rule, rule.size.clone(), &counted)),
            ),
            Some(table) => {
                // The tables by size are learned and not read again: then there is nothing to name.
                if !has_rows(view, &rule.from) {
                    continue;
                }
                for (size, rows) in by_size(view.sized_rows(table)) {
                    let counted = rows
                        .iter()
                        .filter_map(|index| view.number_in_row(&rule.from, index));
                    let counted = view::add(counted);
                    list.extend(counted.map(|counted| meter(rule, Some(size), &counted)));
                }
            }
        }
    }
    // Two rules or two rows that count the same thing: the first is what the profile prefers.
    drop_repeated(&mut list);
    let unread = any_unread(view);
    // Sums over what is left say nothing about the device.
    let set = if unread {
        MeterSet::Unverified
    } else {
        check(view, &list)
    };
    let lost = unread && list.is_empty();
    list.extend(engine(view));
    Meters { list, set, lost }
}

/// The instances that the meters of a steady poll were read from.
#[must_use]
pub fn steady_parts(view: &View<'_>) -> Vec<Oid> {
    let rules = view
        .profile
        .meters
        .iter()
        .filter(|rule| rule.read == Cadence::Steady && rule.each.is_none());
    let others = view.profile.checks.iter().flat_map(|check| &check.others);
    let counted = rules
        .map(|rule| &rule.from)
        .chain(others)
        .filter_map(|source| view.number(source));
    counted
        .flat_map(|counted| counted.parts)
        .map(|(oid, _)| oid)
        .collect()
}

/// Whether any of the columns that are read by row has a value.
fn has_rows(view: &View<'_>, source: &Source) -> bool {
    let mut any = false;
    source.each(&mut |source| {
        if let Source::Column(column) = source {
            any |= view.facts.any_below(column);
        }
    });
    any
}

/// Keeps the first meter of each code.
fn drop_repeated(list: &mut Vec<Meter>) {
    fn last_words(meter: &Meter) -> impl Iterator<Item = &str> {
        let size = meter.size.as_deref();
        size.into_iter().chain(meter.sides.map(Sides::word))
    }
    let kinds = |meter: &Meter| (meter.work, meter.colour, meter.unit, meter.basis);
    let mut at = 0;
    while let Some(meter) = list.get(at) {
        let mut before = list[..at].iter();
        let repeated = before
            .any(|known| kinds(known) == kinds(meter) && last_words(known).eq(last_words(meter)));
        if repeated {
            list.remove(at);
        } else {
            at += 1;
        }
    }
}

/// Rows of one size belong together: some devices count each kind of paper of a size.
fn by_size(rows: Vec<(Vec<u32>, String)>) -> Vec<(String, Vec<Vec<u32>>)> {
    let mut sizes: Vec<(String, Vec<Vec<u32>>)> = Vec::new();
    for (index, size) in rows {
        match sizes.iter_mut().find(|(known, _)| *known == size) {
            Some((_, rows)) => rows.push(index),
            None => sizes.push((size, vec![index])),
        }
    }
    sizes
}

fn meter(rule: &MeterRule, size: Option<String>, counted: &Counted) -> Meter {
    let first = counted.parts.first();
    let oid = first.map(|(oid, _)| oid.to_string()).unwrap_or_default();
    let part = |(oid, value): &(Oid, u64)| MeterPart {
        oid: oid.to_string(),
        value: *value,
    };
    let parts = if counted.parts.len() > 1 {
        counted.parts.iter().map(part).collect()
    } else {
        Vec::new()
    };
    let MeterRule {
        work,
        colour,
        unit,
        sides,
        basis,
        ..
    } = *rule;
    Meter {
        work,
        colour,
        unit,
        size,
        sides,
        value: counted.value,
        basis,
        oid,
        parts,
    }
}

/// `prtMarkerLifeCount` of the first marker: cycles of the engine, in the unit that it says.
fn engine(view: &View<'_>) -> Option<Meter> {
    let lives = mib::marker(4);
    let (_, index) = view.rows(std::slice::from_ref(&lives)).into_iter().next()?;
    let value = u64::try_from(view.integer_in(&lives, &index)?).ok()?;
    let unit = match view.integer_in(&mib::marker(3), &index) {
        Some(7) => MeterUnit::Impressions,
        Some(8) => MeterUnit::Sheets,
        Some(11) => MeterUnit::Hours,
        Some(16) => MeterUnit::Feet,
        Some(17) => MeterUnit::Metres,
        _ => MeterUnit::Other,
    };
    let oid = lives.child(&index).to_string();
    let (work, colour, basis) = (Work::Total, Colour::Total, Basis::Engine);
    Some(Meter {
        work,
        colour,
        unit,
        size: None,
        sides: None,
        value,
        basis,
        oid,
        parts: Vec::new(),
    })
}

/// Makes every check that can be made.
fn check(view: &View<'_>, list: &[Meter]) -> MeterSet {
    let outcomes = view
        .profile
        .checks
        .iter()
        .map(|check| outcome(view, check, list));
    // One conflict outweighs everything, whatever else holds.
    outcomes.fold(MeterSet::Unverified, |set, next| match (set, next) {
        (MeterSet::Conflicting, _) | (_, MeterSet::Conflicting) => MeterSet::Conflicting,
        (MeterSet::Verified, _) | (_, MeterSet::Verified) => MeterSet::Verified,
        (MeterSet::Unverified, MeterSet::Unverified) => MeterSet::Unverified,
    })
}

/// What a check says; nothing when it cannot be made, or when its total was itself computed from the same parts.
fn outcome(view: &View<'_>, check: &Check, list: &[Meter]) -> MeterSet {
    let sum = || {
        let total = named(list, &check.total).next()?;
        let mut sum = 0_u64;
        let mut used: Vec<(&str, u64)> = Vec::new();
        let needed = check.parts.iter().map(|name| (name, true));
        for (name, needed) in needed.chain(check.optional.iter().map(|name| (name, false))) {
            let before = used.len();
            for meter in named(list, name) {
                sum = sum.checked_add(meter.value)?;
                used.extend(evidence(meter));
            }
            if needed && used.len() == before {
                return None;
            }
        }
        for other in &check.others {
            sum = sum.checked_add(view.number(other).map_or(0, |counted| counted.value))?;
        }
        let itself = evidence(total).all(|part| used.contains(&part));
        (!itself).then_some((sum, total.value))
    };
    match sum() {
        None => MeterSet::Unverified,
        Some((sum, total)) if sum.abs_diff(total) <= check.tolerance => MeterSet::Verified,
        Some((sum, total)) if check.at_most && sum < total => MeterSet::Unverified,
        Some(_) => MeterSet::Conflicting,
    }
}

/// What a meter was read from. One instance may hold several counters (Brother's lists): the value belongs to it.
fn evidence(meter: &Meter) -> impl Iterator<Item = (&str, u64)> {
    let parts = meter
        .parts
        .iter()
        .map(|part: &MeterPart| (part.oid.as_str(), part.value));
    let itself = meter
        .parts
        .is_empty()
        .then_some((meter.oid.as_str(), meter.value));
    parts.chain(itself)
}

/// The billing meters that `work.colour`, `work.colour.size`, `work.colour.sides` or `work.colour.*` (all sizes) names.
fn named<'a>(list: &'a [Meter], name: &'a str) -> impl Iterator<Item = &'a Meter> {
    let mut words = name.split('.');
    let work = words.next().and_then(Work::from_word);
    let colour = words.next().and_then(Colour::from_word);
    let rest = words.next();
    let sides = rest.and_then(Sides::from_word);
    list.iter().filter(move |meter| {
        let place = match rest {
            None => meter.size.is_none() && meter.sides.is_none(),
            Some("*") => meter.size.is_some() && meter.sides.is_none(),
            Some(_) if sides.is_some() => meter.sides == sides && meter.size.is_none(),
            Some(size) => meter.size.as_deref() == Some(size) && meter.sides.is_none(),
        };
        Some(meter.work) == work
            && Some(meter.colour) == colour
            && meter.basis == Basis::Billing
            && place
    })
}
