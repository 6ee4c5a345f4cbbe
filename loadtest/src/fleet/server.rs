//! The socket of a simulated fleet.
//!
//! All of 127.0.0.0/8 is local on Linux, so one UDP socket on the wildcard address hears every printer, and `IP_PKTINFO` says
//! which one was asked and lets the answer leave from there. The socket is bound to the device `lo`: it hears loopback alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::event::{Event, EventError};
use super::printer::{Behaviour, Printer};
use super::scenario::Schedule;
use super::world::World;

/// Most printers of one fleet: what fits between the first address and the end of 127.0.0.0/8, with room to spare.
pub const DEVICES_MAX: u32 = 1_000_000;
/// Answers waiting for their latency to pass; beyond it new ones are dropped, as a full queue in a switch would.
#[cfg(target_os = "linux")]
const DELAYED_ANSWERS_MAX: usize = 1_000_000;

/// What a fleet is made of.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// How many printers.
    pub devices: u32,
    /// The address of the first; the others follow, leaving out addresses that end in 0 or 255.
    pub first: Ipv4Addr,
    /// The UDP port of all of them; 0 lets the system choose.
    pub port: u16,
    /// Fleets of another seed have other printers.
    pub seed: u64,
    /// The community that they answer to.
    pub community: String,
    /// How long an answer takes, at least.
    pub latency: Duration,
    /// How much longer it may take, evenly spread; above zero, answers overtake each other.
    pub jitter: Duration,
    /// How many answers of 1,000 take ten times as long.
    pub tail_permille: u32,
    /// How many requests or answers of 1,000 are lost.
    pub loss_permille: u32,
    /// How many answers of 1,000 come twice.
    pub duplicate_permille: u32,
    /// How many printers of 1,000 are switched off.
    pub dead_permille: u32,
    /// How many printers of 1,000 are in power save.
    pub asleep_permille: u32,
    /// What happens to them, and when.
    pub schedule: Schedule,
}

impl Default for FleetConfig {
    fn default() -> Self {
        Self {
            devices: 200,
            first: Ipv4Addr::new(127, 20, 0, 1),
            port: 0,
            seed: 1,
            community: "public".to_owned(),
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            tail_permille: 0,
            loss_permille: 0,
            duplicate_permille: 0,
            dead_permille: 20,
            asleep_permille: 20,
            schedule: Schedule::default(),
        }
    }
}

/// What went through a fleet's socket.
#[derive(Debug, Default)]
pub struct FleetStats {
    /// Requests that were heard.
    pub requests: AtomicU64,
    /// Answers that were sent.
    pub answers: AtomicU64,
    /// Datagrams that no printer answers: foreign community, no SNMP, no such address, or a printer that is dead or asleep.
    pub unanswered: AtomicU64,
    /// Requests and answers that were lost on purpose.
    pub lost: AtomicU64,
    /// Events that happened, asked for or by chance.
    pub events: AtomicU64,
}

impl FleetStats {
    /// All of them, as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> String {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        serde_json::json!({
            "requests": of(&self.requests),
            "answers": of(&self.answers),
            "unanswered": of(&self.unanswered),
            "lost": of(&self.lost),
            "events": of(&self.events),
        })
        .to_string()
    }
}

/// Why a fleet cannot start.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// More printers than there are addresses.
    #[error(
        "a fleet has 1 to {DEVICES_MAX} printers within 127.0.0.0/8; {devices} from {first} on do not fit"
    )]
    Devices {
        /// How many were asked for.
        devices: u32,
        /// From where.
        first: Ipv4Addr,
    },
    /// A face is broken.
    #[error("a face of the fleet cannot be compiled")]
    Face(#[from] super::mib::FaceError),
    /// The socket could not be had.
    #[error("cannot open the fleet's socket on UDP port {port}: {operation}")]
    Socket {
        /// The port asked for.
        port: u16,
        /// What failed.
        operation: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The simulator needs Linux: only there is all of 127.0.0.0/8 local.
    #[error("the fleet simulator runs on Linux only")]
    Platform,
}

/// A fleet that is answering. Dropping it stops it.
#[derive(Debug)]
pub struct Fleet {
    port: u16,
    printers: Arc<Vec<Printer>>,
    stats: Arc<FleetStats>,
    remote: Remote,
    thread: Option<JoinHandle<()>>,
}

/// Tells a fleet what happens, from any thread.
#[derive(Clone, Debug)]
pub struct Remote {
    orders: Sender<Order>,
    stop: Arc<AtomicBool>,
}

/// An event, and who wants to hear what came of it.
#[derive(Debug)]
struct Order {
    event: Event,
    reply: SyncSender<Result<String, EventError>>,
}

/// How long an order may take: the fleet's thread looks for orders between two batches of requests.
const ORDER_TIMEOUT: Duration = Duration::from_secs(10);

impl Remote {
    /// Lets `event` happen; returns when it has, with a sentence about what is so now (JSON for `show` and `stats`).
    ///
    /// # Errors
    /// [`EventError`] says why nothing changed.
    pub fn tell(&self, event: Event) -> Result<String, EventError> {
        let (reply, answer) = mpsc::sync_channel(1);
        self.orders
            .send(Order { event, reply })
            .map_err(|_| EventError::Stopped)?;
        answer
            .recv_timeout(ORDER_TIMEOUT)
            .unwrap_or(Err(EventError::Stopped))
    }

    /// Whether the fleet still answers.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }
}

impl Fleet {
    /// Makes the printers and starts answering.
    ///
    /// # Errors
    /// [`FleetError`] says what is in the way.
    pub fn start(config: FleetConfig) -> Result<Self, FleetError> {
        let faces = super::face::built_in();
        let printers = Arc::new(make_printers(&config, &faces)?);
        let mibs = faces
            .iter()
            .map(super::mib::Mib::compile)
            .collect::<Result<Vec<_>, _>>()?;
        let world = World::new(printers.to_vec(), faces, config.first);
        start_thread(config, mibs, printers, world)
    }

    /// Tells it what happens.
    #[must_use]
    pub const fn remote(&self) -> &Remote {
        &self.remote
    }

    /// The UDP port that all printers listen on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The printers as they were made; what happened to them since is asked for with [`Event::Show`].
    #[must_use]
    pub fn printers(&self) -> &[Printer] {
        &self.printers
    }

    /// The socket address that each printer had at the start.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddrV4> {
        self.printers
            .iter()
            .map(|printer| SocketAddrV4::new(printer.address, self.port))
    }

    /// What went through the socket so far.
    #[must_use]
    pub fn stats(&self) -> &FleetStats {
        &self.stats
    }

    /// Stops answering and waits for the thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.remote.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the simulator has been printed by its own thread.
            let _ = thread.join();
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.end();
    }
}

