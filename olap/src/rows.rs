//! The rows a batch is made of. They borrow their text from what was decoded.

use codec::id::{AgentId, DeviceId, TenantId};
use codec::key::{SpoolEpoch, Stream};
use codec::model::{Alert, Identity, MeterSet, SourceKind, Status, Supply, Tray};
use codec::time::Timestamp;

use crate::reading::{JournalPosition, MeterWords};
use crate::words::{EventKind, Quality, ReadReason};

/// Who a device is and where it stands. Replaces what was known of the device; push it when something in it changed.
#[derive(Clone, Copy, Debug)]
pub struct DeviceRow<'a> {
    /// The device.
    pub device: DeviceId,
    /// Where it stands.
    pub site: TenantId,
    /// Who reads it.
    pub agent: &'a AgentId,
    /// What it is read by.
    pub source: SourceKind,
    /// Who it is; `profile` included.
    pub identity: &'a Identity,
    /// The device that this one turned out to be, if it did: lists and counts leave this one out then.
    pub superseded_by: Option<DeviceId>,
    /// When it was first heard of.
    pub first_seen_at: Timestamp,
    /// When this row last changed: what `changed since` asks for.
    pub changed_at: Timestamp,
}

/// The state of a device. Replaces what was known; push it when something in it changed.
#[derive(Clone, Copy, Debug)]
pub struct StatusRow<'a> {
    /// The device.
    pub device: DeviceId,
    /// Status and error states.
    pub status: &'a Status,
    /// What the arithmetic of its meters says.
    pub meter_set: Option<MeterSet>,
    /// When this state began.
    pub since: Timestamp,
}

/// How old the knowledge of a device is. Replaces what was known; one for every device report that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenRow {
    /// The device.
    pub device: DeviceId,
    /// When it last answered, by the corrected clock.
    pub observed_at: Timestamp,
    /// When the agent sent the report.
    pub agent_at: Timestamp,
    /// When the manager received it.
    pub received_at: Timestamp,
    /// When every open run of the device was last read with its value (Rule 4): it confirms them all at once. A run that
    /// was not read at that time must be confirmed by [`crate::Batch::confirm_run`] instead, or be closed.
    pub meters_confirmed_until: Option<Timestamp>,
    /// Since when none of its meters has changed.
    pub unchanged_since: Option<Timestamp>,
}

/// The supplies of a device, all of them. Replaces what was known; push it when something in it changed.
#[derive(Clone, Copy, Debug)]
pub struct SuppliesRow<'a> {
    /// The device.
    pub device: DeviceId,
    /// All there are.
    pub supplies: &'a [Supply],
    /// When they were observed so.
    pub observed_at: Timestamp,
}

/// The trays of a device, all of them. Replaces what was known; push it when something in it changed.
#[derive(Clone, Copy, Debug)]
pub struct TraysRow<'a> {
    /// The device.
    pub device: DeviceId,
    /// All there are.
    pub trays: &'a [Tray],
    /// When they were observed so.
    pub observed_at: Timestamp,
}

/// A run that begins: a value of a meter that differs from the one before, or the first.
#[derive(Clone, Copy, Debug)]
pub struct RunRow<'a> {
    /// Its place in the total order (Rule 2): unique among runs, greater than every place of an earlier batch.
    pub place: u64,
    /// The agent whose report has it.
    pub agent: &'a AgentId,
    /// The spool of that report.
    pub epoch: SpoolEpoch,
    /// The stream of that report.
    pub stream: Stream,
    /// The number of that report.
    pub sequence: u64,
    /// Which device report in it, from 0.
    pub ordinal: u32,
    /// The device.
    pub device: DeviceId,
    /// Where the device stands. When it moves to another site, close its runs and open them anew.
    pub site: TenantId,
    /// What is counted.
    pub meter: MeterWords<'a>,
    /// As the device said it, or as computed from the parts.
    pub value: u64,
    /// With resets and offsets applied.
    pub continuous: u64,
    /// Which period of the meter, from 0.
    pub meter_epoch: u32,
    /// When it was first observed, by the corrected clock.
    pub observed_at: Timestamp,
    /// When it was last observed; for a run that just begins, the same.
    pub confirmed_until: Timestamp,
    /// When the agent sent the report.
    pub agent_at: Timestamp,
    /// When the manager received it.
    pub received_at: Timestamp,
    /// Where it was read.
    pub oid: &'a str,
    /// The profile that read it, with its version.
    pub profile: Option<&'a str>,
    /// Of a computed meter: OID and value of each part.
    pub parts: &'a [(&'a str, u64)],
    /// How far it can be trusted.
    pub quality: Quality,
    /// Whether `observed_at` was corrected for the agent's clock.
    pub clock_corrected: bool,
    /// Why it was read.
    pub reason: ReadReason,
    /// What it was read by.
    pub source: SourceKind,
    /// Where the bytes lie that it came from.
    pub journal: JournalPosition,
}

/// The end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// The run's place.
    pub place: u64,
    /// When its value was last observed.
    pub confirmed_until: Timestamp,
    /// When a different value was observed.
    pub superseded_at: Timestamp,
}

/// An alert that begins to stand.
#[derive(Clone, Copy, Debug)]
pub struct AlertRow<'a> {
    /// Its id, stable and unique: its place in the total order.
    pub place: u64,
    /// The device.
    pub device: DeviceId,
    /// The site where the device stood.
    pub site: TenantId,
    /// What the device says.
    pub alert: &'a Alert,
    /// When it was first observed.
    pub since: Timestamp,
}

/// Something that happened to a device.
#[derive(Clone, Copy, Debug)]
pub struct EventRow<'a> {
    /// Its id: its place in the total order.
    pub place: u64,
    /// The device.
    pub device: DeviceId,
    /// The site where the device stood.
    pub site: TenantId,
    /// When it happened or was noticed.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// What it is about, where one kind can be about several things: a meter's code, a supply's description.
    pub subject: Option<&'a str>,
    /// How it was.
    pub before: Option<&'a str>,
    /// How it is.
    pub after: Option<&'a str>,
}

/// A supply's level that differs from the one before: what charts and forecasts are made of.
#[derive(Clone, Copy, Debug)]
pub struct LevelRow<'a> {
    /// The device.
    pub device: DeviceId,
    /// The supply, as it was observed.
    pub supply: &'a Supply,
    /// When.
    pub observed_at: Timestamp,
}

/// What was last heard of an agent. Replaces what was known.
#[derive(Clone, Copy, Debug)]
pub struct AgentRow<'a> {
    /// The agent.
    pub agent: &'a AgentId,
    /// When the manager last received something of it.
    pub heard_at: Timestamp,
    /// When that was sealed, by the agent's clock.
    pub sealed_at: Timestamp,
    /// The version of its program.
    pub program: &'a str,
    /// How far its clock is ahead of the manager's, in milliseconds, as last measured.
    pub clock_ahead_ms: Option<i64>,
}
