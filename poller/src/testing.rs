//! For tests: a small SNMP agent with the quirks of real ones, and a conversation that writes down what it hears.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::ber::{MESSAGE_BYTES_MAX, Writer};
use crate::conversation::{Ask, Conversation, Failure};
use crate::credentials::Version;
use crate::oid::Oid;
use crate::pdu::{self, Pdu, PduKind, WriteValue, error_status};
use crate::value::{Value, ValueRef};

/// The OID of a text that is one.
pub fn oid(text: &str) -> Oid {
    text.parse().expect("an OID in a test")
}

/// An agent with a MIB.
#[derive(Clone, Debug)]
pub struct Responder {
    pub mib: BTreeMap<Oid, Value>,
    pub community: Vec<u8>,
    pub versions: Vec<Version>,
    /// Answers tooBig to more variables.
    pub too_big_above: usize,
    /// Does not answer more variables at all.
    pub silent_above: usize,
    /// Does not answer GETBULK.
    pub silent_on_bulk: bool,
    /// Answers each GETNEXT and GETBULK with the instance asked for.
    pub loops: bool,
    /// Says noSuchName within SNMPv2c.
    pub no_such_name_in_v2c: bool,
    /// Leaves out what is beyond so many variables.
    pub truncates_above: usize,
    /// Requests it has seen (answered or not).
    pub requests: Vec<(PduKind, usize)>,
}

impl Responder {
    pub fn new(mib: impl IntoIterator<Item = (Oid, Value)>) -> Self {
        Self {
            mib: mib.into_iter().collect(),
            community: b"public".to_vec(),
            versions: vec![Version::V1, Version::V2c],
            too_big_above: usize::MAX,
            silent_above: usize::MAX,
            silent_on_bulk: false,
            loops: false,
            no_such_name_in_v2c: false,
            truncates_above: usize::MAX,
            requests: Vec::new(),
        }
    }

    /// A printer's MIB, much shortened: scalars, and a table of three columns and `rows` rows.
    pub fn printer(rows: u32) -> Self {
        let mut mib = vec![
            (
                oid("1.3.6.1.2.1.1.1.0"),
                Value::OctetString(b"Printer of a test".to_vec()),
            ),
            (
                oid("1.3.6.1.2.1.1.2.0"),
                Value::ObjectId(oid("1.3.6.1.4.1.99999.1")),
            ),
            (oid("1.3.6.1.2.1.1.3.0"), Value::TimeTicks(123_456)),
            (
                oid("1.3.6.1.2.1.43.5.1.1.17.1"),
                Value::OctetString(b"SERIAL-1".to_vec()),
            ),
            (
                oid("1.3.6.1.2.1.43.10.2.1.4.1.1"),
                Value::Counter32(4_000_000_000),
            ),
        ];
        for column in [6, 8, 9] {
            for row in 1..=rows {
                mib.push((
                    oid("1.3.6.1.2.1.43.11.1.1").child(&[column, 1, row]),
                    Value::Integer(i64::from(column * 1_000 + row)),
                ));
            }
        }
        Self::new(mib)
    }

    /// The answer to a message, if this device gives one.
    pub fn answer(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let (version, community, pdu) = Pdu::read_message(message).ok()?;
        let names: Vec<Oid> = pdu
            .bindings
            .map(|binding| Oid::from_ber(binding.expect("a sound request").name))
            .collect::<Option<_>>()?;
        self.requests.push((pdu.kind, names.len()));
        if community != self.community || !self.versions.contains(&version) {
            return None;
        }
        let mut writer = Writer::new(MESSAGE_BYTES_MAX);
        let answered = self.respond(&mut writer, version, &pdu, &names);
        answered.then(|| {
            pdu::write_community(&mut writer, version, community);
            writer.finish().expect("it fits").to_vec()
        })
    }

