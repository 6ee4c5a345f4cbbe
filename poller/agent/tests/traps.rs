//! Devices that tell when they want to be asked: real `snmptrap` against a running agent, and what comes of it.

mod printer;
mod support;

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

use codec::key::Stream;
use printer::Printer;
use support::{
    Manager, free_udp_port, has_peer, newest, start_agent, status_of, wait_until, write_config,
};

/// printerV2Alert
const ALERT: &str = "1.3.6.1.2.1.43.18.2.0.1";
/// The engine that snmptrap says it is: traps by SNMPv3 need one that both know.
const ENGINE_ID: &str = "0x8000000001020304";

const USER: &str = "\n[[credentials]]\nname = \"public\"\nversion = \"2c\"\ncommunity = \"public\"\n\
    [[credentials]]\nname = \"traps\"\nversion = \"3\"\nuser = \"utrap\"\nauthentication = \"sha256\"\n\
    authentication_password = \"authpass1\"\nprivacy = \"aes128\"\nprivacy_password = \"privpass1\"\n";

const SECURE: &[&str] = &[
    "-v3",
    "-l",
    "authPriv",
    "-u",
    "utrap",
    "-a",
    "SHA-256",
    "-A",
    "authpass1",
    "-x",
    "AES",
    "-X",
    "privpass1",
];

/// An agent that reads nothing by itself for hours after the first poll, and listens for traps on a free port of loopback.
fn configure(folder: &Path, manager: &Manager, range: &str) -> (std::path::PathBuf, u16) {
    let port = free_udp_port();
    let more = format!(
        "credentials = [\"public\"]\n{USER}\n[traps]\nlisten = [\"127.0.0.1:{port}\"]\ncommunities = [\"public\"]\n"
    );
    let config = write_config(folder, &format!("http://{}", manager.address), range, &more);
    let text = std::fs::read_to_string(&config).unwrap();
    let text = ["status", "supplies", "meters"]
        .iter()
        .fold(text, |text, what| {
            text.replace(
                &format!("\n{what} = \"1 s\""),
                &format!("\n{what} = \"20h\""),
            )
        });
    std::fs::write(
        &config,
        text.replace("inventory = \"1h\"", "inventory = \"30d\""),
    )
    .unwrap();
    (config, port)
}

fn snmptrap(folder: &Path, arguments: &[&str]) -> bool {
    let status = Command::new("snmptrap")
        .args(arguments)
        .env("SNMP_PERSISTENT_DIR", folder)
        .env("MIBS", "")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.unwrap().success()
}

#[test]
fn traps_and_informs_of_every_version_lead_to_one_poll_of_what_an_alert_is_about() {
    if !has_peer("snmptrap") {
        return;
    }
    let printer = Printer::start();
    let manager = Manager::start();
    let folder = tempfile::tempdir().unwrap();
    let (config, port) = configure(folder.path(), &manager, &printer.address.to_string());
    let _agent = start_agent(&config);
    manager.wait_for("both streams", |got| {
        Stream::ALL
            .iter()
            .all(|stream| newest(got, *stream).is_some())
    });

    printer.pages.store(1017, Ordering::Relaxed);
    printer.change(|state| {
        state.level = 39;
        state.alert = Some("Paper jam in tray 2".to_owned());
    });
    let one = [
        "-v1",
        "-c",
        "public",
        "TARGET",
        "1.3.6.1.2.1.43.18.2",
        "127.0.0.1",
        "6",
        "1",
        "42",
    ];
    let two = ["-v2c", "-c", "public", "TARGET", "42", ALERT];
    let inform_2 = ["-Ci", "-v2c", "-c", "public", "TARGET", "42", ALERT];
    let three = [&["-e", ENGINE_ID], SECURE, &["TARGET", "42", ALERT]].concat();
    let inform_3 = [&["-Ci"], SECURE, &["TARGET", "42", ALERT]].concat();
    for transport in ["udp", "tcp"] {
        let target = format!("{transport}:127.0.0.1:{port}");
        for arguments in [&one[..], &two, &inform_2, &three, &inform_3] {
            let arguments: Vec<&str> = (arguments.iter())
                .map(|argument| {
                    if *argument == "TARGET" {
                        &target
                    } else {
                        *argument
                    }
                })
                .collect();
            // An inform that is not acknowledged fails.
            assert!(snmptrap(folder.path(), &arguments), "{arguments:?}");
        }
    }
    manager.wait_for("the alert", |got| {
        newest(got, Stream::State).is_some_and(|report| {
            let alerts = report.devices[0].alerts.read();
            alerts.is_some_and(|alerts| {
                alerts
                    .iter()
                    .any(|alert| alert.description == "Paper jam in tray 2")
            })
        })
    });
    wait_until("the status", || {
        status_of(&config).is_some_and(|status| status.traps.heard == 10)
    });
    let status = status_of(&config).unwrap();
    // The burst took less than the ten seconds after which a device may be asked again for what it tells; a slow machine may need two.
    assert!((1..=2).contains(&status.traps.polls), "{:?}", status.traps);
    assert_eq!(
        (
            status.traps.flood,
            status.traps.refused,
            status.traps.ignored
        ),
        (0, 0, 0)
    );
    let got = manager.got.lock().unwrap();
    let device = &newest(&got, Stream::State).unwrap().devices[0];
    assert_eq!(device.supplies.read().unwrap()[0].percent(), Some(39));
    assert!(!device.status.is_not_read());
    let meters = newest(&got, Stream::Meters).unwrap().devices[0]
        .meters
        .read()
        .unwrap();
    assert_eq!(meters[0].value, 1000, "meters are read when they are due");
}

