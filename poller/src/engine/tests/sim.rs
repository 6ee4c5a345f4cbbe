//! A network on virtual time: devices with latency, loss, duplicates, reordering, and somebody who forges answers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::super::{Engine, Finished, Ids, Job, Memory, PollOptions, Target};
use crate::ber::MESSAGE_BYTES_MAX;
use crate::pdu::Pdu;
use crate::testing::{Responder, Script};

/// A device's number.
pub type Device = usize;

/// How the network treats datagrams; probabilities in percent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    pub loss: u32,
    pub duplicates: u32,
    /// Answers that come from another address, under the right id.
    pub forged_source: u32,
    /// Answers from the right address, under a wrong id.
    pub forged_id: u32,
    /// Answers that are noise.
    pub noise: u32,
    /// Extra latency up to so many milliseconds: above the round trip time datagrams overtake each other.
    pub jitter_ms: u32,
}

pub struct Sim {
    pub engine: Engine<Device, Script>,
    pub weather: Weather,
    pub now: Duration,
    pub largest_reply: usize,
    /// The most requests that were under way to one device at once (means something in fair weather only).
    pub most_outstanding: usize,
    outstanding: HashMap<SocketAddr, usize>,
    devices: Vec<Option<Responder>>,
    options: Arc<PollOptions>,
    dice: Ids,
    /// What is in the air: to a device, or (source) to the engine.
    air: BinaryHeap<Reverse<(Duration, u64)>>,
    datagrams: BTreeMap<u64, Datagram>,
    serial: u64,
    latency: Duration,
}

#[derive(Debug)]
enum Datagram {
    ToDevice(Device, Vec<u8>),
    ToEngine(SocketAddr, Vec<u8>),
}

/// Virtual time after which a test has certainly gone wrong.
const PATIENCE: Duration = Duration::from_secs(30 * 24 * 3_600);

impl Sim {
    pub fn new(seed: u64) -> Self {
        Self {
            engine: Engine::new(Ids::seeded(seed)),
            weather: Weather::default(),
            now: Duration::ZERO,
            largest_reply: 0,
            most_outstanding: 0,
            outstanding: HashMap::new(),
            devices: Vec::new(),
            options: Arc::new(PollOptions::default()),
            dice: Ids::seeded(!seed),
            air: BinaryHeap::new(),
            datagrams: BTreeMap::new(),
            serial: 0,
            latency: Duration::from_millis(10),
        }
    }

    pub fn options(&mut self, options: PollOptions) {
        self.options = Arc::new(options);
    }

    /// The round trip time without jitter.
    pub fn latency(&mut self, latency: Duration) {
        self.latency = latency;
    }

    pub fn device(&mut self, responder: Responder) -> Device {
        self.devices.push(Some(responder));
        self.devices.len() - 1
    }

    pub fn dead_device(&mut self) -> Device {
        self.devices.push(None);
        self.devices.len() - 1
    }

    pub fn responder(&self, device: Device) -> &Responder {
        self.devices[device].as_ref().expect("it is alive")
    }

    pub fn responder_mut(&mut self, device: Device) -> &mut Responder {
        self.devices[device].as_mut().expect("it is alive")
    }

    pub fn address(&self, device: Device) -> SocketAddr {
        let ip = Ipv4Addr::from_bits(0x0a00_0000 + device as u32);
        SocketAddr::new(IpAddr::V4(ip), 161)
    }

    pub fn submit(&mut self, device: Device, conversation: Script) {
        self.submit_with(device, conversation, Memory::default());
    }

    pub fn submit_with(&mut self, device: Device, conversation: Script, memory: Memory) {
        let job = Job {
            token: device,
            target: Target::udp(self.address(device)),
            options: self.options.clone(),
            memory,
            conversation,
        };
        self.engine.submit(job, self.now);
    }

    fn chance(&mut self, percent: u32) -> bool {
        percent > 0 && self.dice.word() % 100 < percent
    }

