//! `platen-agent spool`: what lies in the spool of an agent that could deliver nothing, also when it is damaged.
#![cfg(unix)]

mod printer;
mod support;

use std::path::Path;

use support::{platen_agent, start_agent, status_of, stop, wait_until, write_config};

fn spool(arguments: &[&str], folder: &Path) -> (bool, String, String) {
    let mut command = platen_agent();
    command.args(["spool", arguments[0]]).arg(folder);
    let output = command.args(&arguments[1..]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.success(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn a_spool_is_checked_and_listed_and_damage_is_named_and_stops_no_start() {
    let printer = printer::Printer::start();
    let folder = tempfile::tempdir().unwrap();
    let range = printer.address.to_string();
    // Nobody listens there.
    let config = write_config(folder.path(), "http://127.0.0.1:9", &range, "");
    let life = start_agent(&config);
    wait_until("reports of both streams wait", || {
        let status = status_of(&config);
        status.is_some_and(|status| status.streams.iter().all(|it| it.waiting_reports >= 3))
    });
    stop(life);
    let directory = folder.path().join("spool");

    let (is_sound, out, err) = spool(&["check"], &directory);
    assert!(is_sound, "{out}{err}");
    let (is_done, out, err) = spool(&["dump"], &directory);
    assert!(is_done, "{err}");
    for stream in ["meters", "state"] {
        let lines = out.lines().filter(|line| line.starts_with(stream));
        assert!(
            lines.filter(|line| line.contains("waiting")).count() >= 3,
            "{out}"
        );
    }
    let (_, xml, _) = spool(
        &["dump", "--stream", "meters", "--sequence", "2"],
        &directory,
    );
    let report = codec::xml::read_report(xml.as_bytes()).unwrap();
    assert_eq!(report.header.sequence, 2);
    assert_eq!(
        report.devices[0].identity.serial.as_deref(),
        Some("ABC1234567")
    );
    let (is_done, _, err) = spool(
        &["dump", "--stream", "meters", "--sequence", "999"],
        &directory,
    );
    assert!(!is_done && err.contains("no report 999"), "{err}");

    // A bit turns in the first report of the meters.
    let segments = std::fs::read_dir(directory.join("meters")).unwrap();
    let mut segments: Vec<_> = segments.map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|it| it == "plj"));
    segments.sort();
    let mut bytes = std::fs::read(&segments[0]).unwrap();
    let hash = out.lines().find(|line| line.starts_with("meters")).unwrap();
    assert!(hash.contains(" 1 "), "the first is listed first: {hash}");
    // Behind the head of the segment and of the record: in the sealed bytes, which begin as gzip does.
    let body = bytes
        .windows(3)
        .position(|it| it == [0x1f, 0x8b, 0x08])
        .unwrap();
    bytes[body + 40] ^= 1;
    std::fs::write(&segments[0], bytes).unwrap();
    let (is_sound, out, _) = spool(&["check"], &directory);
    assert!(!is_sound, "{out}");
    let (is_done, out, err) = spool(&["dump"], &directory);
    assert!(is_done, "{err}");
    assert!(
        out.lines().any(|line| line.starts_with("state")),
        "the rest is listed: {out}"
    );

    let life = start_agent(&config);
    wait_until("the agent runs all the same", || {
        let file = agent::status::read_file(&directory).unwrap();
        // The status of the life before stands there until this one writes its own.
        file.process == life.0.id()
            && file.status.polls > 0
            && file.status.streams[1].waiting_reports >= 3
    });
    stop(life);
}
