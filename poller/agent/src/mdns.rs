//! Printers that announce themselves by multicast DNS (RFC 6762, RFC 6763): heard, never asked.
//!
//! What always holds: nothing is ever sent but the membership in the group; an announcement is a reason to ask an address by SNMP, if
//! that lies within the configured ranges, and never data; and however much is announced, memory, time and candidates are bounded.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, MessageType, OpCode};
use hickory_proto::rr::{Name, RData, Record};
use socket2::{Domain, Protocol, Socket, Type};

/// Where announcements are sent to.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5353;
/// The services of printers: IPP, IPP over TLS, LPD, raw sockets.
const SERVICES: [&[u8]; 4] = [b"_ipp", b"_ipps", b"_printer", b"_pdl-datastream"];
/// The longest message (RFC 6762, 17).
const MESSAGE_BYTES_MAX: usize = 9000;
/// The most questions and records of a message: a printer with twenty services has some sixty.
const QUESTIONS_MAX: u16 = 32;
const RECORDS_MAX: u16 = 256;
/// The most addresses of a message.
const ADDRESSES_MAX: usize = 16;
/// The most messages that are read in a second; more are thrown away unread.
const MESSAGES_PER_SECOND_MAX: u32 = 500;
/// The most addresses that are told of in a minute.
const CANDIDATES_PER_MINUTE_MAX: u32 = 120;
/// An address is told of once in this time: devices repeat themselves.
const REPEAT_PAUSE: Duration = Duration::from_secs(600);
/// Addresses that are remembered for that.
const REMEMBERED_MAX: usize = 8192;
/// Addresses that wait to be taken.
const WAITING_MAX: usize = 1024;
/// How soon the thread sees that it is not wanted any more.
const STOP_INTERVAL: Duration = Duration::from_millis(500);

/// Hears announcements on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct Listener {
    announced: Receiver<IpAddr>,
    sieve: Sieve,
    is_gone: Arc<AtomicBool>,
}

impl Listener {
    /// Joins the group on these interfaces (by their addresses); none: on the one that the system takes.
    ///
    /// # Errors
    /// When the port cannot be had, or an interface is none.
    pub fn start(interfaces: &[Ipv4Addr]) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        // The system's own responder has the port, too.
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)).into())?;
        for interface in interfaces
            .iter()
            .chain(interfaces.is_empty().then_some(&Ipv4Addr::UNSPECIFIED))
        {
            socket.join_multicast_v4(&GROUP, interface)?;
        }
        Self::on(UdpSocket::from(socket))
    }

    /// Hears what comes in on a socket.
    fn on(socket: UdpSocket) -> io::Result<Self> {
        socket.set_read_timeout(Some(STOP_INTERVAL))?;
        let (sender, announced) = sync_channel(WAITING_MAX);
        let is_gone = Arc::<AtomicBool>::default();
        let gone = Arc::clone(&is_gone);
        std::thread::Builder::new()
            .name("mdns".to_owned())
            .spawn(move || hear(&socket, &sender, &gone))?;
        Ok(Self {
            announced,
            sieve: Sieve::default(),
            is_gone,
        })
    }

    /// Takes the address of a printer that announced itself, and `is_ours`. Others' count for nothing.
    pub fn announced(&mut self, is_ours: impl Fn(IpAddr) -> bool, now: Instant) -> Option<IpAddr> {
        while let Ok(address) = self.announced.try_recv() {
            if is_ours(address) && self.sieve.passes(address, now) {
                return Some(address);
            }
        }
        None
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.is_gone.store(true, Ordering::Relaxed);
    }
}

