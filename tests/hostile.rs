//! Hostile bodies against the manager as a program: each is refused with a sentence, and the memory stays flat.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use codec::envelope::{Encoding, compress};
use codec::key::Refusal;

use common::ManagerUnderTest;

/// What all the hostile bodies together may add to the manager's peak memory: the inflater's cap and room for noise.
const GROWTH_MB_MAX: u64 = 160;

/// The most memory the process ever had, in MB.
fn peak_mb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .expect("the kernel says the peak");
    let kb: u64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|kb| kb.parse().ok())
        .expect("in kB");
    kb / 1024
}

fn gzip(xml: &[u8]) -> Vec<u8> {
    compress(Encoding::Gzip, xml)
}

#[test]
fn hostile_bodies_are_refused_with_a_reason_and_cost_no_memory() {
    let manager = ManagerUnderTest::prepare();
    let running = manager.start();
    let before = peak_mb(running.0.id());
    let good = sample(&manager.agent_id, 1);
    let truncated = gzip(&good)[..200].to_vec();
    let entities = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE r [{}]><report>&e9;</report>",
        (0..10).fold("<!ENTITY e \"ha\">".to_owned(), |dtd, n| {
            let before = if n == 0 {
                "e".to_owned()
            } else {
                format!("e{}", n - 1)
            };
            format!(
                "{dtd}<!ENTITY e{n} \"{}\">",
                format!("&{before};").repeat(10)
            )
        })
    );
    let cases: [(&str, Vec<u8>); 7] = [
        ("a gzip bomb", gzip(&vec![b' '; 1 << 30])),
        ("an entity bomb", gzip(entities.as_bytes())),
        (
            "nesting ten thousand deep",
            gzip("<a>".repeat(10_000).as_bytes()),
        ),
        ("a truncated body", truncated),
        ("another encoding", gzip(b"\xff\xfe<\0r\0>\0")),
        ("no gzip", b"hello".to_vec()),
        (
            "an attribute without end",
            gzip(format!("<report a=\"{}", "x".repeat(1 << 20)).as_bytes()),
        ),
    ];
    for (name, body) in &cases {
        let (status, answer) = manager
            .asker
            .deliver(&manager.agent_token, body)
            .expect(name);
        assert!(status == 400 || status == 413, "{name}: {status} {answer}");
        let refusal: Refusal = serde_json::from_str(&answer).expect(name);
        assert!(refusal.detail.len() > 10, "{name}: {refusal:?}");
    }
    assert_eq!(declare_a_gigabyte(&manager), 413);
    let grown = peak_mb(running.0.id()) - before;
    assert!(grown <= GROWTH_MB_MAX, "the peak grew by {grown} MB");
    let (status, answer) = manager
        .asker
        .deliver(&manager.agent_token, &gzip(&good))
        .expect("an answer");
    assert_eq!(status, 200, "a good report still gets in: {answer}");
    assert_eq!(running.interrupt(), Some(0));
}

/// Announces a gigabyte, sends a little, and gives the status of the answer.
fn declare_a_gigabyte(manager: &ManagerUnderTest) -> u16 {
    let address = manager
        .asker
        .url
        .strip_prefix("http://")
        .expect("plain HTTP");
    let mut stream = TcpStream::connect(address).expect("the manager listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    let head = format!(
        "POST /v1/reports HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: application/xml\r\n\
         content-encoding: gzip\r\ncontent-length: 1073741824\r\n\r\n",
        manager.agent_token
    );
    stream.write_all(head.as_bytes()).expect("the head is read");
    // The manager may close before it has read this.
    let _ = stream.write_all(&[0; 65_536]);
    let mut answer = [0; 12];
    stream
        .read_exact(&mut answer)
        .expect("an answer before the gigabyte");
    std::str::from_utf8(&answer[9..12])
        .ok()
        .and_then(|code| code.parse().ok())
        .expect("a status line")
}

/// A report as an agent writes it.
fn sample(agent: &str, sequence: u64) -> Vec<u8> {
    let mut fleet = codec::sample::Fleet::new(20, 7);
    fleet.pass(60);
    let mut report = fleet.report(codec::key::Stream::Meters, sequence);
    report.header.agent = agent.parse().expect("an agent id");
    let mut xml = Vec::new();
    codec::xml::write_report(&report, &mut xml);
    xml
}
