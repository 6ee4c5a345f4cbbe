//! The commands as people use them: what they print, what they say when something is wrong.

mod support;

use std::process::Output;

use support::{Snmpd, platen_agent};

fn run(arguments: &[&str]) -> (Output, String, String) {
    let output = platen_agent().args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    (output, out, err)
}

#[test]
fn a_device_that_does_not_answer_is_a_failure_with_advice() {
    // Bound and never read: datagrams arrive and nothing comes back.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let (output, out, err) = run(&[
        "poll",
        &address,
        "--community",
        "hunter2",
        "--timeout",
        "50ms",
        "--retries",
        "1",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(out.is_empty());
    for said in [
        &format!("127.0.0.1 UDP port {}", silent.local_addr().unwrap().port())[..],
        "does not answer",
        "4 requests",
        "community 1, v2c; community 1, v1",
        "firewall",
    ] {
        assert!(err.contains(said), "{said:?} in {err}");
    }
    assert!(!err.contains("hunter2"), "{err}");
}

#[test]
fn a_wrong_line_in_the_configuration_stops_the_start_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = support::write_config(
        folder.path(),
        "https://manager",
        "10.0.0.1",
        "comunity = \"x\"",
    );
    let (output, _, err) = run(&["run", "--config", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err.contains("agent.toml:31:1: range[0].comunity: unknown key `comunity`"),
        "{err}"
    );
    assert!(err.contains("`credentials`"), "{err}");

    let (_, example, _) = run(&["example"]);
    std::fs::write(&path, example).unwrap();
    let (output, _, err) = run(&["run", "--check", "--config", path.to_str().unwrap()]);
    assert!(output.status.success(), "{err}");
}

#[test]
fn a_recording_is_polled_without_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("printer.snmprec");
    std::fs::write(
        &path,
        "1.3.6.1.2.1.1.1.0|4|Example Laser 1\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.99999.1\n1.3.6.1.2.1.1.3.0|67|4711\n\
         1.3.6.1.2.1.1.5.0|4|front-desk\n1.3.6.1.2.1.25.3.2.1.2.1|6|1.3.6.1.2.1.25.3.1.5\n\
         1.3.6.1.2.1.25.3.2.1.3.1|4|Example Laser 1\n1.3.6.1.2.1.43.5.1.1.1.1|65|3\n1.3.6.1.2.1.43.5.1.1.17.1|4|ABC1234567\n\
         1.3.6.1.2.1.43.10.2.1.3.1.1|2|7\n1.3.6.1.2.1.43.10.2.1.4.1.1|65|123456\n",
    )
    .unwrap();
    let path = path.to_str().unwrap();
    let (output, out, err) = run(&["poll", "--recording", path]);
    assert!(output.status.success(), "{err}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["identity"]["serial"], "ABC1234567");
    assert_eq!(report["identity"]["hostname"], "front-desk");
    assert_eq!(report["meters"][0]["value"], 123_456);
    assert_eq!(report["meters"][0]["basis"], "engine");

    let (output, xml, err) = run(&["poll", "--recording", path, "--format", "xml"]);
    assert!(output.status.success(), "{err}");
    let read = codec::xml::read_report(xml.as_bytes()).unwrap();
    assert_eq!(
        read.devices[0].identity.serial.as_deref(),
        Some("ABC1234567")
    );
    assert_eq!(read.devices[0].meters.read().unwrap()[0].value, 123_456);
}

#[test]
fn the_privacy_list_has_the_printer_mib_and_no_jobs() {
    let (output, out, _) = run(&["privacy"]);
    assert!(output.status.success());
    let subtrees: Vec<&str> = out
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    assert!(
        subtrees
            .iter()
            .any(|oid| oid.starts_with("1.3.6.1.2.1.43."))
    );
    assert!(
        subtrees
            .iter()
            .all(|oid| !oid.starts_with("1.3.6.1.4.1.2699.1.1")),
        "jobs"
    );
}

#[test]
fn snmpd_is_polled_recorded_and_found() {
    let Some(snmpd) = Snmpd::start("") else {
        return;
    };
    let v2c = [
        "--community",
        "wrong",
        "--community",
        "hush",
        "--timeout",
        "300ms",
    ];
    let (output, out, err) = run(&[&["poll", &snmpd.address][..], &v2c].concat());
    assert!(output.status.success(), "{err}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["identity"]["hostname"], "front-desk");
    assert_eq!(report["identity"]["location"], "Second floor");
    assert!(err.contains("is no printer"), "{err}");

    let (output, out, err) = run(&[&["record", &snmpd.address][..], &v2c[2..]].concat());
    assert!(output.status.success(), "{err}");
    assert!(out.contains("1.3.6.1.2.1.1.2.0|6|"), "{out}");
    assert!(
        !out.contains("front-desk") && !out.contains("Second floor"),
        "scrubbed: {out}"
    );

    let found = run(&[
        &["discover", &snmpd.address, "--all", "--format", "json"][..],
        &v2c[2..],
    ]
    .concat());
    let devices: serde_json::Value = serde_json::from_str(&found.1).unwrap();
    assert_eq!(devices[0]["address"], snmpd.address);
    assert_eq!(devices[0]["printer"], false);
}
