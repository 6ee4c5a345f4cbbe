//! Announcements as printers send them, and what only looks like them.

use hickory_proto::op::Query;
use hickory_proto::rr::rdata::{A, AAAA, PTR, SRV, TXT};
use hickory_proto::rr::{DNSClass, RecordType};
use proptest::prelude::*;

use super::*;

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 77));

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn record(owner: &str, data: RData) -> Record {
    let mut record = Record::from_rdata(name(owner), 120, data);
    // The cache-flush bit, which mDNS puts there.
    record.dns_class = DNSClass::Unknown(0x8001);
    record
}

fn response(answers: Vec<Record>, additionals: Vec<Record>) -> Message {
    let mut message = Message::new(0, MessageType::Response, OpCode::Query);
    message.answers = answers;
    message.additionals = additionals;
    message
}

fn srv(host: &str) -> RData {
    RData::SRV(SRV::new(0, 0, 631, name(host)))
}

fn ptr(instance: &str) -> RData {
    RData::PTR(PTR(name(instance)))
}

/// A printer with two services and addresses of both families.
fn announcement() -> Message {
    response(
        vec![
            record("_ipp._tcp.local.", ptr("Lobby._ipp._tcp.local.")),
            record(
                "_PDL-datastream._tcp.local.",
                ptr("Lobby._pdl-datastream._tcp.local."),
            ),
        ],
        vec![
            record("Lobby._ipp._tcp.local.", srv("lobby.local.")),
            record(
                "Lobby._ipp._tcp.local.",
                RData::TXT(TXT::new(vec!["rp=ipp/print".to_owned()])),
            ),
            record("lobby.local.", RData::A(A::new(10, 0, 0, 8))),
            record(
                "lobby.local.",
                RData::AAAA(AAAA::new(0xfd00, 0, 0, 0, 0, 0, 0, 8)),
            ),
            record("other.local.", RData::A(A::new(10, 0, 0, 9))),
        ],
    )
}

fn told(message: &Message) -> Vec<String> {
    let bytes = message.to_vec().unwrap();
    let told = printers(&bytes, SOURCE);
    told.iter().map(ToString::to_string).collect()
}

#[test]
fn the_addresses_of_the_service_s_host_are_told() {
    assert_eq!(told(&announcement()), ["10.0.0.8", "fd00::8"]);
}

#[test]
fn without_addresses_it_is_the_sender() {
    let message = response(
        vec![record(
            "_printer._tcp.local.",
            ptr("x._printer._tcp.local."),
        )],
        vec![],
    );
    assert_eq!(told(&message), ["10.0.0.77"]);
}

#[test]
fn what_announces_no_printer_tells_nothing() {
    let mut farewell = announcement();
    for record in farewell.answers.iter_mut().chain(&mut farewell.additionals) {
        record.ttl = 0;
    }
    let mut question = Message::new(0, MessageType::Query, OpCode::Query);
    question.queries = vec![Query::query(name("_ipp._tcp.local."), RecordType::PTR)];
    // A question that lists known answers is no announcement either.
    question.answers = announcement().answers;
    for message in [
        farewell,
        question,
        response(vec![], vec![]),
        response(
            vec![record("_airplay._tcp.local.", srv("tv.local."))],
            vec![],
        ),
        response(
            vec![record("_ipp._tcp.example.", ptr("x._ipp._tcp.example."))],
            vec![],
        ),
        response(
            vec![record("_ipp._udp.local.", ptr("x._ipp._udp.local."))],
            vec![],
        ),
        response(
            vec![record("lobby.local.", RData::A(A::new(10, 0, 0, 8)))],
            vec![],
        ),
    ] {
        assert_eq!(told(&message), [""; 0], "{message}");
    }
}

#[test]
fn damaged_and_huge_messages_are_passed_over() {
    let good = announcement().to_vec().unwrap();
    for length in 0..good.len() {
        assert!(
            printers(&good[..length], SOURCE).is_empty(),
            "cut at {length}"
        );
    }
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            assert!(printers(&bad, SOURCE).len() <= ADDRESSES_MAX);
        }
    }
    // A head that says there are more records than any printer has.
    for at in [4, 6, 8, 10] {
        let mut bad = good.clone();
        bad[at] = 0xff;
        assert!(printers(&bad, SOURCE).is_empty());
    }
}

#[test]
fn what_is_told_again_and_too_much_is_held_back() {
    let mut sieve = Sieve::default();
    let start = Instant::now();
    assert!(sieve.passes(SOURCE, start));
    assert!(!sieve.passes(SOURCE, start + REPEAT_PAUSE / 2));
    assert!(sieve.passes(SOURCE, start + REPEAT_PAUSE));
    let later = start + REPEAT_PAUSE * 3;
    let many = (0..100_000_u32).map(|n| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n)));
    let passed = many.filter(|address| sieve.passes(*address, later)).count();
    assert_eq!(passed, CANDIDATES_PER_MINUTE_MAX as usize);
    assert!(sieve.seen.len() <= REMEMBERED_MAX);
    let next = IpAddr::from([192, 0, 2, 1]);
    assert!(!sieve.passes(next, later + Duration::from_secs(59)));
    assert!(sieve.passes(next, later + Duration::from_secs(60)));
}

#[test]
fn a_message_that_comes_in_is_heard() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut listener = Listener::on(socket).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for noise in [&b""[..], b"no DNS", &[0xff; 64]] {
        sender.send_to(noise, address).unwrap();
    }
    sender
        .send_to(&announcement().to_vec().unwrap(), address)
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let first = loop {
        if let Some(address) = listener.announced(|_| true, Instant::now()) {
            break address;
        }
        assert!(Instant::now() < deadline);
        std::thread::park_timeout(Duration::from_millis(2));
    };
    assert_eq!(first, IpAddr::from([10, 0, 0, 8]));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_passed_over(
        head in prop::array::uniform4(any::<u8>()),
        counts in prop::array::uniform4(0_u8..9),
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let counts = counts.iter().flat_map(|count| [0, *count]);
        let message: Vec<u8> = head.into_iter().chain(counts).chain(rest).collect();
        prop_assert!(printers(&message, SOURCE).len() <= ADDRESSES_MAX);
    }
}
