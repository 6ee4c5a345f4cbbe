//! The SNMP source: finds printers in the configured ranges and polls each by its schedule.
//!
//! | module | what it holds |
//! |---|---|
//! | [`devices`] | what is known of each device, by its handle and its address |
//! | [`schedule`] | when a device is read next, and how much of it |
//! | `snapshot` | what is kept over restarts |
//! | [`sweep`] | discovery: the addresses still to ask |
//! | `who` | whether who answers is who answered before |
//!
//! What always holds: a device has one poll under way at most; what is silent is asked ever less often, but noticed within
//! `schedule.dead_retry_max` once it answers; one device under two addresses is one device.

pub mod devices;
pub mod schedule;
mod snapshot;
pub mod sweep;
mod who;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use poller::device::{Depth, DevicePoll, PollContext, PollOutcome};
use poller::driver::{DriverChoice, Fleet, FleetOptions};
use poller::engine::{
    Finished, Job, Memory, Pace, PollError, PollOptions, PollStats, SNMP_PORT, Target,
};
use poller::profile::ProfileSet;

use crate::clock::Clock;
use crate::config::{AgentConfig, PollingConfig, RangeConfig};
use crate::source::{Sink, Source};
use crate::status::{StatusHandle, add, set};
use crate::stop::StopHandle;
use devices::{Devices, Noted};
use schedule::Schedule;
use sweep::Sweep;

