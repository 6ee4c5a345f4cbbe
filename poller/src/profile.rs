//! Vendor knowledge as data: the profiles, which say how a family of printers is recognised and where its meters, names and levels are.
//!
//! Profiles are TOML files, embedded in the program and extendable from a folder. They are parsed into checked types
//! once; nothing behind the parser checks again. A [`ProfileSet`] never changes: to reload, load a new one and swap the `Arc`.
//! `profiles/README.md` explains every key.

mod parse;
mod set;
mod source;
mod text;

use std::collections::BTreeMap;
use std::path::PathBuf;

use codec::model::{Basis, CapacityUnit, Colorant, Colour, MeterUnit, Sides, SupplyType, Work};
use serde::Deserialize;

pub use set::{ProfileSet, STANDARD};
pub use source::{Form, RowKey, Source};
pub use text::{Found, Pattern, Template};

use crate::oid::Oid;

/// How one family of printers is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name: lower case letters, digits and `-`.
    #[serde(deserialize_with = "parse::name")]
    pub name: String,
    /// Its version: raised whenever it reads something else.
    pub version: u32,
    /// The maker, where nothing that the device says of itself names one.
    #[serde(default)]
    pub manufacturer: Option<String>,
    /// How its devices are recognised: one rule has to hold, and of a rule everything it says.
    #[serde(default, rename = "match")]
    pub rules: Vec<Rule>,
    /// Where the identity is found beside the standard places.
    #[serde(default)]
    pub identity: IdentitySources,
    /// Where the status is found beside the standard places.
    #[serde(default)]
    pub status: StatusSources,
    /// Tables whose rows are found by a code or a name.
    #[serde(default)]
    pub table: BTreeMap<String, Table>,
    /// The meters.
    #[serde(default, rename = "meter")]
    pub meters: Vec<MeterRule>,
    /// Sums that have to come out.
    #[serde(default, rename = "check")]
    pub checks: Vec<Check>,
    /// How the supplies are to be understood.
    #[serde(default)]
    pub supplies: SupplyRules,
    /// How the alerts are to be understood.
    #[serde(default)]
    pub alerts: AlertRules,
    /// The makers, each in its one spelling (in `standard` only).
    #[serde(default, rename = "maker")]
    pub makers: Vec<Maker>,
}

/// One way to recognise a device. What it does not say is not asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `sysObjectID` is or is below this.
    #[serde(default, deserialize_with = "parse::oid_option")]
    pub object_id: Option<Oid>,
    /// `sysDescr`, `hrDeviceDescr` or the IEEE 1284 id fits one of these.
    #[serde(default)]
    pub text: Vec<Pattern>,
    /// This instance exists (it is asked for only when the rest of the rule holds).
    #[serde(default, deserialize_with = "parse::oid_option")]
    pub present: Option<Oid>,
    /// The maker of the devices that this rule finds.
    #[serde(default)]
    pub manufacturer: Option<String>,
    /// These devices must not be polled: SNMP makes them restart or hang.
    #[serde(default)]
    pub do_not_touch: bool,
}

/// Where an identity is found.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentitySources {
    /// Serial numbers, tried after `prtGeneralSerialNumber`.
    pub serial: Vec<Source>,
    /// Serial numbers that are better than `prtGeneralSerialNumber`.
    pub serial_first: Vec<Source>,
    /// Models, tried before `hrDeviceDescr`.
    pub model: Vec<Source>,
    /// Firmware versions.
    pub firmware: Vec<Source>,
    /// Host names, where `sysName` is empty.
    pub hostname: Vec<Source>,
    /// IEEE 1284 device ids.
    pub device_id: Vec<Source>,
    /// Asset numbers.
    pub asset: Vec<Source>,
    /// What to take from `hrDeviceDescr`.
    pub device_text: Vec<Template>,
    /// What to take from `sysDescr`.
    pub system_text: Vec<Template>,
    /// Texts that name no model (`Generic *`), wherever a model is looked for.
    pub no_model: Vec<Pattern>,
    /// Endings that are no part of a model (` series`).
    pub model_endings: Vec<String>,
    /// Charsets (IANA MIBenum) that `prtLocalizationCharacterSet` claims, and those that they are.
    #[serde(deserialize_with = "parse::charsets")]
    pub charsets: BTreeMap<u32, u32>,
}

