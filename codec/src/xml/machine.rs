//! What both tokenisers drive: nesting, order, counts, and the calls of the sink. A tag or an end comes in, rows go out.

use super::attributes::Attributes;
use super::element::{Element, Place, alerts, meters, supplies, trays};
use super::error::{ReadError, Reason, quote};
use super::rows;
use crate::limits::{
    ALERTS_PER_DEVICE_MAX, DEVICES_PER_REPORT_MAX, METERS_PER_DEVICE_MAX, PARTS_PER_METER_MAX,
    SUPPLIES_PER_DEVICE_MAX, TRAYS_PER_DEVICE_MAX,
};
use crate::sink::{RowSink, SectionKind, SectionState};

/// Where the reader is in a report.
#[derive(Debug)]
pub(super) struct Machine {
    /// What is open.
    pub(super) place: Place,
    /// Devices so far, the open one included.
    devices: usize,
    /// Rows of the open section so far, the open one included.
    rows: usize,
    /// Parts of the open meter so far.
    parts: usize,
    /// What the open device has had so far: 0 nothing, 1 its identity, then 2 and more a section.
    rank: u8,
    /// The sections that the open device says are unchanged, one bit each.
    unchanged: u8,
    /// Whether the open device has a base.
    is_delta: bool,
    /// From the header.
    sealed_uptime_ms: u64,
}

impl Machine {
    pub(super) const fn new() -> Self {
        Self {
            place: Place::Before,
            devices: 0,
            rows: 0,
            parts: 0,
            rank: 0,
            unchanged: 0,
            is_delta: false,
            sealed_uptime_ms: 0,
        }
    }

    /// Whether the root element was closed.
    pub(super) fn is_done(&self) -> bool {
        self.place == Place::After
    }

    /// Takes the start tag of `element`, which the place allows: reads its values, keeps to order and limits, calls the sink. On a fault nothing happened.
    #[inline(always)]
    pub(super) fn open<'a, A: Attributes<'a>, S: RowSink + ?Sized>(
        &mut self,
        element: Element,
        values: &mut A,
        sink: &mut S,
    ) -> Result<(), A::Fault> {
        match element {
            Element::Report => {
                let header = rows::header(values)?;
                self.enter(element, values)?;
                self.sealed_uptime_ms = header.sealed_uptime_ms;
                sink.header(&header);
            }
            Element::Device => {
                let (row, unchanged) = rows::device(values, self.sealed_uptime_ms)?;
                self.enter(element, values)?;
                self.unchanged = unchanged;
                self.is_delta = row.base.is_some();
                sink.device(&row);
            }
            Element::Identity => {
                let row = rows::identity(values)?;
                self.enter(element, values)?;
                sink.identity(&row);
                for kind in SectionKind::ALL {
                    if self.unchanged & (1 << kind as u8) != 0 {
                        sink.section(kind, SectionState::Unchanged);
                    }
                }
            }
            Element::Status => {
                let row = rows::status(values)?;
                self.enter(element, values)?;
                sink.section(SectionKind::Status, SectionState::Read);
                sink.status(&row);
            }
            Element::Meters | Element::Supplies | Element::Trays | Element::Alerts => {
                let (kind, only) = match element {
                    Element::Meters => (SectionKind::Meters, meters::ONLY),
                    Element::Supplies => (SectionKind::Supplies, supplies::ONLY),
                    Element::Trays => (SectionKind::Trays, trays::ONLY),
                    _ => (SectionKind::Alerts, alerts::ONLY),
                };
                let state = rows::section(values, only, self.is_delta)?;
                self.enter(element, values)?;
                sink.section(kind, state);
            }
            Element::Meter => {
                let row = rows::meter(values)?;
                self.enter(element, values)?;
                sink.meter(&row);
            }
            Element::Part => {
                let row = rows::part(values)?;
                self.enter(element, values)?;
                sink.part(&row);
            }
            Element::Supply => {
                let row = rows::supply(values)?;
                self.enter(element, values)?;
                sink.supply(&row);
            }
            Element::Tray => {
                let row = rows::tray(values)?;
                self.enter(element, values)?;
                sink.tray(&row);
            }
            Element::Alert => {
                let row = rows::alert(values)?;
                self.enter(element, values)?;
                sink.alert(&row);
            }
        }
        Ok(())
    }

    /// Takes the end of the start tag, and counts the element if order and limits allow it.
    #[inline(always)]
    fn enter<'a, A: Attributes<'a>>(
        &mut self,
        element: Element,
        values: &mut A,
    ) -> Result<(), A::Fault> {
        values.end()?;
        self.count(element)
            .map_err(|reason| values.refused(reason))?;
        self.place = Place::In(element);
        Ok(())
    }

    /// Takes the end of `element`, which is open.
    #[inline(always)]
    pub(super) fn close<S: RowSink + ?Sized>(
        &mut self,
        element: Element,
        sink: &mut S,
    ) -> Result<(), Reason> {
        self.place = match element {
            Element::Report => Place::After,
            Element::Device if self.rank == 0 => {
                let expected = "identity";
                let found = "/device".to_owned();
                return Err(Reason::Element { found, expected });
            }
            other => other.parent(),
        };
        if element == Element::Device {
            sink.device_end();
        }
        Ok(())
    }

