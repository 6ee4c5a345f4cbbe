//! A file of every earlier version becomes one of the newest, with what it held.

use std::path::{Path, PathBuf};

use super::*;

/// A file as the first version left it, with one device that says only that some toner is left.
const FIRST_VERSION: &str = "
CREATE TABLE meta (key VARCHAR NOT NULL, value VARCHAR NOT NULL);
INSERT INTO meta VALUES ('platen_schema', '1');
INSERT INTO device BY NAME SELECT 0 AS device_no, 'd-0' AS device, 7 AS site, 'hofer-1' AS agent, 'snmp' AS source,
    1 AS first_seen_ms, 2 AS changed_ms, 'SN1' AS serial, 'sn1' AS search;
INSERT INTO run_open BY NAME SELECT 5 AS place, 5 AS report_no, 0 AS device_no, 0 AS meter_no, 0 AS origin_no, 7 AS site, 9 AS value,
    9 AS continuous, 0 AS meter_epoch, 1 AS observed_ms, 2 AS confirmed_ms, 0 AS quality, false AS clock_corrected, 0 AS reason;
INSERT INTO device_level BY NAME SELECT 0 AS device_no, 3 AS observed_ms, false AS coloured;
INSERT INTO supply BY NAME SELECT 0 AS device_no, i AS idx, 'consumed' AS class, k AS kind, '' AS description, 'percent' AS unit,
    kind_of_level AS level_kind, 0 AS level
    FROM (VALUES (1, 'drum', 2), (2, 'toner', 3), (4, 'ink', 2), (3, 'toner', 2)) AS v (i, k, kind_of_level);
";

#[test]
fn a_file_of_the_first_version_keeps_what_it_held() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(STEP_1).unwrap();
    connection.execute_batch(FIRST_VERSION).unwrap();
    assert_eq!(find(&connection).unwrap(), Found::Version(1));

    migrate(&connection, 1).unwrap();

    keeps_what_it_held(&connection);
}

#[test]
fn a_file_on_disk_keeps_what_it_held_after_it_was_closed_and_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    // Its last rows in the file itself, or in the log beside it, as after a kill.
    for (name, is_closed_well) in [("closed", true), ("killed", false)] {
        let path = folder.path().join(name);
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(STEP_1).unwrap();
        connection.execute_batch("CHECKPOINT").unwrap();
        connection.execute_batch(FIRST_VERSION).unwrap();
        let left = folder.path().join(format!("{name}.left"));
        if is_closed_well {
            drop(connection);
            std::fs::rename(&path, &left).unwrap();
        } else {
            copy(&path, &left);
        }

        let connection = Connection::open(&left).unwrap();
        assert_eq!(find(&connection).unwrap(), Found::Version(1), "{name}");
        migrate(&connection, 1).unwrap();
        keeps_what_it_held(&connection);
        // As the disk has it while it is open, which is all that a kill leaves …
        let killed = folder.path().join(format!("{name}.again"));
        copy(&left, &killed);
        drop(connection);
        // … and as closing leaves it.
        for path in [&left, &killed] {
            keeps_what_it_held(&Connection::open(path).unwrap());
            // It is written to like any other.
            let connection = Connection::open(path).unwrap();
            let row = "UPDATE device SET serial = 'SN2' WHERE device_no = 0";
            assert_eq!(connection.execute(row, []).unwrap(), 1);
        }
    }
}

#[test]
fn ends_that_waited_in_a_file_of_the_fourth_version_are_those_of_their_readings() {
    let connection = Connection::open_in_memory().unwrap();
    for step in &STEPS[..4] {
        connection.execute_batch(step).unwrap();
    }
    connection
        .execute_batch(
            "INSERT INTO run_open BY NAME SELECT p AS place, 5 AS report_no, 0 AS device_no, 0 AS meter_no, 0 AS origin_no, 7 AS site, \
             9 AS value, 9 AS continuous, 0 AS meter_epoch, 1 AS observed_ms, 2 AS confirmed_ms, 0 AS quality, \
             false AS clock_corrected, 0 AS reason FROM (VALUES (5), (6)) AS v (p); \
             INSERT INTO run_end VALUES (5, 77, 88); \
             CREATE TABLE meta (key VARCHAR NOT NULL, value VARCHAR NOT NULL)",
        )
        .unwrap();

    migrate(&connection, 4).unwrap();

    let mut statement = connection
        .prepare("SELECT place, confirmed_ms, superseded_ms FROM run_all ORDER BY place")
        .unwrap();
    let readings: Vec<(u64, i64, Option<i64>)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(readings, [(5, 77, Some(88)), (6, 2, None)]);
}

/// A file and the log beside it.
fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
    let log = |path: &Path| PathBuf::from(format!("{}.wal", path.display()));
    if log(from).exists() {
        std::fs::copy(log(from), log(to)).unwrap();
    }
}

fn keeps_what_it_held(connection: &Connection) {
    let newest = u32::try_from(STEPS.len()).unwrap();
    assert_eq!(find(connection).unwrap(), Found::Version(newest));
    let indexes: u32 = connection
        .query_row("SELECT count(*) FROM duckdb_indexes()", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(indexes, 1);
    let device: (String, Option<String>) = connection
        .query_row(
            "SELECT serial, superseded_by FROM device WHERE device_no = 0",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(device, ("SN1".to_owned(), None));
    let mark: (String, String) = connection
        .query_row(
            "SELECT some_class, some_kind FROM device_level",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(mark, ("consumed".to_owned(), "toner".to_owned()));
    let open: (u64, u64) = connection
        .query_row(
            "SELECT count(*), (SELECT count(*) FROM run_now WHERE place = 5) FROM run_all WHERE superseded_ms IS NULL",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(open, (1, 1));
}
