//! The form of an SNMPv3 message (RFC 3412, 3414).
//!
//! ```text
//! Message     SEQUENCE { version INTEGER (3), header, OCTET STRING { security parameters }, scoped PDU }
//! header      SEQUENCE { msgID, msgMaxSize, msgFlags OCTET STRING (1), msgSecurityModel INTEGER (3) }
//! security    SEQUENCE { engine ID, boots, time, user name, digest, salt }
//! scoped PDU  SEQUENCE { context engine ID, context name, PDU }, or encrypted: OCTET STRING of that
//! ```

use subtle::ConstantTimeEq;

use super::cipher::{self, Moment};
use super::keys::EngineKeys;
use crate::ber::{BerError, Cursor, MESSAGE_BYTES_MAX, TAG_OCTET_STRING, TAG_SEQUENCE, Writer};
use crate::credentials::Version;
use crate::pdu::Pdu;

const FLAG_AUTH: u8 = 1;
const FLAG_PRIV: u8 = 2;
const FLAG_REPORTABLE: u8 = 4;

/// The number of the user-based security model.
const SECURITY_MODEL_USM: i64 = 3;

/// Engine IDs have 5 to 32 bytes (RFC 3411); some agents' are shorter.
const ENGINE_ID_BYTES_MAX: usize = 32;

/// What a message says beside its PDU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) id: i32,
    /// Whether the other side may answer with a report: for everything that expects a response.
    pub(crate) is_reportable: bool,
    /// Empty: asks who the engine is.
    pub(crate) engine_id: &'a [u8],
    pub(crate) moment: Moment,
    pub(crate) user: &'a [u8],
    pub(crate) keys: &'a EngineKeys,
    /// Whose context it is: nearly always the engine's own.
    pub(crate) context_engine_id: &'a [u8],
    pub(crate) context: &'a [u8],
    /// Never the same twice with the same keys.
    pub(crate) salt: u64,
}

/// Drops what was written and writes a whole message around what `write_pdu` writes (back to front).
pub(crate) fn write(
    writer: &mut Writer,
    message: &Outgoing<'_>,
    write_pdu: impl FnOnce(&mut Writer),
) {
    writer.clear();
    writer.element(TAG_SEQUENCE, |w| {
        write_pdu(w);
        w.octets(message.context);
        w.octets(message.context_engine_id);
    });
    let mut salt = None;
    if let Some((protocol, key)) = &message.keys.privacy {
        let mut text = writer.finish().unwrap_or_default().to_vec();
        let moment = message.moment;
        salt = Some(cipher::encrypt(
            *protocol,
            key,
            moment,
            message.salt,
            &mut text,
        ));
        writer.clear();
        writer.octets(&text);
    }
    let digest_bytes = message
        .keys
        .auth
        .as_ref()
        .map_or(0, |(protocol, _)| protocol.digest_bytes());
    let mut digest_from_end = 0;
    let since = writer.len();
    writer.element(TAG_SEQUENCE, |w| {
        w.octets(salt.as_ref().map_or(&[], |salt| &salt[..]));
        w.element(TAG_OCTET_STRING, |w| {
            digest_from_end = w.len() + digest_bytes;
            w.bytes(&[0; 48][..digest_bytes]);
        });
        w.octets(message.user);
        w.integer(message.moment.time.into());
        w.integer(message.moment.boots.into());
        w.octets(message.engine_id);
    });
    writer.head(TAG_OCTET_STRING, since);
    let mut flags = 0;
    for (flag, is_set) in [
        (FLAG_AUTH, message.keys.auth.is_some()),
        (FLAG_PRIV, message.keys.privacy.is_some()),
        (FLAG_REPORTABLE, message.is_reportable),
    ] {
        flags |= if is_set { flag } else { 0 };
    }
    writer.element(TAG_SEQUENCE, |w| {
        w.integer(SECURITY_MODEL_USM);
        w.octets(&[flags]);
        w.integer(MESSAGE_BYTES_MAX as i64);
        w.integer(message.id.into());
    });
    writer.integer(Version::V3.number());
    writer.head(TAG_SEQUENCE, 0);
    if let Some((protocol, key)) = &message.keys.auth
        && let Some(bytes) = writer.finish_mut()
    {
        let digest = cipher::digest(*protocol, key, &[&*bytes]);
        let at = bytes.len().saturating_sub(digest_from_end);
        if let Some(place) = bytes.get_mut(at..at + digest.len()) {
            place.copy_from_slice(&digest);
        }
    }
}

