//! A request's XML as a small tree, read with quick-xml.
//!
//! What always holds: no DTD, no entity but the five predefined ones, UTF-8 only, and nothing is larger, deeper or more
//! numerous than the constants here say. Namespaces are resolved by a stack of our own; prefixes mean nothing afterwards.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// The deepest nesting. Envelope, header, security, token, name are five; signed messages of others reach a dozen.
const DEPTH_MAX: usize = 32;
/// The most elements of a request. Ours have some twenty, headers of others some more.
const ELEMENTS_MAX: usize = 2_000;
/// The most attributes of one element, declarations of namespaces among them.
const ATTRIBUTES_MAX: usize = 64;
/// What `xml:` stands for without a declaration.
const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

/// An element with its namespace.
#[derive(Debug, Default)]
pub(crate) struct Element {
    /// The namespace; empty for none.
    pub namespace: String,
    /// The name without a prefix.
    pub name: String,
    /// Attributes that declare no namespace.
    pub attributes: Vec<Attribute>,
    /// All text directly in it, CDATA too.
    pub text: String,
    /// The elements in it.
    pub children: Vec<Self>,
}

/// An attribute with its namespace.
#[derive(Debug)]
pub(crate) struct Attribute {
    /// The namespace; empty for none.
    pub namespace: String,
    /// The name without a prefix.
    pub name: String,
    /// The value, entities resolved.
    pub value: String,
}

impl Element {
    /// Whether it has this name.
    pub(crate) fn is(&self, namespace: &str, name: &str) -> bool {
        self.name == name && self.namespace == namespace
    }

    /// The first child of this name.
    pub(crate) fn child(&self, namespace: &str, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is(namespace, name))
    }

    /// The value of an attribute.
    pub(crate) fn attribute(&self, namespace: &str, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name && attribute.namespace == namespace)
            .map(|attribute| attribute.value.as_str())
    }
}

/// Why a request's XML was not read; a sentence for people.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub String);

fn malformed(text: impl Into<String>) -> Malformed {
    Malformed(text.into())
}

/// Reads a document: one element with all that is in it.
pub(crate) fn read_document(body: &[u8]) -> Result<Element, Malformed> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|error| {
        malformed(format!(
            "the request is not UTF-8 (at byte {})",
            error.valid_up_to()
        ))
    })?;
    let mut reader = Reader::from_str(text);
    let mut tree = Tree::default();
    loop {
        let at = reader.buffer_position();
        let event = reader.read_event().map_err(|error| {
            malformed(format!(
                "the request is not well-formed XML at byte {at}: {error}"
            ))
        })?;
        match event {
            Event::Start(start) => tree.open(&start)?,
            Event::Empty(start) => {
                tree.open(&start)?;
                tree.close();
            }
            Event::End(_) => tree.close(),
            Event::Text(text) => tree.text(&text.xml10_content(), at)?,
            Event::CData(text) => tree.text(&text.xml10_content(), at)?,
            Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                Ok(Some(character)) => tree.text(character.encode_utf8(&mut [0; 4]), at)?,
                Ok(None) => {
                    let name = reference.into_inner();
                    let replacement = quick_xml::escape::resolve_predefined_entity(&name).ok_or_else(|| {
                        malformed(format!("the request uses the entity {name:?} at byte {at}; only the five predefined ones are known"))
                    })?;
                    tree.text(replacement, at)?;
                }
                Err(_) => {
                    return Err(malformed(format!(
                        "the request has an impossible character reference at byte {at}"
                    )));
                }
            },
            Event::DocType(_) => {
                return Err(malformed(
                    "the request has a document type declaration, which SOAP forbids",
                ));
            }
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    if !tree.open.is_empty() {
        return Err(malformed("the request ends in the middle of an element"));
    }
    tree.root.ok_or_else(|| malformed("the request is empty"))
}

/// A tree that grows.
#[derive(Default)]
struct Tree {
    root: Option<Element>,
    /// From the outermost to the innermost.
    open: Vec<Element>,
    elements: usize,
    /// Declarations of namespaces: how deep, the prefix, the namespace.
    namespaces: Vec<(usize, String, String)>,
}

