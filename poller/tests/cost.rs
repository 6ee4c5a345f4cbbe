//! What polls cost on the wire: SNMPv2c with the community `public`, counted as BER with IPv4 and UDP headers. Walks are counted as
//! GETBULK with the rows that the plan knows, at most 60 variables an answer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use codec::time::Timestamp;
use poller::conversation::{Ask, Conversation, Failure};
use poller::device::{Depth, DevicePoll, Plan, PollContext};
use poller::oid::Oid;
use poller::profile::ProfileSet;
use poller::recording::Recording;
use poller::value::{Value, ValueRef};

/// IPv4 and UDP headers of one packet.
const HEADERS_BYTES: usize = 28;
/// The most variables of one answer: 1,200 bytes hold some 55.
const VARIABLES_PER_ANSWER: usize = 55;

fn tlv(content: usize) -> usize {
    content
        + if content < 128 {
            2
        } else if content < 256 {
            3
        } else {
            4
        }
}

fn arc(value: u32) -> usize {
    ((32 - value.leading_zeros()).div_ceil(7)).max(1) as usize
}

fn oid_bytes(oid: &Oid) -> usize {
    tlv(1 + oid.arcs()[2..]
        .iter()
        .map(|value| arc(*value))
        .sum::<usize>())
}

fn integer(value: i64) -> usize {
    tlv((1..=8)
        .find(|bytes| value >= -(1_i64 << (bytes * 8 - 1)) && value < (1_i64 << (bytes * 8 - 1)))
        .unwrap_or(8))
}

fn value_bytes(value: Option<&Value>) -> usize {
    match value {
        None | Some(Value::Null) => 2,
        Some(Value::Integer(n)) => integer(*n),
        Some(Value::OctetString(octets) | Value::Opaque(octets)) => tlv(octets.len()),
        Some(Value::ObjectId(oid)) if oid.arcs().len() < 3 => 3,
        Some(Value::ObjectId(oid)) => oid_bytes(oid),
        Some(Value::IpAddress(_)) => 6,
        Some(Value::Counter32(n) | Value::Gauge32(n) | Value::TimeTicks(n)) => {
            integer(i64::from(*n))
        }
        Some(Value::Counter64(n)) => integer(i64::try_from(*n).unwrap_or(i64::MAX)),
    }
}

/// A message around variable bindings, with its headers.
fn packet(bindings: usize) -> usize {
    let pdu = tlv(6 + 3 + 3 + tlv(bindings));
    HEADERS_BYTES + tlv(3 + 8 + pdu)
}

/// Counts the bytes of a conversation with a recording.
struct Meter<'a> {
    poll: DevicePoll,
    device: &'a BTreeMap<Oid, Value>,
    bytes: usize,
    packets: usize,
    replies_max: usize,
}

impl Meter<'_> {
    fn exchange(&mut self, asked: usize, answered: usize) {
        self.bytes += packet(asked) + packet(answered);
        self.packets += 2;
        self.replies_max = self.replies_max.max(packet(answered) - HEADERS_BYTES);
    }

    fn count(&mut self, ask: &Ask) {
        let binding = |oid: &Oid, value: Option<&Value>| tlv(oid_bytes(oid) + value_bytes(value));
        match ask {
            Ask::Get(oids) => {
                for oids in oids.chunks(VARIABLES_PER_ANSWER) {
                    let asked = oids.iter().map(|oid| binding(oid, None)).sum();
                    let answered = oids
                        .iter()
                        .map(|oid| binding(oid, self.device.get(oid)))
                        .sum();
                    self.exchange(asked, answered);
                }
            }
            Ask::Walk {
                columns,
                rows_expected,
                ..
            } => {
                let rows = (*rows_expected).max(1) as usize;
                for columns in columns.chunks((VARIABLES_PER_ANSWER / rows).max(1)) {
                    let asked = columns.iter().map(|column| binding(column, None)).sum();
                    let cell = |column: &Oid| {
                        let cells = self
                            .device
                            .range(column..)
                            .filter(|(oid, _)| *oid != column)
                            .take(rows);
                        cells
                            .map(|(oid, value)| binding(oid, Some(value)))
                            .sum::<usize>()
                    };
                    let answered = columns.iter().map(cell).sum();
                    self.exchange(asked, answered);
                }
            }
        }
    }
}

impl Conversation for Meter<'_> {
    fn next_ask(&mut self) -> Option<Ask> {
        let ask = self.poll.next_ask()?;
        self.count(&ask);
        Some(ask)
    }

    fn variable(&mut self, ask_index: usize, oid: &Oid, value: ValueRef<'_>) {
        self.poll.variable(ask_index, oid, value);
    }

    fn answered(&mut self, failure: Option<Failure>) {
        self.poll.answered(failure);
    }
}

#[test]
fn a_steady_poll_of_a_five_supply_five_tray_mfp_costs_at_most_1600_bytes() {
    let default =
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/devices/recordings");
    let folder = std::env::var_os("PLATEN_RECORDINGS").map_or_else(default, PathBuf::from);
    let Ok(text) = std::fs::read(folder.join("kyocera_cs4053ci.snmprec")) else {
        println!("skipped: no recording of the MFP (PLATEN_RECORDINGS)");
        return;
    };
    let recording = Recording::parse(&text).unwrap();
    let profiles = Arc::new(ProfileSet::embedded());
    let mut plan: Option<Plan> = None;
    let mut now = Timestamp::from_unix_ms(1_780_000_000_000);
    let mut bytes = BTreeMap::new();
    for (name, depth) in [
        ("learn", Depth::Learn),
        ("steady", Depth::Steady),
        ("full", Depth::Full),
        ("heartbeat", Depth::Heartbeat),
    ] {
        now = now.plus_ms(60_000);
        let mut context = PollContext::new("192.0.2.1", now, 0);
        context.depth = depth;
        let poll = DevicePoll::new(Arc::clone(&profiles), plan.clone(), context);
        let mut meter = Meter {
            poll,
            device: recording.variables(),
            bytes: 0,
            packets: 0,
            replies_max: 0,
        };
        recording.answer(&mut meter);
        println!(
            "{name}: {} bytes in {} packets, largest answer {}",
            meter.bytes, meter.packets, meter.replies_max
        );
        bytes.insert(name, meter.bytes);
        let outcome = meter.poll.into_outcome();
        assert_eq!(outcome.depth, depth);
        plan = outcome.plan;
    }
    assert!(bytes["steady"] <= 1600, "{bytes:?}");
    assert!(bytes["heartbeat"] <= 300, "{bytes:?}");
    assert!(bytes["full"] <= 3900, "{bytes:?}");
    let kept = rkyv::to_bytes::<rkyv::rancor::Error>(plan.as_ref().unwrap())
        .unwrap()
        .len();
    println!("plan: {kept} bytes");
    assert!(kept < 4000, "a plan of {kept} bytes");
}
