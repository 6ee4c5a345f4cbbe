//! Every driver against live agents on the loopback.

#[cfg(target_os = "linux")]
mod forbid;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::*;
use crate::conversation::{Ask, Conversation, Failure};
use crate::engine::{Finished, Job, Memory, PollError, PollOptions, Target};
use crate::oid::Oid;
use crate::testing::{Responder, Script};
use crate::value::ValueRef;

/// Longer than anything here takes on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(60);

const SERIAL: &str = "1.3.6.1.2.1.43.5.1.1.17.1";
const LEVELS: &str = "1.3.6.1.2.1.43.11.1.1.9";

/// An agent on a socket of its own, until it is dropped.
struct Live {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// `None` where the host has no such address.
    fn start(ip: IpAddr, mut responder: Responder) -> Option<Self> {
        let socket = UdpSocket::bind(SocketAddr::new(ip, 0)).ok()?;
        let address = socket.local_addr().ok()?;
        let turn = Duration::from_millis(20);
        socket.set_read_timeout(Some(turn)).ok()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let is_over = is_over.clone();
            move || {
                let mut buffer = [0; 4_096];
                while !is_over.load(Ordering::Relaxed) {
                    if let Ok((bytes, source)) = socket.recv_from(&mut buffer)
                        && let Some(answer) = responder.answer(&buffer[..bytes])
                    {
                        let _ = socket.send_to(&answer, source);
                    }
                }
            }
        });
        Some(Self {
            address,
            is_over,
            thread: Some(thread),
        })
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the agent did not panic");
        }
    }
}

fn loopbacks() -> Vec<IpAddr> {
    vec![
        Ipv4Addr::LOCALHOST.into(),
        Ipv4Addr::new(127, 0, 0, 2).into(),
        Ipv6Addr::LOCALHOST.into(),
    ]
}

fn job(token: usize, address: SocketAddr) -> Job<usize, Script> {
    Job {
        token,
        target: Target::udp(address),
        options: Arc::new(PollOptions::default()),
        memory: Memory::default(),
        conversation: Script::new([Script::get(&[SERIAL]), Script::walk(&[LEVELS], 0, 100)]),
    }
}

fn start(
    driver: DriverChoice,
    options: FleetOptions,
) -> (
    Fleet<usize, Script>,
    mpsc::Receiver<Finished<usize, Script>>,
) {
    let (done, finished) = mpsc::channel();
    let options = FleetOptions { driver, ..options };
    let fleet = Fleet::start(options, move |finished| {
        let _ = done.send(finished);
    });
    (fleet.expect("sockets can be had"), finished)
}

/// A driver polls 300 devices, more than it may have under way at once, and all of them are right. Returns the driver's name.
fn polls_a_fleet(driver: DriverChoice) -> &'static str {
    const POLLS: usize = 300;
    let live: Vec<Live> = loopbacks()
        .into_iter()
        .filter_map(|ip| Live::start(ip, Responder::printer(12)))
        .collect();
    let options = FleetOptions {
        inflight_max: 64,
        ..FleetOptions::default()
    };
    let (fleet, finished) = start(driver, options);
    for token in 0..POLLS {
        let address = live[token % live.len()].address;
        fleet.submit(job(token, address)).expect("there is room");
    }
    let mut seen = vec![false; POLLS];
    for _ in 0..POLLS {
        let done = finished.recv_timeout(PATIENCE).expect("a poll ends");
        assert!(done.error.is_none(), "{driver:?}: {:?}", done.error);
        assert_eq!(done.conversation.values(0).len(), 1);
        assert_eq!(done.conversation.values(1).len(), 12);
        assert!(!std::mem::replace(&mut seen[done.token], true));
    }
    assert!(fleet.counters().responses >= POLLS as u64 * 2);
    let name = fleet.driver_name();
    fleet.stop();
    name
}

#[test]
fn portable_sockets_poll_a_fleet() {
    assert_eq!(polls_a_fleet(DriverChoice::Portable), "portable sockets");
}

#[test]
#[cfg(target_os = "linux")]
fn batched_sockets_poll_a_fleet() {
    assert_eq!(
        polls_a_fleet(DriverChoice::Batched),
        "sendmmsg and recvmmsg"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn monoio_polls_a_fleet() {
    let name = polls_a_fleet(DriverChoice::Monoio);
    println!("this host lets us have {name}");
}

#[test]
fn stopping_a_fleet_gives_back_what_is_under_way_and_what_is_queued() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("it is bound");
    let options = FleetOptions {
        inflight_max: 2,
        ..FleetOptions::default()
    };
    let (fleet, finished) = start(DriverChoice::Auto, options);
    for token in 0..5 {
        fleet.submit(job(token, address)).expect("there is room");
    }
    fleet.stop();

    let stopped: Vec<_> = finished.try_iter().collect();
    assert_eq!(stopped.len(), 5);
    for done in stopped {
        assert!(matches!(done.error, Some(PollError::Stopped)));
    }
}

/// A conversation with a bug.
#[derive(Debug)]
struct Broken;

impl Conversation for Broken {
    fn next_ask(&mut self) -> Option<Ask> {
        panic!("this test's conversation panics");
    }

    fn variable(&mut self, _: usize, _: &Oid, _: ValueRef<'_>) {}

    fn answered(&mut self, _: Option<Failure>) {}
}

#[test]
fn a_thread_that_panicked_is_noticed_and_takes_no_more() {
    let broken = || Job {
        token: (),
        target: Target::udp((Ipv4Addr::LOCALHOST, 9).into()),
        options: Arc::new(PollOptions::default()),
        memory: Memory::default(),
        conversation: Broken,
    };
    let fleet = Fleet::start(FleetOptions::default(), |_| {}).expect("sockets can be had");
    assert!(!fleet.has_ended());
    fleet.submit(broken()).expect("there is room");
    let deadline = Instant::now() + PATIENCE;
    while !fleet.has_ended() {
        assert!(Instant::now() < deadline, "nobody noticed");
        std::thread::yield_now();
    }
    assert!(fleet.submit(broken()).is_err());
    // It ends all the same.
    fleet.stop();
}

#[test]
fn a_full_queue_hands_the_job_back() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("it is bound");
    let options = FleetOptions {
        inflight_max: 1,
        queue_max: 3,
        ..FleetOptions::default()
    };
    let (fleet, _finished) = start(DriverChoice::Auto, options);
    let refused = (0..10).find_map(|token| fleet.submit(job(token, address)).err());

    let Full(job) = refused.expect("ten are more than one and three");
    assert!(job.token >= 3);
}

#[test]
fn poll_once_hears_a_device_and_ends_with_a_dead_one() {
    let live = Live::start(Ipv4Addr::LOCALHOST.into(), Responder::printer(2)).expect("loopback");
    let mut script = Script::new([Script::get(&[SERIAL])]);
    let polled = poll_once(
        Target::udp(live.address),
        &PollOptions::default(),
        Memory::default(),
        &mut script,
    )
    .expect("it answers");
    assert_eq!(script.values(0).len(), 1);
    assert_eq!(polled.stats.responses, 1);

    let options = PollOptions {
        timeouts: vec![Duration::from_millis(20); 2],
        ..PollOptions::default()
    };
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let target = Target::udp(silent.local_addr().expect("it is bound"));
    let mut script = Script::new([Script::get(&[SERIAL])]);
    let error = poll_once(target, &options, Memory::default(), &mut script);
    assert!(matches!(error, Err(PollError::NoAnswer { requests: 4 })));
    assert_eq!(script.endings(), [Some(Failure::Timeout)]);
}
