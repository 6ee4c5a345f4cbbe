//! The SNMP source: finds printers in the configured ranges and polls each by its schedule.
//!
//! | module | what it holds |
//! |---|---|
//! | [`devices`] | what is known of each device, by its handle and its address |
//! | [`schedule`] | when a device is read next, and how much of it |
//! | `polls` | asking a device, and what comes of it |
//! | `kept`, `snapshot` | what is kept over restarts |
//! | `sweeping`, [`sweep`] | discovery: when and how much at once; the addresses still to ask |
//! | `who` | whether who answers is who answered before |
//!
//! What always holds: a device has one poll under way at most; what is silent is asked ever less often, but noticed within
//! `schedule.dead_retry_max` once it answers; one device under two addresses is one device.

pub mod devices;
mod kept;
mod polls;
pub mod schedule;
mod snapshot;
pub mod sweep;
mod sweeping;
mod who;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use poller::device::DevicePoll;
use poller::driver::{DriverChoice, Fleet, FleetOptions};
use poller::engine::{Finished, Pace, PollOptions, SNMP_PORT};
use poller::profile::ProfileSet;

use crate::clock::Clock;
use crate::config::{AgentConfig, PollingConfig, RangeConfig};
use crate::source::{Sink, Source};
use crate::status::StatusHandle;
use crate::stop::StopHandle;
use devices::Devices;
use kept::SNAPSHOT_INTERVAL;
use schedule::Schedule;
use sweep::Sweep;
use sweeping::SWEEP_AT_ONCE_MAX;

/// The queue in front of the driver: what is under way is bounded here, so it never fills.
const FLEET_QUEUE_MAX: usize = 16_384;
/// A sweep asks each address so often: one lost datagram is not a missed printer.
const SWEEP_ATTEMPTS: u32 = 2;
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
    /// An address of this range.
    Sweep(usize),
}

type Done = Finished<Token, DevicePoll>;

/// The SNMP source.
pub struct SnmpSource {
    ranges: Vec<Range>,
    polling: PollingConfig,
    profiles: Arc<ProfileSet>,
    fleet: Fleet<Token, DevicePoll>,
    done: Receiver<Done>,
    /// For polls that the driver did not take.
    ended: Sender<Done>,
    devices: Devices,
    schedule: Schedule,
    snapshot: PathBuf,
    snapshot_due: Instant,
    sweep: Option<Sweep>,
    sweep_due: Instant,
    sweeping: usize,
    polling_now: usize,
    clock: Clock,
    status: StatusHandle,
    stop: StopHandle,
}

/// A configured range, made ready.
struct Range {
    config: RangeConfig,
    poll: Arc<PollOptions>,
    sweep: Arc<PollOptions>,
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
        status: StatusHandle,
        stop: StopHandle,
    ) -> io::Result<Self> {
        let (sender, done) = channel();
        let finished = sender.clone();
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
            let _ = finished.send(poll);
        })?;
        tracing::info!(driver = fleet.driver_name(), "the SNMP source runs");
        let ranges = config
            .ranges
            .iter()
            .map(|range| Range::new(range, &config.polling))
            .collect();
        let mut source = Self {
            ranges,
            polling: config.polling.clone(),
            profiles,
            fleet,
            done,
            ended: sender,
            devices: Devices::default(),
            schedule: Schedule::new(config.schedule.clone()),
            snapshot: config.spool.directory.join(SNAPSHOT_FILE),
            snapshot_due: Instant::now() + SNAPSHOT_INTERVAL,
            sweep: None,
            sweep_due: Instant::now(),
            sweeping: 0,
            polling_now: 0,
            clock,
            status,
            stop,
        };
        source.restore(config.schedule.status.min(RESTORED_WITHIN_MAX));
        Ok(source)
    }
}

impl Source for SnmpSource {
    fn name(&self) -> &'static str {
        "snmp"
    }

    fn work(&mut self, now: Instant, sink: &mut dyn Sink) -> Instant {
        if now >= self.snapshot_due {
            self.save(now);
        }
        let until = match self.schedule.quiet_until(now, self.clock.now()) {
            Some(until) => Some(until),
            None => {
                let poll_due = self.poll_due(now);
                self.begin_sweep(now);
                self.go_on_sweeping(now);
                let sweep_due = self.sweep.is_none().then_some(self.sweep_due);
                [poll_due, sweep_due].into_iter().flatten().min()
            }
        };
        let wait = until
            .map_or(IDLE, |until| until.saturating_duration_since(now))
            .min(IDLE);
        // One that ended wakes, and with it all that ended meanwhile.
        match self.done.recv_timeout(wait) {
            Ok(first) => {
                let mut next = Some(first);
                while let Some(done) = next {
                    if !self.finish(done, Instant::now(), sink) || self.stop.is_stopped() {
                        break;
                    }
                    next = self.done.try_recv().ok();
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
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
        let timeouts = |attempts: u32| {
            (0..attempts)
                .map(|attempt| polling.timeout * 2_u32.pow(attempt))
                .collect()
        };
        let poll = PollOptions {
            credentials: config.credentials.clone(),
            timeouts: timeouts(polling.retries + 1),
            ..PollOptions::default()
        };
        let sweep = PollOptions {
            timeouts: timeouts(SWEEP_ATTEMPTS.min(polling.retries + 1)),
            ..poll.clone()
        };
        Self {
            config: config.clone(),
            poll: Arc::new(poll),
            sweep: Arc::new(sweep),
        }
    }
}

/// An address as it stands in reports: without a port unless that is not 161.
#[must_use]
pub fn shown(target: SocketAddr) -> String {
    if target.port() == SNMP_PORT {
        target.ip().to_string()
    } else {
        target.to_string()
    }
}
