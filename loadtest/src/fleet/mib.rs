//! A face compiled to its instances: a sorted list for GETNEXT and GETBULK, a hash map for GET.
//!
//! The instances of a face are the same for all printers that wear it; what they say is computed from the printer and the time
//! when somebody asks. Rows of the alert table are there only while the alert stands.

use std::collections::HashMap;

use super::ber::{Written, arcs, encode_oid};
use super::face::{Face, FaceLevel};
use super::printer::{ALERT_ROWS_MAX, Alerts, Behaviour, Part, Printer, Quantity, derived};
use super::turns::COUNTERS;

const PRT: &str = "1.3.6.1.2.1.43";

/// Where an instance's value comes from.
#[derive(Clone, Debug)]
enum Slot {
    Integer(i64),
    Octets(Vec<u8>),
    ObjectId(Vec<u8>),
    Text(TextOf),
    Sum(NumberType, Vec<Quantity>, u64),
    Level(Part, i64),
    TraySheets(usize, u64),
    Uptime,
    DeviceStatus,
    PrinterStatus,
    Errors,
    AlertEvents,
    Alert(usize, u32),
    Mac,
}

#[derive(Clone, Copy, Debug)]
enum NumberType {
    Integer,
    Counter,
    Gauge,
}

#[derive(Clone, Debug)]
enum TextOf {
    Serial,
    Name,
    Location,
    Pattern(String),
}

#[derive(Clone, Debug)]
struct Instance {
    oid: Vec<u8>,
    arcs: Vec<u32>,
    slot: Slot,
}

/// A face, compiled.
#[derive(Clone, Debug)]
pub struct Mib {
    instances: Vec<Instance>,
    by_oid: HashMap<Vec<u8>, usize>,
    trays: Vec<(usize, u64)>,
}

/// A face that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaceError {
    /// An OID that is none.
    #[error("{maker}: no OID: {oid:?}")]
    Oid {
        /// Whose face.
        maker: String,
        /// The text.
        oid: String,
    },
    /// A value that is no sum of quantities, or no known type.
    #[error("{maker}: {oid}: cannot make a {kind} of {value:?}")]
    Value {
        /// Whose face.
        maker: String,
        /// Which instance.
        oid: String,
        /// Its type.
        kind: String,
        /// The text.
        value: String,
    },
}

/// One printer, asked at one moment. What several answers need is computed once.
pub struct Asked<'a> {
    /// The printer.
    pub printer: &'a Printer,
    /// The moment.
    pub now_unix_ms: i64,
    worked: [u64; COUNTERS],
    meters: Option<[u64; COUNTERS]>,
    alerts: Option<Alerts>,
    text: Vec<u8>,
}

impl<'a> Asked<'a> {
    /// `printer` at `now_unix_ms`; `text` is memory for texts, of which the content does not matter.
    #[must_use]
    pub fn new(printer: &'a Printer, now_unix_ms: i64, text: Vec<u8>) -> Self {
        Self {
            printer,
            now_unix_ms,
            worked: printer.worked(now_unix_ms),
            meters: None,
            alerts: None,
            text,
        }
    }

    /// Gives the memory back.
    #[must_use]
    pub fn into_text(self) -> Vec<u8> {
        self.text
    }

    /// The sum of quantities and a constant, as the printer's display shows it.
    fn sum(&mut self, quantities: &[Quantity], constant: u64) -> u64 {
        let (printer, worked) = (self.printer, self.worked);
        let meters = self.meters.get_or_insert_with(|| printer.metered(worked));
        let sum = quantities.iter().fold(constant, |sum, quantity| {
            sum.saturating_add(derived(*quantity, meters))
        });
        if quantities.is_empty() {
            return sum;
        }
        printer.turns.rolled(sum)
    }
}

impl Mib {
    /// Compiles a face.
    ///
    /// # Errors
    /// [`FaceError`] names the instance that makes no sense.
    pub fn compile(face: &Face) -> Result<Self, FaceError> {
        let mut builder = Builder {
            face,
            instances: Vec::new(),
        };
        builder.system()?;
        builder.printer_tables()?;
        builder.alert_table()?;
        builder.vendor()?;
        let mut instances = builder.instances;
        instances.sort_by(|a, b| a.arcs.cmp(&b.arcs));
        let by_oid = instances
            .iter()
            .enumerate()
            .map(|(at, instance)| (instance.oid.clone(), at))
            .collect();
        let trays = face
            .tray
            .iter()
            .enumerate()
            .filter(|(_, tray)| tray.level.is_none())
            .map(|(row, tray)| (row, tray.capacity.unsigned_abs()))
            .collect();
        Ok(Self {
            instances,
            by_oid,
            trays,
        })
    }

