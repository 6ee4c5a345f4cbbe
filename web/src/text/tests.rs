//! Both languages are complete.

use super::table::ROWS;
use super::*;

/// Texts that are the same word in both languages.
const SAME: &[&str] = &[
    "nav_system",
    "silence_manager",
    "silence_agent",
    "utc_mark",
    "name",
    "fleet_col_status",
    "export_csv",
    "filter_agent",
    "device_mac",
    "device_agent",
    "device_firmware",
    "device_json",
    "health_journal",
    "health_web",
    "health_version",
];

fn places(text: &str) -> Vec<&str> {
    let mut places: Vec<_> = text
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
        .collect();
    places.sort_unstable();
    places
}

#[test]
fn both_languages_say_everything_with_the_same_places() {
    assert!(ROWS.len() > 200);
    for (key, english, german) in ROWS {
        assert!(!english.trim().is_empty(), "{key} has no English");
        assert!(!german.trim().is_empty(), "{key} has no German");
        assert_eq!(places(english), places(german), "{key}");
    }
}

#[test]
fn what_is_the_same_in_both_languages_is_so_on_purpose() {
    let same: Vec<_> = ROWS
        .iter()
        .filter(|(_, english, german)| english == german && english.len() > 3)
        .map(|(key, ..)| *key)
        .filter(|key| !SAME.contains(key))
        .collect();
    assert_eq!(
        same,
        Vec::<&str>::new(),
        "untranslated, or to be listed in SAME"
    );
}

#[test]
fn the_browsers_favourite_language_wins_by_weight_and_then_by_order() {
    let of = Lang::from_accept;
    assert_eq!(of("de-DE,de;q=0.9,en;q=0.8"), Some(Lang::De));
    assert_eq!(of("en;q=0.4, de;q=0.5"), Some(Lang::De));
    assert_eq!(of("fr, en;q=0.3"), Some(Lang::En));
    assert_eq!(of("fr"), None);
    assert_eq!(of("de;q=0"), None);
    assert_eq!(of(""), None);
}

#[test]
fn places_are_filled_and_unknown_ones_stay() {
    assert_eq!(
        fill(
            "{from}–{to} of {n}",
            &[("from", "1"), ("to", "50"), ("n", "1,204")]
        ),
        "1–50 of 1,204"
    );
    assert_eq!(fill("a {b} c", &[]), "a {b} c");
    assert_eq!(fill("open { end", &[]), "open { end");
    assert_eq!(fill("{a}", &[("a", "{b}"), ("b", "never")]), "{b}");
}

#[test]
fn media_are_named_as_people_say_them() {
    assert_eq!(words::media(Lang::De, "iso-a4-white"), "A4, weiß");
    assert_eq!(
        words::media(Lang::En, "na-letter-colored"),
        "Letter, coloured"
    );
    assert_eq!(words::media(Lang::En, "iso_a4_210x297mm"), "A4");
    assert_eq!(words::media(Lang::De, "Normalpapier"), "Normalpapier");
    assert_eq!(words::media(Lang::De, ""), "");
    assert_eq!(words::media(Lang::De, "--"), "");
}

#[test]
fn meters_and_supplies_have_names_that_people_say() {
    use codec::model::{Colorant, Colour, MeterUnit, Sides, SupplyType, Work};
    let meter = |lang, work, colour, size, sides| {
        words::meter(lang, work, colour, MeterUnit::Impressions, size, sides)
    };
    assert_eq!(
        meter(Lang::En, Work::Print, Colour::Mono, None, None),
        "Print, mono"
    );
    assert_eq!(
        meter(
            Lang::De,
            Work::Copy,
            Colour::Colour,
            Some("a3"),
            Some(Sides::Duplex)
        ),
        "Kopie, farbig, A3, beidseitig"
    );
    assert_eq!(
        meter(Lang::De, Work::Total, Colour::Total, None, None),
        "Gesamt"
    );
    assert_eq!(
        meter(Lang::En, Work::Total, Colour::Colour, None, None),
        "Colour"
    );
    assert_eq!(
        words::supply(Lang::En, SupplyType::Toner, Some(Colorant::Magenta)),
        "Magenta toner"
    );
    assert_eq!(
        words::supply(Lang::De, SupplyType::Toner, Some(Colorant::Yellow)),
        "Toner Gelb"
    );
    assert_eq!(
        words::supply(Lang::En, SupplyType::Waste, None),
        "Waste container"
    );
}