#[test]
fn who_is_not_known_and_sends_a_trap_is_asked_who_it_is() {
    let manager = Manager::start();
    let folder = tempfile::tempdir().unwrap();
    // A socket that nobody serves: the sweep finds nothing there.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let range = socket.local_addr().unwrap().to_string();
    let (config, port) = configure(folder.path(), &manager, &range);
    let _agent = start_agent(&config);
    wait_until("the sweep ends", || {
        let log = std::fs::read_to_string(config.with_file_name("agent.log"));
        log.is_ok_and(|log| log.contains("discovery ended"))
    });
    let printer = Printer::start_on(socket, &[]);
    assert!(manager.got.lock().unwrap().reports.is_empty());
    // coldStart, from another port of the printer's address, as traps come.
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let cold_start = printer::trap(&[1, 3, 6, 1, 6, 3, 1, 1, 5, 1]);
    sender.send_to(&cold_start, ("127.0.0.1", port)).unwrap();
    manager.wait_for("a report", |got| newest(got, Stream::Meters).is_some());
    let got = manager.got.lock().unwrap();
    let device = &newest(&got, Stream::Meters).unwrap().devices[0];
    assert_eq!(device.identity.address, Some(printer.address.to_string()));
}

#[test]
fn a_flood_of_traps_is_cut_off_and_counted_and_what_says_nothing_of_printers_is_left_alone() {
    let printer = Printer::start();
    let manager = Manager::start();
    let folder = tempfile::tempdir().unwrap();
    let (config, port) = configure(folder.path(), &manager, &printer.address.to_string());
    let _agent = start_agent(&config);
    manager.wait_for("both streams", |got| {
        Stream::ALL
            .iter()
            .all(|stream| newest(got, *stream).is_some())
    });
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = |kind: &[u32]| {
        sender
            .send_to(&printer::trap(kind), ("127.0.0.1", port))
            .unwrap();
    };
    let before = printer.state.lock().unwrap().answers[0];
    // authenticationFailure, which our own requests may cause; then alerts, far more than a printer has to tell.
    send(&[1, 3, 6, 1, 6, 3, 1, 1, 5, 5]);
    for _ in 0..500 {
        send(&[1, 3, 6, 1, 2, 1, 43, 18, 2, 0, 1]);
    }
    wait_until("the flood is counted", || {
        status_of(&config).is_some_and(|status| status.traps.flood > 0)
    });
    let traps = status_of(&config).unwrap().traps;
    assert_eq!(traps.ignored, 1);
    assert!((1..=2).contains(&traps.polls), "{traps:?}");
    assert!(traps.heard < 150, "{traps:?}");
    let answers = printer.state.lock().unwrap().answers[0] - before;
    assert!((1..20).contains(&answers), "{answers} requests");
    let log = std::fs::read_to_string(config.with_file_name("agent.log")).unwrap();
    assert_eq!(log.matches("traps were dropped").count(), 1, "{log}");
}
