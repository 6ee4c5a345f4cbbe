//! The suite that every store passes, with DuckDB; and what is DuckDB's alone: files, locks, versions, upkeep.

mod contract;

use std::io::{BufRead, BufReader};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use codec::id::Scope;
use contract::{SUITE, make};
use olap::ask::FleetQuery;
use olap::{DuckOptions, DuckStore, Store, StoreError};

fn open_file(path: &Path) -> Arc<dyn Store> {
    Arc::new(DuckStore::open(path, &DuckOptions::default()).unwrap())
}

/// Runs the whole suite, each test on a store of its own, and says which failed.
fn run_suite(run: impl Fn(contract::Test)) {
    let mut failed = Vec::new();
    for (sentence, test) in SUITE {
        if std::panic::catch_unwind(AssertUnwindSafe(|| run(*test))).is_err() {
            failed.push(*sentence);
        }
    }
    assert!(failed.is_empty(), "not so: {failed:#?}");
}

#[test]
fn the_suite_passes_on_a_file() {
    run_suite(|test| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.duckdb");
        test(&|| open_file(&path));
    });
}

#[test]
fn the_suite_passes_in_memory_where_open_readings_are_gathered_at_once() {
    let options = DuckOptions {
        gather_runs_min: 1,
        ..DuckOptions::default()
    };
    run_suite(|test| {
        // Reopening keeps what is in memory: the same store is given out again.
        let store: Mutex<Option<Arc<dyn Store>>> = Mutex::new(None);
        test(&|| {
            let mut store = store.lock().unwrap();
            let open = || Arc::new(DuckStore::in_memory(&options).unwrap()) as Arc<dyn Store>;
            Arc::clone(store.get_or_insert_with(open))
        });
    });
}

#[test]
fn open_readings_that_were_brought_together_are_the_same_readings() {
    let of = |gather_runs_min| {
        let options = DuckOptions {
            gather_runs_min,
            ..DuckOptions::default()
        };
        let store = DuckStore::in_memory(&options).unwrap();
        // The readings of four devices stay open while the fifth counts on; in the end one of them ends, too.
        for from in 0..30 {
            let mut batch = make::batch(from);
            let at = contract::NOON.plus_ms(i64::try_from(from).unwrap() * make::MINUTE);
            let changes = match from {
                0 => 0..5,
                29 => 0..2,
                _ => 0..1,
            };
            for n in changes {
                if from == 0 {
                    make::introduce(&mut batch, n);
                } else {
                    let before = if n == 0 { from - 1 } else { 0 };
                    batch.end_run(olap::rows::RunEnd {
                        place: make::place(before, u64::from(n)),
                        confirmed_until: at.plus_ms(-make::MINUTE),
                        superseded_at: at,
                    });
                }
                let place = make::place(from, u64::from(n));
                batch.open_run(&make::run(place, n, make::TOTAL, from, at));
            }
            store.apply(&batch).unwrap();
        }
        let query = olap::ask::ReadingsQuery {
            limit: 5_000,
            ..Default::default()
        };
        let readings = store.readings(&Scope::Everything, &query).unwrap().items;
        let check = store.check().unwrap();
        assert!(check.is_sound(), "{:?}", check.faults);
        let rows: std::collections::BTreeMap<String, u64> = check.rows.into_iter().collect();
        (readings, rows["run"], rows["meta"])
    };
    let (plain, gathered) = (of(u64::MAX), of(1));
    assert_eq!(plain.0.len(), 35);
    assert_eq!(plain.0, gathered.0);
    assert_eq!(plain.1, gathered.1);
    // How far they were brought together is noted.
    assert_eq!(plain.2 + 1, gathered.2);
}

/// Set for the second process of the test below: the file it is to open.
const OPEN_FILE: &str = "PLATEN_TEST_OPEN_STORE";

