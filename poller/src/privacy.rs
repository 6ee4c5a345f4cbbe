//! What the agent can ever ask a device for: an allow-list of OID subtrees, made from the standard tables and the profiles.
//!
//! Every ask passes [`AllowList::permits`] (in one place, `DevicePoll`); job names, document names and user names are not on the
//! list, and no profile can put them there: one that names anything of [`FORBIDDEN`] is refused, and the list itself would not take it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::device;
use crate::oid::Oid;
use crate::profile::{Details, Profile, ProfileSet, Source};

/// A subtree that may be asked for, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allowed {
    /// The subtree.
    pub subtree: Oid,
    /// What is read there.
    pub purpose: String,
}

/// Subtrees that nothing can open, whatever a profile says: jobs, documents, users, address books, credentials, and commands in disguise.
pub const FORBIDDEN: &[(&str, &str)] = &[
    ("1.3.6.1.4.1.2699.1.1", "jobs (Job Monitoring MIB)"),
    (
        "1.3.6.1.4.1.2699.1.2.1.2.1.1.7",
        "SNMP community in clear (Port Monitor MIB)",
    ),
    ("1.3.6.1.4.1.2699.1.2.1.3", "ports and queues"),
    ("1.3.6.1.2.1.25.4", "running software"),
    ("1.3.6.1.2.1.4.22", "neighbours' addresses"),
    ("1.3.6.1.2.1.3", "neighbours' addresses"),
    ("1.3.6.1.2.1.6.13", "connections"),
    ("1.3.6.1.2.1.7.5", "connections"),
    ("1.3.6.1.6.3", "SNMP users, communities and targets"),
    (
        "1.3.6.1.4.1.11.2.3.9.4.2.1.1.6",
        "HP jobs: names, users, applications",
    ),
    ("1.3.6.1.4.1.1347.47", "Kyocera jobs and logs"),
    (
        "1.3.6.1.4.1.367.3.2.1.3",
        "Ricoh jobs: documents, users, hosts",
    ),
    ("1.3.6.1.4.1.1347.40.26", "Kyocera SNMP communities"),
    (
        "1.3.6.1.4.1.1248.1.2.2.44",
        "Epson commands tunnelled in OIDs (some write)",
    ),
];

/// The subtrees that may be asked for, sorted, none inside another.
#[derive(Clone, Debug, Default)]
pub struct AllowList {
    allowed: BTreeMap<Oid, String>,
    /// Sorted; none inside another.
    forbidden: Vec<Oid>,
}

impl AllowList {
    /// The list that these profiles lead to.
    #[must_use]
    pub fn of(profiles: &[Arc<Profile>]) -> Self {
        let mut forbidden = FORBIDDEN
            .iter()
            .map(|(oid, _)| oid.parse().expect("a constant that a test parses"))
            .collect::<Vec<Oid>>();
        forbidden.sort();
        forbidden.dedup_by(|inner, outer| inner.suffix_of(outer).is_some());
        let mut all: Vec<(Oid, String)> = device::standard_subtrees()
            .into_iter()
            .map(|(oid, purpose)| (oid, purpose.to_owned()))
            .collect();
        for profile in profiles {
            all.extend(of_profile(profile));
        }
        all.sort();
        let mut list = Self {
            allowed: BTreeMap::new(),
            forbidden,
        };
        for (oid, purpose) in all {
            if !list.is_forbidden(&oid) && !list.is_below_allowed(&oid) {
                list.allowed.insert(oid, purpose);
            }
        }
        list
    }

    /// Whether `oid` may be asked for: it is, or is below, a subtree of the list, and touches nothing forbidden.
    #[must_use]
    pub fn permits(&self, oid: &Oid) -> bool {
        self.is_below_allowed(oid) && !self.is_forbidden(oid)
    }

    /// Drops what may not be asked for: as [`Self::permits`] of each. What stands below one subtree is looked up once.
    pub fn retain_permitted(&self, oids: &mut Vec<Oid>) {
        let mut above: Option<&Oid> = None;
        oids.retain(|oid| {
            if above.is_none_or(|subtree| oid.suffix_of(subtree).is_none()) {
                above = self.above(oid);
            }
            above.is_some() && !self.is_forbidden(oid)
        });
    }

    /// The list, in the order of the OIDs.
    #[must_use]
    pub fn list(&self) -> Vec<Allowed> {
        let entry = |(subtree, purpose): (&Oid, &String)| Allowed {
            subtree: subtree.clone(),
            purpose: purpose.clone(),
        };
        self.allowed.iter().map(entry).collect()
    }

