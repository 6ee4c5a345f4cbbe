//! One simulated printer. Everything it says is a function of its number, the time of day and what happened to it ([`Turns`]): a
//! fleet that is stopped for an hour has printed for an hour when it comes back.

use std::net::Ipv4Addr;

use super::turns::{COUNTERS, Turns};

/// Meters count from this moment on: 2026-01-01T00:00:00Z.
const COUNTING_SINCE_UNIX_MS: i64 = 1_767_225_600_000;
const HOUR_MS: u64 = 3_600_000;
/// How long a passing incident (a jam, an open door) may last, and how often one is drawn.
const INCIDENT_SLOT_MS: i64 = 90_000;
/// What a printer lacks it is said to lack since the beginning of a slot of so many milliseconds.
const LACKING_SLOT_MS: i64 = 3_600_000;

/// What a printer counts. The sums hold exactly: print + copy + fax = total, mono + colour = total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Black prints.
    PrintMono,
    /// Colour prints.
    PrintColour,
    /// Black copies.
    CopyMono,
    /// Colour copies.
    CopyColour,
    /// Printed faxes, black.
    Fax,
    /// Scanned originals.
    Scan,
    /// All prints.
    Print,
    /// All copies.
    Copy,
    /// Everything black.
    Mono,
    /// Everything in colour.
    Colour,
    /// Everything.
    Total,
    /// Of the total, impressions on two-sided sheets.
    Duplex,
    /// Of the total, impressions on one-sided sheets.
    Simplex,
    /// Of the total, A3.
    A3,
    /// Of the total, A4.
    A4,
}

impl Quantity {
    /// The quantity of that name in a face.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "print.mono" => Self::PrintMono,
            "print.colour" => Self::PrintColour,
            "copy.mono" => Self::CopyMono,
            "copy.colour" => Self::CopyColour,
            "fax" => Self::Fax,
            "scan" => Self::Scan,
            "print" => Self::Print,
            "copy" => Self::Copy,
            "mono" => Self::Mono,
            "colour" => Self::Colour,
            "total" => Self::Total,
            "duplex" => Self::Duplex,
            "simplex" => Self::Simplex,
            "a3" => Self::A3,
            "a4" => Self::A4,
            _ => return None,
        })
    }
}

/// A toner or drum of the printer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Black toner.
    K,
    /// Cyan toner.
    C,
    /// Magenta toner.
    M,
    /// Yellow toner.
    Y,
    /// The drum.
    Drum,
}

impl Part {
    /// The part of that name in a face.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "k" => Self::K,
            "c" => Self::C,
            "m" => Self::M,
            "y" => Self::Y,
            "drum" => Self::Drum,
            _ => return None,
        })
    }
}

/// How a printer behaves on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// It answers.
    Awake,
    /// It is in power save: the first request after a pause wakes it and is lost.
    Asleep,
    /// Its plug is pulled.
    Dead,
}

/// An alert that stands: the columns of `prtAlertTable` that are the same for all makers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandingAlert {
    /// `prtAlertSeverityLevel`.
    pub severity: i64,
    /// `prtAlertGroup`.
    pub group: i64,
    /// `prtAlertGroupIndex`.
    pub group_index: i64,
    /// `prtAlertCode`.
    pub code: i64,
    /// `prtAlertDescription`.
    pub description: &'static str,
    /// The bit of `hrPrinterDetectedErrorState` that goes with it.
    pub error_bit: u8,
    /// Since when it stands, in Unix milliseconds: `prtAlertTime` is made of it.
    pub since_unix_ms: i64,
}

/// The most alerts that stand at once: rows 1 to 4 of the alert table.
pub(super) const ALERT_ROWS_MAX: usize = 4;

/// The alerts that stand at one moment, by row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alerts {
    rows: [Option<StandingAlert>; ALERT_ROWS_MAX],
    count: usize,
}

impl Alerts {
    fn push(&mut self, alert: StandingAlert) {
        if let Some(row) = self.rows.get_mut(self.count) {
            *row = Some(alert);
            self.count += 1;
        }
    }

    /// How many stand.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether none stands.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The alert in that row, from 0.
    #[must_use]
    pub fn row(&self, row: usize) -> Option<StandingAlert> {
        self.rows.get(row).copied().flatten()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = StandingAlert> + '_ {
        self.rows.iter().copied().flatten()
    }
}

