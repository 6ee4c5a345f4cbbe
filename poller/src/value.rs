//! SNMP values (RFC 2578, RFC 3416): borrowed from a response, and owned.

use crate::oid::Oid;

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
