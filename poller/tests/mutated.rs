//! Recordings with something wrong in them: a line damaged, lost, sent twice or of another type. Nothing panics, and what was not
//! touched stays as it was.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use codec::model::DeviceReport;
use codec::time::Timestamp;
use poller::profile::ProfileSet;
use poller::recording::{Recording, replay};
use proptest::prelude::*;

/// What stands in place of a value: wrong types, sentinels, numbers out of range, rubbish; the empty one loses the line.
const DAMAGES: &[&str] = &[
    "",
    "|2|-9223372036854775808",
    "|2|-2",
    "|2|4294967296",
    "|4|full",
    "|4x|ff00fe07",
    "|4|",
    "|5|",
    "|6|0.0",
    "|65|",
    "|4x|0",
    "|99|1",
    "no variable",
];

static PROFILES: LazyLock<Arc<ProfileSet>> = LazyLock::new(|| Arc::new(ProfileSet::embedded()));
static FIXTURES: LazyLock<Vec<(String, Vec<String>)>> = LazyLock::new(fixtures);

fn fixtures() -> Vec<(String, Vec<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut fixtures = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "snmprec") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            fixtures.push((name, text.lines().map(str::to_owned).collect()));
        }
    }
    fixtures.sort();
    fixtures
}

fn report(text: &[u8]) -> Option<DeviceReport> {
    let recording = Recording::parse(text).ok()?;
    let at = Timestamp::from_unix_ms(1_780_000_000_000);
    replay(&recording, Arc::clone(&PROFILES), at).report
}

/// The row of a table that a line belongs to: the last arc of its OID, where it is below `table`.
fn row(line: &str, table: &str) -> Option<u32> {
    let oid = line.split('|').next()?.strip_prefix(table)?;
    oid.rsplit('.').next()?.parse().ok()
}

#[test]
fn a_damaged_line_changes_nothing_but_its_row() {
    const SUPPLIES: &str = "1.3.6.1.2.1.43.11.1.1.";
    const TRAYS: &str = "1.3.6.1.2.1.43.8.2.1.";
    let mut tried = 0;
    for (name, lines) in FIXTURES.iter() {
        let whole = report(lines.join("\n").as_bytes()).unwrap();
        for (place, line) in lines.iter().enumerate() {
            let (supply, tray) = (row(line, SUPPLIES), row(line, TRAYS));
            if supply.is_none() && tray.is_none() {
                continue;
            }
            // Not every damage to every line: each kind of damage falls on each kind of line somewhere.
            for damage in DAMAGES.iter().skip(place % 6).step_by(6) {
                let mut lines = lines.clone();
                let oid = line.split('|').next().unwrap();
                lines[place] = match *damage {
                    "" => String::new(),
                    damage if damage.starts_with('|') => format!("{oid}{damage}"),
                    damage => damage.to_owned(),
                };
                let hurt = report(lines.join("\n").as_bytes()).unwrap();
                let what = format!("{name}, {oid}{damage}");
                assert_eq!(hurt.meters, whole.meters, "{what}");
                assert_eq!(hurt.identity.serial, whole.identity.serial, "{what}");
                assert_eq!(hurt.status, whole.status, "{what}");
                for kept in whole.supplies.read().unwrap() {
                    let found = hurt.supplies.read().unwrap();
                    let same = found.contains(kept);
                    assert!(
                        same || supply == Some(kept.index),
                        "{what}: {kept:?}\n{found:?}"
                    );
                }
                for kept in whole.trays.read().unwrap() {
                    let same = hurt.trays.read().unwrap().contains(kept);
                    assert!(same || tray == Some(kept.index), "{what}: {kept:?}");
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 1000, "{tried}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    /// Lines lost, doubled, cut, out of order, with bytes changed: a report, or none, and never a panic.
    #[test]
    fn no_mutation_of_a_recording_panics(
        which in 0_usize..100,
        lost in proptest::collection::vec(0_usize..400, 0..80),
        kept_from in 0_usize..3,
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..40),
        swapped in proptest::collection::vec((0_usize..400, 0_usize..400), 0..10),
    ) {
        let (_, mut lines) = FIXTURES[which % FIXTURES.len()].clone();
        let count = lines.len();
        for place in &lost {
            lines[place % count].clear();
        }
        for (a, b) in &swapped {
            lines.swap(a % count, b % count);
            let doubled = lines[a % count].clone();
            lines.push(doubled);
        }
        let mut text = lines[kept_from * count / 4..].join("\n").into_bytes();
        for (place, byte) in &changes {
            let length = text.len().max(1);
            if let Some(found) = text.get_mut(place % length) {
                *found = *byte;
            }
        }
        if let Some(report) = report(&text) {
            prop_assert!(serde_json::to_string(&report).is_ok());
            for supply in report.supplies.read().into_iter().flatten() {
                prop_assert!(supply.percent().is_none_or(|percent| percent <= 100));
            }
        }
    }
}
