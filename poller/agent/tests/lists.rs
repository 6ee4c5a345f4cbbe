//! Lists of printers in a file: read again when they are written to, and what is alive on them without SNMP is said.
#![cfg(target_os = "linux")]

mod printer;
mod support;

use std::fs::File;
use std::net::UdpSocket;

use codec::key::Stream;
use printer::Printer;
use support::{Got, Manager, Running, platen_agent, wait_until, write_config};

/// How often a serial number was reported.
fn reports_of(got: &Got, serial: &str) -> usize {
    let meters = (got.reports.iter()).filter(|((of, _), _)| *of == Stream::Meters);
    let devices = meters.flat_map(|(_, (_, report))| &report.devices);
    devices
        .filter(|device| device.identity.serial.as_deref() == Some(serial))
        .count()
}

fn named(address: &str, serial: &str) -> Printer {
    let printer = Printer::start_at(address);
    serial.clone_into(&mut printer.state.lock().unwrap().serial);
    printer
}

#[test]
fn a_list_that_was_written_to_is_read_again_and_a_silence_is_explained() {
    let (a, b) = (
        named("127.0.90.1", "SERIAL-A"),
        named("127.0.90.2", "SERIAL-B"),
    );
    // Bound and never read: it is there and does not answer.
    let silent = UdpSocket::bind("127.0.90.3:0").unwrap();
    let silent = silent.local_addr().unwrap();
    let manager = Manager::start();
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("printers.csv");
    std::fs::write(
        &list,
        format!("host;community\n{};\n{silent};\n", a.address),
    )
    .unwrap();
    let url = format!("http://{}", manager.address);
    let config = write_config(
        folder.path(),
        &url,
        "192.0.2.1",
        "include_file = \"printers.csv\"",
    );
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text
        .replace("include = [\"192.0.2.1\"]\n", "")
        .replace(
            "[polling]\n",
            "discovery = \"1 s\"\n[discovery]\nhints = [\"tcp7\"]\n[polling]\nretries = 1\n",
        )
        .replace("timeout = \"500 ms\"", "timeout = \"100 ms\"");
    std::fs::write(&config, text).unwrap();
    let log = folder.path().join("log");
    let child = platen_agent()
        .args(["run", "--log", "info", "--config"])
        .arg(&config)
        .stderr(File::create(&log).unwrap())
        .spawn();
    let _agent = Running(child.unwrap());
    let logged = |what: &str| std::fs::read_to_string(&log).unwrap().contains(what);
    manager.wait_for("the one on the list", |got| reports_of(got, "SERIAL-A") > 0);
    wait_until("the silent one is named", || {
        logged("alive but no SNMP answer: check the community") && logged("first=\"127.0.90.3\"")
    });

    // A line that cannot be taken: the list stays as it was.
    std::fs::write(&list, "host\n10.0.0\n").unwrap();
    wait_until("the line is named", || {
        logged("printers.csv line 2: not a range")
    });
    let before = reports_of(&manager.got.lock().unwrap(), "SERIAL-A");
    manager.wait_for("it goes on", |got| reports_of(got, "SERIAL-A") > before);

    // Another list: one goes, one comes, with a community of its own.
    std::fs::write(&list, format!("host;community\n{};public\n", b.address)).unwrap();
    manager.wait_for("the new one", |got| reports_of(got, "SERIAL-B") > 0);
    assert!(logged("a list of devices has changed and was read again"));
    wait_until("the one that is gone is left alone", || {
        logged("no range has this device any more")
    });
    drop((a, b));
}
