//! What anybody would write with quick-xml: every attribute of every tag, its escapes resolved, kept as text in a column of its name. It parses no number
//! and checks no word, so it does less than the reader that it is compared with.

use quick_xml::events::Event;
use quick_xml::reader::Reader;

/// Columns of text by the name of the attribute.
#[derive(Default)]
pub struct Texts {
    columns: Vec<(String, Vec<u8>, Vec<u32>)>,
}

/// Reads every attribute of `xml`; returns how many there are.
pub fn read(xml: &[u8], texts: &mut Texts) -> usize {
    for (_, bytes, ends) in &mut texts.columns {
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
                    let key = attribute.key.as_ref();
                    let column = texts.columns.iter().position(|(name, ..)| name == key);
                    let column = column.unwrap_or_else(|| {
                        texts.columns.push((key.to_owned(), Vec::new(), Vec::new()));
                        texts.columns.len() - 1
                    });
                    let (_, bytes, ends) = &mut texts.columns[column];
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
