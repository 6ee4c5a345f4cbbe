//! Every bound of this crate, with its reason. A reader refuses what is beyond them; the writer keeps to those of text.
//!
//! The schema (`schema/report.xsd`) says the same numbers; a test holds the two together.

/// The version of the schema that is written. A reader takes this one and all earlier ones.
pub const SCHEMA_VERSION: u32 = 1;

/// The most bytes a report may inflate to: [`DEVICES_PER_REPORT_MAX`] full reports of 4 kB, and as much again for long descriptions.
pub const INFLATED_BYTES_MAX: usize = 80 << 20;

/// The most bytes of a sealed report: what a full one deflates to stays far below; what is above is no report.
pub const SEALED_BYTES_MAX: usize = 16 << 20;

/// The most bytes of buffer that an inflater keeps when the next body needs less: reports of 100 devices inflate to some 400 kB; a backlog's large ones
/// should not hold their memory for ever.
pub const INFLATER_RETAINED_BYTES_MAX: usize = 8 << 20;

pub use crate::model::DEVICES_PER_REPORT_MAX;

/// The longest text, in bytes of UTF-8 after escapes are resolved: `DisplayString (SIZE (0..255))` is the longest text that the printer
/// MIBs know, and each of its characters may need four bytes. The writer cuts longer text at a character; a reader refuses it.
pub const TEXT_BYTES_MAX: usize = 1024;

/// The longest attribute value as written, in bytes: a text of the longest, each character escaped (`&#xFFFD;`).
pub const ATTRIBUTE_BYTES_MAX: usize = 8 * TEXT_BYTES_MAX;

/// The longest dotted OID, in bytes: 128 arcs (RFC 3416) of two digits and a dot; none that Platen asks for comes near.
pub const OID_BYTES_MAX: usize = 384;

/// The longest handle of a device, in bytes: an address, a name or a number of the agent's.
pub const HANDLE_BYTES_MAX: usize = 128;

/// The longest version text of an agent program, in bytes.
pub const PROGRAM_BYTES_MAX: usize = 128;

/// The most meters of one device: the richest profile has some 60; by size and side a production printer may have ten times that.
pub const METERS_PER_DEVICE_MAX: usize = 1024;

/// The most parts of one computed meter: the longest sum of a profile adds some 20 counters.
pub const PARTS_PER_METER_MAX: usize = 64;

/// The most supplies of one device: a wide-format printer with 12 inks, heads and wastes has some 40.
pub const SUPPLIES_PER_DEVICE_MAX: usize = 256;

/// The most input trays of one device: finishers and decks make some 15.
pub const TRAYS_PER_DEVICE_MAX: usize = 256;

/// The most standing alerts of one device: tables of a few hundred rows exist, since some printers never clear theirs.
pub const ALERTS_PER_DEVICE_MAX: usize = 1024;

/// The deepest nesting, in elements: report, device, meters, meter, part.
pub const DEPTH_MAX: usize = 5;

/// The most bytes of foreign input that an error quotes.
pub const QUOTED_BYTES_MAX: usize = 60;
