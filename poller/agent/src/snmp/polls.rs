//! Polls: which device is asked next and how, and what comes of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use codec::model::DeviceReport;
use poller::device::{DevicePoll, Plan, PollContext, PollOutcome};
use poller::engine::{Finished, Job, Memory, PollError, PollOptions, PollStats, Target, Transport};

use super::devices;
use super::knock::Talk;
use super::schedule::Reading;
use super::search::NEAR_AFTER_FAILURES;
use super::{Done, Event, SnmpSource, Token, shown};
use crate::source::Sink;
use crate::status::{add, set};

/// Polls by TCP that are under way at once: each has a connection, and each connection a thread.
const TCP_AT_ONCE_MAX: usize = 64;
/// A device whose turn came while there was no connection to be had waits for so long.
const TCP_PAUSE: Duration = Duration::from_millis(250);
/// A device of which it is not known whether a name excludes it waits for so long until that is looked at again.
const NAMES_PAUSE: Duration = Duration::from_secs(1);

impl SnmpSource {
    /// Polls the devices that are due; says when the next one is.
    pub(super) fn poll_due(&mut self, now: Instant) -> Option<Instant> {
        while self.polling_now < self.polling.devices_at_once {
            let (due, id) = self.devices.next_due()?;
            if due > now {
                return Some(due);
            }
            let device = self.devices.get(id);
            if self.has_no_room(device.range) {
                self.devices.put_off(id, now + TCP_PAUSE);
                continue;
            }
            if !self.may_ask(device.range, device.target) {
                self.devices.put_off(id, now + NAMES_PAUSE);
                continue;
            }
            let (target, reading) = (device.target, self.schedule.reading(device, now));
            self.devices.begin(id, reading, now);
            self.submit(id, target, reading);
        }
        None
    }

    /// Whether a device of this range has to wait for a connection.
    pub(super) fn has_no_room(&self, range: usize) -> bool {
        self.ranges[range].config.transport == Transport::Tcp && self.tcp_now >= TCP_AT_ONCE_MAX
    }

    /// Polls a device.
    fn submit(&mut self, id: devices::Id, address: SocketAddr, reading: Reading) {
        let device = self.devices.get_mut(id);
        // A copy: what is written down meanwhile still has it.
        let memory = device.memory.clone();
        let (plan, range) = (device.plan.clone(), device.range);
        let talk = self.poll_of(address, plan, reading);
        let range = &self.ranges[range];
        let (options, target) = (Arc::clone(&range.poll), range.config.target(address));
        self.polling_now += 1;
        self.ask(Token::Device(id), target, options, memory, talk);
    }

    /// What a poll asks.
    pub(super) fn poll_of(
        &self,
        address: SocketAddr,
        plan: Option<Plan>,
        reading: Reading,
    ) -> Talk {
        let mut context =
            PollContext::new(&shown(address), self.clock.now(), self.clock.uptime_ms());
        context.depth = reading.depth;
        context.sections = reading.sections;
        context.collect_contact = self.polling.contact;
        let poll = DevicePoll::new(Arc::clone(&self.profiles), plan, context);
        Talk::Poll(Box::new(poll), Arc::clone(&self.profiles))
    }

    /// Hands to the engine what is to be asked.
    pub(super) fn ask(
        &mut self,
        token: Token,
        target: Target,
        options: Arc<PollOptions>,
        memory: Memory,
        conversation: Talk,
    ) {
        self.tcp_now += usize::from(target.transport == Transport::Tcp);
        let job = Job {
            token,
            target,
            options,
            memory,
            conversation,
        };
        if let Err(full) = self.fleet.submit(job) {
            // Only when the driver has ended: the poll counts as one that got no answer.
            let job = *full.0;
            let _ = self.events.send(Event::Ended(Box::new(Finished {
                token: job.token,
                target: job.target,
                conversation: job.conversation,
                memory: job.memory,
                stats: PollStats::default(),
                error: Some(PollError::Stopped),
            })));
        }
    }

