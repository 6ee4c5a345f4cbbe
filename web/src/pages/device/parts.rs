//! Rows of a device's page: meters, supplies, trays, alerts. The unknown is said, never drawn as a number.

use codec::model::{
    AlertSeverity, Basis, CapacityUnit, Level, Supply, SupplyClass, Tray, level_percent,
};
use codec::time::Timestamp;
use jiff::tz::TimeZone;
use olap::Reading;
use olap::ask::{AlertItem, FleetRules};
use olap::words::Quality;

use crate::format;
use crate::pages::Ago;
use crate::pages::draw;
use crate::text::{Lang, fill, words};

/// The most rows of alerts on a device's page: a device that keeps more has a fault that the first ones tell.
const ALERTS_MAX: usize = 20;

pub(super) struct MeterRow {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) billed: bool,
    pub(super) basis: &'static str,
    pub(super) source: String,
    pub(super) source_short: String,
    pub(super) profile: String,
    /// The OID, its end, the value.
    pub(super) parts: Vec<(String, String, String)>,
    pub(super) parts_text: String,
    pub(super) read: Ago,
    pub(super) quality: &'static str,
}

/// What is billed first, then the engine's counts; within each the totals first.
pub(super) fn meters(
    lang: Lang,
    zone: &TimeZone,
    meters: &[Reading],
    now: Timestamp,
) -> Vec<MeterRow> {
    let texts = lang.texts();
    let mut sorted: Vec<_> = meters.iter().collect();
    sorted.sort_by_key(|reading| {
        (
            reading.basis,
            reading.work,
            reading.colour,
            reading.size.clone(),
            reading.sides,
        )
    });
    sorted
        .into_iter()
        .map(|reading| MeterRow {
            name: words::meter(
                lang,
                reading.work,
                reading.colour,
                reading.unit,
                reading.size.as_deref(),
                reading.sides,
            ),
            value: format::number(lang, reading.value),
            billed: reading.basis == Basis::Billing,
            basis: match reading.basis {
                Basis::Billing => texts.basis_billing,
                Basis::Engine => texts.basis_engine,
            },
            source_short: shortened(&reading.oid),
            source: reading.oid.clone(),
            profile: reading.profile.clone().unwrap_or_default(),
            parts: reading
                .parts
                .iter()
                .map(|part| {
                    let value = format::number(lang, part.value);
                    (part.oid.clone(), shortened(&part.oid), value)
                })
                .collect(),
            parts_text: match reading.parts.len() {
                0 => String::new(),
                n => fill(texts.device_parts, &[("n", &n.to_string())]),
            },
            read: Ago::new(lang, zone, reading.confirmed_until, now),
            quality: match reading.quality {
                // That the meters contradict each other stands above all of them.
                Quality::Ok | Quality::Conflict => "",
                other => super::quality_word(lang, other),
            },
        })
        .collect()
}

/// So many arcs of an OID fit into the column; the whole of it is the tool tip.
const ARCS_SHOWN: usize = 5;

/// The end of an OID, which is what tells a device's meters apart.
fn shortened(oid: &str) -> String {
    match oid.rmatch_indices('.').nth(ARCS_SHOWN - 1) {
        Some((at, _)) if at > 0 => format!("…{}", &oid[at + 1..]),
        _ => oid.to_owned(),
    }
}

pub(super) struct SupplyRow {
    pub(super) name: String,
    pub(super) detail: String,
    pub(super) part: String,
    pub(super) bar: String,
    pub(super) level: String,
    pub(super) note: String,
    pub(super) low: bool,
}

/// What is consumed first, its colours as everywhere: black, cyan, magenta, yellow, then the others, then what has none.
pub(super) fn supplies(lang: Lang, supplies: &[Supply]) -> Vec<SupplyRow> {
    let mut sorted: Vec<_> = supplies.iter().collect();
    sorted.sort_by_key(|supply| {
        (
            !words::paints(supply.kind),
            supply.class != SupplyClass::Consumed,
            supply.colorant.is_none(),
            supply.colorant,
            supply.index,
        )
    });
    sorted
        .into_iter()
        .map(|supply| supply_row(lang, supply))
        .collect()
}

