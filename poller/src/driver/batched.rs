//! Datagrams moved in batches by `sendmmsg` and `recvmmsg`, waited for by `poll` (Linux).

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::poll::PollFlags;

use super::mmsg::{self, Mover};
use super::socket::{Batch, Datagrams, Receiver, Shared};

/// One system call a batch.
#[derive(Debug)]
pub struct Batched {
    shared: Shared,
    mover: Mover,
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
            mover: Mover::new(),
        })
    }
}

impl Datagrams for Batched {
    fn name(&self) -> &'static str {
        "sendmmsg and recvmmsg"
    }

    fn send(&mut self, batch: &mut Batch) -> io::Result<()> {
        let Shared { socket, is_ipv6 } = &self.shared;
        self.mover.send(socket.as_fd(), *is_ipv6, batch)
    }

    fn receive(&mut self, wait: Option<Duration>, receiver: &mut Receiver<'_>) -> io::Result<()> {
        let socket = &self.shared.socket;
        self.mover.receive(socket.as_raw_fd(), receiver, || {
            mmsg::wait(socket, PollFlags::POLLIN, wait)
        })
    }
}
