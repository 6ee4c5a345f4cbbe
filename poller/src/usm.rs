//! The user-based security model of SNMPv3 (RFC 3414, 3826, 7860).
//!
//! | module | what it holds |
//! |---|---|
//! | `keys` | from passwords to keys, and to the keys of one engine |
//! | `cipher` | digests and ciphers over messages |
//! | `message` | the form of a message |
//!
//! What always holds: a message that claims to be authenticated and is not is never opened; secrets stand in no `Debug` output.

pub(crate) mod cipher;
mod keys;
pub(crate) mod message;

use std::fmt;

pub use keys::Principal;
pub(crate) use keys::{EngineKeys, Secret};

/// How messages are authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthProtocol {
    /// HMAC-MD5-96
    Md5,
    /// HMAC-SHA-96
    Sha1,
    /// HMAC-128-SHA-224
    Sha224,
    /// HMAC-192-SHA-256
    Sha256,
    /// HMAC-256-SHA-384
    Sha384,
    /// HMAC-384-SHA-512
    Sha512,
}

impl AuthProtocol {
    /// How many bytes of the digest a message carries.
    #[must_use]
    pub const fn digest_bytes(self) -> usize {
        match self {
            Self::Md5 | Self::Sha1 => 12,
            Self::Sha224 => 16,
            Self::Sha256 => 24,
            Self::Sha384 => 32,
            Self::Sha512 => 48,
        }
    }
}

/// How messages are encrypted. AES-192 and AES-256 exist with two ways of making a long enough key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrivProtocol {
    /// CBC-DES (RFC 3414)
    Des,
    /// CFB128-AES-128 (RFC 3826)
    Aes128,
    /// AES-192, key extended as in draft-blumenthal-aes-usm
    Aes192,
    /// AES-256, key extended as in draft-blumenthal-aes-usm
    Aes256,
    /// AES-192, key extended as in draft-reeder-snmpv3-usm-3desede (Cisco)
    Aes192Reeder,
    /// AES-256, key extended as in draft-reeder-snmpv3-usm-3desede (Cisco)
    Aes256Reeder,
}

impl PrivProtocol {
    /// How many bytes of key it needs: of the eight last ones of DES an initialisation vector is made.
    #[must_use]
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::Des | Self::Aes128 => 16,
            Self::Aes192 | Self::Aes192Reeder => 24,
            Self::Aes256 | Self::Aes256Reeder => 32,
        }
    }

    const fn is_reeder(self) -> bool {
        matches!(self, Self::Aes192Reeder | Self::Aes256Reeder)
    }
}

/// A user with its secrets, which `Debug` leaves out.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The user's name.
    pub name: String,
    /// Protocol and password of authentication; without it messages are neither authenticated nor encrypted.
    pub auth: Option<(AuthProtocol, String)>,
    /// Protocol and password of privacy; without `auth` it means nothing.
    pub privacy: Option<(PrivProtocol, String)>,
    /// Context names, tried in this order; empty means the default context alone.
    pub contexts: Vec<String>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let privacy = self.privacy.as_ref().map(|(protocol, _)| protocol);
        f.debug_struct("User")
            .field("name", &self.name)
            .field("auth", &self.auth.as_ref().map(|(protocol, _)| protocol))
            .field("privacy", &privacy)
            .field("contexts", &self.contexts)
            .finish()
    }
}

#[cfg(test)]
mod tests;
