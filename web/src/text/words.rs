//! The vocabulary of the reports in both languages. Every `match` is complete: a new word of `codec` does not compile without its labels.

use codec::model::{
    AlertSeverity, CapacityUnit, Colorant, Colour, ErrorState, MeterUnit, PrinterStatus, Sides,
    SupplyClass, SupplyType, TrayType, Work,
};

use super::Lang;

/// What a meter is called: "Print, mono", "Copy, colour, A3", "Total impressions".
pub(crate) fn meter(
    lang: Lang,
    work: Work,
    colour: Colour,
    unit: MeterUnit,
    size: Option<&str>,
    sides: Option<Sides>,
) -> String {
    let mut name = match (work, colour) {
        (Work::Total, Colour::Total) => lang.pick("Total", "Gesamt").to_owned(),
        (_, Colour::Total) => work_name(lang, work).to_owned(),
        (Work::Total, _) => capital(colour_name(lang, colour)),
        _ => format!("{}, {}", work_name(lang, work), colour_name(lang, colour)),
    };
    if unit != MeterUnit::Impressions {
        name.push_str(", ");
        name.push_str(unit_name(lang, unit));
    }
    if let Some(size) = size {
        name.push_str(", ");
        name.push_str(&paper_size(size));
    }
    if let Some(sides) = sides {
        name.push_str(", ");
        name.push_str(match sides {
            Sides::Simplex => lang.pick("one-sided", "einseitig"),
            Sides::Duplex => lang.pick("two-sided", "beidseitig"),
        });
    }
    name
}

const fn work_name(lang: Lang, work: Work) -> &'static str {
    match work {
        Work::Total => lang.pick("Total", "Gesamt"),
        Work::Print => lang.pick("Print", "Druck"),
        Work::Copy => lang.pick("Copy", "Kopie"),
        Work::Fax => lang.pick("Fax", "Fax"),
        Work::Scan => lang.pick("Scan", "Scan"),
    }
}

const fn colour_name(lang: Lang, colour: Colour) -> &'static str {
    match colour {
        Colour::Total => lang.pick("all colours", "alle Farben"),
        Colour::Mono => lang.pick("mono", "schwarzweiß"),
        Colour::Colour => lang.pick("colour", "farbig"),
        Colour::SingleColour => lang.pick("single colour", "einfarbig"),
        Colour::FullColour => lang.pick("full colour", "vollfarbig"),
    }
}

/// What a meter counts.
pub(crate) const fn unit_name(lang: Lang, unit: MeterUnit) -> &'static str {
    match unit {
        MeterUnit::Impressions => lang.pick("impressions", "Drucke"),
        MeterUnit::Sheets => lang.pick("sheets", "Blätter"),
        MeterUnit::Images => lang.pick("images", "Bilder"),
        MeterUnit::Feet => lang.pick("feet", "Fuß"),
        MeterUnit::Metres => lang.pick("metres", "Meter"),
        MeterUnit::Hours => lang.pick("hours", "Stunden"),
        MeterUnit::Other => lang.pick("other unit", "andere Einheit"),
    }
}

fn paper_size(size: &str) -> String {
    match size.as_bytes() {
        [b'a' | b'b' | b'c', digit] | [b'a' | b'b', digit, b'r'] if digit.is_ascii_digit() => {
            size.to_ascii_uppercase()
        }
        _ => capital(size),
    }
}

/// What a supply is called: "Magenta toner", "Waste container".
pub(crate) fn supply(lang: Lang, kind: SupplyType, colorant: Option<Colorant>) -> String {
    let noun = supply_type(lang, kind);
    match (colorant.map(|colorant| colorant_name(lang, colorant)), lang) {
        (None, _) => capital(noun),
        (Some(colour), Lang::En) => capital(&format!("{colour} {noun}")),
        (Some(colour), Lang::De) => format!("{noun} {colour}"),
    }
}

/// Whether a supply is what ends up on the paper.
pub(crate) const fn paints(kind: SupplyType) -> bool {
    matches!(
        kind,
        SupplyType::Toner | SupplyType::Ink | SupplyType::Ribbon | SupplyType::Wax
    )
}

