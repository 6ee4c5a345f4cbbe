//! `/metrics` in the OpenMetrics text format: the requests counted here, the door's figures, and the process's.

use std::borrow::Cow;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use axum::extract::{Request, State as Held};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use crate::config::{Config, MetricsAccess};
use crate::failure::Failure;
use crate::state::State;
use crate::visit::client;

/// How long `/metrics` waits for what the store says of its memory: it must answer when all else is busy.
const STORE_MEMORY_WAIT: Duration = Duration::from_millis(500);

/// The part of the web layer that a request is for. The words of a label, so that their number is bounded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SurfaceLabel {
    surface: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabel {
    surface: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabel {
    surface: &'static str,
    status: u16,
    reason: String,
}

/// What the store's engine needs memory for, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UseLabel {
    used_for: String,
}

/// Why an answer is no good news, as a stable word: put beside the answer, and counted.
#[derive(Clone, Debug)]
pub(crate) struct Reason(pub(crate) Cow<'static, str>);

/// The metrics of the web layer, and the registry of all that `/metrics` shows.
pub(crate) struct Metrics {
    requests: Family<AnswerLabel, Counter>,
    refusals: Family<RefusalLabel, Counter>,
    seconds: Family<SurfaceLabel, Histogram>,
    process: Process,
    store_bytes: Family<UseLabel, Gauge>,
    registry: Registry,
}

/// What the operating system says of this process, read when asked.
#[derive(Default)]
struct Process {
    resident_bytes: Gauge<i64, AtomicI64>,
    peak_bytes: Gauge<i64, AtomicI64>,
    threads: Gauge<i64, AtomicI64>,
    open_files: Gauge<i64, AtomicI64>,
    cpu_seconds: Gauge<f64, AtomicU64>,
}

impl Metrics {
    /// The metrics, together with what `more` registers.
    pub(crate) fn new(more: impl FnOnce(&mut Registry)) -> Self {
        let mut registry = Registry::with_prefix("platen");
        let requests = Family::default();
        let refusals = Family::default();
        // 0.5 ms to 16 s.
        let seconds: Family<SurfaceLabel, Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.0005, 2.0, 16)));
        let process = Process::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register(
            "http_refusals",
            "Requests answered with 400 or more, by reason",
            refusals.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Seconds from the request's head to the answer's head",
            Unit::Seconds,
            seconds.clone(),
        );
        registry.register_with_unit(
            "process_resident_memory",
            "Bytes of memory in use",
            Unit::Bytes,
            process.resident_bytes.clone(),
        );
        registry.register_with_unit(
            "process_resident_memory_peak",
            "Bytes of memory in use at the most since the start",
            Unit::Bytes,
            process.peak_bytes.clone(),
        );
        let store_bytes = Family::default();
        registry.register_with_unit(
            "store_memory",
            "Bytes of memory that the store's engine takes for itself, by what for",
            Unit::Bytes,
            store_bytes.clone(),
        );
        registry.register("process_threads", "Threads", process.threads.clone());
        registry.register(
            "process_open_files",
            "File descriptors in use",
            process.open_files.clone(),
        );
        registry.register_with_unit(
            "process_cpu",
            "Seconds of processor time used since the start",
            Unit::Seconds,
            process.cpu_seconds.clone(),
        );
        more(&mut registry);
        Self {
            requests,
            refusals,
            seconds,
            process,
            store_bytes,
            registry,
        }
    }

    /// Takes over what the store's engine says of its memory; what it says nothing of now stays as it was.
    fn store_memory(&self, told: Vec<(String, u64)>) {
        for (used_for, bytes) in told {
            self.store_bytes
                .get_or_create(&UseLabel { used_for })
                .set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    /// The OpenMetrics text.
    pub(crate) fn encode(&self) -> Result<String, std::fmt::Error> {
        self.process.read();
        let mut encoded = String::with_capacity(16 * 1024);
        text::encode(&mut encoded, &self.registry)?;
        Ok(encoded)
    }

    /// Memory in use, in bytes; 0 where the system does not tell.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.process.read();
        u64::try_from(self.process.resident_bytes.get()).unwrap_or(0)
    }

    fn count(
        &self,
        surface: &'static str,
        status: StatusCode,
        reason: Option<&Reason>,
        took: Duration,
    ) {
        if status.is_client_error() || status.is_server_error() {
            let reason = reason.map_or("other", |reason| &*reason.0).to_owned();
            let status = status.as_u16();
            self.refusals
                .get_or_create(&RefusalLabel {
                    surface,
                    status,
                    reason,
                })
                .inc();
        }
        self.requests
            .get_or_create(&AnswerLabel {
                surface,
                status: status.as_u16(),
            })
            .inc();
        self.seconds
            .get_or_create(&SurfaceLabel { surface })
            .observe(took.as_secs_f64());
    }
}