impl Tree {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), Malformed> {
        if self.root.is_some() && self.open.is_empty() {
            return Err(malformed("the request has more than one outermost element"));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(malformed(format!(
                "the request is nested deeper than {DEPTH_MAX} elements"
            )));
        }
        self.elements += 1;
        if self.elements > ELEMENTS_MAX {
            return Err(malformed(format!(
                "the request has more than {ELEMENTS_MAX} elements"
            )));
        }
        let depth = self.open.len();
        let mut attributes = Vec::new();
        for (number, attribute) in start.attributes().enumerate() {
            if number >= ATTRIBUTES_MAX {
                return Err(malformed(format!(
                    "an element of the request has more than {ATTRIBUTES_MAX} attributes"
                )));
            }
            let attribute = attribute.map_err(|error| {
                malformed(format!(
                    "an attribute of the request cannot be read: {error}"
                ))
            })?;
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| {
                    malformed(format!(
                        "an attribute's value in the request cannot be read: {error}"
                    ))
                })?
                .into_owned();
            match attribute.key.as_ref() {
                "xmlns" => self.namespaces.push((depth, String::new(), value)),
                name => match name.strip_prefix("xmlns:") {
                    Some(prefix) => self.namespaces.push((depth, prefix.to_owned(), value)),
                    None => attributes.push((name.to_owned(), value)),
                },
            }
        }
        let attributes = attributes
            .into_iter()
            .map(|(name, value)| {
                let (namespace, name) = match name.split_once(':') {
                    Some((prefix, local)) => (self.namespace(prefix)?, local.to_owned()),
                    None => (String::new(), name),
                };
                Ok(Attribute {
                    namespace,
                    name,
                    value,
                })
            })
            .collect::<Result<_, Malformed>>()?;
        let name = start.name();
        let (namespace, name) = match name.as_ref().split_once(':') {
            Some((prefix, local)) => (self.namespace(prefix)?, local),
            None => (self.namespace("")?, name.as_ref()),
        };
        self.open.push(Element {
            namespace,
            name: name.to_owned(),
            attributes,
            ..Element::default()
        });
        Ok(())
    }

    /// Ends the innermost element. The reader saw to it that start and end tags match.
    fn close(&mut self) {
        let Some(element) = self.open.pop() else {
            return;
        };
        let depth = self.open.len();
        while self.namespaces.last().is_some_and(|(at, ..)| *at >= depth) {
            self.namespaces.pop();
        }
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: &str, at: u64) -> Result<(), Malformed> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => {
                return Err(malformed(format!(
                    "the request has text outside its element at byte {at}"
                )));
            }
        }
        Ok(())
    }

    fn namespace(&self, prefix: &str) -> Result<String, Malformed> {
        let declared = self
            .namespaces
            .iter()
            .rev()
            .find(|(_, name, _)| name == prefix);
        match (declared, prefix) {
            (Some((_, _, namespace)), _) => Ok(namespace.clone()),
            (None, "") => Ok(String::new()),
            (None, "xml") => Ok(XML_NAMESPACE.to_owned()),
            (None, prefix) => Err(malformed(format!(
                "the request uses the prefix {prefix:?} without declaring it"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(xml: &str) -> String {
        read_document(xml.as_bytes()).unwrap_err().0
    }

    #[test]
    fn prefixes_are_resolved_where_they_stand_and_forgotten_where_they_end() {
        let root = read_document(
            br#"<?xml version="1.0"?><a:x xmlns:a="one" xmlns="two"><y xmlns="three" a:k="v" k="w"/><y><a:z xmlns:a="four"/><a:z/></y></a:x>"#,
        )
        .unwrap();
        assert!(root.is("one", "x"));
        assert!(root.children[0].is("three", "y"));
        assert_eq!(root.children[0].attribute("one", "k"), Some("v"));
        assert_eq!(root.children[0].attribute("", "k"), Some("w"));
        assert!(root.children[1].is("two", "y"));
        assert!(root.children[1].children[0].is("four", "z"));
        assert!(root.children[1].children[1].is("one", "z"));
    }

    #[test]
    fn text_comes_together_from_cdata_references_and_around_comments() {
        let root =
            read_document(b"\xef\xbb\xbf<x>a<![CDATA[<b>]]>&amp;&#x63;<!-- no -->d</x>").unwrap();
        assert_eq!(root.text, "a<b>&cd");
    }

    #[test]
    fn a_hostile_document_is_refused_with_its_reason() {
        assert_eq!(refused(""), "the request is empty");
        assert!(refused("<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>").contains("document type"));
        assert!(refused("<x>&lol;</x>").contains("\"lol\""));
        assert!(refused("<x>&#0;</x>").contains("character reference"));
        assert!(refused("<p:x/>").contains("without declaring"));
        assert!(refused("<x/><y/>").contains("more than one"));
        assert!(refused("<x/>y").contains("outside"));
        assert!(refused("<x><y></x>").contains("well-formed"));
        assert!(refused("<x><y>").contains("middle"));
        assert!(refused(&"<x>".repeat(10_000)).contains("deeper than 32"));
        assert!(refused(&format!("<x>{}</x>", "<y/>".repeat(2_000))).contains("more than 2000"));
        let attributes: String = (0..100).map(|n| format!(" a{n}=''")).collect();
        assert!(refused(&format!("<x{attributes}/>")).contains("64 attributes"));
        assert_eq!(
            read_document(b"<x>\xff</x>").unwrap_err().0,
            "the request is not UTF-8 (at byte 3)"
        );
    }
}
