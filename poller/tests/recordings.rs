//! Recordings of real devices, where a folder of them is at hand (`PLATEN_RECORDINGS`): every one is replayed. They stay where they
//! are; the project's own fixtures stand in `fixtures/`. Expectations were derived by reading the recordings and the MIBs; serial
//! numbers of real devices are not repeated here, but their length.

mod recorded;

use std::collections::BTreeSet;

use codec::model::*;

use recorded::*;

#[test]
fn every_recording_is_read_and_says_nothing_impossible() {
    let Some(folder) = folder() else { return };
    let mut replayed = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".snmprec") else {
            continue;
        };
        let report = report(name).unwrap_or_else(|| panic!("{name}: no report"));
        replayed += 1;
        assert_ne!(report.meter_set, Some(MeterSet::Conflicting), "{name}");
        let codes = report
            .meters
            .read()
            .unwrap()
            .iter()
            .map(Meter::code)
            .collect::<Vec<_>>();
        assert_eq!(
            codes.len(),
            codes.iter().collect::<BTreeSet<_>>().len(),
            "{name}: a meter twice"
        );
        for meter in report.meters.read().unwrap() {
            let engine = meter.oid.starts_with("1.3.6.1.2.1.43.10.2.1.4.");
            assert_eq!(
                meter.basis == Basis::Engine,
                engine,
                "{name}: {}",
                meter.oid
            );
            let sum = meter.parts.iter().map(|part| part.value).sum::<u64>();
            assert!(
                meter.parts.is_empty() || sum == meter.value,
                "{name}: {}",
                meter.code()
            );
        }
        let mut rows = BTreeSet::new();
        for supply in report.supplies.read().unwrap() {
            assert!(
                rows.insert(supply.index),
                "{name}: supply {} twice",
                supply.index
            );
            assert!(
                supply.percent().is_none_or(|percent| percent <= 100),
                "{name}"
            );
            assert!(!supply.description.chars().any(char::is_control), "{name}");
        }
        for alert in report.alerts.read().unwrap() {
            assert!(
                alert.code != "0" && alert.code != "powerUp",
                "{name}: {}",
                alert.code
            );
        }
        let mac = report.identity.mac.as_deref();
        assert!(
            mac.is_none_or(|mac| mac.len() == 17 && mac != "00:00:00:00:00:00"),
            "{name}"
        );
        assert!(
            report
                .identity
                .serial
                .as_deref()
                .is_none_or(|serial| serial.trim() == serial && serial.len() >= 3),
            "{name}"
        );
    }
    println!("{replayed} recordings replayed");
}

