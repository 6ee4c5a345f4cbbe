//! What a make of printer looks like. A face is a TOML file in `faces/`: the standard tables' rows and the vendor's own OIDs.
//!
//! Numbers are sums of the quantities of [`super::printer::Quantity`] (`"print.mono + copy.mono"`), texts may hold `{serial}`,
//! `{model}`, `{name}` and `{location}`.

use serde::Deserialize;

/// A make of printer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Face {
    /// The maker, as people write it.
    pub maker: String,
    /// Models that differ in nothing but their name.
    pub models: Vec<String>,
    /// `sysDescr`.
    pub description: String,
    /// `sysObjectID`.
    pub object_id: String,
    /// `hrDeviceDescr`.
    pub device_description: String,
    /// The serial number's pattern: every `#` becomes a digit.
    pub serial: String,
    /// The first three octets of the MAC, as `00:c0:ee`.
    pub mac_prefix: String,
    /// Whether it prints colour.
    #[serde(default)]
    pub colour: bool,
    /// Whether `sysName` holds the printer's name (Kyocera leaves it empty).
    #[serde(default = "yes")]
    pub has_sys_name: bool,
    /// Whether `prtGeneralSerialNumber` is there.
    #[serde(default = "yes")]
    pub has_general_serial: bool,
    /// `prtMarkerCounterUnit`.
    pub counter_unit: i64,
    /// Engine cycles above the billed total: `prtMarkerLifeCount` is no billing meter.
    #[serde(default)]
    pub engine_extra: u64,
    /// Rows of `prtMarkerSuppliesTable`.
    pub supply: Vec<FaceSupply>,
    /// Rows of `prtInputTable`.
    pub tray: Vec<FaceTray>,
    /// The vendor's own instances.
    #[serde(default)]
    pub oid: Vec<FaceOid>,
}

/// A row of the supplies table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaceSupply {
    /// Row index.
    pub index: u32,
    /// `prtMarkerSuppliesType`.
    #[serde(rename = "type")]
    pub kind: i64,
    /// `prtMarkerSuppliesClass`.
    #[serde(default = "consumed")]
    pub class: i64,
    /// `prtMarkerSuppliesDescription`.
    pub description: String,
    /// `prtMarkerSuppliesSupplyUnit`.
    pub unit: i64,
    /// `prtMarkerSuppliesMaxCapacity`.
    pub capacity: i64,
    /// A level: `k`, `c`, `m`, `y`, `drum`, or a fixed number such as `-3`.
    pub level: FaceLevel,
    /// The colour's word for `prtMarkerColorantValue`, if the row has one.
    pub colorant: Option<String>,
}

/// Where a supply's level comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum FaceLevel {
    /// What the device always says.
    Fixed(i64),
    /// One of the printer's own levels, scaled to the capacity.
    Named(String),
}

/// A row of the input table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaceTray {
    /// `prtInputType`.
    #[serde(rename = "type")]
    pub kind: i64,
    /// `prtInputName`.
    pub name: String,
    /// `prtInputMediaName`.
    pub media: String,
    /// Sheets it holds.
    pub capacity: i64,
    /// What the device always says; without it the tray is used and refilled.
    pub level: Option<i64>,
}

/// An instance of the vendor's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaceOid {
    /// The instance.
    pub oid: String,
    /// `integer`, `counter`, `gauge`, `text` or `hex`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The sum, or the text.
    pub value: String,
}

const fn yes() -> bool {
    true
}

const fn consumed() -> i64 {
    3
}

/// The faces that come with the simulator, in the order in which a fleet deals them out.
///
/// # Panics
/// When a built-in face does not parse, which a test rules out.
#[must_use]
pub fn built_in() -> Vec<Face> {
    [
        include_str!("../../faces/kyocera.toml"),
        include_str!("../../faces/ricoh.toml"),
        include_str!("../../faces/hp.toml"),
        include_str!("../../faces/konica_minolta.toml"),
        include_str!("../../faces/brother.toml"),
        include_str!("../../faces/canon.toml"),
        include_str!("../../faces/sharp.toml"),
        include_str!("../../faces/xerox.toml"),
        include_str!("../../faces/lexmark.toml"),
        include_str!("../../faces/epson.toml"),
    ]
    .map(|text| toml::from_str(text).expect("the built-in faces are tested to parse"))
    .into()
}
