//! What devices call themselves and their supplies, and what is left of it: makers, models, serial and part numbers.

use std::sync::{Arc, LazyLock};

use codec::model::{DeviceReport, Supply};
use codec::time::Timestamp;
use poller::profile::ProfileSet;
use poller::recording::{Recording, replay};

static PROFILES: LazyLock<Arc<ProfileSet>> = LazyLock::new(|| Arc::new(ProfileSet::embedded()));

const DESCRIPTION: &str = "1.3.6.1.2.1.1.1.0|4";
const OBJECT_ID: &str = "1.3.6.1.2.1.1.2.0|6";
const DEVICE_TEXT: &str = "1.3.6.1.2.1.25.3.2.1.3.1|4";
const PRINTER: &str = "1.3.6.1.2.1.25.3.2.1.2.1|6|1.3.6.1.2.1.25.3.1.5";

fn report(lines: &[String]) -> DeviceReport {
    let recording = Recording::parse(lines.join("\n").as_bytes()).unwrap();
    let profiles = Arc::clone(&PROFILES);
    let outcome = replay(
        &recording,
        profiles,
        Timestamp::from_unix_ms(1_780_000_000_000),
    );
    outcome.report.unwrap()
}

/// Maker and model of a device with this `hrDeviceDescr`.
fn named(device_text: &str) -> (Option<String>, Option<String>) {
    let lines = [PRINTER.to_owned(), format!("{DEVICE_TEXT}|{device_text}")];
    let identity = report(&lines).identity;
    (identity.manufacturer, identity.model)
}

#[test]
fn a_makers_word_ends_and_another_makers_word_is_part_of_the_model() {
    for (told, maker, model) in [
        ("EPSON FX-890II", Some("Epson"), "FX-890II"),
        ("FX-890II", None, "FX-890II"),
        ("Canon TA-20", Some("Canon"), "TA-20"),
        (
            "TOSHIBA TOSHIBA e-STUDIO2505",
            Some("Toshiba"),
            "e-STUDIO2505",
        ),
        ("HP HP LaserJet 400", Some("HP"), "LaserJet 400"),
        (
            "FUJI XEROX DocuPrint P455",
            Some("Fuji Xerox"),
            "DocuPrint P455",
        ),
        ("Xerox(R) C315 Color MFP", Some("Xerox"), "C315 Color MFP"),
        (
            "Xerox\u{ae} C315 Color MFP",
            Some("Xerox"),
            "C315 Color MFP",
        ),
        ("Xerox\u{2122}(r) C315", Some("Xerox"), "C315"),
        ("OKI-B431-ABC123", Some("OKI"), "B431"),
        ("TA_UTAX 300ci", Some("UTAX"), "300ci"),
    ] {
        assert_eq!(
            named(told),
            (maker.map(str::to_owned), Some(model.to_owned())),
            "{told}"
        );
    }
}

#[test]
fn what_names_a_driver_or_a_print_server_is_no_model() {
    assert_eq!(named("Generic 25C-10i").1, None);
    assert_eq!(named("ZebraNet PrintServer").1, None);
    let konica = [
        PRINTER.to_owned(),
        format!("{OBJECT_ID}|1.3.6.1.4.1.18334.1.1.1.2"),
        format!("{DESCRIPTION}|KONICA MINOLTA bizhub C250i"),
        format!("{DEVICE_TEXT}|Generic 25C-10i"),
    ];
    let identity = report(&konica).identity;
    assert_eq!(identity.model.as_deref(), Some("bizhub C250i"));
    let oki = [
        PRINTER.to_owned(),
        format!("{OBJECT_ID}|1.3.6.1.4.1.2001.1.3"),
        format!("{DESCRIPTION}|OKI-B431-ABC123"),
    ];
    let identity = report(&oki).identity;
    assert_eq!(identity.manufacturer.as_deref(), Some("OKI"));
    assert_eq!(identity.model.as_deref(), Some("B431"));
}

#[test]
fn serial_and_firmware_are_found_in_the_description() {
    for (serial, expected) in [
        (" ZDG700001", Some("ZDG700001")),
        (":ZDG700001", Some("ZDG700001")),
        ("", None),
        (" ", None),
    ] {
        let samsung = [
            PRINTER.to_owned(),
            format!("{OBJECT_ID}|1.3.6.1.4.1.236.11.5.1"),
            format!("{DESCRIPTION}|Samsung M9999FX; V9.00.00;Engine V1.0;NIC V1.0;S/N{serial}"),
        ];
        assert_eq!(
            report(&samsung).identity.serial.as_deref(),
            expected,
            "{serial}"
        );
    }
    let lexmark = [
        PRINTER.to_owned(),
        format!("{OBJECT_ID}|1.3.6.1.4.1.641.1"),
        format!("{DESCRIPTION}|Lexmark MX999 version NH9.XX.N999 kernel 3.0.0 All-N-1"),
    ];
    let identity = report(&lexmark).identity;
    assert_eq!(identity.firmware.as_deref(), Some("NH9.XX.N999"));
    assert_eq!(identity.model.as_deref(), Some("MX999"));
    let brother = [
        PRINTER.to_owned(),
        format!("{OBJECT_ID}|1.3.6.1.4.1.2435.2.3.9.1"),
        format!("{DEVICE_TEXT}|Brother HL-9999DW series"),
        "1.3.6.1.4.1.2435.2.4.3.1240.6.5.0|4|Firmware Ver.Q".to_owned(),
    ];
    assert_eq!(report(&brother).identity.firmware.as_deref(), Some("Q"));
}

