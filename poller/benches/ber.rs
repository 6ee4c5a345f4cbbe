//! Reading the reply of a steady poll, 36 variables: the borrowed cursor, and `rasn-snmp`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use poller::ber::Writer;
use poller::credentials::Version;
use poller::oid::Oid;
use poller::pdu::{self, Pdu, Request};
use poller::value::{Value, ValueRef};
use rasn_snmp::{v2, v2c};

const VARIABLES: u32 = 36;
const MESSAGE_BYTES_MAX: usize = 4_096;

fn names() -> Vec<Oid> {
    (1..=VARIABLES)
        .map(|row| Oid::new(&[1, 3, 6, 1, 2, 1, 43, 11, 1, 1, 9, 1, row]))
        .collect()
}

fn reply(names: &[Oid]) -> Vec<u8> {
    let values: Vec<Value> = (0..VARIABLES)
        .map(|row| match row % 4 {
            0 => Value::Integer(i64::from(row) * 997),
            1 => Value::Counter32(row * 1_000_003),
            2 => Value::OctetString(b"TK-8365K".to_vec()),
            _ => Value::TimeTicks(row * 77_777),
        })
        .collect();
    let mut writer = Writer::new(MESSAGE_BYTES_MAX);
    pdu::write_response(&mut writer, 0x1234_5678, (0, 0), names.iter().zip(&values));
    pdu::write_community(&mut writer, Version::V2c, b"public");
    writer.finish().expect("it fits").to_vec()
}

fn read(message: &[u8]) -> u64 {
    let (_, _, pdu) = Pdu::read_message(message).expect("sound");
    let mut sum = 0;
    for binding in pdu.bindings {
        let binding = binding.expect("sound");
        sum += binding.name.len() as u64;
        sum += match binding.value {
            ValueRef::Integer(number) => number.cast_unsigned(),
            ValueRef::Counter32(number) | ValueRef::TimeTicks(number) => number.into(),
            ValueRef::OctetString(octets) => octets.len() as u64,
            _ => 0,
        };
    }
    sum
}

fn ber(c: &mut Criterion) {
    let names = names();
    let message = reply(&names);
    let mut group = c.benchmark_group("reply of 36 variables");
    group.throughput(Throughput::Bytes(message.len() as u64));
    group.bench_function("cursor", |b| b.iter(|| read(black_box(&message))));
    group.bench_function("rasn", |b| {
        b.iter(|| rasn::ber::decode::<v2c::Message<v2::Pdus>>(black_box(&message)).expect("sound"));
    });
    group.finish();

    let mut group = c.benchmark_group("request of 36 variables");
    group.bench_function("writer", |b| {
        let mut writer = Writer::new(MESSAGE_BYTES_MAX);
        b.iter(|| {
            let access = (Version::V2c, &b"public"[..]);
            let names = black_box(&names).iter();
            pdu::write_community_request(&mut writer, access, Request::Get, 0x1234_5678, names);
            writer.len()
        });
    });
    group.bench_function("rasn", |b| {
        let pdu = v2::Pdu {
            request_id: 0x1234_5678,
            error_status: 0,
            error_index: 0,
            variable_bindings: names
                .iter()
                .map(|name| v2::VarBind {
                    name: rasn::types::ObjectIdentifier::new_unchecked(name.arcs().to_vec().into()),
                    value: v2::VarBindValue::Unspecified,
                })
                .collect(),
        };
        let message = v2c::Message {
            version: 1.into(),
            community: rasn::types::OctetString::from_static(b"public"),
            data: v2::Pdus::GetRequest(v2::GetRequest(pdu)),
        };
        b.iter_batched(
            || (),
            |()| rasn::ber::encode(black_box(&message)).expect("sound"),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, ber);
criterion_main!(benches);
