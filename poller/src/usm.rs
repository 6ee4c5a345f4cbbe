//! The user-based security model of SNMPv3 (RFC 3414, 3826, 7860).

use std::fmt;

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

/// A user with its secrets, which `Debug` leaves out.
#[derive(Clone)]
pub struct User {
    /// The user's name.
    pub name: String,
    /// Protocol and password of authentication; without it messages are neither authenticated nor encrypted.
    pub auth: Option<(AuthProtocol, String)>,
    /// Protocol and password of privacy; needs `auth`.
    pub privacy: Option<(PrivProtocol, String)>,
    /// Context names, tried in this order; empty means the default context alone.
    pub contexts: Vec<String>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .field("auth", &self.auth.as_ref().map(|(protocol, _)| protocol))
            .field(
                "privacy",
                &self.privacy.as_ref().map(|(protocol, _)| protocol),
            )
            .field("contexts", &self.contexts)
            .finish()
    }
}
