//! `[[range]]` made ready: what is asked of it, and the lists in files that are part of it.
//!
//! What an entry may look like is [`poller::discovery::entry`]'s affair; this module is about whose entries they are.

pub mod list;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use poller::credentials::{Access, Credential};
pub use poller::discovery::{Hosts, RANGE_FORM, RangeEntry, RangeError};

use super::RangeConfig;
use super::secret::Secret;
pub use list::{ListError, Row, RowAccess};

/// The longest community that a message is made with, as in the configuration.
const COMMUNITY_BYTES_MAX: usize = 255;

/// A list of devices in a file that is part of a range, and what is needed to read it again.
#[derive(Clone, Debug)]
pub struct RangeFile {
    path: PathBuf,
    /// The range without the file.
    own: Arc<RangeConfig>,
    /// What its lines may name.
    known: Arc<[Credential]>,
    /// As the file was when it was read last.
    stamp: Option<Stamp>,
    /// How many ranges its lines made beside the range that it is part of.
    made: usize,
}

/// What tells that a file was written to: when, and how long it is.
type Stamp = (SystemTime, u64);

impl RangeFile {
    /// A file that has not been read yet. `own` is the range without it, `known` the credentials that its lines may name.
    #[must_use]
    pub fn new(path: PathBuf, own: RangeConfig, known: Vec<Credential>) -> Self {
        Self {
            path,
            own: Arc::new(own),
            known: known.into(),
            stamp: None,
            made: 0,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many ranges its lines made, when it was read, beside the range that it is part of: they follow that one.
    #[must_use]
    pub const fn made(&self) -> usize {
        self.made
    }

    /// Whether it has been written to since it was read, as far as its time and length tell.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        // One that cannot be looked at is read, which says why.
        self.stamp.is_none() || stamp_of(&self.path) != self.stamp
    }

    /// Takes note of how the file is now, although it was not taken: so that it is not read again before it changes again.
    pub fn leave(&mut self) {
        self.stamp = stamp_of(&self.path);
    }

    /// Reads the file: first the range with its lines, then a range for each access that lines have of their own.
    ///
    /// # Errors
    /// The file and line that cannot be taken.
    pub fn read(&self) -> Result<Vec<RangeConfig>, ListError> {
        let stamp = stamp_of(&self.path);
        let mut ranges = vec![(*self.own).clone()];
        let mut communities: Vec<(Secret, String)> = Vec::new();
        for row in list::read(&self.path)? {
            if row.is_excluded {
                // Whatever it would be asked with, it is not to be asked.
                ranges[0].exclude.push(row.entry);
                continue;
            }
            let at = match row.access {
                None => 0,
                Some(RowAccess::Named(name)) => {
                    let credential = self.known.iter().find(|one| *one.label == *name);
                    let credential = credential.ok_or_else(|| {
                        ListError::line(
                            &self.path,
                            row.line,
                            format!("there are no credentials of the name {name:?}"),
                        )
                    })?;
                    self.range_for(&mut ranges, &name, || vec![credential.clone()])
                }
                Some(RowAccess::Community(community))
                    if community.reveal().len() > COMMUNITY_BYTES_MAX =>
                {
                    return Err(ListError::line(
                        &self.path,
                        row.line,
                        format!("the community has more than {COMMUNITY_BYTES_MAX} bytes"),
                    ));
                }
                Some(RowAccess::Community(community)) => {
                    let known = communities.iter().find(|(one, _)| *one == community);
                    let name = match known {
                        Some((_, name)) => name.clone(),
                        None => self.community_name(communities.len()),
                    };
                    let bytes = community.reveal().as_bytes();
                    let credentials = || {
                        vec![
                            Credential::v2c(&name, bytes),
                            Credential::v1(&format!("{name}, v1"), bytes),
                        ]
                    };
                    let at = self.range_for(&mut ranges, &name, credentials);
                    if known.is_none() {
                        communities.push((community, name));
                    }
                    at
                }
            };
            ranges[at].include.push(row.entry);
        }
        if ranges.iter().all(|range| range.include.is_empty()) {
            return Err(ListError::line(
                &self.path,
                0,
                "there is nothing in it to ask".to_owned(),
            ));
        }
        let excluded = ranges[0].exclude.clone();
        for range in &mut ranges[1..] {
            range.exclude.clone_from(&excluded);
        }
        let made = ranges.len() - 1;
        ranges[0].file = Some(Self {
            stamp,
            made,
            ..self.clone()
        });
        Ok(ranges)
    }

    /// What a community is called that so many others stand before in the file: as nothing that its lines may name, for ranges are told
    /// apart by it.
    fn community_name(&self, before: usize) -> String {
        let free = (1..).map(|number| format!("community {number}"));
        let mut free = free.filter(|name| self.known.iter().all(|one| *one.label != **name));
        free.nth(before).expect("there are more numbers than names")
    }

    /// The place of the range whose devices are asked in this way alone.
    fn range_for(
        &self,
        ranges: &mut Vec<RangeConfig>,
        access: &str,
        credentials: impl FnOnce() -> Vec<Credential>,
    ) -> usize {
        let name = format!("{} ({access})", self.own.name);
        let known = ranges.iter().position(|range| range.name == name);
        known.unwrap_or_else(|| {
            ranges.push(RangeConfig {
                name,
                include: Vec::new(),
                credentials: credentials(),
                ..(*self.own).clone()
            });
            ranges.len() - 1
        })
    }
}

/// What a list has to say about a device that answered to the credentials of this label in this range, so that reading it finds them
/// again: their name, if `known` has them, or the community that the line had which made the range. Nothing, where they are neither.
#[must_use]
pub fn access_of(
    range: &RangeConfig,
    is_made_by_list: bool,
    label: &str,
    known: &[Credential],
) -> Option<RowAccess> {
    let answered = range.credentials.iter().find(|one| *one.label == *label)?;
    // A community in a list may be called as something in the configuration is, and is not that.
    let is_known = |one: &Credential| Arc::ptr_eq(&one.label, &answered.label);
    if known.iter().any(is_known) {
        return Some(RowAccess::Named(label.to_owned()));
    }
    match &answered.access {
        Access::V1(community) | Access::V2c(community) if is_made_by_list => {
            let community = std::str::from_utf8(community).ok()?;
            Some(RowAccess::Community(Secret::new(community.to_owned())))
        }
        _ => None,
    }
}

fn stamp_of(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
