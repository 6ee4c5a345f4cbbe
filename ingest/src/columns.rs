//! A decoded report as columns: what the door keeps of it until the applier takes it.
//!
//! All text lies in one buffer, all rows of a kind in one list, and rows name their text by its place. A report that is forgotten gives its
//! memory to the next one ([`Spare`]): once warm, decoding allocates nothing, however many devices a report has.
//!
//! Only so much of it may wait for the applier at once ([`Kept`]). Behind that, a report's sealed bytes wait alone and are read again when
//! their turn comes: columns take some fifty times as much, and memory that was not used before costs more time than reading twice.
//!
//! What always holds: what was pushed comes out of [`Columns::replay`] in the same order and with the same words; columns that are kept
//! never take more than was allowed, whatever the reports are.

mod push;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use codec::id::AgentId;
use codec::key::{SpoolEpoch, Stream};
use codec::model::{
    AlertSeverity, Basis, CapacityUnit, Colorant, Colour, DeviceStatus, Level, MeterSet, MeterUnit,
    PrinterStatus, Report, Sides, SourceKind, SupplyClass, SupplyType, TrayType, Work,
};
use codec::sink::{
    AlertRow, DeviceRow, ErrorSet, HeaderRow, IDENTITY_TEXTS, IdentityRow, MeterRow, PartRow,
    ReportBuilder, RowSink, SectionKind, SectionState, StatusRow, SupplyRow, TrayRow,
};
use codec::time::Timestamp;

/// Forgotten reports whose memory is kept, all decoders together: what is usually on its way at once.
const SPARE_MAX: usize = 64;
/// The most memory of one that is kept, in bytes: a report of some hundred devices has less.
const SPARE_BYTES_MAX: usize = 512 << 10;

/// Where a text lies in the buffer; nowhere when it is absent.
#[derive(Clone, Copy, Debug, Default)]
struct Text(Option<(u32, u32)>);

#[derive(Clone, Copy, Debug)]
struct Header {
    agent: Text,
    epoch: SpoolEpoch,
    stream: Stream,
    sequence: u64,
    sealed_at: Timestamp,
    sealed_uptime_ms: u64,
    program: Text,
}

/// A device: its own words, and where its rows end in the lists.
#[derive(Clone, Copy, Debug)]
struct Device {
    handle: Text,
    base: Option<u64>,
    observed_at: Timestamp,
    observed_uptime_ms: u64,
    source: Option<SourceKind>,
    meter_set: Option<MeterSet>,
    identity: [Text; IDENTITY_TEXTS],
    sections: [Option<SectionState>; SectionKind::ALL.len()],
    status: Option<Status>,
    meters_end: usize,
    supplies_end: usize,
    trays_end: usize,
    alerts_end: usize,
}

#[derive(Clone, Copy, Debug)]
struct Status {
    device: Option<DeviceStatus>,
    printer: Option<PrinterStatus>,
    errors: ErrorSet,
    uptime_ticks: Option<u32>,
    display: Text,
}

#[derive(Clone, Copy, Debug)]
struct Meter {
    work: Work,
    colour: Colour,
    unit: MeterUnit,
    size: Text,
    sides: Option<Sides>,
    basis: Basis,
    oid: Text,
    value: u64,
    parts_end: usize,
}

#[derive(Clone, Copy, Debug)]
struct Supply {
    index: u32,
    class: SupplyClass,
    kind: SupplyType,
    colorant: Option<Colorant>,
    description: Text,
    part: Text,
    serial: Text,
    unit: CapacityUnit,
    capacity: Option<u32>,
    resolution: Option<u32>,
    level: Level,
}

#[derive(Clone, Copy, Debug)]
struct Tray {
    index: u32,
    name: Text,
    kind: TrayType,
    media: Text,
    unit: CapacityUnit,
    capacity: Option<u32>,
    status: Option<u32>,
    level: Level,
}

#[derive(Clone, Copy, Debug)]
struct Alert {
    index: u32,
    severity: AlertSeverity,
    group: Text,
    group_index: Option<u32>,
    code: Text,
    description: Text,
    since: Option<Timestamp>,
}

/// A decoded report.
#[derive(Debug, Default)]
pub struct Columns {
    text: String,
    header: Option<Header>,
    devices: Vec<Device>,
    meters: Vec<Meter>,
    parts: Vec<(Text, u64)>,
    supplies: Vec<Supply>,
    trays: Vec<Tray>,
    alerts: Vec<Alert>,
}

