//! A fleet that prints: devices with ten meters each, of which some move between two reports.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, StringArray, UInt8Array, UInt16Array, UInt32Array,
    UInt64Array,
};
use arrow::record_batch::RecordBatch;
use codec::id::{AgentId, DeviceId, Scope, TenantId};
use codec::key::{SpoolEpoch, Stream};
use codec::model::{
    Basis, CapacityUnit, Colorant, Colour, DeviceStatus, Identity, Level, MeterSet, MeterUnit,
    PrinterStatus, SourceKind, Status, Supply, SupplyClass, SupplyType, Work,
};
use codec::time::Timestamp;
use olap::reading::{JournalPosition, MeterWords};
use olap::rows::{DeviceRow, RunEnd, RunRow, SeenRow, StatusRow, SuppliesRow};
use olap::words::{Quality, ReadReason};
use olap::{Batch, Store};

pub const NOW: Timestamp = Timestamp::from_unix_ms(1_795_262_400_000);
const HOUR: i64 = 3_600_000;

/// Meters of a device.
const METERS: [(Work, Colour); 10] = [
    (Work::Total, Colour::Total),
    (Work::Print, Colour::Total),
    (Work::Print, Colour::Mono),
    (Work::Print, Colour::Colour),
    (Work::Copy, Colour::Total),
    (Work::Copy, Colour::Mono),
    (Work::Copy, Colour::Colour),
    (Work::Fax, Colour::Total),
    (Work::Scan, Colour::Total),
    (Work::Total, Colour::Mono),
];
/// How many of them moved since the report before: total, print and one of its colours, and the mono total.
const MOVED: [usize; 4] = [0, 1, 2, 9];
const SITES: i64 = 2_000;
/// Where the appender alone puts ends, as rows: it can write over nothing.
const ENDS: &str = "run_end";

pub struct Fleet {
    devices: Vec<DeviceId>,
    /// The place of each device's open runs.
    open: Vec<[u64; METERS.len()]>,
    agent: AgentId,
    oids: Vec<String>,
    position: u64,
    place: u64,
    value: u64,
    next: u32,
}

impl Fleet {
    pub fn new(devices: u32) -> Self {
        Self {
            devices: (0..devices)
                .map(|n| DeviceId::derive("bench", &[&n.to_string()]))
                .collect(),
            open: vec![[0; METERS.len()]; devices as usize],
            agent: AgentId::new("bench-1").unwrap(),
            oids: (0..METERS.len())
                .map(|n| format!("1.3.6.1.4.1.1347.42.3.1.{n}.1"))
                .collect(),
            position: 0,
            place: 1,
            value: 1_000,
            next: 0,
        }
    }

    pub fn device(&self, n: u32) -> DeviceId {
        self.devices[n as usize]
    }

    pub fn some_sites(&self) -> Scope {
        Scope::Sites(
            (0..50)
                .map(|site| TenantId(site * 7))
                .collect::<BTreeSet<_>>(),
        )
    }

    /// Makes every device known, with all that is known of a device.
    pub fn introduce(&mut self, store: &dyn Store) {
        for begin in (0..self.devices.len()).step_by(20_000) {
            let mut batch = self.begin();
            for n in begin..(begin + 20_000).min(self.devices.len()) {
                self.put_device(&mut batch, n);
                for meter in 0..METERS.len() {
                    self.open_run(&mut batch, n, meter);
                }
                self.put_seen(&mut batch, n);
            }
            batch.next_place(self.place);
            store.apply(&batch).unwrap();
        }
    }

    /// The next `count` reports: each with four meters that moved, six that did not.
    pub fn steady(&mut self, count: u32) -> Batch {
        let mut batch = self.begin();
        for _ in 0..count {
            let n = self.next as usize;
            self.next = (self.next + 1) % u32::try_from(self.devices.len()).unwrap();
            for meter in MOVED {
                batch.end_run(RunEnd {
                    place: self.open[n][meter],
                    confirmed_until: self.now().plus_ms(-HOUR),
                    superseded_at: self.now(),
                });
                self.open_run(&mut batch, n, meter);
            }
            self.put_seen(&mut batch, n);
        }
        batch.next_place(self.place);
        batch
    }

    fn begin(&mut self) -> Batch {
        self.value += 7;
        let mut batch = Batch::new();
        batch.covers(0, self.position, self.position + 1);
        self.position += 1;
        batch
    }

    fn now(&self) -> Timestamp {
        NOW.plus_ms(-30 * 24 * HOUR + i64::try_from(self.position).unwrap() * HOUR)
    }

