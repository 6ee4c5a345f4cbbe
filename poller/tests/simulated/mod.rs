//! A device made of a fixture, whose values a test can change, and that counts what it is asked.
#![allow(dead_code)] // Each test binary uses its part.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use codec::model::DeviceReport;
use codec::time::Timestamp;
use poller::conversation::{Ask, Conversation, Failure};
use poller::device::{Depth, DevicePoll, Plan, PollContext, PollOutcome, Sections};
use poller::oid::Oid;
use poller::profile::ProfileSet;
use poller::recording::Recording;
use poller::value::{Value, ValueRef};

pub const START: Timestamp = Timestamp::from_unix_ms(1_780_000_000_000);
pub const MINUTE_MS: i64 = 60_000;

pub const UPTIME: &str = "1.3.6.1.2.1.1.3.0";
pub const SERIAL: &str = "1.3.6.1.2.1.43.5.1.1.17.1";
pub const CONFIG: &str = "1.3.6.1.2.1.43.5.1.1.1.1";
pub const EVENTS: &str = "1.3.6.1.2.1.43.5.1.1.19.1";
pub const ERRORS: &str = "1.3.6.1.2.1.25.3.5.1.2.1";
pub const TOTAL: &str = "1.3.6.1.4.1.1347.43.10.1.1.12.1.1";
pub const PRINT: &str = "1.3.6.1.4.1.1347.42.3.1.1.1.1.1";

pub fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

/// Parsed once: every test needs the same.
static PROFILES: LazyLock<Arc<ProfileSet>> = LazyLock::new(|| Arc::new(ProfileSet::embedded()));

/// A device whose values a test can change, and that counts what it is asked.
pub struct Device {
    pub variables: BTreeMap<Oid, Value>,
    pub profiles: Arc<ProfileSet>,
    pub plan: Option<Plan>,
    pub minute: i64,
    pub asks: Vec<Ask>,
    /// It never answers a request that touches one of these subtrees.
    pub silent: Vec<Oid>,
}

impl Device {
    pub fn new(fixture: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures")
            .join(fixture);
        let recording = Recording::parse(&std::fs::read(path).unwrap()).unwrap();
        let variables = recording.variables().clone();
        Self {
            variables,
            profiles: Arc::clone(&PROFILES),
            plan: None,
            minute: 0,
            asks: Vec::new(),
            silent: Vec::new(),
        }
    }

    pub fn set(&mut self, instance: &str, value: Value) {
        self.variables.insert(oid(instance), value);
    }

    /// A minute passes; the device is polled.
    pub fn poll(&mut self, depth: Depth) -> PollOutcome {
        self.poll_with(depth, Sections::ALL)
    }

    /// A minute passes; the device is asked for these sections.
    pub fn poll_sections(&mut self, sections: Sections) -> PollOutcome {
        self.poll_with(Depth::Steady, sections)
    }

    fn poll_with(&mut self, depth: Depth, sections: Sections) -> PollOutcome {
        self.minute += 1;
        if let Some(Value::TimeTicks(ticks)) = self.variables.get_mut(&oid(UPTIME)) {
            *ticks += 6000;
        }
        let mut context = PollContext::new("192.0.2.10", START.plus_ms(self.minute * MINUTE_MS), 0);
        context.depth = depth;
        context.sections = sections;
        let poll = DevicePoll::new(Arc::clone(&self.profiles), self.plan.clone(), context);
        let mut counted = Counted {
            inner: poll,
            asks: Vec::new(),
            silent: self.silent.clone(),
        };
        Recording::of(self.variables.clone()).answer(&mut counted);
        self.asks = counted.asks;
        let outcome = counted.inner.into_outcome();
        self.plan.clone_from(&outcome.plan);
        outcome
    }

    pub fn gets(&self) -> Vec<usize> {
        let gets = self.asks.iter().filter_map(|ask| match ask {
            Ask::Get(oids) => Some(oids.len()),
            Ask::Walk { .. } => None,
        });
        gets.collect()
    }
}

struct Counted {
    inner: DevicePoll,
    asks: Vec<Ask>,
    silent: Vec<Oid>,
}

impl Counted {
    /// Whether the present ask gets no answer.
    fn is_silent(&self) -> bool {
        let Some(Ask::Get(oids) | Ask::Walk { columns: oids, .. }) = self.asks.last() else {
            return false;
        };
        let is_below = |oid: &Oid| self.silent.iter().any(|it| oid.suffix_of(it).is_some());
        oids.iter().any(is_below)
    }
}

impl Conversation for Counted {
    fn next_ask(&mut self) -> Option<Ask> {
        let ask = self.inner.next_ask()?;
        self.asks.push(ask.clone());
        Some(ask)
    }

    fn variable(&mut self, ask_index: usize, oid: &Oid, value: ValueRef<'_>) {
        if !self.is_silent() {
            self.inner.variable(ask_index, oid, value);
        }
    }

    fn answered(&mut self, failure: Option<Failure>) {
        let silence = self.is_silent().then_some(Failure::Timeout);
        self.inner.answered(silence.or(failure));
    }
}

pub fn report(outcome: PollOutcome) -> DeviceReport {
    outcome.report.expect("a report")
}

pub fn total(report: &DeviceReport) -> u64 {
    let meters = report.meters.read().unwrap();
    meters
        .iter()
        .find(|meter| meter.code() == "total.total.impressions")
        .unwrap()
        .value
}
