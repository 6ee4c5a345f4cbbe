//! One start tag as the general tokeniser found it: where its attribute values lie, by slot.

use super::attributes::{Attribute, Attributes};
use super::element::Element;
use super::error::{Reason, quote};
use super::escape::unescape_into;
use super::number::{decimal, level, signed};
use super::words::Word;
use crate::limits::ATTRIBUTE_BYTES_MAX;
use crate::model::Level;
use crate::time::Timestamp;

/// The most attributes of any element (`identity`).
pub(super) const SLOTS_MAX: usize = 14;

/// Where a value begins and ends, in bytes.
type Span = (usize, usize);

/// A start tag. Kept and reused, so that nothing is made anew per tag.
#[derive(Debug, Default)]
pub(super) struct Tag {
    /// Where it begins, in bytes from the beginning of the document.
    pub(super) start: usize,
    /// Whether it has no content (`<meter/>`).
    pub(super) closed: bool,
    /// Which slots have a value.
    present: u16,
    /// Which of them need their escapes resolved, or white space normalised.
    escaped: u16,
    /// Where the values lie in the document.
    values: [Span; SLOTS_MAX],
    /// What those of `escaped` mean, one after the other, once resolved; and where each lies in it.
    scratch: String,
    resolved: [Span; SLOTS_MAX],
}

/// What is wrong with a tag: the slot, if it is one's value, the offset in the document, and the reason. Boxed, since it is rare.
pub(super) type Fault = Box<(Option<usize>, usize, Reason)>;

impl Tag {
    /// Begins a new tag.
    pub(super) fn begin(&mut self, start: usize) {
        self.start = start;
        self.present = 0;
        self.escaped = 0;
    }

    /// Whether `slot` has a value.
    pub(super) const fn has(&self, slot: usize) -> bool {
        self.present & (1 << slot) != 0
    }

    /// Puts the value at `start..end` of the document into `slot`.
    pub(super) fn put(&mut self, slot: usize, start: usize, end: usize, escaped: bool) {
        self.present |= 1 << slot;
        self.escaped |= u16::from(escaped) << slot;
        self.values[slot] = (start, end);
    }

    /// Resolves the escapes of the values that have any.
    fn resolve(&mut self, xml: &str) -> Result<(), Fault> {
        if self.escaped == 0 {
            return Ok(());
        }
        self.resolve_escaped(xml)
    }

    #[cold]
    fn resolve_escaped(&mut self, xml: &str) -> Result<(), Fault> {
        self.scratch.clear();
        for slot in 0..SLOTS_MAX {
            if self.escaped & (1 << slot) == 0 {
                continue;
            }
            let (start, end) = self.values[slot];
            let raw = &xml[start..end];
            let fault = |at: usize, reason| Box::new((Some(slot), start + at, reason));
            if raw.len() > ATTRIBUTE_BYTES_MAX {
                let limit = ATTRIBUTE_BYTES_MAX;
                let what = "bytes in an attribute value";
                return Err(fault(0, Reason::Limit { what, limit }));
            }
            let from = self.scratch.len();
            unescape_into(raw, &mut self.scratch).map_err(|(at, reason)| fault(at, reason))?;
            self.resolved[slot] = (from, self.scratch.len());
        }
        Ok(())
    }
}

/// A tag with the document that its values lie in.
pub(super) struct Values<'a> {
    /// The tag, resolved.
    tag: &'a Tag,
    /// The document.
    xml: &'a str,
}

impl<'a> Values<'a> {
    /// The values of `tag`, its escapes resolved.
    pub(super) fn new(tag: &'a mut Tag, xml: &'a str) -> Result<Self, Fault> {
        tag.resolve(xml)?;
        Ok(Self { tag, xml })
    }

    fn raw(&self, attribute: Attribute) -> &'a str {
        let Self { tag, xml } = self;
        let slot = attribute.slot;
        let (text, (start, end)) = if tag.escaped & (1 << slot) == 0 {
            (*xml, tag.values[slot])
        } else {
            (tag.scratch.as_str(), tag.resolved[slot])
        };
        &text[start..end]
    }
}

impl<'a> Attributes<'a> for Values<'a> {
    type Fault = Fault;

    fn has(&mut self, attribute: Attribute) -> bool {
        self.tag.has(attribute.slot)
    }

    fn is_last(&self) -> bool {
        false
    }

    fn text_of(&mut self, attribute: Attribute, bytes_max: usize) -> Result<&'a str, Fault> {
        let text = self.raw(attribute);
        if text.len() > bytes_max {
            let what = "bytes of text";
            let limit = bytes_max;
            return Err(self.fault(attribute, Reason::Limit { what, limit }));
        }
        Ok(text)
    }

    fn number_of(&mut self, attribute: Attribute, expected: &'static str) -> Result<u64, Fault> {
        decimal(self.raw(attribute).as_bytes()).ok_or_else(|| self.not(attribute, expected))
    }

    fn signed_of(&mut self, attribute: Attribute) -> Result<i64, Fault> {
        signed(self.raw(attribute).as_bytes())
            .ok_or_else(|| self.not(attribute, "a whole number of 64 bits with sign"))
    }

    fn word_of<T: Word>(
        &mut self,
        attribute: Attribute,
        expected: &'static str,
    ) -> Result<T, Fault> {
        T::from_word(self.raw(attribute)).ok_or_else(|| self.not(attribute, expected))
    }

    fn level_of(&mut self, attribute: Attribute) -> Result<Level, Fault> {
        level(self.raw(attribute).as_bytes()).ok_or_else(|| {
            let expected = "a level (an amount, per cent as 12%, some, unknown or unlimited)";
            self.not(attribute, expected)
        })
    }

    fn timestamp_of(&mut self, attribute: Attribute) -> Result<Timestamp, Fault> {
        let expected = "a UTC timestamp of the form 2026-11-21T10:41:00.000Z";
        Timestamp::parse_bytes(self.raw(attribute).as_bytes())
            .map_err(|_| self.not(attribute, expected))
    }

    fn end(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    #[cold]
    fn missing(&self, attribute: Attribute) -> Fault {
        Box::new((Some(attribute.slot), self.tag.start, Reason::Missing))
    }

    #[cold]
    fn not(&self, attribute: Attribute, expected: &'static str) -> Fault {
        let found = quote(self.raw(attribute));
        self.fault(attribute, Reason::Value { expected, found })
    }

    #[cold]
    fn fault(&self, attribute: Attribute, reason: Reason) -> Fault {
        let slot = attribute.slot;
        Box::new((Some(slot), self.tag.values[slot].0, reason))
    }

    #[cold]
    fn refused(&self, reason: Reason) -> Fault {
        Box::new((None, self.tag.start, reason))
    }
}

/// The number of an element's attribute of that name.
pub(super) fn slot_of(element: Element, name: &str) -> Option<usize> {
    element
        .attributes()
        .iter()
        .position(|attribute| *attribute == name)
}