impl Columns {
    /// Forgets the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.header = None;
        self.devices.clear();
        self.meters.clear();
        self.parts.clear();
        self.supplies.clear();
        self.trays.clear();
        self.alerts.clear();
    }

    /// The memory it takes, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        fn of<T>(rows: &Vec<T>) -> usize {
            rows.capacity() * size_of::<T>()
        }
        self.text.capacity()
            + of(&self.devices)
            + of(&self.meters)
            + of(&self.parts)
            + of(&self.supplies)
            + of(&self.trays)
            + of(&self.alerts)
    }

    /// Whose report it is: agent, spool epoch, stream and number. `None` before a header came.
    #[must_use]
    pub fn sender(&self) -> Option<(AgentId, SpoolEpoch, Stream, u64)> {
        let header = self.header?;
        let agent = AgentId::new(self.word(header.agent)).ok()?;
        Some((agent, header.epoch, header.stream, header.sequence))
    }

    /// Whether no device is reported in full.
    #[must_use]
    pub fn is_deltas_only(&self) -> bool {
        self.devices.iter().all(|device| device.base.is_some())
    }

    /// The report in full; `None` before a header came.
    #[must_use]
    pub fn report(&self) -> Option<Report> {
        let mut builder = ReportBuilder::new();
        self.replay(&mut builder);
        builder.finish()
    }

    /// Pushes all rows into `sink`, as they were pushed here.
    pub fn replay<S: RowSink + ?Sized>(&self, sink: &mut S) {
        let Some(header) = &self.header else { return };
        sink.header(&HeaderRow {
            agent: self.word(header.agent),
            epoch: header.epoch,
            stream: header.stream,
            sequence: header.sequence,
            sealed_at: header.sealed_at,
            sealed_uptime_ms: header.sealed_uptime_ms,
            program: self.word(header.program),
        });
        let [mut meters, mut supplies, mut trays, mut alerts] = [0; 4];
        for device in &self.devices {
            sink.device(&DeviceRow {
                handle: self.word(device.handle),
                base: device.base,
                observed_at: device.observed_at,
                observed_uptime_ms: device.observed_uptime_ms,
                source: device.source,
                meter_set: device.meter_set,
            });
            sink.identity(&IdentityRow::from_texts(
                device.identity.map(|word| self.word_opt(word)),
            ));
            for (kind, state) in SectionKind::ALL.into_iter().zip(device.sections) {
                let Some(state) = state else { continue };
                sink.section(kind, state);
                match kind {
                    SectionKind::Status => self.replay_status(device, sink),
                    SectionKind::Meters => self.replay_meters(meters..device.meters_end, sink),
                    SectionKind::Supplies => {
                        for row in &self.supplies[supplies..device.supplies_end] {
                            sink.supply(&self.supply_row(row));
                        }
                    }
                    SectionKind::Trays => {
                        for row in &self.trays[trays..device.trays_end] {
                            sink.tray(&self.tray_row(row));
                        }
                    }
                    SectionKind::Alerts => {
                        for row in &self.alerts[alerts..device.alerts_end] {
                            sink.alert(&self.alert_row(row));
                        }
                    }
                }
            }
            sink.device_end();
            meters = device.meters_end;
            supplies = device.supplies_end;
            trays = device.trays_end;
            alerts = device.alerts_end;
        }
    }

    fn replay_status<S: RowSink + ?Sized>(&self, device: &Device, sink: &mut S) {
        if let Some(status) = &device.status {
            sink.status(&StatusRow {
                device: status.device,
                printer: status.printer,
                errors: status.errors,
                uptime_ticks: status.uptime_ticks,
                display: self.word_opt(status.display),
            });
        }
    }

    fn replay_meters<S: RowSink + ?Sized>(&self, rows: std::ops::Range<usize>, sink: &mut S) {
        let before = rows.start.checked_sub(1);
        let mut part = before.map_or(0, |before| self.meters[before].parts_end);
        for row in &self.meters[rows] {
            sink.meter(&MeterRow {
                work: row.work,
                colour: row.colour,
                unit: row.unit,
                size: self.word_opt(row.size),
                sides: row.sides,
                basis: row.basis,
                oid: self.word(row.oid),
                value: row.value,
            });
            for (oid, value) in &self.parts[part..row.parts_end] {
                sink.part(&PartRow {
                    oid: self.word(*oid),
                    value: *value,
                });
            }
            part = row.parts_end;
        }
    }

    fn supply_row(&self, row: &Supply) -> SupplyRow<'_> {
        SupplyRow {
            index: row.index,
            class: row.class,
            kind: row.kind,
            colorant: row.colorant,
            description: self.word(row.description),
            part: self.word_opt(row.part),
            serial: self.word_opt(row.serial),
            unit: row.unit,
            capacity: row.capacity,
            resolution: row.resolution,
            level: row.level,
        }
    }

    fn tray_row(&self, row: &Tray) -> TrayRow<'_> {
        TrayRow {
            index: row.index,
            name: self.word(row.name),
            kind: row.kind,
            media: self.word_opt(row.media),
            unit: row.unit,
            capacity: row.capacity,
            status: row.status,
            level: row.level,
        }
    }

    fn alert_row(&self, row: &Alert) -> AlertRow<'_> {
        AlertRow {
            index: row.index,
            severity: row.severity,
            group: self.word(row.group),
            group_index: row.group_index,
            code: self.word(row.code),
            description: self.word(row.description),
            since: row.since,
        }
    }

    fn put(&mut self, text: &str) -> Text {
        let begin = place(self.text.len());
        self.text.push_str(text);
        Text(Some((begin, place(self.text.len()))))
    }

    fn put_opt(&mut self, text: Option<&str>) -> Text {
        text.map_or(Text(None), |text| self.put(text))
    }

    fn word_opt(&self, text: Text) -> Option<&str> {
        let (begin, end) = text.0?;
        Some(&self.text[begin as usize..end as usize])
    }

    fn word(&self, text: Text) -> &str {
        self.word_opt(text).unwrap_or_default()
    }

    fn device_mut(&mut self) -> &mut Device {
        self.devices
            .last_mut()
            .expect("rows come after their device")
    }
}

