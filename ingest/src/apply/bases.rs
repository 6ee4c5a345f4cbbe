//! The full reports that deltas build on (Rule 5).
//!
//! Of every report with full device reports the applier remembers where it stands in the journal ([`places`]); the ones used last are kept
//! decoded. The deltas of a report are resolved base by base: each base is read once for it at the most, memory stays bounded however
//! many devices there are, and after a restart the bases are found again in the journal, live or archived: a delta means the same whenever it
//! is applied.

mod places;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use codec::id::AgentId;
use codec::key::{SpoolEpoch, Stream};
use codec::model::{DeviceReport, Report, Section};
use journal::{Item, Position};
use prometheus_client::metrics::counter::Counter;

use crate::decode::Decoder;
use crate::record::{KIND_REPORT, ReportMeta};
use crate::shard::{DiskFactory, ShardError, ShardShared, reader};
use places::{Places, stream_of};

/// How far back in a shard's journal bases are looked for after a start: days of the largest fleet's deltas.
const LOOK_BACK_BYTES: u64 = 1 << 30;
/// What the allocator takes for a text beside its bytes, roughly.
const TEXT_OVERHEAD_BYTES: usize = 16;

type StreamKey = (AgentId, SpoolEpoch, Stream);
/// A report: its stream and its number.
type BaseId = (StreamKey, u64);

/// Full device reports of one report, by their handles.
pub type Devices = HashMap<String, DeviceReport>;

/// A report that is kept decoded.
struct Kept {
    devices: Devices,
    bytes: usize,
    /// Its key in [`Bases::used`].
    used: u64,
}

/// Finds the full reports that deltas build on.
pub struct Bases {
    shards: Vec<Arc<ShardShared>>,
    disks: DiskFactory,
    decoder: Decoder,
    places: Places,
    kept: HashMap<BaseId, Kept>,
    /// What is kept, by when it was used last.
    used: BTreeMap<u64, BaseId>,
    uses: u64,
    bytes: usize,
    bytes_max: usize,
    /// Whether the journal was searched for what was there before this start.
    is_searched: bool,
    /// Bases that were read and decoded.
    reads: Counter,
}

impl Bases {
    /// Bases in the journals of `shards`. About `bytes_max` bytes of them are kept decoded, one report at the least; `reads` counts those that are
    /// read.
    #[must_use]
    pub fn new(
        shards: Vec<Arc<ShardShared>>,
        disks: DiskFactory,
        decoder: Decoder,
        bytes_max: usize,
        reads: Counter,
    ) -> Self {
        Self {
            shards,
            disks,
            decoder,
            places: Places::default(),
            kept: HashMap::new(),
            used: BTreeMap::new(),
            uses: 0,
            bytes: 0,
            bytes_max,
            is_searched: false,
            reads,
        }
    }

    /// Notes where a report stands that has full device reports.
    pub fn note(&mut self, meta: &ReportMeta, shard: u16, position: Position) {
        self.places.note(meta, shard, position);
    }

