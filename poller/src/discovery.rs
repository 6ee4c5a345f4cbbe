//! Finding devices: every address of some ranges is asked by SNMP who it is.
//!
//! | module | what it holds |
//! |---|---|
//! | [`entry`] | what people write when they mean many addresses |
//! | `names` | host names, looked up on the side |
//! | `probe` | the question who a device is |
//! | `space` | addresses as numbers, and sets of them |
//! | [`sweep`] | which address is asked next |
//!
//! Nothing stands in front of SNMP: a printer that answers it is found, whatever else it filters. Other signs of life
//! ([`Hints`]) change the order and explain a silence.

pub mod entry;
mod names;
mod probe;
mod space;
pub mod sweep;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use entry::{Hosts, RANGE_FORM, RangeEntry, RangeError, shown};
pub use names::Resolved;
pub use probe::Found;
use probe::Probe;
pub use sweep::{Candidate, Sweep, SweepProgress, SweepRange, addresses};

use crate::driver::{DriverChoice, Loop};
use crate::engine::{
    Engine, Ids, Job, Memory, Pace, PollError, PollOptions, SNMP_PORT, Target, Transport,
};

/// How often progress is told, at most.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// How soon a stop is seen.
const STOP_INTERVAL: Duration = Duration::from_millis(100);

/// How soon a sign of life is looked for when nothing else happens.
const HINTS_INTERVAL: Duration = Duration::from_millis(20);

/// Addresses under way at once, at least and at most. In between it is as many as keep the rate up although none answers.
const INFLIGHT_MIN: usize = 64;
const INFLIGHT_MAX: usize = 32_768;

/// Addresses under way at once where some are asked by TCP: each has a connection, which an address where nobody is holds for seconds.
const INFLIGHT_TCP_MAX: usize = 32;

/// Addresses to ask, and how.
#[derive(Clone, Debug)]
pub struct Area {
    /// What to ask.
    pub include: Vec<RangeEntry>,
    /// What never to ask.
    pub exclude: Vec<RangeEntry>,
    /// What carries the messages.
    pub transport: Transport,
    /// How: an attempt for each of its timeouts; the second when the first is through everywhere.
    pub poll: PollOptions,
}

/// How a discovery runs.
#[derive(Clone, Copy, Debug)]
pub struct DiscoveryOptions {
    /// Requests per second, retries included, and per subnet.
    pub pace: Pace,
    /// Which sockets carry the datagrams.
    pub driver: DriverChoice,
}

impl Default for DiscoveryOptions {
    fn default() -> Self {
        Self {
            pace: Pace {
                requests_per_second: 500,
                ..Pace::default()
            },
            driver: DriverChoice::Auto,
        }
    }
}

/// Tells which addresses are alive by other signs than SNMP. Whoever implements it never blocks. It is only ever asked about addresses
/// that did not answer SNMP, and whatever it says, or does not, they are all asked again.
pub trait Hints {
    /// Wants to know about this address. `false`: there is no room, and nothing will come of it.
    fn request(&mut self, address: IpAddr) -> bool;
    /// Takes an address that is alive.
    fn alive(&mut self) -> Option<IpAddr>;
    /// How many addresses are being asked.
    fn pending(&self) -> usize;
}

/// How far a discovery is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Addresses in all.
    pub addresses: u64,
    /// Addresses that were asked at least once.
    pub asked: u64,
    /// Devices that answered.
    pub found: u64,
    /// Requests that were sent.
    pub requests: u64,
    /// Requests per second, lately.
    pub rate: f64,
    /// Time gone by.
    pub elapsed: Duration,
    /// Time left, estimated, once anything is done.
    pub remaining: Option<Duration>,
}

