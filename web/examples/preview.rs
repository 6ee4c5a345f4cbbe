//! A preview of the pages: a manager with an invented fleet in memory, for whoever works on templates and styles.
//!
//! `cargo run -p platen-web --example preview [ADDR:PORT]`, then log in as `admin` with the password that it prints.

#[path = "../tests/support/mod.rs"]
mod support;

use std::net::SocketAddr;

use codec::time::Timestamp;
use registry::{Branch, Role};
use support::{House, PASSWORD, fleet};

/// Devices of each of the two customers; more than a page of the list holds.
const DEVICES: u64 = 70;
/// How many polls of the past there are, and how far they lie apart: a history of some days.
const POLLS: u64 = 24;
const POLL_MS: i64 = 5 * 3_600_000;

fn main() {
    let address: SocketAddr = std::env::args().nth(1).map_or_else(
        || ([127, 0, 0, 1], 8001).into(),
        |text| text.parse().expect("an address such as 127.0.0.1:8001"),
    );
    let house = House::start_on(address, |config| config);
    house.account("admin", Role::Admin, Branch::House);
    let now = Timestamp::now();
    for (name, prefix) in [("Meyer Logistik", "MEY"), ("Stadtwerke Unna", "SWU")] {
        let customer = house.customer(name, "Europe/Berlin");
        house.account(
            &prefix.to_lowercase(),
            Role::Viewer,
            Branch::Tenant(customer.id),
        );
        for poll in 0..POLLS {
            let at = now.plus_ms(-POLL_MS * i64::try_from(POLLS - 1 - poll).unwrap_or(0));
            let mut devices = fleet::devices(prefix, DEVICES, poll, at);
            // One in ten falls silent half way.
            devices.retain(|device| poll < POLLS / 2 || !device.handle.ends_with('6'));
            house.deliver(&customer, poll + 1, devices);
        }
    }
    println!(
        "http://{} login admin, password {PASSWORD:?} (customers: mey, swu)",
        house.address
    );
    house.join();
}
