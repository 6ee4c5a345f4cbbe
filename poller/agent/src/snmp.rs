//! The SNMP source: finds printers in the configured ranges and polls each by its schedule.
//!
//! | module | what it holds |
//! |---|---|
//! | `coverage` | which addresses belong to a range |
//! | [`devices`] | what is known of each device, by its handle and its address |
//! | [`schedule`] | when a device is read next, and how much of it |
//! | `told` | traps: devices that tell when they want to be asked |
//! | [`profiles`] | device profiles that change while the agent runs |
//! | `knock` | whether somebody is there, before anything is learned |
//! | `polls` | asking a device, and what comes of it |
//! | `kept`, `snapshot` | what is kept over restarts |
//! | `sweeping` | discovery: when a sweep begins, how much of it is under way, what is found |
//! | `search` | where devices that fell silent are searched for |
//! | `untouched` | where models answered that must not be polled |
//! | `who` | whether who answers is who answered before |
//!
//! What always holds: a device has one poll under way at most; what is silent is asked ever less often, but noticed within
//! `schedule.dead_retry_max` once it answers; one device under two addresses is one device.

mod coverage;
pub mod devices;
mod kept;
mod knock;
mod polls;
pub mod profiles;
pub mod schedule;
mod search;
mod snapshot;
mod sweeping;
mod told;
mod untouched;
mod who;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use poller::discovery::Candidate;
use poller::driver::{DriverChoice, Fleet, FleetOptions};
use poller::engine::{Finished, Pace, PollOptions};
use poller::profile::ProfileSet;
use poller::trap::Notification;

use crate::clock::Clock;
use crate::config::ranges::RangeFile;
use crate::config::{AgentConfig, PollingConfig, RangeConfig};
use crate::run::Control;
use crate::source::{Sink, Source};
use crate::status::StatusHandle;
use crate::stop::StopHandle;
use coverage::Names;
use devices::Devices;
use kept::SNAPSHOT_INTERVAL;
use knock::{Found, Talk};
use profiles::{Digests, Watch};
use schedule::Schedule;
use sweeping::{Discovery, Kind, SWEEP_AT_ONCE_MAX};
use told::Told;
use untouched::Untouched;

/// The queue in front of the driver: what is under way is bounded here, so it never fills.
const FLEET_QUEUE_MAX: usize = 16_384;
/// What is known of the devices, in the spool's folder.
const SNAPSHOT_FILE: &str = "devices.snapshot";
/// Devices of an earlier life are polled within this, however long their interval.
const RESTORED_WITHIN_MAX: Duration = Duration::from_secs(60);
/// The longest the source sleeps when nothing is due.
const IDLE: Duration = Duration::from_secs(1);

/// What a poll was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// A known device.
    Device(devices::Id),
    /// An address of a sweep: is somebody there?
    Knock(Kind, Candidate),
    /// Somebody is.
    Learn(Kind, Candidate),
}

type Done = Finished<Token, Talk>;

/// What the source waits for.
enum Event {
    /// A poll ended.
    Ended(Box<Done>),
    /// A device told something.
    Told(Box<Notification>),
}

/// The SNMP source.
pub struct SnmpSource {
    ranges: Vec<Range>,
    polling: PollingConfig,
    profiles: Arc<ProfileSet>,
    fleet: Fleet<Token, Talk>,
    happened: Receiver<Event>,
    /// For polls that the driver did not take.
    events: Sender<Event>,
    told: Option<Told>,
    untouched: Untouched,
    watch: Watch,
    digests: Digests,
    devices: Devices,
    schedule: Schedule,
    snapshot: PathBuf,
    snapshot_due: Instant,
    discovery: Discovery,
    found: Found,
    polling_now: usize,
    /// Of all that is asked: what is asked by TCP.
    tcp_now: usize,
    /// Quiet hours held a moment ago.
    was_quiet: bool,
    clock: Clock,
    status: StatusHandle,
    stop: StopHandle,
}

/// A configured range, made ready.
struct Range {
    config: RangeConfig,
    poll: Arc<PollOptions>,
    /// For each attempt of a sweep.
    sweep: Vec<Arc<PollOptions>>,
    addresses: u64,
    /// What its names stand for.
    names: Names,
    /// The range of whose list it is a part.
    made_by: Option<usize>,
}

