//! Datagrams by `monoio`: io_uring, or epoll where io_uring is forbidden (Linux).
//!
//! Some tasks have one receive each under way all the time; the sends of a batch are started together and submitted together.
//! Between two calls the tasks rest with the runtime, and the kernel goes on filling their buffers.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use monoio::io::{CancelHandle, Canceller};
use monoio::net::udp::UdpSocket;
use monoio::time::TimeDriver;
use monoio::{FusionDriver, FusionRuntime, IoUringDriver, LegacyDriver, RuntimeBuilder};

use super::socket::{Batch, Datagrams, Receiver, Shared, canonical, map};

/// How many receives are under way at once with io_uring. (With epoll it is one: a socket there wakes one task.)
const RECEIVES_URING: usize = 16;

/// The room of each receive: no reply of a printer is bigger than a few kB.
const RECEIVE_BYTES: usize = 16 << 10;

/// Datagrams that wait to be given away; then the tasks rest and the kernel's buffer fills.
const INBOX_DATAGRAMS_MAX: usize = 512;

/// Entries of the submission queue.
const RING_ENTRIES: u32 = 1_024;

type Runtime = FusionRuntime<TimeDriver<IoUringDriver>, TimeDriver<LegacyDriver>>;

/// What the tasks leave for `receive`.
#[derive(Default)]
struct Inbox {
    datagrams: VecDeque<(SocketAddr, Vec<u8>)>,
    /// Buffers that were given away, for the next receives.
    free: Vec<Vec<u8>>,
    /// `receive`, while it waits.
    reader: Option<Waker>,
    /// Tasks, while the inbox is full.
    resting: Vec<Waker>,
    error: Option<io::Error>,
    tasks: usize,
    is_closing: bool,
}

/// The socket and its runtime.
pub struct Ring {
    runtime: Runtime,
    socket: Rc<UdpSocket>,
    is_ipv6: bool,
    is_uring: bool,
    inbox: Rc<RefCell<Inbox>>,
    canceller: Option<Canceller>,
    send_buffers: Vec<Vec<u8>>,
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
        // io_uring waits by itself; epoll must be told when a call would wait.
        shared.socket.set_nonblocking(!is_uring)?;
        let Shared { socket, is_ipv6 } = shared;
        let inbox = Rc::new(RefCell::new(Inbox::default()));
        let canceller = Canceller::new();
        let handle = canceller.handle();
        let tasks = if is_uring { RECEIVES_URING } else { 1 };
        let socket = runtime.block_on(async {
            let socket = Rc::new(UdpSocket::from_std(socket)?);
            for _ in 0..tasks {
                inbox.borrow_mut().tasks += 1;
                monoio::spawn(keep_receiving(
                    socket.clone(),
                    inbox.clone(),
                    handle.clone(),
                ));
            }
            Ok::<_, io::Error>(socket)
        })?;
        Ok(Self {
            runtime,
            socket,
            is_ipv6,
            is_uring,
            inbox,
            canceller: Some(canceller),
            send_buffers: Vec::new(),
        })
    }
}

async fn keep_receiving(socket: Rc<UdpSocket>, inbox: Rc<RefCell<Inbox>>, cancel: CancelHandle) {
    loop {
        let room = poll_fn(|context| {
            let mut inbox = inbox.borrow_mut();
            if inbox.is_closing {
                return Poll::Ready(None);
            }
            if inbox.datagrams.len() < INBOX_DATAGRAMS_MAX {
                return Poll::Ready(Some(inbox.free.pop().unwrap_or_default()));
            }
            inbox.resting.push(context.waker().clone());
            Poll::Pending
        });
        let Some(mut buffer) = room.await else {
            break;
        };
        buffer.clear();
        buffer.reserve(RECEIVE_BYTES);
        let (result, buffer) = socket.cancelable_recv_from(buffer, cancel.clone()).await;
        let mut inbox = inbox.borrow_mut();
        match result {
            Ok((_, source)) => inbox.datagrams.push_back((canonical(source), buffer)),
            Err(error) if is_passing(&error) => inbox.free.push(buffer),
            Err(error) => {
                if !inbox.is_closing {
                    inbox.error = Some(error);
                    inbox.is_closing = true;
                }
            }
        }
        if let Some(reader) = inbox.reader.take() {
            reader.wake();
        }
    }
    let mut inbox = inbox.borrow_mut();
    inbox.tasks -= 1;
    if let Some(reader) = inbox.reader.take() {
        reader.wake();
    }
}

