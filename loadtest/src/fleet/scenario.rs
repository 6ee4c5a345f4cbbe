//! What is to happen to a fleet, and when: at named seconds, and at random with a rate.
//!
//! ```toml
//! [rates]            # per 1,000 printers and hour
//! reboots = 20.0
//! resets = 0.5
//! boards = 0.5
//! moves = 5.0
//! exchanges = 1.0
//! rollovers = 0.1
//!
//! [[event]]
//! at_s = 10
//! do = "move 17 127.20.9.9"
//! ```
//!
//! The same scenario and seed make the same events at the same milliseconds of the fleet's life.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::Deserialize;

use super::event::{Event, EventError};
use super::printer::mix;
use super::server::address_of;

/// What is to happen.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What happens at random.
    #[serde(default)]
    pub rates: Rates,
    /// What happens at a given second.
    #[serde(default, rename = "event")]
    pub events: Vec<Timed>,
}

/// Events per 1,000 printers and hour.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Switched off and on; every other one loses some pages that were not saved.
    pub reboots: f64,
    /// Meters back to zero.
    pub resets: f64,
    /// Another main board; every other one is told the old serial number.
    pub boards: f64,
    /// Another address.
    pub moves: f64,
    /// Two printers swap their addresses.
    pub exchanges: f64,
    /// The total passes its modulus.
    pub rollovers: f64,
}

/// An event at a second of the fleet's life.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timed {
    /// When, in seconds after the start.
    pub at_s: f64,
    /// What, in the words of [`super::event::GRAMMAR`].
    #[serde(rename = "do")]
    pub line: String,
}

/// Why a scenario cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It is no scenario.
    #[error("the scenario cannot be read")]
    Shape(#[from] toml::de::Error),
    /// An event is none.
    #[error("the scenario's event at {at_s} s")]
    Event {
        /// When it was to happen.
        at_s: f64,
        /// What is wrong with it.
        #[source]
        source: EventError,
    },
    /// A time or rate makes no sense.
    #[error("{what} is {value}: it must be between 0 and {max}")]
    Number {
        /// Which one.
        what: &'static str,
        /// What it is.
        value: f64,
        /// The largest.
        max: f64,
    },
    /// A rate is not `name=number`.
    #[error(
        "{0:?} is no rate: write reboots=20,moves=5 (also resets, boards, exchanges, rollovers)"
    )]
    Rate(String),
}

/// A million events per 1,000 printers and hour are 280 per printer and second: more is a typing error.
const RATE_MAX: f64 = 1e9;
/// A year: nobody waits longer.
const AT_S_MAX: f64 = 366.0 * 86_400.0;
const KINDS: usize = 6;

impl FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        Ok(toml::from_str(text)?)
    }
}

impl FromStr for Rates {
    type Err = ScenarioError;

    /// Reads `reboots=20,moves=5`.
    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        let mut rates = Self::default();
        for part in text.split(',').map(str::trim) {
            let refused = || ScenarioError::Rate(part.to_owned());
            let (name, value) = part.split_once('=').ok_or_else(refused)?;
            let value = value.trim().parse().map_err(|_| refused())?;
            *match name.trim() {
                "reboots" => &mut rates.reboots,
                "resets" => &mut rates.resets,
                "boards" => &mut rates.boards,
                "moves" => &mut rates.moves,
                "exchanges" => &mut rates.exchanges,
                "rollovers" => &mut rates.rollovers,
                _ => return Err(refused()),
            } = value;
        }
        Ok(rates)
    }
}

/// A scenario being played. It has no clock: it is asked what is due.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    timed: VecDeque<(u64, Event)>,
    /// Per kind: the mean gap in milliseconds, and when the next one is due.
    random: Vec<Random>,
    devices: u32,
    first: Option<Ipv4Addr>,
    moves: u32,
    dice: u64,
}

#[derive(Clone, Copy, Debug)]
struct Random {
    kind: usize,
    gap_ms: f64,
    due_ms: f64,
}

impl Schedule {
    /// Prepares a scenario for a fleet of so many printers from that address on.
    ///
    /// # Errors
    /// [`ScenarioError`] names the event, time or rate that makes no sense.
    pub fn new(
        scenario: &Scenario,
        devices: u32,
        first: Ipv4Addr,
        seed: u64,
    ) -> Result<Self, ScenarioError> {
        let mut timed = Vec::with_capacity(scenario.events.len());
        for event in &scenario.events {
            let at_s = within("an event's at_s", event.at_s, AT_S_MAX)?;
            let what = event
                .line
                .parse()
                .map_err(|source| ScenarioError::Event { at_s, source })?;
            timed.push((milliseconds(at_s * 1000.0), what));
        }
        timed.sort_by_key(|(at_ms, _)| *at_ms);
        let mut schedule = Self {
            timed: timed.into(),
            random: Vec::new(),
            devices,
            first: Some(first),
            moves: 0,
            dice: mix(seed ^ 0x5ce0),
        };
        let rates = &scenario.rates;
        let rates: [(&str, f64); KINDS] = [
            ("the rate of reboots", rates.reboots),
            ("the rate of resets", rates.resets),
            ("the rate of boards", rates.boards),
            ("the rate of moves", rates.moves),
            ("the rate of exchanges", rates.exchanges),
            ("the rate of rollovers", rates.rollovers),
        ];
        for (kind, (what, rate)) in rates.into_iter().enumerate() {
            let per_hour = within(what, rate, RATE_MAX)? * f64::from(devices) / 1000.0;
            if per_hour > 0.0 {
                let gap_ms = 3_600_000.0 / per_hour;
                let due_ms = schedule.wait_ms(gap_ms);
                schedule.random.push(Random {
                    kind,
                    gap_ms,
                    due_ms,
                });
            }
        }
        Ok(schedule)
    }

