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

#[test]
fn a_date_in_retry_after_is_waited_for() {
    // To the second: between one and two from now.
    let at = jiff::Timestamp::now() + jiff::Span::new().seconds(2);
    let at = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let mut fixture = Fixture::new();
    fixture.put(Stream::Meters);
    let busy = format!("503 Service Unavailable\r\nRetry-After: {at}");
    let manager = Manager::start(&[Act::Status(busy.leak())], fixture.epoch());
    let began = Instant::now();
    fixture.upload(&manager_at(manager.address));
    manager.wait_for(1);
    let heard = began.elapsed();
    fixture.wait_for_empty();
    // Without it, the first pause would be a second at the most.
    let waited = began.elapsed();
    assert!(
        waited >= Duration::from_secs(1) || heard >= Duration::from_secs(1),
        "{waited:?}"
    );
    assert_eq!(fixture.end().read().streams[0].receipts, 1);
}

/// What stands where the proxy should be does to a connection.
#[derive(Clone, Copy, Debug)]
enum Instead {
    Refuses(&'static str),
    Garbage,
    HangsUp,
    Stalls,
}

#[test]
fn whatever_a_proxy_does_instead_of_a_tunnel_nothing_is_told_to_it_and_the_report_comes_through_later()
 {
    for instead in [
        Instead::Refuses("502 Bad Gateway"),
        Instead::Refuses("407 Proxy Authentication Required"),
        Instead::Refuses("302 Found\r\nLocation: http://127.0.0.1:9/"),
        Instead::Garbage,
        Instead::HangsUp,
        Instead::Stalls,
    ] {
        let mut fixture = Fixture::new();
        fixture.put(Stream::Meters);
        let manager = Manager::start(&[], fixture.epoch());
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = proxy.local_addr().unwrap().port();
        let (said, heard) = std::sync::mpsc::channel();
        let place = manager.address;
        std::thread::spawn(move || {
            for (number, mut socket) in proxy.incoming().flatten().enumerate() {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && socket.read(&mut byte).unwrap_or(0) > 0 {
                    head.extend(byte);
                }
                let _ = said.send(String::from_utf8_lossy(&head).into_owned());
                if number == 0 {
                    let _ = match instead {
                        Instead::Refuses(status) => {
                            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                            socket.write_all(answer.as_bytes())
                        }
                        Instead::Garbage => socket.write_all(&[0xff; 900]),
                        Instead::HangsUp => Ok(()),
                        // Until the other side gives up.
                        Instead::Stalls => socket.read(&mut byte).map(|_| ()),
                    };
                    continue;
                }
                let mut to = TcpStream::connect(place).unwrap();
                socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                let (mut back, mut forth) = (to.try_clone().unwrap(), socket.try_clone().unwrap());
                std::thread::spawn(move || io::copy(&mut back, &mut forth));
                std::thread::spawn(move || io::copy(&mut socket, &mut to));
            }
        });
        let config = ManagerConfig {
            proxy: Some(ProxyConfig::at(&format!("http://127.0.0.1:{port}")).unwrap()),
            ..manager_at(manager.address)
        };
        fixture.upload(&config);
        fixture.wait_for_empty();
        for head in heard.try_iter() {
            assert!(
                head.starts_with(&format!("CONNECT {place} HTTP/1.1\r\n")),
                "{head}"
            );
            assert!(!head.contains("secret-token"), "{head}");
        }
        assert_eq!(manager.wait_for(1).len(), 1, "{instead:?}");
        let status = fixture.end().read();
        let meters = &status.streams[0];
        assert_eq!((meters.receipts, meters.refused), (1, 0), "{instead:?}");
        assert!(meters.attempts_failed >= 1, "{instead:?}");
    }
}
