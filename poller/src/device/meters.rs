//! Meters: the vendor's billing counters with their evidence, the engine's count, and whether their sums come out (quirks K1 to K18).

use codec::model::{Basis, Colour, Meter, MeterPart, MeterSet, MeterUnit, Sides, Work};

use super::mib;
use super::view::{Counted, View};
use crate::profile::{Cadence, Check, MeterRule};

/// Meters and what their arithmetic says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meters {
    /// In the profile's order, the engine's last.
    pub list: Vec<Meter>,
    /// What the checks of the profile found.
    pub set: MeterSet,
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
                    .map(|counted| meter(rule, rule.size.clone(), counted)),
            ),
            Some(table) => {
                for (index, size) in view.sized_rows(table) {
                    let counted = view.number_in_row(&rule.from, &index);
                    list.extend(counted.map(|counted| meter(rule, Some(size), counted)));
                }
            }
        }
    }
    // Two rules or two rows that count the same thing: the first is what the profile prefers.
    let mut codes = std::collections::BTreeSet::new();
    list.retain(|meter| codes.insert(meter.code()));
    let set = check(view, &list);
    list.extend(engine(view));
    Meters { list, set }
}

/// The instances that the meters of a steady poll were read from.
#[must_use]
pub fn steady_parts(view: &View<'_>) -> Vec<String> {
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
        .map(|part| part.oid)
        .collect()
}

fn meter(rule: &MeterRule, size: Option<String>, counted: Counted) -> Meter {
    let oid = counted
        .parts
        .first()
        .map(|part| part.oid.clone())
        .unwrap_or_default();
    let parts = if counted.parts.len() > 1 {
        counted.parts
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
    let mut verified = false;
    for check in &view.profile.checks {
        match outcome(view, check, list) {
            Some(false) => return MeterSet::Conflicting,
            Some(true) => verified |= !check.at_most,
            None => {}
        }
    }
    if verified {
        MeterSet::Verified
    } else {
        MeterSet::Unverified
    }
}

/// Whether a check holds; `None` when it cannot be made, or when its total was itself computed from the same parts.
fn outcome(view: &View<'_>, check: &Check, list: &[Meter]) -> Option<bool> {
    let total = named(list, &check.total).next()?;
    let mut sum = 0_u64;
    let mut used: Vec<&str> = Vec::new();
    for (name, needed) in check
        .parts
        .iter()
        .map(|name| (name, true))
        .chain(check.optional.iter().map(|name| (name, false)))
    {
        let mut found = false;
        for meter in named(list, name) {
            found = true;
            sum = sum.checked_add(meter.value)?;
            used.extend(evidence(meter));
        }
        if needed && !found {
            return None;
        }
    }
    for other in &check.others {
        sum = sum.checked_add(view.number(other).map_or(0, |counted| counted.value))?;
    }
    if evidence(total).all(|oid| used.contains(&oid)) {
        return None;
    }
    Some(if check.at_most {
        sum <= total.value + check.tolerance
    } else {
        sum.abs_diff(total.value) <= check.tolerance
    })
}

/// The instances a meter was read from.
fn evidence(meter: &Meter) -> impl Iterator<Item = &str> {
    let parts = meter.parts.iter().map(|part: &MeterPart| part.oid.as_str());
    parts.chain(meter.parts.is_empty().then_some(meter.oid.as_str()))
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
