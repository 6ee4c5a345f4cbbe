//! Connections and their limit.

use std::net::TcpListener;

use super::*;
use crate::driver::DriverChoice;

/// Longer than anything here takes on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The shortest message there is: an empty SEQUENCE.
const MESSAGE: [u8; 2] = [0x30, 0];

/// A device that says what it hears, or nothing at all.
fn device(answers: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody connects");
        let mut frames = Frames::default();
        while frames.read_from(&mut stream).unwrap_or(false) {
            while let Ok(Some(message)) = frames.next_message() {
                if answers {
                    stream.write_all(&message).expect("it is open");
                }
            }
        }
    });
    address
}

fn links(links_max: usize) -> Links {
    let (_, waker) = DriverChoice::Portable.open().expect("a socket");
    Links::with_limit(waker, links_max)
}

fn wait_for_answer(links: &Links) -> SocketAddr {
    let (source, message) = links.answers.recv_timeout(PATIENCE).expect("an answer");
    assert_eq!(message, MESSAGE);
    // The answer is there a moment before it is counted.
    let deadline = Instant::now() + PATIENCE;
    while !links.links[&source].is_idle() {
        assert!(Instant::now() < deadline, "it is never idle");
        std::thread::yield_now();
    }
    source
}

#[test]
fn a_larger_fleet_than_connections_are_allowed_is_asked_all_the_same() {
    let mut links = links(2);
    let devices = [device(true), device(true), device(true), device(true)];
    for device in devices {
        links.send(device, &MESSAGE).expect("there is room");
        assert_eq!(wait_for_answer(&links), device);
    }
    let mut open: Vec<_> = links.links.keys().copied().collect();
    open.sort();
    let mut last = devices[2..].to_vec();
    last.sort();
    assert_eq!(
        open, last,
        "those that were used least recently were closed"
    );
}

#[test]
fn a_connection_that_awaits_an_answer_is_not_closed_for_another() {
    let mut links = links(2);
    let (silent, other) = (device(false), device(true));
    links.send(silent, &MESSAGE).expect("there is room");
    links.send(other, &MESSAGE).expect("there is room");
    assert_eq!(wait_for_answer(&links), other);
    // A second request on its way makes it busy again, and the first is silent: there is no room.
    let asked = &mut links.links.get_mut(&other).expect("it is open").asked;
    *asked += 1;
    assert!(links.send(device(true), &MESSAGE).is_err());
    links.links.get_mut(&other).expect("it is open").asked -= 1;
    let third = device(true);
    links
        .send(third, &MESSAGE)
        .expect("the idle one makes room");
    assert_eq!(wait_for_answer(&links), third);
    assert!(links.links.contains_key(&silent));
}