    /// The full device reports of the report with number `sequence` of the stream; `None` when it is not kept any more.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn find(
        &mut self,
        stream: &StreamKey,
        sequence: u64,
    ) -> Result<Option<&Devices>, ShardError> {
        let id = (stream.clone(), sequence);
        if let Some(kept) = self.kept.get(&id) {
            self.used.remove(&kept.used);
        } else {
            let Some(report) = self.read(stream, sequence)? else {
                return Ok(None);
            };
            self.keep(id.clone(), report);
        }
        self.uses += 1;
        self.used.insert(self.uses, id.clone());
        let used = self.uses;
        Ok(self.kept.get_mut(&id).map(|kept| {
            kept.used = used;
            &kept.devices
        }))
    }

    /// Forgets what these agents sent.
    pub fn forget(&mut self, agents: &[AgentId]) {
        self.places.forget(agents);
        self.kept
            .retain(|((agent, _, _), _), _| !agents.contains(agent));
        self.used
            .retain(|_, ((agent, _, _), _)| !agents.contains(agent));
        self.bytes = self.kept.values().map(|kept| kept.bytes).sum();
    }

    /// Makes room, then keeps the report, whose use the caller notes.
    fn keep(&mut self, id: BaseId, report: Report) {
        let devices: Devices = report
            .devices
            .into_iter()
            .filter(|device| device.base.is_none())
            .map(|device| (device.handle.clone(), device))
            .collect();
        let own_bytes = size_of::<Kept>() + 2 * size_of::<BaseId>();
        let bytes = own_bytes + devices.values().map(bytes_of).sum::<usize>();
        while self.bytes + bytes > self.bytes_max
            && let Some((_, oldest)) = self.used.pop_first()
        {
            let oldest = self.kept.remove(&oldest);
            self.bytes -= oldest.map_or(0, |oldest| oldest.bytes);
        }
        self.bytes += bytes;
        let kept = Kept {
            devices,
            bytes,
            used: 0,
        };
        self.kept.insert(id, kept);
    }

    fn read(&mut self, stream: &StreamKey, sequence: u64) -> Result<Option<Report>, ShardError> {
        if self.places.find(stream, sequence).is_none() && !self.is_searched {
            self.search()?;
            self.is_searched = true;
        }
        let Some((number, position)) = self.places.find(stream, sequence) else {
            return Ok(None);
        };
        let Some(shard) = self.shards.iter().find(|shard| shard.number == number) else {
            return Ok(None);
        };
        let until = shard.tail().synced;
        let mut reader = reader(shard, &self.disks, position, until)?;
        let item = reader.next().map_err(|source| ShardError::Journal {
            folder: shard.folder.clone(),
            source,
        })?;
        let Some(Item::Record(entry)) =
            item.filter(|item| matches!(item, Item::Record(entry) if entry.position == position))
        else {
            return Ok(None);
        };
        let Ok(meta) = ReportMeta::read(entry.meta) else {
            return Ok(None);
        };
        if stream_of(&meta.key) != *stream || meta.key.sequence != sequence {
            return Ok(None);
        }
        self.reads.inc();
        let decoded = self.decoder.decode(meta.encoding, entry.body);
        Ok(decoded.ok().map(|decoded| decoded.report))
    }

    /// Notes every report with full device reports in the younger part of the journals: what was applied before this start. Of reports that were
    /// taken by an earlier version it is not known: each is noted.
    fn search(&mut self) -> Result<(), ShardError> {
        for shard in &self.shards {
            let failed = |source| ShardError::Journal {
                folder: shard.folder.clone(),
                source,
            };
            let mut disk = (self.disks)(&shard.folder).map_err(|source| ShardError::Folder {
                folder: shard.folder.clone(),
                source,
            })?;
            let listed = disk
                .list()
                .map_err(|source| failed(journal::Error::List { source }))?;
            let from = look_back(listed);
            let applied = shard.applied();
            let mut reader = reader(shard, &self.disks, from, applied)?;
            while let Some(item) = reader.next().map_err(failed)? {
                if let Item::Record(entry) = item
                    && entry.kind == KIND_REPORT
                    && let Ok(meta) = ReportMeta::read(entry.meta)
                    && !meta.is_deltas_only
                {
                    self.places.note(&meta, shard.number, entry.position);
                }
            }
        }
        Ok(())
    }
}

/// Where to begin so that about [`LOOK_BACK_BYTES`] are read.
fn look_back(mut listed: Vec<(u64, u64)>) -> Position {
    listed.sort_unstable();
    let mut bytes = 0;
    let mut from = Position::START;
    for (segment, size) in listed.into_iter().rev() {
        bytes += size;
        from = Position::new(segment, 0);
        if bytes > LOOK_BACK_BYTES {
            break;
        }
    }
    from
}

/// The memory that a device report takes, in bytes, roughly.
fn bytes_of(device: &DeviceReport) -> usize {
    let text = |text: &str| text.len() + TEXT_OVERHEAD_BYTES;
    let text_opt = |word: &Option<String>| word.as_deref().map_or(0, text);
    let mut bytes = size_of_val(device) + 2 * text(&device.handle);
    let identity = &device.identity;
    for word in [
        &identity.serial,
        &identity.manufacturer,
        &identity.model,
        &identity.hostname,
        &identity.dns_name,
        &identity.address,
        &identity.mac,
        &identity.location,
        &identity.contact,
        &identity.firmware,
        &identity.description,
        &identity.object_id,
        &identity.asset,
        &identity.profile,
    ] {
        bytes += text_opt(word);
    }
    if let Section::Read(status) = &device.status {
        bytes += size_of_val(&status.errors[..]) + text_opt(&status.display);
    }
    for meter in device.meters.read().into_iter().flatten() {
        let parts = meter.parts.iter();
        let parts: usize = parts.map(|part| size_of_val(part) + text(&part.oid)).sum();
        bytes += size_of_val(meter) + text(&meter.oid) + text_opt(&meter.size) + parts;
    }
    for supply in device.supplies.read().into_iter().flatten() {
        bytes += size_of_val(supply) + text(&supply.description);
        bytes += text_opt(&supply.part) + text_opt(&supply.serial);
    }
    for tray in device.trays.read().into_iter().flatten() {
        bytes += size_of_val(tray) + text(&tray.name) + text_opt(&tray.media);
    }
    for alert in device.alerts.read().into_iter().flatten() {
        bytes += size_of_val(alert) + text(&alert.group) + text(&alert.code);
        bytes += text(&alert.description);
    }
    bytes
}
