//! All profiles together: loading, and choosing the one of a device.

use std::path::Path;
use std::sync::Arc;

use super::{Evidence, Maker, Profile, ProfileError, Rule, parse};
use crate::oid::Oid;
use crate::privacy::AllowList;

/// The profiles that are part of the program; `standard` is the one for everything no other recognises.
pub(super) const EMBEDDED: &[(&str, &str)] = &[
    (
        "standard.toml",
        include_str!("../../profiles/standard.toml"),
    ),
    ("kyocera.toml", include_str!("../../profiles/kyocera.toml")),
    ("ricoh.toml", include_str!("../../profiles/ricoh.toml")),
    ("hp.toml", include_str!("../../profiles/hp.toml")),
    ("canon.toml", include_str!("../../profiles/canon.toml")),
    ("oce.toml", include_str!("../../profiles/oce.toml")),
    (
        "konica-minolta.toml",
        include_str!("../../profiles/konica-minolta.toml"),
    ),
    ("xerox.toml", include_str!("../../profiles/xerox.toml")),
    ("lexmark.toml", include_str!("../../profiles/lexmark.toml")),
    ("brother.toml", include_str!("../../profiles/brother.toml")),
    (
        "brother-ink.toml",
        include_str!("../../profiles/brother-ink.toml"),
    ),
    ("epson.toml", include_str!("../../profiles/epson.toml")),
    ("samsung.toml", include_str!("../../profiles/samsung.toml")),
    ("sharp.toml", include_str!("../../profiles/sharp.toml")),
    ("toshiba.toml", include_str!("../../profiles/toshiba.toml")),
    (
        "toshiba-tec.toml",
        include_str!("../../profiles/toshiba-tec.toml"),
    ),
    ("oki.toml", include_str!("../../profiles/oki.toml")),
    ("dell.toml", include_str!("../../profiles/dell.toml")),
    ("pantum.toml", include_str!("../../profiles/pantum.toml")),
    ("zebra.toml", include_str!("../../profiles/zebra.toml")),
    (
        "panasonic.toml",
        include_str!("../../profiles/panasonic.toml"),
    ),
    ("riso.toml", include_str!("../../profiles/riso.toml")),
    ("tsc.toml", include_str!("../../profiles/tsc.toml")),
];

/// The name of the profile that reads what every printer has.
pub const STANDARD: &str = "standard";

/// Every profile the agent knows.
#[derive(Clone, Debug)]
pub struct ProfileSet {
    profiles: Vec<Arc<Profile>>,
    standard: Arc<Profile>,
    allowed: Arc<AllowList>,
}

/// The largest profile file, in bytes: the largest embedded one has a twentieth of it.
const PROFILE_BYTES_MAX: u64 = 256 * 1024;

impl ProfileSet {
    /// The profiles that are part of the program.
    #[must_use]
    pub fn embedded() -> Self {
        let profiles = EMBEDDED
            .iter()
            .map(|(file, text)| {
                parse::profile(file, text).expect("a test parses every embedded profile")
            })
            .map(Arc::new)
            .collect();
        Self::of(profiles)
    }

