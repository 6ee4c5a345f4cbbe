//! An invented fleet whose reports look like real ones: for tests, benches and load generators. The same seed gives the same fleet.
//!
//! Counters stand at OIDs of the makers' branches, and sums carry their parts; serials, names, addresses and the meaning of single OIDs are made up.

mod makers;

use crate::id::AgentId;
use crate::key::{SpoolEpoch, Stream};
use crate::model::{
    Alert, AlertSeverity, Basis, CapacityUnit, Colorant, Colour, DeviceReport, DeviceStatus,
    ErrorState, Header, Identity, Level, Meter, MeterPart, MeterSet, MeterUnit, PrinterStatus,
    Report, Section, SourceKind, Status, Supply, SupplyClass, SupplyType, Tray, TrayType, Work,
};
use crate::time::Timestamp;
use makers::{MAKERS, Maker};

/// When an invented fleet's clock begins.
const START: Timestamp = Timestamp::from_unix_ms(1_795_255_200_000);

/// Printers that print, with meters that grow, toner that drains, and alerts that come and go.
#[derive(Clone, Debug)]
pub struct Fleet {
    printers: Vec<Printer>,
    random: Random,
    now: Timestamp,
    uptime_ms: u64,
}

/// One printer's state.
#[derive(Clone, Debug)]
struct Printer {
    number: usize,
    maker: &'static Maker,
    colour: bool,
    print: [u64; 2],
    copy: [u64; 2],
    scan: u64,
    /// Hundredths of a per cent, K C M Y and waste.
    supplies: [u32; 5],
    sheets: [u32; 3],
    printing: bool,
    booted_ms: u64,
}

/// A small generator of pseudo-random numbers (xorshift): invented data need no better.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn chance(&mut self, per_cent: u64) -> bool {
        self.below(100) < per_cent
    }
}

impl Fleet {
    /// So many printers.
    #[must_use]
    pub fn new(printers: usize, seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            random.below(2);
        }
        let printers = (0..printers)
            .map(|number| Printer::new(number, &mut random))
            .collect();
        Self {
            printers,
            random,
            now: START,
            uptime_ms: 86_400_000,
        }
    }

    /// Lets `minutes` pass: two printers in three print, the others rest.
    pub fn pass(&mut self, minutes: u32) {
        let ms = u64::from(minutes) * 60_000 + self.random.below(900);
        self.now = self.now.plus_ms(ms.cast_signed());
        self.uptime_ms += ms;
        for printer in &mut self.printers {
            printer.pass(&mut self.random, minutes);
        }
    }

    /// A full report of all printers in one stream, as an agent would seal it now.
    #[must_use]
    pub fn report(&mut self, stream: Stream, sequence: u64) -> Report {
        let header = Header {
            agent: AgentId::new("sample-agent").expect("an agent id"),
            epoch: SpoolEpoch(0x5eed_5eed_5eed_5eed),
            stream,
            sequence,
            sealed_at: self.now,
            sealed_uptime_ms: self.uptime_ms,
            program: "0.1.0".to_owned(),
        };
        let devices = self
            .printers
            .iter()
            .map(|printer| {
                let age_ms = self.random.below(59_000);
                let mut device = printer.device(stream, self.uptime_ms);
                // A clock that is slewed does not move in step with the monotonic one.
                let slew_ms = self.random.below(3);
                device.observed_at = self.now.plus_ms(-(age_ms + slew_ms).cast_signed());
                device.observed_uptime_ms = self.uptime_ms.saturating_sub(age_ms);
                device
            })
            .collect();
        Report { header, devices }
    }
}

impl Printer {
    fn new(number: usize, random: &mut Random) -> Self {
        let maker = &MAKERS[number % MAKERS.len()];
        let colour = random.chance(60);
        let tint = u64::from(colour);
        Self {
            number,
            maker,
            colour,
            print: [random.below(900_000), random.below(400_000) * tint],
            copy: [random.below(90_000), random.below(20_000) * tint],
            scan: random.below(70_000),
            supplies: std::array::from_fn(|_| {
                u32::try_from(500 + random.below(9500)).unwrap_or(500)
            }),
            sheets: std::array::from_fn(|_| u32::try_from(random.below(500)).unwrap_or(0)),
            printing: false,
            booted_ms: random.below(80_000_000),
        }
    }