    /// Takes in what ended; `false` when the agent takes no more reports.
    pub(super) fn finish(&mut self, done: Done, now: Instant, sink: &mut dyn Sink) -> bool {
        self.tcp_now -= usize::from(done.target.transport == Transport::Tcp);
        let (address, is_outdated) = (
            done.target.address,
            done.conversation.is_outdated(&self.profiles),
        );
        let outcome = done.conversation.end();
        if let Ok(outcome) = &outcome
            && (outcome.report.is_some() || outcome.changed)
        {
            self.status.counters().polled(outcome.depth, &done.stats);
        }
        let goes_on = match (done.token, outcome) {
            (Token::Device(id), Ok(outcome)) => {
                self.polling_now -= 1;
                self.finish_device(id, outcome, done.memory, done.error, now, sink)
            }
            (Token::Learn(kind, candidate), Ok(outcome)) => {
                self.found.ended();
                self.finish_sweep((kind, candidate), outcome, done.memory, now, sink)
            }
            (Token::Knock(kind, candidate), Err(true)) => {
                self.found.answered(kind, candidate, done.memory);
                true
            }
            (Token::Knock(kind, candidate), _) => {
                self.discovery.ended(kind, &candidate, false);
                true
            }
            (Token::Device(_) | Token::Learn(..), Err(_)) => {
                unreachable!("devices are polled, addresses are knocked at")
            }
        };
        if is_outdated && let Some(id) = self.devices.at(address) {
            // The profiles were read anew while it was being asked: what was learned is by the ones before.
            let soon = self.schedule.own_moment(self.devices.get(id), now);
            self.devices.want_learn(id, soon);
        }
        goes_on
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
        let device = self.devices.get_mut(id);
        device.memory = memory;
        device.plan = outcome.plan;
        if outcome.report.is_none() && outcome.changed {
            // A heartbeat that saw something move: now for what it is.
            device.wants.steady = true;
            self.devices.answered(id, now);
            self.devices.end(id, now, now);
            return true;
        }
        let Some(report) = outcome.report else {
            self.no_answer(id, error, now);
            return true;
        };
        add(&self.status.counters().polls, 1);
        let report = self.finished_report(report, now);
        let whole = error.is_none() && outcome.failure.is_none();
        let plan = self.devices.get_mut(id).plan.take();
        let heard = self.devices.heard(id, &report, whole, now);
        if let Some((range, target)) = heard.lost {
            self.search_for(range, target, NEAR_AFTER_FAILURES, now);
        }
        let Some(id) = heard.device else {
            self.count_devices();
            return true;
        };
        self.devices.answered(id, now);
        let device = self.devices.get_mut(id);
        device.plan = plan;
        let handle = device.handle.clone();
        let read = Reading {
            depth: outcome.depth,
            ..device.reading
        };
        self.schedule.did(device, read, now);
        let next = self.schedule.next(self.devices.get(id), now);
        if outcome.do_not_touch {
            let device = self.devices.remove(id);
            self.leave_untouched(device.target, now);
        } else {
            self.devices.end(id, next, now);
        }
        self.count_devices();
        sink.report(DeviceReport { handle, ..report })
    }

    /// A device did not answer: it is tried again later, and what its poll was for is still wanted.
    fn no_answer(&mut self, id: devices::Id, error: Option<PollError>, now: Instant) {
        if matches!(error, Some(PollError::Stopped)) {
            // The agent ends: that says nothing about the device.
            self.devices.end(id, now, now);
            return;
        }
        add(&self.status.counters().polls_unanswered, 1);
        let failures = self.devices.failed(id);
        let device = self.devices.get_mut(id);
        if failures == 1 {
            tracing::info!(address = %device.target, handle = device.handle, error = error.map(tracing::field::display), "a device does not answer");
        }
        if let Some(from) = self.devices.follow(id, now) {
            // It was seen elsewhere: there it is asked at once.
            self.discovery
                .searches
                .found(self.devices.get(id).range, from.ip());
            self.devices.end(id, now, now);
            self.devices.want_again(id);
            return;
        }
        let (range, target) = (self.devices.get(id).range, self.devices.get(id).target);
        self.search_for(range, target, failures, now);
        match self.schedule.after_failure(self.devices.get(id), now) {
            Some(next) => {
                self.devices.end(id, next, now);
                self.devices.want_again(id);
            }
            None => {
                let device = self.devices.remove(id);
                tracing::info!(address = %device.target, handle = device.handle, "a device was silent for so long that it is no longer polled");
            }
        }
        self.count_devices();
    }

    /// The report with the time at which the answers were there.
    pub(super) fn finished_report(&self, report: DeviceReport, now: Instant) -> DeviceReport {
        DeviceReport {
            observed_at: self.clock.now(),
            observed_uptime_ms: self.clock.uptime_ms_at(now),
            ..report
        }
    }

    pub(super) fn count_devices(&self) {
        let counters = self.status.counters();
        set(&counters.devices_known, self.devices.len() as u64);
        set(&counters.devices_answering, self.devices.answering() as u64);
    }
}
