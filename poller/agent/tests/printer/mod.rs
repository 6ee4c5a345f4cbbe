//! A printer on loopback: answers GET and GETBULK of SNMPv2c from a recording, over a real socket. Small on purpose: BER by hand,
//! so that the agent is not tested against its own encoder.

#![allow(dead_code, reason = "each story uses a part of it")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

const GET: u8 = 0xa0;
const GETNEXT: u8 = 0xa1;
const RESPONSE: u8 = 0xa2;
const GETBULK: u8 = 0xa5;
const END_OF_MIB_VIEW: [u8; 2] = [0x82, 0];
const NO_SUCH_INSTANCE: [u8; 2] = [0x81, 0];

/// The printer. It answers until the test ends, by UDP and by TCP.
pub struct Printer {
    /// Where it answers.
    pub address: SocketAddr,
    /// Its life count, which the test may move.
    pub pages: Arc<AtomicU32>,
    /// What else the test may change.
    pub state: Arc<Mutex<State>>,
}

/// What a test may change about a printer.
#[derive(Clone)]
pub struct State {
    /// Its serial number.
    pub serial: String,
    /// The level of its toner, in per cent.
    pub level: u8,
    /// The description of the alert that stands, if one does.
    pub alert: Option<String>,
    /// Requests that it answered, by UDP and by TCP.
    pub answers: [u32; 2],
}

impl Printer {
    /// Starts one that has printed 1000 pages.
    pub fn start() -> Self {
        Self::start_at("127.0.0.1")
    }

    /// Starts one at this address, on a port that the system chooses.
    pub fn start_at(address: &str) -> Self {
        Self::start_deaf(address, &[])
    }

    /// Starts one that does not answer a request with a variable below `deaf_to`, where that is not empty.
    pub fn start_deaf(address: &str, deaf_to: &'static [u32]) -> Self {
        Self::start_on(UdpSocket::bind((address, 0)).unwrap(), deaf_to)
    }

    /// Starts one on this socket.
    pub fn start_on(socket: UdpSocket, deaf_to: &'static [u32]) -> Self {
        let printer = Self {
            address: socket.local_addr().unwrap(),
            pages: Arc::new(AtomicU32::new(1000)),
            state: Arc::new(Mutex::new(State {
                serial: "ABC1234567".to_owned(),
                level: 40,
                alert: None,
                answers: [0, 0],
            })),
        };
        let (pages, state) = (Arc::clone(&printer.pages), Arc::clone(&printer.state));
        let answer = move |message: &[u8], transport: usize| {
            let mut state = state.lock().unwrap();
            let mib = mib(pages.load(Ordering::Relaxed), &state);
            let reply = reply(message, &mib, deaf_to);
            state.answers[transport] += u32::from(reply.is_some());
            reply
        };
        // Where the port is taken by somebody else for TCP, it answers by UDP alone.
        if let Ok(listener) = TcpListener::bind(printer.address) {
            let answer = answer.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let answer = answer.clone();
                    std::thread::spawn(move || serve_stream(stream, |message| answer(message, 1)));
                }
            });
        }
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                if let Some(reply) = answer(&buffer[..length], 0) {
                    let _ = socket.send_to(&reply, from);
                }
            }
        });
        printer
    }

    /// Changes something about it.
    pub fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }
}

/// Messages one behind the other (RFC 3430), until the other side hangs up.
fn serve_stream(mut stream: TcpStream, answer: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..length]);
        while let Some((_, _, rest)) = take(&bytes) {
            let message: Vec<u8> = bytes.drain(..bytes.len() - rest.len()).collect();
            if let Some(reply) = answer(&message)
                && stream.write_all(&reply).is_err()
            {
                return;
            }
        }
    }
}