#[test]
fn the_kyocera_colour_mfp_adds_up_to_the_page() {
    let Some(report) = report("kyocera_cs4053ci") else {
        return;
    };
    assert_eq!(who(&report), ["Kyocera", "CS 4053ci", "kyocera"]);
    assert_eq!(serial(&report), 10);
    assert_eq!(report.meter_set, Some(MeterSet::Verified));
    assert!(meters(&report).is_superset(&set(&[
        "total.total.impressions=76064",
        "total.mono.impressions=36347",
        "total.colour.impressions=39717",
        "print.total.impressions=40600",
        "copy.total.impressions=32971",
        "fax.total.impressions=2493",
        "print.mono.impressions=14730",
        "print.colour.impressions=25870",
        "print.single-colour.impressions=0",
        "print.full-colour.impressions=25870",
        "copy.mono.impressions=19124",
        "copy.colour.impressions=13847",
        "copy.single-colour.impressions=0",
        "copy.full-colour.impressions=13847",
        "fax.mono.impressions=2493",
        "fax.colour.impressions=0",
        "scan.total.images=230478",
        "total.total.impressions.simplex=72358",
        "total.total.impressions.duplex=3706",
        "total.total.impressions.ledger=3498",
        "total.total.impressions.legal=329",
        "total.total.impressions.letter=72237",
        "total.mono.impressions.ledger=2312",
        "total.mono.impressions.legal=285",
        "total.mono.impressions.letter=33750",
        "total.colour.impressions.ledger=1186",
        "total.colour.impressions.legal=44",
        "total.colour.impressions.letter=38487",
        "print.total.impressions.letter=37193",
        "copy.mono.impressions.ledger=208",
        "engine.total.total.impressions=76498",
    ])));
    assert_eq!(
        supplies(&report),
        [
            (
                1,
                SupplyType::Toner,
                Some(Colorant::Cyan),
                Level::Amount(7500)
            ),
            (
                2,
                SupplyType::Toner,
                Some(Colorant::Magenta),
                Level::Amount(4800)
            ),
            (
                3,
                SupplyType::Toner,
                Some(Colorant::Yellow),
                Level::Amount(8250)
            ),
            (
                4,
                SupplyType::Toner,
                Some(Colorant::Black),
                Level::Amount(18000)
            ),
            (5, SupplyType::Waste, None, Level::Some),
        ]
    );
    assert_eq!(
        report.supplies.read().unwrap()[0].part.as_deref(),
        Some("TK-8527C")
    );
    assert_eq!(
        trays(&report)[0],
        (1, "MP Tray".to_owned(), Level::Amount(0))
    );
    assert_eq!(
        trays(&report)[4],
        (5, "Cassette 4".to_owned(), Level::Amount(500))
    );
    let status = report.status.read().unwrap();
    assert_eq!(
        (status.device, status.printer),
        (Some(DeviceStatus::Running), Some(PrinterStatus::Idle))
    );
    // Power up and a cold fuser while it sleeps: nothing that stands.
    assert!(report.alerts.read().unwrap().is_empty());
}

#[test]
fn the_brother_colour_laser_has_sheets_of_the_engine_and_no_invented_toner() {
    let Some(report) = report("brother_hl-l8260cdw") else {
        return;
    };
    assert_eq!(who(&report), ["Brother", "HL-L8260CDW", "brother"]);
    assert_eq!(serial(&report), 15);
    assert_eq!(meters(&report), set(&["engine.total.total.sheets=42976"]));
    let toner = |index, colour| (index, SupplyType::Toner, Some(colour), Level::Some);
    assert_eq!(
        supplies(&report),
        [
            toner(1, Colorant::Black),
            toner(2, Colorant::Cyan),
            toner(3, Colorant::Magenta),
            toner(4, Colorant::Yellow),
            (5, SupplyType::Waste, None, Level::Some),
            (6, SupplyType::Transfer, None, Level::Amount(56461)),
            (7, SupplyType::Drum, None, Level::Amount(22596)),
        ]
    );
    assert_eq!(
        trays(&report)[1],
        (2, "MP TRAY".to_owned(), Level::Amount(0))
    );
    assert!(
        report.alerts.read().unwrap().is_empty(),
        "a row of zeros that says Sleep is no alert"
    );
}

#[test]
fn brothers_lists_of_tags_are_counters_and_levels() {
    let Some(report) = report("brother_bieniu_dcp-l3550cdw") else {
        return;
    };
    assert_eq!(who(&report), ["Brother", "DCP-L3550CDW", "brother"]);
    assert_eq!(report.meter_set, Some(MeterSet::Verified));
    assert!(meters(&report).is_superset(&set(&[
        "total.total.impressions=1611",
        "total.mono.impressions=709",
        "total.colour.impressions=902"
    ])));
    let levels = supplies(&report)
        .into_iter()
        .filter(|supply| supply.1 == SupplyType::Toner)
        .map(|supply| supply.3);
    assert_eq!(
        levels.collect::<Vec<_>>(),
        [26, 10, 8, 2].map(Level::Percent)
    );
    assert_eq!(
        report.status.read().unwrap().display.as_deref(),
        Some("Mało toneru (Y)")
    );
    assert_eq!(
        report.identity.serial, None,
        "a placeholder is no serial number"
    );
}

