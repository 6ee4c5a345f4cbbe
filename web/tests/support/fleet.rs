//! An invented fleet: devices that differ in what a page must show well.

use codec::model::{
    Alert, AlertSeverity, Basis, CapacityUnit, Colorant, Colour, DeviceReport, DeviceStatus,
    ErrorState, Identity, Level, Meter, MeterPart, MeterSet, MeterUnit, PrinterStatus, Section,
    SourceKind, Status, Supply, SupplyClass, SupplyType, Tray, TrayType, Work,
};
use codec::time::Timestamp;

/// Maker, model, whether it prints colour, where it stands.
const KINDS: [(&str, &str, bool, &str); 10] = [
    ("Kyocera", "TASKalfa 3253ci", true, "Empfang"),
    ("Konica Minolta", "bizhub C250i", true, "Werk 2, Versand"),
    ("Brother", "HL-L8260CDW", true, "Pflegezentrum, Station 3"),
    ("HP", "Color LaserJet Flow M880", true, "Personalbüro"),
    ("Ricoh", "MP C3004ex", true, "Praxis Dr. Aydın"),
    ("Lexmark", "MS826de", false, "Buchhaltung"),
    ("UTAX", "P-4532DN", false, "Büro 1. OG"),
    ("Canon", "iR-ADV C5235", true, "Hausdruckerei"),
    ("Xerox", "AltaLink C8045", true, "Schulungsraum Größe L"),
    ("Epson", "WF-C5790", true, "Kasse 4"),
];

/// Device `n` of the invented fleet, as it is at `at` when it had counted `step` more polls. `prefix` tells customers' devices apart.
pub fn device(prefix: &str, n: u64, step: u64, at: Timestamp) -> DeviceReport {
    let (maker, model, colour, location) = KINDS[usize::try_from(n).unwrap_or(0) % KINDS.len()];
    let pages = 12_000 + n * 31_337 % 900_000 + step * (7 + n % 13);
    let coloured = if colour { pages * 2 / 5 } else { 0 };
    DeviceReport {
        observed_at: at,
        observed_uptime_ms: 3_600_000,
        source: Some(SourceKind::Snmp),
        handle: format!("h{n}"),
        base: None,
        identity: Identity {
            serial: Some(format!("{prefix}{:07}", 4_100_000 + n * 17)),
            manufacturer: Some(maker.to_owned()),
            model: Some(model.to_owned()),
            hostname: Some(format!("{}-{n:03}", prefix.to_lowercase())),
            dns_name: Some(format!("{}-{n:03}.druck.example", prefix.to_lowercase())),
            address: Some(format!(
                "10.20.{}.{}{}",
                n / 250,
                n % 250 + 1,
                if n % 10 == 4 { ":16161" } else { "" }
            )),
            mac: Some(format!("00:20:6b:4a:{:02x}:{:02x}", n / 256, n % 256)),
            location: Some(location.to_owned()),
            firmware: Some(format!("{}.{:02}", 2 + n % 4, n % 60)),
            description: Some(format!("{maker} {model}; embedded controller")),
            profile: Some(format!("{}/3", maker.to_lowercase().replace(' ', "-"))),
            ..Identity::default()
        },
        status: Section::Read(status(n)),
        meter_set: Some(if n % 17 == 5 {
            MeterSet::Conflicting
        } else {
            MeterSet::Verified
        }),
        meters: Section::Read(meters(pages, coloured)),
        supplies: Section::Read(supplies(n, colour)),
        trays: Section::Read(trays(n)),
        alerts: Section::Read(alerts(n, at)),
    }
}

fn status(n: u64) -> Status {
    let (device, printer, errors) = match n % 9 {
        3 => (
            DeviceStatus::Warning,
            PrinterStatus::Idle,
            vec![ErrorState::LowToner],
        ),
        5 => (
            DeviceStatus::Down,
            PrinterStatus::Other,
            vec![ErrorState::Jammed, ErrorState::LowPaper],
        ),
        1 => (DeviceStatus::Running, PrinterStatus::Other, Vec::new()),
        6 => (
            DeviceStatus::Warning,
            PrinterStatus::Idle,
            vec![ErrorState::ServiceRequested],
        ),
        7 => (DeviceStatus::Running, PrinterStatus::Printing, Vec::new()),
        _ => (DeviceStatus::Running, PrinterStatus::Idle, Vec::new()),
    };
    Status {
        device: Some(device),
        printer: Some(printer),
        errors,
        uptime_ticks: Some(3 * 8_640_000),
        display: Some("Bereit zum Drucken".to_owned()),
    }
}

