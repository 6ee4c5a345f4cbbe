//! Alerts (quirks T6 to T12): rows that stand and mean something. Severity 4 is an event without an end; severities below 3 are status texts.

use codec::model::{Alert, AlertSeverity};

use super::mib;
use super::uptime::Uptime;
use super::view::View;

/// The most alerts of one report: a table for ever growing is cut at its end.
const ALERTS_MAX: usize = 64;

/// Reads the alerts. The device's uptime turns `prtAlertTime` into a moment.
#[must_use]
pub fn alerts(view: &View<'_>, uptime: Option<&Uptime>) -> Vec<Alert> {
    let severities = mib::alert(2);
    let rows = view.rows(std::slice::from_ref(&severities));
    let alerts = rows
        .into_iter()
        .filter_map(|(row, index)| alert(view, row, &index, uptime));
    let alerts = alerts.collect::<Vec<_>>();
    let surplus = alerts.len().saturating_sub(ALERTS_MAX);
    alerts.into_iter().skip(surplus).collect()
}

/// Whether one of them is a condition that will end, and so has to be looked after.
#[must_use]
pub fn stands(view: &View<'_>) -> bool {
    alerts(view, None).iter().any(|alert| {
        matches!(
            alert.severity,
            AlertSeverity::Critical | AlertSeverity::WarningBinaryChangeEvent
        )
    })
}

fn alert(view: &View<'_>, row: u32, index: &[u32], uptime: Option<&Uptime>) -> Option<Alert> {
    let integer = |column| view.integer_in(&mib::alert(column), index);
    let severity = match integer(2)? {
        3 => AlertSeverity::Critical,
        4 => AlertSeverity::Warning,
        5 => AlertSeverity::WarningBinaryChangeEvent,
        _ => return None,
    };
    let code = integer(7).unwrap_or(2);
    let informational = [&view.profile.alerts, &view.profiles.standard().alerts]
        .iter()
        .any(|rules| rules.informational.contains(&code));
    if severity != AlertSeverity::Critical && informational {
        return None;
    }
    let code = code_name(code).map_or_else(|| code.to_string(), str::to_owned);
    let group = integer(4).unwrap_or(2);
    Some(Alert {
        index: row,
        severity,
        group: group_name(group).map_or_else(|| group.to_string(), str::to_owned),
        group_index: integer(5).and_then(|index| u32::try_from(index).ok()),
        description: view
            .text_in(&mib::alert(8), index)
            .unwrap_or_else(|| in_words(&code)),
        code,
        since: uptime.and_then(|uptime| uptime.moment(view.facts, &mib::alert(9).child(index))),
    })
}

/// `markerTonerAlmostEmpty` as words: `toner almost empty`.
fn in_words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for c in name.strip_prefix("marker").unwrap_or(name).chars() {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

/// PrtAlertGroupTC.
fn group_name(code: i64) -> Option<&'static str> {
    Some(match code {
        1 => "other",
        2 => "unknown",
        3 => "hostResourcesMIBStorageTable",
        4 => "hostResourcesMIBDeviceTable",
        5 => "generalPrinter",
        6 => "cover",
        7 => "localization",
        8 => "input",
        9 => "output",
        10 => "marker",
        11 => "markerSupplies",
        12 => "markerColorant",
        13 => "mediaPath",
        14 => "channel",
        15 => "interpreter",
        16 => "consoleDisplayBuffer",
        17 => "consoleLights",
        18 => "alert",
        30 => "finDevice",
        31 => "finSupply",
        32 => "finSupplyMediaInput",
        33 => "finAttribute",
        _ => return None,
    })
}

