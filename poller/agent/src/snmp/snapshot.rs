//! What is known of the devices, kept over restarts: plans with their last values, what the engine remembers, when each last answered.
//!
//! ```text
//!  0              8        12       16
//! +--------------+--------+--------+-------+-------+-- … --+
//! | "PLATENDV"   | format | layout | frame | frame |       |     numbers little-endian
//! +--------------+--------+--------+-------+-------+-- … --+
//!
//! frame: length (4) | CRC32 (4) | rkyv: at first what the profiles said, then which addresses are left alone, then one device each
//! ```
//!
//! It is written and read device by device, so it takes no memory to speak of. It is never the only copy of anything: a file that is
//! missing or of another format is left aside, one that is damaged is used up to there, and the rest is found and learned anew.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use poller::device::Plan;
use poller::engine::{Memory, SavedMemory};
use rkyv::rancor;
use rkyv::util::AlignedVec;

use super::profiles::Digests;
use super::untouched::Kept;
use super::who::Who;

/// The format that is written: raised when [`Saved`] changes its meaning. (Plans have a format of their own inside.)
const FORMAT: u32 = 5;
/// Another layout in memory is another format, though nobody raised the number.
const LAYOUT: u32 = (size_of::<ArchivedSaved>() + size_of::<rkyv::Archived<Plan>>()) as u32;
const MAGIC: [u8; 8] = *b"PLATENDV";
/// A device takes some two kilobytes; what is larger than this is no frame of ours.
const FRAME_BYTES_MAX: usize = 4 << 20;

/// A device as it is kept. Holds no secret: credentials are named by their label.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Saved {
    pub handle: String,
    pub who: Who,
    address: Vec<u8>,
    port: u16,
    /// The name of the range it was found in.
    pub range: String,
    /// The name in that range under which it was found; none: its address is written there.
    pub name: Option<String>,
    /// When it last answered, in milliseconds since the Unix epoch.
    pub answered_at_unix_ms: i64,
    pub plan: Option<Plan>,
    memory: SavedMemory,
}

/// The moment at which something is saved or restored, by the engine's clock and by the calendar.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub engine: Duration,
    pub unix_ms: i64,
}

impl Saved {
    /// What is kept of a device that is known as `handle` and `who`.
    pub fn new(
        (handle, who): (&str, &Who),
        target: SocketAddr,
        (range, name): (&str, Option<&str>),
        answered_at_unix_ms: i64,
        plan: Option<&Plan>,
        memory: &Memory,
        now: Moment,
    ) -> Self {
        Self {
            handle: handle.to_owned(),
            who: who.clone(),
            address: match target.ip() {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            },
            port: target.port(),
            range: range.to_owned(),
            name: name.map(str::to_owned),
            answered_at_unix_ms,
            plan: plan.cloned(),
            memory: SavedMemory::new(memory, now.engine, now.unix_ms),
        }
    }

    /// Where it was; `None` when the bytes are no address.
    pub fn target(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(address(&self.address)?, self.port))
    }

    /// What the engine remembered. Instances that were missing are tried once more.
    pub fn memory(&self, now: Moment) -> Memory {
        self.memory.to_memory(now.engine, now.unix_ms)
    }
}

/// The address of these octets; `None` when they are none.
pub fn address(octets: &[u8]) -> Option<IpAddr> {
    match octets.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(octets).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(octets).ok()?)),
        _ => None,
    }
}

/// Writes the devices, what the profiles said by which they were learned, and which addresses are left alone. Not synced: what a power
/// cut leaves is told by the checksums.
pub fn write(
    path: &Path,
    digests: &Digests,
    untouched: &Vec<Kept>,
    devices: impl Iterator<Item = Saved>,
) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut out = BufWriter::new(File::create(&beside)?);
    out.write_all(&MAGIC)?;
    out.write_all(&FORMAT.to_le_bytes())?;
    out.write_all(&LAYOUT.to_le_bytes())?;
    let mut frame = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(&checksum(bytes).to_le_bytes())?;
        out.write_all(bytes)
    };
    frame(&rkyv::to_bytes::<rancor::Error>(digests).map_err(io::Error::other)?)?;
    frame(&rkyv::to_bytes::<rancor::Error>(untouched).map_err(io::Error::other)?)?;
    for device in devices {
        frame(&rkyv::to_bytes::<rancor::Error>(&device).map_err(io::Error::other)?)?;
    }
    out.flush()?;
    drop(out);
    std::fs::rename(&beside, path)
}

/// Reads a snapshot, device by device.
pub struct Reader {
    file: BufReader<File>,
    /// What the profiles said by which the devices were learned.
    pub digests: Digests,
    /// Addresses that are left alone.
    pub untouched: Vec<Kept>,
}