    fn pass(&mut self, random: &mut Random, minutes: u32) {
        self.printing = random.chance(66);
        if !self.printing {
            return;
        }
        let pages = 1 + random.below(u64::from(minutes) + 1);
        let tinted = if self.colour && random.chance(40) {
            1 + random.below(pages)
        } else {
            0
        };
        self.print[0] += pages;
        self.print[1] += tinted;
        if random.chance(25) {
            self.copy[0] += 1 + random.below(5);
            self.scan += 1 + random.below(9);
        }
        let used = u32::try_from(pages).unwrap_or(1);
        self.supplies[0] = self.supplies[0].checked_sub(used).unwrap_or(10_000);
        self.supplies[4] = self.supplies[4].checked_sub(used / 2).unwrap_or(10_000);
        if tinted > 0 {
            for supply in &mut self.supplies[1..4] {
                *supply = supply.checked_sub(1 + used / 2).unwrap_or(10_000);
            }
        }
        let sheets = &mut self.sheets[random.chance(20) as usize];
        *sheets = sheets.checked_sub(used.min(500)).unwrap_or(500);
    }

    fn device(&self, stream: Stream, uptime_ms: u64) -> DeviceReport {
        let mut device = DeviceReport {
            source: Some(SourceKind::Snmp),
            handle: (self.number + 1).to_string(),
            identity: self.identity(),
            ..DeviceReport::default()
        };
        match stream {
            Stream::Meters => {
                device.meter_set = Some(MeterSet::Verified);
                device.meters = Section::Read(self.meters());
            }
            Stream::State => {
                device.status = Section::Read(self.status(uptime_ms));
                device.supplies = Section::Read(self.supplies());
                device.trays = Section::Read(self.trays());
                device.alerts = Section::Read(self.alerts());
            }
        }
        device
    }