/// The address of the printer of that number: 254 of every 256, so that none looks like a network or a broadcast address.
pub(super) fn address_of(first: Ipv4Addr, number: u32) -> Option<Ipv4Addr> {
    let start = u32::from(first).max(0x7f00_0001);
    let offset = (start & 0xff).clamp(1, 254) - 1 + number;
    let address = (start & !0xff).checked_add(offset / 254 * 256)? + offset % 254 + 1;
    let address = Ipv4Addr::from(address);
    address.is_loopback().then_some(address)
}

/// The inverse of [`address_of`].
pub(super) fn number_of(first: Ipv4Addr, address: Ipv4Addr) -> Option<u32> {
    let start = u32::from(first).max(0x7f00_0001);
    let address = u32::from(address);
    if matches!(address & 0xff, 0 | 255) {
        return None;
    }
    let block = (address & !0xff).checked_sub(start & !0xff)? / 256;
    (block * 254 + (address & 0xff)).checked_sub((start & 0xff).clamp(1, 254))
}

pub(super) fn make_printers(
    config: &FleetConfig,
    faces: &[super::face::Face],
) -> Result<Vec<Printer>, FleetError> {
    let refused = || FleetError::Devices {
        devices: config.devices,
        first: config.first,
    };
    if !config.first.is_loopback() || !(1..=DEVICES_MAX).contains(&config.devices) {
        return Err(refused());
    }
    let face_count = u32::try_from(faces.len()).unwrap_or(u32::MAX);
    (0..config.devices)
        .map(|number| {
            let address = address_of(config.first, number).ok_or_else(refused)?;
            let draw = spread_permille(number);
            let behaviour = if draw < config.dead_permille {
                Behaviour::Dead
            } else if draw < config.dead_permille + config.asleep_permille {
                Behaviour::Asleep
            } else {
                Behaviour::Awake
            };
            let face = number as usize % faces.len();
            Ok(Printer::new(
                number,
                address,
                config.seed,
                (face, face_count),
                &faces[face],
                behaviour,
            ))
        })
        .collect()
}

/// Spreads numbers evenly over 0..1000 in steps of the golden ratio, so that a small fleet has its share of the dead too.
fn spread_permille(number: u32) -> u32 {
    let step = (u64::from(number) * 618_034 + 50_000) % 1_000_000;
    u32::try_from(step / 1000).unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
fn start_thread(
    _: FleetConfig,
    _: Vec<super::mib::Mib>,
    _: Arc<Vec<Printer>>,
    _: World,
) -> Result<Fleet, FleetError> {
    Err(FleetError::Platform)
}

#[cfg(target_os = "linux")]
fn start_thread(
    config: FleetConfig,
    mibs: Vec<super::mib::Mib>,
    printers: Arc<Vec<Printer>>,
    world: World,
) -> Result<Fleet, FleetError> {
    let socket = linux::open(config.port)?;
    let port = socket.port;
    let stats = Arc::new(FleetStats::default());
    let (orders, inbox) = mpsc::channel();
    let remote = Remote {
        orders,
        stop: Arc::new(AtomicBool::new(false)),
    };
    let thread = std::thread::Builder::new()
        .name("printer-fleet".to_owned())
        .spawn({
            let (stats, stop) = (stats.clone(), remote.stop.clone());
            move || linux::Server::new(socket, config, mibs, world, inbox, &stats).run(&stop)
        })
        .map_err(|source| FleetError::Socket {
            port,
            operation: "start its thread",
            source,
        })?;
    Ok(Fleet {
        port,
        printers,
        stats,
        remote,
        thread: Some(thread),
    })
}

/// An answer that waits for its latency to pass.
#[derive(Debug, PartialEq, Eq)]
struct Delayed {
    due_us: u64,
    from: Ipv4Addr,
    to: SocketAddrV4,
    answer: Vec<u8>,
}

impl Ord for Delayed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due_us.cmp(&other.due_us)
    }
}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

type DelayedQueue = BinaryHeap<Reverse<Delayed>>;

#[cfg(target_os = "linux")]
#[path = "server_linux.rs"]
mod linux;
#[cfg(target_os = "linux")]
mod mmsg;

#[cfg(all(test, target_os = "linux"))]
mod tests;