#[test]
fn a_file_that_another_process_has_open_is_refused_with_a_hint() {
    if let Some(path) = std::env::var_os(OPEN_FILE) {
        let refused = DuckStore::open(Path::new(&path), &DuckOptions::default()).unwrap_err();
        assert!(matches!(refused, StoreError::Locked { .. }), "{refused:?}");
        assert!(refused.to_string().contains("open in another process"));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.duckdb");
    let store = DuckStore::open(&path, &DuckOptions::default()).unwrap();
    // Neither a backup nor a refused second store of this process may lose the lock.
    store.backup(&dir.path().join("copy.duckdb")).unwrap();
    DuckStore::open(&path, &DuckOptions::default()).unwrap_err();
    let name = "a_file_that_another_process_has_open_is_refused_with_a_hint";
    let other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(OPEN_FILE, &path)
        .output()
        .unwrap();
    assert!(
        other.status.success(),
        "{}",
        String::from_utf8_lossy(&other.stdout)
    );
}

#[test]
fn a_file_is_open_once_in_a_process_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.duckdb");
    let store = open_file(&path);
    let refused = DuckStore::open(&path, &DuckOptions::default()).unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused:?}");
    drop(store);
    drop(open_file(&path));
}

#[test]
fn a_newer_schema_and_a_foreign_file_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("newer.duckdb");
    drop(open_file(&path));
    let other = duckdb::Connection::open(&path).unwrap();
    other
        .execute_batch("UPDATE meta SET value = '99' WHERE key = 'platen_schema'")
        .unwrap();
    drop(other);
    let refused = DuckStore::open(&path, &DuckOptions::default()).unwrap_err();
    assert!(
        matches!(refused, StoreError::SchemaTooNew { found: 99, .. }),
        "{refused}"
    );

    let path = dir.path().join("foreign.duckdb");
    let other = duckdb::Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE invoices (id INTEGER)")
        .unwrap();
    drop(other);
    let refused = DuckStore::open(&path, &DuckOptions::default()).unwrap_err();
    assert!(matches!(refused, StoreError::Foreign { .. }), "{refused}");

    let path = dir.path().join("no such folder").join("store.duckdb");
    let refused = DuckStore::open(&path, &DuckOptions::default()).unwrap_err();
    assert!(matches!(refused, StoreError::Open { .. }), "{refused}");
}

#[test]
fn a_backup_is_a_store_and_is_never_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.duckdb");
    let store = DuckStore::open(&path, &DuckOptions::default()).unwrap();
    contract::one_device(&store);
    store.checkpoint().unwrap();
    let report = store.check().unwrap();
    assert!(report.is_sound(), "{:?}", report.faults);
    assert!(report.rows.contains(&("device".to_owned(), 1)));

    let copy = dir.path().join("copy.duckdb");
    store.backup(&copy).unwrap();
    assert!(matches!(
        store.backup(&copy),
        Err(StoreError::Upkeep { .. })
    ));
    let query = FleetQuery::at(contract::NOON);
    let original = store.fleet(&Scope::Everything, &query).unwrap();
    let copied = open_file(&copy);
    assert_eq!(copied.fleet(&Scope::Everything, &query).unwrap(), original);
    assert_eq!(copied.positions().unwrap(), store.positions().unwrap());

    let memory = DuckStore::in_memory(&DuckOptions::default()).unwrap();
    assert!(matches!(
        memory.backup(&copy),
        Err(StoreError::Upkeep { .. })
    ));
}

/// Set for the second process of the test below: the file it is to fill until it is killed.
const FILL_FILE: &str = "PLATEN_TEST_FILL_STORE";

