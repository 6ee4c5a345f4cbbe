//! The loop that joins an engine and a socket.

use std::io;
use std::time::{Duration, Instant};

use super::socket::{Batch, Datagrams, Waker};
use super::tcp::Links;
use crate::conversation::Conversation;
use crate::engine::{Engine, Finished, Job, Ticket, Transport};

/// An engine, its socket and its clock.
pub struct Loop<K, C> {
    pub engine: Engine<K, C>,
    datagrams: Box<dyn Datagrams>,
    links: Links,
    started: Instant,
    batch: Batch,
    tickets: Vec<Ticket>,
}

impl<K, C: Conversation> Loop<K, C> {
    /// `waker` ends a wait of `datagrams`.
    pub fn new(engine: Engine<K, C>, datagrams: Box<dyn Datagrams>, waker: Waker) -> Self {
        Self {
            engine,
            datagrams,
            links: Links::new(waker),
            started: Instant::now(),
            batch: Batch::default(),
            tickets: Vec::new(),
        }
    }

    /// When the engine's clock was zero.
    pub const fn started(&self) -> Instant {
        self.started
    }

    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub fn submit(&mut self, job: Job<K, C>) {
        let now = self.now();
        self.engine.submit(job, now);
    }

    /// Sends what is due.
    pub fn send(&mut self) -> io::Result<()> {
        let now = self.now();
        self.engine.tick(now);
        loop {
            self.batch.clear();
            self.tickets.clear();
            while !self.batch.is_full()
                && let Some(transmit) = self.engine.transmit(now)
            {
                match transmit.target.transport {
                    Transport::Udp => {
                        self.tickets.push(transmit.ticket);
                        self.batch.push(transmit.target.address, transmit.bytes);
                    }
                    Transport::Tcp => {
                        let ticket = transmit.ticket;
                        let sent = self.links.send(transmit.target.address, transmit.bytes);
                        if let Err(error) = sent {
                            self.engine.send_failed(ticket, error, now);
                        }
                    }
                }
            }
            if self.batch.is_empty() {
                return Ok(());
            }
            self.datagrams.send(&mut self.batch)?;
            for (at, error) in self.batch.failed.drain(..) {
                if let Some(ticket) = self.tickets.get(at) {
                    self.engine.send_failed(*ticket, error, now);
                }
            }
        }
    }

    /// Waits for answers until a deadline of the engine, a wake-up, or `wait_max` is over.
    pub fn receive(&mut self, wait_max: Option<Duration>) -> io::Result<()> {
        let (engine, started) = (&mut self.engine, self.started);
        let wait = engine
            .next_deadline()
            .map(|deadline| deadline.saturating_sub(started.elapsed()))
            .into_iter()
            .chain(wait_max)
            .min();
        let mut now = None;
        let result = self.datagrams.receive(wait, &mut |source, datagram| {
            if datagram.is_empty() {
                return;
            }
            let now = *now.get_or_insert_with(|| started.elapsed());
            engine.receive(source, datagram, now);
        });
        while let Some((source, message)) = self.links.answer() {
            self.engine.receive(source, &message, started.elapsed());
        }
        result
    }

    pub fn finished(&mut self) -> Option<Finished<K, C>> {
        self.engine.finished()
    }
}
