//! The published schema says what the code does: the same elements, attributes, words and limits; and xmllint takes what we write.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::*;
use crate::limits::*;
use crate::model::*;
use crate::sink::SectionKind;
use crate::xml::element::{Element, Place};

const SCHEMA: &str = include_str!("../../../schema/report.xsd");

/// What the schema says, as far as the tests look at it.
#[derive(Default)]
struct Schema {
    /// Attributes by element, in order, with their types.
    elements: BTreeMap<String, Vec<(String, String)>>,
    /// The most of an element that may stand in its parent.
    occurs: BTreeMap<String, String>,
    /// The element that an element stands in.
    parents: BTreeMap<String, String>,
    words: BTreeMap<String, Vec<String>>,
    max_lengths: BTreeMap<String, usize>,
    /// Elements, attributes, types and words without documentation.
    undocumented: BTreeSet<String>,
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = tag.attributes().flatten();
    let found = attributes.find(|attribute| attribute.key.as_ref() == name)?;
    Some(found.value.into_owned())
}

fn schema() -> Schema {
    let mut schema = Schema::default();
    let mut reader = Reader::from_str(SCHEMA);
    let (mut elements, mut kind): (Vec<String>, String) = (Vec::new(), String::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) | Event::Empty(tag) => {
                let name = attribute(&tag, "name").or_else(|| attribute(&tag, "value"));
                let name = name.unwrap_or_default();
                let value = attribute(&tag, "value").unwrap_or_default();
                let tag_name = tag.name();
                match tag_name.as_ref() {
                    "xs:element" => {
                        if let Some(parent) = elements.last() {
                            schema.parents.insert(name.clone(), parent.clone());
                        }
                        if let Some(occurs) = attribute(&tag, "maxOccurs") {
                            schema.occurs.insert(name.clone(), occurs);
                        }
                        schema.elements.insert(name.clone(), Vec::new());
                        elements.push(name.clone());
                        schema.undocumented.insert(name);
                    }
                    "xs:attribute" => {
                        let element = elements.last().unwrap();
                        schema.undocumented.insert(format!("{element}/@{name}"));
                        let attributes = schema.elements.get_mut(element).unwrap();
                        attributes.push((name, attribute(&tag, "type").unwrap()));
                    }
                    "xs:simpleType" => {
                        schema.undocumented.insert(name.clone());
                        kind = name;
                    }
                    "xs:enumeration" => schema.words.entry(kind.clone()).or_default().push(value),
                    "xs:maxLength" => {
                        schema
                            .max_lengths
                            .insert(kind.clone(), value.parse().unwrap());
                    }
                    _ => {}
                }
            }
            Event::Text(text) if !text.trim().is_empty() => {
                // Documentation belongs to what was begun last.
                if let Some(element) = elements.last() {
                    match schema.elements[element].last() {
                        Some((attribute, _)) => {
                            schema
                                .undocumented
                                .remove(&format!("{element}/@{attribute}"));
                        }
                        None => {
                            schema.undocumented.remove(element);
                        }
                    }
                } else {
                    schema.undocumented.remove(&kind);
                }
            }
            Event::End(tag) if tag.name().as_ref() == "xs:element" => {
                elements.pop();
            }
            Event::Eof => return schema,
            _ => {}
        }
    }
}

#[test]
fn the_schema_has_our_elements_and_attributes_each_documented() {
    let schema = schema();
    assert_eq!(schema.elements.len(), Element::ALL.len());
    for element in Element::ALL {
        let names: Vec<&str> = schema.elements[element.name()]
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, element.attributes(), "{}", element.name());
        let parent = match element.parent() {
            Place::In(parent) => Some(parent.name()),
            Place::Before | Place::After => None,
        };
        assert_eq!(
            schema.parents.get(element.name()).map(String::as_str),
            parent
        );
    }
    assert_eq!(schema.undocumented, BTreeSet::new());
}

