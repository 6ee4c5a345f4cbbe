//! Reports: the fast path and the general path give the same rows and the same errors for any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = codec::xml::differential(bytes);
});
