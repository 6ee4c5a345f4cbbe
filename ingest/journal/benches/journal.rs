//! Append and sync: what a group commit costs, by group size and disk driver; and what reading back costs.
//!
//! `cargo bench -p platen-journal` on the disk that matters: set `PLATEN_BENCH_DIR` to a folder on it.

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use journal::disk::{self, DiskChoice};
use journal::{Config, Item, Journal, Position, Record};

/// A sealed report of 100 devices has about this size.
const BODY_BYTES: usize = 16_000;

fn folder() -> tempfile::TempDir {
    let parent =
        std::env::var_os("PLATEN_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    tempfile::tempdir_in(parent).expect("the folder can be written")
}

fn group_commit(c: &mut Criterion) {
    let mut group = c.benchmark_group("append+sync");
    let body = vec![0xA5; BODY_BYTES];
    for choice in [DiskChoice::Std, DiskChoice::Uring] {
        for reports in [1_u64, 8, 64, 256] {
            let folder = folder();
            let disk = match disk::open(folder.path(), choice) {
                Ok(disk) => disk,
                Err(error) => {
                    eprintln!("{choice:?} is not measured: {error}");
                    continue;
                }
            };
            let (mut journal, _) =
                Journal::open(disk, Config::default()).expect("a new journal opens");
            let record = Record {
                kind: 1,
                sequence: 1,
                meta: &[0; 90],
                body: &body,
            };
            let records = vec![record; usize::try_from(reports).expect("few")];
            group.throughput(Throughput::Bytes(reports * BODY_BYTES as u64));
            let id = BenchmarkId::new(format!("{choice:?}"), reports);
            group.bench_function(id, |b| {
                b.iter(|| {
                    journal
                        .append(black_box(&records))
                        .expect("the disk takes it");
                    journal.sync().expect("the disk syncs");
                    journal
                        .remove_until(Position::END)
                        .expect("segments can be removed");
                });
            });
        }
    }
    group.finish();
}

fn read_back(c: &mut Criterion) {
    let folder = folder();
    let disk = disk::open(folder.path(), DiskChoice::Std).expect("the folder opens");
    let (mut journal, _) = Journal::open(disk, Config::default()).expect("a new journal opens");
    let body = vec![0xA5; BODY_BYTES];
    for sequence in 0..2_000 {
        let record = Record {
            kind: 1,
            sequence,
            meta: &[0; 90],
            body: &body,
        };
        journal.append(&[record]).expect("the disk takes it");
    }
    journal.sync().expect("the disk syncs");
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Bytes(journal.bytes()));
    group.bench_function("32 MB, checked", |b| {
        b.iter(|| {
            let mut reader = journal
                .read_from(Position::START)
                .expect("the folder lists");
            let mut records = 0;
            while let Some(Item::Record(entry)) = reader.next().expect("the disk reads") {
                records += black_box(entry.body.len()).min(1);
            }
            assert_eq!(records, 2_000);
        });
    });
    group.finish();
}

criterion_group!(benches, group_commit, read_back);
criterion_main!(benches);
