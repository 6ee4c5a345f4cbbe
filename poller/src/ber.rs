//! BER as SNMP uses it (X.690, RFC 3417 section 8): definite lengths, single-byte tags.
//!
//! ```text
//! tag (1)   length (1, or 0x81..0x84 and that many bytes)   content (length bytes)
//! ```
//!
//! [`Cursor`] reads: it borrows, never copies, never looks behind what its parent gave it, and never panics. [`Writer`] writes
//! from the back to the front, so that each length is known when it is written; it never exceeds its capacity. What one
//! of them does for a type stands beside what the other does.

use std::fmt;

/// INTEGER
pub const TAG_INTEGER: u8 = 0x02;
/// OCTET STRING
pub const TAG_OCTET_STRING: u8 = 0x04;
/// NULL
pub const TAG_NULL: u8 = 0x05;
/// OBJECT IDENTIFIER
pub const TAG_OBJECT_ID: u8 = 0x06;
/// SEQUENCE
pub const TAG_SEQUENCE: u8 = 0x30;

/// The most a message may have: what a UDP datagram can carry.
pub const MESSAGE_BYTES_MAX: usize = 65_507;

/// Length octets behind the first: four say up to 4 GB, far more than any message.
const LENGTH_OCTETS_MAX: usize = 4;

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BerError {
    /// It ends inside an element.
    #[error("ends inside an element")]
    Truncated,
    /// A length of a form that SNMP forbids, or beyond four octets.
    #[error("a length of a forbidden form")]
    Length,
    /// Another element was due.
    #[error("tag {found:#04x} where {expected:#04x} is due")]
    Tag {
        /// The tag that was due.
        expected: u8,
        /// The tag that is there.
        found: u8,
    },
    /// There are bytes behind the last element.
    #[error("bytes behind the last element")]
    Trailing,
    /// A number that does not fit its type.
    #[error("a number out of its range")]
    Number,
    /// What should be an SNMP version or a PDU is something else.
    #[error("not a message of SNMP")]
    Message,
}

/// A place in a message, and nothing behind its parent's end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// At the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything was read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The end is here.
    ///
    /// # Errors
    /// [`BerError::Trailing`] when it is not.
    pub const fn end(&self) -> Result<(), BerError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(BerError::Trailing)
        }
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`BerError::Truncated`] when there are fewer.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], BerError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(BerError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, BerError> {
        let (&byte, rest) = self.rest.split_first().ok_or(BerError::Truncated)?;
        self.rest = rest;
        Ok(byte)
    }

    #[inline]
    fn length(&mut self) -> Result<usize, BerError> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(usize::from(first));
        }
        let octets = usize::from(first & 0x7f);
        if octets == 0 || octets > LENGTH_OCTETS_MAX {
            return Err(BerError::Length);
        }
        let mut length: u32 = 0;
        for byte in self.take(octets)? {
            length = length << 8 | u32::from(*byte);
        }
        usize::try_from(length).map_err(|_| BerError::Length)
    }

    /// The tag and the length of the next element, whether or not its content is there.
    ///
    /// # Errors
    /// [`BerError::Truncated`], [`BerError::Length`].
    pub fn head(&mut self) -> Result<(u8, usize), BerError> {
        Ok((self.byte()?, self.length()?))
    }

    /// The next element, whatever it is: its tag and its content.
    ///
    /// # Errors
    /// [`BerError::Truncated`], [`BerError::Length`].
    #[inline]
    pub fn element(&mut self) -> Result<(u8, &'a [u8]), BerError> {
        let tag = self.byte()?;
        let length = self.length()?;
        Ok((tag, self.take(length)?))
    }

    /// The content of the next element, which must have this tag.
    ///
    /// # Errors
    /// [`BerError::Tag`], and what [`Cursor::element`] returns.
    #[inline]
    pub fn content(&mut self, expected: u8) -> Result<&'a [u8], BerError> {
        let (found, content) = self.element()?;
        if found == expected {
            Ok(content)
        } else {
            Err(BerError::Tag { expected, found })
        }
    }

    /// A cursor over the content of the next element, which must have this tag.
    ///
    /// # Errors
    /// As [`Cursor::content`].
    #[inline]
    pub fn sub(&mut self, expected: u8) -> Result<Self, BerError> {
        self.content(expected).map(Cursor::new)
    }

    /// The next element's tag, without moving.
    #[must_use]
    pub const fn peek(&self) -> Option<u8> {
        match self.rest {
            [tag, ..] => Some(*tag),
            [] => None,
        }
    }

    /// An INTEGER of up to 64 bits.
    ///
    /// # Errors
    /// [`BerError::Number`] when it is longer, and what [`Cursor::content`] returns.
    #[inline]
    pub fn integer(&mut self) -> Result<i64, BerError> {
        integer(self.content(TAG_INTEGER)?)
    }

    /// An INTEGER that must fit 32 bits.
    ///
    /// # Errors
    /// [`BerError::Number`] when it does not, and what [`Cursor::content`] returns.
    #[inline]
    pub fn integer32(&mut self) -> Result<i32, BerError> {
        i32::try_from(self.integer()?).map_err(|_| BerError::Number)
    }

    /// An OCTET STRING.
    ///
    /// # Errors
    /// What [`Cursor::content`] returns.
    #[inline]
    pub fn octets(&mut self) -> Result<&'a [u8], BerError> {
        self.content(TAG_OCTET_STRING)
    }
}