fn hear(socket: &UdpSocket, sender: &SyncSender<IpAddr>, gone: &AtomicBool) {
    let mut buffer = vec![0; MESSAGE_BYTES_MAX + 1];
    let mut second = Instant::now();
    let mut messages = 0;
    while !gone.load(Ordering::Relaxed) {
        let (bytes, source) = match socket.recv_from(&mut buffer) {
            Ok(received) => received,
            Err(error) if is_passing(&error) => continue,
            Err(error) => {
                tracing::warn!(%error, "announcements of printers cannot be heard any more");
                return;
            }
        };
        if second.elapsed() >= Duration::from_secs(1) {
            (second, messages) = (Instant::now(), 0);
        }
        messages += 1;
        if messages > MESSAGES_PER_SECOND_MAX || bytes > MESSAGE_BYTES_MAX {
            continue;
        }
        for address in printers(&buffer[..bytes], source.ip()) {
            // When nobody takes them, the next announcement will do.
            let _ = sender.try_send(address);
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, Interrupted, TimedOut, WouldBlock};
    [
        WouldBlock,
        TimedOut,
        Interrupted,
        ConnectionReset,
        ConnectionRefused,
    ]
    .contains(&error.kind())
}

/// Lets through what is new, and not too much of it.
#[derive(Debug, Default)]
struct Sieve {
    seen: HashMap<IpAddr, Instant>,
    minute: Option<Instant>,
    told: u32,
}

impl Sieve {
    fn passes(&mut self, address: IpAddr, now: Instant) -> bool {
        let is_fresh = |at: &Instant| now.saturating_duration_since(*at) < REPEAT_PAUSE;
        if self.seen.get(&address).is_some_and(is_fresh) {
            return false;
        }
        if self
            .minute
            .is_none_or(|minute| now >= minute + Duration::from_secs(60))
        {
            (self.minute, self.told) = (Some(now), 0);
        }
        if self.seen.len() >= REMEMBERED_MAX {
            self.seen.retain(|_, at| is_fresh(at));
        }
        if self.told >= CANDIDATES_PER_MINUTE_MAX || self.seen.len() >= REMEMBERED_MAX {
            return false;
        }
        self.told += 1;
        self.seen.insert(address, now);
        true
    }
}

/// The addresses of the printers that a message announces: those of the hosts of their services, or, where it has none, the sender's.
fn printers(message: &[u8], source: IpAddr) -> Vec<IpAddr> {
    // The head is looked at first: room for as many records as it says is made before they are read.
    let [_, _, _, _, counts @ ..] = message else {
        return Vec::new();
    };
    let counts = counts.as_chunks::<2>().0.iter();
    let mut counts = counts.map(|count| u16::from_be_bytes(*count));
    let questions = counts.next().unwrap_or(u16::MAX);
    let records = counts.take(3).fold(0, u16::saturating_add);
    if questions > QUESTIONS_MAX || records > RECORDS_MAX {
        return Vec::new();
    }
    let Ok(message) = Message::from_vec(message) else {
        return Vec::new();
    };
    let head = &message.metadata;
    if head.message_type != MessageType::Response || head.op_code != OpCode::Query {
        return Vec::new();
    }
    // A time to live of zero is a farewell.
    let records: Vec<&Record> = message
        .all_sections()
        .filter(|record| record.ttl > 0)
        .collect();
    if !records.iter().any(|record| announces_printer(record)) {
        return Vec::new();
    }
    let hosts: Vec<&Name> = records
        .iter()
        .filter(|record| is_printer_service(&record.name))
        .filter_map(|record| match &record.data {
            RData::SRV(service) => Some(&service.target),
            _ => None,
        })
        .collect();
    let mut addresses = Vec::new();
    for record in &records {
        let address = match &record.data {
            RData::A(address) => IpAddr::V4(address.0),
            RData::AAAA(address) => IpAddr::V6(address.0),
            _ => continue,
        };
        let is_its = hosts.iter().any(|host| **host == record.name);
        if is_its && addresses.len() < ADDRESSES_MAX && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        addresses.push(source.to_canonical());
    }
    addresses
}

/// `_ipp._tcp.local PTR …`, or anything about an instance of such a service.
fn announces_printer(record: &Record) -> bool {
    let is_told = matches!(record.data, RData::PTR(_) | RData::SRV(_));
    is_told && is_printer_service(&record.name)
}

/// Whether a name is, or ends in, `_ipp._tcp.local` and its like.
fn is_printer_service(name: &Name) -> bool {
    let mut labels = name.iter().rev();
    let is =
        |label: Option<&[u8]>, text: &[u8]| label.is_some_and(|l| l.eq_ignore_ascii_case(text));
    is(labels.next(), b"local")
        && is(labels.next(), b"_tcp")
        && (labels.next())
            .is_some_and(|label| SERVICES.iter().any(|one| label.eq_ignore_ascii_case(one)))
}

#[cfg(test)]
mod tests;
