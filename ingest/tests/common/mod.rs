//! Reports as an agent would seal them, and a door to deliver them to.

#![allow(dead_code, reason = "each test program uses its part")]

pub mod faulty;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use codec::envelope::{Encoding, compress};
use codec::id::{AgentId, Scope, TenantId};
use codec::key::{SpoolEpoch, Stream};
use codec::model::{
    Alert, AlertSeverity, Basis, CapacityUnit, Colorant, Colour, DeviceReport, DeviceStatus,
    Header, Identity, Level, Meter, MeterUnit, PrinterStatus, Report, Section, SourceKind, Status,
    Supply, SupplyClass, SupplyType, Tray, TrayType, Work,
};
use codec::time::Timestamp;
use ingest::{Delivery, Ingest, IngestConfig};
use olap::ask::ReadingsQuery;
use olap::{DuckOptions, DuckStore, Reading, Store};
use registry::Registry;

/// A Tuesday in 2026.
pub const NOON: Timestamp = Timestamp::from_unix_ms(1_793_707_200_000);
/// The site that every registry begins with.
pub const SITE: TenantId = TenantId(3);
/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A manager without its pages.
pub struct Door {
    pub ingest: Ingest,
    pub store: Arc<dyn Store>,
    pub registry: Registry,
}

impl Door {
    /// Opens the door in `folder` with registry and store in files.
    pub fn open(folder: &Path) -> Self {
        Self::open_with(folder, |_| {})
    }

    /// As [`Door::open`], with another configuration.
    pub fn open_with(folder: &Path, change: impl FnOnce(&mut IngestConfig)) -> Self {
        let registry = Registry::open(&folder.join("registry.sqlite")).unwrap();
        let store = DuckStore::open(&folder.join("store.duckdb"), &DuckOptions::default()).unwrap();
        let mut config = IngestConfig::new(folder.join("ingest"));
        config.batch_linger_ms = 20;
        change(&mut config);
        let store: Arc<dyn Store> = Arc::new(store);
        let ingest = Ingest::start(config, registry.clone(), Arc::clone(&store)).unwrap();
        Self {
            ingest,
            store,
            registry,
        }
    }

    /// Adds an agent and returns its id.
    pub fn add_agent(&self, name: &str) -> AgentId {
        self.registry.add_agent(name, SITE, NOON).unwrap().agent.id
    }

    /// Waits until everything acknowledged is applied.
    pub fn settle(&self) {
        wait_until("everything is applied", || {
            self.ingest.status().is_caught_up
        });
    }

    /// Every reading in the store, in its order.
    pub fn readings(&self) -> Vec<Reading> {
        all_readings(self.store.as_ref())
    }
}

/// Every reading of a store, in its order.
pub fn all_readings(store: &dyn Store) -> Vec<Reading> {
    let mut query = ReadingsQuery {
        limit: olap::ask::PAGE_ITEMS_MAX,
        ..ReadingsQuery::default()
    };
    let mut readings = Vec::new();
    loop {
        let page = store.readings(&Scope::Everything, &query).unwrap();
        readings.extend(page.items);
        query.cursor = page.next;
        if query.cursor.is_none() {
            return readings;
        }
    }
}

/// Waits for a condition, with a bound.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

/// A report without devices.
pub fn report(agent: &AgentId, stream: Stream, sequence: u64, sealed_at: Timestamp) -> Report {
    Report {
        header: Header {
            agent: agent.clone(),
            epoch: SpoolEpoch(0xfeed),
            stream,
            sequence,
            sealed_at,
            sealed_uptime_ms: uptime(sealed_at),
            program: "0.1.0".to_owned(),
        },
        devices: Vec::new(),
    }
}

/// The agent's monotonic clock at a time of day: it was started ten days before noon.
pub fn uptime(at: Timestamp) -> u64 {
    u64::try_from(at.ms_since(NOON) + 864_000_000).unwrap()
}

/// Device number `number`, observed at `at`, with nothing read.
pub fn device(number: u32, at: Timestamp) -> DeviceReport {
    DeviceReport {
        observed_at: at,
        observed_uptime_ms: uptime(at),
        source: Some(SourceKind::Snmp),
        handle: format!("d{number}"),
        identity: Identity {
            serial: Some(format!("SN{number:06}")),
            manufacturer: Some("Kyocera".to_owned()),
            model: Some("ECOSYS P3145dn".to_owned()),
            hostname: Some(format!("printer-{number}")),
            address: Some(format!("10.0.{}.{}", number / 250, number % 250 + 1)),
            mac: Some(format!(
                "00:c0:ee:{:02x}:{:02x}:{:02x}",
                number >> 16,
                number >> 8 & 255,
                number & 255
            )),
            profile: Some("kyocera/1".to_owned()),
            ..Identity::default()
        },
        ..DeviceReport::default()
    }
}

/// The same with two meters, of which the first says `value`.
pub fn metered(number: u32, at: Timestamp, value: u64) -> DeviceReport {
    DeviceReport {
        meters: Section::Read(vec![
            meter(Work::Print, Colour::Mono, value),
            meter(Work::Print, Colour::Colour, 77),
        ]),
        ..device(number, at)
    }
}

/// A meter.
pub fn meter(work: Work, colour: Colour, value: u64) -> Meter {
    Meter {
        work,
        colour,
        unit: MeterUnit::Impressions,
        size: None,
        sides: None,
        value,
        basis: Basis::Billing,
        oid: "1.3.6.1.4.1.1347.43.10.1.1.12.1.1".to_owned(),
        parts: Vec::new(),
    }
}

/// The same device with status, a supply, a tray and an alert.
pub fn stateful(number: u32, at: Timestamp, toner_percent: u32, alerts: &[&str]) -> DeviceReport {
    DeviceReport {
        status: Section::Read(Status {
            device: Some(DeviceStatus::Running),
            printer: Some(PrinterStatus::Idle),
            ..Status::default()
        }),
        supplies: Section::Read(vec![Supply {
            index: 1,
            class: SupplyClass::Consumed,
            kind: SupplyType::Toner,
            colorant: Some(Colorant::Black),
            description: "TK-3160".to_owned(),
            part: None,
            serial: None,
            unit: CapacityUnit::Percent,
            capacity: Some(100),
            level: Level::Percent(toner_percent),
            resolution: None,
        }]),
        trays: Section::Read(vec![Tray {
            index: 1,
            name: "Cassette 1".to_owned(),
            kind: TrayType::Removable,
            media: None,
            unit: CapacityUnit::Sheets,
            capacity: Some(500),
            level: Level::Amount(120),
            status: Some(0),
        }]),
        alerts: Section::Read(alerts.iter().map(|code| alert(code)).collect()),
        ..device(number, at)
    }
}

fn alert(code: &str) -> Alert {
    Alert {
        index: 1,
        severity: AlertSeverity::WarningBinaryChangeEvent,
        group: "markerSupplies".to_owned(),
        group_index: Some(1),
        code: code.to_owned(),
        description: format!("{code}!"),
        since: None,
    }
}

/// A report sealed as an agent would, and delivered a second later.
pub fn delivery(report: &Report) -> Delivery {
    let mut xml = Vec::new();
    codec::xml::write_report(report, &mut xml);
    let sent_at = report.header.sealed_at.plus_ms(1_000);
    Delivery {
        agent: report.header.agent.clone(),
        body: Bytes::from(compress(Encoding::Gzip, &xml)),
        encoding: Encoding::Gzip,
        sent_at: Some(sent_at),
        uptime_ms: Some(uptime(sent_at)),
        received_at: sent_at.plus_ms(20),
    }
}
