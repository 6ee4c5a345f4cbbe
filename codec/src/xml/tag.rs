//! One start tag as a tokeniser found it: where its attribute values lie, by slot. What they mean is read in `rows.rs`.

use super::element::Element;
use super::error::{Reason, quote};
use super::escape::unescape_into;
use crate::limits::ATTRIBUTE_BYTES_MAX;

/// The most attributes of any element (`identity`).
pub(super) const SLOTS_MAX: usize = 14;

/// A range of bytes. Reports are shorter than 4 GiB (`INFLATED_BYTES_MAX`), so 32 bits hold any offset.
type Span = (u32, u32);

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
    /// Where those of `escaped` lie in the scratch text, once resolved.
    resolved: [Span; SLOTS_MAX],
}

/// What is wrong with a tag: the slot, if it is one's value, the offset in the document, and the reason. Boxed, since it is rare.
pub(super) type Fault = Box<(Option<usize>, usize, Reason)>;

fn span(start: usize, end: usize) -> Span {
    let narrow =
        |at: usize| u32::try_from(at).expect("documents and scratch are shorter than 4 GiB");
    (narrow(start), narrow(end))
}

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
        self.values[slot] = span(start, end);
    }

    /// Resolves the escapes of the values that have any, into `scratch`.
    pub(super) fn resolve(&mut self, xml: &str, scratch: &mut String) -> Result<(), Fault> {
        if self.escaped == 0 {
            return Ok(());
        }
        scratch.clear();
        for slot in 0..SLOTS_MAX {
            if self.escaped & (1 << slot) == 0 {
                continue;
            }
            let (start, end) = self.values[slot];
            let raw = &xml[start as usize..end as usize];
            let fault = |at: usize, reason| Box::new((Some(slot), start as usize + at, reason));
            if raw.len() > ATTRIBUTE_BYTES_MAX {
                let limit = ATTRIBUTE_BYTES_MAX;
                let what = "bytes in an attribute value";
                return Err(fault(0, Reason::Limit { what, limit }));
            }
            let from = scratch.len();
            unescape_into(raw, scratch).map_err(|(at, reason)| fault(at, reason))?;
            self.resolved[slot] = span(from, scratch.len());
        }
        Ok(())
    }
}

/// A tag with the texts that its values lie in.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    /// The tag, resolved.
    pub(super) tag: &'a Tag,
    /// The document.
    pub(super) xml: &'a str,
    /// What [`Tag::resolve`] filled.
    pub(super) scratch: &'a str,
}

impl<'a> Values<'a> {
    /// The value in `slot`.
    #[inline]
    pub(super) fn raw(self, slot: usize) -> Option<&'a str> {
        let Self { tag, xml, scratch } = self;
        if !tag.has(slot) {
            return None;
        }
        let (text, (start, end)) = if tag.escaped & (1 << slot) == 0 {
            (xml, tag.values[slot])
        } else {
            (scratch, tag.resolved[slot])
        };
        Some(&text[start as usize..end as usize])
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
        Box::new((Some(slot), self.tag.values[slot].0 as usize, reason))
    }
}

/// The number of an element's attribute of that name.
pub(super) fn slot_of(element: Element, name: &str) -> Option<usize> {
    element
        .attributes()
        .iter()
        .position(|attribute| *attribute == name)
}
