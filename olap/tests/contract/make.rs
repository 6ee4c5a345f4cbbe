//! Devices, meters and batches for the suite.

use std::collections::BTreeSet;

use codec::id::{AgentId, DeviceId, Scope, TenantId};
use codec::key::{SpoolEpoch, Stream};
use codec::model::{
    Alert, AlertSeverity, Basis, CapacityUnit, Colorant, Colour, DeviceStatus, ErrorState,
    Identity, Level, MeterSet, MeterUnit, PrinterStatus, SourceKind, Status, Supply, SupplyClass,
    SupplyType, Tray, TrayType, Work,
};
use codec::time::Timestamp;
use olap::Batch;
use olap::reading::{JournalPosition, MeterWords};
use olap::rows::{DeviceRow, RunRow, SeenRow, StatusRow, SuppliesRow};
use olap::words::{Quality, ReadReason};

/// The time at which the suite plays: 2026-11-21T12:00:00Z.
pub const NOON: Timestamp = Timestamp::from_unix_ms(1_795_262_400_000);
pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

pub const TOTAL: MeterWords<'static> = MeterWords {
    work: Work::Total,
    colour: Colour::Total,
    unit: MeterUnit::Impressions,
    size: None,
    sides: None,
    basis: Basis::Billing,
};
pub const PRINT_MONO: MeterWords<'static> = MeterWords {
    work: Work::Print,
    colour: Colour::Mono,
    ..TOTAL
};
pub const ENGINE: MeterWords<'static> = MeterWords {
    basis: Basis::Engine,
    ..TOTAL
};

pub fn agent() -> AgentId {
    AgentId::new("hofer-1").unwrap()
}

pub fn device(n: u32) -> DeviceId {
    DeviceId::derive("serial", &["test", &n.to_string()])
}

pub fn site(n: i64) -> Scope {
    Scope::Sites(BTreeSet::from([TenantId(n)]))
}

/// Device `n`, named and numbered after it, at site `n % 3`.
pub fn identity(n: u32) -> Identity {
    Identity {
        serial: Some(format!("SN{n:05}")),
        manufacturer: Some(
            if n.is_multiple_of(2) {
                "Kyocera"
            } else {
                "Ricoh"
            }
            .to_owned(),
        ),
        model: Some(format!("Model {}", n % 5)),
        hostname: Some(format!("printer-{n}")),
        address: Some(format!("10.0.{}.{}", n / 250, n % 250 + 1)),
        mac: Some(format!("00:20:6b:00:{:02x}:{:02x}", n / 256, n % 256)),
        profile: Some("kyocera/3".to_owned()),
        ..Identity::default()
    }
}

pub fn toner(index: u32, colorant: Colorant, percent: u32) -> Supply {
    Supply {
        index,
        class: SupplyClass::Consumed,
        kind: SupplyType::Toner,
        colorant: Some(colorant),
        description: format!("{colorant} toner"),
        part: Some("TK-8335".to_owned()),
        serial: None,
        unit: CapacityUnit::Percent,
        capacity: Some(100),
        level: Level::Percent(percent),
        resolution: Some(10),
    }
}

pub fn waste(index: u32) -> Supply {
    Supply {
        index,
        class: SupplyClass::Receptacle,
        kind: SupplyType::Waste,
        colorant: None,
        description: "Waste toner box".to_owned(),
        part: None,
        serial: Some("W-1".to_owned()),
        unit: CapacityUnit::Unknown,
        capacity: None,
        level: Level::Some,
        resolution: None,
    }
}

pub fn tray(index: u32) -> Tray {
    Tray {
        index,
        name: format!("Tray {index}"),
        kind: TrayType::Removable,
        media: Some("iso-a4-white".to_owned()),
        unit: CapacityUnit::Sheets,
        capacity: Some(500),
        level: Level::Amount(300),
        status: Some(0),
    }
}

