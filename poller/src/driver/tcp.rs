//! Devices that are asked over TCP (RFC 3430). They are few: each connection has a thread, and there is a bound to them. A connection
//! whose requests were answered makes room for another device's, the one that was used least recently first.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use super::frame::Frames;
use super::socket::Waker;

/// The most connections at once.
const LINKS_MAX: usize = 256;

/// Requests that wait for a connection: one, and its retries.
const REQUESTS_MAX: usize = 8;

/// Answers that wait for the engine.
const ANSWERS_MAX: usize = 1_024;

/// How long a device may take to accept a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// A connection without a request for so long is closed.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// How long a read waits before the next request is looked for.
const READ_TURN: Duration = Duration::from_millis(20);

/// How long a request is waited for before it is looked whether the device has hung up.
const IDLE_TURN: Duration = Duration::from_millis(250);

/// Connections to devices.
#[derive(Debug)]
pub struct Links {
    links: HashMap<SocketAddr, Link>,
    links_max: usize,
    answers: Receiver<(SocketAddr, Vec<u8>)>,
    answer: SyncSender<(SocketAddr, Vec<u8>)>,
    waker: Arc<Waker>,
}

/// A connection, as the engine's thread sees it. Without it the connection's thread ends.
#[derive(Debug)]
struct Link {
    requests: SyncSender<Vec<u8>>,
    /// How many requests it was given.
    asked: u32,
    /// How many of them had gone out when the last answer came. The other owner is the connection's thread, while there is one.
    answered: Arc<AtomicU32>,
    used: Instant,
}

impl Link {
    /// Hands over a request; `false` when the connection has ended. What it cannot take is lost like a datagram.
    fn send(&mut self, request: &[u8]) -> bool {
        self.used = Instant::now();
        match self.requests.try_send(request.to_vec()) {
            Ok(()) => self.asked = self.asked.wrapping_add(1),
            Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => return false,
        }
        true
    }

    fn has_ended(&self) -> bool {
        Arc::strong_count(&self.answered) == 1
    }

    /// Nothing is awaited on it.
    fn is_idle(&self) -> bool {
        self.answered.load(Ordering::Acquire) == self.asked
    }
}

impl Links {
    /// Without connections. `waker` ends the wait of the thread that calls [`Links::answer`].
    pub fn new(waker: Waker) -> Self {
        Self::with_limit(waker, LINKS_MAX)
    }

    fn with_limit(waker: Waker, links_max: usize) -> Self {
        let (answer, answers) = sync_channel(ANSWERS_MAX);
        Self {
            links: HashMap::new(),
            links_max,
            answers,
            answer,
            waker: Arc::new(waker),
        }
    }

    /// Sends a request, on a new connection where there is none. Never blocks; what a connection cannot take is lost like a datagram.
    ///
    /// # Errors
    /// When there are too many connections that await an answer, or no thread for another.
    pub fn send(&mut self, target: SocketAddr, request: &[u8]) -> io::Result<()> {
        if let Some(link) = self.links.get_mut(&target) {
            if link.send(request) {
                return Ok(());
            }
            self.links.remove(&target);
        }
        self.make_room()?;
        let (link, requests) = sync_channel(REQUESTS_MAX);
        let mut link = Link {
            requests: link,
            asked: 0,
            answered: Arc::default(),
            used: Instant::now(),
        };
        link.send(request);
        let (answer, waker) = (self.answer.clone(), self.waker.clone());
        let answered = link.answered.clone();
        std::thread::Builder::new()
            .name("poller-tcp".into())
            .spawn(move || {
                let run = run(target, &requests, |sent, bytes| {
                    let _ = answer.try_send((target, bytes));
                    answered.store(sent, Ordering::Release);
                    waker.wake();
                });
                if let Err(error) = run {
                    tracing::debug!(%target, %error, "the connection ended");
                }
            })?;
        self.links.insert(target, link);
        Ok(())
    }

    /// Forgets connections that ended, and else closes the one that has been idle for longest, until there is room for another.
    fn make_room(&mut self) -> io::Result<()> {
        if self.links.len() < self.links_max {
            return Ok(());
        }
        self.links.retain(|_, link| !link.has_ended());
        if self.links.len() < self.links_max {
            return Ok(());
        }
        let idle = self.links.iter().filter(|(_, link)| link.is_idle());
        let oldest = idle.min_by_key(|(_, link)| link.used);
        let Some(oldest) = oldest.map(|(target, _)| *target) else {
            return Err(io::Error::other("too many TCP connections at once"));
        };
        self.links.remove(&oldest);
        Ok(())
    }

    /// The next answer that came, if any.
    pub fn answer(&self) -> Option<(SocketAddr, Vec<u8>)> {
        self.answers.try_recv().ok()
    }
}

/// Serves one connection until it is idle for too long, broken, or nobody wants it any more. An answer is delivered with the number of
/// requests that had been sent.
fn run(
    target: SocketAddr,
    requests: &Receiver<Vec<u8>>,
    deliver: impl Fn(u32, Vec<u8>),
) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&target, CONNECT_MAX)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_TURN))?;
    stream.set_write_timeout(Some(CONNECT_MAX))?;
    let mut frames = Frames::default();
    let mut used = Instant::now();
    let mut is_awaiting = false;
    let mut sent: u32 = 0;
    loop {
        let turn = if is_awaiting {
            Duration::ZERO
        } else {
            IDLE_TURN
        };
        match requests.recv_timeout(turn) {
            Ok(request) => {
                stream.write_all(&request)?;
                is_awaiting = true;
                sent = sent.wrapping_add(1);
                used = Instant::now();
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) if used.elapsed() > IDLE_MAX => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        match frames.read_from(&mut stream) {
            Ok(true) => {
                while let Some(message) = frames.next_message()? {
                    is_awaiting = false;
                    deliver(sent, message);
                }
            }
            Ok(false) => return Ok(()),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
