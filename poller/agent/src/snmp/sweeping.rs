//! Discovery as the source runs it: when a sweep begins, how many addresses of it are under way, and what is found.
//!
//! What always holds: sweeps leave a third of the request rate to the polls; a device that answers is not asked by them; and nothing is
//! asked outside the configured ranges, whoever tells of it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use poller::credentials::Access;
use poller::device::{Depth, PollOutcome};
use poller::discovery::{Candidate, Hints, Sweep, SweepRange, addresses, remaining};
use poller::engine::{Memory, PollOptions, SNMP_PORT};

use super::coverage::Cover;
use super::devices::Found;
use super::schedule::Reading;
use super::search::Searches;
use super::{Range, SnmpSource, untouched};
use crate::config::DiscoveryConfig;
use crate::config::ranges::RangeFile;
use crate::hints::HintThreads;
use crate::mdns::Listener;
use crate::source::Sink;
use crate::status::{add, set};
use crate::upload::Chain;

/// Addresses of sweeps that are under way at once, beside the devices' polls: most are silent and only wait. (A second's worth at the
/// highest rate that is of use.)
pub(super) const SWEEP_AT_ONCE_MAX: usize = 8192;
/// The share of the request rate that sweeps may take: the polls' requests then need not queue behind them.
const SWEEP_SHARE: f64 = 2.0 / 3.0;
/// A sweep asks each address so often: one lost datagram is not a missed printer.
pub(super) const SWEEP_ATTEMPTS: u32 = 2;
/// A search asks once: what it misses, the next finds.
const SEARCH_ATTEMPTS: u32 = 1;
/// How often a running sweep says how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(60);
/// A range of which it was not known what a name excludes is swept after this, if it is known then.
const LEFT_OUT_PAUSE: Duration = Duration::from_secs(60);
/// Addresses that are named in the line about those that are alive and silent.
const SILENT_SHOWN_MAX: usize = 20;

/// Which sweep an address is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Of all ranges.
    Sweep,
    /// For devices that may have moved, or that told of themselves.
    Search,
}

/// A sweep under way.
struct Running {
    kind: Kind,
    sweep: Sweep,
    began: Instant,
    told: Instant,
    found: u64,
}

/// What discovery is about.
pub(super) struct Discovery {
    sweep: Option<Running>,
    sweep_due: Instant,
    /// Before the sweep of all ranges is due: those that were left out of the last one, because of a name that could not be looked up.
    left_out: BTreeSet<usize>,
    all_due: Instant,
    /// The sweep that runs is of all ranges.
    is_whole: bool,
    search: Option<Running>,
    pub(super) searches: Searches,
    /// Addresses that are being asked.
    under_way: usize,
    hints: Option<HintThreads>,
    mdns: Option<Listener>,
    /// Some devices that no range has any more were being polled when that was found out.
    has_leavers: bool,
}

impl Discovery {
    /// Opens what is configured beside SNMP. What cannot be had is said, and nothing else depends on it.
    pub(super) fn start(config: &DiscoveryConfig, packets_per_second: u32) -> Self {
        let hints = HintThreads::start(&config.hints, packets_per_second);
        let hints = hints.unwrap_or_else(|error| {
            tracing::warn!(%error, "signs of life cannot be asked for");
            None
        });
        let mdns = config.mdns.as_deref().map(Listener::start).transpose();
        let mdns = mdns.unwrap_or_else(|error| {
            tracing::warn!(%error, "announcements of printers (mDNS) cannot be heard");
            None
        });
        Self {
            sweep: None,
            sweep_due: Instant::now(),
            left_out: BTreeSet::new(),
            all_due: Instant::now(),
            is_whole: true,
            search: None,
            searches: Searches::default(),
            under_way: 0,
            hints,
            mdns,
            has_leavers: false,
        }
    }

    fn running(&mut self, kind: Kind) -> &mut Option<Running> {
        match kind {
            Kind::Sweep => &mut self.sweep,
            Kind::Search => &mut self.search,
        }
    }

