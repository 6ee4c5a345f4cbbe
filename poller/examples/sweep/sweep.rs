//! The reading itself, and what is printed of it.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use codec::time::Timestamp;
use nix::time::{ClockId, clock_gettime};
use poller::credentials::Credential;
use poller::device::{Depth, DevicePoll, Plan, PollContext};
use poller::driver::{Fleet, FleetOptions};
use poller::engine::{Finished, Job, Memory, Pace, PollOptions, Target};
use poller::profile::ProfileSet;

use crate::floor::{Needs, REPORTED_SHARE, quantile};
use crate::options::Setup;

/// IPv4 and UDP.
const HEADER_BYTES: u64 = 28;

/// How often a device is polled that did not report in full: those whose every datagram was lost are not dead.
const POLLS_MAX: u32 = 3;

/// What is kept of a device from one poll to the next.
#[derive(Debug, Default)]
struct Known {
    memory: Memory,
    plan: Option<Plan>,
}

/// What one reading of the fleet cost.
#[derive(Debug, Default)]
struct Cost {
    /// Seconds until each device that reported had done so.
    reported: Vec<f64>,
    /// Exchanges of each of them.
    exchanges: Vec<u32>,
    requests: u64,
    retries: u64,
    bytes: u64,
    cpu: Duration,
    polls: u64,
}

type Done = Finished<usize, Box<DevicePoll>>;

pub fn run(setup: &Setup) -> Result<(), String> {
    let printers = crate::fleet::Fleet::start(setup)?;
    let addresses = printers.addresses();
    let (tell, told) = mpsc::channel::<(Instant, Done)>();
    let options = FleetOptions {
        driver: setup.driver,
        inflight_max: setup.inflight,
        queue_max: addresses.len() * 2,
        pace: Pace {
            requests_per_second: setup.rate,
            ..Pace::default()
        },
    };
    let fleet = Fleet::start(options, move |finished| {
        let _ = tell.send((Instant::now(), finished));
    })
    .map_err(|error| format!("no sockets: {error}"))?;
    let poll = Arc::new(PollOptions {
        credentials: vec![Credential::v2c("public", b"public")],
        ..PollOptions::default()
    });
    let reader = Reader {
        setup,
        fleet,
        told,
        profiles: Arc::new(ProfileSet::embedded()),
        poll,
    };
    println!(
        "{} printers, {} ms, {:.1} % lost each way, {:.1} % dead; {}, {} at once, {}",
        setup.devices,
        setup.latency.as_millis(),
        f64::from(setup.loss_permille) / 10.0,
        f64::from(setup.dead_permille) / 10.0,
        reader.fleet.driver_name(),
        setup.inflight,
        match setup.rate {
            0 => "no limit of the rate".to_owned(),
            rate => format!("{rate} requests/s"),
        }
    );
    let before = resident_kib("VmRSS:");
    let mut known: Vec<Known> = Vec::new();
    known.resize_with(addresses.len(), Known::default);
    println!(
        "{:>10} {:>9} {:>8} {:>8} {:>6} {:>6} {:>9} {:>8} {:>8} {:>9}",
        "poll",
        "reported",
        "99.9 %",
        "floor",
        "ratio",
        "bound",
        "exchanges",
        "retries",
        "bytes",
        "CPU ms"
    );
    for (name, depth) in [
        ("learn", Depth::Learn),
        ("full", Depth::Full),
        ("steady", Depth::Steady),
        ("heartbeat", Depth::Heartbeat),
    ] {
        let is_learning = depth == Depth::Learn;
        let wanted = setup.poll.as_ref().is_none_or(|poll| poll == name);
        let times = if is_learning { 1 } else { setup.times };
        for _ in 0..if is_learning || wanted { times } else { 0 } {
            let cost = reader.read(&addresses, &mut known, depth)?;
            reader.print(name, depth, &cost, addresses.len());
        }
    }
    let after = resident_kib("VmRSS:");
    println!(
        "memory: {:.1} MB before the first poll, {:.1} MB after the last ({:.2} kB a device: plan, last values and what the engine remembers), \
         {:.1} MB at most",
        before as f64 / 1024.0,
        after as f64 / 1024.0,
        after.saturating_sub(before) as f64 / known.len() as f64,
        resident_kib("VmHWM:") as f64 / 1024.0
    );
    Ok(())
}

