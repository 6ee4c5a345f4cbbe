//! gzip and zstd: any body is inflated within the cap or refused.
#![no_main]

use codec::envelope::{Encoding, Inflater};
use libfuzzer_sys::fuzz_target;

const CAP_BYTES: usize = 1 << 20;

fuzz_target!(|body: &[u8]| {
    let mut inflater = Inflater::new();
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        if let Ok(plain) = inflater.inflate(encoding, body, CAP_BYTES) {
            assert!(plain.len() <= CAP_BYTES);
        }
    }
});