impl Reader {
    /// Opens it; `None` when there is none that fits, which is logged unless there is none at all.
    pub fn open(path: &Path) -> Option<Self> {
        match Self::try_open(path) {
            Ok(reader) => Some(reader),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                tracing::info!(path = %path.display(), %error, "what was known of the devices is left aside: all are found anew");
                None
            }
        }
    }

    fn try_open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(path)?);
        let mut head = [0; 16];
        file.read_exact(&mut head)?;
        let expected = [
            MAGIC.as_slice(),
            &FORMAT.to_le_bytes(),
            &LAYOUT.to_le_bytes(),
        ]
        .concat();
        if head[..] != expected {
            return Err(io::Error::new(ErrorKind::InvalidData, "another format"));
        }
        let frame = read_frame(&mut file)?.ok_or(ErrorKind::UnexpectedEof)?;
        let digests = rkyv::from_bytes::<Digests, rancor::Error>(&frame);
        let frame = read_frame(&mut file)?.ok_or(ErrorKind::UnexpectedEof)?;
        let untouched = rkyv::from_bytes::<Vec<Kept>, rancor::Error>(&frame);
        Ok(Self {
            digests: digests.map_err(io::Error::other)?,
            untouched: untouched.map_err(io::Error::other)?,
            file,
        })
    }

    fn try_next(&mut self) -> io::Result<Option<Saved>> {
        let Some(frame) = read_frame(&mut self.file)? else {
            return Ok(None);
        };
        let device = rkyv::from_bytes::<Saved, rancor::Error>(&frame);
        device.map(Some).map_err(io::Error::other)
    }
}

impl Iterator for Reader {
    type Item = Saved;

    fn next(&mut self) -> Option<Saved> {
        self.try_next().unwrap_or_else(|error| {
            tracing::info!(%error, "what was known of the devices is used up to a damage: the others are found anew");
            None
        })
    }
}

/// The next frame; `None` at the end.
fn read_frame(file: &mut impl Read) -> io::Result<Option<AlignedVec<16>>> {
    let damaged = || io::Error::new(ErrorKind::InvalidData, "damaged");
    let mut head = [0; 8];
    match file.read(&mut head)? {
        0 => return Ok(None),
        count => file.read_exact(&mut head[count..])?,
    }
    let ([a, b, c, d], sum) = (
        [head[0], head[1], head[2], head[3]],
        [head[4], head[5], head[6], head[7]],
    );
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).map_err(|_| damaged())?;
    if length > FRAME_BYTES_MAX {
        return Err(damaged());
    }
    let mut frame = AlignedVec::<16>::with_capacity(length);
    frame.resize(length, 0);
    file.read_exact(&mut frame)?;
    if checksum(&frame).to_le_bytes() != sum {
        return Err(damaged());
    }
    Ok(Some(frame))
}

/// CRC-32 (ISO 3309), four bits at a time.
fn checksum(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut n = 0;
        while n < 16 {
            let mut crc = n as u32;
            let mut bit = 0;
            while bit < 4 {
                crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
                bit += 1;
            }
            table[n] = crc;
            n += 1;
        }
        table
    };
    let nibble = |crc: u32| (crc >> 4) ^ TABLE[(crc & 15) as usize];
    !bytes
        .iter()
        .fold(!0_u32, |crc, byte| nibble(nibble(crc ^ u32::from(*byte))))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use poller::profile::ProfileSet;

    use super::*;

    const NOW: Moment = Moment {
        engine: Duration::from_secs(5),
        unix_ms: 1_780_000_000_000,
    };

    fn saved(n: u8) -> Saved {
        let memory = Memory {
            credential: Some("secure".into()),
            variables: 40,
            rtt: Duration::from_millis(7),
            ..Memory::default()
        };
        let target = SocketAddr::from(([10, 0, 0, n], 161));
        let who = Who::default();
        Saved::new(
            (&format!("h{n}"), &who),
            target,
            ("office", n.is_multiple_of(2).then_some("front-desk")),
            1,
            None,
            &memory,
            NOW,
        )
    }

    fn read(path: &Path) -> Vec<Saved> {
        Reader::open(path).into_iter().flatten().collect()
    }

    #[test]
    fn what_was_written_is_read_and_of_what_is_damaged_no_more_than_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("devices");
        assert_eq!(read(&path), [], "there is none yet");
        let devices: Vec<Saved> = (0..50).map(saved).collect();
        let digests = Digests::of(&ProfileSet::embedded());
        let untouched = vec![(vec![10, 0, 0, 200], 161, 1_780_000_000_000)];
        write(&path, &digests, &untouched, devices.iter().cloned()).unwrap();
        assert_eq!(read(&path), devices);
        assert_eq!(Reader::open(&path).unwrap().untouched, untouched);
        assert_eq!(Reader::open(&path).unwrap().digests, digests);
        assert_eq!(devices[3].target(), Some("10.0.0.3:161".parse().unwrap()));
        assert_eq!(devices[3].memory(NOW).credential.as_deref(), Some("secure"));
        assert_eq!(devices[3].memory(NOW).rtt, Duration::from_millis(7));

        let good = std::fs::read(&path).unwrap();
        for at in (0..good.len())
            .step_by(97)
            .chain([9, 13, 17, 20, good.len() - 1])
        {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            let left = read(&path);
            assert!(
                left.len() < 50 && devices.starts_with(&left),
                "byte {at} flipped"
            );
        }
        for length in [0, 7, 16, 23, good.len() / 2, good.len() - 1] {
            std::fs::write(&path, &good[..length]).unwrap();
            let left = read(&path);
            assert!(
                left.len() < 50 && devices.starts_with(&left),
                "cut at {length}"
            );
        }
    }

    #[test]
    fn the_checksum_is_the_well_known_one() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }
}
