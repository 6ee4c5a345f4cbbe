//! The tokeniser for what our own writer writes: attribute order, quotes and line feeds are known, so a tag is a few comparisons.
//!
//! It never refuses anything: where the bytes are not as the writer writes them it stops before the tag, and `general.rs` goes on from there with
//! the same [`Machine`]. Values are not looked into here, so both give the same rows and the same errors.

use super::element::{Element, Place};
use super::error::ReadError;
use super::machine::Machine;
use super::tag::Tag;
use super::write::PROLOG;
use crate::limits::SCHEMA_VERSION;
use crate::sink::RowSink;

/// The root as the writer begins it. Of another version nothing is known here: what a newer one may have is not looked into, only refused.
const ROOT: &[u8; 20] = b"<report version=\"1\" ";
const _: () = assert!(SCHEMA_VERSION == 1, "the version in ROOT");

/// Reads on from `cursor` as far as everything is canonical, and leaves it between two tags.
pub(super) fn run<S: RowSink + ?Sized>(
    machine: &mut Machine,
    cursor: &mut Cursor<'_>,
    sink: &mut S,
) -> Result<(), ReadError> {
    let mut tag = Tag::default();
    let beginning = cursor.at;
    cursor.eat(PROLOG);
    while let Some(element) = cursor.element(machine, sink)? {
        let taken = element.dispatch(
            #[inline(always)]
            |element| step(machine, cursor, &mut tag, element, sink),
        )?;
        if !taken {
            break;
        }
    }
    if machine.place == Place::Before {
        // The declaration is the general tokeniser's then.
        cursor.at = beginning;
    }
    Ok(())
}

/// Takes the start tag of `element`, whose name is next; or takes nothing and says so.
#[inline(always)]
fn step<S: RowSink + ?Sized>(
    machine: &mut Machine,
    cursor: &mut Cursor<'_>,
    tag: &mut Tag,
    element: Element,
    sink: &mut S,
) -> Result<bool, ReadError> {
    let start = cursor.at;
    tag.begin(start);
    cursor.at += 1 + element.name().len();
    if element.scan(cursor, tag).is_none() || !cursor.end_of_tag(tag) {
        cursor.at = start;
        return Ok(false);
    }
    machine.open(cursor.text, element, tag, sink)?;
    Ok(true)
}

/// A place in the document.
pub(super) struct Cursor<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

/// The high bit of each byte of `word` that ends a plain value: below 0x20, `"`, `&` or `<`. Above the lowest that is set there may be wrong ones.
#[inline(always)]
const fn ends(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    // A byte that is zero borrows into its high bit, unless it had one.
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    // `"` and `&` differ in one bit.
    let quote_or_and = (word & !(ONES * 0x04)) ^ (ONES * 0x22);
    let less = word ^ (ONES * 0x3c);
    let quote_or_and = quote_or_and.wrapping_sub(ONES) & !quote_or_and;
    let less = less.wrapping_sub(ONES) & !less;
    (control | quote_or_and | less) & HIGHS
}