    /// An address was asked, and answered or not.
    pub(super) fn ended(&mut self, kind: Kind, candidate: &Candidate, answered: bool) {
        self.under_way -= 1;
        if let Some(running) = self.running(kind) {
            running.sweep.ended(candidate, answered);
        }
        if !answered
            && kind == Kind::Sweep
            && candidate.attempt == 0
            && let Some(hints) = &mut self.hints
        {
            hints.request(candidate.address.ip());
        }
    }

    /// An address is being asked.
    pub(super) const fn began(&mut self) {
        self.under_way += 1;
    }

    /// When a sweep is due, if none runs.
    pub(super) fn due(&self) -> Option<Instant> {
        self.sweep.is_none().then_some(self.sweep_due)
    }
}

impl SnmpSource {
    /// Begins what is due and asks as many addresses as may be under way.
    pub(super) fn sweep(&mut self, now: Instant) {
        if self.discovery.has_leavers {
            self.leave_what_is_not_covered();
        }
        self.hear_announcements(now);
        self.begin_search(now);
        self.begin_sweep(now);
        self.hear_hints();
        // Searches are small and first.
        for kind in [Kind::Search, Kind::Sweep] {
            self.go_on(kind, now);
        }
    }

    fn begin_sweep(&mut self, now: Instant) {
        let discovery = &mut self.discovery;
        if discovery.sweep.is_some() || now < discovery.sweep_due || self.ranges.is_empty() {
            return;
        }
        let left_out = std::mem::take(&mut discovery.left_out);
        let is_whole = now >= discovery.all_due || left_out.is_empty();
        self.read_lists_again();
        let ranges = self.ranges.iter().enumerate().map(|(number, range)| {
            match is_whole || left_out.contains(&number) {
                true => SweepRange {
                    include: &range.config.include,
                    exclude: &range.config.exclude,
                },
                false => SweepRange {
                    include: &[],
                    exclude: &[],
                },
            }
        });
        let mut sweep = Sweep::new(ranges, SNMP_PORT, SWEEP_ATTEMPTS);
        for (_, device) in self.devices.iter() {
            if device.failures() > 0 {
                sweep.prefer(device.target.ip());
            }
        }
        let counters = self.status.counters();
        let addresses = sweep.progress().addresses;
        set(&counters.discovery_asked, 0);
        set(&counters.discovery_total, addresses);
        tracing::info!(addresses, "discovery begins");
        self.discovery.is_whole = is_whole;
        self.discovery.sweep = Some(Running::new(Kind::Sweep, sweep, now));
    }

    fn begin_search(&mut self, now: Instant) {
        if self.discovery.search.is_some() {
            return;
        }
        let ranges = &self.ranges;
        let include = |range: usize| ranges[range].config.include.as_slice();
        let Some(plan) = self.discovery.searches.take(include, now) else {
            return;
        };
        let ranges = (ranges.iter().enumerate()).map(|(number, range)| SweepRange {
            include: plan.get(&number).map_or(&[][..], Vec::as_slice),
            exclude: &range.config.exclude,
        });
        let sweep = Sweep::new(ranges, SNMP_PORT, SEARCH_ATTEMPTS);
        let addresses = sweep.progress().addresses;
        tracing::debug!(addresses, "a search for devices that may have moved begins");
        self.discovery.search = Some(Running::new(Kind::Search, sweep, now));
    }

