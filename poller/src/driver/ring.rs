//! Datagrams waited for by `monoio` (io_uring, or epoll where io_uring is forbidden) and moved in batches (Linux).
//!
//! One operation of the ring for each datagram costs more than a system call for 64 of them: a receive each was at 0.62 of a bare
//! `recvmmsg` loop where batches are at 0.79. So the runtime does what it is best at, waiting: one poll of the socket is under way while there is nothing
//! to do, and what came is moved as [`super::batched`] moves it.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use monoio::net::udp::UdpSocket;
use monoio::time::TimeDriver;
use monoio::{FusionDriver, FusionRuntime, IoUringDriver, LegacyDriver, RuntimeBuilder};

use super::mmsg::Mover;
use super::socket::{Batch, Datagrams, Receiver, Shared};

/// Entries of the submission queue: a poll, its timer, and cancelling both.
const RING_ENTRIES: u32 = 8;

type Runtime = FusionRuntime<TimeDriver<IoUringDriver>, TimeDriver<LegacyDriver>>;

/// The socket and its runtime.
pub struct Ring {
    /// Before the runtime: it is closed while the runtime still runs.
    socket: UdpSocket,
    /// The same socket, for the system calls that move batches.
    shared: Shared,
    runtime: Runtime,
    is_uring: bool,
    mover: Mover,
}

impl Ring {
    /// Around an open socket.
    ///
    /// # Errors
    /// When neither io_uring nor epoll can be had.
    pub fn new(shared: Shared) -> io::Result<Self> {
        let mut runtime = RuntimeBuilder::<FusionDriver>::new()
            .with_entries(RING_ENTRIES)
            .enable_timer()
            .build()?;
        let is_uring = matches!(runtime, FusionRuntime::Uring(_));
        shared.socket.set_nonblocking(true)?;
        let waited = shared.socket.try_clone()?;
        let socket = runtime.block_on(async { UdpSocket::from_std(waited) })?;
        Ok(Self {
            socket,
            shared,
            runtime,
            is_uring,
            mover: Mover::new(),
        })
    }
}

impl Datagrams for Ring {
    fn name(&self) -> &'static str {
        if self.is_uring {
            "monoio with io_uring"
        } else {
            "monoio with epoll"
        }
    }

    fn send(&mut self, batch: &mut Batch) -> io::Result<()> {
        let Shared { socket, is_ipv6 } = &self.shared;
        self.mover.send(socket.as_fd(), *is_ipv6, batch)
    }

    fn receive(&mut self, wait: Option<Duration>, receiver: &mut Receiver<'_>) -> io::Result<()> {
        let (runtime, socket) = (&mut self.runtime, &self.socket);
        let fd = self.shared.socket.as_raw_fd();
        self.mover.receive(fd, receiver, || {
            runtime.block_on(async {
                // Strictly: epoll tells of a datagram once, and it may have been taken without asking.
                let readable = socket.readable(false);
                match wait {
                    Some(wait) => monoio::time::timeout(wait, readable)
                        .await
                        .unwrap_or(Ok(())),
                    None => readable.await,
                }
            })
        })
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring")
            .field("is_uring", &self.is_uring)
            .finish_non_exhaustive()
    }
}
