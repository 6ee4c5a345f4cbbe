//! How archives are sealed: each customer's bytes under a key that is made of his own and of the archive's salt.
//!
//! The cipher is AES-256 in GCM. What it is used with, for the part that a customer has in one chunk of one archive:
//!
//! - the **key** is HKDF-SHA-256 of the customer's key, with the archive's salt (32 random bytes, drawn when the file is written) as the salt, and
//!   the segment's and the customer's number as the info;
//! - the **nonce** is the chunk's number.
//!
//! Why a nonce is never used twice under a key: a customer has one part in a chunk, a file has each chunk once, and every file that is written
//! draws a salt of its own, so that no two files share a key: neither when a segment is archived again after a crash in the middle, nor when the
//! manager goes on from a backup that was restored and archives what it had archived before. Two salts alike are as likely as two
//! random numbers of 256 bits.
//!
//! Whose a record is, is decided when it is archived, and stands in the archive: the customer that its agent belongs to then.
//!
//! | what | whose |
//! |---|---|
//! | a report: its meta part (which names the agent) and its body | the agent's customer |
//! | a report of an agent that the registry does not know (one that was restored from an older backup) | [`STRANGERS`] |
//! | the ledger in a checkpoint (it names all agents of the shard), and bytes that are no valid record | [`NOBODY`] |
//! | decisions | are never archived |
//!
//! Nothing in an archive needs what is nobody's; its key is destroyed whenever a customer's is, and made anew.

use std::collections::HashMap;
use std::sync::Arc;
use std::{fmt, io};

use codec::id::{AgentId, TenantId};
use journal::archive::{Access, KeyId, Opener, Owned, Owner, Place, SALT_BYTES, Sealer, Why};
use registry::Registry;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom, SystemRandom};

use super::{CustomerKeys, Key};
use crate::record::{KIND_CHECKPOINT, KIND_REPORT, ReportMeta};

/// Whose is what belongs to no customer alone. The registry gives no tenant this number.
pub const NOBODY: TenantId = TenantId(0);
/// Whose are the reports of agents that the registry does not know. The registry gives no tenant this number.
pub const STRANGERS: TenantId = TenantId(-1);
/// What the keys are made for: no other use of a customer's key makes the same ones.
const PURPOSE: &[u8] = b"platen: a part of an archive";

/// Whose agents are whose, and who is forgotten.
pub trait Owners: Send + Sync {
    /// The customer of an agent; `None` for one that is not known.
    fn owner_of(&self, agent: &AgentId) -> Option<TenantId>;

    /// Whether it was decided to forget the customer. Must be true before his key is destroyed, and stay so.
    fn is_forgotten(&self, customer: TenantId) -> bool;

    /// All who are forgotten.
    fn forgotten(&self) -> Vec<TenantId>;
}

impl Owners for Registry {
    fn owner_of(&self, agent: &AgentId) -> Option<TenantId> {
        self.customer_of_agent(agent)
    }

    fn is_forgotten(&self, customer: TenantId) -> bool {
        self.is_forgotten(customer)
    }

    fn forgotten(&self) -> Vec<TenantId> {
        let forgotten = self.forgotten().unwrap_or_else(|error| {
            tracing::error!(%error, "the forgotten customers cannot be listed");
            Vec::new()
        });
        forgotten.iter().map(|was| was.customer).collect()
    }
}

/// The customers' keys, and who is to have one.
#[derive(Clone)]
pub struct Seals {
    keys: Arc<CustomerKeys>,
    owners: Arc<dyn Owners>,
}

impl fmt::Debug for Seals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.keys.fmt(f)
    }
}

impl Seals {
    /// Seals with these keys for these owners.
    #[must_use]
    pub fn new(keys: Arc<CustomerKeys>, owners: Arc<dyn Owners>) -> Self {
        Self { keys, owners }
    }

    /// The keys.
    #[must_use]
    pub const fn keys(&self) -> &Arc<CustomerKeys> {
        &self.keys
    }

    /// What seals one archive.
    #[must_use]
    pub fn sealer(&self) -> ArchiveSealer {
        ArchiveSealer {
            seals: self.clone(),
            owners: HashMap::new(),
            keys: HashMap::new(),
        }
    }

    /// What opens archives.
    #[must_use]
    pub fn opener(&self) -> Arc<dyn Opener> {
        Arc::new(self.clone())
    }

    /// All who are forgotten.
    #[must_use]
    pub fn forgotten(&self) -> Vec<TenantId> {
        self.owners.forgotten()
    }

    fn is_forgotten(&self, customer: TenantId) -> bool {
        customer != NOBODY && customer != STRANGERS && self.owners.is_forgotten(customer)
    }

