//! Digests and ciphers over messages.

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use aes::{Aes128, Aes192, Aes256};
use des::Des;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::{AuthProtocol, PrivProtocol, Secret};

/// DES works on blocks of so many bytes.
const DES_BLOCK_BYTES: usize = 8;

/// What stands in a message beside the encrypted part.
pub(crate) const SALT_BYTES: usize = 8;

/// The digest of a message that is given in parts, as long as the message carries it.
pub(crate) fn digest(protocol: AuthProtocol, key: &Secret, parts: &[&[u8]]) -> Vec<u8> {
    fn of<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().to_vec()
    }
    let key = key.bytes();
    let mut digest = match protocol {
        AuthProtocol::Md5 => of::<Hmac<Md5>>(key, parts),
        AuthProtocol::Sha1 => of::<Hmac<Sha1>>(key, parts),
        AuthProtocol::Sha224 => of::<Hmac<Sha224>>(key, parts),
        AuthProtocol::Sha256 => of::<Hmac<Sha256>>(key, parts),
        AuthProtocol::Sha384 => of::<Hmac<Sha384>>(key, parts),
        AuthProtocol::Sha512 => of::<Hmac<Sha512>>(key, parts),
    };
    digest.truncate(protocol.digest_bytes());
    digest
}

/// Which engine time a message was encrypted at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) boots: u32,
    pub(crate) time: u32,
}

/// Encrypts in place; DES makes it longer. Returns the salt that the message must carry.
pub(crate) fn encrypt(
    protocol: PrivProtocol,
    key: &Secret,
    moment: Moment,
    salt: u64,
    text: &mut Vec<u8>,
) -> [u8; SALT_BYTES] {
    let key = key.bytes();
    if protocol == PrivProtocol::Des {
        let [.., a, b, c, d] = salt.to_be_bytes();
        let [e, f, g, h] = moment.boots.to_be_bytes();
        let salt = [e, f, g, h, a, b, c, d];
        text.resize(text.len().next_multiple_of(DES_BLOCK_BYTES), 0);
        if let Some((key, iv)) = des_key(key, salt) {
            let mut cipher = cbc::Encryptor::<Des>::new(&key.into(), &iv.into());
            for block in text.chunks_exact_mut(DES_BLOCK_BYTES) {
                if let Ok(block) = block.try_into() {
                    cipher.encrypt_block(block);
                }
            }
        }
        return salt;
    }
    let salt = salt.to_be_bytes();
    let iv = aes_iv(moment, salt);
    let known = "a key has the length its protocol says";
    match protocol {
        PrivProtocol::Des => {}
        PrivProtocol::Aes128 => cfb_mode::Encryptor::<Aes128>::new_from_slices(key, &iv)
            .expect(known)
            .encrypt(text),
        PrivProtocol::Aes192 | PrivProtocol::Aes192Reeder => {
            cfb_mode::Encryptor::<Aes192>::new_from_slices(key, &iv)
                .expect(known)
                .encrypt(text);
        }
        PrivProtocol::Aes256 | PrivProtocol::Aes256Reeder => {
            cfb_mode::Encryptor::<Aes256>::new_from_slices(key, &iv)
                .expect(known)
                .encrypt(text);
        }
    }
    salt
}

/// Decrypts in place; `None` when salt or length cannot be.
pub(crate) fn decrypt(
    protocol: PrivProtocol,
    key: &Secret,
    moment: Moment,
    salt: &[u8],
    text: &mut [u8],
) -> Option<()> {
    let key = key.bytes();
    let salt: [u8; SALT_BYTES] = salt.try_into().ok()?;
    let iv = aes_iv(moment, salt);
    match protocol {
        PrivProtocol::Des => {
            if !text.len().is_multiple_of(DES_BLOCK_BYTES) {
                return None;
            }
            let (key, iv) = des_key(key, salt)?;
            let mut cipher = cbc::Decryptor::<Des>::new(&key.into(), &iv.into());
            for block in text.chunks_exact_mut(DES_BLOCK_BYTES) {
                cipher.decrypt_block(block.try_into().ok()?);
            }
        }
        PrivProtocol::Aes128 => {
            let cipher = cfb_mode::Decryptor::<Aes128>::new_from_slices(key, &iv).ok()?;
            cipher.decrypt(text);
        }
        PrivProtocol::Aes192 | PrivProtocol::Aes192Reeder => {
            let cipher = cfb_mode::Decryptor::<Aes192>::new_from_slices(key, &iv).ok()?;
            cipher.decrypt(text);
        }
        PrivProtocol::Aes256 | PrivProtocol::Aes256Reeder => {
            let cipher = cfb_mode::Decryptor::<Aes256>::new_from_slices(key, &iv).ok()?;
            cipher.decrypt(text);
        }
    }
    Some(())
}

/// Key and initialisation vector of DES: the vector is the second half of the long key, XORed with the salt.
fn des_key(long: &[u8], salt: [u8; SALT_BYTES]) -> Option<([u8; 8], [u8; 8])> {
    let (key, rest) = long.split_first_chunk::<8>()?;
    let mut iv = *rest.first_chunk::<8>()?;
    for (byte, salt) in iv.iter_mut().zip(salt) {
        *byte ^= salt;
    }
    Some((*key, iv))
}

fn aes_iv(moment: Moment, salt: [u8; SALT_BYTES]) -> [u8; 16] {
    let mut iv = [0; 16];
    let parts = [
        &moment.boots.to_be_bytes()[..],
        &moment.time.to_be_bytes(),
        &salt,
    ];
    for (place, byte) in iv.iter_mut().zip(parts.into_iter().flatten()) {
        *place = *byte;
    }
    iv
}