#[test]
fn the_schema_has_our_limits() {
    let schema = schema();
    let occurs: BTreeMap<&str, usize> = [
        ("device", DEVICES_PER_REPORT_MAX),
        ("meter", METERS_PER_DEVICE_MAX),
        ("part", PARTS_PER_METER_MAX),
        ("supply", SUPPLIES_PER_DEVICE_MAX),
        ("tray", TRAYS_PER_DEVICE_MAX),
        ("alert", ALERTS_PER_DEVICE_MAX),
    ]
    .into();
    for (element, limit) in &occurs {
        assert_eq!(schema.occurs[*element], limit.to_string(), "{element}");
    }
    assert_eq!(schema.occurs.len(), occurs.len());
    let lengths: BTreeMap<String, usize> = [
        ("Text", TEXT_BYTES_MAX),
        ("Handle", HANDLE_BYTES_MAX),
        ("Program", PROGRAM_BYTES_MAX),
        ("Oid", OID_BYTES_MAX),
    ]
    .map(|(name, limit)| (name.to_owned(), limit))
    .into();
    assert_eq!(schema.max_lengths, lengths);
    assert_eq!(schema.words["SchemaVersion"], [SCHEMA_VERSION.to_string()]);
    let deepest = |element: &str| {
        let mut depth = 1;
        let mut at = element;
        while let Some(parent) = schema.parents.get(at) {
            depth += 1;
            at = parent;
        }
        depth
    };
    let depth = schema.elements.keys().map(|element| deepest(element)).max();
    assert_eq!(depth, Some(DEPTH_MAX));
}

#[test]
fn the_schema_has_our_words() {
    let schema = schema();
    macro_rules! same {
        ($($kind:ident),+ $(,)?) => {
            $(
                let ours: Vec<&str> = $kind::ALL.iter().map(|word| word.word()).collect();
                assert_eq!(schema.words[stringify!($kind)], ours);
            )+
        };
    }
    same!(
        Work,
        Colour,
        MeterUnit,
        Sides,
        Basis,
        MeterSet,
        SourceKind,
        DeviceStatus,
        PrinterStatus,
        ErrorState,
        SupplyClass,
        SupplyType,
        CapacityUnit,
        Colorant,
        AlertSeverity,
        TrayType,
    );
    assert_eq!(schema.words["Stream"], Stream::ALL.map(Stream::name));
    assert_eq!(
        schema.words["SectionName"],
        SectionKind::ALL.map(SectionKind::word)
    );
    assert_eq!(schema.words["Only"], ["changed"]);
}

/// Whether xmllint is there; without it, and unless peers are required, the test says so and passes.
fn xmllint_is_there() -> bool {
    let there = Command::new("xmllint")
        .arg("--version")
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let required = std::env::var("PLATEN_PEERS").is_ok_and(|value| value == "required");
    assert!(
        there || !required,
        "PLATEN_PEERS=required, but there is no xmllint"
    );
    if !there {
        println!("skipped: there is no xmllint (package libxml2-utils)");
    }
    there
}

/// What xmllint says of these documents: nothing, if they follow the schema.
fn xmllint(documents: &[Vec<u8>]) -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!(
        "platen-codec-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::create_dir_all(&folder).unwrap();
    let schema = folder.join("report.xsd");
    std::fs::write(&schema, SCHEMA).unwrap();
    let mut command = Command::new("xmllint");
    command
        .args(["--noout", "--nonet", "--schema"])
        .arg(&schema);
    for (number, document) in documents.iter().enumerate() {
        let file = folder.join(format!("{number}.xml"));
        std::fs::write(&file, document).unwrap();
        command.arg(file);
    }
    let output = command.output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn xmllint_takes_what_we_write() {
    if !xmllint_is_there() {
        return;
    }
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let strategy = arbitrary::report();
    let mut documents: Vec<Vec<u8>> = (0..100)
        .map(|_| written(&strategy.new_tree(&mut runner).unwrap().current()))
        .collect();
    let mut fleet = Fleet::new(40, 9);
    documents.extend(Stream::ALL.map(|stream| written(&fleet.report(stream, 1))));
    xmllint(&documents).unwrap();
}

#[test]
fn xmllint_refuses_what_we_refuse_by_schema() {
    if !xmllint_is_there() {
        return;
    }
    let good = String::from_utf8(written(&Fleet::new(1, 1).report(Stream::State, 1))).unwrap();
    for (from, to) in [
        ("level=\"", "level=\"-"),
        ("class=\"consumed\"", "class=\"eaten\""),
        ("<status ", "<status colour=\"x\" "),
        ("sequence=\"1\"", "sequence=\"0\""),
        ("version=\"1\" agent", "version=\"2\" agent"),
        ("</device>", "<alerts/></device>"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert!(read_report(bad.as_bytes()).is_err(), "{from}");
        assert!(xmllint(&[bad.into_bytes()]).is_err(), "{from}");
    }
}
