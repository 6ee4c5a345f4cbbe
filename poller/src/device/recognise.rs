//! Which profile a device has: by what it says of itself; and whether it may have another one now that profiles have changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::facts::Facts;
use super::plan::Plan;
use super::view::View;
use super::{DevicePoll, identity, learn, mib};
use crate::oid::Oid;
use crate::profile::{Evidence, Profile, ProfileSet, Rule, STANDARD};

/// What a device is recognised by: its texts.
fn texts(view: &View<'_>, profiles: &ProfileSet) -> Vec<String> {
    let index = [view.device];
    let mut texts = [
        mib::system(1),
        mib::hr_device(3).child(&index),
        mib::general(16).child(&index),
    ]
    .iter()
    .filter_map(|oid| view.text_at(oid))
    .collect::<Vec<_>>();
    for profile in profiles.iter() {
        texts.extend(
            profile
                .identity
                .device_id
                .iter()
                .filter_map(|source| view.text(source)),
        );
    }
    texts
}

impl DevicePoll {
    /// The instances whose presence decides between profiles.
    pub(super) fn probes(&self) -> Vec<Oid> {
        let texts = texts(&self.view(), &self.profiles);
        let object_id = identity::object_id(&self.view());
        let evidence = Evidence {
            object_id: object_id.as_ref(),
            texts: &texts,
        };
        let mut probes = self.profiles.probes(evidence);
        if object_id.is_none() {
            // It does not say what it is: what it says over IEEE 1284 may.
            let sources = self
                .profiles
                .iter()
                .flat_map(|profile| &profile.identity.device_id);
            probes.extend(sources.filter_map(learn::scalar));
        }
        probes.sort();
        probes.dedup();
        probes
    }

    /// The profile of what was heard, and the rule that found it.
    pub(super) fn identified(&self) -> (Arc<Profile>, Option<Rule>) {
        let texts = texts(&self.view(), &self.profiles);
        let object_id = identity::object_id(&self.view());
        let evidence = Evidence {
            object_id: object_id.as_ref(),
            texts: &texts,
        };
        let (profile, rule) = self
            .profiles
            .identify(evidence, &|oid| self.facts.get(oid).is_some());
        (Arc::clone(profile), rule.cloned())
    }
}

impl Plan {
    /// Whether the plan may be another one now that the profiles of these names (name alone, without the version) have changed, come
    /// or gone: it was learned by one of them, or one of them may recognise the device. What it cannot rule out it affirms.
    #[must_use]
    pub fn is_touched_by(&self, changed: &BTreeSet<String>, profiles: &ProfileSet) -> bool {
        let name = self
            .profile()
            .split_once('/')
            .map_or(self.profile(), |(name, _)| name);
        // What every printer has is read by the standard profile, whatever the other one.
        if changed.contains(name) || changed.contains(STANDARD) {
            return true;
        }
        let Some((facts, _)) = self.unpack() else {
            return true;
        };
        self.may_become(&facts, changed, profiles)
    }

    fn may_become(&self, facts: &Facts, changed: &BTreeSet<String>, profiles: &ProfileSet) -> bool {
        let view = View::new(facts, profiles.standard(), profiles, Some(self.device()));
        let texts = texts(&view, profiles);
        let object_id = identity::object_id(&view);
        let evidence = Evidence {
            object_id: object_id.as_ref(),
            texts: &texts,
        };
        let mut candidates = changed.iter().filter_map(|name| profiles.named(name));
        candidates.any(|profile| profile.rules.iter().any(|rule| rule.holds(evidence)))
    }
}
