//! How numbers, ages and times are written, per language. No clock: the present is an argument.

use codec::time::Timestamp;
use jiff::tz::TimeZone;

use crate::text::Lang;

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// A day, in milliseconds.
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// A count with its thousands grouped: `1,234,567` or `1.234.567`.
pub(crate) fn number(lang: Lang, value: u64) -> String {
    let digits = value.to_string();
    let mark = lang.pick(',', '.');
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(mark);
        }
        grouped.push(digit);
    }
    grouped
}

/// A number with one decimal at most: `98.7` or `98,7`.
pub(crate) fn decimal(lang: Lang, value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    text.replace('.', lang.pick(".", ","))
}

/// The part `part` is of `whole`, in per cent with one decimal; 100 % only when it is all.
pub(crate) fn share(lang: Lang, part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0".to_owned();
    }
    let tenths = u128::from(part) * 1000 / u128::from(whole);
    // At most 1000 of sane input: exact in an f64.
    #[allow(clippy::cast_precision_loss)]
    decimal(lang, tenths as f64 / 10.0)
}

/// The marks of an age's units: seconds, minutes, hours, days, and one day alone. The script that keeps ages alive gets the same list.
pub(crate) const fn age_units(lang: Lang) -> [&'static str; 5] {
    match lang {
        Lang::En => ["s", "min", "h", "d", "d"],
        Lang::De => ["s", "min", "Std.", "T", "Tag"],
    }
}

/// How long ago something was: `12 s`, `6 min`, `3 h`, `2 d 4 h`. What lies in the future is `0 s`.
pub(crate) fn age(lang: Lang, ms: i64) -> String {
    let [s, min, h, d, day] = age_units(lang);
    match ms.max(0) {
        ms if ms < MINUTE_MS => format!("{} {s}", ms / SECOND_MS),
        ms if ms < HOUR_MS => format!("{} {min}", ms / MINUTE_MS),
        ms if ms < DAY_MS => format!("{} {h}", ms / HOUR_MS),
        ms if ms < 10 * DAY_MS && ms % DAY_MS >= HOUR_MS => {
            format!("{} {d} {} {h}", ms / DAY_MS, ms % DAY_MS / HOUR_MS)
        }
        ms if ms < 2 * DAY_MS => format!("1 {day}"),
        ms => format!("{} {d}", ms / DAY_MS),
    }
}

/// The time zone of a site; UTC when the name is none.
pub(crate) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// A moment on a site's clock.
fn zoned(zone: &TimeZone, at: Timestamp) -> jiff::Zoned {
    jiff::Timestamp::from_millisecond(at.unix_ms)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_zoned(zone.clone())
}

const MONTHS_EN: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const MONTHS_DE: [&str; 12] = [
    "Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sep.", "Okt.", "Nov.", "Dez.",
];

fn month(lang: Lang, month: i8) -> &'static str {
    let at = usize::try_from(month - 1).unwrap_or(0).min(11);
    lang.pick(MONTHS_EN, MONTHS_DE)[at]
}

/// A day: `21 Nov 2026` or `21. Nov. 2026`.
pub(crate) fn date(lang: Lang, zone: &TimeZone, at: Timestamp) -> String {
    format!("{} {}", day(lang, zone, at), zoned(zone, at).year())
}

/// A day within a year that is known: `21 Nov` or `21. Nov.`.
pub(crate) fn day(lang: Lang, zone: &TimeZone, at: Timestamp) -> String {
    let at = zoned(zone, at);
    let dot = lang.pick("", ".");
    format!("{}{dot} {}", at.day(), month(lang, at.month()))
}

/// A time of day: `10:41`.
pub(crate) fn time(zone: &TimeZone, at: Timestamp) -> String {
    let at = zoned(zone, at);
    format!("{:02}:{:02}", at.hour(), at.minute())
}

/// A time of day to the second: `10:41:07`.
pub(crate) fn time_seconds(zone: &TimeZone, at: Timestamp) -> String {
    let at = zoned(zone, at);
    format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
}

/// A moment to the minute, without the year when it is this year's: `21 Nov 10:41`.
pub(crate) fn moment(lang: Lang, zone: &TimeZone, at: Timestamp, now: Timestamp) -> String {
    let day = if zoned(zone, at).year() == zoned(zone, now).year() {
        day(lang, zone, at)
    } else {
        date(lang, zone, at)
    };
    format!("{day} {}", time(zone, at))
}

/// A moment to the second with its zone, for tool tips: `21 Nov 2026 10:41:07 CET`.
pub(crate) fn moment_full(lang: Lang, zone: &TimeZone, at: Timestamp) -> String {
    let on_clock = zoned(zone, at);
    format!(
        "{} {:02}:{:02}:{:02} {}",
        date(lang, zone, at),
        on_clock.hour(),
        on_clock.minute(),
        on_clock.second(),
        on_clock.strftime("%Z")
    )
}

/// Bytes in the largest unit that fits: `211 MB`.
pub(crate) fn bytes(lang: Lang, bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..10_000_000_000 => format!("{} MB", number(lang, bytes / 1_000_000)),
        _ => format!("{} GB", number(lang, bytes / 1_000_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_as_the_language_does() {
        assert_eq!(number(Lang::En, 1_234_567), "1,234,567");
        assert_eq!(number(Lang::De, 1_234_567), "1.234.567");
        assert_eq!(number(Lang::De, 999), "999");
        assert_eq!(number(Lang::En, 0), "0");
        assert_eq!(share(Lang::De, 987, 1000), "98,7");
        assert_eq!(share(Lang::En, 1000, 1000), "100");
        assert_eq!(share(Lang::En, 9999, 10_000), "99.9");
        assert_eq!(share(Lang::En, 0, 0), "0");
    }

    #[test]
    fn an_age_has_one_unit_or_days_with_hours() {
        assert_eq!(age(Lang::En, -5), "0 s");
        assert_eq!(age(Lang::En, 59_999), "59 s");
        assert_eq!(age(Lang::En, 6 * MINUTE_MS + 7), "6 min");
        assert_eq!(age(Lang::De, 3 * HOUR_MS), "3 Std.");
        assert_eq!(age(Lang::En, 2 * DAY_MS + 4 * HOUR_MS), "2 d 4 h");
        assert_eq!(age(Lang::De, 2 * DAY_MS), "2 T");
        assert_eq!(age(Lang::De, DAY_MS), "1 Tag");
        assert_eq!(age(Lang::De, DAY_MS + HOUR_MS), "1 T 1 Std.");
        assert_eq!(age(Lang::En, 40 * DAY_MS + 4 * HOUR_MS), "40 d");
    }

    #[test]
    fn a_moment_is_on_the_sites_clock() {
        let berlin = zone("Europe/Berlin");
        let at: Timestamp = "2026-07-21T22:41:07Z".parse().unwrap();
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        assert_eq!(moment(Lang::De, &berlin, at, now), "22. Juli 00:41");
        assert_eq!(moment(Lang::En, &TimeZone::UTC, at, now), "21 Jul 22:41");
        assert_eq!(
            moment(Lang::En, &TimeZone::UTC, at.plus_ms(-400 * DAY_MS), now),
            "16 Jun 2025 22:41"
        );
        assert_eq!(
            moment_full(Lang::De, &berlin, at),
            "22. Juli 2026 00:41:07 CEST"
        );
        assert_eq!(
            moment_full(Lang::En, &zone("Nowhere/Here"), at),
            "21 Jul 2026 22:41:07 UTC"
        );
    }
}
