//! Which addresses belong to a range: what is written there, and what its names stand for, as far as that is known.
//!
//! What always holds: what a range excludes belongs to it under no name; while nobody knows what a name excludes, nothing of that range is
//! asked; and a name that cannot be looked up stands for what it last stood for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use poller::discovery::{Hosts, RangeEntry, Resolved, Sweep};
use poller::engine::SNMP_PORT;

use super::sweeping::Kind;
use super::{Range, SnmpSource};
use crate::config::RangeConfig;

/// Whether a place belongs to a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cover {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It does, unless a name that was not looked up yet excludes it: so it is not asked.
    Unknown,
}

/// What the names of a range stand for.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Names that are to be asked.
    asked: BTreeMap<Arc<str>, Vec<SocketAddr>>,
    /// What names exclude, on this port or on all.
    excluded: HashSet<(IpAddr, Option<u16>)>,
    /// All names that exclude something were looked up once.
    is_known: bool,
    /// What lookups that have not ended say.
    coming: HashMap<Kind, Coming>,
}

/// What a lookup says until it has ended.
#[derive(Debug, Default)]
struct Coming {
    asked: BTreeMap<Arc<str>, Vec<SocketAddr>>,
    excluded: HashSet<(IpAddr, Option<u16>)>,
    is_unknown: bool,
}

impl Names {
    /// What earlier names stood for holds on in a range that was read again.
    pub(super) fn take_from(&mut self, before: Self) {
        *self = before;
        // The new ones among them were not looked up.
        self.is_known = false;
    }

    /// It was known in an earlier life, and is until it is looked up.
    pub(super) fn was(&mut self, name: &str, target: SocketAddr) {
        self.asked.entry(name.into()).or_default().push(target);
    }

    fn excludes(&self, target: SocketAddr) -> bool {
        let ip = target.ip().to_canonical();
        let ports = [None, Some(target.port())];
        ports
            .iter()
            .any(|port| self.excluded.contains(&(ip, *port)))
    }
}

fn has_name(entries: &[RangeEntry], name: &str) -> bool {
    let mut hosts = entries.iter().map(|entry| &entry.hosts);
    hosts.any(|hosts| matches!(hosts, Hosts::Name(one) if one == name))
}

fn has_names(entries: &[RangeEntry]) -> bool {
    let mut hosts = entries.iter().map(|entry| &entry.hosts);
    hosts.any(|hosts| matches!(hosts, Hosts::Name(_)))
}

/// Whether spans of the range have this place, and none that is excluded has.
fn is_written(config: &RangeConfig, target: SocketAddr) -> bool {
    let has = |entry: &RangeEntry| {
        entry.contains(target.ip()) && entry.port.unwrap_or(SNMP_PORT) == target.port()
    };
    config.include.iter().any(has)
}

fn is_excluded(config: &RangeConfig, target: SocketAddr) -> bool {
    let has = |entry: &RangeEntry| {
        entry.contains(target.ip()) && entry.port.is_none_or(|port| port == target.port())
    };
    config.exclude.iter().any(has)
}

impl Range {
    /// Whether a place may be asked here.
    pub(super) fn covers(&self, target: SocketAddr) -> Cover {
        let name = || self.name_of(target).is_some();
        if is_excluded(&self.config, target)
            || self.names.excludes(target)
            || !is_written(&self.config, target) && !name()
        {
            Cover::No
        } else if has_names(&self.config.exclude) && !self.names.is_known {
            Cover::Unknown
        } else {
            Cover::Yes
        }
    }

    /// The name of the range that stands for this place.
    pub(super) fn name_of(&self, target: SocketAddr) -> Option<&str> {
        let mut named = self.names.asked.iter();
        let (name, _) = named.find(|(name, places)| {
            places.contains(&target) && has_name(&self.config.include, name)
        })?;
        Some(name)
    }

    /// For a place that no span has: the name by which it is here.
    pub(super) fn name_to_save(&self, target: SocketAddr) -> Option<&str> {
        match is_written(&self.config, target) {
            true => None,
            false => self.name_of(target),
        }
    }

    /// Takes in a device of an earlier life that was there under this name, if any. Says whether it belongs here still.
    pub(super) fn takes_back(&mut self, target: SocketAddr, name: Option<&str>) -> bool {
        if let Some(name) = name
            && has_name(&self.config.include, name)
        {
            self.names.was(name, target);
        }
        self.covers(target) != Cover::No
    }
}

impl SnmpSource {
    /// Whether a place of this range may be asked now.
    pub(super) fn may_ask(&self, range: usize, target: SocketAddr) -> bool {
        self.ranges[range].covers(target) == Cover::Yes
    }

    /// Takes in what a sweep looked up. What does not belong to any range by that is not polled any more.
    pub(super) fn take_resolved(&mut self, kind: Kind, sweep: &mut Sweep) {
        let mut has_changed = false;
        for resolved in sweep.take_resolved() {
            has_changed |= self.resolved(kind, resolved);
        }
        if has_changed {
            self.leave_what_is_not_covered();
        }
    }

    /// A name was looked up, or some of it. Says whether what was known before may not hold any more.
    fn resolved(&mut self, kind: Kind, resolved: Resolved) -> bool {
        match resolved {
            Resolved::Asked(range, name, target) => {
                let names = &mut self.ranges[range].names;
                let places = names.asked.entry(Arc::clone(&name)).or_default();
                if !places.contains(&target) {
                    places.push(target);
                }
                let coming = names.coming.entry(kind).or_default();
                coming.asked.entry(name).or_default().push(target);
                false
            }
            Resolved::Known(range, name) => {
                let names = &mut self.ranges[range].names;
                let coming = names.coming.entry(kind).or_default();
                let places = coming.asked.remove(&name).unwrap_or_default();
                names.asked.insert(name, places);
                true
            }
            Resolved::Excluded(range, target, port) => {
                let names = &mut self.ranges[range].names;
                let excluded = (target.ip().to_canonical(), port);
                // At once, for what is being asked; what is excluded no more is known at the end.
                names.excluded.insert(excluded);
                let coming = names.coming.entry(kind).or_default();
                coming.excluded.insert(excluded);
                true
            }
            Resolved::Unknown(range) => {
                let names = &mut self.ranges[range].names;
                names.coming.entry(kind).or_default().is_unknown = true;
                false
            }
            Resolved::ExclusionsKnown => {
                for range in &mut self.ranges {
                    let Some(coming) = range.names.coming.get_mut(&kind) else {
                        continue;
                    };
                    let excluded = std::mem::take(&mut coming.excluded);
                    if !std::mem::take(&mut coming.is_unknown) && !excluded.is_empty() {
                        range.names.excluded = excluded;
                        range.names.is_known = true;
                    }
                }
                true
            }
        }
    }
}
