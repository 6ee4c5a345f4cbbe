//! Durations, sizes, rates and times of day as people write them: `5m`, `1h 30m`, `200 MB`, `500 kB/s`, `22:00-05:30`.
//!
//! Every reader takes the text and says in its error what it accepts; none knows of files or lines.

use std::time::Duration;

/// What a duration looks like.
pub const DURATION_FORM: &str =
    "a duration such as \"500 ms\", \"30 s\", \"5m\", \"1h 30m\" or \"7d\"";
/// What a size looks like.
pub const SIZE_FORM: &str = "a size such as \"64 kB\", \"200 MB\", \"1.5 GB\" or \"512 MiB\"";
/// What a rate of bytes looks like.
pub const RATE_FORM: &str = "a rate such as \"250 kB/s\" or \"2 MB/s\"";
/// What a span of the day looks like.
pub const DAY_SPAN_FORM: &str = "two times of day such as \"22:00-05:30\"";

/// The longest duration that is taken: ten years, so that sums of milliseconds cannot overflow.
const DURATION_MAX: Duration = Duration::from_secs(3650 * 86_400);

/// Reads one or more numbers with a unit each: `ms`, `s`, `m` or `min`, `h`, `d`.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut sum = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = leading_number(rest)?;
        let unit_end = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let unit_ms: f64 = match unit {
            "ms" => 1.0,
            "s" => 1e3,
            "m" | "min" => 6e4,
            "h" => 3.6e6,
            "d" => 8.64e7,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number * unit_ms / 1e3).ok()?;
        sum = sum
            .checked_add(part)
            .filter(|total| *total <= DURATION_MAX)?;
        rest = after.trim_start();
    }
    Some(sum)
}

/// Reads a number with a unit of bytes: `B`, `kB`, `MB`, `GB`, `TB`, `KiB`, `MiB`, `GiB`, `TiB`.
#[must_use]
pub fn size_bytes(text: &str) -> Option<u64> {
    let (number, unit) = leading_number(text.trim())?;
    let unit_bytes: f64 = match unit.trim() {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        "TiB" => 1_099_511_627_776.0,
        _ => return None,
    };
    let bytes = (number * unit_bytes).round();
    // 2^53: up to here every whole number of bytes is exact.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 0 to 2^53, as is checked before"
    )]
    (0.0..=9_007_199_254_740_992.0)
        .contains(&bytes)
        .then_some(bytes as u64)
}

/// Reads a size per second.
#[must_use]
pub fn bytes_per_second(text: &str) -> Option<u64> {
    size_bytes(text.trim().strip_suffix("/s")?)
}

/// A span of the day by the local clock, from a minute (inclusive) to a minute (exclusive); it may pass midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DaySpan {
    /// Minutes after midnight where it begins.
    pub from_minute: u16,
    /// Minutes after midnight where it ends.
    pub until_minute: u16,
}

impl DaySpan {
    /// Whether the minute of the day lies in the span.
    #[must_use]
    pub const fn contains(self, minute: u16) -> bool {
        if self.from_minute <= self.until_minute {
            self.from_minute <= minute && minute < self.until_minute
        } else {
            minute >= self.from_minute || minute < self.until_minute
        }
    }
}

/// Reads `HH:MM-HH:MM`.
#[must_use]
pub fn day_span(text: &str) -> Option<DaySpan> {
    let (from, until) = text.split_once('-')?;
    let minute = |text: &str| -> Option<u16> {
        let (hours, minutes) = text.trim().split_once(':')?;
        if hours.is_empty() || hours.len() > 2 || minutes.len() != 2 {
            return None;
        }
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours <= 23 && minutes <= 59 || hours == 24 && minutes == 0)
            .then_some(hours * 60 + minutes)
    };
    let span = DaySpan {
        from_minute: minute(from)?,
        until_minute: minute(until)?,
    };
    (span.from_minute != span.until_minute).then_some(span)
}

/// A decimal number without sign or exponent, and what follows it without blanks.
fn leading_number(text: &str) -> Option<(f64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    Some((number, text[end..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let ms = |text| duration(text).map(|d| d.as_millis());
        assert_eq!(ms("5m"), Some(300_000));
        assert_eq!(ms("500 ms"), Some(500));
        assert_eq!(ms("1h 30m"), Some(5_400_000));
        assert_eq!(ms("1.5 s"), Some(1500));
        assert_eq!(ms("7d"), Some(604_800_000));
        for refused in [
            "", "5", "m", "5 weeks", "-5m", "5m later", "1e9d", "99999d", ".",
        ] {
            assert_eq!(ms(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn sizes_and_rates_are_read_as_people_write_them() {
        assert_eq!(size_bytes("200 MB"), Some(200_000_000));
        assert_eq!(size_bytes("1.5GB"), Some(1_500_000_000));
        assert_eq!(size_bytes("64 KiB"), Some(65_536));
        assert_eq!(bytes_per_second("250 kB/s"), Some(250_000));
        for refused in ["", "200", "MB", "-1 MB", "1 mb", "9999999 TB"] {
            assert_eq!(size_bytes(refused), None, "{refused:?}");
        }
        assert_eq!(bytes_per_second("250 kB"), None);
    }

    #[test]
    fn a_span_of_the_day_may_pass_midnight() {
        let night = day_span("22:00-05:30").unwrap();
        assert!(night.contains(22 * 60) && night.contains(0) && night.contains(5 * 60 + 29));
        assert!(!night.contains(5 * 60 + 30) && !night.contains(12 * 60));
        let noon = day_span("12:00-13:00").unwrap();
        assert!(noon.contains(12 * 60) && !noon.contains(13 * 60));
        for refused in [
            "",
            "22-5",
            "22:00",
            "25:00-05:00",
            "22:60-05:00",
            "07:00-07:00",
        ] {
            assert_eq!(day_span(refused), None, "{refused:?}");
        }
    }
}