#[test]
fn a_supplys_placeholders_are_no_numbers() {
    let supply = |described: &str| -> Supply {
        let lines = [
            PRINTER.to_owned(),
            format!("1.3.6.1.2.1.43.11.1.1.6.1.1|4|{described}"),
            "1.3.6.1.2.1.43.11.1.1.9.1.1|2|40".to_owned(),
        ];
        report(&lines).supplies.read().unwrap()[0].clone()
    };
    for (described, part, serial) in [
        ("Black Toner, PN 000R1;SN123A", Some("000R1"), Some("123A")),
        ("Black Toner, PN unknown;SN unknown", None, None),
        ("Black Toner, PN Unknown;SN123A", None, Some("123A")),
        ("Black Toner S/N:CRUM-", None, None),
        (
            "Black Toner S/N:CRUM-26010100042",
            None,
            Some("CRUM-26010100042"),
        ),
        ("Black Toner S/N:00000000", None, None),
    ] {
        let supply = supply(described);
        assert_eq!(supply.description, "Black Toner", "{described}");
        assert_eq!(
            (supply.part.as_deref(), supply.serial.as_deref()),
            (part, serial),
            "{described}"
        );
    }
}

#[test]
fn a_host_that_is_called_like_its_model_has_no_name() {
    let host = |name: &str| {
        let lines = [
            PRINTER.to_owned(),
            format!("{OBJECT_ID}|1.3.6.1.4.1.367.1.1"),
            format!("{DEVICE_TEXT}|RICOH MP C9999"),
            format!("1.3.6.1.4.1.367.3.2.1.6.1.1.7.1|4|{name}"),
        ];
        report(&lines).identity.hostname
    };
    assert_eq!(host("RICOH MP C9999"), None);
    assert_eq!(
        host("copier-2nd-floor").as_deref(),
        Some("copier-2nd-floor")
    );
}

#[test]
fn a_print_server_behind_the_printer_is_told_apart_from_it() {
    let oki = [
        PRINTER.to_owned(),
        format!("{OBJECT_ID}|1.3.6.1.4.1.2001.1.1.1.1"),
        format!(
            "{DESCRIPTION}|OKI OkiLAN 8500e Rev.01.23 10/100BASE Ethernet PrintServer: Attached to MC999 Rev.02.70 : Copyright (c)2026"
        ),
    ];
    let identity = report(&oki).identity;
    assert_eq!(
        (identity.model.as_deref(), identity.firmware.as_deref()),
        (Some("MC999"), Some("02.70"))
    );
    let zebra = [
        format!("{OBJECT_ID}|1.3.6.1.4.1.10642.1.1"),
        format!("{DESCRIPTION}|Zebra Wired"),
    ];
    let identity = report(&zebra).identity;
    assert_eq!(
        (identity.manufacturer.as_deref(), identity.model),
        (Some("Zebra"), None)
    );
    for (told, model, firmware) in [
        (
            "Xerox Phaser 9999; System 35.004.32.000, MCB 2.50",
            "Phaser 9999",
            "35.004.32.000",
        ),
        (
            "Xerox Color 999;System 55.40.61,ESS1.208.6,IOT 64.24.0",
            "Color 999",
            "55.40.61",
        ),
        (
            "Xerox AltaLink C9999; SS 100.002.057, NC 100.002",
            "AltaLink C9999",
            "100.002.057",
        ),
        (
            "Xerox ApeosPort-VI C9999;ESS1.0.217,IOT 52.54.1",
            "ApeosPort-VI C9999",
            "1.0.217",
        ),
    ] {
        let xerox = [
            format!("{OBJECT_ID}|1.3.6.1.4.1.253.8.62.1"),
            format!("{DESCRIPTION}|{told}"),
        ];
        let identity = report(&xerox).identity;
        assert_eq!(
            (identity.model.as_deref(), identity.firmware.as_deref()),
            (Some(model), Some(firmware))
        );
    }
}

#[test]
fn a_supply_without_a_name_is_called_by_its_colour_and_kind() {
    let lines = [
        PRINTER.to_owned(),
        "1.3.6.1.2.1.43.11.1.1.3.1.1|2|1".to_owned(),
        "1.3.6.1.2.1.43.11.1.1.5.1.1|2|3".to_owned(),
        "1.3.6.1.2.1.43.11.1.1.6.1.1|4|".to_owned(),
        "1.3.6.1.2.1.43.11.1.1.9.1.1|2|40".to_owned(),
        "1.3.6.1.2.1.43.12.1.1.4.1.1|4|cyan".to_owned(),
    ];
    let report = report(&lines);
    assert_eq!(report.supplies.read().unwrap()[0].description, "Cyan Toner");
}
