//! Lists of devices that people export from a spreadsheet, an inventory or `platen-agent discover`: CSV, or JSON.
//!
//! ```text
//! # what remains of the old building               lines with # are comments
//! Hostname;IP address;Port;Community;Excluded      columns are found by their names, in any order; others are passed over
//! lobby;10.1.0.17;;;
//! plotter;10.1.0.18;1161;secret;
//! ;10.1.3.0/24;;;yes
//! ```
//!
//! Without a line of names the first column is the address. Separators are `,`, `;` and tab; a byte order mark, quotes, UTF-16 and
//! Latin-1 are understood. What always holds: a file that is not understood in full is not taken at all, and the error names the line.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use poller::discovery::{RANGE_FORM, RangeEntry};

use crate::config::secret::Secret;

/// The longest list: 100,000 lines of 160 bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// The most entries of a list: more is no list of printers.
const ROWS_MAX: usize = 100_000;
/// So much of a cell is shown in an error.
const SHOWN_CHARS_MAX: usize = 60;

/// A line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number, from 1; of JSON, the number of the entry.
    pub line: u64,
    /// What it is about.
    pub entry: RangeEntry,
    /// How it is asked, if not as all the others.
    pub access: Option<RowAccess>,
    /// It is never to be asked.
    pub is_excluded: bool,
}

/// How the devices of a line are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowAccess {
    /// With the credentials of this name.
    Named(String),
    /// With this community.
    Community(Secret),
}

/// Why a list was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// What stands in it cannot be taken.
    #[error("{}{}: {problem}", path.display(), place(*line))]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1; 0 for the whole file.
        line: u64,
        /// What is wrong.
        problem: String,
    },
}

impl ListError {
    pub(super) fn line(path: &Path, line: u64, problem: String) -> Self {
        Self::Line {
            path: path.to_owned(),
            line,
            problem,
        }
    }
}

fn place(line: u64) -> String {
    match line {
        0 => String::new(),
        line => format!(" line {line}"),
    }
}

/// Reads a list.
///
/// # Errors
/// The file, and the line that cannot be taken.
pub fn read(path: &Path) -> Result<Vec<Row>, ListError> {
    let failed = |source| ListError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    parse(&bytes).map_err(|Refused(line, problem)| ListError::line(path, line, problem))
}

/// A line and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
struct Refused(u64, String);

fn parse(bytes: &[u8]) -> Result<Vec<Row>, Refused> {
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let problem = format!("longer than {FILE_BYTES_MAX} bytes");
        return Err(Refused(0, problem));
    }
    let text = decoded(bytes);
    // An IPv6 address in brackets begins with another character.
    let is_json = text
        .trim_start()
        .strip_prefix('[')
        .is_some_and(|rest| rest.trim_start().starts_with(['{', ']']));
    if is_json {
        return parse_json(&text);
    }
    // Spreadsheets tell each other the separator so.
    let first = text.lines().next().unwrap_or_default();
    let told = first.strip_prefix("sep=").map(str::as_bytes);
    let (text, separator) = match told {
        Some(&[separator]) => (&text[first.len()..], separator),
        _ => (&text[..], separator_of(&text)),
    };
    let mut lines = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .delimiter(separator)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut columns = None;
    let mut rows = Vec::new();
    let mut places = Places {
        text,
        at: 0,
        line: 1,
    };
    for record in lines.records() {
        let record = record.map_err(|error| {
            let line = places.line_of(error.position());
            Refused(line, error.to_string())
        })?;
        let line = places.line_of(record.position());
        let cells: Vec<&str> = record.iter().collect();
        let columns = match &columns {
            Some(columns) => columns,
            None => {
                let (found, is_heading) = Columns::of(&cells, line)?;
                let found = &*columns.insert(found);
                if is_heading {
                    continue;
                }
                found
            }
        };
        rows.extend(columns.row(&cells, line)?);
        if rows.len() > ROWS_MAX {
            return Err(Refused(line, format!("more than {ROWS_MAX} entries")));
        }
    }
    Ok(rows)
}