#[test]
fn a_killed_process_leaves_rows_and_position_together() {
    if let Some(path) = std::env::var_os(FILL_FILE) {
        let store = DuckStore::open(Path::new(&path), &DuckOptions::default()).unwrap();
        let mut from = store
            .positions()
            .unwrap()
            .shards
            .get(&0)
            .copied()
            .unwrap_or(0);
        loop {
            contract::grow(&store, from);
            from += 1;
            println!("applied {from}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.duckdb");
    let mut acknowledged = 0;
    for round in 1..=6 {
        let name = "a_killed_process_leaves_rows_and_position_together";
        let mut other = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(FILL_FILE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Killed in the midst of a batch, a different one each time.
        let lines = BufReader::new(other.stdout.take().unwrap()).lines();
        let mut applied = lines.filter_map(|line| {
            line.unwrap()
                .strip_prefix("applied ")
                .and_then(|n| n.parse::<u64>().ok())
        });
        acknowledged = applied.nth(round * 3).unwrap().max(acknowledged);
        other.kill().unwrap();
        acknowledged = applied.last().unwrap_or(acknowledged);
        other.wait().unwrap();

        let store = DuckStore::open(&path, &DuckOptions::default()).unwrap();
        let position = store.positions().unwrap().shards[&0];
        assert!(
            (acknowledged..=acknowledged + 1).contains(&position),
            "{acknowledged} {position}"
        );
        contract::has_grown(&store, position);
        let report = store.check().unwrap();
        assert!(report.is_sound(), "{:?}", report.faults);
    }
}

#[test]
fn questions_see_whole_batches_while_others_are_applied() {
    let store = DuckStore::in_memory(&DuckOptions::default()).unwrap();
    contract::grow(&store, 0);
    std::thread::scope(|threads| {
        let asking: Vec<_> = (0..6)
            .map(|_| {
                threads.spawn(|| {
                    let mut last = 0;
                    while last < 20 {
                        let seen = contract::whole_batches(&store);
                        assert!(seen >= last);
                        last = seen;
                    }
                })
            })
            .collect();
        for from in 1..20 {
            contract::grow(&store, from);
        }
        for asked in asking {
            asked.join().unwrap();
        }
    });
}

#[test]
fn what_was_deleted_is_in_no_file_once_it_is_erased() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.duckdb");
    let store = DuckStore::open(&path, &DuckOptions::default()).unwrap();
    // Rows that are replaced leave earlier versions of themselves behind.
    for from in 0..3 {
        contract::grow(&store, from);
        store.checkpoint().unwrap();
    }
    std::fs::copy(&path, dir.path().join("store.duckdb.before-17")).unwrap();
    let found = |text: &str| {
        let files = std::fs::read_dir(dir.path()).unwrap();
        let found = files.filter(|file| {
            let bytes = std::fs::read(file.as_ref().unwrap().path()).unwrap();
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        });
        found.count()
    };
    assert!(found("SN00001") > 1, "serials can be found in a store");
    let mut forget = olap::Batch::new();
    forget.covers(0, 3, 4);
    forget.next_place(4_000_000);
    forget.forget([codec::id::TenantId(1)], []);
    store.apply(&forget).unwrap();
    let before = store.readings(&Scope::Everything, &olap::ask::ReadingsQuery::default());
    store.erase_deleted().unwrap();
    let after = store.readings(&Scope::Everything, &olap::ask::ReadingsQuery::default());
    assert_eq!(before.unwrap(), after.unwrap());
    assert!(store.check().unwrap().is_sound());
    store.backup(&dir.path().join("copy.duckdb")).unwrap();
    DuckStore::open(&path, &DuckOptions::default()).unwrap_err();
    drop(store);
    for n in (1..40).step_by(3) {
        assert_eq!(found(&format!("SN{n:05}")), 0);
        assert_eq!(found(&format!("printer-{n}\0")), 0);
    }
    assert_eq!(
        found("SN00002"),
        2,
        "another's is in the store and its copy"
    );
    assert!(
        DuckStore::open(&path, &DuckOptions::default())
            .unwrap()
            .check()
            .unwrap()
            .is_sound()
    );
}

#[test]
fn a_store_that_cannot_be_written_anew_goes_on_and_leaves_no_half_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.duckdb");
    let store = DuckStore::open(&path, &DuckOptions::default()).unwrap();
    contract::grow(&store, 0);
    let all = || store.readings(&Scope::Everything, &olap::ask::ReadingsQuery::default());
    let before = all().unwrap();
    // Where its log would be nothing can be written.
    let in_the_way = dir.path().join("store.duckdb.fresh.wal");
    std::fs::create_dir(&in_the_way).unwrap();
    store.erase_deleted().unwrap_err();
    assert!(!dir.path().join("store.duckdb.fresh").exists());
    assert_eq!(all().unwrap(), before);
    contract::grow(&store, 1);
    std::fs::remove_dir(&in_the_way).unwrap();
    store.erase_deleted().unwrap();
    assert_eq!(all().unwrap().total, before.total * 2);
    assert!(store.check().unwrap().is_sound());
}
