//! The tokeniser for what our own writer writes: the order of elements and attributes, quotes and line feeds are known, so it reads as the writer wrote.
//!
//! It never refuses anything: where the bytes are not as the writer writes them, or say what they may not, it stops before the tag, and `general.rs` goes on
//! from there with the same [`Machine`]. Both ask for the same values (`rows.rs`), so both give the same rows.

use super::canonical::{Canonical, Cursor, Stop};
use super::element::{Element, Place};
use super::machine::Machine;
use super::tag::SLOTS_MAX;
use super::write::PROLOG;
use crate::sink::RowSink;

/// Reads from the beginning as far as everything is canonical; says where that ends, between two tags.
pub(super) fn run<S: RowSink + ?Sized>(
    machine: &mut Machine,
    text: &str,
    start: usize,
    sink: &mut S,
) -> usize {
    let mut resolved: [String; SLOTS_MAX] = Default::default();
    let mut reader = Reader {
        cursor: Cursor::new(&text[start..]),
        machine,
        sink,
        resolved: &mut resolved,
    };
    // Where it stopped is all there is to say.
    let _ = reader.report();
    if reader.machine.place == Place::Before {
        // The declaration is the general tokeniser's then.
        return start;
    }
    text.len() - reader.cursor.rest().len()
}

struct Reader<'r, 'a, S: ?Sized> {
    cursor: Cursor<'a>,
    machine: &'r mut Machine,
    sink: &'r mut S,
    resolved: &'r mut [String; SLOTS_MAX],
}

/// What was read where an element could begin.
enum Child {
    /// It is not there.
    Absent,
    /// Its start tag, which is all of it.
    Whole,
    /// Its start tag, which has content behind it.
    Begun,
}

/// Each reads an element from its start to its end, and is made for that element: the names are constants then.
impl<S: RowSink + ?Sized> Reader<'_, '_, S> {
    #[inline(always)]
    fn report(&mut self) -> Result<(), Stop> {
        self.cursor.eat(PROLOG);
        let Child::Begun = self.child(Element::Report)? else {
            return Err(Stop);
        };
        loop {
            self.cursor.eat("\n");
            match self.child(Element::Device)? {
                Child::Begun => self.device()?,
                Child::Absent => return self.end(Element::Report),
                Child::Whole => return Err(Stop),
            }
        }
    }

    #[inline(always)]
    fn device(&mut self) -> Result<(), Stop> {
        if !self.leaf(Element::Identity)? {
            return Err(Stop);
        }
        self.leaf(Element::Status)?;
        if let Child::Begun = self.child(Element::Meters)? {
            self.meters()?;
        }
        self.rows(Element::Supplies, Element::Supply)?;
        self.rows(Element::Trays, Element::Tray)?;
        self.rows(Element::Alerts, Element::Alert)?;
        self.end(Element::Device)
    }

    #[inline(always)]
    fn meters(&mut self) -> Result<(), Stop> {
        loop {
            match self.child(Element::Meter)? {
                Child::Whole => {}
                Child::Begun => {
                    while self.leaf(Element::Part)? {}
                    self.end(Element::Meter)?;
                }
                Child::Absent => return self.end(Element::Meters),
            }
        }
    }

    #[inline(always)]
    fn rows(&mut self, section: Element, row: Element) -> Result<(), Stop> {
        if let Child::Begun = self.child(section)? {
            while self.leaf(row)? {}
            self.end(section)?;
        }
        Ok(())
    }

    /// Reads `element`, which has no content, if it is next.
    #[inline(always)]
    fn leaf(&mut self, element: Element) -> Result<bool, Stop> {
        match self.child(element)? {
            Child::Absent => Ok(false),
            Child::Whole => Ok(true),
            Child::Begun => Err(Stop),
        }
    }

    /// Reads the start tag of `element` if it is next.
    #[inline(always)]
    fn child(&mut self, element: Element) -> Result<Child, Stop> {
        let before = self.cursor.rest();
        if !self.cursor.eat(element.start()) {
            return Ok(Child::Absent);
        }
        let mut values = Canonical {
            cursor: &mut self.cursor,
            may_close: element != Element::Device,
            closed: false,
            resolved: self.resolved.iter_mut(),
        };
        if self.machine.open(element, &mut values, self.sink).is_err() {
            self.cursor.back_to(before);
            return Err(Stop);
        }
        if !values.closed {
            return Ok(Child::Begun);
        }
        self.close(element)?;
        Ok(Child::Whole)
    }

    /// Reads the end tag of `element`, which is open.
    #[inline(always)]
    fn end(&mut self, element: Element) -> Result<(), Stop> {
        if !self.cursor.eat(element.end()) {
            return Err(Stop);
        }
        self.close(element)
    }

    #[inline(always)]
    fn close(&mut self, element: Element) -> Result<(), Stop> {
        self.machine.close(element, self.sink).map_err(|_| Stop)
    }
}
