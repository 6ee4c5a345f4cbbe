//! What the archiver does beside making archives: it sees to it that the forgotten have no key and the others have theirs, and that archives
//! of before there were keys are sealed.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::Path;

use codec::id::TenantId;
use journal::archive::{self, Access, Archived, Owner, Sealing, Why};
use journal::archive::{NO_KEY, Opener};

use super::{Archiver, folder_of};
use crate::keys::Seals;
use crate::shard::ShardShared;

/// A customer whose archives cannot be read though nobody wanted that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The customer.
    pub customer: TenantId,
    /// Archives with reports of his that cannot be read.
    pub archives: u64,
    /// Bytes of his in them.
    pub bytes: u64,
    /// What is wrong with his key.
    pub cause: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "customer {}: {} ({} bytes in {} archives)",
            self.customer, self.cause, self.bytes, self.archives
        )
    }
}

/// The customers whose archives in the shards below `journal` cannot be read though they are not forgotten. Reads the archives' heads alone.
///
/// # Errors
/// Of the file system.
pub fn unreadable(journal: &Path, seals: &Seals) -> io::Result<Vec<Unreadable>> {
    let mut found: BTreeMap<Owner, (u64, u64)> = BTreeMap::new();
    let entries = match std::fs::read_dir(journal) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    for entry in entries {
        let shard = entry?.path();
        if !shard.is_dir() {
            continue;
        }
        let folder = folder_of(&shard);
        for info in archive::list(&folder)? {
            for share in archive::shares(&folder, info.segment)? {
                let is_missing = share.key != NO_KEY
                    && seals.access(share.owner, &share.key) == Access::Withheld(Why::NoKey);
                if is_missing {
                    let (archives, bytes) = found.entry(share.owner).or_default();
                    *archives += 1;
                    *bytes += share.bytes;
                }
            }
        }
    }
    let told = found.into_iter().map(|(owner, (archives, bytes))| {
        let customer = TenantId(owner.0);
        let cause = match seals.keys().get(customer) {
            Ok(None) => "his key is not there".to_owned(),
            Ok(Some(_)) => format!(
                "they were encrypted under another key than the one that is there, beside which it is to be put, as customer-{customer}-earlier.key"
            ),
            Err(error) => error.to_string(),
        };
        Unreadable {
            customer,
            archives,
            bytes,
            cause,
        }
    });
    Ok(told.collect())
}

/// Archives of version 1 that stay as they are, with the number of forgotten customers when that was found out.
pub(super) type Left = HashMap<(u16, u64), usize>;

impl Archiver {
    /// Destroys the keys of the forgotten, which a backup may have brought back. Where somebody is forgotten, what is live is archived at once:
    /// an earlier life may have been asked to and have died.
    pub(super) fn destroy_forgotten_keys(&self) {
        let forgotten = self.seals.forgotten();
        for customer in &forgotten {
            match self.seals.keys().destroy(*customer) {
                Ok(true) => tracing::warn!(
                    customer = customer.0,
                    "a forgotten customer's key was there again and was destroyed again"
                ),
                Ok(false) => {}
                Err(error) => {
                    self.metrics.archive_errors.inc();
                    tracing::error!(customer = customer.0, %error, "a forgotten customer's key could not be destroyed");
                }
            }
        }
        if !forgotten.is_empty() {
            for shard in &self.shards {
                shard.archive_now();
            }
        }
    }

    /// Says whose archives cannot be read, and whether there are any.
    pub(super) fn look_after_keys(&self) -> bool {
        let Some(journal) = self.shards.first().and_then(|shard| shard.folder.parent()) else {
            return false;
        };
        match unreadable(journal, &self.seals) {
            Ok(unreadable) => {
                let count = i64::try_from(unreadable.len()).unwrap_or(i64::MAX);
                self.metrics.unreadable_customers.set(count);
                for customer in &unreadable {
                    self.metrics.archive_errors.inc();
                    tracing::error!(
                        "archived reports cannot be read, and their customer is not forgotten: {customer}. Put back his key from a backup; \
                         a rebuild is refused until then"
                    );
                }
                !unreadable.is_empty()
            }
            Err(error) => {
                self.metrics.archive_errors.inc();
                tracing::warn!(%error, "whether all archives have their keys could not be looked at");
                true
            }
        }
    }

    /// Seals one archive of version 1, if there is one.
    pub(super) fn seal_one(&self, shard: &ShardShared, unsealed: &mut Vec<u64>, left: &mut Left) {
        let Some(segment) = unsealed.pop() else {
            return;
        };
        let folder = folder_of(&shard.folder);
        let sealed = archive::seal(
            &folder,
            segment,
            &mut self.seals.sealer(),
            &self.seals.opener(),
        );
        match sealed {
            Ok(Sealing::Sealed(info)) => {
                tracing::info!(
                    shard = shard.number,
                    segment,
                    archived_bytes = info.file_bytes,
                    "an archive of before there were keys was sealed"
                );
            }
            Ok(Sealing::WasSealed) => {}
            Ok(Sealing::Damaged) => {
                left.insert((shard.number, segment), self.seals.forgotten().len());
                tracing::warn!(
                    shard = shard.number,
                    segment,
                    "a damaged archive of before there were keys stays as it is, in the clear"
                );
            }
            // It went for its age meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.complain(shard, &error, "an archive could not be sealed yet"),
        }
        shard.archive().unsealed = unsealed.len();
    }

    /// The archives of version 1 that are to be sealed, the newest first: the oldest is taken from the end.
    pub(super) fn unsealed(
        &self,
        shard: &ShardShared,
        archives: &[Archived],
        left: &Left,
    ) -> Vec<u64> {
        let forgotten = self.seals.forgotten().len();
        let is_left = |segment| left.get(&(shard.number, segment)) == Some(&forgotten);
        let unsealed = archives.iter().rev().filter(|info| !info.is_sealed);
        let unsealed = unsealed
            .map(|info| info.segment)
            .filter(|segment| !is_left(*segment));
        let unsealed: Vec<u64> = unsealed.collect();
        shard.archive().unsealed = unsealed.len();
        unsealed
    }
}
