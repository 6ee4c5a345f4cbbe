//! What is checked of the whole document: its size, its encoding, and that every character may be there.

use super::error::{ReadError, Reason};
use super::escape::is_allowed;
use crate::limits::INFLATED_BYTES_MAX;

fn refused(offset: usize, reason: Reason) -> ReadError {
    ReadError {
        offset,
        path: String::new(),
        reason,
    }
}

/// The document as text, and where it begins (after a byte order mark). Its characters are not looked at: [`check_characters`].
pub(super) fn check(xml: &[u8]) -> Result<(&str, usize), ReadError> {
    if xml.len() > INFLATED_BYTES_MAX {
        let what = "bytes of XML";
        let limit = INFLATED_BYTES_MAX;
        return Err(refused(0, Reason::Limit { what, limit }));
    }
    if let Some(name) = foreign_encoding(xml) {
        return Err(refused(
            0,
            Reason::Encoding(format!("it looks like {name}")),
        ));
    }
    let text = std::str::from_utf8(xml).map_err(|error| {
        let reason = match error.error_len() {
            Some(_) => Reason::Encoding("an invalid sequence of bytes".to_owned()),
            None => Reason::Truncated,
        };
        refused(error.valid_up_to(), reason)
    })?;
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    Ok((text, start))
}

/// Refuses the first character that XML does not allow.
pub(super) fn check_characters(text: &str) -> Result<(), ReadError> {
    if !has_suspect(text.as_bytes()) {
        return Ok(());
    }
    let mut characters = text.char_indices();
    match characters.find(|(_, character)| !is_allowed(*character)) {
        Some((offset, character)) => Err(refused(offset, Reason::Character(u32::from(character)))),
        None => Ok(()),
    }
}

fn foreign_encoding(xml: &[u8]) -> Option<&'static str> {
    match xml {
        [0, 0, 0xfe, 0xff, ..]
        | [0xff, 0xfe, 0, 0, ..]
        | [0, 0, 0, b'<', ..]
        | [b'<', 0, 0, 0, ..] => Some("UTF-32"),
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, b'<', ..] | [b'<', 0, ..] => Some("UTF-16"),
        [0x4c, 0x6f, 0xa7, 0x94, ..] => Some("EBCDIC"),
        _ => None,
    }
}

/// Whether there may be a character that XML does not allow. Written so that the compiler makes it wide: whole chunks, no early way out within one.
fn has_suspect(xml: &[u8]) -> bool {
    const CHUNK_BYTES: usize = 4096;
    let control = |byte: u8| (byte < 0x20) & (byte != b'\t') & (byte != b'\n') & (byte != b'\r');
    let suspect = |chunk: &[u8]| chunk.iter().fold(false, |any, byte| any | control(*byte));
    xml.chunks(CHUNK_BYTES).any(suspect) || memchr::memmem::find(xml, b"\xef\xbf").is_some()
}