/// Where in the text the reader is. (It says where a record begins, before the blank lines and comments in front of it.)
struct Places<'t> {
    text: &'t str,
    at: usize,
    line: u64,
}

impl Places<'_> {
    /// The number of the line on which the record at this position, which does not go back, stands.
    fn line_of(&mut self, position: Option<&csv::Position>) -> u64 {
        let byte = position.map(csv::Position::byte);
        let byte = byte.and_then(|byte| usize::try_from(byte).ok());
        self.go_to(byte.unwrap_or(self.at).min(self.text.len()));
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            match rest {
                [b'\r' | b'\n', ..] => self.go_to(self.at + 1),
                [b'#', ..] => {
                    let end = rest.iter().position(|byte| *byte == b'\n');
                    self.go_to(self.at + end.unwrap_or(rest.len()));
                }
                _ => return self.line,
            }
        }
    }

    fn go_to(&mut self, byte: usize) {
        let passed = self.text.as_bytes().get(self.at..byte).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = self.at.max(byte);
    }
}

/// What `platen-agent discover --format json` prints: a list of objects with the names that columns have.
fn parse_json(text: &str) -> Result<Vec<Row>, Refused> {
    let list: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(text)
        .map_err(|error| {
            Refused(
                error.line() as u64,
                format!("not a list of objects: {error}"),
            )
        })?;
    if list.len() > ROWS_MAX {
        return Err(Refused(0, format!("more than {ROWS_MAX} entries")));
    }
    let mut rows = Vec::new();
    for (line, object) in (1..).zip(&list) {
        let names: Vec<&str> = object.keys().map(String::as_str).collect();
        let cells: Vec<String> = object
            .values()
            .map(|value| match value {
                serde_json::Value::String(text) => text.trim().to_owned(),
                serde_json::Value::Null => String::new(),
                other => other.to_string(),
            })
            .collect();
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        match Columns::of(&names, line)? {
            (columns, true) => rows.extend(columns.row(&cells, line)?),
            (_, false) => return Err(Refused(line, "this entry has no address".to_owned())),
        }
    }
    Ok(rows)
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// The address; of several columns, that with the lower number where it is filled in.
    Address(u8),
    Port,
    Community,
    Credential,
    Excluded,
}

/// Which column holds what.
#[derive(Debug, Default)]
struct Columns {
    /// The best first.
    addresses: Vec<usize>,
    port: Option<usize>,
    community: Option<usize>,
    credential: Option<usize>,
    excluded: Option<usize>,
}

