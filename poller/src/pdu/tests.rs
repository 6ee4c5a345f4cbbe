//! Messages against `rasn-snmp`, an independent implementation, in both directions; and against damage.

use proptest::prelude::*;
use rasn::types::{Integer, ObjectIdentifier, OctetString};
use rasn_snmp::{v2, v2c};

use super::*;
use crate::ber::MESSAGE_BYTES_MAX;

type Reference = v2c::Message<v2::Pdus>;

fn oid() -> impl Strategy<Value = Oid> {
    let rest = prop::collection::vec(any::<u32>(), 1..20);
    (0..3_u32, 0..40_u32, rest)
        .prop_map(|(first, second, rest)| Oid::new(&[&[first, second], &rest[..]].concat()))
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i32>().prop_map(|number| Value::Integer(number.into())),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::OctetString),
        oid().prop_map(Value::ObjectId),
        Just(Value::Null),
        any::<[u8; 4]>().prop_map(Value::IpAddress),
        any::<u32>().prop_map(Value::Counter32),
        any::<u32>().prop_map(Value::Gauge32),
        any::<u32>().prop_map(Value::TimeTicks),
        any::<u64>().prop_map(Value::Counter64),
    ]
}

fn bindings() -> impl Strategy<Value = Vec<(Oid, Value)>> {
    prop::collection::vec((oid(), value()), 0..40)
}

/// A response written by us.
fn ours(request_id: i32, error: (u32, u32), bindings: &[(Oid, Value)]) -> Vec<u8> {
    let mut writer = Writer::new(MESSAGE_BYTES_MAX);
    let bindings = bindings.iter().map(|(name, value)| (name, value));
    write_response(&mut writer, request_id, error, bindings);
    write_community(&mut writer, Version::V2c, b"public");
    writer.finish().expect("it fits").to_vec()
}

/// Request id, error status and index, bindings.
type Kept = (i32, u32, u32, Vec<(Oid, Value)>);

/// What we read in a message, kept.
fn read(message: &[u8]) -> Result<Kept, BerError> {
    let (_, _, pdu) = Pdu::read_message(message)?;
    let bindings = pdu.bindings.map(|binding| {
        let binding = binding?;
        let name = Oid::from_ber(binding.name).ok_or(BerError::Number)?;
        Ok((name, binding.value.to_value().unwrap_or(Value::Null)))
    });
    let bindings = bindings.collect::<Result<_, _>>()?;
    Ok((pdu.request_id, pdu.error_status, pdu.error_index, bindings))
}

fn reference_name(oid: &Oid) -> ObjectIdentifier {
    ObjectIdentifier::new_unchecked(oid.arcs().to_vec().into())
}

/// The value as `rasn` writes it.
fn reference_value(value: &Value) -> v2::VarBindValue {
    let tagged = |tag: u8, number: u64| {
        let mut bytes = rasn::ber::encode(&Integer::from(number)).expect("a number");
        bytes[0] = tag;
        bytes
    };
    let bytes = match value {
        Value::Null => return v2::VarBindValue::Unspecified,
        Value::Integer(number) => rasn::ber::encode(&Integer::from(*number)),
        Value::OctetString(octets) => rasn::ber::encode(&OctetString::from(octets.clone())),
        Value::ObjectId(oid) => rasn::ber::encode(&reference_name(oid)),
        Value::IpAddress(octets) => {
            let mut bytes = rasn::ber::encode(&OctetString::from(octets.to_vec())).expect("octets");
            bytes[0] = 0x40;
            Ok(bytes)
        }
        Value::TimeTicks(number) => Ok(tagged(0x43, (*number).into())),
        Value::Counter32(number) => Ok(tagged(0x41, (*number).into())),
        Value::Gauge32(number) => Ok(tagged(0x42, (*number).into())),
        Value::Counter64(number) => Ok(tagged(0x46, *number)),
        Value::Opaque(_) => unreachable!("the strategy makes none"),
    };
    let bytes = bytes.expect("rasn writes it");
    v2::VarBindValue::Value(rasn::ber::decode(&bytes).expect("rasn reads what it wrote"))
}

fn reference(request_id: i32, error: (u32, u32), bindings: &[(Oid, Value)]) -> Vec<u8> {
    let pdu = v2::Pdu {
        request_id,
        error_status: error.0,
        error_index: error.1,
        variable_bindings: bindings
            .iter()
            .map(|(name, value)| v2::VarBind {
                name: reference_name(name),
                value: reference_value(value),
            })
            .collect(),
    };
    let message = Reference {
        version: 1.into(),
        community: OctetString::from_static(b"public"),
        data: v2::Pdus::Response(v2::Response(pdu)),
    };
    rasn::ber::encode(&message).expect("rasn writes it")
}

