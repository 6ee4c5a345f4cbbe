//! One start tag as a tokeniser found it: where its attribute values lie, by slot. What they mean is read in `rows.rs`.

use super::element::Element;
use super::error::{Reason, quote};
use super::escape::unescape_into;
use crate::limits::ATTRIBUTE_BYTES_MAX;

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
    #[inline]
    pub(super) fn put(&mut self, slot: usize, start: usize, end: usize, escaped: bool) {
        self.present |= 1 << slot;
        self.escaped |= u16::from(escaped) << slot;
        self.values[slot] = (start, end);
    }

    /// Resolves the escapes of the values that have any.
    #[inline]
    pub(super) fn resolve(&mut self, xml: &str) -> Result<(), Fault> {
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
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    /// The tag, resolved.
    pub(super) tag: &'a Tag,
    /// The document.
    pub(super) xml: &'a str,
}

impl<'a> Values<'a> {
    /// The value in `slot`.
    #[inline]
    pub(super) fn raw(self, slot: usize) -> Option<&'a str> {
        let Self { tag, xml } = self;
        if !tag.has(slot) {
            return None;
        }
        let (text, (start, end)) = if tag.escaped & (1 << slot) == 0 {
            (xml, tag.values[slot])
        } else {
            (tag.scratch.as_str(), tag.resolved[slot])
        };
        Some(&text[start..end])
    }

    /// The eight bytes from the beginning of the value in `slot`, and its length, if that is 1 to 8 and the value stands as it is in the document.
    #[inline]
    pub(super) fn chunk(self, slot: usize) -> Option<([u8; 8], usize)> {
        if self.tag.escaped & (1 << slot) != 0 {
            return None;
        }
        let (start, end) = self.tag.values[slot];
        let length = end - start;
        let bytes = self.xml.as_bytes().get(start..)?.first_chunk()?;
        (1..=8).contains(&length).then_some((*bytes, length))
    }

    /// The fault that `slot` has no value.
    #[cold]
    pub(super) fn missing(self, slot: usize) -> Fault {
        Box::new((Some(slot), self.tag.start, Reason::Missing))
    }

    /// The fault that the value in `slot` is not what the schema says.
    #[cold]
    pub(super) fn not(self, slot: usize, expected: &'static str) -> Fault {
        let found = quote(self.raw(slot).unwrap_or_default());
        self.fault(slot, Reason::Value { expected, found })
    }

    /// A fault in the value in `slot`.
    #[cold]
    pub(super) fn fault(self, slot: usize, reason: Reason) -> Fault {
        Box::new((Some(slot), self.tag.values[slot].0, reason))
    }
}

/// The number of an element's attribute of that name.
pub(super) fn slot_of(element: Element, name: &str) -> Option<usize> {
    element
        .attributes()
        .iter()
        .position(|attribute| *attribute == name)
}
