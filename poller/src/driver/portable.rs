//! Datagrams by the standard library alone: for every platform.

use std::io::{self, ErrorKind};
use std::time::Duration;

use super::socket::{Batch, DATAGRAM_BYTES_MAX, Datagrams, Receiver, Shared, canonical};

/// How many datagrams one `receive` gives away at most, so that sending gets its turn.
const RECEIVE_DATAGRAMS_MAX: usize = 256;

/// The shortest timeout: zero would mean for ever.
const WAIT_MIN: Duration = Duration::from_micros(100);

/// One system call a datagram.
#[derive(Debug)]
pub struct Portable {
    shared: Shared,
    buffer: Box<[u8]>,
}

impl Portable {
    /// Around an open socket.
    pub fn new(shared: Shared) -> Self {
        Self {
            shared,
            buffer: vec![0; DATAGRAM_BYTES_MAX].into(),
        }
    }

    fn receive_one(&mut self, receiver: &mut Receiver<'_>) -> io::Result<()> {
        let (bytes, source) = self.shared.socket.recv_from(&mut self.buffer)?;
        receiver(
            canonical(source),
            self.buffer.get(..bytes).unwrap_or_default(),
        );
        Ok(())
    }
}

impl Datagrams for Portable {
    fn name(&self) -> &'static str {
        "portable sockets"
    }

    fn send(&mut self, batch: &mut Batch) -> io::Result<()> {
        let mut failed = Vec::new();
        self.shared.socket.set_nonblocking(false)?;
        for (at, (target, datagram)) in batch.iter().enumerate() {
            if let Err(error) = self
                .shared
                .socket
                .send_to(datagram, self.shared.map(target))
            {
                failed.push((at, error));
            }
        }
        batch.failed = failed;
        Ok(())
    }

    fn receive(&mut self, wait: Option<Duration>, receiver: &mut Receiver<'_>) -> io::Result<()> {
        let wait = wait.map(|wait| wait.max(WAIT_MIN));
        self.shared.socket.set_read_timeout(wait)?;
        let first = self.receive_one(receiver);
        if let Err(error) = first {
            return if is_passing(&error) {
                Ok(())
            } else {
                Err(error)
            };
        }
        self.shared.socket.set_nonblocking(true)?;
        let mut result = Ok(());
        for _ in 1..RECEIVE_DATAGRAMS_MAX {
            if let Err(error) = self.receive_one(receiver) {
                if !is_passing(&error) {
                    result = Err(error);
                }
                break;
            }
        }
        self.shared.socket.set_nonblocking(false)?;
        result
    }
}

/// Errors of receiving that say nothing about the socket: nothing is there, or (Windows) an earlier datagram met a closed port or
/// was longer than the buffer.
fn is_passing(error: &io::Error) -> bool {
    /// WSAEMSGSIZE
    const MESSAGE_TOO_LONG: i32 = 10_040;
    matches!(
        error.kind(),
        ErrorKind::WouldBlock
            | ErrorKind::TimedOut
            | ErrorKind::Interrupted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
    ) || (cfg!(windows) && error.raw_os_error() == Some(MESSAGE_TOO_LONG))
}
