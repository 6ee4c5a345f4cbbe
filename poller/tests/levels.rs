//! Levels that stand outside the standard table: codes, status frames, pages left; and what is not made up.

use std::sync::Arc;

use codec::model::{Level, Supply};
use codec::time::Timestamp;
use poller::profile::ProfileSet;
use poller::recording::{Recording, replay};

const BROTHER: &str = "1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.2435.2.3.9.1";
const EPSON: &str = "1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.1248.1.1.2.1.3.5.69.69.80.83.50";
const EPSON_STATUS: &str = "1.3.6.1.4.1.1248.1.2.2.1.1.1.4.1|4x|";
const NEXT_CARE: &str = "1.3.6.1.4.1.2435.2.3.9.4.2.1.5.5.11.0|4x|";

fn supplies(lines: &[String]) -> Vec<Supply> {
    let recording = Recording::parse(lines.join("\n").as_bytes()).unwrap();
    let at = Timestamp::from_unix_ms(1_780_000_000_000);
    let outcome = replay(&recording, Arc::new(ProfileSet::embedded()), at);
    outcome.report.unwrap().supplies.read().unwrap().clone()
}

/// A row of the standard table: number, type, name and level out of an unknown whole.
fn row(number: u32, kind: u32, name: &str, level: i32) -> Vec<String> {
    [
        (5, format!("2|{kind}")),
        (6, format!("4|{name}")),
        (8, "2|-2".to_owned()),
        (9, format!("2|{level}")),
    ]
    .map(|(column, value)| format!("1.3.6.1.2.1.43.11.1.1.{column}.1.{number}|{value}"))
    .to_vec()
}

#[test]
fn an_empty_cartridge_that_is_told_by_a_code_is_empty_and_another_code_is_no_level() {
    for (code, expected) in [
        (3, Level::Percent(0)),
        (0, Level::Some),
        (1, Level::Some),
        (9, Level::Some),
    ] {
        let mut lines = vec![
            BROTHER.to_owned(),
            format!("1.3.6.1.4.1.2435.2.3.9.1.1.2.10.1.0|2|{code}"),
        ];
        lines.extend(row(1, 3, "Black Toner Cartridge", -3));
        assert_eq!(supplies(&lines)[0].level, expected, "{code}");
    }
}

#[test]
fn pages_left_are_used_where_no_share_is_told() {
    // Drum 10000 pages; belt 50000; paper feeding kit 1 48741.
    let care = format!("{NEXT_CARE}82010400002710880104000 0c350770104 0000be65ff");
    let told = |supplies: Vec<Supply>| {
        let told = supplies
            .into_iter()
            .map(|supply| (supply.description, supply.level));
        told.collect::<Vec<_>>()
    };
    let alone = told(supplies(&[BROTHER.to_owned(), care.clone()]));
    assert_eq!(
        alone,
        [
            ("Drum Unit".to_owned(), Level::Amount(10_000)),
            ("Belt Unit".to_owned(), Level::Amount(50_000)),
            ("Paper Feeding Kit 1".to_owned(), Level::Amount(48_741)),
        ]
    );
    // The share of the drum is known: its pages are of no use.
    let maintenance = "1.3.6.1.4.1.2435.2.3.9.4.2.1.5.5.8.0|4x|41010400002328ff".to_owned();
    let both = told(supplies(&[BROTHER.to_owned(), maintenance, care]));
    assert_eq!(both[0], ("Drum Unit".to_owned(), Level::Percent(90)));
    assert_eq!(both.len(), 3);
}

#[test]
fn an_epson_whose_tables_are_silent_is_read_by_its_status() {
    let status = format!(
        "{EPSON_STATUS}{}",
        "40424443205354320d0a1800010104\
         0d0143\
         0f0d03\
         0100 52\
         01010c\
         010269\
         010332"
            .replace(' ', "")
    );
    let alone = supplies(&[EPSON.to_owned(), status.clone()]);
    let told = alone
        .iter()
        .map(|supply| (supply.description.as_str(), supply.level));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ("Black Ink", Level::Percent(82)),
            ("Cyan Ink", Level::Percent(12)),
            ("Yellow Ink", Level::Percent(50)),
            ("Maintenance Box", Level::Percent(67)),
        ]
    );
    // The table has inks: the row without a level is filled, and none is added.
    let mut lines = vec![EPSON.to_owned(), status];
    lines.extend(row(1, 5, "Cyan Ink Bottle", -2));
    lines.extend(row(2, 5, "Photo Black Ink Bottle", 40));
    let both = supplies(&lines);
    assert_eq!(both[0].level, Level::Percent(12));
    assert_eq!(both[1].level, Level::Amount(40));
    assert_eq!(both.len(), 3, "two inks and the maintenance box");
}
