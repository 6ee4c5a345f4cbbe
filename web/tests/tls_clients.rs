//! The manager over TLS: versions, tickets, clients' certificates, and files that change while it serves.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use codec::time::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};
use rustls_pki_types::{PrivateKeyDer, ServerName};
use support::{House, fleet, sealed};
use web::{ClientCertificates, Tls, TlsFiles};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("valid");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed")
}

fn certificate(authority: &Authority, name: &str) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("valid");
    (params.signed_by(&key, authority).expect("signed"), key)
}

/// Writes the manager's certificate and who signs the clients'.
fn files(folder: &Path, server: &Authority, clients: &Authority) -> (TlsFiles, std::path::PathBuf) {
    let files = TlsFiles {
        certificates: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
        clients: ClientCertificates::Off,
    };
    let (certificate, key) = certificate(server, "127.0.0.1");
    std::fs::write(&files.certificates, certificate.pem()).expect("written");
    std::fs::write(&files.key, key.serialize_pem()).expect("written");
    let ca = folder.join("clients.pem");
    std::fs::write(&ca, clients.pem()).expect("written");
    (files, ca)
}

/// A client that trusts `server`, and shows a certificate if it has one.
fn config(server: &Authority, shown: Option<(rcgen::Certificate, KeyPair)>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(server.der().clone()).expect("a root");
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    Arc::new(match shown {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
            )
            .expect("fits"),
    })
}

/// One request over a connection of its own: the answer, and how hands were shaken.
fn request(
    house: &House,
    config: &Arc<ClientConfig>,
    line: &str,
    token: &str,
    body: &[u8],
) -> std::io::Result<(String, HandshakeKind)> {
    let socket = TcpStream::connect(house.address)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let connection = ClientConnection::new(Arc::clone(config), name).expect("a client");
    let mut stream = StreamOwned::new(connection, socket);
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let kind = stream.conn.handshake_kind().expect("hands were shaken");
    Ok((String::from_utf8_lossy(&answer).into_owned(), kind))
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

fn house(files: TlsFiles) -> House {
    let tls = Tls::load(files, provider()).expect("loads");
    House::start_with(([127, 0, 0, 1], 0).into(), Some(tls), |config| config)
}

fn metrics(house: &House, config: &Arc<ClientConfig>) -> String {
    request(house, config, "GET /metrics", "", b"")
        .expect("metrics")
        .0
}

#[test]
fn agents_show_their_own_certificate_where_one_is_required_and_people_need_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, clients) = (authority(), authority());
    for required in [false, true] {
        let (mut files, ca) = files(folder.path(), &server, &clients);
        files.clients = if required {
            ClientCertificates::Required(ca)
        } else {
            ClientCertificates::Optional(ca)
        };
        let house = house(files);
        let customer = house.customer("meyer", "Europe/Berlin");
        assert_eq!(customer.agent.as_str(), "meyer");
        let devices = fleet::devices("MEY", 1, 1, Timestamp::now());
        let report = sealed(&customer.agent, 1, devices);
        let deliver = |shown| {
            let config = config(&server, shown);
            request(
                &house,
                &config,
                "POST /v1/reports",
                &customer.token,
                &report,
            )
        };
        let nothing = deliver(None).expect("an answer").0;
        let own = deliver(Some(certificate(&clients, "meyer")))
            .expect("an answer")
            .0;
        let others = deliver(Some(certificate(&clients, "huber")))
            .expect("an answer")
            .0;
        assert_eq!(
            status(&nothing),
            if required { "403" } else { "200" },
            "{nothing}"
        );
        assert_eq!(status(&own), "200", "{own}");
        assert_eq!(status(&others), "403", "{others}");
        assert!(others.contains("other-certificate"), "{others}");
        // Somebody else's authority ends the handshake, whatever is asked for.
        let stranger = deliver(Some(certificate(&authority(), "meyer")));
        assert!(stranger.is_err(), "{stranger:?}");
        // Neither does enrolment go by without one, nor is the token used up by the attempt.
        let plain = config(&server, None);
        let scope = codec::id::Scope::Everything;
        let invited = house
            .registry
            .invite_agent_again(&scope, &customer.agent, 60_000, Timestamp::now())
            .expect("invited");
        let hash = codec::key::ContentHash::of(b"key");
        let wish = format!(
            "{{\"token\":\"{}\",\"key_hash\":\"{hash}\"}}",
            invited.token
        );
        let enrol = |config| {
            let answer = request(&house, config, "POST /v1/enrol", "", wish.as_bytes());
            answer.expect("an answer").0
        };
        let bare = enrol(&plain);
        assert_eq!(
            status(&bare),
            if required { "403" } else { "200" },
            "{bare}"
        );
        let own = config(&server, Some(certificate(&clients, "meyer")));
        assert_eq!(status(&enrol(&own)), "200");
        // People's pages come on the same port, without.
        let page = request(&house, &plain, "GET /login", "", b"")
            .expect("a page")
            .0;
        assert_eq!(status(&page), "200", "{page}");
        let counted = metrics(&house, &plain);
        let failed = "platen_tls_handshakes_failed_total{reason=\"client-certificate\"} 1";
        assert!(counted.contains(failed), "{counted}");
    }
}

