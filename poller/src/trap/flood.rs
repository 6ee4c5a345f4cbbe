//! How much one source, and all together, may tell us.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// What one source may send per second, on average: a printer has no more to say.
const SOURCE_PER_SECOND: u32 = 5;

/// What one source may send at once after a silence: a printer with a burst of alerts.
const SOURCE_BURST: u32 = 30;

/// What all sources together may send per second.
const ALL_PER_SECOND: u32 = 2_000;

/// What all sources together may send at once.
const ALL_BURST: u32 = 4_000;

/// Sources that are kept track of; then those that have been silent longest enough are forgotten.
const SOURCES_MAX: usize = 16_384;

/// Two rows of buckets; what a bucket holds is the time at which it would be full again.
#[derive(Debug, Default)]
pub struct Flood {
    all: Duration,
    sources: HashMap<IpAddr, Duration>,
}

impl Flood {
    /// Whether another message of this source is admitted.
    pub fn admits(&mut self, source: IpAddr, now: Duration) -> bool {
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&source) {
            self.sources.retain(|_, full| *full > now);
            if self.sources.len() >= SOURCES_MAX {
                return false;
            }
        }
        let own = self.sources.entry(source).or_default();
        // A source that exceeds its share must not use up the others'.
        take(own, SOURCE_PER_SECOND, SOURCE_BURST, now)
            && take(&mut self.all, ALL_PER_SECOND, ALL_BURST, now)
    }
}

fn take(full: &mut Duration, per_second: u32, burst: u32, now: Duration) -> bool {
    let each = Duration::from_secs(1) / per_second;
    let after = (*full).max(now) + each;
    let is_admitted = after <= now + each * burst;
    if is_admitted {
        *full = after;
    }
    is_admitted
}
