//! Readings in their order, and those that stand at a cutoff.

use std::collections::{BTreeMap, BTreeSet};

use codec::id::{DeviceId, TenantId};
use codec::model::Basis;
use codec::time::Timestamp;
use serde::Serialize;

use super::{DeviceBrief, PAGE_ITEMS_DEFAULT};
use crate::cursor::Cursor;
use crate::reading::Reading;
use crate::words::Quality;

/// A question for readings in the total order.
#[derive(Clone, Debug)]
pub struct ReadingsQuery {
    /// Only of this device.
    pub device: Option<DeviceId>,
    /// Only of these sites; `None` for all in scope.
    pub sites: Option<BTreeSet<TenantId>>,
    /// Devices that count otherwise than their site says, where `sites` are given.
    pub apart: Apart,
    /// Only readings whose run reaches this moment or goes beyond it.
    pub from: Option<Timestamp>,
    /// Only readings first observed before this moment.
    pub to: Option<Timestamp>,
    /// Only these meters, by code; empty for all.
    pub codes: Vec<String>,
    /// Only what may be used for this.
    pub basis: Option<Basis>,
    /// Continue after this.
    pub cursor: Option<Cursor>,
    /// How many to give, up to [`super::PAGE_ITEMS_MAX`].
    pub limit: u32,
}

impl Default for ReadingsQuery {
    fn default() -> Self {
        Self {
            device: None,
            sites: None,
            apart: Apart::default(),
            from: None,
            to: None,
            codes: Vec::new(),
            basis: None,
            cursor: None,
            limit: PAGE_ITEMS_DEFAULT,
        }
    }
}

/// Devices that count otherwise than their site says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apart {
    /// These too, wherever in scope they stand.
    pub also: BTreeSet<DeviceId>,
    /// These not, though they stand at one of the sites.
    pub except: BTreeSet<DeviceId>,
}

/// A page of readings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadingsPage {
    /// The readings of this page.
    pub items: Vec<Reading>,
    /// The devices that these readings are of.
    pub devices: BTreeMap<DeviceId, DeviceBrief>,
    /// Where to go on; `None` when this was all so far.
    pub next: Option<Cursor>,
    /// Where to go on when the list is asked again later for what is new; the given cursor again when nothing was.
    pub resume: Option<Cursor>,
    /// How many match in all.
    pub total: u64,
}

/// A question for one reading per device and meter at a cutoff.
#[derive(Clone, Debug)]
pub struct BillingQuery {
    /// Nearest to and not after this moment.
    pub cutoff: Timestamp,
    /// A value that was last read longer than this before the cutoff is [`Quality::Stale`].
    pub age_ms_max: i64,
    /// Only of this device.
    pub device: Option<DeviceId>,
    /// Only of these sites; `None` for all in scope.
    pub sites: Option<BTreeSet<TenantId>>,
    /// Devices that count otherwise than their site says, where `sites` are given.
    pub apart: Apart,
    /// Only these meters, by code; empty for all.
    pub codes: Vec<String>,
    /// What may be used: [`Basis::Billing`] unless somebody chose otherwise.
    pub basis: Option<Basis>,
    /// Continue after this.
    pub cursor: Option<Cursor>,
    /// How many to give, up to [`super::PAGE_ITEMS_MAX`].
    pub limit: u32,
}

/// The value of a meter at a cutoff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BillingReading {
    /// The reading that stood at the cutoff.
    #[serde(flatten)]
    pub reading: Reading,
    /// When the value was last read, not after the cutoff.
    pub read_at: Timestamp,
    /// The reading's quality, or stale.
    pub billing_quality: Quality,
}

/// A page of billing readings, in the total order of the readings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BillingPage {
    /// The readings of this page.
    pub items: Vec<BillingReading>,
    /// The devices that these readings are of.
    pub devices: BTreeMap<DeviceId, DeviceBrief>,
    /// Where to go on; `None` when this was all.
    pub next: Option<Cursor>,
    /// How many match in all.
    pub total: u64,
}
