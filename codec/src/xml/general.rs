//! The tokeniser for everything that is valid, however it was written: quick-xml finds the tags, and nothing is let through that
//! the schema does not know.

use quick_xml::events::attributes::{AttrError, Attributes};
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::element::{Element, Place, report};
use super::error::{ReadError, Reason, quote};
use super::machine::Machine;
use super::tag::{Tag, Values, slot_of};
use crate::limits::SCHEMA_VERSION;
use crate::sink::RowSink;

/// Reads on from `from`, which is the beginning of the document or between two tags, to its end.
pub(super) fn run<S: RowSink + ?Sized>(
    machine: &mut Machine,
    xml: &str,
    from: usize,
    sink: &mut S,
) -> Result<(), ReadError> {
    run_until(machine, xml, from, sink, false)
}

/// Reads the root element's start tag.
pub(super) fn run_header<S: RowSink + ?Sized>(
    machine: &mut Machine,
    xml: &str,
    from: usize,
    sink: &mut S,
) -> Result<(), ReadError> {
    run_until(machine, xml, from, sink, true)
}

fn run_until<S: RowSink + ?Sized>(
    machine: &mut Machine,
    xml: &str,
    from: usize,
    sink: &mut S,
    header_only: bool,
) -> Result<(), ReadError> {
    // quick-xml steps over a byte order mark at its beginning; ours may be in the middle.
    if xml[from..].starts_with('\u{feff}') {
        return Err(machine.here(from, Reason::NotAllowed("text")));
    }
    let mut reader = Reader::from_str(&xml[from..]);
    let config = reader.config_mut();
    // The machine knows what is open; the reader may have begun in the middle.
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.check_comments = true;
    let mut tag = Tag::default();
    while !(header_only && machine.place != Place::Before) {
        let start = from + position(reader.buffer_position());
        let event = reader.read_event().map_err(|error| {
            let offset = from + position(reader.error_position());
            machine.here(offset, syntax(&error))
        })?;
        let end = from + position(reader.buffer_position());
        match event {
            Event::Start(start_tag) => {
                tag.closed = false;
                open(machine, xml, start, &start_tag, &mut tag, sink)?;
            }
            Event::Empty(start_tag) => {
                tag.closed = true;
                open(machine, xml, start, &start_tag, &mut tag, sink)?;
            }
            Event::End(end_tag) => {
                let name = end_tag.name();
                match machine.place {
                    Place::In(element) if element.name() == name.as_ref() => {
                        close(machine, element, start, sink)?;
                    }
                    Place::In(element) => {
                        let (expected, found) = (element.name(), quote(name.as_ref()));
                        let reason = format!("</{found}> where </{expected}> should be");
                        return Err(machine.here(start, Reason::Syntax(reason)));
                    }
                    Place::Before | Place::After => {
                        let reason = "an end tag without a start tag".to_owned();
                        return Err(machine.here(start, Reason::Syntax(reason)));
                    }
                }
            }
            Event::Text(_) => {
                let text = &xml[start..end];
                let white = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
                if let Some(at) = text.bytes().position(|byte| !white(byte)) {
                    return Err(machine.here(start + at, Reason::NotAllowed("text")));
                }
            }
            Event::Comment(_) => {}
            Event::Decl(_) => declaration(machine, xml, start, end)?,
            Event::PI(_) => {
                return Err(machine.here(start, Reason::NotAllowed("a processing instruction")));
            }
            Event::CData(_) => {
                return Err(machine.here(start, Reason::NotAllowed("a CDATA section")));
            }
            Event::GeneralRef(_) => {
                return Err(machine.here(start, Reason::NotAllowed("a reference between elements")));
            }
            Event::DocType(_) => return Err(machine.here(start, Reason::Doctype)),
            Event::Eof if machine.place == Place::After => return Ok(()),
            Event::Eof => return Err(machine.here(end, Reason::Truncated)),
        }
    }
    Ok(())
}

/// An offset of quick-xml's as an index.
fn position(offset: u64) -> usize {
    usize::try_from(offset).expect("an offset in a slice fits an index")
}

