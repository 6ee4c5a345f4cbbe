//! A network that drops, cuts and half-closes connections between agent and manager: what was acknowledged is stored, each report once.

mod common;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use codec::key::{ContentHash, Receipt, SpoolEpoch};

use common::{Asker, ManagerUnderTest, SOON, sealed_report, wait_for};

const SEED: u64 = 20_261_121;
/// Reports to be delivered: each costs some connections.
const REPORTS: u64 = 60;
const DEVICES: u64 = 2;
/// Longer than any answer takes on a busy machine: a connection that is cut is not waited for.
const STALL: Duration = Duration::from_secs(20);

/// What the network does to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It works.
    Through,
    /// Nobody answers the call.
    Refused,
    /// It breaks in the middle of the request.
    CutRequest(usize),
    /// The request arrives, the answer does not.
    CutAnswer(usize),
    /// The agent's half is closed early; the answer still comes.
    HalfClosed,
}

/// A network between the two, whose accidents follow from a seed.
struct Network {
    url: String,
    healed: Arc<AtomicBool>,
    /// Answers that were thrown away after the manager had given them.
    lost_answers: Arc<AtomicU32>,
}

impl Network {
    fn before(target: &str) -> Self {
        let target = target.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let healed = Arc::new(AtomicBool::new(false));
        let lost_answers = Arc::new(AtomicU32::new(0));
        let (is_healed, lost) = (Arc::clone(&healed), Arc::clone(&lost_answers));
        // It ends with the test's process.
        std::thread::spawn(move || {
            let mut random = SEED;
            for agent in listener.incoming() {
                let Ok(agent) = agent else { continue };
                let fate = if is_healed.load(Ordering::Relaxed) {
                    Fate::Through
                } else {
                    fate(&mut random)
                };
                let (target, lost) = (target.clone(), Arc::clone(&lost));
                std::thread::spawn(move || {
                    if let Ok(true) = carry(agent, &target, fate) {
                        lost.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Self {
            url,
            healed,
            lost_answers,
        }
    }
}

fn fate(random: &mut u64) -> Fate {
    *random = random
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    let roll = *random >> 33;
    let bytes = usize::try_from(roll >> 8 & 1_023).unwrap_or(0);
    match roll % 8 {
        0..=2 => Fate::Through,
        3 => Fate::Refused,
        4 => Fate::CutRequest(bytes),
        5 => Fate::CutAnswer(0),
        6 => Fate::CutAnswer(bytes % 200),
        _ => Fate::HalfClosed,
    }
}

/// Carries one exchange; says whether an answer was lost.
fn carry(mut agent: TcpStream, target: &str, fate: Fate) -> std::io::Result<bool> {
    agent.set_read_timeout(Some(STALL))?;
    if fate == Fate::Refused {
        return Ok(false);
    }
    let request = read_request(&mut agent)?;
    if request.is_empty() {
        return Ok(false);
    }
    let mut manager = TcpStream::connect(target)?;
    manager.set_read_timeout(Some(STALL))?;
    match fate {
        Fate::CutRequest(bytes) => {
            manager.write_all(&request[..bytes.min(request.len() - 1)])?;
            return Ok(false);
        }
        Fate::HalfClosed => {
            manager.write_all(&request)?;
            manager.shutdown(Shutdown::Write)?;
        }
        _ => manager.write_all(&request)?,
    }
    let mut answer = Vec::new();
    manager.read_to_end(&mut answer)?;
    match fate {
        Fate::CutAnswer(bytes) => {
            agent.write_all(&answer[..bytes.min(answer.len())])?;
            Ok(true)
        }
        _ => agent.write_all(&answer).map(|()| false),
    }
}

/// A request with its body, made to end the connection so that its answer ends too.
fn read_request(agent: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let count = agent.read(&mut part)?;
        bytes.extend_from_slice(&part[..count]);
        let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            if count == 0 {
                return Ok(Vec::new());
            }
            continue;
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|length| length.trim().parse().ok())
            .unwrap_or(0);
        if bytes.len() >= head + 4 + length {
            let mut request = bytes[..head].to_vec();
            request.extend_from_slice(b"\r\nconnection: close");
            request.extend_from_slice(&bytes[head..]);
            return Ok(request);
        }
        if count == 0 {
            return Ok(Vec::new());
        }
    }
}

#[test]
fn whatever_the_network_does_what_is_acknowledged_is_there_once() {
    let manager = ManagerUnderTest::prepare();
    let running = manager.start();
    let network = Network::before(&manager.asker.url);
    // No connection outlives its request: each has a fate of its own.
    let mut attempts = 0_u64;
    for sequence in 1..=REPORTS {
        let sealed = sealed_report(&manager.agent_id, SpoolEpoch(7), sequence, DEVICES);
        let receipt = wait_for("a receipt", SOON, || {
            attempts += 1;
            let asker = Asker::new(&network.url, "", "");
            match asker.deliver(&manager.agent_token, &sealed) {
                Some((200, body)) => serde_json::from_str::<Receipt>(&body).ok(),
                Some((503 | 400 | 408, _)) | None => None,
                Some((status, body)) => panic!("{sequence} is answered {status}: {body}"),
            }
        });
        assert_eq!(receipt.receipt.sequence, sequence);
        assert_eq!(receipt.receipt.hash, ContentHash::of(&sealed));
    }
    network.healed.store(true, Ordering::Relaxed);
    let lost = network.lost_answers.load(Ordering::Relaxed);
    assert!(lost > 5 && attempts > REPORTS + 10, "{lost}, {attempts}");
    check(&manager);
    assert_eq!(running.interrupt(), Some(0));
    println!("{REPORTS} reports took {attempts} attempts; {lost} answers were lost on the way");
}

fn check(manager: &ManagerUnderTest) {
    wait_for("the last report to be applied", SOON, || {
        let devices = manager.asker.items("/api/v1/devices");
        let is_last =
            |device: &serde_json::Value| device["billed_total"]["value"].as_u64() == Some(REPORTS);
        (devices.len() as u64 == DEVICES && devices.iter().all(is_last)).then_some(())
    });
    for device in manager.asker.items("/api/v1/devices") {
        let id = device["id"].as_str().expect("a device has an id");
        let mut times: BTreeMap<u64, u32> = BTreeMap::new();
        let path = format!("/api/v1/devices/{id}/readings");
        for reading in manager.asker.items(&path) {
            let value = reading["value"].as_u64().expect("a value");
            *times.entry(value).or_default() += 1;
        }
        let expected: BTreeMap<u64, u32> = (1..=REPORTS).map(|value| (value, 1)).collect();
        assert_eq!(times, expected, "device {id}");
    }
}