/// A trap of SNMPv2c: what it is, of a device that was just started.
pub fn trap(kind: &[u32]) -> Vec<u8> {
    const TRAP: u8 = 0xa7;
    let bindings = [
        binding(&[1, 3, 6, 1, 2, 1, 1, 3, 0], &tlv(0x43, &[1])),
        binding(
            &[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0],
            &tlv(0x06, &oid_content(kind)),
        ),
    ]
    .concat();
    let zero = tlv(0x02, &[0]);
    let pdu = [tlv(0x02, &[7]), zero.clone(), zero, tlv(0x30, &bindings)].concat();
    let message = [tlv(0x02, &[1]), tlv(0x04, b"public"), tlv(TRAP, &pdu)].concat();
    tlv(0x30, &message)
}

/// The variables by OID, each as its whole TLV.
fn mib(pages: u32, state: &State) -> BTreeMap<Vec<u32>, Vec<u8>> {
    let text = |text: &str| tlv(0x04, text.as_bytes());
    let integer = |n: u8| tlv(0x02, &[n]);
    let oid = |arcs: &[u32]| tlv(0x06, &oid_content(arcs));
    let counter = |n: u32| {
        let mut content = vec![0];
        content.extend_from_slice(&n.to_be_bytes());
        tlv(0x41, &content)
    };
    let mut mib = BTreeMap::new();
    for (arcs, value) in [
        (&[1, 1, 1, 0][..], text("Example Laser 1")),
        (&[1, 1, 2, 0], oid(&[1, 3, 6, 1, 4, 1, 99_999, 1])),
        (&[1, 1, 3, 0], tlv(0x43, &[0x12, 0x67])),
        (&[1, 1, 5, 0], text("front-desk")),
        (
            &[1, 25, 3, 2, 1, 2, 1],
            oid(&[1, 3, 6, 1, 2, 1, 25, 3, 1, 5]),
        ),
        (&[1, 25, 3, 2, 1, 3, 1], text("Example Laser 1")),
        (&[1, 25, 3, 2, 1, 5, 1], integer(2)),
        (&[1, 25, 3, 5, 1, 1, 1], integer(3)),
        (&[1, 43, 5, 1, 1, 1, 1], counter(1)),
        (&[1, 43, 5, 1, 1, 17, 1], text(&state.serial)),
        (&[1, 43, 10, 2, 1, 3, 1, 1], integer(7)),
        (&[1, 43, 10, 2, 1, 4, 1, 1], counter(pages)),
        (&[1, 43, 11, 1, 1, 3, 1, 1], integer(1)),
        (&[1, 43, 11, 1, 1, 4, 1, 1], integer(3)),
        (&[1, 43, 11, 1, 1, 5, 1, 1], integer(3)),
        (&[1, 43, 11, 1, 1, 6, 1, 1], text("Black Toner")),
        (&[1, 43, 11, 1, 1, 7, 1, 1], integer(19)),
        (&[1, 43, 11, 1, 1, 8, 1, 1], integer(100)),
        (&[1, 43, 11, 1, 1, 9, 1, 1], integer(state.level)),
    ] {
        mib.insert([&[1, 3, 6, 1, 2][..], arcs].concat(), value);
    }
    // The maker's own: impressions, and those on both sides of a sheet.
    for (last, value) in [(1, counter(pages + 7)), (2, counter(pages / 2))] {
        mib.insert(vec![1, 3, 6, 1, 4, 1, 99_999, 7, last, 0], value);
    }
    if let Some(alert) = &state.alert {
        // Critical, of the media path, a jam.
        for (column, value) in [
            (2, integer(3)),
            (4, integer(13)),
            (5, integer(1)),
            (7, integer(8)),
            (8, text(alert)),
            (9, tlv(0x43, &[1])),
        ] {
            mib.insert(vec![1, 3, 6, 1, 2, 1, 43, 18, 1, 1, column, 1, 1], value);
        }
    }
    mib
}