    fn put_device(&self, batch: &mut Batch, n: usize) {
        let identity = Identity {
            serial: Some(format!("VXF{n:07}")),
            manufacturer: Some(["Kyocera", "Ricoh", "Konica Minolta", "HP"][n % 4].to_owned()),
            model: Some(format!("TASKalfa {}ci", 2_000 + n % 40)),
            hostname: Some(format!("printer-{n}.example.net")),
            address: Some(format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255)),
            mac: Some(format!(
                "00:20:6b:{:02x}:{:02x}:{:02x}",
                n >> 16,
                n >> 8 & 255,
                n & 255
            )),
            location: Some(format!("Gebäude {}, Raum {}", n % 90, n % 700)),
            firmware: Some("2V6_S000.003.104".to_owned()),
            description: Some("KYOCERA Document Solutions Printing System".to_owned()),
            object_id: Some("1.3.6.1.4.1.1347.41".to_owned()),
            profile: Some("kyocera/3".to_owned()),
            ..Identity::default()
        };
        let device = self.devices[n];
        batch.device(&DeviceRow {
            device,
            site: TenantId(i64::try_from(n).unwrap() % SITES),
            agent: &self.agent,
            source: SourceKind::Snmp,
            identity: &identity,
            superseded_by: None,
            first_seen_at: NOW,
            changed_at: NOW,
        });
        let status = Status {
            device: Some(DeviceStatus::Running),
            printer: Some(PrinterStatus::Idle),
            ..Status::default()
        };
        batch.status(&StatusRow {
            device,
            status: &status,
            meter_set: Some(MeterSet::Verified),
            since: NOW,
        });
        let colours = [
            Colorant::Black,
            Colorant::Cyan,
            Colorant::Magenta,
            Colorant::Yellow,
        ];
        let supplies: Vec<Supply> = (0_u32..)
            .zip(colours)
            .map(|(index, colorant)| Supply {
                index,
                class: SupplyClass::Consumed,
                kind: SupplyType::Toner,
                colorant: Some(colorant),
                description: format!("TK-8335{colorant}"),
                part: None,
                serial: None,
                unit: CapacityUnit::Percent,
                capacity: Some(100),
                level: Level::Percent((u32::try_from(n).unwrap() * 31 + index * 17) % 101),
                resolution: None,
            })
            .collect();
        batch.supplies(&SuppliesRow {
            device,
            supplies: &supplies,
            observed_at: NOW,
        });
    }

    fn put_seen(&self, batch: &mut Batch, n: usize) {
        let now = self.now();
        batch.seen(&SeenRow {
            device: self.devices[n],
            observed_at: now,
            agent_at: now.plus_ms(500),
            received_at: now.plus_ms(900),
            meters_confirmed_until: Some(now),
            unchanged_since: Some(now),
        });
    }

    fn open_run(&mut self, batch: &mut Batch, n: usize, meter: usize) {
        let (work, colour) = METERS[meter];
        let now = self.now();
        self.open[n][meter] = self.place;
        batch.open_run(&RunRow {
            place: self.place,
            agent: &self.agent,
            epoch: SpoolEpoch(0x5eed),
            stream: Stream::Meters,
            sequence: self.position,
            ordinal: u32::try_from(n).unwrap(),
            device: self.devices[n],
            site: TenantId(i64::try_from(n).unwrap() % SITES),
            meter: MeterWords {
                work,
                colour,
                unit: MeterUnit::Impressions,
                size: None,
                sides: None,
                basis: Basis::Billing,
            },
            value: self.value,
            continuous: self.value,
            meter_epoch: 0,
            observed_at: now,
            confirmed_until: now,
            agent_at: now.plus_ms(500),
            received_at: now.plus_ms(900),
            oid: &self.oids[meter],
            profile: Some("kyocera/3"),
            parts: &[],
            quality: Quality::Ok,
            clock_corrected: false,
            reason: ReadReason::Scheduled,
            source: SourceKind::Snmp,
            journal: JournalPosition {
                shard: 0,
                position: self.position << 32 | n as u64,
            },
        });
        self.place += 1;
    }

    /// The rows that [`Fleet::steady`] begins, as columns that are ready for the appender.
    pub fn new_rows(&self, count: u32) -> Vec<(&'static str, RecordBatch)> {
        let (report, run, _, seen) = self.rows(count);
        vec![("report", report), ("run", run), ("device_seen", seen)]
    }

    /// The same, and the ends of as many readings in a table of their own.
    pub fn with_ends(&self, count: u32) -> Vec<(&'static str, RecordBatch)> {
        let (report, run, end, seen) = self.rows(count);
        vec![
            ("report", report),
            ("run", run),
            (ENDS, end),
            ("device_seen", seen),
        ]
    }

    fn rows(&self, count: u32) -> (RecordBatch, RecordBatch, RecordBatch, RecordBatch) {
        let runs = u64::from(count) * MOVED.len() as u64;
        let now = self.now().unix_ms;
        let u64s = |of: fn(u64) -> u64| {
            Arc::new(UInt64Array::from_iter_values((0..runs).map(of))) as ArrayRef
        };
        let u32s = |of: fn(u64) -> u32| {
            Arc::new(UInt32Array::from_iter_values((0..runs).map(of))) as ArrayRef
        };
        let u8s = |value: u8| {
            Arc::new(UInt8Array::from_iter_values((0..runs).map(|_| value))) as ArrayRef
        };
        let moments = |rows: u64| {
            Arc::new(Int64Array::from_iter_values(
                (0..rows).map(|n| now + n as i64 % 1000),
            )) as ArrayRef
        };
        let device = |n: u64| (n / 4) as u32;
        let run = RecordBatch::try_from_iter_with_nullable([
            ("place", u64s(|n| n), true),
            ("report_no", u64s(|n| n / 4 * 4), true),
            ("device_no", u32s(device), true),
            (
                "meter_no",
                Arc::new(UInt16Array::from_iter_values(
                    (0..runs).map(|n| (n % 10) as u16),
                )) as ArrayRef,
                true,
            ),
            ("origin_no", u32s(|n| (n % 10) as u32), true),
            (
                "site",
                Arc::new(Int64Array::from_iter_values(
                    (0..runs).map(|n| n as i64 % SITES),
                )) as ArrayRef,
                true,
            ),
            ("value", u64s(|n| n * 3), true),
            ("continuous", u64s(|n| n * 3), true),
            ("meter_epoch", u32s(|_| 0), true),
            ("observed_ms", moments(runs), true),
            ("confirmed_ms", moments(runs), true),
            (
                "superseded_ms",
                Arc::new(Int64Array::from_iter_values((0..runs).map(|_| i64::MAX))) as ArrayRef,
                true,
            ),
            ("quality", u8s(0), true),
            (
                "clock_corrected",
                Arc::new(BooleanArray::from(vec![false; runs as usize])) as ArrayRef,
                true,
            ),
            ("reason", u8s(0), true),
            (
                "parts",
                Arc::new(StringArray::from_iter((0..runs).map(|_| None::<&str>))) as ArrayRef,
                true,
            ),
        ])
        .unwrap();
        let per_report = |of: fn(u64) -> u64| {
            Arc::new(UInt64Array::from_iter_values((0..u64::from(count)).map(of))) as ArrayRef
        };
        let report = RecordBatch::try_from_iter_with_nullable([
            ("report_no", per_report(|n| n * 4), true),
            (
                "agent_no",
                Arc::new(UInt32Array::from_iter_values((0..count).map(|_| 0))) as ArrayRef,
                true,
            ),
            ("epoch", per_report(|_| 0x5eed), true),
            (
                "stream",
                Arc::new(UInt8Array::from_iter_values((0..count).map(|_| 0))) as ArrayRef,
                true,
            ),
            ("sequence", per_report(|n| n / 100), true),
            (
                "ordinal",
                Arc::new(UInt32Array::from_iter_values((0..count).map(|n| n % 100))) as ArrayRef,
                true,
            ),
            ("agent_ms", moments(u64::from(count)), true),
            ("received_ms", moments(u64::from(count)), true),
            (
                "shard",
                Arc::new(UInt16Array::from_iter_values((0..count).map(|_| 0))) as ArrayRef,
                true,
            ),
            ("position", per_report(|n| n << 20), true),
        ])
        .unwrap();
        let devices = u64::from(count);
        let numbers = Arc::new(UInt32Array::from_iter_values(0..count)) as ArrayRef;
        let seen = RecordBatch::try_from_iter_with_nullable([
            ("device_no", numbers, true),
            ("observed_ms", moments(devices), true),
            ("agent_ms", moments(devices), true),
            ("received_ms", moments(devices), true),
            ("meters_confirmed_ms", moments(devices), true),
            ("unchanged_since_ms", moments(devices), true),
        ])
        .unwrap();
        let end = RecordBatch::try_from_iter_with_nullable([
            ("place", u64s(|n| n), true),
            ("confirmed_ms", moments(runs), true),
            ("superseded_ms", moments(runs), true),
        ])
        .unwrap();
        (report, run, end, seen)
    }
}

