//! The question who a device is, and what it answered.

use std::net::SocketAddr;

use super::sweep::Candidate;
use crate::conversation::{Ask, Conversation, Failure};
use crate::engine::{Finished, Memory};
use crate::oid::Oid;
use crate::value::{Value, ValueRef};

/// What a device is asked: sysObjectID, sysDescr, hrDeviceType, hrDeviceDescr, prtGeneralSerialNumber.
const PROBE: [&[u32]; 5] = [
    &[1, 3, 6, 1, 2, 1, 1, 2, 0],
    &[1, 3, 6, 1, 2, 1, 1, 1, 0],
    &[1, 3, 6, 1, 2, 1, 25, 3, 2, 1, 2, 1],
    &[1, 3, 6, 1, 2, 1, 25, 3, 2, 1, 3, 1],
    &[1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 17, 1],
];

/// hrDevicePrinter
const DEVICE_TYPE_PRINTER: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 1, 5];

/// A device that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// In which of the areas it was found, by its number.
    pub area: usize,
    /// Where it answered.
    pub address: SocketAddr,
    /// sysObjectID
    pub object_id: Option<Oid>,
    /// sysDescr
    pub description: Option<Vec<u8>>,
    /// hrDeviceType of the first device
    pub device_type: Option<Oid>,
    /// hrDeviceDescr of the first device
    pub device_description: Option<Vec<u8>>,
    /// prtGeneralSerialNumber
    pub serial: Option<Vec<u8>>,
    /// What the engine learned: give it to the first poll.
    pub memory: Memory,
}

impl Found {
    /// Whether it says of itself that it is a printer: by its type, or by having a printer's serial number.
    #[must_use]
    pub fn is_printer(&self) -> bool {
        let by_type = self
            .device_type
            .as_ref()
            .is_some_and(|oid| oid.arcs() == DEVICE_TYPE_PRINTER);
        by_type || self.serial.is_some()
    }

    /// What answered a probe, if anything did.
    pub(super) fn of(finished: Finished<Candidate, Probe>) -> Option<Self> {
        finished.stats.version?;
        let [
            object_id,
            description,
            device_type,
            device_description,
            serial,
        ] = finished.conversation.values;
        Some(Self {
            area: finished.token.range,
            address: finished.target.address,
            object_id: object_id.and_then(oid),
            description: description.and_then(octets),
            device_type: device_type.and_then(oid),
            device_description: device_description.and_then(octets),
            serial: serial.and_then(octets),
            memory: finished.memory,
        })
    }
}

fn oid(value: Value) -> Option<Oid> {
    match value {
        Value::ObjectId(oid) => Some(oid),
        _ => None,
    }
}

fn octets(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::OctetString(octets) if !octets.is_empty() => Some(octets),
        _ => None,
    }
}

/// The conversation.
#[derive(Debug, Default)]
pub struct Probe {
    asked: bool,
    values: [Option<Value>; PROBE.len()],
}

impl Conversation for Probe {
    fn next_ask(&mut self) -> Option<Ask> {
        let first = !std::mem::replace(&mut self.asked, true);
        first.then(|| Ask::Get(PROBE.map(Oid::new).to_vec()))
    }

    fn variable(&mut self, ask_index: usize, _oid: &Oid, value: ValueRef<'_>) {
        if let Some(place) = self.values.get_mut(ask_index) {
            *place = value.to_value();
        }
    }

    fn answered(&mut self, _failure: Option<Failure>) {}
}
