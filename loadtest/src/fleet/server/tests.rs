//! The fleet, asked over real loopback sockets.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use super::*;

/// A v2c GET of `oids` with request id 1, written by hand and apart from the code under test.
fn get(oids: &[&str]) -> Vec<u8> {
    let tlv = |tag: u8, content: &[u8]| {
        let mut out = vec![tag];
        if content.len() < 0x80 {
            out.push(content.len() as u8);
        } else {
            out.extend([0x82, (content.len() >> 8) as u8, content.len() as u8]);
        }
        out.extend(content);
        out
    };
    let bindings: Vec<u8> = oids
        .iter()
        .flat_map(|oid| {
            let oid = super::super::ber::encode_oid(oid).unwrap();
            tlv(0x30, &[tlv(6, &oid), vec![5, 0]].concat())
        })
        .collect();
    let pdu = [vec![2, 1, 1, 2, 1, 0, 2, 1, 0], tlv(0x30, &bindings)].concat();
    let message = [vec![2, 1, 1], tlv(4, b"public"), tlv(0xa0, &pdu)].concat();
    tlv(0x30, &message)
}

fn ask(address: SocketAddrV4, request: &[u8]) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(700)))
        .unwrap();
    socket.send_to(request, address).unwrap();
    let mut buffer = [0; 2000];
    let (length, from) = socket.recv_from(&mut buffer).ok()?;
    assert_eq!(
        from,
        SocketAddr::V4(address),
        "the answer leaves from the printer's own address"
    );
    Some(buffer[..length].to_vec())
}

fn holds(answer: &[u8], text: &str) -> bool {
    answer
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn every_living_printer_answers_from_its_own_address_with_its_own_serial() {
    let fleet = Fleet::start(FleetConfig {
        devices: 300,
        ..FleetConfig::default()
    })
    .unwrap();
    let request = get(&["1.3.6.1.2.1.1.6.0", "1.3.6.1.2.1.2.2.1.6.1"]);
    for (printer, address) in fleet.printers().iter().zip(fleet.addresses()) {
        if printer.behaviour == Behaviour::Awake {
            let answer = ask(address, &request).expect("a living printer answers");
            assert!(holds(&answer, &printer.location), "{printer:?}");
            assert!(answer.windows(6).any(|window| window == printer.mac));
        }
    }
    let dead = fleet
        .printers()
        .iter()
        .filter(|printer| printer.behaviour == Behaviour::Dead)
        .count();
    assert!(
        (5..=7).contains(&dead),
        "20 of 1,000 printers are dead: {dead} of 300"
    );
}

#[test]
fn no_two_printers_share_a_serial_number_or_a_mac() {
    let config = FleetConfig {
        devices: 50_000,
        ..FleetConfig::default()
    };
    let printers = make_printers(&config, &super::super::face::built_in()).unwrap();
    let serials: std::collections::HashSet<_> =
        printers.iter().map(|p| (p.face, &p.serial)).collect();
    let macs: std::collections::HashSet<_> = printers.iter().map(|p| p.mac).collect();
    assert_eq!((serials.len(), macs.len()), (50_000, 50_000));
}

#[test]
fn a_printer_in_power_save_loses_the_request_that_wakes_it() {
    let fleet = Fleet::start(FleetConfig {
        devices: 1,
        dead_permille: 0,
        asleep_permille: 1000,
        ..FleetConfig::default()
    })
    .unwrap();
    let address = fleet.addresses().next().unwrap();
    let request = get(&["1.3.6.1.2.1.1.1.0"]);
    assert_eq!(ask(address, &request), None);
    assert!(ask(address, &request).is_some());
}

#[test]
fn addresses_and_numbers_match_both_ways_and_skip_network_and_broadcast() {
    for first in ["127.20.0.1", "127.1.2.250", "127.0.0.1"] {
        let first: Ipv4Addr = first.parse().unwrap();
        for number in (0..2000).chain([60_000, 999_999]) {
            let address = address_of(first, number).unwrap();
            assert!(!matches!(address.octets()[3], 0 | 255), "{address}");
            assert_eq!(number_of(first, address), Some(number), "{address}");
        }
    }
    assert_eq!(
        number_of(Ipv4Addr::new(127, 20, 0, 1), Ipv4Addr::new(127, 20, 0, 255)),
        None
    );
    assert_eq!(address_of("127.255.255.1".parse().unwrap(), 254), None);
}

#[test]
fn a_fleet_outside_loopback_is_refused() {
    let refused = Fleet::start(FleetConfig {
        first: Ipv4Addr::new(10, 0, 0, 1),
        ..FleetConfig::default()
    });
    assert!(matches!(refused, Err(FleetError::Devices { .. })));
}

#[test]
fn what_is_ordered_over_the_control_channel_is_so_when_the_answer_comes() {
    use std::io::{BufRead, BufReader, Write};
    let fleet = Fleet::start(FleetConfig {
        devices: 30,
        dead_permille: 0,
        asleep_permille: 0,
        ..FleetConfig::default()
    })
    .unwrap();
    let control =
        super::super::control::listen(fleet.remote().clone(), "127.0.0.1:0".parse().unwrap())
            .unwrap();
    let stream = std::net::TcpStream::connect(control).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut tell = |line: &str| {
        writeln!(&stream, "{line}").unwrap();
        answers.next().unwrap().unwrap()
    };
    let request = get(&["1.3.6.1.2.1.2.2.1.6.1"]);
    let mac = fleet.printers()[17].mac;
    let (old, new) = (
        fleet.addresses().nth(17).unwrap(),
        SocketAddrV4::new(Ipv4Addr::new(127, 20, 9, 9), fleet.port()),
    );
    assert!(tell("move 17 127.20.9.9").starts_with("ok: printer 17 is at 127.20.9.9"));
    let answer = ask(new, &request).expect("it answers where it is now");
    assert!(answer.windows(6).any(|window| window == mac));
    assert_eq!(ask(old, &request), None);
    assert!(tell("board 17 new").starts_with("ok: "));
    let answer = ask(new, &request).unwrap();
    assert!(!answer.windows(6).any(|window| window == mac));
    assert!(tell("off 17").starts_with("ok: "));
    assert_eq!(ask(new, &request), None);
    assert!(tell("move 99 127.20.9.9").starts_with("error: no printer 99"));
    assert!(tell("stats").contains("\"events\":3"));
}
