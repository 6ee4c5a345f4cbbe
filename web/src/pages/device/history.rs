//! The course of a device's meters: which are drawn, over which time; what was counted as a chart, the meters themselves as a table.

use codec::id::Scope;
use codec::model::{Basis, Colour, MeterUnit, Work};
use codec::time::Timestamp;
use jiff::tz::TimeZone;
use olap::Reading;
use olap::ask::{DeviceDetail, HistoryQuery, MeterHistory};

use crate::chart::{self, LINES_MAX, Line, POINTS_MAX};
use crate::failure::Failure;
use crate::format::{self, DAY_MS};
use crate::state::Inner;
use crate::text::{Lang, fill, words};

/// Data that begin later than this after the time asked for are said to.
const SINCE_MS_MIN: i64 = 300_000;
/// Rows of the table: what a screen shows; the rest is in the CSV.
const TABLE_ROWS_MAX: usize = 40;

/// How much of the past is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Span {
    Hour,
    Day,
    Week,
    #[default]
    Month,
    Year,
}

impl Span {
    pub(super) const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Year => "1y",
        }
    }

    pub(super) fn from_word(word: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|span| span.word() == word)
            .unwrap_or_default()
    }

    pub(super) const fn name(self, lang: Lang) -> &'static str {
        let texts = lang.texts();
        match self {
            Self::Hour => texts.hour_1,
            Self::Day => texts.hours_24,
            Self::Week => texts.days_7,
            Self::Month => texts.days_30,
            Self::Year => texts.days_365,
        }
    }

    const fn ms(self) -> i64 {
        match self {
            Self::Hour => DAY_MS / 24,
            Self::Day => DAY_MS,
            Self::Week => 7 * DAY_MS,
            Self::Month => 30 * DAY_MS,
            Self::Year => 365 * DAY_MS,
        }
    }
}

/// The courses of the meters that are drawn.
pub(super) struct History {
    from: Timestamp,
    meters: Vec<(Reading, MeterHistory)>,
}

/// A row of the table: when, and each meter's value then.
pub(super) struct Row {
    pub(super) time: String,
    pub(super) values: Vec<String>,
}

/// Asks for the courses of the few meters that tell most.
pub(super) fn ask(
    parts: &Inner,
    scope: &Scope,
    detail: &DeviceDetail,
    span: Span,
    now: Timestamp,
) -> Result<History, Failure> {
    let query = HistoryQuery {
        from: now.plus_ms(-span.ms()),
        to: now.plus_ms(1),
        points_max: u32::try_from(POINTS_MAX).unwrap_or(u32::MAX),
    };
    let meters = telling(&detail.meters)
        .into_iter()
        .map(|reading| {
            let course =
                parts
                    .store
                    .meter_history(scope, detail.item.device, &reading.code, &query)?;
            Ok((reading.clone(), course))
        })
        .collect::<Result<_, Failure>>()?;
    Ok(History {
        from: query.from,
        meters: distinct(meters),
    })
}

/// Without the meters whose course one before them has: on a device that only prints, "print" is "total".
fn distinct(meters: Vec<(Reading, MeterHistory)>) -> Vec<(Reading, MeterHistory)> {
    let course = |history: &MeterHistory| {
        let base = history.points.first().map_or(0, |point| point.continuous);
        history
            .points
            .iter()
            .map(|point| (point.observed_at, point.continuous.saturating_sub(base)))
            .collect::<Vec<_>>()
    };
    let mut kept: Vec<(Reading, MeterHistory)> = Vec::new();
    for (reading, history) in meters {
        let known = kept
            .iter()
            .any(|(_, other)| course(other) == course(&history));
        if !known || history.points.is_empty() {
            kept.push((reading, history));
        }
    }
    kept
}

