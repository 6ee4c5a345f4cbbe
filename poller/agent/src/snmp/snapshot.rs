//! What is known of the devices, kept over restarts: plans, what the engine remembers, when each last answered.
//!
//! ```text
//!  0              8        12       16
//! +--------------+--------+--------+---------------------…---+
//! | "PLATENDV"   | format | CRC32  | rkyv: a list of devices |     numbers little-endian; the checksum covers the list
//! +--------------+--------+--------+---------------------…---+
//! ```
//!
//! It is never the only copy of anything: a file that is missing, damaged, or of another format is left aside, and everything is
//! found and learned anew.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use poller::device::Plan;
use poller::engine::Memory;
use rkyv::rancor;
use rkyv::util::AlignedVec;

use super::who::Who;
use crate::spool::write_atomically;

/// The format that is written: raised when [`Saved`] changes. (Plans have a format of their own inside.)
const FORMAT: u32 = 2;
const MAGIC: [u8; 8] = *b"PLATENDV";
const HEADER_BYTES: usize = 16;
/// Ten thousand devices take some 30 MB; what is larger is no snapshot of ours.
const SNAPSHOT_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// A device as it is kept. Holds no secret: credentials are named by their label.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Saved {
    pub handle: String,
    pub who: Who,
    address: Vec<u8>,
    port: u16,
    /// The name of the range it was found in.
    pub range: String,
    /// When it last answered, in milliseconds since the Unix epoch.
    pub answered_at_unix_ms: i64,
    pub plan: Option<Plan>,
    credential: Option<String>,
    v3_proven: bool,
    context: Option<String>,
    variables: u32,
    variables_refused: u32,
    bulk_refused: bool,
    rtt_us: u64,
    rtt_deviation_us: u64,
    binding_bytes: u32,
}

impl Saved {
    /// What is kept of a device.
    pub fn new(
        handle: &str,
        who: &Who,
        target: SocketAddr,
        range: &str,
        answered_at_unix_ms: i64,
        plan: Option<&Plan>,
        memory: &Memory,
    ) -> Self {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(0);
        Self {
            handle: handle.to_owned(),
            who: who.clone(),
            address: match target.ip() {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            },
            port: target.port(),
            range: range.to_owned(),
            answered_at_unix_ms,
            plan: plan.cloned(),
            credential: memory.credential.as_deref().map(str::to_owned),
            v3_proven: memory.v3_proven,
            context: memory.context.as_deref().map(str::to_owned),
            variables: memory.variables,
            variables_refused: memory.variables_refused,
            bulk_refused: memory.bulk_refused,
            rtt_us: micros(memory.rtt),
            rtt_deviation_us: micros(memory.rtt_deviation),
            binding_bytes: memory.binding_bytes,
        }
    }

    /// Where it was; `None` when the bytes are no address.
    pub fn target(&self) -> Option<SocketAddr> {
        let ip = match self.address.len() {
            4 => IpAddr::from(<[u8; 4]>::try_from(&*self.address).ok()?),
            16 => IpAddr::from(<[u8; 16]>::try_from(&*self.address).ok()?),
            _ => return None,
        };
        Some(SocketAddr::new(ip, self.port))
    }

    /// What the engine remembered. Instances that were missing are tried once more.
    pub fn memory(&self) -> Memory {
        Memory {
            credential: self.credential.as_deref().map(Arc::from),
            v3_proven: self.v3_proven,
            context: self.context.as_deref().map(Arc::from),
            variables: self.variables,
            variables_refused: self.variables_refused,
            bulk_refused: self.bulk_refused,
            rtt: Duration::from_micros(self.rtt_us),
            rtt_deviation: Duration::from_micros(self.rtt_deviation_us),
            binding_bytes: self.binding_bytes,
            ..Memory::default()
        }
    }
}

/// Writes the devices.
pub fn write(path: &Path, devices: &Vec<Saved>) -> io::Result<()> {
    let list = rkyv::to_bytes::<rancor::Error>(devices).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + list.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&checksum(&list).to_le_bytes());
    bytes.extend_from_slice(&list);
    write_atomically(path, &bytes)
}

/// Reads the devices; none when there is no file that fits.
pub fn read(path: &Path) -> Vec<Saved> {
    match try_read(path) {
        Ok(devices) => devices,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "what was known of the devices does not fit and is left aside");
            Vec::new()
        }
    }
}

fn try_read(path: &Path) -> io::Result<Vec<Saved>> {
    let refused = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
    if std::fs::metadata(path)?.len() > SNAPSHOT_BYTES_MAX {
        return Err(refused("too large"));
    }
    let bytes = std::fs::read(path)?;
    let (header, list) = bytes
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or_else(|| refused("cut off"))?;
    if header[..8] != MAGIC || header[8..12] != FORMAT.to_le_bytes() {
        return Err(refused("another format"));
    }
    if header[12..] != checksum(list).to_le_bytes() {
        return Err(refused("damaged"));
    }
    let mut aligned = AlignedVec::<16>::with_capacity(list.len());
    aligned.extend_from_slice(list);
    rkyv::from_bytes::<Vec<Saved>, rancor::Error>(&aligned).map_err(io::Error::other)
}

/// CRC-32 (ISO 3309) by the bit: once in ten minutes it need not be quick.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(n: u8) -> Saved {
        let memory = Memory {
            credential: Some("secure".into()),
            variables: 40,
            rtt: Duration::from_millis(7),
            ..Memory::default()
        };
        let target = SocketAddr::from(([10, 0, 0, n], 161));
        Saved::new(
            &format!("h{n}"),
            &Who::default(),
            target,
            "office",
            1,
            None,
            &memory,
        )
    }

    #[test]
    fn what_was_written_is_read_and_anything_else_left_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("devices");
        assert_eq!(read(&path), [], "there is none yet");
        let devices: Vec<Saved> = (0..50).map(saved).collect();
        write(&path, &devices).unwrap();
        assert_eq!(read(&path), devices);
        assert_eq!(devices[3].target(), Some("10.0.0.3:161".parse().unwrap()));
        assert_eq!(devices[3].memory().credential.as_deref(), Some("secure"));

        let good = std::fs::read(&path).unwrap();
        for at in [0, 9, 13, 20, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert_eq!(read(&path), [], "byte {at} flipped");
        }
        for length in [0, 7, 16, good.len() / 2] {
            std::fs::write(&path, &good[..length]).unwrap();
            assert_eq!(read(&path), [], "cut at {length}");
        }
    }

    #[test]
    fn the_checksum_is_the_well_known_one() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }
}
