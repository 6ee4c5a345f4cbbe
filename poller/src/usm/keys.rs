//! From passwords to keys (RFC 3414, A.2), and to keys that are good for one engine only.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::{AuthProtocol, PrivProtocol, User};

/// So many bytes of repeated password are digested into a key (RFC 3414, A.2.1).
const PASSWORD_BYTES: usize = 1 << 20;

/// Engines whose keys are kept; then all are forgotten and made again.
const ENGINES_MAX: usize = 65_536;

/// Bytes nobody shall print.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Vec<u8>);

impl Secret {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A user whose passwords were turned into keys, which takes milliseconds and is done once.
pub struct Principal {
    user: User,
    auth: Option<(AuthProtocol, Secret)>,
    privacy: Option<(PrivProtocol, Secret)>,
    engines: Mutex<HashMap<Box<[u8]>, Arc<EngineKeys>>>,
}

/// The keys of a user at one engine.
#[derive(Debug)]
pub(crate) struct EngineKeys {
    pub(crate) auth: Option<(AuthProtocol, Secret)>,
    pub(crate) privacy: Option<(PrivProtocol, Secret)>,
}

impl Principal {
    /// Derives the keys.
    #[must_use]
    pub fn new(user: User) -> Self {
        let auth = user.auth.as_ref().map(|(protocol, password)| {
            let key = password_to_key(*protocol, password.as_bytes());
            (*protocol, key)
        });
        // Privacy keys are made with the digest of authentication.
        let privacy = user.privacy.as_ref().zip(user.auth.as_ref()).map(
            |((privacy, password), (auth, _))| {
                (*privacy, password_to_key(*auth, password.as_bytes()))
            },
        );
        Self {
            user,
            auth,
            privacy,
            engines: Mutex::default(),
        }
    }

    /// The user.
    #[must_use]
    pub const fn user(&self) -> &User {
        &self.user
    }

    /// The name of a context by its place; the default context where none is configured.
    pub(crate) fn context(&self, at: usize) -> &str {
        self.user.contexts.get(at).map_or("", String::as_str)
    }

    /// Whether its messages are authenticated, and whether they are encrypted.
    pub(crate) const fn level(&self) -> (bool, bool) {
        (self.auth.is_some(), self.privacy.is_some())
    }

    /// The keys for an engine.
    pub(crate) fn at_engine(&self, engine_id: &[u8]) -> Arc<EngineKeys> {
        let lock = || self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = lock().get(engine_id) {
            return keys.clone();
        }
        let keys = Arc::new(self.localized(engine_id));
        let mut engines = lock();
        if engines.len() >= ENGINES_MAX {
            engines.clear();
        }
        engines.insert(engine_id.into(), keys.clone());
        keys
    }

    fn localized(&self, engine_id: &[u8]) -> EngineKeys {
        let Some((digest, auth)) = &self.auth else {
            return EngineKeys {
                auth: None,
                privacy: None,
            };
        };
        let privacy = self.privacy.as_ref().map(|(privacy, key)| {
            let short = localize(*digest, key.bytes(), engine_id);
            let long = extend(*digest, *privacy, short, engine_id);
            (*privacy, long)
        });
        EngineKeys {
            auth: Some((*digest, localize(*digest, auth.bytes(), engine_id))),
            privacy,
        }
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.user.fmt(f)
    }
}

/// The digest of these parts, one behind the other.
fn digest<'p>(protocol: AuthProtocol, parts: impl Iterator<Item = &'p [u8]>) -> Secret {
    fn of<'p, D: Digest>(parts: impl Iterator<Item = &'p [u8]>) -> Secret {
        let mut digest = D::new();
        for part in parts {
            digest.update(part);
        }
        Secret(digest.finalize().to_vec())
    }
    match protocol {
        AuthProtocol::Md5 => of::<Md5>(parts),
        AuthProtocol::Sha1 => of::<Sha1>(parts),
        AuthProtocol::Sha224 => of::<Sha224>(parts),
        AuthProtocol::Sha256 => of::<Sha256>(parts),
        AuthProtocol::Sha384 => of::<Sha384>(parts),
        AuthProtocol::Sha512 => of::<Sha512>(parts),
    }
}

/// Ku: the digest of a megabyte of repeated password. (An empty password, which nobody can configure at a device, is a zero byte.)
pub(super) fn password_to_key(protocol: AuthProtocol, password: &[u8]) -> Secret {
    let password = if password.is_empty() { &[0] } else { password };
    let whole = std::iter::repeat_n(password, PASSWORD_BYTES / password.len());
    let rest = password.get(..PASSWORD_BYTES % password.len());
    digest(protocol, whole.chain(rest))
}

/// Kul: the key at one engine.
pub(super) fn localize(protocol: AuthProtocol, key: &[u8], engine_id: &[u8]) -> Secret {
    digest(protocol, [key, engine_id, key].into_iter())
}

/// A localized key that is long enough for the cipher.
fn extend(digest_of: AuthProtocol, privacy: PrivProtocol, key: Secret, engine_id: &[u8]) -> Secret {
    let needed = privacy.key_bytes();
    let Secret(mut long) = key;
    let mut last = Secret(long.clone());
    while long.len() < needed {
        last = if privacy.is_reeder() {
            // The last piece is a password in its turn.
            let key = password_to_key(digest_of, last.bytes());
            localize(digest_of, key.bytes(), engine_id)
        } else {
            digest(digest_of, [&long[..]].into_iter())
        };
        long.extend_from_slice(last.bytes());
    }
    long.truncate(needed);
    Secret(long)
}
