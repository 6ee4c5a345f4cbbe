//! What goes over the wire, and what never does: managers that die in the middle of a body, redirects, plain text.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;

#[test]
fn a_manager_that_dies_in_the_middle_of_a_body_gets_it_again_from_the_beginning() {
    let mut fixture = Fixture::new();
    fixture.put_large(Stream::Meters, 3_000_000);
    fixture.put(Stream::Meters);
    let manager = Manager::start(&[Act::DieInBody, Act::DieInBody], fixture.epoch());
    fixture.upload(&manager_at(manager.address));
    fixture.wait_for_empty();
    let sequences: Vec<u64> = manager.wait_for(4).iter().map(|s| s.sequence).collect();
    assert_eq!(sequences, [1, 1, 1, 2]);
    let status = fixture.end().read();
    assert_eq!(status.streams[0].attempts_failed, 2);
    assert_eq!(status.streams[0].receipts, 2);
}

#[test]
fn too_many_requests_wait_as_long_as_they_are_told_and_a_bare_413_is_no_refusal() {
    let mut fixture = Fixture::new();
    fixture.put(Stream::Meters);
    let script = [
        Act::Status("429 Too Many Requests\r\nRetry-After: 1"),
        Act::Status("413 Content Too Large"),
    ];
    let manager = Manager::start(&script, fixture.epoch());
    let began = Instant::now();
    fixture.upload(&manager_at(manager.address));
    fixture.wait_for_empty();
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(manager.wait_for(3).len(), 3);
    let status = fixture.end().read();
    assert_eq!(
        (status.streams[0].refused, status.streams[0].receipts),
        (0, 1)
    );
}

#[test]
fn a_redirect_is_never_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let port = elsewhere.local_addr().unwrap().port();
    for status in [
        "301 Moved Permanently",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let mut fixture = Fixture::new();
        fixture.put(Stream::Meters);
        let answer = format!("{status}\r\nLocation: http://127.0.0.1:{port}/v1/reports");
        let manager = Manager::start(&[Act::Status(answer.leak())], fixture.epoch());
        fixture.upload(&manager_at(manager.address));
        fixture.wait_for_empty();
        assert_eq!(
            manager.wait_for(2).len(),
            2,
            "it is tried again where it was"
        );
        fixture.end();
    }
    assert!(elsewhere.accept().is_err(), "nobody came");
}

#[test]
fn https_is_never_spoken_in_plain_text() {
    // Something that speaks HTTP alone where the manager should be.
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = plain.local_addr().unwrap();
    let (said, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = plain.accept() {
            let mut bytes = [0; 4096];
            let length = socket.read(&mut bytes).unwrap_or(0);
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            let _ = said.send(bytes[..length].to_vec());
        }
    });
    let mut fixture = Fixture::new();
    fixture.put(Stream::Meters);
    let config = ManagerConfig {
        url: format!("https://{address}"),
        ..manager_at(address)
    };
    fixture.upload(&config);
    for _ in 0..2 {
        let bytes = heard.recv_timeout(PATIENCE).unwrap();
        assert_eq!(bytes[..2], [0x16, 0x03], "a TLS record: hands are shaken");
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("POST") && !text.contains("secret-token"));
    }
    assert_eq!(fixture.end().read().streams[0].receipts, 0);
    drop(TcpStream::connect(address));
}

#[test]
fn a_manager_at_an_ipv6_address_is_called_by_it_in_brackets() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        println!("skipped: no IPv6 on loopback");
        return;
    };
    let address = listener.local_addr().unwrap();
    let mut fixture = Fixture::new();
    fixture.put(Stream::Meters);
    fixture.upload(&manager_at(address));
    let (mut socket, _) = listener.accept().unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let host = format!("\r\nhost: [::1]:{}\r\n", address.port());
    assert!(head.contains(&host), "{head}");
    drop(socket);
    fixture.end();
}
