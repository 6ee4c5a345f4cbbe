//! What both tokenisers drive: nesting, order, counts, and the calls of the sink. A tag or an end comes in, rows go out.

use super::element::{Element, Place, alerts, meters, supplies, trays};
use super::error::{ReadError, Reason, quote};
use super::rows;
use super::tag::{Fault, Tag, Values};
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

    /// Takes the start tag of `element`, which the place allows.
    #[inline(always)]
    pub(super) fn open<S: RowSink + ?Sized>(
        &mut self,
        xml: &str,
        element: Element,
        tag: &mut Tag,
        sink: &mut S,
    ) -> Result<(), ReadError> {
        self.count(element)
            .map_err(|reason| self.at_tag(element, tag, reason))?;
        let taken = match tag.resolve(xml) {
            Ok(()) => self.take(element, Values { tag, xml }, sink),
            Err(fault) => Err(fault),
        };
        taken.map_err(|fault| self.at_slot(element, *fault))?;
        self.place = Place::In(element);
        if tag.closed {
            self.close(tag.start, sink)?;
        }
        Ok(())
    }

    /// Takes the end of what is open.
    pub(super) fn close<S: RowSink + ?Sized>(
        &mut self,
        offset: usize,
        sink: &mut S,
    ) -> Result<(), ReadError> {
        let Place::In(element) = self.place else {
            return Err(self.here(
                offset,
                Reason::Syntax("an end tag without a start tag".to_owned()),
            ));
        };
        self.place = match element {
            Element::Report => Place::After,
            Element::Device => {
                if self.rank == 0 {
                    let expected = "identity";
                    let found = "/device".to_owned();
                    return Err(self.here(offset, Reason::Element { found, expected }));
                }
                sink.device_end();
                Place::In(Element::Report)
            }
            other => other.parent(),
        };
        Ok(())
    }

    /// Counts an element that begins, and keeps to order and limits.
    #[inline(always)]
    fn count(&mut self, element: Element) -> Result<(), Reason> {
        let (count, limit, what) = match element {
            Element::Report => return Ok(()),
            Element::Device => {
                self.rank = 0;
                (
                    &mut self.devices,
                    DEVICES_PER_REPORT_MAX,
                    "devices in a report",
                )
            }
            Element::Identity => return self.ranked(element, 1),
            Element::Status => return self.section(element, SectionKind::Status),
            Element::Meters => return self.section(element, SectionKind::Meters),
            Element::Supplies => return self.section(element, SectionKind::Supplies),
            Element::Trays => return self.section(element, SectionKind::Trays),
            Element::Alerts => return self.section(element, SectionKind::Alerts),
            Element::Meter => {
                self.parts = 0;
                (&mut self.rows, METERS_PER_DEVICE_MAX, "meters of a device")
            }
            Element::Part => (&mut self.parts, PARTS_PER_METER_MAX, "parts of a meter"),
            Element::Supply => (
                &mut self.rows,
                SUPPLIES_PER_DEVICE_MAX,
                "supplies of a device",
            ),
            Element::Tray => (&mut self.rows, TRAYS_PER_DEVICE_MAX, "trays of a device"),
            Element::Alert => (&mut self.rows, ALERTS_PER_DEVICE_MAX, "alerts of a device"),
        };
        *count += 1;
        if *count > limit {
            return Err(Reason::Limit { what, limit });
        }
        Ok(())
    }

    fn section(&mut self, element: Element, kind: SectionKind) -> Result<(), Reason> {
        self.rows = 0;
        self.ranked(element, kind as u8 + 2)?;
        if self.unchanged & (1 << kind as u8) != 0 {
            return Err(Reason::NotAllowed(
                "a section that its device calls unchanged",
            ));
        }
        Ok(())
    }

    /// What stands in a device stands there once and in order, the identity first.
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

    /// Reads the values and calls the sink.
    #[inline(always)]
    fn take<S: RowSink + ?Sized>(
        &mut self,
        element: Element,
        values: Values<'_>,
        sink: &mut S,
    ) -> Result<(), Fault> {
        match element {
            Element::Report => {
                let header = rows::header(values)?;
                self.sealed_uptime_ms = header.sealed_uptime_ms;
                sink.header(&header);
            }
            Element::Device => {
                let (row, unchanged) = rows::device(values, self.sealed_uptime_ms)?;
                self.unchanged = unchanged;
                self.is_delta = row.base.is_some();
                sink.device(&row);
            }
            Element::Identity => {
                sink.identity(&rows::identity(values)?);
                for kind in SectionKind::ALL {
                    if self.unchanged & (1 << kind as u8) != 0 {
                        sink.section(kind, SectionState::Unchanged);
                    }
                }
            }
            Element::Status => {
                let row = rows::status(values)?;
                sink.section(SectionKind::Status, SectionState::Read);
                sink.status(&row);
            }
            Element::Meters => {
                sink.section(SectionKind::Meters, self.state(values, meters::ONLY)?);
            }
            Element::Supplies => {
                sink.section(SectionKind::Supplies, self.state(values, supplies::ONLY)?);
            }
            Element::Trays => {
                sink.section(SectionKind::Trays, self.state(values, trays::ONLY)?);
            }
            Element::Alerts => {
                sink.section(SectionKind::Alerts, self.state(values, alerts::ONLY)?);
            }
            Element::Meter => sink.meter(&rows::meter(values)?),
            Element::Part => sink.part(&rows::part(values)?),
            Element::Supply => sink.supply(&rows::supply(values)?),
            Element::Tray => sink.tray(&rows::tray(values)?),
            Element::Alert => sink.alert(&rows::alert(values)?),
        }
        Ok(())
    }

    fn state(&self, values: Values<'_>, only: usize) -> Result<SectionState, Fault> {
        match values.raw(only) {
            None => Ok(SectionState::Read),
            Some("changed") if self.is_delta => Ok(SectionState::Changed),
            Some("changed") => {
                let reason = Reason::NotAllowed("a section of changes without a base");
                Err(values.fault(only, reason))
            }
            Some(_) => Err(values.not(only, "the word changed")),
        }
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

    /// An error in a tag as a whole.
    #[cold]
    fn at_tag(&self, element: Element, tag: &Tag, reason: Reason) -> ReadError {
        ReadError {
            offset: tag.start,
            path: self.path(element),
            reason,
        }
    }

    #[cold]
    fn at_slot(
        &self,
        element: Element,
        (slot, offset, reason): (Option<usize>, usize, Reason),
    ) -> ReadError {
        match slot.and_then(|slot| element.attributes().get(slot)) {
            Some(name) => self.at_attribute(element, name, offset, reason),
            None => ReadError {
                offset,
                path: self.path(element),
                reason,
            },
        }
    }

    /// An error in an attribute.
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
            path: format!("{}/@{}", self.path(element), quote(attribute)),
            reason,
        }
    }

    /// Where `element` stands, with the numbers that were counted.
    fn path(&self, element: Element) -> String {
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
        format!("{above}{}[{number}]", element.name())
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
