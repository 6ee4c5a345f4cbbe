//! A manager on loopback that behaves as a script says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use codec::key::{ContentHash, ReportKey, SpoolEpoch, Stream};
use codec::time::Timestamp;

use super::{PATIENCE, agent};

/// How the manager answers one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// With the receipt it should.
    Receipt,
    /// With the receipt, byte by byte.
    SlowReceipt,
    /// With a receipt for another report.
    WrongReceipt,
    /// With 200 and a page.
    LoginPage,
    /// With 200 and a page that is longer than any receipt.
    LongPage,
    /// With a status and headers and no JSON.
    Status(&'static str),
    /// With a status and a refusal of this report.
    Refusal(&'static str),
    /// With bytes that are no HTTP.
    Garbage,
    /// By closing the connection after the request.
    Hangup,
    /// By closing the connection in the middle of the body.
    DieInBody,
    /// With the receipt, and the wish to get these again.
    NeedAgain(u64, u64),
    /// Not at all.
    Stall,
}

/// What the manager saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub stream: Stream,
    pub sequence: u64,
    pub authorization: String,
    pub encoding: String,
    pub has_clocks: bool,
}

/// A manager on loopback that follows a script and then gives receipts.
pub struct Manager {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    changed: Arc<Condvar>,
}

impl Manager {
    pub fn start(script: &[Act], epoch: SpoolEpoch) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let manager = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            changed: Arc::default(),
        };
        let (seen, changed) = (Arc::clone(&manager.seen), Arc::clone(&manager.changed));
        let script = Arc::new(Mutex::new(script.to_vec()));
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let (seen, changed) = (Arc::clone(&seen), Arc::clone(&changed));
                let script = Arc::clone(&script);
                std::thread::spawn(move || {
                    let socket = socket.unwrap();
                    loop {
                        let dies = script.lock().unwrap().first() == Some(&Act::DieInBody);
                        let read_max = if dies { 1000 } else { usize::MAX };
                        let Some(request) = read_part(&socket, read_max) else {
                            return;
                        };
                        let act = {
                            let mut seen = seen.lock().unwrap();
                            seen.push(request.0.clone());
                            changed.notify_all();
                            let mut script = script.lock().unwrap();
                            if script.is_empty() {
                                Act::Receipt
                            } else {
                                script.remove(0)
                            }
                        };
                        if !answer(&socket, act, &key(epoch, &request.0, &request.1)) {
                            return;
                        }
                    }
                });
            }
        });
        manager
    }

    /// Waits until so many requests came.
    pub fn wait_for(&self, count: usize) -> Vec<Seen> {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.seen.lock().unwrap();
        while seen.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "only {seen:?} after {PATIENCE:?}");
            seen = self.changed.wait_timeout(seen, left).unwrap().0;
        }
        seen.clone()
    }
}

pub fn key(epoch: SpoolEpoch, seen: &Seen, body: &[u8]) -> ReportKey {
    ReportKey {
        agent: agent(),
        epoch,
        stream: seen.stream,
        sequence: seen.sequence,
        hash: ContentHash::of(body),
    }
}

pub fn read_request(stream: impl Read) -> Option<(Seen, Vec<u8>)> {
    read_part(stream, usize::MAX)
}

/// Reads a request, and of its body so many bytes at most.
fn read_part(stream: impl Read, body_bytes_max: usize) -> Option<(Seen, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    assert!(line.starts_with("POST /v1/reports HTTP/1.1"), "{line}");
    let mut headers = std::collections::HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        match line.trim().split_once(": ") {
            Some((name, value)) => {
                headers.insert(name.to_ascii_lowercase(), value.to_owned());
            }
            None => break,
        }
    }
    let length: usize = headers["content-length"].parse().unwrap();
    let mut body = vec![0; length.min(body_bytes_max)];
    reader.read_exact(&mut body).ok()?;
    // The test's bodies say what they are: `meters 3 …`.
    let text = String::from_utf8_lossy(&body).into_owned();
    let mut words = text.split(' ');
    let seen = Seen {
        stream: Stream::from_name(words.next().unwrap()).unwrap(),
        sequence: words.next().unwrap().parse().unwrap(),
        authorization: headers.remove("authorization").unwrap_or_default(),
        encoding: headers.remove("content-encoding").unwrap_or_default(),
        has_clocks: headers["platen-sent-at"].parse::<Timestamp>().is_ok()
            && headers["platen-uptime-ms"].parse::<u64>().is_ok(),
    };
    Some((seen, body))
}

/// Answers, and says whether the connection goes on.
fn answer(mut socket: &TcpStream, act: Act, key: &ReportKey) -> bool {
    let reply = |mut socket: &TcpStream, status: &str, body: &str| {
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        socket.write_all(format!("{head}{body}").as_bytes()).is_ok()
    };
    let receipt = serde_json::json!({ "receipt": key, "need_full": ["d7"] }).to_string();
    match act {
        Act::Receipt => reply(socket, "200 OK", &receipt),
        Act::SlowReceipt => {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                receipt.len()
            );
            (head + &receipt).bytes().all(|byte| {
                socket
                    .write_all(&[byte])
                    .and_then(|()| socket.flush())
                    .is_ok()
            })
        }
        Act::WrongReceipt => {
            let mut other = key.clone();
            other.sequence += 1;
            let receipt = serde_json::json!({ "receipt": other }).to_string();
            reply(socket, "200 OK", &receipt)
        }
        Act::LoginPage => reply(socket, "200 OK", "<html>Please log in</html>"),
        Act::LongPage => reply(socket, "200 OK", &"x".repeat(2_000_000)),
        Act::Status(status) => reply(socket, status, "try later"),
        Act::Refusal(status) => {
            let refusal = serde_json::json!({
                "refused": key, "reason": "malformed", "detail": "at byte 7",
            });
            reply(socket, status, &refusal.to_string())
        }
        Act::Garbage => {
            let _ = socket.write_all(&[0xff; 600]);
            false
        }
        Act::Hangup | Act::DieInBody => false,
        Act::NeedAgain(from, to) => {
            let again = serde_json::json!({
                "receipt": key, "need_again": [{ "from": from, "to": to }],
            });
            reply(socket, "200 OK", &again.to_string())
        }
        Act::Stall => {
            // Until the other side gives up.
            let _ = socket.read(&mut [0; 1]);
            false
        }
    }
}