fn supply_row(lang: Lang, supply: &Supply) -> SupplyRow {
    let texts = lang.texts();
    let low_percent = u32::from(FleetRules::at(Timestamp::default()).low_percent);
    let percent = supply.percent();
    let (level, note) = match (supply.level, percent) {
        (_, Some(percent)) if supply.class == SupplyClass::Receptacle => (
            format!("{percent} %"),
            fill(texts.level_free, &[("p", &percent.to_string())]),
        ),
        (Level::Amount(amount), Some(percent)) => (
            format!("{percent} %"),
            amounts(lang, amount, supply.capacity, supply.unit),
        ),
        (Level::Percent(_), Some(percent)) => (format!("{percent} %"), String::new()),
        (Level::Amount(amount), None) => (
            amounts(lang, amount, supply.capacity, supply.unit),
            String::new(),
        ),
        (Level::Percent(percent), None) => (format!("{percent} %"), String::new()),
        (Level::Some, _) => (
            words::some_left(lang, supply.class).to_owned(),
            String::new(),
        ),
        (Level::Unknown, _) => (texts.level_unknown.to_owned(), String::new()),
        (Level::Unlimited, _) => (texts.level_unlimited.to_owned(), String::new()),
    };
    SupplyRow {
        name: words::supply(lang, supply.kind, supply.colorant),
        detail: supply.description.clone(),
        part: supply
            .part
            .clone()
            .filter(|part| !supply.description.contains(part.as_str()))
            .unwrap_or_default(),
        bar: percent
            .map(|percent| draw::bar(percent, draw::class(supply.colorant)))
            .unwrap_or_default(),
        level,
        note,
        low: percent.is_some_and(|percent| percent <= low_percent),
    }
}

/// An amount with its capacity and unit; per cent of hundred says nothing that the bar does not.
fn amounts(lang: Lang, amount: u32, capacity: Option<u32>, unit: CapacityUnit) -> String {
    if unit == CapacityUnit::Percent {
        return String::new();
    }
    let number = |value: u32| format::number(lang, u64::from(value));
    let amount = match capacity {
        Some(capacity) => fill(
            lang.texts().level_of,
            &[("amount", &number(amount)), ("capacity", &number(capacity))],
        ),
        None => number(amount),
    };
    format!("{amount} {}", words::capacity_unit(lang, unit))
        .trim_end()
        .to_owned()
}

pub(super) struct TrayRow {
    pub(super) name: String,
    pub(super) media: String,
    /// As the device names it.
    pub(super) media_raw: String,
    pub(super) bar: String,
    pub(super) level: String,
    pub(super) empty: bool,
}

pub(super) fn trays(lang: Lang, trays: &[Tray]) -> Vec<TrayRow> {
    let texts = lang.texts();
    trays
        .iter()
        .map(|tray| {
            let level = match tray.level {
                Level::Amount(0) => texts.tray_empty.to_owned(),
                Level::Amount(amount) => amounts(lang, amount, tray.capacity, tray.unit),
                Level::Percent(percent) => format!("{percent} %"),
                Level::Some => texts.level_some_left.to_owned(),
                Level::Unknown => texts.level_unknown.to_owned(),
                Level::Unlimited => texts.level_unlimited.to_owned(),
            };
            let name = if tray.name.is_empty() {
                fill(texts.device_tray, &[("n", &tray.index.to_string())])
            } else {
                tray.name.clone()
            };
            let media_raw = tray.media.clone().unwrap_or_default();
            let media = [
                words::media(lang, &media_raw),
                words::tray_type(lang, tray.kind).to_owned(),
            ];
            TrayRow {
                name,
                media_raw,
                media: media
                    .into_iter()
                    .filter(|text| !text.is_empty())
                    .collect::<Vec<_>>()
                    .join(" · "),
                bar: level_percent(tray.level, tray.capacity)
                    .map(|percent| draw::bar(percent, "plain"))
                    .unwrap_or_default(),
                empty: matches!(tray.level, Level::Amount(0) | Level::Percent(0)),
                level,
            }
        })
        .collect()
}

pub(super) struct AlertRow {
    pub(super) class: &'static str,
    pub(super) severity: &'static str,
    pub(super) words: AlertWords,
    pub(super) since: Ago,
}

pub(super) fn alerts(
    lang: Lang,
    zone: &TimeZone,
    alerts: &[AlertItem],
    now: Timestamp,
) -> Vec<AlertRow> {
    alerts
        .iter()
        .take(ALERTS_MAX)
        .map(|item| AlertRow {
            class: severity_class(item.alert.severity),
            severity: words::severity(lang, item.alert.severity),
            words: AlertWords::of(lang, item),
            since: Ago::new(
                lang,
                zone,
                item.alert.since.unwrap_or(item.observed_since),
                now,
            ),
        })
        .collect()
}