    /// Asks as many addresses of a sweep as may be under way.
    fn go_on(&mut self, kind: Kind, now: Instant) {
        let Some(mut running) = self.discovery.running(kind).take() else {
            return;
        };
        while self.discovery.under_way < self.sweep_at_once(running.sweep.attempt())
            && let Some(candidate) = running.sweep.take_next()
        {
            self.take_resolved(kind, &mut running.sweep);
            if self.has_no_room(candidate.range) {
                running.sweep.put_back(candidate);
                break;
            }
            // Known and answering ones are polled anyway, and some must not be.
            let is_known = self.devices.is_answering(candidate.address)
                || self.untouched.has(candidate.address, now);
            // A list may have been read again since the sweep began, a name looked up.
            let may_ask = self.may_ask(candidate.range, candidate.address);
            let options = &self.ranges[candidate.range].sweep;
            if is_known || !may_ask || options.get(candidate.attempt as usize).is_none() {
                running.sweep.ended(&candidate, is_known || !may_ask);
            } else {
                self.knock(kind, candidate);
            }
        }
        self.take_resolved(kind, &mut running.sweep);
        let progress = running.sweep.progress();
        if kind == Kind::Sweep {
            let counters = self.status.counters();
            set(&counters.discovery_asked, progress.asked);
            set(&counters.discovery_total, progress.addresses);
        }
        let hints = self.discovery.hints.as_ref();
        let is_hinting = kind == Kind::Sweep && hints.is_some_and(|hints| hints.pending() > 0);
        if running.sweep.is_over() && !is_hinting {
            self.finish_running(&running, now);
            return;
        }
        running.tell(now);
        *self.discovery.running(kind) = Some(running);
    }

    /// As many as use their share of the rate when none answers: each then sends a request in every timeout.
    fn sweep_at_once(&self, attempt: u32) -> usize {
        let timeout = self.polling.timeout * 2_u32.saturating_pow(attempt);
        let rate = f64::from(self.polling.packets_per_second) * SWEEP_SHARE;
        ((rate * timeout.as_secs_f64()) as usize).clamp(1, SWEEP_AT_ONCE_MAX)
    }

    fn finish_running(&mut self, running: &Running, now: Instant) {
        let progress = running.sweep.progress();
        let seconds = now.duration_since(running.began).as_secs();
        if running.kind == Kind::Search {
            tracing::debug!(
                addresses = progress.addresses,
                found = running.found,
                seconds,
                "the search ended"
            );
            return;
        }
        let discovery = &mut self.discovery;
        discovery.left_out.clone_from(running.sweep.barred());
        if discovery.is_whole {
            discovery.all_due = now + self.schedule.discovery_pause();
        }
        discovery.sweep_due = match discovery.left_out.is_empty() {
            true => discovery.all_due,
            false => discovery.all_due.min(now + LEFT_OUT_PAUSE),
        };
        let silent = running.sweep.alive_and_silent();
        let counters = self.status.counters();
        set(&counters.discovery_alive_silent, silent.len() as u64);
        if !silent.is_empty() {
            let mut shown: Vec<_> = silent.iter().copied().collect();
            shown.sort_unstable();
            let shown: Vec<_> = shown
                .iter()
                .take(SILENT_SHOWN_MAX)
                .map(ToString::to_string)
                .collect();
            tracing::info!(
                addresses = silent.len(),
                first = shown.join(" "),
                "alive but no SNMP answer: check the community, or SNMP is switched off"
            );
        }
        tracing::info!(
            addresses = progress.addresses,
            found = running.found,
            devices = self.devices.len(),
            seconds,
            "discovery ended"
        );
    }

    /// Takes in the signs of life that came.
    fn hear_hints(&mut self) {
        let Some(hints) = &mut self.discovery.hints else {
            return;
        };
        while let Some(address) = hints.alive() {
            if let Some(running) = &mut self.discovery.sweep {
                running.sweep.alive(address);
            }
        }
    }

    /// Takes in the addresses of printers that announced themselves: those within the ranges are asked at once.
    fn hear_announcements(&mut self, now: Instant) {
        let Some(mdns) = &mut self.discovery.mdns else {
            return;
        };
        let ranges = &self.ranges;
        let is_ours = |address| {
            let mut ranges = ranges.iter();
            ranges.any(|range| range.config.places(address).next().is_some())
        };
        while let Some(address) = mdns.announced(is_ours, now) {
            for (number, range) in self.ranges.iter().enumerate() {
                for place in range.config.places(address) {
                    if !self.devices.is_answering(place) {
                        tracing::debug!(%place, "a printer announced itself");
                        self.discovery.searches.place(number, place);
                    }
                }
            }
        }
    }