    /// How many instances there can be.
    #[must_use]
    pub fn len(&self) -> usize {
        self.instances.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// The position of exactly that instance, whether it is there now or not.
    #[must_use]
    pub fn find(&self, oid: &[u8]) -> Option<usize> {
        self.by_oid.get(oid).copied()
    }

    /// The position of the first instance after `oid` that is there now.
    #[must_use]
    pub fn after(&self, oid: &[u8], asked: &mut Asked<'_>) -> Option<usize> {
        let wanted = arcs(oid);
        let from = self
            .instances
            .partition_point(|instance| instance.arcs <= wanted);
        self.next_there(from, asked)
    }

    /// The position of the first instance behind position `at` that is there now.
    #[must_use]
    pub fn next(&self, at: usize, asked: &mut Asked<'_>) -> Option<usize> {
        self.next_there(at + 1, asked)
    }

    /// The OID at a position, encoded.
    #[must_use]
    pub fn oid(&self, at: usize) -> &[u8] {
        &self.instances[at].oid
    }

    /// What the printer says at a position; the text lives in `asked`.
    #[must_use]
    pub fn value<'a>(&'a self, at: usize, asked: &'a mut Asked<'_>) -> Written<'a> {
        let (printer, now) = (asked.printer, asked.now_unix_ms);
        match &self.instances[at].slot {
            Slot::Integer(n) => Written::Integer(*n),
            Slot::Octets(octets) => Written::Octets(octets),
            Slot::ObjectId(oid) => Written::ObjectId(oid),
            Slot::Text(TextOf::Serial) => Written::Octets(printer.serial.as_bytes()),
            Slot::Text(TextOf::Name) => Written::Octets(printer.name.as_bytes()),
            Slot::Text(TextOf::Location) => Written::Octets(printer.location.as_bytes()),
            Slot::Text(TextOf::Pattern(pattern)) => {
                fill(&mut asked.text, pattern, printer);
                Written::Octets(&asked.text)
            }
            Slot::Sum(kind, quantities, constant) => {
                let sum = asked.sum(quantities, *constant);
                match kind {
                    NumberType::Integer => Written::Integer(i64::try_from(sum).unwrap_or(i64::MAX)),
                    NumberType::Counter => Written::Counter(sum),
                    NumberType::Gauge => Written::Gauge(sum),
                }
            }
            Slot::Level(part, capacity) => {
                let permille =
                    i64::try_from(printer.level_after(*part, &asked.worked)).unwrap_or(0);
                Written::Integer(permille * capacity / 1000)
            }
            Slot::TraySheets(row, capacity) => Written::Integer(
                i64::try_from(printer.sheets_after(*row, *capacity, &asked.worked)).unwrap_or(0),
            ),
            Slot::Uptime => Written::Ticks(printer.uptime_ticks(now)),
            Slot::DeviceStatus => {
                let worst = self.alerts(asked).iter().map(|alert| alert.severity).min();
                Written::Integer(match worst {
                    Some(3) => 5,
                    Some(_) => 3,
                    None => 2,
                })
            }
            Slot::PrinterStatus => {
                let stopped = self.alerts(asked).iter().any(|alert| alert.severity == 3);
                Written::Integer(if stopped || printer.behaviour == Behaviour::Asleep {
                    1
                } else if printer.is_printing(now) {
                    4
                } else {
                    3
                })
            }
            Slot::Errors => {
                let bits = self
                    .alerts(asked)
                    .iter()
                    .fold(0_u8, |bits, alert| bits | 0x80 >> alert.error_bit);
                asked.text.clear();
                asked.text.push(bits);
                Written::Octets(&asked.text)
            }
            Slot::AlertEvents => Written::Counter(u64::from(printer.alert_events(now))),
            Slot::Alert(row, column) => {
                let ticks = printer.uptime_ticks(now);
                let Some(alert) = self.alerts(asked).row(*row) else {
                    return Written::NoSuchInstance;
                };
                match column {
                    2 => Written::Integer(alert.severity),
                    3 => Written::Integer(4),
                    4 => Written::Integer(alert.group),
                    5 => Written::Integer(alert.group_index),
                    6 => Written::Integer(-2),
                    7 => Written::Integer(alert.code),
                    8 => Written::Octets(alert.description.as_bytes()),
                    _ => {
                        let stood_ms = u64::try_from(now - alert.since_unix_ms).unwrap_or(0);
                        let stood = u32::try_from(stood_ms / 10).unwrap_or(u32::MAX);
                        Written::Ticks(ticks.saturating_sub(stood))
                    }
                }
            }
            Slot::Mac => Written::Octets(&asked.printer.mac),
        }
    }

    fn next_there(&self, from: usize, asked: &mut Asked<'_>) -> Option<usize> {
        (from..self.instances.len()).find(|at| self.is_there(*at, asked))
    }

    /// Whether the instance at a position is there now: rows of the alert table come and go.
    pub fn is_there(&self, at: usize, asked: &mut Asked<'_>) -> bool {
        match self.instances[at].slot {
            Slot::Alert(row, _) => self.alerts(asked).len() > row,
            _ => true,
        }
    }

    fn alerts<'a>(&self, asked: &'a mut Asked<'_>) -> &'a Alerts {
        asked.alerts.get_or_insert_with(|| {
            asked
                .printer
                .alerts(&self.trays, &asked.worked, asked.now_unix_ms)
        })
    }
}