/// A message as it came, neither verified nor opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) id: i32,
    flags: u8,
    pub(crate) engine_id: &'a [u8],
    pub(crate) moment: Moment,
    pub(crate) user: &'a [u8],
    whole: &'a [u8],
    digest: &'a [u8],
    salt: &'a [u8],
    /// Tag and content of what follows the security parameters.
    data: (u8, &'a [u8]),
}

/// What an opened message is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scoped<'a> {
    pub(crate) context_engine_id: &'a [u8],
    pub(crate) context: &'a [u8],
    pub(crate) pdu: Pdu<'a>,
}

impl<'a> Incoming<'a> {
    /// Reads what follows the version in `whole`.
    pub(crate) fn read(whole: &'a [u8], mut rest: Cursor<'a>) -> Result<Self, BerError> {
        let mut header = rest.sub(TAG_SEQUENCE)?;
        let id = header.integer32()?;
        header.integer()?;
        let &[flags] = header.octets()? else {
            return Err(BerError::Message);
        };
        if header.integer()? != SECURITY_MODEL_USM {
            return Err(BerError::Message);
        }
        header.end()?;
        let mut outer = rest.sub(TAG_OCTET_STRING)?;
        let mut security = outer.sub(TAG_SEQUENCE)?;
        outer.end()?;
        let engine_id = security.octets()?;
        let boots = natural(security.integer()?)?;
        let time = natural(security.integer()?)?;
        let user = security.octets()?;
        let digest = security.octets()?;
        let salt = security.octets()?;
        security.end()?;
        let data = rest.element()?;
        rest.end()?;
        if engine_id.len() > ENGINE_ID_BYTES_MAX {
            return Err(BerError::Message);
        }
        Ok(Self {
            id,
            flags,
            engine_id,
            moment: Moment { boots, time },
            user,
            whole,
            digest,
            salt,
            data,
        })
    }

    /// Whether it says that it is authenticated, and that it is encrypted.
    pub(crate) const fn level(&self) -> (bool, bool) {
        (self.flags & FLAG_AUTH != 0, self.flags & FLAG_PRIV != 0)
    }

    /// Whether its sender takes a report for an answer.
    pub(crate) const fn is_reportable(&self) -> bool {
        self.flags & FLAG_REPORTABLE != 0
    }

    /// The scoped PDU as it came.
    #[cfg(test)]
    pub(super) const fn data_for_test(&self) -> &'a [u8] {
        self.data.1
    }

    /// Whether its digest was made with this key.
    pub(crate) fn is_authentic(&self, keys: &EngineKeys) -> bool {
        let Some((protocol, key)) = &keys.auth else {
            return false;
        };
        if self.digest.len() != protocol.digest_bytes() {
            return false;
        }
        let at = self.digest.as_ptr().addr() - self.whole.as_ptr().addr();
        let Some((before, rest)) = self.whole.split_at_checked(at) else {
            return false;
        };
        let behind = rest.get(self.digest.len()..).unwrap_or_default();
        // The digest was made with zeros in its own place.
        let zeros = vec![0; self.digest.len()];
        let expected = cipher::digest(*protocol, key, &[before, &zeros, behind]);
        expected.ct_eq(self.digest).into()
    }

    /// The PDU, decrypted into `scratch` where it is encrypted.
    pub(crate) fn open<'s>(
        &self,
        keys: &EngineKeys,
        scratch: &'s mut Vec<u8>,
    ) -> Result<Scoped<'s>, BerError>
    where
        'a: 's,
    {
        let (tag, content) = self.data;
        let (_, is_encrypted) = self.level();
        if !is_encrypted {
            return match tag {
                TAG_SEQUENCE => Scoped::read(Cursor::new(content)),
                _ => Err(BerError::Message),
            };
        }
        let (Some((protocol, key)), TAG_OCTET_STRING) = (&keys.privacy, tag) else {
            return Err(BerError::Message);
        };
        scratch.clear();
        scratch.extend_from_slice(content);
        cipher::decrypt(*protocol, key, self.moment, self.salt, scratch)
            .ok_or(BerError::Message)?;
        // Behind the sequence stands what filled the last block.
        Scoped::read(Cursor::new(scratch).sub(TAG_SEQUENCE)?)
    }
}

impl<'a> Scoped<'a> {
    fn read(mut fields: Cursor<'a>) -> Result<Self, BerError> {
        let context_engine_id = fields.octets()?;
        let context = fields.octets()?;
        let pdu = Pdu::read(&mut fields)?;
        fields.end()?;
        Ok(Self {
            context_engine_id,
            context,
            pdu,
        })
    }
}

fn natural(number: i64) -> Result<u32, BerError> {
    match u32::try_from(number) {
        Ok(number) if number <= i32::MAX as u32 => Ok(number),
        _ => Err(BerError::Number),
    }
}