/// What a discovery tells.
#[derive(Clone, Debug)]
pub enum Event {
    /// A device answered.
    Found(Box<Found>),
    /// A device answers and refuses the credentials, and why.
    Refused(SocketAddr, &'static str),
    /// At the end: this address is alive and answers no SNMP.
    Silent(IpAddr),
    /// How far it is.
    Progress(Progress),
}

/// Asks every address of the areas, on the calling thread, until all are done or `stop` is set. `tell` hears of each device at once, and
/// of the progress now and then and at the end.
///
/// # Errors
/// When there is no socket to be had, or it fails.
pub fn discover(
    areas: &[Area],
    options: &DiscoveryOptions,
    mut hints: Option<&mut dyn Hints>,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Event),
) -> io::Result<Progress> {
    let (datagrams, waker) = options.driver.open()?;
    tracing::debug!(driver = datagrams.name(), "discovery is running");
    let mut engine = Engine::new(Ids::system());
    engine.set_pace(options.pace);
    let mut driver = Loop::new(engine, datagrams, waker);
    let attempts = areas.iter().map(|area| attempts_of(&area.poll)).collect();
    let plan = Plan { attempts };
    let mut sweep = plan.sweep(areas);
    let has_tcp = areas.iter().any(|area| area.transport == Transport::Tcp);
    let inflight_max = match has_tcp {
        true => INFLIGHT_TCP_MAX,
        false => plan.inflight_max(options.pace),
    };
    let mut meter = Meter::default();
    let mut refused = Vec::new();
    loop {
        while driver.engine.inflight() < inflight_max
            && let Some(candidate) = sweep.take_next()
        {
            match plan.options(&candidate) {
                Some(options) => driver.submit(Job {
                    token: candidate,
                    target: Target {
                        address: candidate.address,
                        transport: areas[candidate.range].transport,
                    },
                    options: Arc::clone(options),
                    memory: Memory::default(),
                    conversation: Probe::default(),
                }),
                // This range has fewer attempts than another one.
                None => sweep.ended(&candidate, false),
            }
        }
        driver.send()?;
        while let Some(finished) = driver.finished() {
            let candidate = finished.token;
            let refusal = match finished.error {
                Some(PollError::Refused { reason }) => Some(reason),
                _ => None,
            };
            let found = Found::of(finished);
            let answered = found.is_some() || refusal.is_some();
            sweep.ended(&candidate, answered);
            if let Some(reason) = refusal {
                refused.push(candidate.address);
                tell(Event::Refused(candidate.address, reason));
            }
            if let Some(found) = found {
                meter.progress.found += 1;
                tell(Event::Found(Box::new(found)));
            } else if let Some(hints) = &mut hints
                && !answered
                && candidate.attempt == 0
            {
                hints.request(candidate.address.ip());
            }
        }
        let mut is_hinting = false;
        if let Some(hints) = &mut hints {
            while let Some(address) = hints.alive() {
                sweep.alive(address);
            }
            is_hinting = hints.pending() > 0;
        }
        let is_over = sweep.is_over() && !is_hinting || stop.load(Ordering::Relaxed);
        let requests = driver.engine.counters().requests;
        meter.tell(driver.now(), &sweep.progress(), requests, is_over, tell);
        if is_over {
            let mut silent: Vec<IpAddr> = sweep.alive_and_silent().iter().copied().collect();
            silent.sort_unstable();
            silent.into_iter().for_each(|ip| tell(Event::Silent(ip)));
            return Ok(meter.progress);
        }
        let wait = if is_hinting {
            HINTS_INTERVAL
        } else {
            STOP_INTERVAL
        };
        driver.receive(Some(wait))?;
    }
}

/// How each range is asked at each attempt.
struct Plan {
    attempts: Vec<Vec<Arc<PollOptions>>>,
}

impl Plan {
    fn sweep(&self, areas: &[Area]) -> Sweep {
        let attempts = self.attempts.iter().map(Vec::len).max().unwrap_or(0);
        let ranges = areas.iter().map(|area| SweepRange {
            include: &area.include,
            exclude: &area.exclude,
        });
        Sweep::new(
            ranges,
            SNMP_PORT,
            u32::try_from(attempts).unwrap_or(u32::MAX),
        )
    }

    fn options(&self, candidate: &Candidate) -> Option<&Arc<PollOptions>> {
        self.attempts[candidate.range].get(candidate.attempt as usize)
    }

    /// As many as keep the rate up although each waits for the longest timeout.
    fn inflight_max(&self, pace: Pace) -> usize {
        let timeouts = self.attempts.iter().flatten().flat_map(|o| &o.timeouts);
        let longest = timeouts.max().copied().unwrap_or_default();
        let rate = match pace.requests_per_second {
            0 => f64::MAX,
            rate => f64::from(rate),
        };
        ((rate * longest.as_secs_f64()) as usize).clamp(INFLIGHT_MIN, INFLIGHT_MAX)
    }
}

/// One set of options for each attempt: what is not answered is asked again when everything was asked once.
#[must_use]
pub fn attempts_of(poll: &PollOptions) -> Vec<Arc<PollOptions>> {
    let attempts = poll.timeouts.iter().map(|timeout| {
        Arc::new(PollOptions {
            timeouts: vec![*timeout],
            ..poll.clone()
        })
    });
    attempts.collect()
}

/// Keeps the progress, and tells it now and then.
#[derive(Debug, Default)]
struct Meter {
    progress: Progress,
    told: Duration,
}

impl Meter {
    fn tell(
        &mut self,
        now: Duration,
        sweep: &SweepProgress,
        requests: u64,
        is_over: bool,
        tell: &mut dyn FnMut(Event),
    ) {
        if !is_over && now < self.told + PROGRESS_INTERVAL {
            return;
        }
        let lately = (now - self.told).as_secs_f64();
        if lately > 0.0 {
            self.progress.rate = (requests - self.progress.requests) as f64 / lately;
        }
        self.told = now;
        self.progress = Progress {
            addresses: sweep.addresses,
            asked: sweep.asked,
            requests,
            elapsed: now,
            remaining: remaining(now, sweep),
            ..self.progress
        };
        tell(Event::Progress(self.progress));
    }
}

/// How long what is left takes, if it takes as long as what is done did.
#[must_use]
pub fn remaining(elapsed: Duration, sweep: &SweepProgress) -> Option<Duration> {
    (sweep.attempts_done > 0)
        .then(|| elapsed.mul_f64(sweep.attempts_left as f64 / sweep.attempts_done as f64))
}

#[cfg(test)]
mod tests;
