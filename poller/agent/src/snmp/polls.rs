//! Polls: which device is asked next and how, and what comes of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use poller::device::{Depth, DevicePoll, PollContext, PollOutcome};
use poller::engine::{Finished, Job, Memory, PollError, PollStats, Target};

use super::devices::{self, Noted};
use super::{Done, SnmpSource, Token, shown};
use crate::source::Sink;
use crate::status::{add, set};

impl SnmpSource {
    /// Polls the devices that are due; says when the next one is.
    pub(super) fn poll_due(&mut self, now: Instant) -> Option<Instant> {
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

    pub(super) fn submit(&mut self, token: Token, target: SocketAddr, depth: Depth) {
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
    pub(super) fn finish(&mut self, done: Done, now: Instant, sink: &mut dyn Sink) -> bool {
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

    pub(super) fn finish_device(
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

    /// The report with the time at which the answers were there.
    pub(super) fn finished_report(
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

    pub(super) fn count_devices(&self) {
        let counters = self.status.counters();
        set(&counters.devices_known, self.devices.len() as u64);
        set(&counters.devices_answering, self.devices.answering() as u64);
    }
}
