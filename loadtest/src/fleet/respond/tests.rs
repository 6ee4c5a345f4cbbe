//! Answers, read back with the simulator's own BER.

use std::net::Ipv4Addr;

use super::super::ber::{encode_oid, read_request};
use super::super::face;
use super::super::printer::Behaviour;
use super::*;

const NOW_UNIX_MS: i64 = 1_795_255_200_000;
const UPTIME: &str = "1.3.6.1.2.1.1.3.0";
const NOWHERE: &str = "1.3.6.1.2.1.99.0";

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82, high, low], content].concat()
}

/// A request of that version, with request id 7.
fn request(version: u8, tag: u8, oids: &[&str]) -> Vec<u8> {
    let bindings: Vec<u8> = oids
        .iter()
        .flat_map(|oid| {
            let oid = encode_oid(oid).unwrap();
            tlv(0x30, &[tlv(6, &oid), vec![5, 0]].concat())
        })
        .collect();
    let pdu = [vec![2, 1, 7, 2, 1, 0, 2, 1, 5], tlv(0x30, &bindings)].concat();
    tlv(
        0x30,
        &[vec![2, 1, version], tlv(4, b"public"), tlv(tag, &pdu)].concat(),
    )
}

fn kyocera() -> (Mib, Printer) {
    let faces = face::built_in();
    let mib = Mib::compile(&faces[0]).unwrap();
    let printer = Printer::new(
        0,
        Ipv4Addr::new(127, 20, 0, 1),
        1,
        (0, 10),
        &faces[0],
        Behaviour::Awake,
    );
    (mib, printer)
}

fn ask(responder: &mut Responder, datagram: &[u8]) -> Vec<u8> {
    let (mib, printer) = kyocera();
    let request = read_request(datagram).unwrap();
    responder
        .respond(&mib, &printer, &request, NOW_UNIX_MS)
        .to_vec()
}

/// Where `part` stands in `whole`.
fn position(whole: &[u8], part: &[u8]) -> Option<usize> {
    whole.windows(part.len()).position(|window| window == part)
}

#[test]
fn a_get_that_is_known_is_answered_like_the_first() {
    let mut responder = Responder::default();
    let first = request(1, 0xa0, &[UPTIME, NOWHERE, "1.3.6.1.2.1.43.5.1.1.17.1"]);
    let other = request(1, 0xa0, &[NOWHERE]);
    let answer = ask(&mut responder, &first);
    let (_, printer) = kyocera();
    assert!(position(&answer, printer.serial.as_bytes()).is_some());
    let no_such_instance = [encode_oid(NOWHERE).unwrap(), vec![0x81, 0]].concat();
    assert!(position(&answer, &no_such_instance).is_some());
    assert_ne!(ask(&mut responder, &other), answer);
    assert_eq!(ask(&mut responder, &first), answer);
}

#[test]
fn version_1_names_the_variable_that_is_not_there() {
    let datagram = request(0, 0xa0, &[UPTIME, NOWHERE]);
    let answer = ask(&mut Responder::default(), &datagram);
    // request id 7, noSuchName, at the second variable
    assert!(position(&answer, &[2, 1, 7, 2, 1, 2, 2, 1, 2]).is_some());
}

#[test]
fn a_getnext_leads_to_the_next_instance() {
    let datagram = request(1, 0xa1, &["1.3.6.1.2.1.1.2.0"]);
    let answer = ask(&mut Responder::default(), &datagram);
    assert!(position(&answer, &encode_oid(UPTIME).unwrap()).is_some());
}

#[test]
fn an_answer_that_is_too_long_is_told_and_not_sent() {
    // Ninety descriptions of some twenty octets each.
    let oids = ["1.3.6.1.2.1.1.1.0"; 90];
    let answer = ask(&mut Responder::default(), &request(1, 0xa0, &oids));
    assert!(
        position(&answer, &[2, 1, 7, 2, 1, 1, 2, 1, 0]).is_some(),
        "tooBig"
    );
}

#[test]
fn what_does_not_fit_into_the_writer_is_known() {
    let mut writer = Writer::default();
    for _ in 0..5 {
        writer.push_binding(&[0x2b, 6], Written::Octets(&[7; 10_000]));
    }
    assert!(writer.is_overfull());
    writer.clear();
    assert!(writer.is_empty() && !writer.is_overfull());
}
