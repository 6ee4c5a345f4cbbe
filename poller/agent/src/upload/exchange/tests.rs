//! Keys between an agent and a manager on loopback that loses answers, forgets keys and refuses them.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use codec::envelope::Encoding;
use codec::key::{Receipt, ReportKey, SpoolEpoch, Stream};
use codec::time::Timestamp;
use serde_json::Value;

use super::*;
use crate::config::{AgentConfig, PLACEHOLDER};
use crate::spool::{Meta, Waiting};
use crate::upload::http::HttpTransport;
use crate::upload::{Outcome, Transport};

/// What the manager knows, as the registry does.
#[derive(Default)]
struct Known {
    token: String,
    used_for: Option<ContentHash>,
    key: Option<ContentHash>,
    next: Option<ContentHash>,
    renew: bool,
    /// How many answers get lost from now on, though what was asked is done.
    lost: usize,
    asked: Vec<String>,
}

impl Known {
    fn lets_in(&mut self, bearer: Option<&str>) -> bool {
        let Some(hash) = bearer.map(|key| ContentHash::of(key.as_bytes())) else {
            return false;
        };
        if self.next == Some(hash) {
            self.key = self.next.take();
        }
        self.key == Some(hash)
    }

    fn answer(&mut self, path: &str, bearer: Option<&str>, body: &[u8]) -> (u16, String) {
        self.asked.push(path.to_owned());
        let refused = |status, detail: &str| {
            (
                status,
                json!({ "reason": "r", "detail": detail }).to_string(),
            )
        };
        let wished = || -> (Value, ContentHash) {
            let wish: Value = serde_json::from_slice(body).unwrap();
            let hash = wish["key_hash"].as_str().unwrap().parse().unwrap();
            (wish, hash)
        };
        let exchanged = |hash| {
            (
                200,
                json!({ "agent": "werk", "key_hash": hash }).to_string(),
            )
        };
        match path {
            "/v1/enrol" => {
                let (wish, hash) = wished();
                if wish["token"] != self.token.as_str() {
                    return refused(401, "this enrolment token is not known");
                }
                if self.used_for.is_some_and(|used| used != hash) {
                    return refused(409, "this enrolment token was used already");
                }
                self.used_for = Some(hash);
                self.key = Some(hash);
                exchanged(hash)
            }
            "/v1/key" => {
                if !self.lets_in(bearer) {
                    return refused(401, "this key is no agent's");
                }
                let (_, hash) = wished();
                if self.key != Some(hash) {
                    self.next = Some(hash);
                }
                exchanged(hash)
            }
            _ if !self.lets_in(bearer) => refused(401, "this key was revoked"),
            _ => {
                let mut receipt = Receipt::of(report_key(body));
                receipt.renew_key = self.renew;
                (200, serde_json::to_string(&receipt).unwrap())
            }
        }
    }
}

fn manager(known: &Arc<Mutex<Known>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let known = Arc::clone(known);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let known = Arc::clone(&known);
            std::thread::spawn(move || serve(&socket, &known));
        }
    });
    address
}

fn serve(mut socket: &TcpStream, known: &Mutex<Known>) -> Option<()> {
    let mut reader = BufReader::new(socket);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
            let Some((name, value)) = line.trim().split_once(": ") else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        let bearer = headers.get("authorization");
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let (status, text) = {
            let mut known = known.lock().unwrap();
            let answer = known.answer(&path, bearer, &body);
            if known.lost > 0 {
                known.lost -= 1;
                return None;
            }
            answer
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        socket.write_all((head + &text).as_bytes()).ok()?;
    }
}

fn report_key(sealed: &[u8]) -> ReportKey {
    ReportKey {
        agent: AgentId::new("werk").unwrap(),
        epoch: SpoolEpoch(1),
        stream: Stream::Meters,
        sequence: 1,
        hash: ContentHash::of(sealed),
    }
}

fn report() -> Waiting {
    let sealed = b"sealed".to_vec();
    let key = report_key(&sealed);
    let meta = Meta {
        encoding: Encoding::Gzip,
        epoch: key.epoch,
        hash: key.hash,
        sealed_at: Timestamp::now(),
        devices: 1,
    };
    Waiting { key, meta, sealed }
}

struct Fixture {
    known: Arc<Mutex<Known>>,
    config: ManagerConfig,
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Fixture {
    fn new() -> Self {
        let known = Arc::new(Mutex::new(Known {
            token: "plt_enrol_t".to_owned(),
            ..Known::default()
        }));
        let folder = tempfile::tempdir().unwrap();
        let url = format!("http://{}", manager(&known));
        let (nobody, none) = (
            AgentId::new("nobody").unwrap(),
            Secret::new(PLACEHOLDER.into()),
        );
        let config = AgentConfig::new(url, nobody, none, PathBuf::new()).manager;
        Self {
            known,
            config,
            path: folder.path().join("agent.key"),
            _folder: folder,
        }
    }

    fn enrol(&self, token: &str) -> Result<AgentId, EnrolError> {
        enrol(&self.config, token, &self.path, Clock::new())
    }

    /// The agent started anew: what stands in the file.
    fn transport(&self) -> HttpTransport {
        let file = KeyFile::read(&self.path).unwrap().unwrap();
        let config = ManagerConfig {
            token: file.key().unwrap().clone(),
            key_file: Some(self.path.clone()),
            ..self.config.clone()
        };
        HttpTransport::new(&config, Clock::new()).unwrap()
    }

    fn known<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.known.lock().unwrap())
    }
}

