//! Devices that are asked over TCP (RFC 3430). They are few: each connection has a thread, and there is a bound to them.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
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
    links: HashMap<SocketAddr, SyncSender<Vec<u8>>>,
    answers: Receiver<(SocketAddr, Vec<u8>)>,
    answer: SyncSender<(SocketAddr, Vec<u8>)>,
    waker: Arc<Waker>,
}

impl Links {
    /// Without connections. `waker` ends the wait of the thread that calls [`Links::answer`].
    pub fn new(waker: Waker) -> Self {
        let (answer, answers) = sync_channel(ANSWERS_MAX);
        Self {
            links: HashMap::new(),
            answers,
            answer,
            waker: Arc::new(waker),
        }
    }

    /// Sends a request, on a new connection where there is none. Never blocks; what a connection cannot take is lost like a datagram.
    ///
    /// # Errors
    /// When there are too many connections, or no thread for another.
    pub fn send(&mut self, target: SocketAddr, request: &[u8]) -> io::Result<()> {
        if let Some(link) = self.links.get(&target) {
            match link.try_send(request.to_vec()) {
                Ok(()) | Err(TrySendError::Full(_)) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => self.links.remove(&target),
            };
        }
        if self.links.len() >= LINKS_MAX {
            // Those that ended take no request any more, not even an empty one.
            self.links.retain(|_, link| {
                !matches!(
                    link.try_send(Vec::new()),
                    Err(TrySendError::Disconnected(_))
                )
            });
            if self.links.len() >= LINKS_MAX {
                return Err(io::Error::other("too many TCP connections at once"));
            }
        }
        let (link, requests) = sync_channel(REQUESTS_MAX);
        let _ = link.try_send(request.to_vec());
        let (answer, waker) = (self.answer.clone(), self.waker.clone());
        std::thread::Builder::new()
            .name("poller-tcp".into())
            .spawn(move || {
                let run = run(target, &requests, |bytes| {
                    let _ = answer.try_send((target, bytes));
                    waker.wake();
                });
                if let Err(error) = run {
                    tracing::debug!(%target, %error, "the connection ended");
                }
            })?;
        self.links.insert(target, link);
        Ok(())
    }

    /// The next answer that came, if any.
    pub fn answer(&self) -> Option<(SocketAddr, Vec<u8>)> {
        self.answers.try_recv().ok()
    }
}

/// Serves one connection until it is idle, broken, or nobody wants it any more.
fn run(
    target: SocketAddr,
    requests: &Receiver<Vec<u8>>,
    deliver: impl Fn(Vec<u8>),
) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&target, CONNECT_MAX)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_TURN))?;
    stream.set_write_timeout(Some(CONNECT_MAX))?;
    let mut frames = Frames::default();
    let mut used = Instant::now();
    let mut is_awaiting = false;
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
                    deliver(message);
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
