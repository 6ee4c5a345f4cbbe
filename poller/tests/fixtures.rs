//! Every fixture of the project makes exactly the report that was derived for it by hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use codec::time::Timestamp;
use poller::profile::ProfileSet;
use poller::recording::{Recording, replay};

const OBSERVED_AT: Timestamp = Timestamp::from_unix_ms(1_780_000_000_000);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

#[test]
fn every_fixture_makes_its_expected_report() {
    let profiles = Arc::new(ProfileSet::embedded());
    let mut replayed = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_none_or(|extension| extension != "snmprec")
        {
            continue;
        }
        let recording = Recording::parse(&std::fs::read(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let expected = std::fs::read_to_string(path.with_extension("json"))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
        let report = replay(&recording, Arc::clone(&profiles), OBSERVED_AT)
            .report
            .unwrap();
        let report = serde_json::to_value(&report).unwrap();
        compare(
            &mut wrong,
            &path.file_stem().unwrap().to_string_lossy(),
            &expected,
            &report,
        );
        replayed += 1;
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(replayed >= 3, "{replayed} fixtures");
}

/// Notes every place in which two values differ.
fn compare(
    wrong: &mut Vec<String>,
    place: &str,
    expected: &serde_json::Value,
    found: &serde_json::Value,
) {
    use serde_json::Value;
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let (a, b) = (
                    a.get(key).unwrap_or(&Value::Null),
                    b.get(key).unwrap_or(&Value::Null),
                );
                compare(wrong, &format!("{place}.{key}"), a, b);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(wrong, &format!("{place}[{index}]"), a, b);
            }
        }
        _ if expected == found => {}
        _ => wrong.push(format!("{place}: expected {expected}\n    found {found}")),
    }
}
