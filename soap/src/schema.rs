//! What the WSDL describes: operations, their parameters, and the records of their answers.
//!
//! Each record is one list ([`record!`]) from which both the schema and what is written come, so that they cannot part.
//! Names are lower camel, at most 30 characters and distinct within the first 25 (SAP cuts them there). Nothing is ever
//! renamed, removed or given another meaning: the service evolves by adding optional elements and operations.

use crate::fault::Fault;
use crate::operations::Call;
use crate::out::Out;

/// The one namespace of wrappers, parameters and types.
pub(crate) const NAMESPACE: &str = "urn:platen:soap:v1";
/// The version that the namespace and the path say.
pub(crate) const API_VERSION: &str = "1";

/// What an element holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text.
    Text,
    /// A counter or another whole number of 64 bits.
    Long,
    /// A small whole number.
    Int,
    /// `true` or `false`.
    Flag,
    /// A moment, full and in UTC.
    Time,
    /// A list of records under its own element, with a count.
    List(&'static Record),
}

/// How often an element stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Always once.
    Always,
    /// Once or, when there is nothing to say, not at all.
    Optional,
}

/// An element of a record, a request or an answer.
#[derive(Debug)]
pub(crate) struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub need: Need,
    pub doc: &'static str,
}

/// A record of a list.
#[derive(Debug)]
pub(crate) struct Record {
    /// Its element's name; the type's is the same with a capital.
    pub name: &'static str,
    pub doc: &'static str,
    pub columns: &'static [Column],
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Record {}

/// An operation.
pub(crate) struct Operation {
    pub name: &'static str,
    pub doc: &'static str,
    pub parameters: &'static [Column],
    pub response: &'static [Column],
    /// Writes what stands in the response's element.
    pub answer: fn(&Call<'_>, &mut Out) -> Result<(), Fault>,
}

/// Makes a column.
macro_rules! column {
    ($name:literal, $kind:expr, $need:ident, $doc:expr) => {
        $crate::schema::Column {
            name: $name,
            kind: $kind,
            need: $crate::schema::Need::$need,
            doc: $doc,
        }
    };
}

/// Makes a record of one list: each line is an element's name, kind, need, meaning, and the value it has in a row.
macro_rules! record {
    (
        $(#[$meta:meta])*
        $record:ident, $write:ident($row:ident: &$type:ty), $element:literal, $doc:literal;
        $( $name:literal $kind:ident $need:ident $column_doc:literal = $value:expr; )+
    ) => {
        $(#[$meta])*
        pub(crate) const $record: $crate::schema::Record = $crate::schema::Record {
            name: $element,
            doc: $doc,
            columns: &[$(
                $crate::schema::column!($name, $crate::schema::Kind::$kind, $need, $column_doc),
            )+],
        };

        /// Writes one row of it.
        fn $write($row: &$type, out: &mut $crate::out::Out) {
            out.element($element, |out| {
                $( out.field($name, $value); )+
            });
        }
    };
}

pub(crate) use {column, record};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::operations::OPERATIONS;

    /// Every list of names that must be told apart, with what it belongs to.
    fn scopes() -> Vec<(String, Vec<&'static str>)> {
        let mut scopes = Vec::new();
        for operation in OPERATIONS {
            for columns in [operation.parameters, operation.response] {
                scopes.push((
                    operation.name.to_owned(),
                    columns.iter().map(|c| c.name).collect(),
                ));
                for column in columns {
                    if let Kind::List(record) = column.kind {
                        scopes.push((
                            record.name.to_owned(),
                            record.columns.iter().map(|c| c.name).collect(),
                        ));
                    }
                }
            }
        }
        scopes
    }

    #[test]
    fn names_are_lower_camel_short_and_told_apart_early() {
        for (owner, names) in scopes() {
            let early: BTreeSet<&str> = names
                .iter()
                .map(|name| &name[..name.len().min(25)])
                .collect();
            assert_eq!(
                early.len(),
                names.len(),
                "{owner} has names that are the same within 25 characters"
            );
            for name in names {
                assert!(name.len() <= 30, "{owner}.{name} is too long");
                assert!(
                    name.starts_with(|c: char| c.is_ascii_lowercase()),
                    "{owner}.{name}"
                );
                assert!(
                    name.chars().all(|c| c.is_ascii_alphanumeric()),
                    "{owner}.{name}"
                );
            }
        }
    }

    #[test]
    fn everything_that_the_wsdl_shows_is_explained() {
        for operation in OPERATIONS {
            assert!(!operation.doc.is_empty(), "{}", operation.name);
            for column in operation.parameters.iter().chain(operation.response) {
                assert!(!column.doc.is_empty(), "{}.{}", operation.name, column.name);
            }
        }
    }
}