/// Writes a pattern with what it names in its place.
fn fill(text: &mut Vec<u8>, pattern: &str, printer: &Printer) {
    text.clear();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        text.extend(before.as_bytes());
        let (word, behind) = after.split_once('}').unwrap_or((after, ""));
        let value = match word {
            "serial" => &printer.serial,
            "model" => &printer.model,
            "name" => &printer.name,
            "location" => &printer.location,
            _ => word,
        };
        text.extend(value.as_bytes());
        rest = behind;
    }
    text.extend(rest.as_bytes());
}

struct Builder<'a> {
    face: &'a Face,
    instances: Vec<Instance>,
}

impl Builder<'_> {
    fn add(&mut self, oid: &str, slot: Slot) -> Result<(), FaceError> {
        let encoded = encode_oid(oid).ok_or_else(|| FaceError::Oid {
            maker: self.face.maker.clone(),
            oid: oid.to_owned(),
        })?;
        self.instances.push(Instance {
            arcs: arcs(&encoded),
            oid: encoded,
            slot,
        });
        Ok(())
    }

    fn text(&mut self, oid: &str, text: &str) -> Result<(), FaceError> {
        self.add(oid, text_slot(text))
    }

    fn integer(&mut self, oid: &str, value: i64) -> Result<(), FaceError> {
        self.add(oid, Slot::Integer(value))
    }

    fn object_id(&mut self, oid: &str, value: &str) -> Result<(), FaceError> {
        let encoded = encode_oid(value).ok_or_else(|| FaceError::Oid {
            maker: self.face.maker.clone(),
            oid: value.to_owned(),
        })?;
        self.add(oid, Slot::ObjectId(encoded))
    }

    fn system(&mut self) -> Result<(), FaceError> {
        let face = self.face;
        self.text("1.3.6.1.2.1.1.1.0", &face.description)?;
        self.object_id("1.3.6.1.2.1.1.2.0", &face.object_id)?;
        self.add("1.3.6.1.2.1.1.3.0", Slot::Uptime)?;
        self.text("1.3.6.1.2.1.1.4.0", "")?;
        let name = if face.has_sys_name { "{name}" } else { "" };
        self.text("1.3.6.1.2.1.1.5.0", name)?;
        self.text("1.3.6.1.2.1.1.6.0", "{location}")?;
        self.integer("1.3.6.1.2.1.2.2.1.3.1", 6)?;
        self.add("1.3.6.1.2.1.2.2.1.6.1", Slot::Mac)?;
        let device = "1.3.6.1.2.1.25.3.2.1";
        self.object_id(&format!("{device}.2.1"), "1.3.6.1.2.1.25.3.1.5")?;
        self.text(&format!("{device}.3.1"), &face.device_description)?;
        self.add(&format!("{device}.5.1"), Slot::DeviceStatus)?;
        self.add("1.3.6.1.2.1.25.3.5.1.1.1", Slot::PrinterStatus)?;
        self.add("1.3.6.1.2.1.25.3.5.1.2.1", Slot::Errors)
    }

    fn printer_tables(&mut self) -> Result<(), FaceError> {
        let face = self.face;
        self.integer(&format!("{PRT}.5.1.1.1.1"), 3)?;
        self.text(&format!("{PRT}.5.1.1.16.1"), "{name}")?;
        if face.has_general_serial {
            self.text(&format!("{PRT}.5.1.1.17.1"), "{serial}")?;
        }
        self.integer(&format!("{PRT}.5.1.1.18.1"), 0)?;
        self.add(&format!("{PRT}.5.1.1.19.1"), Slot::AlertEvents)?;
        self.integer(&format!("{PRT}.7.1.1.4.1.1"), 106)?;
        for (row, tray) in face.tray.iter().enumerate() {
            let at = |column: u32| format!("{PRT}.8.2.1.{column}.1.{}", row + 1);
            self.integer(&at(2), tray.kind)?;
            self.integer(&at(8), 8)?;
            self.integer(&at(9), tray.capacity)?;
            let level = tray.level.map_or(
                Slot::TraySheets(row, tray.capacity.unsigned_abs()),
                Slot::Integer,
            );
            self.add(&at(10), level)?;
            self.integer(&at(11), 0)?;
            self.text(&at(12), &tray.media)?;
            self.text(&at(13), &tray.name)?;
            self.text(&at(18), &tray.name)?;
        }
        self.integer(&format!("{PRT}.10.2.1.2.1.1"), 4)?;
        self.integer(&format!("{PRT}.10.2.1.3.1.1"), face.counter_unit)?;
        let life = Slot::Sum(
            NumberType::Counter,
            vec![Quantity::Total],
            face.engine_extra,
        );
        self.add(&format!("{PRT}.10.2.1.4.1.1"), life)?;
        self.add(
            &format!("{PRT}.10.2.1.5.1.1"),
            Slot::Sum(NumberType::Counter, Vec::new(), 17),
        )?;
        let mut colorants = Vec::new();
        for supply in &face.supply {
            let colorant = supply.colorant.as_ref().map_or(0, |word| {
                colorants.push(word.clone());
                colorants.len()
            });
            let at = |column: u32| format!("{PRT}.11.1.1.{column}.1.{}", supply.index);
            self.integer(&at(2), 1)?;
            self.integer(&at(3), i64::try_from(colorant).unwrap_or(0))?;
            self.integer(&at(4), supply.class)?;
            self.integer(&at(5), supply.kind)?;
            self.text(&at(6), &supply.description)?;
            self.integer(&at(7), supply.unit)?;
            self.integer(&at(8), supply.capacity)?;
            let slot = match &supply.level {
                FaceLevel::Fixed(level) => Slot::Integer(*level),
                FaceLevel::Named(part) => Slot::Level(
                    Part::from_name(part).ok_or_else(|| FaceError::Value {
                        maker: face.maker.clone(),
                        oid: at(9),
                        kind: "level".to_owned(),
                        value: part.clone(),
                    })?,
                    supply.capacity,
                ),
            };
            self.add(&at(9), slot)?;
        }
        for (row, word) in colorants.iter().enumerate() {
            let at = |column: u32| format!("{PRT}.12.1.1.{column}.1.{}", row + 1);
            self.integer(&at(2), 1)?;
            self.integer(&at(3), 3)?;
            self.text(&at(4), word)?;
            self.integer(&at(5), 2)?;
        }
        Ok(())
    }

    fn alert_table(&mut self) -> Result<(), FaceError> {
        for row in 0..ALERT_ROWS_MAX {
            for column in 2..=9 {
                self.add(
                    &format!("{PRT}.18.1.1.{column}.1.{}", row + 1),
                    Slot::Alert(row, column),
                )?;
            }
        }
        Ok(())
    }

    fn vendor(&mut self) -> Result<(), FaceError> {
        for instance in &self.face.oid {
            let refused = || FaceError::Value {
                maker: self.face.maker.clone(),
                oid: instance.oid.clone(),
                kind: instance.kind.clone(),
                value: instance.value.clone(),
            };
            let number = |kind| -> Option<Slot> {
                let mut quantities = Vec::new();
                let mut constant = 0;
                for term in instance.value.split('+').map(str::trim) {
                    match (Quantity::from_name(term), term.parse::<u64>()) {
                        (Some(quantity), _) => quantities.push(quantity),
                        (None, Ok(n)) => constant += n,
                        (None, Err(_)) => return None,
                    }
                }
                Some(Slot::Sum(kind, quantities, constant))
            };
            let slot = match instance.kind.as_str() {
                "integer" => number(NumberType::Integer),
                "counter" => number(NumberType::Counter),
                "gauge" => number(NumberType::Gauge),
                "text" => Some(text_slot(&instance.value)),
                "hex" => (0..instance.value.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(instance.value.get(at..at + 2)?, 16).ok())
                    .collect::<Option<Vec<u8>>>()
                    .map(Slot::Octets),
                _ => None,
            };
            self.add(&instance.oid, slot.ok_or_else(refused)?)?;
        }
        Ok(())
    }
}

fn text_slot(text: &str) -> Slot {
    match text {
        "{serial}" => Slot::Text(TextOf::Serial),
        "{name}" => Slot::Text(TextOf::Name),
        "{location}" => Slot::Text(TextOf::Location),
        text if text.contains('{') => Slot::Text(TextOf::Pattern(text.to_owned())),
        text => Slot::Octets(text.as_bytes().to_vec()),
    }
}
