//! UTC timestamps: milliseconds since 1970-01-01T00:00:00Z, written as RFC 3339 with `Z`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment in UTC, in milliseconds since the Unix epoch.
///
/// The text form is RFC 3339 with three decimals and `Z`: `2026-11-21T10:41:00.000Z`. The years 0000 to 9999 can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub unix_ms: i64,
}

/// A text that is no RFC 3339 UTC timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UTC timestamp of the form 2026-11-21T10:41:00.000Z")]
pub struct TimestampError;

const DAY_MS: i64 = 86_400_000;
/// 0000-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z: what four digits of year can say.
const UNIX_MS_MIN: i64 = -62_167_219_200_000;
const UNIX_MS_MAX: i64 = 253_402_300_799_999;

impl Timestamp {
    /// A moment from milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_ms(unix_ms: i64) -> Self {
        Self { unix_ms }
    }

    /// The system's time of day. Call it at the edge of a program; state machines take times as arguments.
    #[must_use]
    pub fn now() -> Self {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            unix_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        }
    }

    /// This moment moved by `ms` milliseconds, held within the range of `i64`.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self {
            unix_ms: self.unix_ms.saturating_add(ms),
        }
    }

    /// Milliseconds from `earlier` to this moment; negative when `earlier` is later.
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.unix_ms.saturating_sub(earlier.unix_ms)
    }

    /// The 24 bytes of the text form. Moments outside the years 0000 to 9999 are written as the nearest that fits.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 24] {
        let ms = self.unix_ms.clamp(UNIX_MS_MIN, UNIX_MS_MAX);
        let (year, month, day) = civil_from_days(ms.div_euclid(DAY_MS));
        let in_day = ms.rem_euclid(DAY_MS);
        let mut out = *b"0000-00-00T00:00:00.000Z";
        put_digits(&mut out[0..4], year);
        put_digits(&mut out[5..7], month);
        put_digits(&mut out[8..10], day);
        put_digits(&mut out[11..13], in_day / 3_600_000);
        put_digits(&mut out[14..16], in_day / 60_000 % 60);
        put_digits(&mut out[17..19], in_day / 1000 % 60);
        put_digits(&mut out[20..23], in_day % 1000);
        out
    }

    /// Reads the text form; the fraction may be absent or have one to nine digits (those past milliseconds are cut off).
    ///
    /// # Errors
    /// [`TimestampError`] for anything else, impossible dates included.
    pub fn parse_bytes(text: &[u8]) -> Result<Self, TimestampError> {
        let (date_time, rest) = text.split_at_checked(19).ok_or(TimestampError)?;
        let digits = |at: std::ops::Range<usize>| -> Result<i64, TimestampError> {
            date_time[at].iter().try_fold(0_i64, |sum, byte| {
                byte.is_ascii_digit()
                    .then(|| sum * 10 + i64::from(byte - b'0'))
                    .ok_or(TimestampError)
            })
        };
        let punctuation = [4, 7, 10, 13, 16].map(|at| date_time[at]);
        if &punctuation != b"--T::" {
            return Err(TimestampError);
        }
        let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
        let (hour, minute, second) = (digits(11..13)?, digits(14..16)?, digits(17..19)?);
        let possible = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour <= 23
            && minute <= 59
            && second <= 59;
        if !possible {
            return Err(TimestampError);
        }
        let days = days_from_civil(year, month, day);
        let ms = match rest {
            b"Z" => 0,
            [b'.', fraction @ .., b'Z'] if (1..=9).contains(&fraction.len()) => {
                let mut ms = 0;
                let mut weight = 100;
                for byte in fraction {
                    if !byte.is_ascii_digit() {
                        return Err(TimestampError);
                    }
                    ms += i64::from(byte - b'0') * weight;
                    weight /= 10;
                }
                ms
            }
            _ => return Err(TimestampError),
        };
        Ok(Self {
            unix_ms: days * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1000 + ms,
        })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.to_bytes();
        f.write_str(std::str::from_utf8(&bytes).expect("the text form is ASCII"))
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        Self::parse_bytes(text.as_bytes())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

fn put_digits(out: &mut [u8], mut value: i64) {
    for byte in out.iter_mut().rev() {
        *byte = b'0' + u8::try_from(value % 10).expect("a digit");
        value /= 10;
    }
}

/// The number of days of a month, 1 to 12, of the proleptic Gregorian calendar.
const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, counted in eras of 400 years that begin on 1 March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9).rem_euclid(12);
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_reads_back_what_it_wrote() {
        for text in [
            "1970-01-01T00:00:00.000Z",
            "2026-11-21T10:41:07.089Z",
            "2024-02-29T23:59:59.999Z",
            "0000-01-01T00:00:00.000Z",
            "9999-12-31T23:59:59.999Z",
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn exactly_the_dates_of_the_calendar_are_read() {
        for year in [0, 1900, 1999, 2000, 2023, 2024, 2100, 9999] {
            for month in 0..=13 {
                for day in 0..=32 {
                    let text = format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
                    let there =
                        civil_from_days(days_from_civil(year, month, day)) == (year, month, day);
                    assert_eq!(text.parse::<Timestamp>().is_ok(), there, "{text}");
                }
            }
        }
    }

    #[test]
    fn impossible_and_foreign_forms_are_refused() {
        for text in [
            "",
            "2026-11-21",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T10:41:07+01:00",
            "2026-11-21T10:41:07.Z",
            "2026-11-21 10:41:07Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimestampError), "{text}");
        }
    }
}
