//! The commands as people use them: what they print, what they say when something is wrong.

mod printer;
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
}

#[test]
fn the_example_runs_once_its_token_is_filled_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    let (_, example, _) = run(&["example"]);
    std::fs::write(&path, &example).unwrap();
    let line = example
        .lines()
        .position(|line| line.starts_with("token = "));
    let said = format!(
        "agent.toml:{}:9: manager.token: still the placeholder of the example",
        line.unwrap() + 1
    );
    for arguments in [&["run"][..], &["run", "--check"]] {
        let config = ["--config", path.to_str().unwrap()];
        let (output, _, err) = run(&[arguments, &config].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {err}");
        assert!(err.contains(&said), "{arguments:?}: {err}");
    }
    assert!(!folder.path().join("spool").exists(), "nothing was begun");

    std::fs::write(&path, example.replace("replace-me", "a token")).unwrap();
    let (output, _, err) = run(&["run", "--check", "--config", path.to_str().unwrap()]);
    assert!(output.status.success(), "{err}");
}

#[test]
fn ranges_in_which_no_printer_can_be_are_said_to_be_such_in_the_log_and_in_the_status() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    let (_, example, _) = run(&["example"]);
    std::fs::write(&path, example.replace("replace-me", "a token")).unwrap();
    let (output, _, err) = run(&["run", "--check", "--config", path.to_str().unwrap()]);
    assert!(output.status.success(), "{err}");
    assert!(
        err.contains("the only range is that of the example, 192.0.2.0/24"),
        "{err}"
    );

    // It runs all the same: nobody has to start it again when the range is filled in … but it says what it lacks.
    let config = support::write_config(folder.path(), "http://127.0.0.1:9", "192.0.2.1", "");
    let text = std::fs::read_to_string(&config).unwrap();
    let ranges = text.find("[[range]]").unwrap();
    std::fs::write(&config, &text[..ranges]).unwrap();
    let _agent = support::start_agent(&config);
    support::wait_until("the status says it", || {
        let status = support::status_of(&config);
        status.is_some_and(|status| status.ranges_error.is_some())
    });
    let why = "there is no [[range]] in the configuration";
    let (_, out, _) = run(&["status", "--config", config.to_str().unwrap()]);
    assert!(out.contains(why), "{out}");
    let log = std::fs::read_to_string(folder.path().join("agent.log")).unwrap();
    assert_eq!(log.matches(why).count(), 1, "{log}");
    assert!(log.contains("WARN"), "{log}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    for arguments in [&["privacy"][..], &["example"]] {
        let mut child = platen_agent()
            .args(arguments)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // The only end that reads is closed.
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {err}");
        assert!(!err.contains("pipe"), "{arguments:?}: {err}");
    }
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
    assert!(!err.contains("no printer"), "{err}");
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
fn a_recording_of_something_else_is_polled_and_said_to_be_no_printer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("switch.snmprec");
    std::fs::write(
        &path,
        "1.3.6.1.2.1.1.1.0|4|A switch\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.99999.9\n1.3.6.1.2.1.1.3.0|67|4711\n",
    )
    .unwrap();
    let (output, out, err) = run(&["poll", "--recording", path.to_str().unwrap()]);
    assert!(output.status.success(), "{err}");
    assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok());
    let said = "switch.snmprec answers, but is no printer that Platen knows";
    assert!(err.contains(said), "{err}");
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

#[test]
fn snmpd_is_polled_with_a_user_of_version_3_and_a_wrong_password_is_said_to_be_one() {
    let Some(snmpd) = Snmpd::start("") else {
        return;
    };
    let v3 = [
        "--user",
        "platen",
        "--auth",
        "sha256",
        "--auth-password",
        "authentic-secret",
        "--privacy",
        "aes128",
        "--privacy-password",
        "private-secret",
    ];
    let (output, out, err) = run(&[&["poll", &snmpd.address][..], &v3].concat());
    assert!(output.status.success(), "{err}");
    assert!(out.contains("front-desk"));

    let wrong = [&v3[..5], &["not-the-secret"], &v3[6..]].concat();
    let (output, _, err) = run(&[&["poll", &snmpd.address][..], &wrong].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains("refuses the credentials"), "{err}");
}

