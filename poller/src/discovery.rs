//! Finding devices: every address of some ranges is asked by SNMP who it is.
//!
//! No ICMP and no port scan stands in front: a printer that answers SNMP is found, whatever else it filters. Addresses are
//! counted up, never listed: a /16 needs no more memory than a /28.

mod ranges;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use ranges::{Ranges, RangesError};

use crate::conversation::{Ask, Conversation, Failure};
use crate::driver::{DriverChoice, Loop};
use crate::engine::{Engine, Finished, Ids, Job, Memory, Pace, PollOptions, Target};
use crate::oid::Oid;
use crate::value::{Value, ValueRef};

/// What a device is asked: sysObjectID, sysDescr, hrDeviceType, hrDeviceDescr, prtGeneralSerialNumber.
const PROBE: [&[u32]; 5] = [
    &[1, 3, 6, 1, 2, 1, 1, 2, 0],
    &[1, 3, 6, 1, 2, 1, 1, 1, 0],
    &[1, 3, 6, 1, 2, 1, 25, 3, 2, 1, 2, 1],
    &[1, 3, 6, 1, 2, 1, 25, 3, 2, 1, 3, 1],
    &[1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 17, 1],
];

/// hrDevicePrinter
const DEVICE_TYPE_PRINTER: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 1, 5];

/// How often progress is told, at most.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// How soon a stop is seen.
const STOP_INTERVAL: Duration = Duration::from_millis(100);

/// How a discovery runs.
#[derive(Clone, Debug)]
pub struct DiscoveryOptions {
    /// Credentials, and how long each attempt waits.
    pub poll: Arc<PollOptions>,
    /// Requests per second, retries included, and per subnet.
    pub pace: Pace,
    /// How many addresses may be under way at once.
    pub inflight_max: usize,
    /// Which sockets carry the datagrams.
    pub driver: DriverChoice,
}

impl Default for DiscoveryOptions {
    fn default() -> Self {
        Self {
            poll: Arc::new(PollOptions {
                timeouts: vec![Duration::from_secs(1), Duration::from_secs(2)],
                ..PollOptions::default()
            }),
            pace: Pace {
                requests_per_second: 500,
                ..Pace::default()
            },
            inflight_max: 4_096,
            driver: DriverChoice::Auto,
        }
    }
}

/// A device that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it answered.
    pub address: SocketAddr,
    /// sysObjectID
    pub object_id: Option<Oid>,
    /// sysDescr
    pub description: Option<Vec<u8>>,
    /// hrDeviceType of the first device
    pub device_type: Option<Oid>,
    /// hrDeviceDescr of the first device
    pub device_description: Option<Vec<u8>>,
    /// prtGeneralSerialNumber
    pub serial: Option<Vec<u8>>,
    /// What the engine learned: give it to the first poll.
    pub memory: Memory,
}

impl Found {
    /// Whether it says of itself that it is a printer: by its type, or by having a printer's serial number.
    #[must_use]
    pub fn is_printer(&self) -> bool {
        let by_type = self
            .device_type
            .as_ref()
            .is_some_and(|oid| oid.arcs() == DEVICE_TYPE_PRINTER);
        by_type || self.serial.is_some()
    }
}

/// How far a discovery is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Addresses in all.
    pub addresses: u64,
    /// Addresses that answered or were given up.
    pub done: u64,
    /// Devices that answered.
    pub found: u64,
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
    /// How far it is.
    Progress(Progress),
}

/// Asks every address of `ranges`, on the calling thread, until all are done or `stop` is set. `tell` hears of each device at once, and
/// of the progress now and then and at the end.
///
/// # Errors
/// When there is no socket to be had, or it fails.
pub fn discover(
    ranges: &Ranges,
    options: &DiscoveryOptions,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Event),
) -> io::Result<Progress> {
    let (datagrams, waker) = options.driver.open()?;
    tracing::info!(driver = datagrams.name(), "discovery is running");
    let mut engine = Engine::new(Ids::system());
    engine.set_pace(options.pace);
    let mut driver = Loop::new(engine, datagrams, waker);
    let mut addresses = ranges.iter();
    let mut progress = Progress {
        addresses: ranges.count(),
        ..Progress::default()
    };
    let mut told = Duration::ZERO;
    loop {
        while driver.engine.inflight() < options.inflight_max.max(1)
            && let Some(address) = addresses.next()
        {
            driver.submit(Job {
                token: (),
                target: Target::udp(address),
                options: options.poll.clone(),
                memory: Memory::default(),
                conversation: Probe::default(),
            });
        }
        driver.send()?;
        while let Some(finished) = driver.finished() {
            progress.done += 1;
            if let Some(found) = found(finished) {
                progress.found += 1;
                tell(Event::Found(Box::new(found)));
            }
        }
        let now = driver.now();
        let is_over = driver.engine.inflight() == 0 && addresses.is_empty();
        let is_over = is_over || stop.load(Ordering::Relaxed);
        if is_over || now >= told + PROGRESS_INTERVAL {
            told = now;
            progress.tell(now, tell);
        }
        if is_over {
            return Ok(progress);
        }
        if driver.engine.inflight() > 0 {
            driver.receive(Some(STOP_INTERVAL))?;
        }
    }
}

impl Progress {
    fn tell(&mut self, now: Duration, tell: &mut dyn FnMut(Event)) {
        self.elapsed = now;
        self.remaining = (self.done > 0).then(|| {
            let left = self.addresses.saturating_sub(self.done);
            now.mul_f64(left as f64 / self.done as f64)
        });
        tell(Event::Progress(*self));
    }
}

fn found(finished: Finished<(), Probe>) -> Option<Found> {
    finished.stats.version?;
    let [
        object_id,
        description,
        device_type,
        device_description,
        serial,
    ] = finished.conversation.values;
    Some(Found {
        address: finished.target.address,
        object_id: object_id.and_then(oid),
        description: description.and_then(octets),
        device_type: device_type.and_then(oid),
        device_description: device_description.and_then(octets),
        serial: serial.and_then(octets),
        memory: finished.memory,
    })
}

fn oid(value: Value) -> Option<Oid> {
    match value {
        Value::ObjectId(oid) => Some(oid),
        _ => None,
    }
}

fn octets(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::OctetString(octets) if !octets.is_empty() => Some(octets),
        _ => None,
    }
}

/// The question who a device is.
#[derive(Debug, Default)]
struct Probe {
    asked: bool,
    values: [Option<Value>; PROBE.len()],
}

impl Conversation for Probe {
    fn next_ask(&mut self) -> Option<Ask> {
        let first = !std::mem::replace(&mut self.asked, true);
        first.then(|| Ask::Get(PROBE.map(Oid::new).to_vec()))
    }

    fn variable(&mut self, ask_index: usize, _oid: &Oid, value: ValueRef<'_>) {
        if let Some(place) = self.values.get_mut(ask_index) {
            *place = value.to_value();
        }
    }

    fn answered(&mut self, _failure: Option<Failure>) {}
}

#[cfg(test)]
mod tests;
