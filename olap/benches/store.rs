//! The store against its own engine, and the questions that pages ask of a large fleet.
//!
//! | group | what is compared |
//! |---|---|
//! | `apply` | device reports of a steady fleet through [`Store::apply`], against DuckDB's Arrow appender alone with the same rows |
//! | `questions` | what a page asks, over 100,000 devices with a million open readings |
//!
//! `PLATEN_BENCH_DEVICES` sets another size of the fleet.

mod fleet;

use std::hint::black_box;
use std::time::{Duration, Instant};

use codec::id::Scope;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use olap::ask::{DevicesQuery, FleetQuery, FleetRules, FleetSort, HistoryQuery, ReadingsQuery};
use olap::{DuckOptions, DuckStore, Store};

use fleet::{Bare, Fleet, NOW};

/// Device reports of one batch: what an applier gathers when it has to catch up.
const BATCH_DEVICES: u32 = 10_000;

fn apply(criterion: &mut Criterion) {
    let devices = fleet_size();
    let mut group = criterion.benchmark_group("apply");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(15))
        .throughput(Throughput::Elements(u64::from(BATCH_DEVICES)));

    let dir = tempfile::tempdir().unwrap();
    let store = DuckStore::open(&dir.path().join("store.duckdb"), &DuckOptions::default()).unwrap();
    let mut fleet = Fleet::new(devices);
    fleet.introduce(&store);
    group.bench_function("reports through the store", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let batch = fleet.steady(BATCH_DEVICES);
                let begin = Instant::now();
                store.apply(&batch).unwrap();
                spent += begin.elapsed();
            }
            spent
        });
    });

    let dir = tempfile::tempdir().unwrap();
    let bare = Bare::open(&dir.path().join("bare.duckdb"));
    group.bench_function("the same rows through the bare appender", |bencher| {
        bencher.iter_batched(
            || fleet.bare_rows(BATCH_DEVICES),
            |rows| bare.append(rows),
            BatchSize::PerIteration,
        );
    });
    group.finish();
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

criterion_group!(benches, apply, questions);
criterion_main!(benches);
