//! Reports there and back, documents of foreign hands, and hostile ones.

mod foreign;
mod hostile;
mod schema;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::arbitrary;
use crate::key::Stream;
use crate::limits::TEXT_BYTES_MAX;
use crate::sample::Fleet;

fn written(report: &Report) -> Vec<u8> {
    let mut out = Vec::new();
    write_report(report, &mut out);
    out
}

/// How much of `xml` the fast tokeniser reads.
fn fast_bytes(xml: &[u8]) -> usize {
    let (text, start) = prelude::check(xml).unwrap();
    let mut builder = ReportBuilder::new();
    fast::run(&mut Machine::new(), text, start, &mut builder)
}

/// What is put into a document to break it, or not.
fn scraps() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 1..4),
        select(vec![
            "<",
            ">",
            "\"",
            "'",
            "&",
            "&amp;",
            "&#65;",
            "&#x41;",
            "&lol;",
            "/>",
            "</device>",
            "<device>",
            "<meters>",
            "</meters>",
            "<!--x-->",
            "<!-- -- -->",
            "<?pi?>",
            "<![CDATA[x]]>",
            "<!DOCTYPE x>",
            " ",
            "\n",
            "\t",
            "\u{feff}",
            "\0",
            "\u{ffff}",
            " base=\"1\"",
            " only=\"changed\"",
            "=",
            "</report>",
            "<?xml version=\"1.0\"?>",
            "x",
            "9999999999999999999999",
            "-1",
            "%",
            "\u{85}",
        ])
        .prop_map(|scrap| scrap.as_bytes().to_vec()),
    ]
}

/// One change of a document.
#[derive(Clone, Debug)]
enum Mutation {
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Replace(Index, u8),
    Repeat(Index, usize),
    Cut(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        4 => (any::<Index>(), scraps()).prop_map(|(at, scrap)| Mutation::Insert(at, scrap)),
        2 => (any::<Index>(), 1_usize..40).prop_map(|(at, length)| Mutation::Remove(at, length)),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        2 => (any::<Index>(), 1_usize..200).prop_map(|(at, length)| Mutation::Repeat(at, length)),
        1 => any::<Index>().prop_map(Mutation::Cut),
    ]
}

fn mutate(xml: &mut Vec<u8>, mutation: &Mutation) {
    if xml.is_empty() {
        return;
    }
    match mutation {
        Mutation::Insert(at, scrap) => {
            let at = at.index(xml.len());
            xml.splice(at..at, scrap.iter().copied());
        }
        Mutation::Remove(at, length) => {
            let at = at.index(xml.len());
            let end = (at + length).min(xml.len());
            xml.drain(at..end);
        }
        Mutation::Replace(at, byte) => {
            let at = at.index(xml.len());
            xml[at] = *byte;
        }
        Mutation::Repeat(at, length) => {
            let at = at.index(xml.len());
            let end = (at + length).min(xml.len());
            let again = xml[at..end].to_vec();
            xml.splice(at..at, again);
        }
        Mutation::Cut(at) => xml.truncate(at.index(xml.len())),
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(report in arbitrary::report()) {
        let xml = written(&report);
        prop_assert_eq!(read_report(&xml).unwrap(), report.clone());
        prop_assert_eq!(read_header(&xml).unwrap(), report.header.clone());
        prop_assert_eq!(written(&report), xml, "canonical");
    }

    #[test]
    fn what_is_written_takes_the_fast_path_to_its_end(report in arbitrary::report()) {
        let xml = written(&report);
        prop_assert_eq!(fast_bytes(&xml), xml.len() - 1);
        differential(&xml);
    }

    #[test]
    fn any_change_gives_the_same_rows_and_error_both_ways(
        report in arbitrary::report(),
        mutations in vec(mutation(), 1..4),
    ) {
        let mut xml = written(&report);
        for mutation in &mutations {
            mutate(&mut xml, mutation);
        }
        differential(&xml);
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
        differential(&bytes);
        prop_assert!(read_header(&bytes).is_err());
    }

    #[test]
    fn the_same_said_by_a_foreign_hand_reads_the_same(
        report in arbitrary::report(),
        choices in vec(any::<u8>(), 1..400),
    ) {
        let xml = foreign::rewrite(&written(&report), &choices);
        differential(xml.as_bytes());
        prop_assert_eq!(read_report(xml.as_bytes()).map_err(|error| format!("{error}\n{xml}")), Ok(report));
    }
}

#[test]
fn a_real_looking_fleet_reads_back_in_both_streams() {
    let mut fleet = Fleet::new(60, 11);
    for stream in Stream::ALL {
        fleet.pass(30);
        let report = fleet.report(stream, 5);
        let xml = written(&report);
        assert_eq!(read_report(&xml), Ok(report));
        assert_eq!(fast_bytes(&xml), xml.len() - 1);
    }
}

#[test]
fn text_is_cut_at_a_character_and_what_cannot_be_said_is_replaced() {
    let mut report = Fleet::new(1, 1).report(Stream::State, 1);
    let identity = &mut report.devices[0].identity;
    identity.location = Some("ä".repeat(TEXT_BYTES_MAX));
    identity.contact = Some(format!("{}€", "x".repeat(TEXT_BYTES_MAX - 1)));
    identity.asset = Some("bell \u{7} and \u{ffff}".to_owned());
    let read = read_report(&written(&report)).unwrap();
    let identity = &read.devices[0].identity;
    assert_eq!(identity.location, Some("ä".repeat(TEXT_BYTES_MAX / 2)));
    assert_eq!(identity.contact, Some("x".repeat(TEXT_BYTES_MAX - 1)));
    assert_eq!(
        identity.asset.as_deref(),
        Some("bell \u{fffd} and \u{fffd}")
    );
}

#[test]
fn the_longest_text_of_escapes_still_reads() {
    let mut report = Fleet::new(1, 1).report(Stream::State, 1);
    for hardest in ["\"", "\r", "&"] {
        report.devices[0].identity.location = Some(hardest.repeat(TEXT_BYTES_MAX));
        assert_eq!(read_report(&written(&report)), Ok(report.clone()));
    }
}

#[test]
fn unchanged_not_read_and_empty_are_three_different_things() {
    use crate::model::Section;
    let mut report = Fleet::new(1, 1).report(Stream::State, 4);
    let device = &mut report.devices[0];
    device.base = Some(3);
    device.meters = Section::NotRead;
    device.trays = Section::Unchanged;
    device.alerts = Section::Read(Vec::new());
    let xml = String::from_utf8(written(&report)).unwrap();
    assert!(!xml.contains("<meters") && !xml.contains("<trays"));
    assert!(xml.contains(" unchanged=\"trays\"") && xml.contains("<alerts/>"));
    assert_eq!(read_report(xml.as_bytes()), Ok(report));
}
