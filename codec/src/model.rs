//! The words: what an agent says about a device. Names follow RFC 3805 (Printer MIB v2), RFC 2790 and PWG 5106.1.
//!
//! These types own their text and serialise as the JSON of the design page. The hot path of the manager does not build
//! them: it reads the XML straight into columns.

mod words;

use serde::{Deserialize, Serialize};

use crate::id::AgentId;
use crate::key::{SpoolEpoch, Stream};
use crate::time::Timestamp;

pub use words::*;

/// How much is left: the sentinels -1, -2 and -3 of RFC 3805 become words here and are never numbers again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// That many of the supply's unit, out of its capacity where that is known.
    Amount(u32),
    /// Per cent of the whole; above 100 is kept as the device said it.
    Percent(u32),
    /// At least one unit remains, how many is not known (-3).
    Some,
    /// The device does not know (-2).
    Unknown,
    /// No restriction (-1).
    Unlimited,
}

/// What was read of one part of a device at one poll. Unchanged, not read and not reported are three different things.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Section<T> {
    /// The poll did not ask, or got no answer: nothing is known and nothing is confirmed.
    #[default]
    NotRead,
    /// It was read and is what the report's base said: the values are confirmed (Rules 4 and 5). Only in deltas.
    Unchanged,
    /// It was read, and these rows differ from the base's rows of the same key, or are new; every other row of the base stands
    /// confirmed. Only of lists, only in deltas; [`crate::delta`] says what the keys are.
    Changed(T),
    /// It was read: this is all there is. An empty list means that the device has none.
    Read(T),
}

impl<T> Section<T> {
    /// All that was read, if the report says all of it.
    pub const fn read(&self) -> Option<&T> {
        match self {
            Self::Read(value) => Some(value),
            Self::NotRead | Self::Unchanged | Self::Changed(_) => None,
        }
    }

    /// Whether it was read and is as in the base.
    #[must_use]
    pub const fn is_unchanged(&self) -> bool {
        matches!(self, Self::Unchanged)
    }

    /// Whether the poll did not read it.
    #[must_use]
    pub const fn is_not_read(&self) -> bool {
        matches!(self, Self::NotRead)
    }
}

impl<T: Serialize> Serialize for Section<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::NotRead => serializer.serialize_none(),
            Self::Unchanged => serializer.serialize_str("unchanged"),
            Self::Changed(value) => serializer.collect_map([("changed", value)]),
            Self::Read(value) => value.serialize(serializer),
        }
    }
}

/// A report: what an agent seals, sends and gets a receipt for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Who, which stream, which number, when.
    pub header: Header,
    /// At most [`crate::model::DEVICES_PER_REPORT_MAX`].
    pub devices: Vec<DeviceReport>,
}

/// The most devices one report may hold: with full reports of some 4 kB of XML each, 40 MB, what a manager inflates at once.
pub const DEVICES_PER_REPORT_MAX: usize = 10_000;

/// The head of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The agent that sealed it.
    pub agent: AgentId,
    /// The spool it went through.
    pub epoch: SpoolEpoch,
    /// The stream in that spool.
    pub stream: Stream,
    /// The number in that stream, from 1.
    pub sequence: u64,
    /// When it was sealed, by the agent's clock.
    pub sealed_at: Timestamp,
    /// When it was sealed, in milliseconds of the agent's monotonic clock (Rule 7): the difference to a device's
    /// `observed_uptime_ms` is that observation's true age, whatever the agent's clock did.
    pub sealed_uptime_ms: u64,
    /// Version of the agent program.
    pub program: String,
}

