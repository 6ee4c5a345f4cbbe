//! The fleet's thread on Linux: `recvmmsg` in, `sendmsg` with the printer's own source address out.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::socket::{setsockopt, sockopt};

use super::super::ber::read_request;
use super::super::event::{Event, EventError, Network};
use super::super::mib::Mib;
use super::super::printer::{Behaviour, mix};
use super::super::respond::Responder;
use super::super::world::World;
use super::mmsg::{Arrived, Inbox, Outbox};
use super::{
    DELAYED_ANSWERS_MAX, Delayed, DelayedQueue, FleetConfig, FleetError, FleetStats, Order,
};
use std::cmp::Reverse;
use std::sync::mpsc::Receiver;

/// The socket's buffers: some 10,000 requests that arrive while a batch is answered.
const SOCKET_BUFFER_BYTES: usize = 8 << 20;
/// How long a printer in power save stays awake once it was woken.
const AWAKE_MS: i64 = 20_000;
/// How long the thread waits for a request before it looks at its other duties.
const WAIT: Duration = Duration::from_millis(20);

/// How much longer the slow answers take.
const TAIL_FACTOR: u64 = 10;

pub(super) struct Socket {
    socket: UdpSocket,
    pub(super) port: u16,
}

pub(super) fn open(port: u16) -> Result<Socket, FleetError> {
    let failed = |operation| {
        move |source| FleetError::Socket {
            port,
            operation,
            source,
        }
    };
    let socket = socket2::Socket::new(
        socket2::Domain::IPV4,
        socket2::Type::DGRAM,
        Some(socket2::Protocol::UDP),
    )
    .map_err(failed("create it"))?;
    socket
        .bind_device(Some(b"lo"))
        .map_err(failed("bind it to the loopback interface"))?;
    // Small systems allow less; the fleet then merely loses more under a flood.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket
        .bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())
        .map_err(failed("bind its port (is another fleet running?)"))?;
    setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)
        .map_err(|errno| failed("ask for packet information")(errno.into()))?;
    let socket = UdpSocket::from(socket);
    socket
        .set_read_timeout(Some(WAIT))
        .map_err(failed("set its timeout"))?;
    let port = socket.local_addr().map_err(failed("read its port"))?.port();
    Ok(Socket { socket, port })
}

pub(super) struct Server<'a> {
    socket: UdpSocket,
    config: FleetConfig,
    mibs: Vec<Mib>,
    world: World,
    orders: Receiver<Order>,
    stats: &'a FleetStats,
    /// For printers in power save: until when they are awake.
    awake_until_unix_ms: Vec<i64>,
    delayed: DelayedQueue,
    started: Instant,
    dice: u64,
    responder: Responder,
    outbox: Outbox,
}

impl<'a> Server<'a> {
    pub(super) fn new(
        socket: Socket,
        config: FleetConfig,
        mibs: Vec<Mib>,
        world: World,
        orders: Receiver<Order>,
        stats: &'a FleetStats,
    ) -> Self {
        Self {
            socket: socket.socket,
            dice: config.seed,
            awake_until_unix_ms: vec![0; config.devices as usize],
            config,
            mibs,
            world,
            orders,
            stats,
            delayed: DelayedQueue::new(),
            started: Instant::now(),
            responder: Responder::default(),
            outbox: Outbox::new(),
        }
    }

    pub(super) fn run(mut self, stop: &AtomicBool) {
        let mut inbox = Inbox::new();
        while !stop.load(Ordering::Relaxed) {
            let must_hurry = !self.delayed.is_empty();
            // An error is the end of the wait; anything worse shows as silence.
            let arrived = inbox.receive(self.socket.as_fd(), must_hurry).unwrap_or(0);
            let now_unix_ms = unix_ms();
            self.turn_events(now_unix_ms);
            self.stats
                .requests
                .fetch_add(arrived as u64, Ordering::Relaxed);
            for request in inbox.arrived() {
                self.answer(&request, now_unix_ms);
            }
            let sent = self.send_due();
            self.flush();
            if arrived == 0 && !sent && !self.delayed.is_empty() {
                self.nap();
            }
        }
    }

    fn answer(&mut self, arrived: &Arrived<'_>, now_unix_ms: i64) {
        let &Arrived {
            asked,
            asker,
            bytes,
        } = arrived;
        if self.is_hit(self.config.loss_permille) {
            return count(&self.stats.lost);
        }
        let (Some(printer), Some(request)) = (self.world.at(asked), read_request(bytes)) else {
            return count(&self.stats.unanswered);
        };
        let awake_until = &mut self.awake_until_unix_ms[printer.number as usize];
        if request.community != self.config.community.as_bytes()
            || !is_awake(printer.behaviour, awake_until, now_unix_ms)
        {
            return count(&self.stats.unanswered);
        }
        let mut responder = std::mem::take(&mut self.responder);
        let mib = &self.mibs[printer.face];
        let answer = responder.respond(mib, printer, &request, now_unix_ms);
        if self.is_hit(self.config.loss_permille) {
            count(&self.stats.lost);
        } else {
            self.dispatch(asked, asker, answer);
            if self.is_hit(self.config.duplicate_permille) {
                self.dispatch(asked, asker, answer);
            }
        }
        self.responder = responder;
    }