/// Message ::= SEQUENCE { version, community, PDU { request-id, a, b, bindings } }
fn reply(message: &[u8], mib: &BTreeMap<Vec<u32>, Vec<u8>>, deaf_to: &[u32]) -> Option<Vec<u8>> {
    let (_, message, _) = take(message)?;
    let (_, version, rest) = take(message)?;
    let (_, community, rest) = take(rest)?;
    let (kind, pdu, _) = take(rest)?;
    if version != [1] || community != b"public" {
        return None;
    }
    let (_, request_id, rest) = take(pdu)?;
    let (_, non_repeaters, rest) = take(rest)?;
    let (_, repetitions, rest) = take(rest)?;
    let (_, mut bindings, _) = take(rest)?;
    let mut names = Vec::new();
    while let Some((_, binding, rest)) = take(bindings) {
        names.push(oid_arcs(take(binding)?.1));
        bindings = rest;
    }
    if !deaf_to.is_empty() && names.iter().any(|name| name.starts_with(deaf_to)) {
        return None;
    }
    let number = |content: &[u8]| usize::from(*content.last().unwrap_or(&0));
    let mut out = Vec::new();
    match kind {
        GET => {
            for name in names {
                let value = mib.get(&name).map_or(&NO_SUCH_INSTANCE[..], Vec::as_slice);
                out.extend(binding(&name, value));
            }
        }
        GETNEXT | GETBULK => {
            let (once, times) = if kind == GETBULK {
                (number(non_repeaters), number(repetitions).min(20))
            } else {
                (names.len(), 0)
            };
            let step = |name: &mut Vec<u32>, out: &mut Vec<u8>| {
                let next = mib.range(name.clone()..).find(|(oid, _)| *oid != name);
                match next {
                    Some((oid, value)) => {
                        name.clone_from(oid);
                        out.extend(binding(oid, value));
                    }
                    None => out.extend(binding(name, &END_OF_MIB_VIEW)),
                }
            };
            let split = once.min(names.len());
            let (single, repeated) = names.split_at_mut(split);
            single.iter_mut().for_each(|name| step(name, &mut out));
            for _ in 0..times {
                repeated.iter_mut().for_each(|name| step(name, &mut out));
            }
        }
        _ => return None,
    }
    let zero = tlv(0x02, &[0]);
    let pdu = [tlv(0x02, request_id), zero.clone(), zero, tlv(0x30, &out)].concat();
    let message = [
        tlv(0x02, version),
        tlv(0x04, community),
        tlv(RESPONSE, &pdu),
    ]
    .concat();
    Some(tlv(0x30, &message))
}

fn binding(oid: &[u32], value: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&tlv(0x06, &oid_content(oid))[..], value].concat())
}

/// Tag, content, and what follows.
fn take(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    let mut length = usize::from(*first);
    if length >= 0x80 {
        let (octets, after) = rest.split_at_checked(length - 0x80)?;
        length = octets
            .iter()
            .fold(0, |sum, octet| sum << 8 | usize::from(*octet));
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length) if length < 0x80 => out.push(length),
        _ => {
            out.push(0x82);
            out.extend_from_slice(&u16::try_from(content.len()).unwrap().to_be_bytes());
        }
    }
    out.extend_from_slice(content);
    out
}

fn oid_content(arcs: &[u32]) -> Vec<u8> {
    let mut out = vec![u8::try_from(arcs[0] * 40 + arcs[1]).unwrap()];
    for arc in &arcs[2..] {
        let start = out.len();
        let mut arc = *arc;
        let mut more = 0;
        loop {
            out.insert(start, u8::try_from(arc & 0x7f).unwrap() | more);
            more = 0x80;
            arc >>= 7;
            if arc == 0 {
                break;
            }
        }
    }
    out
}

fn oid_arcs(content: &[u8]) -> Vec<u32> {
    let mut arcs = vec![u32::from(content[0]) / 40, u32::from(content[0]) % 40];
    let mut arc = 0;
    for octet in &content[1..] {
        arc = arc << 7 | u32::from(octet & 0x7f);
        if octet & 0x80 == 0 {
            arcs.push(arc);
            arc = 0;
        }
    }
    arcs
}