    fn key(&self, customer: TenantId, id: &KeyId) -> Option<Arc<Key>> {
        // One that cannot be read is told of at the start.
        self.keys.named(customer, id).ok().flatten()
    }
}

impl Opener for Seals {
    fn access(&self, owner: Owner, key: &KeyId) -> Access {
        let customer = TenantId(owner.0);
        // Also where his key is there still, or again.
        if self.is_forgotten(customer) {
            return Access::Withheld(Why::Forgotten);
        }
        match self.key(customer, key) {
            Some(_) => Access::Open,
            None if customer == NOBODY => Access::Withheld(Why::Forgotten),
            None => Access::Withheld(Why::NoKey),
        }
    }

    fn open(&self, place: &Place, bytes: &mut Vec<u8>) -> bool {
        let Some(key) = self.key(TenantId(place.owner.0), &place.key) else {
            return false;
        };
        let cipher = cipher(&key, place);
        let opened = cipher.open_in_place(nonce(place), Aad::empty(), bytes);
        let Ok(length) = opened.map(|plain| plain.len()) else {
            return false;
        };
        bytes.truncate(length);
        true
    }
}

/// Seals one archive.
#[derive(Debug)]
pub struct ArchiveSealer {
    seals: Seals,
    owners: HashMap<AgentId, Owner>,
    keys: HashMap<Owner, Arc<Key>>,
}

impl Sealer for ArchiveSealer {
    fn salt(&mut self) -> io::Result<[u8; SALT_BYTES]> {
        let mut salt = [0; SALT_BYTES];
        SystemRandom::new()
            .fill(&mut salt)
            .map_err(|_| io::Error::other("the system gives no random numbers"))?;
        Ok(salt)
    }

    fn record(&mut self, kind: u8, meta: &[u8]) -> Option<Owned> {
        match kind {
            KIND_REPORT => {
                let owner = match ReportMeta::read(meta) {
                    Ok(meta) => self.owner_of(meta.key.agent),
                    Err(_) => Owner(NOBODY.0),
                };
                Some(Owned { owner, from: 0 })
            }
            // When the segment was begun stays.
            KIND_CHECKPOINT => Some(Owned {
                owner: Owner(NOBODY.0),
                from: meta.len(),
            }),
            _ => None,
        }
    }

    fn damage(&mut self) -> Option<Owner> {
        Some(Owner(NOBODY.0))
    }

    fn key(&mut self, owner: Owner) -> io::Result<Option<KeyId>> {
        let customer = TenantId(owner.0);
        if self.seals.is_forgotten(customer) {
            return Ok(None);
        }
        let key = self.seals.keys.get_or_make(customer)?;
        // Forgotten since it was asked: who destroyed his key may not have seen the one that was made just now.
        if self.seals.is_forgotten(customer) {
            self.seals.keys.destroy(customer)?;
            return Ok(None);
        }
        let id = key.id();
        self.keys.insert(owner, key);
        Ok(Some(id))
    }

    fn seal(&mut self, place: &Place, bytes: &mut Vec<u8>) -> io::Result<()> {
        let key = self.keys.get(&place.owner);
        let key = key.ok_or_else(|| io::Error::other("sealing without a key"))?;
        bytes.reserve_exact(MAX_TAG_LEN);
        let tag = cipher(key, place)
            .seal_in_place_separate_tag(nonce(place), Aad::empty(), bytes)
            .map_err(|_| io::Error::other("sealing failed"))?;
        bytes.extend_from_slice(tag.as_ref());
        Ok(())
    }
}

impl ArchiveSealer {
    fn owner_of(&mut self, agent: AgentId) -> Owner {
        if let Some(owner) = self.owners.get(&agent) {
            return *owner;
        }
        let customer = self.seals.owners.owner_of(&agent).unwrap_or(STRANGERS);
        let owner = Owner(customer.0);
        self.owners.insert(agent, owner);
        owner
    }
}

fn cipher(key: &Key, place: &Place) -> LessSafeKey {
    let (segment, owner) = (place.segment.to_le_bytes(), place.owner.0.to_le_bytes());
    let info = [PURPOSE, &segment, &owner];
    let made = Salt::new(HKDF_SHA256, &place.salt).extract(key.bytes());
    let made = made
        .expand(&info, &AES_256_GCM)
        .expect("HKDF-SHA-256 gives up to 8,160 bytes, and a key has 32");
    LessSafeKey::new(UnboundKey::from(made))
}

fn nonce(place: &Place) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[..4].copy_from_slice(&place.chunk.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}