proptest! {
    #[test]
    fn we_write_what_the_reference_writes(id: i32, status in 0..19_u32, index in 0..40_u32, bindings in bindings()) {
        prop_assert_eq!(ours(id, (status, index), &bindings), reference(id, (status, index), &bindings));
    }

    #[test]
    fn we_read_what_the_reference_writes(id: i32, status in 0..19_u32, index in 0..40_u32, bindings in bindings()) {
        let message = reference(id, (status, index), &bindings);
        prop_assert_eq!(read(&message), Ok((id, status, index, bindings)));
    }

    #[test]
    fn the_reference_reads_our_requests(
        id in 1..i32::MAX,
        names in prop::collection::vec(oid(), 0..40),
        max_repetitions in 0..100_u32,
        which in 0..3,
    ) {
        let request = match which {
            0 => Request::Get,
            1 => Request::GetNext,
            _ => Request::GetBulk { max_repetitions },
        };
        let mut writer = Writer::new(MESSAGE_BYTES_MAX);
        write_community_request(&mut writer, (Version::V2c, b"public"), request, id, names.iter());
        let message: Reference = rasn::ber::decode(writer.finish().expect("it fits")).expect("rasn reads it");
        let (read_id, repetitions, bindings) = match message.data {
            v2::Pdus::GetRequest(v2::GetRequest(pdu)) => (pdu.request_id, None, pdu.variable_bindings),
            v2::Pdus::GetNextRequest(v2::GetNextRequest(pdu)) => (pdu.request_id, None, pdu.variable_bindings),
            v2::Pdus::GetBulkRequest(v2::GetBulkRequest(pdu)) => {
                (pdu.request_id, Some(pdu.max_repetitions), pdu.variable_bindings)
            }
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(read_id, id);
        prop_assert_eq!(repetitions, (which == 2).then_some(max_repetitions));
        let expected: Vec<_> = names.iter().map(reference_name).collect();
        let read: Vec<_> = bindings.into_iter().map(|binding| binding.name).collect();
        prop_assert_eq!(read, expected);
    }

    /// Wherever the reference still understands a damaged message, we understand the same.
    #[test]
    fn damage_is_refused_or_read_as_the_reference_reads_it(
        id: i32,
        bindings in bindings(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut message = ours(id, (0, 0), &bindings);
        for (at, byte) in damage {
            *at.get_mut(&mut message) = byte;
        }
        if let Some(cut) = cut {
            message.truncate(cut.index(message.len()));
        }
        let reference = rasn::ber::decode::<Reference>(&message);
        if let (Ok(read), Ok(Reference { data: v2::Pdus::Response(v2::Response(pdu)), .. })) = (read(&message), reference) {
            prop_assert_eq!(read.0, pdu.request_id);
            prop_assert_eq!(read.3.len(), pdu.variable_bindings.len());
            for ((name, _), binding) in read.3.iter().zip(&pdu.variable_bindings) {
                prop_assert_eq!(name.arcs(), &binding.name[..]);
            }
        }
    }

    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok((_, _, pdu)) = Pdu::read_message(&bytes) {
            // Each binding takes at least four bytes.
            prop_assert!(pdu.bindings.count() <= bytes.len() / 4 + 1);
        }
    }
}

#[test]
fn one_bad_value_does_not_cost_its_neighbours() {
    let name = Oid::new(&[1, 3, 6, 1]);
    let mut message = ours(
        7,
        (0, 0),
        &[
            (name.clone(), Value::IpAddress([1, 2, 3, 4])),
            (name.clone(), Value::Counter32(5)),
        ],
    );
    let address = message
        .windows(2)
        .position(|window| window == [0x40, 4])
        .expect("the address is there");
    // A counter of four letters too many.
    message[address] = 0x02;
    message[address + 1] = 4;
    assert_eq!(
        read(&message).map(|message| message.3),
        Ok(vec![
            (name.clone(), Value::Integer(0x0102_0304)),
            (name.clone(), Value::Counter32(5))
        ])
    );
    message[address] = 0x5f;
    assert_eq!(
        read(&message).map(|message| message.3),
        Ok(vec![
            (name.clone(), Value::Null),
            (name, Value::Counter32(5))
        ])
    );
}

#[test]
fn bytes_behind_a_message_are_an_error() {
    let mut message = ours(7, (0, 0), &[]);
    message.push(0);
    assert_eq!(read(&message), Err(BerError::Trailing));
}

/// RFC 3416 has no other way to change a device, and this program must not know it.
#[test]
fn there_is_no_set_request() {
    let mut message = ours(7, (0, 0), &[]);
    let tag = message
        .iter()
        .position(|byte| *byte == 0xa2)
        .expect("a response");
    message[tag] = 0xa3;
    assert_eq!(read(&message), Err(BerError::Message));
}
