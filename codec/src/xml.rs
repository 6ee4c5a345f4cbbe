//! A report as XML, schema version 1 (`schema/report.xsd`): one canonical writer, one strict reader.
//!
//! - **Written**: UTF-8, one line per device, attributes in a fixed order, absent values left out. The same report gives the same bytes.
//!   Characters that XML 1.0 cannot say (most control characters, U+FFFE, U+FFFF) are written as U+FFFD.
//! - **Read**: everything that the schema allows, however another program wrote it (order of attributes, quotes, white space, comments,
//!   character references); no DTD, no entities but the five, no processing instructions, UTF-8 only. Unknown elements and attributes are
//!   refused: they belong to a newer schema, which has another version number.
//!
//! Inside, a machine knows what may follow what, and asks each start tag for its values in canonical order. There are two readers that answer: `fast`
//! for what our writer writes (the value that is asked for is the next one, or not there), and `general` (quick-xml) for all that is valid; the first
//! hands over to the second wherever it meets something else. [`differential`] holds them together.
//!
//! ```text
//! prelude ── text ──▶ fast ────▶ canonical ──┐
//!                      │                     ├─ attributes ──▶ machine, rows ──▶ RowSink
//!                      ▼                     │
//!                   general ──▶ tag ─────────┘
//! ```

mod attributes;
mod canonical;
mod differential;
mod element;
mod error;
mod escape;
mod fast;
mod general;
mod machine;
mod number;
mod prelude;
mod rows;
mod tag;
#[cfg(test)]
mod tests;
mod words;
mod write;

pub use differential::{differential, push_rows_general};
pub use error::{ReadError, Reason};
pub use escape::sayable;
pub use write::{write_begin, write_device, write_end, write_report};

use crate::model::{Header, Report};
use crate::sink::{ReportBuilder, RowSink};
use machine::Machine;

/// Reads a report whole. For tools and tests; the manager's hot path is [`push_rows`].
///
/// # Errors
/// [`ReadError`] with the place and the reason.
pub fn read_report(xml: &[u8]) -> Result<Report, ReadError> {
    let mut builder = ReportBuilder::new();
    push_rows(xml, &mut builder)?;
    Ok(builder
        .finish()
        .expect("a report that was read has a header"))
}

/// Reads the head of a report; of what follows it, only the characters are looked at.
///
/// # Errors
/// [`ReadError`] with the place and the reason.
pub fn read_header(xml: &[u8]) -> Result<Header, ReadError> {
    let (text, start) = prelude::check(xml)?;
    prelude::check_characters(text)?;
    let mut builder = ReportBuilder::new();
    general::run_header(&mut Machine::new(), text, start, &mut builder)?;
    let report = builder.finish().expect("the head was read");
    Ok(report.header)
}

/// Reads a report and pushes its rows into `sink`, borrowing from `xml`. On an error, throw away what the sink got.
///
/// # Errors
/// [`ReadError`] with the place and the reason.
pub fn push_rows<S: RowSink + ?Sized>(xml: &[u8], sink: &mut S) -> Result<(), ReadError> {
    let (text, start) = prelude::check(xml)?;
    let mut machine = Machine::new();
    let at = fast::run(&mut machine, text, start, sink);
    // The fast tokeniser stops at control characters; all other characters that XML does not allow (U+FFFE and U+FFFF) begin with this byte.
    let is_whole = machine.is_done() && matches!(&text[at..], "\n" | "");
    if is_whole && memchr::memchr(0xef, text.as_bytes()).is_none() {
        return Ok(());
    }
    // A character that XML does not allow goes before any other fault, as in the general tokeniser.
    prelude::check_characters(text)?;
    general::run(&mut machine, text, at, sink)
}
