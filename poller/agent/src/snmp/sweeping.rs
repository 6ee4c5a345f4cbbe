//! Discovery as the source runs it: when a sweep begins, how many addresses of it are under way, and what is found.

use std::net::SocketAddr;
use std::time::Instant;

use poller::device::{Depth, PollOutcome};
use poller::engine::{Memory, SNMP_PORT};

use super::sweep::Sweep;
use super::{SnmpSource, Token};
use crate::source::Sink;
use crate::status::{add, set};

/// Addresses of a sweep that are under way at once, beside the devices' polls: most are silent and only wait …
pub(super) const SWEEP_AT_ONCE_MAX: usize = 2000;
/// … but no more than the request rate serves within so many seconds. Silent addresses take three with two requests each, so a sweep
/// leaves a third of the rate to the polls, whose requests then need not queue behind it.
const SWEEP_QUEUE_SECONDS: u32 = 1;

impl SnmpSource {
    /// Starts a sweep when one is due and none runs.
    pub(super) fn begin_sweep(&mut self, now: Instant) {
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
    pub(super) fn go_on_sweeping(&mut self, now: Instant) {
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

    pub(super) fn finish_sweep(
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
}
