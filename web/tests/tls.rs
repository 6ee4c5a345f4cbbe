//! The listener itself: TLS, a certificate exchanged while it serves, a stop that lets requests finish.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use web::{Tls, TlsFiles};

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Writes a certificate of its own making for 127.0.0.1 and gives its PEM.
fn write_certificate(files: &TlsFiles) -> String {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("made");
    std::fs::write(&files.certificates, made.cert.pem()).expect("written");
    std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("written");
    made.cert.pem()
}

fn files_in(folder: &Path) -> TlsFiles {
    TlsFiles {
        certificates: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
        clients: web::ClientCertificates::Off,
    }
}

/// A client that trusts this certificate alone.
fn trusting(pem: &str) -> ureq::Agent {
    let certificate = ureq::tls::Certificate::from_pem(pem.as_bytes()).expect("PEM");
    let tls = ureq::tls::TlsConfig::builder()
        .root_certs(ureq::tls::RootCerts::new_with_certs(&[certificate]))
        .unversioned_rustls_crypto_provider(provider())
        .build();
    ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(Duration::from_secs(10)))
        .build()
        .into()
}

fn get_with(agent: &ureq::Agent, address: SocketAddr) -> Result<String, ureq::Error> {
    agent
        .get(format!("https://{address}/"))
        .call()?
        .into_body()
        .read_to_string()
}

#[test]
fn a_certificate_is_exchanged_while_it_serves() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = files_in(folder.path());
    let first = write_certificate(&files);
    let tls = Tls::load(files.clone(), provider()).expect("loads");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = std::thread::spawn({
        let tls = tls.clone();
        move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            let router = Router::new().route("/", get(|| async { "served" }));
            let stopped = async {
                let _ = stopped.await;
            };
            runtime.block_on(web::serve(
                listener,
                Some(tls),
                router,
                web::Connections::default(),
                stopped,
            ))
        }
    });
    assert_eq!(
        get_with(&trusting(&first), address).expect("an answer"),
        "served"
    );

    let second = write_certificate(&files);
    assert!(
        get_with(&trusting(&second), address).is_err(),
        "the old one is still served"
    );
    tls.reload().expect("reloads");
    assert_eq!(
        get_with(&trusting(&second), address).expect("an answer"),
        "served"
    );
    assert!(get_with(&trusting(&first), address).is_err());

    std::fs::write(&files.certificates, "nonsense").expect("written");
    assert!(tls.reload().is_err(), "a broken file is refused");
    assert_eq!(
        get_with(&trusting(&second), address).expect("an answer"),
        "served"
    );

    drop(stop);
    serving.join().expect("no panic").expect("stops in order");
}

#[test]
fn what_is_wrong_with_the_files_is_said_with_their_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = files_in(folder.path());
    let missing = Tls::load(files.clone(), provider()).expect_err("nothing there");
    assert!(missing.to_string().contains("certificate.pem"), "{missing}");
    write_certificate(&files);
    let other = rcgen::KeyPair::generate().expect("a key");
    std::fs::write(&files.key, other.serialize_pem()).expect("written");
    let misfit = Tls::load(files, provider()).expect_err("another key");
    assert!(misfit.to_string().contains("cannot be used"), "{misfit}");
}
