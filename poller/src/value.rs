//! SNMP values (RFC 2578, RFC 3416): borrowed from a response, and owned.

use crate::ber::{self, TAG_INTEGER, TAG_NULL, TAG_OBJECT_ID, TAG_OCTET_STRING, Writer};
use crate::oid::Oid;

const TAG_IP_ADDRESS: u8 = 0x40;
const TAG_COUNTER32: u8 = 0x41;
const TAG_GAUGE32: u8 = 0x42;
const TAG_TIME_TICKS: u8 = 0x43;
const TAG_OPAQUE: u8 = 0x44;
const TAG_COUNTER64: u8 = 0x46;
const TAG_NO_SUCH_OBJECT: u8 = 0x80;
const TAG_NO_SUCH_INSTANCE: u8 = 0x81;
const TAG_END_OF_MIB_VIEW: u8 = 0x82;

/// A value as it stands in a response, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueRef<'a> {
    /// INTEGER
    Integer(i64),
    /// OCTET STRING
    OctetString(&'a [u8]),
    /// OBJECT IDENTIFIER, its BER content octets
    ObjectId(&'a [u8]),
    /// NULL
    Null,
    /// IpAddress
    IpAddress([u8; 4]),
    /// Counter32
    Counter32(u32),
    /// Gauge32 or Unsigned32
    Gauge32(u32),
    /// TimeTicks, hundredths of a second
    TimeTicks(u32),
    /// Opaque
    Opaque(&'a [u8]),
    /// Counter64
    Counter64(u64),
    /// The exception noSuchObject
    NoSuchObject,
    /// The exception noSuchInstance
    NoSuchInstance,
    /// The exception endOfMibView
    EndOfMibView,
}

/// A value that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// INTEGER
    Integer(i64),
    /// OCTET STRING
    OctetString(Vec<u8>),
    /// OBJECT IDENTIFIER
    ObjectId(Oid),
    /// NULL
    Null,
    /// IpAddress
    IpAddress([u8; 4]),
    /// Counter32
    Counter32(u32),
    /// Gauge32 or Unsigned32
    Gauge32(u32),
    /// TimeTicks, hundredths of a second
    TimeTicks(u32),
    /// Opaque
    Opaque(Vec<u8>),
    /// Counter64
    Counter64(u64),
}

impl<'a> ValueRef<'a> {
    /// The value of a BER element. A content that its tag does not allow, or a tag that SNMP does not know, is [`ValueRef::Null`]:
    /// one bad variable must not cost the others of its message.
    #[inline]
    #[must_use]
    pub fn read(tag: u8, content: &'a [u8]) -> Self {
        Self::read_strictly(tag, content).unwrap_or(Self::Null)
    }

    #[inline]
    fn read_strictly(tag: u8, content: &'a [u8]) -> Option<Self> {
        Some(match tag {
            TAG_INTEGER => Self::Integer(ber::integer(content).ok()?),
            TAG_OCTET_STRING => Self::OctetString(content),
            TAG_OBJECT_ID => Self::ObjectId(content),
            TAG_NULL => Self::Null,
            TAG_IP_ADDRESS => Self::IpAddress(content.try_into().ok()?),
            TAG_COUNTER32 => Self::Counter32(unsigned32(content)?),
            TAG_GAUGE32 => Self::Gauge32(unsigned32(content)?),
            TAG_TIME_TICKS => Self::TimeTicks(unsigned32(content)?),
            TAG_OPAQUE => Self::Opaque(content),
            TAG_COUNTER64 => Self::Counter64(ber::unsigned(content).ok()?),
            TAG_NO_SUCH_OBJECT => Self::NoSuchObject,
            TAG_NO_SUCH_INSTANCE => Self::NoSuchInstance,
            TAG_END_OF_MIB_VIEW => Self::EndOfMibView,
            _ => return None,
        })
    }

    /// Writes it as a BER element, back to front.
    #[inline]
    pub fn write(self, writer: &mut Writer) {
        match self {
            Self::Integer(number) => writer.integer(number),
            Self::OctetString(octets) => writer.octets(octets),
            Self::ObjectId(content) => writer.primitive(TAG_OBJECT_ID, content),
            Self::Null => writer.primitive(TAG_NULL, &[]),
            Self::IpAddress(octets) => writer.primitive(TAG_IP_ADDRESS, &octets),
            Self::Counter32(number) => writer.unsigned(TAG_COUNTER32, number.into()),
            Self::Gauge32(number) => writer.unsigned(TAG_GAUGE32, number.into()),
            Self::TimeTicks(number) => writer.unsigned(TAG_TIME_TICKS, number.into()),
            Self::Opaque(octets) => writer.primitive(TAG_OPAQUE, octets),
            Self::Counter64(number) => writer.unsigned(TAG_COUNTER64, number),
            Self::NoSuchObject => writer.primitive(TAG_NO_SUCH_OBJECT, &[]),
            Self::NoSuchInstance => writer.primitive(TAG_NO_SUCH_INSTANCE, &[]),
            Self::EndOfMibView => writer.primitive(TAG_END_OF_MIB_VIEW, &[]),
        }
    }
}

fn unsigned32(content: &[u8]) -> Option<u32> {
    u32::try_from(ber::unsigned(content).ok()?).ok()
}

impl ValueRef<'_> {
    /// Whether this is one of the three exceptions: there is no value.
    #[must_use]
    pub const fn is_exception(self) -> bool {
        matches!(
            self,
            Self::NoSuchObject | Self::NoSuchInstance | Self::EndOfMibView
        )
    }

    /// The value, owned; `None` for an exception or an OBJECT IDENTIFIER that is malformed.
    #[must_use]
    pub fn to_value(self) -> Option<Value> {
        Some(match self {
            Self::Integer(n) => Value::Integer(n),
            Self::OctetString(bytes) => Value::OctetString(bytes.to_vec()),
            Self::ObjectId(content) => Value::ObjectId(Oid::from_ber(content)?),
            Self::Null => Value::Null,
            Self::IpAddress(octets) => Value::IpAddress(octets),
            Self::Counter32(n) => Value::Counter32(n),
            Self::Gauge32(n) => Value::Gauge32(n),
            Self::TimeTicks(n) => Value::TimeTicks(n),
            Self::Opaque(bytes) => Value::Opaque(bytes.to_vec()),
            Self::Counter64(n) => Value::Counter64(n),
            Self::NoSuchObject | Self::NoSuchInstance | Self::EndOfMibView => return None,
        })
    }
}

impl Value {
    /// Writes it as a BER element, back to front.
    pub fn write(&self, writer: &mut Writer) {
        let borrowed = match self {
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::OctetString(octets) => ValueRef::OctetString(octets),
            Self::ObjectId(oid) => return oid.write(writer),
            Self::Null => ValueRef::Null,
            Self::IpAddress(octets) => ValueRef::IpAddress(*octets),
            Self::Counter32(number) => ValueRef::Counter32(*number),
            Self::Gauge32(number) => ValueRef::Gauge32(*number),
            Self::TimeTicks(number) => ValueRef::TimeTicks(*number),
            Self::Opaque(octets) => ValueRef::Opaque(octets),
            Self::Counter64(number) => ValueRef::Counter64(*number),
        };
        borrowed.write(writer);
    }
}
