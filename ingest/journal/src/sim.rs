//! A disk in memory that does what disks do at the worst moment: it tears writes, forgets what was not synced, lies about syncs, flips
//! bits and fills up. Deterministic: everything follows from a seed.
//!
//! A [`SimDisk`] is a handle; clones see the same folder, as several processes would. [`SimDisk::power_cut`] is the loss of
//! power: of each segment's unsynced writes, some 512-byte sectors arrive and others do not, in any order.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::disk::Disk;

/// What a disk writes at once or not at all.
const SECTOR_BYTES: usize = 512;

/// A write that has not been synced.
#[derive(Clone, Debug)]
struct Pending {
    offset: usize,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct SimFile {
    /// What a read sees.
    seen: Vec<u8>,
    /// What survives the loss of power.
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

/// Faults to come. All off by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The bytes that fit on the disk; a write beyond fails with `StorageFull` after writing what fits.
    pub capacity_bytes: Option<u64>,
    /// This many writes from now fail after a part of their bytes.
    pub writes_failing: u32,
    /// This many syncs from now fail, and their data is lost.
    pub syncs_failing: u32,
    /// Syncs say yes and do nothing (a disk with a lying cache).
    pub syncs_lying: bool,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<u64, SimFile>,
    faults: Faults,
    random: u64,
    syncs: u64,
}

/// A simulated disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    /// An empty disk whose accidents follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                random: seed,
                ..State::default()
            })),
        }
    }

    /// Sets the faults to come.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Power is lost and comes back: what was not synced survives in part, or not at all. Faults are cleared.
    pub fn power_cut(&self) {
        let mut state = self.state();
        let mut random = state.random;
        for file in state.files.values_mut() {
            let mut survived = std::mem::take(&mut file.durable);
            for write in std::mem::take(&mut file.pending) {
                tear(&write, &mut survived, &mut random);
            }
            file.seen.clone_from(&survived);
            file.durable = survived;
        }
        state.random = random;
        state.faults = Faults::default();
    }

    /// Flips one bit of a segment, on the disk itself. Says whether the segment has that byte.
    pub fn flip_bit(&self, segment: u64, byte: usize, bit: u8) -> bool {
        let mut state = self.state();
        let Some(file) = state.files.get_mut(&segment) else {
            return false;
        };
        for bytes in [&mut file.seen, &mut file.durable] {
            if let Some(byte) = bytes.get_mut(byte) {
                *byte ^= 1 << (bit % 8);
            }
        }
        byte < file.seen.len()
    }

    /// The bytes of a segment as a read sees them.
    #[must_use]
    pub fn contents(&self, segment: u64) -> Option<Vec<u8>> {
        self.state()
            .files
            .get(&segment)
            .map(|file| file.seen.clone())
    }

    /// How many syncs succeeded so far.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no operation of the simulated disk panics")
    }
}

/// Lets some sectors of a write arrive.
fn tear(write: &Pending, survived: &mut Vec<u8>, random: &mut u64) {
    let fate = next_random(random) % 4;
    let mut at = write.offset;
    for sector in write.bytes.chunks(SECTOR_BYTES) {
        let arrives = match fate {
            0 => false,
            1 => true,
            _ => next_random(random).is_multiple_of(2),
        };
        if arrives {
            let part = match next_random(random) % 8 {
                0 => &sector[..index_below(next_random(random), sector.len() + 1)],
                _ => sector,
            };
            put(survived, at, part);
        }
        at += sector.len();
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, part: &[u8]) {
    if part.is_empty() {
        return;
    }
    if bytes.len() < offset + part.len() {
        bytes.resize(offset + part.len(), 0);
    }
    bytes[offset..offset + part.len()].copy_from_slice(part);
}

/// splitmix64: small, seeded, good enough to choose accidents.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn index_below(random: u64, bound: usize) -> usize {
    usize::try_from(random % bound as u64).expect("below a usize")
}

fn missing() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        "no such segment on the simulated disk",
    )
}

impl Disk for SimDisk {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn list(&mut self) -> io::Result<Vec<(u64, u64)>> {
        let state = self.state();
        Ok(state
            .files
            .iter()
            .map(|(segment, file)| (*segment, file.seen.len() as u64))
            .collect())
    }

    fn create(&mut self, segment: u64) -> io::Result<()> {
        let mut state = self.state();
        if state.files.contains_key(&segment) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.insert(segment, SimFile::default());
        Ok(())
    }

    fn append(&mut self, segment: u64, offset: u64, bytes: Vec<u8>) -> (io::Result<()>, Vec<u8>) {
        let mut state = self.state();
        let used: usize = state.files.values().map(|file| file.seen.len()).sum();
        let mut faults = state.faults;
        let mut random = state.random;
        let Some(file) = state.files.get_mut(&segment) else {
            return (Err(missing()), bytes);
        };
        let offset = usize::try_from(offset).expect("simulated segments fit into memory");
        let room = faults.capacity_bytes.map_or(usize::MAX, |capacity| {
            usize::try_from(capacity)
                .unwrap_or(usize::MAX)
                .saturating_sub(used)
        });
        let (written, result) = if faults.writes_failing > 0 {
            faults.writes_failing -= 1;
            let part = index_below(next_random(&mut random), bytes.len() + 1);
            (
                part.min(room),
                Err(io::Error::other("simulated write error")),
            )
        } else if bytes.len() > room {
            (room, Err(io::ErrorKind::StorageFull.into()))
        } else {
            (bytes.len(), Ok(()))
        };
        put(&mut file.seen, offset, &bytes[..written]);
        if written > 0 {
            file.pending.push(Pending {
                offset,
                bytes: bytes[..written].to_vec(),
            });
        }
        state.faults = faults;
        state.random = random;
        (result, bytes)
    }

    fn sync(&mut self, segment: u64) -> io::Result<()> {
        let mut state = self.state();
        if state.faults.syncs_failing > 0 {
            state.faults.syncs_failing -= 1;
            // As kernels do: the pages are marked clean and never written; a later sync will not bring them back.
            if let Some(file) = state.files.get_mut(&segment) {
                file.pending.clear();
            }
            return Err(io::Error::other("simulated sync error"));
        }
        let lying = state.faults.syncs_lying;
        let file = state.files.get_mut(&segment).ok_or_else(missing)?;
        if !lying {
            for write in std::mem::take(&mut file.pending) {
                put(&mut file.durable, write.offset, &write.bytes);
            }
        }
        state.syncs += 1;
        Ok(())
    }

    fn read(
        &mut self,
        segment: u64,
        offset: u64,
        mut buffer: Vec<u8>,
    ) -> (io::Result<usize>, Vec<u8>) {
        let state = self.state();
        let Some(file) = state.files.get(&segment) else {
            return (Err(missing()), buffer);
        };
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = file.seen.get(offset..).unwrap_or_default();
        let bytes = rest.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&rest[..bytes]);
        (Ok(bytes), buffer)
    }

    fn truncate(&mut self, segment: u64, bytes: u64) -> io::Result<()> {
        let mut state = self.state();
        let file = state.files.get_mut(&segment).ok_or_else(missing)?;
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        file.seen.truncate(bytes);
        file.durable.truncate(bytes);
        file.pending.retain_mut(|write| {
            write.bytes.truncate(bytes.saturating_sub(write.offset));
            !write.bytes.is_empty()
        });
        Ok(())
    }

    fn remove(&mut self, segment: u64) -> io::Result<()> {
        self.state().files.remove(&segment);
        Ok(())
    }
}