impl Columns {
    /// Of the first line: what its cells say, if they are names of columns.
    fn of(names: &[&str], line: u64) -> Result<(Self, bool), Refused> {
        let mut columns = Self::default();
        let mut addresses = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let place = match holds(name) {
                None => continue,
                Some(Holds::Address(order)) => {
                    addresses.push((order, at));
                    continue;
                }
                Some(Holds::Port) => &mut columns.port,
                Some(Holds::Community) => &mut columns.community,
                Some(Holds::Credential) => &mut columns.credential,
                Some(Holds::Excluded) => &mut columns.excluded,
            };
            if place.replace(at).is_some() {
                let problem = format!("two columns mean the same as {name:?}");
                return Err(Refused(line, problem));
            }
        }
        addresses.sort_unstable();
        columns.addresses = addresses.into_iter().map(|(_, at)| at).collect();
        let has_others = [
            columns.port,
            columns.community,
            columns.credential,
            columns.excluded,
        ]
        .iter()
        .any(Option::is_some);
        if columns.addresses.is_empty() && has_others {
            let problem = "no column is called \"address\", \"ip\" or \"host\"".to_owned();
            return Err(Refused(line, problem));
        }
        if columns.addresses.is_empty() {
            let first = Self {
                addresses: vec![0],
                ..Self::default()
            };
            return Ok((first, false));
        }
        Ok((columns, true))
    }

    /// What a line says; nothing, if it has no address.
    fn row(&self, cells: &[&str], line: u64) -> Result<Option<Row>, Refused> {
        let cell = |at: Option<usize>| {
            let cell = cells.get(at?).copied()?;
            (!cell.is_empty()).then_some(cell)
        };
        let mut addresses = self.addresses.iter();
        let Some(address) = addresses.find_map(|at| cell(Some(*at))) else {
            return Ok(None);
        };
        let is_excluded = match cell(self.excluded).map(str::to_lowercase).as_deref() {
            None | Some("no" | "n" | "false" | "0" | "nein" | "-") => false,
            Some("yes" | "y" | "true" | "1" | "x" | "ja" | "j") => true,
            Some(other) => {
                let problem = format!("excluded is \"yes\" or \"no\", not {}", quoted(other));
                return Err(Refused(line, problem));
            }
        };
        let parse = if is_excluded {
            RangeEntry::parse_excluded
        } else {
            RangeEntry::parse
        };
        let mut entry = parse(address).map_err(|error| {
            let problem = format!("{error}: {}; accepted: {RANGE_FORM}", quoted(address));
            Refused(line, problem)
        })?;
        if let Some(text) = cell(self.port) {
            let port = text.parse().ok().filter(|port: &u16| *port > 0);
            let port = port.ok_or_else(|| {
                let problem = format!("a port is a number from 1 to 65535, not {}", quoted(text));
                Refused(line, problem)
            })?;
            if entry.port.replace(port).is_some_and(|other| other != port) {
                let problem = "the address has one port and the port's column another";
                return Err(Refused(line, problem.to_owned()));
            }
        }
        let access = match (cell(self.credential), cell(self.community)) {
            (None, None) => None,
            (Some(name), None) => Some(RowAccess::Named(name.to_owned())),
            (None, Some(community)) => {
                Some(RowAccess::Community(Secret::new(community.to_owned())))
            }
            (Some(_), Some(_)) => {
                let problem = "both credentials and a community; one of the two is enough";
                return Err(Refused(line, problem.to_owned()));
            }
        };
        Ok(Some(Row {
            line,
            entry,
            access,
            is_excluded,
        }))
    }
}

/// What a column of this name holds, whatever its case, blanks and hyphens.
fn holds(name: &str) -> Option<Holds> {
    let name: String = name
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    Some(match name.as_str() {
        "ip" | "ips" | "ipaddress" | "ipaddresses" | "ipaddr" | "ipv4" | "ipv4address" | "ipv6"
        | "ipv6address" | "ipadresse" | "ipadressen" => Holds::Address(0),
        "address" | "addresses" | "addr" | "networkaddress" | "adresse" => Holds::Address(1),
        "range" | "ranges" | "network" | "networks" | "subnet" | "bereich" | "netz" => {
            Holds::Address(2)
        }
        "host" | "hosts" | "hostname" | "fqdn" | "dns" | "dnsname" => Holds::Address(3),
        "device" | "devices" | "printer" | "printers" | "name" | "drucker" | "gerät" => {
            Holds::Address(4)
        }
        "port" | "snmpport" | "udpport" => Holds::Port,
        "community" | "snmpcommunity" | "readcommunity" | "snmpreadcommunity" => Holds::Community,
        "credential" | "credentials" | "snmpcredential" | "snmpcredentials" => Holds::Credential,
        "excluded" | "exclude" | "ignore" | "ignored" | "skip" | "ausgeschlossen" => {
            Holds::Excluded
        }
        _ => return None,
    })
}

/// The separator of the first line that is no comment: what it has most of.
fn separator_of(text: &str) -> u8 {
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .unwrap_or_default();
    let count = |separator: u8| {
        let mut is_quoted = false;
        let outside = first.bytes().filter(|byte| {
            is_quoted ^= *byte == b'"';
            !is_quoted && *byte == separator
        });
        outside.count()
    };
    // Of equals the last is taken: the comma.
    *b"\t;,"
        .iter()
        .max_by_key(|separator| count(**separator))
        .expect("there are three")
}

/// UTF-8, UTF-16 with a byte order mark, else Latin-1: what matters is ASCII in all of them.
fn decoded(bytes: &[u8]) -> String {
    let wide = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = rest.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
        char::decode_utf16(units)
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect()
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
            }
        }
    }
}

fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    format!("{shown:?}")
}

#[cfg(test)]
mod tests;