    /// Whether nothing will ever happen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.timed.is_empty() && self.random.is_empty()
    }

    /// The next event that is due in that millisecond of the fleet's life; call it until there is none.
    pub fn due(&mut self, now_ms: u64) -> Option<Event> {
        if self
            .timed
            .front()
            .is_some_and(|(at_ms, _)| *at_ms <= now_ms)
        {
            return self.timed.pop_front().map(|(_, event)| event);
        }
        let at = (0..self.random.len())
            .filter(|at| milliseconds(self.random[*at].due_ms) <= now_ms)
            .min_by(|a, b| self.random[*a].due_ms.total_cmp(&self.random[*b].due_ms))?;
        let Random { kind, gap_ms, .. } = self.random[at];
        let wait_ms = self.wait_ms(gap_ms);
        self.random[at].due_ms += wait_ms;
        Some(self.draw(kind))
    }

    fn draw(&mut self, kind: usize) -> Event {
        let printer = self.printer();
        match kind {
            0 => Event::Reboot {
                printer,
                losing: self.roll() % 2 * (self.roll() % 20),
            },
            1 => Event::Reset { printer },
            2 => Event::Board {
                printer,
                new_serial: self.roll().is_multiple_of(2),
                total: self.roll() % 2 * (self.roll() % 50_000),
            },
            3 => {
                // Behind the fleet lie as many addresses again: its DHCP pool.
                self.moves += 1;
                let nth = self.devices + self.moves % self.devices.max(1);
                let address = self.first.and_then(|first| address_of(first, nth));
                match address {
                    Some(address) => Event::Move { printer, address },
                    None => Event::Exchange {
                        printer,
                        other: self.printer(),
                    },
                }
            }
            4 => Event::Exchange {
                printer,
                other: self.printer(),
            },
            _ => Event::Rollover { printer },
        }
    }

    fn printer(&mut self) -> u32 {
        u32::try_from(self.roll() % u64::from(self.devices.max(1))).unwrap_or(0)
    }

    /// Gaps of events that do not know of each other: exponential.
    fn wait_ms(&mut self, mean_ms: f64) -> f64 {
        // 53 bits fill a double's mantissa; never 0, whose logarithm there is not.
        let even = ((self.roll() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        -even.ln() * mean_ms
    }

    fn roll(&mut self) -> u64 {
        self.dice = mix(self.dice);
        self.dice
    }
}

fn within(what: &'static str, value: f64, max: f64) -> Result<f64, ScenarioError> {
    if (0.0..=max).contains(&value) {
        Ok(value)
    } else {
        Err(ScenarioError::Number { what, value, max })
    }
}

/// Both bounds are far inside what a double counts exactly, and a negative one became 0.
fn milliseconds(ms: f64) -> u64 {
    ms.max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Ipv4Addr = Ipv4Addr::new(127, 20, 0, 1);

    fn play(text: &str, until_ms: u64) -> Vec<String> {
        let scenario = text.parse().unwrap();
        let mut schedule = Schedule::new(&scenario, 1000, FIRST, 7).unwrap();
        let mut played = Vec::new();
        for now_ms in (0..=until_ms).step_by(100) {
            while let Some(event) = schedule.due(now_ms) {
                played.push(format!("{now_ms} {event}"));
            }
        }
        played
    }

    #[test]
    fn timed_events_come_in_order_at_their_second() {
        let text = "[[event]]\nat_s = 2\ndo = \"reset 1\"\n[[event]]\nat_s = 0.5\ndo = \"off 3\"";
        assert_eq!(play(text, 10_000), ["500 off 3", "2000 reset 1"]);
    }

    #[test]
    fn rates_are_kept_and_the_same_seed_plays_the_same() {
        let text = "[rates]\nreboots = 3600.0\nmoves = 360.0";
        let played = play(text, 1_000_000);
        let reboots = played.iter().filter(|line| line.contains("reboot")).count();
        let moves = played.iter().filter(|line| line.contains("move")).count();
        assert!((900..1100).contains(&reboots), "one a second: {reboots}");
        assert!((70..130).contains(&moves), "one in ten seconds: {moves}");
        assert_eq!(played, play(text, 1_000_000));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |text: &str| {
            let scenario: Scenario = text.parse().unwrap();
            Schedule::new(&scenario, 10, FIRST, 1)
                .unwrap_err()
                .to_string()
        };
        assert!(refused("[[event]]\nat_s = 1\ndo = \"dance 1\"").contains("at 1 s"));
        assert!(refused("[[event]]\nat_s = -1\ndo = \"reset 1\"").contains("between 0"));
        assert!(refused("[rates]\nresets = nan").contains("rate of resets"));
        assert!("[rates]\nparties = 1.0".parse::<Scenario>().is_err());
        assert!("reboots=1,parties=2".parse::<Rates>().is_err());
        assert_eq!("reboots=1, moves=2".parse::<Rates>().unwrap().moves, 2.0);
    }
}
