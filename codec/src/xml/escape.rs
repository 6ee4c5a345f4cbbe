//! Escapes in attribute values, both ways, side by side.
//!
//! Written: `&amp; &lt; &gt; &quot;`, and `&#9; &#10; &#13;`, which would otherwise be read as spaces. What XML 1.0 cannot say at all is
//! written as U+FFFD. Read: the five entities, character references in decimal and hexadecimal, and the normalisation of white space that
//! XML 1.0 (section 3.3.3) asks for.

use super::error::{Reason, quote};

/// What a character that XML 1.0 does not allow is written as.
const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();

/// Whether XML 1.0 (production 2, Char) allows `character`.
pub(super) const fn is_allowed(character: char) -> bool {
    !matches!(character, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

/// What XML 1.0 can say of `text`: characters that it does not allow become U+FFFD, as the writer does it.
#[must_use]
pub fn sayable(text: &str) -> String {
    text.chars()
        .map(|character| {
            if is_allowed(character) {
                character
            } else {
                char::REPLACEMENT_CHARACTER
            }
        })
        .collect()
}

/// Bytes that may not stand in a written attribute value as they are. 0xEF begins U+FFFE and U+FFFF (and much else).
const SUSPECT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'&' as usize] = true;
    table[b'<' as usize] = true;
    table[b'>' as usize] = true;
    table[0xef] = true;
    table
};

/// Appends `text`, escaped for an attribute value in double quotes.
pub(super) fn escape_into(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut plain_from = 0;
    let mut at = 0;
    while let Some(found) = bytes[at..]
        .iter()
        .position(|byte| SUSPECT[usize::from(*byte)])
    {
        at += found;
        let (escaped, length): (&[u8], usize) = match &bytes[at..] {
            [b'"', ..] => (b"&quot;", 1),
            [b'&', ..] => (b"&amp;", 1),
            [b'<', ..] => (b"&lt;", 1),
            [b'>', ..] => (b"&gt;", 1),
            [b'\t', ..] => (b"&#9;", 1),
            [b'\n', ..] => (b"&#10;", 1),
            [b'\r', ..] => (b"&#13;", 1),
            [0xef, 0xbf, 0xbe | 0xbf, ..] => (REPLACEMENT, 3),
            [0xef, ..] => {
                at += 3;
                continue;
            }
            _ => (REPLACEMENT, 1),
        };
        out.extend_from_slice(&bytes[plain_from..at]);
        out.extend_from_slice(escaped);
        at += length;
        plain_from = at;
    }
    out.extend_from_slice(&bytes[plain_from..]);
}

/// A fault in an attribute value: how many bytes from its beginning, and what.
pub(super) type ValueFault = (usize, Reason);

/// Appends what the attribute value `raw` means to `out`.
pub(super) fn unescape_into(raw: &str, out: &mut String) -> Result<(), ValueFault> {
    let bytes = raw.as_bytes();
    let special = |byte: &u8| matches!(byte, b'&' | b'<' | b'\t' | b'\n' | b'\r');
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(special) {
        out.push_str(&raw[at..at + found]);
        at += found;
        match bytes[at] {
            b'&' => {
                let (character, length) = reference(&raw[at..]).map_err(|reason| (at, reason))?;
                out.push(character);
                at += length;
            }
            b'<' => {
                return Err((at, Reason::Syntax("< in an attribute value".to_owned())));
            }
            // The two characters of a line end are one line feed (section 2.11), and that is one space.
            b'\r' if bytes.get(at + 1) == Some(&b'\n') => {
                out.push(' ');
                at += 2;
            }
            _ => {
                out.push(' ');
                at += 1;
            }
        }
    }
    out.push_str(&raw[at..]);
    Ok(())
}

/// The character that the reference at the beginning of `text` stands for, and the length of the reference.
fn reference(text: &str) -> Result<(char, usize), Reason> {
    let refused = || {
        let name = text[1..].split(';').next().unwrap_or_default();
        Reason::Entity(quote(name))
    };
    // `&#x10FFFF;` is the longest that is needed; a few leading zeros are let through.
    const REFERENCE_BYTES_MAX: usize = 16;
    let end = text
        .bytes()
        .take(REFERENCE_BYTES_MAX)
        .position(|byte| byte == b';')
        .ok_or_else(refused)?;
    let character = match &text[1..end] {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        name => {
            let number = match name.as_bytes() {
                [b'#', b'x', digits @ ..] if digits.iter().all(u8::is_ascii_hexdigit) => {
                    u32::from_str_radix(&name[2..], 16)
                }
                [b'#', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => name[1..].parse(),
                _ => return Err(refused()),
            }
            .map_err(|_| refused())?;
            char::from_u32(number)
                .filter(|character| is_allowed(*character))
                .ok_or(Reason::Character(number))?
        }
    };
    Ok((character, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = Vec::new();
        escape_into(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn unescaped(raw: &str) -> Result<String, ValueFault> {
        let mut out = String::new();
        unescape_into(raw, &mut out).map(|()| out)
    }

    #[test]
    fn what_is_escaped_reads_back() {
        for text in [
            "",
            "plain",
            "a<b>&\"c'",
            "tab\tlf\ncr\r",
            "Größe ﬁ \u{fffd} 😀",
            "\u{ef}\u{ff00}",
        ] {
            assert_eq!(unescaped(&escaped(text)).unwrap(), text);
        }
    }

    #[test]
    fn what_xml_cannot_say_becomes_the_replacement_character() {
        assert_eq!(
            escaped("a\0b\x1bc\u{fffe}d\u{ffff}"),
            "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}"
        );
        assert_eq!(sayable("a\0\u{ffff}"), "a\u{fffd}\u{fffd}");
    }

    #[test]
    fn white_space_is_normalised_and_references_are_not() {
        assert_eq!(
            unescaped("a\tb\nc\r\nd\re&#10;&#x9;&apos;").unwrap(),
            "a b c d e\n\t'"
        );
    }

    #[test]
    fn foreign_and_forbidden_references_are_refused() {
        assert_eq!(
            unescaped("ab&xxe;"),
            Err((2, Reason::Entity("xxe".to_owned())))
        );
        assert_eq!(unescaped("&#0;"), Err((0, Reason::Character(0))));
        assert_eq!(unescaped("&#xD800;"), Err((0, Reason::Character(0xd800))));
        for bad in [
            "&",
            "&;",
            "&#;",
            "&#x;",
            "&#+1;",
            "&#99999999999;",
            "&amp",
            "&AMP;",
        ] {
            assert!(
                matches!(unescaped(bad), Err((0, Reason::Entity(_)))),
                "{bad}: {:?}",
                unescaped(bad)
            );
        }
    }
}