#[test]
fn tls_1_2_and_1_3_are_spoken_tickets_are_taken_and_failures_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = authority();
    let house = house(files(folder.path(), &server, &server).0);
    let mut roots = RootCertStore::empty();
    roots.add(server.der().clone()).expect("a root");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        let config = Arc::new(config);
        let kinds = [(); 2].map(|()| {
            let (answer, kind) =
                request(&house, &config, "GET /healthz", "", b"").expect("answers");
            assert_eq!(status(&answer), "200", "{version:?}");
            kind
        });
        assert_eq!(
            kinds,
            [HandshakeKind::Full, HandshakeKind::Resumed],
            "{version:?}"
        );
    }
    // One that does not trust us, and one that does not speak TLS.
    let stranger = config(&authority(), None);
    assert!(request(&house, &stranger, "GET /", "", b"").is_err());
    let mut plain = TcpStream::connect(house.address).expect("connects");
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("writes");
    let _ = plain.read_to_end(&mut Vec::new());
    let counted = metrics(&house, &config(&server, None));
    for line in [
        "platen_tls_handshakes_total{kind=\"full\"} 3",
        "platen_tls_handshakes_total{kind=\"resumed\"} 2",
        "platen_tls_handshakes_failed_total{reason=\"refused-by-client\"} 1",
        "platen_tls_handshakes_failed_total{reason=\"not-tls\"} 1",
        "platen_connections_refused_total 0",
    ] {
        assert!(counted.contains(line), "{line} is not in {counted}");
    }
}

#[test]
fn changed_files_are_followed_and_a_broken_pair_leaves_the_old_in_force() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second) = (authority(), authority());
    let (files, _) = files(folder.path(), &first, &first);
    let house = house(files.clone());
    let health = |authority| {
        let config = config(authority, None);
        let answer = request(&house, &config, "GET /healthz", "", b"");
        answer.map(|(answer, _)| answer).unwrap_or_default()
    };
    let wait_for = |what: &str, is_there: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !is_there() {
            assert!(began.elapsed() < Duration::from_secs(30), "{what}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    };
    assert!(health(&first).ends_with("\r\n\r\nok\n"));
    // The certificate of one pair and the key of another: as while somebody copies them one after the other.
    let (certificate, key) = certificate(&second, "127.0.0.1");
    std::fs::write(&files.certificates, certificate.pem()).expect("written");
    wait_for("the fault is said", &|| {
        health(&first).contains("cannot be used")
    });
    let counted = metrics(&house, &config(&first, None));
    assert!(
        counted.contains("platen_tls_certificate_unusable 1"),
        "{counted}"
    );
    assert!(counted.contains("platen_tls_certificate_reloads_total{result=\"failed\"} 1"));
    std::fs::write(&files.key, key.serialize_pem()).expect("written");
    wait_for("the new pair is served", &|| {
        health(&second).ends_with("\r\n\r\nok\n")
    });
    assert_eq!(
        health(&first),
        "",
        "who trusts the old authority alone gets nothing"
    );
    let counted = metrics(&house, &config(&second, None));
    assert!(
        counted.contains("platen_tls_certificate_unusable 0"),
        "{counted}"
    );
    assert!(counted.contains("platen_tls_certificate_reloads_total{result=\"ok\"} 1"));
}