/// What one poll found out about one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeviceReport {
    /// When the device answered, by the agent's clock.
    pub observed_at: Timestamp,
    /// When the device answered, in milliseconds of the agent's monotonic clock.
    #[serde(skip)]
    pub observed_uptime_ms: u64,
    /// Where it comes from.
    pub source: Option<SourceKind>,
    /// The agent's own name for the device within its spool epoch, stable over polls; what a delta's base and `need_full` refer to.
    #[serde(skip)]
    pub handle: String,
    /// For a delta: the sequence number, in the same stream, of the full report of this handle that it builds on (Rule 5).
    #[serde(skip)]
    pub base: Option<u64>,
    /// Who the device is. Always read: it proves whose values these are.
    pub identity: Identity,
    /// Status and error states.
    #[serde(skip_serializing_if = "Section::is_not_read")]
    pub status: Section<Status>,
    /// What the arithmetic of the meters says.
    pub meter_set: Option<MeterSet>,
    /// Meters.
    #[serde(skip_serializing_if = "Section::is_not_read")]
    pub meters: Section<Vec<Meter>>,
    /// Marker supplies.
    #[serde(skip_serializing_if = "Section::is_not_read")]
    pub supplies: Section<Vec<Supply>>,
    /// Input trays.
    #[serde(skip_serializing_if = "Section::is_not_read")]
    pub trays: Section<Vec<Tray>>,
    /// Alerts that stand now.
    #[serde(skip_serializing_if = "Section::is_not_read")]
    pub alerts: Section<Vec<Alert>>,
}

/// Who a device is. Text is trimmed, without control characters; a placeholder (`XXXXXXXX`, all zeros) is no serial.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// `prtGeneralSerialNumber` or the vendor's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The maker, in one spelling (`Kyocera`, `HP`, `Konica Minolta`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// The model, without the maker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The name that the device gives itself (`sysName` or the vendor's own).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The name that reverse DNS gives its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_name: Option<String>,
    /// The address it answered from, without a port unless that is not 161.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// `ifPhysAddress` as `00:11:22:33:44:55`, lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// `sysLocation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// `sysContact`, where configured to be collected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Firmware version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// `sysDescr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `sysObjectID`, dotted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_id: Option<String>,
    /// Asset number, where the device holds one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// The profile that read it, with its version: `kyocera/3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// Status and error states.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Status {
    /// `hrDeviceStatus`.
    pub device: Option<DeviceStatus>,
    /// `hrPrinterStatus`.
    pub printer: Option<PrinterStatus>,
    /// The bits of `hrPrinterDetectedErrorState` that are set, in their order.
    pub errors: Vec<ErrorState>,
    /// `sysUpTime`, in hundredths of a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_ticks: Option<u32>,
    /// The line on the panel, where the profile reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

/// A meter and its value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Meter {
    /// What the device did.
    pub work: Work,
    /// The colour of it.
    pub colour: Colour,
    /// What is counted.
    pub unit: MeterUnit,
    /// Media size in lower case (`a4`, `a3`, `letter`), where counted apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Sides, where counted apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sides: Option<Sides>,
    /// The count, as the device says it or as computed from the parts.
    pub value: u64,
    /// What it may be used for.
    pub basis: Basis,
    /// The OID it was read from, dotted; of a computed meter, the first part's.
    pub oid: String,
    /// Of a computed meter: what it was computed from (Rule 6). Empty for a meter that was read as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<MeterPart>,
}

/// One part of a computed meter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MeterPart {
    /// Where it was read.
    pub oid: String,
    /// What it said.
    pub value: u64,
}

impl Meter {
    /// The meter's code without its value: `work.colour.unit[.size][.sides]`, and `engine.` before it when it is no billing meter.
    /// Codes name meters in the store, the API and the SOAP service; they never change their meaning.
    #[must_use]
    pub fn code(&self) -> String {
        meter_code(
            self.work.word(),
            self.colour.word(),
            self.unit.word(),
            self.size.as_deref(),
            self.sides.map(Sides::word),
            self.basis,
        )
    }
}

/// The code of a meter from its words; see [`Meter::code`].
#[must_use]
pub fn meter_code(
    work: &str,
    colour: &str,
    unit: &str,
    size: Option<&str>,
    sides: Option<&str>,
    basis: Basis,
) -> String {
    let mut code = String::with_capacity(48);
    if basis == Basis::Engine {
        code.push_str("engine.");
    }
    for word in [Some(work), Some(colour), Some(unit), size, sides]
        .into_iter()
        .flatten()
    {
        if !code.is_empty() && !code.ends_with('.') {
            code.push('.');
        }
        code.push_str(word);
    }
    code
}

/// A marker supply (`prtMarkerSuppliesTable`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Supply {
    /// The row's index in the table.
    pub index: u32,
    /// Consumed or filled.
    pub class: SupplyClass,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: SupplyType,
    /// Its colour, where it has one.
    pub colorant: Option<Colorant>,
    /// What the device calls it.
    pub description: String,
    /// Part number, where the device tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Serial number of the cartridge: a new one means that it was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Unit of capacity and level.
    pub unit: CapacityUnit,
    /// How much a new one holds; absent when the device does not know.
    #[serde(default)]
    pub capacity: Option<u32>,
    /// How much is left, or how much room in a receptacle.
    pub level: Level,
    /// The steps in which the level moves, in per cent, where the profile knows (1, 10, 33, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<u32>,
}

