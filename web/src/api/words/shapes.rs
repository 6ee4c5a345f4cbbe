//! Descriptions of types of lower crates, which know nothing of OpenAPI. They are never built; a test compares every name with what is
//! really sent.

use codec::model::{
    CapacityUnit, Colorant, DeviceStatus, ErrorState, Level, PrinterStatus, SupplyClass,
    SupplyType, TrayType,
};
use codec::time::Timestamp;
use olap::words::Quality;
use utoipa::ToSchema;

/// Who a device is. What is absent was not reported.
#[derive(ToSchema)]
#[schema(as = Identity)]
#[allow(dead_code)]
pub(crate) struct IdentityWords {
    serial: Option<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    /// The name that the device gives itself.
    hostname: Option<String>,
    /// The name that reverse DNS gives its address.
    dns_name: Option<String>,
    address: Option<String>,
    mac: Option<String>,
    location: Option<String>,
    contact: Option<String>,
    firmware: Option<String>,
    /// sysDescr.
    description: Option<String>,
    /// sysObjectID.
    object_id: Option<String>,
    /// The asset number kept in the device.
    asset: Option<String>,
    /// The profile it was read with.
    profile: Option<String>,
}

/// Status and error states.
#[derive(ToSchema)]
#[schema(as = Status)]
#[allow(dead_code)]
pub(crate) struct StatusWords {
    /// hrDeviceStatus: unknown, running, warning, testing, down.
    #[schema(value_type = Option<String>)]
    device: Option<DeviceStatus>,
    /// hrPrinterStatus: other, unknown, idle, printing, warmup.
    #[schema(value_type = Option<String>)]
    printer: Option<PrinterStatus>,
    /// The bits of hrPrinterDetectedErrorState that are set.
    #[schema(value_type = Vec<String>)]
    errors: Vec<ErrorState>,
    /// sysUpTime in hundredths of a second.
    uptime_ticks: Option<u32>,
    /// The line on the panel.
    display: Option<String>,
}

/// How much is left: a number or a word, never an invented number.
#[derive(ToSchema)]
#[schema(as = Level)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code)]
pub(crate) enum LevelWords {
    /// That many of the unit.
    Amount(u32),
    /// Per cent.
    Percent(u32),
    /// Some is left, how much is not known.
    Some,
    /// The device does not know.
    Unknown,
    /// No restriction.
    Unlimited,
}

/// A marker supply.
#[derive(ToSchema)]
#[schema(as = Supply)]
#[allow(dead_code)]
pub(crate) struct SupplyWords {
    index: u32,
    /// consumed, receptacle, other.
    #[schema(value_type = String)]
    class: SupplyClass,
    /// toner, ink, drum, fuser, waste, …
    #[schema(value_type = String)]
    r#type: SupplyType,
    #[schema(value_type = Option<String>)]
    colorant: Option<Colorant>,
    description: String,
    part: Option<String>,
    serial: Option<String>,
    #[schema(value_type = String)]
    unit: CapacityUnit,
    capacity: Option<u32>,
    #[schema(value_type = LevelWords)]
    level: Level,
    /// The steps in which the level moves, in per cent.
    resolution: Option<u32>,
}

/// An input tray.
#[derive(ToSchema)]
#[schema(as = Tray)]
#[allow(dead_code)]
pub(crate) struct TrayWords {
    index: u32,
    name: String,
    #[schema(value_type = String)]
    r#type: TrayType,
    media: Option<String>,
    #[schema(value_type = String)]
    unit: CapacityUnit,
    capacity: Option<u32>,
    #[schema(value_type = LevelWords)]
    level: Level,
    /// prtInputStatus.
    status: Option<u32>,
}

/// A part of a computed meter.
#[derive(ToSchema)]
#[schema(as = MeterPart)]
#[allow(dead_code)]
pub(crate) struct PartWords {
    oid: String,
    value: u64,
}

/// Levels in per cent.
#[derive(ToSchema)]
#[schema(as = Levels)]
#[allow(dead_code)]
pub(crate) struct LevelsWords {
    black: Option<u8>,
    cyan: Option<u8>,
    magenta: Option<u8>,
    yellow: Option<u8>,
}

/// What runs out first.
#[derive(ToSchema)]
#[schema(as = LowestSupply)]
#[allow(dead_code)]
pub(crate) struct LowestWords {
    percent: u8,
    #[schema(value_type = String)]
    kind: SupplyType,
    #[schema(value_type = Option<String>)]
    colorant: Option<Colorant>,
}

/// The total that is billed.
#[derive(ToSchema)]
#[schema(as = BilledTotal)]
#[allow(dead_code)]
pub(crate) struct BilledWords {
    /// The code of the meter that is this device's total.
    code: String,
    value: u64,
    continuous: u64,
    #[schema(value_type = String, format = DateTime)]
    observed_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    confirmed_until: Timestamp,
    #[schema(value_type = String)]
    quality: Quality,
    counted: Option<u64>,
}

/// How many alerts stand.
#[derive(ToSchema)]
#[schema(as = AlertCounts)]
#[allow(dead_code)]
pub(crate) struct AlertCountWords {
    critical: u32,
    other: u32,
}
