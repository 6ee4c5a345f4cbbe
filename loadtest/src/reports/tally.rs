//! What came of a run: counts, and latencies as p50, p99 and the largest; printed as a table and as JSON.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

use serde::Serialize;

use super::make::Sealed;

/// How many different examples of trouble are kept: enough to see what is wrong.
const EXAMPLES_MAX: usize = 5;

/// Why a report was not taken at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trouble {
    /// No connection, or no handshake.
    Connect,
    /// The connection broke before the answer.
    Broken,
    /// 429, 503 or another status that means "later".
    Busy,
    /// A 200 without the report's receipt.
    Foreign,
    /// 401 or 403: the agent stops.
    Barred,
}

/// What came of a run so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Reports with a receipt.
    pub reports: u64,
    /// Device reports in these.
    pub devices: u64,
    /// Their sealed bytes.
    pub bytes: u64,
    /// Reports refused for good.
    pub refused: u64,
    /// Reports given up.
    pub lost: u64,
    /// Connections made.
    pub connections: u64,
    /// From the first connection to the last answer.
    pub seconds: f64,
    troubles: BTreeMap<Trouble, u64>,
    examples: Vec<String>,
    connect_us: Vec<u64>,
    receipt_us: Vec<u64>,
    knock_us: Vec<u64>,
}

/// A distribution, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Half took less.
    pub p50: f64,
    /// 99 of 100 took less.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// The summary of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Reports that were to be delivered.
    pub planned_reports: u64,
    /// Reports with a receipt.
    pub reports: u64,
    /// Device reports in these.
    pub device_reports: u64,
    /// Their sealed bytes.
    pub bytes: u64,
    /// Reports refused for good.
    pub refused: u64,
    /// Reports given up.
    pub lost: u64,
    /// Connections made.
    pub connections: u64,
    /// What went wrong on the way, and how often.
    pub troubles: BTreeMap<Trouble, u64>,
    /// Some of it, as text.
    pub examples: Vec<String>,
    /// From the first connection to the last answer.
    pub seconds: f64,
    /// Receipts per second.
    pub reports_per_second: f64,
    /// Device reports per second.
    pub device_reports_per_second: f64,
    /// TCP and TLS.
    pub connect_ms: Spread,
    /// From the first byte of the POST that was taken to its receipt.
    pub receipt_ms: Spread,
    /// From the first attempt, connection and every repetition included, to the receipt.
    pub knock_to_receipt_ms: Spread,
    /// What the manager says about it, when it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<super::verify::Applied>,
    /// What the manager's process took, when its number was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<super::verify::Process>,
}

impl Tally {
    pub(super) fn connected(&mut self, took: Duration) {
        self.connections += 1;
        self.connect_us.push(micros(took));
    }

    pub(super) fn delivered(&mut self, report: &Sealed, took: Duration, since_knock: Duration) {
        self.reports += 1;
        self.devices += u64::from(report.devices);
        self.bytes += report.bytes.len() as u64;
        self.receipt_us.push(micros(took));
        self.knock_us.push(micros(since_knock));
    }

    pub(super) fn refused(&mut self, report: &Sealed, status: u16, body: &[u8]) {
        self.refused += 1;
        let text = String::from_utf8_lossy(body);
        self.example(format!("{}: {status}: {}", report.key.agent, text.trim()));
    }

    pub(super) fn lost(&mut self, report: &Sealed) {
        self.lost += 1;
        self.example(format!("{}: given up", report.key.agent));
    }

    pub(super) fn trouble(&mut self, trouble: Trouble, what: &(impl Display + ?Sized)) {
        *self.troubles.entry(trouble).or_default() += 1;
        self.example(format!("{trouble:?}: {what}"));
    }

    fn example(&mut self, text: String) {
        if self.examples.len() < EXAMPLES_MAX && !self.examples.contains(&text) {
            self.examples.push(text);
        }
    }