/// Addresses of a sweep that are under way at once, beside the devices' polls: most are silent and only wait …
const SWEEP_AT_ONCE_MAX: usize = 2000;
/// … but no more than the request rate serves within so many seconds. Silent addresses take three with two requests each, so a sweep
/// leaves a third of the rate to the polls, whose requests then need not queue behind it.
const SWEEP_QUEUE_SECONDS: u32 = 1;
/// The queue in front of the driver: what is under way is bounded here, so it never fills.
const FLEET_QUEUE_MAX: usize = 16_384;
/// A sweep asks each address so often: one lost datagram is not a missed printer.
const SWEEP_ATTEMPTS: u32 = 2;
/// How often what is known of the devices is written down.
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(600);
/// Its file, in the spool's folder.
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

    /// Takes in the devices of an earlier life that are still within the configured ranges, due one by one within `within`.
    fn restore(&mut self, within: Duration) {
        let saved = snapshot::read(&self.snapshot);
        let count = u32::try_from(saved.len()).unwrap_or(u32::MAX).max(1);
        let (now, now_ms) = (Instant::now(), self.clock.now().unix_ms);
        for (number, device) in (0..).zip(saved) {
            let Some(target) = device.target() else {
                continue;
            };
            let range = self.ranges.iter().position(|range| {
                range.config.name == device.range && range.config.covers(target.ip())
            });
            let silent_ms = u64::try_from(now_ms - device.answered_at_unix_ms).unwrap_or(0);
            let answered_at = now
                .checked_sub(Duration::from_millis(silent_ms))
                .unwrap_or(now);
            if let Some(range) = range {
                self.devices
                    .restore(device, range, answered_at, now + within * number / count);
            }
        }
        if !self.devices.is_empty() {
            tracing::info!(
                devices = self.devices.len(),
                "devices of an earlier life are polled at once"
            );
        }
        self.count_devices();
    }

    /// Writes down what is known of the devices.
    fn save(&mut self, now: Instant) {
        self.snapshot_due = now + SNAPSHOT_INTERVAL;
        let ranges = &self.ranges;
        let devices = self
            .devices
            .to_save(now, self.clock.now().unix_ms, |range| {
                ranges[range].config.name.as_str()
            });
        if let Err(error) = snapshot::write(&self.snapshot, &devices) {
            tracing::warn!(path = %self.snapshot.display(), %error, "what is known of the devices cannot be written down");
        }
    }

    /// Starts a sweep when one is due and none runs.
    fn begin_sweep(&mut self, now: Instant) {
        if self.sweep.is_some() || now < self.sweep_due || self.ranges.is_empty() {
            return;
        }
        let ranges = self.ranges.iter().map(|range| &range.config);
        let sweep = Sweep::new(ranges, SNMP_PORT);
        let counters = self.status.counters();
        set(&counters.discovery_asked, 0);
        set(&counters.discovery_total, sweep.total());
        tracing::info!(addresses = sweep.total(), "discovery begins");
        self.sweep = Some(sweep);
    }

    /// Asks as many addresses of the sweep as may be under way.
    fn go_on_sweeping(&mut self, now: Instant) {
        let Some(mut sweep) = self.sweep.take() else {
            return;
        };
        let queue = self
            .polling
            .packets_per_second
            .saturating_mul(SWEEP_QUEUE_SECONDS);
        let sweep_at_once = SWEEP_AT_ONCE_MAX.min(queue as usize);
        while self.sweeping < sweep_at_once
            && let Some((range, address)) = sweep.take_next()
        {
            // Known and answering ones are polled anyway.
            if !self.devices.is_answering(address) {
                self.submit(Token::Sweep(range), address, Depth::Learn);
            }
        }
        set(&self.status.counters().discovery_asked, sweep.asked());
        if sweep.is_over() && self.sweeping == 0 {
            self.sweep_due = now + self.schedule.discovery_pause();
            tracing::info!(
                addresses = sweep.total(),
                devices = self.devices.len(),
                "discovery ended"
            );
        } else {
            self.sweep = Some(sweep);
        }
    }

    /// Polls the devices that are due; says when the next one is.
    fn poll_due(&mut self, now: Instant) -> Option<Instant> {
        while self.polling_now < self.polling.devices_at_once {
            let (due, id) = self.devices.next_due()?;
            if due > now {
                return Some(due);
            }
            let device = self.devices.get(id);
            let target = device.target;
            let depth = self.schedule.depth(device, now);
            self.devices.begin(id);
            self.submit(Token::Device(id), target, depth);
        }
        None
    }

    fn submit(&mut self, token: Token, target: SocketAddr, depth: Depth) {
        let (plan, memory, options) = match token {
            Token::Device(id) => {
                let device = self.devices.get_mut(id);
                let range = &self.ranges[device.range];
                (
                    device.plan.take(),
                    std::mem::take(&mut device.memory),
                    &range.poll,
                )
            }
            Token::Sweep(range) => (None, Memory::default(), &self.ranges[range].sweep),
        };
        let mut context =
            PollContext::new(&shown(target), self.clock.now(), self.clock.uptime_ms());
        context.depth = depth;
        context.collect_contact = self.polling.contact;
        let job = Job {
            token,
            target: Target::udp(target),
            options: Arc::clone(options),
            memory,
            conversation: DevicePoll::new(Arc::clone(&self.profiles), plan, context),
        };
        match token {
            Token::Device(_) => self.polling_now += 1,
            Token::Sweep(_) => self.sweeping += 1,
        }
        if let Err(full) = self.fleet.submit(job) {
            // Only when the driver has ended: the poll counts as one that got no answer.
            let job = *full.0;
            let _ = self.ended.send(Finished {
                token: job.token,
                target: job.target,
                conversation: job.conversation,
                memory: job.memory,
                stats: PollStats::default(),
                error: Some(PollError::Stopped),
            });
        }
    }

    /// Takes in a poll that ended; `false` when the agent takes no more reports.
    fn finish(&mut self, done: Done, now: Instant, sink: &mut dyn Sink) -> bool {
        if matches!(done.error, Some(PollError::Stopped)) {
            tracing::debug!(address = %done.target.address, "the poll was stopped");
        }
        let outcome = done.conversation.into_outcome();
        match done.token {
            Token::Device(id) => {
                self.polling_now -= 1;
                self.finish_device(id, outcome, done.memory, done.error, now, sink)
            }
            Token::Sweep(range) => {
                self.sweeping -= 1;
                self.finish_sweep(range, done.target.address, outcome, done.memory, now, sink)
            }
        }
    }

    fn finish_device(
        &mut self,
        id: devices::Id,
        outcome: PollOutcome,
        memory: Memory,
        error: Option<PollError>,
        now: Instant,
        sink: &mut dyn Sink,
    ) -> bool {
        let counters = self.status.counters();
        let depth = outcome.depth;
        if outcome.report.is_none() && outcome.changed {
            // A heartbeat that saw something move: now for what it is.
            let device = self.devices.get_mut(id);
            device.memory = memory;
            device.plan = outcome.plan;
            device.wants_steady = true;
            self.devices.answered(id, now);
            self.devices.end(id, now);
            return true;
        }
        let Some(report) = outcome.report else {
            add(&counters.polls_unanswered, 1);
            let failures = self.devices.failed(id);
            let device = self.devices.get_mut(id);
            device.memory = memory;
            device.plan = outcome.plan;
            if failures == 1 {
                tracing::info!(address = %device.target, handle = device.handle, error = error.map(tracing::field::display), "a device does not answer");
            }
            let next = self.schedule.after_failure(self.devices.get(id), now);
            match next {
                Some(next) => self.devices.end(id, next),
                None => {
                    let device = self.devices.remove(id);
                    tracing::info!(address = %device.target, handle = device.handle, "a device was silent for so long that it is no longer polled");
                }
            }
            self.count_devices();
            return true;
        };
        add(&counters.polls, 1);
        let report = self.finished_report(report, now);
        let whole = error.is_none() && outcome.failure.is_none();
        match self.devices.note(id, &report, whole, now) {
            Noted::Same => {}
            Noted::Other => {
                let device = self.devices.get(id);
                tracing::info!(address = %device.target, handle = device.handle, "another device answers at this address");
            }
            Noted::Twin => {
                // Answered by a device that is polled at another address: that one goes on, this address is given up.
                let device = self.devices.remove(id);
                tracing::info!(address = %device.target, "this address is a second one of a device that is already polled");
                self.count_devices();
                return true;
            }
        }
        self.devices.answered(id, now);
        let device = self.devices.get_mut(id);
        device.memory = memory;
        device.plan = outcome.plan;
        let handle = device.handle.clone();
        self.schedule.did(device, depth, now);
        let next = self.schedule.next(self.devices.get(id), now);
        if outcome.do_not_touch {
            let device = self.devices.remove(id);
            tracing::info!(address = %device.target, "this model must not be polled");
        } else {
            self.devices.end(id, next);
        }
        self.count_devices();
        sink.report(codec::model::DeviceReport { handle, ..report })
    }

    fn finish_sweep(
        &mut self,
        range: usize,
        address: SocketAddr,
        outcome: PollOutcome,
        memory: Memory,
        now: Instant,
        sink: &mut dyn Sink,
    ) -> bool {
        let Some(report) = outcome.report else {
            return true;
        };
        if !outcome.is_printer || outcome.do_not_touch {
            tracing::debug!(%address, do_not_touch = outcome.do_not_touch, "answers, but is not polled");
            return true;
        }
        add(&self.status.counters().polls, 1);
        let report = self.finished_report(report, now);
        let Some(id) = self.devices.found(range, address, &report, now) else {
            tracing::debug!(%address, "a second address of a device that is already polled");
            return true;
        };
        self.devices.answered(id, now);
        let device = self.devices.get_mut(id);
        device.memory = memory;
        device.plan = outcome.plan;
        let handle = device.handle.clone();
        tracing::debug!(%address, handle, model = report.identity.model, "found a printer");
        self.schedule.did(device, Depth::Learn, now);
        let next = self.schedule.next(self.devices.get(id), now);
        self.devices.end(id, next);
        self.count_devices();
        sink.report(codec::model::DeviceReport { handle, ..report })
    }

    /// The report with the time at which the answers were there.
    fn finished_report(
        &self,
        report: codec::model::DeviceReport,
        now: Instant,
    ) -> codec::model::DeviceReport {
        codec::model::DeviceReport {
            observed_at: self.clock.now(),
            observed_uptime_ms: self.clock.uptime_ms_at(now),
            ..report
        }
    }

    fn count_devices(&self) {
        let counters = self.status.counters();
        set(&counters.devices_known, self.devices.len() as u64);
        set(&counters.devices_answering, self.devices.answering() as u64);
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
