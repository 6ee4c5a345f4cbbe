//! What can happen to a fleet, as a line of text: one grammar for scenarios, for the control channel and for tests.
//!
//! Printers are named by their number in the fleet, from 0, or by the address at which they were made.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// One line per event, as `help` prints it.
pub const GRAMMAR: &str = "\
A printer P is its number in the fleet, from 0.
reboot P [losing PAGES]        sysUpTime starts at 0; the last PAGES black prints were not saved
reset P                        all its meters are 0
board P new [TOTAL]            another main board: new serial number and MAC, meters from 0 or TOTAL
board P same [TOTAL]           another main board that was told the old serial number: other MAC and meters
move P ADDRESS                 DHCP gives it another address within 127.0.0.0/8, which must be free
exchange P Q                   the two printers swap their addresses
print P PAGES                  black pages, at once
modulus P N                    its meters count up to N-1 and go on from 0 (4294967296 unless told)
rollover P                     it prints until its total is 3 pages past its modulus
uptime P SECONDS               its sysUpTime rolls over in so many seconds
off P | on P | sleep P         plug pulled; awake; in power save
network [latency=MS] [jitter=MS] [tail=PERMILLE] [loss=PERMILLE] [duplicates=PERMILLE]
show P                         its address, identity and meters, as JSON
stats                          what went through the socket, as JSON
help                           this text";

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A printer was switched off and on.
    Reboot {
        /// Which.
        printer: u32,
        /// Pages it had printed since its meters were saved.
        losing: u64,
    },
    /// A printer's meters are zero.
    Reset {
        /// Which.
        printer: u32,
    },
    /// A printer got another main board.
    Board {
        /// Which.
        printer: u32,
        /// Whether the board has a serial number of its own.
        new_serial: bool,
        /// What the board has counted elsewhere.
        total: u64,
    },
    /// A printer got another address.
    Move {
        /// Which.
        printer: u32,
        /// Where to.
        address: Ipv4Addr,
    },
    /// Two printers swapped their addresses.
    Exchange {
        /// One.
        printer: u32,
        /// The other.
        other: u32,
    },
    /// A printer printed.
    Print {
        /// Which.
        printer: u32,
        /// How much.
        pages: u64,
    },
    /// A printer's meters have another modulus.
    Modulus {
        /// Which.
        printer: u32,
        /// At least 1.
        modulus: u64,
    },
    /// A printer's total rolled over.
    Rollover {
        /// Which.
        printer: u32,
    },
    /// A printer's `sysUpTime` is about to roll over.
    Uptime {
        /// Which.
        printer: u32,
        /// In how many seconds.
        wraps_in_s: u32,
    },
    /// A printer changes what it does on the network.
    Power {
        /// Which.
        printer: u32,
        /// What it does from now on.
        behaviour: super::printer::Behaviour,
    },
    /// The network changes.
    Network(Network),
    /// Somebody wants to know a printer.
    Show {
        /// Which.
        printer: u32,
    },
    /// Somebody wants to know what went through the socket.
    Stats,
}

/// What changes on the network; `None` leaves it as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// How long an answer takes at least.
    pub latency_ms: Option<u32>,
    /// How much longer it may take.
    pub jitter_ms: Option<u32>,
    /// How many answers of 1,000 take ten times as long.
    pub tail_permille: Option<u32>,
    /// How many requests, and how many answers, of 1,000 are lost.
    pub loss_permille: Option<u32>,
    /// How many answers of 1,000 come twice.
    pub duplicate_permille: Option<u32>,
}

/// Why an event did not happen. The fleet is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The text is no event.
    #[error("cannot read {line:?}: {problem}; `help` lists what can happen")]
    Grammar {
        /// The line.
        line: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no such printer.
    #[error("no printer {printer}: the fleet has 0 to {last}")]
    NoPrinter {
        /// Who was named.
        printer: u32,
        /// The last one there is.
        last: u32,
    },
    /// The address cannot be given to a printer.
    #[error("{address} is no address within 127.0.0.0/8 for a printer")]
    NotLoopback {
        /// The address.
        address: Ipv4Addr,
    },
    /// Somebody else is there.
    #[error("{address} is taken by printer {by}")]
    Taken {
        /// The address.
        address: Ipv4Addr,
        /// Who is there.
        by: u32,
    },
    /// The fleet has stopped.
    #[error("the fleet has stopped")]
    Stopped,
}

