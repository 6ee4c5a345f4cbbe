//! The agent from printer to receipt: found, polled, spooled, delivered; with the manager away and back.

mod printer;
mod support;

use std::process::Stdio;
use std::sync::atomic::Ordering;

use codec::key::Stream;
use codec::model::Report;
use support::{Got, Manager, Running, newest, platen_agent, stop, wait_until, write_config};

fn start(config: &std::path::Path) -> Running {
    let child = platen_agent()
        .args(["run", "--log", "off", "--config"])
        .arg(config)
        .stderr(Stdio::null())
        .spawn();
    Running(child.unwrap())
}

fn pages(got: &Got) -> Option<u64> {
    let meters = newest(got, Stream::Meters)?.devices[0].meters.read()?;
    Some(meters[0].value)
}

#[test]
fn a_printer_is_found_polled_and_delivered_and_what_it_prints_follows() {
    let printer = printer::Printer::start();
    let manager = Manager::start();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}", manager.address);
    let config = write_config(folder.path(), &url, &printer.address.to_string(), "");
    let _agent = start(&config);

    manager.wait_for("both streams", |got| {
        Stream::ALL
            .iter()
            .all(|stream| newest(got, *stream).is_some())
    });
    let handle = {
        let got = manager.got.lock().unwrap();
        let meters = &newest(&got, Stream::Meters).unwrap().devices[0];
        assert_eq!(meters.identity.serial.as_deref(), Some("ABC1234567"));
        assert_eq!(meters.identity.address, Some(printer.address.to_string()));
        let state = got.reports[&(Stream::State, 1)].1.devices[0].clone();
        assert_eq!(state.supplies.read().unwrap()[0].percent(), Some(40));
        assert_eq!(state.handle, meters.handle);
        meters.handle.clone()
    };
    manager.wait_for("the first count", |got| pages(got) == Some(1000));
    printer.pages.store(1017, Ordering::Relaxed);
    manager.wait_for("the new count", |got| pages(got) == Some(1017));
    let got = manager.got.lock().unwrap();
    let all = got.reports.values().flat_map(|(_, report)| &report.devices);
    assert!(all.into_iter().all(|device| device.handle == handle));
}

#[test]
fn what_was_read_while_the_manager_was_away_is_delivered_in_order_by_the_next_life() {
    let printer = printer::Printer::start();
    let folder = tempfile::tempdir().unwrap();
    // A port that refuses.
    let refusing = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let away = format!("http://{}", refusing.local_addr().unwrap());
    drop(refusing);
    let config = write_config(folder.path(), &away, &printer.address.to_string(), "");
    let agent = start(&config);
    let spool = folder.path().join("spool");
    let waiting = || {
        let output = platen_agent()
            .args(["spool", "dump"])
            .arg(&spool)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter(|line| line.contains("waiting")).count()
    };
    wait_until("reports wait", || waiting() >= 6);
    // An ordinary stop, and a new life that reaches the manager.
    stop(agent);
    let waited = waiting();

    let manager = Manager::start();
    let url = format!("http://{}", manager.address);
    let config = write_config(folder.path(), &url, &printer.address.to_string(), "");
    let _agent = start(&config);
    manager.wait_for("the backlog", |got| got.reports.len() >= waited);
    let got = manager.got.lock().unwrap();
    for stream in Stream::ALL {
        let sequences: Vec<u64> = got
            .reports
            .keys()
            .filter(|(of, _)| *of == stream)
            .map(|(_, sequence)| *sequence)
            .collect();
        let expected: Vec<u64> = (1..=sequences.len() as u64).collect();
        assert_eq!(sequences, expected, "{}", stream.name());
    }
}

#[test]
fn what_did_not_change_is_left_out_until_the_manager_wants_it_in_full() {
    let printer = printer::Printer::start();
    let manager = Manager::start();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}", manager.address);
    let config = write_config(folder.path(), &url, &printer.address.to_string(), "");
    let _agent = start(&config);

    let is_delta = |report: &Report| report.devices[0].base.is_some();
    manager.wait_for("a delta", |got| {
        newest(got, Stream::Meters).is_some_and(is_delta)
    });
    let handle = {
        let got = manager.got.lock().unwrap();
        // The manager resolves it against its base.
        let delta = &newest(&got, Stream::Meters).unwrap().devices[0];
        assert_eq!(delta.meters.read().unwrap()[0].value, 1000);
        assert_eq!(delta.identity.serial.as_deref(), Some("ABC1234567"));
        assert!(delta.identity.address.is_some(), "what the base said");
        delta.handle.clone()
    };
    manager.got.lock().unwrap().need_full.push(handle);
    manager.wait_for("a full report", |got| {
        newest(got, Stream::Meters).is_some_and(|report| !is_delta(report))
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_new_life_polls_what_the_last_one_knew_without_finding_it_again() {
    // All of 127.0.0.0/8 is local on Linux.
    let printer = printer::Printer::start_at("127.0.77.200");
    let manager = Manager::start();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}", manager.address);
    let config = write_config(folder.path(), &url, &printer.address.to_string(), "");
    let agent = start(&config);
    manager.wait_for("a report", |got| newest(got, Stream::Meters).is_some());
    stop(agent);
    assert!(folder.path().join("spool/devices.snapshot").is_file());

    printer.pages.store(1018, Ordering::Relaxed);
    // In a wide range, slowly swept, the printer's turn would come after half an hour.
    let wide = format!("127.0.0.0/14:{}", printer.address.port());
    let config = write_config(folder.path(), &url, &wide, "");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("packets_per_second = 10000", "packets_per_second = 100");
    std::fs::write(&config, text).unwrap();
    let _agent = start(&config);
    manager.wait_for("the new count", |got| pages(got) == Some(1018));
}

#[test]
fn a_heartbeat_notices_what_was_printed_long_before_meters_are_due() {
    let printer = printer::Printer::start();
    let manager = Manager::start();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}", manager.address);
    let config = write_config(folder.path(), &url, &printer.address.to_string(), "");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace(
        "supplies = \"1 s\"\nmeters = \"1 s\"",
        "supplies = \"1d\"\nmeters = \"1d\"",
    );
    std::fs::write(&config, text).unwrap();
    let _agent = start(&config);
    manager.wait_for("the first count", |got| pages(got) == Some(1000));
    // Heartbeats say that the device is there and read no meters.
    manager.wait_for("heartbeats", |got| {
        newest(got, Stream::State).is_some_and(|report| report.devices[0].supplies.is_not_read())
    });
    printer.pages.store(1019, Ordering::Relaxed);
    manager.wait_for("the new count", |got| pages(got) == Some(1019));
}

#[test]
fn a_poll_says_what_is_missing_and_prints_the_rest() {
    // Silent whenever it is asked for its supplies.
    let printer = printer::Printer::start_deaf("127.0.0.1", &[1, 3, 6, 1, 2, 1, 43, 11]);
    let address = printer.address.to_string();
    let output = platen_agent()
        .args(["poll", &address, "--timeout", "50ms", "--retries", "1"])
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{err}");
    assert!(err.contains("incomplete: supplies"), "{err}");
    assert!(err.contains(": no answer"), "{err}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report.get("supplies").is_none(), "{report:#}");
    assert_eq!(report["identity"]["serial"], "ABC1234567");
    // A loopback address has no name that says anything.
    assert!(report["identity"].get("dns_name").is_none(), "{report:#}");
}