impl fmt::Debug for Cursor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({} bytes left)", self.rest.len())
    }
}

/// Content octets of a signed INTEGER.
///
/// # Errors
/// [`BerError::Number`] when there are none or more than eight.
#[inline]
pub fn integer(content: &[u8]) -> Result<i64, BerError> {
    let (first, rest) = content.split_first().ok_or(BerError::Number)?;
    if rest.len() > 7 {
        return Err(BerError::Number);
    }
    let mut number = i64::from(first.cast_signed());
    for byte in rest {
        number = number << 8 | i64::from(*byte);
    }
    Ok(number)
}

/// Content octets of an unsigned number. Agents exist that leave out the zero octet in front of a set top bit: no unsigned type
/// can be negative, so that bit counts as a value here.
///
/// # Errors
/// [`BerError::Number`] when there are none or it exceeds 64 bits.
#[inline]
pub fn unsigned(content: &[u8]) -> Result<u64, BerError> {
    let digits = match content {
        [] => return Err(BerError::Number),
        [0, rest @ ..] => rest,
        all => all,
    };
    if digits.len() > 8 {
        return Err(BerError::Number);
    }
    let mut number = 0;
    for byte in digits {
        number = number << 8 | u64::from(*byte);
    }
    Ok(number)
}

/// Writes a message from its last byte to its first into a buffer of fixed size.
///
/// What does not fit is not written and [`Writer::finish`] returns `None`.
pub struct Writer {
    buffer: Box<[u8]>,
    start: usize,
    overflow: bool,
}

impl Writer {
    /// A writer for messages of up to `capacity_bytes`.
    #[must_use]
    pub fn new(capacity_bytes: usize) -> Self {
        Self {
            buffer: vec![0; capacity_bytes].into(),
            start: capacity_bytes,
            overflow: false,
        }
    }

    /// Empties it.
    pub const fn clear(&mut self) {
        self.start = self.buffer.len();
        self.overflow = false;
    }

    /// How many bytes were written.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Whether nothing was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The message, or `None` when it did not fit.
    #[must_use]
    pub fn finish(&self) -> Option<&[u8]> {
        if self.overflow {
            return None;
        }
        self.buffer.get(self.start..)
    }

    /// The message, to be changed in place (USM writes its digest last); `None` when it did not fit.
    pub fn finish_mut(&mut self) -> Option<&mut [u8]> {
        if self.overflow {
            return None;
        }
        self.buffer.get_mut(self.start..)
    }

    /// Room for so many bytes in front of what is there, to be filled at once.
    #[inline]
    pub fn room(&mut self, count: usize) -> Option<&mut [u8]> {
        let Some(start) = self.start.checked_sub(count) else {
            self.overflow = true;
            return None;
        };
        let room = self.buffer.get_mut(start..self.start);
        self.start = start;
        room
    }

    /// Bytes, in front of what is there.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        if let Some(room) = self.room(bytes.len()) {
            room.copy_from_slice(bytes);
        }
    }

    /// One byte, in front of what is there.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        self.bytes(&[byte]);
    }

    /// Tag and length of the element whose content was written since [`Writer::len`] was `since`.
    #[inline]
    pub fn head(&mut self, tag: u8, since: usize) {
        let length = self.len() - since;
        match length {
            0..0x80 => self.bytes(&[tag, length as u8]),
            0x80..0x100 => self.bytes(&[tag, 0x81, length as u8]),
            0x100..0x1_0000 => self.bytes(&[tag, 0x82, (length >> 8) as u8, length as u8]),
            // No message is that long: see MESSAGE_BYTES_MAX.
            _ => self.overflow = true,
        }
    }

    /// An element whose content `write` writes (back to front).
    #[inline]
    pub fn element(&mut self, tag: u8, write: impl FnOnce(&mut Self)) {
        let since = self.len();
        write(self);
        self.head(tag, since);
    }

    /// A signed number under a tag.
    #[inline]
    pub fn signed(&mut self, tag: u8, number: i64) {
        let octets = number.to_be_bytes();
        // One bit more than the magnitude, for the sign.
        let bits = u64::BITS - (number ^ (number >> 63)).leading_zeros();
        let needed = bits as usize / 8 + 1;
        self.primitive(tag, octets.get(octets.len() - needed..).unwrap_or_default());
    }

    /// An unsigned number under a tag.
    #[inline]
    pub fn unsigned(&mut self, tag: u8, number: u64) {
        match i64::try_from(number) {
            Ok(number) => self.signed(tag, number),
            Err(_) => self.element(tag, |w| {
                w.bytes(&number.to_be_bytes());
                w.byte(0);
            }),
        }
    }

    /// An INTEGER.
    #[inline]
    pub fn integer(&mut self, number: i64) {
        self.signed(TAG_INTEGER, number);
    }

    /// An OCTET STRING.
    #[inline]
    pub fn octets(&mut self, octets: &[u8]) {
        self.primitive(TAG_OCTET_STRING, octets);
    }

    /// An element with this content.
    #[inline]
    pub fn primitive(&mut self, tag: u8, content: &[u8]) {
        let since = self.len();
        self.bytes(content);
        self.head(tag, since);
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({} of {} bytes)", self.len(), self.buffer.len())
    }
}

#[cfg(test)]
mod tests;
