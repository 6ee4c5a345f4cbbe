//! Alerts.

use std::collections::{BTreeMap, BTreeSet};

use codec::id::{DeviceId, TenantId};
use codec::model::{Alert, AlertSeverity};
use codec::time::Timestamp;
use serde::Serialize;

use super::{DeviceBrief, PAGE_ITEMS_DEFAULT};
use crate::cursor::Cursor;

/// An alert with its times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlertItem {
    /// Its id: its place in the total order.
    pub id: u64,
    /// The device.
    pub device: DeviceId,
    /// The site where the device stood.
    pub site: TenantId,
    /// What the device says; `since` in it is the device's own time, where it tells.
    pub alert: Alert,
    /// When it was first observed.
    pub observed_since: Timestamp,
    /// When it was observed to be gone; `None` while it stands.
    pub until: Option<Timestamp>,
}

/// A question for alerts.
#[derive(Clone, Debug)]
pub struct AlertsQuery {
    /// Only of this device.
    pub device: Option<DeviceId>,
    /// Only of these sites; `None` for all in scope.
    pub sites: Option<BTreeSet<TenantId>>,
    /// Only those that stand (`true`) or are over (`false`).
    pub open: Option<bool>,
    /// Only this severity.
    pub severity: Option<AlertSeverity>,
    /// Continue after this.
    pub cursor: Option<Cursor>,
    /// Newest first instead of oldest first; a cursor continues in the direction it came from.
    pub newest_first: bool,
    /// How many to give, up to [`super::PAGE_ITEMS_MAX`].
    pub limit: u32,
}

impl Default for AlertsQuery {
    fn default() -> Self {
        Self {
            device: None,
            sites: None,
            open: Some(true),
            severity: None,
            cursor: None,
            newest_first: true,
            limit: PAGE_ITEMS_DEFAULT,
        }
    }
}

/// A page of alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlertsPage {
    /// The alerts of this page.
    pub items: Vec<AlertItem>,
    /// The devices that these alerts are of.
    pub devices: BTreeMap<DeviceId, DeviceBrief>,
    /// Where to go on; `None` when this was all.
    pub next: Option<Cursor>,
    /// How many match in all.
    pub total: u64,
}
