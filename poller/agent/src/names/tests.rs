//! Names against a name server on loopback that belongs to the test.

use std::net::{SocketAddr, UdpSocket};

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

/// A name server that knows 10.0.0.7 and counts what it is asked.
fn name_server() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let question = &buffer[..length];
            let name = question_name(&question[12..]);
            counted.lock().unwrap().push(name.clone());
            socket.send_to(&answer(question, &name), from).unwrap();
        }
    });
    (address, asked)
}

/// The labels of the question, with dots.
fn question_name(mut labels: &[u8]) -> String {
    let mut name = Vec::new();
    while let Some((length, rest)) = labels.split_first()
        && *length > 0
    {
        let (label, rest) = rest.split_at(usize::from(*length));
        name.push(String::from_utf8_lossy(label).into_owned());
        labels = rest;
    }
    name.join(".")
}

/// The question with one PTR record (RFC 1035, 4.1), or with the code for "no such name".
fn answer(question: &[u8], name: &str) -> Vec<u8> {
    let question_end = 12 + name.len() + 2 + 4;
    let is_known = name == "7.0.0.10.in-addr.arpa";
    let mut out = question[..question_end].to_vec();
    out[2] = 0x81;
    out[3] = if is_known { 0x80 } else { 0x83 };
    out[6..12].copy_from_slice(&[0, u8::from(is_known), 0, 0, 0, 0]);
    if is_known {
        let target = b"\x07Printer\x07example\x03com\x00";
        out.extend_from_slice(&[0xc0, 12, 0, 12, 0, 1, 0, 0, 0x0e, 0x10]);
        out.extend_from_slice(&(target.len() as u16).to_be_bytes());
        out.extend_from_slice(target);
    }
    out
}

fn start(server: SocketAddr) -> (Names, NamesThread) {
    let config = NamesConfig {
        reverse_dns: ReverseDns::Server(server),
        keep: Duration::from_secs(600),
        timeout: Duration::from_secs(10),
    };
    let (names, thread) = Names::start(&config).unwrap();
    (names, thread.unwrap())
}

fn wait_until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}

#[test]
fn a_name_is_known_after_it_was_requested_and_asked_for_once() {
    let (server, asked) = name_server();
    let (names, thread) = start(server);
    let (known, unknown) = ("10.0.0.7".parse().unwrap(), "10.0.0.8".parse().unwrap());
    assert_eq!(names.known(known), None, "nobody waits for a name");
    names.request(known);
    names.request(known);
    wait_until(|| names.known(known).is_some());
    assert_eq!(names.known(known).as_deref(), Some("printer.example.com"));
    names.request(unknown);
    wait_until(|| names.lock().names.contains_key(&unknown));
    assert_eq!(names.known(unknown), None);
    // Both are fresh: nobody asks again.
    names.request(known);
    names.request(unknown);
    thread.stop();
    let asked = asked.lock().unwrap();
    let of = |name: &str| asked.iter().filter(|asked| *asked == name).count();
    assert_eq!(of("7.0.0.10.in-addr.arpa"), 1);
    assert!(of("8.0.0.10.in-addr.arpa") >= 1);
}

#[test]
fn without_reverse_dns_nothing_is_asked() {
    let names = Names::off();
    let address = "10.0.0.7".parse().unwrap();
    names.request(address);
    assert_eq!(names.known(address), None);
}

#[test]
fn a_silent_name_server_does_not_keep_the_thread_from_ending() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (names, thread) = start(silent.local_addr().unwrap());
    for last in 1..200 {
        names.request(IpAddr::from([10, 0, 0, last]));
    }
    let began = Instant::now();
    thread.stop();
    assert!(began.elapsed() < PATIENCE);
}

#[test]
fn one_name_is_waited_for_within_its_time_and_loopback_is_never_asked_of_the_system() {
    let (server, asked) = name_server();
    let config = |reverse_dns, timeout| NamesConfig {
        reverse_dns,
        keep: Duration::from_secs(60),
        timeout,
    };
    let of = |server, timeout| config(ReverseDns::Server(server), timeout);
    let address = "10.0.0.7".parse().unwrap();
    let pending = PendingName::ask(of(server, PATIENCE), address).unwrap();
    assert_eq!(pending.take().as_deref(), Some("printer.example.com"));
    assert_eq!(asked.lock().unwrap().len(), 1);

    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let short = Duration::from_millis(50);
    let pending = PendingName::ask(of(silent.local_addr().unwrap(), short), address).unwrap();
    let began = Instant::now();
    assert_eq!(pending.take(), None);
    assert!(began.elapsed() < PATIENCE);

    assert!(PendingName::ask(config(ReverseDns::Off, PATIENCE), address).is_none());
    let system = || config(ReverseDns::System, PATIENCE);
    for loopback in ["127.0.0.1", "127.8.7.6", "::1"] {
        assert!(PendingName::ask(system(), loopback.parse().unwrap()).is_none());
    }
}
