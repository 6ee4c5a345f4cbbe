//! What happened to one printer: switched off and on, its meters lost or changed with a board, its meters rolled over.
//!
//! A printer's *work* (what wears its toner and empties its trays) only grows. Its *meters* are that work less what the memory
//! that holds them forgot. So a meter that is reset moves no toner level.

use super::printer::{Quantity, derived};

/// How many meters are counted; all others are sums of them.
pub(super) const COUNTERS: usize = 6;
/// Where black prints are among them: what a printer forgets or prints on demand goes there.
const PRINT_MONO: usize = 0;
/// Meters roll over here unless told otherwise: `Counter32` (RFC 2578).
const MODULUS_DEFAULT: u64 = 1 << 32;
/// `sysUpTime` rolls over here, in milliseconds: `TimeTicks` are hundredths of a second in 32 bits.
const UPTIME_WRAP_MS: i64 = (1 << 32) * 10;

/// The changes since the fleet was made. The default is a printer to which nothing happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// How often it was switched off and on: what `snmpEngineBoots` grew by.
    pub boots: u32,
    /// How many main boards with another serial number it has had.
    pub boards: u32,
    /// How many network cards with another MAC it has had.
    pub network_cards: u32,
    booted_at_unix_ms: Option<i64>,
    modulus: Option<u64>,
    printed: u64,
    offsets: Option<[i64; COUNTERS]>,
}

impl Turns {
    /// Starts anew at that moment; `lost` pages were printed since the meters were last saved.
    pub(super) fn reboot(&mut self, now_unix_ms: i64, meters: &[u64; COUNTERS], lost: u64) {
        self.boots += 1;
        self.booted_at_unix_ms = Some(now_unix_ms);
        let lost = lost.min(meters[PRINT_MONO]);
        self.offsets.get_or_insert_default()[PRINT_MONO] -= signed(lost);
    }

    /// From now on the meters show `meters`, whatever was worked.
    pub(super) fn set_meters(&mut self, worked: &[u64; COUNTERS], meters: &[u64; COUNTERS]) {
        let mut offsets = [0; COUNTERS];
        for ((offset, worked), meter) in offsets.iter_mut().zip(worked).zip(meters) {
            *offset = signed(*meter) - signed(*worked);
        }
        self.offsets = Some(offsets);
    }

    /// Prints black pages at once.
    pub(super) const fn print(&mut self, pages: u64) {
        self.printed = self.printed.saturating_add(pages);
    }

    /// Meters count up to `modulus` - 1 and go on from 0.
    pub(super) const fn set_modulus(&mut self, modulus: u64) {
        self.modulus = Some(modulus);
    }

    /// How many pages are missing until the total of `meters` rolls over.
    pub(super) fn pages_to_rollover(&self, meters: &[u64; COUNTERS]) -> u64 {
        let modulus = self.modulus.unwrap_or(MODULUS_DEFAULT);
        modulus - derived(Quantity::Total, meters) % modulus
    }

    /// `sysUpTime` rolls over in so many milliseconds.
    pub(super) const fn age(&mut self, now_unix_ms: i64, wraps_in_ms: i64) {
        self.booted_at_unix_ms = Some(now_unix_ms + wraps_in_ms - UPTIME_WRAP_MS);
    }

    /// How long it has been running, if that is known from something that happened.
    pub(super) fn running_ms(&self, now_unix_ms: i64) -> Option<u64> {
        let booted = self.booted_at_unix_ms?;
        Some(u64::try_from(now_unix_ms - booted).unwrap_or(0))
    }

    pub(super) const fn add_printed(&self, worked: &mut [u64; COUNTERS]) {
        worked[PRINT_MONO] += self.printed;
    }

    pub(super) fn forget(&self, meters: &mut [u64; COUNTERS]) {
        if let Some(offsets) = &self.offsets {
            for (meter, offset) in meters.iter_mut().zip(offsets) {
                *meter = meter.saturating_add_signed(*offset);
            }
        }
    }

    /// A meter as its display shows it.
    pub(super) fn rolled(&self, meter: u64) -> u64 {
        match self.modulus {
            Some(modulus) => meter % modulus,
            None => meter,
        }
    }
}

/// Meters stay far below 2^63; what does not is a slip of the pen in a scenario and is cut there.
fn signed(meter: u64) -> i64 {
    i64::try_from(meter)
        .unwrap_or(i64::MAX / 2)
        .min(i64::MAX / 2)
}