    /// A poll of a device got no answer: it may have moved.
    pub(super) fn search_for(
        &mut self,
        range: usize,
        target: SocketAddr,
        failures: u32,
        now: Instant,
    ) {
        let count = self.ranges[range].addresses;
        (self.discovery.searches).silent(range, count, target.ip(), failures, now);
    }

    /// An address of a sweep was asked.
    pub(super) fn finish_sweep(
        &mut self,
        (kind, candidate): (Kind, Candidate),
        outcome: PollOutcome,
        memory: Memory,
        now: Instant,
        sink: &mut dyn Sink,
    ) -> bool {
        let answered = outcome.report.is_some();
        self.discovery.ended(kind, &candidate, answered);
        if !self.may_ask(candidate.range, candidate.address) {
            // It was taken out of its range while it was being asked.
            return true;
        }
        let Some(report) = outcome.report else {
            return true;
        };
        let (range, address) = (candidate.range, candidate.address);
        if outcome.do_not_touch {
            self.leave_untouched(address, now);
            return true;
        }
        if !outcome.is_printer {
            tracing::debug!(%address, "answers, but is no printer");
            return true;
        }
        add(&self.status.counters().polls, 1);
        let report = self.finished_report(report, now);
        let is_proven = self.is_proof(range, &memory);
        let found = self.devices.found(range, address, &report, is_proven, now);
        let id = match found {
            Found::New(id) | Found::Here(id) => id,
            Found::Moved(id, from) => {
                self.discovery.searches.found(range, from.ip());
                id
            }
            Found::Elsewhere => {
                tracing::debug!(%address, "a second address of a device that is already polled, or its new one: that is looked at now");
                return true;
            }
            Found::Unproven(id) => {
                let handle = &self.devices.get(id).handle;
                tracing::warn!(%address, handle, "answers without SNMPv3 as a device that has proved itself by it, or in its place: it is not followed");
                return true;
            }
        };
        if let Some(running) = self.discovery.running(kind) {
            running.found += 1;
        }
        self.devices.answered(id, now);
        let device = self.devices.get_mut(id);
        device.memory = memory;
        device.plan = outcome.plan;
        let handle = device.handle.clone();
        tracing::debug!(%address, handle, model = report.identity.model, "found a printer");
        self.schedule.did(device, Reading::all(Depth::Learn), now);
        let next = self.schedule.next(self.devices.get(id), now);
        self.devices.end(id, next, now);
        self.count_devices();
        sink.report(codec::model::DeviceReport { handle, ..report })
    }

    /// A model answered that must not be polled.
    pub(super) fn leave_untouched(&mut self, address: SocketAddr, now: Instant) {
        let days = untouched::PAUSE.as_secs() / 86_400;
        tracing::info!(%address, days, "this model must not be polled: nothing is asked there for so many days");
        self.untouched.note(address, now);
    }

    /// Whether what the engine remembers after a poll says that an authentic message of SNMPv3 answered it.
    fn is_proof(&self, range: usize, memory: &Memory) -> bool {
        let credentials = &self.ranges[range].poll.credentials;
        let worked = credentials
            .iter()
            .find(|one| Some(&one.label) == memory.credential.as_ref());
        let is_authentic = worked.is_some_and(|one| match &one.access {
            Access::V3(principal) => principal.user().auth.is_some(),
            Access::V1(_) | Access::V2c(_) => false,
        });
        memory.v3_proven && is_authentic
    }

    /// Reads the lists of the ranges that were written to. What is no longer in them is not polled any more.
    fn read_lists_again(&mut self) {
        let mut has_changed = false;
        for number in 0..self.ranges.len() {
            let config = &mut self.ranges[number].config;
            let Some(file) = config.file.as_mut().filter(|file| file.has_changed()) else {
                continue;
            };
            let path = file.path().display().to_string();
            match file.read() {
                Ok(read) => {
                    tracing::info!(path, "a list of devices has changed and was read again");
                    has_changed = true;
                    self.take_list(number, read);
                }
                Err(error) => {
                    RangeFile::leave(file);
                    tracing::warn!(path, error = %Chain(&error), "a list of devices has changed and cannot be taken: it stays as it was");
                }
            }
        }
        if has_changed {
            self.leave_what_is_not_covered();
        }
    }

