//! From an announcement by multicast DNS on the loopback interface to a poll of the printer that it names.
#![cfg(unix)]

mod printer;
mod support;

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use codec::key::Stream;
use hickory_proto::op::{Message, MessageType, OpCode};
use hickory_proto::rr::rdata::{A, PTR, SRV};
use hickory_proto::rr::{Name, RData, Record};
use printer::Printer;
use socket2::{Domain, Protocol, Socket, Type};
use support::{Manager, newest, start_agent, wait_until, write_config};

const HOST: Ipv4Addr = Ipv4Addr::new(127, 0, 93, 4);
const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), 5353);
/// So often nothing came of the multicast before the same is sent to the port itself, for machines whose loopback carries none.
const MULTICASTS_MAX: u32 = 40;

/// "lobby.local, at this address, prints by IPP."
fn announcement(address: Ipv4Addr) -> Vec<u8> {
    let name = |text: &str| Name::from_ascii(text).unwrap();
    let record = |owner: &str, data| Record::from_rdata(name(owner), 120, data);
    let mut message = Message::new(0, MessageType::Response, OpCode::Query);
    message.answers = vec![record(
        "_ipp._tcp.local.",
        RData::PTR(PTR(name("Lobby._ipp._tcp.local."))),
    )];
    message.additionals = vec![
        record(
            "Lobby._ipp._tcp.local.",
            RData::SRV(SRV::new(0, 0, 631, name("lobby.local."))),
        ),
        record("lobby.local.", RData::A(A(address))),
    ];
    message.to_vec().unwrap()
}

#[test]
fn a_printer_that_announces_itself_is_polled_at_once_though_the_next_sweep_is_hours_away() {
    let free = UdpSocket::bind((HOST, 0)).unwrap();
    let place = free.local_addr().unwrap();
    drop(free);
    let manager = Manager::start();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}", manager.address);
    let config = write_config(folder.path(), &url, &place.to_string(), "");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace(
        "[polling]\n",
        "[discovery]\nmdns = true\nmdns_interfaces = [\"127.0.0.1\"]\n[polling]\nretries = 0\n",
    );
    std::fs::write(&config, text).unwrap();
    let _agent = start_agent(&config);
    let log = || std::fs::read_to_string(folder.path().join("agent.log")).unwrap();
    wait_until("the only sweep has ended", || {
        log().contains("discovery ended")
    });
    if log().contains("cannot be heard") {
        println!("skipped: this machine lets nobody have the port of mDNS or its group");
        return;
    }
    assert!(
        manager.got.lock().unwrap().reports.is_empty(),
        "nobody was there"
    );

    // Now it is switched on, and says so; another one, which no range has, does too.
    let printer = Printer::start_on(UdpSocket::bind(place).unwrap(), &[]);
    let stranger = UdpSocket::bind("127.0.94.4:161").ok();
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    socket.set_multicast_ttl_v4(0).unwrap();
    let socket = UdpSocket::from(socket);
    let mut tries = 0;
    wait_until("it is asked", || {
        tries += 1;
        let to = match tries {
            ..=MULTICASTS_MAX => GROUP,
            _ => SocketAddrV4::new(Ipv4Addr::LOCALHOST, GROUP.port()),
        };
        for address in [Ipv4Addr::new(127, 0, 94, 4), HOST] {
            let _ = socket.send_to(&announcement(address), to);
        }
        std::thread::park_timeout(std::time::Duration::from_millis(50));
        printer.state.lock().unwrap().answers[0] > 0
    });
    println!("asked after {tries} announcements");
    manager.wait_for("a report of it", |got| {
        newest(got, Stream::Meters).is_some_and(|report| {
            report.devices[0].identity.serial.as_deref() == Some("ABC1234567")
        })
    });
    if let Some(stranger) = stranger {
        stranger.set_nonblocking(true).unwrap();
        assert!(
            stranger.recv(&mut [0; 100]).is_err(),
            "what no range has is not asked"
        );
    }
}
