//! An agent comes to a manager with nothing but a token, over TLS with certificates on both sides, and loses its key again; and a manager
//! that was restored from a backup gets back what it had acknowledged since.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use agent::clock::Clock;
use agent::config::{ClientCertificate, ManagerConfig, PLACEHOLDER, Secret};
use agent::spool::{Meta, Spool};
use agent::upload::http::HttpTransport;
use agent::upload::keys::KeyFile;
use agent::upload::{NeedFull, UploadOptions, Uploader, exchange};
use agent::{AgentConfig, StatusHandle, StopHandle};
use codec::envelope::Encoding;
use codec::id::AgentId;
use codec::key::{ContentHash, Stream};
use codec::time::Timestamp;
use journal::StdDisk;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use common::{
    ManagerUnderTest, READY_MAX, Running, SOON, command_with_input, free_port, platen,
    sealed_report, wait_for,
};

const DEVICES: u64 = 2;

/// The half of an agent that has something to deliver.
struct Sender {
    config: AgentConfig,
    spool: Arc<Mutex<Spool<StdDisk>>>,
    sequence: u64,
}

/// Its deliveries, for as long as they run.
struct Sending {
    uploader: Uploader,
    status: StatusHandle,
    stop: StopHandle,
}

impl Sender {
    fn new(manager: ManagerConfig, folder: &Path) -> Self {
        let (id, key) = (manager.agent_id.clone(), manager.token.clone());
        let mut config = AgentConfig::new(manager.url.clone(), id, key, folder.join("spool"));
        config.manager = manager;
        let id = &config.manager.agent_id;
        let spool = Spool::open(&config.spool, id, Timestamp::now()).expect("a spool");
        Self {
            config,
            spool: Arc::new(Mutex::new(spool)),
            sequence: 0,
        }
    }

    /// Seals reports.
    fn put(&mut self, count: u64) {
        let mut spool = self.spool.lock().expect("nobody panicked");
        for _ in 0..count {
            self.sequence += 1;
            // Two readings of one meter at the same millisecond would contradict each other.
            let last = Timestamp::now();
            while Timestamp::now() <= last {
                std::thread::yield_now();
            }
            let id = self.config.manager.agent_id.as_str();
            let sealed = sealed_report(id, spool.epoch(), self.sequence, DEVICES);
            let meta = Meta {
                encoding: Encoding::Gzip,
                epoch: spool.epoch(),
                hash: ContentHash::of(&sealed),
                sealed_at: Timestamp::now(),
                devices: 2,
            };
            spool
                .append(
                    Stream::Meters,
                    &meta,
                    self.sequence,
                    &sealed,
                    Timestamp::now(),
                )
                .expect("the spool takes it");
        }
    }

    fn send(&self) -> Sending {
        let manager = &self.config.manager;
        let transport = HttpTransport::new(manager, Clock::new()).expect("a transport");
        let (status, stop) = (StatusHandle::new(), StopHandle::new());
        let uploader = Uploader::start(
            &self.spool,
            Arc::new(transport),
            UploadOptions {
                in_flight: manager.in_flight,
                rate_bytes_max: None,
            },
            &(Arc::new(|_| ()) as Arc<NeedFull>),
            &status,
            &stop,
        );
        Sending {
            uploader: uploader.expect("threads"),
            status,
            stop,
        }
    }

    fn waits(&self) -> u64 {
        let spool = self.spool.lock().expect("nobody panicked");
        spool.depth(Stream::Meters).0
    }

    /// Delivers what waits.
    fn deliver(&self) {
        let sending = self.send();
        wait_for("every report to have its receipt", SOON, || {
            (self.waits() == 0).then_some(())
        });
        sending.end();
    }
}

impl Sending {
    fn end(self) -> StatusHandle {
        self.stop.stop();
        self.uploader.join();
        self.status
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("valid");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed")
}

/// Writes a certificate of that name and its key.
fn certificate(authority: &Authority, name: &str, folder: &Path, file: &str) -> ClientCertificate {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("valid");
    let certificate = params.signed_by(&key, authority).expect("signed");
    let files = ClientCertificate {
        certificate_file: folder.join(format!("{file}.crt")),
        key_file: folder.join(format!("{file}.key")),
    };
    std::fs::write(&files.certificate_file, certificate.pem()).expect("written");
    std::fs::write(&files.key_file, key.serialize_pem()).expect("written");
    files
}

fn manager_command(config: &Path, arguments: &[&str]) -> String {
    command_with_input(platen().args(arguments).arg("--config").arg(config), "")
}

#[test]
fn an_agent_enrols_with_a_token_delivers_with_its_key_and_ends_when_that_is_revoked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let (servers, clients) = (authority(), authority());
    std::fs::write(folder.join("servers.pem"), servers.pem()).expect("written");
    std::fs::write(folder.join("clients.pem"), clients.pem()).expect("written");
    certificate(&servers, "127.0.0.1", folder, "manager");
    let port = free_port();
    let config = folder.join("platen.toml");
    let text = format!(
        "data = \"data\"\nlog = \"warn\"\n[web]\nlisten = \"127.0.0.1:{port}\"\ntls_certificate = \"manager.crt\"\n\
         tls_key = \"manager.key\"\ntls_client_ca = \"clients.pem\"\ntls_clients = \"required\"\n"
    );
    std::fs::write(&config, text).expect("written");
    let printed = manager_command(&config, &["agent", "enrol", "Werk 2", "--expires", "1h"]);
    let url = format!("https://127.0.0.1:{port}");
    let command = format!("platen-agent enrol --manager {url} --token ");
    let token = printed.trim().strip_prefix(&command).expect("a command");
    let listed = manager_command(&config, &["agent", "list"]);
    assert!(listed.contains("may enrol until"), "{listed}");