/// Where a status is found.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatusSources {
    /// The line on the panel, tried before `prtConsoleDisplayBufferText`.
    pub display: Vec<Source>,
}

/// A table whose rows are found by a code or a name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The column with the codes. Without one, a code is the first arc of the row's index.
    #[serde(default, deserialize_with = "parse::oid_option")]
    pub code: Option<Oid>,
    /// The column with the names.
    #[serde(default, deserialize_with = "parse::oid_option")]
    pub name: Option<Oid>,
    /// The column with the values, unless a source names another.
    #[serde(default, deserialize_with = "parse::oid_option")]
    pub value: Option<Oid>,
    /// The column with the units, where a code has a row for each.
    #[serde(default, deserialize_with = "parse::oid_option")]
    pub unit: Option<Oid>,
    /// The most rows it is read for.
    #[serde(default = "parse::rows_max")]
    pub rows_max: u32,
    /// Media sizes by code, where the table tells sizes.
    #[serde(default, deserialize_with = "parse::sizes")]
    pub sizes: BTreeMap<u32, String>,
}

impl Table {
    /// Its columns.
    pub fn columns(&self) -> impl Iterator<Item = &Oid> {
        [&self.code, &self.name, &self.value, &self.unit]
            .into_iter()
            .flatten()
    }
}

/// How often a meter is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cadence {
    /// At every poll.
    #[default]
    Steady,
    /// When the device is learned: at the first poll, and then daily.
    Daily,
}

/// A meter and where it is found.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeterRule {
    /// What the device did.
    pub work: Work,
    /// The colour of it.
    #[serde(default = "parse::colour_total")]
    pub colour: Colour,
    /// What is counted.
    #[serde(default = "parse::impressions")]
    pub unit: MeterUnit,
    /// Media size, where it counts one.
    #[serde(default)]
    pub size: Option<String>,
    /// Sides, where it counts them apart.
    #[serde(default)]
    pub sides: Option<Sides>,
    /// What it may be used for.
    #[serde(default = "parse::billing")]
    pub basis: Basis,
    /// How often it is read.
    #[serde(default)]
    pub read: Cadence,
    /// Where it is found; with `each`, a column or a sum of columns whose rows are those of the table.
    pub from: Source,
    /// One meter for each row of this table, its size the row's name.
    #[serde(default)]
    pub each: Option<String>,
}

/// A sum that has to come out: meters named `work.colour`, or `work.colour.*` for all sizes of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The meter that the parts make up.
    pub total: String,
    /// The parts: every one has to be there for the check to be made.
    #[serde(default)]
    pub parts: Vec<String>,
    /// Parts that not every device has.
    #[serde(default)]
    pub optional: Vec<String>,
    /// Values that are no meters but belong to the sum (lists, reports).
    #[serde(default)]
    pub others: Vec<Source>,
    /// The parts may make up less than the total (other work is in it too), but never more: less verifies nothing and contradicts nothing.
    #[serde(default)]
    pub at_most: bool,
    /// How far it may be off: pages that were printed between two PDUs.
    #[serde(default)]
    pub tolerance: u64,
}

/// How supplies are to be understood.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SupplyRules {
    /// The steps in which levels move, in per cent.
    pub resolution: Option<u32>,
    /// What the level of a receptacle means on these devices. Without it nothing is turned round.
    pub waste: Option<Orientation>,
    /// What a cartridge holds, where neither its type nor the marking technology tells.
    pub cartridge: Option<SupplyType>,
    /// Descriptions taken apart into name, part and serial.
    pub description: Vec<Template>,
    /// Levels of the standard table that are codes here, and the per cent they stand for.
    #[serde(deserialize_with = "parse::codes")]
    pub codes: BTreeMap<i64, u32>,
    /// A private column of levels in per cent, by the row's index, used where the standard level is no number.
    #[serde(deserialize_with = "parse::oid_option")]
    pub private_level: Option<Oid>,
    /// A private column of names, by the row's index, used where the description is empty.
    #[serde(deserialize_with = "parse::oid_option")]
    pub private_name: Option<Oid>,
    /// Rows of the private columns that the standard table has not are supplies too.
    pub private_rows: bool,
    /// Levels known by kind and colour, used where the standard level is no number or the row is missing.
    pub known: Vec<KnownLevel>,
    /// The vendor's own table of supplies, which tells the standard rows' part and serial numbers.
    pub details: Option<Details>,
}