/// An earlier datagram met a closed port, or a signal came: nothing that says anything about the socket.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::Interrupted | ErrorKind::WouldBlock
    )
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
        let is_ipv6 = self.is_ipv6;
        let is_uring = self.is_uring;
        let socket = &self.socket;
        let buffers = &mut self.send_buffers;
        let datagrams: Vec<(SocketAddr, Vec<u8>)> = batch
            .iter()
            .map(|(target, datagram)| {
                let mut buffer = buffers.pop().unwrap_or_default();
                buffer.clear();
                buffer.extend_from_slice(datagram);
                (map(target, is_ipv6), buffer)
            })
            .collect();
        let failed = self.runtime.block_on(async {
            let mut failed = Vec::new();
            let mut started = Vec::with_capacity(datagrams.len());
            for (at, (target, buffer)) in datagrams.into_iter().enumerate() {
                let socket = socket.clone();
                let sending = async move { socket.send_to(buffer, target).await };
                if is_uring {
                    started.push((at, monoio::spawn(sending)));
                } else {
                    let (result, buffer) = sending.await;
                    buffers.push(buffer);
                    failed.extend(result.err().map(|error| (at, error)));
                }
            }
            for (at, sending) in started {
                let (result, buffer) = sending.await;
                buffers.push(buffer);
                failed.extend(result.err().map(|error| (at, error)));
            }
            failed
        });
        batch.failed = failed;
        Ok(())
    }

    fn receive(&mut self, wait: Option<Duration>, receiver: &mut Receiver<'_>) -> io::Result<()> {
        let inbox = &self.inbox;
        let something = poll_fn(|context| {
            let mut inbox = inbox.borrow_mut();
            if inbox.datagrams.is_empty() && !inbox.is_closing {
                inbox.reader = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        });
        self.runtime.block_on(async {
            match wait {
                Some(wait) => {
                    // Whether something came is seen in the inbox.
                    let _ = monoio::time::timeout(wait, something).await;
                }
                None => something.await,
            }
        });
        loop {
            let Some((source, datagram)) = self.inbox.borrow_mut().datagrams.pop_front() else {
                break;
            };
            receiver(source, &datagram);
            self.inbox.borrow_mut().free.push(datagram);
        }
        let mut inbox = self.inbox.borrow_mut();
        inbox.reader = None;
        for task in inbox.resting.drain(..) {
            task.wake();
        }
        inbox.error.take().map_or(Ok(()), Err)
    }
}

impl Drop for Ring {
    /// Receives under way hold the ring: they are cancelled and waited for, so that it is really closed.
    fn drop(&mut self) {
        let canceller = self.canceller.take();
        let inbox = self.inbox.clone();
        self.runtime.block_on(async move {
            inbox.borrow_mut().is_closing = true;
            for task in inbox.borrow_mut().resting.drain(..) {
                task.wake();
            }
            drop(canceller.map(Canceller::cancel));
            poll_fn(|context| {
                let mut inbox = inbox.borrow_mut();
                if inbox.tasks == 0 {
                    return Poll::Ready(());
                }
                inbox.reader = Some(context.waker().clone());
                Poll::Pending
            })
            .await;
        });
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring")
            .field("is_uring", &self.is_uring)
            .finish_non_exhaustive()
    }
}
