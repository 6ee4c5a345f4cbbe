//! Device profiles, read anew while the agent runs: when a file of their folder changes, or when the operator says so.
//!
//! What always holds: a set of profiles is taken whole or not at all, so a broken file leaves in force what was; polls under way
//! finish with the set they began with; a device is learned anew only if the profiles that changed are, or may be, its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use poller::profile::ProfileSet;

use super::SnmpSource;
use crate::upload::Chain;

/// How often the folder is looked at. A change is read when two looks in a row find the same, so that a file that is just being
/// written is not read.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Asks a running agent to read its device profiles anew; clones ask the same agent.
#[derive(Clone, Debug, Default)]
pub struct Reload {
    asked: Arc<AtomicU64>,
}

impl Reload {
    /// Asks. What comes of it is in the log and in the status.
    pub fn ask(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
    }
}

/// What each profile says, as a number: the same name and number mean the same profile.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct Digests(BTreeMap<String, u64>);

impl Digests {
    /// Of these profiles.
    pub fn of(profiles: &ProfileSet) -> Self {
        let digest = |profile: &poller::profile::Profile| {
            let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
            write!(hash, "{profile:?}").expect("a hash takes everything");
            (profile.name.clone(), hash.0)
        };
        Self(profiles.iter().map(digest).collect())
    }

    /// The names of the profiles that differ, came or went.
    pub fn changed(&self, other: &Self) -> BTreeSet<String> {
        let names = self.0.keys().chain(other.0.keys());
        names
            .filter(|name| self.0.get(*name) != other.0.get(*name))
            .cloned()
            .collect()
    }
}

/// FNV-1a of what is written.
struct Fnv(u64);

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

/// The files of a folder: path, time of change, size.
type Files = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// Looks after a folder of profiles.
pub(super) struct Watch {
    folder: Option<PathBuf>,
    /// What was there when the profiles were last read (or refused).
    read: Files,
    /// What was there at the last look.
    seen: Files,
    look_at: Instant,
    reload: Reload,
    asked: u64,
}

impl Watch {
    /// The profiles were just read from this folder.
    pub fn new(folder: Option<PathBuf>, reload: Reload, now: Instant) -> Self {
        let mut watch = Self {
            read: Files::new(),
            seen: Files::new(),
            look_at: now + LOOK_EVERY,
            asked: reload.asked.load(Ordering::Relaxed),
            folder,
            reload,
        };
        watch.read = watch.files();
        watch.seen.clone_from(&watch.read);
        watch
    }

    /// Whether the profiles are to be read anew.
    fn is_due(&mut self, now: Instant) -> bool {
        let asked = self.reload.asked.load(Ordering::Relaxed);
        if std::mem::replace(&mut self.asked, asked) != asked {
            self.read = self.files();
            self.seen.clone_from(&self.read);
            return true;
        }
        if self.folder.is_none() || now < self.look_at {
            return false;
        }
        self.look_at = now + LOOK_EVERY;
        let files = self.files();
        let is_still = files == self.seen;
        let is_new = files != self.read;
        if is_still && is_new {
            self.read = files;
            return true;
        }
        self.seen = files;
        false
    }

    /// What cannot be looked at now is as if it were not there: reading it will say why.
    fn files(&self) -> Files {
        let folder = self
            .folder
            .iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok());
        let mut files: Files = folder
            .flatten()
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|it| it == "toml"))
            .filter_map(|entry| {
                let meta = std::fs::metadata(entry.path()).ok()?;
                Some((entry.path(), meta.modified().ok(), meta.len()))
            })
            .collect();
        files.sort();
        files
    }
}

impl SnmpSource {
    /// Reads the profiles anew, when that is due, and has the devices learned anew whose profile is another one now.
    pub(super) fn reload_profiles(&mut self, now: Instant) {
        if !self.watch.is_due(now) {
            return;
        }
        let folder = self.polling.profiles_directory.as_deref();
        let loaded = match ProfileSet::load(folder) {
            Ok(loaded) => loaded,
            Err(error) => {
                let why = Chain(&error).to_string();
                tracing::error!(
                    error = why,
                    "the device profiles cannot be used: those in force stay"
                );
                self.status.counters().profiles(Some(why));
                return;
            }
        };
        self.status.counters().profiles(None);
        let digests = Digests::of(&loaded);
        let changed = digests.changed(&self.digests);
        self.profiles = Arc::new(loaded);
        self.digests = digests;
        let relearned = self.relearn(&changed, now);
        let changed = Vec::from_iter(changed).join(", ");
        tracing::info!(
            changed,
            devices = relearned,
            "the device profiles were read anew; so many devices are learned anew"
        );
    }

    /// Has the devices learned anew that profiles of these names touch; says how many.
    pub(super) fn relearn(&mut self, changed: &BTreeSet<String>, now: Instant) -> usize {
        if changed.is_empty() {
            return 0;
        }
        self.untouched.clear();
        let touched: Vec<_> = (self.devices.iter())
            .filter(|(_, device)| {
                let plan = device.plan.as_ref();
                plan.is_some_and(|plan| plan.is_touched_by(changed, &self.profiles))
            })
            .map(|(id, _)| id)
            .collect();
        for id in &touched {
            let soon = self.schedule.own_moment(self.devices.get(*id), now);
            self.devices.want_learn(*id, soon);
        }
        touched.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_profiles_have_the_same_digests_and_a_changed_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let embedded = Digests::of(&ProfileSet::embedded());
        assert!(
            embedded
                .changed(&Digests::of(&ProfileSet::embedded()))
                .is_empty()
        );
        std::fs::write(
            folder.path().join("new.toml"),
            "name = \"new\"\nversion = 1\n",
        )
        .unwrap();
        let more = Digests::of(&ProfileSet::load(Some(folder.path())).unwrap());
        assert_eq!(Vec::from_iter(more.changed(&embedded)), ["new"]);
        assert_eq!(Vec::from_iter(embedded.changed(&more)), ["new"]);
    }

    #[test]
    fn a_folder_is_read_when_what_changed_in_it_has_come_to_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        std::fs::write(&path, "one").unwrap();
        let mut now = Instant::now();
        let reload = Reload::default();
        let mut watch = Watch::new(Some(folder.path().to_owned()), reload.clone(), now);
        let mut look = |watch: &mut Watch| {
            now += LOOK_EVERY;
            watch.is_due(now)
        };
        assert!(!look(&mut watch));
        std::fs::write(&path, "one and").unwrap();
        assert!(!look(&mut watch), "it may still be being written");
        std::fs::write(&path, "one and two").unwrap();
        assert!(!look(&mut watch));
        assert!(look(&mut watch));
        assert!(!look(&mut watch), "once");
        std::fs::write(folder.path().join("notes.txt"), "").unwrap();
        assert!(!look(&mut watch) && !look(&mut watch), "no profile");
        reload.ask();
        assert!(look(&mut watch) && !look(&mut watch));
        std::fs::remove_file(&path).unwrap();
        assert!(!look(&mut watch));
        assert!(look(&mut watch));
    }
}
