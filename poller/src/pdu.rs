//! SNMP messages and PDUs (RFC 1157, 1901, 3416).
//!
//! ```text
//! Message  SEQUENCE { version INTEGER, community OCTET STRING, PDU }
//! PDU      [tag]    { request-id, error-status | non-repeaters, error-index | max-repetitions, SEQUENCE OF binding }
//! binding  SEQUENCE { name OBJECT IDENTIFIER, value }
//! ```
//!
//! Requests read: GET, GETNEXT, GETBULK. There is no SET in this program, neither to write nor to read.

use crate::ber::{BerError, Cursor, TAG_OBJECT_ID, TAG_SEQUENCE, Writer};
use crate::credentials::Version;
use crate::oid::Oid;
use crate::value::{Value, ValueRef};

/// What a PDU is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PduKind {
    /// GetRequest
    Get,
    /// GetNextRequest
    GetNext,
    /// Response (GetResponse in SNMPv1)
    Response,
    /// GetBulkRequest
    GetBulk,
    /// InformRequest
    Inform,
    /// SNMPv2-Trap
    Trap,
    /// Report
    Report,
}

impl PduKind {
    const fn tag(self) -> u8 {
        match self {
            Self::Get => 0xa0,
            Self::GetNext => 0xa1,
            Self::Response => 0xa2,
            Self::GetBulk => 0xa5,
            Self::Inform => 0xa6,
            Self::Trap => 0xa7,
            Self::Report => 0xa8,
        }
    }

    const fn of_tag(tag: u8) -> Option<Self> {
        Some(match tag {
            0xa0 => Self::Get,
            0xa1 => Self::GetNext,
            0xa2 => Self::Response,
            0xa5 => Self::GetBulk,
            0xa6 => Self::Inform,
            0xa7 => Self::Trap,
            0xa8 => Self::Report,
            _ => return None,
        })
    }
}

/// Error statuses the engine knows what to do about (RFC 3416, section 3).
pub mod error_status {
    /// All is well.
    pub const NO_ERROR: u32 = 0;
    /// The answer does not fit.
    pub const TOO_BIG: u32 = 1;
    /// SNMPv1: there is no such instance; nothing else was answered either.
    pub const NO_SUCH_NAME: u32 = 2;
    /// Something else went wrong.
    pub const GEN_ERR: u32 = 5;
    /// The variable may not be read.
    pub const NO_ACCESS: u32 = 6;
    /// The credentials do not permit this.
    pub const AUTHORIZATION_ERROR: u32 = 16;
}

/// One request, as the engine sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// These instances.
    Get,
    /// The instance behind each.
    GetNext,
    /// Up to so many instances behind each.
    GetBulk {
        /// Rows asked for.
        max_repetitions: u32,
    },
}

impl Request {
    const fn kind(self) -> PduKind {
        match self {
            Self::Get => PduKind::Get,
            Self::GetNext => PduKind::GetNext,
            Self::GetBulk { .. } => PduKind::GetBulk,
        }
    }
}

/// Writes the PDU of a request, back to front.
pub fn write_request<'o>(
    writer: &mut Writer,
    request: Request,
    request_id: i32,
    names: impl DoubleEndedIterator<Item = &'o Oid>,
) {
    writer.element(request.kind().tag(), |w| {
        w.element(TAG_SEQUENCE, |w| {
            for name in names.rev() {
                w.element(TAG_SEQUENCE, |w| {
                    ValueRef::Null.write(w);
                    name.write(w);
                });
            }
        });
        let max_repetitions = match request {
            Request::GetBulk { max_repetitions } => max_repetitions,
            Request::Get | Request::GetNext => 0,
        };
        w.integer(max_repetitions.into());
        w.integer(0);
        w.integer(request_id.into());
    });
}

/// What can stand as the value of a binding that is written.
pub trait WriteValue {
    /// Writes it as a BER element, back to front.
    fn write_value(&self, writer: &mut Writer);
}

impl WriteValue for ValueRef<'_> {
    fn write_value(&self, writer: &mut Writer) {
        self.write(writer);
    }
}

impl WriteValue for &Value {
    fn write_value(&self, writer: &mut Writer) {
        self.write(writer);
    }
}

/// Writes the PDU of a response, back to front: for simulated devices, and to acknowledge informs.
pub fn write_response<'o, V: WriteValue>(
    writer: &mut Writer,
    request_id: i32,
    (error_status, error_index): (u32, u32),
    bindings: impl DoubleEndedIterator<Item = (&'o Oid, V)>,
) {
    let fields = [
        request_id,
        error_status.cast_signed(),
        error_index.cast_signed(),
    ];
    write_pdu(writer, PduKind::Response, fields, bindings);
}

/// Writes the PDU of a report with one counter, back to front.
pub(crate) fn write_report(writer: &mut Writer, id: i32, name: &Oid, value: ValueRef<'_>) {
    let counter = [(name, value)].into_iter();
    write_pdu(writer, PduKind::Report, [id, 0, 0], counter);
}

fn write_pdu<'o, V: WriteValue>(
    writer: &mut Writer,
    kind: PduKind,
    [first, second, third]: [i32; 3],
    bindings: impl DoubleEndedIterator<Item = (&'o Oid, V)>,
) {
    writer.element(kind.tag(), |w| {
        w.element(TAG_SEQUENCE, |w| {
            for (name, value) in bindings.rev() {
                w.element(TAG_SEQUENCE, |w| {
                    value.write_value(w);
                    name.write(w);
                });
            }
        });
        w.integer(third.into());
        w.integer(second.into());
        w.integer(first.into());
    });
}

