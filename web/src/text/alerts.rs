//! What the alert codes of RFC 3805 mean, in both languages: what a device says of an alert is in whatever language its panel has.

use super::Lang;

/// Code, English, German. Codes that are not here are said in the device's own words.
const CODES: &[(&str, &str, &str)] = &[
    ("coverOpen", "Cover open", "Abdeckung offen"),
    ("coverClosed", "Cover closed", "Abdeckung geschlossen"),
    (
        "interlockOpen",
        "Safety switch open",
        "Sicherheitsschalter offen",
    ),
    (
        "configurationChange",
        "Configuration changed",
        "Konfiguration geändert",
    ),
    ("jam", "Paper jam", "Papierstau"),
    ("subunitMissing", "Part missing", "Teil fehlt"),
    (
        "subunitLifeAlmostOver",
        "Part nearly worn out",
        "Teil fast verbraucht",
    ),
    ("subunitLifeOver", "Part worn out", "Teil verbraucht"),
    ("subunitAlmostEmpty", "Nearly empty", "Fast leer"),
    ("subunitEmpty", "Empty", "Leer"),
    ("subunitAlmostFull", "Nearly full", "Fast voll"),
    ("subunitFull", "Full", "Voll"),
    ("subunitNearLimit", "Near its limit", "Nahe am Grenzwert"),
    ("subunitAtLimit", "At its limit", "Grenzwert erreicht"),
    ("subunitOpened", "Part opened", "Teil geöffnet"),
    (
        "subunitTurnedOff",
        "Part switched off",
        "Teil ausgeschaltet",
    ),
    ("subunitOffline", "Part offline", "Teil offline"),
    ("subunitPowerSaver", "Saving power", "Energiesparen"),
    ("subunitWarmingUp", "Warming up", "Wärmt auf"),
    ("subunitRemoved", "Part removed", "Teil entfernt"),
    (
        "subunitRecoverableFailure",
        "Fault, can be cleared",
        "Störung, behebbar",
    ),
    (
        "subunitUnrecoverableFailure",
        "Fault, needs service",
        "Störung, Service nötig",
    ),
    ("subunitMotorFailure", "Motor fault", "Motorfehler"),
    ("subunitMemoryExhausted", "Memory full", "Speicher voll"),
    ("subunitUnderTemperature", "Too cold", "Zu kalt"),
    ("subunitOverTemperature", "Too hot", "Zu heiß"),
    ("subunitTimingFailure", "Timing fault", "Zeitfehler"),
    (
        "subunitThermistorFailure",
        "Thermistor fault",
        "Thermistorfehler",
    ),
    ("doorOpen", "Door open", "Klappe offen"),
    ("doorClosed", "Door closed", "Klappe geschlossen"),
    ("powerUp", "Switched on", "Eingeschaltet"),
    ("powerDown", "Switched off", "Ausgeschaltet"),
    ("printerReadyToPrint", "Ready to print", "Druckbereit"),
    ("inputMediaTrayMissing", "Tray missing", "Papierfach fehlt"),
    (
        "inputMediaSizeChange",
        "Paper size changed",
        "Papierformat geändert",
    ),
    (
        "inputMediaTypeChange",
        "Paper type changed",
        "Papierart geändert",
    ),
    (
        "inputMediaColorChange",
        "Paper colour changed",
        "Papierfarbe geändert",
    ),
    ("inputMediaSupplyLow", "Paper low", "Papier knapp"),
    ("inputMediaSupplyEmpty", "Tray empty", "Papierfach leer"),
    (
        "inputMediaChangeRequest",
        "Other paper wanted",
        "Anderes Papier verlangt",
    ),
    (
        "inputManualInputRequest",
        "Manual feed wanted",
        "Einzelblatteinzug verlangt",
    ),
    (
        "inputTrayPositionFailure",
        "Tray not in place",
        "Papierfach sitzt nicht richtig",
    ),
    (
        "inputTrayElevationFailure",
        "Tray lift fault",
        "Papierlift gestört",
    ),
    (
        "inputCannotFeedSizeSelected",
        "Paper size cannot be fed",
        "Papierformat nicht einziehbar",
    ),
    (
        "outputMediaTrayMissing",
        "Output tray missing",
        "Ausgabefach fehlt",
    ),
    (
        "outputMediaTrayAlmostFull",
        "Output tray nearly full",
        "Ausgabefach fast voll",
    ),
    (
        "outputMediaTrayFull",
        "Output tray full",
        "Ausgabefach voll",
    ),
    (
        "outputMailboxSelectFailure",
        "Mailbox fault",
        "Mailbox gestört",
    ),
    (
        "markerFuserUnderTemperature",
        "Fuser too cold",
        "Fixiereinheit zu kalt",
    ),
    (
        "markerFuserOverTemperature",
        "Fuser too hot",
        "Fixiereinheit zu heiß",
    ),
    (
        "markerFuserTimingFailure",
        "Fuser timing fault",
        "Fixiereinheit: Zeitfehler",
    ),
    (
        "markerFuserThermistorFailure",
        "Fuser thermistor fault",
        "Fixiereinheit: Thermistorfehler",
    ),
    (
        "markerAdjustingPrintQuality",
        "Adjusting print quality",
        "Druckqualität wird eingestellt",
    ),
    ("markerTonerEmpty", "Toner empty", "Toner leer"),
    ("markerInkEmpty", "Ink empty", "Tinte leer"),
    (
        "markerPrintRibbonEmpty",
        "Ribbon used up",
        "Farbband verbraucht",
    ),
    (
        "markerTonerAlmostEmpty",
        "Toner nearly empty",
        "Toner fast leer",
    ),
    (
        "markerInkAlmostEmpty",
        "Ink nearly empty",
        "Tinte fast leer",
    ),
    (
        "markerPrintRibbonAlmostEmpty",
        "Ribbon nearly used up",
        "Farbband fast verbraucht",
    ),
    (
        "markerWasteTonerReceptacleAlmostFull",
        "Waste toner box nearly full",
        "Resttonerbehälter fast voll",
    ),
    (
        "markerWasteInkReceptacleAlmostFull",
        "Waste ink box nearly full",
        "Resttintenbehälter fast voll",
    ),
    (
        "markerWasteTonerReceptacleFull",
        "Waste toner box full",
        "Resttonerbehälter voll",
    ),
    (
        "markerWasteInkReceptacleFull",
        "Waste ink box full",
        "Resttintenbehälter voll",
    ),
    (
        "markerOpcLifeAlmostOver",
        "Drum nearly worn out",
        "Trommel fast verbraucht",
    ),
    ("markerOpcLifeOver", "Drum worn out", "Trommel verbraucht"),
    (
        "markerDeveloperAlmostEmpty",
        "Developer nearly empty",
        "Entwickler fast leer",
    ),
    ("markerDeveloperEmpty", "Developer empty", "Entwickler leer"),
    (
        "markerTonerCartridgeMissing",
        "Toner cartridge missing",
        "Tonerkassette fehlt",
    ),
    (
        "mediaPathMediaTrayMissing",
        "Tray missing in the paper path",
        "Fach im Papierweg fehlt",
    ),
    (
        "mediaPathMediaTrayAlmostFull",
        "Tray in the paper path nearly full",
        "Fach im Papierweg fast voll",
    ),
    (
        "mediaPathMediaTrayFull",
        "Tray in the paper path full",
        "Fach im Papierweg voll",
    ),
    (
        "mediaPathCannotDuplexMediaSelected",
        "This paper cannot be printed on both sides",
        "Dieses Papier lässt sich nicht beidseitig bedrucken",
    ),
    (
        "interpreterComplexPageEncountered",
        "Page too complex",
        "Seite zu komplex",
    ),
    (
        "interpreterResourceUnavailable",
        "Resource missing",
        "Ressource fehlt",
    ),
];

/// What a code means; `None` for one that is not known, or that says nothing (`other`, `unknown`, a vendor's number).
pub(crate) fn meaning(lang: Lang, code: &str) -> Option<&'static str> {
    CODES
        .iter()
        .find(|(known, ..)| *known == code)
        .map(|(_, english, german)| lang.pick(*english, *german))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_meaning_in_each_language() {
        let mut codes: Vec<_> = CODES.iter().map(|(code, ..)| *code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), CODES.len());
        for (code, english, german) in CODES {
            assert!(
                english != german && !english.is_empty() && !german.is_empty(),
                "{code}"
            );
        }
        assert_eq!(meaning(Lang::De, "jam"), Some("Papierstau"));
        assert_eq!(meaning(Lang::En, "40123"), None);
    }
}