/// What an alert says: what its code means, then what the device calls it; of a code without a meaning here, the device's words alone.
pub(crate) struct AlertWords {
    pub(crate) text: String,
    /// Empty when it says no more than `text`.
    pub(crate) device: String,
    /// Group and code as they were read.
    pub(crate) raw: String,
}

impl AlertWords {
    pub(crate) fn of(lang: Lang, item: &AlertItem) -> Self {
        let alert = &item.alert;
        let raw = format!("{} · {}", alert.group, alert.code);
        let said = alert.description.trim();
        let (text, device) = match (crate::text::alerts::meaning(lang, &alert.code), said) {
            (Some(meaning), said) if said.eq_ignore_ascii_case(meaning) => (meaning, ""),
            (Some(meaning), said) => (meaning, said),
            (None, "") => (alert.code.as_str(), ""),
            (None, said) => (said, ""),
        };
        Self {
            text: text.to_owned(),
            device: device.to_owned(),
            raw,
        }
    }

    /// All of it in one line.
    pub(crate) fn line(&self) -> String {
        if self.device.is_empty() {
            self.text.clone()
        } else {
            format!("{} ({})", self.text, self.device)
        }
    }
}

/// The class of a severity's dot.
pub(crate) const fn severity_class(severity: AlertSeverity) -> &'static str {
    match severity {
        AlertSeverity::Critical => "fault",
        AlertSeverity::Warning | AlertSeverity::WarningBinaryChangeEvent => "care",
        AlertSeverity::Other => "mute",
    }
}

#[cfg(test)]
mod tests {
    use codec::model::{Colorant, SupplyType};

    use super::*;

    fn supply(class: SupplyClass, level: Level, capacity: Option<u32>) -> Supply {
        Supply {
            index: 1,
            class,
            kind: SupplyType::Toner,
            colorant: Some(Colorant::Magenta),
            description: "TN-1".to_owned(),
            part: None,
            serial: None,
            unit: CapacityUnit::TenthsOfGrams,
            capacity,
            level,
            resolution: None,
        }
    }

    #[test]
    fn a_level_that_is_not_known_is_said_and_not_drawn() {
        for (level, says) in [
            (Level::Unknown, "device reports no level"),
            (Level::Some, "some left"),
            (Level::Unlimited, "without limit"),
        ] {
            let row = supply_row(Lang::En, &supply(SupplyClass::Consumed, level, Some(100)));
            assert_eq!((row.level.as_str(), row.bar.as_str()), (says, ""));
        }
        let waste = supply_row(
            Lang::De,
            &supply(SupplyClass::Receptacle, Level::Some, None),
        );
        assert_eq!(waste.level, "noch Platz");
        let odd = supply_row(
            Lang::En,
            &supply(SupplyClass::Consumed, Level::Amount(40), None),
        );
        assert_eq!((odd.level.as_str(), odd.bar.as_str()), ("40 1/10 g", ""));
    }

    #[test]
    fn a_low_level_is_marked() {
        let row = supply_row(
            Lang::De,
            &supply(SupplyClass::Consumed, Level::Amount(60), Some(1000)),
        );
        assert_eq!(row.level, "6 %");
        assert_eq!(row.note, "60 von 1.000 1/10 g");
        assert!(row.low && row.bar.contains("magenta"));
    }

    #[test]
    fn an_oid_is_told_by_its_end() {
        assert_eq!(shortened("1.3.6.1.2.1.43.10.2.1.4.1.1"), "…2.1.4.1.1");
        assert_eq!(shortened("1.2.3.4.5"), "1.2.3.4.5");
        assert_eq!(shortened(".1.2.3.4.5"), ".1.2.3.4.5");
        assert_eq!(shortened("pjl"), "pjl");
    }

    #[test]
    fn supplies_stand_in_the_order_of_the_columns() {
        let of = |index, kind, colorant| Supply {
            index,
            kind,
            colorant,
            ..supply(SupplyClass::Consumed, Level::Percent(50), None)
        };
        let rows = supplies(
            Lang::En,
            &[
                of(1, SupplyType::Toner, Some(Colorant::Yellow)),
                of(2, SupplyType::Drum, Some(Colorant::Black)),
                of(3, SupplyType::Toner, Some(Colorant::Black)),
                of(4, SupplyType::Toner, Some(Colorant::Cyan)),
            ],
        );
        let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(
            names,
            ["Black toner", "Cyan toner", "Yellow toner", "Black drum"]
        );
    }
}
