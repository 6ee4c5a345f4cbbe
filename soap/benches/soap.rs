//! `GetMeterReadings`, 10,000 readings in ten pages: the whole call, and the store's question alone, which is its floor.

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;

use codec::id::Scope;
use codec::model::Basis;
use common::{House, NOW, envelope_11};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use olap::ask::ReadingsQuery;
use soap::SoapRequest;

/// Readings of all pages.
const READINGS: u64 = 10_000;
/// Readings of a page: the most that the service gives.
const PAGE: u64 = 1_000;

fn benches(criterion: &mut Criterion) {
    // Four devices with three billed meters each.
    let house = House::with_days(u32::try_from(READINGS.div_ceil(12)).expect("a few"));
    let account = house
        .registry
        .account_by_login("erp")
        .expect("SQLite answers");
    let mut group = criterion.benchmark_group("10,000 readings");
    group.throughput(Throughput::Elements(READINGS));
    group.sample_size(20);
    group.bench_function("GetMeterReadings, parsed, asked and written", |bencher| {
        bencher.iter(|| {
            let mut cursor = String::new();
            let mut bytes = 0;
            for _ in 0..READINGS / PAGE {
                let body = envelope_11(
                    "",
                    &format!("<GetMeterReadings><cursor>{cursor}</cursor><basis>billing</basis><max>{PAGE}</max></GetMeterReadings>"),
                );
                let response = house.service.handle(&SoapRequest {
                    content_type: Some("text/xml"),
                    soap_action: None,
                    body: body.as_bytes(),
                    account: account.clone(),
                    address: std::net::Ipv4Addr::LOCALHOST.into(),
                    now: NOW,
                });
                assert_eq!(response.status, 200);
                bytes += response.body.len();
                let head = String::from_utf8_lossy(&response.body[..2_000]);
                let (_, rest) = head.split_once("<nextCursor>").expect("there is more");
                cursor = rest.split_once('<').expect("it ends").0.to_owned();
            }
            black_box(bytes)
        });
    });
    group.bench_function("the store's question alone", |bencher| {
        bencher.iter(|| {
            let mut query = ReadingsQuery {
                basis: Some(Basis::Billing),
                limit: u32::try_from(PAGE).expect("a thousand"),
                ..ReadingsQuery::default()
            };
            for _ in 0..READINGS / PAGE {
                let page = house
                    .store
                    .readings(&Scope::Everything, &query)
                    .expect("the store answers");
                query.cursor = page.next.or(page.resume);
                black_box(page.items.len());
            }
        });
    });
    group.finish();
}

criterion_group!(soap_benches, benches);
criterion_main!(soap_benches);
