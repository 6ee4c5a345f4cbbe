//! What an answer of a simulated printer costs: the simulator must never be what a measurement of the poller measures.

use std::hint::black_box;
use std::net::Ipv4Addr;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use loadtest::fleet::ber::{encode_oid, read_request};
use loadtest::fleet::mib::Mib;
use loadtest::fleet::printer::{Behaviour, Printer};
use loadtest::fleet::{face, respond::Responder};

const NOW_UNIX_MS: i64 = 1_795_255_200_000;

/// A v2c request for these OIDs.
fn request(tag: u8, numbers: [u8; 2], oids: &[&str]) -> Vec<u8> {
    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).expect("short").to_be_bytes();
        [&[tag, 0x82, length[0], length[1]], content].concat()
    }
    let bindings: Vec<u8> = oids
        .iter()
        .flat_map(|oid| {
            let oid = encode_oid(oid).expect("an OID");
            tlv(0x30, &[tlv(6, &oid), vec![5, 0]].concat())
        })
        .collect();
    let head = vec![2, 1, 7, 2, 1, numbers[0], 2, 1, numbers[1]];
    let pdu = tlv(tag, &[head, tlv(0x30, &bindings)].concat());
    tlv(0x30, &[vec![2, 1, 1], tlv(4, b"public"), pdu].concat())
}

fn answers(criterion: &mut Criterion) {
    let faces = face::built_in();
    let kyocera = &faces[0];
    let mib = Mib::compile(kyocera).expect("a built-in face");
    let printer = Printer::new(
        0,
        Ipv4Addr::new(127, 20, 0, 1),
        1,
        (0, 10),
        kyocera,
        Behaviour::Awake,
    );
    let steady: Vec<String> = (1..=5)
        .map(|row| format!("1.3.6.1.2.1.43.11.1.1.9.1.{row}"))
        .chain((1..=3).map(|row| format!("1.3.6.1.2.1.43.8.2.1.10.1.{row}")))
        .chain((1..=9).map(|n| {
            format!(
                "1.3.6.1.4.1.1347.42.3.1.2.1.1.{}.{}",
                [1, 2, 4][(n - 1) / 3],
                (n - 1) % 3 + 1
            )
        }))
        .chain(
            [
                "1.3.6.1.2.1.1.3.0",
                "1.3.6.1.2.1.25.3.2.1.5.1",
                "1.3.6.1.2.1.43.5.1.1.17.1",
            ]
            .map(str::to_owned),
        )
        .collect();
    let steady: Vec<&str> = steady.iter().map(String::as_str).collect();
    let get = request(0xa0, [0, 0], &steady);
    let bulk = request(
        0xa5,
        [0, 5],
        &[
            "1.3.6.1.2.1.43.11.1.1.6",
            "1.3.6.1.2.1.43.11.1.1.8",
            "1.3.6.1.2.1.43.11.1.1.9",
        ],
    );
    let mut group = criterion.benchmark_group("answer");
    group.throughput(Throughput::Elements(1));
    for (name, datagram) in [
        ("a steady GET of 20 variables", &get),
        ("a GETBULK of 3 columns by 5 rows", &bulk),
    ] {
        let mut responder = Responder::default();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let request = read_request(black_box(datagram)).expect("a request");
                responder
                    .respond(&mib, &printer, &request, NOW_UNIX_MS)
                    .len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, answers);
criterion_main!(benches);
