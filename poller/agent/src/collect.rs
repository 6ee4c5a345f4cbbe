//! From device reports to sealed reports: split into the two streams, gathered, encoded once, handed to the spool.
//!
//! What always holds: a report is encoded once; from then on its bytes never change. Device reports wait here for `report.age_max` at most,
//! and what the spool cannot take for the moment waits here too, bounded, state given up before meters.

use std::net::IpAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use codec::envelope::Deflater;
use codec::id::AgentId;
use codec::key::{ContentHash, Stream};
use codec::model::{DEVICES_PER_REPORT_MAX, DeviceReport, Header, Report, Section};
use journal::Disk;

use crate::clock::Clock;
use crate::config::ReportConfig;
use crate::deltas::{Deltas, Wanted};
use crate::names::Names;
use crate::spool::{Meta, Spool, SpoolError};
use crate::status::{StatusHandle, add, set};
use crate::upload::Chain;

/// The program's name and version as it stands in every report.
pub const PROGRAM: &str = concat!("platen-agent/", env!("CARGO_PKG_VERSION"));
/// How long to wait before the spool is tried again after it could not take a report.
const SPOOL_PAUSE: Duration = Duration::from_secs(10);

/// What the collector is told.
pub enum Event {
    /// A device was read.
    Report(Box<DeviceReport>),
    /// There will be no more.
    Stop,
}

/// What a collector is made of.
pub struct Setup<D> {
    /// Whose reports these are.
    pub agent: AgentId,
    /// How they are put together.
    pub config: ReportConfig,
    /// The agent's clocks.
    pub clock: Clock,
    /// What reverse DNS says.
    pub names: Names,
    /// Where sealed reports go.
    pub spool: Arc<Mutex<Spool<D>>>,
    /// Counters.
    pub status: StatusHandle,
    /// Devices that the manager wants in full.
    pub wanted: Wanted,
    /// Called after something was appended to the stream.
    pub wake: Box<dyn Fn(Stream) + Send>,
}

/// Gathers and seals.
pub struct Collector<D> {
    agent: AgentId,
    config: ReportConfig,
    clock: Clock,
    names: Names,
    spool: Arc<Mutex<Spool<D>>>,
    status: StatusHandle,
    wake: Box<dyn Fn(Stream) + Send>,
    meters: Pending,
    state: Pending,
    deltas: Option<Deltas>,
    deflater: Deflater,
    xml: Vec<u8>,
    sealed: Vec<u8>,
}

/// Device reports that wait for company.
#[derive(Default)]
struct Pending {
    devices: Vec<DeviceReport>,
    /// When to seal at the latest; with a failing spool, when to try again.
    due: Option<Instant>,
}

impl<D: Disk> Collector<D> {
    /// A collector of this agent.
    pub fn new(setup: Setup<D>) -> Self {
        let Setup {
            agent,
            config,
            clock,
            names,
            spool,
            status,
            wanted,
            wake,
        } = setup;
        Self {
            deltas: config
                .deltas
                .then(|| Deltas::new(config.full_every, wanted)),
            agent,
            config,
            clock,
            names,
            spool,
            status,
            wake,
            meters: Pending::default(),
            state: Pending::default(),
            deflater: Deflater::new(),
            xml: Vec::new(),
            sealed: Vec::new(),
        }
    }

