//! Signs of life beside SNMP: ICMP echo, and whether TCP port 7 is open or refused.
//!
//! They are asked for only where SNMP did not answer, they change the order of the second attempts, and they explain a silence ("alive
//! but no SNMP answer"). They are never a gate: what shows none is asked by SNMP as often as what does.
//!
//! Echo requests need an ICMP socket: an unprivileged one where the system allows it (Linux: `net.ipv4.ping_group_range`), else a raw
//! one; where there is neither, that is said once, and there are none.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use poller::discovery::Hints;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// How long a sign of life may take: a device that wakes up for it needs no longer.
const TIMEOUT: Duration = Duration::from_secs(1);
/// The most addresses that wait to be asked: a /16. What comes beyond is not asked.
const WAITING_MAX: usize = 65_536;
/// Addresses that are being asked at once …
const AT_ONCE_MAX: usize = 2048;
/// … and connections of those: each is an open file, of which a process usually has 1,024.
const CONNECTIONS_MAX: usize = 256;
/// The echo service (RFC 862): printers that have it answer, others that are there refuse. Either is a sign.
const ECHO_PORT: u16 = 7;
/// The share of the request rate that signs of life may take. (Sweeps have two thirds, and both leave some to the polls.)
const RATE_SHARE: u32 = 4;

/// A sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// ICMP echo.
    Icmp,
    /// A connection to TCP port 7, taken or refused.
    Tcp7,
}

impl Hint {
    /// Their names.
    pub const NAMES: [(&'static str, Self); 2] = [("icmp", Self::Icmp), ("tcp7", Self::Tcp7)];
}

/// Asks for signs of life on a thread of its own, which ends when this is dropped.
#[derive(Debug)]
pub struct HintThreads {
    asked: mpsc::UnboundedSender<IpAddr>,
    alive: std::sync::mpsc::Receiver<IpAddr>,
    pending: Arc<AtomicUsize>,
}

impl HintThreads {
    /// Starts asking for these signs, at a quarter of `packets_per_second`; `None` when there are none to ask for.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(hints: &[Hint], packets_per_second: u32) -> io::Result<Option<Self>> {
        if hints.is_empty() {
            return Ok(None);
        }
        let (asked, to_ask) = mpsc::unbounded_channel();
        let (is_alive, alive) = std::sync::mpsc::channel();
        let pending = Arc::<AtomicUsize>::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let pause = Duration::from_secs(1) / (packets_per_second / RATE_SHARE).max(1);
        let (hints, left) = (hints.to_vec(), Arc::clone(&pending));
        let thread = std::thread::Builder::new().name("hints".to_owned());
        thread.spawn(move || {
            runtime.block_on(async {
                let has = |hint| hints.contains(&hint);
                let asker = Arc::new(Asker {
                    icmp: if has(Hint::Icmp) { Icmp::open() } else { None },
                    asks_tcp: has(Hint::Tcp7),
                    connections: Semaphore::new(CONNECTIONS_MAX),
                });
                run(asker, to_ask, is_alive, left, pause).await;
            });
            runtime.shutdown_background();
        })?;
        Ok(Some(Self {
            asked,
            alive,
            pending,
        }))
    }
}

impl Hints for HintThreads {
    fn request(&mut self, address: IpAddr) -> bool {
        let has_room = self.pending.load(Ordering::Relaxed) < WAITING_MAX;
        if has_room && self.asked.send(address).is_ok() {
            self.pending.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        false
    }

    fn alive(&mut self) -> Option<IpAddr> {
        self.alive.try_recv().ok()
    }

    fn pending(&self) -> usize {
        self.pending.load(Ordering::Acquire)
    }
}

/// What asks.
struct Asker {
    icmp: Option<Icmp>,
    asks_tcp: bool,
    connections: Semaphore,
}

async fn run(
    asker: Arc<Asker>,
    mut to_ask: mpsc::UnboundedReceiver<IpAddr>,
    alive: std::sync::mpsc::Sender<IpAddr>,
    left: Arc<AtomicUsize>,
    pause: Duration,
) {
    let at_once = Arc::new(Semaphore::new(AT_ONCE_MAX));
    let mut next = tokio::time::Instant::now();
    while let Some(address) = to_ask.recv().await {
        let permit = Arc::clone(&at_once).acquire_owned().await;
        // What was late may be made up for within a hundredth of a second.
        next = next.max(tokio::time::Instant::now() - Duration::from_millis(10)) + pause;
        tokio::time::sleep_until(next).await;
        let (asker, alive, left) = (Arc::clone(&asker), alive.clone(), Arc::clone(&left));
        tokio::spawn(async move {
            if asker.is_alive(address).await {
                // Nobody wants to know any more: then nobody needs it.
                let _ = alive.send(address);
            }
            left.fetch_sub(1, Ordering::Release);
            drop(permit);
        });
    }
}

impl Asker {
    async fn is_alive(&self, address: IpAddr) -> bool {
        let echo = async {
            match &self.icmp {
                Some(icmp) => icmp.echo(address).await,
                None => false,
            }
        };
        let connection = async { self.asks_tcp && self.connects(address).await };
        tokio::pin!(echo, connection);
        tokio::select! {
            is_alive = &mut echo => is_alive || connection.await,
            is_alive = &mut connection => is_alive || echo.await,
        }
    }

