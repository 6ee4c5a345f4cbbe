//! What a report says of who its device is, and the keys that this makes.
//!
//! A key never depends on letter case, spaces or how a MAC is punctuated. A placeholder is no serial, whoever lets it through.

use codec::id::{AgentId, TenantId};
use codec::time::Timestamp;

/// What a report says of who its device is. Text as the report has it.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Who reports it.
    pub agent: &'a AgentId,
    /// When the device was observed.
    pub observed_at: Timestamp,
    /// The maker.
    pub manufacturer: Option<&'a str>,
    /// The model.
    pub model: Option<&'a str>,
    /// The serial.
    pub serial: Option<&'a str>,
    /// The MAC.
    pub mac: Option<&'a str>,
    /// The address it answered from.
    pub address: Option<&'a str>,
    /// The agent's own name for it, for devices without an address. May be empty.
    pub handle: &'a str,
}

/// The longest serial that is one, in characters; RFC 3805 allows 255 bytes, no maker needs them.
const SERIAL_CHARS_MAX: usize = 64;
/// The shortest: less is a counter or a default.
const SERIAL_CHARS_MIN: usize = 4;
/// What devices say when they have no serial, as keys.
const PLACEHOLDERS: [&str; 17] = [
    "0123456789",
    "12345678",
    "123456789",
    "1234567890",
    "ABCDEFGH",
    "DEFAULT",
    "DEFAULTSTRING",
    "EMPTY",
    "NONE",
    "NOTAVAILABLE",
    "NOTSET",
    "NOTSUPPORTED",
    "NULL",
    "SERIAL",
    "SERIALNUMBER",
    "TOBEFILLEDBYO.E.M.",
    "UNKNOWN",
];
/// Between maker and serial in a key: neither can hold it.
const PART: char = '|';

/// The keys of one report's evidence.
pub(crate) struct Keys {
    /// The customer within whom they count.
    pub domain: TenantId,
    /// `maker|SERIAL`; the maker may be empty.
    pub serial: Option<String>,
    /// `001122334455`.
    pub mac: Option<String>,
    /// `agent|address` or `agent|#handle`.
    pub place: Option<String>,
}

impl Keys {
    pub(crate) fn of(domain: TenantId, evidence: &Evidence<'_>) -> Self {
        let address = evidence
            .address
            .map(str::trim)
            .filter(|address| !address.is_empty());
        let place = match (address, evidence.handle) {
            (Some(address), _) => Some(format!("{}{PART}{address}", evidence.agent)),
            (None, "") => None,
            (None, handle) => Some(format!("{}{PART}#{handle}", evidence.agent)),
        };
        Self {
            domain,
            serial: evidence
                .serial
                .and_then(|serial| serial_key(evidence.manufacturer, serial)),
            mac: evidence.mac.and_then(mac_key),
            place,
        }
    }
}

/// The key of a serial, unless it is a placeholder.
fn serial_key(manufacturer: Option<&str>, serial: &str) -> Option<String> {
    let maker = manufacturer.unwrap_or_default();
    let mut key = String::with_capacity(maker.len() + serial.len() + 1);
    key.extend(
        maker
            .chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase),
    );
    key.push(PART);
    let start = key.len();
    key.extend(
        serial
            .chars()
            .filter(|c| !c.is_whitespace() && !c.is_control() && *c != PART)
            .flat_map(char::to_uppercase),
    );
    let serial = &key[start..];
    let chars = serial.chars().count();
    let mut meaningful = serial.chars().filter(|c| c.is_alphanumeric());
    let first = meaningful.next()?;
    let is_one_character = meaningful.all(|c| c == first);
    let is_serial = (SERIAL_CHARS_MIN..=SERIAL_CHARS_MAX).contains(&chars)
        && !is_one_character
        && !PLACEHOLDERS.contains(&serial);
    is_serial.then_some(key)
}

/// The key of a MAC, unless it is none of a device's own (all zeros, a group's).
fn mac_key(mac: &str) -> Option<String> {
    let mut key = String::with_capacity(12);
    for character in mac.trim().chars() {
        match character {
            ':' | '-' | '.' => {}
            _ if character.is_ascii_hexdigit() => key.push(character.to_ascii_lowercase()),
            _ => return None,
        }
    }
    let first = u8::from_str_radix(key.get(..2)?, 16).ok()?;
    let is_group = first & 1 == 1;
    let is_zero = key.bytes().all(|digit| digit == b'0');
    (key.len() == 12 && !is_group && !is_zero).then_some(key)
}

/// Whether two keys are of one serial, one of them perhaps without a maker.
pub(crate) fn same_serial(a: &str, b: &str) -> bool {
    match (a.split_once(PART), b.split_once(PART)) {
        (Some((a_maker, a_serial)), Some((b_maker, b_serial))) => {
            a_serial == b_serial && (a_maker == b_maker || a_maker.is_empty() || b_maker.is_empty())
        }
        _ => false,
    }
}

/// Whether two makers, or two models, can be of one device: the same, or `unnamed_will_do` and one is not named.
pub(crate) fn same_model(known: Option<&str>, said: Option<&str>, unnamed_will_do: bool) -> bool {
    match (known, said) {
        (Some(known), Some(said)) => known.trim().eq_ignore_ascii_case(said.trim()),
        _ => unnamed_will_do,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_the_same_whatever_its_case_and_spaces_but_only_within_its_maker() {
        let key = serial_key(Some("Konica Minolta"), " a61f 011000427 ").unwrap();
        assert_eq!(key, "konicaminolta|A61F011000427");
        assert_eq!(
            serial_key(Some("KONICA MINOLTA"), "A61F011000427"),
            Some(key)
        );
        assert_ne!(
            serial_key(Some("Ricoh"), "E175M920123"),
            serial_key(Some("Kyocera"), "E175M920123")
        );
        assert_eq!(
            serial_key(Some("Dell"), "7XQ1R92-132-13").unwrap(),
            "dell|7XQ1R92-132-13"
        );
    }

    #[test]
    fn a_placeholder_is_no_serial() {
        for placeholder in [
            "",
            "0",
            "   ",
            "XXXXXXXX",
            "xxxx",
            "00000000",
            "0000-0000",
            "unknown",
            "Serial Number",
            "N/A",
            "???????",
            "1234567890",
            "-----",
            "abc",
        ] {
            assert_eq!(serial_key(Some("HP"), placeholder), None, "{placeholder:?}");
        }
        assert_eq!(serial_key(None, &"A1".repeat(40)), None);
    }

    #[test]
    fn a_mac_is_read_in_every_spelling_and_only_if_it_is_a_devices_own() {
        for spelling in [
            "00:17:c8:0A:0b:0c",
            "00-17-C8-0A-0B-0C",
            "0017.c80a.0b0c",
            "0017C80A0B0C",
        ] {
            assert_eq!(
                mac_key(spelling).as_deref(),
                Some("0017c80a0b0c"),
                "{spelling}"
            );
        }
        for bad in [
            "",
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
            "01:00:5e:00:00:01",
            "00:17:c8",
            "00:17:c8:0a:0b:xy",
            "é",
        ] {
            assert_eq!(mac_key(bad), None, "{bad}");
        }
    }
}