/// The same tables without the store around them.
pub struct Bare {
    connection: duckdb::Connection,
}

impl Bare {
    pub fn open(path: &Path) -> Self {
        // The store makes the tables, so that they are the same.
        drop(olap::DuckStore::open(path, &olap::DuckOptions::default()).unwrap());
        let config = duckdb::Config::default()
            .threads(2)
            .and_then(|config| config.max_memory("256MB"))
            .and_then(|config| config.with("wal_autocheckpoint", "32MB"))
            .and_then(|config| config.with("preserve_insertion_order", "false"))
            .unwrap();
        let connection = duckdb::Connection::open_with_flags(path, config).unwrap();
        connection
            .execute_batch(&format!(
                "CREATE TABLE {ENDS} (place UBIGINT NOT NULL, confirmed_ms BIGINT NOT NULL, superseded_ms BIGINT NOT NULL)"
            ))
            .unwrap();
        Self { connection }
    }

    /// One transaction, as the store has it.
    pub fn append(&self, rows: Vec<(&'static str, RecordBatch)>) {
        self.connection.execute_batch("BEGIN").unwrap();
        for (table, rows) in rows {
            let mut appender = self.connection.appender(table).unwrap();
            appender.append_record_batch(rows).unwrap();
            appender.flush().unwrap();
        }
        self.connection.execute_batch("COMMIT").unwrap();
    }
}