/// A place in the text: a report inflates to far fewer than 2^32 bytes, and its text is part of it.
fn place(at: usize) -> u32 {
    u32::try_from(at).expect("a report has fewer than 2^32 bytes")
}

/// The memory of reports that were forgotten, for those to come; and how much those take that wait.
#[derive(Debug)]
pub struct Spare {
    #[expect(clippy::vec_box, reason = "the box is used again, too")]
    idle: Mutex<Vec<Box<Columns>>>,
    kept_bytes: AtomicUsize,
    kept_bytes_max: usize,
}

/// Columns that wait for the applier. Dropped, they leave their room and their memory to others.
#[derive(Debug)]
pub struct Kept {
    /// Taken out only when dropped.
    columns: Option<Box<Columns>>,
    bytes: usize,
    spare: Arc<Spare>,
}

impl Kept {
    /// What the report says.
    #[must_use]
    pub fn columns(&self) -> &Columns {
        self.columns.as_ref().expect("taken out only when dropped")
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.spare.kept_bytes.fetch_sub(self.bytes, SeqCst);
        if let Some(columns) = self.columns.take() {
            self.spare.put(columns);
        }
    }
}

impl Spare {
    /// No memory yet; at most `kept_bytes_max` of columns may wait for the applier.
    #[must_use]
    pub const fn new(kept_bytes_max: usize) -> Self {
        Self {
            idle: Mutex::new(Vec::new()),
            kept_bytes: AtomicUsize::new(0),
            kept_bytes_max,
        }
    }

    /// Keeps columns for the applier; takes their memory back at once when there is no room for them.
    #[must_use]
    pub fn keep(self: &Arc<Self>, columns: Box<Columns>) -> Option<Kept> {
        let bytes = columns.bytes();
        let room = |kept: usize| {
            let kept = kept.checked_add(bytes)?;
            (kept <= self.kept_bytes_max).then_some(kept)
        };
        if self.kept_bytes.fetch_update(SeqCst, SeqCst, room).is_err() {
            self.put(columns);
            return None;
        }
        Some(Kept {
            columns: Some(columns),
            bytes,
            spare: Arc::clone(self),
        })
    }

    /// The memory of what is kept, in bytes.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.kept_bytes.load(SeqCst)
    }

    /// Empty columns.
    pub fn take(&self) -> Box<Columns> {
        self.lock().pop().unwrap_or_default()
    }

    /// Takes back what nobody needs any more.
    pub fn put(&self, mut columns: Box<Columns>) {
        columns.clear();
        let mut spare = self.lock();
        if spare.len() < SPARE_MAX && columns.bytes() <= SPARE_BYTES_MAX {
            spare.push(columns);
        }
    }

    #[expect(clippy::vec_box, reason = "the box is used again, too")]
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Box<Columns>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
