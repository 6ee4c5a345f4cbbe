//! The store against its own engine, and the questions that pages ask of a large fleet.
//!
//! | group | what is compared |
//! |---|---|
//! | `apply` | device reports of a steady fleet through [`Store::apply`], against DuckDB's Arrow appender alone |
//! | `questions` | what a page asks, over 100,000 devices with a million open readings |
//!
//! What `apply` compares: a reading is written when it begins (a row of 16 columns), and its end is written over two of its numbers when another
//! begins; beside them the device report and when the device was seen. "The new rows" are all of these but the ends, appended from columns
//! that are ready to tables of the same shape under the same settings, one transaction a batch: what a store would write that never noted when
//! a reading ended. "With their ends" also appends those, as rows of three columns, which no question could use.
//! What the store does besides (numbering devices, meters and reports, filling columns, finding the readings that end, deleting what is
//! replaced, bringing open readings together, noting positions) is not in the appender's time.
//!
//! `PLATEN_BENCH_DEVICES` sets another size of the fleet.

mod fleet;

use std::hint::black_box;
use std::time::{Duration, Instant};

use codec::id::Scope;
use criterion::{Criterion, criterion_group};
use olap::ask::{DevicesQuery, FleetQuery, FleetRules, FleetSort, HistoryQuery, ReadingsQuery};
use olap::{DuckOptions, DuckStore, Store};

use fleet::{Bare, Fleet, NOW};

/// Device reports of one batch: what an applier gathers when it has to catch up.
const BATCH_DEVICES: u32 = 10_000;

/// Batches that are measured: enough that ends are moved and the log is worked in several times.
const ROUNDS: u32 = 40;
/// Batches before these.
const WARM_UP: u32 = 8;

/// Time that passed, and time that all threads of this process computed.
#[derive(Clone, Copy, Default)]
struct Spent {
    wall: Duration,
    cpu: Duration,
}

impl Spent {
    fn add(&mut self, work: impl FnOnce()) {
        let (begin, computed) = (Instant::now(), cpu());
        work();
        self.wall += begin.elapsed();
        self.cpu += cpu() - computed;
    }

    fn print(&self, name: &str) {
        let each = |time: Duration| time.as_secs_f64() * 1e3 / f64::from(ROUNDS);
        println!(
            "{name:<58} {:>8.1} {:>8.1}",
            each(self.wall),
            each(self.cpu)
        );
    }

    fn of(&self, other: &Self) -> (f64, f64) {
        let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
        (ratio(self.wall, other.wall), ratio(self.cpu, other.cpu))
    }
}

fn cpu() -> Duration {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap();
    Duration::new(
        time.tv_sec().unsigned_abs(),
        u32::try_from(time.tv_nsec()).unwrap(),
    )
}

/// Device reports of a steady fleet through the store and through DuckDB's Arrow appender alone, batch by batch in turn.
fn apply(rounds: u32) {
    let dir = tempfile::tempdir().unwrap();
    let store = DuckStore::open(&dir.path().join("store.duckdb"), &DuckOptions::default()).unwrap();
    let mut fleet = Fleet::new(fleet_size());
    fleet.introduce(&store);
    let new = Bare::open(&dir.path().join("new.duckdb"));
    let ends = Bare::open(&dir.path().join("ends.duckdb"));
    let [mut by_store, mut by_new, mut by_ends] = [Spent::default(); 3];
    for round in 0..WARM_UP + rounds {
        if round == WARM_UP {
            [by_store, by_new, by_ends] = [Spent::default(); 3];
        }
        let batch = fleet.steady(BATCH_DEVICES);
        by_store.add(|| {
            store.apply(&batch).unwrap();
        });
        let rows = fleet.new_rows(BATCH_DEVICES);
        by_new.add(|| new.append(rows));
        let rows = fleet.with_ends(BATCH_DEVICES);
        by_ends.add(|| ends.append(rows));
    }
    println!(
        "{BATCH_DEVICES} device reports, 4 of 10 meters moved; ms a batch          wall      CPU"
    );
    by_store.print("through the store");
    by_ends.print("with their ends, by the appender alone");
    by_new.print("the new rows, by the appender alone");
    for (rows, alone) in [("the new rows", &by_new), ("with their ends", &by_ends)] {
        let (wall, cpu) = alone.of(&by_store);
        println!("the store against {rows}: {wall:.2} of the wall time, {cpu:.2} of the CPU time");
    }
}

fn questions(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = DuckStore::open(&dir.path().join("store.duckdb"), &DuckOptions::default()).unwrap();
    let mut fleet = Fleet::new(fleet_size());
    fleet.introduce(&store);
    for _ in 0..20 {
        store.apply(&fleet.steady(BATCH_DEVICES)).unwrap();
    }
    store.checkpoint().unwrap();
    let (all, few) = (Scope::Everything, fleet.some_sites());
    let device = fleet.device(fleet_size() / 2);
    let mut group = criterion.benchmark_group("questions");
    group.sample_size(20);

    let mut ask = |name: &str, question: &dyn Fn()| {
        group.bench_function(name, |bencher| bencher.iter(question));
    };
    for (name, sort) in [
        ("fleet by name", FleetSort::Name),
        ("fleet by status", FleetSort::Status),
        ("fleet by lowest supply", FleetSort::LowestSupply),
        ("fleet by billed total", FleetSort::BilledTotal),
    ] {
        let mut query = FleetQuery::at(NOW);
        query.sort = sort;
        ask(name, &|| {
            black_box(store.fleet(&all, &query).unwrap());
        });
    }
    let mut query = FleetQuery::at(NOW);
    query.counted_since = Some(NOW.plus_ms(-20 * 86_400_000));
    ask("fleet by name with this month", &|| {
        black_box(store.fleet(&all, &query).unwrap());
    });
    query.search = "printer-77".to_owned();
    ask("fleet searched", &|| {
        black_box(store.fleet(&all, &query).unwrap());
    });
    query.search.clear();
    ask("fleet of 50 sites", &|| {
        black_box(store.fleet(&few, &query).unwrap());
    });
    query.attention = true;
    ask("fleet needing attention", &|| {
        black_box(store.fleet(&all, &query).unwrap());
    });
    ask("fleet counts", &|| {
        black_box(store.fleet_counts(&all, &FleetRules::at(NOW)).unwrap());
    });
    ask("a device", &|| {
        black_box(
            store
                .device(&all, device, &FleetRules::at(NOW))
                .unwrap()
                .unwrap(),
        );
    });
    ask("50 devices of a list", &|| {
        black_box(store.devices(&all, &DevicesQuery::at(NOW)).unwrap());
    });
    ask("1,000 readings of a list", &|| {
        let query = ReadingsQuery {
            limit: 1_000,
            ..ReadingsQuery::default()
        };
        black_box(store.readings(&all, &query).unwrap());
    });
    ask("a course of 90 days", &|| {
        let query = HistoryQuery {
            from: NOW.plus_ms(-90 * 86_400_000),
            to: NOW.plus_ms(86_400_000),
            points_max: 300,
        };
        black_box(
            store
                .meter_history(&all, device, "total.total.impressions", &query)
                .unwrap(),
        );
    });
    group.finish();
}

fn fleet_size() -> u32 {
    std::env::var("PLATEN_BENCH_DEVICES")
        .ok()
        .and_then(|devices| devices.parse().ok())
        .unwrap_or(100_000)
}

criterion_group!(benches, questions);

fn main() {
    let named = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let is_test = std::env::args().any(|argument| argument == "--test");
    if named.is_none_or(|named| named.contains("apply")) {
        apply(if is_test { 1 } else { ROUNDS });
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
