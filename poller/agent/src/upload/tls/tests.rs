//! Delivery over real TLS on loopback: who is trusted, who is not, and through a real proxy.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use codec::key::{Receipt, Stream};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;

use super::super::tests::{Fixture, PATIENCE, key, manager_at, read_request};
use super::*;
use crate::config::{ClientCertificate, ManagerConfig, ProxyConfig, Secret};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for both loopback addresses and its key.
fn certificate(authority: &Authority) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "::1".to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap(), key)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A manager that speaks TLS, and wants a client certificate of `clients` if there is one.
fn manager(authority: &Authority, clients: Option<&Authority>, fixture: &Fixture) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    manager_on(listener, authority, clients, fixture)
}

fn manager_on(
    listener: TcpListener,
    authority: &Authority,
    clients: Option<&Authority>,
    fixture: &Fixture,
) -> SocketAddr {
    let (certificate, server_key) = certificate(authority);
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let private = PrivateKeyDer::try_from(server_key.serialize_der()).unwrap();
    let config = builder
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let config = Arc::new(config);
    let address = listener.local_addr().unwrap();
    let epoch = fixture.epoch();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            std::thread::spawn(move || {
                let connection = rustls::ServerConnection::new(config).unwrap();
                let mut stream = StreamOwned::new(connection, socket);
                while let Some((seen, body)) = read_request(&mut stream) {
                    let receipt = Receipt::of(key(epoch, &seen, &body));
                    let body = serde_json::to_string(&receipt).unwrap();
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                    stream.write_all((head + &body).as_bytes()).unwrap();
                }
            });
        }
    });
    address
}

fn secure(address: SocketAddr, tls: TlsConfig) -> ManagerConfig {
    ManagerConfig {
        url: format!("https://{address}"),
        tls,
        ..manager_at(address)
    }
}

fn write(fixture: &Fixture, name: &str, pem: &str) -> PathBuf {
    let path = fixture.folder.path().join(name);
    std::fs::write(&path, pem).unwrap();
    path
}

/// Waits for a failed delivery and gives its reason.
fn failure(fixture: &Fixture) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(why) = fixture.status.read().delivery_error {
            return why;
        }
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}

#[test]
fn a_configured_authority_is_trusted_added_or_pinned() {
    let authority = authority();
    for pinned in [false, true] {
        let mut fixture = Fixture::new();
        fixture.put(Stream::Meters);
        let ca = Some(write(&fixture, "ca.pem", &authority.pem()));
        let tls = if pinned {
            TlsConfig {
                pinned_ca_file: ca,
                ..TlsConfig::default()
            }
        } else {
            TlsConfig {
                ca_file: ca,
                ..TlsConfig::default()
            }
        };
        let address = manager(&authority, None, &fixture);
        fixture.upload(&secure(address, tls));
        fixture.wait_for_empty();
        fixture.end();
    }
}

#[test]
fn an_unknown_authority_gets_nothing() {
    let (ours, theirs) = (authority(), authority());
    for pinned in [false, true] {
        let mut fixture = Fixture::new();
        fixture.put(Stream::Meters);
        let tls = TlsConfig {
            pinned_ca_file: pinned.then(|| write(&fixture, "ca.pem", &ours.pem())),
            ..TlsConfig::default()
        };
        let address = manager(&theirs, None, &fixture);
        fixture.upload(&secure(address, tls));
        let why = failure(&fixture);
        assert!(why.contains("certificate"), "{why}");
        assert_eq!(fixture.end().read().streams[0].receipts, 0);
    }
}

#[test]
fn a_certificate_of_another_host_gets_nothing_though_its_authority_is_trusted() {
    let authority = authority();
    let mut fixture = Fixture::new();
    fixture.put(Stream::Meters);
    let address = manager(&authority, None, &fixture);
    let tls = TlsConfig {
        pinned_ca_file: Some(write(&fixture, "ca.pem", &authority.pem())),
        ..TlsConfig::default()
    };
    // It is 127.0.0.1 that the certificate is for.
    let config = ManagerConfig {
        url: format!("https://localhost:{}", address.port()),
        ..secure(address, tls)
    };
    fixture.upload(&config);
    let why = failure(&fixture);
    assert!(why.contains("certificate"), "{why}");
    assert_eq!(fixture.end().read().streams[0].receipts, 0);
}

#[test]
fn a_client_certificate_is_shown_where_one_is_asked_for() {
    let (servers, clients) = (authority(), authority());
    for shown in [true, false] {
        let mut fixture = Fixture::new();
        fixture.put(Stream::Meters);
        let (certificate, key) = certificate(&clients);
        let client = ClientCertificate {
            certificate_file: write(&fixture, "client.crt", &certificate.pem()),
            key_file: write(&fixture, "client.key", &key.serialize_pem()),
        };
        let tls = TlsConfig {
            ca_file: Some(write(&fixture, "ca.pem", &servers.pem())),
            client: shown.then_some(client),
            ..TlsConfig::default()
        };
        let address = manager(&servers, Some(&clients), &fixture);
        fixture.upload(&secure(address, tls));
        if shown {
            fixture.wait_for_empty();
        } else {
            failure(&fixture);
        }
        let receipts = fixture.end().read().streams[0].receipts;
        assert_eq!(receipts, u64::from(shown));
    }
}

