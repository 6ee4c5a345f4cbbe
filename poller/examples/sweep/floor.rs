//! What no client can go below, from the same numbers as the run: how many exchanges each device needed, the latency, the loss, the rate.
//!
//! Three bounds; the largest counts. A client without any CPU time, which knew everything beforehand but which datagrams would be lost, keeps
//! to all three:
//!
//! - **line**: at `rate` requests a second, the requests that 99.9 % of the living need, each exchange being asked `1 / (1 - p)` times
//!   on average where `p` is the chance that its request or its answer is lost, and one to each of the dead, who are known as such only
//!   afterwards.
//! - **slots**: with `inflight` devices at once, the same as times: a device holds its place for its latencies and the waits for
//!   what was lost.
//! - **chain**: a device's exchanges follow each other, each takes the latency; for each one that is lost the client waits before it asks
//!   again. The 99.9 % quantile of that over the fleet.
//!
//! The wait after a loss is the shortest that the engine's rule allows (`PollOptions::timeout_min`), and one second for the first exchange
//! of a device whose round trip time is not known; with plain timeouts of 1, 2 and 4 seconds the floor would be higher.

use std::time::Duration;

/// How many fleets are drawn for the quantile.
const DRAWS: u64 = 20;

/// The share of the living that must have reported.
pub const REPORTED_SHARE: f64 = 0.999;

/// What the floor is made of.
#[derive(Clone, Debug)]
pub struct Needs<'e> {
    /// How many exchanges each living device needed.
    pub exchanges: &'e [u32],
    /// How many do not answer.
    pub dead: usize,
    pub latency: Duration,
    /// The chance that a request is lost, and the same for an answer.
    pub loss: f64,
    /// Requests per second; 0: no limit.
    pub rate: u32,
    pub inflight: usize,
    /// The wait after a loss of the first exchange, of any other.
    pub waits: (Duration, Duration),
}

/// The three bounds, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    pub line: f64,
    pub slots: f64,
    pub chain: f64,
}

impl Floor {
    pub fn seconds(self) -> f64 {
        self.line.max(self.slots).max(self.chain)
    }

    /// The name of the one that counts.
    pub fn kind(self) -> &'static str {
        if self.line >= self.slots.max(self.chain) {
            "line"
        } else if self.slots >= self.chain {
            "slots"
        } else {
            "chain"
        }
    }
}

impl Needs<'_> {
    pub fn floor(&self) -> Floor {
        let lost = 1.0 - (1.0 - self.loss) * (1.0 - self.loss);
        let exchanges: u64 = self.exchanges.iter().map(|count| u64::from(*count)).sum();
        let requests = exchanges as f64 / (1.0 - lost) * REPORTED_SHARE + self.dead as f64;
        let line = match self.rate {
            0 => 0.0,
            rate => requests / f64::from(rate),
        };
        let (mut chains, mut held) = (0.0, 0.0);
        for seed in 0..DRAWS {
            let mut random = Random(seed);
            let mut times: Vec<f64> = self
                .exchanges
                .iter()
                .map(|count| self.chain(*count, lost, &mut random))
                .collect();
            held += times.iter().sum::<f64>() / DRAWS as f64;
            times.sort_by(f64::total_cmp);
            chains += quantile(&times, REPORTED_SHARE) / DRAWS as f64;
        }
        Floor {
            line,
            slots: held * REPORTED_SHARE / self.inflight as f64,
            chain: chains,
        }
    }

    fn chain(&self, exchanges: u32, lost: f64, random: &mut Random) -> f64 {
        let mut seconds = 0.0;
        for nth in 0..exchanges {
            let wait = if nth == 0 { self.waits.0 } else { self.waits.1 };
            while random.fraction() < lost {
                seconds += wait.as_secs_f64();
            }
            seconds += self.latency.as_secs_f64();
        }
        seconds
    }
}

/// The smallest of the sorted `times` that `share` of them do not exceed.
pub fn quantile(times: &[f64], share: f64) -> f64 {
    let at = (times.len() as f64 * share).ceil() as usize;
    let last = times.last().copied().unwrap_or(0.0);
    times.get(at.saturating_sub(1)).copied().unwrap_or(last)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
