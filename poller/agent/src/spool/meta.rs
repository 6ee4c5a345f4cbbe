//! What stands beside a sealed report's bytes in the spool: 54 bytes.
//!
//! ```text
//!  0         1          2       10                 42          50        54
//! +---------+----------+-------+------------------+-----------+---------+
//! | 1       | encoding | epoch | SHA-256 of body  | sealed at | devices |     numbers little-endian, the epoch big-endian
//! +---------+----------+-------+------------------+-----------+---------+
//! ```

use codec::envelope::Encoding;
use codec::key::{ContentHash, ReportKey, SpoolEpoch};
use codec::time::Timestamp;

const META_VERSION: u8 = 1;
/// Bytes of a [`Meta`] on disk.
pub const META_BYTES: usize = 54;

/// What is known of a sealed report beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// How it is compressed.
    pub encoding: Encoding,
    /// The epoch that stands in it.
    pub epoch: SpoolEpoch,
    /// SHA-256 of the sealed bytes.
    pub hash: ContentHash,
    /// When it was sealed.
    pub sealed_at: Timestamp,
    /// Device reports in it.
    pub devices: u32,
}

/// A report that waits for its receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its key.
    pub key: ReportKey,
    /// What else is known of it.
    pub meta: Meta,
    /// The bytes to send.
    pub sealed: Vec<u8>,
}

impl Meta {
    /// The bytes on disk.
    #[must_use]
    pub fn write(&self) -> [u8; META_BYTES] {
        let mut out = [0; META_BYTES];
        out[0] = META_VERSION;
        out[1] = match self.encoding {
            Encoding::Identity => 0,
            Encoding::Gzip => 1,
            Encoding::Zstd => 2,
        };
        out[2..10].copy_from_slice(&self.epoch.0.to_be_bytes());
        out[10..42].copy_from_slice(&self.hash.0);
        out[42..50].copy_from_slice(&self.sealed_at.unix_ms.to_le_bytes());
        out[50..54].copy_from_slice(&self.devices.to_le_bytes());
        out
    }

    /// Reads the meta part of a report's record; `None` when another program wrote it.
    #[must_use]
    pub fn read(meta: &[u8]) -> Option<Self> {
        let (version, rest) = meta.split_first()?;
        let (encoding, rest) = rest.split_first()?;
        let (epoch, rest) = rest.split_first_chunk()?;
        let (hash, rest) = rest.split_first_chunk()?;
        let (sealed_at, rest) = rest.split_first_chunk()?;
        let (devices, rest) = rest.split_first_chunk()?;
        (*version == META_VERSION && rest.is_empty()).then_some(())?;
        Some(Self {
            encoding: match encoding {
                0 => Encoding::Identity,
                1 => Encoding::Gzip,
                2 => Encoding::Zstd,
                _ => return None,
            },
            epoch: SpoolEpoch(u64::from_be_bytes(*epoch)),
            hash: ContentHash(*hash),
            sealed_at: Timestamp::from_unix_ms(i64::from_le_bytes(*sealed_at)),
            devices: u32::from_le_bytes(*devices),
        })
    }
}
