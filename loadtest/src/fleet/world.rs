//! Who is where, and what an [`Event`] changes about it. No socket and no clock: the moment is an argument.
//!
//! An address has one printer or none; a printer has one address. An event that is refused changes nothing.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use serde::Serialize;

use super::event::{Event, EventError};
use super::face::Face;
use super::printer::{Behaviour, Printer, Quantity, derived, mix};
use super::server::number_of;
use super::turns::COUNTERS;

/// A rollover leaves the total so many pages past its modulus: enough to be seen as a small number and not as zero.
const PAGES_PAST_ROLLOVER: u64 = 3;

/// The printers of a fleet and where they are.
pub(super) struct World {
    printers: Vec<Printer>,
    faces: Vec<Face>,
    first: Ipv4Addr,
    /// Addresses that are not as they were at the start: who is there now.
    moved: HashMap<Ipv4Addr, Option<u32>>,
}

/// What `show` tells of a printer.
#[derive(Serialize)]
struct Shown<'a> {
    printer: u32,
    address: Ipv4Addr,
    model: &'a str,
    serial: &'a str,
    mac: String,
    name: &'a str,
    behaviour: &'static str,
    boots: u32,
    uptime_ticks: u32,
    print: u64,
    copy: u64,
    fax: u64,
    scan: u64,
    mono: u64,
    colour: u64,
    total: u64,
}

impl World {
    pub(super) fn new(printers: Vec<Printer>, faces: Vec<Face>, first: Ipv4Addr) -> Self {
        Self {
            printers,
            faces,
            first,
            moved: HashMap::new(),
        }
    }

    /// The printer at that address.
    pub(super) fn at(&self, address: Ipv4Addr) -> Option<&Printer> {
        let number = if self.moved.is_empty() {
            number_of(self.first, address)
        } else {
            self.occupant(address)
        };
        self.printers.get(number? as usize)
    }

    fn occupant(&self, address: Ipv4Addr) -> Option<u32> {
        match self.moved.get(&address) {
            Some(occupant) => *occupant,
            None => number_of(self.first, address)
                .filter(|number| (*number as usize) < self.printers.len()),
        }
    }

    /// Lets `event` happen and says what is so now. What concerns the network is none of the world's business: `None`.
    pub(super) fn apply(
        &mut self,
        event: &Event,
        now_unix_ms: i64,
    ) -> Option<Result<String, EventError>> {
        Some(match *event {
            Event::Network(_) | Event::Stats => return None,
            Event::Move { printer, address } => self.relocate(printer, address),
            Event::Exchange { printer, other } => self.exchange(printer, other),
            Event::Show { printer } => self.show(printer, now_unix_ms),
            Event::Reboot { printer, .. }
            | Event::Reset { printer }
            | Event::Board { printer, .. }
            | Event::Print { printer, .. }
            | Event::Modulus { printer, .. }
            | Event::Rollover { printer }
            | Event::Uptime { printer, .. }
            | Event::Power { printer, .. } => self.turn(printer, event, now_unix_ms),
        })
    }

    fn known(&self, number: u32) -> Result<usize, EventError> {
        let at = number as usize;
        if at < self.printers.len() {
            Ok(at)
        } else {
            Err(EventError::NoPrinter {
                printer: number,
                last: u32::try_from(self.printers.len().saturating_sub(1)).unwrap_or(u32::MAX),
            })
        }
    }

    fn relocate(&mut self, number: u32, address: Ipv4Addr) -> Result<String, EventError> {
        let at = self.known(number)?;
        if !address.is_loopback() || matches!(address.octets()[3], 0 | 255) {
            return Err(EventError::NotLoopback { address });
        }
        match self.occupant(address) {
            Some(by) if by != number => return Err(EventError::Taken { address, by }),
            _ => {}
        }
        let before = std::mem::replace(&mut self.printers[at].address, address);
        self.moved.insert(before, None);
        self.moved.insert(address, Some(number));
        Ok(format!(
            "printer {number} is at {address}, no longer at {before}"
        ))
    }