    /// Works until it is told to stop, then seals what is left.
    pub fn run(&mut self, events: &Receiver<Event>) {
        loop {
            let due = [self.meters.due, self.state.due]
                .into_iter()
                .flatten()
                .min();
            let event = match due {
                None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => events.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            match event {
                Ok(Event::Report(report)) => self.take(*report),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
            self.seal_due(Instant::now());
        }
        // What sources were still handing over.
        while let Ok(event) = events.try_recv() {
            if let Event::Report(report) = event {
                self.take(*report);
            }
        }
        for stream in Stream::ALL {
            self.seal(stream);
        }
    }

    /// Takes a device's report apart into the two streams.
    pub fn take(&mut self, report: DeviceReport) {
        if let Some(address) = address_of(&report) {
            self.names.request(address);
        }
        let (meters, state) = split(report);
        let due = Instant::now() + self.config.age_max;
        for (stream, part) in [(Stream::Meters, meters), (Stream::State, state)] {
            let Some(part) = part else { continue };
            let devices_max = self.config.devices_max;
            let pending = self.pending(stream);
            pending.devices.push(part);
            pending.due.get_or_insert(due);
            // At the exact count only: beyond it, the spool is failing and its pause is kept.
            if pending.devices.len() == devices_max {
                self.seal(stream);
            }
        }
    }

    fn seal_due(&mut self, now: Instant) {
        for stream in Stream::ALL {
            if self.pending(stream).due.is_some_and(|due| due <= now) {
                self.seal(stream);
            }
        }
    }

    /// Seals what waits of a stream, in reports of the configured size.
    fn seal(&mut self, stream: Stream) {
        let mut devices = std::mem::take(self.pending(stream)).devices;
        while !devices.is_empty() {
            let count = devices.len().min(self.config.devices_max);
            let rest = devices.split_off(count);
            match self.seal_report(stream, &mut devices) {
                Ok(()) => {
                    add(&self.status.counters().device_reports_sealed, count as u64);
                    devices = rest;
                }
                Err(error) => {
                    tracing::error!(stream = stream.name(), error = %Chain(&error), "the spool does not take a report; it will be tried again");
                    devices.extend(rest);
                    self.keep_for_later(stream, devices);
                    return;
                }
            }
        }
    }

    fn seal_report(
        &mut self,
        stream: Stream,
        devices: &mut Vec<DeviceReport>,
    ) -> Result<(), SpoolError> {
        for device in devices.iter_mut() {
            if let Some(address) = address_of(device) {
                device.identity.dns_name = self.names.known(address);
            }
        }
        let now = self.clock.now();
        let (epoch, sequence) = {
            let spool = self.spool();
            (spool.epoch(), spool.sequence_next(stream))
        };
        let report = Report {
            header: Header {
                agent: self.agent.clone(),
                epoch,
                stream,
                sequence,
                sealed_at: now,
                sealed_uptime_ms: self.clock.uptime_ms(),
                program: PROGRAM.to_owned(),
            },
            devices: match &mut self.deltas {
                Some(deltas) => deltas.encode(stream, sequence, devices, now),
                None => std::mem::take(devices),
            },
        };
        self.xml.clear();
        self.sealed.clear();
        codec::xml::write_report(&report, &mut self.xml);
        self.deflater
            .deflate(self.config.encoding, &self.xml, &mut self.sealed);
        let meta = Meta {
            encoding: self.config.encoding,
            epoch,
            hash: ContentHash::of(&self.sealed),
            sealed_at: now,
            devices: u32::try_from(report.devices.len()).unwrap_or(u32::MAX),
        };
        let mut spool = self.spool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = spool.append(stream, &meta, sequence, &self.sealed, now) {
            match &mut self.deltas {
                Some(deltas) => deltas.forget_last(),
                None => *devices = report.devices,
            }
            return Err(error);
        }
        devices.clear();
        if let Some(deltas) = &mut self.deltas {
            deltas.keep_last();
        }
        let counters = self.status.counters();
        for stream in Stream::ALL {
            let (reports, bytes) = spool.depth(stream);
            let dropped = spool.dropped(stream);
            let counters = counters.stream(stream);
            set(&counters.waiting_reports, reports);
            set(&counters.waiting_bytes, bytes);
            set(&counters.dropped, dropped.full + dropped.aged);
        }
        drop(spool);
        tracing::debug!(
            stream = stream.name(),
            sequence,
            devices = meta.devices,
            bytes = self.sealed.len(),
            "sealed"
        );
        (self.wake)(stream);
        Ok(())
    }

    /// Keeps what the spool did not take, bounded: the oldest state goes first.
    fn keep_for_later(&mut self, stream: Stream, devices: Vec<DeviceReport>) {
        self.pending(stream).devices = devices;
        self.pending(stream).due = Some(Instant::now() + SPOOL_PAUSE);
        let excess = (self.meters.devices.len() + self.state.devices.len())
            .saturating_sub(DEVICES_PER_REPORT_MAX);
        let of_state = excess.min(self.state.devices.len());
        self.state.devices.drain(..of_state);
        self.meters.devices.drain(..excess - of_state);
        if excess > 0 {
            tracing::error!(
                device_reports = excess,
                "given up: neither spool nor memory has room"
            );
        }
    }

    const fn pending(&mut self, stream: Stream) -> &mut Pending {
        match stream {
            Stream::Meters => &mut self.meters,
            Stream::State => &mut self.state,
        }
    }

    fn spool(&self) -> MutexGuard<'_, Spool<D>> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parts of a device's report for meters and for everything else, each with the identity; none where nothing was read.
fn split(report: DeviceReport) -> (Option<DeviceReport>, Option<DeviceReport>) {
    let meters = (!report.meters.is_not_read()).then(|| DeviceReport {
        observed_at: report.observed_at,
        observed_uptime_ms: report.observed_uptime_ms,
        source: report.source,
        handle: report.handle.clone(),
        base: report.base,
        identity: report.identity.clone(),
        meter_set: report.meter_set,
        meters: report.meters.clone(),
        ..DeviceReport::default()
    });
    // A heartbeat reads none of these and says that the device is there: that is state.
    let has_state = meters.is_none()
        || !(report.status.is_not_read()
            && report.supplies.is_not_read()
            && report.trays.is_not_read()
            && report.alerts.is_not_read());
    let state = has_state.then_some(DeviceReport {
        meters: Section::NotRead,
        meter_set: None,
        ..report
    });
    (meters, state)
}

/// The address without its port.
fn address_of(report: &DeviceReport) -> Option<IpAddr> {
    let text = report.identity.address.as_deref()?;
    text.parse()
        .ok()
        .or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|a| a.ip()))
}

#[cfg(test)]
mod tests;