const fn supply_type(lang: Lang, kind: SupplyType) -> &'static str {
    match kind {
        SupplyType::Toner => lang.pick("toner", "Toner"),
        SupplyType::Ink => lang.pick("ink", "Tinte"),
        SupplyType::Ribbon => lang.pick("ribbon", "Farbband"),
        SupplyType::Wax => lang.pick("wax", "Wachs"),
        SupplyType::Drum => lang.pick("drum", "Trommel"),
        SupplyType::Developer => lang.pick("developer", "Entwickler"),
        SupplyType::Fuser => lang.pick("fuser", "Fixiereinheit"),
        SupplyType::Transfer => lang.pick("transfer unit", "Transfereinheit"),
        SupplyType::Waste => lang.pick("waste container", "Resttonerbehälter"),
        SupplyType::Cleaner => lang.pick("cleaner", "Reinigungseinheit"),
        SupplyType::Staples => lang.pick("staples", "Heftklammern"),
        SupplyType::Kit => lang.pick("maintenance kit", "Wartungskit"),
        SupplyType::Other => lang.pick("other supply", "anderes Material"),
    }
}

/// A supply's colour.
pub(crate) const fn colorant_name(lang: Lang, colorant: Colorant) -> &'static str {
    match colorant {
        Colorant::Black => lang.pick("black", "Schwarz"),
        Colorant::Cyan => lang.pick("cyan", "Cyan"),
        Colorant::Magenta => lang.pick("magenta", "Magenta"),
        Colorant::Yellow => lang.pick("yellow", "Gelb"),
        Colorant::PhotoBlack => lang.pick("photo black", "Fotoschwarz"),
        Colorant::MatteBlack => lang.pick("matte black", "Mattschwarz"),
        Colorant::LightCyan => lang.pick("light cyan", "Hellcyan"),
        Colorant::LightMagenta => lang.pick("light magenta", "Hellmagenta"),
        Colorant::Grey => lang.pick("grey", "Grau"),
        Colorant::LightGrey => lang.pick("light grey", "Hellgrau"),
        Colorant::Red => lang.pick("red", "Rot"),
        Colorant::Green => lang.pick("green", "Grün"),
        Colorant::Blue => lang.pick("blue", "Blau"),
        Colorant::Orange => lang.pick("orange", "Orange"),
        Colorant::White => lang.pick("white", "Weiß"),
        Colorant::Clear => lang.pick("clear coat", "Klarlack"),
        Colorant::Other => lang.pick("other colour", "andere Farbe"),
    }
}

/// What an unmeasured remainder is of: what is consumed leaves some, what is filled leaves room.
pub(crate) const fn some_left(lang: Lang, class: SupplyClass) -> &'static str {
    let texts = lang.texts();
    match class {
        SupplyClass::Receptacle => texts.level_some,
        SupplyClass::Consumed | SupplyClass::Other => texts.level_some_left,
    }
}

/// The unit of a capacity, where a number needs one.
pub(crate) const fn capacity_unit(lang: Lang, unit: CapacityUnit) -> &'static str {
    match unit {
        CapacityUnit::Other | CapacityUnit::Unknown | CapacityUnit::Items => "",
        CapacityUnit::TenThousandthsOfInches => lang.pick("1/10,000 in", "1/10.000 in"),
        CapacityUnit::Micrometers => "µm",
        CapacityUnit::Impressions => lang.pick("impressions", "Drucke"),
        CapacityUnit::Sheets => lang.pick("sheets", "Blatt"),
        CapacityUnit::Hours => lang.pick("h", "Std."),
        CapacityUnit::ThousandthsOfOunces => lang.pick("1/1,000 oz", "1/1.000 oz"),
        CapacityUnit::TenthsOfGrams => "1/10 g",
        CapacityUnit::HundredthsOfFluidOunces => "1/100 fl oz",
        CapacityUnit::TenthsOfMilliliters => "1/10 ml",
        CapacityUnit::Feet => "ft",
        CapacityUnit::Metres => "m",
        CapacityUnit::Percent => "%",
    }
}

/// An error state, as a short phrase.
pub(crate) const fn error_state(lang: Lang, error: ErrorState) -> &'static str {
    match error {
        ErrorState::LowPaper => lang.pick("paper low", "Papier knapp"),
        ErrorState::NoPaper => lang.pick("no paper", "kein Papier"),
        ErrorState::LowToner => lang.pick("toner low", "Toner knapp"),
        ErrorState::NoToner => lang.pick("no toner", "kein Toner"),
        ErrorState::DoorOpen => lang.pick("door open", "Klappe offen"),
        ErrorState::Jammed => lang.pick("paper jam", "Papierstau"),
        ErrorState::Offline => lang.pick("offline", "offline"),
        ErrorState::ServiceRequested => lang.pick("needs service", "Service nötig"),
        ErrorState::InputTrayMissing => lang.pick("tray missing", "Fach fehlt"),
        ErrorState::OutputTrayMissing => lang.pick("output tray missing", "Ausgabefach fehlt"),
        ErrorState::MarkerSupplyMissing => lang.pick("supply missing", "Material fehlt"),
        ErrorState::OutputNearFull => lang.pick("output nearly full", "Ausgabe fast voll"),
        ErrorState::OutputFull => lang.pick("output full", "Ausgabe voll"),
        ErrorState::InputTrayEmpty => lang.pick("tray empty", "Fach leer"),
        ErrorState::OverduePreventMaint => lang.pick("maintenance overdue", "Wartung überfällig"),
    }
}

