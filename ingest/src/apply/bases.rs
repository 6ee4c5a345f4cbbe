//! The full reports that deltas build on (Rule 5).
//!
//! Of every report with full device reports the applier remembers where it stands in the journal; a few are kept decoded. So a delta costs
//! at most one more report to read, memory stays bounded however many devices there are, and after a restart the bases are found again
//! in the journal: a delta means the same whenever it is applied.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use codec::id::AgentId;
use codec::key::{ReportKey, SpoolEpoch, Stream};
use codec::model::{DeviceReport, Report};
use journal::{Item, Position};

use crate::decode::Decoder;
use crate::record::{KIND_REPORT, ReportMeta};
use crate::shard::{DiskFactory, ShardError, ShardShared, reader};

/// Places of full reports remembered per stream: full reports come daily, and a stream that knows no deltas makes no use of them.
const PLACES_PER_STREAM_MAX: usize = 256;
/// Devices of full reports kept decoded, all streams together: some 60 MB.
const DEVICES_DECODED_MAX: usize = 20_000;
/// How far back in a shard's journal bases are looked for after a start: days of the largest fleet's deltas.
const LOOK_BACK_BYTES: u64 = 1 << 30;

type StreamKey = (AgentId, SpoolEpoch, Stream);
type Devices = Arc<HashMap<String, DeviceReport>>;

/// Finds the full reports that deltas build on.
pub struct Bases {
    shards: Vec<Arc<ShardShared>>,
    disks: DiskFactory,
    decoder: Decoder,
    places: HashMap<StreamKey, BTreeMap<u64, (u16, Position)>>,
    decoded: HashMap<(StreamKey, u64), Devices>,
    /// What is decoded, oldest first.
    order: VecDeque<(StreamKey, u64)>,
    devices_decoded: usize,
    /// Whether the journal was searched for what was there before this start.
    is_searched: bool,
}

impl Bases {
    /// Bases in the journals of `shards`.
    #[must_use]
    pub fn new(shards: Vec<Arc<ShardShared>>, disks: DiskFactory, decoder: Decoder) -> Self {
        Self {
            shards,
            disks,
            decoder,
            places: HashMap::new(),
            decoded: HashMap::new(),
            order: VecDeque::new(),
            devices_decoded: 0,
            is_searched: false,
        }
    }

    /// Notes where a report stands that has full device reports.
    pub fn note(&mut self, key: &ReportKey, shard: u16, position: Position) {
        note(&mut self.places, key, shard, position);
    }

    /// The full report of `handle` in the report with number `sequence` of the stream; `None` when it is not kept any more.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn find(
        &mut self,
        stream: &StreamKey,
        sequence: u64,
        handle: &str,
    ) -> Result<Option<&DeviceReport>, ShardError> {
        let id = (stream.clone(), sequence);
        if !self.decoded.contains_key(&id) {
            let Some(report) = self.read(stream, sequence)? else {
                return Ok(None);
            };
            self.keep(id.clone(), report);
        }
        Ok(self
            .decoded
            .get(&id)
            .and_then(|devices| devices.get(handle)))
    }

    /// Forgets what these agents sent.
    pub fn forget(&mut self, agents: &[AgentId]) {
        self.places
            .retain(|(agent, _, _), _| !agents.contains(agent));
        self.decoded
            .retain(|((agent, _, _), _), _| !agents.contains(agent));
        self.order
            .retain(|((agent, _, _), _)| !agents.contains(agent));
        self.devices_decoded = self.decoded.values().map(|devices| devices.len()).sum();
    }

    fn keep(&mut self, id: (StreamKey, u64), report: Report) {
        let devices: HashMap<String, DeviceReport> = report
            .devices
            .into_iter()
            .filter(|device| device.base.is_none())
            .map(|device| (device.handle.clone(), device))
            .collect();
        self.devices_decoded += devices.len();
        self.order.push_back(id.clone());
        self.decoded.insert(id, Arc::new(devices));
        while self.devices_decoded > DEVICES_DECODED_MAX && self.order.len() > 1 {
            let oldest = self
                .order
                .pop_front()
                .and_then(|id| self.decoded.remove(&id));
            self.devices_decoded -= oldest.map_or(0, |devices| devices.len());
        }
    }

    fn read(&mut self, stream: &StreamKey, sequence: u64) -> Result<Option<Report>, ShardError> {
        let place = |places: &HashMap<StreamKey, BTreeMap<u64, (u16, Position)>>| {
            places
                .get(stream)
                .and_then(|places| places.get(&sequence))
                .copied()
        };
        if place(&self.places).is_none() && !self.is_searched {
            self.search()?;
            self.is_searched = true;
        }
        let Some((number, position)) = place(&self.places) else {
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
        let decoded = self.decoder.decode(meta.encoding, entry.body);
        Ok(decoded.ok().map(|decoded| decoded.report))
    }

    /// Notes every report that stands in the younger part of the journals: what was applied before this start.
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
                {
                    note(&mut self.places, &meta.key, shard.number, entry.position);
                }
            }
        }
        Ok(())
    }
}

fn note(
    places: &mut HashMap<StreamKey, BTreeMap<u64, (u16, Position)>>,
    key: &ReportKey,
    shard: u16,
    position: Position,
) {
    let stream = (key.agent.clone(), key.epoch, key.stream);
    let places = places.entry(stream).or_default();
    places.insert(key.sequence, (shard, position));
    if places.len() > PLACES_PER_STREAM_MAX {
        places.pop_first();
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
