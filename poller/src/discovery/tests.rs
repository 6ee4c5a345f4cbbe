//! Ranges, and a discovery on the loopback.

use std::collections::BTreeSet;
use std::net::UdpSocket;

use super::*;
use crate::testing::Responder;

fn listed(included: &[&str], excluded: &[&str]) -> Vec<String> {
    let ranges = Ranges::parse(included, excluded).expect("they are ranges");
    ranges.iter().map(|address| address.to_string()).collect()
}

#[test]
fn ranges_yield_their_addresses_in_order() {
    assert_eq!(
        listed(&["10.0.0.0/30"], &[]),
        ["10.0.0.1:161", "10.0.0.2:161"]
    );
    assert_eq!(
        listed(&["10.0.0.4/31"], &[]),
        ["10.0.0.4:161", "10.0.0.5:161"]
    );
    assert_eq!(listed(&["10.0.0.7/32:1161"], &[]), ["10.0.0.7:1161"]);
    assert_eq!(
        listed(
            &["10.0.0.254-10.0.1.1", " 10.0.2.3-4 "],
            &["10.0.0.255", "10.0.1.0/32"]
        ),
        [
            "10.0.0.254:161",
            "10.0.1.1:161",
            "10.0.2.3:161",
            "10.0.2.4:161"
        ]
    );
    assert_eq!(
        listed(
            &["fd00::1-fd00::2", "[fd00::7]:1161", "[fd00::8/127]:7"],
            &[]
        ),
        [
            "[fd00::1]:161",
            "[fd00::2]:161",
            "[fd00::7]:1161",
            "[fd00::8]:7",
            "[fd00::9]:7"
        ]
    );
    assert_eq!(
        listed(&["10.9.9.9", "10.9.9.9:200"], &[]),
        ["10.9.9.9:161", "10.9.9.9:200"]
    );
}

#[test]
fn what_is_no_range_is_refused_with_its_text() {
    for text in [
        "",
        "10.0.0",
        "10.0.0.0/33",
        "10.0.0.1-x",
        "10.0.0.1:99999",
        "a b",
        "[fd00::1",
        "10.0.0.1-fd00::1",
    ] {
        let refused = Ranges::parse(&[text], &[]);
        assert!(
            matches!(
                refused,
                Err(RangesError::Syntax(_) | RangesError::Name { .. })
            ),
            "{text:?}: {refused:?}"
        );
    }
    assert!(matches!(
        Ranges::parse(&["10.0.0.9-10.0.0.1"], &[]),
        Err(RangesError::Backwards(_))
    ));
    assert!(matches!(
        Ranges::parse(&["fd00::/64"], &[]),
        Err(RangesError::TooMany(_))
    ));
    assert!(matches!(
        Ranges::parse(&["0.0.0.0/0"], &[]),
        Err(RangesError::TooMany(_))
    ));
}

#[test]
fn a_big_network_is_counted_not_listed() {
    let ranges = Ranges::parse(&["10.0.0.0/8"], &["10.0.0.0/9"]).expect("a range");
    assert_eq!(ranges.count(), (1 << 24) - 2);
    assert_eq!(
        ranges
            .iter()
            .next()
            .map(|address| address.to_string())
            .as_deref(),
        Some("10.128.0.0:161")
    );
}

#[test]
fn a_discovery_finds_those_that_answer_and_tells_its_progress() {
    // One socket is every address of 127.0.0.0/8 that it is asked under; only some of them are devices.
    let socket = UdpSocket::bind("127.0.7.9:0").expect("loopback");
    let port = socket.local_addr().expect("bound").port();
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
    let range = format!("127.0.7.0/24:{port}");
    let ranges = Ranges::parse(&[range.as_str()], &["127.0.7.200-255"]).expect("a range");
    let options = DiscoveryOptions {
        poll: Arc::new(PollOptions {
            timeouts: vec![Duration::from_millis(200)],
            ..PollOptions::default()
        }),
        pace: Pace {
            requests_per_second: 5_000,
            ..Pace::default()
        },
        ..DiscoveryOptions::default()
    };
    let mut found = Vec::new();
    let mut last = Progress::default();
    discover(
        &ranges,
        &options,
        &AtomicBool::new(false),
        &mut |event| match event {
            Event::Found(device) => found.push(*device),
            Event::Progress(progress) => last = progress,
        },
    )
    .expect("the socket works");
    UdpSocket::bind("127.0.0.1:0")
        .and_then(|socket| socket.send_to(&[], ("127.0.7.9", port)))
        .expect("it ends");
    answering.join().expect("no panic");

    let addresses: BTreeSet<String> = found
        .iter()
        .map(|found| found.address.to_string())
        .collect();
    assert_eq!(addresses, BTreeSet::from([format!("127.0.7.9:{port}")]));
    assert!(found[0].is_printer());
    assert_eq!(found[0].serial.as_deref(), Some(&b"SERIAL-1"[..]));
    assert_eq!((last.done, last.found), (199, 1));
}

#[test]
fn a_stopped_discovery_ends() {
    let ranges = Ranges::parse(&["127.0.0.0/16:9"], &[]).expect("a range");
    let progress = discover(
        &ranges,
        &DiscoveryOptions::default(),
        &AtomicBool::new(true),
        &mut |_| {},
    );
    assert!(progress.expect("the socket works").done < 65_534);
}