    fn exchange(&mut self, one: u32, other: u32) -> Result<String, EventError> {
        let (a, b) = (self.known(one)?, self.known(other)?);
        let (first, second) = (self.printers[a].address, self.printers[b].address);
        self.printers[a].address = second;
        self.printers[b].address = first;
        self.moved.insert(second, Some(one));
        self.moved.insert(first, Some(other));
        Ok(format!(
            "printer {one} is at {second}, printer {other} at {first}"
        ))
    }

    fn turn(&mut self, number: u32, event: &Event, now: i64) -> Result<String, EventError> {
        let at = self.known(number)?;
        let printer = &mut self.printers[at];
        let (worked, meters) = (printer.worked(now), printer.meters(now));
        match *event {
            Event::Reboot { losing, .. } => printer.turns.reboot(now, &meters, losing),
            Event::Reset { .. } => printer.turns.set_meters(&worked, &[0; COUNTERS]),
            Event::Board {
                new_serial, total, ..
            } => {
                let faces = u32::try_from(self.faces.len()).unwrap_or(u32::MAX);
                let face = &self.faces[printer.face];
                if new_serial {
                    printer.change_board(face, faces);
                } else {
                    printer.change_network_card(face);
                }
                let board = mix(u64::from(number) << 8 | u64::from(printer.turns.network_cards));
                let meters = counted_elsewhere(total, face.colour, board);
                printer.turns.set_meters(&worked, &meters);
                // A board is not changed while the power is on.
                printer.turns.reboot(now, &meters, 0);
            }
            Event::Print { pages, .. } => printer.turns.print(pages),
            Event::Modulus { modulus, .. } => printer.turns.set_modulus(modulus),
            Event::Rollover { .. } => {
                let pages = printer.turns.pages_to_rollover(&meters) + PAGES_PAST_ROLLOVER;
                printer.turns.print(pages);
            }
            Event::Uptime { wraps_in_s, .. } => {
                printer.turns.age(now, i64::from(wraps_in_s) * 1000);
            }
            Event::Power { behaviour, .. } => printer.behaviour = behaviour,
            Event::Move { .. }
            | Event::Exchange { .. }
            | Event::Network(_)
            | Event::Show { .. }
            | Event::Stats => unreachable!("apply handles it"),
        }
        let printer = &self.printers[at];
        Ok(format!(
            "printer {number} at {}: serial {}, MAC {}, total {}, sysUpTime {}",
            printer.address,
            printer.serial,
            mac_text(printer.mac),
            printer.quantity(Quantity::Total, now),
            printer.uptime_ticks(now)
        ))
    }

    fn show(&self, number: u32, now: i64) -> Result<String, EventError> {
        let printer = &self.printers[self.known(number)?];
        let of = |quantity| printer.quantity(quantity, now);
        let shown = Shown {
            printer: number,
            address: printer.address,
            model: &printer.model,
            serial: &printer.serial,
            mac: mac_text(printer.mac),
            name: &printer.name,
            behaviour: match printer.behaviour {
                Behaviour::Awake => "awake",
                Behaviour::Asleep => "asleep",
                Behaviour::Dead => "dead",
            },
            boots: printer.turns.boots,
            uptime_ticks: printer.uptime_ticks(now),
            print: of(Quantity::Print),
            copy: of(Quantity::Copy),
            fax: of(Quantity::Fax),
            scan: of(Quantity::Scan),
            mono: of(Quantity::Mono),
            colour: of(Quantity::Colour),
            total: of(Quantity::Total),
        };
        Ok(serde_json::to_string(&shown).expect("texts and numbers are JSON"))
    }
}

/// The meters of a board that counted `total` pages in another machine.
fn counted_elsewhere(total: u64, colour: bool, dice: u64) -> [u64; COUNTERS] {
    let share = |of: u64, salt: u64| of * (mix(dice ^ salt) % 40) / 100;
    let copies = share(total, 1);
    let prints = total - copies;
    let [copy_colour, print_colour] = if colour {
        [share(copies, 2), share(prints, 3)]
    } else {
        [0, 0]
    };
    let meters = [
        prints - print_colour,
        print_colour,
        copies - copy_colour,
        copy_colour,
        0,
        share(total, 4),
    ];
    debug_assert_eq!(derived(Quantity::Total, &meters), total);
    meters
}

fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}

#[cfg(test)]
mod tests;
