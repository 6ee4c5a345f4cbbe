//! How long the fleet page of 50 rows takes: over a socket with all its layers, and the API's list beside it.

#[path = "../tests/support/mod.rs"]
mod support;

use codec::time::Timestamp;
use criterion::{Criterion, criterion_group, criterion_main};
use registry::{Branch, Role};
use support::{Browser, House, fleet};

/// Devices in the store: more than a page shows.
const DEVICES: u64 = 2_000;

fn fleet_page(criterion: &mut Criterion) {
    let house = House::start();
    house.account("chef", Role::Admin, Branch::House);
    let customer = house.customer("Meyer Logistik", "Europe/Berlin");
    house.deliver(
        &customer,
        1,
        fleet::devices("MEY", DEVICES, 0, Timestamp::now()),
    );
    let mut browser = Browser::logged_in(&house, "chef");
    criterion.bench_function("fleet page, 50 rows of 2,000 devices", |bencher| {
        bencher.iter(|| {
            let page = browser.get("/devices?sort=-total");
            assert_eq!(page.body.matches("<tr><td>").count(), 50);
        });
    });
    criterion.bench_function("GET /api/v1/devices, 50 items", |bencher| {
        bencher.iter(|| assert_eq!(browser.get("/api/v1/devices?limit=50").status, 200));
    });
    criterion.bench_function("login page, no store", |bencher| {
        let mut guest = Browser::new(&house);
        bencher.iter(|| assert_eq!(guest.get("/login").status, 200));
    });
}

criterion_group!(benches, fleet_page);
criterion_main!(benches);
