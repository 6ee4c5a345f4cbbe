//! Why a report was refused, and where.

use std::fmt;

use crate::limits::QUOTED_BYTES_MAX;

/// A report that was refused: the place and the reason.
///
/// Displayed as `byte 4711, report/device[3]/supplies/supply[2]/@level: not a level: "12 %"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// Offset in bytes, from the beginning of the XML, of what is wrong.
    pub offset: usize,
    /// Where in the document: elements with their number from 1, and the attribute after `@`.
    pub path: String,
    /// What is wrong.
    pub reason: Reason,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            offset,
            path,
            reason,
        } = self;
        if path.is_empty() {
            write!(f, "byte {offset}: {reason}")
        } else {
            write!(f, "byte {offset}, {path}: {reason}")
        }
    }
}

impl std::error::Error for ReadError {}

/// What is wrong with a report. Quoted input is cut to [`crate::limits::QUOTED_BYTES_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Another encoding than UTF-8, by its byte order mark, its declaration or its bytes.
    #[error("not UTF-8: {0}")]
    Encoding(String),
    /// A character that XML 1.0 does not allow.
    #[error("the character U+{0:04X} is not allowed in XML")]
    Character(u32),
    /// A document type declaration: refused, since entities could be defined in it.
    #[error("a document type declaration (DTD) is not allowed")]
    Doctype,
    /// A processing instruction, CDATA section, or text between elements.
    #[error("{0} is not allowed here")]
    NotAllowed(&'static str),
    /// An entity other than `&amp; &lt; &gt; &quot; &apos;` and character references.
    #[error(
        "the entity {0:?} is not known: only amp, lt, gt, quot, apos and character references are"
    )]
    Entity(String),
    /// Not well-formed.
    #[error("not well-formed XML: {0}")]
    Syntax(String),
    /// The document ends too early.
    #[error("the document is cut off")]
    Truncated,
    /// A newer schema than this program knows.
    #[error(
        "schema version {found} is newer than this program's ({known}): update the manager first, then the agents"
    )]
    Newer {
        /// What the report says.
        found: u32,
        /// What this program reads.
        known: u32,
    },
    /// An element that the schema does not have, or not in this place.
    #[error("the element {found:?} has no place here; expected {expected}")]
    Element {
        /// What was found.
        found: String,
        /// What could have been.
        expected: &'static str,
    },
    /// An attribute that the schema does not have here.
    #[error("the attribute {0:?} is not known in schema version 1")]
    Attribute(String),
    /// An attribute that is there twice.
    #[error("the attribute is there twice")]
    Duplicate,
    /// An attribute that must be there.
    #[error("the attribute is missing")]
    Missing,
    /// A value that is not what the schema says.
    #[error("not {expected}: {found:?}")]
    Value {
        /// What would have been accepted.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// Longer or more than [`crate::limits`] allows.
    #[error("more than {limit} {what}")]
    Limit {
        /// What is too much.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
}

/// Foreign text as an error quotes it: cut, and without control characters.
pub(super) fn quote(text: &str) -> String {
    let cut = text.floor_char_boundary(QUOTED_BYTES_MAX);
    let mut quoted: String = text[..cut]
        .chars()
        .map(|character| {
            if character.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                character
            }
        })
        .collect();
    if cut < text.len() {
        quoted.push('…');
    }
    quoted
}