    async fn connects(&self, address: IpAddr) -> bool {
        let Ok(_permit) = self.connections.acquire().await else {
            return false;
        };
        let connection = tokio::net::TcpStream::connect((address, ECHO_PORT));
        match tokio::time::timeout(TIMEOUT, connection).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => error.kind() == io::ErrorKind::ConnectionRefused,
            Err(_) => false,
        }
    }
}

/// ICMP sockets, and who waits for an answer.
struct Icmp {
    v4: Option<Arc<tokio::net::UdpSocket>>,
    v6: Option<Arc<tokio::net::UdpSocket>>,
    /// What an answer must bring back: nobody else knows it.
    token: [u8; 8],
    waiting: Waiting,
}

type Waiting = Arc<Mutex<HashMap<IpAddr, oneshot::Sender<()>>>>;

impl Icmp {
    /// Opens what can be had; says so, once, when nothing can.
    fn open() -> Option<Self> {
        let mut token = [0; 8];
        if let Err(error) = getrandom::fill(&mut token) {
            tracing::warn!(%error, "no random numbers: no ICMP echo");
            return None;
        }
        let waiting = Waiting::default();
        let opened = |domain, protocol| match open(domain, protocol) {
            Ok(socket) => {
                let socket = Arc::new(socket);
                tokio::spawn(hear(Arc::clone(&socket), token, Arc::clone(&waiting)));
                Ok(socket)
            }
            Err(error) => Err(error),
        };
        let v4 = opened(Domain::IPV4, Protocol::ICMPV4);
        let v6 = opened(Domain::IPV6, Protocol::ICMPV6).ok();
        if let (Err(error), None) = (&v4, &v6) {
            tracing::warn!(%error, "this system lets the agent have no ICMP socket: no signs of life by echo");
            return None;
        }
        Some(Self {
            v4: v4.ok(),
            v6,
            token,
            waiting,
        })
    }