/// Whether an error state stops the printer, as opposed to warning of something.
pub(crate) const fn error_stops(error: ErrorState) -> bool {
    matches!(
        error,
        ErrorState::NoPaper
            | ErrorState::NoToner
            | ErrorState::DoorOpen
            | ErrorState::Jammed
            | ErrorState::Offline
            | ErrorState::MarkerSupplyMissing
            | ErrorState::OutputFull
    )
}

/// What the printer does.
pub(crate) const fn printer_status(lang: Lang, status: PrinterStatus) -> &'static str {
    let texts = lang.texts();
    match status {
        PrinterStatus::Other => texts.state_asleep,
        PrinterStatus::Unknown => texts.state_unknown,
        PrinterStatus::Idle => texts.state_idle,
        PrinterStatus::Printing => texts.state_printing,
        PrinterStatus::Warmup => texts.state_warmup,
    }
}

/// How bad an alert is, in one word.
pub(crate) const fn severity(lang: Lang, severity: AlertSeverity) -> &'static str {
    let texts = lang.texts();
    match severity {
        AlertSeverity::Critical => texts.alert_critical,
        AlertSeverity::Warning | AlertSeverity::WarningBinaryChangeEvent => texts.alert_warning,
        AlertSeverity::Other => texts.alert_other,
    }
}

/// What kind of input a tray is, where its name does not say.
pub(crate) const fn tray_type(lang: Lang, kind: TrayType) -> &'static str {
    match kind {
        TrayType::Other | TrayType::Unknown => "",
        TrayType::Removable | TrayType::NonRemovable => lang.pick("cassette", "Kassette"),
        TrayType::Manual => lang.pick("manual feed", "Einzelblatteinzug"),
        TrayType::Roll => lang.pick("roll", "Rolle"),
        TrayType::FanFold => lang.pick("fanfold", "Endlospapier"),
    }
}

/// A medium as people say it: `iso-a4-white` is "A4, white". A word that is not known stays as the device says it.
pub(crate) fn media(lang: Lang, raw: &str) -> String {
    let lower = raw.trim().to_ascii_lowercase();
    let mut words: Vec<&str> = lower
        .split(['-', '_', ' '])
        .filter(|word| !word.is_empty())
        .collect();
    // Names of media by ISO 10175 and PWG 5101.1 begin with who defined the size.
    if words.len() > 1
        && matches!(
            words[0],
            "iso" | "na" | "jis" | "jpn" | "om" | "oe" | "custom"
        )
    {
        words.remove(0);
    }
    let Some((size, others)) = words.split_first() else {
        return String::new();
    };
    // A name that is no such list of words is the device's own text.
    if !lower.contains('-') && !lower.contains('_') {
        return raw.trim().to_owned();
    }
    let mut said = vec![paper_size(size)];
    said.extend(
        others
            .iter()
            // The measures of the size, as in `iso_a4_210x297mm`, say nothing more.
            .filter(|word| !word.starts_with(|first: char| first.is_ascii_digit()))
            .map(|word| media_word(lang, word).to_owned()),
    );
    said.join(", ")
}

fn media_word(lang: Lang, word: &str) -> &str {
    match word {
        "white" => lang.pick("white", "weiß"),
        "colored" | "coloured" => lang.pick("coloured", "farbig"),
        "transparent" | "transparency" => lang.pick("transparency", "Folie"),
        "plain" => lang.pick("plain", "Normalpapier"),
        "recycled" => lang.pick("recycled", "Recyclingpapier"),
        "thick" => lang.pick("thick", "dick"),
        "envelope" => lang.pick("envelope", "Umschlag"),
        "labels" => lang.pick("labels", "Etiketten"),
        "letterhead" => lang.pick("letterhead", "Briefkopf"),
        "preprinted" => lang.pick("preprinted", "vorgedruckt"),
        other => other,
    }
}

/// `text` with its first letter large.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
