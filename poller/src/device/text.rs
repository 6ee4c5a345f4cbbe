//! Strings of devices: charsets, NULs, control characters, PML prefixes, and the values that stand for "no value".

/// Octets as text: trimmed, control characters gone. `charset` is an IANA MIBenum (RFC 3808) as `prtLocalizationCharacterSet` gives it;
/// what is valid UTF-8 is read as that whatever is claimed, since no real text in another charset happens to be.
#[must_use]
pub fn decode(octets: &[u8], charset: Option<u32>) -> String {
    // HP's PML strings begin with their type (01) and symbol set (15: Roman-8); Brother copies them.
    let (octets, charset) = match octets {
        [0x01, 0x15, rest @ ..] => (rest, Some(ROMAN8)),
        _ => (octets, charset),
    };
    let end = octets
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    let octets = &octets[..end];
    // Nearly all there is: nothing to translate, nothing to clean.
    if octets.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && let Ok(text) = std::str::from_utf8(octets)
    {
        return text.trim().to_owned();
    }
    let text = std::str::from_utf8(octets).map_or_else(
        |_| {
            octets
                .iter()
                .map(|byte| single(*byte, charset))
                .collect::<String>()
        },
        str::to_owned,
    );
    let cleaned = text
        .chars()
        .map(|c| {
            if c.is_control() || c == '\u{fffd}' {
                ' '
            } else {
                c
            }
        })
        .collect::<String>();
    cleaned.trim().to_owned()
}

const LATIN2: u32 = 5;
const CYRILLIC: u32 = 8;
const LATIN5: u32 = 12;
const ROMAN8: u32 = 2004;

const LATIN2_UPPER: &str = "\u{a0}Ą˘Ł¤ĽŚ§¨ŠŞŤŹ\u{ad}ŽŻ°ą˛ł´ľśˇ¸šşťź˝žżŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙";
const ROMAN8_UPPER: &str = "\u{a0}ÀÂÈÊËÎÏ´ˋˆ¨˜ÙÛ₤¯Ýý°ÇçÑñ¡¿¤£¥§ƒ¢âêôûáéóúàèòùäëöüÅîØÆåíøæÄìÖÜÉïßÔÁÃãÐðÍÌÓÒÕõŠšÚŸÿÞþ·µ¶¾—¼½ªº«■»±\u{a0}";

/// A byte of a single-byte charset; Latin-1 where the charset is not known.
fn single(byte: u8, charset: Option<u32>) -> char {
    if byte < 0xa0 {
        return char::from(byte);
    }
    let upper = |table: &str| table.chars().nth(usize::from(byte - 0xa0)).unwrap_or(' ');
    match (charset, byte) {
        (Some(LATIN2), _) => upper(LATIN2_UPPER),
        (Some(ROMAN8), _) => upper(ROMAN8_UPPER),
        (Some(LATIN5), 0xd0) => 'Ğ',
        (Some(LATIN5), 0xdd) => 'İ',
        (Some(LATIN5), 0xde) => 'Ş',
        (Some(LATIN5), 0xf0) => 'ğ',
        (Some(LATIN5), 0xfd) => 'ı',
        (Some(LATIN5), 0xfe) => 'ş',
        (Some(CYRILLIC), 0xa0 | 0xad) => ' ',
        (Some(CYRILLIC), 0xf0) => '№',
        (Some(CYRILLIC), 0xfd) => '§',
        // ISO 8859-5 is the block U+0401 to U+045F but for those four.
        (Some(CYRILLIC), _) => char::from_u32(0x0400 + u32::from(byte) - 0xa0).unwrap_or(' '),
        _ => char::from(byte),
    }
}

/// The text without what stands for nothing: empty, blanks, `<private>`.
#[must_use]
pub fn meaningful(text: String) -> Option<String> {
    let nothing = [
        "",
        "-",
        "--",
        "n/a",
        "none",
        "null",
        "unknown",
        "(null)",
        "undefined",
    ];
    let says_nothing = nothing.iter().any(|word| text.eq_ignore_ascii_case(word));
    (!says_nothing).then_some(text)
}