/// A printer of the fleet.
#[derive(Clone, Debug)]
pub struct Printer {
    /// Its number in the fleet, from 0.
    pub number: u32,
    /// Its address.
    pub address: Ipv4Addr,
    /// Which face it wears.
    pub face: usize,
    /// Which of the face's models it is.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub location: String,
    /// Its MAC.
    pub mac: [u8; 6],
    /// What it does on the network.
    pub behaviour: Behaviour,
    /// What happened to it since the fleet was made.
    pub turns: Turns,
    colour: bool,
    seed: u64,
    fleet_seed: u64,
}

const FLOORS: [&str; 6] = ["EG", "1. OG", "2. OG", "3. OG", "UG", "Dachgeschoss"];
const ROOMS: [&str; 12] = [
    "Empfang",
    "Buchhaltung",
    "Versand",
    "Lager",
    "Büro Nord",
    "Büro Süd",
    "Personal",
    "Einkauf",
    "Küche",
    "Schulung",
    "Konstruktion",
    "Geschäftsführung",
];

impl Printer {
    /// The printer of that number. `seed` makes fleets differ; the same number and seed always give the same printer.
    #[must_use]
    pub fn new(
        number: u32,
        address: Ipv4Addr,
        seed: u64,
        (face_index, face_count): (usize, u32),
        face: &super::face::Face,
        behaviour: Behaviour,
    ) -> Self {
        let fleet_seed = seed;
        let seed = mix(seed ^ u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let model = face.models[pick(seed, 1, face.models.len())].clone();
        let room = ROOMS[pick(seed, 3, ROOMS.len())];
        Self {
            number,
            address,
            face: face_index,
            model,
            serial: serial(face, number / face_count.max(1), fleet_seed),
            name: format!("prn-{:05}", number + 1),
            location: format!("{room}, {}", FLOORS[pick(seed, 4, FLOORS.len())]),
            mac: mac(face, number, 0),
            behaviour,
            turns: Turns::default(),
            colour: face.colour,
            seed,
            fleet_seed,
        }
    }

    /// Gives it the serial number and the MAC of the next main board that was never seen before.
    pub(super) fn change_board(&mut self, face: &super::face::Face, face_count: u32) {
        self.turns.boards += 1;
        let index = self.number / face_count.max(1) + self.turns.boards * SERIALS_OF_A_FLEET;
        self.serial = serial(face, index, self.fleet_seed);
        self.change_network_card(face);
    }

    /// Gives it another MAC.
    pub(super) fn change_network_card(&mut self, face: &super::face::Face) {
        self.turns.network_cards += 1;
        self.mac = mac(face, self.number, self.turns.network_cards);
    }

    /// What the meter of `quantity` shows at `now_unix_ms`.
    #[must_use]
    pub fn quantity(&self, quantity: Quantity, now_unix_ms: i64) -> u64 {
        let base = self.meters(now_unix_ms);
        self.turns.rolled(derived(quantity, &base))
    }

    /// What the six meters of which all others are sums show.
    pub(super) fn meters(&self, now_unix_ms: i64) -> [u64; COUNTERS] {
        self.metered(self.worked(now_unix_ms))
    }

    /// What they show after that work.
    pub(super) fn metered(&self, mut worked: [u64; COUNTERS]) -> [u64; COUNTERS] {
        self.turns.forget(&mut worked);
        worked
    }

    /// What it really did, whatever its meters say: this wears its parts.
    pub(super) fn worked(&self, now_unix_ms: i64) -> [u64; COUNTERS] {
        let colour = u64::from(self.colour);
        let mut base = [
            self.count(10, 2_000, 180_000, 2, 60, now_unix_ms),
            self.count(11, 1_000, 90_000, 1, 40, now_unix_ms) * colour,
            self.count(12, 500, 60_000, 1, 15, now_unix_ms),
            self.count(13, 100, 20_000, 1, 8, now_unix_ms) * colour,
            self.count(14, 0, 4_000, 0, 3, now_unix_ms),
            self.count(15, 300, 90_000, 1, 25, now_unix_ms),
        ];
        self.turns.add_printed(&mut base);
        base
    }

    /// What is left in `part`, in thousandths.
    #[must_use]
    pub fn level_permille(&self, part: Part, now_unix_ms: i64) -> u64 {
        self.level_after(part, &self.worked(now_unix_ms))
    }

    /// The same after that work.
    pub(super) fn level_after(&self, part: Part, worked: &[u64; COUNTERS]) -> u64 {
        let (salt, used, pages) = match part {
            Part::K => (20, Quantity::Mono, 6_000),
            Part::C => (21, Quantity::Colour, 4_000),
            Part::M => (22, Quantity::Colour, 3_600),
            Part::Y => (23, Quantity::Colour, 4_200),
            Part::Drum => (24, Quantity::Total, 60_000),
        };
        // Cartridges differ, some are starter cartridges, and one that is empty is changed at once: the level jumps back to full.
        let starter = if mix(self.seed ^ 50).is_multiple_of(4) {
            20
        } else {
            1
        };
        let pages = (pages + mix(self.seed ^ salt) % pages) / starter;
        let printed = derived(used, worked) + mix(self.seed ^ (salt + 40)) % pages;
        1000 - printed % pages * 1000 / pages
    }

    /// Sheets in the tray of that row that holds `capacity`, after that work.
    pub(super) fn sheets_after(&self, row: usize, capacity: u64, worked: &[u64; COUNTERS]) -> u64 {
        let row = row as u64;
        let used = derived(Quantity::Total, worked) / (row + 1);
        // A little past empty, so that the tray stands empty for a while before it is refilled.
        capacity
            .saturating_sub((used + mix(self.seed ^ (60 + row)) % capacity.max(1)) % (capacity + 8))
    }

    /// `sysUpTime` in hundredths of a second; printers are switched on at different hours.
    #[must_use]
    pub fn uptime_ticks(&self, now_unix_ms: i64) -> u32 {
        let running_ms = self.turns.running_ms(now_unix_ms).unwrap_or_else(|| {
            self.running_ms(now_unix_ms) + mix(self.seed ^ 30) % (40 * 24 * HOUR_MS)
        });
        // Wraps after 497 days, as RFC 3418 has it.
        u32::try_from(running_ms / 10 % (1 << 32)).unwrap_or(0)
    }

    /// The alerts that stand, at most four: what its trays and toners cause, and a passing incident now and then.
    pub(super) fn alerts(
        &self,
        trays: &[(usize, u64)],
        worked: &[u64; COUNTERS],
        now_unix_ms: i64,
    ) -> Alerts {
        let mut alerts = Alerts::default();
        // What it lacks it is said to lack since the full hour: the moment stays the same from poll to poll.
        let lacking_since_ms = now_unix_ms - now_unix_ms.rem_euclid(LACKING_SLOT_MS);
        for &(row, capacity) in trays {
            if self.sheets_after(row, capacity, worked) == 0 {
                alerts.push(StandingAlert {
                    severity: 3,
                    group: 8,
                    group_index: row as i64 + 1,
                    code: 808,
                    description: "Paper tray is empty",
                    error_bit: 1,
                    since_unix_ms: lacking_since_ms,
                });
                break;
            }
        }
        let toners: &[(Part, &str)] = if self.colour {
            &[
                (Part::K, "Black toner is low"),
                (Part::C, "Cyan toner is low"),
                (Part::M, "Magenta toner is low"),
                (Part::Y, "Yellow toner is low"),
            ]
        } else {
            &[(Part::K, "Black toner is low")]
        };
        for (row, &(part, description)) in toners.iter().enumerate() {
            if alerts.len() < 3 && self.level_after(part, worked) <= 80 {
                alerts.push(StandingAlert {
                    severity: 5,
                    group: 11,
                    group_index: row as i64 + 1,
                    code: 1104,
                    description,
                    error_bit: 2,
                    since_unix_ms: lacking_since_ms,
                });
            }
        }
        let slot = now_unix_ms.div_euclid(INCIDENT_SLOT_MS);
        let since_unix_ms = slot * INCIDENT_SLOT_MS;
        match mix(self.seed ^ slot.unsigned_abs()) % 60 {
            0 => alerts.push(StandingAlert {
                severity: 3,
                group: 13,
                group_index: 1,
                code: 8,
                description: "Paper jam",
                error_bit: 5,
                since_unix_ms,
            }),
            1 => alerts.push(StandingAlert {
                severity: 3,
                group: 6,
                group_index: 1,
                code: 3,
                description: "Front cover is open",
                error_bit: 4,
                since_unix_ms,
            }),
            2 => alerts.push(StandingAlert {
                severity: 4,
                group: 5,
                group_index: 1,
                code: 10,
                description: "Maintenance is due soon",
                error_bit: 7,
                since_unix_ms,
            }),
            _ => {}
        }
        alerts
    }

    /// Whether a job is running: about a sixth of the time, half a minute each.
    #[must_use]
    pub fn is_printing(&self, now_unix_ms: i64) -> bool {
        let slot = now_unix_ms.div_euclid(30_000).unsigned_abs();
        mix(self.seed ^ slot.wrapping_mul(31)).is_multiple_of(6)
    }

    /// How often an alert came or went: `prtGeneralAlertAllEvents` moves with it.
    #[must_use]
    pub fn alert_events(&self, now_unix_ms: i64) -> u32 {
        let slots = now_unix_ms.div_euclid(INCIDENT_SLOT_MS).unsigned_abs();
        u32::try_from(slots % 1_000_000).unwrap_or(0)
    }

    fn running_ms(&self, now_unix_ms: i64) -> u64 {
        u64::try_from(now_unix_ms - COUNTING_SINCE_UNIX_MS).unwrap_or(0)
    }

    /// A base drawn from `base_min..base_max` and a rate per hour drawn from `rate_min..rate_max`.
    fn count(
        &self,
        salt: u64,
        base_min: u64,
        base_max: u64,
        rate_min: u64,
        rate_max: u64,
        now_unix_ms: i64,
    ) -> u64 {
        let base = base_min + mix(self.seed ^ salt) % (base_max - base_min);
        let rate = rate_min + mix(self.seed ^ (salt + 100)) % (rate_max - rate_min);
        base + self.running_ms(now_unix_ms) * rate / HOUR_MS
    }
}

/// Serial numbers set aside for each generation of boards: more than a fleet has printers of one face.
const SERIALS_OF_A_FLEET: u32 = 100_003;

/// The serial number of the printer of that index among those of its face.
fn serial(face: &super::face::Face, index: u32, fleet_seed: u64) -> String {
    // A multiplier without common factors with ten: no two printers of a face share a serial number.
    let nth = u64::from(index) * 77_317 + fleet_seed % 10_000;
    let digits = format!("{nth:014}");
    let mut digit = digits.bytes().rev();
    face.serial
        .chars()
        .map(|c| match c {
            '#' => char::from(digit.next().unwrap_or(b'0')),
            other => other,
        })
        .collect()
}

/// The MAC of the printer of that number, with its so many-th network card.
fn mac(face: &super::face::Face, number: u32, card: u32) -> [u8; 6] {
    let mut mac = [0; 6];
    for (octet, text) in mac.iter_mut().zip(face.mac_prefix.split(':')) {
        *octet = u8::from_str_radix(text, 16).unwrap_or(0);
    }
    // Numbers stay below 2^20: the four bits above them are the card's.
    mac[3..].copy_from_slice(&(number | (card & 0xf) << 20).to_be_bytes()[1..]);
    mac
}

/// Any quantity from the six that are counted.
pub(super) fn derived(quantity: Quantity, base: &[u64; COUNTERS]) -> u64 {
    let &[print_mono, print_colour, copy_mono, copy_colour, fax, scan] = base;
    let total = print_mono + print_colour + copy_mono + copy_colour + fax;
    match quantity {
        Quantity::PrintMono => print_mono,
        Quantity::PrintColour => print_colour,
        Quantity::CopyMono => copy_mono,
        Quantity::CopyColour => copy_colour,
        Quantity::Fax => fax,
        Quantity::Scan => scan,
        Quantity::Print => print_mono + print_colour,
        Quantity::Copy => copy_mono + copy_colour,
        Quantity::Mono => print_mono + copy_mono + fax,
        Quantity::Colour => print_colour + copy_colour,
        Quantity::Total => total,
        Quantity::Duplex => total * 3 / 10,
        Quantity::Simplex => total - total * 3 / 10,
        Quantity::A3 => total / 20,
        Quantity::A4 => total - total / 20,
    }
}

fn pick(seed: u64, salt: u64, count: usize) -> usize {
    usize::try_from(mix(seed ^ salt.wrapping_mul(0xa24b_aed4_963e_e407)) % count as u64)
        .unwrap_or(0)
}

/// A good 64-bit mixer (the finaliser of `SplitMix64`).
#[must_use]
pub fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
