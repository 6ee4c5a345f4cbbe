//! Two inflaters side by side: what [`super::Inflater`] makes of a body is what a streaming reader makes of it, or an error.

use std::io::Read;

use super::{Encoding, EnvelopeError, Inflater};

/// Inflates `body` as both encodings and compares with streaming readers; for tests and fuzzing.
///
/// # Panics
/// When they do not agree, or more than the cap came out: that is a bug of this crate.
pub fn differential(body: &[u8]) {
    const CAP_BYTES: usize = 1 << 20;
    let mut inflater = Inflater::new();
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let mut streamed = Vec::new();
        let (read, rest) = match encoding {
            Encoding::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(body);
                let mut decoder = decoder.expect("memory for a context").single_frame();
                let mut capped = decoder.by_ref().take(CAP_BYTES as u64 + 1);
                (capped.read_to_end(&mut streamed), decoder.finish())
            }
            Encoding::Gzip | Encoding::Identity => {
                let mut decoder = flate2::bufread::GzDecoder::new(body);
                let mut capped = decoder.by_ref().take(CAP_BYTES as u64 + 1);
                (capped.read_to_end(&mut streamed), decoder.into_inner())
            }
        };
        match inflater.inflate(encoding, body, CAP_BYTES) {
            Ok(plain) => {
                assert!(plain.len() <= CAP_BYTES, "more than the cap");
                assert!(read.is_ok(), "{encoding}: only one of two can read it");
                assert_eq!(plain, streamed, "{encoding}: the two read different bytes");
                assert!(rest.is_empty(), "{encoding}: something followed");
            }
            Err(error) => {
                let fits = read.is_ok() && streamed.len() <= CAP_BYTES && rest.is_empty();
                // A zstd frame may leave out its size; a streaming reader takes that, we do not.
                let by_choice = encoding == Encoding::Zstd
                    && matches!(
                        error,
                        EnvelopeError::Corrupt { .. } | EnvelopeError::TooLarge { .. }
                    );
                assert!(
                    !fits || by_choice,
                    "{encoding}: refused what is good: {error}"
                );
            }
        }
    }
    assert!(
        inflater.buffer_bytes() <= CAP_BYTES,
        "the buffer stays in the cap"
    );
}
