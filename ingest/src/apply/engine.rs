//! A report becomes rows: who each device is, what the report says of it, and how that differs from what was known.
//!
//! What always holds: a report is applied whole or not at all; nothing here asks a clock; the same reports in the same order make the
//! same rows at the same places.

use std::collections::HashMap;
use std::sync::Arc;

use codec::id::{AgentId, DeviceId, TenantId};
use codec::key::{SpoolEpoch, Stream};
use codec::model::{DeviceReport, MeterSet, Section, SourceKind};
use codec::time::Timestamp;
use olap::reading::JournalPosition;
use olap::rows::{AgentRow, SeenRow};
use olap::words::EventKind;
use olap::{Batch, Store, StoreError};
use registry::{Evidence, Finding, Registry};

use super::bases::Bases;
use super::clock::{Clocks, Observed};
use super::device::Device;
use super::history::{self, Earlier, History, Recents};
use super::meter_key::MeterKeys;
use super::{Needs, identity, sections};
use crate::feed::Next;
use crate::metrics::IngestMetrics;
use crate::shard::ShardError;

/// Bits of a place below the stamp: one report makes fewer rows than that, since it has at most 10,000 devices of 1,024 meters.
pub(super) const PLACE_BITS: u32 = 24;

/// The places of one report, in order: they follow from its stamp, so that a replay gives the same.
#[derive(Debug)]
pub struct Places {
    next: u64,
}

impl Places {
    /// The places of the report with that stamp.
    #[must_use]
    pub const fn of(stamp: u64) -> Self {
        Self {
            next: stamp << PLACE_BITS,
        }
    }

    /// The first stamp whose places are all at or above `place`.
    #[must_use]
    pub const fn stamp_after(place: u64) -> u64 {
        place.div_ceil(1 << PLACE_BITS)
    }

    /// The next place.
    #[allow(clippy::should_implement_trait, reason = "places do not end")]
    pub const fn next(&mut self) -> u64 {
        let place = self.next;
        self.next += 1;
        place
    }
}