/// The same of fewer than eight bytes, after which the document ends as a value may not.
#[cold]
#[inline(never)]
fn ends_at_end(rest: &[u8]) -> u64 {
    let mut bytes = [b'<'; 8];
    bytes[..rest.len()].copy_from_slice(rest);
    ends(u64::from_le_bytes(bytes))
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str, at: usize) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at,
        }
    }

    /// Where it is, in bytes.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// What is still to be read.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Whether another attribute may follow.
    #[inline(always)]
    pub(super) fn has_more(&self) -> bool {
        self.bytes.get(self.at) == Some(&b' ')
    }

    /// Steps over the end of a start tag.
    #[inline]
    fn end_of_tag(&mut self, tag: &mut Tag) -> bool {
        tag.closed = self.eat(b"/>");
        tag.closed || self.eat(b">")
    }

    /// Steps over `literal` if it is next. Its length is known when this is compiled, so that a few whole words are compared.
    #[inline(always)]
    pub(super) fn eat<const N: usize>(&mut self, literal: &[u8; N]) -> bool {
        let next = self.next_is(literal);
        if next {
            self.at += N;
        }
        next
    }

    /// Steps over a value and its closing quote, and puts it into `slot`.
    ///
    /// Eight bytes at a time. The next tag cannot be looked at before this one's end is known, so what counts is how soon it is: whole words are sooner
    /// than sixteen bytes in a vector, or a call of `memchr`.
    #[inline(always)]
    pub(super) fn value(&mut self, tag: &mut Tag, slot: usize) -> Option<()> {
        let start = self.at;
        let mut at = start;
        let mut escaped = false;
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let ends = match rest.first_chunk() {
                Some(bytes) => ends(u64::from_le_bytes(*bytes)),
                None => ends_at_end(rest),
            };
            if ends == 0 {
                at += 8;
                continue;
            }
            at += (ends.trailing_zeros() / 8) as usize;
            match self.bytes.get(at)? {
                b'"' => break,
                b'&' => {
                    escaped = true;
                    at += 1;
                }
                _ => return None,
            }
        }
        tag.put(slot, start, at, escaped);
        self.at = at + 1;
        Some(())
    }

    /// Steps over line feeds and end tags to the next start tag that the writer would put here; stands before it then. `None` where there is none.
    #[inline]
    fn element<S: RowSink + ?Sized>(
        &mut self,
        machine: &mut Machine,
        sink: &mut S,
    ) -> Result<Option<Element>, ReadError> {
        loop {
            let Place::In(open) = machine.place else {
                let root = machine.place == Place::Before && self.next_is(ROOT);
                return Ok(root.then_some(Element::Report));
            };
            if open == Element::Report {
                self.eat(b"\n");
            }
            let end = self.at;
            let (child, is_end): (Option<Element>, bool) = match open {
                Element::Report => (
                    self.child(b"<device ", Element::Device),
                    self.eat(b"</report>"),
                ),
                Element::Device => (self.section(), self.eat(b"</device>")),
                Element::Meters => (
                    self.child(b"<meter ", Element::Meter),
                    self.eat(b"</meters>"),
                ),
                Element::Meter => (self.child(b"<part ", Element::Part), self.eat(b"</meter>")),
                Element::Supplies => (
                    self.child(b"<supply ", Element::Supply),
                    self.eat(b"</supplies>"),
                ),
                Element::Trays => (self.child(b"<tray ", Element::Tray), self.eat(b"</trays>")),
                Element::Alerts => (
                    self.child(b"<alert ", Element::Alert),
                    self.eat(b"</alerts>"),
                ),
                _ => (None, false),
            };
            if !is_end {
                return Ok(child);
            }
            machine.close(end, sink)?;
        }
    }

    #[inline(always)]
    fn next_is<const N: usize>(&self, literal: &[u8; N]) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        rest.first_chunk::<N>() == Some(literal)
    }

    #[inline(always)]
    fn child<const N: usize>(&self, literal: &[u8; N], element: Element) -> Option<Element> {
        self.next_is(literal).then_some(element)
    }

    #[inline]
    fn section(&self) -> Option<Element> {
        let element = match self.bytes.get(self.at + 1)? {
            b'i' => Element::Identity,
            b's' if self.next_is(b"<st") => Element::Status,
            b's' => Element::Supplies,
            b'm' => Element::Meters,
            b't' => Element::Trays,
            b'a' => Element::Alerts,
            _ => return None,
        };
        let is_it = match element {
            Element::Identity => self.next_is(b"<identity"),
            Element::Status => self.next_is(b"<status"),
            Element::Supplies => self.next_is(b"<supplies"),
            Element::Meters => self.next_is(b"<meters"),
            Element::Trays => self.next_is(b"<trays"),
            _ => self.next_is(b"<alerts"),
        };
        is_it.then_some(element)
    }
}
