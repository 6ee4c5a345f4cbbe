//! Whether what was acknowledged is applied, once: the manager's own counters before and after, and what its API knows.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::ReportsError;
use super::http::Target;

/// How often the manager is asked.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long the last batch may take into the store after its reports were counted.
const COMMIT_MAX: Duration = Duration::from_secs(30);
/// Linux counts a process's time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// The door's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    acknowledged: u64,
    duplicates: u64,
    applied_reports: u64,
    applied_devices: u64,
}

/// What the manager applied.
#[derive(Clone, Debug, Serialize)]
pub struct Applied {
    /// Reports.
    pub reports: u64,
    /// Device reports.
    pub device_reports: u64,
    /// Reports that came again and got the same receipt again.
    pub duplicates: u64,
    /// From the first connection until all of it was applied.
    pub seconds: f64,
    /// Device reports applied per second of that.
    pub device_reports_per_second: f64,
    /// Devices that the API knows, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices_known: Option<u64>,
}

impl Applied {
    /// It took longer than was thought.
    pub(super) fn took(&mut self, took: Duration) {
        self.seconds = took.as_secs_f64();
        self.device_reports_per_second = self.device_reports as f64 / self.seconds;
    }
}

/// What a process took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Process {
    /// The most memory it ever had resident.
    pub peak_bytes: u64,
    /// Processor time since the run began.
    pub cpu_seconds: f64,
}

/// Asks for a page; `authorization` is a header's value.
///
/// # Errors
/// [`ReportsError`] without a 200.
pub async fn get(
    target: &Target,
    what: &'static str,
    path: &str,
    authorization: Option<&str>,
) -> Result<String, ReportsError> {
    let headers =
        authorization.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
    let head = target.head("GET", path, &headers, 0);
    let answer = async { target.connect().await?.ask(&head, &[]).await }
        .await
        .map_err(|source| ReportsError::Ask { what, source })?;
    if answer.status != 200 {
        return Err(ReportsError::Status {
            path: path.to_owned(),
            status: answer.status,
            hint: if path == "/metrics" {
                ": with metrics = \"loopback\" (the default) it is open to this machine"
            } else {
                ""
            },
        });
    }
    Ok(String::from_utf8_lossy(&answer.body).into_owned())
}

/// The door's counters now.
///
/// # Errors
/// When `/metrics` cannot be read.
pub async fn counters(target: &Target) -> Result<Counters, ReportsError> {
    let text = get(target, "its metrics", "/metrics", None).await?;
    let of = |name: &str| counter(&text, name);
    Ok(Counters {
        acknowledged: of("acknowledged"),
        duplicates: of("duplicates"),
        applied_reports: of("applied_reports"),
        applied_devices: of("applied_devices"),
    })
}

/// One of the door's counters; one that was never counted is 0.
fn counter(metrics: &str, name: &str) -> u64 {
    let line = format!("platen_ingest_{name}_total ");
    metrics
        .lines()
        .find_map(|text| text.strip_prefix(line.as_str())?.trim().parse().ok())
        .unwrap_or(0)
}

/// Waits until as many reports are applied as were acknowledged since `before`, and checks that none was applied twice.
///
/// # Errors
/// [`ReportsError::Verification`] when the figures do not come out within `longest`.
pub async fn wait_until_applied(
    target: &Target,
    before: Counters,
    (reports, device_reports): (u64, u64),
    began: Instant,
    longest: Duration,
) -> Result<Applied, ReportsError> {
    let until = Instant::now() + longest;
    loop {
        let now = counters(target).await?;
        let since = |now: u64, before: u64| now.saturating_sub(before);
        let acknowledged = since(now.acknowledged, before.acknowledged);
        let duplicates = since(now.duplicates, before.duplicates);
        let applied = since(now.applied_reports, before.applied_reports);
        let devices = since(now.applied_devices, before.applied_devices);
        let told = || {
            format!(
                "{reports} reports with {device_reports} device reports have a receipt; the manager counts {acknowledged} acknowledged, \
                 {duplicates} of them duplicates, {applied} reports and {devices} device reports applied"
            )
        };
        if applied > reports || devices > device_reports {
            return Err(ReportsError::Verification(format!(
                "too much is applied: {}",
                told()
            )));
        }
        if applied == reports && devices == device_reports && acknowledged - duplicates == reports {
            let seconds = began.elapsed().as_secs_f64();
            return Ok(Applied {
                reports: applied,
                device_reports: devices,
                duplicates,
                seconds,
                device_reports_per_second: devices as f64 / seconds,
                devices_known: None,
            });
        }
        if Instant::now() > until {
            return Err(ReportsError::Verification(format!(
                "not everything is applied: {}",
                told()
            )));
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Waits until the API knows at least so many devices, at most [`COMMIT_MAX`]; how many it knows then.
///
/// # Errors
/// When it does not answer.
pub async fn wait_until_known(
    target: &Target,
    authorization: &str,
    expected: u64,
) -> Result<u64, ReportsError> {
    let until = Instant::now() + COMMIT_MAX;
    loop {
        let known = devices_known(target, authorization).await?;
        if known >= expected || Instant::now() > until {
            return Ok(known);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// How many devices the API knows.
///
/// # Errors
/// When it does not answer.
pub async fn devices_known(target: &Target, authorization: &str) -> Result<u64, ReportsError> {
    let path = "/api/v1/devices?limit=1";
    let text = get(target, "its devices", path, Some(authorization)).await?;
    serde_json::from_str::<serde_json::Value>(&text)
        .ok()
        .and_then(|page| page["total"].as_u64())
        .ok_or_else(|| ReportsError::Verification(format!("{path} tells no total")))
}

/// Processor seconds of a process so far; 0 where that cannot be known.
#[must_use]
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is the program's name in parentheses, which may hold spaces: count from behind it.
    let ticks: f64 = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().skip(11).take(2))
        .into_iter()
        .flatten()
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / TICKS_PER_SECOND
}

/// The most memory a process ever had resident, in bytes; 0 where that cannot be known.
#[must_use]
pub fn peak_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .trim()
                .strip_suffix("kB")?
                .trim()
                .parse::<u64>()
                .ok()
        })
        .unwrap_or(0)
        * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_in_openmetrics_text() {
        let text = "# TYPE platen_ingest_applied_reports counter\nplaten_ingest_applied_reports_total 12\n# EOF\n";
        assert_eq!(counter(text, "applied_reports"), 12);
        assert_eq!(counter(text, "applied_devices"), 0);
    }
}