impl FromStr for Event {
    type Err = EventError;

    fn from_str(line: &str) -> Result<Self, EventError> {
        let line = line.trim();
        let refused = |problem: &str| EventError::Grammar {
            line: line.chars().take(LINE_SHOWN_MAX).collect(),
            problem: problem.to_owned(),
        };
        let mut words = Words(line.split_whitespace().collect::<Vec<_>>().into_iter());
        let verb = words.0.next().ok_or_else(|| refused("it is empty"))?;
        let event = words.event(verb).map_err(|problem| refused(&problem))?;
        match words.0.next() {
            None => Ok(event),
            Some(word) => Err(refused(&format!("{word:?} is too much"))),
        }
    }
}

/// How much of a line is repeated in an error.
const LINE_SHOWN_MAX: usize = 100;

struct Words<'a>(std::vec::IntoIter<&'a str>);

impl Words<'_> {
    fn event(&mut self, verb: &str) -> Result<Event, String> {
        use super::printer::Behaviour;
        let power = |printer, behaviour| Event::Power { printer, behaviour };
        Ok(match verb {
            "reboot" => Event::Reboot {
                printer: self.number("printer")?,
                losing: match self.0.next() {
                    None => 0,
                    Some("losing") => self.number("number of pages")?,
                    Some(word) => return Err(format!("{word:?} is not \"losing\"")),
                },
            },
            "reset" => Event::Reset {
                printer: self.number("printer")?,
            },
            "board" => Event::Board {
                printer: self.number("printer")?,
                new_serial: match self.0.next() {
                    Some("new") => true,
                    Some("same") => false,
                    _ => return Err("after the printer comes \"new\" or \"same\"".to_owned()),
                },
                total: match self.0.next() {
                    None => 0,
                    Some(total) => parse(total, "total")?,
                },
            },
            "move" => Event::Move {
                printer: self.number("printer")?,
                address: self.number("address")?,
            },
            "exchange" => Event::Exchange {
                printer: self.number("printer")?,
                other: self.number("other printer")?,
            },
            "print" => Event::Print {
                printer: self.number("printer")?,
                pages: self.number("number of pages")?,
            },
            "modulus" => Event::Modulus {
                printer: self.number("printer")?,
                modulus: match self.number("modulus")? {
                    0 => return Err("a modulus is at least 1".to_owned()),
                    modulus => modulus,
                },
            },
            "rollover" => Event::Rollover {
                printer: self.number("printer")?,
            },
            "uptime" => Event::Uptime {
                printer: self.number("printer")?,
                wraps_in_s: self.number("number of seconds")?,
            },
            "off" => power(self.number("printer")?, Behaviour::Dead),
            "on" => power(self.number("printer")?, Behaviour::Awake),
            "sleep" => power(self.number("printer")?, Behaviour::Asleep),
            "network" => Event::Network(self.network()?),
            "show" => Event::Show {
                printer: self.number("printer")?,
            },
            "stats" => Event::Stats,
            other => return Err(format!("nothing is called {other:?}")),
        })
    }

    fn number<T: FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self
            .0
            .next()
            .ok_or_else(|| format!("the {what} is missing"))?;
        parse(word, what)
    }

    fn network(&mut self) -> Result<Network, String> {
        let mut network = Network::default();
        for word in self.0.by_ref() {
            let (name, value) = word
                .split_once('=')
                .ok_or_else(|| format!("{word:?} has no \"=\""))?;
            let (field, max) = match name {
                "latency" => (&mut network.latency_ms, DELAY_MS_MAX),
                "jitter" => (&mut network.jitter_ms, DELAY_MS_MAX),
                "tail" => (&mut network.tail_permille, 1000),
                "loss" => (&mut network.loss_permille, 1000),
                "duplicates" => (&mut network.duplicate_permille, 1000),
                other => return Err(format!("the network has no {other:?}")),
            };
            let value = parse(value, name)?;
            if value > max {
                return Err(format!("{name} is at most {max}"));
            }
            *field = Some(value);
        }
        if network == Network::default() {
            return Err("it says nothing about the network".to_owned());
        }
        Ok(network)
    }
}