struct Reader<'s> {
    setup: &'s Setup,
    fleet: Fleet<usize, Box<DevicePoll>>,
    told: mpsc::Receiver<(Instant, Done)>,
    profiles: Arc<ProfileSet>,
    poll: Arc<PollOptions>,
}

impl Reader<'_> {
    /// Reads every device that is not known to be dead.
    fn read(
        &self,
        addresses: &[SocketAddr],
        known: &mut [Known],
        depth: Depth,
    ) -> Result<Cost, String> {
        let mut cost = Cost::default();
        let mut tries = vec![0; known.len()];
        let mut exchanges = vec![0; known.len()];
        let (cpu, begun) = (cpu_time(), Instant::now());
        let mut open = 0_usize;
        for at in 0..known.len() {
            if depth == Depth::Learn || known[at].plan.is_some() {
                self.submit(at, addresses[at], &mut known[at], depth)?;
                open += 1;
            }
        }
        while open > 0 {
            let (moment, done) = self.told.recv().map_err(|_| "the poller ended")?;
            let at = done.token;
            known[at].memory = done.memory;
            cost.polls += 1;
            cost.requests += u64::from(done.stats.requests);
            cost.retries += u64::from(done.stats.retries);
            cost.bytes += done.stats.bytes_sent
                + done.stats.bytes_received
                + u64::from(done.stats.requests + done.stats.responses) * HEADER_BYTES;
            exchanges[at] += done.stats.requests - done.stats.retries;
            let outcome = done.conversation.into_outcome();
            let whole = done.error.is_none() && outcome.not_read.is_empty();
            let is_read = whole && (outcome.report.is_some() || outcome.changed);
            if outcome.plan.is_some() {
                known[at].plan = outcome.plan;
            }
            tries[at] += 1;
            if is_read {
                cost.reported.push((moment - begun).as_secs_f64());
                cost.exchanges.push(exchanges[at]);
                open -= 1;
            } else if tries[at] < POLLS_MAX {
                self.submit(at, addresses[at], &mut known[at], depth)?;
            } else {
                open -= 1;
            }
        }
        cost.cpu = cpu_time() - cpu;
        cost.reported.sort_by(f64::total_cmp);
        Ok(cost)
    }

    fn submit(
        &self,
        at: usize,
        address: SocketAddr,
        known: &mut Known,
        depth: Depth,
    ) -> Result<(), String> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = Timestamp::from_unix_ms(now.as_millis() as i64);
        let mut context = PollContext::new(&address.ip().to_string(), now, 0);
        context.depth = depth;
        let plan = known.plan.clone();
        let job = Job {
            token: at,
            target: Target::udp(address),
            options: Arc::clone(&self.poll),
            memory: std::mem::take(&mut known.memory),
            conversation: Box::new(DevicePoll::new(Arc::clone(&self.profiles), plan, context)),
        };
        self.fleet
            .submit(job)
            .map_err(|_| "the queue is full".to_owned())
    }

    fn print(&self, name: &str, depth: Depth, cost: &Cost, devices: usize) {
        let living = cost.reported.len();
        let first = if depth == Depth::Learn {
            self.poll.timeouts.first().copied().unwrap_or_default()
        } else {
            self.poll.timeout_min
        };
        let needs = Needs {
            exchanges: &cost.exchanges,
            dead: if depth == Depth::Learn {
                devices - living
            } else {
                0
            },
            latency: self.setup.latency,
            loss: f64::from(self.setup.loss_permille) / 1_000.0,
            rate: self.setup.rate,
            inflight: self.setup.inflight,
            waits: (first, self.poll.timeout_min),
        };
        let floor = needs.floor();
        let wall = quantile(&cost.reported, REPORTED_SHARE);
        let each = |count: u64| count as f64 / living.max(1) as f64;
        println!(
            "{name:>10} {living:>9} {wall:>6.2} s {:>6.2} s {:>6.2} {:>6} {:>9.2} {:>8.3} {:>8.0} {:>9.4}",
            floor.seconds(),
            wall / floor.seconds(),
            floor.kind(),
            each(cost.requests - cost.retries),
            each(cost.retries),
            each(cost.bytes),
            cost.cpu.as_secs_f64() * 1e3 / living.max(1) as f64
        );
    }
}

/// User and system time of this process.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    time.expect("every kernel has that clock").into()
}

/// A line of `/proc/self/status`, in KiB.
fn resident_kib(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|text| text.strip_prefix(line));
    value
        .and_then(|value| value.trim().strip_suffix("kB"))
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}
