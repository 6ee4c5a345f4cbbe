//! Addresses change, devices do not: an agent follows printers that get other addresses, without waiting for its next sweep.
#![cfg(target_os = "linux")]

mod printer;
mod support;

use std::net::{SocketAddr, UdpSocket};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use codec::key::Stream;
use printer::Printer;
use support::{Got, Manager, Running, platen_agent, write_config};

/// An address of the site: who is behind it, if anybody is, answers there.
struct Place {
    address: SocketAddr,
    behind: Arc<Mutex<Option<SocketAddr>>>,
}

impl Place {
    fn start(socket: UdpSocket) -> Self {
        let place = Self {
            address: socket.local_addr().unwrap(),
            behind: Arc::default(),
        };
        let behind = Arc::clone(&place.behind);
        std::thread::spawn(move || {
            let relay = UdpSocket::bind("127.0.0.1:0").unwrap();
            relay
                .set_read_timeout(Some(Duration::from_secs(5)))
                .unwrap();
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let Some(printer) = *behind.lock().unwrap() else {
                    continue;
                };
                relay.send_to(&buffer[..length], printer).unwrap();
                if let Ok(length) = relay.recv(&mut buffer) {
                    socket.send_to(&buffer[..length], from).unwrap();
                }
            }
        });
        place
    }

    fn holds(&self, printer: Option<&Printer>) {
        *self.behind.lock().unwrap() = printer.map(|printer| printer.address);
    }
}

/// Places at 127.0.88.1 and on, all on one port.
fn places(count: u8) -> Vec<Place> {
    for _ in 0..50 {
        let first = UdpSocket::bind("127.0.88.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let others = (2..=count).map(|n| UdpSocket::bind((format!("127.0.88.{n}"), port)));
        if let Ok(others) = others.collect::<Result<Vec<_>, _>>() {
            return std::iter::once(first)
                .chain(others)
                .map(Place::start)
                .collect();
        }
    }
    panic!("no port is free at {count} addresses");
}

fn named(serial: &str) -> Printer {
    let printer = Printer::start();
    serial.clone_into(&mut printer.state.lock().unwrap().serial);
    printer
}

/// The last address that was reported for a serial number.
fn last_address(got: &Got, serial: &str) -> Option<String> {
    let meters = got
        .reports
        .iter()
        .filter(|((of, _), _)| *of == Stream::Meters);
    let devices = meters.flat_map(|(_, (_, report))| &report.devices);
    let mut its = devices.filter(|device| device.identity.serial.as_deref() == Some(serial));
    its.next_back()?.identity.address.clone()
}

#[test]
fn printers_that_move_and_swap_are_followed_at_once_and_keep_their_handles() {
    let places = places(4);
    let (a, b) = (named("SERIAL-A"), named("SERIAL-B"));
    places[0].holds(Some(&a));
    places[1].holds(Some(&b));
    let manager = Manager::start();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}", manager.address);
    let range = format!("127.0.88.1-4:{}", places[0].address.port());
    let config = write_config(folder.path(), &url, &range, "");
    let text = std::fs::read_to_string(&config).unwrap();
    // Sweeps come twice a day: what is found again sooner was searched for.
    let text = text.replace("[polling]\n", "[polling]\nretries = 1\n");
    let text = text.replace("timeout = \"500 ms\"", "timeout = \"200 ms\"");
    std::fs::write(&config, text).unwrap();
    let child = platen_agent()
        .args(["run", "--log", "off", "--config"])
        .arg(&config)
        .stderr(Stdio::null())
        .spawn();
    let _agent = Running(child.unwrap());
    let is_at = |got: &Got, printer: &str, place: usize| {
        last_address(got, printer) == Some(places[place].address.to_string())
    };
    manager.wait_for("both printers", |got| {
        is_at(got, "SERIAL-A", 0) && is_at(got, "SERIAL-B", 1)
    });

    // A lease ran out.
    places[0].holds(None);
    places[2].holds(Some(&a));
    manager.wait_for("the one that moved", |got| is_at(got, "SERIAL-A", 2));

    // Two leases were given the other way round.
    places[1].holds(Some(&a));
    places[2].holds(Some(&b));
    manager.wait_for("the two that swapped", |got| {
        is_at(got, "SERIAL-A", 1) && is_at(got, "SERIAL-B", 2)
    });

    // Another printer takes an address over, and whose it was comes up elsewhere.
    let c = named("SERIAL-C");
    places[2].holds(Some(&c));
    places[3].holds(Some(&b));
    manager.wait_for("the newcomer and the one it drove out", |got| {
        is_at(got, "SERIAL-C", 2) && is_at(got, "SERIAL-B", 3)
    });

    let got = manager.got.lock().unwrap();
    let devices = got.reports.values().flat_map(|(_, report)| &report.devices);
    let mut handles: Vec<(String, String)> = devices
        .filter_map(|device| Some((device.identity.serial.clone()?, device.handle.clone())))
        .collect();
    handles.sort();
    handles.dedup();
    let serials: Vec<&str> = handles.iter().map(|(serial, _)| &**serial).collect();
    assert_eq!(
        serials,
        ["SERIAL-A", "SERIAL-B", "SERIAL-C"],
        "one handle each"
    );
    drop((a, b, c));
}
