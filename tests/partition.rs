//! A network that refuses, stalls, resets and cuts between a real agent and a real manager, while printers print: when it has healed, nothing
//! that was acknowledged is missing, nothing is there twice, and a rebuild gives the same row for row.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use common::agent::{AgentUnderTest, check_whole_and_once, fleet, readings, settled};
use common::{ManagerUnderTest, SOON, wait_for};

const PRINTERS: u32 = 8;
/// How often each accident happens at the least: an agent rests longer after every failure, so not often.
const EACH_MIN: u32 = 1;
/// How long a stalled connection stands still.
const STALL: Duration = Duration::from_millis(1_500);
/// Who looks whether the network has healed, or the other side is gone, looks so often.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the network does to a connection. Bytes are counted in the direction that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It works.
    Through,
    /// It is closed before anything is read.
    Refused,
    /// It breaks in the middle of a request's body.
    CutRequest,
    /// The request arrives, its answer does not.
    LostAnswer,
    /// The answer breaks off in its middle.
    CutAnswer,
    /// It stands still in the middle of a request, and is closed then.
    Stalled,
}

/// In turn, so that each happens; what works lies between, so that the agent's patience begins anew.
const FATES: [Fate; 10] = [
    Fate::LostAnswer,
    Fate::Through,
    Fate::CutRequest,
    Fate::Through,
    Fate::CutAnswer,
    Fate::Through,
    Fate::Stalled,
    Fate::Through,
    Fate::Refused,
    Fate::Through,
];

/// Of the requests: past the head, within the smallest body that an agent seals.
const CUT_REQUEST_BYTES: usize = 500;
/// Of the answers: within the receipt.
const CUT_ANSWER_BYTES: usize = 200;

/// A network between the two.
struct Network {
    url: String,
    healed: Arc<AtomicBool>,
    /// How often each fate came about, in the order of [`FATES`].
    happened: Arc<[AtomicU32; FATES.len()]>,
}

impl Network {
    fn before(target: &str) -> Self {
        let target = target.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let healed = Arc::new(AtomicBool::new(false));
        let happened: Arc<[AtomicU32; FATES.len()]> = Arc::default();
        let (is_healed, counts) = (Arc::clone(&healed), Arc::clone(&happened));
        // It ends with the test's process.
        std::thread::spawn(move || {
            let mut turns = (0..FATES.len()).cycle();
            for agent in listener.incoming().flatten() {
                let turn = turns.next().expect("it never ends");
                let fate = if is_healed.load(Relaxed) {
                    Fate::Through
                } else {
                    FATES[turn]
                };
                let (target, healed) = (target.clone(), Arc::clone(&is_healed));
                let counts = Arc::clone(&counts);
                std::thread::spawn(move || {
                    if carry(&agent, &target, fate, &healed).unwrap_or(false) {
                        counts[turn].fetch_add(1, Relaxed);
                    }
                });
            }
        });
        Self {
            url,
            healed,
            happened,
        }
    }

    /// Whether every accident happened often enough.
    fn is_tried(&self) -> bool {
        let counts = self.happened.iter().zip(FATES);
        counts
            .filter(|(_, fate)| *fate != Fate::Through)
            .all(|(count, _)| count.load(Relaxed) >= EACH_MIN)
    }
}

/// Carries one connection to its fate; says whether that came about.
fn carry(
    agent: &TcpStream,
    target: &str,
    fate: Fate,
    healed: &AtomicBool,
) -> std::io::Result<bool> {
    if fate == Fate::Refused {
        agent.shutdown(Shutdown::Both)?;
        return Ok(true);
    }
    let manager = TcpStream::connect(target)?;
    let (request_max, answer_max) = match fate {
        Fate::CutRequest | Fate::Stalled => (CUT_REQUEST_BYTES, usize::MAX),
        Fate::LostAnswer => (usize::MAX, 0),
        Fate::CutAnswer => (usize::MAX, CUT_ANSWER_BYTES),
        Fate::Through | Fate::Refused => (usize::MAX, usize::MAX),
    };
    let is_over = AtomicBool::new(false);
    let end = || {
        is_over.store(true, Relaxed);
        // One of them may be closed already.
        let _ = (
            agent.shutdown(Shutdown::Both),
            manager.shutdown(Shutdown::Both),
        );
    };
    let goes_on = || !is_over.load(Relaxed);
    let (asked, answered) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let is_cut = pump(agent, &manager, request_max, |_| goes_on());
            if fate == Fate::Stalled && is_cut {
                std::thread::park_timeout(STALL);
            }
            end();
            is_cut
        });
        // While accidents happen no connection outlives its answer: the next has a fate of its own.
        let answered = pump(&manager, agent, answer_max, |passed| {
            goes_on() && (passed == 0 || healed.load(Relaxed))
        });
        end();
        (asking.join().expect("a pump does not panic"), answered)
    });
    Ok(match fate {
        Fate::CutRequest | Fate::Stalled => asked,
        Fate::LostAnswer | Fate::CutAnswer => answered,
        Fate::Through | Fate::Refused => true,
    })
}

/// Passes bytes on until the end, or until more than `max` came, of which `max` are passed on; says whether that was it. When nothing comes
/// for a moment, `goes_on` is told how many were passed on.
fn pump(
    mut from: &TcpStream,
    mut to: &TcpStream,
    max: usize,
    goes_on: impl Fn(usize) -> bool,
) -> bool {
    let mut passed = 0;
    let mut part = [0; 4096];
    from.set_read_timeout(Some(LOOK_EVERY))
        .expect("a socket has a timeout");
    loop {
        let count = match from.read(&mut part) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut if goes_on(passed) => continue,
                _ => return false,
            },
        };
        let left = max - passed;
        if to.write_all(&part[..count.min(left)]).is_err() {
            return false;
        }
        if count > left {
            return true;
        }
        passed += count;
    }
}

#[test]
fn whatever_the_network_does_what_an_agent_was_promised_is_there_once() {
    let fleet = fleet(PRINTERS);
    let manager = ManagerUnderTest::prepare();
    let network = Network::before(&manager.asker.url);
    let agent = AgentUnderTest::prepare(&manager, &network.url, &fleet);
    let (running, polling) = (manager.start(), agent.spawn());
    wait_for("every accident to happen", SOON, || {
        network.is_tried().then_some(())
    });
    network.healed.store(true, Relaxed);
    wait_for("every printer to be there", SOON, || {
        let devices = manager.asker.items("/api/v1/devices");
        (devices.len() as u64 == u64::from(PRINTERS)).then_some(())
    });
    let heard = || manager.asker.json("/api/v1/agents")["items"][0]["last_heard"].clone();
    let before = heard();
    wait_for("reports after the last accident", SOON, || {
        (heard() != before && !readings(&manager).is_empty()).then_some(())
    });
    // What was journaled and its answer lost was sent again: it is known, and there once.
    let duplicates = wait_for("a report that came twice", SOON, || {
        let (_, metrics) = manager.asker.get("/metrics")?;
        let mut lines = metrics.lines();
        let count = lines.find_map(|line| line.strip_prefix("platen_ingest_duplicates_total "))?;
        count.parse().ok().filter(|count: &u64| *count > 0)
    });
    assert_eq!(polling.interrupt(), Some(0));
    let stored = settled(&manager);
    assert_eq!(running.interrupt(), Some(0));
    check_whole_and_once(&manager, &stored);
    println!("{duplicates} reports came twice; {} readings", stored.len());
    fleet.stop();
}