/// Takes a start tag of the reader's.
fn open<S: RowSink + ?Sized>(
    machine: &mut Machine,
    xml: &str,
    start: usize,
    found: &BytesStart<'_>,
    tag: &mut Tag,
    sink: &mut S,
) -> Result<(), ReadError> {
    let name = found.name();
    let element = Element::from_name(name.as_ref())
        .filter(|element| element.parent() == machine.place)
        .ok_or_else(|| machine.misplaced(start, name.as_ref()))?;
    tag.begin(start);
    // The tag without its angle brackets, as it stands in the document.
    let inside = start + 1;
    let content: &str = found;
    if element == Element::Report {
        refuse_newer(machine, content, name.as_ref().len(), inside)?;
    }
    let mut attributes = Attributes::new(content, name.as_ref().len());
    for attribute in attributes.with_checks(false) {
        let attribute = attribute.map_err(|error| {
            let (at, reason) = attribute_fault(&error);
            machine.here(inside + at, Reason::Syntax(reason))
        })?;
        let key = attribute.key.as_ref();
        let key_at = offset_in(content, key);
        let value: &str = &attribute.value;
        let value_at = inside + offset_in(content, value);
        if !content[..key_at].ends_with([' ', '\t', '\n', '\r']) {
            let reason = "no space between attributes".to_owned();
            return Err(machine.here(inside + key_at, Reason::Syntax(reason)));
        }
        let Some(slot) = slot_of(element, key) else {
            let reason = Reason::Attribute(quote(key));
            return Err(machine.at_attribute(element, key, inside + key_at, reason));
        };
        if tag.has(slot) {
            return Err(machine.at_attribute(element, key, inside + key_at, Reason::Duplicate));
        }
        let escaped = value
            .bytes()
            .any(|byte| matches!(byte, b'&' | b'<' | b'\t' | b'\n' | b'\r'));
        tag.put(slot, value_at, value_at + value.len(), escaped);
    }
    let result = match Values::new(tag, xml) {
        Ok(mut values) => machine.open(element, &mut values, sink),
        Err(fault) => Err(fault),
    };
    result.map_err(|fault| machine.in_tag(element, *fault))?;
    if tag.closed {
        close(machine, element, start, sink)?;
    }
    Ok(())
}

/// Takes the end of `element`, which is open.
fn close<S: RowSink + ?Sized>(
    machine: &mut Machine,
    element: Element,
    start: usize,
    sink: &mut S,
) -> Result<(), ReadError> {
    machine
        .close(element, sink)
        .map_err(|reason| machine.here(start, reason))
}

/// A newer schema may have attributes that are not known here: its version is what to say then.
fn refuse_newer(
    machine: &Machine,
    content: &str,
    name_len: usize,
    inside: usize,
) -> Result<(), ReadError> {
    let mut attributes = Attributes::new(content, name_len);
    let version = attributes.with_checks(false).flatten().find(|attribute| {
        attribute.key.as_ref() == Element::Report.attributes()[report::VERSION.slot]
    });
    let Some(version) = version else {
        return Ok(());
    };
    match version.value.parse() {
        Ok(found) if found > SCHEMA_VERSION => {
            let known = SCHEMA_VERSION;
            let offset = inside + offset_in(content, &version.value);
            let reason = Reason::Newer { found, known };
            Err(machine.at_attribute(Element::Report, "version", offset, reason))
        }
        _ => Ok(()),
    }
}

/// Takes `<?xml …?>`: at the beginning only, version 1.0, UTF-8.
fn declaration(machine: &Machine, xml: &str, start: usize, end: usize) -> Result<(), ReadError> {
    let document_start = if xml.starts_with('\u{feff}') { 3 } else { 0 };
    if start != document_start {
        let reason = "an XML declaration that is not at the beginning";
        return Err(machine.here(start, Reason::NotAllowed(reason)));
    }
    let inside = start + "<?".len();
    let content = &xml[inside..end - "?>".len()];
    let fault =
        |offset: usize, reason: &str| machine.here(offset, Reason::Syntax(reason.to_owned()));
    let mut expected = ["version", "encoding", "standalone"].as_slice();
    let mut attributes = Attributes::new(content, "xml".len());
    for attribute in attributes.with_checks(false) {
        let attribute = attribute.map_err(|error| {
            let (at, reason) = attribute_fault(&error);
            fault(inside + at, &reason)
        })?;
        let (key, value) = (attribute.key.as_ref(), attribute.value.as_ref());
        let offset = inside + offset_in(content, value);
        let Some(at) = expected.iter().position(|name| *name == key) else {
            return Err(fault(
                offset,
                "the XML declaration has version, encoding and standalone, in this order",
            ));
        };
        expected = &expected[at + 1..];
        match key {
            "version" if value != "1.0" => {
                return Err(fault(offset, "only XML 1.0 is read"));
            }
            "encoding" if !value.eq_ignore_ascii_case("utf-8") => {
                let reason = Reason::Encoding(format!("declared as {:?}", quote(value)));
                return Err(machine.here(offset, reason));
            }
            "standalone" if !matches!(value, "yes" | "no") => {
                return Err(fault(offset, "standalone is yes or no"));
            }
            _ => {}
        }
    }
    if expected.first() == Some(&"version") {
        return Err(fault(start, "the XML declaration has no version"));
    }
    Ok(())
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset_in(whole: &str, part: &str) -> usize {
    part.as_ptr().addr().saturating_sub(whole.as_ptr().addr())
}

fn attribute_fault(error: &AttrError) -> (usize, String) {
    let (at, reason) = match error {
        AttrError::ExpectedEq(at) => (*at, "an attribute without ="),
        AttrError::ExpectedValue(at) => (*at, "an attribute without a value"),
        AttrError::UnquotedValue(at) => (*at, "an attribute value without quotes"),
        AttrError::ExpectedQuote(at, _) => (*at, "an attribute value without its closing quote"),
        AttrError::Duplicated(at, _) => (*at, "an attribute that is there twice"),
    };
    (at, reason.to_owned())
}

fn syntax(error: &quick_xml::Error) -> Reason {
    match error {
        quick_xml::Error::Syntax(_) => Reason::Truncated,
        other => Reason::Syntax(quote(&other.to_string())),
    }
}