    /// The summary, of so many reports planned.
    #[must_use]
    pub fn summary(&self, planned_reports: u64) -> Summary {
        let rate = |count: u64| count as f64 / self.seconds.max(f64::MIN_POSITIVE);
        Summary {
            planned_reports,
            reports: self.reports,
            device_reports: self.devices,
            bytes: self.bytes,
            refused: self.refused,
            lost: self.lost,
            connections: self.connections,
            troubles: self.troubles.clone(),
            examples: self.examples.clone(),
            seconds: self.seconds,
            reports_per_second: rate(self.reports),
            device_reports_per_second: rate(self.devices),
            connect_ms: spread(&self.connect_us),
            receipt_ms: spread(&self.receipt_us),
            knock_to_receipt_ms: spread(&self.knock_us),
            applied: None,
            manager: None,
        }
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// The distribution of these microseconds.
#[must_use]
pub fn spread(micros: &[u64]) -> Spread {
    let mut sorted = micros.to_vec();
    sorted.sort_unstable();
    let at = |per_mille: usize| {
        let rank = (sorted.len() * per_mille).div_ceil(1000).max(1) - 1;
        sorted.get(rank).map_or(0.0, |us| *us as f64 / 1000.0)
    };
    Spread {
        p50: at(500),
        p99: at(990),
        max: at(1000),
    }
}

impl Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(f, "{name:<34} {value}");
        let spread = |spread: &Spread| {
            format!(
                "p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
                spread.p50, spread.p99, spread.max
            )
        };
        row(
            "reports with a receipt",
            format!("{} of {}", self.reports, self.planned_reports),
        )?;
        row("device reports in them", self.device_reports.to_string())?;
        let per_device = self.bytes as f64 / (self.device_reports.max(1)) as f64;
        row(
            "bytes",
            format!("{} ({per_device:.0} per device report)", self.bytes),
        )?;
        row(
            "refused / given up",
            format!("{} / {}", self.refused, self.lost),
        )?;
        let troubles: Vec<String> = self
            .troubles
            .iter()
            .map(|(trouble, count)| format!("{count} {trouble:?}").to_lowercase())
            .collect();
        let troubles = if troubles.is_empty() {
            "none".to_owned()
        } else {
            troubles.join(", ")
        };
        row("came again because", troubles)?;
        row("connections", self.connections.to_string())?;
        row(
            "first connection to last receipt",
            format!("{:.2} s", self.seconds),
        )?;
        row(
            "receipts",
            format!(
                "{:.0} reports/s, {:.0} device reports/s",
                self.reports_per_second, self.device_reports_per_second
            ),
        )?;
        row("connecting", spread(&self.connect_ms))?;
        row("POST to receipt", spread(&self.receipt_ms))?;
        row("first knock to receipt", spread(&self.knock_to_receipt_ms))?;
        if let Some(applied) = &self.applied {
            row(
                "applied",
                format!(
                    "{} reports, {} device reports, {:.2} s after the first connection ({:.0} device reports/s)",
                    applied.reports,
                    applied.device_reports,
                    applied.seconds,
                    applied.device_reports_per_second
                ),
            )?;
            if let Some(devices) = applied.devices_known {
                row("devices the API knows", devices.to_string())?;
            }
        }
        if let Some(manager) = &self.manager {
            row(
                "manager: peak of memory",
                format!("{:.0} MB", manager.peak_bytes as f64 / 1e6),
            )?;
            row("manager: CPU", format!("{:.2} s", manager.cpu_seconds))?;
        }
        for example in &self.examples {
            row("  for example", example.clone())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let micros: Vec<u64> = (1..=1000).rev().map(|n| n * 1000).collect();
        let found = spread(&micros);
        assert_eq!((found.p50, found.p99, found.max), (500.0, 990.0, 1000.0));
        assert_eq!(spread(&[]), Spread::default());
        assert_eq!(spread(&[7000]).p99, 7.0);
    }
}
