//! The two tokenisers side by side: they must agree on every input, rows and errors.

use super::error::{ReadError, Reason};
use super::machine::Machine;
use super::{general, prelude, push_rows};
use crate::sink::{
    AlertRow, DeviceRow, HeaderRow, IdentityRow, MeterRow, PartRow, RowSink, SectionKind,
    SectionState, StatusRow, SupplyRow, TrayRow,
};

/// Like [`push_rows`], by the general tokeniser alone: what the fast one is measured and tested against.
///
/// # Errors
/// [`ReadError`] with the place and the reason; always what [`push_rows`] says.
pub fn push_rows_general<S: RowSink + ?Sized>(xml: &[u8], sink: &mut S) -> Result<(), ReadError> {
    let (text, start) = prelude::check(xml)?;
    prelude::check_characters(text)?;
    general::run(&mut Machine::new(), text, start, sink)
}

/// Reads `xml` both ways and compares every row and the error; returns how many rows there were. For tests and fuzzing.
///
/// # Panics
/// When the two do not agree: that is a bug of this crate.
pub fn differential(xml: &[u8]) -> usize {
    let (mut fast, mut general) = (Trace::default(), Trace::default());
    let results = (
        push_rows(xml, &mut fast),
        push_rows_general(xml, &mut general),
    );
    assert_eq!(
        results.0, results.1,
        "the tokenisers disagree on the result"
    );
    // A forbidden character is found by one before the first row and by the other after the last; of a report that is refused nothing counts.
    if !matches!(&results.0, Err(error) if matches!(error.reason, Reason::Character(_))) {
        assert_eq!(
            fast.events, general.events,
            "the tokenisers disagree on the rows"
        );
    }
    fast.events.len()
}

/// Every event as text.
#[derive(Default)]
struct Trace {
    events: Vec<String>,
}

impl Trace {
    fn add(&mut self, event: &dyn std::fmt::Debug) {
        self.events.push(format!("{event:?}"));
    }
}

impl RowSink for Trace {
    fn header(&mut self, header: &HeaderRow<'_>) {
        self.add(header);
    }

    fn device(&mut self, device: &DeviceRow<'_>) {
        self.add(device);
    }

    fn identity(&mut self, identity: &IdentityRow<'_>) {
        self.add(identity);
    }

    fn section(&mut self, kind: SectionKind, state: SectionState) {
        self.add(&(kind, state));
    }

    fn status(&mut self, status: &StatusRow<'_>) {
        self.add(status);
    }

    fn meter(&mut self, meter: &MeterRow<'_>) {
        self.add(meter);
    }

    fn part(&mut self, part: &PartRow<'_>) {
        self.add(part);
    }

    fn supply(&mut self, supply: &SupplyRow<'_>) {
        self.add(supply);
    }

    fn tray(&mut self, tray: &TrayRow<'_>) {
        self.add(tray);
    }

    fn alert(&mut self, alert: &AlertRow<'_>) {
        self.add(alert);
    }

    fn device_end(&mut self) {
        self.add(&"device_end");
    }
}
