//! The receiver on real sockets: one thread for UDP, one that accepts TCP, and one for each of a bounded number of connections.

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{Notification, TrapCounters, TrapReceiver};
use crate::driver::frame::Frames;
use crate::usm::User;

/// The most TCP connections at once; others are closed at once.
const CONNECTIONS_MAX: usize = 64;

/// A connection that says nothing for so long is closed.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// How soon a stop is seen.
const STOP_TURN: Duration = Duration::from_millis(100);

/// The largest datagram read in full.
const DATAGRAM_BYTES_MAX: usize = 16 << 10;

/// What the kernel is asked to keep for us.
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;

/// Where to listen, and who is let in.
#[derive(Clone, Debug, Default)]
pub struct TrapOptions {
    /// Listened on by UDP and by TCP. Port 162 needs privileges; 0 takes any.
    pub addresses: Vec<SocketAddr>,
    /// Communities that are let in; empty means all.
    pub communities: Vec<Vec<u8>>,
    /// SNMPv3 users that are let in.
    pub users: Vec<User>,
}

/// Listens until it is stopped or dropped.
#[derive(Debug)]
pub struct TrapListener {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    core: Mutex<Core>,
    started: Instant,
    is_over: AtomicBool,
    connections: AtomicUsize,
}

struct Core {
    receiver: TrapReceiver,
    tell: Box<dyn FnMut(Notification) + Send>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl TrapListener {
    /// Opens the sockets and starts. `tell` is called on threads of the listener, one call at a time: it must be quick.
    ///
    /// # Errors
    /// When a socket cannot be opened (the message names it), or no thread started.
    pub fn start(
        options: &TrapOptions,
        tell: impl FnMut(Notification) + Send + 'static,
    ) -> io::Result<Self> {
        let mut suffix = [0; 8];
        getrandom::fill(&mut suffix).map_err(io::Error::other)?;
        let receiver =
            TrapReceiver::new(options.communities.clone(), options.users.clone(), suffix);
        let mut listener = Self {
            shared: Arc::new(Shared {
                core: Mutex::new(Core {
                    receiver,
                    tell: Box::new(tell),
                }),
                started: Instant::now(),
                is_over: AtomicBool::new(false),
                connections: AtomicUsize::new(0),
            }),
            addresses: Vec::new(),
            threads: Vec::new(),
        };
        for address in &options.addresses {
            listener.listen(*address).map_err(|error| {
                io::Error::new(error.kind(), format!("listening on {address}: {error}"))
            })?;
        }
        tracing::info!(addresses = ?listener.addresses, "listening for traps");
        Ok(listener)
    }

    fn listen(&mut self, address: SocketAddr) -> io::Result<()> {
        let udp = open_udp(address)?;
        let bound = udp.local_addr()?;
        // TCP on the port that UDP got.
        let tcp = TcpListener::bind(bound)?;
        tcp.set_nonblocking(true)?;
        self.addresses.push(bound);
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.into()).spawn(run)
        };
        let shared = self.shared.clone();
        let thread = spawn("traps-udp", Box::new(move || shared.serve_udp(&udp)))?;
        self.threads.push(thread);
        let shared = self.shared.clone();
        let thread = spawn("traps-tcp", Box::new(move || shared.serve_tcp(&tcp)))?;
        self.threads.push(thread);
        Ok(())
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> TrapCounters {
        self.shared.lock().receiver.counters()
    }

    /// Stops listening.
    pub fn stop(self) {}
}

impl Drop for TrapListener {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic there was printed when it happened.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Delivers what a message tells and returns what to answer.
    fn receive(&self, source: SocketAddr, bytes: &[u8]) -> Option<Vec<u8>> {
        let source = SocketAddr::new(source.ip().to_canonical(), source.port());
        let mut core = self.lock();
        let now = self.started.elapsed();
        let (notification, answer) = core.receiver.receive(source, bytes, now);
        if let Some(notification) = notification {
            (core.tell)(notification);
        }
        answer
    }

    fn serve_udp(&self, socket: &UdpSocket) {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        while !self.is_over() {
            match socket.recv_from(&mut buffer) {
                Ok((count, source)) => {
                    let datagram = buffer.get(..count).unwrap_or_default();
                    if let Some(answer) = self.receive(source, datagram) {
                        // A lost answer is asked for again.
                        let _ = socket.send_to(&answer, source);
                    }
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "the trap socket failed");
                    return;
                }
            }
        }
    }

    fn serve_tcp(self: &Arc<Self>, listener: &TcpListener) {
        while !self.is_over() {
            match listener.accept() {
                Ok((stream, source)) => {
                    if self.connections.load(Ordering::Relaxed) >= CONNECTIONS_MAX {
                        continue;
                    }
                    self.connections.fetch_add(1, Ordering::Relaxed);
                    let shared = self.clone();
                    let serve = move || {
                        // A broken connection is its sender's affair.
                        let _ = shared.serve_connection(stream, source);
                        shared.connections.fetch_sub(1, Ordering::Relaxed);
                    };
                    let thread = std::thread::Builder::new().name("traps-tcp".into());
                    if thread.spawn(serve).is_err() {
                        self.connections.fetch_sub(1, Ordering::Relaxed);
                    }
                }
                Err(_) => std::thread::sleep(STOP_TURN),
            }
        }
    }

    fn serve_connection(&self, mut stream: TcpStream, source: SocketAddr) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(STOP_TURN))?;
        stream.set_write_timeout(Some(IDLE_MAX))?;
        let mut frames = Frames::default();
        let mut heard = Instant::now();
        while !self.is_over() && heard.elapsed() < IDLE_MAX {
            match frames.read_from(&mut stream) {
                Ok(true) => heard = Instant::now(),
                Ok(false) => return Ok(()),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
            while let Some(message) = frames.next_message()? {
                if let Some(answer) = self.receive(source, &message) {
                    stream.write_all(&answer)?;
                }
            }
        }
        Ok(())
    }
}

fn open_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    // What the kernel refuses costs traps in a burst, no more.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    socket.bind(&SockAddr::from(address))?;
    let socket = UdpSocket::from(socket);
    socket.set_read_timeout(Some(STOP_TURN))?;
    Ok(socket)
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock
            | ErrorKind::TimedOut
            | ErrorKind::Interrupted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
    )
}
