//! The seam between the engine and the network, and the socket below every implementation of it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// How many datagrams are moved at once.
pub const BATCH_DATAGRAMS: usize = 64;

/// What the kernel is asked to keep for us while we are busy: 4,096 replies of 1 kB (it may grant less).
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

/// What the kernel is asked to take from us at once.
const SEND_BUFFER_BYTES: usize = 1 << 20;

/// The largest datagram read in full; nothing a printer answers comes near it.
pub const DATAGRAM_BYTES_MAX: usize = 16 << 10;

/// Datagrams to send: their bytes stand one behind the other in one buffer.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    entries: Vec<(SocketAddr, Range<usize>)>,
    /// Which could not be sent (index), and why.
    pub failed: Vec<(usize, io::Error)>,
}

impl Batch {
    /// Adds a datagram.
    pub fn push(&mut self, target: SocketAddr, datagram: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(datagram);
        self.entries.push((target, start..self.bytes.len()));
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.failed.clear();
    }

    /// How many datagrams it holds.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether it should be sent before more is added.
    pub const fn is_full(&self) -> bool {
        self.len() >= BATCH_DATAGRAMS
    }

    /// Where each datagram goes, and its bytes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (SocketAddr, &[u8])> {
        self.entries.iter().map(|(target, range)| {
            let datagram = self.bytes.get(range.clone()).unwrap_or_default();
            (*target, datagram)
        })
    }
}

/// Takes what was received: the sender, in canonical form (never an IPv4-mapped IPv6 address), and the datagram.
pub type Receiver<'r> = dyn FnMut(SocketAddr, &[u8]) + 'r;

/// Moves datagrams. An implementation owns its socket and is used by one thread.
///
/// Callers may rely on this: `send` never waits for an answer and never blocks for long; a datagram that could not be sent is listed in
/// [`Batch::failed`], anything else is only lost the way datagrams are; `receive` returns as soon as something came, when
/// `wait` is over, or when somebody called the [`Waker`] (which may look like an empty datagram).
pub trait Datagrams {
    /// Its name, for the log.
    fn name(&self) -> &'static str;

    /// Sends the batch.
    ///
    /// # Errors
    /// When the socket itself is unusable.
    fn send(&mut self, batch: &mut Batch) -> io::Result<()>;

    /// Waits (at most `wait`; for ever when `None`) for datagrams and gives away all that are there, up to some batches.
    ///
    /// # Errors
    /// When the socket itself is unusable.
    fn receive(&mut self, wait: Option<Duration>, receiver: &mut Receiver<'_>) -> io::Result<()>;
}

/// A UDP socket for every target: one that speaks IPv6 and, by mapped addresses, IPv4; on hosts without IPv6 one that speaks IPv4.
#[derive(Debug)]
pub struct Shared {
    /// The socket.
    pub socket: UdpSocket,
    /// Whether it speaks IPv6.
    pub is_ipv6: bool,
}

impl Shared {
    /// Opens it on any free port.
    ///
    /// # Errors
    /// When there is neither IPv6 nor IPv4.
    pub fn open() -> io::Result<Self> {
        Self::open_ipv6().or_else(|_| Self::open_ipv4())
    }

    fn open_ipv6() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_only_v6(false)?;
        Self::bind(socket, IpAddr::V6(Ipv6Addr::UNSPECIFIED))
    }

    fn open_ipv4() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        Self::bind(socket, IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    fn bind(socket: Socket, address: IpAddr) -> io::Result<Self> {
        // What the kernel grants is enough to work with; what it refuses costs retries only.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(SEND_BUFFER_BYTES);
        socket.bind(&SockAddr::from(SocketAddr::new(address, 0)))?;
        Ok(Self {
            socket: socket.into(),
            is_ipv6: address.is_ipv6(),
        })
    }

    /// The same socket again, for a second attempt should a driver refuse the first.
    ///
    /// # Errors
    /// When the process has too many files open.
    #[cfg(target_os = "linux")]
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            socket: self.socket.try_clone()?,
            is_ipv6: self.is_ipv6,
        })
    }

    /// The target as this socket must be given it.
    pub const fn map(&self, target: SocketAddr) -> SocketAddr {
        map(target, self.is_ipv6)
    }

    /// What ends a `receive` from another thread.
    ///
    /// # Errors
    /// When no second socket can be had.
    pub fn waker(&self) -> io::Result<Waker> {
        let port = self.socket.local_addr()?.port();
        let (own, target) = if self.is_ipv6 {
            (
                IpAddr::V6(Ipv6Addr::LOCALHOST),
                IpAddr::V6(Ipv6Addr::LOCALHOST),
            )
        } else {
            (
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V4(Ipv4Addr::LOCALHOST),
            )
        };
        let open = |own, target| {
            let socket = UdpSocket::bind(SocketAddr::new(own, 0))?;
            socket.set_nonblocking(true)?;
            socket.connect(SocketAddr::new(target, port))?;
            Ok(Waker { socket })
        };
        // A socket that speaks both may run on a host whose IPv6 loopback is off.
        let ipv4 = IpAddr::V4(Ipv4Addr::LOCALHOST);
        open(own, target).or_else(|_: io::Error| open(ipv4, ipv4))
    }
}

/// The target as a socket must be given it: an IPv6 socket reaches IPv4 by mapped addresses.
pub const fn map(target: SocketAddr, is_ipv6: bool) -> SocketAddr {
    match target {
        SocketAddr::V4(v4) if is_ipv6 => {
            SocketAddr::new(IpAddr::V6(v4.ip().to_ipv6_mapped()), v4.port())
        }
        target => target,
    }
}

/// The sender as everybody else calls it.
pub const fn canonical(source: SocketAddr) -> SocketAddr {
    match source.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::new(IpAddr::V4(v4), source.port()),
        IpAddr::V6(_) => source,
    }
}

/// Ends another thread's `receive` by an empty datagram to its socket. Anybody on this host can do the same, and nothing but a
/// turn of the loop comes of it.
#[derive(Debug)]
pub struct Waker {
    socket: UdpSocket,
}

impl Waker {
    /// Another that does the same.
    ///
    /// # Errors
    /// When the process has too many files open.
    pub fn try_clone(&self) -> io::Result<Self> {
        let socket = self.socket.try_clone()?;
        Ok(Self { socket })
    }

    /// Ends the `receive` under way, or else the next.
    pub fn wake(&self) {
        // A full buffer means that the other side has enough to wake up for.
        let _ = self.socket.send(&[]);
    }
}