#[test]
fn snmpsim_replays_a_printer_and_the_report_says_what_the_recording_says() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("public.snmprec"),
        "1.3.6.1.2.1.1.1.0|4|KYOCERA Document Solutions Printing System\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.1347.41\n\
         1.3.6.1.2.1.1.3.0|67|260868990\n1.3.6.1.2.1.1.5.0|4|KM0A1B2C\n1.3.6.1.2.1.2.2.1.6.1|4x|0017c80a1b2c\n\
         1.3.6.1.2.1.25.3.2.1.2.1|6|1.3.6.1.2.1.25.3.1.5\n1.3.6.1.2.1.25.3.2.1.3.1|4|TASKalfa 2553ci\n\
         1.3.6.1.2.1.25.3.2.1.5.1|2|2\n1.3.6.1.2.1.25.3.5.1.1.1|2|3\n1.3.6.1.2.1.25.3.5.1.2.1|4x|00\n\
         1.3.6.1.2.1.43.5.1.1.1.1|65|3\n1.3.6.1.2.1.43.5.1.1.17.1|4|ABC1234567\n1.3.6.1.2.1.43.10.2.1.3.1.1|2|7\n\
         1.3.6.1.2.1.43.10.2.1.4.1.1|65|7432\n1.3.6.1.2.1.43.11.1.1.3.1.1|2|1\n1.3.6.1.2.1.43.11.1.1.4.1.1|2|3\n\
         1.3.6.1.2.1.43.11.1.1.5.1.1|2|3\n1.3.6.1.2.1.43.11.1.1.6.1.1|4|TK-8345K\n1.3.6.1.2.1.43.11.1.1.7.1.1|2|7\n\
         1.3.6.1.2.1.43.11.1.1.8.1.1|2|20000\n1.3.6.1.2.1.43.11.1.1.9.1.1|2|5000\n\
         1.3.6.1.4.1.1347.43.10.1.1.12.1.1|65|7342\n",
    )
    .unwrap();
    let Some(address) = snmpsim(folder.path()) else {
        return;
    };
    let (output, out, err) = run(&["poll", &address.1, "--community", "public"]);
    assert!(output.status.success(), "{err}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["identity"]["manufacturer"], "Kyocera");
    assert_eq!(report["identity"]["serial"], "ABC1234567");
    assert_eq!(report["identity"]["mac"], "00:17:c8:0a:1b:2c");
    let total = report["meters"]
        .as_array()
        .unwrap()
        .iter()
        .find(|meter| meter["basis"] == "billing");
    assert_eq!(total.unwrap()["value"], 7342);
    assert_eq!(report["supplies"][0]["level"]["amount"], 5000);
    assert_eq!(report["supplies"][0]["capacity"], 20_000);
}

/// snmpsim on loopback, replaying what lies in `data`; `None` when it is not installed. It may be named by `PLATEN_SNMPSIM`.
fn snmpsim(data: &std::path::Path) -> Option<(support::Running, String)> {
    let program =
        std::env::var("PLATEN_SNMPSIM").unwrap_or_else(|_| "snmpsim-command-responder".to_owned());
    if !std::path::Path::new(&program).is_file() && !support::has_peer(&program) {
        return None;
    }
    let address = format!("127.0.0.1:{}", support::free_udp_port());
    let child = std::process::Command::new(program)
        .arg(format!("--data-dir={}", data.display()))
        .arg(format!("--cache-dir={}", data.join("cache").display()))
        .arg(format!("--agent-udpv4-endpoint={address}"))
        .args(["--process-user=root", "--process-group=root"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    let running = support::Running(child.unwrap());
    support::wait_until("snmpsim answers", || {
        let arguments = ["poll", &address, "--timeout", "300ms", "--retries", "0"];
        let output = platen_agent().args(arguments).output().unwrap();
        output.status.success()
    });
    Some((running, address))
}

#[test]
fn a_list_is_discovered_and_what_is_found_is_a_list() {
    let printer = printer::Printer::start_at("127.0.89.7");
    let port = printer.address.port();
    // Bound and never read: it is there and does not answer.
    let silent = std::net::UdpSocket::bind(("127.0.89.8", port)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("printers.csv");
    let lines = format!(
        "Room;IP address;Port;Community;Excluded\n1;127.0.89.7;{port};public;\n2;127.0.89.8;{port};;\n3;127.0.89.9;{port};;yes\n"
    );
    std::fs::write(&list, lines).unwrap();
    let path = list.to_str().unwrap();
    let quick = ["--timeout", "100ms", "--packets-per-second", "1000"];
    let asked = [
        &[
            "discover", "--file", path, "--format", "csv", "--hints", "tcp7",
        ][..],
        &quick,
    ]
    .concat();
    let (output, out, err) = run(&asked);
    assert!(output.status.success(), "{err}");
    assert!(out.starts_with("address,port,printer,serial,"), "{out}");
    assert!(
        out.contains(&format!("127.0.89.7,{port},yes,ABC1234567,Example Laser 1")),
        "{out}"
    );
    let said =
        "alive but no SNMP answer: check the community, or SNMP is switched off\n  127.0.89.8\n";
    assert!(err.contains(said), "{err}");
    assert!(err.contains("2 of 2 addresses asked"), "{err}");
    assert!(!err.contains("127.0.89.9"), "{err}");
    drop(silent);

    // What it printed is read again.
    std::fs::write(&list, out).unwrap();
    let again = [
        &["discover", "--file", path, "--format", "json"][..],
        &quick,
    ]
    .concat();
    let (output, out, err) = run(&again);
    assert!(output.status.success(), "{err}");
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(found[0]["address"], printer.address.to_string());
    assert_eq!(found[0]["serial"], "ABC1234567");
    assert!(err.contains("1 of 1 addresses asked"), "{err}");

    std::fs::write(&list, "ip\n127.0.89\n").unwrap();
    let (output, _, err) = run(&["discover", "--file", path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err.contains("printers.csv line 2: not a range: \"127.0.89\"; accepted: a network"),
        "{err}"
    );
    let (output, _, err) = run(&["discover", "127.0.89.9-1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err.contains("\"127.0.89.9-1\": the range ends before it begins; accepted: a network"),
        "{err}"
    );
}