impl SnmpSource {
    /// Opens the sockets. Nothing is asked before the first [`Source::work`].
    ///
    /// # Errors
    /// When no socket or thread can be had.
    pub fn start(
        config: &AgentConfig,
        profiles: Arc<ProfileSet>,
        clock: Clock,
        Control {
            stop,
            status,
            reload,
        }: Control,
    ) -> io::Result<Self> {
        let now = Instant::now();
        let (events, happened) = channel();
        let finished = events.clone();
        let options = FleetOptions {
            driver: if config.polling.io_uring {
                DriverChoice::Auto
            } else {
                DriverChoice::Portable
            },
            inflight_max: config.polling.devices_at_once + SWEEP_AT_ONCE_MAX,
            queue_max: FLEET_QUEUE_MAX,
            pace: Pace {
                requests_per_second: config.polling.packets_per_second,
                subnet_requests_per_second: config.polling.packets_per_second_subnet,
                ..Pace::default()
            },
        };
        let fleet = Fleet::start(options, move |poll| {
            // The source is gone: so is whoever wanted to know.
            let _ = finished.send(Event::Ended(Box::new(poll)));
        })?;
        tracing::info!(driver = fleet.driver_name(), "the SNMP source runs");
        let told = Told::start(&config.traps, &events, &status, now)?;
        let mut ranges: Vec<Range> = config
            .ranges
            .iter()
            .map(|range| Range::new(range, &config.polling))
            .collect();
        for number in 0..ranges.len() {
            let made = ranges[number]
                .config
                .file
                .as_ref()
                .map_or(0, RangeFile::made);
            for range in ranges.iter_mut().skip(number + 1).take(made) {
                range.made_by = Some(number);
            }
        }
        let mut source = Self {
            ranges,
            polling: config.polling.clone(),
            digests: Digests::of(&profiles),
            profiles,
            fleet,
            happened,
            events,
            told,
            untouched: Untouched::default(),
            watch: Watch::new(config.polling.profiles_directory.clone(), reload, now),
            devices: Devices::default(),
            schedule: Schedule::new(config.schedule.clone(), now),
            snapshot: config.spool.directory.join(SNAPSHOT_FILE),
            snapshot_due: Instant::now() + SNAPSHOT_INTERVAL,
            discovery: Discovery::start(&config.discovery, config.polling.packets_per_second),
            found: Found::default(),
            polling_now: 0,
            tcp_now: 0,
            was_quiet: false,
            clock,
            status,
            stop,
        };
        source.restore(config.schedule.status.min(RESTORED_WITHIN_MAX));
        Ok(source)
    }

    /// The driver is gone, and with it all that was under way: an agent that went on would run and hear nothing.
    fn deaf(&self) {
        tracing::error!(
            "the poller's thread has ended (why stands above: a socket that failed, or a panic), so no device can be asked: the agent \
             ends with an error, and the service manager starts it again; if this repeats, report it with the lines above, and try \
             io_uring = false under [polling]"
        );
        self.stop.fail("the poller's thread has ended");
    }

    /// Notices the end of quiet hours: what became due in them is polled at each device's own moment, not all at once.
    fn mind_quiet(&mut self, is_quiet: bool, now: Instant) {
        let was_quiet = std::mem::replace(&mut self.was_quiet, is_quiet);
        if was_quiet == is_quiet {
            return;
        }
        if is_quiet {
            tracing::info!("quiet hours: nothing is polled");
            return;
        }
        let overdue: Vec<_> = (self.devices.waiting())
            .filter(|(_, due)| *due <= now)
            .map(|(id, _)| id)
            .collect();
        tracing::info!(devices = overdue.len(), "quiet hours are over");
        for id in overdue {
            let soon = self.schedule.own_moment(self.devices.get(id), now);
            self.devices.put_off(id, soon);
        }
    }
}

impl Source for SnmpSource {
    fn name(&self) -> &'static str {
        "snmp"
    }

    fn work(&mut self, now: Instant, sink: &mut dyn Sink) -> Instant {
        if self.fleet.has_ended() && !self.stop.is_stopped() {
            self.deaf();
            return now;
        }
        if now >= self.snapshot_due {
            self.save(now);
        }
        self.reload_profiles(now);
        self.mind_traps(now);
        let quiet_until = self.schedule.quiet_until(now, self.clock.now());
        self.mind_quiet(quiet_until.is_some(), now);
        let until = match quiet_until {
            Some(until) => Some(until),
            None => {
                let poll_due = self.poll_due(now);
                self.learn_found();
                self.sweep(now);
                [poll_due, self.discovery.due()].into_iter().flatten().min()
            }
        };
        let wait = until
            .map_or(IDLE, |until| until.saturating_duration_since(now))
            .min(IDLE);
        // What happens wakes, and with it is taken in all that happened meanwhile.
        let mut next = self.happened.recv_timeout(wait).ok();
        while let Some(event) = next {
            let goes_on = match event {
                Event::Ended(done) => self.finish(*done, Instant::now(), sink),
                Event::Told(notification) => {
                    self.hear(&notification, Instant::now());
                    true
                }
            };
            if !goes_on || self.stop.is_stopped() {
                break;
            }
            next = self.happened.try_recv().ok();
        }
        Instant::now()
    }

    fn end(&mut self) {
        self.save(Instant::now());
    }

    fn need_full(&mut self, handles: &[String]) {
        for handle in handles {
            self.devices.want_full(handle);
        }
    }
}

impl Range {
    fn new(config: &RangeConfig, polling: &PollingConfig) -> Self {
        let poll = PollOptions {
            credentials: config.credentials.clone(),
            timeouts: PollOptions::attempts(polling.timeout, polling.retries),
            ..PollOptions::default()
        };
        Self {
            config: config.clone(),
            sweep: sweeping::attempts_of(&poll),
            addresses: sweeping::addresses_of(config),
            poll: Arc::new(poll),
            names: Names::default(),
            made_by: None,
        }
    }
}

pub use poller::discovery::shown;

#[cfg(test)]
mod tests;