#[test]
fn a_file_that_is_no_certificate_is_named_at_the_start() {
    let fixture = Fixture::new();
    let path = write(&fixture, "ca.pem", "not PEM at all");
    let tls = TlsConfig {
        ca_file: Some(path.clone()),
        ..TlsConfig::default()
    };
    let error = client_config(&tls).unwrap_err();
    assert!(error.to_string().contains("ca.pem"), "{error}");
    std::fs::remove_file(path).unwrap();
    assert!(matches!(client_config(&tls), Err(TlsError::Read { .. })));
}

/// A real proxy on loopback that wants a login.
struct Tinyproxy {
    child: Mutex<Child>,
    port: u16,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Tinyproxy {
    fn start() -> Option<Self> {
        Self::start_on("127.0.0.1")
    }

    fn start_on(host: &str) -> Option<Self> {
        let Ok(version) = Command::new("tinyproxy").arg("-v").output() else {
            assert_ne!(
                std::env::var("PLATEN_PEERS").as_deref(),
                Ok("required"),
                "tinyproxy is not installed"
            );
            println!("skipped: tinyproxy is not installed");
            return None;
        };
        assert!(version.status.success());
        let folder = tempfile::tempdir().unwrap();
        let free = TcpListener::bind((host, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let log = folder.path().join("log");
        let conf = folder.path().join("tinyproxy.conf");
        std::fs::write(
            &conf,
            format!(
                "Port {port}\nListen {host}\nTimeout 60\nMaxClients 20\nAllow {host}\nLogLevel Connect\nLogFile \"{}\"\n\
                 BasicAuth platen open-sesame\n",
                log.display()
            ),
        )
        .unwrap();
        let child = Command::new("tinyproxy")
            .args(["-d", "-c"])
            .arg(&conf)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let proxy = Self {
            child: Mutex::new(child),
            port,
            log,
            _folder: folder,
        };
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect((host, port)).is_err() {
            assert!(Instant::now() < deadline, "tinyproxy does not listen");
            std::thread::yield_now();
        }
        Some(proxy)
    }
}

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

#[test]
fn a_report_goes_through_a_real_proxy_encrypted_from_end_to_end() {
    let Some(proxy) = Tinyproxy::start() else {
        return;
    };
    let authority = authority();
    for (password, is_right) in [("open-sesame", true), ("wrong", false)] {
        let mut fixture = Fixture::new();
        fixture.put(Stream::Meters);
        let tls = TlsConfig {
            pinned_ca_file: Some(write(&fixture, "ca.pem", &authority.pem())),
            ..TlsConfig::default()
        };
        let address = manager(&authority, None, &fixture);
        let config = ManagerConfig {
            proxy: Some(ProxyConfig {
                host: "127.0.0.1".to_owned(),
                port: proxy.port,
                login: Some(("platen".to_owned(), Secret::new(password.to_owned()))),
            }),
            ..secure(address, tls)
        };
        fixture.upload(&config);
        if is_right {
            fixture.wait_for_empty();
            let log = std::fs::read_to_string(&proxy.log).unwrap();
            assert!(log.contains(&format!("CONNECT {address}")), "{log}");
        } else {
            let why = failure(&fixture);
            assert!(!why.contains("wrong"), "{why}");
        }
        let receipts = fixture.end().read().streams[0].receipts;
        assert_eq!(receipts, u64::from(is_right));
    }
}

#[test]
fn ipv6_addresses_are_verified_and_tunnelled_to_like_any_other() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        println!("skipped: no IPv6 on loopback");
        return;
    };
    let authority = authority();
    let proxy = Tinyproxy::start_on("::1");
    let ways = [None, proxy.as_ref()];
    let mut fixture = Fixture::new();
    let address = manager_on(listener, &authority, None, &fixture);
    for way in ways.iter().skip(usize::from(proxy.is_none())) {
        fixture.put(Stream::Meters);
        let tls = TlsConfig {
            pinned_ca_file: Some(write(&fixture, "ca.pem", &authority.pem())),
            ..TlsConfig::default()
        };
        let config = ManagerConfig {
            proxy: way.map(|proxy| ProxyConfig {
                login: Some(("platen".to_owned(), Secret::new("open-sesame".to_owned()))),
                ..ProxyConfig::at(&format!("http://[::1]:{}", proxy.port)).unwrap()
            }),
            ..secure(address, tls)
        };
        assert_eq!(config.url, format!("https://[::1]:{}", address.port()));
        fixture.upload(&config);
        fixture.wait_for_empty();
        fixture.halt();
    }
    if let Some(proxy) = proxy {
        let log = std::fs::read_to_string(&proxy.log).unwrap();
        assert!(log.contains(&format!("CONNECT {address}")), "{log}");
    }
}
