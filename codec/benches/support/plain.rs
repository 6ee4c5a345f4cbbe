//! What anybody would write with quick-xml: every attribute of every tag, its escapes resolved, kept as text in a column of its name. It parses no number
//! and checks no word, so it does less than the reader that it is compared with.

use quick_xml::events::Event;
use quick_xml::reader::Reader;

/// Columns of text by the name of the attribute: the bytes, and where each value ends.
pub struct Texts {
    columns: [(Vec<u8>, Vec<u32>); 64],
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            columns: std::array::from_fn(|_| Default::default()),
        }
    }
}

macro_rules! columns {
    ($($number:literal $name:literal)*) => {
        /// The column of an attribute.
        fn column(name: &str) -> usize {
            match name {
                $($name => $number,)*
                other => panic!("{other} is not ours"),
            }
        }
    };
}

columns! {
    0 "version" 1 "agent" 2 "epoch" 3 "stream" 4 "sequence" 5 "sealed_at" 6 "sealed_uptime_ms" 7 "program" 8 "handle" 9 "base" 10 "observed_at"
    11 "age_ms" 12 "source" 13 "meter_set" 14 "unchanged" 15 "serial" 16 "manufacturer" 17 "model" 18 "hostname" 19 "dns_name" 20 "address"
    21 "mac" 22 "location" 23 "contact" 24 "firmware" 25 "description" 26 "object_id" 27 "asset" 28 "profile" 29 "device" 30 "printer" 31 "errors"
    32 "uptime_ticks" 33 "display" 34 "only" 35 "work" 36 "colour" 37 "unit" 38 "size" 39 "sides" 40 "basis" 41 "oid" 42 "value" 43 "index"
    44 "class" 45 "type" 46 "colorant" 47 "part" 48 "capacity" 49 "resolution" 50 "level" 51 "name" 52 "media" 53 "status" 54 "severity" 55 "group"
    56 "group_index" 57 "code" 58 "since"
}

/// Reads every attribute of `xml`; returns how many there are.
pub fn read(xml: &[u8], texts: &mut Texts) -> usize {
    for (bytes, ends) in &mut texts.columns {
        bytes.clear();
        ends.clear();
    }
    let mut reader = Reader::from_reader(xml);
    let mut count = 0;
    loop {
        match reader.read_event().expect("our own") {
            Event::Start(tag) | Event::Empty(tag) => {
                let mut attributes = tag.attributes();
                attributes.with_checks(false);
                for attribute in attributes {
                    let attribute = attribute.expect("our own");
                    let value = attribute
                        .normalized_value(quick_xml::XmlVersion::Explicit1_0)
                        .expect("our own");
                    let (bytes, ends) = &mut texts.columns[column(attribute.key.as_ref())];
                    bytes.extend_from_slice(value.as_bytes());
                    ends.push(u32::try_from(bytes.len()).expect("shorter than 4 GiB"));
                    count += 1;
                }
            }
            Event::Eof => return count,
            _ => {}
        }
    }
}
