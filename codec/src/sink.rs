//! Rows: what a report says, as borrowed events in the order of the document, so that columns can be filled without building a report.
//!
//! ```text
//! header  ( device  section* )*            one section event per section that the report mentions, in the order of SectionKind::ALL;
//!           identity                       its rows follow it at once
//!           section(Status, Read)   status
//!           section(Meters, …)      ( meter part* )*
//!           section(Supplies, …)    supply*
//!           section(Trays, …)       tray*
//!           section(Alerts, …)      alert*
//!           device_end
//! ```
//!
//! What always holds: text is valid UTF-8 within [`crate::limits`], numbers are in range, and rows come only under a section that is
//! [`SectionState::Read`] or [`SectionState::Changed`]. A section that is not mentioned was not read. Whoever reads events until an error
//! comes must throw away everything since the header: a report is taken whole or not at all.

mod build;
mod identity;

pub use build::ReportBuilder;
pub use identity::IDENTITY_TEXTS;

use crate::key::{SpoolEpoch, Stream};
use crate::model::{
    AlertSeverity, Basis, CapacityUnit, Colorant, Colour, DeviceStatus, ErrorState, Level,
    MeterSet, MeterUnit, PrinterStatus, Sides, SourceKind, SupplyClass, SupplyType, TrayType, Work,
};
use crate::time::Timestamp;

