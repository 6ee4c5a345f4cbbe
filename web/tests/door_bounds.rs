//! What strangers and slow senders cannot do: hold the places where work is done, fill the memory, or wait for an answer that was clear
//! from the beginning.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use support::{Browser, House, PASSWORD, ask, house_with};

/// More than the places where requests are worked on.
const SLOW_SENDERS: usize = web::limits::REQUESTS_INFLIGHT_MAX + 2;

/// Sends the head of a request, and what there is of its body.
fn begin(house: &House, head: &str, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(house.address).expect("connects");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    stream.write_all(head.as_bytes()).expect("writes");
    stream.write_all(b"\r\n\r\n").expect("writes");
    stream.write_all(body).expect("writes");
    stream
}

/// The whole answer; the connection must end with it.
fn answer(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(path: &str, more: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\n{more}")
}

#[test]
fn slow_bodies_hold_up_nobody_and_end() {
    let (house, _) = house_with(1);
    for (path, kind) in [
        ("/soap/v1", "text/plain"),
        ("/login", "</html>"),
        ("/api/v1/agents", "application/problem+json"),
    ] {
        let began = Instant::now();
        let slow: Vec<_> = (0..SLOW_SENDERS)
            .map(|_| begin(&house, &post(path, "Content-Length: 1000"), b"x"))
            .collect();
        let mut browser = Browser::logged_in(&house, "chef");
        assert_eq!(browser.get("/devices").status, 200);
        assert_eq!(ask(&house, "chef", "/api/v1/devices").status, 200);
        for stream in slow {
            let answer = answer(stream);
            assert!(answer.starts_with("HTTP/1.1 408"), "{path}: {answer}");
            assert!(
                answer.to_lowercase().contains(kind),
                "{path}: a refusal says what it is: {answer}"
            );
        }
        assert!(began.elapsed() < Duration::from_secs(25), "{path}");
    }
}

#[test]
fn a_declared_gigabyte_is_refused_everywhere_at_once() {
    let (house, customer) = house_with(1);
    let basic = data_encoding::BASE64.encode(format!("chef:{PASSWORD}").as_bytes());
    let length = format!("Content-Length: {}", 1 << 30);
    for (path, kind) in [
        ("/login", "text/html"),
        ("/devices", "text/html"),
        ("/nowhere", "text/html"),
        ("/api/v1/agents", "application/problem+json"),
        ("/api/nowhere", "application/problem+json"),
        ("/v1/reports", "application/json"),
        ("/soap/v1", "text/plain"),
        ("/healthz", "text/plain"),
        ("/metrics", "text/plain"),
        ("/assets/platen.css", "text/plain"),
    ] {
        let authorization = match path {
            "/v1/reports" => format!("Bearer {}", customer.token),
            _ => format!("Basic {basic}"),
        };
        let head = post(path, &format!("Authorization: {authorization}\r\n{length}"));
        let began = Instant::now();
        let answer = answer(begin(&house, &head, b"")).to_lowercase();
        assert!(began.elapsed() < Duration::from_secs(3), "{path}");
        assert!(answer.starts_with("http/1.1 413"), "{path}: {answer}");
        assert!(
            answer.contains(&format!("content-type: {kind}")),
            "{path}: {answer}"
        );
        assert!(answer.contains("connection: close"), "{path}: {answer}");
    }
}

#[test]
fn a_chunked_body_ends_at_the_limit() {
    let (house, _) = house_with(0);
    let size = web::limits::FORM_BODY_BYTES_MAX + 1;
    let chunk = [format!("{size:x}\r\n").into_bytes(), vec![b'x'; size]].concat();
    let head = post("/login", "Transfer-Encoding: chunked");
    let answer = answer(begin(&house, &head, &chunk));
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
}

#[test]
fn there_is_room_for_so_many_bytes_of_reports_and_it_comes_back() {
    let (house, customer) = house_with(1);
    let largest = web::limits::REPORT_BODY_BYTES_MAX;
    let token = &customer.token;
    let authorized = |more: &str| {
        post(
            "/v1/reports",
            &format!("Authorization: Bearer {token}\r\nContent-Encoding: gzip\r\n{more}"),
        )
    };
    let chunked = authorized("Transfer-Encoding: chunked");
    let declared = authorized(&format!("Content-Length: {largest}"));
    let mut holders = Vec::new();
    // Those that find room stay silent; the first that finds none is told so at once.
    let refused = (0..=web::limits::REPORTS_BYTES_MAX / largest).find_map(|count| {
        let head = if count % 2 == 0 { &chunked } else { &declared };
        let mut stream = begin(&house, &format!("{head}\r\nExpect: 100-continue"), b"");
        let mut first = [0; 512];
        let length = stream.read(&mut first).expect("an answer or a continue");
        let said = String::from_utf8_lossy(&first[..length]).into_owned();
        if said.starts_with("HTTP/1.1 100") {
            holders.push(stream);
            return None;
        }
        Some(said.to_lowercase())
    });
    let refused = refused.expect("one body more than there is room for");
    assert!(refused.starts_with("http/1.1 503"), "{refused}");
    assert!(refused.contains("retry-after: 5"), "{refused}");
    assert_eq!(holders.len(), web::limits::REPORTS_BYTES_MAX / largest);
    for stream in holders {
        let _ = stream.shutdown(Shutdown::Both);
    }
    let bound = Instant::now() + Duration::from_secs(10);
    while answer(begin(
        &house,
        &authorized("Content-Length: 1\r\nConnection: close"),
        b"x",
    ))
    .starts_with("HTTP/1.1 503")
    {
        assert!(Instant::now() < bound, "the room comes back");
    }
}

#[test]
fn a_wrong_login_is_told_before_the_envelope_is_read() {
    let (house, _) = house_with(0);
    let wrong = data_encoding::BASE64.encode(b"chef:wrong");
    let head = post(
        "/soap/v1",
        &format!(
            "Authorization: Basic {wrong}\r\nExpect: 100-continue\r\nContent-Length: 1000\r\nConnection: close"
        ),
    );
    let answer = answer(begin(&house, &head, b""));
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[test]
fn a_compressed_envelope_is_refused_with_a_sentence() {
    let (house, _) = house_with(0);
    let head = post(
        "/soap/v1",
        "Content-Encoding: gzip\r\nContent-Length: 3\r\nConnection: close",
    );
    let answer = answer(begin(&house, &head, b"xxx"));
    assert!(answer.starts_with("HTTP/1.1 415"), "{answer}");
    assert!(answer.contains("uncompressed"), "{answer}");
}