#[test]
fn the_ricoh_names_its_toner_in_chinese() {
    let Some(report) = report("ricoh_mpc2503") else {
        return;
    };
    assert_eq!(who(&report), ["Ricoh", "MP C2503", "ricoh"]);
    assert_eq!(serial(&report), 11);
    assert_eq!(report.identity.firmware.as_deref(), Some("1.35"));
    assert_eq!(meters(&report), set(&["engine.total.total.sheets=580249"]));
    assert_eq!(
        supplies(&report),
        [
            (
                1,
                SupplyType::Toner,
                Some(Colorant::Black),
                Level::Amount(80)
            ),
            (2, SupplyType::Waste, None, Level::Amount(100)),
            (
                3,
                SupplyType::Toner,
                Some(Colorant::Cyan),
                Level::Amount(30)
            ),
            (
                4,
                SupplyType::Toner,
                Some(Colorant::Magenta),
                Level::Amount(30)
            ),
            (
                5,
                SupplyType::Toner,
                Some(Colorant::Yellow),
                Level::Amount(20)
            ),
        ]
    );
    assert_eq!(
        report.supplies.read().unwrap()[1].class,
        SupplyClass::Receptacle
    );
    assert_eq!(
        trays(&report)[2],
        (3, "Bypass Tray".to_owned(), Level::Some)
    );
    assert_eq!(
        report.identity.mac.as_deref().map(|mac| &mac[..8]),
        Some("58:38:79")
    );
}

#[test]
fn the_sharp_adds_up_with_its_other_pages() {
    let Some(report) = report("sharp") else {
        return;
    };
    assert_eq!(who(&report), ["Sharp", "MX-3570N", "sharp"]);
    assert_eq!(report.meter_set, Some(MeterSet::Verified));
    assert!(meters(&report).is_superset(&set(&[
        "total.total.impressions=121104",
        "total.mono.impressions=91164",
        "total.colour.impressions=29940",
        "print.total.impressions=82214",
        "print.mono.impressions=53631",
        "print.colour.impressions=28583",
        "copy.total.impressions=38804",
        "copy.mono.impressions=37485",
        "copy.colour.impressions=1319",
        "scan.total.images=13540",
        "engine.total.total.impressions=121104",
    ])));
    let supplies = supplies(&report);
    assert_eq!(supplies.len(), 14);
    // Level 100 of an unknown whole is an amount and no percentage; -2 of -2 is unknown.
    assert_eq!(
        supplies[4],
        (5, SupplyType::Waste, None, Level::Amount(100))
    );
    assert_eq!(report.supplies.read().unwrap()[4].percent(), None);
    assert_eq!(supplies[13], (14, SupplyType::Fuser, None, Level::Unknown));
    assert_eq!(report.status.read().unwrap().errors, [ErrorState::LowToner]);
    assert_eq!(
        trays(&report).last(),
        Some(&(31, "Auto Select".to_owned(), Level::Unknown))
    );
}

#[test]
fn the_konicas_are_read_by_their_words() {
    if let Some(report) = report("konica") {
        assert_eq!(report.identity.model.as_deref(), Some("ineo+ 280"));
        let supplies = supplies(&report);
        assert_eq!(supplies.len(), 17);
        assert_eq!(
            supplies[0],
            (
                1,
                SupplyType::Toner,
                Some(Colorant::Cyan),
                Level::Amount(29)
            )
        );
        assert_eq!(
            supplies[9],
            (
                10,
                SupplyType::Developer,
                Some(Colorant::Yellow),
                Level::Amount(78)
            )
        );
        assert_eq!(supplies[12], (13, SupplyType::Waste, None, Level::Some));
        assert_eq!(
            supplies[16],
            (17, SupplyType::Other, None, Level::Amount(45))
        );
    }
    let Some(report) = report("konica_2") else {
        return;
    };
    assert_eq!(
        who(&report),
        ["Konica Minolta", "bizhub 25e", "konica-minolta"]
    );
    assert_eq!(
        supplies(&report)[0],
        (
            1,
            SupplyType::Toner,
            Some(Colorant::Black),
            Level::Amount(8)
        )
    );
    assert_eq!(
        trays(&report),
        [
            (1, "1st Cassette".to_owned(), Level::Some),
            (2, "Bypass".to_owned(), Level::Amount(0))
        ]
    );
}