/// Puts version and community in front of a PDU that was just written, back to front. `version` must not be
/// [`Version::V3`], whose messages `usm` writes.
pub fn write_community(writer: &mut Writer, version: Version, community: &[u8]) {
    writer.octets(community);
    writer.integer(version.number());
    let since = 0;
    writer.head(TAG_SEQUENCE, since);
}

/// Drops what was written and writes a whole SNMPv1 or v2c request.
pub fn write_community_request<'o>(
    writer: &mut Writer,
    (version, community): (Version, &[u8]),
    request: Request,
    request_id: i32,
    names: impl DoubleEndedIterator<Item = &'o Oid>,
) {
    writer.clear();
    write_request(writer, request, request_id, names);
    write_community(writer, version, community);
}

impl Version {
    /// What stands in a message.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::V1 => 0,
            Self::V2c => 1,
            Self::V3 => 3,
        }
    }

    /// Reads what stands in a message.
    ///
    /// # Errors
    /// [`BerError::Message`] when it is none of the three.
    pub const fn of_number(number: i64) -> Result<Self, BerError> {
        match number {
            0 => Ok(Self::V1),
            1 => Ok(Self::V2c),
            3 => Ok(Self::V3),
            _ => Err(BerError::Message),
        }
    }
}

/// A message whose version was read and whose rest was not.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// Its version.
    pub version: Version,
    /// What follows the version.
    pub rest: Cursor<'a>,
}

impl<'a> Envelope<'a> {
    /// Opens a message.
    ///
    /// # Errors
    /// When it is none of SNMP, or bytes follow it.
    #[inline]
    pub fn read(bytes: &'a [u8]) -> Result<Self, BerError> {
        let mut outer = Cursor::new(bytes);
        let mut rest = outer.sub(TAG_SEQUENCE)?;
        outer.end()?;
        let version = Version::of_number(rest.integer()?)?;
        Ok(Self { version, rest })
    }

    /// The community and the PDU's element (tag, content) of an SNMPv1 or v2c message.
    ///
    /// # Errors
    /// When it is malformed, or SNMPv3.
    #[inline]
    pub fn community(mut self) -> Result<(&'a [u8], u8, &'a [u8]), BerError> {
        if self.version == Version::V3 {
            return Err(BerError::Message);
        }
        let community = self.rest.octets()?;
        let (tag, content) = self.rest.element()?;
        self.rest.end()?;
        Ok((community, tag, content))
    }
}

/// A PDU, borrowed. The bindings are read as they are iterated.
#[derive(Clone, Copy, Debug)]
pub struct Pdu<'a> {
    /// What it is.
    pub kind: PduKind,
    /// What ties request and response together.
    pub request_id: i32,
    /// In a response; the non-repeaters of a GETBULK.
    pub error_status: u32,
    /// Which binding is in error, counted from 1 (0: none); the max-repetitions of a GETBULK.
    pub error_index: u32,
    /// The bindings.
    pub bindings: Bindings<'a>,
}

impl<'a> Pdu<'a> {
    /// Reads the next element as a PDU.
    ///
    /// # Errors
    /// When it is none that this program knows, or malformed.
    pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, BerError> {
        let (tag, content) = cursor.element()?;
        Self::read_content(tag, content)
    }

    /// Reads the content of a PDU element.
    ///
    /// # Errors
    /// As [`Pdu::read`].
    #[inline]
    pub fn read_content(tag: u8, content: &'a [u8]) -> Result<Self, BerError> {
        let kind = PduKind::of_tag(tag).ok_or(BerError::Message)?;
        let mut fields = Cursor::new(content);
        let request_id = fields.integer32()?;
        let error_status = natural(fields.integer32()?);
        let error_index = natural(fields.integer32()?);
        let bindings = Bindings(fields.sub(TAG_SEQUENCE)?);
        fields.end()?;
        Ok(Self {
            kind,
            request_id,
            error_status,
            error_index,
            bindings,
        })
    }

    /// Reads a whole SNMPv1 or v2c message: its version, community and PDU.
    ///
    /// # Errors
    /// When it is malformed, or SNMPv3.
    #[inline]
    pub fn read_message(bytes: &'a [u8]) -> Result<(Version, &'a [u8], Self), BerError> {
        let envelope = Envelope::read(bytes)?;
        let (community, tag, content) = envelope.community()?;
        Ok((
            envelope.version,
            community,
            Self::read_content(tag, content)?,
        ))
    }
}

/// No field of a PDU is negative by right; agents that send -1 mean none.
fn natural(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// One variable of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding<'a> {
    /// BER content octets of its name.
    pub name: &'a [u8],
    /// Its value.
    pub value: ValueRef<'a>,
}

/// The variables of a PDU. An error ends the iteration.
#[derive(Clone, Copy, Debug)]
pub struct Bindings<'a>(Cursor<'a>);

impl<'a> Bindings<'a> {
    /// The variables of which `list` is the content.
    pub(crate) const fn new(list: Cursor<'a>) -> Self {
        Self(list)
    }

    #[inline]
    fn read(&mut self) -> Result<Binding<'a>, BerError> {
        let mut fields = self.0.sub(TAG_SEQUENCE)?;
        let name = fields.content(TAG_OBJECT_ID)?;
        let (tag, content) = fields.element()?;
        fields.end()?;
        Ok(Binding {
            name,
            value: ValueRef::read(tag, content),
        })
    }

    /// Bytes that were not iterated yet.
    #[must_use]
    pub const fn bytes_left(&self) -> usize {
        self.0.rest().len()
    }
}

impl<'a> Iterator for Bindings<'a> {
    type Item = Result<Binding<'a>, BerError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let binding = self.read();
        if binding.is_err() {
            self.0 = Cursor::new(&[]);
        }
        Some(binding)
    }
}

#[cfg(test)]
mod tests;
