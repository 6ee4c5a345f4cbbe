//! Datagrams moved by `sendmmsg` and `recvmmsg`: one system call for a whole batch (Linux). Nothing here waits for an answer: both
//! drivers that use it ([`super::batched`], [`super::ring`]) have their own way of waiting.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

use super::socket::{BATCH_DATAGRAMS, Batch, DATAGRAM_BYTES_MAX, Receiver, canonical, map};

/// How many batches one `receive` gives away at most, so that sending gets its turn.
const RECEIVE_BATCHES_MAX: usize = 4;

/// How long a full send buffer is waited for before it is tried again.
const SEND_WAIT: Duration = Duration::from_millis(10);

/// From one buffer to the next: a power of two would put the heads of all datagrams on the same few lines of the processor's cache.
const BUFFER_STRIDE_BYTES: usize = DATAGRAM_BYTES_MAX + 19 * 64;

/// Headers and buffers for a batch each way.
pub struct Mover {
    receive_headers: MultiHeaders<SockaddrStorage>,
    send_headers: MultiHeaders<SockaddrStorage>,
    buffers: Box<[u8]>,
    targets: Vec<Option<SockaddrStorage>>,
}

impl Mover {
    pub fn new() -> Self {
        Self {
            receive_headers: MultiHeaders::preallocate(BATCH_DATAGRAMS, None),
            send_headers: MultiHeaders::preallocate(BATCH_DATAGRAMS, None),
            buffers: vec![0; BATCH_DATAGRAMS * BUFFER_STRIDE_BYTES].into(),
            targets: Vec::with_capacity(BATCH_DATAGRAMS),
        }
    }

    /// Gives away what is there, up to some batches; says how many datagrams that were. `wait` is called once when nothing is there.
    pub fn receive(
        &mut self,
        fd: RawFd,
        receiver: &mut Receiver<'_>,
        wait: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let mut received = self.receive_batch(fd, receiver)?;
        if received == 0 {
            wait()?;
            received = self.receive_batch(fd, receiver)?;
        }
        for _ in 1..RECEIVE_BATCHES_MAX {
            if received < BATCH_DATAGRAMS {
                break;
            }
            received = self.receive_batch(fd, receiver)?;
        }
        Ok(())
    }

    /// Receives one batch without waiting and says how many datagrams it had.
    fn receive_batch(&mut self, fd: RawFd, receiver: &mut Receiver<'_>) -> io::Result<usize> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self
            .buffers
            .chunks_exact_mut(BUFFER_STRIDE_BYTES)
            .filter_map(|stride| stride.get_mut(..DATAGRAM_BYTES_MAX))
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        let received = recvmmsg(
            fd,
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

    /// Sends a batch; waits only for room in the kernel's buffer.
    pub fn send(&mut self, fd: BorrowedFd<'_>, is_ipv6: bool, batch: &mut Batch) -> io::Result<()> {
        let slices: Vec<[IoSlice<'_>; 1]> = batch
            .iter()
            .map(|(_, datagram)| [IoSlice::new(datagram)])
            .collect();
        self.targets.clear();
        self.targets.extend(
            batch
                .iter()
                .map(|(target, _)| Some(map(target, is_ipv6).into())),
        );
        let mut failed = Vec::new();
        let mut sent = 0;
        while sent < slices.len() {
            let result = sendmmsg(
                fd.as_raw_fd(),
                &mut self.send_headers,
                slices.get(sent..).unwrap_or_default(),
                self.targets.get(sent..).unwrap_or_default(),
                [],
                MsgFlags::MSG_DONTWAIT,
            );
            match result.map(Iterator::count) {
                Ok(count) => sent += count.max(1),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN | Errno::ENOBUFS) => {
                    wait(fd, PollFlags::POLLOUT, Some(SEND_WAIT))?;
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
}

/// Waits until the socket is ready, a signal comes, or `wait_max` is over.
pub fn wait(fd: impl AsFd, flags: PollFlags, wait_max: Option<Duration>) -> io::Result<()> {
    let mut polled = [PollFd::new(fd.as_fd(), flags)];
    match poll(&mut polled, wait_max.map_or(PollTimeout::NONE, timeout)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
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

impl std::fmt::Debug for Mover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mover").finish_non_exhaustive()
    }
}