/// The meters worth drawing: impressions that are billed, the total first, then mono and colour, then the works. A device without a
/// billing meter shows its engine's count.
fn telling(meters: &[Reading]) -> Vec<&Reading> {
    let rank = |reading: &Reading| match (reading.work, reading.colour) {
        (Work::Total, Colour::Total) => 0,
        (Work::Total, Colour::Mono) => 1,
        (Work::Total, Colour::Colour) => 2,
        (Work::Print, Colour::Total) => 3,
        (Work::Print, Colour::Mono) => 4,
        (Work::Print, Colour::Colour) => 5,
        (Work::Copy, Colour::Total) => 6,
        (Work::Copy, Colour::Mono) => 7,
        (Work::Copy, Colour::Colour) => 8,
        _ => 9,
    };
    let of = |basis| {
        let mut of: Vec<_> = meters
            .iter()
            .filter(|reading| reading.basis == basis)
            .filter(|reading| reading.size.is_none() && reading.sides.is_none())
            .filter(|reading| reading.unit == MeterUnit::Impressions || reading.work == Work::Total)
            .collect();
        of.sort_by_key(|reading| rank(reading));
        // On a device without colour the mono total is the total: one line is enough.
        let total = of.first().map(|reading| reading.value);
        of.retain(|reading| reading.colour != Colour::Mono || Some(reading.value) != total);
        of.truncate(LINES_MAX);
        of
    };
    let billed = of(Basis::Billing);
    if billed.is_empty() {
        of(Basis::Engine)
    } else {
        billed
    }
}

impl History {
    pub(super) fn names(&self, lang: Lang) -> Vec<String> {
        self.meters
            .iter()
            .map(|(reading, _)| {
                words::meter(
                    lang,
                    reading.work,
                    reading.colour,
                    reading.unit,
                    reading.size.as_deref(),
                    reading.sides,
                )
            })
            .collect()
    }

    /// Since when there is something, where that is later than the time asked for: `seit 10:41`.
    pub(super) fn since(&self, lang: Lang, zone: &TimeZone, now: Timestamp) -> String {
        let first = self
            .meters
            .iter()
            .filter_map(|(_, course)| course.points.first())
            .map(|point| point.observed_at)
            .min();
        // A run that had begun before is cut off where the time asked for begins.
        first
            .filter(|first| first.ms_since(self.from) > SINCE_MS_MIN)
            .map(|first| {
                let time = if now.ms_since(first) < DAY_MS {
                    format::time(zone, first)
                } else {
                    format::moment(lang, zone, first, now)
                };
                fill(lang.texts().device_history_since, &[("time", &time)])
            })
            .unwrap_or_default()
    }

    /// The chart; empty when there is nothing to draw between.
    pub(super) fn draw(&self, lang: Lang, zone: &TimeZone) -> String {
        let lines: Vec<_> = self
            .names(lang)
            .into_iter()
            .zip(&self.meters)
            .map(|(name, (_, course))| counted(lang, &name, course))
            .filter(|line| !line.points.is_empty())
            .collect();
        let title = format!(
            "{}: {}",
            lang.texts().device_history,
            self.names(lang).join("; ")
        );
        chart::draw(lang, zone, &title, &lines).unwrap_or_default()
    }

    /// The newest values as a table: one row for each moment at which the first meter changed.
    pub(super) fn rows(&self, lang: Lang, zone: &TimeZone, now: Timestamp) -> Vec<Row> {
        let Some((_, first)) = self.meters.first() else {
            return Vec::new();
        };
        first
            .points
            .iter()
            .rev()
            .take(TABLE_ROWS_MAX)
            .map(|point| Row {
                time: format::moment(lang, zone, point.observed_at, now),
                values: self
                    .meters
                    .iter()
                    .map(|(_, course)| value_at(lang, course, point.observed_at))
                    .collect(),
            })
            .collect()
    }
}

/// The line of what a meter counted since the time begins: meters of any height in one picture. Resets are taken out.
fn counted(lang: Lang, name: &str, course: &MeterHistory) -> Line {
    let base = course.points.first().map_or(0, |point| point.continuous);
    let points: Vec<_> = course
        .points
        .iter()
        // A run is a value that stood: it has a beginning and an end.
        .flat_map(|point| {
            let since = point.continuous.saturating_sub(base);
            [(point.observed_at, since), (point.confirmed_until, since)]
        })
        .collect();
    let total = points.last().map_or(0, |(_, value)| *value);
    Line {
        name: format!("{name} +{}", format::number(lang, total)),
        points,
    }
}

/// A meter's value at a moment: of the last run that had begun by then.
fn value_at(lang: Lang, course: &MeterHistory, at: Timestamp) -> String {
    course
        .points
        .iter()
        .rev()
        .find(|point| point.observed_at <= at)
        .map_or_else(|| "–".to_owned(), |point| format::number(lang, point.value))
}