impl Process {
    /// Reads `/proc/self`. On systems without it the figures stay 0.
    fn read(&self) {
        /// Linux counts processor time in hundredths of a second (`sysconf(_SC_CLK_TCK)` is 100 on every platform we run on).
        const TICKS_PER_SECOND: f64 = 100.0;
        if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
            let field = |name: &str| {
                status
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .and_then(|rest| rest.split_whitespace().next())
                    .and_then(|number| number.parse::<i64>().ok())
                    .unwrap_or(0)
            };
            self.resident_bytes
                .set(field("VmRSS:").saturating_mul(1024));
            self.peak_bytes.set(field("VmHWM:").saturating_mul(1024));
            self.threads.set(field("Threads:"));
        }
        if let Ok(stat) = std::fs::read_to_string("/proc/self/stat") {
            // The second field is the program's name in parentheses, which may hold spaces: count from behind it.
            let ticks: f64 = stat
                .rsplit_once(')')
                .map(|(_, rest)| rest.split_whitespace().skip(11).take(2))
                .into_iter()
                .flatten()
                .filter_map(|field| field.parse::<f64>().ok())
                .sum();
            self.cpu_seconds.set(ticks / TICKS_PER_SECOND);
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            self.open_files
                .set(i64::try_from(files.count()).unwrap_or(i64::MAX));
        }
    }
}

/// Counts every request by the part it is for.
pub(crate) async fn count(Held(state): Held<State>, request: Request, next: Next) -> Response {
    let surface = surface(request.uri().path());
    let began = Instant::now();
    let response = next.run(request).await;
    let reason = response.extensions().get::<Reason>();
    state
        .metrics
        .count(surface, response.status(), reason, began.elapsed());
    response
}

fn surface(path: &str) -> &'static str {
    let mut parts = path.split('/').skip(1);
    match parts.next().unwrap_or_default() {
        "v1" => match parts.next().unwrap_or_default() {
            "enrol" | "key" => "enrolment",
            _ => "reports",
        },
        "api" => "api",
        "soap" => "soap",
        "assets" => "assets",
        "metrics" | "healthz" => "monitoring",
        _ => "pages",
    }
}

/// The type of what `/metrics` answers.
pub(crate) const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Whether the operator lets this asker read the metrics.
pub(crate) fn may_read(config: &Config, request: &Request) -> bool {
    match &config.metrics {
        MetricsAccess::Everybody => true,
        // Behind a proxy on this machine everybody would be "this machine": what a proxy forwards is not.
        MetricsAccess::Loopback => {
            client::peer(request.extensions()).is_loopback()
                && client::address(config, request.headers(), request.extensions()).is_loopback()
                && !request.headers().contains_key("x-forwarded-for")
        }
        MetricsAccess::Token(token) => request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .is_some_and(|given| given.as_bytes().ct_eq(token.as_bytes()).into()),
    }
}

/// The answer to who may not.
pub(crate) fn refused() -> Response {
    (
        StatusCode::FORBIDDEN,
        "metrics are not open to this address: see `metrics` in platen.toml\n",
    )
        .into_response()
}

/// `GET /metrics`.
pub(crate) async fn show(Held(state): Held<State>, request: Request) -> Response {
    if !may_read(&state.config, &request) {
        return refused();
    }
    state.ingest.measure();
    // Asked beside all else that is asked of the store: when that takes long, the figures are those of the last time.
    let told = state.blocking(|parts| Ok(parts.store.memory()?));
    if let Ok(Ok(told)) = tokio::time::timeout(STORE_MEMORY_WAIT, told).await {
        state.metrics.store_memory(told);
    }
    match state.metrics.encode() {
        Ok(encoded) => ([(header::CONTENT_TYPE, OPENMETRICS)], encoded).into_response(),
        Err(error) => Failure::internal(error).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_openmetrics_and_has_the_processs_memory() {
        let metrics = Metrics::new(|_| {});
        metrics.count("api", StatusCode::OK, None, Duration::from_millis(3));
        let slow = Reason("slow-body".into());
        let status = StatusCode::REQUEST_TIMEOUT;
        metrics.count("api", status, Some(&slow), Duration::from_millis(3));
        let text = metrics.encode().unwrap();
        assert!(text.ends_with("# EOF\n"));
        assert!(text.contains("platen_http_requests_total{surface=\"api\",status=\"200\"} 1"));
        assert!(text.contains(
            "platen_http_refusals_total{surface=\"api\",status=\"408\",reason=\"slow-body\"} 1"
        ));
        if cfg!(target_os = "linux") {
            assert!(metrics.resident_bytes() > 1_000_000);
        }
    }
}
