//! The journal's limits.

/// Segments are rolled at this size by default: small enough that recovery reads one in a blink and that applied ones can be
/// removed soon, large enough that making a file costs nothing.
pub const SEGMENT_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;

/// How a journal behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The first append that finds the segment at or above this size starts a new one.
    pub segment_bytes: u64,
    /// Every new segment has at least this number. Whoever keeps positions elsewhere (the store's applied position) passes
    /// the segment after the one it remembers, so that a journal whose folder was emptied cannot hand out old positions again.
    pub segment_min: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            segment_min: 1,
        }
    }
}