    /// Writes the PDU that answers; `false` when there is no answer.
    pub fn respond(&self, w: &mut Writer, version: Version, pdu: &Pdu<'_>, names: &[Oid]) -> bool {
        let id = pdu.request_id;
        let count = names.len();
        if count > self.silent_above || (self.silent_on_bulk && pdu.kind == PduKind::GetBulk) {
            return false;
        }
        if count > self.too_big_above {
            let echo = names.iter().map(|name| (name, ValueRef::Null));
            pdu::write_response(w, id, (error_status::TOO_BIG, 0), echo);
            return true;
        }
        let answer = match pdu.kind {
            PduKind::Get => names
                .iter()
                .map(|name| (name.clone(), self.mib.get(name).cloned()))
                .collect(),
            PduKind::GetNext => self.behind(names, 1),
            PduKind::GetBulk => self.behind(names, pdu.error_index as usize),
            _ => return false,
        };
        let blames = version == Version::V1 || self.no_such_name_in_v2c;
        if blames && let Some(at) = answer.iter().position(|(_, value)| value.is_none()) {
            let echo = names.iter().map(|name| (name, ValueRef::Null));
            let index = at as u32 + 1;
            pdu::write_response(w, id, (error_status::NO_SUCH_NAME, index), echo);
            return true;
        }
        let exception = match pdu.kind {
            PduKind::Get => ValueRef::NoSuchInstance,
            _ => ValueRef::EndOfMibView,
        };
        let mut bindings: Vec<(Oid, Kept)> = answer
            .into_iter()
            .map(|(name, value)| (name, value.map_or(Kept::Exception(exception), Kept::Value)))
            .collect();
        bindings.truncate(self.truncates_above);
        let bindings = bindings.iter().map(|(name, value)| (name, value));
        pdu::write_response(w, id, (0, 0), bindings);
        true
    }

    fn behind(&self, names: &[Oid], repetitions: usize) -> Vec<(Oid, Option<Value>)> {
        let mut last: Vec<Oid> = names.to_vec();
        let mut answer = Vec::new();
        for _ in 0..repetitions {
            for name in &mut last {
                let from = if self.loops {
                    Bound::Included(name.clone())
                } else {
                    Bound::Excluded(name.clone())
                };
                let behind = (from, Bound::Unbounded);
                match self.mib.range(behind).next() {
                    Some((next, value)) => {
                        answer.push((next.clone(), Some(value.clone())));
                        if !self.loops {
                            *name = next.clone();
                        }
                    }
                    None => answer.push((name.clone(), None)),
                }
            }
        }
        answer
    }
}

/// A value, or what stands for one that is missing.
#[derive(Clone, Debug)]
enum Kept {
    Value(Value),
    Exception(ValueRef<'static>),
}

impl WriteValue for &Kept {
    fn write_value(&self, writer: &mut Writer) {
        match self {
            Kept::Value(value) => value.write(writer),
            Kept::Exception(exception) => exception.write(writer),
        }
    }
}

/// One line of what a [`Script`] heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Ask (from 0), index in it, instance, value (`None`: an exception).
    Variable(usize, usize, Oid, Option<Value>),
    /// Ask and how it ended.
    Answered(usize, Option<Failure>),
}

/// A conversation of given asks.
#[derive(Clone, Debug, Default)]
pub struct Script {
    asks: Vec<Ask>,
    asked: usize,
    pub heard: Vec<Heard>,
}

impl Script {
    pub fn new(asks: impl IntoIterator<Item = Ask>) -> Self {
        Self {
            asks: asks.into_iter().collect(),
            asked: 0,
            heard: Vec::new(),
        }
    }

    pub fn get(names: &[&str]) -> Ask {
        Ask::Get(names.iter().map(|name| oid(name)).collect())
    }

    pub fn walk(columns: &[&str], rows_expected: u32, rows_max: u32) -> Ask {
        Ask::Walk {
            columns: columns.iter().map(|name| oid(name)).collect(),
            rows_expected,
            rows_max,
        }
    }

    /// Instances and values heard in ask `at`, in order; exceptions left out.
    pub fn values(&self, at: usize) -> Vec<(String, Value)> {
        self.heard
            .iter()
            .filter_map(|heard| match heard {
                Heard::Variable(ask, _, oid, Some(value)) if *ask == at => {
                    Some((oid.to_string(), value.clone()))
                }
                _ => None,
            })
            .collect()
    }

    /// How the asks ended.
    pub fn endings(&self) -> Vec<Option<Failure>> {
        self.heard
            .iter()
            .filter_map(|heard| match heard {
                Heard::Answered(_, failure) => Some(*failure),
                Heard::Variable(..) => None,
            })
            .collect()
    }
}

impl Conversation for Script {
    fn next_ask(&mut self) -> Option<Ask> {
        let ask = self.asks.get(self.asked).cloned();
        self.asked += usize::from(ask.is_some());
        ask
    }

    fn variable(&mut self, ask_index: usize, oid: &Oid, value: ValueRef<'_>) {
        let ask = self.asked - 1;
        let value = value.to_value();
        self.heard
            .push(Heard::Variable(ask, ask_index, oid.clone(), value));
    }

    fn answered(&mut self, failure: Option<Failure>) {
        self.heard.push(Heard::Answered(self.asked - 1, failure));
    }
}
