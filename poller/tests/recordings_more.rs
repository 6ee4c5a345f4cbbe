//! More recordings of real devices, where a folder of them is at hand: what is odd about each is said as the device says it.

mod recorded;

use codec::model::*;

use recorded::*;

#[test]
fn the_epson_label_printer_has_low_ink_and_says_so() {
    let Some(report) = report("epson_cw-c6500au") else {
        return;
    };
    assert_eq!(who(&report), ["Epson", "CW-C6500Au", "epson"]);
    assert_eq!(serial(&report), 10);
    assert_eq!(
        report.status.read().unwrap().errors,
        [ErrorState::LowToner],
        "one octet that is a blank"
    );
    let alerts = report
        .alerts
        .read()
        .unwrap()
        .iter()
        .map(|alert| (alert.index, alert.code.as_str(), alert.group_index));
    assert_eq!(
        alerts.collect::<Vec<_>>(),
        [
            (4, "markerInkAlmostEmpty", Some(2)),
            (5, "markerInkAlmostEmpty", Some(3)),
            (6, "markerInkAlmostEmpty", Some(4))
        ]
    );
    assert_eq!(
        supplies(&report),
        [
            (1, SupplyType::Ink, Some(Colorant::Black), Level::Amount(86)),
            (2, SupplyType::Ink, Some(Colorant::Cyan), Level::Amount(1)),
            (
                3,
                SupplyType::Ink,
                Some(Colorant::Magenta),
                Level::Amount(1)
            ),
            (4, SupplyType::Ink, Some(Colorant::Yellow), Level::Amount(1)),
            (5, SupplyType::Waste, None, Level::Amount(50)),
        ]
    );
    assert_eq!(
        trays(&report),
        [
            (1, "Tractor Rear".to_owned(), Level::Unknown),
            (2, "Roll Sheet feeder".to_owned(), Level::Unknown)
        ]
    );
    assert_eq!(
        meters(&report),
        set(&["engine.total.total.impressions=7389"])
    );
}

#[test]
fn the_hp_without_a_feeder_has_no_ten_million_scans() {
    let Some(report) = report("jetdirect_m130nw") else {
        return;
    };
    assert_eq!(who(&report), ["HP", "LaserJet MFP M130nw", "hp"]);
    assert_eq!(serial(&report), 10);
    assert_eq!(
        meters(&report),
        set(&[
            "total.total.impressions=15232",
            "total.mono.impressions=15232",
            "total.total.sheets.duplex=0",
            "scan.total.images=1190",
            "engine.total.total.impressions=15232",
        ])
    );
    assert_eq!(
        supplies(&report),
        [
            (
                1,
                SupplyType::Toner,
                Some(Colorant::Black),
                Level::Amount(28)
            ),
            (5, SupplyType::Drum, None, Level::Amount(71)),
        ]
    );
}

#[test]
fn the_dell_is_told_from_its_serial_and_its_firmware() {
    let Some(report) = report("dell-laser_s5830dn") else {
        return;
    };
    assert_eq!(who(&report), ["Dell", "S5830dn", "dell"]);
    assert_eq!(serial(&report), 14);
    assert_eq!(
        supplies(&report),
        [
            (
                1,
                SupplyType::Toner,
                Some(Colorant::Black),
                Level::Amount(22050)
            ),
            (2, SupplyType::Drum, None, Level::Amount(72000)),
            (3, SupplyType::Kit, None, Level::Amount(166_000)),
            (4, SupplyType::Kit, None, Level::Amount(267_000)),
        ]
    );
    assert_eq!(
        report.identity.mac.as_deref().map(|mac| &mac[..8]),
        Some("00:21:b7")
    );
}

#[test]
fn the_zebra_is_keyed_by_itself_and_not_by_its_print_server() {
    let Some(report) = report("zebra") else {
        return;
    };
    assert_eq!(who(&report), ["Zebra", "ZTC TLP 2824 Plus", "zebra"]);
    assert_eq!(serial(&report), 12, "the print server's has 7 characters");
    assert_eq!(
        report.identity.mac.as_deref().map(|mac| &mac[..8]),
        Some("00:07:4d")
    );
}

#[test]
fn rows_with_gaps_and_two_black_toners_stay_apart() {
    let Some(report) = report("fujifilmprinter_c810") else {
        return;
    };
    assert_eq!(who(&report), ["Fujifilm", "ApeosPro C810", "xerox"]);
    let rows = supplies(&report)
        .into_iter()
        .map(|supply| supply.0)
        .collect::<Vec<_>>();
    assert_eq!(rows, [2, 3, 4, 5, 6, 7, 8, 9, 30, 31]);
    let black = supplies(&report)
        .into_iter()
        .filter(|supply| supply.1 == SupplyType::Toner && supply.2 == Some(Colorant::Black));
    assert_eq!(
        black.map(|supply| supply.3).collect::<Vec<_>>(),
        [Level::Amount(23000), Level::Amount(20700)]
    );
}

#[test]
fn makers_are_told_by_what_they_say() {
    for (name, expected) in [
        ("kyocera", ["Kyocera", "FS-1028MFP", "kyocera"]),
        ("jetdirect_1", ["Kyocera", "-", "kyocera"]),
        ("jetdirect", ["HP", "Color LaserJet M452nw", "hp"]),
        ("nrg", ["NRG", "SP 4210N", "ricoh"]),
        ("savin_c4503", ["Savin", "MP C4503", "ricoh"]),
        ("gestetner", ["Gestetner", "MPC2500/DSc525", "ricoh"]),
        ("ricoh", ["Ricoh", "MP 3053", "ricoh"]),
        ("canonprinter_lbp", ["Canon", "LBP6670", "canon"]),
        ("canonprinter_ir-adv", ["Canon", "iR-ADV C5235", "canon"]),
        ("dell-laser_mfp", ["Dell", "MFP Laser 3115cn", "dell"]),
        ("developprinter", ["Develop", "ineo 280", "konica-minolta"]),
        (
            "samsungprinter_ml",
            ["Samsung", "ML-2850 Series", "samsung"],
        ),
        ("sharp_mxc301w", ["Sharp", "MX-C301W", "sharp"]),
        (
            "toshiba-tec_estudio2505",
            ["Toshiba", "e-STUDIO2505AC", "toshiba"],
        ),
        ("toshiba-tec_ev4", ["Toshiba", "B-EV4", "toshiba-tec"]),
        ("tsc", ["TSC", "TTP244CE", "tsc"]),
        ("xerox_workcentre", ["Xerox", "WorkCentre 6605DN", "xerox"]),
        (
            "xerox_apeosport",
            ["Fuji Xerox", "ApeosPort-VI C4471", "xerox"],
        ),
        (
            "brother_bieniu_mfc-j680dw",
            ["Brother", "MFC-J680DW", "brother-ink"],
        ),
    ] {
        let Some(report) = report(name) else { continue };
        assert_eq!(who(&report), expected, "{name}");
    }
}