/// No network is slower than a minute.
const DELAY_MS_MAX: u32 = 60_000;

fn parse<T: FromStr>(word: &str, what: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("{word:?} is no {what}"))
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use super::printer::Behaviour;
        match self {
            Self::Reboot { printer, losing: 0 } => write!(f, "reboot {printer}"),
            Self::Reboot { printer, losing } => write!(f, "reboot {printer} losing {losing}"),
            Self::Reset { printer } => write!(f, "reset {printer}"),
            Self::Board {
                printer,
                new_serial,
                total,
            } => {
                let which = if *new_serial { "new" } else { "same" };
                write!(f, "board {printer} {which} {total}")
            }
            Self::Move { printer, address } => write!(f, "move {printer} {address}"),
            Self::Exchange { printer, other } => write!(f, "exchange {printer} {other}"),
            Self::Print { printer, pages } => write!(f, "print {printer} {pages}"),
            Self::Modulus { printer, modulus } => write!(f, "modulus {printer} {modulus}"),
            Self::Rollover { printer } => write!(f, "rollover {printer}"),
            Self::Uptime {
                printer,
                wraps_in_s,
            } => write!(f, "uptime {printer} {wraps_in_s}"),
            Self::Power { printer, behaviour } => match behaviour {
                Behaviour::Awake => write!(f, "on {printer}"),
                Behaviour::Asleep => write!(f, "sleep {printer}"),
                Behaviour::Dead => write!(f, "off {printer}"),
            },
            Self::Network(network) => {
                write!(f, "network")?;
                for (name, value) in [
                    ("latency", network.latency_ms),
                    ("jitter", network.jitter_ms),
                    ("tail", network.tail_permille),
                    ("loss", network.loss_permille),
                    ("duplicates", network.duplicate_permille),
                ] {
                    if let Some(value) = value {
                        write!(f, " {name}={value}")?;
                    }
                }
                Ok(())
            }
            Self::Show { printer } => write!(f, "show {printer}"),
            Self::Stats => write!(f, "stats"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_read_as_it_is_written() {
        for line in [
            "reboot 17",
            "reboot 17 losing 12",
            "reset 0",
            "board 3 new 0",
            "board 3 same 4000",
            "move 17 127.20.9.9",
            "exchange 1 2",
            "print 5 500",
            "modulus 5 1000000",
            "rollover 5",
            "uptime 5 30",
            "off 1",
            "on 1",
            "sleep 1",
            "network latency=100 tail=5 loss=10",
            "show 4",
            "stats",
        ] {
            assert_eq!(
                line.parse::<Event>().map(|e| e.to_string()).as_deref(),
                Ok(line)
            );
        }
        assert_eq!("board 3 new".parse(), "board 3 new 0".parse::<Event>());
    }

    #[test]
    fn what_is_no_event_is_refused_and_says_why() {
        for (line, why) in [
            ("", "it is empty"),
            ("explode 1", "nothing is called \"explode\""),
            ("reset", "the printer is missing"),
            ("reset x", "\"x\" is no printer"),
            ("reset 1 2", "\"2\" is too much"),
            ("reboot 1 gaining 2", "is not \"losing\""),
            ("board 1", "\"new\" or \"same\""),
            ("move 1 nowhere", "\"nowhere\" is no address"),
            ("modulus 1 0", "at least 1"),
            ("network", "says nothing"),
            ("network loss=2000", "at most 1000"),
        ] {
            let error = line.parse::<Event>().unwrap_err().to_string();
            assert!(error.contains(why), "{line:?}: {error}");
        }
    }
}