impl Supply {
    /// What is left in per cent, 0 to 100, where that can be said.
    #[must_use]
    pub fn percent(&self) -> Option<u32> {
        level_percent(self.level, self.capacity)
    }
}

/// What a level and a capacity make in per cent, 0 to 100, rounded to the nearest; `None` where it cannot be said (quirks S3, S6, S7).
#[must_use]
pub fn level_percent(level: Level, capacity: Option<u32>) -> Option<u32> {
    match (level, capacity) {
        (Level::Percent(percent), _) => Some(percent.min(100)),
        (Level::Amount(amount), Some(capacity)) if capacity > 0 => {
            let percent =
                (u64::from(amount) * 200 + u64::from(capacity)) / (2 * u64::from(capacity));
            // More than 105 % of the capacity is no level of this supply (quirk S6).
            (percent <= 105).then_some(u32::try_from(percent.min(100)).unwrap_or(100))
        }
        _ => None,
    }
}

/// An input tray (`prtInputTable`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tray {
    /// The row's index in the table.
    pub index: u32,
    /// What the device calls it.
    pub name: String,
    /// What kind of input it is.
    #[serde(rename = "type")]
    pub kind: TrayType,
    /// The media in it, as the device names it (`iso-a4-white`).
    #[serde(default)]
    pub media: Option<String>,
    /// Unit of capacity and level.
    pub unit: CapacityUnit,
    /// How much it holds.
    #[serde(default)]
    pub capacity: Option<u32>,
    /// How much is in it.
    pub level: Level,
    /// `prtInputStatus`, the sum of RFC 3805's PrtSubUnitStatusTC.
    #[serde(default)]
    pub status: Option<u32>,
}

/// An alert that stands (`prtAlertTable`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Alert {
    /// The row's index in the table.
    pub index: u32,
    /// How bad.
    pub severity: AlertSeverity,
    /// `prtAlertGroup`, by its name in RFC 3805 (`markerSupplies`); a number where it has none.
    pub group: String,
    /// `prtAlertGroupIndex`: the row of the group's table it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_index: Option<u32>,
    /// `prtAlertCode`, by its name in RFC 3805 (`tonerAlmostEmpty`); a number where it has none.
    pub code: String,
    /// What the device says of it.
    pub description: String,
    /// When it began, where the device's `prtAlertTime` tells.
    pub since: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_word_or_a_number_in_json() {
        let json = |level| serde_json::to_string(&level).unwrap();
        assert_eq!(json(Level::Percent(40)), r#"{"percent":40}"#);
        assert_eq!(json(Level::Amount(7)), r#"{"amount":7}"#);
        assert_eq!(json(Level::Some), r#""some""#);
        assert_eq!(json(Level::Unknown), r#""unknown""#);
        assert_eq!(json(Level::Unlimited), r#""unlimited""#);
    }

    #[test]
    fn a_percentage_is_never_invented() {
        assert_eq!(level_percent(Level::Amount(0), Some(100)), Some(0));
        assert_eq!(level_percent(Level::Amount(1), Some(3)), Some(33));
        assert_eq!(level_percent(Level::Percent(150), None), Some(100));
        assert_eq!(level_percent(Level::Amount(100), None), None);
        assert_eq!(level_percent(Level::Amount(2_829_492), Some(100)), None);
        assert_eq!(level_percent(Level::Some, Some(100)), None);
    }

    #[test]
    fn a_meter_code_says_what_is_counted() {
        let mut meter = Meter {
            work: Work::Print,
            colour: Colour::Mono,
            unit: MeterUnit::Impressions,
            size: Some("a3".to_owned()),
            sides: None,
            value: 1,
            basis: Basis::Billing,
            oid: "1.3".to_owned(),
            parts: Vec::new(),
        };
        assert_eq!(meter.code(), "print.mono.impressions.a3");
        meter.basis = Basis::Engine;
        meter.size = None;
        assert_eq!(meter.code(), "engine.print.mono.impressions");
    }
}