pub fn status(errors: &[ErrorState]) -> Status {
    Status {
        device: Some(DeviceStatus::Running),
        printer: Some(PrinterStatus::Idle),
        errors: errors.to_vec(),
        uptime_ticks: Some(4_711),
        display: Some("Bereit für Aufträge".to_owned()),
    }
}

pub fn alert(index: u32, severity: AlertSeverity) -> Alert {
    Alert {
        index,
        severity,
        group: "markerSupplies".to_owned(),
        group_index: Some(3),
        code: "tonerAlmostEmpty".to_owned(),
        description: "Toner fast leer: 100 % 'Magenta'".to_owned(),
        since: Some(NOON.plus_ms(-HOUR)),
    }
}

/// A batch of one stretch of journal shard 0, from `from` to `from + 1`.
pub fn batch(from: u64) -> Batch {
    let mut batch = Batch::new();
    batch.covers(0, from, from + 1);
    batch.next_place((from + 1) * 1_000_000);
    batch
}

/// The n-th place of the batch from `from`.
pub const fn place(from: u64, n: u64) -> u64 {
    from * 1_000_000 + n
}

/// Puts device `n` into the batch as it is when it is new, at site `n % 3`.
pub fn introduce(batch: &mut Batch, n: u32) {
    introduce_as(batch, n, i64::from(n % 3), &identity(n));
}

pub fn introduce_as(batch: &mut Batch, n: u32, site: i64, identity: &Identity) {
    let agent = agent();
    batch.device(&DeviceRow {
        device: device(n),
        site: TenantId(site),
        agent: &agent,
        source: SourceKind::Snmp,
        identity,
        superseded_by: None,
        first_seen_at: NOON.plus_ms(-HOUR),
        changed_at: NOON.plus_ms(i64::from(n)),
    });
}

pub fn seen_at(n: u32, at: Timestamp) -> SeenRow {
    SeenRow {
        device: device(n),
        observed_at: at,
        agent_at: at.plus_ms(1_000),
        received_at: at.plus_ms(2_000),
        meters_confirmed_until: Some(at),
        unchanged_since: Some(at.plus_ms(-HOUR)),
    }
}

pub fn put_status(batch: &mut Batch, n: u32, errors: &[ErrorState], set: Option<MeterSet>) {
    batch.status(&StatusRow {
        device: device(n),
        status: &status(errors),
        meter_set: set,
        since: NOON,
    });
}

pub fn put_supplies(batch: &mut Batch, n: u32, supplies: &[Supply]) {
    batch.supplies(&SuppliesRow {
        device: device(n),
        supplies,
        observed_at: NOON,
    });
}

/// A run of device `n` (site `n % 3`) that begins at `at`.
pub fn run(
    place: u64,
    n: u32,
    meter: MeterWords<'static>,
    value: u64,
    at: Timestamp,
) -> RunRow<'static> {
    RunRow {
        place,
        agent: AGENT.get_or_init(agent),
        epoch: SpoolEpoch(0xfeed_0000_0000_0001),
        stream: Stream::Meters,
        sequence: place,
        ordinal: n,
        device: device(n),
        site: TenantId(i64::from(n % 3)),
        meter,
        value,
        continuous: value + 1_000,
        meter_epoch: 1,
        observed_at: at,
        confirmed_until: at,
        agent_at: at.plus_ms(1_000),
        received_at: at.plus_ms(2_000),
        oid: "1.3.6.1.4.1.1347.42.2.1.1.1.6.1.1",
        profile: Some("kyocera/3"),
        parts: &[
            ("1.3.6.1.4.1.1347.42.3.1.1", 7),
            ("1.3.6.1.4.1.1347.42.3.1.2", 8),
        ],
        quality: Quality::Ok,
        clock_corrected: false,
        reason: ReadReason::Scheduled,
        source: SourceKind::Snmp,
        journal: JournalPosition {
            shard: 3,
            position: 1 << 40,
        },
    }
}

static AGENT: std::sync::OnceLock<AgentId> = std::sync::OnceLock::new();