    /// Counts an element that begins. One that order or limits do not allow changes nothing.
    #[inline(always)]
    fn count(&mut self, element: Element) -> Result<(), Reason> {
        let (count, limit, what) = match element {
            Element::Report => return Ok(()),
            Element::Device => (
                &mut self.devices,
                DEVICES_PER_REPORT_MAX,
                "devices in a report",
            ),
            Element::Identity => return self.ranked(element, 1),
            Element::Status => return self.section(element, SectionKind::Status),
            Element::Meters => return self.section(element, SectionKind::Meters),
            Element::Supplies => return self.section(element, SectionKind::Supplies),
            Element::Trays => return self.section(element, SectionKind::Trays),
            Element::Alerts => return self.section(element, SectionKind::Alerts),
            Element::Meter => (&mut self.rows, METERS_PER_DEVICE_MAX, "meters of a device"),
            Element::Part => (&mut self.parts, PARTS_PER_METER_MAX, "parts of a meter"),
            Element::Supply => (
                &mut self.rows,
                SUPPLIES_PER_DEVICE_MAX,
                "supplies of a device",
            ),
            Element::Tray => (&mut self.rows, TRAYS_PER_DEVICE_MAX, "trays of a device"),
            Element::Alert => (&mut self.rows, ALERTS_PER_DEVICE_MAX, "alerts of a device"),
        };
        if *count >= limit {
            return Err(Reason::Limit { what, limit });
        }
        *count += 1;
        match element {
            Element::Device => self.rank = 0,
            Element::Meter => self.parts = 0,
            _ => {}
        }
        Ok(())
    }

    #[inline(always)]
    fn section(&mut self, element: Element, kind: SectionKind) -> Result<(), Reason> {
        if self.unchanged & (1 << kind as u8) != 0 {
            return Err(Reason::NotAllowed(
                "a section that its device calls unchanged",
            ));
        }
        self.ranked(element, kind as u8 + 2)?;
        self.rows = 0;
        Ok(())
    }

    /// What stands in a device stands there once and in order, the identity first.
    #[inline(always)]
    fn ranked(&mut self, element: Element, rank: u8) -> Result<(), Reason> {
        if rank <= self.rank || (self.rank == 0 && rank != 1) {
            return Err(Reason::Element {
                found: element.name().to_owned(),
                expected: expected(Place::In(Element::Device)),
            });
        }
        self.rank = rank;
        Ok(())
    }

    /// The error that `name` has no place here.
    #[cold]
    pub(super) fn misplaced(&self, offset: usize, name: &str) -> ReadError {
        let reason = Reason::Element {
            found: quote(name),
            expected: expected(self.place),
        };
        self.here(offset, reason)
    }

    /// An error in what is open.
    #[cold]
    pub(super) fn here(&self, offset: usize, reason: Reason) -> ReadError {
        let path = match self.place {
            Place::Before | Place::After => String::new(),
            Place::In(element) => self.path(element),
        };
        ReadError {
            offset,
            path,
            reason,
        }
    }

    /// An error in the start tag of `element`, which is not taken.
    #[cold]
    pub(super) fn in_tag(
        &self,
        element: Element,
        (slot, offset, reason): (Option<usize>, usize, Reason),
    ) -> ReadError {
        match slot.and_then(|slot| element.attributes().get(slot)) {
            Some(name) => self.at_attribute(element, name, offset, reason),
            None => ReadError {
                offset,
                path: self.next_path(element),
                reason,
            },
        }
    }

    /// An error in an attribute of the start tag of `element`, which is not taken.
    #[cold]
    pub(super) fn at_attribute(
        &self,
        element: Element,
        attribute: &str,
        offset: usize,
        reason: Reason,
    ) -> ReadError {
        ReadError {
            offset,
            path: format!("{}/@{}", self.next_path(element), quote(attribute)),
            reason,
        }
    }

    /// Where `element`, which is open or around what is, stands: with the numbers that were counted.
    fn path(&self, element: Element) -> String {
        self.numbered(element, 0)
    }

    /// Where `element` stands that is about to be opened and was not counted yet.
    fn next_path(&self, element: Element) -> String {
        self.numbered(element, 1)
    }

    fn numbered(&self, element: Element, more: usize) -> String {
        let above = match element.parent() {
            Place::In(parent) => self.path(parent) + "/",
            Place::Before | Place::After => String::new(),
        };
        let number = match element {
            Element::Device => self.devices,
            Element::Meter | Element::Supply | Element::Tray | Element::Alert => self.rows,
            Element::Part => self.parts,
            _ => return above + element.name(),
        };
        format!("{above}{}[{}]", element.name(), number + more)
    }
}

/// What may stand at a place, for people.
const fn expected(place: Place) -> &'static str {
    match place {
        Place::Before => "report",
        Place::After => "the end of the document",
        Place::In(Element::Report) => "device",
        Place::In(Element::Device) => {
            "identity, then status, meters, supplies, trays and alerts, each once at most and in this order"
        }
        Place::In(Element::Meters) => "meter",
        Place::In(Element::Meter) => "part",
        Place::In(Element::Supplies) => "supply",
        Place::In(Element::Trays) => "tray",
        Place::In(Element::Alerts) => "alert",
        Place::In(
            Element::Identity
            | Element::Status
            | Element::Part
            | Element::Supply
            | Element::Tray
            | Element::Alert,
        ) => "no element",
    }
}