/// PrtAlertCodeTC: the names of RFC 3805.
fn code_name(code: i64) -> Option<&'static str> {
    Some(match code {
        1 => "other",
        2 => "unknown",
        3 => "coverOpen",
        4 => "coverClosed",
        5 => "interlockOpen",
        6 => "interlockClosed",
        7 => "configurationChange",
        8 => "jam",
        9 => "subunitMissing",
        10 => "subunitLifeAlmostOver",
        11 => "subunitLifeOver",
        12 => "subunitAlmostEmpty",
        13 => "subunitEmpty",
        14 => "subunitAlmostFull",
        15 => "subunitFull",
        16 => "subunitNearLimit",
        17 => "subunitAtLimit",
        18 => "subunitOpened",
        19 => "subunitClosed",
        20 => "subunitTurnedOn",
        21 => "subunitTurnedOff",
        22 => "subunitOffline",
        23 => "subunitPowerSaver",
        24 => "subunitWarmingUp",
        25 => "subunitAdded",
        26 => "subunitRemoved",
        27 => "subunitResourceAdded",
        28 => "subunitResourceRemoved",
        29 => "subunitRecoverableFailure",
        30 => "subunitUnrecoverableFailure",
        31 => "subunitRecoverableStorageError",
        32 => "subunitUnrecoverableStorageError",
        33 => "subunitMotorFailure",
        34 => "subunitMemoryExhausted",
        35 => "subunitUnderTemperature",
        36 => "subunitOverTemperature",
        37 => "subunitTimingFailure",
        38 => "subunitThermistorFailure",
        501 => "doorOpen",
        502 => "doorClosed",
        503 => "powerUp",
        504 => "powerDown",
        505 => "printerNMSReset",
        506 => "printerManualReset",
        507 => "printerReadyToPrint",
        801 => "inputMediaTrayMissing",
        802 => "inputMediaSizeChange",
        803 => "inputMediaWeightChange",
        804 => "inputMediaTypeChange",
        805 => "inputMediaColorChange",
        806 => "inputMediaFormPartsChange",
        807 => "inputMediaSupplyLow",
        808 => "inputMediaSupplyEmpty",
        809 => "inputMediaChangeRequest",
        810 => "inputManualInputRequest",
        811 => "inputTrayPositionFailure",
        812 => "inputTrayElevationFailure",
        813 => "inputCannotFeedSizeSelected",
        901 => "outputMediaTrayMissing",
        902 => "outputMediaTrayAlmostFull",
        903 => "outputMediaTrayFull",
        904 => "outputMailboxSelectFailure",
        1001 => "markerFuserUnderTemperature",
        1002 => "markerFuserOverTemperature",
        1003 => "markerFuserTimingFailure",
        1004 => "markerFuserThermistorFailure",
        1005 => "markerAdjustingPrintQuality",
        1101 => "markerTonerEmpty",
        1102 => "markerInkEmpty",
        1103 => "markerPrintRibbonEmpty",
        1104 => "markerTonerAlmostEmpty",
        1105 => "markerInkAlmostEmpty",
        1106 => "markerPrintRibbonAlmostEmpty",
        1107 => "markerWasteTonerReceptacleAlmostFull",
        1108 => "markerWasteInkReceptacleAlmostFull",
        1109 => "markerWasteTonerReceptacleFull",
        1110 => "markerWasteInkReceptacleFull",
        1111 => "markerOpcLifeAlmostOver",
        1112 => "markerOpcLifeOver",
        1113 => "markerDeveloperAlmostEmpty",
        1114 => "markerDeveloperEmpty",
        1115 => "markerTonerCartridgeMissing",
        1301 => "mediaPathMediaTrayMissing",
        1302 => "mediaPathMediaTrayAlmostFull",
        1303 => "mediaPathMediaTrayFull",
        1304 => "mediaPathCannotDuplexMediaSelected",
        1501 => "interpreterMemoryIncrease",
        1502 => "interpreterMemoryDecrease",
        1503 => "interpreterCartridgeAdded",
        1504 => "interpreterCartridgeDeleted",
        1505 => "interpreterResourceAdded",
        1506 => "interpreterResourceDeleted",
        1507 => "interpreterResourceUnavailable",
        1509 => "interpreterComplexPageEncountered",
        1801 => "alertRemovalOfBinaryChangeEntry",
        _ => return None,
    })
}