fn is_delivered(transport: &HttpTransport) -> bool {
    matches!(transport.deliver(&report()), Outcome::Delivered { .. })
}

#[test]
fn a_lost_answer_to_the_exchange_strands_nobody() {
    let fixture = Fixture::new();
    fixture.known(|known| known.lost = 1);
    let error = fixture.enrol("plt_enrol_t").unwrap_err();
    assert!(matches!(error, EnrolError::Again(_)), "{error}");
    assert!(error.to_string().contains("goes on where"), "{error}");
    assert!(
        fixture.known(|known| known.key.is_some()),
        "the manager did it"
    );
    assert_eq!(fixture.enrol("plt_enrol_t").unwrap().as_str(), "werk");
    assert!(is_delivered(&fixture.transport()));

    // Elsewhere the token is worth nothing now, and the refusal is the manager's own sentence.
    let elsewhere = fixture.path.with_file_name("other.key");
    let thief = enrol(&fixture.config, "plt_enrol_t", &elsewhere, Clock::new());
    let error = thief.unwrap_err().to_string();
    assert!(error.contains("was used already"), "{error}");
    // A refused exchange leaves the key that is there alone.
    assert!(fixture.enrol("plt_enrol_guessed").is_err());
    assert!(is_delivered(&fixture.transport()));
}

#[test]
fn what_answers_for_the_manager_does_not_enrol() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let _ = socket.read(&mut [0; 4096]);
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>");
        let _ = socket.read(&mut [0; 1]);
    });
    let fixture = Fixture::new();
    let config = ManagerConfig {
        url: format!("http://{address}"),
        ..fixture.config.clone()
    };
    let error = enrol(&config, "plt_enrol_t", &fixture.path, Clock::new()).unwrap_err();
    assert!(
        error.to_string().contains("without naming the key"),
        "{error}"
    );
}

#[test]
fn a_key_is_renewed_when_the_manager_asks_and_a_crash_at_any_step_leaves_a_good_one() {
    // The number of answers that are lost before each start: to the report, to the registration, to the first use.
    for lost in 0..4 {
        let fixture = Fixture::new();
        fixture.enrol("plt_enrol_t").unwrap();
        let first = fixture.known(|known| known.key);
        fixture.known(|known| known.renew = true);
        for step in 0..3 {
            // Every start is a new one: the file is all that it has.
            let transport = fixture.transport();
            fixture.known(|known| known.lost = if step == 0 { lost } else { 0 });
            let outcome = transport.deliver(&report());
            let is_good = matches!(outcome, Outcome::Delivered { .. } | Outcome::Later { .. });
            assert!(is_good, "{lost} lost, step {step}: {outcome:?}");
            fixture.known(|known| known.lost = 0);
            assert!(is_delivered(&transport), "{lost} lost, step {step}");
            assert!(
                is_delivered(&fixture.transport()),
                "{lost} lost, step {step}"
            );
        }
        let now = fixture.known(|known| known.key);
        assert!(now.is_some() && now != first, "{lost} lost: it was renewed");
    }
}

#[test]
fn a_manager_restored_from_a_backup_learns_of_the_present_key() {
    let fixture = Fixture::new();
    fixture.enrol("plt_enrol_t").unwrap();
    let backup = fixture.known(|known| known.key);
    fixture.known(|known| known.renew = true);
    let transport = fixture.transport();
    assert!(is_delivered(&transport));
    fixture.known(|known| known.renew = false);
    assert!(is_delivered(&transport));
    let present = fixture.known(|known| known.key);
    assert_ne!(present, backup);
    fixture.known(|known| (known.key, known.next) = (backup, None));
    assert!(is_delivered(&transport), "at once, without a hand");
    assert_eq!(fixture.known(|known| known.key), present);
}

#[test]
fn a_revoked_key_is_said_in_the_managers_words_and_nothing_else_is_tried() {
    let fixture = Fixture::new();
    fixture.enrol("plt_enrol_t").unwrap();
    let transport = fixture.transport();
    fixture.known(|known| (known.key, known.next) = (None, None));
    fixture.known(|known| known.asked.clear());
    let Outcome::Unauthorised { why } = transport.deliver(&report()) else {
        panic!("it is refused");
    };
    assert!(why.contains("this key was revoked"), "{why}");
    assert!(why.contains("waits in the spool"), "{why}");
    assert_eq!(fixture.known(|known| known.asked.clone()), ["/v1/reports"]);
}