    async fn echo(&self, address: IpAddr) -> bool {
        let socket = match address {
            IpAddr::V4(_) => &self.v4,
            IpAddr::V6(_) => &self.v6,
        };
        let Some(socket) = socket else { return false };
        let (sender, answered) = oneshot::channel();
        locked(&self.waiting).insert(address, sender);
        let request = echo_request(address.is_ipv4(), self.token);
        let sent = socket.send_to(&request, SocketAddr::new(address, 0)).await;
        let is_alive = match sent {
            Ok(_) => matches!(tokio::time::timeout(TIMEOUT, answered).await, Ok(Ok(()))),
            Err(_) => false,
        };
        locked(&self.waiting).remove(&address);
        is_alive
    }
}

fn locked(waiting: &Waiting) -> MutexGuard<'_, HashMap<IpAddr, oneshot::Sender<()>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An unprivileged ICMP socket, else a raw one.
fn icmp_socket(domain: Domain, protocol: Protocol) -> io::Result<Socket> {
    Socket::new(domain, Type::DGRAM, Some(protocol))
        .or_else(|_| Socket::new(domain, Type::RAW, Some(protocol)))
}

fn open(domain: Domain, protocol: Protocol) -> io::Result<tokio::net::UdpSocket> {
    let socket = icmp_socket(domain, protocol)?;
    socket.set_nonblocking(true)?;
    let any: SocketAddr = match domain {
        Domain::IPV4 => (Ipv4Addr::UNSPECIFIED, 0).into(),
        _ => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    socket.bind(&any.into())?;
    tokio::net::UdpSocket::from_std(UdpSocket::from(socket))
}

async fn hear(socket: Arc<tokio::net::UdpSocket>, token: [u8; 8], waiting: Waiting) {
    let mut buffer = [0; 512];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((bytes, source)) => {
                if is_echo_reply(&buffer[..bytes], source.is_ipv4(), token)
                    && let Some(waiting) = locked(&waiting).remove(&source.ip())
                {
                    // Who waited may have stopped just now.
                    let _ = waiting.send(());
                }
            }
            // What could not be reached is told here, too.
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

/// ```text
///  0      1      2           4            6            8
/// +------+------+-----------+------------+------------+-----------+
/// | type | code | checksum  | identifier | sequence   | token     |     RFC 792; RFC 4443, 4.1
/// +------+------+-----------+------------+------------+-----------+
/// ```
fn echo_request(is_ipv4: bool, token: [u8; 8]) -> [u8; 16] {
    let mut message = [0; 16];
    message[0] = if is_ipv4 { 8 } else { 128 };
    message[4..6].copy_from_slice(&token[..2]);
    message[8..].copy_from_slice(&token);
    if is_ipv4 {
        // Of version 6 the system makes it, which knows the source address.
        let checksum = checksum(&message);
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
    }
    message
}

/// Whether this is an answer to one of our requests. Raw sockets, and some systems' others, have the IPv4 header in front.
fn is_echo_reply(datagram: &[u8], is_ipv4: bool, token: [u8; 8]) -> bool {
    let message = match datagram.first() {
        Some(first) if is_ipv4 && first >> 4 == 4 => {
            let header_bytes = usize::from(first & 0xf) * 4;
            datagram.get(header_bytes..).unwrap_or_default()
        }
        _ => datagram,
    };
    let reply = if is_ipv4 { 0 } else { 129 };
    message.first() == Some(&reply) && message.get(8..) == Some(&token)
}

/// RFC 1071
fn checksum(message: &[u8; 16]) -> u16 {
    let words = message.as_chunks::<2>().0.iter();
    let sum: u32 = words.map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Waits until all that was asked for is settled; says who is alive.
    fn settle(hints: &mut HintThreads) -> Vec<IpAddr> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while hints.pending() > 0 {
            assert!(Instant::now() < deadline);
            std::thread::park_timeout(Duration::from_millis(2));
        }
        std::iter::from_fn(|| hints.alive()).collect()
    }

    #[test]
    fn no_hints_are_no_thread() {
        assert!(HintThreads::start(&[], 1000).unwrap().is_none());
    }

    #[test]
    fn a_refused_connection_is_a_sign_of_life() {
        let mut hints = HintThreads::start(&[Hint::Tcp7], 4000).unwrap().unwrap();
        let address = IpAddr::from([127, 0, 9, 7]);
        assert!(hints.request(address));
        assert_eq!(settle(&mut hints), [address]);
    }

    #[test]
    fn an_echo_is_a_sign_of_life_where_the_system_lets_us_ask() {
        let sockets = [
            icmp_socket(Domain::IPV4, Protocol::ICMPV4),
            icmp_socket(Domain::IPV6, Protocol::ICMPV6),
        ];
        if sockets[0].is_err() {
            println!("skipped: this system lets us have no ICMP socket");
            let mut hints = HintThreads::start(&[Hint::Icmp], 4000).unwrap().unwrap();
            hints.request(IpAddr::from([127, 0, 9, 8]));
            assert!(settle(&mut hints).is_empty());
            return;
        }
        let mut hints = HintThreads::start(&[Hint::Icmp], 4000).unwrap().unwrap();
        let address = IpAddr::from([127, 0, 9, 8]);
        assert!(hints.request(address));
        assert_eq!(settle(&mut hints), [address]);
    }

    #[test]
    fn only_our_own_echo_replies_count() {
        let token = *b"8 bytes!";
        let request = echo_request(true, token);
        assert_eq!(checksum(&request), 0, "it holds its own checksum");
        assert!(
            !is_echo_reply(&request, true, token),
            "the request is no reply"
        );
        let mut reply = request;
        reply[0] = 0;
        assert!(is_echo_reply(&reply, true, token));
        assert!(!is_echo_reply(&reply, true, *b"8 others"));
        assert!(!is_echo_reply(&reply, false, token));
        let mut raw = vec![0; 20];
        raw[0] = 0x45;
        raw.extend_from_slice(&reply);
        assert!(is_echo_reply(&raw, true, token));
        for length in 0..raw.len() {
            assert!(
                !is_echo_reply(&raw[..length], true, token),
                "{length} bytes"
            );
        }
        let mut reply = echo_request(false, token);
        reply[0] = 129;
        assert!(is_echo_reply(&reply, false, token));
    }
}
