//! Words in which devices name supplies and colours, in the languages of their panels (quirk S21).

use codec::model::{Colorant, SupplyType};

/// What stands for which kind, the more telling first: a waste toner box is no toner.
const KINDS: &[(SupplyType, &[&str])] = &[
    (
        SupplyType::Waste,
        &[
            "waste",
            "resttoner",
            "rest toner",
            "alttoner",
            "tonerabfall",
            "used toner",
            "toner collect",
            "récupér",
            "recuper",
            "usagé",
            "residu",
            "scarto",
            "maintenance box",
            "wartungsbox",
            "maintenance cartridge",
            "廢",
            "废",
            "zużyt",
        ],
    ),
    (
        SupplyType::Fuser,
        &[
            "fuser", "fusing", "fusion", "fusore", "fusor", "fixier", "定影",
        ],
    ),
    (
        SupplyType::Transfer,
        &[
            "transfer",
            "transfert",
            "trasferim",
            "übertrag",
            "belt",
            "courroie",
            "cinghia",
            "轉寫",
            "转印",
        ],
    ),
    (
        SupplyType::Staples,
        &[
            "staple",
            "heftklammer",
            "agraf",
            "punti metallici",
            "grapas",
        ],
    ),
    (
        SupplyType::Cleaner,
        &["clean", "reinigung", "nettoy", "pulizia"],
    ),
    (
        SupplyType::Developer,
        &[
            "developer",
            "developing",
            "entwickler",
            "développ",
            "développeur",
            "sviluppo",
            "revelador",
            "顯影",
            "显影",
        ],
    ),
    (
        SupplyType::Drum,
        &[
            "drum",
            "photoconduct",
            "imaging unit",
            "unità imaging",
            "imaging kit",
            "image unit",
            "trommel",
            "tambour",
            "tamburo",
            "tambor",
            "opc",
            "感光",
        ],
    ),
    (
        SupplyType::Kit,
        &[
            "kit",
            "roller",
            "rouleau",
            "rullo",
            "walze",
            "feed",
            "maintenance",
            "wartung",
        ],
    ),
    (SupplyType::Toner, &["toner", "碳粉", "墨粉", "トナー"]),
    (SupplyType::Ribbon, &["ribbon", "farbband", "ruban"]),
    (SupplyType::Wax, &["solid ink", "wax"]),
    (
        SupplyType::Ink,
        &["ink", "tinte", "encre", "inchiostro", "tinta", "墨"],
    ),
];

/// The kind that a description names.
#[must_use]
pub fn kind(description: &str) -> Option<SupplyType> {
    let text = description.to_lowercase();
    KINDS
        .iter()
        .find(|(_, words)| words.iter().any(|word| text.contains(word)))
        .map(|(kind, _)| *kind)
}

/// What a supply is called that the device gives no name (quirk S17): `Black Toner`.
#[must_use]
pub fn described(kind: SupplyType, colorant: Option<Colorant>) -> String {
    let words = colorant
        .map(Colorant::word)
        .into_iter()
        .chain([kind.word()]);
    let mut name = String::new();
    for word in words.flat_map(|word| word.split('-')) {
        let mut letters = word.chars();
        if !name.is_empty() {
            name.push(' ');
        }
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.extend(letters);
    }
    name
}

/// Whether a description speaks of a cartridge without saying of what.
#[must_use]
pub fn is_cartridge(description: &str) -> bool {
    let text = description.to_lowercase();
    [
        "cartridge",
        "cartouche",
        "kartusche",
        "patrone",
        "cartuccia",
        "cartucho",
    ]
    .iter()
    .any(|word| text.contains(word))
}