/// Whether a serial number identifies anything: placeholders do not.
#[must_use]
pub fn is_serial(text: &str) -> bool {
    let core = text
        .chars()
        .filter(|c| c.is_alphanumeric())
        .collect::<String>()
        .to_lowercase();
    let first = core.chars().next();
    let one_character = core.chars().all(|c| Some(c) == first);
    let words = [
        "serialnumber",
        "serialno",
        "unknown",
        "none",
        "null",
        "na",
        "notavailable",
        "notset",
        "default",
        "tobefilledbyoem",
        "0123456789",
        "123456789",
        "1234567890",
        "systemserialnumber",
    ];
    core.chars().count() >= 3 && !one_character && !words.contains(&core.as_str())
}

/// An IEEE 1284 device id, taken apart into keys (upper case) and values.
#[must_use]
pub fn device_id(text: &str) -> Vec<(String, &str)> {
    let pairs = text.split(';').filter_map(|pair| pair.split_once(':'));
    pairs
        .map(|(key, value)| (key.trim().to_uppercase(), value.trim()))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// The value of the first of `keys` in an IEEE 1284 device id.
#[must_use]
pub fn device_id_value<'a>(text: &'a str, keys: &[&str]) -> Option<&'a str> {
    let pairs = device_id(text);
    keys.iter().find_map(|key| {
        pairs
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| *value)
    })
}

/// Six octets as a MAC address, if they are one of a network card: not zero, not a group address.
#[must_use]
pub fn mac(octets: &[u8]) -> Option<String> {
    let [first, ..] = octets else { return None };
    if octets.len() != 6 || first & 1 == 1 || octets.iter().all(|byte| *byte == 0) {
        return None;
    }
    Some(
        octets
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .join(":"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_read_in_their_charset() {
        assert_eq!(decode(b"Ma\xb3o toneru ", Some(LATIN2)), "Mało toneru");
        assert_eq!(decode("黑色碳粉".as_bytes(), Some(LATIN2)), "黑色碳粉");
        assert_eq!(decode(b"\x01\x15HP LaserJet\0", None), "HP LaserJet");
        assert_eq!(decode(b"\x01\x15Bo\xebte", None), "BoŠte");
        assert_eq!(decode(b"No\xebl", None), "Noël");
        assert_eq!(decode(b"\xb3\xde", Some(LATIN5)), "³Ş");
        assert_eq!(decode(b"\xd1\xf2", Some(CYRILLIC)), "бђ");
        assert_eq!(decode(b"CF300A\0\0", None), "CF300A");
        assert_eq!(decode(b"a\x07b\r\n", None), "a b");
        for table in [LATIN2_UPPER, ROMAN8_UPPER] {
            assert_eq!(table.chars().count(), 96);
        }
    }

    #[test]
    fn placeholders_are_no_serial() {
        for text in [
            "",
            "0",
            "XXXXXXXX",
            "00000000",
            "  ",
            "--",
            "N/A",
            "serial_number",
            "1234567890",
        ] {
            assert!(!is_serial(text), "{text}");
        }
        for text in ["AB1", "7XQ-132-13", "000A5J1"] {
            assert!(is_serial(text), "{text}");
        }
    }

    #[test]
    fn a_mac_is_that_of_a_card() {
        assert_eq!(
            mac(&[0x00, 0x17, 0xc8, 1, 2, 0xAB]).as_deref(),
            Some("00:17:c8:01:02:ab")
        );
        for octets in [
            &[0_u8; 6][..],
            &[1, 0, 0x5e, 0, 0, 1],
            &[],
            &[0, 1, 2],
            &[0xff; 6],
        ] {
            assert_eq!(mac(octets), None);
        }
    }

    #[test]
    fn a_device_id_is_taken_apart() {
        let id = "MFG:Brother;CMD:PJL,PCL;MDL:HL-1;CLS:PRINTER;SN:A1;";
        assert_eq!(
            device_id_value(id, &["MANUFACTURER", "MFG"]),
            Some("Brother")
        );
        assert_eq!(device_id_value(id, &["SERN", "SN"]), Some("A1"));
        assert_eq!(device_id_value("", &["MFG"]), None);
    }
}