/// Why a report could not be applied; nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The registry failed.
    #[error("resolving a report's devices failed")]
    Registry(#[from] registry::Error),
    /// The report speaks of times before runs that are only in the batch: commit it, then try again.
    #[error("the batch must be committed before a late report")]
    CommitFirst,
    /// The base of a delta could not be read.
    #[error("reading the base of a delta failed")]
    Base(#[from] ShardError),
    /// The store failed to answer a question.
    #[error("asking the store about earlier readings failed")]
    Store(#[from] StoreError),
}

/// What one device of a report is applied with.
pub(crate) struct Context<'a> {
    pub agent: &'a AgentId,
    pub epoch: SpoolEpoch,
    pub stream: Stream,
    pub sequence: u64,
    pub ordinal: u32,
    pub observed: Observed,
    pub agent_at: Timestamp,
    pub received_at: Timestamp,
    pub source: SourceKind,
    pub journal: JournalPosition,
    pub places: &'a mut Places,
    pub batch: &'a mut Batch,
    pub keys: &'a mut MeterKeys,
    pub recents: &'a mut Recents,
}

/// The highest number applied of a stream, and when its latest device was observed.
type Latest = (u64, Timestamp);

/// Turns reports into rows.
pub struct Engine {
    pub(super) registry: Registry,
    pub(super) metrics: IngestMetrics,
    needs: Arc<Needs>,
    /// Each in memory of its own: a table of 100,000 that grows would otherwise be there twice for a while.
    pub(super) devices: HashMap<DeviceId, Box<Device>>,
    streams: HashMap<(AgentId, SpoolEpoch, Stream), Latest>,
    pub(super) bases: Bases,
    keys: MeterKeys,
    recents: Recents,
    /// The report that was added last.
    pub(super) stamp_applied: Option<u64>,
    /// Device reports in the batch at hand.
    devices_added: u64,
    /// Devices with runs in the batch at hand.
    pub(super) uncommitted: Vec<DeviceId>,
    /// The stamp of a report, and the devices that it showed to be others: the registry says so once, and the report may have to be applied
    /// again.
    superseded: (u64, Vec<Superseded>),
}

impl Engine {
    /// An engine that knows nothing yet: [`Engine::reload`] comes first.
    #[must_use]
    pub fn new(
        registry: Registry,
        needs: Arc<Needs>,
        bases: Bases,
        metrics: IngestMetrics,
    ) -> Self {
        Self {
            registry,
            metrics,
            needs,
            devices: HashMap::new(),
            streams: HashMap::new(),
            bases,
            keys: MeterKeys::default(),
            recents: Recents::default(),
            stamp_applied: None,
            devices_added: 0,
            uncommitted: Vec::new(),
            superseded: (0, Vec::new()),
        }
    }

    /// Knows what `store` knows, and forgets what was added since its last commit; the registry goes back to what it knew after the last
    /// report that the store has.
    ///
    /// # Errors
    /// When the store or the registry fails; call it again then.
    pub fn reload(&mut self, store: &dyn Store) -> Result<(), ApplyError> {
        let stamp_next = Places::stamp_after(store.positions()?.next_place);
        let undone = self.registry.rewind_identities(stamp_next.checked_sub(1))?;
        if undone > 0 {
            tracing::info!(undone, "the registry went back to where the store is");
        }
        let mut keys = MeterKeys::default();
        let mut devices = HashMap::new();
        store.load(&mut |state| {
            devices.insert(state.device, Box::new(Device::load(state, &mut keys)));
        })?;
        self.devices = devices;
        self.keys = keys;
        let streams = store.streams()?.into_iter().filter_map(|stream| {
            let track = (stream.agent, stream.epoch, stream.stream);
            stream.observed_at.map(|at| (track, (stream.sequence, at)))
        });
        self.streams = streams.collect();
        self.recents = Recents::default();
        self.stamp_applied = None;
        self.devices_added = 0;
        self.uncommitted.clear();
        self.superseded = (0, Vec::new());
        Ok(())
    }

    /// Devices known.
    #[must_use]
    pub fn device_count(&self) -> usize {
        self.devices.len()
    }

    /// Writes what the batch at hand says of devices' identity: to be called before the batch is committed.
    ///
    /// # Errors
    /// When the registry fails; call it again then.
    pub fn write_ahead(&self) -> Result<(), ApplyError> {
        if let Some(stamp) = self.stamp_applied {
            self.registry.write_identities(stamp)?;
        }
        Ok(())
    }

    /// Says that the batch at hand was committed.
    pub fn committed(&mut self) {
        if let Some(stamp) = self.stamp_applied {
            self.registry.settle_identities(stamp);
        }
        let added = std::mem::take(&mut self.devices_added);
        self.metrics.applied_devices.inc_by(added);
        for id in self.uncommitted.drain(..) {
            if let Some(device) = self.devices.get_mut(&id) {
                device.has_uncommitted = false;
            }
        }
    }

    /// Adds what a report says to the batch.
    ///
    /// # Errors
    /// [`ApplyError`]; nothing of the report was added.
    pub fn apply(
        &mut self,
        next: &Next,
        store: &dyn Store,
        batch: &mut Batch,
    ) -> Result<(), ApplyError> {
        let key = &next.meta.key;
        let decoded = match &next.decoded {
            Ok(decoded) => decoded,
            Err(error) => {
                self.metrics.skip(error.reason);
                tracing::error!(
                    agent = %key.agent, sequence = key.sequence, position = %next.position, detail = error.detail,
                    "an accepted report cannot be read any more and is skipped; its bytes stay in the journal"
                );
                return Ok(());
            }
        };
        let header = &decoded.report.header;
        let track_id = (key.agent.clone(), key.epoch, key.stream);
        let not_before = self
            .streams
            .get(&track_id)
            .filter(|(sequence, _)| *sequence < key.sequence)
            .map(|(_, at)| *at);
        let clocks = |device: &DeviceReport| Clocks {
            observed_at: device.observed_at,
            observed_uptime_ms: device.observed_uptime_ms,
            sealed_uptime_ms: header.sealed_uptime_ms,
            sent_at: next.meta.sent_at,
            sent_uptime_ms: next.meta.uptime_ms,
            received_at: next.meta.received_at,
            not_before,
        };

        let reports = self.resolve_deltas(next, &decoded.report.devices)?;
        let observed: Vec<Observed> = decoded
            .report
            .devices
            .iter()
            .map(|device| clocks(device).observed())
            .collect();
        let resolved = self.resolve_identities(next.stamp, &key.agent, &reports, &observed)?;

        let history = self.history(&reports, &observed, &resolved, store)?;

        // From here on nothing fails.
        let (_, superseded) = std::mem::take(&mut self.superseded);
        let mut places = Places::of(next.stamp);
        for end in &superseded {
            if let Some(device) = self.devices.get_mut(&end.old) {
                let kind = EventKind::IdentityChanged;
                identity::end(device, end.now, kind, end.at, &mut places, batch);
                if !std::mem::replace(&mut device.has_uncommitted, true) {
                    self.uncommitted.push(end.old);
                }
            }
        }
        let agent_at = next.meta.sent_at.unwrap_or(header.sealed_at);
        for (ordinal, ((report, observed), resolved)) in
            reports.iter().zip(&observed).zip(&resolved).enumerate()
        {
            let (Some(report), Some((id, site))) = (report, resolved) else {
                continue;
            };
            let mut context = Context {
                agent: &key.agent,
                epoch: key.epoch,
                stream: key.stream,
                sequence: key.sequence,
                ordinal: u32::try_from(ordinal).unwrap_or(u32::MAX),
                observed: *observed,
                agent_at,
                received_at: next.meta.received_at,
                source: report.as_ref().source.unwrap_or(SourceKind::Snmp),
                journal: JournalPosition {
                    shard: next.shard,
                    position: next.position.packed(),
                },
                places: &mut places,
                batch,
                keys: &mut self.keys,
                recents: &mut self.recents,
            };
            let device = self
                .devices
                .entry(*id)
                .or_insert_with(|| Box::new(unknown(*id, *site, &context)));
            let had_uncommitted = device.has_uncommitted;
            let earlier = history.get(id).map_or(&[][..], Vec::as_slice);
            apply_device(
                device,
                *site,
                report.as_ref(),
                earlier,
                &mut context,
                &self.metrics,
            );
            if device.has_uncommitted && !had_uncommitted {
                self.uncommitted.push(*id);
            }
            self.devices_added += 1;
        }

        self.recents.trim(&mut self.devices);
        let latest = observed.iter().map(|observed| observed.at).max();
        let before = self.streams.get(&track_id).copied();
        if before.is_none_or(|(sequence, _)| sequence < key.sequence) {
            let at = latest.or(before.map(|(_, at)| at));
            let at = at.unwrap_or(next.meta.received_at);
            batch.stream(&key.agent, key.epoch, key.stream, key.sequence, at);
            self.streams.insert(track_id, (key.sequence, at));
        }
        batch.agent(&AgentRow {
            agent: &key.agent,
            heard_at: next.meta.received_at,
            sealed_at: header.sealed_at,
            program: &header.program,
            clock_ahead_ms: next
                .meta
                .sent_at
                .map(|sent| sent.ms_since(next.meta.received_at)),
        });
        batch.next_place((next.stamp + 1) << PLACE_BITS);
        self.stamp_applied = Some(next.stamp);
        Ok(())
    }

    /// The device reports in full: as they are, or resolved against their bases. `None` for a delta whose base is not known.
    fn resolve_deltas<'a>(
        &mut self,
        next: &Next,
        devices: &'a [DeviceReport],
    ) -> Result<Vec<Option<Full<'a>>>, ApplyError> {
        let key = &next.meta.key;
        if devices.iter().any(|device| device.base.is_none()) {
            self.bases.note(&next.meta, next.shard, next.position);
        }
        let stream = (key.agent.clone(), key.epoch, key.stream);
        let as_sent = |device: &'a DeviceReport| device.base.is_none().then_some(device);
        let mut reports: Vec<Option<Full<'a>>> = devices
            .iter()
            .map(|device| as_sent(device).map(Full::AsSent))
            .collect();
        // Base by base: where they are not all in memory, each is read once.
        let mut deltas: Vec<(u64, usize)> = devices
            .iter()
            .enumerate()
            .filter_map(|(index, device)| Some((device.base?, index)))
            .collect();
        deltas.sort_unstable();
        for deltas in deltas.chunk_by(|(base, _), (other, _)| base == other) {
            let known = self.bases.find(&stream, deltas[0].0)?;
            for &(_, index) in deltas {
                let device = &devices[index];
                let base = known.and_then(|known| known.get(&device.handle));
                let full = base.and_then(|base| codec::delta::apply(base, device).ok());
                if full.is_none() {
                    self.metrics.skip("no-base");
                    self.needs.ask(&key.agent, key.epoch, &device.handle);
                    self.metrics.full_asked.inc();
                }
                reports[index] = full.map(|full| Full::Resolved(Box::new(full)));
            }
        }
        Ok(reports)
    }

    /// Of devices whose report is older than what is in memory, or of which a meter may have ended: their runs in the store.
    fn history(
        &mut self,
        reports: &[Option<Full<'_>>],
        observed: &[Observed],
        resolved: &[Option<(DeviceId, TenantId)>],
        store: &dyn Store,
    ) -> Result<History, ApplyError> {
        let mut late = Vec::new();
        for ((report, observed), resolved) in reports.iter().zip(observed).zip(resolved) {
            if let (Some(report), Some((id, _))) = (report, resolved)
                && let Some(meters) = report.as_ref().meters.read()
                && let Some(device) = self.devices.get(id)
                && history::is_needed(device, meters, observed.at, &mut self.keys)
            {
                if device.has_uncommitted {
                    return Err(ApplyError::CommitFirst);
                }
                late.push((device, meters, observed.at));
            }
        }
        let mut history = History::new();
        for (device, meters, at) in late {
            let found = history::ask(store, device, meters, at, &mut self.keys)?;
            let earlier: &mut Vec<Earlier> = history.entry(device.id).or_default();
            earlier.extend(found);
        }
        Ok(history)
    }

    /// Which device each report is of, and where it stands, `None` where nothing identifies it; notes which devices turned out to be another.
    fn resolve_identities(
        &mut self,
        stamp: u64,
        agent: &AgentId,
        reports: &[Option<Full<'_>>],
        observed: &[Observed],
    ) -> Result<Vec<Option<(DeviceId, TenantId)>>, ApplyError> {
        // How things were is kept until the store has this report too, so that a start can go back to it.
        let mut resolver = self.registry.resolver_at(stamp);
        let mut resolved = Vec::with_capacity(reports.len());
        let mut superseded = Vec::new();
        for (report, observed) in reports.iter().zip(observed) {
            let Some(report) = report else {
                resolved.push(None);
                continue;
            };
            let report = report.as_ref();
            let identity = &report.identity;
            let evidence = Evidence {
                agent,
                observed_at: observed.at,
                manufacturer: identity.manufacturer.as_deref(),
                model: identity.model.as_deref(),
                serial: identity.serial.as_deref(),
                mac: identity.mac.as_deref(),
                address: identity.address.as_deref(),
                handle: &report.handle,
            };
            match resolver.resolve(&evidence) {
                Ok(resolution) => {
                    resolved.push(Some((resolution.device, resolution.site)));
                    for finding in resolution.findings {
                        self.metrics.found(finding.word());
                        if let Finding::Superseded { old } = finding {
                            superseded.push(Superseded {
                                old,
                                now: resolution.device,
                                at: observed.at,
                            });
                        }
                    }
                }
                Err(registry::Error::NotFound { .. }) => {
                    // The agent was removed after its report was accepted.
                    self.metrics.skip("unknown-agent");
                    resolved.push(None);
                }
                Err(registry::Error::Invalid(_)) => {
                    self.metrics.skip("no-evidence");
                    resolved.push(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
        resolver.commit()?;
        if self.superseded.0 != stamp {
            self.superseded = (stamp, Vec::new());
        }
        self.superseded.1.append(&mut superseded);
        Ok(resolved)
    }
}

/// A device that turned out to be another.
struct Superseded {
    old: DeviceId,
    now: DeviceId,
    at: Timestamp,
}

/// A device report that says everything it says.
enum Full<'a> {
    AsSent(&'a DeviceReport),
    Resolved(Box<DeviceReport>),
}

impl AsRef<DeviceReport> for Full<'_> {
    fn as_ref(&self) -> &DeviceReport {
        match self {
            Self::AsSent(report) => report,
            Self::Resolved(report) => report,
        }
    }
}

fn unknown(id: DeviceId, site: TenantId, context: &Context<'_>) -> Device {
    let seen = SeenRow {
        device: id,
        observed_at: context.observed.at,
        agent_at: context.agent_at,
        received_at: context.received_at,
        meters_confirmed_until: None,
        unchanged_since: None,
    };
    Device::new(id, site, context.agent, context.source, seen)
}

fn apply_device(
    device: &mut Device,
    site: TenantId,
    report: &DeviceReport,
    earlier: &[Earlier],
    context: &mut Context<'_>,
    metrics: &IngestMetrics,
) {
    let at = context.observed.at;
    identity::apply(device, site, report, context);
    if let Some(set) = report.meter_set
        && report.meters.read().is_some()
        && device.runs.iter().all(|run| run.confirmed_until <= at)
    {
        sections::meter_set(device, set, at, context.places, context.batch);
    }
    if let Section::Read(status) = &report.status {
        sections::status(device, status, at, context.batch);
    }
    if let Section::Read(supplies) = &report.supplies {
        sections::supplies(device, supplies, at, context.places, context.batch);
    }
    if let Section::Read(trays) = &report.trays {
        sections::trays(device, trays, at, context.batch);
    }
    if let Section::Read(alerts) = &report.alerts {
        sections::alerts(device, alerts, at, context.places, context.batch);
    }
    if let Section::Read(meters) = &report.meters {
        let is_conflicting = report.meter_set == Some(MeterSet::Conflicting);
        super::meters::apply(device, meters, is_conflicting, earlier, context, metrics);
    }
    if at >= device.seen.observed_at {
        device.seen.observed_at = at;
        device.seen.agent_at = context.agent_at;
        device.seen.received_at = context.received_at;
    }
    context.batch.seen(&device.seen);
}
