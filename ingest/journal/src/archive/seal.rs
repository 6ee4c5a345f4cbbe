//! What the archive asks of whoever knows to whom a record belongs and how his bytes are sealed. The journal itself knows neither customers
//! nor ciphers.

use std::collections::BTreeMap;
use std::{fmt, io};

/// Whose a part of an archive is: a number of the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub i64);

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What tells a key from every other one: a number of the caller's that is not all zeros.
pub type KeyId = [u8; 8];
/// Stands where an owner's bytes were left out: there is no such key.
pub const NO_KEY: KeyId = [0; 8];
/// Bytes of an archive's salt.
pub const SALT_BYTES: usize = 32;

/// Which part of a record's data (its meta part, and then its body) is somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owned {
    /// Whose.
    pub owner: Owner,
    /// Everything from this byte of the data on.
    pub from: usize,
}

/// Where sealed bytes stand. No two pieces of different bytes are ever sealed at the same place, since the salt is drawn anew for every file
/// that is written, and an owner has one piece in a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The archive's salt.
    pub salt: [u8; SALT_BYTES],
    /// The archive's segment.
    pub segment: u64,
    /// The chunk's number in it, from 0.
    pub chunk: u32,
    /// Whose the bytes are.
    pub owner: Owner,
    /// Under which of his keys.
    pub key: KeyId,
}

/// Seals what is archived.
pub trait Sealer {
    /// A salt that was never used before: random bytes.
    ///
    /// # Errors
    /// When there are none.
    fn salt(&mut self) -> io::Result<[u8; SALT_BYTES]>;

    /// Whose a record is; `None` when all of it may stay as it is.
    fn record(&mut self, kind: u8, meta: &[u8]) -> Option<Owned>;

    /// Whose bytes are that are no valid record; `None` when they may stay as they are. Where anybody is left out of an archive, so is this owner.
    fn damage(&mut self) -> Option<Owner>;

    /// The key that the owner's bytes are sealed under; `None` when he is forgotten: his bytes are left out.
    ///
    /// # Errors
    /// When there should be a key and is none: nothing is archived then.
    fn key(&mut self, owner: Owner) -> io::Result<Option<KeyId>>;

    /// Seals bytes in place; they may grow by some bytes.
    ///
    /// # Errors
    /// When it cannot be done.
    fn seal(&mut self, place: &Place, bytes: &mut Vec<u8>) -> io::Result<()>;
}

/// Why bytes of an archive are not given out though they are not damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Their owner is forgotten: nobody can read them any more, as it was wanted.
    Forgotten,
    /// The key is not there, and nobody wanted that.
    NoKey,
}

/// What can be done with the bytes of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// They can be opened.
    Open,
    /// They cannot.
    Withheld(Why),
}

/// Opens what was sealed.
pub trait Opener: fmt::Debug + Send + Sync {
    /// What can be done with what was sealed under this key. Asked once for each owner whenever an archive is opened.
    fn access(&self, owner: Owner, key: &KeyId) -> Access;

    /// Opens bytes in place. Says whether they are what was sealed at this place.
    fn open(&self, place: &Place, bytes: &mut Vec<u8>) -> bool;
}

/// Nobody's archives, in the clear: for journals in which nothing is anybody's.
#[derive(Clone, Copy, Debug, Default)]
pub struct InTheClear;

impl Sealer for InTheClear {
    fn salt(&mut self) -> io::Result<[u8; SALT_BYTES]> {
        Ok([0; SALT_BYTES])
    }

    fn record(&mut self, _kind: u8, _meta: &[u8]) -> Option<Owned> {
        None
    }

    fn damage(&mut self) -> Option<Owner> {
        None
    }

    fn key(&mut self, _owner: Owner) -> io::Result<Option<KeyId>> {
        Ok(None)
    }

    fn seal(&mut self, _place: &Place, _bytes: &mut Vec<u8>) -> io::Result<()> {
        Ok(())
    }
}

impl Opener for InTheClear {
    fn access(&self, _owner: Owner, _key: &KeyId) -> Access {
        Access::Withheld(Why::NoKey)
    }

    fn open(&self, _place: &Place, _bytes: &mut Vec<u8>) -> bool {
        false
    }
}

/// What an owner has in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Whose.
    pub owner: Owner,
    /// The key it was sealed under; [`NO_KEY`] when it was left out.
    pub key: KeyId,
    /// Bytes of the segment that are his.
    pub bytes: u64,
}

/// A stretch of a segment that is somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub from: u64,
    pub to: u64,
    /// Which of the shares it belongs to.
    pub share: usize,
}

/// Whose is what in a segment.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub shares: Vec<Share>,
    /// In order, none overlapping another.
    pub stretches: Vec<Stretch>,
    by_owner: BTreeMap<Owner, usize>,
}

impl Survey {
    /// Notes that bytes are somebody's.
    pub fn note(
        &mut self,
        (owner, from, to): (Owner, u64, u64),
        key: impl FnOnce() -> io::Result<Option<KeyId>>,
    ) -> io::Result<()> {
        if from >= to {
            return Ok(());
        }
        let share = match self.by_owner.get(&owner) {
            Some(share) => *share,
            None => {
                let key = key()?.unwrap_or(NO_KEY);
                let bytes = 0;
                self.shares.push(Share { owner, key, bytes });
                self.by_owner.insert(owner, self.shares.len() - 1);
                self.shares.len() - 1
            }
        };
        self.shares[share].bytes += to - from;
        self.stretches.push(Stretch { from, to, share });
        Ok(())
    }
}