    let child = Command::new(platen().get_program())
        .args(["manager", "--config"])
        .arg(&config)
        .stdin(Stdio::null())
        .spawn();
    let running = Running(child.expect("the manager starts"));
    wait_for("the manager to listen", READY_MAX, || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });

    let nobody: AgentId = "nobody".parse().expect("an id");
    let no_key = Secret::new(PLACEHOLDER.to_owned());
    let mut way = AgentConfig::new(url, nobody, no_key, PathBuf::new()).manager;
    way.tls.pinned_ca_file = Some(folder.join("servers.pem"));
    let key_file = folder.join("agent.key");
    let enrol = |way: &ManagerConfig, token: &str| {
        exchange::enrol(way, token, &key_file, Clock::new()).map_err(|error| error.to_string())
    };
    let bare = enrol(&way, token).expect_err("without a certificate");
    assert!(bare.contains("client certificate"), "{bare}");
    way.tls.client = Some(certificate(&clients, "huber", folder, "huber"));
    let other = enrol(&way, token).expect_err("with somebody else's");
    assert!(other.contains("not that of agent werk-2"), "{other}");
    way.tls.client = Some(certificate(&clients, "werk-2", folder, "werk"));
    let id = enrol(&way, token).expect("with its own; the token was not used up");
    assert_eq!(id.as_str(), "werk-2");

    // From here on as `run` reads it from the file.
    let manager = || ManagerConfig {
        agent_id: id.clone(),
        token: KeyFile::read(&key_file)
            .expect("a key file")
            .and_then(|file| file.key().cloned())
            .expect("a key"),
        key_file: Some(key_file.clone()),
        ..way.clone()
    };
    let mut sender = Sender::new(manager(), folder);
    sender.put(3);
    sender.deliver();

    let revoked = manager_command(&config, &["agent", "revoke", "werk-2"]);
    assert!(revoked.contains("let in no more"), "{revoked}");
    // The running manager notices within a second what was written beside it.
    let why = wait_for("the key to be refused", SOON, || {
        sender.put(1);
        let sending = sender.send();
        let status = wait_for("an answer", SOON, || {
            let status = sending.status.read();
            (status.delivery_error.is_some() || sender.waits() == 0).then_some(status)
        });
        sending.end();
        status.delivery_error
    });
    assert!(why.contains("replaced or revoked"), "{why}");
    assert_eq!(sender.waits(), 1, "what was read waits");

    let printed = manager_command(&config, &["agent", "enrol", "werk-2"]);
    let second = printed.trim().strip_prefix(&command).expect("a command");
    assert!(enrol(&way, token).is_err(), "the first token is used up");
    assert_eq!(enrol(&way, second), Ok(id.clone()));
    sender.config.manager = manager();
    sender.deliver();
    assert_eq!(running.interrupt(), Some(0));
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("copied");
        }
    }
}

#[test]
fn a_manager_restored_from_a_backup_gets_everything_again_once() {
    let manager = ManagerUnderTest::prepare();
    let id: AgentId = manager.agent_id.parse().expect("an id");
    let token = Secret::new(manager.agent_token.clone());
    let url = manager.asker.url.clone();
    let way = AgentConfig::new(url, id, token, PathBuf::new()).manager;
    let mut sender = Sender::new(way, manager.folder.path());
    let deliver = |sender: &mut Sender, count: u64| {
        let running = manager.start();
        sender.put(count);
        sender.deliver();
        assert_eq!(running.interrupt(), Some(0));
    };
    let (data, backup) = (
        manager.folder.path().join("data"),
        manager.folder.path().join("backup"),
    );
    deliver(&mut sender, 5);
    copy_folder(&data, &backup);
    deliver(&mut sender, 6);
    std::fs::remove_dir_all(&data).expect("the disk died");
    std::fs::rename(&backup, &data).expect("restored");
    // One new report shows what is missing; the receipt asks for it, and it comes from what the spool still keeps.
    let running = manager.start();
    sender.put(1);
    let sending = sender.send();
    let all = (1..=12)
        .map(|value| (value, 1))
        .collect::<BTreeMap<u64, u32>>();
    wait_for("every reading, once", SOON, || {
        let devices = manager.asker.items("/api/v1/devices");
        let is_whole = |device: &serde_json::Value| {
            let id = device["id"].as_str().expect("an id");
            let path = format!("/api/v1/devices/{id}/readings");
            let mut times: BTreeMap<u64, u32> = BTreeMap::new();
            let readings = manager.asker.items(&path);
            for reading in &readings {
                *times
                    .entry(reading["value"].as_u64().expect("a value"))
                    .or_default() += 1;
            }
            let is_once = times.values().all(|count| *count == 1);
            assert!(is_once, "twice: {readings:#?}");
            times == all
        };
        (devices.len() as u64 == DEVICES && devices.iter().all(is_whole)).then_some(())
    });
    let status = sending.end().read();
    assert_eq!(status.streams[0].receipts, 7, "one new, six again");
    assert_eq!(sender.waits(), 0);
    assert_eq!(running.interrupt(), Some(0));
}