    fn dispatch(&mut self, from: Ipv4Addr, to: SocketAddrV4, answer: &[u8]) {
        let latency = self.latency_us();
        if latency == 0 {
            self.send(from, to, answer);
        } else if self.delayed.len() < DELAYED_ANSWERS_MAX {
            self.delayed.push(Reverse(Delayed {
                due_us: self.elapsed_us() + latency,
                from,
                to,
                answer: answer.to_vec(),
            }));
        } else {
            count(&self.stats.lost);
        }
    }

    fn send_due(&mut self) -> bool {
        let now_us = self.elapsed_us();
        let mut sent = false;
        while self
            .delayed
            .peek()
            .is_some_and(|Reverse(first)| first.due_us <= now_us)
        {
            if let Some(Reverse(due)) = self.delayed.pop() {
                self.send(due.from, due.to, &due.answer);
                sent = true;
            }
        }
        sent
    }

    fn send(&mut self, from: Ipv4Addr, to: SocketAddrV4, answer: &[u8]) {
        if self.outbox.is_full() {
            self.flush();
        }
        self.outbox.push(from, to, answer);
    }

    fn flush(&mut self) {
        let (sent, lost) = self.outbox.flush(self.socket.as_fd());
        self.stats.answers.fetch_add(sent, Ordering::Relaxed);
        self.stats.lost.fetch_add(lost, Ordering::Relaxed);
    }

    /// Lets happen what somebody ordered and what the schedule says.
    fn turn_events(&mut self, now_unix_ms: i64) {
        while let Ok(order) = self.orders.try_recv() {
            let told = self.happen(&order.event, now_unix_ms);
            // Who asked may have stopped waiting.
            let _ = order.reply.try_send(told);
        }
        if self.config.schedule.is_empty() {
            return;
        }
        let now_ms = self.elapsed_us() / 1000;
        while let Some(event) = self.config.schedule.due(now_ms) {
            match self.happen(&event, now_unix_ms) {
                Ok(now) => tracing::info!(%event, %now, "it happened"),
                Err(error) => tracing::warn!(%event, %error, "it did not happen"),
            }
        }
    }

    fn happen(&mut self, event: &Event, now_unix_ms: i64) -> Result<String, EventError> {
        let told = match event {
            Event::Stats => return Ok(self.stats.to_json()),
            Event::Network(network) => Ok(self.change_network(network)),
            event => self
                .world
                .apply(event, now_unix_ms)
                .expect("the world knows every event but those above"),
        };
        if told.is_ok() && !matches!(event, Event::Show { .. }) {
            count(&self.stats.events);
        }
        told
    }

    fn change_network(&mut self, network: &Network) -> String {
        let ms = |ms: u32| Duration::from_millis(u64::from(ms));
        let config = &mut self.config;
        config.latency = network.latency_ms.map_or(config.latency, ms);
        config.jitter = network.jitter_ms.map_or(config.jitter, ms);
        config.tail_permille = network.tail_permille.unwrap_or(config.tail_permille);
        config.loss_permille = network.loss_permille.unwrap_or(config.loss_permille);
        config.duplicate_permille = network
            .duplicate_permille
            .unwrap_or(config.duplicate_permille);
        format!(
            "latency {} ms, jitter {} ms, of 1,000: {} slow, {} lost, {} twice",
            config.latency.as_millis(),
            config.jitter.as_millis(),
            config.tail_permille,
            config.loss_permille,
            config.duplicate_permille
        )
    }

    /// Waits until the next delayed answer is due, at most a millisecond: requests may come in the meantime.
    fn nap(&self) {
        let due_us = self.delayed.peek().map_or(0, |Reverse(first)| first.due_us);
        let wait_us = due_us.saturating_sub(self.elapsed_us()).min(1000);
        std::thread::sleep(Duration::from_micros(wait_us));
    }

    fn latency_us(&mut self) -> u64 {
        let jitter_us = self
            .config
            .jitter
            .as_micros()
            .try_into()
            .unwrap_or(u64::MAX);
        let latency_us: u64 = self
            .config
            .latency
            .as_micros()
            .try_into()
            .unwrap_or(u64::MAX);
        let latency_us = match jitter_us {
            0 => latency_us,
            jitter_us => latency_us + self.roll() % jitter_us,
        };
        if self.is_hit(self.config.tail_permille) {
            return latency_us * TAIL_FACTOR;
        }
        latency_us
    }

    fn is_hit(&mut self, permille: u32) -> bool {
        permille > 0 && self.roll() % 1000 < u64::from(permille)
    }

    fn roll(&mut self) -> u64 {
        self.dice = mix(self.dice);
        self.dice
    }

    fn elapsed_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

fn is_awake(behaviour: Behaviour, until_unix_ms: &mut i64, now_unix_ms: i64) -> bool {
    match behaviour {
        Behaviour::Awake => true,
        Behaviour::Dead => false,
        Behaviour::Asleep => {
            let awake = *until_unix_ms > now_unix_ms;
            *until_unix_ms = now_unix_ms + AWAKE_MS;
            awake
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn unix_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}