/// Two-word colours first: photo black is no black.
const COLOURS: &[(Colorant, &[&str])] = &[
    (
        Colorant::PhotoBlack,
        &["photo black", "photoblack", "fotoschwarz"],
    ),
    (
        Colorant::MatteBlack,
        &["matte black", "matteblack", "mattschwarz", "mat black"],
    ),
    (
        Colorant::LightCyan,
        &["light cyan", "lightcyan", "photo cyan"],
    ),
    (
        Colorant::LightMagenta,
        &[
            "light magenta",
            "lightmagenta",
            "photo magenta",
            "vivid light magenta",
        ],
    ),
    (
        Colorant::LightGrey,
        &[
            "light gray",
            "light grey",
            "lightgray",
            "light light black",
            "photo gray",
        ],
    ),
    (
        Colorant::Grey,
        &["gray", "grey", "grau", "gris", "light black"],
    ),
    (
        Colorant::Black,
        &[
            "black",
            "schwarz",
            "noir",
            "noire",
            "nero",
            "negro",
            "negra",
            "preto",
            "zwart",
            "czarny",
            "svart",
            "黑",
            "ブラック",
        ],
    ),
    (Colorant::Cyan, &["cyan", "ciano", "cian", "青", "シアン"]),
    (Colorant::Magenta, &["magenta", "洋紅", "洋红", "マゼンタ"]),
    (
        Colorant::Yellow,
        &[
            "yellow",
            "gelb",
            "jaune",
            "giallo",
            "amarillo",
            "amarelo",
            "geel",
            "żółty",
            "黃",
            "黄",
            "イエロー",
        ],
    ),
    (Colorant::Red, &["red", "rot", "rouge", "rosso", "rojo"]),
    (Colorant::Green, &["green", "grün", "vert", "verde"]),
    (Colorant::Blue, &["blue", "blau", "bleu", "blu", "azul"]),
    (Colorant::Orange, &["orange", "arancione"]),
    (
        Colorant::White,
        &["white", "weiß", "weiss", "blanc", "bianco", "blanco"],
    ),
    (
        Colorant::Clear,
        &["clear", "transparent", "gloss optimizer", "gloss enhancer"],
    ),
];

/// The colour that a description names, as whole words (or as signs, in languages without blanks).
#[must_use]
pub fn colorant(description: &str) -> Option<Colorant> {
    let text = description.to_lowercase();
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>();
    let is_ascii = text.is_ascii();
    let named = |name: &&str| {
        if name.chars().next().is_some_and(|c| u32::from(c) >= 0x3000) {
            return !is_ascii && text.contains(*name);
        }
        // A name may be two words.
        (0..words.len()).any(|at| {
            let mut told = words[at..].iter();
            name.split(' ').all(|word| told.next() == Some(&word))
        })
    };
    COLOURS
        .iter()
        .find(|(_, words)| words.iter().any(&named))
        .map(|(colour, _)| *colour)
}

/// The colour that a value of the colorant table names; one that has no word here is [`Colorant::Other`].
#[must_use]
pub fn colorant_value(value: &str) -> Option<Colorant> {
    let value = value.trim().to_lowercase();
    match value.as_str() {
        "" | "none" | "other" | "unknown" | "no colorant" => None,
        "k" | "bk" => Some(Colorant::Black),
        "c" => Some(Colorant::Cyan),
        "m" => Some(Colorant::Magenta),
        "y" => Some(Colorant::Yellow),
        text => Some(colorant(text).unwrap_or(Colorant::Other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_names_a_kind_in_many_languages() {
        for (text, expected) in [
            ("Waste Toner Box", Some(SupplyType::Waste)),
            ("Resttonerbehälter", Some(SupplyType::Waste)),
            ("廢棄碳粉", Some(SupplyType::Waste)),
            ("Image Transfer Belt Unit", Some(SupplyType::Transfer)),
            ("Imaging Unit", Some(SupplyType::Drum)),
            ("Fuser Cleaning Pad", Some(SupplyType::Fuser)),
            ("Document Feeder Kit", Some(SupplyType::Kit)),
            ("Toner jaune", Some(SupplyType::Toner)),
            ("Maintenance Box SJ1", Some(SupplyType::Waste)),
            ("Black Cartridge HP 1", None),
            ("Ozone Filter", None),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }

    #[test]
    fn what_has_no_name_is_called_by_its_colour_and_kind() {
        assert_eq!(
            described(SupplyType::Toner, Some(Colorant::LightCyan)),
            "Light Cyan Toner"
        );
        assert_eq!(described(SupplyType::Waste, None), "Waste");
    }

    #[test]
    fn a_description_names_a_colour_as_a_whole_word() {
        for (text, expected) in [
            ("Toner (Cyan)", Some(Colorant::Cyan)),
            ("Toner jaune", Some(Colorant::Yellow)),
            ("洋紅色碳粉", Some(Colorant::Magenta)),
            ("Photo Black Ink", Some(Colorant::PhotoBlack)),
            ("Required part", None),
            ("very deep black", Some(Colorant::Black)),
            ("Toner", None),
        ] {
            assert_eq!(colorant(text), expected, "{text}");
        }
        assert_eq!(colorant_value("violet"), Some(Colorant::Other));
        assert_eq!(colorant_value("none"), None);
    }
}