/// Takes the rows of a report. No method is required: a sink that wants meters only leaves the others out.
#[expect(unused_variables, reason = "the names document the arguments")]
pub trait RowSink {
    /// A report begins.
    fn header(&mut self, header: &HeaderRow<'_>) {}
    /// A device begins.
    fn device(&mut self, device: &DeviceRow<'_>) {}
    /// Who it is; once after each [`RowSink::device`].
    fn identity(&mut self, identity: &IdentityRow<'_>) {}
    /// What the report says of a section; not called for a section that was not read.
    fn section(&mut self, kind: SectionKind, state: SectionState) {}
    /// Status and error states.
    fn status(&mut self, status: &StatusRow<'_>) {}
    /// A meter.
    fn meter(&mut self, meter: &MeterRow<'_>) {}
    /// A part of the meter before it.
    fn part(&mut self, part: &PartRow<'_>) {}
    /// A supply.
    fn supply(&mut self, supply: &SupplyRow<'_>) {}
    /// An input tray.
    fn tray(&mut self, tray: &TrayRow<'_>) {}
    /// An alert that stands.
    fn alert(&mut self, alert: &AlertRow<'_>) {}
    /// The device is complete.
    fn device_end(&mut self) {}
}

/// The sections of a device report that a poll may or may not read, in their order on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SectionKind {
    /// Status and error states.
    Status,
    /// Meters.
    Meters,
    /// Marker supplies.
    Supplies,
    /// Input trays.
    Trays,
    /// Alerts.
    Alerts,
}

impl SectionKind {
    /// Every section, in the order of the wire.
    pub const ALL: [Self; 5] = [
        Self::Status,
        Self::Meters,
        Self::Supplies,
        Self::Trays,
        Self::Alerts,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Meters => "meters",
            Self::Supplies => "supplies",
            Self::Trays => "trays",
            Self::Alerts => "alerts",
        }
    }

    /// The section of that name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// What a report says of a section that it mentions; the borrowed twin of [`crate::model::Section`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SectionState {
    /// It was read and is what the base said. No rows follow.
    Unchanged,
    /// It was read; the rows that follow differ from the base's or are new, every other row of the base is confirmed.
    Changed,
    /// It was read; the rows that follow are all there are. None means that the device has none.
    Read,
}

/// The head of a report; see [`crate::model::Header`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderRow<'a> {
    /// The agent, checked to be an [`crate::id::AgentId`].
    pub agent: &'a str,
    /// The spool it went through.
    pub epoch: SpoolEpoch,
    /// The stream in that spool.
    pub stream: Stream,
    /// The number in that stream, from 1.
    pub sequence: u64,
    /// When it was sealed, by the agent's clock.
    pub sealed_at: Timestamp,
    /// When it was sealed, in milliseconds of the agent's monotonic clock.
    pub sealed_uptime_ms: u64,
    /// Version of the agent program.
    pub program: &'a str,
}

/// A device begins; see [`crate::model::DeviceReport`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceRow<'a> {
    /// The agent's own name for the device within its spool epoch.
    pub handle: &'a str,
    /// For a delta: the sequence number of the full report it builds on. Absent in a full report.
    pub base: Option<u64>,
    /// When the device answered, by the agent's clock.
    pub observed_at: Timestamp,
    /// When the device answered, in milliseconds of the agent's monotonic clock.
    pub observed_uptime_ms: u64,
    /// Where it comes from.
    pub source: Option<SourceKind>,
    /// What the arithmetic of the meters says.
    pub meter_set: Option<MeterSet>,
}

/// Who a device is; see [`crate::model::Identity`]. In a delta, absent means as in the base, and an empty text means no longer reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdentityRow<'a> {
    /// Serial number.
    pub serial: Option<&'a str>,
    /// Maker.
    pub manufacturer: Option<&'a str>,
    /// Model, without the maker.
    pub model: Option<&'a str>,
    /// The name that the device gives itself.
    pub hostname: Option<&'a str>,
    /// The name that reverse DNS gives its address.
    pub dns_name: Option<&'a str>,
    /// Address.
    pub address: Option<&'a str>,
    /// MAC address.
    pub mac: Option<&'a str>,
    /// Location.
    pub location: Option<&'a str>,
    /// Contact.
    pub contact: Option<&'a str>,
    /// Firmware version.
    pub firmware: Option<&'a str>,
    /// `sysDescr`.
    pub description: Option<&'a str>,
    /// `sysObjectID`, dotted.
    pub object_id: Option<&'a str>,
    /// Asset number.
    pub asset: Option<&'a str>,
    /// The profile that read it.
    pub profile: Option<&'a str>,
}

/// Status and error states; see [`crate::model::Status`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusRow<'a> {
    /// `hrDeviceStatus`.
    pub device: Option<DeviceStatus>,
    /// `hrPrinterStatus`.
    pub printer: Option<PrinterStatus>,
    /// The bits of `hrPrinterDetectedErrorState` that are set.
    pub errors: ErrorSet,
    /// `sysUpTime`, in hundredths of a second.
    pub uptime_ticks: Option<u32>,
    /// The line on the panel.
    pub display: Option<&'a str>,
}

/// A set of error states, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ErrorSet(u16);

impl ErrorSet {
    /// Puts `state` into the set.
    pub const fn insert(&mut self, state: ErrorState) {
        self.0 |= 1 << state as u16;
    }

    /// Whether `state` is in the set.
    #[must_use]
    pub const fn contains(self, state: ErrorState) -> bool {
        self.0 & (1 << state as u16) != 0
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set as bits: bit n is the n-th of [`ErrorState::ALL`].
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The states of the set, in the order of RFC 2790.
    pub fn iter(self) -> impl Iterator<Item = ErrorState> {
        ErrorState::ALL
            .iter()
            .copied()
            .filter(move |state| self.contains(*state))
    }
}

impl FromIterator<ErrorState> for ErrorSet {
    fn from_iter<I: IntoIterator<Item = ErrorState>>(states: I) -> Self {
        let mut set = Self::default();
        for state in states {
            set.insert(state);
        }
        set
    }
}

/// A meter; see [`crate::model::Meter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterRow<'a> {
    /// What the device did.
    pub work: Work,
    /// The colour of it.
    pub colour: Colour,
    /// What is counted.
    pub unit: MeterUnit,
    /// Media size, where counted apart.
    pub size: Option<&'a str>,
    /// Sides, where counted apart.
    pub sides: Option<Sides>,
    /// What it may be used for.
    pub basis: Basis,
    /// The OID it was read from, dotted.
    pub oid: &'a str,
    /// The count.
    pub value: u64,
}

/// One part of a computed meter; see [`crate::model::MeterPart`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartRow<'a> {
    /// Where it was read, dotted.
    pub oid: &'a str,
    /// What it said.
    pub value: u64,
}

/// A marker supply; see [`crate::model::Supply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupplyRow<'a> {
    /// The row's index in the table.
    pub index: u32,
    /// Consumed or filled.
    pub class: SupplyClass,
    /// What it is.
    pub kind: SupplyType,
    /// Its colour.
    pub colorant: Option<Colorant>,
    /// What the device calls it.
    pub description: &'a str,
    /// Part number.
    pub part: Option<&'a str>,
    /// Serial number of the cartridge.
    pub serial: Option<&'a str>,
    /// Unit of capacity and level.
    pub unit: CapacityUnit,
    /// How much a new one holds.
    pub capacity: Option<u32>,
    /// The steps in which the level moves, in per cent.
    pub resolution: Option<u32>,
    /// How much is left.
    pub level: Level,
}

/// An input tray; see [`crate::model::Tray`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrayRow<'a> {
    /// The row's index in the table.
    pub index: u32,
    /// What the device calls it.
    pub name: &'a str,
    /// What kind of input it is.
    pub kind: TrayType,
    /// The media in it.
    pub media: Option<&'a str>,
    /// Unit of capacity and level.
    pub unit: CapacityUnit,
    /// How much it holds.
    pub capacity: Option<u32>,
    /// `prtInputStatus`.
    pub status: Option<u32>,
    /// How much is in it.
    pub level: Level,
}

/// An alert that stands; see [`crate::model::Alert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertRow<'a> {
    /// The row's index in the table.
    pub index: u32,
    /// How bad.
    pub severity: AlertSeverity,
    /// `prtAlertGroup`.
    pub group: &'a str,
    /// `prtAlertGroupIndex`.
    pub group_index: Option<u32>,
    /// `prtAlertCode`.
    pub code: &'a str,
    /// What the device says of it.
    pub description: &'a str,
    /// When it began.
    pub since: Option<Timestamp>,
}
