//! The agents' door with good and hostile bodies, monitoring, and SOAP by HTTP.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use codec::time::Timestamp;
use support::{Answer, House, PASSWORD, client, fleet, house_with};

/// Sends raw bytes and gives the answer's status.
fn raw(house: &House, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(house.address).expect("connects");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    stream.write_all(head.as_bytes()).expect("writes");
    // The server may answer and close before all of it is taken.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn hostile_reports_get_an_error_at_once() {
    let (house, customer) = house_with(1);
    let gzip = |plain: &[u8]| codec::envelope::compress(codec::envelope::Encoding::Gzip, plain);
    let bomb = gzip(&vec![b' '; 300 << 20]);
    let deep = gzip("<a>".repeat(10_000).as_bytes());
    let entities =
        gzip(br#"<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><report>&b;</report>"#);
    let good = support::sealed(
        &customer.agent,
        2,
        fleet::devices("MEY", 1, 1, Timestamp::now()),
    );
    let head = |encoding: &str, length: usize| {
        format!(
            "POST /v1/reports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Encoding: {encoding}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
            customer.token
        )
    };
    for (name, encoding, body, status) in [
        ("a gzip bomb", "gzip", &bomb[..], "HTTP/1.1 4"),
        ("ten thousand levels", "gzip", &deep[..], "HTTP/1.1 400"),
        ("entities", "gzip", &entities[..], "HTTP/1.1 400"),
        ("cut short", "gzip", &good[..good.len() / 2], "HTTP/1.1 400"),
        ("said to be zstd", "zstd", &good[..], "HTTP/1.1 400"),
        ("said to be brotli", "br", &good[..], "HTTP/1.1 400"),
        ("nothing", "gzip", &[][..], "HTTP/1.1 400"),
    ] {
        let began = Instant::now();
        let answer = raw(&house, &head(encoding, body.len()), body);
        assert!(answer.starts_with(status), "{name}: {answer}");
        assert!(answer.contains("\"reason\""), "{name}: {answer}");
        assert!(began.elapsed() < Duration::from_secs(10), "{name}");
    }
    let answer = raw(&house, &head("gzip", 1 << 30), b"");
    assert!(
        answer.starts_with("HTTP/1.1 413"),
        "a declared gigabyte is refused unread: {answer}"
    );
    let chunked = head("gzip", 0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    let endless = [
        format!("{:x}\r\n", 17 << 20).into_bytes(),
        vec![0; 17 << 20],
    ]
    .concat();
    let answer = raw(&house, &chunked, &endless);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
    let answer = raw(&house, &head("gzip", good.len()), &good);
    assert!(
        answer.starts_with("HTTP/1.1 200"),
        "and a good one is still taken: {answer}"
    );
}

#[test]
fn the_door_knows_its_agents() {
    let (house, customer) = house_with(1);
    let body = support::sealed(
        &customer.agent,
        2,
        fleet::devices("MEY", 1, 1, Timestamp::now()),
    );
    let send = |token: &str, body: &[u8]| {
        let request = client()
            .post(house.url("/v1/reports"))
            .header("Authorization", format!("Bearer {token}"))
            .header("Content-Encoding", "gzip");
        Answer::of(request.send(body).expect("an answer"))
    };
    assert_eq!(send("plt_agent_wrong", &body).status, 401);
    let receipt = send(&customer.token, &body);
    assert_eq!(receipt.status, 200);
    assert_eq!(receipt.json()["receipt"]["sequence"], 2);
    assert_eq!(
        send(&customer.token, &body).status,
        200,
        "the same again is acknowledged again"
    );
    let other = support::sealed(
        &customer.agent,
        2,
        fleet::devices("MEY", 1, 9, Timestamp::now()),
    );
    let refusal = send(&customer.token, &other);
    assert_eq!(refusal.status, 409, "{}", refusal.body);
    assert!(refusal.json()["refused"].is_object());
    house
        .registry
        .set_agent_disabled(&codec::id::Scope::Everything, &customer.agent, true)
        .expect("disabled");
    assert_eq!(send(&customer.token, &body).status, 403);
    assert_eq!(
        Answer::of(
            client()
                .get(house.url("/v1/reports"))
                .call()
                .expect("an answer")
        )
        .status,
        405
    );
}

#[test]
fn monitoring_answers_without_a_login_on_this_machine() {
    let (house, _) = house_with(1);
    let get = |path: &str| Answer::of(client().get(house.url(path)).call().expect("an answer"));
    assert_eq!(
        (get("/healthz").status, get("/healthz").body.as_str()),
        (200, "ok\n")
    );
    // A key that is missing stops nothing, and somebody should know. (The archiver may just be counting them.)
    let until = Instant::now() + Duration::from_secs(30);
    let told = loop {
        house.ingest.metrics().unreadable_customers.set(1);
        let told = get("/healthz");
        if told.body != "ok\n" || Instant::now() > until {
            break told;
        }
    };
    let expected = "ok\nnot working: archive (archive-unreadable)\n";
    assert_eq!((told.status, told.body.as_str()), (200, expected));
    let metrics = get("/metrics");
    assert!(
        metrics
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    assert!(metrics.body.ends_with("# EOF\n"));
    for name in [
        "platen_http_requests_total",
        "platen_ingest_acknowledged_total",
        "platen_process_resident_memory_bytes",
    ] {
        assert!(metrics.body.contains(name), "{name}");
    }
    let proxied = client()
        .get(house.url("/metrics"))
        .header("X-Forwarded-For", "203.0.113.5")
        .call()
        .expect("an answer");
    assert_eq!(proxied.status(), 403);
    house.ingest.stop();
    assert_eq!(
        get("/healthz").status,
        503,
        "a stopped journal is not healthy"
    );
}

#[test]
fn answers_are_compressed_for_who_can_take_it_and_never_for_soap() {
    let (house, _) = house_with(30);
    let answer = raw(
        &house,
        "GET /login HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n",
        b"",
    );
    assert!(
        answer.to_lowercase().contains("content-encoding: gzip"),
        "{answer}"
    );
    let answer = raw(&house, "GET /soap/v1?wsdl HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n", b"").to_lowercase();
    assert!(
        answer.contains("content-length:") && !answer.contains("content-encoding"),
        "{answer}"
    );
    assert!(answer.contains("text/xml; charset=utf-8") && answer.contains("definitions"));
}

#[test]
fn soap_calls_are_taken_chunked_and_with_an_expected_continue() {
    let (house, _) = house_with(1);
    let envelope = r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><x/></s:Body></s:Envelope>"#;
    let credentials = data_encoding::BASE64.encode(format!("chef:{PASSWORD}").as_bytes());
    let head = |extra: &str| {
        format!(
            "POST /soap/v1 HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\nContent-Type: text/xml; charset=utf-8\r\nConnection: close\r\n{extra}\r\n\r\n"
        )
    };
    let chunked = format!("{:x}\r\n{envelope}\r\n0\r\n\r\n", envelope.len());
    let answer = raw(
        &house,
        &head("Transfer-Encoding: chunked"),
        chunked.as_bytes(),
    );
    assert!(
        answer.contains("Fault") && answer.to_lowercase().contains("content-length:"),
        "{answer}"
    );
    let answer = raw(
        &house,
        &head(&format!(
            "Expect: 100-continue\r\nContent-Length: {}",
            envelope.len()
        )),
        envelope.as_bytes(),
    );
    assert!(
        answer.starts_with("HTTP/1.1 100") && answer.contains("Fault"),
        "{answer}"
    );
    let anonymous = Answer::of(
        client()
            .post(house.url("/soap/v1"))
            .header("Content-Type", "text/xml")
            .send(envelope)
            .expect("an answer"),
    );
    assert!(
        anonymous.status == 401 || anonymous.body.contains("Fault"),
        "{}",
        anonymous.status
    );
}
