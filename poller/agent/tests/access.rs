//! `poll`, `record` and `discover` with a configuration: whose credentials go where, over what, and what is said where none fit.

mod printer;
mod support;

use std::net::UdpSocket;

use printer::Printer;
use support::platen_agent;

/// What a command printed and said, and whether it succeeded.
fn run(arguments: &[&str]) -> (bool, String, String) {
    let output = platen_agent().args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.success(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// An `agent.toml` with two ranges: the first is asked with a secret that only its own hosts may see.
fn config(folder: &std::path::Path, others: &str) -> String {
    let path = folder.join("agent.toml");
    let text = format!(
        r#"
[manager]
url = "https://platen.example.com"
agent_id = "tester"
token = "secret"
[spool]
directory = "spool"
[polling]
timeout = "120 ms"
retries = 1
[names]
reverse_dns = "off"
[[credentials]]
name = "inner"
version = "2c"
community = "hush-hush"
[[credentials]]
name = "open"
version = "2c"
community = "public"
[[range]]
name = "Vault"
include = ["127.0.91.0/28"]
exclude = ["127.0.91.5"]
credentials = ["inner"]
[[range]]
name = "Office"
credentials = ["open"]
{others}
"#
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_host_in_no_range_is_not_asked_with_the_credentials_of_another_and_it_is_said_what_to_do() {
    // It would hear whatever were sent.
    let stranger = UdpSocket::bind("127.0.91.77:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    let address = stranger.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "include = [\"127.0.91.32/28\"]");
    for command in ["poll", "record"] {
        let (is_done, out, err) = run(&[command, &address, "--config", &config]);
        assert!(!is_done && out.is_empty(), "{command}: {out}");
        for said in [
            &format!("{address} lies in no range of {config}")[..],
            "--range NAME",
            "--community",
            "\n  \"Vault\": 127.0.91.1-127.0.91.14\n  \"Office\": 127.0.91.33-127.0.91.46",
        ] {
            assert!(err.contains(said), "{command}: {said:?} in {err}");
        }
    }
    let (_, _, err) = run(&["poll", "127.0.91.5", "--config", &config]);
    assert!(
        err.contains("127.0.91.5 is excluded by the range \"Vault\" of"),
        "{err}"
    );
    let (_, _, err) = run(&["poll", &address, "--config", &config, "--range", "Attic"]);
    assert!(err.contains("has no range \"Attic\""), "{err}");
    let (_, _, err) = run(&["discover", &address, "--config", &config]);
    assert!(err.contains("not all asked in the same way"), "{err}");
    assert!(
        stranger.recv(&mut [0; 1500]).is_err(),
        "nothing was sent to it"
    );
}

#[test]
fn a_host_is_asked_by_the_range_that_has_it_and_one_outside_by_the_range_that_is_named() {
    let printer = Printer::start_at("127.0.91.34");
    let outside = Printer::start_at("127.0.91.78");
    let folder = tempfile::tempdir().unwrap();
    let port = printer.address.port();
    // Port and transport stand in the range alone.
    let office = format!("include = [\"127.0.91.32/28:{port}\"]\ntransport = \"tcp\"");
    let config = config(folder.path(), &office);
    let answers = |printer: &Printer| printer.state.lock().unwrap().answers;

    let (is_done, out, err) = run(&["poll", "127.0.91.34", "--config", &config]);
    assert!(is_done, "{err}");
    assert!(out.contains("ABC1234567"), "{out}");
    let [udp, tcp] = answers(&printer);
    assert!(udp == 0 && tcp > 0, "{udp} by UDP, {tcp} by TCP");

    let (is_done, out, err) = run(&["record", "127.0.91.34", "--config", &config]);
    assert!(is_done, "{err}");
    assert!(out.contains("1.3.6.1.2.1.43.10.2.1.4.1.1|65|1000"), "{out}");
    assert_eq!(answers(&printer)[0], 0, "by TCP as well");

    let host = outside.address.to_string();
    let named = ["--config", &config, "--range", "Office"];
    let (is_done, out, err) = run(&[&["poll", &host][..], &named].concat());
    assert!(is_done, "{err}");
    assert!(out.contains("ABC1234567"), "{out}");
    assert_eq!(answers(&outside)[0], 0, "as the range is asked");

    // Nobody is there: two attempts of 120 and 240 ms for the one credential of the range, and no word of UDP.
    let (is_done, _, err) = run(&["poll", "127.0.91.40", "--config", &config]);
    assert!(!is_done);
    for said in [
        &format!("127.0.91.40 TCP port {port} does not answer")[..],
        "2 requests",
        "with open.",
        "no firewall drops TCP",
    ] {
        assert!(err.contains(said), "{said:?} in {err}");
    }
    let (is_done, out, err) = run(&[
        &["discover", "127.0.91.34"][..],
        &named,
        &["--exclude", "127.0.91.1"],
    ]
    .concat());
    assert!(!is_done && out.is_empty(), "on port 161 nobody is: {err}");
    let range = format!("127.0.91.34:{port}");
    let (is_done, out, err) = run(&[&["discover", &range, "--format", "csv"][..], &named].concat());
    assert!(is_done && out.contains("ABC1234567"), "{out}{err}");
    assert_eq!(answers(&printer)[0], 0, "a sweep goes the same way");
}
