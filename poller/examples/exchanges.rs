//! How many exchanges a second of the client's CPU carries: a bare `sendmmsg`/`recvmmsg` loop that reads nothing, and the fleet with
//! each of its drivers, which reads every variable. All against the same responder thread, one after the other, in one run.
//!
//! `cargo run --release -p platen-poller --example exchanges`
//!
//! With `--serve` it only answers, on a port that it prints, until its input ends: for other clients (`benches/polling`).

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the bare loop needs Linux");
}

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{IoSlice, IoSliceMut};
    use std::net::{SocketAddr, UdpSocket};
    use std::os::fd::AsRawFd;
    use std::sync::{Arc, mpsc};
    use std::time::{Duration, Instant};

    use nix::sys::socket::{
        MsgFlags, MultiHeaders, SockaddrIn, SockaddrStorage, recvmmsg, sendmmsg, setsockopt,
        sockopt,
    };
    use nix::time::{ClockId, clock_gettime};
    use poller::ber::Writer;
    use poller::conversation::{Ask, Conversation, Failure};
    use poller::credentials::{Credential, Version};
    use poller::driver::{DriverChoice, Fleet, FleetOptions};
    use poller::engine::{Finished, Job, Memory, PollOptions, Target};
    use poller::oid::Oid;
    use poller::pdu::{self, Pdu, Request};
    use poller::value::{Value, ValueRef};

    /// As many as a steady poll of a colour printer has.
    const VARIABLES: u32 = 36;
    /// Devices under way at once.
    const DEVICES: usize = 512;
    /// Exchanges of each.
    const EXCHANGES_EACH: usize = 400;
    const EXCHANGES: usize = DEVICES * EXCHANGES_EACH;
    const BATCH: usize = 64;
    const DATAGRAM_BYTES: usize = 2_048;
    const BUFFER_BYTES: usize = 4 << 20;
    /// How often the whole is repeated: the best of each counts, for other programs only ever slow things down.
    const ROUNDS: usize = 3;

    fn names() -> Vec<Oid> {
        let level = |row| Oid::new(&[1, 3, 6, 1, 2, 1, 43, 11, 1, 1, 9, 1, row]);
        (1..=VARIABLES).map(level).collect()
    }

    fn request(id: i32) -> Vec<u8> {
        let mut writer = Writer::new(DATAGRAM_BYTES);
        let access = (Version::V2c, &b"public"[..]);
        pdu::write_community_request(&mut writer, access, Request::Get, id, names().iter());
        writer.finish().expect("it fits").to_vec()
    }

    fn reply(id: i32) -> Vec<u8> {
        let values: Vec<Value> = (0..VARIABLES)
            .map(|row| match row % 4 {
                0 => Value::Counter32(row * 1_000_003),
                1 => Value::OctetString(b"TK-8365".to_vec()),
                _ => Value::Integer(i64::from(row) * 997),
            })
            .collect();
        let mut writer = Writer::new(DATAGRAM_BYTES);
        pdu::write_response(&mut writer, id, (0, 0), names().iter().zip(&values));
        pdu::write_community(&mut writer, Version::V2c, b"public");
        writer.finish().expect("it fits").to_vec()
    }

    /// Where an id of four octets stands.
    fn id_at(message: &[u8], id: i32) -> usize {
        let id = id.to_be_bytes();
        let at = message.windows(4).position(|window| window == id);
        at.expect("the id is there")
    }

    /// Answers everything with the same values, for ever.
    fn respond(socket: &UdpSocket) {
        const SOME_ID: i32 = 0x5a17_3c49;
        let template = reply(SOME_ID);
        let at = id_at(&template, SOME_ID);
        let request_at = id_at(&request(SOME_ID), SOME_ID);
        let fd = socket.as_raw_fd();
        let mut input = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
        let mut output = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
        let mut buffers = vec![0; BATCH * DATAGRAM_BYTES];
        let mut answers: Vec<Vec<u8>> = Vec::new();
        let mut targets: Vec<Option<SockaddrStorage>> = Vec::new();
        loop {
            answers.clear();
            targets.clear();
            let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffers
                .chunks_exact_mut(DATAGRAM_BYTES)
                .map(|buffer| [IoSliceMut::new(buffer)])
                .collect();
            let wait = MsgFlags::MSG_WAITFORONE;
            let Ok(messages) = recvmmsg(fd, &mut input, slices.iter_mut(), wait, None) else {
                continue;
            };
            for message in messages {
                let datagram = message.iovs().next().unwrap_or_default();
                let mut answer = template.clone();
                match datagram.get(request_at - 2..request_at + 4) {
                    Some([2, 4, id @ ..]) => answer[at..at + 4].copy_from_slice(id),
                    // One id in a hundred is shorter.
                    _ => match Pdu::read_message(datagram) {
                        Ok((_, _, pdu)) => answer = reply(pdu.request_id),
                        Err(_) => return,
                    },
                }
                answers.push(answer);
                targets.push(message.address);
            }
            let slices: Vec<[IoSlice<'_>; 1]> = answers
                .iter()
                .map(|answer| [IoSlice::new(answer)])
                .collect();
            let mut sent = 0;
            while sent < slices.len() {
                let some = MsgFlags::empty();
                match sendmmsg(fd, &mut output, &slices[sent..], &targets[sent..], [], some) {
                    Ok(results) => sent += results.count(),
                    Err(_) => break,
                }
            }
        }
    }

    fn cpu() -> Duration {
        let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
        time.expect("every kernel has that clock").into()
    }

    /// Sends and receives, reads nothing but how many came.
    fn bare(target: SocketAddr) -> Duration {
        let SocketAddr::V4(target) = target else {
            unreachable!("the responder has an IPv4 address")
        };
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let _ = setsockopt(&socket, sockopt::RcvBuf, &BUFFER_BYTES);
        let fd = socket.as_raw_fd();
        let message = request(0x5a17_3c49);
        let mut input = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
        let mut output = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
        let mut buffers = vec![0; BATCH * DATAGRAM_BYTES];
        let targets = [Some(SockaddrIn::from(target)); BATCH];
        let begun = cpu();
        let (mut sent, mut received) = (0, 0);
        while received < EXCHANGES {
            let mut room = DEVICES - (sent - received);
            while room > 0 && sent < EXCHANGES {
                let count = room.min(BATCH).min(EXCHANGES - sent);
                let slices = vec![[IoSlice::new(&message)]; count];
                let some = MsgFlags::empty();
                let results = sendmmsg(fd, &mut output, &slices, &targets[..count], [], some);
                let count = results.expect("the socket takes it").count();
                sent += count;
                room -= count;
            }
            let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffers
                .chunks_exact_mut(DATAGRAM_BYTES)
                .map(|buffer| [IoSliceMut::new(buffer)])
                .collect();
            let wait = MsgFlags::MSG_WAITFORONE;
            let messages = recvmmsg(fd, &mut input, slices.iter_mut(), wait, None);
            received += messages.expect("the socket gives it").count();
        }
        cpu() - begun
    }

    /// Asks the same again and again, and reads every value.
    struct Steady {
        names: Vec<Oid>,
        left: usize,
        sum: u64,
    }

    impl Conversation for Steady {
        fn next_ask(&mut self) -> Option<Ask> {
            self.left = self.left.checked_sub(1)?;
            Some(Ask::Get(std::mem::take(&mut self.names)))
        }

        fn variable(&mut self, _ask_index: usize, _oid: &Oid, value: ValueRef<'_>) {
            self.sum = self.sum.wrapping_add(match value {
                ValueRef::Integer(number) => number.cast_unsigned(),
                ValueRef::Counter32(number) => number.into(),
                ValueRef::OctetString(octets) => octets.len() as u64,
                _ => 0,
            });
        }

        fn take_back(&mut self, oids: Vec<Oid>) {
            self.names = oids;
        }

        fn answered(&mut self, _failure: Option<Failure>) {}
    }

    fn fleet(target: SocketAddr, driver: DriverChoice) -> (Duration, &'static str) {
        let (tell, told) = mpsc::channel();
        let options = FleetOptions {
            driver,
            ..FleetOptions::default()
        };
        let done = move |finished: Finished<(), Steady>| {
            // This is the fleet's thread, and so is its clock.
            let _ = tell.send((cpu(), finished));
        };
        let fleet = Fleet::start(options, done).expect("sockets can be had");
        let poll = Arc::new(PollOptions {
            credentials: vec![Credential::v2c("public", b"public")],
            ..PollOptions::default()
        });
        let names = names();
        for _ in 0..DEVICES {
            let job = Job {
                token: (),
                target: Target::udp(target),
                options: poll.clone(),
                memory: Memory {
                    variables: 64,
                    ..Memory::default()
                },
                conversation: Steady {
                    names: names.clone(),
                    left: EXCHANGES_EACH,
                    sum: 0,
                },
            };
            fleet
                .submit(job)
                .map_err(|_| "full")
                .expect("there is room");
        }
        let mut last = Duration::ZERO;
        for _ in 0..DEVICES {
            let (cpu, finished) = told.recv().expect("the fleet runs");
            assert!(finished.error.is_none(), "{:?}", finished.error);
            assert!(finished.conversation.sum > 0);
            last = last.max(cpu);
        }
        (last, fleet.driver_name())
    }

    fn driver_by_default() -> &'static str {
        let fleet = Fleet::start(FleetOptions::default(), |_: Finished<(), Steady>| {});
        fleet.expect("sockets can be had").driver_name()
    }

    pub fn main() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let _ = setsockopt(&socket, sockopt::RcvBuf, &BUFFER_BYTES);
        let target = socket.local_addr().expect("it is bound");
        std::thread::spawn(move || respond(&socket));
        if std::env::args().any(|argument| argument == "--serve") {
            println!("{target}");
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            return;
        }
        let mut best: Vec<(&str, Duration, Duration)> = Vec::new();
        for _ in 0..ROUNDS {
            let mut note = |name, cpu: Duration, wall: Duration| match best
                .iter_mut()
                .find(|(known, ..)| *known == name)
            {
                Some(known) => {
                    known.1 = known.1.min(cpu);
                    known.2 = known.2.min(wall);
                }
                None => best.push((name, cpu, wall)),
            };
            let begun = Instant::now();
            let cpu = bare(target);
            note(
                "bare sendmmsg and recvmmsg, nothing read",
                cpu,
                begun.elapsed(),
            );
            for driver in [
                DriverChoice::Batched,
                DriverChoice::Monoio,
                DriverChoice::Portable,
            ] {
                let begun = Instant::now();
                let (cpu, name) = fleet(target, driver);
                note(name, cpu, begun.elapsed());
            }
        }
        let bare = best[0].1;
        let usual = driver_by_default();
        println!(
            "{EXCHANGES} exchanges of {VARIABLES} variables, {DEVICES} devices at once, best of {ROUNDS}:"
        );
        for (name, cpu, wall) in best {
            let per_cpu_second = EXCHANGES as f64 / cpu.as_secs_f64();
            let ratio = bare.as_secs_f64() / cpu.as_secs_f64();
            let mark = if name == usual { " (by default)" } else { "" };
            let name = format!("{name}{mark}");
            println!(
                "{name:42} {:>5.0} k per CPU-second, {:>5.0} k per second, {ratio:.2} of the bare loop",
                per_cpu_second / 1e3,
                EXCHANGES as f64 / wall.as_secs_f64() / 1e3,
            );
        }
    }
}
