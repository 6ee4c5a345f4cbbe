//! The trap listener against net-snmp's `snmptrap`.

mod peer;

use std::sync::mpsc;
use std::time::Duration;

use poller::credentials::Version;
use poller::oid::Oid;
use poller::trap::{Notification, TrapListener, TrapOptions};
use poller::usm::{AuthProtocol, PrivProtocol, User};
use poller::value::Value;

const PATIENCE: Duration = Duration::from_secs(30);

/// printerV2Alert
const ALERT: &str = "1.3.6.1.2.1.43.18.2.0.1";
const VARIABLE: &str = "1.3.6.1.2.1.43.18.1.1.8.1.1";
/// The engine that snmptrap says it is: traps by SNMPv3 need one that both know.
const ENGINE_ID: &str = "0x8000000001020304";

fn start() -> Option<(TrapListener, mpsc::Receiver<Notification>)> {
    if !peer::has("snmptrap") {
        return None;
    }
    let (tell, told) = mpsc::channel();
    let options = TrapOptions {
        addresses: vec![([127, 0, 0, 1], 0).into()],
        communities: vec![b"public".to_vec()],
        users: vec![User {
            name: "utrap".to_owned(),
            auth: Some((AuthProtocol::Sha256, "authpass1".to_owned())),
            privacy: Some((PrivProtocol::Aes128, "privpass1".to_owned())),
            contexts: Vec::new(),
        }],
    };
    let listener = TrapListener::start(&options, move |notification| {
        let _ = tell.send(notification);
    });
    Some((listener.expect("a free port"), told))
}

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

#[test]
fn traps_and_informs_of_every_version_arrive_over_udp_and_tcp() {
    let Some((listener, told)) = start() else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let port = listener.addresses()[0].port();
    let version_1 = [
        "-v1",
        "-c",
        "public",
        "TARGET",
        "1.3.6.1.2.1.43.18.2",
        "127.0.0.1",
        "6",
        "1",
        "4200",
    ];
    let two = ["-v2c", "-c", "public", "TARGET", "4200", ALERT];
    let inform = ["-Ci", "-v2c", "-c", "public", "TARGET", "4200", ALERT];
    let three = [&["-e", ENGINE_ID], SECURE, &["TARGET", "4200", ALERT]].concat();
    let inform_3 = [&["-Ci"], SECURE, &["TARGET", "4200", ALERT]].concat();
    for transport in ["udp", "tcp"] {
        for (arguments, version, is_inform) in [
            (&version_1[..], Version::V1, false),
            (&two, Version::V2c, false),
            (&inform, Version::V2c, true),
            (&three, Version::V3, false),
            (&inform_3, Version::V3, true),
        ] {
            let target = format!("{transport}:127.0.0.1:{port}");
            let mut arguments: Vec<&str> = arguments
                .iter()
                .map(|argument| match *argument {
                    "TARGET" => target.as_str(),
                    argument => argument,
                })
                .collect();
            arguments.extend([VARIABLE, "s", "paper jam"]);
            let what = format!("{version:?} by {transport}, inform: {is_inform}");
            let output = peer::run("snmptrap", &arguments, directory.path());
            assert!(
                output.status.success(),
                "{what}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            let heard = told.recv_timeout(PATIENCE).expect(&what);
            assert_eq!(heard.version, version, "{what}");
            assert_eq!(heard.is_inform, is_inform, "{what}");
            assert_eq!(heard.is_authentic, version == Version::V3, "{what}");
            assert_eq!(heard.trap.to_string(), ALERT, "{what}");
            assert_eq!(heard.uptime_ticks, Some(4_200), "{what}");
            let variable: Oid = VARIABLE.parse().expect("an OID");
            assert_eq!(
                heard.variables,
                [(variable, Value::OctetString(b"paper jam".to_vec()))],
                "{what}"
            );
        }
    }
    assert_eq!(listener.counters().delivered, 10);
}

#[test]
fn a_wrong_password_or_community_is_not_heard_and_not_acknowledged() {
    let Some((listener, told)) = start() else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let target = format!("udp:{}", listener.addresses()[0]);
    let wrong: Vec<&str> = SECURE
        .iter()
        .map(|argument| match *argument {
            "authpass1" => "wrongpass1",
            argument => argument,
        })
        .collect();
    let retry = ["-r", "0", "-t", "1"];
    let secure = [&["-Ci"], &retry[..], &wrong, &[&target, "4200", ALERT]].concat();
    let open = [
        &["-Ci"],
        &retry[..],
        &["-v2c", "-c", "private", &target, "4200", ALERT],
    ]
    .concat();
    for arguments in [secure, open] {
        let output = peer::run("snmptrap", &arguments, directory.path());
        assert!(!output.status.success(), "{arguments:?} was acknowledged");
    }
    assert!(told.try_recv().is_err());
    assert_eq!(listener.counters().dropped_refused, 2);
}