fn meters(pages: u64, coloured: u64) -> Vec<Meter> {
    let meter = |work, colour, value, basis, oid: &str, parts| Meter {
        work,
        colour,
        unit: MeterUnit::Impressions,
        size: None,
        sides: None,
        value,
        basis,
        oid: oid.to_owned(),
        parts,
    };
    let part = |oid: &str, value| MeterPart {
        oid: oid.to_owned(),
        value,
    };
    let root = "1.3.6.1.4.1.1347.42.3.1.2.1.1.1";
    let mono = pages - coloured;
    let mut meters = vec![
        meter(
            Work::Total,
            Colour::Total,
            pages,
            Basis::Billing,
            &format!("{root}.1"),
            vec![
                part(&format!("{root}.1"), mono),
                part(&format!("{root}.3"), coloured),
            ],
        ),
        meter(
            Work::Total,
            Colour::Mono,
            mono,
            Basis::Billing,
            &format!("{root}.1"),
            vec![],
        ),
        meter(
            Work::Print,
            Colour::Total,
            pages * 3 / 4,
            Basis::Billing,
            &format!("{root}.5"),
            vec![],
        ),
        meter(
            Work::Copy,
            Colour::Total,
            pages - pages * 3 / 4,
            Basis::Billing,
            &format!("{root}.6"),
            vec![],
        ),
        meter(
            Work::Total,
            Colour::Total,
            pages + 41,
            Basis::Engine,
            "1.3.6.1.2.1.43.10.2.1.4.1.1",
            vec![],
        ),
    ];
    if coloured > 0 {
        let oid = format!("{root}.3");
        meters.insert(
            2,
            meter(
                Work::Total,
                Colour::Colour,
                coloured,
                Basis::Billing,
                &oid,
                vec![],
            ),
        );
    }
    meters
}

fn supplies(n: u64, colour: bool) -> Vec<Supply> {
    let supply =
        |index, kind, colorant: Option<Colorant>, description: &str, capacity, level| Supply {
            index,
            class: if kind == SupplyType::Waste {
                SupplyClass::Receptacle
            } else {
                SupplyClass::Consumed
            },
            kind,
            colorant,
            description: description.to_owned(),
            part: Some(format!("TN-{}{index}", 320 + n % 8)),
            serial: None,
            unit: if capacity == Some(100) {
                CapacityUnit::Percent
            } else {
                CapacityUnit::Impressions
            },
            capacity,
            level,
            resolution: None,
        };
    let left = |k: u64| u32::try_from((n * 37 + k * 53) % 97).unwrap_or(0);
    let mut supplies = Vec::new();
    let colorants = [
        Colorant::Black,
        Colorant::Cyan,
        Colorant::Magenta,
        Colorant::Yellow,
    ];
    for (k, colorant) in (1_u32..).zip(colorants).take(if colour { 4 } else { 1 }) {
        let level = match n % 11 {
            4 => Level::Some,
            8 => Level::Unknown,
            _ => Level::Amount(left(u64::from(k)) * 120),
        };
        let description = format!("{colorant} toner cartridge");
        supplies.push(supply(
            k,
            SupplyType::Toner,
            Some(colorant),
            &description,
            Some(12_000),
            level,
        ));
    }
    supplies.push(supply(
        5,
        SupplyType::Waste,
        None,
        "Waste toner box",
        None,
        Level::Some,
    ));
    supplies.push(supply(
        6,
        SupplyType::Drum,
        Some(Colorant::Black),
        "Drum unit",
        Some(100),
        Level::Amount(71),
    ));
    supplies
}

fn trays(n: u64) -> Vec<Tray> {
    let tray = |index: u32, media: &str, level| Tray {
        index,
        name: format!("Kassette {index}"),
        kind: TrayType::Removable,
        media: Some(media.to_owned()),
        unit: CapacityUnit::Sheets,
        capacity: Some(500),
        level,
        status: Some(0),
    };
    vec![
        tray(
            1,
            "iso-a4-white",
            Level::Amount(if n % 7 == 2 { 0 } else { 300 }),
        ),
        tray(2, "iso-a3-white", Level::Some),
        Tray {
            kind: TrayType::Manual,
            media: None,
            capacity: None,
            ..tray(3, "", Level::Unknown)
        },
    ]
}

fn alerts(n: u64, at: Timestamp) -> Vec<Alert> {
    let alert = |index, severity, group: &str, code: &str, description: &str| Alert {
        index,
        severity,
        group: group.to_owned(),
        group_index: Some(1),
        code: code.to_owned(),
        description: description.to_owned(),
        since: Some(at.plus_ms(-i64::try_from(n).unwrap_or(0) * 900_000)),
    };
    match n % 9 {
        3 => vec![alert(
            1,
            AlertSeverity::WarningBinaryChangeEvent,
            "markerSupplies",
            "markerTonerAlmostEmpty",
            "Toner fast leer: Magenta",
        )],
        5 => vec![
            alert(
                1,
                AlertSeverity::Critical,
                "mediaPath",
                "jam",
                "Papierstau in der Fixiereinheit <B2>",
            ),
            alert(
                2,
                AlertSeverity::Warning,
                "input",
                "inputMediaSupplyLow",
                "",
            ),
        ],
        _ => Vec::new(),
    }
}

/// `count` devices as they are at `at`.
pub fn devices(prefix: &str, count: u64, step: u64, at: Timestamp) -> Vec<DeviceReport> {
    (0..count).map(|n| device(prefix, n, step, at)).collect()
}