    fn is_below_allowed(&self, oid: &Oid) -> bool {
        self.above(oid).is_some()
    }

    /// A subtree that is allowed is at or before `oid` in the order, and nothing of the list lies inside it.
    fn above(&self, oid: &Oid) -> Option<&Oid> {
        let (subtree, _) = self.allowed.range(..=oid).next_back()?;
        oid.suffix_of(subtree).map(|_| subtree)
    }

    /// Inside a forbidden subtree, or around one: then it is the last that does not stand behind `oid`, or the first that does.
    fn is_forbidden(&self, oid: &Oid) -> bool {
        let behind = self.forbidden.partition_point(|subtree| subtree <= oid);
        let inside = behind
            .checked_sub(1)
            .is_some_and(|at| oid.suffix_of(&self.forbidden[at]).is_some());
        let around = self.forbidden.get(behind);
        inside || around.is_some_and(|subtree| subtree.suffix_of(oid).is_some())
    }
}

/// What of [`FORBIDDEN`] an OID is in, or around: nothing may ask for it.
#[must_use]
pub fn forbidden(oid: &Oid) -> Option<&'static str> {
    FORBIDDEN.iter().find_map(|(subtree, what)| {
        let subtree: Oid = subtree.parse().expect("a constant that a test parses");
        let touches = oid.suffix_of(&subtree).is_some() || subtree.suffix_of(oid).is_some();
        touches.then_some(*what)
    })
}

/// What one profile reads, each with its purpose.
pub fn of_profile(profile: &Profile) -> Vec<(Oid, String)> {
    let name = &profile.name;
    let mut list = Vec::new();
    let identity = &profile.identity;
    let purposes = [
        (&identity.serial, "serial number"),
        (&identity.serial_first, "serial number"),
        (&identity.model, "model"),
        (&identity.firmware, "firmware version"),
        (&identity.hostname, "host name of the device"),
        (&identity.device_id, "IEEE 1284 device id"),
        (&identity.asset, "asset number"),
        (&profile.status.display, "line on the panel"),
    ];
    for (sources, purpose) in purposes {
        for source in sources {
            add(&mut list, source, &format!("{name}: {purpose}"));
        }
    }
    for meter in &profile.meters {
        add(
            &mut list,
            &meter.from,
            &format!("{name}: meter {} {}", meter.work, meter.colour),
        );
    }
    for source in profile.checks.iter().flat_map(|check| &check.others) {
        add(
            &mut list,
            source,
            &format!("{name}: part of a sum of meters"),
        );
    }
    for known in &profile.supplies.known {
        for source in known.sources() {
            add(
                &mut list,
                source,
                &format!("{name}: level of {}", known.kind),
            );
        }
    }
    let details = profile.supplies.details.iter();
    list.extend(details.flat_map(Details::columns).map(|column| {
        (
            column.clone(),
            format!("{name}: part and serial of supplies"),
        )
    }));
    for (table, columns) in &profile.table {
        let columns = columns.columns();
        list.extend(columns.map(|column| (column.clone(), format!("{name}: table {table}"))));
    }
    let private = [
        &profile.supplies.private_level,
        &profile.supplies.private_name,
    ]
    .into_iter()
    .flatten();
    list.extend(private.map(|column| (column.clone(), format!("{name}: supplies"))));
    let probes = profile
        .rules
        .iter()
        .filter_map(|rule| rule.present.as_ref());
    list.extend(probes.map(|oid| (oid.clone(), format!("{name}: recognises the device"))));
    list
}

fn add(list: &mut Vec<(Oid, String)>, source: &Source, purpose: &str) {
    source.each(&mut |source| match source {
        Source::Scalar { oid, guard, .. } => {
            list.push((oid.clone(), purpose.to_owned()));
            list.extend(
                guard
                    .as_ref()
                    .map(|(oid, _)| (oid.clone(), purpose.to_owned())),
            );
        }
        Source::Column(column)
        | Source::Row {
            column: Some(column),
            ..
        } => list.push((column.clone(), purpose.to_owned())),
        Source::Row { .. } | Source::Sum { .. } | Source::First(_) => {}
    });
}

/// The list that `profiles` lead to, in the order of the OIDs: what `platen-agent privacy` prints.
#[must_use]
pub fn list(profiles: &ProfileSet) -> Vec<Allowed> {
    profiles.allowed().list()
}

#[cfg(test)]
mod tests;