    /// Takes the ranges that a list makes now. Ranges keep their numbers: what is gone is left empty.
    fn take_list(&mut self, number: usize, read: Vec<crate::config::RangeConfig>) {
        for range in &mut self.ranges {
            if range.made_by == Some(number) {
                range.config.include.clear();
                range.addresses = 0;
            }
        }
        for (place, config) in read.into_iter().enumerate() {
            let mut range = Range::new(&config, &self.polling);
            range.made_by = (place > 0).then_some(number);
            let mut known = self.ranges.iter();
            let known = match place {
                0 => Some(number),
                _ => known.position(|known| {
                    known.made_by == Some(number) && known.config.name == config.name
                }),
            };
            match known {
                Some(at) => {
                    range
                        .names
                        .take_from(std::mem::take(&mut self.ranges[at].names));
                    self.ranges[at] = range;
                }
                None => self.ranges.push(range),
            }
        }
    }

    /// Devices that no range has any more are not polled any more; those that another one has go there.
    pub(super) fn leave_what_is_not_covered(&mut self) {
        let covered_by = |target: SocketAddr, range: usize| {
            if self.ranges[range].covers(target) != Cover::No {
                return Some(range);
            }
            let mut ranges = self.ranges.iter();
            ranges.position(|range| range.covers(target) == Cover::Yes)
        };
        let changes: Vec<_> = (self.devices.iter())
            .map(|(id, device)| (id, covered_by(device.target, device.range), device.range))
            .filter(|(_, now, before)| *now != Some(*before))
            .collect();
        self.discovery.has_leavers = false;
        for (id, range, _) in changes {
            match range {
                Some(range) => self.devices.get_mut(id).range = range,
                None => self.discovery.has_leavers |= !self.devices.leave(id),
            }
        }
        let ranges = &self.ranges;
        self.devices
            .forget_sightings(|range, target| ranges[range].covers(target) != Cover::No);
        self.count_devices();
    }
}

impl Running {
    const fn new(kind: Kind, sweep: Sweep, now: Instant) -> Self {
        Self {
            kind,
            sweep,
            began: now,
            told: now,
            found: 0,
        }
    }

    /// Says how far it is, now and then.
    fn tell(&mut self, now: Instant) {
        if self.kind == Kind::Search || now < self.told + PROGRESS_INTERVAL {
            return;
        }
        self.told = now;
        let progress = self.sweep.progress();
        let elapsed = now.duration_since(self.began);
        let left = remaining(elapsed, &progress);
        tracing::info!(
            asked = progress.asked,
            addresses = progress.addresses,
            found = self.found,
            addresses_per_second = (progress.attempts_done as f64 / elapsed.as_secs_f64()).round(),
            seconds_left = left.map(|left| left.as_secs()),
            "discovery goes on"
        );
    }
}

/// How the addresses of a range are asked at each attempt: one request each while nothing answers, and as often as any poll once
/// something did.
pub(super) fn attempts_of(poll: &PollOptions) -> Vec<Arc<PollOptions>> {
    let attempts = 0..(SWEEP_ATTEMPTS as usize).min(poll.timeouts.len());
    attempts
        .map(|attempt| {
            Arc::new(PollOptions {
                timeouts: poll.timeouts[attempt..].to_vec(),
                rounds_unanswered: 1,
                ..poll.clone()
            })
        })
        .collect()
}

/// How many addresses a range has.
pub(super) fn addresses_of(config: &crate::config::RangeConfig) -> u64 {
    addresses(SweepRange {
        include: &config.include,
        exclude: &config.exclude,
    })
}

#[cfg(test)]
mod tests;
