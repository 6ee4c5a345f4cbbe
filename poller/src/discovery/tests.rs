//! A discovery on the loopback.

use std::collections::{BTreeSet, VecDeque};
use std::net::UdpSocket;
use std::thread::JoinHandle;

use super::*;
use crate::testing::Responder;

/// A printer; datagrams without content end it.
fn printer(address: &str) -> (SocketAddr, JoinHandle<()>) {
    let socket = UdpSocket::bind((address, 0)).expect("loopback");
    let address = socket.local_addr().expect("bound");
    let answering = std::thread::spawn(move || {
        let mut printer = Responder::printer(1);
        let mut buffer = [0; 2_048];
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a timeout");
        while let Ok((bytes @ 1.., source)) = socket.recv_from(&mut buffer) {
            if let Some(answer) = printer.answer(&buffer[..bytes]) {
                let _ = socket.send_to(&answer, source);
            }
        }
    });
    (address, answering)
}

fn end(address: SocketAddr, answering: JoinHandle<()>) {
    UdpSocket::bind("127.0.0.1:0")
        .and_then(|socket| socket.send_to(&[], address))
        .expect("it ends");
    answering.join().expect("no panic");
}

fn area(include: &str, exclude: &[&str], timeouts_ms: &[u64]) -> Area {
    let excluded = exclude.iter().map(|text| RangeEntry::parse_excluded(text));
    Area {
        include: vec![RangeEntry::parse(include).expect("a range")],
        exclude: excluded.collect::<Result<_, _>>().expect("ranges"),
        transport: Transport::Udp,
        poll: PollOptions {
            timeouts: timeouts_ms
                .iter()
                .copied()
                .map(Duration::from_millis)
                .collect(),
            ..PollOptions::default()
        },
    }
}

fn options() -> DiscoveryOptions {
    DiscoveryOptions {
        pace: Pace {
            requests_per_second: 5_000,
            ..Pace::default()
        },
        ..DiscoveryOptions::default()
    }
}

#[test]
fn a_discovery_finds_those_that_answer_and_tells_its_progress() {
    // One socket is every address of 127.0.0.0/8 that it is asked under; only some of them are devices.
    let (address, answering) = printer("127.0.7.9");
    let port = address.port();
    let areas = [area(
        &format!("127.0.7.0/24:{port}"),
        &["127.0.7.200-255"],
        &[200, 200],
    )];
    let mut found = Vec::new();
    let mut told = Vec::new();
    let last = discover(
        &areas,
        &options(),
        None,
        &AtomicBool::new(false),
        &mut |event| match event {
            Event::Found(device) => found.push(*device),
            Event::Progress(progress) => told.push(progress),
            other => panic!("{other:?}"),
        },
    )
    .expect("the socket works");
    end(address, answering);

    let addresses: BTreeSet<SocketAddr> = found.iter().map(|found| found.address).collect();
    assert_eq!(addresses, BTreeSet::from([address]));
    assert!(found[0].is_printer());
    assert_eq!(found[0].serial.as_deref(), Some(&b"SERIAL-1"[..]));
    assert_eq!(told.last(), Some(&last));
    assert_eq!((last.addresses, last.asked, last.found), (199, 199, 1));
    // Two versions, two attempts, but one request where it was answered.
    assert_eq!(last.requests, 198 * 4 + 1);
    assert_eq!(last.remaining, Some(Duration::ZERO));
}

/// Says of some addresses that they are alive, when asked.
struct Told {
    alive: Vec<IpAddr>,
    asked: Vec<IpAddr>,
    answers: VecDeque<IpAddr>,
}

impl Hints for Told {
    fn request(&mut self, address: IpAddr) -> bool {
        self.asked.push(address);
        if self.alive.contains(&address) {
            self.answers.push_back(address);
        }
        true
    }

    fn alive(&mut self) -> Option<IpAddr> {
        self.answers.pop_front()
    }

    fn pending(&self) -> usize {
        self.answers.len()
    }
}

#[test]
fn a_sign_of_life_is_never_asked_for_where_snmp_answers_and_explains_a_silence() {
    let (address, answering) = printer("127.0.8.9");
    // Bound and never read: it is there and says nothing.
    let silent = UdpSocket::bind(("127.0.8.10", address.port())).expect("loopback");
    let areas = [area(
        &format!("127.0.8.9-12:{}", address.port()),
        &[],
        &[100, 100],
    )];
    let silent_ip = silent.local_addr().expect("bound").ip();
    let mut hints = Told {
        alive: vec![silent_ip],
        asked: Vec::new(),
        answers: VecDeque::new(),
    };
    let mut found = Vec::new();
    let mut said = Vec::new();
    discover(
        &areas,
        &options(),
        Some(&mut hints),
        &AtomicBool::new(false),
        &mut |event| match event {
            Event::Found(device) => found.push(device.address),
            Event::Silent(ip) => said.push(ip),
            Event::Refused(..) => panic!("nobody refuses"),
            Event::Progress(_) => {}
        },
    )
    .expect("the socket works");
    end(address, answering);
    assert_eq!(found, [address], "without any hint");
    assert_eq!(said, [silent_ip]);
    hints.asked.sort_unstable();
    let asked: Vec<String> = hints.asked.iter().map(ToString::to_string).collect();
    assert_eq!(
        asked,
        ["127.0.8.10", "127.0.8.11", "127.0.8.12"],
        "once each"
    );
}

#[test]
fn a_stopped_discovery_ends() {
    let progress = discover(
        &[area("127.0.0.0/16:9", &[], &[1000])],
        &DiscoveryOptions::default(),
        None,
        &AtomicBool::new(true),
        &mut |_| {},
    );
    assert!(progress.expect("the socket works").asked < 65_534);
}
