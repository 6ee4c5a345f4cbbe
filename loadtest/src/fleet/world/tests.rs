//! What happens to printers, at chosen moments and without a socket.

use super::super::face::built_in;
use super::super::printer::Part;
use super::super::server::{FleetConfig, make_printers};
use super::*;

const NOW_UNIX_MS: i64 = 1_795_255_200_000;

fn world() -> World {
    let config = FleetConfig {
        devices: 40,
        dead_permille: 0,
        asleep_permille: 0,
        ..FleetConfig::default()
    };
    let faces = built_in();
    let printers = make_printers(&config, &faces).unwrap();
    World::new(printers, faces, config.first)
}

fn tell(world: &mut World, line: &str) -> Result<String, EventError> {
    let event = line.parse().unwrap();
    world.apply(&event, NOW_UNIX_MS).expect("a printer's event")
}

fn total(world: &World, number: usize) -> u64 {
    world.printers[number].quantity(Quantity::Total, NOW_UNIX_MS)
}

/// print + copy + fax = total and mono + colour = total, whatever happened.
fn assert_sums_hold(printer: &Printer) {
    let of = |quantity| printer.quantity(quantity, NOW_UNIX_MS);
    let total = of(Quantity::Total);
    let jobs = of(Quantity::Print) + of(Quantity::Copy) + of(Quantity::Fax);
    assert_eq!(jobs, total, "{printer:?}");
    assert_eq!(
        of(Quantity::Mono) + of(Quantity::Colour),
        total,
        "{printer:?}"
    );
}

#[test]
fn a_reboot_starts_the_uptime_and_may_lose_pages() {
    let mut world = world();
    let before = total(&world, 17);
    tell(&mut world, "reboot 17 losing 12").unwrap();
    let printer = &world.printers[17];
    assert_eq!(
        (printer.uptime_ticks(NOW_UNIX_MS), printer.turns.boots),
        (0, 1)
    );
    assert_eq!(printer.uptime_ticks(NOW_UNIX_MS + 5000), 500);
    assert_eq!(total(&world, 17), before - 12);
    assert_sums_hold(printer);
}

#[test]
fn a_reset_zeroes_the_meters_and_no_toner_moves() {
    let mut world = world();
    let level = |world: &World| world.printers[3].level_permille(Part::K, NOW_UNIX_MS);
    let before = level(&world);
    tell(&mut world, "reset 3").unwrap();
    assert_eq!(total(&world, 3), 0);
    assert_eq!(level(&world), before);
    let later = world.printers[3].quantity(Quantity::Total, NOW_UNIX_MS + 86_400_000);
    assert!(later > 0, "it goes on counting");
}

#[test]
fn a_board_brings_its_own_identity_and_meters() {
    let mut world = world();
    let before = world.printers[0].clone();
    tell(&mut world, "board 0 new 7000").unwrap();
    let after = &world.printers[0];
    assert_eq!(total(&world, 0), 7000);
    assert_sums_hold(after);
    assert!(after.serial != before.serial && after.mac != before.mac);
    assert_eq!(after.address, before.address);
    let serial = after.serial.clone();
    tell(&mut world, "board 0 same 90").unwrap();
    assert_eq!((total(&world, 0), &world.printers[0].serial), (90, &serial));
    assert!(
        world
            .printers
            .iter()
            .skip(1)
            .all(|other| other.serial != serial)
    );
}

#[test]
fn a_move_leaves_the_old_address_empty_and_takes_no_occupied_one() {
    let mut world = world();
    let (old, taken) = (world.printers[17].address, world.printers[18].address);
    let away = Ipv4Addr::new(127, 20, 9, 9);
    assert_eq!(
        tell(&mut world, &format!("move 17 {taken}")),
        Err(EventError::Taken {
            address: taken,
            by: 18
        })
    );
    tell(&mut world, &format!("move 17 {away}")).unwrap();
    assert!(world.at(old).is_none());
    assert_eq!(world.at(away).map(|printer| printer.number), Some(17));
    // Somebody else gets the address that is free now, and the first one comes back elsewhere.
    tell(&mut world, &format!("move 18 {old}")).unwrap();
    tell(&mut world, &format!("move 17 {taken}")).unwrap();
    assert_eq!(world.at(old).map(|printer| printer.number), Some(18));
    assert_eq!(world.at(taken).map(|printer| printer.number), Some(17));
    assert!(world.at(away).is_none());
    assert!(tell(&mut world, "move 17 10.0.0.1").is_err());
}

#[test]
fn two_printers_swap_their_addresses() {
    let mut world = world();
    let (a, b) = (world.printers[1].address, world.printers[2].address);
    tell(&mut world, "exchange 1 2").unwrap();
    assert_eq!(world.at(a).map(|printer| printer.number), Some(2));
    assert_eq!(world.at(b).map(|printer| printer.number), Some(1));
}

#[test]
fn meters_roll_over_at_their_own_modulus() {
    let mut world = world();
    let before = total(&world, 5);
    let modulus = before + 100;
    tell(&mut world, &format!("modulus 5 {modulus}")).unwrap();
    assert_eq!(total(&world, 5), before);
    tell(&mut world, "rollover 5").unwrap();
    assert_eq!(total(&world, 5), PAGES_PAST_ROLLOVER);
    tell(&mut world, "uptime 5 2").unwrap();
    let printer = &world.printers[5];
    assert_eq!(printer.uptime_ticks(NOW_UNIX_MS), u32::MAX - 199);
    assert_eq!(printer.uptime_ticks(NOW_UNIX_MS + 2000), 0);
}

#[test]
fn a_printer_that_does_not_exist_is_named() {
    let mut world = world();
    assert_eq!(
        tell(&mut world, "reset 40"),
        Err(EventError::NoPrinter {
            printer: 40,
            last: 39
        })
    );
}

#[test]
fn a_printer_shows_what_it_answers() {
    let mut world = world();
    tell(&mut world, "board 2 new 1234").unwrap();
    let shown: serde_json::Value =
        serde_json::from_str(&tell(&mut world, "show 2").unwrap()).unwrap();
    assert_eq!(shown["total"], 1234);
    assert_eq!(shown["serial"], world.printers[2].serial.as_str());
    assert_eq!(shown["boots"], 1);
}
