//! Values of every table: durations, numbers, rates, words, paths, secrets.

use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;

use super::{Reader, Result};
use crate::config::locate::ConfigError;
use crate::config::secret::Secret;
use crate::config::units;

/// The lowest upload rate: below it no report is delivered within the timeout.
const RATE_BYTES_MIN: u64 = 1000;

impl Reader<'_> {
    pub(super) fn path(&self, text: &Spanned<String>) -> PathBuf {
        self.base.join(text.get_ref())
    }

    /// A secret that stands in the file or in a file of its own.
    pub(super) fn secret(
        &self,
        table: &Range<usize>,
        (name, here): (&str, &Option<Spanned<Secret>>),
        (file_name, file): (&str, &Option<Spanned<String>>),
    ) -> Result<Option<Secret>> {
        let secret = match (here, file) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(self.text.error(
                    table,
                    format!("there are both `{name}` and `{file_name}`"),
                    "one of the two",
                ));
            }
            (Some(here), None) => here.get_ref().clone(),
            (None, Some(file)) => {
                let path = self.path(file);
                let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Read {
                    what: format!("the file that `{file_name}` names,"),
                    path,
                    source,
                })?;
                Secret::new(text.trim().to_owned())
            }
        };
        if secret.reveal().is_empty() || secret.reveal().contains(|c: char| c.is_control()) {
            return Err(self.text.error(
                table,
                format!("`{name}` is empty or has control characters"),
                "one line of printable text",
            ));
        }
        Ok(Some(secret))
    }

    pub(super) fn duration(
        &self,
        text: &Option<Spanned<String>>,
        default: Duration,
        accepted: RangeInclusive<Duration>,
    ) -> Result<Duration> {
        let Some(text) = text else { return Ok(default) };
        let duration = units::duration(text.get_ref());
        duration
            .filter(|duration| accepted.contains(duration))
            .ok_or_else(|| {
                let problem = match duration {
                    None => "not a duration",
                    Some(short) if short < *accepted.start() => "too short",
                    Some(_) => "too long",
                };
                self.text.error(
                    &text.span(),
                    problem,
                    format!(
                        "{}, from {:?} to {:?}",
                        units::DURATION_FORM,
                        accepted.start(),
                        accepted.end()
                    ),
                )
            })
    }

    pub(super) fn number<T: TryFrom<i64> + PartialOrd + std::fmt::Display>(
        &self,
        number: &Option<Spanned<i64>>,
        default: T,
        accepted: RangeInclusive<T>,
    ) -> Result<T> {
        let Some(number) = number else {
            return Ok(default);
        };
        T::try_from(*number.get_ref())
            .ok()
            .filter(|value| accepted.contains(value))
            .ok_or_else(|| {
                self.text.error(
                    &number.span(),
                    format!("{} is out of range", number.get_ref()),
                    format!(
                        "a whole number from {} to {}",
                        accepted.start(),
                        accepted.end()
                    ),
                )
            })
    }

    pub(super) fn rate(&self, text: &Option<Spanned<String>>) -> Result<Option<u64>> {
        let Some(text) = text else { return Ok(None) };
        units::bytes_per_second(text.get_ref())
            .filter(|rate| *rate >= RATE_BYTES_MIN)
            .map(Some)
            .ok_or_else(|| {
                self.text.error(
                    &text.span(),
                    "not a rate, or too low to deliver a report",
                    format!("{}, at least 1 kB/s", units::RATE_FORM),
                )
            })
    }

    pub(super) fn word<T: Copy>(
        &self,
        text: &Option<Spanned<String>>,
        default: T,
        words: &[(&str, T)],
    ) -> Result<T> {
        text.as_ref()
            .map_or(Ok(default), |text| self.chosen(text, words))
    }

    pub(super) fn chosen<T: Copy>(&self, text: &Spanned<String>, words: &[(&str, T)]) -> Result<T> {
        words
            .iter()
            .find(|(word, _)| word == text.get_ref())
            .map(|(_, value)| *value)
            .ok_or_else(|| {
                let known: Vec<_> = words
                    .iter()
                    .map(|(word, _)| format!("\"{word}\""))
                    .collect();
                self.text.error(
                    &text.span(),
                    format!("{:?} is not known", text.get_ref()),
                    known.join(", "),
                )
            })
    }
}
