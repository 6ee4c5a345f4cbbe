//! Inflating with a hard cap.
//!
//! Both encodings say how much comes out (gzip in its last four bytes, zstd in its frame header). That is believed only as the size of the buffer, and
//! only up to the cap and to what the body's own length makes possible; a body that turns out otherwise is refused. So an inflater makes one pass,
//! into one buffer that it keeps. Only a gzip body that will be refused is read a second time, into nothing, to say why.

use std::io::{self, Read};

use flate2::bufread::GzDecoder;
use libdeflater::Decompressor;
use memchr::memmem;
use zstd::zstd_safe::{self, DCtx};

use super::{Encoding, EnvelopeError};
use crate::limits::INFLATER_RETAINED_BYTES_MAX;

/// The most that deflate makes of one byte: a match of 258 bytes in two bits.
const DEFLATE_RATIO_MAX: usize = 1032;

/// CRC-32 and size, the last bytes of a gzip member (RFC 1952).
const GZIP_FOOTER_BYTES: usize = 8;

/// Inflates reports into a buffer that it keeps.
pub struct Inflater {
    gzip: Decompressor,
    zstd: DCtx<'static>,
    /// Its length is the most that was needed of late, so that it is filled with zeros only when it grows.
    buffer: Vec<u8>,
}

impl Inflater {
    /// An inflater without a buffer yet.
    ///
    /// # Panics
    /// When there is no memory for its state.
    #[must_use]
    pub fn new() -> Self {
        Self {
            gzip: Decompressor::new(),
            zstd: DCtx::create(),
            buffer: Vec::new(),
        }
    }

    /// The plain bytes of `body`, at most `cap_bytes` of them. A body that is not compressed is given back as it is.
    ///
    /// # Errors
    /// [`EnvelopeError`] when the body is too large, cut off, corrupt, or followed by anything.
    pub fn inflate<'a>(
        &'a mut self,
        encoding: Encoding,
        body: &'a [u8],
        cap_bytes: usize,
    ) -> Result<&'a [u8], EnvelopeError> {
        match encoding {
            Encoding::Identity if body.len() > cap_bytes => Err(EnvelopeError::TooLarge {
                encoding,
                cap_bytes,
            }),
            Encoding::Identity => Ok(body),
            Encoding::Gzip => self.gzip(body, cap_bytes),
            Encoding::Zstd => self.zstd(body, cap_bytes),
        }
    }

    /// How many bytes the buffer holds on to: for a metric, and for whoever pools inflaters.
    #[must_use]
    pub fn buffer_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    fn gzip(&mut self, body: &[u8], cap_bytes: usize) -> Result<&[u8], EnvelopeError> {
        let corrupt = || EnvelopeError::Corrupt {
            encoding: Encoding::Gzip,
            reason: "its checksum or its structure is wrong",
        };
        // What is refused here gets its reason from the second reading, which must find one.
        let refused = |body| examine_gzip(body, cap_bytes).err().unwrap_or_else(corrupt);
        let Some(footer) = body.last_chunk::<GZIP_FOOTER_BYTES>() else {
            return Err(EnvelopeError::Truncated {
                encoding: Encoding::Gzip,
            });
        };
        let [.., a, b, c, d] = *footer;
        let said = u32::from_le_bytes([a, b, c, d]) as usize;
        if said > cap_bytes || said > body.len().saturating_mul(DEFLATE_RATIO_MAX) {
            return Err(refused(body));
        }
        self.reserve(said);
        let made = self.gzip.gzip_decompress(body, &mut self.buffer[..said]);
        if made != Ok(said) {
            return Err(refused(body));
        }
        // libdeflate stops at the end of the member and does not say where that was. The checksum and the size that it found there are those of the
        // body's end, or else they stand there too: then the body is read again.
        if memmem::find(body, footer) != Some(body.len() - GZIP_FOOTER_BYTES) {
            examine_gzip(body, cap_bytes)?;
        }
        let same_end = libdeflater::crc32(&self.buffer[..said]).to_le_bytes() == footer[..4];
        if !same_end {
            return Err(refused(body));
        }
        Ok(&self.buffer[..said])
    }

    fn zstd(&mut self, body: &[u8], cap_bytes: usize) -> Result<&[u8], EnvelopeError> {
        let encoding = Encoding::Zstd;
        let corrupt = |reason| EnvelopeError::Corrupt { encoding, reason };
        if Encoding::detect(body) != encoding {
            return Err(if body.len() < 4 {
                EnvelopeError::Truncated { encoding }
            } else {
                corrupt("it does not begin with a frame")
            });
        }
        let said = match zstd_safe::get_frame_content_size(body) {
            Ok(Some(said)) => said,
            Ok(None) => return Err(corrupt("its frame does not say how much it holds")),
            Err(_) => return Err(EnvelopeError::Truncated { encoding }),
        };
        let said = usize::try_from(said)
            .ok()
            .filter(|said| *said <= cap_bytes)
            .ok_or(EnvelopeError::TooLarge {
                encoding,
                cap_bytes,
            })?;
        let frame = zstd_safe::find_frame_compressed_size(body)
            .map_err(|_| EnvelopeError::Truncated { encoding })?;
        if frame < body.len() {
            let count = body.len() - frame;
            return Err(EnvelopeError::Trailing { encoding, count });
        }
        self.reserve(said);
        match self.zstd.decompress(&mut self.buffer[..said], body) {
            Ok(made) if made == said => Ok(&self.buffer[..said]),
            Ok(_) | Err(_) => Err(corrupt("its checksum or its structure is wrong")),
        }
    }

    /// Makes room for `bytes`, and lets go of a large buffer that is not needed any more.
    fn reserve(&mut self, bytes: usize) {
        if self.buffer.len() < bytes {
            self.buffer.resize(bytes, 0);
        } else if self.buffer.len() > INFLATER_RETAINED_BYTES_MAX && bytes < self.buffer.len() / 4 {
            self.buffer.truncate(bytes.max(INFLATER_RETAINED_BYTES_MAX));
            self.buffer.shrink_to_fit();
        }
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater")
            .field("buffer_bytes", &self.buffer_bytes())
            .finish_non_exhaustive()
    }
}

/// Reads a gzip body into nothing, at most `cap_bytes` of it, and says whether it is exactly one good member.
fn examine_gzip(body: &[u8], cap_bytes: usize) -> Result<(), EnvelopeError> {
    const SCRATCH_BYTES: usize = 64 << 10;
    let encoding = Encoding::Gzip;
    let mut decoder = GzDecoder::new(body);
    let mut scratch = vec![0; SCRATCH_BYTES];
    let mut made = 0_usize;
    loop {
        match decoder.read(&mut scratch) {
            Ok(0) => break,
            Ok(count) => made += count,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(EnvelopeError::Truncated { encoding });
            }
            Err(_) => {
                let reason = "its checksum or its structure is wrong";
                return Err(EnvelopeError::Corrupt { encoding, reason });
            }
        }
        if made > cap_bytes {
            return Err(EnvelopeError::TooLarge {
                encoding,
                cap_bytes,
            });
        }
    }
    match decoder.into_inner().len() {
        0 => Ok(()),
        count => Err(EnvelopeError::Trailing { encoding, count }),
    }
}
