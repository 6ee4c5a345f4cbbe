//! How texts are searched and sorted: without regard to capitals, umlauts beside their letters, numbers by value.

use codec::model::Identity;

/// The digits that a number in a sorted text is padded to: more than any device counts its name with.
const NUMBER_DIGITS: usize = 10;
/// The longest sort text, in bytes: what a page shows of a name, and more.
const SORT_BYTES_MAX: usize = 160;

/// A text as it is sorted.
pub(super) fn sort_text(text: &str) -> String {
    let mut sorted = String::with_capacity(text.len() + NUMBER_DIGITS);
    let mut digits = String::new();
    for c in text.trim().chars().flat_map(char::to_lowercase) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        put_number(&mut sorted, &mut digits);
        put_letter(&mut sorted, c);
        if sorted.len() >= SORT_BYTES_MAX {
            break;
        }
    }
    put_number(&mut sorted, &mut digits);
    sorted
}

fn put_number(sorted: &mut String, digits: &mut String) {
    if digits.is_empty() {
        return;
    }
    let value = digits.trim_start_matches('0');
    for _ in value.len()..NUMBER_DIGITS {
        sorted.push('0');
    }
    sorted.push_str(value);
    digits.clear();
}

/// The letter that a letter with a mark is sorted beside.
fn put_letter(sorted: &mut String, c: char) {
    let plain = match c {
        'ä' | 'à' | 'á' | 'â' | 'ã' | 'å' | 'ą' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'č' => "c",
        'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' => "e",
        'ì' | 'í' | 'î' | 'ï' | '\u{307}' => "i",
        'ñ' | 'ń' | 'ň' => "n",
        'ö' | 'ò' | 'ó' | 'ô' | 'õ' | 'ø' | 'ő' => "o",
        'œ' => "oe",
        'ř' => "r",
        'ś' | 'š' | 'ş' => "s",
        'ß' => "ss",
        'ü' | 'ù' | 'ú' | 'û' | 'ů' | 'ű' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        'ł' => "l",
        other => return sorted.push(other),
    };
    sorted.push_str(plain);
}

/// What a device is called, as [`crate::ask::FleetSort::Name`] has it.
pub(super) fn name(identity: &Identity) -> Option<&str> {
    [
        &identity.hostname,
        &identity.dns_name,
        &identity.location,
        &identity.address,
        &identity.serial,
    ]
    .into_iter()
    .find_map(|text| text.as_deref().filter(|text| !text.trim().is_empty()))
}

/// All that a search looks at, in small letters, one text a line.
pub(super) fn search_text(identity: &Identity, device: &str) -> String {
    let mut search = device.to_owned();
    let bare_mac = identity.mac.as_ref().map(|mac| mac.replace(':', ""));
    let model = identity.model.as_deref().unwrap_or_default();
    let maker = identity.manufacturer.as_deref().unwrap_or_default();
    let maker_model = Some(format!("{maker} {model}"));
    for text in [
        &identity.hostname,
        &identity.dns_name,
        &identity.serial,
        &maker_model,
        &identity.address,
        &identity.mac,
        &bare_mac,
        &identity.location,
        &identity.asset,
    ]
    .into_iter()
    .flatten()
    {
        search.push('\n');
        search.push_str(&text.to_lowercase());
    }
    search
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_people_sort_them() {
        let mut names = [
            "Zeta",
            "drucker10",
            "Drucker2",
            "Übersee",
            "Ufer",
            "Straße",
            "Strasse 1",
            "apfel",
        ];
        names.sort_by_key(|name| sort_text(name));
        assert_eq!(
            names,
            [
                "apfel",
                "Drucker2",
                "drucker10",
                "Straße",
                "Strasse 1",
                "Übersee",
                "Ufer",
                "Zeta"
            ]
        );
    }

    #[test]
    fn addresses_sort_by_their_numbers() {
        assert!(sort_text("10.0.9.1") < sort_text("10.0.10.1"));
        assert!(sort_text("10.0.009.1") == sort_text("10.0.9.1"));
    }
}
