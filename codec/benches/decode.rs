//! Encoding, reading and inflating reports, side by side with quick-xml reading the same attributes and with zlib-rs inflating the same bytes.
//!
//! `cargo bench -p platen-codec`; the ratios within one run are what counts. Reports are full ones of 100 and 2,000 printers, and deltas of 100.

#[path = "support/columns.rs"]
mod columns;
#[path = "support/plain.rs"]
mod plain;

use std::hint::black_box;
use std::io::Read;

use codec::delta::{self, Digest};
use codec::envelope::{Deflater, Encoding, Inflater};
use codec::key::Stream;
use codec::limits::INFLATED_BYTES_MAX;
use codec::model::Report;
use codec::sample::Fleet;
use codec::xml;
use columns::Columns;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// A named report.
struct Case {
    name: &'static str,
    report: Report,
    xml: Vec<u8>,
}

fn case(name: &'static str, report: Report) -> Case {
    let mut xml = Vec::new();
    xml::write_report(&report, &mut xml);
    Case { name, report, xml }
}

fn cases() -> Vec<Case> {
    let mut fleet = Fleet::new(100, 1);
    let mut cases = Vec::new();
    for (stream, full_name, delta_name) in [
        (Stream::Meters, "meters 100 full", "meters 100 delta"),
        (Stream::State, "state 100 full", "state 100 delta"),
    ] {
        let base = fleet.report(stream, 1);
        fleet.pass(60);
        let mut new = fleet.report(stream, 2);
        for (device, base) in new.devices.iter_mut().zip(&base.devices) {
            let base = Digest::of(base).expect("a full report");
            *device = delta::diff(&base, 1, device).expect("the fleet can be said in deltas");
        }
        cases.push(case(full_name, base));
        cases.push(case(delta_name, new));
    }
    cases.push(case(
        "state 2000 full",
        Fleet::new(2000, 2).report(Stream::State, 1),
    ));
    cases
}

fn read(criterion: &mut Criterion) {
    for case in cases() {
        let mut group = criterion.benchmark_group(format!("read/{}", case.name));
        group.throughput(Throughput::Bytes(case.xml.len() as u64));
        let mut columns = Columns::default();
        group.bench_function("fast", |bencher| {
            bencher.iter(|| {
                columns.clear();
                xml::push_rows(black_box(&case.xml), &mut columns).expect("our own");
                columns.rows()
            });
        });
        group.bench_function("general", |bencher| {
            bencher.iter(|| {
                columns.clear();
                xml::push_rows_general(black_box(&case.xml), &mut columns).expect("our own");
                columns.rows()
            });
        });
        let mut texts = plain::Texts::default();
        group.bench_function("quick-xml", |bencher| {
            bencher.iter(|| plain::read(black_box(&case.xml), &mut texts));
        });
        group.finish();
    }
}

fn write(criterion: &mut Criterion) {
    for case in cases() {
        let mut group = criterion.benchmark_group(format!("write/{}", case.name));
        group.throughput(Throughput::Bytes(case.xml.len() as u64));
        let mut out = Vec::new();
        group.bench_function("xml", |bencher| {
            bencher.iter(|| {
                out.clear();
                xml::write_report(black_box(&case.report), &mut out);
                out.len()
            });
        });
        let mut deflater = Deflater::new();
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let mut body = Vec::new();
            group.bench_function(encoding.name(), |bencher| {
                bencher.iter(|| {
                    body.clear();
                    deflater.deflate(encoding, black_box(&case.xml), &mut body);
                    body.len()
                });
            });
        }
        group.finish();
    }
}

fn inflate(criterion: &mut Criterion) {
    for case in cases() {
        let mut group = criterion.benchmark_group(format!("inflate/{}", case.name));
        group.throughput(Throughput::Bytes(case.xml.len() as u64));
        let mut deflater = Deflater::new();
        let mut inflater = Inflater::new();
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let mut body = Vec::new();
            deflater.deflate(encoding, &case.xml, &mut body);
            group.bench_function(encoding.name(), |bencher| {
                bencher.iter(|| {
                    let plain = inflater.inflate(encoding, black_box(&body), INFLATED_BYTES_MAX);
                    plain.expect("our own").len()
                });
            });
            if encoding == Encoding::Gzip {
                let mut plain = Vec::new();
                group.bench_function("gzip by zlib-rs", |bencher| {
                    bencher.iter(|| {
                        plain.clear();
                        let mut decoder = flate2::bufread::GzDecoder::new(black_box(&body[..]));
                        decoder.read_to_end(&mut plain).expect("our own")
                    });
                });
                let mut columns = Columns::default();
                group.bench_function("gzip and read", |bencher| {
                    bencher.iter(|| {
                        columns.clear();
                        let plain =
                            inflater.inflate(encoding, black_box(&body), INFLATED_BYTES_MAX);
                        xml::push_rows(plain.expect("our own"), &mut columns).expect("our own");
                        columns.rows()
                    });
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, read, write, inflate);
criterion_main!(benches);
