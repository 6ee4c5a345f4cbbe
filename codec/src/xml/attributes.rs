//! What the attributes of a start tag can be asked for. Both tokenisers answer, each in its own way; `rows.rs` asks.

use super::error::Reason;
use super::words::Word;
use crate::limits::TEXT_BYTES_MAX;
use crate::model::Level;
use crate::time::Timestamp;

/// An attribute of an element.
#[derive(Clone, Copy)]
pub(super) struct Attribute {
    /// Its number in canonical order.
    pub(super) slot: usize,
    /// What the writer puts before its value: ` name="`.
    pub(super) before: &'static str,
}

/// The attributes of one start tag. They are asked for in canonical order, each once: first whether it is there, then for its value.
pub(super) trait Attributes<'a> {
    /// Why a value was not taken.
    type Fault;

    /// Whether `attribute` is there.
    fn has(&mut self, attribute: Attribute) -> bool;
    /// Whether the writer would put none behind those that were asked for.
    fn is_last(&self) -> bool;
    /// The value as text.
    fn text_of(&mut self, attribute: Attribute, bytes_max: usize) -> Result<&'a str, Self::Fault>;
    /// The value as a decimal number.
    fn number_of(
        &mut self,
        attribute: Attribute,
        expected: &'static str,
    ) -> Result<u64, Self::Fault>;
    /// The value as a decimal number that may have a sign.
    fn signed_of(&mut self, attribute: Attribute) -> Result<i64, Self::Fault>;
    /// The value as one of a list of words.
    fn word_of<T: Word>(
        &mut self,
        attribute: Attribute,
        expected: &'static str,
    ) -> Result<T, Self::Fault>;
    /// The value as a level.
    fn level_of(&mut self, attribute: Attribute) -> Result<Level, Self::Fault>;
    /// The value as a timestamp.
    fn timestamp_of(&mut self, attribute: Attribute) -> Result<Timestamp, Self::Fault>;
    /// Takes the end of the tag, after everything was asked for.
    fn end(&mut self) -> Result<(), Self::Fault>;

    /// The fault that `attribute` is not there.
    fn missing(&self, attribute: Attribute) -> Self::Fault;
    /// The fault that the value of `attribute` is not what the schema says.
    fn not(&self, attribute: Attribute, expected: &'static str) -> Self::Fault;
    /// A fault in the value of `attribute`.
    fn fault(&self, attribute: Attribute, reason: Reason) -> Self::Fault;
    /// A fault of the tag as a whole.
    fn refused(&self, reason: Reason) -> Self::Fault;

    #[inline(always)]
    fn required(&mut self, attribute: Attribute) -> Result<(), Self::Fault> {
        if self.has(attribute) {
            Ok(())
        } else {
            Err(self.missing(attribute))
        }
    }

    #[inline(always)]
    fn text(&mut self, attribute: Attribute, bytes_max: usize) -> Result<&'a str, Self::Fault> {
        self.required(attribute)?;
        self.text_of(attribute, bytes_max)
    }

    #[inline(always)]
    fn optional_text(&mut self, attribute: Attribute) -> Result<Option<&'a str>, Self::Fault> {
        if self.has(attribute) {
            self.text_of(attribute, TEXT_BYTES_MAX).map(Some)
        } else {
            Ok(None)
        }
    }

    #[inline(always)]
    fn word<T: Word>(
        &mut self,
        attribute: Attribute,
        expected: &'static str,
    ) -> Result<T, Self::Fault> {
        self.required(attribute)?;
        self.word_of(attribute, expected)
    }

    #[inline(always)]
    fn optional_word<T: Word>(
        &mut self,
        attribute: Attribute,
        expected: &'static str,
    ) -> Result<Option<T>, Self::Fault> {
        if self.has(attribute) {
            self.word_of(attribute, expected).map(Some)
        } else {
            Ok(None)
        }
    }

    #[inline(always)]
    fn u64(&mut self, attribute: Attribute) -> Result<u64, Self::Fault> {
        self.required(attribute)?;
        self.number_of(attribute, "a whole number from 0 to 18446744073709551615")
    }

    #[inline(always)]
    fn u32(&mut self, attribute: Attribute) -> Result<u32, Self::Fault> {
        match self.optional_u32(attribute)? {
            Some(number) => Ok(number),
            None => Err(self.missing(attribute)),
        }
    }

    #[inline(always)]
    fn optional_u32(&mut self, attribute: Attribute) -> Result<Option<u32>, Self::Fault> {
        const EXPECTED: &str = "a whole number from 0 to 4294967295";
        if !self.has(attribute) {
            return Ok(None);
        }
        let number = self.number_of(attribute, EXPECTED)?;
        match u32::try_from(number) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(self.not(attribute, EXPECTED)),
        }
    }

    /// A sequence number: from 1.
    #[inline(always)]
    fn optional_sequence(&mut self, attribute: Attribute) -> Result<Option<u64>, Self::Fault> {
        const EXPECTED: &str = "a sequence number, from 1";
        if !self.has(attribute) {
            return Ok(None);
        }
        match self.number_of(attribute, EXPECTED)? {
            0 => Err(self.not(attribute, EXPECTED)),
            number => Ok(Some(number)),
        }
    }

    #[inline(always)]
    fn level(&mut self, attribute: Attribute) -> Result<Level, Self::Fault> {
        self.required(attribute)?;
        self.level_of(attribute)
    }

    #[inline(always)]
    fn timestamp(&mut self, attribute: Attribute) -> Result<Timestamp, Self::Fault> {
        self.required(attribute)?;
        self.timestamp_of(attribute)
    }

    #[inline(always)]
    fn optional_timestamp(
        &mut self,
        attribute: Attribute,
    ) -> Result<Option<Timestamp>, Self::Fault> {
        if self.has(attribute) {
            self.timestamp_of(attribute).map(Some)
        } else {
            Ok(None)
        }
    }
}
