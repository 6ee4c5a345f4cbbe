//! Datagrams by `sendmmsg` and `recvmmsg`: one system call for a whole batch (Linux).

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

use super::socket::{
    BATCH_DATAGRAMS, Batch, DATAGRAM_BYTES_MAX, Datagrams, Receiver, Shared, canonical,
};

/// How many batches one `receive` gives away at most, so that sending gets its turn.
const RECEIVE_BATCHES_MAX: usize = 4;

/// How long a full send buffer is waited for before it is tried again.
const SEND_WAIT: Duration = Duration::from_millis(10);

/// One system call a batch.
pub struct Batched {
    shared: Shared,
    receive_headers: MultiHeaders<SockaddrStorage>,
    send_headers: MultiHeaders<SockaddrStorage>,
    buffers: Box<[u8]>,
}

impl Batched {
    /// Around an open socket.
    ///
    /// # Errors
    /// When the socket cannot be made non-blocking.
    pub fn new(shared: Shared) -> io::Result<Self> {
        shared.socket.set_nonblocking(true)?;
        Ok(Self {
            shared,
            receive_headers: MultiHeaders::preallocate(BATCH_DATAGRAMS, None),
            send_headers: MultiHeaders::preallocate(BATCH_DATAGRAMS, None),
            buffers: vec![0; BATCH_DATAGRAMS * DATAGRAM_BYTES_MAX].into(),
        })
    }

    fn wait(&self, flags: PollFlags, wait: Option<Duration>) -> io::Result<()> {
        let mut polled = [PollFd::new(self.shared.socket.as_fd(), flags)];
        match poll(&mut polled, wait.map_or(PollTimeout::NONE, timeout)) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Receives one batch without waiting and says how many datagrams it had.
    fn receive_batch(&mut self, receiver: &mut Receiver<'_>) -> io::Result<usize> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self
            .buffers
            .chunks_exact_mut(DATAGRAM_BYTES_MAX)
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        let received = recvmmsg(
            self.shared.socket.as_raw_fd(),
            &mut self.receive_headers,
            slices.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        );
        let messages = match received {
            Ok(messages) => messages,
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let mut count = 0;
        for message in messages {
            count += 1;
            let source = message.address.as_ref().and_then(socket_address);
            if let (Some(source), Some(datagram)) = (source, message.iovs().next()) {
                receiver(canonical(source), datagram);
            }
        }
        Ok(count)
    }
}

impl Datagrams for Batched {
    fn name(&self) -> &'static str {
        "sendmmsg and recvmmsg"
    }

    fn send(&mut self, batch: &mut Batch) -> io::Result<()> {
        let slices: Vec<[IoSlice<'_>; 1]> = batch
            .iter()
            .map(|(_, datagram)| [IoSlice::new(datagram)])
            .collect();
        let targets: Vec<Option<SockaddrStorage>> = batch
            .iter()
            .map(|(target, _)| Some(self.shared.map(target).into()))
            .collect();
        let fd = self.shared.socket.as_raw_fd();
        let mut failed = Vec::new();
        let mut sent = 0;
        while sent < slices.len() {
            let result = sendmmsg(
                fd,
                &mut self.send_headers,
                slices.get(sent..).unwrap_or_default(),
                targets.get(sent..).unwrap_or_default(),
                [],
                MsgFlags::MSG_DONTWAIT,
            );
            match result.map(Iterator::count) {
                Ok(count) => sent += count.max(1),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN | Errno::ENOBUFS) => {
                    self.wait(PollFlags::POLLOUT, Some(SEND_WAIT))?;
                }
                // An error concerns the first datagram that was not sent.
                Err(error) => {
                    failed.push((sent, error.into()));
                    sent += 1;
                }
            }
        }
        batch.failed = failed;
        Ok(())
    }

    fn receive(&mut self, wait: Option<Duration>, receiver: &mut Receiver<'_>) -> io::Result<()> {
        let mut received = self.receive_batch(receiver)?;
        if received == 0 {
            self.wait(PollFlags::POLLIN, wait)?;
            received = self.receive_batch(receiver)?;
        }
        for _ in 1..RECEIVE_BATCHES_MAX {
            if received < BATCH_DATAGRAMS {
                break;
            }
            received = self.receive_batch(receiver)?;
        }
        Ok(())
    }
}

/// In the kernel's milliseconds, rounded up: a timer that fires early would only be asked for again.
fn timeout(wait: Duration) -> PollTimeout {
    let milliseconds = wait.as_micros().div_ceil(1_000);
    i32::try_from(milliseconds)
        .ok()
        .and_then(|milliseconds| PollTimeout::try_from(milliseconds).ok())
        .unwrap_or(PollTimeout::MAX)
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v6) = address.as_sockaddr_in6() {
        return Some(SocketAddr::V6((*v6).into()));
    }
    address
        .as_sockaddr_in()
        .map(|v4| SocketAddr::V4((*v4).into()))
}

impl std::fmt::Debug for Batched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batched")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}