/// A vendor's own table of supplies: its rows belong to the standard rows of the same kind and colour, whatever their numbers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Details {
    /// The column of kinds.
    #[serde(deserialize_with = "parse::oid")]
    pub kind: Oid,
    /// What its codes mean.
    #[serde(deserialize_with = "parse::kinds")]
    pub kinds: BTreeMap<i64, SupplyType>,
    /// The column of colours, as words.
    #[serde(default, deserialize_with = "parse::oid_option")]
    pub colorant: Option<Oid>,
    /// The column of part numbers.
    #[serde(default, deserialize_with = "parse::oid_option")]
    pub part: Option<Oid>,
    /// The column of serial numbers.
    #[serde(default, deserialize_with = "parse::oid_option")]
    pub serial: Option<Oid>,
}

impl Details {
    /// Its columns.
    pub fn columns(&self) -> impl Iterator<Item = &Oid> {
        let others = [&self.colorant, &self.part, &self.serial];
        std::iter::once(&self.kind).chain(others.into_iter().flatten())
    }
}

/// What the level of a receptacle means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Orientation {
    /// The room that is left, as RFC 3805 says.
    Remaining,
    /// What is in it: the report turns it round.
    Filled,
}

/// A level that is known by kind and colour.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownLevel {
    /// The kind of supply.
    pub kind: SupplyType,
    /// Its colour.
    #[serde(default)]
    pub colorant: Option<Colorant>,
    /// What it is called where the table has no such row; without it, no row is made.
    #[serde(default)]
    pub description: Option<String>,
    /// Where the level is found.
    pub from: Source,
    /// What one per cent is in it.
    #[serde(default = "parse::one")]
    pub per_percent: u32,
    /// What it counts, where it is no share: `impressions` left, say.
    #[serde(default)]
    pub unit: Option<CapacityUnit>,
    /// Where the whole is found that it is a part of.
    #[serde(default)]
    pub whole: Option<Source>,
    /// It tells what is used up, not what is left; needs `whole`, or is per cent.
    #[serde(default)]
    pub used: bool,
    /// It is a code: the per cent that each stands for. Other codes tell no level.
    #[serde(default, deserialize_with = "parse::codes")]
    pub codes: BTreeMap<i64, u32>,
}

impl KnownLevel {
    /// What it is read from.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        std::iter::once(&self.from).chain(&self.whole)
    }
}

/// How alerts are to be understood.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertRules {
    /// Codes that say no more than that the device starts, sleeps or wakes: no alert unless critical.
    pub informational: Vec<i64>,
}

/// A maker and how its name is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maker {
    /// The one spelling.
    pub name: String,
    /// How devices write it, in any case.
    pub words: Vec<String>,
    /// It makes print servers for the printers of others: its name in `sysDescr` says nothing of the printer.
    #[serde(default)]
    pub print_server: bool,
}

/// What is known of a device before its profile is chosen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// `sysObjectID`.
    pub object_id: Option<&'a Oid>,
    /// `sysDescr`, `hrDeviceDescr`, the IEEE 1284 id.
    pub texts: &'a [String],
}

/// Why a profile cannot be used: always with the file, the line and the key.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The text is not a profile.
    #[error("{file}:{line}: {key}: {reason}")]
    Invalid {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Profile {
    /// Name and version as they stand in reports: `kyocera/1`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}/{}", self.name, self.version)
    }

    /// Every source of the profile, sums and choices with what they are made of.
    pub fn each_source<'a>(&'a self, visit: &mut dyn FnMut(&'a Source)) {
        let identity = &self.identity;
        let lists = [
            &identity.serial,
            &identity.serial_first,
            &identity.model,
            &identity.firmware,
            &identity.hostname,
            &identity.device_id,
            &identity.asset,
            &self.status.display,
        ];
        let single = self
            .meters
            .iter()
            .map(|meter| &meter.from)
            .chain(self.supplies.known.iter().flat_map(KnownLevel::sources));
        let others = self.checks.iter().flat_map(|check| &check.others);
        for source in lists.into_iter().flatten().chain(single).chain(others) {
            source.each(visit);
        }
    }
}

#[cfg(test)]
mod tests;