    /// The embedded profiles and those of `folder` (its `*.toml` files): a file there replaces the embedded profile of the same
    /// name, or adds one that is tried before the embedded ones.
    ///
    /// # Errors
    /// [`ProfileError`] when the folder cannot be read or one of its files is no profile. The set in use stays as it is.
    pub fn load(folder: Option<&Path>) -> Result<Self, ProfileError> {
        let embedded = Self::embedded();
        let Some(folder) = folder else {
            return Ok(embedded);
        };
        let unreadable = |path: &Path, source| ProfileError::Read {
            path: path.to_owned(),
            source,
        };
        let mut files = std::fs::read_dir(folder)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unreadable(folder, error))?
            .into_iter()
            .map(|entry| entry.path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "toml")
            })
            .collect::<Vec<_>>();
        files.sort();
        let mut profiles: Vec<Arc<Profile>> = Vec::new();
        for path in files {
            let file = path.display().to_string();
            let bytes = std::fs::metadata(&path)
                .map_err(|error| unreadable(&path, error))?
                .len();
            if bytes > PROFILE_BYTES_MAX {
                let reason = format!("larger than {PROFILE_BYTES_MAX} bytes");
                return Err(ProfileError::Invalid {
                    file,
                    line: 1,
                    key: "file".to_owned(),
                    reason,
                });
            }
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            let profile = parse::profile(&file, &text)?;
            if profiles.iter().any(|other| other.name == profile.name) {
                let reason = format!("{} is in another file of the folder too", profile.name);
                return Err(ProfileError::Invalid {
                    file,
                    line: 1,
                    key: "name".to_owned(),
                    reason,
                });
            }
            profiles.push(Arc::new(profile));
        }
        let kept = embedded
            .profiles
            .into_iter()
            .filter(|old| !profiles.iter().any(|new| new.name == old.name));
        let kept = kept.collect::<Vec<_>>();
        profiles.extend(kept);
        Ok(Self::of(profiles))
    }

    fn of(profiles: Vec<Arc<Profile>>) -> Self {
        let allowed = Arc::new(AllowList::of(&profiles));
        let standard = profiles.iter().find(|profile| profile.name == STANDARD);
        let standard = standard
            .expect("the standard profile is embedded and can be replaced, not removed")
            .clone();
        Self {
            profiles,
            standard,
            allowed,
        }
    }

    /// The profiles, in the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.iter().map(AsRef::as_ref)
    }

    /// What these profiles may ask for.
    #[must_use]
    pub fn allowed(&self) -> &Arc<AllowList> {
        &self.allowed
    }

    /// The profile of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<Profile>> {
        self.profiles.iter().find(|profile| profile.name == name)
    }

    /// The profile that reads what every printer has.
    #[must_use]
    pub const fn standard(&self) -> &Arc<Profile> {
        &self.standard
    }

    /// The instances whose presence decides between profiles for this device: rules hold but for them.
    #[must_use]
    pub fn probes(&self, evidence: Evidence<'_>) -> Vec<Oid> {
        let rules = self.profiles.iter().flat_map(|profile| &profile.rules);
        rules
            .filter(|rule| rule.holds(evidence))
            .filter_map(|rule| rule.present.clone())
            .collect()
    }

    /// The profile of this device and the rule that found it: the one with the most to say, the first among equals.
    #[must_use]
    pub fn identify(
        &self,
        evidence: Evidence<'_>,
        is_present: &dyn Fn(&Oid) -> bool,
    ) -> (&Arc<Profile>, Option<&Rule>) {
        let mut best: (u32, &Arc<Profile>, Option<&Rule>) = (0, self.standard(), None);
        for profile in &self.profiles {
            for rule in &profile.rules {
                let present = rule.present.as_ref().is_none_or(is_present);
                if present && rule.holds(evidence) && rule.weight() > best.0 {
                    best = (rule.weight(), profile, Some(rule));
                }
            }
        }
        (best.1, best.2)
    }

    /// The one spelling of the maker that `text` begins with, and what follows it.
    #[must_use]
    pub fn maker<'a>(&self, text: &'a str) -> Option<(&Maker, &'a str)> {
        let mut best: Option<(usize, &Maker, &'a str)> = None;
        for maker in &self.standard().makers {
            for word in &maker.words {
                let head = text
                    .get(..word.len())
                    .is_some_and(|head| head.eq_ignore_ascii_case(word));
                if !head || best.is_some_and(|(length, ..)| word.len() <= length) {
                    continue;
                }
                let (rest, marked) = without_marks(&text[word.len()..]);
                // What goes on with a hyphen is a model: FX-890, TA-20.
                if marked || rest.is_empty() || rest.starts_with([' ', '_', ',', '/']) {
                    best = Some((word.len(), maker, rest));
                }
            }
        }
        best.map(|(_, maker, rest)| (maker, rest.trim_start_matches([' ', '_', ',', '/'])))
    }
}

/// What stands behind the marks of a trade mark, and whether there were any.
fn without_marks(text: &str) -> (&str, bool) {
    const MARKS: [&str; 4] = ["(R)", "(TM)", "®", "™"];
    let mut rest = text;
    loop {
        let mark = MARKS.iter().find(|mark| {
            let head = rest.get(..mark.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(mark))
        });
        match mark {
            Some(mark) => rest = &rest[mark.len()..],
            None => return (rest, rest.len() < text.len()),
        }
    }
}

impl Rule {
    /// Whether all but `present` holds. A rule that names no `sysObjectID` but an instance is for devices that tell none.
    pub(crate) fn holds(&self, evidence: Evidence<'_>) -> bool {
        let object_id = self.object_id.as_ref().is_none_or(|prefix| {
            evidence
                .object_id
                .is_some_and(|oid| oid.suffix_of(prefix).is_some())
        });
        let text = self.text.is_empty()
            || evidence
                .texts
                .iter()
                .any(|text| self.text.iter().any(|pattern| pattern.matches(text)));
        let silent =
            self.present.is_none() || self.object_id.is_some() || evidence.object_id.is_none();
        object_id && text && silent
    }

    /// How much the rule says: a longer prefix, then a text, then a probe. A device not to be touched is so whatever else it is.
    fn weight(&self) -> u32 {
        let arcs = self.object_id.as_ref().map_or(0, |oid| {
            u32::try_from(oid.arcs().len()).unwrap_or(u32::MAX / 16)
        });
        let probe = u32::from(self.present.is_some()) * 20;
        u32::from(self.do_not_touch) * 10_000
            + arcs * 10
            + u32::from(!self.text.is_empty()) * 15
            + probe
    }
}