    fn throw(&mut self, datagram: Datagram) {
        if self.chance(self.weather.loss) {
            return;
        }
        let jitter = match self.weather.jitter_ms {
            0 => 0,
            most => self.dice.word() % most,
        };
        let at = self.now + self.latency / 2 + Duration::from_millis(jitter.into());
        self.serial += 1;
        self.air.push(Reverse((at, self.serial)));
        self.datagrams.insert(self.serial, datagram);
    }

    fn throw_answer(&mut self, source: SocketAddr, answer: Vec<u8>) {
        if self.chance(self.weather.duplicates) {
            self.throw(Datagram::ToEngine(source, answer.clone()));
        }
        if self.chance(self.weather.forged_source) {
            let stranger = SocketAddr::new(source.ip(), 1_161);
            self.throw(Datagram::ToEngine(stranger, answer.clone()));
        }
        if self.chance(self.weather.forged_id) {
            let mut forged = answer.clone();
            if let Some(byte) = id_byte(&mut forged) {
                *byte ^= 0x55;
            }
            self.throw(Datagram::ToEngine(source, forged));
        }
        if self.chance(self.weather.noise) {
            let cut = self.dice.word() as usize % answer.len();
            self.throw(Datagram::ToEngine(source, answer[..cut].to_vec()));
        }
        self.throw(Datagram::ToEngine(source, answer));
    }

    fn send_all(&mut self) {
        while let Some(transmit) = self.engine.transmit(self.now) {
            assert!(transmit.bytes.len() < MESSAGE_BYTES_MAX);
            let address = transmit.target.address;
            let bytes = transmit.bytes.to_vec();
            let device = (0..self.devices.len())
                .find(|&device| self.address(device) == address)
                .expect("a device of ours");
            let outstanding = self.outstanding.entry(address).or_default();
            *outstanding += 1;
            self.most_outstanding = self.most_outstanding.max(*outstanding);
            self.throw(Datagram::ToDevice(device, bytes));
        }
    }

    /// Lets time pass until no poll is under way, and returns those that ended, in order.
    pub fn run_to_end(&mut self) -> Vec<Finished<Device, Script>> {
        let mut done = Vec::new();
        loop {
            self.engine.tick(self.now);
            self.send_all();
            done.extend(std::iter::from_fn(|| self.engine.finished()));
            if self.engine.inflight() == 0 {
                return done;
            }
            assert!(self.now < PATIENCE, "a poll never ends");
            let arrival = self.air.peek().map(|Reverse((at, _))| *at);
            let deadline = self.engine.next_deadline();
            let next = [arrival, deadline].into_iter().flatten().min();
            self.now = next.expect("something is to come").max(self.now);
            while let Some(Reverse((at, serial))) = self.air.peek().copied() {
                if at > self.now {
                    break;
                }
                self.air.pop();
                if let Some(datagram) = self.datagrams.remove(&serial) {
                    self.arrive(datagram);
                }
            }
        }
    }

    /// Lets everything arrive that is still in the air.
    pub fn drain_air(&mut self) {
        while let Some(Reverse((at, serial))) = self.air.pop() {
            self.now = self.now.max(at);
            if let Some(datagram) = self.datagrams.remove(&serial) {
                self.arrive(datagram);
            }
        }
    }

    fn arrive(&mut self, datagram: Datagram) {
        match datagram {
            Datagram::ToDevice(device, bytes) => {
                let address = self.address(device);
                let Some(responder) = &mut self.devices[device] else {
                    return;
                };
                if let Some(answer) = responder.answer(&bytes) {
                    self.largest_reply = self.largest_reply.max(answer.len());
                    self.throw_answer(address, answer);
                }
            }
            Datagram::ToEngine(source, bytes) => {
                if let Some(outstanding) = self.outstanding.get_mut(&source) {
                    *outstanding = outstanding.saturating_sub(1);
                }
                self.engine.receive(source, &bytes, self.now);
            }
        }
    }
}

/// The last byte of the request id of a message.
fn id_byte(message: &mut [u8]) -> Option<&mut u8> {
    let (_, _, pdu) = Pdu::read_message(message).ok()?;
    let id = pdu.request_id.to_be_bytes();
    let at = message.windows(4).position(|window| window == id)?;
    message.get_mut(at + 3)
}