    fn identity(&self) -> Identity {
        let Self { number, maker, .. } = self;
        let model = maker.models[number / MAKERS.len() % maker.models.len()];
        let mixed = (*number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let host = format!("prn-{:04}", number + 1);
        Identity {
            serial: Some(format!("{}{:07}", maker.serial_prefix, mixed >> 41)),
            manufacturer: Some(maker.name.to_owned()),
            model: Some(model.to_owned()),
            dns_name: Some(format!("{host}.print.example")),
            hostname: Some(host),
            address: Some(format!(
                "10.{}.{}.{}",
                number >> 16,
                (number >> 8) & 255,
                number & 255
            )),
            mac: Some(format!(
                "{}:{:02x}:{:02x}:{:02x}",
                maker.mac_prefix,
                mixed >> 56,
                (mixed >> 48) & 255,
                (mixed >> 40) & 255
            )),
            location: Some(format!(
                "Building {}, floor {}, room {}",
                number % 5,
                number % 7,
                number % 90
            )),
            contact: None,
            firmware: Some(maker.firmware.to_owned()),
            description: Some(maker.description.replace("{model}", model)),
            object_id: Some(maker.object_id.to_owned()),
            asset: None,
            profile: Some(maker.profile.to_owned()),
        }
    }

    fn meters(&self) -> Vec<Meter> {
        let oids = self.maker.counters;
        let meter = |work, colour, oid: &str, value| Meter {
            work,
            colour,
            unit: MeterUnit::Impressions,
            size: None,
            sides: None,
            value,
            basis: Basis::Billing,
            oid: oid.to_owned(),
            parts: Vec::new(),
        };
        let sum = |work, colour, parts: &[(usize, u64)]| {
            let parts: Vec<MeterPart> = parts
                .iter()
                .map(|(oid, value)| MeterPart {
                    oid: oids[*oid].to_owned(),
                    value: *value,
                })
                .collect();
            let value = parts.iter().map(|part| part.value).sum();
            Meter {
                parts,
                ..meter(work, colour, oids[0], value)
            }
        };
        let (print, copy) = (self.print, self.copy);
        let mut meters = vec![
            sum(
                Work::Total,
                Colour::Total,
                &[(0, print[0] + copy[0]), (1, print[1] + copy[1])],
            ),
            meter(Work::Print, Colour::Mono, oids[2], print[0]),
            meter(Work::Copy, Colour::Mono, oids[3], copy[0]),
            Meter {
                unit: MeterUnit::Images,
                ..meter(Work::Scan, Colour::Total, oids[4], self.scan)
            },
            Meter {
                basis: Basis::Engine,
                ..meter(
                    Work::Total,
                    Colour::Total,
                    "1.3.6.1.2.1.43.10.2.1.4.1.1",
                    print[0] + print[1] + copy[0] + copy[1] + 217,
                )
            },
        ];
        if self.colour {
            meters.push(meter(Work::Print, Colour::Colour, oids[5], print[1]));
            meters.push(meter(Work::Copy, Colour::Colour, oids[6], copy[1]));
            meters.push(meter(
                Work::Total,
                Colour::Mono,
                oids[0],
                print[0] + copy[0],
            ));
            meters.push(meter(
                Work::Total,
                Colour::Colour,
                oids[1],
                print[1] + copy[1],
            ));
        }
        meters
    }

    fn status(&self, uptime_ms: u64) -> Status {
        let low = self.alerts();
        Status {
            device: Some(if low.is_empty() {
                DeviceStatus::Running
            } else {
                DeviceStatus::Warning
            }),
            printer: Some(if self.printing {
                PrinterStatus::Printing
            } else {
                PrinterStatus::Idle
            }),
            errors: if low.is_empty() {
                Vec::new()
            } else {
                vec![ErrorState::LowToner]
            },
            uptime_ticks: u32::try_from(((uptime_ms + self.booted_ms) / 10) & 0xffff_ffff).ok(),
            display: None,
        }
    }

    fn supplies(&self) -> Vec<Supply> {
        const COLOURS: [(Colorant, &str); 4] = [
            (Colorant::Black, "Black"),
            (Colorant::Cyan, "Cyan"),
            (Colorant::Magenta, "Magenta"),
            (Colorant::Yellow, "Yellow"),
        ];
        let shown = if self.colour { 4 } else { 1 };
        let mut supplies: Vec<Supply> = COLOURS[..shown]
            .iter()
            .zip(1..)
            .zip(self.supplies)
            .map(|(((colorant, name), index), left)| Supply {
                index,
                class: SupplyClass::Consumed,
                kind: SupplyType::Toner,
                colorant: Some(*colorant),
                description: self.maker.toner.replace("{colour}", name),
                part: None,
                serial: None,
                unit: self.maker.supply_unit,
                capacity: Some(self.maker.capacity),
                level: Level::Amount(
                    u32::try_from(u64::from(left) * u64::from(self.maker.capacity) / 10_000)
                        .unwrap_or(0),
                ),
                resolution: None,
            })
            .collect();
        supplies.push(Supply {
            index: 5,
            class: SupplyClass::Receptacle,
            kind: SupplyType::Waste,
            colorant: None,
            description: "Waste Toner Box".to_owned(),
            part: None,
            serial: None,
            unit: CapacityUnit::Percent,
            capacity: Some(100),
            level: if self.number.is_multiple_of(2) {
                Level::Some
            } else {
                Level::Percent(self.supplies[4] / 100)
            },
            resolution: None,
        });
        supplies
    }

    fn trays(&self) -> Vec<Tray> {
        let tray = |index: u32, name: &str, kind, capacity, level| Tray {
            index,
            name: name.to_owned(),
            kind,
            media: Some("iso-a4-white".to_owned()),
            unit: CapacityUnit::Sheets,
            capacity: Some(capacity),
            level,
            status: Some(0),
        };
        vec![
            tray(1, "MP Tray", TrayType::NonRemovable, 100, Level::Unknown),
            tray(
                2,
                "Cassette 1",
                TrayType::Removable,
                500,
                Level::Amount(self.sheets[0]),
            ),
            tray(
                3,
                "Cassette 2",
                TrayType::Removable,
                500,
                Level::Amount(self.sheets[1]),
            ),
        ]
    }

    fn alerts(&self) -> Vec<Alert> {
        const LOW: u32 = 800;
        let shown = if self.colour { 4 } else { 1 };
        (1..)
            .zip(&self.supplies[..shown])
            .filter(|(_, left)| **left < LOW)
            .map(|(index, _)| Alert {
                index,
                severity: AlertSeverity::WarningBinaryChangeEvent,
                group: "markerSupplies".to_owned(),
                group_index: Some(index),
                code: "markerTonerAlmostEmpty".to_owned(),
                description: "Toner low".to_owned(),
                since: None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_fleet_and_meters_never_fall() {
        let (mut one, mut other) = (Fleet::new(20, 7), Fleet::new(20, 7));
        assert_eq!(
            one.report(Stream::Meters, 1),
            other.report(Stream::Meters, 1)
        );
        let values = |report: &Report| -> Vec<u64> {
            let meters = report
                .devices
                .iter()
                .filter_map(|device| device.meters.read());
            meters.flatten().map(|meter| meter.value).collect()
        };
        let before = values(&one.report(Stream::Meters, 2));
        one.pass(60);
        let after = values(&one.report(Stream::Meters, 3));
        assert!(
            before
                .iter()
                .zip(&after)
                .all(|(before, after)| before <= after)
        );
        assert_ne!(before, after);
    }
}
